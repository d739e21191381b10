"""Free-form values as plain JSON values, which is what a document gives back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xplain.dialects._wire import At, Rejected, json_object
from xplain.errors import InputError
from xplain.explanation import Explanation, Item, Prediction, Record, Results

__all__ = ["plain"]


def plain(value: Explanation | Results | Record) -> Explanation | Results | Record:
    """Turn every free-form value into plain JSON values."""
    if isinstance(value, Explanation):
        return _explanation(value, "")
    if isinstance(value, Record):
        return replace(value, fields=_json(value.fields, "fields"))
    items = tuple(_item(item, f"items[{i}].") for i, item in enumerate(value.items))
    return replace(value, items=items, attributes=_json(value.attributes, "attributes"))


def _item(item: Item, where: str) -> Item:
    explanation = item.explanation and _explanation(item.explanation, f"{where}explanation.")
    return replace(item, explanation=explanation, attributes=_json(item.attributes, f"{where}attributes"))


def _explanation(explanation: Explanation, where: str) -> Explanation:
    provenance = explanation.provenance
    predictions = enumerate(explanation.predictions)
    attributions = enumerate(explanation.attributions)
    return replace(
        explanation,
        predictions=tuple(_prediction(p, f"{where}predictions[{i}]") for i, p in predictions),
        attributions=tuple(
            replace(
                attribution,
                target=_prediction(attribution.target, f"{where}attributions[{i}].target"),
                quality=_json(attribution.quality, f"{where}attributions[{i}].quality"),
            )
            for i, attribution in attributions
        ),
        provenance=replace(
            provenance,
            options=_json(provenance.options, f"{where}provenance.options"),
            preprocessing=_json(provenance.preprocessing, f"{where}provenance.preprocessing"),
            versions=_json(provenance.versions, f"{where}provenance.versions"),
        ),
        attributes=_json(explanation.attributes, f"{where}attributes"),
    )


def _prediction(prediction: Prediction, path: str) -> Prediction:
    if not prediction.attributes:
        return prediction
    return replace(prediction, attributes=_json(prediction.attributes, f"{path}.attributes"))


def _json(value: dict[str, Any], path: str) -> dict[str, Any]:
    if not value:
        return value
    try:
        return json_object(At(value, key=path))
    except Rejected as rejected:
        raise InputError("; ".join(f"{problem.path} {problem.message}" for problem in rejected.problems)) from None
