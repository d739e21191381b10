"""Predictions of Cognite for one file: texts, asset tags, people, objects, gauges and valves.

A document has one list for each feature. A prediction of xplain keeps the name of its list in the attribute
``feature``; without it, it is an industrial object. A threshold, or the scale of a gauge, is a parameter of the job and
holds for a whole feature: when reading, every prediction of the feature gets it; when writing, it is a parameter if all
predictions of the feature agree. A prediction without a confidence has score 1 and the attribute ``unscored``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xplain.explanation import Explanation, Prediction, Source
from xplain.formatters.cognite.shapes import (
    ATTRIBUTES,
    FRACTION,
    GEOMETRY_FIELDS,
    KEYPOINTS,
    LABEL,
    MAX_LABEL,
    RECTANGLE,
    Shape,
    asset_reference,
    object_region,
    only_shape,
    write_rectangle,
    write_shape,
)
from xplain.formatters.core.extras import accepted, attributes_of, extras_of
from xplain.formatters.core.lookup import fields_at
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    boolean,
    integer,
    keep,
    listing,
    mapping,
    nullable,
    number,
    optional,
    record,
    sized,
)

FORMAT = "cognite"

DEFAULT_FEATURE = "industrialObject"
_TEXT_FEATURES = ("text", "assetTag")

PREDICTION_ATTRIBUTES = (
    "feature",
    "unscored",
    "closed",
    "regionConfidence",
    "regionExtra",
    "pointConfidences",
    "attributes",
    "assetRef",
    "objectRegion",
    "keypoints",
    "scale",
    "extra",
    "entryExtra",
)
"""The attributes of a prediction that a document holds."""

_TEXT_FIELDS = {"text", "textRegion", "confidence", "assetRef", "objectRegion"}
_OBJECT_FIELDS = {"label", "confidence", "attributes", *GEOMETRY_FIELDS}


# Parameters of the features.

_THRESHOLD = {"threshold": nullable(FRACTION)}
_LEVELS: dict[str, Reader[Any]] = {"minLevel": nullable(number), "maxLevel": nullable(number)}
_DIAL: dict[str, Reader[Any]] = {**_LEVELS, "deadAngle": nullable(number), "nonLinAngle": nullable(number)}
_DIGITS: dict[str, Reader[Any]] = dict.fromkeys(("commaPos", "minNumDigits", "maxNumDigits"), nullable(integer(0)))
_FEATURE_PARAMETERS: dict[str, dict[str, Reader[Any]]] = {
    "assetTag": {"partialMatch": nullable(boolean), "assetSubtreeIds": nullable(array(integer()))},
    "dialGauge": _DIAL,
    "levelGauge": _LEVELS,
    "digitalGauge": _DIGITS,
}
#: Reader of the attribute ``scale``: the parameters that give the reading of a gauge its meaning.
_SCALE = keep(_DIAL)


def _list_key(feature: str) -> str:
    return f"{feature}Predictions"


def _parameters_key(feature: str) -> str:
    return f"{feature}DetectionParameters"


# Reading one prediction. Each reader returns the arguments of `Prediction`.


def _arguments(**fields: Any) -> dict[str, Any]:
    """Turn the confidence, which may be missing, and the unknown fields of an entry into arguments."""
    confidence, unknown = fields.pop("confidence"), fields.pop("rest")
    attributes = {"extra": unknown} if unknown else {}
    if confidence is None:
        attributes["unscored"] = True
    return {"score": 1.0 if confidence is None else confidence, "attributes": attributes, **fields}


def _with_shape(arguments: dict[str, Any], shape: Shape, **optional_attributes: Any) -> dict[str, Any]:
    """Add the region of a shape, its attributes and further attributes that are not None."""
    further = {name: value for name, value in optional_attributes.items() if value is not None}
    attributes = {**arguments["attributes"], **shape.attributes, **further}
    return {**arguments, "region": shape.region, "attributes": attributes}


_TEXT = record(
    _arguments, rest={}, label=Field(LABEL, "text"), shape=Field(RECTANGLE, "textRegion"), confidence=nullable(FRACTION)
)
_ASSET_TAG = record(
    _arguments,
    rest={},
    label=Field(LABEL, "text"),
    shape=Field(RECTANGLE, "textRegion"),
    asset=Field(asset_reference, "assetRef"),
    object_region=nullable(object_region, key="objectRegion"),
    confidence=nullable(FRACTION),
)
_OBJECT = record(
    _arguments,
    rest={},
    label=LABEL,
    confidence=nullable(FRACTION),
    named_attributes=nullable(ATTRIBUTES, key="attributes"),
    **GEOMETRY_FIELDS,
)


def _text(at: At) -> dict[str, Any]:
    arguments = _TEXT(at)
    return _with_shape(arguments, arguments.pop("shape"))


def _asset_tag(at: At) -> dict[str, Any]:
    arguments = _ASSET_TAG(at)
    links = {"assetRef": arguments.pop("asset"), "objectRegion": arguments.pop("object_region")}
    return _with_shape(arguments, arguments.pop("shape"), **links)


def _object(at: At) -> dict[str, Any]:
    arguments = _OBJECT(at)
    shape = only_shape(at, {key: arguments.pop(key) for key in GEOMETRY_FIELDS})
    return _with_shape(arguments, shape, attributes=arguments.pop("named_attributes"))


def _add_keypoints(arguments: dict[str, Any], keypoints: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Add the keypoints of an object, and the unknown fields beside the two."""
    beside = {"entryExtra": rest} if rest else {}
    return {**arguments, "attributes": {**arguments["attributes"], "keypoints": keypoints, **beside}}


