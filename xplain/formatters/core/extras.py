"""Extras: what a document says beyond the values of xplain, kept in ``attributes`` under the name of its format.

Readers put extras there, but so may anybody else: attributes are free-form. So writers take of them only what they can
write, through `extras_of` and `accepted`; `xplain.formatters.core.fit` reports the rest as losses. Where extras that
each look right make a document that is wrong as a whole, it does without all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xplain.explanation import Explanation, Item, Prediction, Results
from xplain.formatters.core.wire import Reader, problems

UNIT = "boxUnit"
"""Key of the extras of an image for the unit of the boxes in its document, if that is not the format's own."""


def extras_of(
    attributes: Mapping[str, Any], format: str, readers: Mapping[str, Reader[Any]] | None = None
) -> dict[str, Any]:
    """Return the extras of a format in a new dict; none if they are no object.

    Parameters
    ----------
    attributes : mapping
        Of an explanation, an item or a job.
    format : str
        Whose extras.
    readers : mapping of str to reader, optional
        Fields that are left out unless their reader accepts them; other fields are returned whatever they are.

    Examples
    --------
    >>> from xplain.formatters.core.wire import integer
    >>> extras_of({"cognite": {"fileId": [], "note": "new"}}, "cognite", {"fileId": integer()})
    {'note': 'new'}
    >>> extras_of({"cognite": 5}, "cognite")
    {}
    """
    extras = attributes.get(format)
    if not isinstance(extras, dict):
        return {}
    if not readers:
        return dict(extras)
    return {key: value for key, value in extras.items() if key not in readers or not problems(readers[key], value)}


def attributes_of(extras: dict[str, Any] | None, format: str) -> dict[str, Any]:
    """Return the attributes that hold the extras of a format: none if there are no extras."""
    return {format: extras} if extras else {}


def accepted(fields: Mapping[str, Any], readers: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    """Return the fields that have a reader which accepts them.

    Examples
    --------
    >>> from xplain.formatters.core.wire import string
    >>> accepted({"kind": "date", "unit": 5, "note": "new"}, {"kind": string, "unit": string})
    {'kind': 'date'}
    """
    return {key: fields[key] for key in readers if key in fields and not problems(readers[key], fields[key])}


def without_extras(value: Explanation | Results) -> Explanation | Results:
    """Return a copy without attributes of explanations, items and jobs; those of predictions stay."""
    if isinstance(value, Explanation):
        return replace(value, attributes={})
    return replace(value, items=tuple(map(_without_item_extras, value.items)), attributes={})


def _without_item_extras(item: Item) -> Item:
    explanation = None if item.explanation is None else replace(item.explanation, attributes={})
    return replace(item, explanation=explanation, attributes={})


def without_attributes(value: Explanation | Results) -> Explanation | Results:
    """Return a copy without any attributes, those of predictions included."""
    bare = without_extras(value)
    if isinstance(bare, Explanation):
        return _without_prediction_attributes(bare)
    items = (
        replace(item, explanation=item.explanation and _without_prediction_attributes(item.explanation))
        for item in bare.items
    )
    return replace(bare, items=tuple(items))


def _without_prediction_attributes(explanation: Explanation) -> Explanation:
    def bare(prediction: Prediction) -> Prediction:
        return replace(prediction, attributes={})

    return replace(
        explanation,
        predictions=tuple(map(bare, explanation.predictions)),
        attributions=tuple(replace(one, target=bare(one.target)) for one in explanation.attributions),
    )
