"""Inferences of Deepomatic: the predictions of a version for an image, output by output.

`read_data` reads an inference as an explanation, `encode_data` writes it. Numbers that follow from the predictions
themselves (of regions, of the first output) are not kept when reading and are counted again when writing; only numbers
that say more are attributes of a prediction. Unknown fields are kept: those of the document under ``extra``, those of
an output and of its ``labels`` under ``more``, by its index, those of a prediction and its roi in its own ``extra``.

A label is present if its score is at least its threshold. The vendor's API reference says "greater", and the tests of
its Python client say "at least", which counts here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Prediction, Source
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.lookup import fields_at, value_at
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
ATTRIBUTES = ("output", "region_id", "sequence_index", "sequence_time", "extra")
"""Attributes of predictions: the index of its output unless that is 0, fields of the document, and its unknown ones."""

MAX_OUTPUTS = 256  # of a specification
MAX_UINT32 = 2**32 - 1  # numbers are uint32 in the vendor's protocol buffers
MAX_SECONDS = 1e12  # position in a video: a bound that only nonsense exceeds
_FIELDS = {"label_id", "label_name", "score", "threshold", "roi", "sequence_index", "sequence_time"}  # of a prediction
ROUNDING = 1e-6  # scores and corners are single precision, and may leave 0..1 by its rounding error


def uint32(at: At) -> int:
    """Read a number of the vendor's protocol buffers."""
    value = integer(0)(at)
    if value > MAX_UINT32:
        raise at.rejected(f"an integer from 0 to {MAX_UINT32}")
    return value


# Reading.


def _fraction(at: At) -> float:
    """Read a number 0..1, with the rounding errors of single precision cut off."""
    value = number(at)
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise at.rejected("a number from 0 to 1")
    return min(max(value, 0.0), 1.0)


_BOX: Reader[tuple[Box, dict[str, Any]]] = record(
    lambda rest, **edges: (Box(**edges), rest),
    rest={},
    x0=Field(_fraction, "xmin"),
    y0=Field(_fraction, "ymin"),
    x1=Field(_fraction, "xmax"),
    y1=Field(_fraction, "ymax"),
)


def _roi(region_id: int, box: tuple[Box, dict[str, Any]], rest: dict[str, Any]) -> tuple[int, Box, dict[str, Any]]:
    """Return the number of a region, its box, and the unknown fields of the region and of its box."""
    return region_id, box[0], {**rest, **({"bbox": box[1]} if box[1] else {})}


_ROI: Reader[tuple[int, Box, dict[str, Any]]] = record(_roi, rest={}, region_id=uint32, box=Field(_BOX, "bbox"))


def _prediction(
    label: str,
    score: float,
    threshold: float,
    id: int,
    roi: tuple[int, Box, dict[str, Any]] | None,
    sequence_index: int | None,
    sequence_time: float | None,
    rest: dict[str, Any],
) -> tuple[Prediction, int | None]:
    """Return a prediction and the number of its region."""
    frame = {"sequence_index": sequence_index, "sequence_time": sequence_time}
    attributes: dict[str, Any] = {name: value for name, value in frame.items() if value is not None}
    region_id, box, of_roi = roi or (None, None, None)
    unknown = {**rest, **({"roi": of_roi} if of_roi else {})}
    attributes |= {"extra": unknown} if unknown else {}
    return Prediction((label,), score, region=box, threshold=threshold, id=id, attributes=attributes), region_id


_PREDICTIONS: Reader[tuple[tuple[Prediction, int | None], ...]] = array(
    record(
        _prediction,
        rest={},
        label=Field(string, "label_name"),
        score=_fraction,
        threshold=_fraction,
        id=Field(uint32, "label_id"),
        roi=nullable(_ROI),
        sequence_index=nullable(uint32),
        sequence_time=nullable(between(0, MAX_SECONDS)),
    )
)


def _labels(
    predicted: Sequence[tuple[Prediction, int | None]],
    discarded: Sequence[tuple[Prediction, int | None]],
    rest: dict[str, Any],
) -> tuple[tuple[Prediction, ...], dict[str, Any]]:
    """Return the predictions of one output, after a check that each is in the right list, and its unknown fields."""
    for name, expects_predicted, pairs in (("predicted", True, predicted), ("discarded", False, discarded)):
        for i, (prediction, _) in enumerate(pairs):
            if _is_predicted(prediction) != expects_predicted:
                expected = f"{'at least' if expects_predicted else 'below'} the threshold {prediction.threshold}"
                raise DocumentError(f"must be {expected}, got {prediction.score}", path=f"$.{name}[{i}].score")
    predictions = [prediction for prediction, _ in (*predicted, *discarded)]
    region_ids = [region_id for _, region_id in (*predicted, *discarded)]
    if region_ids != _region_ids(predictions):  # else they follow from the boxes
        predictions = [
            prediction if region_id is None else _with_attributes(prediction, region_id=region_id)
            for prediction, region_id in zip(predictions, region_ids, strict=True)
        ]
    return tuple(predictions), rest


