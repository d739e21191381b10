"""Readers of documents: each gives a value or every problem, with its ``$`` path.

A reader is a function from a place in a document (`At`) to a value. Small readers (`number`, `string`) are put together
by `record`, `array` and `tagged`, which try all their parts before they give up, so one pass both decodes and validates
and the two cannot disagree::

    box = record(Box, x0=number, y0=number, x1=number, y1=number, unit=choice("fraction", "pixel"))
    read(box, document)        # a Box, or DocumentError for the first problem
    problems(box, document)    # every Problem

Readers are lenient on unknown keys and strict on known ones: ``true`` is no number, NaN and infinity are none either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from xplain.errors import DocumentError, InputError

__all__ = [
    "At",
    "Field",
    "Problem",
    "Reader",
    "Rejected",
    "array",
    "boolean",
    "choice",
    "either",
    "integer",
    "json_object",
    "listing",
    "mapping",
    "nullable",
    "number",
    "optional",
    "pair",
    "problems",
    "read",
    "record",
    "string",
    "table",
    "tagged",
]

T = TypeVar("T")

MAX_DEPTH = 64
"""How deeply free-form values (attributes, options) may be nested; far below the interpreter's recursion limit."""

_MISSING = object()
_REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Parameters
    ----------
    path : str
        Where, as a ``$`` path (``$.attributions[0].evidence``).
    message : str
        What, in the grammar of all of xplain's messages.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Rejected(Exception):
    """The problems that a reader found; it never leaves this package."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class At:
    """A place in a document: its value and how it was reached."""

    value: Any
    parent: At | None = None
    key: str | int = "$"

    @property
    def path(self) -> str:
        """The ``$`` path, built only when there is something to report."""
        keys: list[str] = []
        at: At | None = self
        while at is not None:
            keys.append(at.key if at.parent is None and isinstance(at.key, str) else _step(at.key))
            at = at.parent
        return "".join(reversed(keys))

    def __getitem__(self, key: str | int) -> At:
        """Give the place one step down; what is not there is read as missing."""
        try:
            value = self.value[key]
        except (KeyError, IndexError, TypeError):
            value = _MISSING
        return At(value, self, key)

    def rejected(self, expected: str, remedy: str = "") -> Rejected:
        """Say that the value here is not what was expected."""
        message = f"must be {expected}, got {_shown(self.value)}" + (f"; {remedy}" if remedy else "")
        return Rejected([Problem(self.path, message)])

    def build(self, make: Callable[..., T], /, *args: Any, **values: Any) -> T:
        """Call a constructor of which an error is a problem at this place.

        A DocumentError's path counts from here; the argument that an InputError names is taken for a key of this
        object.
        """
        try:
            return make(*args, **values)
        except DocumentError as error:
            raise Rejected([Problem(self.path + error.path.removeprefix("$"), error.message)]) from error
        except InputError as error:
            named = re.fullmatch(r"[A-Z]\w*\.([\w.\[\]]+) (must .*)", str(error), re.DOTALL)
            tail, message = (f".{named[1]}", named[2]) if named else ("", str(error))
            raise Rejected([Problem(self.path + tail, message)]) from error


Reader = Callable[[At], T]


def read(reader: Reader[T], document: Any, format: str | None = None) -> T:
    """Read a document; DocumentError says the first problem and how many more there are."""
    try:
        return reader(At(document))
    except Rejected as rejected:
        first, *rest = rejected.problems
        more = f" (and {len(rest)} more problems)" if rest else ""
        raise DocumentError(first.message + more, path=first.path, format=format) from None


def problems(reader: Reader[Any], document: Any) -> list[Problem]:
    """Return every problem that a reader finds in a document."""
    try:
        reader(At(document))
    except Rejected as rejected:
        return rejected.problems
    return []


# Single values.


def string(at: At) -> str:
    """Read a string."""
    if not isinstance(at.value, str):
        raise at.rejected("a string")
    return at.value


def boolean(at: At) -> bool:
    """Read true or false."""
    if not isinstance(at.value, bool):
        raise at.rejected("true or false")
    return at.value


def number(at: At) -> float:
    """Read a finite number."""
    if isinstance(at.value, (int, float)) and not isinstance(at.value, bool):
        try:
            value = float(at.value)
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return value
    raise at.rejected("a finite number")


def integer(least: int | None = None) -> Reader[int]:
    """Make a reader of an integer; 1.0 is none."""

    def read(at: At) -> int:
        if isinstance(at.value, int) and not isinstance(at.value, bool) and (least is None or at.value >= least):
            return at.value
        raise at.rejected("an integer" if least is None else f"an integer >= {least}")

    return read


def choice(*allowed: str) -> Reader[str]:
    """Make a reader of one of some strings."""

    def read(at: At) -> str:
        if isinstance(at.value, str) and at.value in allowed:
            return at.value
        expected = ", ".join(map(repr, allowed))
        raise at.rejected(f"one of {expected}" if len(allowed) > 1 else expected)

    return read


def either(expected: str, *readers: Reader[Any]) -> Reader[Any]:
    """Make a reader that takes the first of some readers that accepts the value."""

    def read(at: At) -> Any:
        for reader in readers:
            try:
                return reader(at)
            except Rejected:
                continue
        raise at.rejected(expected)

    return read


# Arrays and objects.


def listing(at: At) -> list[Any]:
    """Read an array without a look at what is in it."""
    if not isinstance(at.value, list):
        raise at.rejected("an array")
    return at.value


def array(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """Make a reader of an array of one kind of thing."""

    def read(at: At) -> tuple[T, ...]:
        return tuple(_all((item, at[i]) for i in range(len(listing(at)))))

    return read


def pair(item: Reader[T]) -> Reader[tuple[T, T]]:
    """Make a reader of an array of exactly two."""

    def read(at: At) -> tuple[T, T]:
        if not isinstance(at.value, list) or len(at.value) != 2:
            raise at.rejected("an array of two")
        first, second = _all((item, at[i]) for i in range(2))
        return first, second

    return read


def mapping(at: At) -> dict[str, Any]:
    """Read an object without a look at what is in it."""
    if not isinstance(at.value, dict):
        raise at.rejected("an object")
    return at.value


def table(item: Reader[T]) -> Reader[dict[str, T]]:
    """Make a reader of an object with any keys and one kind of value."""

    def read(at: At) -> dict[str, T]:
        keys = list(mapping(at))
        return dict(zip(keys, _all((item, at[key]) for key in keys), strict=True))

    return read


@dataclass(frozen=True, slots=True)
class Field:
    """How `record` reads one argument: the reader, the document's own key, and what stands for an absent one."""

    read: Reader[Any]
    key: str | None = None
    default: Any = _REQUIRED
    null: bool = False

    def __call__(self, at: At) -> Any:
        """Read the place of this field, which may be missing."""
        if self.default is not _REQUIRED and (at.value is _MISSING or (self.null and at.value is None)):
            return self.default
        return self.read(at)