_OBJECT_WITH_KEYPOINTS: Reader[dict[str, Any]] = record(
    _add_keypoints,
    rest={},
    arguments=Field(_object, "objectDetection"),
    keypoints=Field(KEYPOINTS, "keypointCollection"),
)

FEATURES: dict[str, Reader[dict[str, Any]]] = {
    "text": _text,
    "assetTag": _asset_tag,
    "people": _object,
    DEFAULT_FEATURE: _object,
    "personalProtectiveEquipment": _object,
    "digitalGauge": _object,
    "dialGauge": _OBJECT_WITH_KEYPOINTS,
    "levelGauge": _OBJECT_WITH_KEYPOINTS,
    "valve": _OBJECT_WITH_KEYPOINTS,
}
"""Reader of one prediction of each feature."""

OBJECT_FEATURES = [name for name, read in FEATURES.items() if read is _object]
"""Features whose entries need a label and a geometry alone."""

PARAMETERS: Reader[dict[str, Any]] = keep(
    {
        _parameters_key(feature): optional(keep({**_THRESHOLD, **_FEATURE_PARAMETERS.get(feature, {})}))
        for feature in FEATURES
    }
)
"""Check the parameters of each feature and keep them as JSON."""


# Reading the predictions of one file.


def read_explanation(parameters: dict[str, Any]) -> Reader[Explanation]:
    """Make a reader of the predictions of one file, given the job's parameters."""
    lists = {_list_key(feature): optional(array(_prediction(feature, parameters))) for feature in FEATURES}

    def make(rest: dict[str, Any], **lists: tuple[Prediction, ...] | None) -> Explanation:
        predictions = tuple(prediction for predictions in lists.values() for prediction in predictions or ())
        # An empty list says that the feature was looked for.
        extras = {**rest, **{key: [] for key, predictions in lists.items() if predictions == ()}}
        attributes = attributes_of(extras, FORMAT)
        return Explanation("object-detection", Source("image"), predictions, attributes=attributes)

    return record(make, rest={}, **lists)


def _prediction(feature: str, parameters: dict[str, Any]) -> Reader[Prediction]:
    """Make a reader of one prediction of a feature, given the job's parameters."""
    feature_parameters = parameters.get(_parameters_key(feature), {})
    threshold = feature_parameters.get("threshold")
    scale = {name: feature_parameters[name] for name in _DIAL if feature_parameters.get(name) is not None}
    common: dict[str, Any] = {} if feature == DEFAULT_FEATURE else {"feature": feature}
    common |= {"scale": scale} if scale else {}
    read_arguments = FEATURES[feature]

    def read(at: At) -> Prediction:
        arguments = read_arguments(at)
        attributes = {**common, **arguments.pop("attributes")}
        if threshold is not None and arguments["score"] < threshold:
            entry = at["objectDetection"] if read_arguments is _OBJECT_WITH_KEYPOINTS else at
            raise entry["confidence"].rejected(f"at least the threshold of the feature, {threshold!r}")
        return at.build(Prediction, attributes=attributes, threshold=threshold, **arguments)

    return read


# Writing the predictions of one file.

#: Readers of the attributes that an asset tag must have, and of all that it may have.
_ASSET: dict[str, Reader[Any]] = {"assetRef": asset_reference}
_LINKS: dict[str, Reader[Any]] = {**_ASSET, "objectRegion": object_region}
#: Readers of the lists that the extras of a file may hold: empty ones.
_EMPTY_LISTS: dict[str, Reader[Any]] = {_list_key(feature): sized(listing, 0) for feature in FEATURES}


