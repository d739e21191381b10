"""Pipelines of transformers: their model, how they prepare inputs, and what they make of its scores.

A pipeline for texts or photos is taken apart, so that methods can look inside its model; one that computes its scores
from several passes, or prepares inputs by what cannot be written as a `Preprocess`, is called as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.models.adapters.given import Given

#: Pipelines by their task: that of ours, and the class that wraps them.
KINDS = {
    "text-classification": ("text-classification", "TextClassifier"),
    "sentiment-analysis": ("text-classification", "TextClassifier"),
    "zero-shot-classification": ("text-classification", "TextClassifier"),
    "image-classification": ("image-classification", "ImageClassifier"),
    "zero-shot-image-classification": ("image-classification", "ImageClassifier"),
    "object-detection": ("object-detection", "Detector"),
    "image-segmentation": ("image-segmentation", "Segmenter"),
    "audio-classification": ("signal-classification", "SignalClassifier"),
}
#: Why others have no score of a class.
_REASONS = {
    "question-answering": "which finds a part of the text: its scores are of places, not of classes",
    "token-classification": "which scores each token: explain one of them by a function from texts to its scores",
    "ner": "which scores each token: explain one of them by a function from texts to its scores",
    "fill-mask": "which scores a vocabulary: explain some words by a function from texts to their scores",
    "text-generation": "which writes a text",
    "feature-extraction": "which gives features: explain a similarity of them instead",
    "image-feature-extraction": "which gives features: explain a similarity of them instead",
    "zero-shot-object-detection": "which needs labels beside the photo: wrap a function, xplain.Detector(function)",
}


def task_of(model: Any) -> str | None:
    """Return the task of a pipeline of transformers, by its own name; None for other objects."""
    is_pipeline = any(kind.__module__.startswith("transformers.pipelines") for kind in type(model).__mro__)
    return str(model.task) if is_pipeline else None


def check_task(model: Any) -> tuple[str, str]:
    """Return the task of ours and the class for a pipeline, or raise InputError if it scores no classes."""
    task = task_of(model)
    if task not in KINDS:
        raise InputError(
            f"model must be a pipeline for one of {', '.join(KINDS)}, got one for {task}"
            + (f", {_REASONS[task]}" if task in _REASONS else "")
        )
    return KINDS[task]


def read(model: Any, task: str, labels: Any = None) -> Given | None:
    """Read a pipeline; see `xplain.models.adapters.opening.opened`."""
    if task_of(model) is None:
        return None
    own, wrapper = check_task(model)
    if own != task:
        raise InputError(f"model must be a pipeline for {task}, got one for {model.task}; use xplain.{wrapper}")
    if model.task.startswith("zero-shot"):
        return _zero_shot(model, labels)
    if own == "object-detection":
        return Given(Boxes(model), name=type(model.model).__name__, extras={"postprocess": Threshold.of(model)})
    names = dict(model.model.config.id2label)
    if own == "image-segmentation":
        return Given(model.model, names, extras={"image_processor": model.image_processor})
    output, multilabel = _function(model)
    if own != "signal-classification" and hasattr(model.model, "named_modules"):
        extras = _tokenizing(model) if own == "text-classification" else {"image_processor": model.image_processor}
        return Given(model.model, names, output, multilabel, extras=extras)
    # Recordings are normalised one by one; and a model of another library is no torch module.
    applied = "value" if output == "value" else "probability"
    name = type(model.model).__name__
    if own != "signal-classification":
        return Given(Answers(model), names, applied, multilabel, name)
    rate = float(model.feature_extractor.sampling_rate)
    return Given(Recordings(model, rate), names, applied, multilabel, name, {"sample_rate_hz": rate})


def configured(model: Any) -> tuple[str | None, bool | None]:
    """Return what a configuration of transformers says of scores: what they are, and whether of independent classes."""
    problem = getattr(getattr(model, "config", None), "problem_type", None)
    if problem == "regression":
        return "value", None
    return None, True if problem == "multi_label_classification" else None


def _function(pipeline: Any) -> tuple[str | None, bool | None]:
    """Return what scores are, and whether of independent classes, by the function that a pipeline applies to them."""
    applied = pipeline._postprocess_params.get("function_to_apply")
    name = str(getattr(applied, "value", applied)).lower()
    known = {"none": ("value", None), "sigmoid": ("logit", True), "softmax": ("logit", False)}
    return configured(pipeline.model) if applied is None else known[name]


def _tokenizing(pipeline: Any) -> dict[str, Any]:
    """Return the tokenizer of a pipeline, and how it is called."""
    options = dict(pipeline._preprocess_params)
    for name in ("padding", "return_tensors"):  # of batches, which we do not pad
        options.pop(name, None)
    truncates = options.pop("truncation", False) not in (False, None, "do_not_truncate")
    length = options.pop("max_length", None)
    return {
        "tokenizer": pipeline.tokenizer,
        "tokenizer_options": options,
        "truncates": truncates,
        "max_length": length if truncates else None,
    }


def _zero_shot(pipeline: Any, labels: Any) -> Given:
    """Return a pipeline that is called with candidate labels."""
    labels = pipeline._preprocess_params.get("candidate_labels") if labels is None else labels
    if labels is None:
        wrapper = KINDS[pipeline.task][1]
        raise InputError(
            f"labels must be given for a pipeline for {pipeline.task}, which scores whatever it is asked for, got "
            f'none; name the candidates: xplain.{wrapper}(pipeline, labels=["...", "..."])'
        )
    names = tuple(labels) if not isinstance(labels, Mapping) else tuple(labels[i] for i in sorted(labels))
    multilabel = bool(pipeline._postprocess_params.get("multi_label", False))
    name = type(pipeline.model).__name__
    return Given(Candidates(pipeline, names), names, "probability", multilabel, name)


@dataclass(frozen=True)
class Answers:
    """A pipeline as a function from texts or photos to answers that name their scores."""

    pipeline: Any

    def __call__(self, batch: Any) -> list[Any]:
        """Return the scores of each input by label."""
        inputs = batch if isinstance(batch, list) else photos(batch)
        return [list(self.pipeline([each], top_k=None)[0]) for each in inputs]


@dataclass(frozen=True)
class Candidates:
    """A zero-shot pipeline as a function from texts or photos to the scores of its candidate labels."""

    pipeline: Any
    labels: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def with_multilabel(self, multilabel: bool) -> Candidates:
        """Return the same for labels that are independent of each other, or not."""
        takes_it = self.pipeline.task == "zero-shot-classification"
        return replace(self, options={"multi_label": multilabel} if takes_it else {})

    def __call__(self, batch: Any) -> list[dict[str, float]]:
        """Return the scores of each input by label."""
        inputs = batch if isinstance(batch, list) else photos(batch)
        # A blank has the tokens of an empty text, which pipelines refuse.
        answers = [
            self.pipeline([" " if each == "" else each], candidate_labels=list(self.labels), **self.options)
            for each in inputs
        ]
        return [_named(answer) for answer in answers]


def _named(answer: Any) -> dict[str, float]:
    """Return the scores by label that a zero-shot pipeline gives for a list of one input."""
    while not isinstance(answer, Mapping) and not (answer and "score" in answer[0]):
        (answer,) = answer
    if isinstance(answer, Mapping):
        return dict(zip(answer["labels"], answer["scores"], strict=True))
    return {each["label"]: each["score"] for each in answer}


@dataclass(frozen=True)
class Recordings:
    """A pipeline for audio as a function from windows (n, 1, time) to answers that name their scores."""

    pipeline: Any
    rate: float

    def __call__(self, windows: npt.NDArray[np.float32]) -> list[Any]:
        """Return the scores of each window by label."""
        if windows.shape[1] != 1:
            raise InputError(f"recording must have one axis for a pipeline for audio, got {windows.shape[1]}")
        rate = int(self.rate)
        return [list(self.pipeline({"raw": window[0], "sampling_rate": rate}, top_k=None)) for window in windows]


@dataclass(frozen=True)
class Boxes:
    """A pipeline for detection as a function from photos to all boxes that it proposes."""

    pipeline: Any

    def __call__(self, images: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
        """Return boxes, labels and scores of each photo, whatever their scores."""
        found = []
        for photo in photos(images):
            proposals = self.pipeline(photo, threshold=0.0)
            corners = [[each["box"][side] for side in ("xmin", "ymin", "xmax", "ymax")] for each in proposals]
            found.append(
                {
                    "boxes": np.reshape(np.array(corners, np.float64), (-1, 4)),
                    "labels": [each["label"] for each in proposals],
                    "scores": np.array([each["score"] for each in proposals], np.float64),
                }
            )
        return found


@dataclass(frozen=True)
class Threshold:
    """Which proposals of a pipeline count as detections; the others are still candidates."""

    least: float

    @classmethod
    def of(cls, pipeline: Any) -> Threshold:
        """Return that of a pipeline."""
        return cls(float(pipeline._postprocess_params.get("threshold", 0.5)))

    def candidates(self, images: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Return all proposals."""
        return images

    def __call__(self, images: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the detections."""
        kept = [np.flatnonzero(image["scores"] > self.least) for image in images]
        return [
            {
                "boxes": image["boxes"][rows],
                "labels": [image["labels"][row] for row in rows],
                "scores": image["scores"][rows],
            }
            for image, rows in zip(images, kept, strict=True)
        ]


def photos(images: npt.NDArray[np.uint8]) -> list[Any]:
    """Return photos uint8 (n, height, width, 3) as Pillow's images, which pipelines take."""
    from PIL import Image

    return [Image.fromarray(image) for image in images]
