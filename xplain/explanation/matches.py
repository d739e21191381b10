"""Alignment of a text with a name, character by character: why ``21PT1O19`` in a photo is taken for ``21-PT-1019``.

Cognite links the text of a tag to an asset without a reason. Renderers show this alignment as one.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import groupby

from xplain import _check
from xplain.errors import InputError

MAX_CHARACTERS = 1024  # the time to align grows with the square of the length


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a text and the stretch of a name that it corresponds to.

    Parameters
    ----------
    kind : {"same", "case", "changed", "missing", "extra"}
        Equal, different in case only, different, only in the name, or only in the text.
    text, name : str
        The characters of either; all stretches together make up the whole text and the whole name.
    """

    kind: str
    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text and a name side by side.

    Parameters
    ----------
    stretches : tuple of Stretch
        From start to end.
    """

    stretches: tuple[Stretch, ...]

    @property
    def matched(self) -> int:
        """Number of characters of the name that are in the text, case ignored."""
        return sum(len(stretch.name) for stretch in self.stretches if stretch.kind in ("same", "case"))

    @property
    def similarity(self) -> float:
        """Twice the matched characters divided by the characters of both, 0..1; 1 if only case differs."""
        total = sum(len(stretch.text) + len(stretch.name) for stretch in self.stretches)
        return 2 * self.matched / total if total else 1.0


def align(text: str, name: str) -> Alignment:
    """Align the characters of a text with those of a name.

    Parameters
    ----------
    text : str
        A text that was recognised, such as that of a tag in a photo; at most 1024 characters.
    name : str
        The name that it was matched with, such as the external id of an asset; at most 1024 characters.

    Returns
    -------
    Alignment
        By the longest matching blocks, case ignored (Ratcliff and Obershelp 1988, `difflib.SequenceMatcher`).

    Raises
    ------
    InputError
        If either is no string or too long.

    Examples
    --------
    >>> for stretch in align("21PT1O19", "21-PT-1019").stretches:
    ...     print(stretch.kind, repr(stretch.text), repr(stretch.name))
    same '21' '21'
    missing '' '-'
    same 'PT' 'PT'
    missing '' '-'
    same '1' '1'
    changed 'O' '0'
    same '19' '19'
    >>> align("21PT1O19", "21-PT-1019").matched
    7
    """
    for argument, value in (("text", text), ("name", name)):
        if len(_check.string(argument, value)) > MAX_CHARACTERS:
            raise InputError(f"{argument} must be at most {MAX_CHARACTERS} characters, got {len(value)}")
    # Fold each character alone: folding a string may change its length (ß to ss), and offsets would shift.
    folded_text, folded_name = ([character.casefold() for character in value] for value in (text, name))
    matcher = difflib.SequenceMatcher(None, folded_text, folded_name, autojunk=False)
    stretches: list[Stretch] = []
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            stretches += _split_by_case(text[a0:a1], name[b0:b1])
        else:
            kind = {"replace": "changed", "delete": "extra", "insert": "missing"}[tag]
            stretches.append(Stretch(kind, text[a0:a1], name[b0:b1]))
    return Alignment(tuple(stretches))


def _split_by_case(text: str, name: str) -> list[Stretch]:
    """Split characters that match into stretches that are equal and stretches that differ in case."""
    pairs = groupby(zip(text, name, strict=True), key=lambda pair: pair[0] == pair[1])
    stretches = []
    for equal, group in pairs:
        ours, theirs = map("".join, zip(*group, strict=True))
        stretches.append(Stretch("same" if equal else "case", ours, theirs))
    return stretches
