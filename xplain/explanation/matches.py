"""Which characters of a text match those of a name: why a reading such as ``21PT1O19`` is taken for ``21-PT-1019``."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from xplain import _check
from xplain.errors import InputError

MAX_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a text beside the one of a name that it stands for.

    Parameters
    ----------
    kind : {"same", "case", "changed", "missing", "extra"}
        Equal, equal but for the case, others in their place, only in the name, or only in the text.
    text, name : str
        The characters of each, in order; all stretches together are the whole text and the whole name.
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
        """Number of characters of the name that the text has, the case ignored."""
        return sum(len(one.name) for one in self.stretches if one.kind in ("same", "case"))

    @property
    def similarity(self) -> float:
        """Twice the matched characters by those of both, 0..1: 1 if they differ in nothing but case."""
        total = sum(len(one.text) + len(one.name) for one in self.stretches)
        return 2 * self.matched / total if total else 1.0


def align(text: str, name: str) -> Alignment:
    """Say which characters of a text match those of a name.

    Parameters
    ----------
    text : str
        What was found, such as the text of a tag in a photo.
    name : str
        What it was matched with, such as the external id of an asset; of each at most 1024 characters.

    Returns
    -------
    Alignment
        The longest matching blocks first (Ratcliff and Obershelp 1988, `difflib.SequenceMatcher`), the case ignored.

    Raises
    ------
    InputError
        If either is no string or is longer.

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
    # Character by character, since folding may lengthen one (ß to ss).
    ours, theirs = ([character.casefold() for character in value] for value in (text, name))
    stretches: list[Stretch] = []
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            stretches += _by_case(text[a0:a1], name[b0:b1])
        else:
            kind = {"replace": "changed", "delete": "extra", "insert": "missing"}[tag]
            stretches.append(Stretch(kind, text[a0:a1], name[b0:b1]))
    return Alignment(tuple(stretches))


def _by_case(text: str, name: str) -> list[Stretch]:
    """Part characters that are equal from those that differ in case."""
    stretches: list[Stretch] = []
    for one, other in zip(text, name, strict=True):
        kind = "same" if one == other else "case"
        if stretches and stretches[-1].kind == kind:
            last = stretches.pop()
            one, other = last.text + one, last.name + other
        stretches.append(Stretch(kind, one, other))
    return stretches
