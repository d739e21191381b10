"""Places in Re:infer's comments: entities, and the words that speak for a label.

::

    {"content_part": "body", "message_index": 0, "char_start": 63, "char_end": 71,
     "utf16_byte_start": 126, "utf16_byte_end": 142}

Half open, counted in one part of one message, in code points and in bytes of UTF-16. Where the text is known the two
are checked against each other and against it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from xplain.errors import DocumentError
from xplain.explanation import Attribution, Prediction, Source, Span, Word, WordScores
from xplain.explanation.parts import Utf16, in_part, in_text
from xplain.explanation.words import SplitText
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    WRONG,
    Field,
    Reader,
    Scalar,
    array,
    between,
    choice,
    integer,
    keep,
    optional,
    record,
)
from xplain.formatters.reinfer.comments import (
    BODY,
    CONTENT_PARTS,
    MAX_MESSAGES,
    Comment,
    part_name,
    source_texts,
    split_part_name,
)

# Reading.


def read_label(at: At) -> tuple[str, ...]:
    """Read a label: its path, or the levels joined with `` > ``."""
    value = at.value
    if isinstance(value, str):
        return tuple(value.split(" > "))
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        raise at.rejected("a string or a non-empty array of strings")
    return tuple(value)


@dataclass(frozen=True, slots=True)
class Place:
    """A place as a document gives it.

    Parameters
    ----------
    part : str
        Name of the part.
    start, stop : int
        Code points.
    utf16 : (int, int)
        Bytes of UTF-16.
    """

    part: str
    start: int
    stop: int
    utf16: tuple[int, int]

    @property
    def span(self) -> Span:
        """The place in code points."""
        return Span(self.start, self.stop, part=self.part)


def _even(value: Any) -> int:
    found = _INTEGER.check(value)
    return found if found is not WRONG and found % 2 == 0 else cast(int, WRONG)


_INTEGER = integer(0)
_BYTES = Scalar("an even number of bytes", _even)


def _place(content_part: str, message: int, start: int, stop: int, first: int, last: int) -> Place:
    if stop < start:
        raise DocumentError(f"must be at least char_start, {start}, got {stop}", path="$.char_end")
    if not 2 * start <= first <= 4 * start:
        raise DocumentError(_two_or_four(start, first), path="$.utf16_byte_start")
    if not 2 * (stop - start) <= last - first <= 4 * (stop - start):
        raise DocumentError(_two_or_four(stop - start, last - first, " after the start"), path="$.utf16_byte_end")
    return Place(part_name(message, content_part), start, stop, (first, last))


def _two_or_four(count: int, found: int, where: str = "") -> str:
    return f"must be 2 to 4 bytes for each of {count} code points{where}, got {found} bytes"


_NUMBERS: dict[str, Reader[Any]] = {
    "start": Field(_INTEGER, "char_start"),
    "stop": Field(_INTEGER, "char_end"),
    "first": Field(_BYTES, "utf16_byte_start"),
    "last": Field(_BYTES, "utf16_byte_end"),
}
_MESSAGE_INDEX = integer(0, MAX_MESSAGES - 1)
_WHERE: dict[str, Reader[Any]] = {
    "content_part": choice(*CONTENT_PARTS),
    "message": Field(_MESSAGE_INDEX, "message_index"),
}
PLACE: Reader[Place] = record(_place, rest=None, **_WHERE, **_NUMBERS)
"""Read a place, and check what can be without the text."""


def check_place(at: At, place: Place, comment: Comment) -> None:
    """Check a place against the text."""
    text = comment.texts.get(place.part)
    if not text:
        raise at["content_part"].rejected(f"a part of the comment that has a text, unlike {place.part}")
    if place.stop > len(text):
        raise at["char_end"].rejected(f"at most {len(text)}, the length of {place.part}")
    utf16 = comment.utf16(place.part)
    for key, position, said in zip(("start", "end"), (place.start, place.stop), place.utf16, strict=True):
        if utf16.byte(position) != said:
            raise at[f"utf16_byte_{key}"].rejected(f"{utf16.byte(position)}, where code point {position} begins")


# Interpretations. A group is of one part of one message, a span of it is one word.


def _group(content_part: str, message: int, spans: tuple[dict[str, Any], ...]) -> list[tuple[Place, float]]:
    found = []
    for i, span in enumerate(spans):
        try:
            importance = span.pop("importance")
            found.append((_place(content_part, message, **span), importance))
        except DocumentError as error:
            raise DocumentError(error.message, path=f"$.spans[{i}]{error.path[1:]}") from error
    return found


_IMPORTANCE = between(-1, 1)
_GROUP: Reader[list[tuple[Place, float]]] = record(
    _group, rest=None, **_WHERE, spans=array(record(dict, rest=None, **_NUMBERS, importance=_IMPORTANCE))
)


def _scale(at: At) -> float:
    """Read what importances are multiplied with to be scores: a power of two, with which they are exact."""
    value = between(1, 2.0**1023)(at)
    if math.frexp(value)[0] != 0.5:
        raise at.rejected("a power of two")
    return value


@dataclass(frozen=True, slots=True)
class _Interpretation:
    label: tuple[str, ...]
    scale: float
    groups: tuple[list[tuple[Place, float]], ...]


_INTERPRETATIONS: Reader[tuple[_Interpretation, ...]] = array(
    record(
        _Interpretation,
        label=Field(read_label, "name"),
        scale=optional(_scale, 1.0),
        groups=Field(array(_GROUP), "interpretation"),
    )
)
INTERPRETATION: dict[str, Reader[Any]] = {
    "content_part": _WHERE["content_part"],
    "message_index": _MESSAGE_INDEX,
    "spans": array(keep({"utf16_byte_start": _BYTES, "utf16_byte_end": _BYTES, "importance": _IMPORTANCE})),
}
"""Readers of the fields of the platform's own interpretation of a theme, which has no code points."""