_TENSOR: Reader[dict[str, Any]] = record(
    dict, name=nullable(string), shape=nullable(array(integer(0))), data=nullable(array(number))
)
#: Kinds of output without predictions, which are kept as JSON.
_OTHER_OUTPUTS: dict[str, Reader[Any]] = {
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
        "labels": record(_labels, rest={}, predicted=nullable(_PREDICTIONS, ()), discarded=nullable(_PREDICTIONS, ())),
        **_OTHER_OUTPUTS,
    }
)


def _outputs(at: At) -> tuple[tuple[str, Any, dict[str, Any]], ...]:
    """Read each output as its kind, its value and its unknown fields."""
    outputs = array(_OUTPUT)(at)
    if len(outputs) > MAX_OUTPUTS:
        raise at.rejected(f"an array of at most {MAX_OUTPUTS}")
    unknown = array(keep({}, but=("labels", *_OTHER_OUTPUTS)))(at)
    return tuple((kind, value, rest) for (kind, value), rest in zip(outputs, unknown, strict=True))


def _explanation(outputs: Sequence[tuple[str, Any, dict[str, Any]]], rest: dict[str, Any]) -> Explanation:
    predictions: list[Prediction] = []
    others: list[dict[str, Any] | None] = []
    more: dict[str, Any] = {}
    implied = 1  # how many outputs would be written for the predictions alone
    for index, (kind, value, of_output) in enumerate(outputs):
        others.append(None if kind == "labels" else {kind: value})
        found, of_labels = value if kind == "labels" else ((), {})
        if found:
            predictions += [_with_attributes(prediction, output=index) if index else prediction for prediction in found]
            implied = index + 1
        unknown = {key: fields for key, fields in (("output", of_output), ("labels", of_labels)) if fields}
        more |= {str(index): unknown} if unknown else {}
    extras: dict[str, Any] = {"outputs": others} if others != [None] * implied else {}
    extras |= {key: fields for key, fields in (("more", more), ("extra", rest)) if fields}
    # A document without predictions is a detector's, of an empty scene: a classifier has a score for every label.
    has_boxes = any(prediction.region is not None for prediction in predictions) or not predictions
    task = "object-detection" if has_boxes else "image-classification"
    return Explanation(task, Source("image"), tuple(predictions), attributes=attributes_of(extras, FORMAT))


read_data: Reader[Explanation] = record(_explanation, rest={}, outputs=_outputs)
"""Read an inference, which is also the data of a task."""


def _with_attributes(prediction: Prediction, **attributes: Any) -> Prediction:
    return replace(prediction, attributes={**prediction.attributes, **attributes})


# Writing.


def encode_data(explanation: Explanation) -> dict[str, Any]:
    """Write a fitted explanation as an inference."""
    by_output: dict[int, list[Prediction]] = {}
    for prediction in explanation.predictions:
        index = _number_attribute(prediction, "output", MAX_OUTPUTS - 1) or 0
        by_output.setdefault(index, []).append(prediction)
    extras = extras_of(explanation.attributes, FORMAT)
    others = _other_outputs(extras)
    label_ids = _label_ids(explanation.predictions)
    outputs = []
    for index in range(max(len(others), *(i + 1 for i in by_output), 0)):
        other = others[index] if index < len(others) and index not in by_output else None
        written = other or {"labels": _encode_labels(by_output.get(index, []), label_ids)}
        outputs.append(_with_unknown(written, value_at(extras, "more", str(index))))
    return {**fields_at(extras, "extra"), "outputs": outputs}


def _with_unknown(output: dict[str, Any], unknown: Any) -> dict[str, Any]:
    """Add the unknown fields of an output and of its labels."""
    kinds = ("labels", *_OTHER_OUTPUTS)
    more = {key: value for key, value in fields_at(unknown, "output").items() if key not in kinds}
    if "labels" in output:
        output = {"labels": {**fields_at(unknown, "labels"), **output["labels"]}}
    return {**more, **output}


