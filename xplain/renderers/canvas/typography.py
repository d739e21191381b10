"""Text, bars and lines on strips of paper or over pixels."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from xplain.errors import InputError
from xplain.renderers.canvas.colours import Colour

Path = npt.NDArray[np.float64]


_FINER = 3  # a slanted line is drawn that many times as large, then made smaller
_MOST = 1 << 22  # pixels that are worth it
_DASH, _GAP = 4.0, 5.0  # in widths of the line, without its ends


def dashes(path: Path, width: float) -> list[Path]:
    """Cut a path (n, 2) into dashes; one that is too short for two stays whole."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    count = int(ends[-1] // ((_DASH + _GAP) * width))
    if count < 2:
        return [path]
    period = ends[-1] / count
    starts = np.arange(count) * period
    stops = starts + period * _DASH / (_DASH + _GAP)
    firsts, lasts = (np.stack([np.interp(at, ends, path[:, axis]) for axis in (0, 1)], 1) for at in (starts, stops))
    inner = [path[(ends > start) & (ends < stop)] for start, stop in zip(starts, stops, strict=True)]
    return [
        np.concatenate([[first], between, [last]]) for first, between, last in zip(firsts, inner, lasts, strict=True)
    ]


def draw_paths(image: Image.Image, paths: Sequence[Path], width: float, colour: Colour) -> None:
    """Draw paths (n, 2) in pixels, with square ends along the axes."""
    if all((np.diff(path, axis=0) == 0).any(axis=1).all() for path in paths):
        _draw_upright(image, paths, width, colour)
        return
    points = np.concatenate(list(paths))
    low = np.clip(np.floor(points.min(axis=0) - width), 0, image.size).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + width), 0, image.size).astype(int)
    across, down = (high - low).tolist()
    if across <= 0 or down <= 0:
        return
    finer = _FINER if across * down * _FINER**2 <= _MOST else 1
    cover = Image.new("L", (across * finer, down * finer))
    draw = ImageDraw.Draw(cover)
    for path in paths:
        corners = [tuple(point) for point in ((path - low) * finer).tolist()]
        draw.line(corners, fill=255, width=max(1, round(width * finer)), joint="curve")
    image.paste(colour, (int(low[0]), int(low[1])), cover.reduce(finer) if finer > 1 else cover)


def _draw_upright(image: Image.Image, paths: Sequence[Path], width: float, colour: Colour) -> None:
    draw = ImageDraw.Draw(image)
    thick = max(1, round(width))
    for path in paths:
        low, high = np.minimum(path[:-1], path[1:]), np.maximum(path[:-1], path[1:])
        corners = np.floor(np.concatenate([low, high], axis=1) - width / 2 + 0.5).astype(int)
        for x0, y0, x1, y1 in corners.tolist():
            draw.rectangle((x0, y0, x1 + thick - 1, y1 + thick - 1), fill=colour)


def disc(
    image: Image.Image, at: tuple[float, float], radius: float, colour: Colour, *, square: bool, hollow: float = 0.0
) -> None:
    """Draw a disc, or a square that stands on a corner; a ring ``hollow`` pixels thick if that is not 0."""
    side = math.ceil(radius) + 1
    left, top = math.floor(at[0]) - side, math.floor(at[1]) - side
    finer = _FINER + 1
    cover = Image.new("L", ((2 * side + 1) * finer, (2 * side + 1) * finer))
    draw = ImageDraw.Draw(cover)
    x, y = (at[0] - left) * finer, (at[1] - top) * finer
    for reach, fill in ((radius, 255), (radius - hollow, 0))[: 1 + bool(hollow)]:
        r = max(reach, 0.0) * finer
        if square:
            draw.polygon([(x - r, y), (x, y - r), (x + r, y), (x, y + r)], fill=fill)
        else:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    image.paste(colour, (left, top), cover.reduce(finer))


PAPER: Colour = (255, 255, 255)
INK: Colour = (24, 27, 31)
QUIET: Colour = (92, 99, 108)
LINE: Colour = (190, 195, 201)

# Fonts that are common on Linux, macOS and Windows, for labels that the font in Pillow cannot write.
_FALLBACKS = ("DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc")


class Surface(Protocol):
    """What can be written and drawn on; the methods are those of `Sheet`."""

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
        """Draw a rectangle, half open."""

    def ramp(self, x0: float, y0: float, x1: float, y1: float, colours: npt.NDArray[np.uint8]) -> None:
        """Draw colours (n, 3) from left to right in a frame."""


