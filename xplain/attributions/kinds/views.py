"""What kinds other than images give to the engine: views of a model, often together with one input.

A view is an `xplain.attributions.engine.explained.Explained`. It states each member: those of the model behind it here,
those that depend on the input in the module of its kind.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain.errors import AttributionError
from xplain.explanation import Prediction
from xplain.models import Detector, Segmenter, SignalClassifier, TextClassifier, outputs

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


def numbered(number: int, content: npt.NDArray[Any]) -> bytes:
    """Return the identity of a window: equal windows draw other numbers, as their errors count as independent."""
    return number.to_bytes(8) + np.ascontiguousarray(content).tobytes()


class View(ABC):
    """The members that every view takes from the model behind it.

    Parameters
    ----------
    model : TextClassifier, SignalClassifier, Detector or Segmenter
        What predicts.
    """

    def __init__(self, model: TextClassifier | SignalClassifier | Detector | Segmenter) -> None:
        self._model = model

    @property
    def module(self) -> torch.nn.Module | None:
        """The model's module."""
        return self._model.module

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def output(self) -> str:
        """What the model's own output is."""
        return self._model.output

    @property
    def verdicts(self) -> dict[Any, Any]:
        """What was found out about the model."""
        return self._model.verdicts

    @property
    def takes_batches(self) -> bool:
        """False once the model was seen to take one input at a time only."""
        return self._model.takes_batches

    @property
    def channel_axis(self) -> int:
        """Axis of the channels: the first."""
        return 0

    @property
    def layer(self) -> str | None:
        """None: there are no class activation maps."""
        return None

    def with_module(self, module: torch.nn.Module) -> Self:
        """Return a view of the same model around another module."""
        twin, model = copy.copy(self), self._model.with_module(module)
        for name, value in vars(self).items():
            if value is self._model:
                setattr(twin, name, model)
            elif isinstance(getattr(type(self), name, None), cached_property):
                delattr(twin, name)  # it may be a part of the old module
        return twin

    def placement(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Return the device and floating type of the module's weights."""
        return self._model.placement()

    def fingerprint(self) -> str | None:
        """Return the sha256 of the model's weights."""
        return self._model.fingerprint()

    def describe(self) -> dict[str, Any]:
        """Return the model's preprocessing as JSON values."""
        return self._model.describe()

    def to_tensor(self, batch: npt.NDArray[Any]) -> torch.Tensor:
        """Return inputs as a tensor of the module's device and floating type."""
        return self._model.to_tensor(batch)

    @abstractmethod
    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score inputs, without gradients."""

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Refuse to be differentiated, unless a subclass can be."""
        raise AttributionError(
            "method must need gradients to differentiate a score, got one that is listed as needing scores only"
        )


class ClassView(View):
    """A view whose classes are those of the classifier behind it.

    Parameters
    ----------
    model : TextClassifier or SignalClassifier
        What predicts.
    """

    def __init__(self, model: TextClassifier | SignalClassifier) -> None:
        super().__init__(model)
        self._classifier = model

    def check_scores(self, output: Any, count: int) -> Scores:
        """Return scores (n, classes) as float64."""
        return self._classifier.check_scores(output, count)

    def targets(self, target: Sequence[int], scores: Scores) -> tuple[int, ...]:
        """Return the numbers of the classes to explain, which the whole input has decided."""
        return tuple(target)

    def prediction(self, scores: Scores, index: int) -> Prediction:
        """Return one class."""
        return self._classifier.prediction(scores, index)


class PredictionView(View):
    """A view of one image whose T classes are predictions: places of it, each with a score that may be found again.

    Parameters
    ----------
    model : Detector or Segmenter
        What predicts.
    target_predictions : sequence of Prediction
        The T predictions to explain.
    all_predictions : sequence of Prediction
        Everything that was found in the image.

    Attributes
    ----------
    setup_evaluations : int
        How often the image went through the model for the view itself, beside what a method evaluates.
    """

    def __init__(
        self,
        model: Detector | Segmenter,
        target_predictions: Sequence[Prediction],
        all_predictions: Sequence[Prediction],
    ) -> None:
        super().__init__(model)
        self._image_model = model
        self.target_predictions = tuple(target_predictions)
        self.all_predictions = tuple(all_predictions)
        self.setup_evaluations = 1  # the pass that found the predictions

    @property
    def task(self) -> str:
        """The model's task."""
        return self._image_model.task

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in an image."""
        return self._image_model.channel_axis

    @property
    def layer(self) -> str | None:
        """The layer for class activation maps that the model names."""
        return self._image_model.layer

    def check_scores(self, output: Any, count: int) -> Scores:
        """Return scores (n, T) as float64."""
        return outputs.class_scores(output, count)

    def targets(self, target: Sequence[int], scores: Scores) -> tuple[int, ...]:
        """Return the numbers of the predictions to explain."""
        return tuple(target)

    def prediction(self, scores: Scores, index: int) -> Prediction:
        """Return one of the T predictions."""
        return self.target_predictions[index]

    def predictions(self, scores: Scores) -> tuple[Prediction, ...]:
        """Return everything that was found in the image."""
        return self.all_predictions

    def read(self, photo: Any) -> npt.NDArray[Any]:
        """Return the model's input for another photo."""
        return self._image_model.prepare(photo).array
