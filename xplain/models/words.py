"""From tokens to words, by the characters that both cover.

A model scores tokens, an explanation shows words. `units` splits a text into words, `shares` says how much of each
token lies in which word, so that the evidence of tokens can be added up to that of words.

A word is what ``str.split`` yields, since documents count words so. Scripts without spaces between words (Han, kana,
Thai, Lao, Khmer, Myanmar) are divided into characters, which share the number of their whitespace word. Where a
document places a word by its number, `xplain.explanation.words` finds it again: that module knows nothing of tokens.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Scripts without spaces: Thai and Lao, Myanmar, Khmer, kana, Han and its extensions.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
# Combining marks of these scripts, the zero-width joiner and variation selectors: they stay with their letter.
_MARKS = (
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
    r"\u200d\ufe00-\ufe0f"
)
_PIECE = re.compile(f"[{_UNSPACED}][{_MARKS}]*|[^{_UNSPACED}]+")
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a character of a script without spaces.

    Parameters
    ----------
    text : str
        As written in the text.
    index : int
        Position of the whitespace word, which it is or belongs to, in ``text.split()``.
    start, stop : int
        Half-open range of code points.
    """

    text: str
    index: int
    start: int
    stop: int


def units(text: str) -> tuple[Unit, ...]:
    """Split a text into its words, in order.

    Examples
    --------
    >>> [(unit.text, unit.index, unit.start) for unit in units("so  good 好的")]
    [('so', 0, 0), ('good', 1, 4), ('好', 2, 9), ('的', 2, 10)]
    """
    words = []
    for index, spaced in enumerate(re.finditer(r"\S+", text)):
        for piece in _PIECE.finditer(spaced[0]):
            start = spaced.start() + piece.start()
            words.append(Unit(piece[0], index, start, start + len(piece[0])))
    return tuple(words)


def sentences(words: Sequence[Unit]) -> list[int]:
    """Return for each word the number of its sentence; a sentence ends with a full stop or the like."""
    numbers, current = [], 0
    for word in words:
        numbers.append(current)
        current += bool(_SENTENCE_END.search(word.text))
    return numbers


def shares(
    words: Sequence[Unit], spans: Sequence[tuple[int, int] | None]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Divide tokens among words by the characters that they cover.

    Parameters
    ----------
    words : sequence of Unit
        In the order of the text.
    spans : sequence of (int, int) or None
        Half-open range of code points of each token; None for a special token, which belongs to no word. Ranges may
        overlap, and may include the space before a word.

    Returns
    -------
    tokens, owners : numpy.ndarray
        Pairs of a token and a word that share characters, by their numbers.
    parts : numpy.ndarray
        float64, one for each pair: the part of the token's characters, spaces aside, that lies in the word. The parts
        of a token add up to 1. A token of nothing but spaces belongs to the next word, or to the last.

    Examples
    --------
    >>> tokens, owners, parts = shares(units("not good"), [None, (0, 3), (3, 6), (6, 8)])
    >>> tokens.tolist(), owners.tolist(), parts.tolist()
    ([1, 2, 3], [0, 1, 1], [1.0, 1.0, 1.0])
    """
    starts = [word.start for word in words]
    pairs: list[tuple[int, int, float]] = []
    for token, span in enumerate(spans):
        if span is None:
            continue
        start, stop = span
        shared: list[tuple[int, int]] = []  # (word, characters)
        for owner in range(max(bisect_right(starts, start) - 1, 0), len(words)):
            word = words[owner]
            if word.start >= stop:
                break
            if (length := min(stop, word.stop) - max(start, word.start)) > 0:
                shared.append((owner, length))
        if not shared:  # nothing but spaces
            shared.append((min(bisect_left(starts, stop), len(words) - 1), 1))
        total = sum(length for _, length in shared)
        pairs += [(token, owner, length / total) for owner, length in shared]
    tokens, owners, parts = zip(*pairs, strict=True) if pairs else ((), (), ())
    return np.array(tokens, np.intp), np.array(owners, np.intp), np.array(parts, np.float64)