class Sheet:
    """A strip of white paper to write on.

    Parameters
    ----------
    width, height : int
        In pixels.
    size : int
        Height of plain text in pixels; every distance is a multiple of it.
    font : str, optional
        A font file; the one in Pillow if left out.
    """

    def __init__(self, width: int, height: int, size: int, font: str | None = None) -> None:
        self.size = size
        self.font = font
        self._line = max(1, size // 13)
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    @classmethod
    def over(cls, pixels: npt.NDArray[np.uint8], size: int, font: str | None = None) -> Sheet:
        """Make a sheet of pixels (height, width, 3), which are copied."""
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
            x and y of the anchor: the base line at the left, middle or right of the text.
        text : str
            Control characters and line breaks become spaces.
        room : float
            Width in pixels that it may take.
        scale : float
            Height as a multiple of plain text.
        colour : tuple of int
            RGB.
        anchor : {"ls", "ms", "rs"}
            Pillow's names for where ``at`` is.

        Returns
        -------
        float
            Width that it takes.
        """
        font, text, width = fitted(text, round(self.size * scale), self.font, room)
        self._draw.text((round(at[0]), round(at[1])), text, fill=colour, font=font, anchor=anchor)
        return width

    def width_of(self, text: str, scale: float = 1.0) -> float:
        """Width in pixels of one line."""
        return fitted(text, round(self.size * scale), self.font)[2]

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour | None, line: Colour | None = None) -> None:
        """Draw a rectangle, half open."""
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
        """Draw a line through points (n, 2), on a wider one in the colour of its ``halo``."""
        paths = dashes(path, width) if dashed else [path]
        if halo is not None:
            draw_paths(self._image, paths, width + 2 * max(1.0, width / 3), halo)
        draw_paths(self._image, paths, width, colour)

    def dot(
        self, at: tuple[float, float], radius: float, colour: Colour, halo: Colour, *, square: bool, hollow: bool
    ) -> None:
        """Draw a disc, or a square on a corner, with a line around it; hollow ones are rings."""
        line = max(1.0, radius / 4)
        ring = radius / 2 if hollow else 0.0
        disc(self._image, at, radius + line, halo, square=square, hollow=ring and ring + 2 * line)
        disc(self._image, at, radius, colour, square=square, hollow=ring)

    def ramp(self, x0: float, y0: float, x1: float, y1: float, colours: npt.NDArray[np.uint8]) -> None:
        """Draw colours (n, 3) from left to right in a frame."""
        self.box(x0, y0, x1, y1, None, LINE)
        edge = self._line
        width, height = round(x1) - round(x0) - 2 * edge, round(y1) - round(y0) - 2 * edge
        columns = colours[np.rint(np.linspace(0, len(colours) - 1, width)).astype(int)]
        self.paste(round(x0) + edge, round(y0) + edge, np.repeat(columns[None], height, axis=0))

    def paste(self, x: float, y: float, pixels: npt.NDArray[np.uint8]) -> None:
        """Lay pixels (height, width, 3) on the sheet, their upper left corner at a place."""
        self._image.paste(Image.fromarray(pixels), (round(x), round(y)))

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The sheet as uint8 (height, width, 3)."""
        return np.asarray(self._image)


def readable_on(ground: Colour) -> Colour:
    """Return what is read best on a colour: dark or white letters."""
    red, green, blue = ground
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else PAPER


def fitted(text: str, size: int, path: str | None = None, room: float = math.inf) -> tuple[Any, str, float]:
    """Choose a font for one line, shorten the line to the room that it has, and measure it.

    White space becomes single spaces. A character that no font has here is replaced by one character: a letter without
    its accents takes the place of one with them, a question mark that of any other.
    """
    font, text = _fitting(" ".join(text.split()), size, path)
    return font, *_shortened(text, font, room)


def _shortened(text: str, font: Any, room: float) -> tuple[str, float]:
    """As much of a text as there is room for, and its width."""
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
def _fitting(text: str, size: int, path: str | None) -> tuple[Any, str]:
    """A font that has the characters of a text, and the text with those replaced that no font here has."""
    font = _load(path, size)
    if not (path or text.isascii()):
        others = (_load(name, size) for name in _FALLBACKS)
        font = next((other for other in (font, *others) if other is not None and not _lacking(other, text)), font)
    lacking = set() if text.isascii() else _lacking(font, text)
    return font, "".join(_substitute(character) if character in lacking else character for character in text)


def _substitute(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)[0]
    return plain if plain.isascii() else "?"


def _lacking(font: Any, text: str) -> set[str]:
    """Characters for which a font draws its sign for a missing character, as it does for a non-character."""
    missing = bytes(font.getmask("\uffff"))
    return {
        character for character in set(text) if not character.isspace() and bytes(font.getmask(character)) == missing
    }


@lru_cache(maxsize=64)
def _load(path: str | None, size: int) -> Any:
    """A scalable font, or None if a fallback is not installed."""
    if path is None:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(path, size)
    except (OSError, ValueError) as error:
        if path in _FALLBACKS:
            return None
        raise InputError(f"font must be a TrueType or OpenType file, got {path!r}: {error}") from error
