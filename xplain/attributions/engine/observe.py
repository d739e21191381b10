"""Forward passes, watched: which layer suits a class activation map, and how much memory an input takes.

`observe` watches a module score one input, and `observed` does so once for inputs of one shape. `find_layer_for_boxes`
finds a layer for a detector or a segmenter, where the last feature maps will not do.

A vision transformer cuts the input into a grid of patches by a convolution, and each patch becomes a token. Its layers
return (batch, tokens, channels), with class and register tokens before those of the patches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch.overrides import TorchFunctionMode

from xplain.attributions.engine.autograd import torch_module
from xplain.attributions.engine.explained import Explained
from xplain.attributions.engine.flow import Flow, moves_places, tensors_in
from xplain.errors import AttributionError
from xplain.models import Prepared, outputs
from xplain.models.borrowing import evaluation

#: Torch functions that compute attention; a softmax of 3 axes or more does so too.
_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "_transformer_encoder_layer_fwd"}
#: Class and register tokens are few. More tokens are of another kind, which may come after the patches.
_MOST_CLASS_TOKENS = 16
#: The part of its box that a score has to depend on at a layer.
_ENOUGH_OF_BOX = 0.8


@dataclass(frozen=True, slots=True)
class Observation:
    """What one forward pass of one input showed.

    Parameters
    ----------
    layer : str or None
        The last submodule that returns feature maps (channels, height > 1, width > 1) made by a convolution, of those
        that the scores are made of.
    bypass : {"branch", "skip"} or None
        How the scores depend on the input beside that layer, see `xplain.attributions.engine.flow.Flow.bypass`.
    attention_follows : bool
        Whether attention mixes places after that layer, so that its maps do not say where the evidence is.
    mixed_by : str or None
        The torch function, not attention, that moved or mixed places after that layer.
    mixed_tokens : str or None
        The last submodule that returns tokens after it.
    moved : bool
        Whether any function moved or mixed places in the pass, so that a layer's maps may lie elsewhere.
    grid : (int, int) or None
        Rows and columns of the patches: the size of the maps that the last convolution before any attention returned.
    token_layer : str or None
        The last submodule that returns tokens before the last attention, and before they become queries, keys and
        values.
    peak_bytes, total_bytes : int
        Bytes of the largest activation and of all of them; 0 if the module hides them.
    """

    layer: str | None
    bypass: str | None
    attention_follows: bool
    mixed_by: str | None
    mixed_tokens: str | None
    moved: bool
    grid: tuple[int, int] | None
    token_layer: str | None
    peak_bytes: int
    total_bytes: int

    @property
    def layer_has_places(self) -> bool:
        """Whether the maps of ``layer`` say where the scores' evidence is."""
        mixed = self.attention_follows or self.mixed_by is not None
        return self.layer is not None and not mixed and self.bypass != "branch"


#: What was seen of each module, by `_circumstances`; the oldest goes where there are too many.
_seen: WeakKeyDictionary[torch.nn.Module, dict[Any, Observation]] = WeakKeyDictionary()
_MOST_SEEN = 256


def observed(model: Explained, array: npt.NDArray[Any]) -> Observation:
    """Return what a forward pass of an input (...) of this shape showed: the first in this process, remembered.

    A pass is watched again where the module's weights, parts, type or device have changed.
    """
    module = torch_module(model)
    seen = _seen.setdefault(module, {})
    key = _circumstances(model, array)
    if key not in seen:
        while len(seen) >= _MOST_SEEN:
            seen.pop(next(iter(seen)), None)
        seen[key] = observe(model, array)
    return seen[key]


def _circumstances(model: Explained, array: npt.NDArray[Any]) -> Any:
    """What a watched pass depends on, but for the values of the input."""
    parts = tuple((name, type(part)) for name, part in torch_module(model).named_modules())
    return type(model), model.fingerprint(), model.placement(), parts, array.shape, array.dtype


