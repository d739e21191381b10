"""Readers of documents: each returns a value, or raises every problem with its ``$`` path.

A reader is a function from a place in a document (`At`) to a value. Readers of single values (`string`, `number`) are
combined by `record`, `array` and `tagged`::

    box = record(Box, x0=number, y0=number, x1=number, y1=number, unit=choice("fraction", "pixel"))
    read(box, document)        # a Box, or DocumentError for the first problem
    problems(box, document)    # every Problem

Combined readers try all their parts before they give up. So one pass both decodes and validates, and the two cannot
disagree. Readers ignore unknown keys and are strict on known ones: ``true`` is no number, nor are NaN and infinity.
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

Reader = Callable[[At], T]

MAX_DEPTH = 64
"""How deeply free-form values (attributes, options) may be nested; far below the interpreter's recursion limit."""

#: How deeply what is kept of a vendor's document may be nested: in attributes, it is nested in further objects.
_MAX_KEPT = 48

#: What the check of a `Scalar` returns for a value that it refuses.
WRONG: Any = object()

#: The default of a `Field` that must be present.
_REQUIRED = object()


# Running a reader.


def read(reader: Reader[T], document: Any, format: str | None = None) -> T:
    """Read a document; raise DocumentError with the first problem and the number of further ones."""
    return read_at(reader, At(document), format)


def read_at(reader: Reader[T], at: At, format: str | None = None) -> T:
    """Read a place in a document; errors as for `read`."""
    try:
        return reader(at)
    except Rejected as rejected:
        first, *others = rejected.problems
        more = f" (and {len(others)} more problems)" if others else ""
        raise DocumentError(first.message + more, path=first.path, format=format) from None


def problems(reader: Reader[Any], document: Any) -> list[Problem]:
    """Return every problem that a reader finds in a document."""
    try:
        reader(At(document))
    except Rejected as rejected:
        return rejected.problems
    return []


# Single values.


@dataclass(frozen=True, slots=True)
class Scalar(Generic[T]):
    """Reader of a single value.

    Its check needs no place, so `record` and `array` call the check directly: reading a long list of numbers makes no
    places.

    Parameters
    ----------
    expected : str
        What the value must be, for messages.
    check : callable
        Returns the value, or `WRONG`.
    """

    expected: str
    check: Callable[[Any], T]

    def __call__(self, at: At) -> T:
        """Read the value at a place."""
        value = self.check(at.value)
        if value is WRONG:
            raise at.rejected(self.expected)
        return value


def _check_string(value: Any) -> str:
    return value if isinstance(value, str) else WRONG


def _check_boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else WRONG


def _check_number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the largest float
            return cast(float, WRONG)
        if math.isfinite(number):
            return number
    return cast(float, WRONG)


def _check_time(value: Any) -> str:
    try:
        zone = isinstance(value, str) and datetime.fromisoformat(value).tzinfo
    except ValueError:
        zone = None
    return cast(str, value if zone else WRONG)


string = Scalar("a string", _check_string)
boolean = Scalar("true or false", _check_boolean)
number = Scalar("a finite number", _check_number)
time = Scalar("an ISO 8601 time with a zone, such as 2026-01-02T03:04:05Z", _check_time)
"""An ISO 8601 time; its spelling is kept."""


def between(least: float, most: float) -> Scalar[float]:
    """Make a reader of a number in a closed range."""

    def check(value: Any) -> float:
        number = _check_number(value)
        return number if number is not WRONG and least <= number <= most else cast(float, WRONG)

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


# Arrays.


def listing(at: At) -> list[Any]:
    """Read an array, whatever its elements are."""
    if not isinstance(at.value, list):
        raise at.rejected("an array")
    return at.value


def array(item: Reader[T]) -> Reader[tuple[T, ...]]:
    """Make a reader of an array whose elements are all read alike."""

    def read(at: At) -> tuple[T, ...]:
        return tuple(_read_members(item, at, enumerate(listing(at))))

    return read


