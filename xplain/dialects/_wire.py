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
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import numpy as np

from xplain.dialects._places import MISSING, At, Problem, Rejected
from xplain.errors import DocumentError

__all__ = [
    "At",
    "Field",
    "Problem",
    "Reader",
    "Rejected",
    "array",
    "between",
    "boolean",
    "choice",
    "either",
    "exactly_one",
    "integer",
    "json_object",
    "keep",
    "listing",
    "mapping",
    "nullable",
    "number",
    "optional",
    "pair",
    "problems",
    "read",
    "read_at",
    "record",
    "sized",
    "string",
    "table",
    "tagged",
    "time",
]

T = TypeVar("T")

MAX_DEPTH = 64
"""How deeply free-form values (attributes, options) may be nested; far below the interpreter's recursion limit."""

_REQUIRED = object()


Reader = Callable[[At], T]


def read(reader: Reader[T], document: Any, format: str | None = None) -> T:
    """Read a document; DocumentError says the first problem and how many more there are."""
    return read_at(reader, At(document), format)


def read_at(reader: Reader[T], at: At, format: str | None = None) -> T:
    """Read a place in a document, as `read` does."""
    try:
        return reader(at)
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


def between(least: float, most: float) -> Reader[float]:
    """Make a reader of a number in a closed range."""

    def read(at: At) -> float:
        value = number(at)
        if not least <= value <= most:
            raise at.rejected(f"a number from {least} to {most}")
        return value

    return read


def time(at: At) -> str:
    """Read an ISO 8601 time with its zone, in whatever spelling; it is kept as it stands."""
    try:
        zone = datetime.fromisoformat(string(at)).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise at.rejected("an ISO 8601 time with a zone, such as 2026-01-02T03:04:05Z")
    return string(at)


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


def exactly_one(kinds: Mapping[str, Reader[Any]]) -> Reader[tuple[str, Any]]:
    """Make a reader of an object that has one of some keys, and not null under it: the key and its value."""

    def read(at: At) -> tuple[str, Any]:
        found = [key for key, value in mapping(at).items() if key in kinds and value is not None]
        if len(found) != 1:
            got = " and ".join(found) or "none"
            raise Rejected([Problem(at.path, f"must have exactly one of {', '.join(kinds)}, got {got}")])
        return found[0], kinds[found[0]](at[found[0]])

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


def sized(read: Reader[T], most: int, *, least: int = 0) -> Reader[T]:
    """Make a reader of an array or a string of limited length; one that is too long is not looked through."""

    def read_sized(at: At) -> T:
        if isinstance(at.value, (list, str)) and not least <= len(at.value) <= most:
            limits = f"at most {most}" if not least else f"{least} to {most}"
            raise at.rejected(f"an array of {limits}" if isinstance(at.value, list) else f"{limits} characters")
        return read(at)

    return read_sized


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
        if self.default is not _REQUIRED and (at.value is MISSING or (self.null and at.value is None)):
            return self.default
        return self.read(at)


def optional(read: Reader[Any], default: Any = None, *, key: str | None = None) -> Field:
    """Make a field that may be absent."""
    return Field(read, key, default)


def nullable(read: Reader[Any], default: Any = None, *, key: str | None = None) -> Field:
    """Make a field that may be absent or null."""
    return Field(read, key, default, null=True)


def record(
    make: Callable[..., T], /, *, rest: Mapping[str, Reader[Any]] | None = None, **fields: Reader[Any]
) -> Reader[T]:
    """Make a reader of an object whose fields are the arguments of ``make``; other keys are ignored.

    With ``rest``, they are not: ``make`` gets them as the argument ``rest``, as `keep` reads them.
    """
    keys = {name: (field.key if isinstance(field, Field) else None) or name for name, field in fields.items()}
    others = None if rest is None else keep(rest, but=set(keys.values()))

    def read(at: At) -> T:
        mapping(at)
        parts = [(field, at[keys[name]]) for name, field in fields.items()]
        values = _all(iter(parts if others is None else [*parts, (others, at)]))
        return at.build(make, **dict(zip(fields if others is None else [*fields, "rest"], values, strict=True)))

    return read


def keep(known: Mapping[str, Reader[Any]], but: Collection[str] = ()) -> Reader[dict[str, Any]]:
    """Make a reader of an object that keeps it as plain JSON values, for what the values of xplain have no place for.

    Parameters
    ----------
    known : mapping of str to reader
        What is checked, under the document's own keys. A key whose `Field` has a default that is not None is left out
        where it has that value: whoever writes the object puts it back.
    but : collection of str
        Keys that are left out, since somebody else reads them.
    """
    defaults = {key: field.default for key, field in known.items() if isinstance(field, Field) and _fills(field)}

    def read(at: At) -> dict[str, Any]:
        fields = mapping(at)
        kept = [key for key in sorted(fields) if key not in but]
        parts = [(reader, at[key]) for key, reader in known.items()]
        values = _all(iter([*parts, *((_plain, at[key]) for key in kept)]))[len(parts) :]
        found = dict(zip(kept, values, strict=True))
        return {key: value for key, value in found.items() if not (key in defaults and _same(value, defaults[key]))}

    return read


def _fills(field: Field) -> bool:
    return field.default is not _REQUIRED and field.default is not None


def _same(value: Any, default: Any) -> bool:
    """Whether a JSON value is the default; true is not 1."""
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def _plain(at: At) -> Any:
    return _json_value(at, 0)


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
