"""The scores of the classes as bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xplain.errors import InputError
from xplain.explanation import Explanation
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.canvas.typography import INK, QUIET, Sheet

_WIDTH, _SIZE = 640, 15
_ROW, _THICKNESS = 1.9, 1.1  # in heights of text
_MOST = 10
_EXPLAINED, _OTHER = (178, 24, 44), (146, 154, 164)
_AXIS = (206, 210, 216)


def draw_bars(explanations: Sequence[Explanation], font: str | None = None) -> Picture:
    """Draw the predictions of each explanation as bars, one chart below the other.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of any task. The ten best predictions of each are drawn, those that are explained in red.
    font : str, optional
        A TrueType or OpenType file.

    Returns
    -------
    Picture
        640 pixels wide.

    Raises
    ------
    InputError
        If no explanation has a prediction.
    """
    if not any(explanation.predictions for explanation in explanations):
        raise InputError("subject must hold a prediction to be drawn as bars, got none")
    charts = [_chart(explanation, font) for explanation in explanations]
    return Picture(np.concatenate(charts), " ".join(_describe(explanation) for explanation in explanations))


def _chart(explanation: Explanation, font: str | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    predictions = explanation.predictions[:_MOST]
    explained = {attribution.target for attribution in explanation.attributions}
    more = len(explanation.predictions) - len(predictions)
    height = round((2.6 + _ROW * max(1, len(predictions)) + 1.4 * bool(more) + 0.8) * _SIZE)
    sheet = Sheet(_WIDTH, height, _SIZE, font)
    sheet.text((_SIZE, 1.8 * _SIZE), _heading(explanation), room=_WIDTH - 2 * _SIZE, scale=1.25)
    if not predictions:
        sheet.text((_SIZE, 3.4 * _SIZE), "nothing is predicted", room=_WIDTH - 2 * _SIZE, colour=QUIET)
        return sheet.pixels()
    labels = min(max(sheet.width_of(p.name) for p in predictions), 0.42 * _WIDTH)
    numbers = max(sheet.width_of(number(p.score)) for p in predictions)
    left, right = labels + 2 * _SIZE, _WIDTH - numbers - 2 * _SIZE
    low = min(0.0, *(p.score for p in predictions))
    high = max(0.0, *(p.score for p in predictions))
    zero = left + fraction(0.0, low, high) * (right - left)
    top = 2.6 * _SIZE
    sheet.box(zero, top, zero + 1, top + _ROW * len(predictions) * _SIZE, _AXIS)
    for prediction in predictions:
        chosen = prediction in explained
        base = top + 1.25 * _SIZE
        sheet.text(
            (left - 0.7 * _SIZE, base), prediction.name, room=labels, colour=INK if chosen else QUIET, anchor="rs"
        )
        edge = left + fraction(prediction.score, low, high) * (right - left)
        bar = (top + 0.35 * _SIZE, top + (0.35 + _THICKNESS) * _SIZE)
        sheet.box(min(zero, edge), bar[0], max(zero, edge), bar[1], _EXPLAINED if chosen else _OTHER)
        sheet.text((max(zero, edge) + 0.5 * _SIZE, base), number(prediction.score), room=numbers + 1)
        top += _ROW * _SIZE
    if more:
        sheet.text((left, top + 1.1 * _SIZE), f"and {more} more", room=right - left, colour=QUIET)
    return sheet.pixels()


def _heading(explanation: Explanation) -> str:
    name = explanation.source.name
    return f"Scores of {name}" if name else "Scores"


def _describe(explanation: Explanation) -> str:
    scores = "; ".join(f"{p.name} {number(p.score)}" for p in explanation.predictions[:_MOST])
    return f"{_heading(explanation)}: {scores or 'nothing is predicted'}."
