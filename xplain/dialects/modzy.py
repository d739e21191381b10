"""Modzy's explainability object, and the results of Modzy jobs (reading).

::

    {"modelType": "imageClassification",
     "result": {"classPredictions": [{"class": "tabby", "score": 0.81}]},
     "explanation": {"maskRLE": [[5, 3, 8]], "dimensions": {"height": 4, "width": 4}}}

    {"modelType": "textClassification",
     "result": {"classPredictions": [{"class": "joy", "score": 0.99}]},
     "explanation": {"wordImportances": {"joy": [{"word": "loved", "score": 0.7, "index": 1}]},
                     "explainableText": "I loved it"}}

Each inner list of ``maskRLE`` is one mask (column-major run lengths, zeros first) that explains the first prediction;
``dimensions`` are those of the original image. Words keep their sign, and ``index`` is a position in the text split on
white space.

What is read, besides that object: ``{"data": object}``, an input item of a job, a batch
``{"predictions": [{"data": object}, ...]}`` and the results object of a job. As found in the wild, a flat ``maskRLE``,
numbers as strings, a missing ``modelType`` or ``index`` and an empty ``explainableText`` are understood. A class that
has word scores but no prediction is a target with score 0, since its score is not known. Where nothing tells which
task it was, image classification is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from xplain.dialects._fit import Carries
from xplain.dialects._wire import (
    At,
    Field,
    Reader,
    array,
    boolean,
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
from xplain.dialects._words import SplitText
from xplain.errors import DocumentError, InputError
from xplain.explanation import Attribution, Explanation, Item, Mask, Prediction, Results, Source, Word, WordScores
from xplain.kernels import rle

__all__ = ["CARRIES", "decode", "encode", "sniff"]

CARRIES = {
    "image-classification": Carries(source="image", evidence=(Mask,), explains="first"),
    "image-segmentation": Carries(source="image", evidence=(Mask,), explains="first"),
    "text-classification": Carries(source="text", evidence=(WordScores,), explains="label", text=True),
}

_MODEL_TYPES = {
    "imageClassification": "image-classification",
    "imageSegmentation": "image-segmentation",
    "textClassification": "text-classification",
}
_TASKS = {task: model_type for model_type, task in _MODEL_TYPES.items()}
_STATUSES = {
    "FETCHING_DATA": "waiting",
    "PROCESSING": "running",
    "SUCCESSFUL": "successful",
    "FAILED": "failed",
}
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Modzy's."""
    if not isinstance(document, dict):
        return False
    if "jobIdentifier" in document or _is_object(document) or _is_output(document):
        return True
    if "predictions" in document:
        batch = document["predictions"]
        return isinstance(batch, list) and bool(batch) and _is_output(batch[0])
    return document.get("status") in list(_STATUSES) or any(_is_output(value) for value in document.values())


