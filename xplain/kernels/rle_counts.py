"""Check the arguments of the functions on run-length masks, and bring counts to their canonical form.

Counts come from documents that nobody has checked, so the checks here take work in proportion to the counts, never to
the size that a document claims.
"""

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

#: Modules of compiled kernels, for `xplain.kernels.jit`; `xplain.kernels.plain.rle` has the twins of both.
PIXEL_KERNELS, RUN_KERNELS = "xplain.kernels.compiled.rle_pixels", "xplain.kernels.compiled.rle_runs"


def check(counts: npt.ArrayLike, height: int, width: int, path: str = "$") -> Counts:
    """Check that counts describe an image of a size; costs work in proportion to the counts, not to the size.

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
        raise DocumentError(
            f"height * width must be at most {LIMIT}, got {format_value(height)} x {format_value(width)}", path=path
        )
    array = as_array(counts, path)
    total, _, _ = measure(array, path)
    if total != pixels:
        raise DocumentError(f"counts must sum to {pixels}, height * width, got {total}", path=path)
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
    _, _, has_empty_runs = measure(array)
    if not has_empty_runs:
        return array.copy()
    ends = np.cumsum(array, dtype=np.int64)
    pixels = ends[-1] if ends.size else 0
    boundaries, times = np.unique(ends[:-1], return_counts=True)
    real = boundaries[(times % 2 == 1) & (boundaries < pixels)]  # two boundaries at one position cancel
    result: Counts = np.diff(real, prepend=0, append=pixels).astype(np.uint32)
    return result


def as_image(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a (height, width) array."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a (height, width) array, got {format_value(values)}") from error
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
    raise InputError(f"{name} must be a finite number, got {format_value(value)}")


def as_length(name: str, value: Any, path: str = "$") -> int:
    """Return a height or a width as an int >= 0."""
    try:
        length = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        length = -1
    if length < 0:
        raise DocumentError(f"{name} must be an integer >= 0, got {format_value(value)}", path=path)
    return length


def as_array(counts: Any, path: str = "$") -> Counts:
    """Return counts as a contiguous, read-only, one-dimensional uint32 array, without a copy if they are uint32."""
    if type(counts) is np.ndarray and counts.dtype == _UINT32 and counts.ndim == 1 and counts.flags.c_contiguous:
        return freeze(counts)
    if isinstance(counts, (list, tuple)):
        return freeze(_from_list(counts, path))
    if not hasattr(counts, "__array__"):
        raise DocumentError(f"counts must be a flat list of integers, got {format_value(counts)}", path=path)
    array = np.asarray(counts)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DocumentError(
            f"counts must be a flat list of integers, got {array.dtype} of shape {array.shape}", path=path
        )
    if array.size and not 0 <= array.min() <= array.max() <= LIMIT:
        i = int(np.argmax((array < 0) | (array > LIMIT)))
        raise DocumentError(f"counts must be between 0 and {LIMIT}, got {array[i]}", path=f"{path}[{i}]")
    return freeze(np.ascontiguousarray(array, np.uint32))


def _from_list(counts: Sequence[Any], path: str) -> Counts:
    types = set(map(type, counts))
    if types == {int}:
        with suppress(OverflowError):  # the fast path failed; the checks below find the item and name it
            return np.frombuffer(arrays.array("I", counts), np.uint32)

    def is_integer(kind: type) -> bool:
        return issubclass(kind, (int, np.integer)) and kind is not bool

    if not all(map(is_integer, types)):  # NumPy would take booleans, and round floats
        i = next(i for i, run in enumerate(counts) if not is_integer(type(run)))
        raise DocumentError(f"counts must be integers, got {format_value(counts[i])}", path=f"{path}[{i}]")
    if counts and not 0 <= min(counts) <= max(counts) <= LIMIT:
        i = next(i for i, run in enumerate(counts) if not 0 <= run <= LIMIT)
        raise DocumentError(f"counts must be between 0 and {LIMIT}, got {format_value(counts[i])}", path=f"{path}[{i}]")
    return np.array(counts, np.uint32)


def as_items(name: str, values: Any) -> list[Any]:
    """Return the items of a sequence or an iterator; refuse text, bytes and mappings, which iterate, too."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InputError(f"{name} must be a sequence, got {format_value(values)}")
    return list(values)


def as_runs(counts: Any) -> tuple[Counts, int, int]:
    """Return canonical counts as a read-only array, the number of pixels, and the number of set pixels."""
    array = as_array(counts)
    pixels, area, has_empty_runs = measure(array)
    return freeze(canonical(array)) if has_empty_runs else array, pixels, area


def freeze(array: Array) -> Array:
    """Return a read-only view: Numba compiles a kernel anew for each mix of writeable and read-only arguments."""
    if array.flags.writeable:
        array = array.view()
        array.setflags(write=False)
    return array


def measure(counts: Counts, path: str = "$") -> tuple[int, int, bool]:
    """Return the number of pixels, of set pixels, and whether counts from `as_array` are not canonical."""
    pixels, area, has_empty_runs = jit.choose_if_loaded(RUN_KERNELS, plain).measure(counts)
    refuse_too_large(pixels, path)
    return pixels, area, has_empty_runs


def refuse_too_large(pixels: int, path: str = "$") -> None:
    """Raise DocumentError if a mask has more than `LIMIT` pixels."""
    if pixels > LIMIT:
        raise DocumentError(f"counts must sum to at most {LIMIT}, got {pixels}", path=path)


def format_value(value: object) -> str:
    """Return a short repr for a message; of a very long integer the number of its bits."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    return reprlib.repr(value)
