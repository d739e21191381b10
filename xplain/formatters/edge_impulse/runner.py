"""The result of Edge Impulse's runner: the output of a device for one input.

::

    {"success": true, "id": 2,
     "result": {"classification": {"idle": 0.1, "wave": 0.9}, "anomaly": -0.4,
                "bounding_boxes": [{"label": "bolt", "value": 0.9, "x": 8, "y": 16, "width": 8, "height": 8}],
                "visual_anomaly_grid": [{"label": "anomaly", "value": 5.1, "x": 0, "y": 8, "width": 8, "height": 8}]},
     "timing": {"dsp": 1, "classification": 2, "anomaly": 0}}

The vendor's Python SDK gives the same without ``success`` and ``id``. Boxes and cells are in pixels of the model's
input, not of the photo. Some runners put the fields about anomalies under
``visual_anomaly``. Without boxes and cells nothing tells whether the input is a signal or an image; it is read as a
signal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Box, Explanation, Prediction, Source
from xplain.explanation.outcomes import ANOMALY
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import Reader, boolean, integer, nullable, number, string
from xplain.formatters.edge_impulse.fields import FORMAT, Json, extent, fields, list_of, scores
from xplain.formatters.edge_impulse.figures import make_box, rectangle
from xplain.formatters.edge_impulse.outcomes import outcome_notes
from xplain.formatters.edge_impulse.patches import apply_patch, make_patch
from xplain.formatters.edge_impulse.writing import DETECTION

RUNNER = "runner"
"""Key of our attributes for the extras of a runner's result, which tell that an explanation was read from one."""

_NESTED = "visual_anomaly"
_KEYS = ("classification", "bounding_boxes", "anomaly", "visual_anomaly_grid", _NESTED)


def is_runner(value: Any) -> bool:
    """Whether a document looks like the result of a runner, as the vendor's Python SDK gives it too."""
    result = value.get("result")
    return isinstance(result, dict) and not set(_KEYS).isdisjoint(result)


def _cells(label: Reader[Any]) -> Reader[list[Json]]:
    return list_of(fields(label=label, value=number, x=number, y=number, width=extent, height=extent))


_ANOMALY_FIELDS: dict[str, Reader[Any]] = {
    "anomaly": nullable(number),
    "visual_anomaly_grid": nullable(_cells(nullable(string))),
    "visual_anomaly_max": nullable(number),
    "visual_anomaly_mean": nullable(number),
}


def _check_nesting(result: Json) -> Json:
    """Check that no field stands both in the result and under ``visual_anomaly``."""
    repeated = [key for key in result.get(_NESTED, {}) if key in result]
    if repeated:
        raise DocumentError("must be given once, got it under visual_anomaly too", path=f"$.{repeated[0]}")
    return result


_RESULT = fields(
    _check_nesting,
    classification=nullable(scores),
    bounding_boxes=nullable(_cells(string)),
    visual_anomaly=nullable(fields(**_ANOMALY_FIELDS)),
    **_ANOMALY_FIELDS,
)
_RUNNER = fields(success=nullable(boolean), id=nullable(integer()), result=_RESULT, timing=nullable(scores))


def read_runner(at: At) -> Explanation:
    """Read the result of a runner."""
    document = _RUNNER(at)
    result = dict(document["result"])
    nested = result.pop(_NESTED, None)
    result |= nested or {}
    explanation = at["result"].build(_make_explanation, result)
    cells_labelled = ["label" in cell for cell in result.get("visual_anomaly_grid", [])]
    plain = _plain_result(explanation, label_cells=any(cells_labelled))
    extras: Json = make_patch({**document, "result": result}, plain)
    if nested is not None:
        extras["nested"] = sorted(nested)
    if cells_labelled and not any(cells_labelled):
        extras["unlabelled"] = True
    return replace(explanation, attributes={FORMAT: {RUNNER: extras}})


def _make_explanation(result: Json) -> Explanation:
    ranked = sorted(result.get("classification", {}).items(), key=lambda entry: -entry[1])
    predictions = [Prediction((label,), score) for label, score in ranked]
    if "anomaly" in result:
        predictions.append(Prediction((ANOMALY,), result["anomaly"], attributes={"anomaly": True}))
    predictions += [_make_prediction(cell, {}) for cell in result.get("bounding_boxes", [])]
    predictions += [_make_prediction(cell, {"anomaly": True}) for cell in result.get("visual_anomaly_grid", [])]
    is_visual = any(key.startswith(_NESTED) for key in result)
    if "bounding_boxes" in result:
        task = DETECTION
    else:
        task = "image-classification" if is_visual else "signal-classification"
    return Explanation(task, Source("signal" if task.startswith("signal") else "image"), tuple(predictions))


def _make_prediction(cell: Json, attributes: Json) -> Prediction:
    region = make_box(cell["x"], cell["y"], cell["width"], cell["height"], in_pixels=True)
    return Prediction(cell.get("label", ANOMALY), cell["value"], region=region, attributes=attributes)


def write_runner(explanation: Explanation) -> Json:
    """Write an explanation that was read from the result of a runner as such a result."""
    extras = dict(explanation.attributes[FORMAT][RUNNER])
    nested, unlabelled = extras.pop("nested", None), extras.pop("unlabelled", False)
    document = apply_patch(_plain_result(explanation, label_cells=not unlabelled), extras)
    if isinstance(nested, list):
        result = document["result"]
        inner = {key: result.pop(key) for key in list(result) if key in nested}
        result[_NESTED] = inner
    return document


def _plain_result(explanation: Explanation, *, label_cells: bool) -> Json:
    """Write the result of a runner from the values of an explanation alone."""
    result: Json = {}
    boxes: list[Json] = []
    cells: list[Json] = []
    for prediction in explanation.predictions:
        is_anomaly = outcome_notes(prediction).anomaly
        region = prediction.region
        if isinstance(region, Box):
            if region.unit != "pixel":  # the size of the model's input is not known: it cannot be converted
                continue
            if is_anomaly:
                cells.append(_write_cell(prediction, region, label_cells))
            else:
                boxes.append(_write_cell(prediction, region, True))
        elif is_anomaly:
            result["anomaly"] = prediction.score
        else:
            result.setdefault("classification", {}).setdefault(prediction.name, prediction.score)
    if cells:
        result["visual_anomaly_grid"] = cells
    if explanation.task == DETECTION:
        result["bounding_boxes"] = boxes
    return {"success": True, "result": result}


def _write_cell(prediction: Prediction, region: Box, labelled: bool) -> Json:
    x, y, width, height = rectangle(region)
    label = {"label": prediction.name} if labelled else {}
    return {**label, "value": prediction.score, "x": x, "y": y, "width": width, "height": height}
