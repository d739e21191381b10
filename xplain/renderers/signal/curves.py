"""Lines along time: the readings of an axis on the colours of their evidence, and probabilities of labels.

Both are plots in pixels, without names and numbers, which `xplain.renderers.signal.page` writes beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from xplain.explanation import Prediction, Window
from xplain.renderers.canvas.colours import OTHERS, Colour
from xplain.renderers.canvas.paint import Colouring, paint_values
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, Sheet

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

_FINER = 4  # a line is drawn that many times as large, then made smaller: that smooths it
_THICKNESS = 1.3  # of the line of an axis, in pixels
_ZERO_LIGHT = 0.86  # what is left of the ground's light on the line that stands for zero
_ROOM = 0.06  # above and below the line of an axis, as a part of its range
_CONFIDENCE_HEIGHT, _CONFIDENCE_MARGIN = 96, 4  # pixels of the plot, and of it above 1 and below 0
_CONFIDENCE_THICKNESS = 2.0
_MAX_LABELS = 12


def average_columns(values: Float32, width: int) -> Float32:
    """Average values (axes, time) over the readings of each of at most ``width`` columns."""
    time = values.shape[1]
    if time <= width:
        return values
    edges = np.arange(width) * time // width
    counts = np.diff(np.append(edges, time))
    means = np.add.reduceat(values, edges, axis=1, dtype=np.float64) / counts
    return means.astype(np.float32)


def value_range(readings: Float32) -> tuple[float, float]:
    """Return the least and the greatest reading (time,), or half a unit around readings that are all equal."""
    low, high = float(readings.min()), float(readings.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def draw_axis(
    readings: Float32 | None, evidence: Float32 | None, colouring: Colouring | None, width: int, height: int
) -> UInt8:
    """Draw one axis.

    Parameters
    ----------
    readings : float32 array (time,) or None
        The line; None draws the colours alone.
    evidence : float32 array (columns,) or None
        From `average_columns`: what the ground is coloured by.
    colouring : Colouring or None
        None leaves the ground white.
    width, height : int
        In pixels.

    Returns
    -------
    uint8 array (height, width, 3)
    """
    pixels = _ground(evidence, colouring, width, height)
    if readings is None:
        return pixels
    low, high = value_range(readings)
    room = _ROOM * (high - low)
    per_pixel = height / (high - low + 2 * room)
    if low < 0 < high:
        row = min(int((high + room) * per_pixel), height - 1)
        pixels[row] = np.rint(_ZERO_LIGHT * pixels[row])
    points = _corners(readings, width)
    points[:, 1] = (high + room - points[:, 1]) * per_pixel
    opacity = _line_opacity(points, width, height)[:, :, np.newaxis]
    blended = pixels * (1 - opacity) + np.array(INK) * opacity
    return np.rint(blended).astype(np.uint8)


def _ground(evidence: Float32 | None, colouring: Colouring | None, width: int, height: int) -> UInt8:
    row = np.full((1, width, 3), PAPER, np.uint8)
    if evidence is not None and colouring is not None:
        paper = row.copy()
        per_pixel = evidence[np.arange(width) * len(evidence) // width]
        paint_values(paper, np.ascontiguousarray(per_pixel[np.newaxis]), colouring, row)
    return np.repeat(row, height, axis=0)


def _corners(readings: Float32, width: int) -> npt.NDArray[np.float64]:
    """The corners (n, 2) of the line, x in pixels, y a reading; of many readings the extremes in each half pixel."""
    time, bins = len(readings), 2 * width
    if time <= 2 * bins:
        x = (np.arange(time) + 0.5) * width / time
        return np.stack([x, readings.astype(np.float64)], axis=1)
    edges = np.arange(bins) * time // bins
    extremes = np.stack([np.minimum.reduceat(readings, edges), np.maximum.reduceat(readings, edges)], axis=1)
    extremes[1::2] = extremes[1::2, ::-1]  # down and up in turn, or every step would cross the range
    x = np.repeat((np.arange(bins) + 0.5) * width / bins, 2)
    return np.stack([x, extremes.reshape(-1).astype(np.float64)], axis=1)


def _line_opacity(points: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.float64]:
    """Opacity (height, width), 0..1, of a line through points in pixels."""
    image = Image.new("L", (_FINER * width, _FINER * height))
    corners = [tuple(point) for point in (_FINER * points).tolist()]
    draw = ImageDraw.Draw(image)
    if len(corners) == 1:
        corners = [(0.0, corners[0][1]), (_FINER * width, corners[0][1])]
    joint = "curve" if len(corners) < width else None  # round corners take long, and do not show on dense lines
    draw.line(corners, fill=255, width=round(_FINER * _THICKNESS), joint=joint)
    return np.asarray(image.reduce(_FINER), dtype=np.float64) / 255


def draw_confidences(
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
        The plot, and the numbers of its scale with their rows; None if no label has two windows.
    """
    by_label = _by_label(predictions)
    labels = [label for label, several in by_label.items() if len(several) > 1 and _are_probabilities(several)]
    # Labels with a colour of their own come first: only so many lines can be told apart.
    labels = sorted(labels, key=lambda label: colours.get(label, OTHERS) == OTHERS)[:_MAX_LABELS]
    if not labels:
        return None
    sheet = Sheet(width, _CONFIDENCE_HEIGHT, 12, font)
    sheet.box(0, 0, width, _CONFIDENCE_HEIGHT, None, LINE)
    per_unit = _CONFIDENCE_HEIGHT - 2 * _CONFIDENCE_MARGIN
    numbers = [("1", _CONFIDENCE_MARGIN), ("0", _CONFIDENCE_HEIGHT - _CONFIDENCE_MARGIN)]
    thresholds = {prediction.threshold for label in labels for prediction in by_label[label]}
    visible = {threshold for threshold in thresholds if threshold is not None and 0 < threshold < 1}
    if len(visible) == 1:
        threshold = visible.pop()
        row = round(_CONFIDENCE_MARGIN + (1 - threshold) * per_unit)
        sheet.stroke(np.array([(0.0, row), (width, row)]), 1.0, QUIET, dashed=True)
        numbers.append((f"{threshold:.3g}", row))
    for label in reversed(labels):  # the first label lies on top
        points = np.array(sorted((_middle(p, begin, length), p.score) for p in by_label[label]))
        path = np.stack([points[:, 0] * width, _CONFIDENCE_MARGIN + (1 - points[:, 1]) * per_unit], axis=1)
        sheet.stroke(path, _CONFIDENCE_THICKNESS, colours.get(label, OTHERS))
    return sheet.pixels(), numbers


def _by_label(predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    """The predictions of windows by their labels."""
    by_label: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        if isinstance(prediction.region, Window):
            by_label.setdefault(prediction.name, []).append(prediction)
    return by_label


def _are_probabilities(predictions: Sequence[Prediction]) -> bool:
    return all(0 <= prediction.score <= 1 for prediction in predictions)


def _middle(prediction: Prediction, begin: float, length: float) -> float:
    """Where the middle of a prediction's window is in the time that is drawn, 0..1."""
    assert isinstance(prediction.region, Window)
    return ((prediction.region.start_ms + prediction.region.end_ms) / 2 - begin) / length
