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
from xplain.attributions._observe import Watch, first_patch
from xplain.errors import AttributionError
from xplain.models import Prepared
from xplain.models._state import evaluation

__all__ = ["layer_that_sees"]

#: The part of a box that a score has to depend on.
_ENOUGH = 0.8


def layer_that_sees(view: Any, prepared: Prepared, boxes: Sequence[npt.NDArray[np.float64]]) -> str:
    """Return the last layer at which each score depends on most of its box.

    The last feature maps of a detector or a segmenter are its answer: the score of a detection depends on one place of
    them, which explains nothing. Before each convolution or attention it depends on more.

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
    watch = Watch()
    with evaluation(view.module, gradients=True), _outputs_with_places(torch_module(view), watch) as found:
        with watch:
            scores = view.forward(view.to_tensor(prepared.array[np.newaxis]).requires_grad_())[0]
        layers = [
            (name, maps) for name, maps in found if maps.requires_grad and (maps.ndim == 3 or watch.are_maps(maps))
        ]
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
            seen = np.minimum(seen, [_part_seen(slope, box, prepared, watch.grid) for slope in slopes])
    enough = np.flatnonzero(seen >= min(_ENOUGH, float(seen.max())))
    return layers[int(enough[-1])][0]


def _part_seen(
    slope: torch.Tensor | None, box: npt.NDArray[np.float64], prepared: Prepared, grid: tuple[int, int] | None = None
) -> float:
    """The part of a box in which a gradient, (1, channels, h, w) or of tokens (1, tokens, channels), is not zero."""
    if slope is None:
        return 0.0
    if slope.ndim == 3 and grid is not None:
        places = (slope[0] != 0).any(dim=1)[first_patch(slope.shape[1], grid) :].reshape(grid)
    else:
        places = (slope[0] != 0).any(dim=0)
    reached = places.cpu().numpy()
    geometry = prepared.geometry
    factors = np.array([reached.shape[1] / geometry.input_width, reached.shape[0] / geometry.input_height] * 2)
    x0, y0, x1, y1 = box * factors
    rows = slice(max(0, int(np.floor(y0))), max(1, int(np.ceil(y1))))
    columns = slice(max(0, int(np.floor(x0))), max(1, int(np.ceil(x1))))
    inside = reached[rows, columns]
    return float(inside.mean()) if inside.size else 0.0


@contextmanager
def _outputs_with_places(module: torch.nn.Module, watch: Watch) -> Iterator[list[tuple[str, torch.Tensor]]]:
    """Collect the feature maps and tokens that the parts of a module return, in their order, with the parts' names."""
    found: list[tuple[str, torch.Tensor]] = []
    owner = threading.get_ident()

    def hook_of(name: str) -> Callable[..., None]:
        def hook(part: torch.nn.Module, _: object, output: object) -> None:
            if threading.get_ident() != owner or not isinstance(output, torch.Tensor):
                return
            has_places = watch.are_maps(output) or watch.are_tokens(part, output)
            if has_places and not any(output is maps for _, maps in found):
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
