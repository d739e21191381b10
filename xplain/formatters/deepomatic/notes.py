"""Notes of Deepomatic's documents: which predictions are alternatives for one region."""

from __future__ import annotations

from xplain.explanation import Explanation, Prediction, Record, Results
from xplain.explanation.notes import Notes, PredictionNotes
from xplain.formatters.core.lookup import integer_at


def notes(value: Explanation | Results | Record) -> Notes:
    """Return which predictions of an image are of one region; nothing of a job or a record."""
    if not isinstance(value, Explanation):
        return Notes()
    keys = {prediction: _alternatives(prediction) for prediction in value.predictions if prediction.attributes}
    return Notes({prediction: PredictionNotes(alternatives=key) for prediction, key in keys.items() if key is not None})


def _alternatives(prediction: Prediction) -> tuple[int, int] | None:
    """The output and the region that a prediction belongs to; predictions of the first output do not name it."""
    output = integer_at(prediction.attributes, "output") if "output" in prediction.attributes else 0
    region = integer_at(prediction.attributes, "region_id")
    return None if output is None or region is None else (output, region)
