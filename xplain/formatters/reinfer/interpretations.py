"""Word scores in the coordinates of the parts of a text, such as the subject and the bodies of an e-mail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from xplain import _check
from xplain.errors import InputError
from xplain.explanation.core import Source
from xplain.explanation.evidence import Word, WordScores
from xplain.explanation.parts import Utf16, in_part
from xplain.explanation.regions import Part

_MESSAGE_PART = re.compile(r"messages\[(0|[1-9][0-9]{0,8})\]\.(\w+)")


class ImportantSpan(NamedTuple):
    """A word of a part of a message.

    Parameters
    ----------
    char_start, char_end : int
        Half-open range of code points, counted from the start of the part.
    utf16_byte_start, utf16_byte_end : int
        The same range in bytes of UTF-16.
    importance : float
        -1 (speaks against the target) to 1.
    """

    char_start: int
    char_end: int
    utf16_byte_start: int
    utf16_byte_end: int
    importance: float


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What the words of one part of a message say.

    Parameters
    ----------
    content_part : str
        ``"body"``, ``"subject"`` or ``"signature"``.
    message_index : int
        Number of the message, from 0.
    spans : tuple of ImportantSpan
        Its words, in the order of the text.
    """

    content_part: str
    message_index: int
    spans: tuple[ImportantSpan, ...]


def interpretations(scores: WordScores, source: Source) -> tuple[Interpretation, ...]:
    r"""Place the scores of words in the messages that they come from.

    Parameters
    ----------
    scores : WordScores
        Of the words of the source's text, with their places.
    source : Source
        With parts named like ``"messages[0].body"``.

    Returns
    -------
    tuple of Interpretation
        One for each part that has a word, in the order of the text. Importances are the scores divided by the largest
        magnitude of all of them, so that parts can be compared; 0 where all scores are 0.

    Raises
    ------
    InputError
        If the source has no such parts, or a word has no place or lies in no part.

    Examples
    --------
    >>> from xplain.explanation import Part, Source, Word, WordScores
    >>> parts = [Part("messages[0].subject", 0, 5), Part("messages[0].body", 7, 14)]
    >>> source = Source("text", text="Hello\n\n\U0001f600 world", parts=parts)
    >>> scores = WordScores([Word("Hello", -0.1, 0, 0, 5), Word("world", 0.2, 2, 9, 14)])
    >>> for one in interpretations(scores, source):
    ...     print(one.content_part, one.message_index, *map(tuple, one.spans))
    subject 0 (0, 5, 0, 10, -0.5)
    body 0 (2, 7, 6, 16, 1.0)
    """
    if not source.parts:
        raise InputError("source.parts must name the parts of the messages, got none; explain a Comment")
    places = {part.name: _place(part) for part in source.parts}
    texts = {part.name: Utf16((source.text or "")[part.start : part.stop]) for part in source.parts}
    largest = max((abs(word.score) for word in scores.words), default=0.0)
    found: dict[str, list[ImportantSpan]] = {part.name: [] for part in source.parts}
    for word, start, stop in sorted(map(_placed, scores.words), key=lambda one: one[1:]):
        span = in_part(source.parts, start, stop)
        if span is None or span.part is None:
            raise InputError(f"words must lie in the source's parts, got {word.text[:40]!r} at {start}..{stop}")
        utf16 = texts[span.part]
        importance = word.score / largest if largest else 0.0
        counted = (span.start, span.stop, utf16.byte(span.start), utf16.byte(span.stop))
        found[span.part].append(ImportantSpan(*counted, importance))
    return tuple(Interpretation(*places[name], tuple(spans)) for name, spans in found.items() if spans)


def _place(part: Part) -> tuple[str, int]:
    named = _MESSAGE_PART.fullmatch(part.name)
    if named is None:
        raise _check.wrong("source.parts", "named like 'messages[0].body'", part.name)
    return named[2], int(named[1])


def _placed(word: Word) -> tuple[Word, int, int]:
    if word.start is None or word.stop is None:
        raise InputError(f"words must have a start and a stop, got neither for {word.text[:40]!r}")
    return word, word.start, word.stop
