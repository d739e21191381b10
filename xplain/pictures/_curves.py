"""Scores of labels along time, as lines in the colours of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from xplain.explanation import Prediction, Window
from xplain.pictures._timeline import OTHERS
from xplain.pictures._type import LINE, QUIET, Colour, Sheet

__all__ = ["curves"]

UInt8 = npt.NDArray[np.uint8]

_HEIGHT, _ROOM = 96, 4  # pixels of the plot, and of it above 1 and below 0
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
        Of labels, from `xplain.pictures._timeline.palette`; others are grey.
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
    per_unit = _HEIGHT - 2 * _ROOM
    numbers = [("1", _ROOM), ("0", _HEIGHT - _ROOM)]
    common = {limit for name in drawn for limit in limits.get(name, ())}
    if len(common) == 1:
        limit = common.pop()
        row = round(_ROOM + (1 - limit) * per_unit)
        sheet.stroke(np.array([(0.0, row), (width, row)]), 1.0, QUIET, dashed=True)
        numbers.append((f"{limit:.3g}", row))
    for name in reversed(drawn):
        points = np.array(sorted(lines[name]))
        path = np.stack([points[:, 0] * width, _ROOM + (1 - points[:, 1]) * per_unit], axis=1)
        sheet.stroke(path, _LINE, colours.get(name, OTHERS))
    return sheet.pixels(), numbers
