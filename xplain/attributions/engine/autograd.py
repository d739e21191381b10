"""Gradients of a module's scores, at its input or at an inner layer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch.overrides import TorchFunctionMode

from xplain.errors import AttributionError, UnknownNameError
from xplain.models import ImageClassifier

Recording = tuple[torch.Tensor, torch.Tensor]
"""(outputs (n, classes), the tensor to differentiate them by)."""


class Rules(TorchFunctionMode):
    """Replaces the derivatives of some functions while it is entered."""

    def verify(self, outputs: torch.Tensor) -> None:
        """Raise AttributionError unless every function was replaced that had to be."""
        raise NotImplementedError


def record_input(model: ImageClassifier, batch: torch.Tensor, rules: Callable[[], Rules] | None = None) -> Recording:
    """Run a module on a batch so that its scores can be differentiated by the input."""
    leaf = batch.detach().requires_grad_()
    replaced = rules() if rules else None
    with replaced if replaced is not None else nullcontext():
        # A clone, since a module may normalise its input in place, which autograd forbids for a leaf.
        outputs = model.forward(leaf.clone())
    _require_gradients(outputs)
    if replaced is not None:
        replaced.verify(outputs)
    return outputs, leaf


def record_layer(model: ImageClassifier, batch: torch.Tensor, layer: str) -> Recording:
    """Run a module on a batch so that its scores can be differentiated by a layer's output.

    Nothing is recorded before the layer, which saves its memory. Of a layer that is called several times, the last call
    counts.
    """
    with _captured(submodule(model, layer), layer) as found, torch.no_grad():
        outputs = model.forward(batch)
    if not found:
        raise AttributionError(
            f"layer must run in the forward pass, got no output of {layer!r}; exported modules do not call hooks: "
            "explain the module that they were made from, or use integrated-gradients"
        )
    shape = tuple(found[-1].shape)
    if len(shape) not in (3, 4) or shape[0] != len(batch):
        raise AttributionError(
            "layer must give feature maps (batch, channels, height, width) or tokens (batch, tokens, channels), got "
            f"shape {shape} from {layer!r}"
        )
    _require_gradients(outputs)
    return outputs, found[-1]


def slopes(recording: Recording, targets: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Differentiate scores of the recorded inputs.

    Parameters
    ----------
    recording : (torch.Tensor, torch.Tensor)
        From `record_input` or `record_layer`.
    targets : sequence of sequence of int
        The classes to differentiate for each input of the batch.

    Returns
    -------
    list of torch.Tensor
        At t, gradients (n, ...) of each input's t-th class; zero for an input that has fewer.
    """
    outputs, wrt = recording
    count = max(map(len, targets))
    found = []
    for t in range(count):
        rows = [row for row, classes in enumerate(targets) if len(classes) > t]
        picked = outputs[rows, [targets[row][t] for row in rows]].sum()
        (gradient,) = torch.autograd.grad(picked, wrt, retain_graph=t + 1 < count, allow_unused=True)
        if gradient is None:
            raise AttributionError(
                "the model's output must depend on its input, got no gradient; if the model detaches or converts its "
                "input, use a method that needs scores only, such as occlusion or rise"
            )
        found.append(gradient)
    return found


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in double precision, on the CPU where its device has none, so that sums lose nothing."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def torch_module(model: ImageClassifier) -> torch.nn.Module:
    """Return the module of a model."""
    module: torch.nn.Module | None = model.module
    if module is None:
        raise AttributionError(f"model must be a torch module for its gradients, got the black box {model.name}")
    return module


def submodule(model: ImageClassifier, layer: str) -> torch.nn.Module:
    """Return a module's part by its dotted name."""
    parts: dict[str, torch.nn.Module] = dict(torch_module(model).named_modules())
    if layer not in parts or layer == "":
        raise UnknownNameError("layer", layer, [name for name in parts if name])
    if isinstance(parts[layer], torch.jit.ScriptModule):
        raise AttributionError(
            f"layer must belong to a module that calls hooks, got {layer!r} of a scripted one; explain the module "
            "that it was made from, or use integrated-gradients"
        )
    return parts[layer]


@contextmanager
def _captured(part: torch.nn.Module, layer: str) -> Iterator[list[torch.Tensor]]:
    """Collect a part's outputs as leaves of a graph that starts there."""
    found: list[torch.Tensor] = []
    owner = threading.get_ident()

    def hook(_: torch.nn.Module, __: object, output: object) -> torch.Tensor | None:
        # A server may run the same module in another thread.
        if threading.get_ident() != owner:
            return None
        if not isinstance(output, torch.Tensor):
            raise AttributionError(f"layer must return a tensor, got {type(output).__name__} from {layer!r}")
        found.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)  # until the no_grad around the forward pass ends
        # A clone, since the next function may work in place.
        return found[-1].clone()

    handle = part.register_forward_hook(hook)
    try:
        yield found
    finally:
        handle.remove()


def _require_gradients(outputs: torch.Tensor) -> None:
    if not outputs.requires_grad:
        raise AttributionError(
            "the model's output must have gradients, got an output without any; if the model detaches or quantises, "
            "use a method that needs scores only, such as occlusion or rise"
        )
