"""Readers of single values: a check of the value alone, so that a place is made only for what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from xplain.dialects._places import At

__all__ = ["WRONG", "Scalar", "between", "boolean", "choice", "integer", "number", "string", "time"]

T = TypeVar("T")

#: What a check gives for a value that it refuses.
WRONG: Any = object()


@dataclass(frozen=True, slots=True)
class Scalar(Generic[T]):
    """A reader of a single value.

    Parameters
    ----------
    expected : str
        What the value must be, for messages.
    check : callable
        Gives the value, or `WRONG`.
    """

    expected: str
    check: Callable[[Any], T]

    def __call__(self, at: At) -> T:
        """Read the value at a place."""
        value = self.check(at.value)
        if value is WRONG:
            raise at.rejected(self.expected)
        return value


def _string(value: Any) -> str:
    return value if isinstance(value, str) else WRONG


def _boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else WRONG


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            return cast(float, WRONG)
        if math.isfinite(found):
            return found
    return cast(float, WRONG)


def _time(value: Any) -> str:
    try:
        zone = isinstance(value, str) and datetime.fromisoformat(value).tzinfo
    except ValueError:
        zone = None
    return cast(str, value if zone else WRONG)


string = Scalar("a string", _string)
boolean = Scalar("true or false", _boolean)
number = Scalar("a finite number", _number)
time = Scalar("an ISO 8601 time with a zone, such as 2026-01-02T03:04:05Z", _time)
"""An ISO 8601 time in whatever spelling; it is kept as it stands."""


def between(least: float, most: float) -> Scalar[float]:
    """Make a reader of a number in a closed range."""

    def check(value: Any) -> float:
        found = _number(value)
        return found if found is not WRONG and least <= found <= most else cast(float, WRONG)

    return Scalar(f"a number from {least} to {most}", check)


def integer(least: int | None = None, most: int | None = None) -> Scalar[int]:
    """Make a reader of an integer; 1.0 is none."""

    def check(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least):
            return value if most is None or value <= most else cast(int, WRONG)
        return cast(int, WRONG)

    if most is not None:
        return Scalar(f"an integer from {least} to {most}", check)
    return Scalar("an integer" if least is None else f"an integer >= {least}", check)


def choice(*allowed: str) -> Scalar[str]:
    """Make a reader of one of some strings."""
    names = ", ".join(map(repr, allowed))

    def check(value: Any) -> str:
        return value if isinstance(value, str) and value in allowed else WRONG

    return Scalar(f"one of {names}" if len(allowed) > 1 else names, check)
