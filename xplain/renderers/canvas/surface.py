"""A sheet that records what is drawn on it, to be played back as pixels or written as SVG.

`Recording` is a `xplain.renderers.canvas.typography.Surface`, as `Sheet` is: legends and pages draw on either. Its
height need not be known before everything is drawn.
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

_ANCHORS = {"ls": "start", "ms": "middle", "rs": "end"}  # Pillow's names in SVG
_CORNER_RADIUS = 3  # of boxes with a tooltip, in SVG only
_FONT = "Aileron, Helvetica, Arial, sans-serif"  # the first is Pillow's default


@dataclass(frozen=True, slots=True)
class _Text:
    at: tuple[float, float]
    text: str
    width: float
    scale: float
    colour: Colour
    anchor: str


class Recording:
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
        self._commands: list[Callable[[Sheet], object]] = []  # played back for pixels
        self._shapes: list[str] = []  # SVG elements
        self._texts: list[_Text] = []  # SVG elements above all shapes

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
        self._commands.append(lambda sheet: sheet.text(at, text, room=room, scale=scale, colour=colour, anchor=anchor))
        line = " ".join(text.split())
        _, shortened, width = fitted(line, round(self.size * scale), self.font, room)
        # SVG keeps the characters that only the reader's fonts may have, so the original is cut at the same place.
        if len(shortened) < len(line):
            line = line[: len(shortened) - 1].rstrip() + "…"
        self._texts.append(_Text(at, line, width, scale, colour, anchor))
        return width

    def width_of(self, text: str, scale: float = 1.0) -> float:
        """Width in pixels of one line."""
        return fitted(text, round(self.size * scale), self.font)[2]

    def letters(self, at: tuple[float, float], text: str, width: float, colour: Colour) -> None:
        """Write text in SVG only, stretched to a width."""
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
        """Draw a rectangle: see `Sheet.box`. In SVG it has a tooltip, if ``tip`` is not empty."""
        self._commands.append(lambda sheet: sheet.box(x0, y0, x1, y1, fill, line))
        stroke = f' stroke="{_hex(line)}"' if line else ""
        self._shapes.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
            f'fill="{_hex(fill) if fill else "none"}"{stroke}'
            + (f' rx="{_CORNER_RADIUS}"><title>{html.escape(tip)}</title></rect>' if tip else "/>")
        )

    def ramp(self, x0: float, y0: float, x1: float, y1: float, colours: UInt8) -> None:
        """Draw colours (n, 3) from left to right in a frame."""
        self._commands.append(lambda sheet: sheet.ramp(x0, y0, x1, y1, colours))
        step = (x1 - x0) / len(colours)
        for i, (red, green, blue) in enumerate(colours.tolist()):
            # All but the last reach a pixel into the next, or the ground would shine through between them.
            self._shapes.append(
                f'<rect x="{x0 + i * step:.2f}" y="{y0:.1f}" width="{step + (i < len(colours) - 1):.2f}" '
                f'height="{y1 - y0:.1f}" fill="{_hex((red, green, blue))}"/>'
            )
        self._shapes.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none" '
            f'stroke="{_hex(LINE)}"/>'
        )

    def pixels(self, height: int) -> UInt8:
        """Play back on a sheet: uint8 (height, width, 3)."""
        sheet = Sheet(self.width, height, self.size, self.font)
        for command in self._commands:
            command(sheet)
        return sheet.pixels()

    def svg(self, height: int, description: str) -> str:
        """Write as an SVG image; ``textLength`` keeps the layout in whatever font the viewer has."""
        description = html.escape(one_line(description))
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
                f'viewBox="0 0 {self.width} {height}" role="img" aria-label="{description}" font-family="{_FONT}">',
                f"<desc>{description}</desc>",
                f'<rect width="{self.width}" height="{height}" fill="{_hex(PAPER)}"/>',
                *self._shapes,
                '<g pointer-events="none">',
                *texts,
                "</g>\n</svg>\n",
            ]
        )


def _hex(colour: Colour) -> str:
    return "#" + bytes(colour).hex()