def encode_explanation(explanation: Explanation) -> dict[str, Any]:
    """Write the predictions of one file."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for prediction in explanation.predictions:
        feature = _feature(prediction)
        lists.setdefault(_list_key(feature), []).append(_encode(prediction, feature))
    return {**extras_of(explanation.attributes, FORMAT, _EMPTY_LISTS), **lists}


def _feature(prediction: Prediction) -> str:
    """Return the feature in whose list a prediction is written: its own if it has all that an entry there needs."""
    feature = prediction.attributes.get("feature", DEFAULT_FEATURE)
    if not isinstance(feature, str) or feature not in FEATURES:
        return DEFAULT_FEATURE
    if FEATURES[feature] is _OBJECT_WITH_KEYPOINTS:
        return feature if accepted(prediction.attributes, {"keypoints": KEYPOINTS}) else DEFAULT_FEATURE
    if feature in _TEXT_FEATURES:
        has_region = write_rectangle(prediction.region, {}) is not None
        has_links = feature == "text" or accepted(prediction.attributes, _ASSET)
        return feature if has_region and has_links else DEFAULT_FEATURE
    return feature


def _encode(prediction: Prediction, feature: str) -> dict[str, Any]:
    """Write one prediction as an entry of the list of a feature."""
    if feature in _TEXT_FEATURES:
        return _encode_text(prediction, feature)
    entry = _encode_object(prediction)
    if FEATURES[feature] is _OBJECT_WITH_KEYPOINTS:
        beside = fields_at(prediction.attributes, "entryExtra")
        return {**beside, "objectDetection": entry, "keypointCollection": prediction.attributes["keypoints"]}
    return entry


def _encode_text(prediction: Prediction, feature: str) -> dict[str, Any]:
    entry = {"text": _label(prediction), "textRegion": write_rectangle(prediction.region, prediction.attributes)}
    entry |= _confidence(prediction)
    if feature == "assetTag":
        entry |= accepted(prediction.attributes, _LINKS)
    return {**_unknown_fields(prediction, _TEXT_FIELDS), **entry}


def _encode_object(prediction: Prediction) -> dict[str, Any]:
    entry = {"label": _label(prediction), **_confidence(prediction)}
    entry |= accepted(prediction.attributes, {"attributes": ATTRIBUTES})
    entry |= write_shape(prediction.region, prediction.attributes)
    return {**_unknown_fields(prediction, _OBJECT_FIELDS), **entry}


def _label(prediction: Prediction) -> str:
    return prediction.name[:MAX_LABEL] or "unnamed"


def _confidence(prediction: Prediction) -> dict[str, Any]:
    unscored = prediction.attributes.get("unscored") is True and prediction.score == 1
    return {} if unscored else {"confidence": min(max(prediction.score, 0.0), 1.0)}


def _unknown_fields(prediction: Prediction, known: set[str]) -> dict[str, Any]:
    """Return the fields of the attribute ``extra``, unless we know them."""
    extra = accepted(prediction.attributes, {"extra": mapping}).get("extra", {})
    return {key: value for key, value in extra.items() if key not in known}


# Writing the parameters of a job.


def implied_parameters(explanations: Iterable[Explanation]) -> dict[str, Any]:
    """Return the parameters that follow from predictions: those in which all predictions of a feature agree."""
    by_feature: dict[str, list[dict[str, Any]]] = {}
    for explanation in explanations:
        for prediction in explanation.predictions:
            threshold = {} if prediction.threshold is None else {"threshold": prediction.threshold}
            scale = accepted(prediction.attributes, {"scale": _SCALE}).get("scale", {})
            by_feature.setdefault(_parameters_key(_feature(prediction)), []).append({**scale, **threshold})
    return {
        key: parameters[0]
        for key, parameters in by_feature.items()
        if parameters[0] and all(other == parameters[0] for other in parameters)
    }


def without_unmet_thresholds(parameters: dict[str, Any], files: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Drop thresholds that are out of range or above a confidence among the written predictions of some files."""
    remaining = dict(parameters)
    for feature, confidence in _least_confidences(files).items():
        key = _parameters_key(feature)
        threshold = remaining.get(key, {}).get("threshold")
        if threshold is not None and not 0 <= threshold <= confidence:
            remaining[key] = {name: value for name, value in remaining[key].items() if name != "threshold"}
    # Parameters that were empty from the start stay.
    return {key: value for key, value in remaining.items() if value or (key in parameters and not parameters[key])}


def _least_confidences(files: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return the least confidence of each feature that has a prediction."""
    least: dict[str, float] = {}
    for predictions in files:
        for feature in FEATURES:
            for entry in predictions.get(_list_key(feature), ()):
                confidence = entry.get("objectDetection", entry).get("confidence", 1.0)
                least[feature] = min(confidence, least.get(feature, 1.0))
    return least
