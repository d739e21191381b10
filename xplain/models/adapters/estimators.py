"""Estimators and pipelines of scikit-learn, and their methods: what gives their scores, and the labels of these.

What counts is the interface, which boosting libraries share: ``predict_proba``, ``decision_function``, ``predict``, and
``classes_``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.models.adapters.given import Given

#: What the scores of a method are, the best method first.
_OUTPUTS = {"predict_proba": "probability", "predict_log_proba": "logit", "decision_function": "value"}


def is_estimator(model: Any) -> bool:
    """Whether an object predicts as estimators of scikit-learn do."""
    if isinstance(model, type) or callable(model):  # a module, a network of Keras
        return False
    return callable(getattr(model, "predict", None)) or any(hasattr(model, name) for name in _OUTPUTS)


def takes_texts(model: Any) -> bool:
    """Whether an estimator begins with a vectoriser of texts."""
    steps = getattr(_owner(model), "steps", None) or [(None, None)]
    return hasattr(steps[0][1], "build_analyzer")


def feature_count(model: Any) -> int | None:
    """Return how many features an estimator was trained with; None if it does not say."""
    return getattr(_owner(model), "n_features_in_", None)


def read(model: Any, task: str, labels: Any = None) -> Given | None:
    """Read an estimator, or the method of one; see `xplain.models.adapters.opening.opened`."""
    estimator = _owner(model)
    if estimator is None:
        return None
    name = type(_last_step(estimator)).__name__
    method = _method(model, estimator, name)
    classes = getattr(estimator, "classes_", None)
    if method == "predict":
        return Given(Scores(estimator, method), output="value", name=name)
    if classes is None:  # anomaly detectors
        return Given(Scores(estimator, method), output=_OUTPUTS[method], name=name)
    is_several = any(isinstance(each, np.ndarray) for each in classes)  # outputs, each with classes of its own
    names = [str(i) for i in range(len(classes))] if is_several else [str(label) for label in classes]
    _check_order(labels, names, classes)
    multilabel = is_several or _is_multilabel(estimator)
    return Given(Scores(estimator, method), names, _OUTPUTS[method], multilabel, name)


def _owner(model: Any) -> Any:
    """Return the estimator that a model is, or whose method it is; None if it is neither."""
    if is_estimator(model):
        return model
    owner = getattr(model, "__self__", None)
    is_method = getattr(model, "__name__", None) in (*_OUTPUTS, "predict")
    return owner if is_method and owner is not None and is_estimator(owner) else None


def _last_step(estimator: Any) -> Any:
    return estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator


def _method(model: Any, estimator: Any, name: str) -> str:
    """Return the name of the method that gives scores, or raise InputError if none does."""
    best = next((each for each in _OUTPUTS if hasattr(estimator, each)), "predict")
    method = best if is_estimator(model) else str(model.__name__)
    is_regressor = getattr(estimator, "_estimator_type", None) == "regressor" or _kind(estimator) == "regressor"
    if method == "predict" and not is_regressor:
        instead = f"use its {best}" if best != "predict" else "train it so that it has predict_proba"
        raise InputError(
            f"model must give scores of classes, got {name}, whose predict gives labels only; {instead}"
            ", or wrap a function that returns scores"
        )
    return method


def _kind(estimator: Any) -> str | None:
    """Return what an estimator of scikit-learn says it is: "classifier", "regressor", "clusterer", ..."""
    tags = getattr(estimator, "__sklearn_tags__", None)
    return None if tags is None else tags().estimator_type


def _is_multilabel(estimator: Any) -> bool:
    """Whether classes are independent: one against the rest, trained on several labels for each input."""
    return bool(getattr(_last_step(estimator), "multilabel_", False))


def _check_order(labels: Any, names: Sequence[str], classes: Any) -> None:
    """Raise InputError if a caller names the same labels in another order: each score would get a wrong name."""
    given = [str(label) for label in labels] if isinstance(labels, (list, tuple, np.ndarray)) else names
    if given != list(names) and sorted(given) == sorted(names):
        raise InputError(f"labels must be in the order of the model's classes_, {list(names)}, got {given}")


@dataclass(frozen=True)
class Scores:
    """A method of an estimator as a function from a batch to scores (batch, classes)."""

    estimator: Any
    method: str

    def __call__(self, batch: Any) -> npt.NDArray[Any]:
        """Score texts (a list), or arrays, whose numbers are the features."""
        scores = getattr(self.estimator, self.method)(batch if isinstance(batch, list) else self._features(batch))
        if not isinstance(scores, list):
            return np.asarray(scores)
        if any(of_output.shape[1] != 2 for of_output in scores):
            raise InputError("model must have outputs of two classes each, or one output, got several with more")
        return np.stack([of_output[:, 1] for of_output in scores], axis=1)  # how likely each is there

    def _features(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return arrays as rows of features, as many as the estimator was trained with."""
        count = getattr(self.estimator, "n_features_in_", None)
        shape = batch.shape[1:]
        if count is None:
            return batch
        if count == np.prod(shape):
            return batch.reshape(len(batch), -1)
        if len(shape) == 3 and shape[-1] == 3 and count == shape[0] * shape[1]:
            grey = batch[..., 0]
            if (batch == grey[..., None]).all():
                return grey.reshape(len(batch), -1)
        raise InputError(f"input must hold the {count} numbers that the model was trained with, got {shape}")
