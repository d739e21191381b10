"""Read and write the run lengths of others: pairs of start and length, as at Kaggle, and the brush of Label Studio."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError, InputError
from xplain.kernels.rle_counts import LIMIT, Counts, as_array, as_length, canonical, check, format_value
from xplain.kernels.rle_images import decode, encode

_ORDERS = ("columns", "rows")

# Of thi.ng/rle-pack, which Label Studio uses: 32 bits for the number of values, 5 for the bits of a value, 4 each for
# the four sizes in which a run's length is written; then runs, each with a bit that tells copies from a list of values,
# two bits for its size, and its length less 1.
_HEADER, _LENGTH_BITS = 32 + 5 + 4 * 4, (3, 4, 8, 16)
_CHANNELS = 4  # red, green, blue and alpha of each pixel; alpha is the mask


def from_kaggle(text: Any, height: int, width: int, order: str = "columns") -> Counts:
    """Read pairs of start and length, as competitions at Kaggle write them.

    Parameters
    ----------
    text : str
        ``"start length start length ..."``; pixels are numbered from 1. Nothing, NaN and None, as a table holds where
        there is no mask, and "-1" are an empty mask.
    height, width : int
        Size in pixels.
    order : {"columns", "rows"}
        How pixels are numbered: down the first column, then down the second (most competitions), or along the rows.

    Returns
    -------
    counts : uint32 array
        Canonical run lengths.

    Raises
    ------
    DocumentError
        If the text is not of pairs, they overlap or are not in order, or lie outside an image of this size.

    Examples
    --------
    >>> from_kaggle("4 4 12 1", height=3, width=4).tolist()
    [3, 4, 4, 1]
    """
    _check_order(order)
    pixels = _pixels(height, width)
    if text is None or (isinstance(text, float) and math.isnan(text)):
        text = ""
    if not isinstance(text, str):
        raise DocumentError(f"a mask must be a str of starts and lengths, got {format_value(text)}")
    words = text.split()
    if words == ["-1"]:
        words = []
    if len(words) % 2:
        raise DocumentError(f"a mask must be pairs of start and length, got {len(words)} numbers")
    if not all(word.isascii() and word.isdigit() and len(word) <= 10 for word in words):
        wrong = next(word for word in words if not (word.isascii() and word.isdigit() and len(word) <= 10))
        raise DocumentError(f"a mask must be of whole numbers of pixels, got {format_value(wrong)}")
    pairs = np.array(words, dtype=np.int64).reshape(-1, 2)
    starts = pairs[:, 0] - 1
    ends = starts + pairs[:, 1]
    if (pairs < 1).any():
        raise DocumentError(f"starts and lengths must be at least 1, got {pairs.min()}")
    if (starts[1:] < ends[:-1]).any():
        i = int(np.argmax(starts[1:] < ends[:-1])) + 1
        raise DocumentError(
            f"pairs must be in order and not overlap, got start {starts[i] + 1} after pixel {ends[i - 1]}"
        )
    if len(ends) and ends[-1] > pixels:
        raise DocumentError(f"pairs must end within {pixels} pixels, height * width, got pixel {ends[-1]}")
    return _of_intervals(starts, ends, height, width, order)


def to_kaggle(counts: npt.ArrayLike, height: int, width: int, order: str = "columns") -> str:
    """Write a mask as pairs of start and length; an empty mask is an empty str.

    Parameters
    ----------
    counts : array_like
        Run lengths that sum to height * width.
    height, width, order
        As for `from_kaggle`.

    Raises
    ------
    DocumentError
        If the counts do not describe an image of this size.

    Examples
    --------
    >>> to_kaggle([3, 4, 4, 1], height=3, width=4)
    '4 4 12 1'
    """
    runs = _in_order(counts, height, width, _check_order(order))
    ends = np.cumsum(runs, dtype=np.int64)
    pairs = np.stack([ends[:-1:2] + 1, runs[1::2]], axis=1) if runs.size > 1 else np.zeros((0, 2), np.int64)
    return " ".join(map(str, pairs.ravel().tolist()))


def from_label_studio(rle: Any, height: int, width: int) -> Counts:
    """Read the brush of Label Studio, the list ``"rle"`` of a result.

    Parameters
    ----------
    rle : sequence of int, or bytes
        Bytes, 0..255. A pixel is set where its alpha is not 0.
    height, width : int
        Size in pixels: ``original_height`` and ``original_width`` of the result.

    Returns
    -------
    counts : uint32 array
        Canonical run lengths.

    Raises
    ------
    DocumentError
        If the bytes are malformed, or are not of an image of this size.

    Examples
    --------
    >>> from_label_studio(to_label_studio([3, 4, 4, 1], 3, 4), height=3, width=4).tolist()
    [3, 4, 4, 1]
    """
    pixels = _pixels(height, width)
    bits = np.unpackbits(_bytes_of(rle))
    text = (bits + ord("0")).tobytes().decode("ascii")
    if len(text) < _HEADER:
        raise DocumentError(f"an rle of Label Studio must begin with {_HEADER} bits of header, got {len(text)} bits")
    values, word = int(text[:32], 2), int(text[32:37], 2) + 1
    sizes = [int(text[at : at + 4], 2) + 1 for at in range(37, _HEADER, 4)]
    if values != _CHANNELS * pixels:
        raise DocumentError(
            f"an rle of Label Studio must hold {_CHANNELS} values a pixel, {_CHANNELS * pixels} for {height}x{width} "
            f"(height x width), got {values}"
        )
    starts, ends = _set_values(bits, text, values, word, sizes)
    # Value i is that of channel i % 4 of pixel i // 4: alpha is the last of four.
    starts, ends = starts // _CHANNELS, ends // _CHANNELS
    return _of_intervals(starts[ends > starts], ends[ends > starts], height, width, "rows")


def _set_values(
    bits: npt.NDArray[np.uint8], text: str, values: int, word: int, sizes: list[int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where runs of values other than 0 start and end, in order."""
    starts, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    at, done = _HEADER, 0
    while done < values:
        size = sizes[int(text[at + 1 : at + 3] or "0", 2)]
        first = at + 3 + size  # of the values
        count = int(text[at + 3 : first] or "0", 2) + 1
        copies = text[at : at + 1] == "1"
        at = first + word * (1 if copies else count)
        if at > len(text) or done + count > values:
            raise DocumentError(f"an rle of Label Studio must hold {values} values, got bytes that break off at {done}")
        is_set = bits[first:at].reshape(-1, word).any(axis=1)
        found = done + np.flatnonzero(is_set)
        starts.append(found)
        ends.append(found + (count if copies else 1))
        done += count
    return np.concatenate(starts), np.concatenate(ends)