def _is_object(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    result, explanation = value.get("result"), value.get("explanation")
    return (
        "modelType" in value
        or (isinstance(result, dict) and ("classPredictions" in result or "explanation" in value))
        or (isinstance(explanation, dict) and ("maskRLE" in explanation or "wordImportances" in explanation))
    )


def _is_output(value: Any) -> bool:
    return isinstance(value, dict) and _is_object(value.get("data"))


def encode(explanation: Explanation | Results) -> dict[str, Any]:
    """Turn a fitted explanation into an explainability object."""
    if isinstance(explanation, Results):
        raise InputError("explanation must be an Explanation to be written as 'modzy', got Results; write its items")
    predictions = [{"class": prediction.name, "score": prediction.score} for prediction in explanation.predictions]
    return {
        "modelType": _TASKS[explanation.task],
        "result": {"classPredictions": predictions},
        "explanation": _encode_words(explanation) if explanation.source.kind == "text" else _encode_masks(explanation),
    }


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


# The explainability object.


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
_RUNS: Reader[tuple[list[Any], tuple[int, int]]] = record(
    lambda runs, size: (runs, size), runs=Field(listing, "maskRLE"), size=Field(_SIZE, "dimensions")
)
_WORD = record(Word, text=Field(string, "word"), score=_number, index=nullable(integer(0)))


@dataclass(frozen=True, slots=True)
class _Masks:
    masks: tuple[Mask, ...]
    height: int
    width: int


def _read_masks(at: At) -> _Masks:
    runs, (height, width) = _RUNS(at)

    def mask(at: At) -> Mask:
        return at.build(lambda: Mask(rle.check(at.value, height, width), height, width))

    nested = not runs or any(isinstance(run, list) for run in runs)
    place = at["maskRLE"]
    return _Masks(array(mask)(place) if nested else (mask(place),), height, width)


@dataclass(frozen=True, slots=True)
class _Words:
    importances: dict[str, tuple[Word, ...]]
    text: str | None


def _text(at: At) -> str | None:
    """Read the explained text, of which an empty object stands for none."""
    return None if at.value == {} else string(at)


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


def _explanation(
    model_type: str | None, predictions: tuple[Prediction, ...], evidence: _Masks | _Words | None
) -> Explanation:
    found = "text-classification" if isinstance(evidence, _Words) else "image-classification"
    task = found if model_type is None else _MODEL_TYPES[model_type]
    if evidence is not None and (task == "text-classification") != isinstance(evidence, _Words):
        what = "words" if isinstance(evidence, _Words) else "masks"
        raise DocumentError(f"must go with the explanation, got {model_type!r} and {what}", path="$.modelType")
    if isinstance(evidence, _Words):
        return Explanation(
            task, Source("text", text=evidence.text), predictions, _word_attributions(evidence, predictions)
        )
    if evidence is None:
        return Explanation(task, Source(CARRIES[task].source), predictions)
    if evidence.masks and not predictions:
        raise DocumentError("must hold the class that the masks explain, got none", path="$.result.classPredictions")
    source = Source("image", height=evidence.height, width=evidence.width)
    return Explanation(task, source, predictions, tuple(Attribution(predictions[0], mask) for mask in evidence.masks))


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


_PREDICTIONS = array(record(Prediction, label=Field(string, "class"), score=_number))
_RESULT: Reader[tuple[Prediction, ...]] = record(
    lambda predictions: predictions, predictions=nullable(_PREDICTIONS, (), key="classPredictions")
)
_OBJECT = record(
    _explanation,
    model_type=nullable(choice(*_MODEL_TYPES), key="modelType"),
    predictions=nullable(_RESULT, (), key="result"),
    evidence=nullable(_evidence, key="explanation"),
)
_OUTPUT: Reader[Explanation] = record(lambda data: data, data=_OBJECT)


# Items, batches and jobs.


def _output_key(item: dict[str, Any]) -> str | None:
    """Find the output among an item's fields; its name is that of a file, and models differ in it."""
    if "results.json" in item:
        return "results.json"
    outputs = [key for key, value in item.items() if isinstance(value, dict) and "data" in value]
    files = [key for key in item if "." in key]
    return next(iter(outputs + files), None)


def _item(at: At, failure: bool = False) -> Item:
    fields = mapping(at)
    name = str(at.key)
    if "status" not in fields and isinstance(fields.get(name), dict):
        return _item(at[name], failure)

    def build(status: str, explanation: Explanation | None, error: str | None, **more: Any) -> Item:
        if failure or status == "FAILED":
            return Item(name, "failed", explanation=explanation, error=error or "no reason given", **more)
        return Item(name, _STATUSES[status], explanation=explanation, **more)

    return record(
        build,
        status=nullable(choice(*_STATUSES), "FAILED") if failure else choice(*_STATUSES),
        explanation=nullable(_OUTPUT, key=_output_key(fields)),
        error=nullable(_error),
        engine=nullable(string),
        started=nullable(string, key="startTime"),
        updated=nullable(string, key="updateTime"),
        ended=nullable(string, key="endTime"),
    )(at)


def _error(at: At) -> str:
    """Read why an item failed: the platform gives a string, a model an object."""
    return string(at["error_message"]) if isinstance(at.value, dict) else string(at)


def _failure(at: At) -> Item:
    return _item(at, failure=True)


def _results(job: str, results: dict[str, Item], failures: dict[str, Item], **counts: Any) -> Results:
    return Results(job, (*results.values(), *failures.values()))


_JOB = record(
    _results,
    job=Field(string, "jobIdentifier"),
    # Left out where they are empty, zero or false.
    results=nullable(table(_item), {}),
    failures=nullable(table(_failure), {}),
    total=nullable(integer(0)),
    completed=nullable(integer(0)),
    failed=nullable(integer(0)),
    finished=nullable(boolean),
)


def _batch(explanations: tuple[Explanation, ...]) -> Results:
    items = (Item(str(i), "successful", explanation=explanation) for i, explanation in enumerate(explanations))
    return Results("", tuple(items))


_BATCH = record(_batch, explanations=Field(array(_OUTPUT), "predictions"))


def decode(at: At) -> Explanation | Results:
    """Read an explainability object, or an output, item, batch or job that holds some."""
    fields = mapping(at)
    if "jobIdentifier" in fields or "results" in fields or "failures" in fields:
        return _JOB(at)
    if "modelType" in fields or "result" in fields or "explanation" in fields:
        return _OBJECT(at)
    if "predictions" in fields:
        return _BATCH(at)
    if "data" in fields:
        return _OUTPUT(at)
    explanation = _item(at).explanation if "status" in fields else None
    if explanation is None:
        raise at.rejected("an explainability object, or an output, item, batch or job that holds some")
    return explanation
