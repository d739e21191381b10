"""What a Deepomatic version says about an image: the predictions of each output of its specification."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Prediction, Source
from xplain.formatters.core.places import At, Rejected
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    between,
    exactly_one,
    integer,
    keep,
    nullable,
    number,
    record,
    string,
)

FORMAT = "deepomatic"
ATTRIBUTES = ("output", "region_id", "sequence_index", "sequence_time")
"""Attributes of predictions: the output that a prediction is of, if not the first, and fields of the document."""

_OUTPUTS = 256  # that a specification may have
_LARGEST = 2**32 - 1
_LATEST = 1e12  # second of a video
_ROUNDING = 1e-6  # by which single precision may leave 0..1


def number32(at: At) -> int:
    """Read a number that the vendor's protocol buffers hold."""
    value = integer(0)(at)
    if value > _LARGEST:
        raise at.rejected(f"an integer from 0 to {_LARGEST}")
    return value


# Reading.


def _fraction(at: At) -> float:
    """Read a number 0..1, with the rounding errors of single precision."""
    value = number(at)
    if not -_ROUNDING <= value <= 1 + _ROUNDING:
        raise at.rejected("a number from 0 to 1")
    return min(max(value, 0.0), 1.0)


_BOX = record(
    Box,
    x0=Field(_fraction, "xmin"),
    y0=Field(_fraction, "ymin"),
    x1=Field(_fraction, "xmax"),
    y1=Field(_fraction, "ymax"),
)
_ROI: Reader[tuple[int, Box]] = record(
    lambda region_id, box: (region_id, box), region_id=number32, box=Field(_BOX, "bbox")
)


def _prediction(
    label: str,
    score: float,
    threshold: float,
    id: int,
    roi: tuple[int, Box] | None,
    sequence_index: int | None,
    sequence_time: float | None,
) -> tuple[Prediction, int | None]:
    """Make a prediction, and give the number of its region."""
    said = {"sequence_index": sequence_index, "sequence_time": sequence_time}
    attributes = {name: value for name, value in said.items() if value is not None}
    region_id, box = roi or (None, None)
    return Prediction((label,), score, region=box, threshold=threshold, id=id, attributes=attributes), region_id


_PREDICTIONS: Reader[tuple[tuple[Prediction, int | None], ...]] = array(
    record(
        _prediction,
        label=Field(string, "label_name"),
        score=_fraction,
        threshold=_fraction,
        id=Field(number32, "label_id"),
        roi=nullable(_ROI),
        sequence_index=nullable(number32),
        sequence_time=nullable(between(0, _LATEST)),
    )
)


def _labels(
    predicted: Sequence[tuple[Prediction, int | None]], discarded: Sequence[tuple[Prediction, int | None]]
) -> tuple[Prediction, ...]:
    for name, reaches, found in (("predicted", True, predicted), ("discarded", False, discarded)):
        for i, (prediction, _) in enumerate(found):
            if _is_predicted(prediction) != reaches:
                expected = f"{'at least' if reaches else 'below'} the threshold {prediction.threshold}"
                raise DocumentError(f"must be {expected}, got {prediction.score}", path=f"$.{name}[{i}].score")
    predictions = [prediction for prediction, _ in (*predicted, *discarded)]
    numbers = [number for _, number in (*predicted, *discarded)]
    if numbers == _region_ids(predictions):  # they say nothing that the boxes do not
        return tuple(predictions)
    return tuple(
        prediction if number is None else _with(prediction, region_id=number)
        for prediction, number in zip(predictions, numbers, strict=True)
    )


_TENSOR: Reader[dict[str, Any]] = record(
    dict, name=nullable(string), shape=nullable(array(integer(0))), data=nullable(array(number))
)
_NO_LABELS: dict[str, Reader[Any]] = {
    "text": keep(
        {
            "text": string,
            "mean_score": nullable(number),
            "tokens": nullable(array(string)),
            "scores": nullable(array(number)),
        }
    ),
    "scalar": keep({"integer": nullable(integer())}),
    "tensors": keep({"tensors": nullable(array(_TENSOR))}),
}
_OUTPUT = exactly_one(
    {
        "labels": record(_labels, predicted=nullable(_PREDICTIONS, ()), discarded=nullable(_PREDICTIONS, ())),
        **_NO_LABELS,
    }
)


def _explanation(outputs: Sequence[tuple[str, Any]]) -> Explanation:
    predictions: list[Prediction] = []
    others: list[dict[str, Any] | None] = []
    used = 1
    for index, (kind, value) in enumerate(outputs):
        others.append(None if kind == "labels" else {kind: value})
        if kind == "labels" and value:
            predictions += [_with(prediction, output=index) if index else prediction for prediction in value]
            used = index + 1
    own = {"outputs": others} if others != [None] * used else {}
    # No prediction at all is what a detector says of an empty scene; a classifier always says something.
    boxes = any(prediction.region is not None for prediction in predictions) or not predictions
    task = "object-detection" if boxes else "image-classification"
    return Explanation(task, Source("image"), tuple(predictions), attributes={FORMAT: own} if own else {})


def _outputs(at: At) -> tuple[tuple[str, Any], ...]:
    found = array(_OUTPUT)(at)
    if len(found) > _OUTPUTS:
        raise at.rejected(f"an array of at most {_OUTPUTS}")
    return found


