"""A model of xplain around what a caller holds: pipelines and estimators say what they are, others are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from xplain.emails import Comment
from xplain.errors import InputError
from xplain.inputs import signals
from xplain.models import settings
from xplain.models.adapters import estimators, pipelines
from xplain.models.adapters.opening import is_module
from xplain.models.base import Model
from xplain.models.detector import Detector
from xplain.models.image import ImageClassifier
from xplain.models.segmenter import Segmenter
from xplain.models.signal import SignalClassifier
from xplain.models.text import TextClassifier

_CLASSES: dict[str, Callable[..., Model]] = {
    kind.task: kind for kind in (TextClassifier, ImageClassifier, Detector, Segmenter, SignalClassifier)
}
_RECORDINGS = (".csv", ".npy", ".tsv", ".wav")


def as_model(model: Any, input: Any = None) -> Any:
    """Return what a caller explains as a model of xplain.

    Parameters
    ----------
    model : Model, transformers.Pipeline or estimator of scikit-learn
        A model of xplain is returned as it is. A pipeline is wrapped by its task, an estimator by what it takes.
    input : optional
        What it is to predict, as far as it is known.

    Raises
    ------
    InputError
        If anything else is given, such as a bare module: it does not say what it takes. The message says what to write.
    """
    if isinstance(model, Model):
        return model
    if pipelines.task_of(model) is not None:
        task, _ = pipelines.check_task(model)
        if task == SignalClassifier.task:
            rate = int(model.feature_extractor.sampling_rate)
            return SignalClassifier(model, window=rate if input is None else signals.load(input).values.shape[1])
        return _CLASSES[task](model)
    if estimators.read(model, TextClassifier.task) is not None:
        return _around_estimator(model, input)
    raise _what_to_write(model, input)


def _around_estimator(model: Any, input: Any) -> Model:
    """Wrap an estimator, or a method of one, if it takes texts, or photos of the input's size."""
    if estimators.takes_texts(model):
        return TextClassifier(model)
    count = estimators.feature_count(model)
    if count is None and _is_text(input):
        return TextClassifier(model)
    shape = np.shape(input) if hasattr(input, "shape") else ()
    if len(shape) in (2, 3) and count in (np.prod(shape), np.prod(shape[:2])):
        return ImageClassifier(model)
    raise _what_to_write(model, input)


def _is_text(input: Any) -> bool:
    """Whether an input is a text, and not the name of a file."""
    if isinstance(input, Comment):
        return True
    if not isinstance(input, str) or "\0" in input:
        return False
    return any(character.isspace() for character in input.strip()) or not (Path(input).suffix or _is_file(input))


def _is_file(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # too long for a name
        return False


def _is_recording(input: Any) -> bool:
    """Whether an input looks like a recording: numbers with an axis or two, of which time is the longer by far."""
    if isinstance(input, (str, os.PathLike)):
        return str(input).lower().endswith(_RECORDINGS)
    shape = tuple(np.shape(input)) if hasattr(input, "shape") else ()
    return len(shape) == 1 or (len(shape) == 2 and max(shape) > 8 * min(shape))


def _what_to_write(model: Any, input: Any) -> InputError:
    """Build the error for what is no model of xplain, with what to write for the input."""
    holds_words = hasattr(getattr(model, "config", None), "vocab_size")
    if _is_text(input) or (input is None and holds_words):
        wrapped, given = "TextClassifier(model, tokenizer)" if is_module(model) else "TextClassifier(model)", "text"
    elif _is_recording(input):
        wrapped, given = "SignalClassifier(model, labels=[...], sample_rate_hz=..., window=...)", "recording"
    else:
        labels = "" if settings.labels_of(model) is not None else ", labels=[...]"
        wrapped, given = f"ImageClassifier(model{labels}{_preprocess(model)})", "photo"
    return InputError(
        f"model must be an xplain model, got {type(model).__name__}; wrap it: xplain.{wrapped}, with the labels and "
        f"numbers of its training, and explain that: xplain.explain(wrapped, {given}); what finds objects is an "
        "xplain.Detector, what divides photos an xplain.Segmenter"
    )


def _preprocess(model: Any) -> str:
    """Return the argument by which photos are prepared for a model, with a comma before it."""
    if not is_module(model):
        return ""
    if hasattr(getattr(model, "config", None), "image_size"):  # of transformers
        return ", preprocess=xplain.Preprocess.of(image_processor)"
    if hasattr(model, "pretrained_cfg") or hasattr(model, "default_cfg"):  # of timm
        return ", preprocess=xplain.Preprocess.of(model)"
    return ", preprocess=xplain.Preprocess(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))"
