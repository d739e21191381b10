"""One forward pass, watched: which layer suits a class activation map, and how much memory an input takes.

A vision transformer cuts the input into a grid of patches by a convolution, and each patch is a token: layers give
(batch, tokens, channels), with class and register tokens before the patches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.overrides import TorchFunctionMode

from xplain.attributions.engine.autograd import torch_module
from xplain.errors import AttributionError
from xplain.models import ImageClassifier, Prepared
from xplain.models.borrowing import evaluation

_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "_transformer_encoder_layer_fwd"}

#: Class and register tokens are few. More tokens are of another kind, which may come after the patches.
_MOST_CLASS_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Observation:
    """What one forward pass of one input showed.

    Parameters
    ----------
    scores : numpy.ndarray
        float64 (classes,).
    layer : str or None
        The last part of the module that gives feature maps (channels, height > 1, width > 1) made by a convolution.
    attention : bool
        Whether attention mixes places after that layer, so that its maps do not say where the evidence is.
    grid : (int, int) or None
        Rows and columns of the patches: the places that the last convolution before any attention gave.
    token_layer : str or None
        The last part of the module that gives tokens to the last attention, before they become queries, keys and
        values.
    peak, total : int
        Bytes of the largest activation and of all of them; 0 if the module hides them.
    """

    scores: npt.NDArray[np.float64]
    layer: str | None
    attention: bool
    grid: tuple[int, int] | None
    token_layer: str | None
    peak: int
    total: int


def observe(model: ImageClassifier, array: npt.NDArray[Any]) -> Observation:
    """Score one input (...) and watch its forward pass."""
    watch = Watch()
    with _watched(torch_module(model), watch), watch:
        scores = model.scores(array[np.newaxis])[0]
    return Observation(scores, watch.layer, watch.attention, watch.grid, watch.token_layer, watch.peak, watch.total)


def first_patch(tokens: int, grid: tuple[int, int] | None) -> int | None:
    """Return how many class and register tokens come before the patches of a grid; None for no such tokens."""
    if grid is None or not 0 <= tokens - grid[0] * grid[1] <= _MOST_CLASS_TOKENS:
        return None
    return tokens - grid[0] * grid[1]


class Watch(TorchFunctionMode):
    """Sees every torch function, so a functional convolution counts as much as a module."""

    def __init__(self) -> None:
        super().__init__()
        self.convolved = self.attention = False
        self.peak = self.total = 0
        self.layer: str | None = None
        self.grid: tuple[int, int] | None = None
        self.token_layer: str | None = None
        self._maps: torch.Tensor | None = None
        self.attended: tuple[int, ...] | None = None  # heads and tokens
        self._tokens: str | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").partition(".")[0]
        if name.startswith("conv"):
            self.convolved = True
            if self.attended is None and result.ndim == 4:
                self.grid = (int(result.shape[2]), int(result.shape[3]))
        elif name in _ATTENTION or (name == "softmax" and result.ndim >= 3):
            self.attention = True
            self.token_layer, self._tokens = self._tokens, None
            self.attended = tuple(args[0].shape[1:3]) if args else ()
        if isinstance(result, torch.Tensor):
            size = result.numel() * result.element_size()
            self.peak = max(self.peak, size)
            self.total += size
        return result

    def are_tokens(self, part: torch.nn.Module, output: torch.Tensor) -> bool:
        """Whether a part puts out the patches as tokens; a linear part makes queries, keys and values of them."""
        if output.ndim != 3 or isinstance(part, torch.nn.Linear):
            return False
        return first_patch(output.shape[1], self.grid) is not None

    def are_maps(self, output: torch.Tensor) -> bool:
        """Whether these are feature maps, and not (batch, heads, tokens, ...) inside of attention."""
        return output.ndim == 4 and min(output.shape[2:]) > 1 and tuple(output.shape[1:3]) != self.attended

    def leave(self, name: str, part: torch.nn.Module, output: object, inner: bool) -> None:
        """Take note of the output of a part of the module."""
        if not self.convolved or not isinstance(output, torch.Tensor):
            return
        if self.are_tokens(part, output):
            self._tokens = name
        # A container that hands out its last part's result adds nothing; an in-place function hands out its argument.
        elif self.are_maps(output) and not (inner and output is self._maps):
            self.layer, self._maps, self.attention = name, output, False


@contextmanager
def _watched(module: torch.nn.Module, watch: Watch) -> Iterator[None]:
    owner = threading.get_ident()
    handles = []

    def hook_of(name: str, inner: bool) -> Callable[..., None]:
        def hook(part: torch.nn.Module, _: object, output: object) -> None:
            if threading.get_ident() == owner:
                watch.leave(name, part, output, inner)

        return hook

    try:
        for name, part in module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule):
                handles.append(part.register_forward_hook(hook_of(name, any(part.children()))))
        yield
    finally:
        for handle in handles:
            handle.remove()


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
