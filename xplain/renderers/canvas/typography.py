"""Sheets of paper with text, boxes and strokes, as pixels; Pillow does the drawing.

`Surface` is what legends and pages draw on; `Sheet` is one made of pixels, and
`xplain.renderers.canvas.surface.Recording` one that can become SVG too. Below them stand their parts: text
that is shortened to its room and written in a font that has its characters, and strokes with dashes and smooth edges.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from xplain.errors import InputError
from xplain.inputs import files
from xplain.renderers.canvas.colours import Colour

Path = npt.NDArray[np.float64]

PAPER: Colour = (255, 255, 255)
INK: Colour = (24, 27, 31)
QUIET: Colour = (92, 99, 108)
LINE: Colour = (190, 195, 201)
#: Fonts that are common on Linux, macOS and Windows, for characters that the font in Pillow has not.
FALLBACK_FONTS = (
    "DejaVuSans.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
)
_SUPERSAMPLING = 3  # strokes that are not upright are drawn that many times as large, and reduced for smooth edges
_MOST_SUPERSAMPLED = 1 << 22  # pixels; larger strokes are drawn without
_MOST_LINES = 6  # that one value is wrapped to
_DASH, _GAP = 4.0, 5.0  # in widths of the stroke, without its ends


class Surface(Protocol):
    """What legends draw on; the methods are those of `Sheet`."""

    size: int

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
        """Write one line, and return its width."""

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None, line: Colour | None = None) -> None:
        """Draw a rectangle, x1 and y1 excluded, with an outline in the colour ``line``."""

    def ramp(self, x0: float, y0: float, x1: float, y1: float, colours: npt.NDArray[np.uint8]) -> None:
        """Draw colours (n, 3) from left to right in a frame."""


class Sheet:
    """A white sheet of pixels to draw on.

    Parameters
    ----------
    width, height : int
        In pixels.
    size : int
        Height of plain text in pixels.
    font : str, optional
        A font file; Pillow's own font if left out.
    """

    def __init__(self, width: int, height: int, size: int, font: str | None = None) -> None:
        self.size = size
        self.font = font
        self._line = max(1, size // 13)  # thickness of outlines: 1 pixel for the smallest text
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    @classmethod
    def over(cls, pixels: npt.NDArray[np.uint8], size: int, font: str | None = None) -> Sheet:
        """Make a sheet that starts with a copy of pixels (height, width, 3)."""
        sheet = cls(1, 1, size, font)
        sheet._image = Image.fromarray(pixels)
        sheet._draw = ImageDraw.Draw(sheet._image)
        return sheet

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
        """Write one line, shortened with an ellipsis if there is no room.

        Parameters
        ----------
        at : tuple of float
            x and y of the anchor, on the base line.
        text : str
            White space, line breaks too, becomes single spaces.
        room : float
            Width in pixels that the text may take.
        scale : float
            Height as a multiple of plain text.
        colour : tuple of int
            RGB.
        anchor : {"ls", "ms", "rs"}
            Whether ``at`` is at the left, middle or right of the text, in Pillow's names.

        Returns
        -------
        float
            Width that the text takes.
        """
        font, text, width = fitted(text, round(self.size * scale), self.font, room)
        self._draw.text((round(at[0]), round(at[1])), text, fill=colour, font=font, anchor=anchor)
        return width

    def width_of(self, text: str, scale: float = 1.0) -> float:
        """Width in pixels of one line."""
        return fitted(text, round(self.size * scale), self.font)[2]

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None, line: Colour | None = None) -> None:
        """Draw a rectangle, x1 and y1 excluded; a width or height below 1 becomes 1."""
        corners = (round(x0), round(y0), max(round(x0), round(x1) - 1), max(round(y0), round(y1) - 1))
        self._draw.rectangle(corners, fill=fill, outline=line, width=self._line if line else 0)

    def stroke(
        self,
        path: npt.NDArray[np.float64],
        width: float,
        colour: Colour,
        halo: Colour | None = None,
        *,
        dashed: bool = False,
    ) -> None:
        """Draw a line through points (n, 2), on a wider one in the colour ``halo``."""
        paths = dashes(path, width) if dashed else [path]
        if halo is not None:
            draw_paths(self._image, paths, width + 2 * max(1.0, width / 3), halo)
        draw_paths(self._image, paths, width, colour)

    def dot(
        self, at: tuple[float, float], radius: float, colour: Colour, halo: Colour, *, square: bool, hollow: bool
    ) -> None:
        """Draw a disc, or a square that stands on a corner, on a larger one in the colour ``halo``; or a ring."""
        margin = max(1.0, radius / 4)
        thickness = radius / 2 if hollow else 0.0
        outer = thickness + 2 * margin if hollow else 0.0
        draw_disc(self._image, at, radius + margin, halo, square=square, thickness=outer)
        draw_disc(self._image, at, radius, colour, square=square, thickness=thickness)

    def ramp(self, x0: float, y0: float, x1: float, y1: float, colours: npt.NDArray[np.uint8]) -> None:
        """Draw colours (n, 3) from left to right in a frame."""
        self.box(x0, y0, x1, y1, None, LINE)
        edge = self._line
        width, height = round(x1) - round(x0) - 2 * edge, round(y1) - round(y0) - 2 * edge
        columns = colours[np.rint(np.linspace(0, len(colours) - 1, width)).astype(int)]
        self.paste(round(x0) + edge, round(y0) + edge, np.repeat(columns[None], height, axis=0))

    def paste(self, x: float, y: float, pixels: npt.NDArray[np.uint8]) -> None:
        """Lay pixels (height, width, 3) on the sheet, their upper left corner at (x, y)."""
        self._image.paste(Image.fromarray(pixels), (round(x), round(y)))

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the sheet as uint8 (height, width, 3)."""
        return np.asarray(self._image)


