"""Regions: to the engine a segmenter on one image is a classifier whose classes are the regions to explain.

The score of a region is the mean, over its places, of the model's output for its class.
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
from xplain.explanation import Explanation, Mask
from xplain.models import Prepared, RegionTarget, Segmenter, borrowing

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


def explain(
    model: Segmenter, inputs: Sequence[Prepared], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain regions that a segmenter finds, or classes over the option ``region``; see `xplain.attributions.run`.

    ``region`` and the targets are those of `Segmenter.targets`.
    """
    region, request = request.take("region")
    entry = call.choose_method(model, request, "occlusion" if model.module is None else "hires-cam")
    return [
        explain_view(RegionView.of(model, prepared, target, region), "regions", prepared, entry, request)
        for prepared, target in zip(inputs, targets, strict=True)
    ]


class RegionView(PredictionView):
    """A segmenter on one image; its classes are T regions.

    Parameters
    ----------
    segmenter : Segmenter
        What is explained.
    prepared : Prepared
        The image.
    maps : numpy.ndarray
        (classes, h, w), what the segmenter returns for it.
    region_targets : sequence of RegionTarget
        T classes over regions.
    """

    def __init__(
        self, segmenter: Segmenter, prepared: Prepared, maps: npt.NDArray[Any], region_targets: Sequence[RegionTarget]
    ) -> None:
        super().__init__(
            segmenter, [target.prediction for target in region_targets], segmenter.predictions(maps, prepared.geometry)
        )
        self.segmenter = segmenter
        self.prepared = prepared
        self.region_targets = tuple(region_targets)
        self._maps_shape = maps.shape
        self._weights = np.stack([target.weights for target in region_targets])
        self._segmenter_classes = [target.index for target in region_targets]

    @classmethod
    def of(cls, segmenter: Segmenter, prepared: Prepared, target: Any, region: Any = None) -> Self:
        """Make a view of the regions that a caller asks for, see `Segmenter.targets`."""
        maps = segmenter.maps(prepared.array[np.newaxis])[0]
        segmenter = segmenter.as_read(maps, prepared)
        return cls(segmenter, prepared, maps, segmenter.targets(target, maps, prepared.geometry, region))

    @cached_property
    def layer(self) -> str:
        """The layer for class activation maps: the model's own, or the last that sees the regions' surroundings."""
        if self.segmenter.layer is not None:
            return self.segmenter.layer
        from xplain.attributions.engine.observe import find_layer_for_boxes

        self.setup_evaluations += 1
        return find_layer_for_boxes(self, self.prepared, [self._surroundings(target) for target in self.region_targets])

    def _surroundings(self, target: RegionTarget) -> npt.NDArray[np.float64]:
        """The region's box (x0, y0, x1, y1) in pixels of the input, made twice as wide and high."""
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
        return torch.einsum("nthw,thw->nt", maps[:, self._segmenter_classes], maps.new_tensor(self._weights))

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants of the image: float64 (n, T)."""
        if self.segmenter.module is not None:
            # Weighted on the module's device: T numbers leave it for each image, and not the maps of all classes.
            with borrowing.evaluation(self.segmenter.module, gradients=False):
                return self.check_scores(self.forward(self.segmenter.to_tensor(batch)), len(batch))
        maps = self.segmenter.maps(batch)
        self._check_shape(maps.shape[1:])
        scores: Scores = np.einsum("nthw,thw->nt", maps[:, self._segmenter_classes], self._weights, dtype=np.float64)
        return scores

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self._maps_shape:
            raise InputError(
                f"model output must be of one shape for every batch, got {self._maps_shape} and then {shape}"
            )