def observe(model: Explained, array: npt.NDArray[Any]) -> Observation:
    """Watch a forward pass of one input (...); again for each side output that is found to be unused."""
    module, unused = torch_module(model), set[str]()
    while True:
        watcher = Watcher(unused)
        with _after_each_call(module, watcher.note_output), _ends(module, watcher.flow) as ends, watcher:
            model.scores(array[np.newaxis])
        # A module that runs several times has no one input.
        if watcher.layer is None or len(ends) != 2 or watcher.is_used(ends[1]):
            break
        unused.add(watcher.layer)
    return Observation(
        watcher.layer,
        watcher.bypass(*ends) if len(ends) == 2 else None,
        watcher.attention_follows,
        watcher.mixed_by,
        watcher.mixed_tokens,
        watcher.moved,
        watcher.grid,
        watcher.token_layer,
        watcher.peak_bytes,
        watcher.total_bytes,
    )


def find_layer_for_boxes(model: Explained, prepared: Prepared, boxes: Sequence[npt.NDArray[np.float64]]) -> str:
    """Return the last layer at which each score depends on most of its box.

    The last feature maps of a detector or a segmenter are its answer: the score of a detection depends on one place of
    them, which explains nothing. Before each convolution or attention it depends on more.

    Parameters
    ----------
    model : Explained
        With T scores.
    prepared : Prepared
        The input.
    boxes : sequence of numpy.ndarray
        T boxes x0, y0, x1, y1 in pixels of the input.

    Returns
    -------
    str
        Dotted name. Where no layer depends on enough of the boxes, the last of those that depend on the most.

    Raises
    ------
    AttributionError
        If the module has no feature maps that scores can be differentiated by.
    """
    watcher = Watcher()
    with evaluation(model.module, gradients=True), _collected_maps(torch_module(model), watcher) as collected:
        with watcher:
            scores = model.forward(model.to_tensor(prepared.array[np.newaxis]).requires_grad_())[0]
        # After the pass it is known which (batch, heads, tokens, ...) is inside of attention.
        calls = [
            (name, maps)
            for name, maps in collected
            if maps.requires_grad and (maps.ndim == 3 or watcher.are_maps(maps))
        ]
        if not calls or not scores.requires_grad:
            raise AttributionError(
                "model must have a layer with feature maps (channels, height > 1, width > 1) that its scores can be "
                "differentiated by, got none; name one with layer=..., or use a method that needs scores only"
            )
        # How much each layer reaches of each box, in the order of the layers' last calls.
        names = list(dict.fromkeys(name for name, _ in reversed(calls)))[::-1]
        reached = np.zeros((len(names), len(boxes)))
        for t, box in enumerate(boxes):
            gradients = torch.autograd.grad(
                scores[t], [maps for _, maps in calls], retain_graph=t + 1 < len(boxes), allow_unused=True
            )
            for (name, _), gradient in zip(calls, gradients, strict=True):
                fraction = reached_fraction(gradient, box, prepared, watcher.grid)
                # A head runs on each level, and the box lies on one: of the calls that the score depends on the last
                # counts, which the others lead to where they are steps of one path.
                if fraction > 0:
                    reached[names.index(name), t] = fraction
    least = reached.min(axis=1)  # for the score that reaches the least of its box
    enough = np.flatnonzero(least >= min(_ENOUGH_OF_BOX, float(least.max())))
    return names[int(enough[-1])]


