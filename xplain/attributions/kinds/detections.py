"""Detections: a detector on one image, seen as an image classifier whose classes are the detections to explain.

So methods on images explain detections. The score of a detection on a changed image is found again by box and class:
`DetectionView` for methods that need scores, `GradientView` for those that differentiate. Of the class activation maps
hires-cam is the one that tells two objects of a class apart: it keeps the gradient's place, as ODAM does (Zhao & Chan
2023), where grad-cam averages it over the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt

from xplain.attributions import call
from xplain.attributions.table import METHODS
from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction
from xplain.models import Detections, Detector, Prepared, borrowing, outputs
from xplain.models.detections import best_match, similarity

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


def run(
    model: Detector,
    inputs: Sequence[Prepared],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    **arguments: Any,
) -> list[Explanation]:
    """Explain what a detector finds; see `_dispatch.run`."""
    entry = METHODS[method or ("d-rise" if model.module is None else "hires-cam")]
    call.refuse_black_box(entry, model)
    kind = DetectionView if entry.needs == "scores" else GradientView
    explanations = []
    for prepared, target in zip(inputs, targets, strict=True):
        view = kind.of(model, prepared, target)
        everything = list(range(len(view.chosen)))
        (explained,) = call.run(cast(Any, view), [prepared], [everything], method=entry.name, **arguments)
        evaluations = (explained.provenance.evaluations or 0) + view.own_evaluations
        explanations.append(replace(explained, provenance=replace(explained.provenance, evaluations=evaluations)))
    return explanations


class DetectionView:
    """A detector on one image with the face of an image classifier; its classes are T detections.

    The score of a detection is its best `similarity` with a candidate of the image at hand.

    Parameters
    ----------
    detector : Detector
        What is explained.
    prepared : Prepared
        The image.
    asked : Detections
        T detections, as arrays in pixels of the model's input.
    chosen : sequence of Prediction
        The same T as predictions.
    known : sequence of Prediction
        Everything that the detector found in the image.
    original : Detections
        The candidates of the image itself, as arrays.
    """

    def __init__(
        self,
        detector: Detector,
        prepared: Prepared,
        *,
        asked: Detections,
        chosen: Sequence[Prediction],
        known: Sequence[Prediction],
        original: Detections,
    ) -> None:
        self.detector = detector
        self.prepared = prepared
        self.asked = asked
        self.chosen = tuple(chosen)
        self.known = tuple(known)
        self.original = original
        self.own_evaluations = 1  # the pass that found the detections

    @classmethod
    def of(cls, detector: Detector, prepared: Prepared, target: Any) -> Self:
        """Find the detections that a caller asks for, see `Detector.targets`."""
        (found,), (candidates,) = detector.detect(prepared.array[np.newaxis])
        asked, chosen = detector.targets(target, found, prepared.geometry)
        known = detector.predictions(found, prepared.geometry)
        return cls(detector, prepared, asked=asked, chosen=chosen, known=known, original=candidates)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.detector, name)

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants of the image: float64 (n, T)."""
        return np.stack([best_match(self.asked, one) for one in self.detector.candidates(batch)]).astype(np.float64)

    def check_scores(self, output: Any, count: int) -> Scores:
        """Return scores (n, T) as float64."""
        return outputs.class_scores(output, count)

    def targets(self, target: Sequence[int], scores: Scores) -> tuple[int, ...]:
        """Return the numbers of the detections to explain."""
        return tuple(target)

    def prediction(self, scores: Scores, index: int) -> Prediction:
        """Return one of the T detections."""
        return self.chosen[index]

    def predictions(self, scores: Scores) -> tuple[Prediction, ...]:
        """Return everything that was found in the image."""
        return self.known


class GradientView(DetectionView):
    """As `DetectionView`, with scores that are differentiable.

    Where the detector has candidates, a detection's score is that of one candidate, always the same: the one that
    matches it best on the image itself. Otherwise it is the best similarity, as in `DetectionView`.
    """

    @cached_property
    def layer(self) -> str:
        """The layer for class activation maps: the detector's own, or the last that sees the whole of each box."""
        if self.detector.layer is not None:
            return self.detector.layer
        from xplain.attributions.engine.observe import layer_that_sees

        self.own_evaluations += 1
        return layer_that_sees(self, self.prepared, list(self.asked.boxes))

    @cached_property
    def places(self) -> list[int]:
        """Which candidate is each of the T detections."""
        values = similarity(self.asked, self.original)
        if not values.size or (values.max(axis=1) <= 0).any():
            raise InputError(
                "target must overlap a candidate of its class, got none for a prediction; use a method that needs "
                "scores only, such as d-rise"
            )
        return [int(i) for i in values.argmax(axis=1)]

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the scores (n, T) of the module; gradients flow."""
        import torch

        found = self.detector.candidate_tensors(batch)
        return torch.stack([self._of(one) for one in found])

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants of the image without gradients: float64 (n, T)."""
        with borrowing.evaluation(self.detector.module, gradients=False):
            return self.check_scores(self.forward(self.detector.to_tensor(batch)), len(batch))

    def _of(self, found: Detections) -> torch.Tensor:
        if not self.detector.has_candidates:
            matches: torch.Tensor = best_match(self.asked.tensors(found.boxes), found)
            return matches
        if len(found) != len(self.original):
            raise InputError(
                f"postprocess.candidates must give as many for every image, got {len(self.original)} and then "
                f"{len(found)}"
            )
        if found.probabilities is None:
            scores: torch.Tensor = found.scores[self.places]
        else:
            scores = found.probabilities[self.places, self.asked.labels.tolist()]
        return scores
