"""Word scores in the form of the platform's interpretations: offsets in the subject, body or signature of a message.

`xplain.formatters.reinfer.spans` writes the same form into responses; here it is for word scores without a response.
"""

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
    """The importances of the words of one part of a message.

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
    r"""Express word scores in the messages that the words come from.

    Parameters
    ----------
    scores : WordScores
        Scores of words of the source's text, with their start and stop.
    source : Source
        A text with parts named like ``"messages[0].body"``.

    Returns
    -------
    tuple of Interpretation
        One for each part that has a word, in the order of the text. Importances are the scores divided by the largest
        magnitude of all scores, so parts can be compared; they are 0 if all scores are 0.

    Raises
    ------
    InputError
        If the source has no such parts, or a word has no start or lies in no part.

    Examples
    --------
    >>> from xplain.explanation import Part, Source, Word, WordScores
    >>> parts = [Part("messages[0].subject", 0, 5), Part("messages[0].body", 7, 14)]
    >>> source = Source("text", text="Hello\n\n\U0001f600 world", parts=parts)
    >>> scores = WordScores([Word("Hello", -0.1, 0, 0, 5), Word("world", 0.2, 2, 9, 14)])
    >>> for part in interpretations(scores, source):
    ...     print(part.content_part, part.message_index, *map(tuple, part.spans))
    subject 0 (0, 5, 0, 10, -0.5)
    body 0 (2, 7, 6, 16, 1.0)
    """
    if not source.parts:
        raise InputError("source.parts must name the parts of the messages, got none; explain a Comment")
    content_parts = {part.name: _content_part(part) for part in source.parts}
    utf16 = {part.name: Utf16((source.text or "")[part.start : part.stop]) for part in source.parts}
    largest = max((abs(word.score) for word in scores.words), default=0.0)
    spans: dict[str, list[ImportantSpan]] = {part.name: [] for part in source.parts}
    for start, stop, word in sorted(map(_with_range, scores.words), key=lambda ranged: ranged[:2]):
        span = in_part(source.parts, start, stop)
        if span is None or span.part is None:
            raise InputError(f"words must lie in the source's parts, got {word.text[:40]!r} at {start}..{stop}")
        importance = word.score / largest if largest else 0.0
        byte_start, byte_stop = (utf16[span.part].byte(position) for position in (span.start, span.stop))
        spans[span.part].append(ImportantSpan(span.start, span.stop, byte_start, byte_stop, importance))
    return tuple(Interpretation(*content_parts[name], tuple(words)) for name, words in spans.items() if words)


def _content_part(part: Part) -> tuple[str, int]:
    match = _MESSAGE_PART.fullmatch(part.name)
    if match is None:
        raise _check.wrong("source.parts", "named like 'messages[0].body'", part.name)
    return match[2], int(match[1])


def _with_range(word: Word) -> tuple[int, int, Word]:
    if word.start is None or word.stop is None:
        raise InputError(f"words must have a start and a stop, got neither for {word.text[:40]!r}")
    return word.start, word.stop, word
