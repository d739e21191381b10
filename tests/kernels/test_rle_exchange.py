"""Run lengths of Kaggle and Label Studio against slow readings of their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.test_rle import masks
from tests.support import examples, refuses
from xplain.errors import DocumentError, InputError, XplainError
from xplain.kernels import rle

# What label-studio-sdk 2.1.2 writes: converter.brush.mask2rle of the mask below, as 0 and 255; and encode_rle of one
# pixel whose channels are 1, 2, 3 and 200, which it writes one by one.
MASK = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]], bool)
WRITTEN = [0, 0, 0, 48, 57, 27, 252, 96, 19, 255, 206, 1, 31, 253, 176, 8, 255, 227, 0, 143, 252]
ONE_BY_ONE = [0, 0, 0, 4, 57, 27, 248, 0, 32, 1, 0, 6, 6, 64]


def pairs(mask, order):
    """Read the pixels in their order, one at a time."""
    found, current = [], False
    for number, pixel in enumerate(mask.ravel(order=order).tolist(), start=1):
        if pixel and not current:
            found.append([number, 0])
        if pixel:
            found[-1][1] += 1
        current = pixel
    return " ".join(f"{start} {length}" for start, length in found)


def unpacked(data):
    """Decode thi.ng/rle-pack, bit by bit."""
    bits = [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]
    place = 0

    def read(count):
        nonlocal place
        place += count
        return int("".join(map(str, bits[place - count : place])), 2)

    total, word, sizes, values = read(32), read(5) + 1, [read(4) + 1 for _ in range(4)], []
    while len(values) < total:
        copies, length = read(1), read(sizes[read(2)]) + 1
        values += [read(word)] * length if copies else [read(word) for _ in range(length)]
    return values


@examples(60)
@given(masks(least=1))
def test_masks_come_back_and_are_written_as_defined(mask):
    height, width = mask.shape
    counts = rle.encode(mask)
    for order, numpys in (("columns", "F"), ("rows", "C")):
        text = rle.to_kaggle(counts, height, width, order)
        assert text == pairs(mask, numpys)
        assert np.array_equal(rle.from_kaggle(text, height, width, order), counts)
    packed = rle.to_label_studio(counts, height, width)
    if mask.size < 2000:
        assert unpacked(packed) == np.repeat(mask.ravel() * 255, 4).tolist()
    assert np.array_equal(rle.from_label_studio(packed, height, width), counts)


def test_what_label_studio_writes_is_read_and_written_alike():
    counts = rle.encode(MASK)
    assert rle.to_label_studio(counts, 3, 4) == WRITTEN
    for form in (WRITTEN, bytes(WRITTEN), np.array(WRITTEN)):
        assert np.array_equal(rle.from_label_studio(form, 3, 4), counts)
    assert rle.from_label_studio(ONE_BY_ONE, 1, 1).tolist() == [0, 1]
    assert unpacked(ONE_BY_ONE) == [1, 2, 3, 200]


def test_only_alpha_counts_and_any_alpha_does():
    for channels, expected in (((255, 255, 255, 0), [1]), ((0, 0, 0, 1), [0, 1]), ((9, 9, 9, 9), [0, 1])):
        words = "".join(f"0{0:02b}{0:03b}{value:08b}" for value in channels)
        text = f"{4:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}{words}"
        text += "0" * (-len(text) % 8)
        data = [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]
        assert unpacked(data) == list(channels)
        assert rle.from_label_studio(data, 1, 1).tolist() == expected


@pytest.mark.parametrize("text", ["", "  ", "-1", None, float("nan")])
def test_no_mask_at_kaggle_is_an_empty_one(text):
    assert rle.from_kaggle(text, 3, 4).tolist() == [12]
    assert rle.to_kaggle([12], 3, 4) == ""


def test_runs_longer_than_sixteen_bits():
    counts = rle.encode(np.ones((300, 400), bool))
    packed = rle.to_label_studio(counts, 300, 400)
    assert np.array_equal(rle.from_label_studio(packed, 300, 400), counts)


@pytest.mark.parametrize(
    ("call", "fragment"),
    [
        (lambda: rle.from_kaggle("1 2 3", 3, 4), "must be pairs of start and length, got 3 numbers"),
        (lambda: rle.from_kaggle("1 x", 3, 4), "must be of whole numbers of pixels, got 'x'"),
        (lambda: rle.from_kaggle("1 -2", 3, 4), "must be of whole numbers of pixels, got '-2'"),
        (lambda: rle.from_kaggle("0 2", 3, 4), "starts and lengths must be at least 1, got 0"),
        (lambda: rle.from_kaggle("4 2 5 1", 3, 4), "must be in order and not overlap, got start 5 after pixel 5"),
        (lambda: rle.from_kaggle("9 1 1 1", 3, 4), "must be in order and not overlap, got start 1 after pixel 9"),
        (lambda: rle.from_kaggle("12 2", 3, 4), "must end within 12 pixels, height * width, got pixel 13"),
        (lambda: rle.from_kaggle(3, 3, 4), "must be a str of starts and lengths, got 3"),
        (lambda: rle.from_kaggle("1 2", 3, -4), "width must be an integer >= 0, got -4"),
        (lambda: rle.from_kaggle("1 2", 2**17, 2**17), "height * width must be at most"),
        (lambda: rle.to_kaggle([3], 3, 4), "counts must sum to 12, height * width, got 3"),
        (lambda: rle.from_label_studio([], 3, 4), "must begin with 53 bits of header, got 0 bits"),
        (
            lambda: rle.from_label_studio(WRITTEN, 4, 4),
            "must hold 4 values a pixel, 64 for 4x4 (height x width), got 48",
        ),
        (lambda: rle.from_label_studio(WRITTEN[:-3], 3, 4), "must hold 48 values, got bytes that break off at"),
        (lambda: rle.from_label_studio([256], 3, 4), "must be of bytes, 0 to 255, got 256"),
        (lambda: rle.from_label_studio("AAA", 3, 4), "must be a list of bytes, got 'AAA'"),
    ],
)
def test_malformed_masks_are_refused(call, fragment):
    with refuses(DocumentError, fragment):
        call()


def test_other_orders_are_refused():
    with refuses(InputError, "order must be one of 'columns', 'rows', got 'C'"):
        rle.from_kaggle("1 2", 3, 4, order="C")


@examples(100)
@given(st.binary(max_size=60), st.integers(0, 20))
def test_any_bytes_are_read_or_refused(data, cut):
    for rest in (data, bytes(WRITTEN[:8]) + data, bytes(WRITTEN[:cut])):
        try:
            counts = rle.from_label_studio(rest, 3, 4)
        except XplainError:
            continue
        assert counts.sum() == 12
