"""Compiled kernels and their NumPy twins give the same results, and a first small call does not load Numba."""

import functools
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xplain.kernels import jit, rle, rle_counts
from xplain.kernels.plain import rle as plain

ROOT = Path(__file__).parents[2]
SIZES = [(64, 64), (1, 200), (200, 1), (65, 129), (130, 63), (128, 256)]


def everything(height, width):
    """Yield the results of all functions on masks of one size, and on counts with empty runs."""
    rng = np.random.default_rng(height + width)
    a, b = rng.random((2, height, width)) < [[[0.2]], [[0.7]]]
    scores = rng.normal(size=(height, width))
    x, y = rle.encode(a), rle.encode(b)
    yield from (x, y, rle.encode(np.asfortranarray(a)), rle.encode(a * 7))
    for dtype in (np.float32, np.float64):
        yield from rle.encode_levels(scores.astype(dtype), [-1, 0, 0.5])
        yield from rle.encode_levels(np.asfortranarray(scores, dtype), [-1, 0, 0.5])
    yield rle.decode(x, height, width)
    yield from (rle.union(x, y), rle.intersection(x, y), rle.difference(x, y), rle.complement(x))
    yield from (rle.area(x), rle.bbox(x, height), rle.iou(x, y), rle.iou_matrix([x, y], [y, x]))
    for p, q in (([2, 0, 0, 3, 1, 0], [0, 0, 6]), ([1, 5, 0], [6, 0]), ([], [0]), ([0, 0], [])):
        yield from (rle.union(p, q), rle.intersection(p, q), rle.difference(p, q))
        yield from (rle.iou(p, q), rle.area(p), rle.complement(q))
    text = rle.to_coco(x, height, width)["counts"]
    yield text
    yield rle.from_coco({"size": [height, width], "counts": text})[0]


@pytest.mark.parametrize("size", SIZES)
def test_kernels_equal_twins(size, monkeypatch):
    results, modules = {}, set()

    def choose_compiled(work, compiled, twins):
        modules.add(compiled)
        return importlib.import_module(compiled)

    for name, choose in (("plain", lambda work, compiled, twins: twins), ("compiled", choose_compiled)):
        monkeypatch.setattr(jit, "choose", choose)
        monkeypatch.setattr(jit, "choose_if_loaded", functools.partial(choose, 0))
        results[name] = list(everything(*size))
    assert modules == {rle_counts.PIXEL_KERNELS, rle_counts.RUN_KERNELS}
    for ours, twin in zip(results["compiled"], results["plain"], strict=True):
        np.testing.assert_array_equal(ours, twin)
        assert type(ours) is type(twin)
        assert getattr(ours, "dtype", None) == getattr(twin, "dtype", None)


def test_malformed_text_stops_both_at_one_character():
    runs = importlib.import_module(rle_counts.RUN_KERNELS)
    for text in (b"", b"1!", b"4P", b"O", b"PPPPPPP4", b"14\x00", b"0nnnnnn?"):
        codes = np.frombuffer(text, np.uint8)
        counts, bad = runs.read_text(codes)
        expected, expected_bad = plain.read_text(codes)
        assert bad == expected_bad
        np.testing.assert_array_equal(counts, expected)


class TestPolicy:
    """Any two modules stand for the kernels and their twins."""

    def test_one_small_call_then_the_kernels(self):
        policy = jit.Policy()
        assert policy.choose(10, "json", os) is os
        assert policy.choose_if_loaded("json", os) is os
        assert policy.choose(10, "json", os).__name__ == "json"
        assert policy.choose_if_loaded("json", os).__name__ == "json"
        assert policy.choose_if_loaded("csv", os).__name__ == "csv"

    def test_a_large_call_takes_the_kernels_and_stays(self):
        policy = jit.Policy()
        assert policy.choose(jit.SMALL + 1, "json", os).__name__ == "json"
        assert policy.choose(1, "csv", os).__name__ == "csv"

    def test_one_shot(self):
        policy = jit.Policy()
        policy.one_shot(3)
        assert [policy.choose(1, "json", os).__name__ for _ in range(4)] == ["os", "os", "os", "json"]


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


class TestFreshProcess:
    def test_one_small_call_does_not_import_numba(self):
        code = (
            "import sys; from xplain.kernels import rle; c = rle.encode([[0, 1]] * 2); print('numba' in sys.modules);"
            "rle.check([2, 2], 2, 2); rle.area(c); rle.canonical(c); print('numba' in sys.modules);"
            "rle.decode(c, 2, 2); print('numba' in sys.modules)"
        )
        assert run(code) == ["False", "False", "True"]

    def test_a_one_shot_program_never_does(self):
        code = (
            "import sys; from xplain.kernels import jit, rle; jit.one_shot();"
            "c = rle.encode([[0, 1], [1, 1]]); rle.decode(c, 2, 2); rle.union(c, c); rle.bbox(c, 2);"
            "rle.from_coco(rle.to_coco(c, 2, 2)); print('numba' in sys.modules)"
        )
        assert run(code) == ["False"]

    def test_numba_can_be_disabled(self):
        code = (
            "import sys; from xplain.kernels import rle; c = rle.encode([[0, 1], [1, 1]]); c = rle.union(c, c);"
            "print(rle.decode(c, 2, 2).sum(), 'numba' in sys.modules)"
        )
        assert run(code, NUMBA_DISABLE_JIT="1") == ["3", "False"]

    def test_without_a_cache_directory(self):
        code = (
            "from numba.core import caching\n"
            "def refuse(self): raise OSError('read-only')\n"
            "caching._CacheLocator.ensure_cache_path = refuse\n"
            "from xplain.kernels import rle, jit; from xplain.kernels.compiled import rle_runs; jit.one_shot(0)\n"
            "print(rle.bbox([1, 3], 2), rle_runs.bbox.stats.cache_path)"
        )
        assert run(code) == ["(0,", "0,", "2,", "2)", "None"]
