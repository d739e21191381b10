"""Cognite's lists of predictions: texts, asset tags, people, objects, gauges and valves.

A prediction says with the attribute ``feature`` from which list it is; without it, it is an industrial object. Its
threshold and the scale of a gauge are the job's parameters of that feature. A prediction that a document gives no
confidence has score 1 and the attribute ``unscored``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xplain.explanation import Explanation, Prediction, Source
from xplain.formatters.cognite.shapes import (
    ASSET,
    ATTRIBUTES,
    FRACTION,
    GEOMETRY_FIELDS,
    KEYPOINTS,
    LABEL,
    MAX_LABEL,
    OBJECT_REGION,
    RECTANGLE,
    Shape,
    shape,
    write_rectangle,
    write_shape,
)
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    boolean,
    integer,
    keep,
    mapping,
    nullable,
    number,
    optional,
    problems,
    record,
)

FORMAT = "cognite"

DEFAULT = "industrialObject"
HELD = (
    "feature",
    "unscored",
    "closed",
    "regionConfidence",
    "pointConfidences",
    "attributes",
    "assetRef",
    "objectRegion",
    "keypoints",
    "scale",
    "extra",
)
"""The attributes of a prediction that a document holds."""

#: Parameters of a gauge that say what its reading means.
_SCALE = ("minLevel", "maxLevel", "deadAngle", "nonLinAngle")
_TEXTS = ("text", "assetTag")

_THRESHOLD = {"threshold": nullable(FRACTION)}
_LEVELS: dict[str, Reader[Any]] = {"minLevel": nullable(number), "maxLevel": nullable(number)}
_DIAL: dict[str, Reader[Any]] = {**_LEVELS, "deadAngle": nullable(number), "nonLinAngle": nullable(number)}
_SCALE_OF_DIAL = keep(_DIAL)
_COUNTS: dict[str, Reader[Any]] = dict.fromkeys(("commaPos", "minNumDigits", "maxNumDigits"), nullable(integer(0)))
_OWN_PARAMETERS: dict[str, dict[str, Reader[Any]]] = {
    "assetTag": {"partialMatch": nullable(boolean), "assetSubtreeIds": nullable(array(integer()))},
    "dialGauge": _DIAL,
    "levelGauge": _LEVELS,
    "digitalGauge": _COUNTS,
}


def _scored(**fields: Any) -> dict[str, Any]:
    """Give the arguments of a Prediction, of which the confidence may be missing."""
    confidence, attributes = fields.pop("confidence"), fields.pop("rest")
    attributes = {"extra": attributes} if attributes else {}
    if confidence is None:
        attributes["unscored"] = True
    return {"score": 1.0 if confidence is None else confidence, "attributes": attributes, **fields}


def _placed(found: dict[str, Any], place: Shape, **more: Any) -> dict[str, Any]:
    said = {name: value for name, value in more.items() if value is not None}
    return {**found, "region": place.region, "attributes": {**found["attributes"], **place.attributes, **said}}


_TEXT = record(
    _scored, rest={}, label=Field(LABEL, "text"), place=Field(RECTANGLE, "textRegion"), confidence=nullable(FRACTION)
)
_ASSET = record(
    _scored,
    rest={},
    label=Field(LABEL, "text"),
    place=Field(RECTANGLE, "textRegion"),
    asset=Field(ASSET, "assetRef"),
    object_region=nullable(OBJECT_REGION, key="objectRegion"),
    confidence=nullable(FRACTION),
)
_OBJECT = record(
    _scored,
    rest={},
    label=LABEL,
    confidence=nullable(FRACTION),
    said=nullable(ATTRIBUTES, key="attributes"),
    **GEOMETRY_FIELDS,
)


def _text(at: At) -> dict[str, Any]:
    found = _TEXT(at)
    return _placed(found, found.pop("place"))


def _asset(at: At) -> dict[str, Any]:
    found = _ASSET(at)
    more = {"assetRef": found.pop("asset"), "objectRegion": found.pop("object_region")}
    return _placed(found, found.pop("place"), **more)


def _object(at: At) -> dict[str, Any]:
    found = _OBJECT(at)
    place = shape(at, {key: found.pop(key) for key in GEOMETRY_FIELDS})
    return _placed(found, place, attributes=found.pop("said"))


def _with_keypoints(found: dict[str, Any], keypoints: dict[str, Any]) -> dict[str, Any]:
    return {**found, "attributes": {**found["attributes"], "keypoints": keypoints}}


_KEYED: Reader[dict[str, Any]] = record(
    _with_keypoints, found=Field(_object, "objectDetection"), keypoints=Field(KEYPOINTS, "keypointCollection")
)

FEATURES: dict[str, Reader[dict[str, Any]]] = {
    "text": _text,
    "assetTag": _asset,
    "people": _object,
    DEFAULT: _object,
    "personalProtectiveEquipment": _object,
    "digitalGauge": _object,
    "dialGauge": _KEYED,
    "levelGauge": _KEYED,
    "valve": _KEYED,
}
"""Reader of one prediction of each feature; the document's list is named ``<feature>Predictions``."""

PARAMETERS: Reader[dict[str, Any]] = keep(
    {
        f"{feature}DetectionParameters": optional(keep({**_THRESHOLD, **_OWN_PARAMETERS.get(feature, {})}))
        for feature in FEATURES
    }
)
"""Parameters of each feature, as they stand."""


