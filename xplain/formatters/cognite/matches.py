"""Alignment of a text with a name, character by character: why ``21PT1O19`` in a photo is taken for ``21-PT-1019``.

Cognite links the text of a tag to an asset without a reason. Renderers show this alignment as one.
"""

from __future__ import annotations

import difflib
from itertools import groupby

from xplain import _check
from xplain.errors import InputError
from xplain.explanation.notes import Stretch

MAX_CHARACTERS = 1024  # the time to align grows with the square of the length


def align(text: str, name: str) -> tuple[Stretch, ...]:
    """Align the characters of a text with those of a name.

    Parameters
    ----------
    text : str
        A text that was recognised, such as that of a tag in a photo; at most 1024 characters.
    name : str
        The name that it was matched with, such as the external id of an asset; at most 1024 characters.

    Returns
    -------
    tuple of Stretch
        From start to end, by the longest matching blocks, case ignored (Ratcliff and Obershelp 1988,
        `difflib.SequenceMatcher`).

    Raises
    ------
    InputError
        If either is no string or too long.

    Examples
    --------
    >>> for stretch in align("21PT1O19", "21-PT-1019"):
    ...     print(stretch.kind, repr(stretch.text), repr(stretch.name))
    same '21' '21'
    missing '' '-'
    same 'PT' 'PT'
    missing '' '-'
    same '1' '1'
    changed 'O' '0'
    same '19' '19'
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
    return tuple(stretches)


def _split_by_case(text: str, name: str) -> list[Stretch]:
    """Split characters that match into stretches that are equal and stretches that differ in case."""
    pairs = groupby(zip(text, name, strict=True), key=lambda pair: pair[0] == pair[1])
    stretches = []
    for equal, group in pairs:
        ours, theirs = map("".join, zip(*group, strict=True))
        stretches.append(Stretch("same" if equal else "case", ours, theirs))
    return stretches