read_data: Reader[Explanation] = record(_explanation, outputs=_outputs)


def _with(prediction: Prediction, **attributes: Any) -> Prediction:
    return replace(prediction, attributes={**prediction.attributes, **attributes})


# Writing.


def encode_data(explanation: Explanation) -> dict[str, Any]:
    """Turn a fitted explanation into the data of a task."""
    outputs: dict[int, list[Prediction]] = {}
    for prediction in explanation.predictions:
        outputs.setdefault(_number(prediction, "output", _OUTPUTS - 1) or 0, []).append(prediction)
    others = _others(said(explanation.attributes))
    labels = _label_ids(explanation.predictions)
    written = []
    for index in range(max(len(others), *(i + 1 for i in outputs), 0)):
        other = others[index] if index < len(others) and index not in outputs else None
        written.append(other or {"labels": _encode_labels(outputs.get(index, []), labels)})
    return {"outputs": written}


def said(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return what a document of this format said beyond what the values of xplain have a place for."""
    own = attributes.get(FORMAT)
    return own if isinstance(own, dict) else {}


def _others(own: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Return outputs that are no labels, each in its place among the others."""
    found = own.get("outputs")
    if not isinstance(found, list) or len(found) > _OUTPUTS:
        return [None]
    return [other if _is_no_labels(other) else None for other in found]


def _is_no_labels(output: Any) -> bool:
    try:
        exactly_one(_NO_LABELS)(At(output))
    except Rejected:
        return False
    return len(output) == 1


def _encode_labels(predictions: list[Prediction], labels: dict[str, int]) -> dict[str, Any]:
    """Sort predictions by whether they reach their thresholds."""
    ordered = sorted(map(_clipped, predictions), key=lambda prediction: not _is_predicted(prediction))
    lists: dict[str, Any] = {"predicted": [], "discarded": []}
    for prediction, region_id in zip(ordered, _region_ids(ordered), strict=True):
        entry: dict[str, Any] = {
            "label_id": labels[prediction.name] if (own := _label_id(prediction)) is None else own,
            "label_name": prediction.name,
            "score": prediction.score,
            "threshold": prediction.threshold,
        }
        entry |= _sequence(prediction)
        if isinstance(prediction.region, Box):
            box = prediction.region
            corners = {"xmin": box.x0, "ymin": box.y0, "xmax": box.x1, "ymax": box.y1}
            entry["roi"] = {"region_id": region_id, "bbox": corners}
        lists["predicted" if _is_predicted(prediction) else "discarded"].append(entry)
    return lists


def _is_predicted(prediction: Prediction) -> bool:
    return prediction.threshold is None or prediction.score >= prediction.threshold


def _clipped(prediction: Prediction) -> Prediction:
    """Bring every number into its range; a prediction without a threshold has the threshold 0."""
    box = prediction.region
    if isinstance(box, Box):
        x0, y0, x1, y1 = (min(max(edge, 0.0), 1.0) for edge in (box.x0, box.y0, box.x1, box.y1))
        box = Box(x0, y0, x1, y1)
    score, threshold = (min(max(value or 0.0, 0.0), 1.0) for value in (prediction.score, prediction.threshold))
    return replace(prediction, score=score, threshold=threshold, region=box)


def _number(prediction: Prediction, attribute: str, most: int = _LARGEST) -> int | None:
    """Return an attribute that is a number from 0."""
    value = prediction.attributes.get(attribute)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def _sequence(prediction: Prediction) -> dict[str, Any]:
    """Return the frame of a video that a prediction is of."""
    index, time = _number(prediction, "sequence_index"), prediction.attributes.get("sequence_time")
    timed = isinstance(time, (int, float)) and not isinstance(time, bool) and 0 <= time <= _LATEST
    return ({} if index is None else {"sequence_index": index}) | ({"sequence_time": time} if timed else {})


def _region_ids(predictions: Sequence[Prediction]) -> list[int | None]:
    """Number regions from 1, one box alike, but for predictions that say the number of theirs."""
    known = [_number(prediction, "region_id") for prediction in predictions]
    free = _free(1, known)
    numbers: dict[Any, int] = {}
    for prediction, own in zip(predictions, known, strict=True):
        if own is None and prediction.region is not None and prediction.region not in numbers:
            numbers[prediction.region] = next(free)
    return [
        None if prediction.region is None else numbers[prediction.region] if own is None else own
        for prediction, own in zip(predictions, known, strict=True)
    ]


def _label_ids(predictions: Sequence[Prediction]) -> dict[str, int]:
    """Number labels from 0, but for those of which a prediction says the number."""
    free = _free(0, [prediction.id for prediction in predictions])
    numbers: dict[str, int] = {}
    for prediction in predictions:
        if (own := _label_id(prediction)) is not None:
            numbers.setdefault(prediction.name, own)
    for prediction in predictions:
        if prediction.name not in numbers:
            numbers[prediction.name] = next(free)
    return numbers


def _label_id(prediction: Prediction) -> int | None:
    return prediction.id if isinstance(prediction.id, int) and 0 <= prediction.id <= _LARGEST else None


def _free(first: int, taken: Iterable[Any]) -> Iterator[int]:
    """Count up, but for what is taken."""
    used = set(taken)
    return (number for number in itertools.count(first) if number not in used)
