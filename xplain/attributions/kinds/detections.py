"""Detections: to the engine a detector on one image is a classifier whose classes are the detections to explain.

The score of a detection on a changed image is found again by box and class: `DetectionView` for methods that need
scores, `GradientView` for those that differentiate. The default of modules is smoothgrad with squares: on photos its
maps lie on the detected object more than those of any method of 1 to 70 evaluations (benchmarks/quality.py). Of the
class activation maps hires-cam is the one that tells two objects of a class apart: it keeps the gradient's place, as
ODAM does (Zhao & Chan 2023), where grad-cam averages it over the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain.attributions import call
from xplain.attributions.kinds.images import explain_view
from xplain.attributions.kinds.views import PredictionView
from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction
from xplain.models import Detections, Detector, Prepared, borrowing
from xplain.models.detections import best_match, similarity

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


def explain(
    model: Detector, inputs: Sequence[Prepared], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain detections; see `xplain.attributions.run`."""
    entry = call.choose_method(model, request, "d-rise" if model.module is None else "smoothgrad")
    view_class = DetectionView if entry.needs == "scores" else GradientView
    return [
        explain_view(view_class.of(model, prepared, target), "detections", prepared, entry, request)
        for prepared, target in zip(inputs, targets, strict=True)
    ]


class DetectionView(PredictionView):
    """A detector on one image; its classes are T detections.

    The score of a detection is its best `similarity` with a candidate of the image at hand.

    Parameters
    ----------
    detector : Detector
        What is explained.
    prepared : Prepared
        The image.
    target_detections : Detections
        T detections, as arrays in pixels of the model's input.
    target_predictions : sequence of Prediction
        The same T as predictions.
    all_predictions : sequence of Prediction
        Everything that the detector found in the image.
    original_candidates : Detections
        The candidates of the image itself, as arrays.
    """

    def __init__(
        self,
        detector: Detector,
        prepared: Prepared,
        *,
        target_detections: Detections,
        target_predictions: Sequence[Prediction],
        all_predictions: Sequence[Prediction],
        original_candidates: Detections,
    ) -> None:
        super().__init__(detector, target_predictions, all_predictions)
        self.detector = detector
        self.prepared = prepared
        self.target_detections = target_detections
        self.original_candidates = original_candidates

    @classmethod
    def of(cls, detector: Detector, prepared: Prepared, target: Any) -> Self:
        """Make a view of the detections that a caller asks for, see `Detector.targets`."""
        (detections,), (candidates,) = detector.detect(prepared.array[np.newaxis])
        target_detections, target_predictions = detector.targets(target, detections, prepared.geometry)
        return cls(
            detector,
            prepared,
            target_detections=target_detections,
            target_predictions=target_predictions,
            all_predictions=detector.predictions(detections, prepared.geometry),
            original_candidates=candidates,
        )

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants of the image: float64 (n, T)."""
        return np.stack(
            [best_match(self.target_detections, candidates) for candidates in self.detector.candidates(batch)]
        ).astype(np.float64)


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
        from xplain.attributions.engine.observe import find_layer_for_boxes

        self.setup_evaluations += 1
        return find_layer_for_boxes(self, self.prepared, list(self.target_detections.boxes))

    @cached_property
    def candidate_indices(self) -> list[int]:
        """Which candidate each of the T detections is: the one that matches it best."""
        similarities = similarity(self.target_detections, self.original_candidates)
        if not similarities.size or (similarities.max(axis=1) <= 0).any():
            raise InputError(
                "target must overlap a candidate of its class, got none for a prediction; use a method that needs "
                "scores only, such as d-rise"
            )
        return [int(i) for i in similarities.argmax(axis=1)]

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the scores (n, T) of the module; gradients flow."""
        import torch

        return torch.stack([self._target_scores(candidates) for candidates in self.detector.candidate_tensors(batch)])

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants of the image without gradients: float64 (n, T)."""
        with borrowing.evaluation(self.detector.module, gradients=False):
            return self.check_scores(self.forward(self.detector.to_tensor(batch)), len(batch))

    def _target_scores(self, candidates: Detections) -> torch.Tensor:
        """Return the scores (T,) of the detections among the candidates of one image."""
        if not self.detector.has_candidates:
            best: torch.Tensor = best_match(self.target_detections.tensors(candidates.boxes), candidates)
            return best
        if len(candidates) != len(self.original_candidates):
            raise InputError(
                f"postprocess.candidates must give as many for every image, got {len(self.original_candidates)} and "
                f"then {len(candidates)}"
            )
        if candidates.probabilities is None:
            scores: torch.Tensor = candidates.scores[self.candidate_indices]
        else:
            scores = candidates.probabilities[self.candidate_indices, self.target_detections.labels.tolist()]
        return scores
