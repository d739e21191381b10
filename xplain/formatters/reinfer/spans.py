"""Spans in the comments of Re:infer: those of entities, and those of the words that speak for a label.

::

    {"content_part": "body", "message_index": 0, "char_start": 63, "char_end": 71,
     "utf16_byte_start": 126, "utf16_byte_end": 142}

A span is half open and lies in one part of one message. It is given twice, in code points and in bytes of UTF-16. Where
the text is known, both are checked against it; where not, they are checked against each other.
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
    ParsedComment,
    part_name,
    source_texts,
    split_part_name,
)

MAX_EXPONENT = 1023  # of the largest power of two that a double holds


def read_label(at: At) -> tuple[str, ...]:
    """Read a label: its path, or the levels of it joined with `` > ``."""
    value = at.value
    if isinstance(value, str):
        return tuple(value.split(" > "))
    if not isinstance(value, list) or not value or not all(isinstance(level, str) for level in value):
        raise at.rejected("a string or a non-empty array of strings")
    return tuple(value)


# Reading spans.


@dataclass(frozen=True, slots=True)
class CommentSpan:
    """A span as a document gives it.

    Parameters
    ----------
    part : str
        Name of the part, such as ``"messages[0].body"``.
    start, stop : int
        Code points, counted in the part.
    utf16 : (int, int)
        The same range in bytes of UTF-16.
    """

    part: str
    start: int
    stop: int
    utf16: tuple[int, int]

    @property
    def span(self) -> Span:
        """The span in code points."""
        return Span(self.start, self.stop, part=self.part)


_OFFSET = integer(0)


def _even(value: Any) -> int:
    offset = _OFFSET.check(value)
    return offset if offset is not WRONG and offset % 2 == 0 else cast(int, WRONG)


_BYTE_OFFSET = Scalar("an even number of bytes", _even)


def _comment_span(
    content_part: str, message: int, start: int, stop: int, byte_start: int, byte_stop: int
) -> CommentSpan:
    if stop < start:
        raise DocumentError(f"must be at least char_start, {start}, got {stop}", path="$.char_end")
    # A code point takes two bytes of UTF-16, or four outside the basic plane.
    if not 2 * start <= byte_start <= 4 * start:
        raise DocumentError(_two_or_four(start, byte_start), path="$.utf16_byte_start")
    length, byte_length = stop - start, byte_stop - byte_start
    if not 2 * length <= byte_length <= 4 * length:
        raise DocumentError(_two_or_four(length, byte_length, " after the start"), path="$.utf16_byte_end")
    return CommentSpan(part_name(message, content_part), start, stop, (byte_start, byte_stop))


def _two_or_four(count: int, byte_count: int, where: str = "") -> str:
    return f"must be 2 to 4 bytes for each of {count} code points{where}, got {byte_count} bytes"


_OFFSET_FIELDS: dict[str, Reader[Any]] = {
    "start": Field(_OFFSET, "char_start"),
    "stop": Field(_OFFSET, "char_end"),
    "byte_start": Field(_BYTE_OFFSET, "utf16_byte_start"),
    "byte_stop": Field(_BYTE_OFFSET, "utf16_byte_end"),
}
_MESSAGE_INDEX = integer(0, MAX_MESSAGES - 1)
_PART_FIELDS: dict[str, Reader[Any]] = {
    "content_part": choice(*CONTENT_PARTS),
    "message": Field(_MESSAGE_INDEX, "message_index"),
}
SPAN: Reader[CommentSpan] = record(_comment_span, rest=None, **_PART_FIELDS, **_OFFSET_FIELDS)
"""Read a span, and check what can be checked without the text."""


def check_span(at: At, span: CommentSpan, comment: ParsedComment) -> None:
    """Check a span against the text."""
    text = comment.texts.get(span.part)
    if not text:
        raise at["content_part"].rejected(f"a part of the comment that has a text, unlike {span.part}")
    if span.stop > len(text):
        raise at["char_end"].rejected(f"at most {len(text)}, the length of {span.part}")
    utf16 = comment.utf16(span.part)
    for key, position, byte in zip(("start", "end"), (span.start, span.stop), span.utf16, strict=True):
        if utf16.byte(position) != byte:
            raise at[f"utf16_byte_{key}"].rejected(f"{utf16.byte(position)}, where code point {position} begins")


# Reading interpretations: for a label, groups of spans; a group is one part of one message, a span is one word.


def _group(content_part: str, message: int, spans: tuple[dict[str, Any], ...]) -> list[tuple[CommentSpan, float]]:
    """Return each span with its importance."""
    weighted = []
    for i, offsets in enumerate(spans):
        try:
            importance = offsets.pop("importance")
            weighted.append((_comment_span(content_part, message, **offsets), importance))
        except DocumentError as error:
            raise DocumentError(error.message, path=f"$.spans[{i}]{error.path[1:]}") from error
    return weighted


_IMPORTANCE = between(-1, 1)
_GROUP: Reader[list[tuple[CommentSpan, float]]] = record(
    _group, rest=None, **_PART_FIELDS, spans=array(record(dict, rest=None, **_OFFSET_FIELDS, importance=_IMPORTANCE))
)


def _scale(at: At) -> float:
    """Read the factor from importances to scores: a power of two, so that the product is exact."""
    value = between(1, 2.0**MAX_EXPONENT)(at)
    if math.frexp(value)[0] != 0.5:
        raise at.rejected("a power of two")
    return value


@dataclass(frozen=True, slots=True)
class _Interpretation:
    """The importances of words for one label."""

    label: tuple[str, ...]
    scale: float
    groups: tuple[list[tuple[CommentSpan, float]], ...]


_INTERPRETATIONS: Reader[tuple[_Interpretation, ...]] = array(
    record(
        _Interpretation,
        label=Field(read_label, "name"),
        scale=optional(_scale, 1.0),
        groups=Field(array(_GROUP), "interpretation"),
    )
)
THEME_INTERPRETATION: dict[str, Reader[Any]] = {
    "content_part": _PART_FIELDS["content_part"],
    "message_index": _MESSAGE_INDEX,
    "spans": array(keep({"utf16_byte_start": _BYTE_OFFSET, "utf16_byte_end": _BYTE_OFFSET, "importance": _IMPORTANCE})),
}
"""Readers of the fields of the platform's own interpretation of a theme, which gives bytes of UTF-16 only."""


