"""Modzy's explainability object: what a model says about one input, and why.

::

    {"modelType": "objectDetection",
     "result": {"detections": [{"class": "cat", "score": 0.9, "xmin": 0.1, "ymin": 0.2, "xmax": 0.5, "ymax": 0.8}]},
     "explanation": {"maskRLE": [[5, 3, 8]], "dimensions": {"height": 4, "width": 4}},
     "drift": {"layer1": 0.2}}

``detections`` are fractions of the image; of older models, ``images[].detections`` are read and written, which are in
pixels. A segment is a class prediction with its own ``maskRLE``, and ``result.dimensions``: the result is free-form,
and this is our use of that. Whatever else the result, its predictions and the object hold is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Attribution, Box, Explanation, Mask, Prediction, Source, Word, WordScores
from xplain.explanation.regions import LengthUnit
from xplain.explanation.words import SplitText
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    choice,
    integer,
    listing,
    mapping,
    nullable,
    number,
    record,
    string,
    table,
)
from xplain.kernels import rle

FORMAT = "modzy"

TASKS = {
    "image-classification": "imageClassification",
    "image-segmentation": "imageSegmentation",
    "object-detection": "objectDetection",
    "text-classification": "textClassification",
}
"""The ``modelType`` of each task."""

_MODEL_TYPES = {model_type: task for task, model_type in TASKS.items()}
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def encode_object(explanation: Explanation) -> dict[str, Any]:
    """Turn a fitted explanation into an explainability object."""
    others = dict(explanation.attributes.get(FORMAT, {}))
    result = {**others.pop("result", {}), **_encode_result(explanation)}
    encode = _encode_words if explanation.source.kind == "text" else _encode_masks
    own = {"modelType": TASKS[explanation.task], "result": result, "explanation": encode(explanation)}
    return {**own, **{key: value for key, value in others.items() if key not in own}}


def _encode_result(explanation: Explanation) -> dict[str, Any]:
    """Write predictions where their kind of region belongs."""
    found: dict[str, list[dict[str, Any]]] = {"classes": [], "fraction": [], "pixel": []}
    size = None
    for prediction in explanation.predictions:
        region = prediction.region
        entry = {**prediction.attributes, "class": prediction.name, "score": prediction.score}
        match region:
            case Box():
                corners = dict(zip(_CORNERS, (region.x0, region.y0, region.x1, region.y1), strict=True))
                found[region.unit].append({**entry, **corners})
            case Mask():
                size = size or (region.height, region.width)
                runs = {"maskRLE": region.counts.tolist()} if (region.height, region.width) == size else {}
                found["classes"].append({**entry, **runs})
            case _:
                found["classes"].append(entry)
    boxes = explanation.task == "object-detection"
    result: dict[str, Any] = {"detections": found["fraction"]} if boxes else {}
    if found["classes"] or not boxes:
        result["classPredictions"] = found["classes"]
    if found["pixel"]:
        names = {"class": "className", "score": "probability"}
        renamed = [{names.get(key, key): value for key, value in entry.items()} for entry in found["pixel"]]
        result["images"] = [{"detections": renamed}]
    return result if size is None else {**result, "dimensions": {"height": size[0], "width": size[1]}}


def _encode_masks(explanation: Explanation) -> dict[str, Any] | None:
    masks = [attribution.evidence for attribution in explanation.attributions if isinstance(attribution.evidence, Mask)]
    if not masks:
        return None
    return {
        "maskRLE": [mask.counts.tolist() for mask in masks],
        "dimensions": {"height": masks[0].height, "width": masks[0].width},
    }


def _encode_words(explanation: Explanation) -> dict[str, Any] | None:
    if not explanation.attributions and explanation.source.text is None:
        return None
    importances = {
        attribution.target.name: [
            {"word": word.text, "score": word.score} | ({} if word.index is None else {"index": word.index})
            for word in attribution.evidence.words
        ]
        for attribution in explanation.attributions
        if isinstance(attribution.evidence, WordScores)
    }
    text = explanation.source.text
    return {"wordImportances": importances} | ({} if text is None else {"explainableText": text})


# Reading.


def _number(at: At) -> float:
    """Read a number or its text."""
    if isinstance(at.value, str):
        if not _NUMBER.fullmatch(at.value):
            raise at.rejected("a finite number")
        return number(At(float(at.value), at.parent, at.key))
    return number(at)


def _side(at: At) -> int:
    """Read a length in pixels or its text."""
    if isinstance(at.value, str) and re.fullmatch("[0-9]{1,10}", at.value):
        return int(at.value)
    return integer(0)(at)


_SIZE: Reader[tuple[int, int]] = record(lambda height, width: (height, width), height=_side, width=_side)


def _mask(at: At, size: tuple[int, int]) -> Mask:
    return at.build(lambda: Mask(rle.check(at.value, *size), *size))


def _box(unit: LengthUnit) -> Callable[..., Prediction]:
    def make(label: str, score: float, rest: dict[str, Any], **corners: float) -> Prediction:
        box = Box(corners["xmin"], corners["ymin"], corners["xmax"], corners["ymax"], unit)
        return Prediction((label,), score, region=box, attributes=rest)

    return make


@dataclass(frozen=True, slots=True)
class _Class:
    label: str
    score: float
    runs: list[Any] | None
    rest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Result:
    classes: tuple[_Class, ...] = ()
    detections: tuple[Prediction, ...] = ()
    images: tuple[tuple[Prediction, ...], ...] = ()
    size: tuple[int, int] | None = None
    rest: dict[str, Any] | None = None


_SIDES: dict[str, Reader[Any]] = dict.fromkeys(_CORNERS, _number)
_CLASS = record(_Class, rest={}, label=Field(string, "class"), score=_number, runs=nullable(listing, key="maskRLE"))
_DETECTION = record(_box("fraction"), rest={}, label=Field(string, "class"), score=_number, **_SIDES)
_OLD_DETECTION = record(
    _box("pixel"), rest={}, label=Field(string, "className"), score=Field(_number, "probability"), **_SIDES
)
_IMAGE: Reader[tuple[Prediction, ...]] = record(lambda detections: detections, detections=array(_OLD_DETECTION))
_RESULT = record(
    _Result,
    rest={},
    classes=nullable(array(_CLASS), (), key="classPredictions"),
    detections=nullable(array(_DETECTION), ()),
    images=nullable(array(_IMAGE), ()),
    size=nullable(_SIZE, key="dimensions"),
)


def _predictions(at: At, result: _Result) -> tuple[Prediction, ...]:
    found = []
    for i, entry in enumerate(result.classes):
        region = None
        if entry.runs is not None:
            if result.size is None:
                raise at["dimensions"].rejected("the size of the masks of classPredictions")
            region = _mask(at["classPredictions"][i]["maskRLE"], result.size)
        found.append(Prediction((entry.label,), entry.score, region=region, attributes=entry.rest))
    return (*found, *result.detections, *(one for image in result.images for one in image))


@dataclass(frozen=True, slots=True)
class _Masks:
    masks: tuple[Mask, ...]
    height: int
    width: int


def _read_masks(at: At) -> _Masks:
    runs, size = _RUNS(at)

    def mask(at: At) -> Mask:
        return _mask(at, size)

    nested = not runs or any(isinstance(run, list) for run in runs)
    place = at["maskRLE"]
    return _Masks(array(mask)(place) if nested else (mask(place),), *size)


_RUNS: Reader[tuple[list[Any], tuple[int, int]]] = record(
    lambda runs, size: (runs, size), runs=Field(listing, "maskRLE"), size=Field(_SIZE, "dimensions")
)


@dataclass(frozen=True, slots=True)
class _Words:
    importances: dict[str, tuple[Word, ...]]
    text: str | None


def _text(at: At) -> str | None:
    """Read the explained text, of which an empty object stands for none."""
    return None if at.value == {} else string(at)


_WORD = record(Word, text=Field(string, "word"), score=_number, index=nullable(integer(0)))
_WORDS = record(
    _Words,
    importances=Field(table(array(_WORD)), "wordImportances"),
    text=nullable(_text, key="explainableText"),
)


def _evidence(at: At) -> _Masks | _Words | None:
    keys = mapping(at).keys()
    if "wordImportances" in keys:
        return _WORDS(at)
    if "maskRLE" in keys:
        return _read_masks(at)
    if keys:
        raise at.rejected("an object with maskRLE or wordImportances, an empty one or null")
    return None


def _word_attributions(evidence: _Words, predictions: tuple[Prediction, ...]) -> tuple[Attribution, ...]:
    split = None if evidence.text is None else SplitText(evidence.text)
    targets: dict[str, Prediction] = {}
    for prediction in predictions:
        targets.setdefault(prediction.name, prediction)

    def placed(word: Word) -> Word:
        if split is None or word.index is None:
            return word
        return replace(word, index=split.place(word.text, word.index))

    return tuple(
        Attribution(targets.get(name) or Prediction((name,), 0.0), WordScores(tuple(map(placed, words))))
        for name, words in evidence.importances.items()
    )


@dataclass(frozen=True, slots=True)
class _Object:
    model_type: str | None
    result: _Result
    evidence: _Masks | _Words | None
    rest: dict[str, Any]


_OBJECT = record(
    _Object,
    rest={},
    model_type=nullable(choice(*_MODEL_TYPES), key="modelType"),
    result=nullable(_RESULT, _Result()),
    evidence=nullable(_evidence, key="explanation"),
)


def read_object(at: At) -> Explanation:
    """Read an explainability object."""
    found = _OBJECT(at)
    predictions = _predictions(at["result"], found.result)
    others = {key: value for key, value in found.rest.items() if value is not None}
    free = dict(found.result.rest or {})
    if found.result.size is not None and not any(isinstance(p.region, Mask) for p in predictions):
        free["dimensions"] = at.value["result"]["dimensions"]
    if free:
        others["result"] = free
    return at.build(_explanation, found, predictions, {FORMAT: others} if others else {})


def _explanation(found: _Object, predictions: tuple[Prediction, ...], attributes: dict[str, Any]) -> Explanation:
    evidence, task = found.evidence, _task(found)
    if isinstance(evidence, _Words):
        source = Source("text", text=evidence.text)
        return Explanation(task, source, predictions, _word_attributions(evidence, predictions), attributes=attributes)
    if evidence is None:
        kind = "text" if task == "text-classification" else "image"
        return Explanation(task, Source(kind), predictions, attributes=attributes)
    if evidence.masks and not predictions:
        raise DocumentError("must hold the class that the masks explain, got none", path="$.result.classPredictions")
    source = Source("image", height=evidence.height, width=evidence.width)
    masks = tuple(Attribution(predictions[0], mask) for mask in evidence.masks)
    return Explanation(task, source, predictions, masks, attributes=attributes)


def _task(found: _Object) -> str:
    """Take the task that is said, else what the evidence or the result is of, else image classification."""
    words = isinstance(found.evidence, _Words)
    if found.model_type is None:
        boxes = found.result.detections or found.result.images
        return "text-classification" if words else "object-detection" if boxes else "image-classification"
    task = _MODEL_TYPES[found.model_type]
    if found.evidence is not None and (task == "text-classification") != words:
        what = "words" if words else "masks"
        raise DocumentError(f"must go with the explanation, got {found.model_type!r} and {what}", path="$.modelType")
    return task