def pair(item: Reader[T]) -> Reader[tuple[T, T]]:
    """Make a reader of an array of exactly two."""

    def read(at: At) -> tuple[T, T]:
        if not isinstance(at.value, list) or len(at.value) != 2:
            raise at.rejected("an array of two")
        first, second = _read_members(item, at, enumerate(at.value))
        return first, second

    return read


def sized(read: Reader[T], most: int, *, least: int = 0) -> Reader[T]:
    """Limit the length of an array or a string; the elements of one that is too long are not read."""

    def read_sized(at: At) -> T:
        if isinstance(at.value, (list, str)) and not least <= len(at.value) <= most:
            limits = f"at most {most}" if not least else f"{least} to {most}"
            raise at.rejected(f"an array of {limits}" if isinstance(at.value, list) else f"{limits} characters")
        return read(at)

    return read_sized


# Objects.


def mapping(at: At) -> dict[str, Any]:
    """Read an object, whatever its fields are."""
    if not isinstance(at.value, dict):
        raise at.rejected("an object")
    return at.value


def table(item: Reader[T]) -> Reader[dict[str, T]]:
    """Make a reader of an object with any keys, whose values are all read alike."""

    def read(at: At) -> dict[str, T]:
        fields = mapping(at)
        return dict(zip(fields, _read_members(item, at, fields.items()), strict=True))

    return read


@dataclass(frozen=True, slots=True)
class Field:
    """How `record` reads one argument.

    Parameters
    ----------
    read : Reader
        Reader of the value.
    key : str, optional
        The document's key, where it differs from the argument's name.
    default : object
        The value if the key is absent; without a default it is required.
    null : bool
        Whether null counts as absent.
    """

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
    """Make a reader of an object whose fields are the arguments of ``make``.

    Parameters
    ----------
    make : callable
        Makes the value; its errors are reported at the object's place (`At.build`).
    rest : mapping of str to reader, optional
        If given, ``make`` also gets an argument ``rest``: all other fields, as `keep` reads them with these readers.
        Else other fields are ignored.
    **fields : reader
        Reader of each argument; a `Field` gives its key and default.
    """
    full = {name: field if isinstance(field, Field) else Field(field) for name, field in fields.items()}
    # Unpacked once here, not at each of the many objects that a document may hold.
    plan = [
        (name, field.key or name, field.read, _check_of(field.read), field.default, field.null)
        for name, field in full.items()
    ]
    read_rest = None if rest is None else keep(rest, but={key for _, key, *_ in plan})

    def read(at: At) -> T:
        document = mapping(at)
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, key, reader, check, default, null in plan:
            value = document.get(key, MISSING)
            if default is not _REQUIRED and (value is MISSING or (null and value is None)):
                values[name] = default
                continue
            if check is not None and (checked := check(value)) is not WRONG:
                values[name] = checked
                continue
            try:
                values[name] = reader(At(value, at, key))
            except Rejected as rejected:
                problems += rejected.problems
        if read_rest is not None:
            try:
                values["rest"] = read_rest(at)
            except Rejected as rejected:
                problems += rejected.problems
        if problems:
            raise Rejected(problems)
        return at.build(make, **values)

    return read


# Alternatives.


def either(expected: str, *readers: Reader[Any]) -> Reader[Any]:
    """Make a reader that uses the first of some readers that accepts the value."""

    def read(at: At) -> Any:
        for reader in readers:
            try:
                return reader(at)
            except Rejected:
                continue
        raise at.rejected(expected)

    return read


def exactly_one(kinds: Mapping[str, Reader[Any]]) -> Reader[tuple[str, Any]]:
    """Make a reader of an object that has exactly one of some keys, not counting null: that key and its value."""

    def read(at: At) -> tuple[str, Any]:
        keys = [key for key, value in mapping(at).items() if key in kinds and value is not None]
        if len(keys) != 1:
            got = " and ".join(keys) or "none"
            raise Rejected([Problem(at.path, f"must have exactly one of {', '.join(kinds)}, got {got}")])
        return keys[0], kinds[keys[0]](at[keys[0]])

    return read


def tagged(tag: str, kinds: Mapping[str, Reader[Any]]) -> Reader[Any]:
    """Make a reader of an object whose field ``tag`` names the reader to use."""

    def read(at: At) -> Any:
        mapping(at)
        return kinds[choice(*kinds)(at[tag])](at)

    return read


