"""From tokens to words, by the characters that both cover.

A model scores tokens, an explanation shows words. `units` splits a text into words, `shares` says how much of each
token lies in which word, so that the evidence of tokens can be added up to that of words.

A word is what ``str.split`` yields, since documents count words so. Scripts without spaces between words (Han, kana,
Thai, Lao, Khmer, Myanmar and others) are divided into letters with their marks, Tibetan into syllables; these share the
number of their whitespace word. Where a document places a word by its number, `xplain.explanation.words` finds it
again: that module knows nothing of tokens.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Scripts without spaces: Thai and Lao, Tibetan, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, kana and Han
# with the marks that repeat them, Yi, Javanese and more Myanmar, Tai Viet, half-width kana, Tangut, kana again, and
# the extensions of Han.
_UNSPACED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u2fdf"
    r"\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\ua4cf"
    r"\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9f"
    r"\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff]"
)
# Signs that put the next consonant under the one before: Myanmar, Khmer, Tai Tham, Balinese, Javanese, Meetei.
_STACKING = frozenset("\u1039\u17d2\u1a60\u1b44\ua9c0\uaaf6")
_MARKS = frozenset("\uff9e\uff9f\u0e33\u0eb3")  # letters to Unicode: half-width voice marks, Thai and Lao am
_TIBETAN = re.compile(r"[\u0f00-\u0fff]")
_TIBETAN_ENDS = frozenset(map(chr, range(0x0F0B, 0x0F15)))  # the dot between syllables, and strokes
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a letter with its marks (in Tibetan a syllable) of a script without spaces.

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
        start = spaced.start()
        for piece in _pieces(spaced[0]):
            words.append(Unit(piece, index, start, start + len(piece)))
            start += len(piece)
    return tuple(words)


def _pieces(word: str) -> Iterator[str]:
    """Divide a whitespace word where a script without spaces begins a letter or a syllable."""
    start = 0
    if _UNSPACED.search(word):  # few do
        base = word[0]
        for i in range(1, len(word)):
            if _is_mark(base):  # at the front, such as a byte order mark: it belongs to what follows
                base = word[i]
            elif _begins(word[i], word[i - 1], base):
                yield word[start:i]
                start, base = i, word[i]
    yield word[start:]


def _begins(character: str, previous: str, base: str) -> bool:
    """Whether a character ends the piece that began with ``base``, and begins another."""
    if _is_mark(character):
        return False
    if not _UNSPACED.match(character):
        return _UNSPACED.match(base) is not None
    if _TIBETAN.match(character) and _TIBETAN.match(base):
        return previous in _TIBETAN_ENDS and character not in _TIBETAN_ENDS
    return previous not in _STACKING


def _is_mark(character: str) -> bool:
    """Whether a character stays with the one before it: accents, vowel signs, variation selectors, joiners."""
    return character in _MARKS or unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")


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