def _other_outputs(extras: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Return the outputs without predictions by index; None stands for one with predictions."""
    outputs = extras.get("outputs")
    if not isinstance(outputs, list) or len(outputs) > MAX_OUTPUTS:
        return [None]
    return [output if _is_other_output(output) else None for output in outputs]


def _is_other_output(output: Any) -> bool:
    try:
        exactly_one(_OTHER_OUTPUTS)(At(output))
    except Rejected:
        return False
    return len(output) == 1


def _encode_labels(predictions: list[Prediction], label_ids: dict[str, int]) -> dict[str, Any]:
    """Write the predictions of one output, sorted by whether they reach their thresholds."""
    ordered = sorted(map(_clip, predictions), key=lambda prediction: not _is_predicted(prediction))
    lists: dict[str, Any] = {"predicted": [], "discarded": []}
    for prediction, region_id in zip(ordered, _region_ids(ordered), strict=True):
        label_id = _label_id(prediction)
        entry: dict[str, Any] = {
            "label_id": label_ids[prediction.name] if label_id is None else label_id,
            "label_name": prediction.name,
            "score": prediction.score,
            "threshold": prediction.threshold,
        }
        entry |= _frame(prediction)
        unknown = fields_at(prediction.attributes, "extra")
        entry = {**{key: value for key, value in unknown.items() if key not in _FIELDS}, **entry}
        if isinstance(prediction.region, Box):
            box = prediction.region
            corners = {"xmin": box.x0, "ymin": box.y0, "xmax": box.x1, "ymax": box.y1}
            of_roi = fields_at(unknown, "roi")
            entry["roi"] = {**of_roi, "region_id": region_id, "bbox": {**fields_at(of_roi, "bbox"), **corners}}
        lists["predicted" if _is_predicted(prediction) else "discarded"].append(entry)
    return lists


def _is_predicted(prediction: Prediction) -> bool:
    return prediction.threshold is None or prediction.score >= prediction.threshold


def _clip(prediction: Prediction) -> Prediction:
    """Clip every number to 0..1; an unknown threshold becomes 0."""
    box = prediction.region
    if isinstance(box, Box):
        x0, y0, x1, y1 = (min(max(edge, 0.0), 1.0) for edge in (box.x0, box.y0, box.x1, box.y1))
        box = Box(x0, y0, x1, y1)
    score, threshold = (min(max(value or 0.0, 0.0), 1.0) for value in (prediction.score, prediction.threshold))
    return replace(prediction, score=score, threshold=threshold, region=box)


def _number_attribute(prediction: Prediction, name: str, most: int = MAX_UINT32) -> int | None:
    """Return an attribute if it is a number that a document can hold."""
    value = prediction.attributes.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def _frame(prediction: Prediction) -> dict[str, Any]:
    """Write which frame of a video a prediction is of."""
    index, time = _number_attribute(prediction, "sequence_index"), prediction.attributes.get("sequence_time")
    is_time = isinstance(time, (int, float)) and not isinstance(time, bool) and 0 <= time <= MAX_SECONDS
    return ({} if index is None else {"sequence_index": index}) | ({"sequence_time": time} if is_time else {})


# Numbers of regions and labels.


def _region_ids(predictions: Sequence[Prediction]) -> list[int | None]:
    """Return the number of each prediction's region, or None if it has none.

    Equal boxes get one number, counted from 1, unless a prediction has an attribute ``region_id``.
    """
    known = [_number_attribute(prediction, "region_id") for prediction in predictions]
    free = _free_numbers(1, known)
    by_box: dict[Any, int] = {}
    for prediction, region_id in zip(predictions, known, strict=True):
        if region_id is None and prediction.region is not None and prediction.region not in by_box:
            by_box[prediction.region] = next(free)
    return [
        None if prediction.region is None else by_box[prediction.region] if region_id is None else region_id
        for prediction, region_id in zip(predictions, known, strict=True)
    ]


def _label_ids(predictions: Sequence[Prediction]) -> dict[str, int]:
    """Return a number for each label: that of a prediction which has one, else the next free number from 0."""
    free = _free_numbers(0, [prediction.id for prediction in predictions])
    by_label: dict[str, int] = {}
    for prediction in predictions:
        label_id = _label_id(prediction)
        if label_id is not None:
            by_label.setdefault(prediction.name, label_id)
    for prediction in predictions:
        if prediction.name not in by_label:
            by_label[prediction.name] = next(free)
    return by_label


def _label_id(prediction: Prediction) -> int | None:
    return prediction.id if isinstance(prediction.id, int) and 0 <= prediction.id <= MAX_UINT32 else None


def _free_numbers(first: int, taken: Iterable[Any]) -> Iterator[int]:
    """Count up, leaving out the numbers that are taken."""
    used = set(taken)
    return (number for number in itertools.count(first) if number not in used)
