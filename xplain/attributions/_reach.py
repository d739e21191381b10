"""Which layer of a network with places in its output suits a class activation map."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions._autograd import torch_module
from xplain.errors import AttributionError
from xplain.models import Prepared
from xplain.models._state import evaluation

__all__ = ["layer_that_sees"]

#: The part of a box that a score has to depend on.
_ENOUGH = 0.8


def layer_that_sees(view: Any, prepared: Prepared, boxes: Sequence[npt.NDArray[np.float64]]) -> str:
    """Return the last layer at which each score depends on most of its box.

    The last feature maps of a detector or a segmenter are its answer: the score of a detection depends on one place of
    them, which explains nothing. Before each convolution it depends on more.

    Parameters
    ----------
    view : object
        With the module's ``forward`` to T scores.
    prepared : Prepared
        The input.
    boxes : sequence of numpy.ndarray
        T boxes x0, y0, x1, y1 in pixels of the input.

    Returns
    -------
    str
        Dotted name; where no layer depends on so much, the one that depends on the most.

    Raises
    ------
    AttributionError
        If the module has no feature maps that scores can be differentiated by.
    """
    with evaluation(view.module, gradients=True), _feature_maps(torch_module(view)) as found:
        scores = view.forward(view.to_tensor(prepared.array[np.newaxis]).requires_grad_())[0]
        layers = [(name, maps) for name, maps in found if maps.requires_grad]
        if not layers or not scores.requires_grad:
            raise AttributionError(
                "model must have a layer with feature maps (channels, height > 1, width > 1) that its scores can be "
                "differentiated by, got none; name one with layer=..., or use a method that needs scores only"
            )
        seen = np.ones(len(layers))
        for t, box in enumerate(boxes):
            slopes = torch.autograd.grad(
                scores[t], [maps for _, maps in layers], retain_graph=t + 1 < len(boxes), allow_unused=True
            )
            seen = np.minimum(seen, [_part_seen(slope, box, prepared) for slope in slopes])
    enough = np.flatnonzero(seen >= min(_ENOUGH, float(seen.max())))
    return layers[int(enough[-1])][0]


def _part_seen(slope: torch.Tensor | None, box: npt.NDArray[np.float64], prepared: Prepared) -> float:
    """The part of a box in which a gradient (1, channels, h, w) is not zero."""
    if slope is None:
        return 0.0
    reached = (slope[0] != 0).any(dim=0).cpu().numpy()
    geometry = prepared.geometry
    factors = np.array([reached.shape[1] / geometry.input_width, reached.shape[0] / geometry.input_height] * 2)
    x0, y0, x1, y1 = box * factors
    rows = slice(max(0, int(np.floor(y0))), max(1, int(np.ceil(y1))))
    columns = slice(max(0, int(np.floor(x0))), max(1, int(np.ceil(x1))))
    inside = reached[rows, columns]
    return float(inside.mean()) if inside.size else 0.0


@contextmanager
def _feature_maps(module: torch.nn.Module) -> Iterator[list[tuple[str, torch.Tensor]]]:
    """Collect the feature maps that the parts of a module return, in their order, with the parts' names."""
    found: list[tuple[str, torch.Tensor]] = []
    owner = threading.get_ident()

    def hook_of(name: str) -> Callable[..., None]:
        def hook(_: object, __: object, output: object) -> None:
            if threading.get_ident() != owner or not isinstance(output, torch.Tensor) or output.ndim != 4:
                return
            if min(output.shape[2:]) > 1 and not any(output is maps for _, maps in found):
                found.append((name, output))

        return hook

    handles = []
    try:
        for name, part in module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule):
                handles.append(part.register_forward_hook(hook_of(name)))
        yield found
    finally:
        for handle in handles:
            handle.remove()
