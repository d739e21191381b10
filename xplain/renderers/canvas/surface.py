"""A sheet that remembers what is drawn on it, and gives it as pixels or as SVG.

It is a `xplain.renderers.canvas.typography.Surface`, as `Sheet` is, so that legends draw themselves on both.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.explanation.characters import one_line
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.typography import INK, LINE, PAPER, Sheet, fitted

UInt8 = npt.NDArray[np.uint8]

_ANCHORS = {"ls": "start", "ms": "middle", "rs": "end"}
_ROUND = 3  # radius of corners in SVG
_FONT = "Aileron, Helvetica, Arial, sans-serif"  # the first is Pillow's own


@dataclass(frozen=True, slots=True)
class _Text:
    at: tuple[float, float]
    text: str
    width: float
    scale: float
    colour: Colour
    anchor: str


class Record:
    """Texts, boxes and ramps in the order in which they are drawn.

    Parameters
    ----------
    width, size : int
        Of the sheet, and height of plain text, in pixels.
    font : str, optional
        A font file, which measures texts and writes them as pixels.
    """

    def __init__(self, width: int, size: int, font: str | None) -> None:
        self.width = width
        self.size = size
        self.font = font
        self._replay: list[Callable[[Sheet], object]] = []
        self._shapes: list[str] = []
        self._texts: list[_Text] = []

    def text(
        self,
        at: tuple[float, float],
        text: str,
        *,
        room: float,
        scale: float = 1.0,
        colour: Colour = INK,
        anchor: str = "ls",
    ) -> float:
        """Write one line: see `Sheet.text`."""
        self._replay.append(lambda sheet: sheet.text(at, text, room=room, scale=scale, colour=colour, anchor=anchor))
        line = " ".join(text.split())
        _, fits, width = fitted(line, round(self.size * scale), self.font, room)
        if len(fits) < len(line):
            line = line[: len(fits) - 1].rstrip() + "…"
        self._texts.append(_Text(at, line, width, scale, colour, anchor))
        return width

    def width_of(self, text: str, scale: float = 1.0) -> float:
        """Width in pixels of one line."""
        return fitted(text, round(self.size * scale), self.font)[2]

    def letters(self, at: tuple[float, float], text: str, width: float, colour: Colour) -> None:
        """Write letters on SVG only, stretched to a width."""
        self._texts.append(_Text(at, text, width, 1.0, colour, "ls"))

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Colour | None,
        line: Colour | None = None,
        tip: str = "",
    ) -> None:
        """Draw a rectangle; an SVG shows ``tip`` where the pointer rests on it."""
        self._replay.append(lambda sheet: sheet.box(x0, y0, x1, y1, fill, line))
        stroke = f' stroke="{_hex(line)}"' if line else ""
        self._shapes.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
            f'fill="{_hex(fill) if fill else "none"}"{stroke}'
            + (f' rx="{_ROUND}"><title>{html.escape(tip)}</title></rect>' if tip else "/>")
        )

    def ramp(self, x0: float, y0: float, x1: float, y1: float, colours: UInt8) -> None:
        """Draw colours (n, 3) from left to right in a frame."""
        self._replay.append(lambda sheet: sheet.ramp(x0, y0, x1, y1, colours))
        step = (x1 - x0) / len(colours)
        for i, (red, green, blue) in enumerate(colours.tolist()):
            # A little wider than a step, or the ground would shine through between them.
            self._shapes.append(
                f'<rect x="{x0 + i * step:.2f}" y="{y0:.1f}" width="{step + (i < len(colours) - 1):.2f}" '
                f'height="{y1 - y0:.1f}" fill="{_hex((red, green, blue))}"/>'
            )
        self._shapes.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none" '
            f'stroke="{_hex(LINE)}"/>'
        )

    def pixels(self, height: int) -> UInt8:
        """Draw as uint8 (height, width, 3)."""
        sheet = Sheet(self.width, height, self.size, self.font)
        for draw in self._replay:
            draw(sheet)
        return sheet.pixels()

    def svg(self, height: int, description: str) -> str:
        """Write as an SVG image."""
        said = html.escape(one_line(description))
        texts = (
            f'<text x="{text.at[0]:.1f}" y="{text.at[1]:.1f}" font-size="{self.size * text.scale:.4g}" '
            f'fill="{_hex(text.colour)}" text-anchor="{_ANCHORS[text.anchor]}" textLength="{text.width:.1f}" '
            f'lengthAdjust="spacingAndGlyphs">{html.escape(one_line(text.text))}</text>'
            for text in self._texts
            if text.text and text.width
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height}" '
                f'viewBox="0 0 {self.width} {height}" role="img" aria-label="{said}" font-family="{_FONT}">',
                f"<desc>{said}</desc>",
                f'<rect width="{self.width}" height="{height}" fill="{_hex(PAPER)}"/>',
                *self._shapes,
                '<g pointer-events="none">',
                *texts,
                "</g>\n</svg>\n",
            ]
        )


def _hex(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
