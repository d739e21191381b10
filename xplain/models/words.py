"""Words of a text, and which tokens belong to them.

A word is what ``str.split`` yields, since documents count words so; scripts that write no spaces between words (Han,
kana, Thai, Lao, Khmer, Myanmar) are taken apart into characters, which share the number of their whitespace word.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Scripts without spaces: Thai to Myanmar, Khmer, kana, Han and its extensions; a combining mark stays with its letter.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
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
        As it stands in the text.
    index : int
        Position of its whitespace word in ``text.split()``.
    start, stop : int
        Half-open range of code points.
    """

    text: str
    index: int
    start: int
    stop: int


def units(text: str) -> tuple[Unit, ...]:
    """Return the words of a text in their order.

    Examples
    --------
    >>> [(unit.text, unit.index, unit.start) for unit in units("so  good 好的")]
    [('so', 0, 0), ('good', 1, 4), ('好', 2, 9), ('的', 2, 10)]
    """
    found = []
    for index, word in enumerate(re.finditer(r"\S+", text)):
        for piece in _PIECE.finditer(word[0]):
            start = word.start() + piece.start()
            found.append(Unit(piece[0], index, start, start + len(piece[0])))
    return tuple(found)


def sentences(words: Sequence[Unit]) -> list[int]:
    """Return the number of the sentence that each word is in; a sentence ends with a full stop or the like."""
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
        overlap, and may claim the space before a word.

    Returns
    -------
    tokens, words : numpy.ndarray
        Pairs of a token and a word that share characters.
    parts : numpy.ndarray
        float64: the part of the token's characters, spaces aside, that lies in the word. The parts of a token add up
        to 1; one that holds nothing but space belongs to the next word, or to the last.

    Examples
    --------
    >>> tokens, owners, parts = shares(units("not good"), [None, (0, 3), (3, 6), (6, 8)])
    >>> tokens.tolist(), owners.tolist(), parts.tolist()
    ([1, 2, 3], [0, 1, 1], [1.0, 1.0, 1.0])
    """
    starts = [word.start for word in words]
    found: list[tuple[int, int, float]] = []
    for token, span in enumerate(spans):
        if span is None:
            continue
        common: list[tuple[int, int]] = []
        for owner in range(max(bisect_right(starts, span[0]) - 1, 0), len(words)):
            word = words[owner]
            if word.start >= span[1]:
                break
            if (length := min(span[1], word.stop) - max(span[0], word.start)) > 0:
                common.append((owner, length))
        if not common:  # only space: it goes before the next word
            common.append((min(bisect_left(starts, span[1]), len(words) - 1), 1))
        total = sum(length for _, length in common)
        found += [(token, owner, length / total) for owner, length in common]
    tokens, owners, parts = zip(*found, strict=True) if found else ((), (), ())
    return np.array(tokens, np.intp), np.array(owners, np.intp), np.array(parts, np.float64)
