"""Jobs read from a file one item at a time; memory grows with the largest item and the number of names only.

A formatter declares in its ``ITEMS`` under which keys its documents hold items (`ItemLayout`), and in its ``HEAD`` how
the fields beside them are read. A file is read twice: `read_head` collects what stands beside the items, then
`iterate_items` yields these.

Values are parsed by the parser of `loads`, which parses a value at a position of a text. So this module only handles
the characters between values; a value that the text read so far does not hold whole is tried again with twice the
text. (Streaming parsers such as ijson turn lone surrogates into question marks and refuse integers of more than 64
bits; `loads` does neither.)
"""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

from xplain.errors import DocumentError
from xplain.explanation import Item
from xplain.formatters.core.places import At
from xplain.formatters.core.text import StrictDecoder, as_document_error
from xplain.formatters.core.wire import Reader, read_at

CHUNK = 1 << 20
"""Bytes of a first read."""

MAX_VALUE = 1 << 28
"""The most characters of a single value."""

_SPACE = re.compile(r"[ \t\n\r]*")
#: More text can only mend an error this close to the end of the text read so far (the longest literal, -Infinity, has 9
#: characters, an escaped surrogate pair 12).
_NEAR_END = 16

Open = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens a file from its start."""

Member = tuple[str, str | int | None, Any]
"""Key, key or index of an element under it (None for the whole value), and value."""


@dataclass(frozen=True, slots=True)
class ItemLayout:
    """How a format's documents hold items under one key.

    Parameters
    ----------
    reader : callable
        Makes the reader of an element, which gives one item or a tuple of several. It gets the place of the document,
        in which each list of items is cut to its first element.
    named : bool
        Whether the items are the values of an object, by their names; else they are elements of an array.
    """

    reader: Callable[[At], Reader[Item | tuple[Item, ...]]]
    named: bool = False


NO_ITEMS: Mapping[str, ItemLayout] = MappingProxyType({})
"""``ITEMS`` of a format without jobs."""


def no_head(at: At) -> dict[str, Any]:
    """``HEAD`` of a format without jobs: reads nothing."""
    raise at.rejected("a job")


def is_object(open: Open) -> bool:
    """Whether a file begins like a JSON object, the only kind of document that can hold items."""
    with open() as file:
        return _Text(file).peek() == "{"


def read_head(open: Open, streamed: Collection[str]) -> dict[str, Any]:
    """Read a document whose arrays and objects under the streamed keys are cut to their first element."""
    document: dict[str, Any] = {}
    with open() as file:
        for key, element, value in iterate_members(file, streamed):
            if element is None:
                document[key] = value
            elif key not in document:
                document[key] = [value] if isinstance(element, int) else {element: value}
    return document


def iterate_items(open: Open, head: dict[str, Any], layouts: Mapping[str, ItemLayout], format: str) -> Iterator[Item]:
    """Yield the items of a document whose head (`read_head`) is known, in the order of the layouts."""
    job = At(head)
    readers: dict[str, Reader[Any]] = {}
    for key, layout in layouts.items():
        if head.get(key) is not None and not isinstance(head[key], dict if layout.named else list):
            expected = "object" if layout.named else "array"
            raise DocumentError(f"must be an {expected}", path=job[key].path, format=format)
        readers[key] = read_at(layout.reader, job, format)
    names: set[str] = set()
    in_order = [key for key in head if key in layouts] == [key for key in layouts if key in head]
    # Items come in the order of the layouts: where the file has another one, it is read once for each.
    for keys in [set(layouts)] if in_order else [{key} for key in layouts]:
        with open() as file:
            for key, element, value in iterate_members(file, layouts):
                if element is None or key not in keys:
                    continue
                at = At(value, job[key], element)
                items = read_at(readers[key], at, format)
                for item in items if isinstance(items, tuple) else (items,):
                    if item.name in names:
                        message = f"must have a name of its own, got {item.name!r} again"
                        raise DocumentError(message, path=at.path, format=format)
                    names.add(item.name)
                    yield item


def iterate_members(file: BinaryIO, streamed: Collection[str]) -> Iterator[Member]:
    """Yield the members of the JSON object in a file.

    Parameters
    ----------
    file : binary file
        JSON text, from its start.
    streamed : collection of str
        Keys whose arrays and objects are yielded element by element.

    Yields
    ------
    key : str
        Key of the member.
    element : str, int or None
        Key or index of the element under a streamed key. None if the value is that of the whole member; so is that of
        a streamed key whose array or object is empty.
    value : object
        The JSON value.

    Raises
    ------
    DocumentError
        As `loads`, if the text is not JSON or a key occurs twice; also if it is no object.
    """
    text = _Text(file)
    if text.peek() != "{":
        text.take_value(At(None))  # whatever it is: text that is not JSON is refused as such
        raise DocumentError("must be an object to be read item by item, got something else")
    for key in text.take_keys(At(None)):
        place = At(None, At(None), key)
        opening = text.peek()
        if key not in streamed or opening not in ("[", "{"):
            yield key, None, text.take_value(place)
            continue
        is_empty = True
        for element in text.take_indices() if opening == "[" else text.take_keys(place):
            is_empty = False
            yield key, element, text.take_value(At(None, place, element))
        if is_empty:
            yield key, None, [] if opening == "[" else {}
    if text.peek():
        raise text.not_json("Extra data")


class _Text:
    """The JSON text of a file, read in chunks; what has been taken is dropped."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.read(4)  # as much as it takes to tell the encoding
        encoding = json.detect_encoding(start)
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._text = ""
        self._position = 0
        self._dropped = 0
        self._ended = False
        self._grow(start)
        self._text = self._text.removeprefix("\ufeff")

    def _grow(self, start: bytes = b"") -> None:
        """Drop what has been taken and read on: at least a chunk, and as much as is left of the text."""
        self._dropped += self._position
        self._text = self._text[self._position :]
        self._position = 0
        data = start + self._file.read(max(CHUNK, len(self._text)))
        self._ended = len(data) == len(start)
        try:
            self._text += self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise as_document_error(error) from None

    def peek(self) -> str:
        """Return the next character that is no white space, without taking it; "" at the end."""
        while True:
            self._position = _SPACE.match(self._text, self._position).end()  # type: ignore[union-attr]
            if self._position < len(self._text) or self._ended:
                return self._text[self._position : self._position + 1]
            self._grow()

    def take(self, allowed: str) -> str:
        """Take the next character, which must be one of the allowed ones."""
        character = self.peek()
        if not character or character not in allowed:
            raise self.not_json("Expecting " + " or ".join(map(repr, allowed)))
        self._position += 1
        return character

    def take_indices(self) -> Iterator[int]:
        """Take an array: yield the index of each element, whose value the caller takes."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        for index in itertools.count():
            yield index
            if self.take(",]") == "]":
                return

    def take_keys(self, place: At) -> Iterator[str]:
        """Take an object: yield each key, whose value the caller takes."""
        keys: set[str] = set()
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.not_json("Expecting property name enclosed in double quotes")
            key: str = self.take_value(place)
            if key in keys:
                raise DocumentError("must be given once, got it twice", path=At(None, place, key).path)
            keys.add(key)
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return

    def take_value(self, place: At) -> Any:
        """Take the next value; the place is for messages."""
        self.peek()
        while True:
            strict = StrictDecoder()
            try:
                value, end = strict.decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                may_go_on = error.pos >= len(self._text) - _NEAR_END or error.msg.startswith("Unterminated string")
                if self._ended or not may_go_on:
                    raise self.not_json(error.msg, error.pos) from None
            except (ValueError, RecursionError) as error:
                raise as_document_error(error) from None
            else:
                if end < len(self._text) or self._ended:  # else a number may go on
                    break
            if len(self._text) - self._position > MAX_VALUE:
                raise DocumentError(f"must be at most {MAX_VALUE} characters long, got more", path=place.path)
            self._grow()
        self._position = end
        try:
            strict.check(value)
        except DocumentError as error:
            raise DocumentError(error.message, path=place.path + error.path.removeprefix("$")) from None
        return value

    def not_json(self, message: str, position: int | None = None) -> DocumentError:
        """Return the error that the text is not JSON at a position (the current one if left out)."""
        position = self._position if position is None else position
        return DocumentError(f"must be JSON, got {message}: character {self._dropped + position}")
