"""One forward pass, watched: which layer suits a class activation map, and how much memory an input takes.

A vision transformer cuts the input into a grid of patches by a convolution, and each patch is a token: layers give
(batch, tokens, channels), with class and register tokens before the patches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.overrides import TorchFunctionMode

from xplain.attributions._autograd import torch_module
from xplain.models import ImageClassifier

__all__ = ["Observation", "Watch", "first_patch", "observe"]

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
