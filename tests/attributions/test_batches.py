import numpy as np
import pytest
import torch

from tests.support import refuses
from xplain.attributions.engine.session import Batches, batch_size
from xplain.errors import AttributionError, InputError

MIB = 2**20


@pytest.mark.parametrize(
    ("peak", "total", "memory", "expected"),
    [
        (5 * MIB, 60 * MIB, None, 4),  # a mobile network at 224 x 224: the caches decide
        (3 * MIB, 60 * MIB, None, 8),
        (100 * 1024, MIB, None, 128),  # small pictures: larger batches
        (1, 1, None, 256),
        (100 * MIB, 2048 * MIB, None, 1),  # larger than the caches and than the budget: one at a time
        (3 * MIB, 60 * MIB, 130 * MIB, 2),
        (3 * MIB, 60 * MIB, 10 * MIB, 1),
        (0, 0, None, 256),
    ],
)
def test_the_batch_fits_the_caches_and_the_budget(peak, total, memory, expected):
    assert batch_size(peak, total, "cpu", memory) == expected


def test_an_accelerator_takes_more():
    assert batch_size(5 * MIB, 60 * MIB, "cuda:0", 64 * 1024 * MIB) == 128
    assert batch_size(5 * MIB, 60 * MIB, "mps", None) == 64


def test_rows_come_in_order_and_in_parts():
    parts = list(Batches(3).map(lambda rows: rows.sum(), np.arange(7)))
    assert parts == [(slice(0, 3), 3), (slice(3, 6), 12), (slice(6, 7), 6)]


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError("Unable to allocate 3.1 GiB for an array"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:116] . DefaultCPUAllocator: not enough memory: you tried to allocate"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:83] err == 0. DefaultCPUAllocator: can't allocate memory"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_batches_shrink_for_good_when_memory_runs_out(error):
    tried = []

    def function(rows):
        tried.append(len(rows))
        if len(rows) > 3:
            raise error
        return list(rows)

    batches = Batches(12)
    rows_seen = [row for _, rows in batches.map(function, range(14)) for row in rows]
    assert rows_seen == list(range(14))
    assert tried == [12, 6, 3, 3, 3, 3, 2]
    assert batches.size == 3


def test_memory_that_does_not_suffice_for_one_is_refused():
    def function(rows):
        raise MemoryError("no room")

    with refuses(AttributionError, "memory must suffice for one input at a time, got: no room", "smaller input"):
        list(Batches(4).map(function, range(4)))


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), AttributionError("explains itself out of memory")])
def test_other_errors_pass_through(error):
    def function(rows):
        raise error

    with refuses(type(error), str(error)):
        list(Batches(4).map(function, range(4)))


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_wrong_sizes_are_refused(size):
    with refuses(InputError, "batch_size must be an integer >= 1"):
        Batches(size)
