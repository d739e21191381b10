"""Gradients of a module's scores, at its input or at an inner layer.

Two steps: `record_input` or `record_layer` runs the module while autograd records, and `class_gradients` differentiates
what was recorded. In between the scores are known, which decide what to differentiate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch.overrides import TorchFunctionMode

from xplain.attributions.engine.explained import Explained
from xplain.errors import AttributionError, UnknownNameError

Recording = tuple[torch.Tensor, torch.Tensor]
"""(outputs (n, classes), the tensor to differentiate them by)."""


class Rules(TorchFunctionMode):
    """Propagation rules: replaces the derivatives of some torch functions while it is entered."""

    def verify(self, outputs: torch.Tensor) -> None:
        """Raise AttributionError unless every function was seen and replaced that has to be."""
        raise NotImplementedError


def record_input(model: Explained, batch: torch.Tensor, rules: Callable[[], Rules] | None = None) -> Recording:
    """Run a module on a batch so that its scores can be differentiated by the input.

    ``rules`` makes the propagation rules that hold during the pass.
    """
    leaf = batch.detach().requires_grad_()
    mode = rules() if rules else None
    with mode if mode is not None else nullcontext():
        # A clone, since a module may normalise its input in place, which autograd forbids for a leaf.
        outputs = model.forward(leaf.clone())
    _require_gradients(outputs)
    if mode is not None:
        mode.verify(outputs)
    return outputs, leaf


def record_layer(model: Explained, batch: torch.Tensor, layer: str) -> Recording:
    """Run a module on a batch so that its scores can be differentiated by a layer's output.

    Nothing is recorded before the layer, which saves memory. If a layer is called several times, the last call counts.
    """
    with _captured_outputs(_submodule(model, layer), layer) as leaves, torch.no_grad():
        outputs = model.forward(batch)
    if not leaves:
        raise AttributionError(
            f"layer must run in the forward pass, got no output of {layer!r}; exported modules do not call hooks: "
            "explain the module that they were made from, or use integrated-gradients"
        )
    shape = tuple(leaves[-1].shape)
    if len(shape) not in (3, 4) or shape[0] != len(batch):
        raise AttributionError(
            "layer must give feature maps (batch, channels, height, width) or tokens (batch, tokens, channels), got "
            f"shape {shape} from {layer!r}"
        )
    _require_gradients(outputs)
    return outputs, leaves[-1]


def class_gradients(recording: Recording, targets: Sequence[Sequence[int]]) -> list[torch.Tensor]:
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
    gradients = []
    for t in range(count):
        rows = [row for row, classes in enumerate(targets) if len(classes) > t]
        # The sum over the batch has each input's own gradient: inputs do not influence each other's scores.
        total = outputs[rows, [targets[row][t] for row in rows]].sum()
        (gradient,) = torch.autograd.grad(total, wrt, retain_graph=t + 1 < count, allow_unused=True)
        if gradient is None:
            raise AttributionError(
                "the model's output must depend on its input, got no gradient; if the model detaches or converts its "
                "input, use a method that needs scores only, such as occlusion or rise"
            )
        gradients.append(gradient)
    return gradients


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in double precision, so that sums lose nothing; on the CPU if its device has no doubles (mps)."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def torch_module(model: Explained) -> torch.nn.Module:
    """Return the module of a model, or raise AttributionError if it is a black box."""
    module: torch.nn.Module | None = model.module
    if module is None:
        raise AttributionError(f"model must be a torch module for its gradients, got the black box {model.name}")
    return module


def _submodule(model: Explained, layer: str) -> torch.nn.Module:
    """Return the submodule of a dotted name."""
    submodules: dict[str, torch.nn.Module] = dict(torch_module(model).named_modules())
    if layer not in submodules or layer == "":
        raise UnknownNameError("layer", layer, [name for name in submodules if name])
    if isinstance(submodules[layer], torch.jit.ScriptModule):
        raise AttributionError(
            f"layer must belong to a module that calls hooks, got {layer!r} of a scripted one; explain the module "
            "that it was made from, or use integrated-gradients"
        )
    return submodules[layer]


@contextmanager
def _captured_outputs(submodule: torch.nn.Module, layer: str) -> Iterator[list[torch.Tensor]]:
    """Collect a submodule's outputs as leaves of an autograd graph that starts there."""
    leaves: list[torch.Tensor] = []
    owner = threading.get_ident()

    def hook(_: torch.nn.Module, __: object, output: object) -> torch.Tensor | None:
        # A server may run the same module in another thread.
        if threading.get_ident() != owner:
            return None
        if not isinstance(output, torch.Tensor):
            raise AttributionError(f"layer must return a tensor, got {type(output).__name__} from {layer!r}")
        leaves.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)  # until the no_grad around the forward pass ends
        # A clone, since the next function may work in place.
        return leaves[-1].clone()

    handle = submodule.register_forward_hook(hook)
    try:
        yield leaves
    finally:
        handle.remove()


def _require_gradients(outputs: torch.Tensor) -> None:
    if not outputs.requires_grad:
        raise AttributionError(
            "the model's output must have gradients, got an output without any; if the model detaches or quantises, "
            "use a method that needs scores only, such as occlusion or rise"
        )
