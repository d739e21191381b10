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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

import numpy as np

from xplain.errors import DocumentError
from xplain.formatters.core.places import MISSING, At, Problem, Rejected

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
        return tuple(_each(item, at, enumerate(listing(at))))

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
        first, second = _each(item, at, enumerate(at.value))
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
        fields = mapping(at)
        return dict(zip(fields, _each(item, at, fields.items()), strict=True))

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
    parts = {name: field if isinstance(field, Field) else Field(field) for name, field in fields.items()}
    plan = [
        (name, part.key or name, part.read, _check(part.read), part.default, part.null) for name, part in parts.items()
    ]
    others = None if rest is None else keep(rest, but={key for _, key, *_ in plan})

    def read(at: At) -> T:
        given = mapping(at)
        values: dict[str, Any] = {}
        found: list[Problem] = []
        for name, key, reader, check, default, null in plan:
            value = given.get(key, MISSING)
            if default is not _REQUIRED and (value is MISSING or (null and value is None)):
                values[name] = default
                continue
            if check is not None and (checked := check(value)) is not WRONG:
                values[name] = checked
                continue
            try:
                values[name] = reader(At(value, at, key))
            except Rejected as rejected:
                found += rejected.problems
        if others is not None:
            try:
                values["rest"] = others(at)
            except Rejected as rejected:
                found += rejected.problems
        if found:
            raise Rejected(found)
        return at.build(make, **values)

    return read


def _check(reader: Reader[T]) -> Callable[[Any], T] | None:
    """Give what tells a right value without its place, where there is such a thing."""
    return reader.check if isinstance(reader, Scalar) else None


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
    fields = {key: field for key, field in known.items() if isinstance(field, Field)}
    defaults = {key: field.default for key, field in fields.items() if _fills(field)}
    left_out = set(but)
    required = {key for key in known if key not in fields or fields[key].default is _REQUIRED}

    def read(at: At) -> dict[str, Any]:
        given = mapping(at)
        kept = sorted(given.keys() - left_out)
        parts = [(reader, at[key]) for key, reader in known.items() if key in given or key in required]
        if not kept and not parts:
            return {}
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


def _each(item: Reader[T], at: At, members: Iterable[tuple[Any, Any]]) -> list[T]:
    """Read each member of an array or an object; the problems of all of them are raised together."""
    check = _check(item)
    values: list[T] = []
    found: list[Problem] = []
    for key, value in members:
        if check is not None and (checked := check(value)) is not WRONG:
            values.append(checked)
            continue
        try:
            values.append(item(At(value, at, key)))
        except Rejected as rejected:
            found += rejected.problems
    if found:
        raise Rejected(found)
    return values


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
