"""What a value loses on its way through a document, as sentences that name the places.

`differences` compares a value with what its document gives back; every difference is a loss. Before that,
`with_plain_json` turns free-form values (attributes, options, quality) into what any document gives back for them, so
that a tuple that comes back as a list is no difference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from xplain.errors import InputError
from xplain.explanation import Explanation, Item, Prediction, Record, Results
from xplain.formatters.core.places import At, Rejected
from xplain.formatters.core.wire import json_object

#: Up to this many losses that differ in their indices only are listed one by one.
_MAX_LISTED = 3
#: Fields that hold times, which have more than one spelling.
_TIMES = ("submitted", "started", "updated", "ended")
#: Fields that a format may require: a value where there was None is no loss.
_FILLED_IN = ("id", "threshold", "readings", "started", "updated", "ended")
#: What a document may say besides: attributes of values, and of a source.
_ADDED = re.compile(r"(\S*\b)?(attributes\S* is added|source\.axes\[\d+\] is added)")


# Differences.


def losses_of(before: Any, after: Any) -> list[str]:
    """List what a value loses; what is added beside it (attributes, axes of a signal) is no loss.

    Examples
    --------
    >>> losses_of(Prediction("cat", 0.5), Prediction("cat", 0.25, attributes={"correct": True}))
    ['score becomes 0.25']
    """
    return [loss for loss in differences(before, after) if not _ADDED.fullmatch(loss)]


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """List how a value differs from another one: a sentence for each place, with its path.

    Examples
    --------
    >>> differences(Prediction("cat", 0.5), Prediction("cat", 0.25), "predictions[0]")
    ['predictions[0].score becomes 0.25']
    """
    after = _align(before, after)
    if is_dataclass(before) and type(before) is type(after):
        return [] if before == after else _differing_fields(before, after, path)
    if isinstance(before, (tuple, list)) and isinstance(after, (tuple, list)) and not _is_label(before):
        return _differing_elements(before, after, path)
    if isinstance(before, dict) and (after is None or isinstance(after, dict)):
        return _differing_keys(before, after or {}, path)
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return [] if np.array_equal(before, after) else [f"{path} changes"]
    if before == after or (path.endswith(_TIMES) and _instant(before) == _instant(after)):
        return []
    return [f"{path} is left out" if after is None else f"{path} becomes {after!r:.60}"]


def _align(before: Any, after: Any) -> Any:
    """Undo what a format of jobs may do without losing anything: wrap an explanation, or reorder items."""
    if isinstance(before, Explanation) and isinstance(after, Results) and len(after.items) == 1:
        return after.items[0].explanation
    if isinstance(before, Results) and isinstance(after, Results):
        return replace(after, items=_reorder(after.items, before.items))
    return after


def _reorder(items: tuple[Item, ...], like: tuple[Item, ...]) -> tuple[Item, ...]:
    """Sort items as others of the same names (which are unique): some formats group items by status."""
    positions = {item.name: i for i, item in enumerate(like)}
    return tuple(sorted(items, key=lambda item: positions.get(item.name, len(positions))))


def _differing_fields(before: Any, after: Any, path: str) -> list[str]:
    """Compare two values of one dataclass by those fields that its equality compares."""
    prefix = f"{path}." if path else ""
    losses = []
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.compare and not (old is None and field.name in _FILLED_IN):
            losses += differences(old, new, prefix + field.name)
    return losses


def _differing_elements(before: Sequence[Any], after: Sequence[Any], path: str) -> list[str]:
    losses = []
    for i, (old, new) in enumerate(zip(before, after, strict=False)):
        losses += differences(old, new, f"{path}[{i}]")
    losses += [f"{path}[{i}] is left out" for i in range(len(after), len(before))]
    losses += [f"{path}[{i}] is added" for i in range(len(before), len(after))]
    return losses


def _differing_keys(before: dict[str, Any], after: dict[str, Any], path: str) -> list[str]:
    losses = []
    for key, old in before.items():
        losses += differences(old, after.get(key), f"{path}.{key}")
    losses += [f"{path}.{key} is added" for key in after if key not in before]
    return losses


def _is_label(value: Sequence[Any]) -> bool:
    """Whether a sequence is a label path, which is compared as a whole."""
    return bool(value) and all(isinstance(level, str) for level in value)


def _instant(time: Any) -> Any:
    """Return the moment that a time stands for, however it is spelled; anything else as it is."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return time


def group_alike(losses: list[str]) -> list[str]:
    """Shorten a list of losses: of many that differ only in their indices, keep the first and count the others.

    Examples
    --------
    >>> group_alike([f"predictions[{i}] has a threshold" for i in range(9)])
    ['predictions[0] has a threshold (and 8 more alike)']
    """
    groups: dict[str, list[str]] = {}
    for loss in losses:
        groups.setdefault(re.sub(r"\[\d+\]", "[]", loss), []).append(loss)
    short = []
    for alike in groups.values():
        short += alike if len(alike) <= _MAX_LISTED else [f"{alike[0]} (and {len(alike) - 1} more alike)"]
    return short


# Plain JSON.


def with_plain_json(value: Explanation | Results | Record) -> Explanation | Results | Record:
    """Turn every free-form value into plain JSON values; raise InputError with the path of one that is no JSON."""
    if isinstance(value, Explanation):
        return _plain_explanation(value, "")
    if isinstance(value, Record):
        return replace(value, fields=_plain_object(value.fields, "fields"))
    items = tuple(_plain_item(item, f"items[{i}].") for i, item in enumerate(value.items))
    return replace(value, items=items, attributes=_plain_object(value.attributes, "attributes"))


def _plain_item(item: Item, prefix: str) -> Item:
    explanation = item.explanation and _plain_explanation(item.explanation, f"{prefix}explanation.")
    return replace(item, explanation=explanation, attributes=_plain_object(item.attributes, f"{prefix}attributes"))


def _plain_explanation(explanation: Explanation, prefix: str) -> Explanation:
    provenance = explanation.provenance
    return replace(
        explanation,
        predictions=tuple(
            _plain_prediction(prediction, f"{prefix}predictions[{i}]")
            for i, prediction in enumerate(explanation.predictions)
        ),
        attributions=tuple(
            replace(
                attribution,
                target=_plain_prediction(attribution.target, f"{prefix}attributions[{i}].target"),
                quality=_plain_object(attribution.quality, f"{prefix}attributions[{i}].quality"),
            )
            for i, attribution in enumerate(explanation.attributions)
        ),
        provenance=replace(
            provenance,
            options=_plain_object(provenance.options, f"{prefix}provenance.options"),
            preprocessing=_plain_object(provenance.preprocessing, f"{prefix}provenance.preprocessing"),
            versions=_plain_object(provenance.versions, f"{prefix}provenance.versions"),
        ),
        attributes=_plain_object(explanation.attributes, f"{prefix}attributes"),
    )


def _plain_prediction(prediction: Prediction, path: str) -> Prediction:
    if not prediction.attributes:
        return prediction
    return replace(prediction, attributes=_plain_object(prediction.attributes, f"{path}.attributes"))


def _plain_object(value: dict[str, Any], path: str) -> dict[str, Any]:
    if not value:
        return value
    try:
        return json_object(At(value, key=path))
    except Rejected as rejected:
        raise InputError("; ".join(f"{problem.path} {problem.message}" for problem in rejected.problems)) from None
