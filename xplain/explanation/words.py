"""Words by index: vendors say which word they mean by its index in the text split on white space.

`SplitText` converts between such an index and a range of code points.
"""

from __future__ import annotations

import re
from bisect import bisect_right


class SplitText:
    """A text split on white space, in which words are found by index.

    Parameters
    ----------
    text : str
        The text that the indices refer to.

    Examples
    --------
    >>> text = SplitText("Good, good and good")
    >>> text.has("good", 0), text.has("and", 3)
    (True, False)
    >>> text.range("Good", 0), text.index_at(6)
    ((0, 4), 1)
    """

    def __init__(self, text: str) -> None:
        matches = list(re.finditer(r"\S+", text))
        self._text = text
        self._folded = text.casefold()
        self._words = [_bare(match[0]) for match in matches]
        self._ranges = [match.span() for match in matches]
        self._occurrences: dict[str, list[int]] = {}
        for index, word in enumerate(self._words):
            self._occurrences.setdefault(word, []).append(index)

    def has(self, word: str, index: int) -> bool:
        """Whether the word at this index is ``word``, ignoring case and punctuation around it."""
        return index < len(self._words) and self._words[index] == _bare(word)

    def holds(self, word: str) -> bool:
        """Whether ``word`` is in the text, ignoring case."""
        return word.casefold() in self._folded

    def position(self, word: str, index: int) -> int | None:
        """Return an index in ``text.split()`` if ``word`` is there, whole or cut off at punctuation; else None."""
        if self.has(word, index):
            return index
        is_part = index < len(self._words) and _is_part(_bare(word), self._words[index])
        return index if is_part else None

    def occurrence(self, word: str, number: int) -> int | None:
        """Return the index in ``text.split()`` of the occurrence of ``word`` with a number from 0; None without one."""
        occurrences = self._occurrences.get(_bare(word), [])
        return occurrences[number] if number < len(occurrences) else None

    def place(self, word: str, index: int) -> int | None:
        """Resolve the index of a document to an index in ``text.split()``; None if the word is not there.

        "The index of the occurrence of the word in the text split on white space" can mean (i) an index in
        ``text.split()`` or (ii) the number of the occurrence of this word. (i) is assumed, unless another word is there
        and (ii) leads to the right word.
        """
        position = self.position(word, index)
        return self.occurrence(word, index) if position is None else position

    def range(self, word: str, index: int) -> tuple[int, int]:
        """Return the code points of ``word`` in the word at this index; all of the latter if it is spelt otherwise."""
        start, stop = self._ranges[index]
        offset = self._text.find(word, start, stop)
        return (start, stop) if offset < 0 else (offset, offset + len(word))

    def index_at(self, position: int) -> int | None:
        """Return the index of the word at a code point, or None if that is white space."""
        index = bisect_right(self._ranges, position, key=lambda word_range: word_range[0]) - 1
        return index if index >= 0 and position < self._ranges[index][1] else None


def _bare(word: str) -> str:
    """Return a word for comparison: case-folded, without punctuation around it unless it is nothing else."""
    letters = [i for i, character in enumerate(word) if character.isalnum()]
    return (word[letters[0] : letters[-1] + 1] if letters else word).casefold()


def _is_part(part: str, word: str) -> bool:
    """Whether a word holds another that ends where punctuation or the word does: "don" in "don't"."""
    return bool(part) and re.search(rf"(?<!\w){re.escape(part)}(?!\w)", word) is not None
