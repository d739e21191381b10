"""Lines and dots over pixels: crisp along the axes, smooth elsewhere, whole or dashed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

__all__ = ["dashes", "disc", "draw_paths"]

Path = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

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