def font_file(name: str, path: object) -> str:
    """Return the path of a font file as a str; ``name`` is what the caller calls it in messages."""
    return str(files.as_path(path, name))


def readable_on(ground: Colour) -> Colour:
    """Return the colour of letters that stands out from the ground: dark or white."""
    red, green, blue = ground
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # Rec. 601
    return INK if luma > 128 else PAPER


def fitted(text: str, size: int, path: str | None = None, room: float = math.inf) -> tuple[Any, str, float]:
    """Return the font for one line of text, the text shortened to its room, and the width that it takes.

    White space becomes single spaces. A character that no installed font has is replaced by one character: an accented
    letter by the plain one, any other by a question mark.
    """
    font, text = choose_font(" ".join(text.split()), size, path)
    return font, *_shorten(text, font, room)


def wrapped(text: str, room: float, width_of: Callable[[str], float]) -> list[str]:
    """Break a text into lines that fit; a text of too many lines ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer) > room:
            if len(lines) == _MOST_LINES:
                return [*lines[:-1], f"{lines[-1]} …"]
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _shorten(text: str, font: Any, room: float) -> tuple[str, float]:
    """Cut a text, with an ellipsis, to the longest beginning that there is room for; return it and its width."""
    width = float(font.getlength(text))
    if width <= room:
        return text, width
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if font.getlength(text[:middle].rstrip() + "…") <= room:
            fits = middle
        else:
            too_long = middle
    short = text[:fits].rstrip() + "…"
    return short, float(font.getlength(short))


@lru_cache(maxsize=256)
def choose_font(text: str, size: int, path: str | None) -> tuple[Any, str]:
    """Return the first font that has all characters of a text, and the text with those replaced that it has not.

    The candidates are Pillow's own font and the fallbacks; if none has all characters, it is Pillow's own. The caller's
    font is taken as it is.
    """
    font = _load(path, size)
    if not (path or text.isascii()):
        fallbacks = (_load(name, size) for name in FALLBACK_FONTS)
        complete = (other for other in (font, *fallbacks) if other is not None and not _missing_characters(other, text))
        font = next(complete, font)
    missing = set() if text.isascii() else _missing_characters(font, text)
    return font, "".join(_substitute(character) if character in missing else character for character in text)


def _substitute(character: str) -> str:
    base = unicodedata.normalize("NFKD", character)[0]  # without accents
    return base if base.isascii() else "?"


def _missing_characters(font: Any, text: str) -> set[str]:
    """Characters for which a font draws the same glyph as for a non-character: its sign for a missing one."""
    placeholder = bytes(font.getmask("\uffff"))
    visible = {character for character in text if not character.isspace()}
    return {character for character in visible if bytes(font.getmask(character)) == placeholder}


@lru_cache(maxsize=64)
def _load(path: str | None, size: int) -> Any:
    """Load a font file, or Pillow's own font; None if it is a fallback that is not installed."""
    if path is None:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(path, size)
    except (OSError, ValueError) as error:
        if path in FALLBACK_FONTS:
            return None
        raise InputError(f"font must be a TrueType or OpenType file, got {path!r}: {error}") from error