def read_interpretations(
    at: At, comment: ParsedComment | None, predictions: Iterable[Prediction]
) -> tuple[Attribution, ...]:
    """Read the word scores of labels; a label that is not among the predictions has score 0."""
    interpretations = _INTERPRETATIONS(at)
    split_text = SplitText("" if comment is None else comment.source.text or "")
    targets: dict[tuple[str, ...], Prediction] = {}
    for prediction in predictions:
        targets.setdefault(prediction.label, prediction)
    attributions: dict[tuple[str, ...], Attribution] = {}
    for i, interpretation in enumerate(interpretations):
        label = interpretation.label
        if label in attributions:
            raise at[i]["name"].rejected("of a label that is not there yet")
        words = _words(at[i]["interpretation"], interpretation, comment, split_text)
        attributions[label] = Attribution(targets.get(label) or Prediction(label, 0.0), WordScores(words))
    return tuple(attributions.values())


def _words(
    at: At, interpretation: _Interpretation, comment: ParsedComment | None, split_text: SplitText
) -> tuple[Word, ...]:
    words = []
    for i, group in enumerate(interpretation.groups):
        if comment is None or not comment.has_messages:
            raise at.rejected("empty where comments do not hold the text that it is about")
        for k, (span, importance) in enumerate(group):
            _check_word(at[i], at[i]["spans"][k], span, comment)
            start = comment.starts[span.part] + span.start
            text = comment.texts[span.part][span.start : span.stop]
            score = importance * interpretation.scale
            words.append(Word(text, score, split_text.index_at(start), start, start + len(text)))
    return tuple(words)


