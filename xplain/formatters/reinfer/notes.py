"""Notes of Re:infer's documents: thresholds, entities, properties of texts, qualities of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xplain.explanation import Explanation, Prediction, Record, Results, Span
from xplain.explanation.notes import (
    Badge,
    Breakdown,
    Chart,
    Measure,
    Notes,
    PredictionNotes,
    Shares,
    note_each,
)
from xplain.formatters.core.extras import extras_of
from xplain.formatters.core.lookup import flag_at, integer_at, items_at, number_at, text_at, value_at
from xplain.formatters.reinfer.responses import FORMAT

_ATTRIBUTES = frozenset(("auto_thresholds", "formatted_value", "further_spans", "kind", "unscored"))
_QUALITIES = ("poor", "average", "good", "excellent")  # of a dataset, from the worst to the best
_ROUNDING = 1e-6  # relative difference between a total and the sum of its parts that is rounding only


def notes(value: Explanation | Results | Record) -> Notes:
    """Return what is said of a text and of what is predicted of it, or the charts of a record."""
    if isinstance(value, Explanation):
        predictions = note_each(value.predictions, _of_prediction, _ATTRIBUTES)
        return Notes(predictions, properties=_properties(extras_of(value.attributes, FORMAT)))
    if isinstance(value, Record) and value.format == FORMAT:
        return {"validation": _validation, "annotated-comment": _breakdowns}.get(value.kind, _no_charts)(value.fields)
    return Notes()


def _of_prediction(prediction: Prediction) -> PredictionNotes:
    attributes = prediction.attributes
    names = items_at(attributes, "auto_thresholds")
    return PredictionNotes(
        unscored=flag_at(attributes, "unscored") is True,
        badges=tuple(name for name in names if isinstance(name, str)),
        kind=text_at(attributes, "kind"),
        value=text_at(attributes, "formatted_value"),
        further_spans=_further_spans(attributes),
    )


def _further_spans(attributes: Mapping[str, Any]) -> tuple[Span, ...]:
    """The spans of an entity beside its first."""
    spans = []
    for item in items_at(attributes, "further_spans"):
        start, stop = integer_at(item, "start"), integer_at(item, "stop")
        if start is not None and stop is not None and 0 <= start <= stop:
            spans.append(Span(start, stop, part=text_at(item, "part")))
    return tuple(spans)


def _properties(fields: Any) -> tuple[Measure, ...]:
    """Properties of a text, such as its tone."""
    pairs = [
        (text_at(item, "property_name"), number_at(item, "value")) for item in items_at(fields, "label_properties")
    ]
    pairs.append(("sentiment", number_at(fields, "sentiment", "total")))
    return tuple(Measure(name, value) for name, value in pairs if name and value is not None)


# Records.


def _no_charts(fields: Mapping[str, Any]) -> Notes:
    return Notes()


def _validation(fields: Mapping[str, Any]) -> Notes:
    """Qualities of a dataset, and its labels by the warnings that they have."""
    validation = value_at(fields, "validation")
    if not isinstance(validation, Mapping):
        return Notes()
    qualities = {name: value for name, value in validation.items() if name.endswith("_quality")}
    charts: list[Chart] = [_badge(name, value) for name, value in qualities.items()]
    labels, amber, red = (number_at(validation, name) for name in ("num_labels", "num_amber_labels", "num_red_labels"))
    if labels and amber is not None and red is not None and labels >= amber + red:
        charts.append(Shares("labels", round(labels - amber - red), round(amber), round(red)))
    others = {name: value for name, value in validation.items() if name not in qualities}
    if isinstance(others.get("labels"), list):
        others["labels"] = [text_at(label, "name") or "?" for label in others["labels"]]
    return Notes(charts=tuple(charts), remaining={**fields, "validation": others})


def _badge(name: str, value: Any) -> Badge:
    quality = value if isinstance(value, str) else "none"
    return Badge(name, quality, _QUALITIES.index(quality) if quality in _QUALITIES else None)


def _breakdowns(fields: Mapping[str, Any]) -> Notes:
    """Each property of a text that has a breakdown, with the contributions to it."""
    charts = [chart for item in items_at(fields, "label_properties") if (chart := _breakdown(item)) is not None]
    remaining = {name: value for name, value in fields.items() if name != "label_properties"}
    return Notes(charts=tuple(charts), remaining=remaining)


def _breakdown(item: Any) -> Breakdown | None:
    name, total = text_at(item, "name") or text_at(item, "property_name"), number_at(item, "value")
    if name is None or total is None or value_at(item, "breakdown") is None:
        return None
    contributions = [
        Measure(_label(value_at(contribution, "name")), value)
        for kind in ("label_contributions", "other_group_contributions")
        for contribution in items_at(item, "breakdown", kind)
        if (value := number_at(contribution, "value")) is not None
    ]
    remainder = total - sum(float(contribution.value) for contribution in contributions)
    if abs(remainder) > _ROUNDING * max(1.0, abs(total)):
        contributions.append(Measure("everything else", remainder))
    return Breakdown(Measure(name, total), tuple(contributions))


def _label(value: Any) -> str:
    """The name of a label, or the names of its levels, as one string."""
    return " > ".join(str(level) for level in value) if isinstance(value, list) else str(value)
