"""The beginning of an explained text as HTML: words on the colour of what they speak for, or of what is found there."""

from __future__ import annotations

from collections.abc import Iterator

from xplain.explanation import Explanation
from xplain.pictures import _text_words, colormaps
from xplain.pictures._html import background, escaped
from xplain.pictures._text_scene import Part, Scene, Section, build
from xplain.pictures._type import Colour

__all__ = ["snippet"]

_LENGTH = 400  # characters of a text that are shown
_VEIL = 0.3  # opacity of the colour of what is found
_CMAP = "RdBu_r"

#: Start, stop, colour with opacity, and what is said of it.
_Stretch = tuple[int, int, tuple[Colour, float] | None, str]


def snippet(explanation: Explanation) -> str:
    """Return the beginning of the text, coloured by the first attribution or by entities; empty if it is not known."""
    target = 0 if explanation.attributions else None
    scene = build([explanation], None, "text", target, colormaps.CMAPS[_CMAP], None)
    [part] = scene.parts
    if part.sections:
        [section] = part.sections
        text, stretches = section.text, _words(scene, section)
    else:
        text, stretches = part.text or "", _found(part)
    shown = "".join(_stretch(text, one) for one in stretches if one[0] < _LENGTH)
    return shown + ("…" if shown and len(text) > _LENGTH else "")


def _stretch(text: str, stretch: _Stretch) -> str:
    start, stop, colour, title = stretch
    shown = escaped(text[start : min(stop, _LENGTH)], lines=True)
    if colour is None:
        return shown
    return f'<span style="{background(*colour)}" title="{escaped(title)}">{shown}</span>'


def _words(scene: Scene, section: Section) -> Iterator[_Stretch]:
    tint = scene.tint_of(section)
    for run in section.runs:
        if run.word is None or tint is None or not tint.opacity(run.word.score):
            yield run.start, run.stop, None, ""
        else:
            score = run.word.score
            yield run.start, run.stop, (tint.hue(score), tint.opacity(score)), _text_words.signed(score, section)


def _found(part: Part) -> Iterator[_Stretch]:
    at = 0
    for passage in part.passages:
        for one in passage.stretches:
            yield at, one.start, None, ""
            over = "; ".join(", ".join((entity.name, *entity.facts)) for entity in one.over)
            yield one.start, one.stop, (one.over[0].colour, _VEIL) if one.over else None, over
            at = one.stop