def optional(read: Reader[Any], default: Any = None, *, key: str | None = None) -> Field:
    """Make a field that may be absent."""
    return Field(read, key, default)


def nullable(read: Reader[Any], default: Any = None, *, key: str | None = None) -> Field:
    """Make a field that may be absent or null."""
    return Field(read, key, default, null=True)


def record(make: Callable[..., T], /, **fields: Reader[Any]) -> Reader[T]:
    """Make a reader of an object whose fields are the arguments of ``make``; other keys are ignored."""
    keys = {name: (field.key if isinstance(field, Field) else None) or name for name, field in fields.items()}

    def read(at: At) -> T:
        mapping(at)
        values = _all((field, at[keys[name]]) for name, field in fields.items())
        return at.build(make, **dict(zip(fields, values, strict=True)))

    return read


def tagged(tag: str, kinds: Mapping[str, Reader[Any]]) -> Reader[Any]:
    """Make a reader of an object whose key ``tag`` says which reader reads it."""

    def read(at: At) -> Any:
        mapping(at)
        return kinds[choice(*kinds)(at[tag])](at)

    return read


def json_object(at: At) -> dict[str, Any]:
    """Read an object of any JSON values into plain Python values with sorted keys.

    It also turns values that are not from a document into what a document gives back: tuples become lists, NumPy
    scalars become numbers.
    """
    if not isinstance(at.value, Mapping):
        raise at.rejected("an object")
    value: dict[str, Any] = _json_value(at, 0)
    return value


def _json_value(at: At, depth: int) -> Any:
    value = at.value.item() if isinstance(at.value, np.generic) else at.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth > MAX_DEPTH:
        raise Rejected([Problem(at.path, f"must be nested at most {MAX_DEPTH} deep, got more")])
    if isinstance(value, (list, tuple)):
        return _all((lambda item: _json_value(item, depth + 1), at[i]) for i in range(len(value)))
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        keys = sorted(value)
        return dict(zip(keys, _all((lambda item: _json_value(item, depth + 1), at[key]) for key in keys), strict=True))
    raise at.rejected("a JSON value")


def _all(parts: Iterator[tuple[Reader[Any], At]]) -> list[Any]:
    """Read every part; the problems of all of them are raised together."""
    values: list[Any] = []
    found: list[Problem] = []
    for reader, at in parts:
        try:
            values.append(reader(at))
        except Rejected as rejected:
            found += rejected.problems
    if found:
        raise Rejected(found)
    return values


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() and key.isascii() else f"[{key!r}]"


def _shown(value: Any) -> str:
    """Describe any value briefly, whatever its depth or number of digits."""
    if value is _MISSING:
        return "nothing"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"a string of {len(value)} characters ({value[:40]!r}...)"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
