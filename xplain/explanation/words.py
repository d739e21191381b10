"""Words as vendors place them: by their index in the text split on white space."""

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
        found = list(re.finditer(r"\S+", text))
        self._text = text
        self._words = [_bare(word[0]) for word in found]
        self._ranges = [word.span() for word in found]
        self._places: dict[str, list[int]] = {}
        for index, word in enumerate(self._words):
            self._places.setdefault(word, []).append(index)

    def has(self, word: str, index: int) -> bool:
        """Whether the word at this position is ``word`` but for case and for punctuation around it."""
        return index < len(self._words) and self._words[index] == _bare(word)

    def place(self, word: str, index: int) -> int:
        """Resolve an index that a document gives into a position in ``text.split()``.

        "The index of the occurrence of the word in the text split on white space" can be read as (i) that position or
        (ii) the number of the occurrence of this very word. (i) counts unless another word stands there and (ii) leads
        to one.
        """
        if self.has(word, index):
            return index
        occurrences = self._places.get(_bare(word), [])
        return occurrences[index] if index < len(occurrences) else index

    def range(self, word: str, index: int) -> tuple[int, int]:
        """Return the code points that ``word`` covers in the one at this position: all if that is spelt otherwise."""
        start, stop = self._ranges[index]
        found = self._text.find(word, start, stop)
        return (start, stop) if found < 0 else (found, found + len(word))

    def index_at(self, position: int) -> int | None:
        """Return the position of the word that holds a code point, None if it is white space."""
        index = bisect_right(self._ranges, position, key=lambda place: place[0]) - 1
        return index if index >= 0 and position < self._ranges[index][1] else None


def _bare(word: str) -> str:
    letters = [i for i, character in enumerate(word) if character.isalnum()]
    return (word[letters[0] : letters[-1] + 1] if letters else word).casefold()