def reached_fraction(
    gradient: torch.Tensor | None,
    box: npt.NDArray[np.float64],
    prepared: Prepared,
    grid: tuple[int, int] | None = None,
) -> float:
    """Return the fraction of a box in which a score's gradient at a layer is not zero.

    Parameters
    ----------
    gradient : torch.Tensor or None
        (1, channels, h, w), or (1, tokens, channels) with the patches of ``grid``; None is zero everywhere.
    box : numpy.ndarray
        x0, y0, x1, y1 in pixels of the input; what lies outside of it does not count.
    prepared : Prepared
        The input.
    grid : (int, int), optional
        Rows and columns of the patches.
    """
    if gradient is None:
        return 0.0
    if gradient.ndim == 3 and grid is not None:
        places = (gradient[0] != 0).any(dim=1)[first_patch(gradient.shape[1], grid) :].reshape(grid)
    else:
        places = (gradient[0] != 0).any(dim=0)
    reached = places.cpu().numpy()
    geometry = prepared.geometry
    factors = np.array([reached.shape[1] / geometry.input_width, reached.shape[0] / geometry.input_height] * 2)
    x0, y0, x1, y1 = box * factors
    rows = slice(max(0, int(np.floor(y0))), max(1, int(np.ceil(y1))))
    columns = slice(max(0, int(np.floor(x0))), max(1, int(np.ceil(x1))))
    inside = reached[rows, columns]
    return float(inside.mean()) if inside.size else 0.0


def first_patch(tokens: int, grid: tuple[int, int] | None) -> int | None:
    """Return how many class and register tokens come before the patches of a grid; None if these are not its tokens."""
    if grid is None or not 0 <= tokens - grid[0] * grid[1] <= _MOST_CLASS_TOKENS:
        return None
    return tokens - grid[0] * grid[1]


class Watcher(TorchFunctionMode):
    """Sees every torch function while it is entered, so that a functional convolution counts as much as a module.

    The attributes that are not described here are those of `Observation`.

    Parameters
    ----------
    unused : set of str
        Submodules whose maps do not count.

    Attributes
    ----------
    convolved : bool
        Whether a convolution has run.
    attended : tuple of int or None
        Heads and tokens of the last attention; None before the first.
    """

    def __init__(self, unused: Set[str] = frozenset()) -> None:
        super().__init__()
        self._unused = unused
        self.layer: str | None = None
        self.attention_follows = False
        self.mixed_by: str | None = None
        self.mixed_tokens: str | None = None
        self.moved = False
        self.flow = Flow()
        self.grid: tuple[int, int] | None = None
        self.token_layer: str | None = None
        self.peak_bytes = self.total_bytes = 0
        self.convolved = False
        self.attended: tuple[int, ...] | None = None
        self._maps: torch.Tensor | None = None  # the output of `layer`
        self._outputs: dict[str, list[int]] = {}  # of each submodule that returned maps, in the flow
        self._token_candidate: str | None = None  # the last submodule that returned tokens since the last attention

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").partition(".")[0]
        if name.startswith("conv"):
            self.convolved = True
            if self.attended is None and result.ndim == 4:
                self.grid = (int(result.shape[2]), int(result.shape[3]))
        elif name in _ATTENTION or (name == "softmax" and result.ndim >= 3):
            self.attention_follows = True
            self.token_layer, self._token_candidate = self._token_candidate, None
            self.attended = tuple(args[0].shape[1:3]) if args else ()
        if moves_places(name, args, self._shape_of_maps()):
            self.moved = True
            if self.layer is not None:
                self.mixed_by, self.mixed_tokens = name, None
        self.flow.note(name, (args, kwargs), result)
        if isinstance(result, torch.Tensor):
            size = result.numel() * result.element_size()
            self.peak_bytes = max(self.peak_bytes, size)
            self.total_bytes += size
        return result

    def note_output(self, name: str, submodule: torch.nn.Module, output: object) -> None:
        """Take note of what a submodule returned."""
        if not self.convolved or not isinstance(output, torch.Tensor) or name in self._unused:
            return
        if self.are_tokens(submodule, output):
            self._token_candidate = self.mixed_tokens = name
        # A container that returns its last child's result adds nothing. A leaf that does works in place: it counts.
        elif self.are_maps(output) and not (output is self._maps and any(submodule.children())):
            self.layer, self._maps, self.attention_follows = name, output, False
            self.mixed_by = None
            self._outputs.setdefault(name, []).append(self.flow.number(output))

    def bypass(self, start: Sequence[int], end: Sequence[int]) -> str | None:
        """How what comes out of the pass depends on what went in beside `layer`."""
        return None if self.layer is None else self.flow.bypass(start, self._outputs[self.layer], end)

    def is_used(self, end: Sequence[int]) -> bool:
        """Whether what comes out of the pass is made of `layer`."""
        return self.layer is not None and self.flow.is_made_of(end, self._outputs[self.layer])

    def _shape_of_maps(self) -> tuple[int, ...]:
        """Channels, rows and columns of the last maps, or of the patches."""
        if self._maps is not None:
            return tuple(self._maps.shape[1:])
        return (0, *(self.grid or (0, 0)))

    def are_tokens(self, submodule: torch.nn.Module, output: torch.Tensor) -> bool:
        """Whether a submodule returns the patches as tokens; a linear one makes queries, keys and values of them."""
        if output.ndim != 3 or isinstance(submodule, torch.nn.Linear):
            return False
        return first_patch(output.shape[1], self.grid) is not None

    def are_maps(self, output: torch.Tensor) -> bool:
        """Whether these are feature maps, and not (batch, heads, tokens, ...) inside of attention."""
        return output.ndim == 4 and min(output.shape[2:]) > 1 and tuple(output.shape[1:3]) != self.attended


