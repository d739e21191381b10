"""What a device says of one input: the result of Edge Impulse's runner.

::

    {"success": true, "id": 2,
     "result": {"classification": {"idle": 0.1, "wave": 0.9}, "anomaly": -0.4,
                "bounding_boxes": [{"label": "bolt", "value": 0.9, "x": 8, "y": 16, "width": 8, "height": 8}],
                "visual_anomaly_grid": [{"label": "anomaly", "value": 5.1, "x": 0, "y": 8, "width": 8, "height": 8}]},
     "timing": {"dsp": 1, "classification": 2, "anomaly": 0}}

Boxes and cells are in pixels of what the model was given, not of the photo. Some runners put what is about anomalies
under ``visual_anomaly``. Where there are neither boxes nor cells, nothing tells whether the input is a signal or an
image; a signal is taken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Prediction, Source
from xplain.explanation.outcomes import ANOMALY
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import Reader, boolean, integer, nullable, number, string
from xplain.formatters.edge_impulse.fields import FORMAT, extent, fields, items, scores
from xplain.formatters.edge_impulse.figures import box, rectangle
from xplain.formatters.edge_impulse.writing import DETECTION, difference, merged

Json = dict[str, Any]

RUNNER = "runner"
_NESTED = "visual_anomaly"


def _cells(label: Reader[Any]) -> Reader[list[Json]]:
    return items(fields(label=label, value=number, x=number, y=number, width=extent, height=extent))


_ABOUT_ANOMALIES: dict[str, Reader[Any]] = {
    "anomaly": nullable(number),
    "visual_anomaly_grid": nullable(_cells(nullable(string))),
    "visual_anomaly_max": nullable(number),
    "visual_anomaly_mean": nullable(number),
}


def _one_place(value: Json) -> Json:
    twice = [key for key in value.get(_NESTED, {}) if key in value]
    if twice:
        raise DocumentError("must be given once, got it under visual_anomaly too", path=f"$.{twice[0]}")
    return value


_RESULT = fields(
    _one_place,
    classification=nullable(scores),
    bounding_boxes=nullable(_cells(string)),
    visual_anomaly=nullable(fields(**_ABOUT_ANOMALIES)),
    **_ABOUT_ANOMALIES,
)
_RUNNER = fields(success=boolean, id=nullable(integer()), result=_RESULT, timing=nullable(scores))


def read_runner(at: At) -> Explanation:
    """Read the result of a runner."""
    found = _RUNNER(at)
    result = dict(found["result"])
    nested = result.pop(_NESTED, None)
    result |= nested or {}
    explanation = at["result"].build(_explanation, result)
    labels = ["label" in cell for cell in result.get("visual_anomaly_grid", [])]
    own: Json = difference({**found, "result": result}, _plain(explanation, labelled=any(labels)))
    own |= {} if nested is None else {"nested": sorted(nested)}
    own |= {"unlabelled": True} if labels and not any(labels) else {}
    return replace(explanation, attributes={FORMAT: {RUNNER: own}})


def _explanation(result: Json) -> Explanation:
    ranked = sorted(result.get("classification", {}).items(), key=lambda one: -one[1])
    predictions = [Prediction((label,), score) for label, score in ranked]
    if "anomaly" in result:
        predictions.append(Prediction((ANOMALY,), result["anomaly"], attributes={"anomaly": True}))
    predictions += [_prediction(cell, {}) for cell in result.get("bounding_boxes", [])]
    predictions += [_prediction(cell, {"anomaly": True}) for cell in result.get("visual_anomaly_grid", [])]
    visual = any(key.startswith(_NESTED) for key in result)
    task = DETECTION if "bounding_boxes" in result else "image-classification" if visual else "signal-classification"
    return Explanation(task, Source("signal" if task.startswith("signal") else "image"), tuple(predictions))


def _prediction(cell: Json, attributes: Json) -> Prediction:
    region = box(cell["x"], cell["y"], cell["width"], cell["height"], pixels=True)
    return Prediction(cell.get("label", ANOMALY), cell["value"], region=region, attributes=attributes)


def write_runner(explanation: Explanation) -> Json:
    """Turn an explanation that was read from the result of a runner into such a result."""
    own = dict(explanation.attributes[FORMAT][RUNNER])
    nested, unlabelled = own.pop("nested", None), own.pop("unlabelled", False)
    document = merged(_plain(explanation, labelled=not unlabelled), own)
    if isinstance(nested, list):
        result = document["result"]
        inside = {key: result.pop(key) for key in list(result) if key in nested}
        result[_NESTED] = inside
    return document


def _plain(explanation: Explanation, *, labelled: bool) -> Json:
    """Write what a runner says by the values alone."""
    result: Json = {}
    boxes: list[Json] = []
    cells: list[Json] = []
    for one in explanation.predictions:
        anomalous = one.attributes.get("anomaly") is True
        if isinstance(one.region, Box):
            if one.region.unit == "pixel":
                (cells if anomalous else boxes).append(_cell(one, one.region, labelled or not anomalous))
        elif anomalous:
            result["anomaly"] = one.score
        else:
            result.setdefault("classification", {}).setdefault(one.name, one.score)
    if cells:
        result["visual_anomaly_grid"] = cells
    if explanation.task == DETECTION:
        result["bounding_boxes"] = boxes
    return {"success": True, "result": result}


def _cell(prediction: Prediction, region: Box, labelled: bool) -> Json:
    x, y, width, height = rectangle(region)
    label = {"label": prediction.name} if labelled else {}
    return {**label, "value": prediction.score, "x": x, "y": y, "width": width, "height": height}