def read_explanation(parameters: dict[str, Any]) -> Reader[Explanation]:
    """Make a reader of the predictions of one file, given the job's parameters."""
    lists = {f"{feature}Predictions": optional(array(_list(feature, parameters))) for feature in FEATURES}

    def make(rest: dict[str, Any], **found: tuple[Prediction, ...] | None) -> Explanation:
        predictions = tuple(prediction for listed in found.values() for prediction in listed or ())
        # An empty list says that the feature was looked for.
        own = {**rest, **{key: [] for key, listed in found.items() if listed == ()}}
        return Explanation("object-detection", Source("image"), predictions, attributes={FORMAT: own} if own else {})

    return record(make, rest={}, **lists)


def _list(feature: str, parameters: dict[str, Any]) -> Reader[Prediction]:
    own = parameters.get(f"{feature}DetectionParameters", {})
    threshold = own.get("threshold")
    scale = {name: own[name] for name in _SCALE if own.get(name) is not None}
    said: dict[str, Any] = {} if feature == DEFAULT else {"feature": feature}
    said |= {"scale": scale} if scale else {}
    read_one = FEATURES[feature]

    def read(at: At) -> Prediction:
        found = read_one(at)
        attributes = {**said, **found.pop("attributes")}
        if threshold is not None and found["score"] < threshold:
            place = at["objectDetection"] if read_one is _KEYED else at
            raise place["confidence"].rejected(f"at least the threshold of the feature, {threshold!r}")
        return at.build(Prediction, attributes=attributes, threshold=threshold, **found)

    return read


# Writing.


def encode_explanation(explanation: Explanation) -> dict[str, Any]:
    """Write the predictions of one file."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for prediction in explanation.predictions:
        feature = _feature(prediction)
        lists.setdefault(f"{feature}Predictions", []).append(_encode(prediction, feature))
    return {**explanation.attributes.get(FORMAT, {}), **lists}


def _feature(prediction: Prediction) -> str:
    """Say in which list a prediction is written: that of its feature if it has what an entry there must have."""
    feature = prediction.attributes.get("feature", DEFAULT)
    if not isinstance(feature, str) or feature not in FEATURES:
        return DEFAULT
    if FEATURES[feature] is _KEYED:
        return feature if _held(prediction, "keypoints", KEYPOINTS) else DEFAULT
    if feature in _TEXTS:
        placed = write_rectangle(prediction.region, {}) is not None
        linked = feature == "text" or _held(prediction, "assetRef", ASSET)
        return feature if placed and linked else DEFAULT
    return feature


def _held(prediction: Prediction, name: str, reader: Reader[Any]) -> dict[str, Any]:
    """Give an attribute if a document may hold it, as one entry; else none."""
    value = prediction.attributes.get(name)
    return {} if value is None or problems(reader, value) else {name: value}


def _encode(prediction: Prediction, feature: str) -> dict[str, Any]:
    attributes, label = prediction.attributes, prediction.name[:MAX_LABEL] or "unnamed"
    extra = _held(prediction, "extra", mapping).get("extra", {})
    unscored = attributes.get("unscored") is True and prediction.score == 1
    scored = {} if unscored else {"confidence": min(max(prediction.score, 0.0), 1.0)}
    if feature in _TEXTS:
        entry = {"text": label, "textRegion": write_rectangle(prediction.region, attributes), **scored}
        if feature == "assetTag":
            entry |= _held(prediction, "assetRef", ASSET) | _held(prediction, "objectRegion", OBJECT_REGION)
        return {**_unknown(extra, entry, _TEXT_KEYS), **entry}
    entry = {"label": label, **scored, **_held(prediction, "attributes", ATTRIBUTES)}
    entry |= write_shape(prediction.region, attributes)
    entry = {**_unknown(extra, entry, _OBJECT_KEYS), **entry}
    if FEATURES[feature] is _KEYED:
        return {"objectDetection": entry, "keypointCollection": attributes["keypoints"]}
    return entry


_TEXT_KEYS = {"text", "textRegion", "confidence", "assetRef", "objectRegion"}
_OBJECT_KEYS = {"label", "confidence", "attributes", *GEOMETRY_FIELDS}


def _unknown(extra: dict[str, Any], entry: dict[str, Any], known: set[str]) -> dict[str, Any]:
    return {key: value for key, value in extra.items() if key not in known}


def implied(explanations: Iterable[Explanation]) -> dict[str, Any]:
    """Say which parameters the predictions of a job tell: those in which all of a feature agree."""
    told: dict[str, list[dict[str, Any]]] = {}
    for explanation in explanations:
        for prediction in explanation.predictions:
            threshold = {} if prediction.threshold is None else {"threshold": prediction.threshold}
            scale = _held(prediction, "scale", _SCALE_OF_DIAL).get("scale", {})
            key = f"{_feature(prediction)}DetectionParameters"
            told.setdefault(key, []).append({**scale, **threshold})
    return {key: own[0] for key, own in told.items() if own[0] and all(one == own[0] for one in own)}


def settled(parameters: dict[str, Any], lists: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Leave out thresholds that are none, or that a written prediction does not reach."""
    least: dict[str, float] = {}
    for predictions in lists:
        for feature in FEATURES:
            for entry in predictions.get(f"{feature}Predictions", ()):
                score = entry.get("objectDetection", entry).get("confidence", 1.0)
                least[feature] = min(score, least.get(feature, 1.0))
    kept = dict(parameters)
    for feature, score in least.items():
        key = f"{feature}DetectionParameters"
        own = kept.get(key, {})
        if own.get("threshold") is not None and not 0 <= own["threshold"] <= score:
            kept[key] = {name: value for name, value in own.items() if name != "threshold"}
    return {key: own for key, own in kept.items() if own or (key in parameters and not parameters[key])}
