"""Arguments of the functions on run-length masks: whether they are what they claim, and their canonical form."""

from __future__ import annotations

import array as arrays
import math
import operator
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError, InputError
from xplain.kernels import jit
from xplain.kernels.plain import rle as plain

Counts: TypeAlias = npt.NDArray[np.uint32]

LIMIT = 2**32 - 1
"""Largest number of pixels of a mask, and largest run."""

_UINT32 = np.dtype(np.uint32)

Array = TypeVar("Array", bound=npt.NDArray[Any])

PIXELS, RUNS = "xplain.kernels.compiled.rle_pixels", "xplain.kernels.compiled.rle_runs"


def check(counts: npt.ArrayLike, height: int, width: int, path: str = "$") -> Counts:
    """Check that counts describe an image of a size, with work in proportion to the counts and not to the size.

    Parameters
    ----------
    counts : array_like
        What a document holds.
    height, width : int
        Size that the document claims.
    path : str
        Where the counts stand, for the message.

    Returns
    -------
    counts : uint32 array
        One-dimensional, contiguous and read-only; a view of the argument if that is a uint32 array.

    Raises
    ------
    DocumentError
        If the size is not one of two integers or too large, or the counts are not a flat list of integers, are
        negative or beyond uint32, or do not sum to height * width.

    Examples
    --------
    >>> check([3, 4, 4, 1], 3, 4).dtype
    dtype('uint32')
    """
    pixels = as_length("height", height, path) * as_length("width", width, path)
    if pixels > LIMIT:
        raise DocumentError(f"height * width must be at most {LIMIT}, got {shown(height)} x {shown(width)}", path=path)
    array = as_array(counts, path)
    found = measure(array, path)[0]
    if found != pixels:
        raise DocumentError(f"counts must sum to {pixels}, height * width, got {found}", path=path)
    return array


def canonical(counts: npt.ArrayLike) -> Counts:
    """Return new, writable counts of the same mask in which no run after the first is empty.

    Parameters
    ----------
    counts : array_like
        Run lengths.

    Examples
    --------
    >>> canonical([3, 0, 0, 4, 5, 0]).tolist()
    [3, 4, 5]
    """
    array = as_array(counts)
    if not measure(array)[2]:
        return array.copy()
    ends = np.cumsum(array, dtype=np.int64)
    pixels = ends[-1] if ends.size else 0
    boundaries, times = np.unique(ends[:-1], return_counts=True)
    kept = boundaries[(times % 2 == 1) & (boundaries < pixels)]  # two boundaries at one place cancel
    result: Counts = np.diff(kept, prepend=0, append=pixels).astype(np.uint32)
    return result


def as_image(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a (height, width) array."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a (height, width) array, got {shown(values)}") from error
    if array.ndim != 2:
        raise InputError(f"{name} must be two-dimensional (height, width), got shape {array.shape}")
    if array.size > LIMIT:
        raise InputError(f"{name} must have at most {LIMIT} pixels, got {array.shape[0]} x {array.shape[1]}")
    return array


def as_finite(name: str, value: Any) -> float:
    """Return a finite float."""
    if not isinstance(value, (bool, np.bool_, str, bytes)):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise InputError(f"{name} must be a finite number, got {shown(value)}")


def as_length(name: str, value: Any, path: str = "$") -> int:
    """Return an integer >= 0, for a height or a width."""
    try:
        length = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        length = -1
    if length < 0:
        raise DocumentError(f"{name} must be an integer >= 0, got {shown(value)}", path=path)
    return length


def as_array(counts: Any, path: str = "$") -> Counts:
    """Return counts as a contiguous, read-only, one-dimensional uint32 array, without a copy if they are uint32."""
    if type(counts) is np.ndarray and counts.dtype == _UINT32 and counts.ndim == 1 and counts.flags.c_contiguous:
        return frozen(counts)
    if isinstance(counts, (list, tuple)):
        return frozen(_from_list(counts, path))
    if not hasattr(counts, "__array__"):
        raise DocumentError(f"counts must be a flat list of integers, got {shown(counts)}", path=path)
    array = np.asarray(counts)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DocumentError(
            f"counts must be a flat list of integers, got {array.dtype} of shape {array.shape}", path=path
        )
    if array.size and not 0 <= array.min() <= array.max() <= LIMIT:
        i = int(np.argmax((array < 0) | (array > LIMIT)))
        raise DocumentError(f"counts must be between 0 and {LIMIT}, got {array[i]}", path=f"{path}[{i}]")
    return frozen(np.ascontiguousarray(array, np.uint32))


def _from_list(counts: Sequence[Any], path: str) -> Counts:
    kinds = set(map(type, counts))
    if kinds == {int}:
        with suppress(OverflowError):  # what is wrong is said below
            return np.frombuffer(arrays.array("I", counts), np.uint32)

    def is_integer(kind: type) -> bool:
        return issubclass(kind, (int, np.integer)) and kind is not bool

    if not all(map(is_integer, kinds)):  # NumPy would take booleans, and round floats
        i = next(i for i, run in enumerate(counts) if not is_integer(type(run)))
        raise DocumentError(f"counts must be integers, got {shown(counts[i])}", path=f"{path}[{i}]")
    if counts and not 0 <= min(counts) <= max(counts) <= LIMIT:
        i = next(i for i, run in enumerate(counts) if not 0 <= run <= LIMIT)
        raise DocumentError(f"counts must be between 0 and {LIMIT}, got {shown(counts[i])}", path=f"{path}[{i}]")
    return np.array(counts, np.uint32)


def as_items(name: str, values: Any) -> list[Any]:
    """Return the items of a sequence or an iterator; text, bytes and mappings are none."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InputError(f"{name} must be a sequence, got {shown(values)}")
    return list(values)


def as_runs(counts: Any) -> tuple[Counts, int, int]:
    """Return counts as `as_array` does, but canonical; the number of pixels, and of those set."""
    array = as_array(counts)
    pixels, area, empty = measure(array)
    return frozen(canonical(array)) if empty else array, pixels, area


def frozen(array: Array) -> Array:
    """Return a read-only view; with one mutability, a kernel is compiled once and not for each combination."""
    if array.flags.writeable:
        array = array.view()
        array.setflags(write=False)
    return array


def measure(counts: Counts, path: str = "$") -> tuple[int, int, bool]:
    """Return the number of pixels, of those set, and whether the counts of `as_array` are not canonical."""
    found: tuple[int, int, bool] = jit.loaded(RUNS, plain).measure(counts)
    must_fit(found[0], path)
    return found


def must_fit(pixels: int, path: str = "$") -> None:
    """Refuse a mask of more than `LIMIT` pixels."""
    if pixels > LIMIT:
        raise DocumentError(f"counts must sum to at most {LIMIT}, got {pixels}", path=path)


def shown(value: object) -> str:
    """Return a short repr; integers too long for one are described."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    return reprlib.repr(value)
