"""JSON Lines: a file with a document a line, such as a job writes while it runs, as the results of a job.

Lines are read one at a time. One that cannot be read loses only itself: it becomes a failed item, with the reason.
"""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from pathlib import PurePath
from typing import Any, BinaryIO

from xplain import _check
from xplain.errors import DocumentError, XplainError
from xplain.explanation import Explanation, Item, Results
from xplain.formatters import FORMATS, from_document, loads, validate
from xplain.formatters.core import streaming
from xplain.formatters.core.places import Problem
from xplain.formatters.core.streaming import Open

_SUFFIXES = (".jsonl", ".ndjson", ".jsonlines")
_PIECE = 1 << 14  # bytes that are read at a time to find out
_MOST_PIECES = 1 << 12


def is_lines(open: Open, name: str | None = None) -> bool:
    r"""Whether a file holds JSON Lines: by its name, or as its first line is an object, and the next begins another.

    Examples
    --------
    >>> [is_lines(of_bytes(text)) for text in (b'{"a": 1}\n{"a": 2}', b'{"a":\n{"b": 1}}', b'{"a": 1}')]
    [True, False, False]
    """
    with open() as file:
        if name is not None and name.lower().removesuffix(".gz").endswith(_SUFFIXES):
            return True
        begin = end = b""  # of the first line that is not empty
        is_next = False
        for piece in itertools.islice(_decoded(file, _PIECE), _MOST_PIECES):
            for line in piece.splitlines(keepends=True):
                if is_next and line.strip():
                    return line.strip().startswith(b"{")
                begin, end = begin or line.strip()[:1], line.strip()[-1:] or end
                if begin and line.endswith((b"\n", b"\r")):
                    if (begin, end) != (b"{", b"}"):
                        return False
                    is_next = True
    return False


def of_bytes(data: bytes) -> Open:
    """Return what opens bytes as a file."""
    return lambda: nullcontext(BytesIO(data))


def job_name(name: str | None) -> str:
    """Return the name of a job whose lines are in a file: its own, without folder and endings."""
    stem = PurePath(name or "").name
    while PurePath(stem).suffix.lower() in (*_SUFFIXES, ".gz", ".json"):
        stem = PurePath(stem).stem
    return stem or "lines"


def iterate_items(open: Open, format: str | None = None) -> Iterator[Item]:
    """Return the items of the documents in a file, read a line at a time.

    Parameters
    ----------
    open : callable
        Opens the binary file from its start.
    format : str, optional
        The format of the documents; each line's own if left out.

    Returns
    -------
    iterator of Item
        An explanation is a successful item with the name that the line gives under ``"name"``, that of its source, or
        the number of the line. Of a job's document all items are given. A line may also be an item of our own format by
        itself. One that is none of these is a failed item. A name that was there before gets the line's number.
    """
    return (item for item, _ in _iterate(open, format))


def read_results(open: Open, name: str | None = None, format: str | None = None, *, outline: bool = False) -> Results:
    """Read the documents in a file as the results of a job.

    Parameters
    ----------
    open, format
        As for `iterate_items`.
    name : str, optional
        The file's name, after which the job is called.
    outline : bool
        Whether to leave out explanations and attributes, so that memory does not grow with them.

    Raises
    ------
    DocumentError
        If there are lines, and none of them is a document.
    """
    items: list[Item] = []
    readable = 0
    for item, is_readable in _iterate(open, format):
        readable += is_readable
        items.append(replace(item, explanation=None, attributes={}) if outline else item)
    if items and not readable:
        raise DocumentError(f"must hold a document in each line, got none in {len(items)} lines: {items[0].error}")
    return Results(job_name(name), tuple(items))


def validate_lines(open: Open, format: str | None = None) -> list[Problem]:
    """List everything that is wrong with the documents in a file; paths begin with the number of the line."""
    problems = []
    for number, line in _lines(open):
        try:
            document = loads(line, format)
        except DocumentError as error:
            found = [Problem(error.path, error.message)]
        else:
            found = _item_problems(document) if _is_item(document) else validate(document, format)
        problems += [Problem(f"line {number}: {problem.path}", problem.message) for problem in found]
    return problems


def _iterate(open: Open, format: str | None) -> Iterator[tuple[Item, bool]]:
    """Yield items with names of their own, and whether their lines could be read."""
    if format is not None:
        _check.known("format", format, FORMATS)
    names: set[str] = set()
    for number, line in _lines(open):
        try:
            items, is_readable = _items(line, number, format), True
        except XplainError as error:
            items, is_readable = (Item(str(number), "failed", error=_at_line(number, error)),), False
        for item in items:
            name = item.name
            while name in names:
                name = f"{name}-{number}"
            names.add(name)
            yield (item if name == item.name else replace(item, name=name)), is_readable


def _items(line: bytes, number: int, format: str | None) -> tuple[Item, ...]:
    document = loads(line, format)
    if _is_item(document):
        try:
            results = from_document(_as_results(document), "native")
        except DocumentError as error:
            raise DocumentError(error.message, path=error.path.replace("$.items[0]", "$", 1)) from None
        assert isinstance(results, Results)
        return results.items
    value = from_document(document, format)
    if isinstance(value, Results):
        return value.items
    if not isinstance(value, Explanation):
        raise DocumentError(f"must be an explanation or the results of a job, got a record: {value.kind}")
    given = document.get("name") if isinstance(document, dict) else None
    name = given if isinstance(given, str) and given else value.source.name
    return (Item(name or str(number), "successful", explanation=value),)


def _is_item(document: Any) -> bool:
    """Whether a line is an item as our own format holds it in the results of a job."""
    return isinstance(document, dict) and "xplain" not in document and {"name", "status"} <= document.keys()


def _as_results(item: dict[str, Any]) -> dict[str, Any]:
    return {"xplain": 1, "type": "results", "job": "", "items": [item]}


def _item_problems(item: dict[str, Any]) -> list[Problem]:
    found = validate(_as_results(item), "native")
    return [Problem(problem.path.replace("$.items[0]", "$", 1), problem.message) for problem in found]


def _at_line(number: int, error: XplainError) -> str:
    text = f"{error.path}: {error.message}" if isinstance(error, DocumentError) else str(error)
    return f"line {number}: {text}"


def _lines(open: Open) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each line that is not empty, in UTF-8.

    Raises
    ------
    DocumentError
        If one is longer than a value may be.
    """
    with open() as file:
        for number, line in enumerate(_split(file), start=1):
            if line.strip():
                yield number, line.strip()


def _split(file: BinaryIO) -> Iterator[bytes]:
    parts: list[bytes] = []  # of a line that goes on
    length = 0
    for piece in _decoded(file, streaming.CHUNK):
        *ended, rest = piece.split(b"\n")
        for line in ended:
            yield b"".join([*parts, line])
            parts, length = [], 0
        parts.append(rest)
        length += len(rest)
        if length > streaming.MAX_VALUE:
            raise DocumentError(f"must hold lines of at most {streaming.MAX_VALUE} characters, got a longer one")
    yield b"".join(parts)


def _decoded(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the pieces of a file in UTF-8; bytes that are no text are left as they are."""
    start = file.read(4)
    encoding = json.detect_encoding(start)
    if encoding in ("utf-8", "utf-8-sig"):
        yield start.removeprefix(codecs.BOM_UTF8)
        while piece := file.read(size):
            yield piece
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = decoder.decode(start).removeprefix("\ufeff")
    while start:
        yield text.encode("utf-8", "surrogatepass")
        start = file.read(size)
        text = decoder.decode(start)
