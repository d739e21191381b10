"""Bar chart of class scores: the picture of an explanation in which there is nothing else to draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.canvas.typography import INK, QUIET, Sheet

_WIDTH, _SIZE = 640, 15  # of the picture, and height of text, in pixels
_MOST_BARS = 10
# In heights of text.
_ROW, _THICKNESS = 1.9, 1.1
_HEADING = 2.6
_MORE = 1.4  # the line that counts the bars left out
_BOTTOM = 0.8
_WIDEST_LABEL = 0.42  # as a share of the width
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


def _chart(explanation: Explanation, font: str | None) -> npt.NDArray[np.uint8]:
    predictions = explanation.predictions[:_MOST_BARS]
    explained = {attribution.target for attribution in explanation.attributions}
    more = len(explanation.predictions) - len(predictions)
    height = round((_HEADING + _ROW * max(1, len(predictions)) + _MORE * bool(more) + _BOTTOM) * _SIZE)
    sheet = Sheet(_WIDTH, height, _SIZE, font)
    sheet.text((_SIZE, 1.8 * _SIZE), _heading(explanation), room=_WIDTH - 2 * _SIZE, scale=1.25)
    if predictions:
        _draw_rows(sheet, predictions, explained, more)
    else:
        sheet.text((_SIZE, 3.4 * _SIZE), "nothing is predicted", room=_WIDTH - 2 * _SIZE, colour=QUIET)
    return sheet.pixels()


def _draw_rows(sheet: Sheet, predictions: Sequence[Prediction], explained: set[Prediction], more: int) -> None:
    """Draw an axis at zero and a bar for each prediction, with its label on the left and its score at the end."""
    label_width = min(max(sheet.width_of(p.name) for p in predictions), _WIDEST_LABEL * _WIDTH)
    score_width = max(sheet.width_of(number(p.score)) for p in predictions)
    left, right = label_width + 2 * _SIZE, _WIDTH - score_width - 2 * _SIZE
    low = min(0.0, *(p.score for p in predictions))
    high = max(0.0, *(p.score for p in predictions))
    zero = left + fraction(0.0, low, high) * (right - left)
    top = _HEADING * _SIZE
    sheet.box(zero, top, zero + 1, top + _ROW * len(predictions) * _SIZE, _AXIS)
    for prediction in predictions:
        ink, fill = (INK, _EXPLAINED) if prediction in explained else (QUIET, _OTHER)
        base = top + 1.25 * _SIZE
        sheet.text((left - 0.7 * _SIZE, base), prediction.name, room=label_width, colour=ink, anchor="rs")
        end = left + fraction(prediction.score, low, high) * (right - left)
        bar_top, bar_bottom = top + 0.35 * _SIZE, top + (0.35 + _THICKNESS) * _SIZE
        sheet.box(min(zero, end), bar_top, max(zero, end), bar_bottom, fill)
        sheet.text((max(zero, end) + 0.5 * _SIZE, base), number(prediction.score), room=score_width + 1)
        top += _ROW * _SIZE
    if more:
        sheet.text((left, top + 1.1 * _SIZE), f"and {more} more", room=right - left, colour=QUIET)


def _heading(explanation: Explanation) -> str:
    name = explanation.source.name
    return f"Scores of {name}" if name else "Scores"


def _describe(explanation: Explanation) -> str:
    scores = "; ".join(f"{p.name} {number(p.score)}" for p in explanation.predictions[:_MOST_BARS])
    return f"{_heading(explanation)}: {scores or 'nothing is predicted'}."
