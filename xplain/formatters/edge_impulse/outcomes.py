"""Outcomes of windows as attributes of their best predictions.

``expected`` is the true label and ``correct`` the verdict; ``predicted`` is there only if the decision does not follow
from label, score and threshold. Among detections, ``anomaly`` tells which boxes are anomalies.
"""

from __future__ import annotations

from xplain.explanation import Prediction
from xplain.explanation.notes import NO_PREDICTION_NOTES, PredictionNotes
from xplain.formatters.core.lookup import flag_at, text_at


def outcome_notes(prediction: Prediction) -> PredictionNotes:
    """Return what the attributes of a prediction say of its outcome.

    Examples
    --------
    >>> outcome_notes(Prediction("wave", 0.5, attributes={"expected": "idle", "correct": 0})).expected
    'idle'
    """
    attributes = prediction.attributes
    if not attributes:  # most predictions
        return NO_PREDICTION_NOTES
    return PredictionNotes(
        expected=text_at(attributes, "expected"),
        predicted=text_at(attributes, "predicted"),
        correct=flag_at(attributes, "correct"),
        anomaly=flag_at(attributes, "anomaly") is True,
    )
