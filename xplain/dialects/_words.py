"""Words as vendors place them: by their index in the text split on white space."""

from __future__ import annotations

__all__ = ["SplitText"]


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
    """

    def __init__(self, text: str) -> None:
        self._words = [_bare(word) for word in text.split()]
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


def _bare(word: str) -> str:
    letters = [i for i, character in enumerate(word) if character.isalnum()]
    return (word[letters[0] : letters[-1] + 1] if letters else word).casefold()
