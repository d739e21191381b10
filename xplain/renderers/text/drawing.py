"""Explanations of texts as pictures: words on the colour of what they speak for.

A `TextPicture` keeps a scene and lays it out when it is asked for a file, because HTML, pixels and terminal break lines
each in their own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Explanation
from xplain.explanation.notes import NotesOf
from xplain.renderers.canvas import png
from xplain.renderers.canvas.picture import Drawing
from xplain.renderers.text import wording
from xplain.renderers.text.scene import Scene, build
from xplain.renderers.text.style import Style


@dataclass(frozen=True, slots=True, eq=False)
class TextPicture(Drawing):
    """A picture of explained texts; a notebook shows it as HTML.

    HTML holds the whole text, PNG and SVG up to a fixed number of lines. Control characters, halves of surrogate pairs
    and characters that turn the direction of the text around them are written as symbols everywhere.

    Parameters
    ----------
    alt : str
        What the picture shows, in words.
    """

    alt: str
    _scene: Scene = field(repr=False)
    _font: str | None = field(default=None, repr=False)

    def with_note(self, note: str) -> TextPicture:
        """Return the same picture with a note below it."""
        return _picture(replace(self._scene, note=note), self._font)

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """The PNG's pixels: read-only uint8 (height, width, 3), RGB."""
        from xplain.renderers.text import page

        return page.pixels(self._scene, self._font)

    def html(self) -> bytes:
        """Write one self-contained HTML page without script, for light and dark screens."""
        from xplain.renderers.text import html

        return html.page(self._scene).encode("utf-8")

    def png(self) -> bytes:
        """Encode as PNG: black on white, 960 pixels wide, up to 120 lines of text; a note says what is left out.

        Words are set in Pillow's own font or, if that lacks a character, a common one of the system or the caller's.
        Characters that none of them has are boxes with their code points. Words stand from left to right in the order
        of the text, also those of scripts that are read from right to left.
        """
        return png.encode(self.pixels, self.alt)

    def svg(self) -> bytes:
        """Write as SVG, with letters as letters: laid out as the PNG, in the fonts of the viewer."""
        from xplain.renderers.text import page

        return page.svg(self._scene, self._font, self.alt).encode("utf-8")

    def text(self) -> bytes:
        """Write as UTF-8 without colours, the strongest words followed by their scores."""
        return self.ansi(color=False).encode("utf-8")

    def ansi(self, *, color: bool = True) -> str:
        """Write for a terminal.

        Parameters
        ----------
        color : bool
            Whether to use the 256 colours of xterm; else the strongest words are followed by their scores. Callers
            that honour NO_COLOR (https://no-color.org) decide by it.

        Returns
        -------
        str
            No character of the text or of a label acts on the terminal.
        """
        from xplain.renderers.text import ansi

        return ansi.write(self._scene, color)

    def mimebundle(self) -> dict[str, Any]:
        """What a notebook shows, by MIME type."""
        return {"text/html": self._repr_html_(), "text/plain": self.alt}

    def _repr_html_(self) -> str:
        from xplain.renderers.text import html

        return html.fragment(self._scene)


def draw(subjects: Sequence[Explanation], image: None, style: Style, notes: NotesOf) -> TextPicture:
    """Draw explanations of texts, with a section for each attribution, all on one scale.

    Parameters
    ----------
    subjects : sequence of Explanation
        Every attribution becomes a section, unless the style's target picks some.
    image : None
        Texts have none.
    style : Style
        What the caller asks for.
    notes : callable
        As for `xplain.renderers.draw`.

    Returns
    -------
    TextPicture
        HTML, PNG, SVG or letters for a terminal.

    Raises
    ------
    InputError
        If the text holds none of the explained words, or an argument is wrong.
    UnknownNameError
        If ``target`` or ``scale`` names nothing that exists.

    Examples
    --------
    >>> from xplain.explanation.notes import no_notes
    >>> from xplain.explanation import Attribution, Prediction, Source, Word, WordScores
    >>> good = Prediction("good", 0.9)
    >>> words = WordScores([Word("not", -0.25, index=0), Word("bad", 0.5, index=1)])
    >>> e = Explanation("text-classification", Source("text", text="not bad!"), (good,), (Attribution(good, words),))
    >>> print(draw([e], None, Style(), no_notes).ansi(color=False), end="")
    -0.5 speaks against, +0.5 speaks for (scale: 99.5th percentile)
    <BLANKLINE>
    good 0.9
    not[-0.25] bad[+0.5]!
    Strongest words
                         bad       +0.5  ++++++++++++++++++++++++
                         not      -0.25  ------------
    Class scores
                        good        0.9  ########################
    """
    if image is not None:
        raise InputError(f"image must be left out for a text, got {type(image).__name__}")
    if not any(explanation.attributions or explanation.predictions for explanation in subjects):
        raise InputError("subject must hold an attribution or a prediction to be drawn, got neither")
    return _picture(build(subjects, style, notes), style.font)


def _picture(scene: Scene, font: str | None) -> TextPicture:
    return TextPicture(wording.describe(scene), scene, font)