def _check_word(group_at: At, span_at: At, span: CommentSpan, comment: ParsedComment) -> None:
    """Check a span whose part is named by its group, where an unknown part is reported."""
    if not comment.texts.get(span.part):
        check_span(group_at, span, comment)
    check_span(span_at, span, comment)


# Writing.


class SpanWriter:
    """Writes spans of the comment that a source becomes.

    Parameters
    ----------
    source : Source
        The text, if it is known.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._texts, self._parts = source_texts(source)
        self._utf16: dict[str, Utf16] = {}

    def text_of(self, span: Span) -> str:
        """Return the text that a span covers, or an empty string if it is unknown."""
        position = in_text(self._source, span)
        return "" if position is None or self._source.text is None else self._source.text[slice(*position)]

    def write(self, span: Span, utf16: tuple[int, int] | None = None) -> dict[str, Any] | None:
        """Write a span, or return None if it lies in no part of the comment.

        Parameters
        ----------
        span : Span
            In the whole text or a part of it.
        utf16 : (int, int), optional
            Its bytes of UTF-16, used where they cannot be counted in the text.
        """
        if self._source.text is None:
            if span.unit != "codepoint":
                return None
            part = split_part_name(span.part) or (0, "body")
            # Nearly every character takes two bytes.
            return _in_part(part, _offsets(span, *(utf16 or (2 * span.start, 2 * span.stop))))
        position = in_text(self._source, span)
        located = None if position is None else self._locate(*position)
        return None if located is None else _in_part(*located)

    def interpretation(self, attribution: Attribution) -> dict[str, Any]:
        """Write the word scores of a label; words without a place in the comment are left out."""
        words = attribution.evidence.words if isinstance(attribution.evidence, WordScores) else ()
        scale = _power_of_two(max((abs(word.score) for word in words), default=0.0))
        spans: list[tuple[tuple[int, str], dict[str, Any]]] = []
        for word in words:
            located = None if word.start is None or word.stop is None else self._locate(word.start, word.stop)
            if located is not None:
                part, offsets = located
                spans.append((part, {**offsets, "importance": min(max(word.score / scale, -1.0), 1.0)}))
        groups = [
            _in_part(part, {"spans": [span for _, span in group]})
            for part, group in groupby(spans, lambda part_and_span: part_and_span[0])
        ]
        scale_field = {} if scale == 1 else {"scale": scale}
        return {"name": list(attribution.target.label), **scale_field, "interpretation": groups}

    def _locate(self, start: int, stop: int) -> tuple[tuple[int, str], dict[str, int]] | None:
        """Return the part of a range of the whole text, and its offsets there."""
        span = in_part(self._parts, start, stop)
        if span is None:
            return None
        name = span.part or BODY
        if name not in self._utf16:
            self._utf16[name] = Utf16(self._texts[name])
        utf16 = self._utf16[name]
        part = split_part_name(name) or (0, "body")
        return part, _offsets(span, utf16.byte(span.start), utf16.byte(span.stop))


def _in_part(part: tuple[int, str], fields: Mapping[str, Any]) -> dict[str, Any]:
    message, content_part = part
    return {"content_part": content_part, "message_index": message, **fields}


def _offsets(span: Span, byte_start: int, byte_stop: int) -> dict[str, int]:
    return {
        "char_start": span.start,
        "char_end": span.stop,
        "utf16_byte_start": byte_start,
        "utf16_byte_end": byte_stop,
    }


def _power_of_two(largest: float) -> float:
    """Return the least power of two that is at least 1 and at least ``largest``, capped at the largest double."""
    fraction, exponent = math.frexp(largest)
    # frexp gives a fraction in [0.5, 1): 0.5 is a power of two already.
    return math.ldexp(1.0, min(max(exponent - (fraction == 0.5), 0), MAX_EXPONENT))
