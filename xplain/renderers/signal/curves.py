"""A signal as a line on the colours of its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from xplain.explanation import Prediction, Window
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.paint import Colouring, paint_values
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, Sheet
from xplain.renderers.signal.timeline import OTHERS

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

_FINER = 4  # a line is drawn that many times as large, then made smaller: that smooths it
_THICKNESS = 1.3  # of a line, in pixels
_ZERO = 0.86  # what is left of the ground's light on the line that stands for zero
_ROOM = 0.06  # above and below the line, as a part of its range


def columns(values: Float32, width: int) -> Float32:
    """Average values (axes, time) over the readings of each of at most ``width`` columns."""
    time = values.shape[1]
    if time <= width:
        return values
    edges = np.arange(width) * time // width
    counts = np.diff(np.append(edges, time))
    means = np.add.reduceat(values, edges, axis=1, dtype=np.float64) / counts
    return means.astype(np.float32)


def reach(readings: Float32) -> tuple[float, float]:
    """Return the least and the greatest reading (time,); a line that is flat has room around it."""
    low, high = float(readings.min()), float(readings.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def plot(
    readings: Float32 | None, evidence: Float32 | None, colouring: Colouring | None, width: int, height: int
) -> UInt8:
    """Draw one axis.

    Parameters
    ----------
    readings : float32 array (time,) or None
        The line; None draws the colours alone.
    evidence : float32 array (columns,) or None
        From `columns`: what the ground is coloured by.
    colouring : Colouring or None
        None leaves the ground white.
    width, height : int
        In pixels.

    Returns
    -------
    uint8 array (height, width, 3)
    """
    pixels = np.full((1, width, 3), PAPER, np.uint8)
    if evidence is not None and colouring is not None:
        ground = pixels.copy()
        spread = evidence[np.arange(width) * len(evidence) // width]
        paint_values(ground, np.ascontiguousarray(spread[np.newaxis]), colouring, pixels)
    pixels = np.repeat(pixels, height, axis=0)
    if readings is None:
        return pixels
    low, high = reach(readings)
    room = _ROOM * (high - low)
    per_pixel = height / (high - low + 2 * room)
    if low < 0 < high:
        row = min(int((high + room) * per_pixel), height - 1)
        pixels[row] = np.rint(_ZERO * pixels[row])
    points = _points(readings, width)
    points[:, 1] = (high + room - points[:, 1]) * per_pixel
    opacity = _line(points, width, height)[:, :, np.newaxis]
    blended = pixels * (1 - opacity) + np.array(INK) * opacity
    return np.rint(blended).astype(np.uint8)


def _points(readings: Float32, width: int) -> npt.NDArray[np.float64]:
    """The corners (n, 2) of the line, x in pixels and y in units; of many readings the ends of each half pixel."""
    time, bins = len(readings), 2 * width
    if time <= 2 * bins:
        x = (np.arange(time) + 0.5) * width / time
        return np.stack([x, readings.astype(np.float64)], axis=1)
    edges = np.arange(bins) * time // bins
    ends = np.stack([np.minimum.reduceat(readings, edges), np.maximum.reduceat(readings, edges)], axis=1)
    ends[1::2] = ends[1::2, ::-1]  # down and up in turn, or every step would cross the range
    x = np.repeat((np.arange(bins) + 0.5) * width / bins, 2)
    return np.stack([x, ends.reshape(-1).astype(np.float64)], axis=1)


def _line(points: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.float64]:
    """Opacity (height, width) of a line through points in pixels."""
    paper = Image.new("L", (_FINER * width, _FINER * height))
    corners = [tuple(point) for point in (_FINER * points).tolist()]
    draw = ImageDraw.Draw(paper)
    if len(corners) == 1:
        corners = [(0.0, corners[0][1]), (_FINER * width, corners[0][1])]
    round_corners = "curve" if len(corners) < width else None  # they take long, and do not show on dense lines
    draw.line(corners, fill=255, width=round(_FINER * _THICKNESS), joint=round_corners)
    return np.asarray(paper.reduce(_FINER), dtype=np.float64) / 255


_HEIGHT, _MARGIN = 96, 4  # pixels of the plot, and of it above 1 and below 0
_LINE = 2.0
_MOST = 12  # lines


def curves(
    predictions: Sequence[Prediction],
    colours: Mapping[str, Colour],
    begin: float,
    length: float,
    width: int,
    font: str | None = None,
) -> tuple[UInt8, list[tuple[str, int]]] | None:
    """Draw the probabilities of labels over the middles of their windows.

    Parameters
    ----------
    predictions : sequence of Prediction
        Several for each `Window`. Scores beyond 0..1, such as those of anomalies, are no probabilities and not drawn.
    colours : mapping of str to RGB
        Of labels, from `xplain.renderers.signal.timeline.palette`; others are grey.
    begin, length : float
        The time that is drawn, in milliseconds.
    width : int
        In pixels.
    font : str, optional
        A font file.

    Returns
    -------
    (uint8 array (height, width, 3), list of (str, int)) or None
        The plot, and numbers with the rows in which they stand; None if no label has two windows.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    beyond: set[str] = set()
    limits: dict[str, set[float]] = {}
    for prediction in predictions:
        if not isinstance(prediction.region, Window):
            continue
        if not 0 <= prediction.score <= 1:
            beyond.add(prediction.name)
        middle = (prediction.region.start_ms + prediction.region.end_ms) / 2
        lines.setdefault(prediction.name, []).append(((middle - begin) / length, prediction.score))
        if prediction.threshold is not None and 0 < prediction.threshold < 1:
            limits.setdefault(prediction.name, set()).add(prediction.threshold)
    drawn = [name for name, points in lines.items() if len(points) > 1 and name not in beyond]
    drawn = sorted(drawn, key=lambda name: colours.get(name, OTHERS) == OTHERS)[:_MOST]
    if not drawn:
        return None
    sheet = Sheet(width, _HEIGHT, 12, font)
    sheet.box(0, 0, width, _HEIGHT, None, LINE)
    per_unit = _HEIGHT - 2 * _MARGIN
    numbers = [("1", _MARGIN), ("0", _HEIGHT - _MARGIN)]
    common = {limit for name in drawn for limit in limits.get(name, ())}
    if len(common) == 1:
        limit = common.pop()
        row = round(_MARGIN + (1 - limit) * per_unit)
        sheet.stroke(np.array([(0.0, row), (width, row)]), 1.0, QUIET, dashed=True)
        numbers.append((f"{limit:.3g}", row))
    for name in reversed(drawn):
        points = np.array(sorted(lines[name]))
        path = np.stack([points[:, 0] * width, _MARGIN + (1 - points[:, 1]) * per_unit], axis=1)
        sheet.stroke(path, _LINE, colours.get(name, OTHERS))
    return sheet.pixels(), numbers