def to_label_studio(counts: npt.ArrayLike, height: int, width: int) -> list[int]:
    """Write a mask as the brush of Label Studio: bytes, for the field ``"rle"`` with ``"format": "rle"``.

    Parameters
    ----------
    counts : array_like
        Run lengths that sum to height * width.
    height, width : int
        Size in pixels.

    Returns
    -------
    list of int
        0..255; all four channels of a pixel are 255 where it is set. They are those that label-studio-sdk writes.

    Raises
    ------
    DocumentError
        If the counts do not describe an image of this size.

    Examples
    --------
    >>> to_label_studio([1, 2, 1], height=2, width=2)
    [0, 0, 0, 16, 57, 27, 252, 96, 19, 255, 198, 0]
    """
    runs = _in_order(counts, height, width, "rows")
    values = _CHANNELS * _pixels(height, width)
    if values > LIMIT:
        raise InputError(
            f"height * width must be at most {LIMIT // _CHANNELS} for Label Studio, got {height} x {width}"
        )
    parts = [f"{values:032b}{7:05b}", *(f"{size - 1:04b}" for size in _LENGTH_BITS)]
    for i, run in enumerate(runs.tolist()):
        length = run * _CHANNELS
        while length:
            part = min(length, 1 << _LENGTH_BITS[-1])
            index = next(i for i, size in enumerate(_LENGTH_BITS) if part <= 1 << size)
            parts.append(f"1{index:02b}{part - 1:0{_LENGTH_BITS[index]}b}{255 * (i % 2):08b}")
            length -= part
    text = "".join(parts)
    text += "0" * (8 - len(text) % 8)
    return [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]


def _bytes_of(rle: Any) -> npt.NDArray[np.uint8]:
    if isinstance(rle, (bytes, bytearray)):
        return np.frombuffer(rle, np.uint8)
    if isinstance(rle, (str, dict)) or not isinstance(rle, Iterable):
        raise DocumentError(f"an rle of Label Studio must be a list of bytes, got {format_value(rle)}")
    values = as_array(rle if hasattr(rle, "__array__") else list(rle))
    if values.size and values.max() > 255:
        raise DocumentError(f"an rle of Label Studio must be of bytes, 0 to 255, got {values.max()}")
    return values.astype(np.uint8)


def _check_order(order: Any) -> str:
    if order not in _ORDERS:
        raise InputError(f"order must be one of {', '.join(map(repr, _ORDERS))}, got {order!r}")
    return str(order)


def _pixels(height: Any, width: Any) -> int:
    pixels = as_length("height", height) * as_length("width", width)
    if pixels > LIMIT:
        raise DocumentError(
            f"height * width must be at most {LIMIT}, got {format_value(height)} x {format_value(width)}"
        )
    return pixels


def _in_order(counts: npt.ArrayLike, height: int, width: int, order: str) -> Counts:
    """Return canonical counts of an image, column by column or row by row."""
    runs = check(counts, height, width)
    return encode(decode(runs, height, width).T) if order == "rows" else canonical(runs)


def _of_intervals(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], height: int, width: int, order: str
) -> Counts:
    """Return the counts of pixels in intervals that are in order, of columns or of rows."""
    pixels = int(height) * int(width)
    edges = np.stack([starts, ends], axis=1).ravel()
    runs = canonical(np.diff(edges, prepend=0, append=pixels))
    return encode(decode(runs, width, height).T) if order == "rows" else runs