def dashes(path: Path, width: float) -> list[Path]:
    """Cut a path (n, 2) into dashes; one that is too short for two stays whole."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    distances = np.concatenate([[0.0], np.cumsum(lengths)])  # of the points, along the path
    count = int(distances[-1] // ((_DASH + _GAP) * width))
    if count < 2:
        return [path]
    period = distances[-1] / count
    starts = np.arange(count) * period
    stops = starts + period * _DASH / (_DASH + _GAP)
    firsts, lasts = (_points_at(ends, distances, path) for ends in (starts, stops))
    corners = [path[(distances > start) & (distances < stop)] for start, stop in zip(starts, stops, strict=True)]
    return [
        np.concatenate([[first], between, [last]]) for first, between, last in zip(firsts, corners, lasts, strict=True)
    ]


def _points_at(wanted: Path, distances: Path, path: Path) -> Path:
    """The points (m, 2) at some distances along a path, whose own points lie at ``distances``."""
    return np.stack([np.interp(wanted, distances, path[:, axis]) for axis in (0, 1)], 1)


def draw_paths(image: Image.Image, paths: Sequence[Path], width: float, colour: Colour) -> None:
    """Draw paths (n, 2) in pixels: sharp if all of their lines are upright, else with smooth edges."""
    if all((np.diff(path, axis=0) == 0).any(axis=1).all() for path in paths):
        _draw_upright(image, paths, width, colour)
        return
    # Only the part of the image that the paths touch is drawn larger.
    points = np.concatenate(list(paths))
    low = np.clip(np.floor(points.min(axis=0) - width), 0, image.size).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + width), 0, image.size).astype(int)
    columns, rows = (high - low).tolist()
    if columns <= 0 or rows <= 0:
        return
    factor = _SUPERSAMPLING if columns * rows * _SUPERSAMPLING**2 <= _MOST_SUPERSAMPLED else 1
    cover = Image.new("L", (columns * factor, rows * factor))
    draw = ImageDraw.Draw(cover)
    for path in paths:
        corners = [tuple(point) for point in ((path - low) * factor).tolist()]
        draw.line(corners, fill=255, width=max(1, round(width * factor)), joint="curve")
    image.paste(colour, (int(low[0]), int(low[1])), cover.reduce(factor) if factor > 1 else cover)


def _draw_upright(image: Image.Image, paths: Sequence[Path], width: float, colour: Colour) -> None:
    """Draw horizontal and vertical lines as rectangles, with square ends."""
    draw = ImageDraw.Draw(image)
    thickness = max(1, round(width))
    for path in paths:
        low, high = np.minimum(path[:-1], path[1:]), np.maximum(path[:-1], path[1:])
        corners = np.floor(np.concatenate([low, high], axis=1) - width / 2 + 0.5).astype(int)
        for x0, y0, x1, y1 in corners.tolist():
            draw.rectangle((x0, y0, x1 + thickness - 1, y1 + thickness - 1), fill=colour)


def draw_disc(
    image: Image.Image, at: tuple[float, float], radius: float, colour: Colour, *, square: bool, thickness: float = 0.0
) -> None:
    """Draw a disc, or a square that stands on a corner; a ring of that ``thickness`` in pixels if it is not 0."""
    reach = math.ceil(radius) + 1
    left, top = math.floor(at[0]) - reach, math.floor(at[1]) - reach
    factor = _SUPERSAMPLING + 1  # dots are small: they can be finer than strokes
    cover = Image.new("L", ((2 * reach + 1) * factor, (2 * reach + 1) * factor))
    draw = ImageDraw.Draw(cover)
    x, y = (at[0] - left) * factor, (at[1] - top) * factor
    disc, hole = (radius, 255), (radius - thickness, 0)
    for size, fill in (disc, hole) if thickness else (disc,):
        r = max(size, 0.0) * factor
        if square:
            draw.polygon([(x - r, y), (x, y - r), (x + r, y), (x, y + r)], fill=fill)
        else:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    image.paste(colour, (left, top), cover.reduce(factor))
