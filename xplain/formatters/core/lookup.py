"""Lookups in JSON of any form: what is missing or of another type is None or empty, never an error.

The modules ``notes`` of formats read vendor extras by them: extras are kept as they came,
so nothing about them is sure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from xplain.explanation.notes import Point


def value_at(value: Any, *keys: str | int) -> Any:
    """Return the value under a path of keys and indices; None if there is none.

    Examples
    --------
    >>> value_at({"boxes": [{"x": 1}]}, "boxes", 0, "x"), value_at({"boxes": 5}, "boxes", 0, "x")
    (1, None)
    """
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        else:
            value = value[key] if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value) else None
    return value


def number_at(value: Any, *keys: str | int) -> float | None:
    """Like `value_at`, but None unless it is a finite number."""
    item = value_at(value, *keys)
    if isinstance(item, bool) or not isinstance(item, (int, float)):
        return None
    try:
        finite = float(item)
    except OverflowError:  # an integer beyond the largest float
        return None
    return finite if math.isfinite(finite) else None


def integer_at(value: Any, *keys: str | int) -> int | None:
    """Like `value_at`, but None unless it is an integer."""
    item = value_at(value, *keys)
    return item if type(item) is int else None


def text_at(value: Any, *keys: str | int) -> str | None:
    """Like `value_at`, but None unless it is a string."""
    item = value_at(value, *keys)
    return item if isinstance(item, str) else None


def flag_at(value: Any, *keys: str | int) -> bool | None:
    """Like `value_at`, but None unless it is true or false."""
    item = value_at(value, *keys)
    return item if isinstance(item, bool) else None


def fields_at(value: Any, *keys: str | int) -> Mapping[str, Any]:
    """Like `value_at`, but empty unless it is an object."""
    item = value_at(value, *keys)
    return item if isinstance(item, Mapping) else {}


def items_at(value: Any, *keys: str | int) -> Iterable[Any]:
    """Like `value_at`, but empty unless it is an array."""
    item = value_at(value, *keys)
    return item if isinstance(item, list) else ()


def point_at(value: Any, *keys: str | int) -> Point | None:
    """The point that an object gives by ``x`` and ``y``; None unless both are finite numbers."""
    item = value_at(value, *keys)
    x, y = number_at(item, "x"), number_at(item, "y")
    return None if x is None or y is None else (x, y)
