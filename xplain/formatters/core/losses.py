"""How a value differs from what a document gives back, in sentences that name the places."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from xplain.errors import InputError
from xplain.explanation import Explanation, Item, Prediction, Record, Results
from xplain.formatters.core.places import At, Rejected
from xplain.formatters.core.wire import json_object

_FEW = 3
_TIMES = ("submitted", "started", "updated", "ended")
#: What a document may have to say of a prediction though nobody knows it: nothing is lost by that.
_MADE_UP = ("id", "threshold")


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """List how a value differs from another one: a sentence for each place, with its path."""
    if isinstance(before, Explanation) and isinstance(after, Results):
        after = after.items[0].explanation if len(after.items) == 1 else after
    if isinstance(before, Results) and isinstance(after, Results):
        after = replace(after, items=_in_order(after.items, before.items))
    if is_dataclass(before) and type(before) is type(after):
        if not isinstance(before, type) and before == after:
            return []
        parts = [(f.name, getattr(before, f.name), getattr(after, f.name)) for f in fields(before) if f.compare]
        dot = f"{path}." if path else ""
        known = [(name, one, other) for name, one, other in parts if one is not None or name not in _MADE_UP]
        return [loss for name, one, other in known for loss in differences(one, other, dot + name)]
    if isinstance(before, (tuple, list)) and isinstance(after, (tuple, list)) and not _is_label(before):
        found = [
            loss
            for i, (one, other) in enumerate(zip(before, after, strict=False))
            for loss in differences(one, other, f"{path}[{i}]")
        ]
        found += [f"{path}[{i}] is left out" for i in range(len(after), len(before))]
        return found + [f"{path}[{i}] is added" for i in range(len(before), len(after))]
    if isinstance(before, dict) and (after is None or isinstance(after, dict)):
        after = after or {}
        both = [(key, before[key], after.get(key)) for key in before]
        found = [loss for key, one, other in both for loss in differences(one, other, f"{path}.{key}")]
        return found + [f"{path}.{key} is added" for key in after if key not in before]
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return [] if np.array_equal(before, after) else [f"{path} changes"]
    if before == after or (path.endswith(_TIMES) and _instant(before) == _instant(after)):
        return []
    return [f"{path} is left out" if after is None else f"{path} becomes {after!r:.60}"]


def _in_order(items: tuple[Item, ...], like: tuple[Item, ...]) -> tuple[Item, ...]:
    """Sort items by where their names are in others: names are unique, and some formats file items by status."""
    places = {item.name: i for i, item in enumerate(like)}
    return tuple(sorted(items, key=lambda item: places.get(item.name, len(places))))


def _instant(text: Any) -> Any:
    """Return the moment that a time stands for, however it is spelled."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return text


def _is_label(value: Any) -> bool:
    return bool(value) and all(isinstance(part, str) for part in value)


def grouped(losses: list[str]) -> list[str]:
    """Say once what is lost in many places alike: the first of them, and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for loss in losses:
        kinds.setdefault(re.sub(r"\[\d+\]", "[]", loss), []).append(loss)
    short = []
    for alike in kinds.values():
        short += alike if len(alike) <= _FEW else [f"{alike[0]} (and {len(alike) - 1} more alike)"]
    return short


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