# Plain JSON: what xplain has no type for.


def keep(known: Mapping[str, Reader[Any]], but: Collection[str] = ()) -> Reader[dict[str, Any]]:
    """Make a reader that passes an object through as plain JSON: for fields that xplain has no type for.

    Parameters
    ----------
    known : mapping of str to reader
        Fields to check, by the document's own keys. A field whose `Field` has a default other than None is left out
        if it has this value: whoever writes the object puts it back.
    but : collection of str
        Keys to leave out, because another reader reads them.
    """
    fields = {key: field for key, field in known.items() if isinstance(field, Field)}
    defaults = {key: field.default for key, field in fields.items() if field.default not in (_REQUIRED, None)}
    required = {key for key in known if key not in fields or fields[key].default is _REQUIRED}
    excluded = set(but)

    def read(at: At) -> dict[str, Any]:
        document = mapping(at)
        if not all(isinstance(key, str) for key in document):
            raise at.rejected("an object with names that are strings")
        keys = sorted(document.keys() - excluded)
        checks = [(reader, at[key]) for key, reader in known.items() if key in document or key in required]
        if not keys and not checks:
            return {}
        values = _read_all(iter([*checks, *((_read_kept, at[key]) for key in keys)]))[len(checks) :]
        return {
            key: value
            for key, value in zip(keys, values, strict=True)
            if not (key in defaults and _is_default(value, defaults[key]))
        }

    return read


def _is_default(value: Any, default: Any) -> bool:
    # In Python, True == 1; in JSON they differ.
    return bool(value == default) and isinstance(value, bool) == isinstance(default, bool)


def json_object(at: At) -> dict[str, Any]:
    """Read an object of any JSON values into plain Python values with sorted keys.

    It also accepts values that are not from a document, and converts them to what reading their document gives:
    tuples become lists, NumPy scalars become numbers.
    """
    if not isinstance(at.value, Mapping):
        raise at.rejected("an object")
    fields: dict[str, Any] = _read_json(at)
    return fields


def _read_kept(at: At) -> Any:
    return _read_json(at, most=_MAX_KEPT)


def _read_json(at: At, depth: int = 0, most: int = MAX_DEPTH) -> Any:
    value = at.value.item() if isinstance(at.value, np.generic) else at.value
    if value is None or isinstance(value, bool):
        return value
    # Subclasses (np.str_, IntEnum) become plain values.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth > most:
        raise Rejected([Problem(at.path, f"must be nested at most {most} deep, got more")])

    def read_inner(inner: At) -> Any:
        return _read_json(inner, depth + 1, most)

    if isinstance(value, (list, tuple)):
        return _read_all((read_inner, at[i]) for i in range(len(value)))
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        keys = sorted(value)
        return dict(zip(keys, _read_all((read_inner, at[key]) for key in keys), strict=True))
    raise at.rejected("a JSON value")


# Steps of the combinators.


def _check_of(reader: Reader[T]) -> Callable[[Any], T] | None:
    """Return the check of a scalar reader, which needs no place; None for other readers."""
    return reader.check if isinstance(reader, Scalar) else None


def _read_members(item: Reader[T], at: At, members: Iterable[tuple[Any, Any]]) -> list[T]:
    """Read each member of an array or object, given as (key, value); raise the problems of all of them together."""
    check = _check_of(item)
    values: list[T] = []
    problems: list[Problem] = []
    for key, value in members:
        if check is not None and (checked := check(value)) is not WRONG:
            values.append(checked)
            continue
        try:
            values.append(item(At(value, at, key)))
        except Rejected as rejected:
            problems += rejected.problems
    if problems:
        raise Rejected(problems)
    return values


def _read_all(parts: Iterator[tuple[Reader[Any], At]]) -> list[Any]:
    """Read each place with its reader; raise the problems of all of them together."""
    values: list[Any] = []
    problems: list[Problem] = []
    for reader, at in parts:
        try:
            values.append(reader(at))
        except Rejected as rejected:
            problems += rejected.problems
    if problems:
        raise Rejected(problems)
    return values
