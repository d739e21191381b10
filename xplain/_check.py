"""Checks of arguments: each returns the value in one form, or raises an error whose message follows one grammar.

The grammar is ``<name> must be <expected>, got <actual>[; <remedy>]``; ``name`` is what the caller calls the argument.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError, UnknownNameError

Float32 = npt.NDArray[np.float32]
T = TypeVar("T")
S = TypeVar("S", bound=str)


def wrong(name: str, expected: str, value: object, remedy: str = "") -> InputError:
    """Build the error for one wrong argument."""
    actual = repr(value)
    if len(actual) > 80:  # an array, say, would fill the message
        actual = f"{type(value).__name__} {actual[:60]}..."
    return InputError(f"{name} must be {expected}, got {actual}" + (f"; {remedy}" if remedy else ""))


def number(name: str, value: Any) -> float:
    """Return a finite float; booleans and strings are refused."""
    if type(value) is float and math.isfinite(value):  # nearly every call
        return value
    if isinstance(value, (bool, np.bool_, str, bytes)):
        raise wrong(name, "a finite number", value)
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong(name, "a finite number", value) from None
    if not math.isfinite(result):
        raise wrong(name, "a finite number", value)
    return result


def integer(name: str, value: Any, *, least: int | None = None) -> int:
    """Return an int of at least ``least``; booleans, floats and strings are refused."""
    expected = "an integer" if least is None else f"an integer >= {least}"
    if isinstance(value, (bool, np.bool_)):
        raise wrong(name, expected, value)
    try:
        result = operator.index(value)
    except TypeError:
        raise wrong(name, expected, value) from None
    if least is not None and result < least:
        raise wrong(name, expected, value)
    return result


def string(name: str, value: Any) -> str:
    """Return a str."""
    if not isinstance(value, str):
        raise wrong(name, "a string", value)
    return value


def choice(name: str, value: Any, allowed: Sequence[S]) -> S:
    """Return one of the allowed strings."""
    if not isinstance(value, str) or value not in allowed:
        raise wrong(name, "one of " + ", ".join(map(repr, allowed)), value)
    return value  # type: ignore[return-value]


def known(kind: str, name: Any, table: Collection[str]) -> str:
    """Return a name that is in a table, or raise UnknownNameError with the nearest one; ``kind`` is what it names."""
    if not isinstance(name, str) or name not in table:
        raise UnknownNameError(kind, name, table)
    return name


def boolean(name: str, value: Any) -> bool:
    """Return a bool; numbers and strings are refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise wrong(name, "True or False", value)
    return bool(value)


def function(name: str, value: Any) -> Any:
    """Return something that can be called."""
    if not callable(value):
        raise wrong(name, "a function", value)
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Return a new dict with string keys."""
    if type(value) is dict and not value:  # most calls: attributes that are left out
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise wrong(name, "a mapping with string keys", value)
    return dict(value)


def label_path(name: str, value: Any) -> tuple[str, ...]:
    """Return a label as a path of one or more strings; a plain string becomes a path of one."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not value or not all(isinstance(part, str) for part in value):
        raise wrong(name, "a string or a non-empty sequence of strings", value)
    return tuple(value)


def frozen_float32(name: str, value: Any, axes: str) -> Float32:
    """Return a read-only, C-ordered float32 matrix of finite numbers.

    ``axes`` names the two axes in the message, as ``"(height, width)"``.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError  # objects, strings, complex numbers
    except (TypeError, ValueError):
        raise wrong(name, f"an array of numbers {axes}", value) from None
    if array.ndim != 2:
        raise InputError(f"{name} must be two-dimensional {axes}, got shape {array.shape}")
    with np.errstate(over="ignore"):
        result = np.array(array, dtype=np.float32, order="C", copy=True)
    if not np.isfinite(result).all():
        infinite = int(result.size - np.isfinite(result).sum())
        raise InputError(f"{name} must be finite, got {infinite} values that are NaN or beyond float32")
    result.flags.writeable = False
    return result


def instance(name: str, value: Any, kind: Any, expected: str) -> Any:
    """Return an instance of a type, or of one of several; ``expected`` names them in the message."""
    if not isinstance(value, kind):
        raise wrong(name, expected, value)
    return value


def tuple_of(name: str, values: Any, kind: type[T]) -> tuple[T, ...]:
    """Return a tuple whose items all have one type."""
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        raise wrong(name, f"a sequence of {kind.__name__}", values)
    items = tuple(values)
    for i, item in enumerate(items):
        if not isinstance(item, kind):
            raise wrong(f"{name}[{i}]", f"a {kind.__name__}", item)
    return items
