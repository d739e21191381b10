"""Which methods can explain a model: the refusals of the engine, collected before anybody waits for an answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from xplain.attributions import _dispatch, _engine
from xplain.attributions._methods import METHODS, Method
from xplain.errors import AttributionError
from xplain.explanation import _check
from xplain.models import ImageClassifier, Model, Segmenter, TextClassifier

__all__ = ["refusals"]

#: What makes a try short, by the option's name; a map without relu is not zero because all evidence is negative.
_SHORT = {"n_steps": 2, "n_samples": 2, "relu": False}


def refusals(model: Model, prepared: Any = None) -> dict[str, str]:
    """Return the methods that cannot explain a model, each with the reason.

    Whether a method explains such models, and whether it needs more than a black box, is known without an input. What
    depends on the network (feature maps, attention that can be followed, gradients) is found by a short try of each
    method that needs more than scores.

    Parameters
    ----------
    model : Model
        What would be explained.
    prepared : optional
        An input from ``model.prepare``. If left out, a classifier or segmenter of images whose preprocessing has a size
        is tried on noise, and a classifier of texts on a few words; other models are not tried.

    Returns
    -------
    dict of str to str
        Name of the method to the message of its refusal.
    """
    given = _sample(model) if prepared is None else prepared
    reasons = {}
    for entry in METHODS.values():
        try:
            _refuse(model, entry, given)
        except AttributionError as refusal:
            reasons[entry.name] = str(refusal)
    return reasons


def _refuse(model: Model, entry: Method, prepared: Any) -> None:
    """Raise AttributionError if a method cannot explain a model."""
    _dispatch.refuse_kind(model, entry.name)
    _engine.refuse_black_box(entry, model)
    _engine.refuse_inference_parameters(model)
    if prepared is None or entry.needs == "scores":
        return
    known = entry.load(model.task).__kwdefaults__ or {}
    options: dict[str, Any] = {name: value for name, value in _SHORT.items() if name in known}
    if isinstance(model, Segmenter):
        options["region"] = "image"  # of noise, no class may cover a part
    _dispatch.run(model, [prepared], method=entry.name, **options)


def _sample(model: Model) -> Any:
    """Return a prepared input that any model of its kind takes, or None where there is none."""
    if model.module is None:
        return None
    if isinstance(model, TextClassifier):
        return model.prepare("one two three")
    if isinstance(model, (ImageClassifier, Segmenter)) and model.preprocess is not None and model.preprocess.size:
        height, width = _check.tuple_of("Preprocess.size", model.preprocess.size, int)
        return model.prepare(np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8))
    return None