def read_interpretations(at: At, comment: Comment | None, predictions: Iterable[Prediction]) -> tuple[Attribution, ...]:
    """Read what the words of a comment say for each of some labels."""
    found = _INTERPRETATIONS(at)
    words = SplitText("" if comment is None else comment.source.text or "")
    targets: dict[tuple[str, ...], Prediction] = {}
    for prediction in predictions:
        targets.setdefault(prediction.label, prediction)
    attributions: dict[tuple[str, ...], Attribution] = {}
    for i, one in enumerate(found):
        if one.label in attributions:
            raise at[i]["name"].rejected("of a label that is not there yet")
        scores = _words(at[i]["interpretation"], one, comment, words)
        target = targets.get(one.label) or Prediction(one.label, 0.0)
        attributions[one.label] = Attribution(target, WordScores(scores))
    return tuple(attributions.values())


def _words(at: At, one: _Interpretation, comment: Comment | None, split: SplitText) -> tuple[Word, ...]:
    words = []
    for i, group in enumerate(one.groups):
        if comment is None or not comment.known:
            raise at.rejected("empty where comments do not hold the text that it is about")
        for k, (place, importance) in enumerate(group):
            where = at[i]["spans"][k]
            _check_word(at[i], where, place, comment)
            start = comment.starts[place.part] + place.start
            text = comment.texts[place.part][place.start : place.stop]
            stop = start + len(text)
            words.append(Word(text, importance * one.scale, split.index_at(start), start, stop))
    return tuple(words)


def _check_word(group: At, span: At, place: Place, comment: Comment) -> None:
    """Check a place whose part is said by its group."""
    if not comment.texts.get(place.part):
        check_place(group, place, comment)
    check_place(span, place, comment)


# Writing.


class Writer:
    """Writes places in one comment.

    Parameters
    ----------
    source : Source
        The text, if it is known.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._texts, self._parts = source_texts(source)
        self._utf16: dict[str, Utf16] = {}

    def covered(self, span: Span) -> str:
        """Return the text that a span covers, an empty one if it is not known."""
        place = in_text(self._source, span)
        return "" if place is None or self._source.text is None else self._source.text[slice(*place)]

    def place(self, span: Span, utf16: tuple[int, int] | None = None) -> dict[str, Any] | None:
        """Write a span, with its UTF-16 bytes where the text is not known; None if it has no place in the comment."""
        if self._source.text is None:
            if span.unit != "codepoint":
                return None
            where = split_part_name(span.part) or (0, "body")
            return _said(where, _numbers(span, *(utf16 or (2 * span.start, 2 * span.stop))))
        place = in_text(self._source, span)
        found = None if place is None else self._find(*place)
        return None if found is None else _said(*found)

    def interpretation(self, attribution: Attribution) -> dict[str, Any]:
        """Write what the words say for a label; those that have no place are left out."""
        words = attribution.evidence.words if isinstance(attribution.evidence, WordScores) else ()
        scale = _power_of_two(max((abs(word.score) for word in words), default=0.0))
        placed: list[tuple[tuple[int, str], dict[str, Any]]] = []
        for word in words:
            found = None if word.start is None or word.stop is None else self._find(word.start, word.stop)
            if found is not None:
                where, numbers = found
                placed.append((where, {**numbers, "importance": min(max(word.score / scale, -1.0), 1.0)}))
        groups = [
            _said(where, {"spans": [span for _, span in group]}) for where, group in groupby(placed, lambda one: one[0])
        ]
        scaled = {} if scale == 1 else {"scale": scale}
        return {"name": list(attribution.target.label), **scaled, "interpretation": groups}

    def _find(self, start: int, stop: int) -> tuple[tuple[int, str], dict[str, int]] | None:
        """Find a range of the text: its message and part, and its numbers there."""
        span = in_part(self._parts, start, stop)
        if span is None:
            return None
        name = span.part or BODY
        if name not in self._utf16:
            self._utf16[name] = Utf16(self._texts[name])
        utf16 = self._utf16[name]
        where = split_part_name(name) or (0, "body")
        return where, _numbers(span, utf16.byte(span.start), utf16.byte(span.stop))


def _said(where: tuple[int, str], more: Mapping[str, Any]) -> dict[str, Any]:
    message, content_part = where
    return {"content_part": content_part, "message_index": message, **more}


def _numbers(span: Span, first: int, last: int) -> dict[str, int]:
    return {
        "char_start": span.start,
        "char_end": span.stop,
        "utf16_byte_start": first,
        "utf16_byte_end": last,
    }


def _power_of_two(largest: float) -> float:
    """Return the least power of two, from 1, that is no smaller, or the largest one that there is."""
    fraction, exponent = math.frexp(largest)
    return math.ldexp(1.0, min(max(exponent - (fraction == 0.5), 0), 1023))
