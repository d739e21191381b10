"""Notes of Deepomatic's documents: which predictions are alternatives for one region."""

from __future__ import annotations

from xplain.explanation import Explanation, Prediction, Record, Results
from xplain.explanation.notes import NO_PREDICTION_NOTES, Notes, PredictionNotes, note_each
from xplain.formatters.core.lookup import integer_at


def notes(value: Explanation | Results | Record) -> Notes:
    """Return which predictions of an image are of one region; nothing of a job or a record."""
    if not isinstance(value, Explanation):
        return Notes()
    return Notes(note_each(value.predictions, _of_prediction, frozenset(("region_id",))))


def _of_prediction(prediction: Prediction) -> PredictionNotes:
    """The output and the region that a prediction belongs to; predictions of the first output do not name it."""
    region = integer_at(prediction.attributes, "region_id")
    output = integer_at(prediction.attributes, "output") if "output" in prediction.attributes else 0
    if output is None or region is None:
        return NO_PREDICTION_NOTES
    return PredictionNotes(alternatives=(output, region))
