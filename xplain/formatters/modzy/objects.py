"""Modzy's explainability object: what a model predicts for one input, and why.

::

    {"modelType": "objectDetection",
     "result": {"detections": [{"class": "cat", "score": 0.9, "xmin": 0.1, "ymin": 0.2, "xmax": 0.5, "ymax": 0.8}]},
     "explanation": {"maskRLE": [[5, 3, 8]], "dimensions": {"height": 4, "width": 4}},
     "drift": {"layer1": 0.2}}

``detections`` are in fractions of the image; the ``images[].detections`` of older models are in pixels, and so are
boxes of an image whose size is not known. Beside detections, ``classPredictions`` give the best score of each class;
those that say just this are no predictions of their own. A segment is a class prediction with a ``maskRLE`` of its own,
whose size is ``result.dimensions``: Modzy leaves the result free-form, and this is our use of that.

Masks explain the first prediction. Where one explains another, a key of ours says which, mask by mask: ``maskTargets``,
with the name of the class and either the index of the ``prediction`` (of classPredictions, then detections) or, if it
is none of these, its ``score``.

``index`` is the position of a word in the text split on white space or, if that is what fits all words of a document,
the number of the occurrence of this word. Words of an ``explainableText`` must be found in it.

Further fields are kept: those of a prediction in its ``attributes``, those of the result and the object in
``attributes["modzy"]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Attribution, Box, Explanation, Mask, Prediction, Source, Word, WordScores
from xplain.explanation.regions import LengthUnit
from xplain.explanation.words import SplitText
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.places import At, Problem, Rejected
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
#: A number as text; the lengths are bounded, so that it converts quickly.
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
#: Our key beside the masks for what they explain.
_TARGETS = "maskTargets"


def is_object(value: Any) -> bool:
    """Whether a value looks like an explainability object."""
    if not isinstance(value, dict):
        return False
    result, explanation = value.get("result"), value.get("explanation")
    has_predictions = isinstance(result, dict) and ("classPredictions" in result or "detections" in result)
    return (
        "modelType" in value
        or has_predictions
        or (isinstance(result, dict) and "explanation" in value)
        or (isinstance(explanation, dict) and ("maskRLE" in explanation or "wordImportances" in explanation))
    )


def encode_object(explanation: Explanation) -> dict[str, Any]:
    """Turn a fitted explanation into an explainability object."""
    extras = extras_of(explanation.attributes, FORMAT, {"result": mapping, "explanation": mapping})
    result = {**extras.pop("result", {}), **_encode_result(explanation)}
    encode_evidence = _encode_words if explanation.source.kind == "text" else _encode_masks
    evidence = encode_evidence(explanation)
    if beside := extras.pop("explanation", None):
        evidence = {**beside, **(evidence or {})}
    fields = {"modelType": TASKS[explanation.task], "result": result, "explanation": evidence}
    return {**fields, **{key: value for key, value in extras.items() if key not in fields}}


def _encode_result(explanation: Explanation) -> dict[str, Any]:
    """Write the predictions: boxes as detections, others as classes."""
    classes: list[dict[str, Any]] = []
    detections: dict[LengthUnit, list[dict[str, Any]]] = {"fraction": [], "pixel": []}
    size = None
    for prediction in _in_written_order(explanation):
        region = prediction.region
        entry = {**prediction.attributes, "class": prediction.name, "score": prediction.score}
        match region:
            case Box():
                corners = dict(zip(_CORNERS, (region.x0, region.y0, region.x1, region.y1), strict=True))
                detections[region.unit].append({**entry, **corners})
            case Mask():
                # There is one size for all masks: a mask of another size is left out, which fitting reports as a loss.
                size = size or (region.height, region.width)
                runs = {"maskRLE": region.counts.tolist()} if (region.height, region.width) == size else {}
                classes.append({**entry, **runs})
            case _:
                classes.append(entry)
    is_detection = explanation.task == "object-detection"
    result: dict[str, Any] = {"detections": detections["fraction"]} if is_detection else {}
    result["classPredictions"] = classes or _best_of_each_class(explanation.predictions)
    if detections["pixel"]:
        old_names = {"class": "className", "score": "probability"}
        renamed = [{old_names.get(key, key): value for key, value in entry.items()} for entry in detections["pixel"]]
        result["images"] = [{"detections": renamed}]
    return result if size is None else {**result, "dimensions": {"height": size[0], "width": size[1]}}


def _in_written_order(explanation: Explanation) -> list[Prediction]:
    """Return the predictions as a document lists them: classes, boxes in fractions, boxes in pixels."""

    def place(prediction: Prediction) -> int:
        region = prediction.region
        return 0 if not isinstance(region, Box) else 1 if region.unit == "fraction" else 2

    return sorted(explanation.predictions, key=place)


def _best_of_each_class(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    """Write the best score of each class of some detections, by decreasing score."""
    best: dict[str, float] = {}
    for prediction in predictions:
        if isinstance(prediction.region, Box):
            best[prediction.name] = max(prediction.score, best.get(prediction.name, prediction.score))
    return [{"class": name, "score": score} for name, score in sorted(best.items(), key=lambda entry: -entry[1])]


def _encode_masks(explanation: Explanation) -> dict[str, Any] | None:
    pairs = [(each.target, each.evidence) for each in explanation.attributions if isinstance(each.evidence, Mask)]
    if not pairs:
        return None
    (_, first), predictions = pairs[0], _in_written_order(explanation)
    document = {
        "maskRLE": [mask.counts.tolist() for _, mask in pairs],
        "dimensions": {"height": first.height, "width": first.width},
    }
    if not predictions or any(target != predictions[0] for target, _ in pairs):
        document[_TARGETS] = [_encode_target(target, predictions) for target, _ in pairs]
    return document


def _encode_target(target: Prediction, predictions: Sequence[Prediction]) -> dict[str, Any]:
    how = {"prediction": predictions.index(target)} if target in predictions else {"score": target.score}
    return {"class": target.name, **how}


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


def _read_number(at: At) -> float:
    """Read a number, or a string that spells one."""
    if isinstance(at.value, str):
        if not _NUMBER.fullmatch(at.value):
            raise at.rejected("a finite number")
        return number(At(float(at.value), at.parent, at.key))
    return number(at)


def _read_side(at: At) -> int:
    """Read a length in pixels, or a string that spells one."""
    if isinstance(at.value, str) and re.fullmatch("[0-9]{1,10}", at.value):
        return int(at.value)
    return integer(0)(at)


_SIZE: Reader[tuple[int, int]] = record(lambda height, width: (height, width), height=_read_side, width=_read_side)


def _read_mask(at: At, size: tuple[int, int]) -> Mask:
    return at.build(lambda: Mask(rle.check(at.value, *size), *size))


def _box_maker(unit: LengthUnit) -> Callable[..., Prediction]:
    """Make the constructor of a prediction with a box in this unit."""

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


_COORDINATES: dict[str, Reader[Any]] = dict.fromkeys(_CORNERS, _read_number)
_CLASS = record(
    _Class, rest={}, label=Field(string, "class"), score=_read_number, runs=nullable(listing, key="maskRLE")
)
_DETECTION = record(_box_maker("fraction"), rest={}, label=Field(string, "class"), score=_read_number, **_COORDINATES)
_OLD_DETECTION = record(
    _box_maker("pixel"),
    rest={},
    label=Field(string, "className"),
    score=Field(_read_number, "probability"),
    **_COORDINATES,
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


def _make_predictions(at: At, result: _Result) -> tuple[Prediction, ...]:
    """Make the predictions of a result; the place is that of the result, for messages."""
    detections = (*result.detections, *(detection for image in result.images for detection in image))
    if _says_best_scores(result.classes, detections):
        return detections
    classes = []
    for i, entry in enumerate(result.classes):
        region = None
        if entry.runs is not None:
            if result.size is None:
                raise at["dimensions"].rejected("the size of the masks of classPredictions")
            region = _read_mask(at["classPredictions"][i]["maskRLE"], result.size)
        classes.append(Prediction((entry.label,), entry.score, region=region, attributes=entry.rest))
    return (*classes, *detections)


def _says_best_scores(classes: Sequence[_Class], detections: Sequence[Prediction]) -> bool:
    """Whether class predictions say just the best score of each class of the detections."""
    if not detections or any(entry.runs is not None or entry.rest for entry in classes):
        return False
    best = [(entry["class"], entry["score"]) for entry in _best_of_each_class(detections)]
    return best == [(entry.label, entry.score) for entry in classes]


@dataclass(frozen=True, slots=True)
class _Target:
    """What a mask explains: a class, and either the index of its prediction or its score."""

    label: str
    index: int | None
    score: float | None


@dataclass(frozen=True, slots=True)
class _Masks:
    masks: tuple[Mask, ...]
    height: int
    width: int
    targets: tuple[_Target, ...] | None
    rest: dict[str, Any]


def _read_masks(at: At) -> _Masks:
    """Read the masks of an image; ``maskRLE`` is a list of masks or, as some models write it, a single mask."""
    runs, size, targets, rest = _RUNS_AND_SIZE(at)
    read_mask = partial(_read_mask, size=size)
    is_list = not runs or any(isinstance(run, list) for run in runs)
    place = at["maskRLE"]
    masks = array(read_mask)(place) if is_list else (read_mask(place),)
    if targets is not None and len(targets) != len(masks):
        raise at[_TARGETS].rejected(f"an array of {len(masks)}, one for each mask")
    if not masks:  # then there is nothing that the size is of
        rest = {**rest, "maskRLE": [], "dimensions": at.value["dimensions"]}
    return _Masks(masks, *size, targets, rest)


_TARGET = record(
    _Target, label=Field(string, "class"), index=nullable(integer(0), key="prediction"), score=nullable(number)
)
_RUNS_AND_SIZE: Reader[tuple[list[Any], tuple[int, int], tuple[_Target, ...] | None, dict[str, Any]]] = record(
    lambda runs, size, targets, rest: (runs, size, targets, rest),
    rest={},
    runs=Field(listing, "maskRLE"),
    size=Field(_SIZE, "dimensions"),
    targets=nullable(array(_TARGET), key=_TARGETS),
)


@dataclass(frozen=True, slots=True)
class _Words:
    importances: dict[str, tuple[Word, ...]]
    text: str | None
    rest: dict[str, Any]


def _read_text(at: At) -> str | None:
    """Read the explained text; an empty object stands for none."""
    return None if at.value == {} else string(at)


_WORD = record(Word, text=Field(string, "word"), score=_read_number, index=nullable(integer(0)))
_WORDS = record(
    _Words,
    rest={},
    importances=Field(table(array(_WORD)), "wordImportances"),
    text=nullable(_read_text, key="explainableText"),
)


def _read_words(at: At) -> _Words:
    """Read word scores, whose words and indices must refer to the text if that is given."""
    words = _WORDS(at)
    if words.text is None:
        return words
    split, place = SplitText(words.text), at["wordImportances"]
    # A document does not say which reading of an index it follows: the one that fits best.
    placed, problems = _place_words(place, words, split, split.position)
    if problems:
        by_occurrence, others = _place_words(place, words, split, split.occurrence)
        if others:
            raise Rejected(problems)
        placed = by_occurrence
    return replace(words, importances=placed)


def _place_words(
    at: At, words: _Words, split: SplitText, find: Callable[[str, int], int | None]
) -> tuple[dict[str, tuple[Word, ...]], list[Problem]]:
    """Resolve each index to a position in the text split on white space, by one reading of the index."""
    importances: dict[str, tuple[Word, ...]] = {}
    wrong: list[Problem] = []
    for name, of_class in words.importances.items():
        placed = []
        for i, word in enumerate(of_class):
            index = None if word.index is None else find(word.text, word.index)
            if not split.holds(word.text):
                wrong.append(at[name][i]["word"].problem("a word of explainableText"))
            elif word.index is not None and index is None:
                wrong.append(at[name][i]["index"].problem(f"the index of {word.text!r:.60} in explainableText"))
            placed.append(replace(word, index=index))
        importances[name] = tuple(placed)
    return importances, wrong


def _read_evidence(at: At) -> _Masks | _Words | None:
    keys = mapping(at).keys()
    if "wordImportances" in keys:
        return _read_words(at)
    if "maskRLE" in keys:
        return _read_masks(at)
    if keys:
        raise at.rejected("an object with maskRLE or wordImportances, an empty one or null")
    return None


def _word_attributions(evidence: _Words, predictions: tuple[Prediction, ...]) -> tuple[Attribution, ...]:
    """Make an attribution for each class; the target is the first prediction of the class."""
    targets: dict[str, Prediction] = {}
    for prediction in predictions:
        targets.setdefault(prediction.name, prediction)
    # A class without a prediction has score 0, since its score is not known.
    return tuple(
        Attribution(targets.get(name) or Prediction((name,), 0.0), WordScores(words))
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
    evidence=nullable(_read_evidence, key="explanation"),
)


def read_object(at: At) -> Explanation:
    """Read an explainability object."""
    document = _OBJECT(at)
    predictions = _make_predictions(at["result"], document.result)
    extras = {key: value for key, value in document.rest.items() if value is not None}
    result_extras = dict(document.result.rest or {})
    has_masks = any(isinstance(prediction.region, Mask) for prediction in predictions)
    if document.result.size is not None and not has_masks:  # else they are written with the masks
        result_extras["dimensions"] = at.value["result"]["dimensions"]
    if result_extras:
        extras["result"] = result_extras
    if document.evidence is not None and document.evidence.rest:
        extras["explanation"] = document.evidence.rest
    return at.build(_make_explanation, document, predictions, attributes_of(extras, FORMAT))


def _make_explanation(
    document: _Object, predictions: tuple[Prediction, ...], attributes: dict[str, Any]
) -> Explanation:
    evidence, task = document.evidence, _find_task(document)
    if isinstance(evidence, _Words):
        source = Source("text", text=evidence.text)
        return Explanation(task, source, predictions, _word_attributions(evidence, predictions), attributes=attributes)
    if evidence is None or not evidence.masks:
        kind = "text" if task == "text-classification" else "image"
        return Explanation(task, Source(kind), predictions, attributes=attributes)
    source = Source("image", height=evidence.height, width=evidence.width)
    attributions = map(Attribution, _mask_targets(evidence, predictions), evidence.masks)
    return Explanation(task, source, predictions, tuple(attributions), attributes=attributes)


def _mask_targets(evidence: _Masks, predictions: tuple[Prediction, ...]) -> list[Prediction]:
    """Return what each mask explains: the first prediction, unless our own key says otherwise."""
    if evidence.targets is not None:
        return [_mask_target(i, target, predictions) for i, target in enumerate(evidence.targets)]
    if evidence.masks and not predictions:
        raise DocumentError("must hold the class that the masks explain, got none", path="$.result.classPredictions")
    return [predictions[0] for _ in evidence.masks]


def _mask_target(i: int, target: _Target, predictions: tuple[Prediction, ...]) -> Prediction:
    path = f"$.explanation.{_TARGETS}[{i}]"
    if target.score is not None and target.index is None:
        return Prediction((target.label,), target.score)
    if target.index is None:
        named = (prediction for prediction in predictions if prediction.name == target.label)
        return next(named, None) or Prediction((target.label,), 0.0)
    if target.index >= len(predictions):
        expected = f"must be the index of one of {len(predictions)} predictions"
        raise DocumentError(f"{expected}, got {target.index}", path=f"{path}.prediction")
    found = predictions[target.index]
    if found.name != target.label:
        got = f"{target.label!r:.60}"
        raise DocumentError(f"must be the class of prediction {target.index}, {found.name!r:.60}, got {got}", path=path)
    return found


def _find_task(document: _Object) -> str:
    """Return the task of ``modelType``; without one, the task that goes with the evidence or the result."""
    has_words = isinstance(document.evidence, _Words)
    if document.model_type is None:
        if has_words:
            return "text-classification"
        if document.result.detections or document.result.images:
            return "object-detection"
        has_segments = any(entry.runs is not None for entry in document.result.classes)
        return "image-segmentation" if has_segments else "image-classification"
    task = _MODEL_TYPES[document.model_type]
    if document.evidence is not None and (task == "text-classification") != has_words:
        evidence = "words" if has_words else "masks"
        got = f"{document.model_type!r} and {evidence}"
        raise DocumentError(f"must go with the explanation, got {got}", path="$.modelType")
    return task
