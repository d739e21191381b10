"""Documents read from a file one item at a time, in memory that grows with the largest item and the names only.

The parser is that of `loads`: it makes a value from text at a position, so that a file needs no more than a look at the
characters between its values. A value that the text read so far does not hold whole is tried again with twice the text.
(Streaming parsers such as ijson turn lone surrogates into question marks and refuse integers of more than 64 bits,
which `loads` does not.)
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO

from xplain.errors import DocumentError
from xplain.explanation import Item
from xplain.formatters.core.places import At
from xplain.formatters.core.text import Strict, refusal
from xplain.formatters.core.wire import Reader, read_at

CHUNK = 1 << 20
"""Bytes of a first read."""

MAX_VALUE = 1 << 28
"""The most characters of a single value."""

_SPACE = re.compile(r"[ \t\n\r]*")
#: An error that far before the end of the text is none that more text would mend.
_NEAR_END = 16

Open = Callable[[], AbstractContextManager[BinaryIO]]
Member = tuple[str, str | int | None, Any]


@dataclass(frozen=True, slots=True)
class Items:
    """Where a dialect's documents hold items, and how one is read.

    Parameters
    ----------
    reader : callable
        Given the document, of which each list of items holds one at most, makes the reader of an element: of an item,
        or of a tuple of some.
    named : bool
        Whether they are an object's values under their names; else they are an array.
    """

    reader: Callable[[At], Reader[Item | tuple[Item, ...]]]
    named: bool = False


def is_object(open: Open) -> bool:
    """Whether a file begins as an object, which alone can be read item by item."""
    with open() as file:
        return _Text(file).peek() == "{"


def head(open: Open, streamed: Collection[str]) -> dict[str, Any]:
    """Read a document of which what is streamed holds its first element only."""
    document: dict[str, Any] = {}
    with open() as file:
        for key, at, value in members(file, streamed):
            if at is None:
                document[key] = value
            elif key not in document:
                document[key] = [value] if isinstance(at, int) else {at: value}
    return document


def items(open: Open, document: dict[str, Any], places: Mapping[str, Items], format: str) -> Iterator[Item]:
    """Yield the items of a document whose head is known."""
    job = At(document)
    readers: dict[str, Reader[Any]] = {}
    for key, place in places.items():
        if document.get(key) is not None and not isinstance(document[key], dict if place.named else list):
            raise DocumentError(f"must be an {'object' if place.named else 'array'}", path=job[key].path, format=format)
        readers[key] = read_at(place.reader, job, format)
    seen: set[str] = set()
    with open() as file:
        for key, index, value in members(file, places):
            if index is None:
                continue
            at = At(value, job[key], index)
            found = read_at(readers[key], at, format)
            for item in found if isinstance(found, tuple) else (found,):
                if item.name in seen:
                    message = f"must have a name of its own, got {item.name!r} again"
                    raise DocumentError(message, path=at.path, format=format)
                seen.add(item.name)
                yield item


def members(file: BinaryIO, streamed: Collection[str]) -> Iterator[Member]:
    """Yield the members of the object in a file: (key, None, value).

    Parameters
    ----------
    file : binary file
        JSON text, of which the rest is read.
    streamed : collection of str
        Keys whose arrays and objects are given element by element: (key, index or key of the element, element). One
        that is empty is given whole.

    Raises
    ------
    DocumentError
        As `loads`, if the text is not JSON or a key occurs twice, or if it is no object.
    """
    text = _Text(file)
    if text.peek() != "{":
        text.value(At(None))
        raise DocumentError("must be an object to be read item by item, got something else")
    for key in text.keys(At(None)):
        place = At(None, At(None), key)
        opening = text.peek()
        if key not in streamed or opening not in ("[", "{"):
            yield key, None, text.value(place)
            continue
        empty = True
        for at in text.indices(place) if opening == "[" else text.keys(place):
            empty = False
            yield key, at, text.value(At(None, place, at))
        if empty:
            yield key, None, [] if opening == "[" else {}
    if text.peek():
        raise text.broken("Extra data")


class _Text:
    """Text of a file, of which what has been read is dropped."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.read(4)
        encoding = json.detect_encoding(start)
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._text = ""
        self._at = 0
        self._dropped = 0
        self._ended = False
        self._grow(start)
        self._text = self._text.removeprefix("\ufeff")

    def _grow(self, start: bytes = b"") -> None:
        """Read as much as there is, at least a chunk."""
        self._dropped += self._at
        self._text = self._text[self._at :]
        self._at = 0
        data = start + self._file.read(max(CHUNK, len(self._text)))
        self._ended = len(data) == len(start)
        try:
            self._text += self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise refusal(error) from None

    def peek(self) -> str:
        """Look at the next character that is no white space; nothing at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._grow()

    def take(self, expected: str) -> str:
        """Take the next character, which must be one of some."""
        found = self.peek()
        if not found or found not in expected:
            raise self.broken("Expecting " + " or ".join(map(repr, expected)))
        self._at += 1
        return found

    def indices(self, place: At) -> Iterator[int]:
        """Yield the index of each element of an array; the caller takes the element."""
        index = 0
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield index
            index += 1
            if self.take(",]") == "]":
                return

    def keys(self, place: At) -> Iterator[str]:
        """Yield each key of an object; the caller takes the value."""
        seen: set[str] = set()
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.broken("Expecting property name enclosed in double quotes")
            key: str = self.value(place)
            if key in seen:
                raise DocumentError("must be given once, got it twice", path=At(None, place, key).path)
            seen.add(key)
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return

    def value(self, place: At) -> Any:
        """Take the next value."""
        self.peek()
        while True:
            strict = Strict()
            try:
                value, end = strict.decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                mendable = error.pos >= len(self._text) - _NEAR_END or error.msg.startswith("Unterminated string")
                if self._ended or not mendable:
                    raise self.broken(error.msg, error.pos) from None
            except (ValueError, RecursionError) as error:
                raise refusal(error) from None
            else:
                if end < len(self._text) or self._ended:  # else a number may go on
                    break
            if len(self._text) - self._at > MAX_VALUE:
                raise DocumentError(f"must be at most {MAX_VALUE} characters long, got more", path=place.path)
            self._grow()
        self._at = end
        try:
            strict.check(value)
        except DocumentError as error:
            raise DocumentError(error.message, path=place.path + error.path.removeprefix("$")) from None
        return value

    def broken(self, what: str, at: int | None = None) -> DocumentError:
        """Say that the text is no JSON."""
        at = self._at if at is None else at
        return DocumentError(f"must be JSON, got {what}: character {self._dropped + at}")