@contextmanager
def _collected_maps(module: torch.nn.Module, watcher: Watcher) -> Iterator[list[tuple[str, torch.Tensor]]]:
    """Collect the feature maps and tokens that submodules return, in their order, with the submodules' names."""
    collected: list[tuple[str, torch.Tensor]] = []

    def collect(name: str, submodule: torch.nn.Module, output: object) -> None:
        if not isinstance(output, torch.Tensor):
            return
        has_places = watcher.are_maps(output) or watcher.are_tokens(submodule, output)
        # A container that returns its last child's result adds nothing.
        if has_places and not any(output is maps for _, maps in collected):
            collected.append((name, output))

    with _after_each_call(module, collect):
        yield collected


@contextmanager
def _ends(module: torch.nn.Module, flow: Flow) -> Iterator[list[list[int]]]:
    """Collect the numbers in the flow of what goes into a module, and of the scores that come out, whenever it runs."""
    ends: list[list[int]] = []
    owner = threading.get_ident()

    def enter(_: torch.nn.Module, args: Any, kwargs: Any) -> None:
        if threading.get_ident() == owner:
            # The first is what is explained: others, such as metadata, are no way past a layer.
            ends.append([flow.number(tensor) for tensor in tensors_in((args, kwargs))[:1]])

    def leave(_: torch.nn.Module, __: object, output: object) -> None:
        if threading.get_ident() == owner:
            ends.append([flow.number(tensor) for tensor in tensors_in(outputs.tensor_of(output))])

    handles: list[Any] = []
    if not isinstance(module, torch.jit.ScriptModule):  # which does not call hooks
        handles = [module.register_forward_pre_hook(enter, with_kwargs=True), module.register_forward_hook(leave)]
    try:
        yield ends
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _after_each_call(
    module: torch.nn.Module, callback: Callable[[str, torch.nn.Module, object], None]
) -> Iterator[None]:
    """Call ``callback(name, submodule, output)`` whenever a submodule has run in this thread."""
    owner = threading.get_ident()
    handles = []

    def hook_of(name: str) -> Callable[..., None]:
        def hook(submodule: torch.nn.Module, _: object, output: object) -> None:
            # A server may run the same module in another thread.
            if threading.get_ident() == owner:
                callback(name, submodule, output)

        return hook

    try:
        for name, submodule in module.named_modules():
            # Scripted submodules do not call hooks.
            if name and not isinstance(submodule, torch.jit.ScriptModule):
                handles.append(submodule.register_forward_hook(hook_of(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()
