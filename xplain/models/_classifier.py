"""What all classifiers share: scores of classes, targets and probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Prediction, _check
from xplain.models import _labels, _outputs
from xplain.models._model import Model

__all__ = ["Classifier"]


class Classifier(Model):
    """A torch module or a callable that scores classes; see its subclasses.

    Attributes
    ----------
    multilabel : bool
        Whether classes are independent of each other.
    """

    def __init__(self, model: Any, labels: Any, output: str, multilabel: bool, name: str | None) -> None:
        super().__init__(model, labels, output, name)
        self.multilabel = _check.boolean("multilabel", multilabel)

    def check_scores(self, output: Any, count: int) -> npt.NDArray[np.float64]:
        """Return the model's output for ``count`` inputs as float64 (count, classes), or raise InputError."""
        scores = _outputs.class_scores(_outputs.tensor_of(output), count)
        if self.labels is not None and len(self.labels) != scores.shape[1]:
            raise InputError(
                f"labels must be {scores.shape[1]} labels, one for each output of the model, got {len(self.labels)}"
            )
        return scores

    def probabilities(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the probabilities (..., classes) that the model's output stands for."""
        if self.output == "probability":
            return scores
        if self.multilabel or scores.shape[-1] == 1:
            return np.exp(-np.logaddexp(0.0, -scores))
        return _outputs.softmax(scores)

    def targets(self, target: Any, scores: npt.NDArray[np.float64]) -> tuple[int, ...]:
        """Return the class numbers that ``target`` asks for; ``scores`` is float64 (classes,).

        None is the predicted class, ``"top-3"`` the first three; else a class number, a label, or a sequence of those.
        """
        return _labels.resolve_targets(target, scores, self.labels)

    def prediction(self, scores: npt.NDArray[np.float64], index: int) -> Prediction:
        """Return one class as a Prediction; ``scores`` is float64 (classes,)."""
        return Prediction(self.label(index), float(self.probabilities(scores)[index]), id=index)

    def predictions(self, scores: npt.NDArray[np.float64], top: int = 5) -> tuple[Prediction, ...]:
        """Return the ``top`` classes by decreasing score; ``scores`` is float64 (classes,)."""
        order = np.argsort(-scores, kind="stable")[: _check.integer("top", top, least=1)]
        return tuple(self.prediction(scores, int(i)) for i in order)
