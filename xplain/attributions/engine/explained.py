"""What the engine needs of whatever is explained: `Explained`, a protocol that mypy checks.

An `xplain.models.ImageClassifier` satisfies it as it is. Of other kinds of model a module of
`xplain.attributions.kinds` makes something that does: a detector on one image whose classes are its detections, a text
whose input is a row of words, a window of a recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from xplain.explanation import Prediction

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


class Explained(Protocol):
    """Scores classes of inputs (...), which are arrays with channels and two axes of places: (channels, h, w).

    An input is `xplain.models.Prepared.array`. What its axes are is for the kind to say: rows and columns of pixels,
    axes and readings of a signal, one row of words.
    """

    @property
    def module(self) -> torch.nn.Module | None:
        """The torch module that is differentiated; None for a black box."""

    @property
    def name(self) -> str:
        """The model's name in documents and messages."""

    @property
    def output(self) -> str:
        """What the module's own output is, such as "probability"."""

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in an input, 0 or -1; there they are numbers of one place."""

    @property
    def layer(self) -> str | None:
        """Dotted name of the layer for class activation maps; None if it has to be found."""

    @property
    def verdicts(self) -> dict[Any, Any]:
        """What was found out about the model, by what it depends on; kept as long as the model."""

    @property
    def takes_batches(self) -> bool:
        """False once the model was seen to take one input at a time only."""

    def with_module(self, module: torch.nn.Module, /) -> Explained:
        """Return the same with another module, which is called as the old one; the old one stays as it is."""

    def placement(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Return the device and floating type of the module's weights; None where it has no weights."""

    def fingerprint(self) -> str | None:
        """Return the sha256 of the weights behind the scores; None if there are none."""

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as JSON values."""

    def to_tensor(self, batch: npt.NDArray[Any], /) -> torch.Tensor:
        """Return inputs (n, ...) as a new tensor of the module's device and floating type."""

    def forward(self, batch: torch.Tensor, /) -> torch.Tensor:
        """Return the scores (n, classes) of inputs (n, ...); gradients flow."""

    def scores(self, batch: npt.NDArray[Any], /) -> Scores:
        """Return the scores (n, classes) of inputs (n, ...), without gradients."""

    def check_scores(self, output: Any, count: int, /) -> Scores:
        """Return what `forward` gave for ``count`` inputs as float64 (count, classes), or raise InputError."""

    def targets(self, target: Any, scores: Scores, /) -> tuple[int, ...]:
        """Return the numbers of the classes that a caller asks for; ``scores`` (classes,) are those of the input."""

    def prediction(self, scores: Scores, index: int, /) -> Prediction:
        """Return one class of an input as a prediction; ``scores`` is (classes,)."""
