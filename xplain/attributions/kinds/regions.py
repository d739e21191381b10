"""Regions: a segmenter on one image, seen as an image classifier whose classes are the regions to explain.

The score of a region is the mean, over its places, of the model's output for its class.
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
from xplain.explanation import Explanation, Mask, Prediction
from xplain.models import Prepared, RegionTarget, Segmenter, borrowing, outputs

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


def run(
    model: Segmenter,
    inputs: Sequence[Prepared],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    region: Any = None,
    **arguments: Any,
) -> list[Explanation]:
    """Explain the regions that a segmenter finds, or ``region``; see `_dispatch.run` and `Segmenter.targets`."""
    entry = METHODS[method or ("occlusion" if model.module is None else "grad-cam")]
    call.refuse_black_box(entry, model)
    explanations = []
    for prepared, target in zip(inputs, targets, strict=True):
        view = RegionView.of(model, prepared, target, region)
        everything = list(range(len(view.chosen)))
        (explained,) = call.run(cast(Any, view), [prepared], [everything], method=entry.name, **arguments)
        evaluations = (explained.provenance.evaluations or 0) + view.own_evaluations
        explanations.append(replace(explained, provenance=replace(explained.provenance, evaluations=evaluations)))
    return explanations


class RegionView:
    """A segmenter on one image with the face of an image classifier; its classes are T regions.

    Parameters
    ----------
    segmenter : Segmenter
        What is explained.
    prepared : Prepared
        The image.
    maps : numpy.ndarray
        (classes, h, w), what the segmenter returns for it.
    chosen : sequence of RegionTarget
        T classes over regions.
    """

    def __init__(
        self, segmenter: Segmenter, prepared: Prepared, maps: npt.NDArray[Any], chosen: Sequence[RegionTarget]
    ) -> None:
        self.segmenter = segmenter
        self.prepared = prepared
        self.known = segmenter.predictions(maps, prepared.geometry)
        self.shape = maps.shape
        self.chosen = tuple(chosen)
        self.weights = np.stack([one.weights for one in chosen])
        self.classes = [one.index for one in chosen]
        self.own_evaluations = 1  # the pass that found the regions

    @classmethod
    def of(cls, segmenter: Segmenter, prepared: Prepared, target: Any, region: Any = None) -> Self:
        """Find the regions that a caller asks for, see `Segmenter.targets`."""
        maps = segmenter.maps(prepared.array[np.newaxis])[0]
        return cls(segmenter, prepared, maps, segmenter.targets(target, maps, prepared.geometry, region))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.segmenter, name)

    @cached_property
    def layer(self) -> str:
        """The layer for class activation maps: the model's own, or the last that sees the regions' surroundings."""
        if self.segmenter.layer is not None:
            return self.segmenter.layer
        from xplain.attributions.engine.observe import layer_that_sees

        self.own_evaluations += 1
        return layer_that_sees(self, self.prepared, [self._surroundings(one) for one in self.chosen])

    def _surroundings(self, target: RegionTarget) -> npt.NDArray[np.float64]:
        """The region's box in pixels of the input, twice as wide and high."""
        geometry = self.prepared.geometry
        region = target.prediction.region
        box = region.bbox if isinstance(region, Mask) else None
        corners = [0, 0, geometry.width, geometry.height] if box is None else [box.x0, box.y0, box.x1, box.y1]
        x0, y0, x1, y1 = geometry.boxes_to_input(corners)
        right, down = (x1 - x0) / 2, (y1 - y0) / 2
        return np.array([x0 - right, y0 - down, x1 + right, y1 + down])

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the scores (n, T) of the module; gradients flow."""
        import torch

        maps = self.segmenter.forward(batch)
        self._check_shape(tuple(maps.shape[1:]))
        return torch.einsum("nthw,thw->nt", maps[:, self.classes], maps.new_tensor(self.weights))

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants of the image: float64 (n, T)."""
        if self.segmenter.module is not None:  # only the regions leave the module's device
            with borrowing.evaluation(self.segmenter.module, gradients=False):
                return self.check_scores(self.forward(self.segmenter.to_tensor(batch)), len(batch))
        maps = self.segmenter.maps(batch)
        self._check_shape(maps.shape[1:])
        found: Scores = np.einsum("nthw,thw->nt", maps[:, self.classes], self.weights, dtype=np.float64)
        return found

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self.shape:
            raise InputError(f"model output must be of one shape for every batch, got {self.shape} and then {shape}")

    def check_scores(self, output: Any, count: int) -> Scores:
        """Return scores (n, T) as float64."""
        return outputs.class_scores(output, count)

    def targets(self, target: Sequence[int], scores: Scores) -> tuple[int, ...]:
        """Return the numbers of the regions to explain."""
        return tuple(target)

    def prediction(self, scores: Scores, index: int) -> Prediction:
        """Return one of the T regions."""
        return self.chosen[index].prediction

    def predictions(self, scores: Scores) -> tuple[Prediction, ...]:
        """Return all regions that were found in the image."""
        return self.known
