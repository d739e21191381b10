"""Gradients of a module's scores, at its input or at an inner layer.

Two steps: `record_input` or `record_layer` runs the module while autograd records, and `class_gradients` differentiates
what was recorded. In between the scores are known, which decide what to differentiate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointError

from xplain.attributions.engine.explained import Explained
from xplain.errors import AttributionError, UnknownNameError, XplainError, is_out_of_memory, reason_of

Recording = tuple[torch.Tensor, list[torch.Tensor]]
"""(outputs (n, classes), the tensors to differentiate them by)."""


class LayerDidNotRun(AttributionError):
    """A layer was not called in a pass: a network may take another way for another input."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """One call of a layer for one input, and the scores' gradients there; the input itself counts as a layer.

    Parameters
    ----------
    number, count : int
        Which call of how many the pass had, from 0.
    output : torch.Tensor
        (...), what the layer returned for the input.
    gradients : torch.Tensor
        (T, ...), those of the scores of the input's targets.
    of_input : bool
        False where the output has no row for each input, as that of a reference image: then ``output`` and
        ``gradients`` are those of the whole batch.
    """

    number: int
    count: int
    output: torch.Tensor
    gradients: torch.Tensor
    of_input: bool


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
    with _refused_gradients(), mode if mode is not None else nullcontext():
        # A clone, since a module may normalise its input in place, which autograd forbids for a leaf.
        outputs = model.forward(leaf.clone())
    require_gradients(outputs)
    if mode is not None:
        mode.verify(outputs)
    return outputs, [leaf]


def record_layer(model: Explained, batch: torch.Tensor, layer: str) -> Recording:
    """Run a module on a batch so that its scores can be differentiated by a layer's outputs, one for each of its calls.

    Each output begins a graph of its own: a path from the input to the score belongs to the last call that it crosses,
    so that no evidence counts twice where a call depends on an earlier one. Nothing is recorded before the first call,
    which saves memory.
    """
    with _leaves_of_calls(model, layer) as leaves, torch.no_grad():
        outputs = model.forward(batch)
    if not leaves:
        raise LayerDidNotRun(
            f"layer must run in the forward pass, got no output of {layer!r}; exported modules do not call hooks: "
            "explain the module that they were made from, or use integrated-gradients"
        )
    if not any(has_places(leaf, len(batch)) for leaf in leaves):
        raise AttributionError(
            "layer must give feature maps (batch, channels, height, width) or tokens (batch, tokens, channels), got "
            f"shape {tuple(leaves[-1].shape)} from {layer!r}; name another with layer=..., or use "
            "integrated-gradients or occlusion, also where a layer runs on several copies of an input in one batch"
        )
    require_gradients(outputs)
    return outputs, leaves


def has_places(output: torch.Tensor, count: int) -> bool:
    """Whether a layer's output has feature maps or tokens for each of ``count`` inputs."""
    return output.ndim in (3, 4) and len(output) == count


def class_gradients(recording: Recording, targets: Sequence[Sequence[int]]) -> list[list[torch.Tensor | None]]:
    """Differentiate scores of the recorded inputs.

    Parameters
    ----------
    recording : (torch.Tensor, list of torch.Tensor)
        From `record_input` or `record_layer`.
    targets : sequence of sequence of int
        The classes to differentiate for each input of the batch.

    Returns
    -------
    list of list of torch.Tensor or None
        At t, gradients (n, ...) of each input's t-th class by each recorded tensor; zero for an input that has fewer,
        None where no score depends on the tensor.
    """
    outputs, leaves = recording
    count = max(map(len, targets))
    gradients: list[list[torch.Tensor | None]] = []
    for t in range(count):
        rows = [row for row, classes in enumerate(targets) if len(classes) > t]
        # The sum over the batch has each input's own gradient: inputs do not influence each other's scores.
        total = outputs[rows, [targets[row][t] for row in rows]].sum()
        with _refused_gradients():
            of_leaves: list[torch.Tensor | None] = list(
                torch.autograd.grad(total, leaves, retain_graph=t + 1 < count, allow_unused=True)
            )
        if all(gradient is None for gradient in of_leaves):
            raise AttributionError(
                "the model's output must depend on its input, got no gradient; if the model detaches or converts its "
                "input, use a method that needs scores only, such as occlusion or rise"
            )
        gradients.append(of_leaves)
    return gradients


@contextmanager
def _refused_gradients() -> Iterator[None]:
    """Raise AttributionError where a model cannot be differentiated, by torch or by functions of its own.

    Checkpointed parts run again for their gradients, without the propagation rules; reentrant ones have no gradient by
    an input.
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error, AttributionError) else error
        if isinstance(cause, CheckpointError) or "use_reentrant" in str(cause):
            raise AttributionError(
                "the model must be differentiable in one pass, got a part under torch.utils.checkpoint, which computes "
                "it again; turn checkpointing off, or use a method that needs scores only, such as occlusion"
            ) from error
        if isinstance(error, XplainError) or is_out_of_memory(error):
            raise
        raise AttributionError(
            f"the model must be differentiable, got {reason_of(error)}; use a method that needs scores only, such as "
            "occlusion"
        ) from error


def calls_of_inputs(recording: Recording, targets: Sequence[Sequence[int]]) -> list[list[LayerCall]]:
    """Differentiate what was recorded, and return for each input the calls that its scores depend on.

    Of a single recorded tensor the call is returned in any case, and so is the last one where no score depends on any.
    """
    slopes = class_gradients(recording, targets)
    calls = []
    for row, classes in enumerate(targets):
        all_calls = [
            _call_of_input(
                recording[1], number, [of_leaves[number] for of_leaves in slopes[: len(classes)]], row, len(targets)
            )
            for number in range(len(recording[1]))
        ]
        carrying = [call for call in all_calls if len(all_calls) == 1 or call.gradients.any()]
        calls.append(carrying or [call for call in all_calls if call.of_input][-1:])
    return calls


def _call_of_input(
    leaves: list[torch.Tensor], number: int, slopes: list[torch.Tensor | None], row: int, inputs: int
) -> LayerCall:
    """Return one of several inputs' row of a call and of the gradients there."""
    output = leaves[number].detach()
    gradients = [torch.zeros_like(output) if slope is None else slope for slope in slopes]
    if len(leaves) > 1 and not has_places(output, inputs):
        return LayerCall(number, len(leaves), output, torch.stack(gradients), of_input=False)
    of_row = torch.stack([gradient[row] for gradient in gradients])
    return LayerCall(number, len(leaves), output[row], of_row, of_input=True)


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
def outputs_of_calls(model: Explained, layer: str) -> Iterator[list[torch.Tensor]]:
    """Collect what a layer returns, call by call, and leave it as it is."""
    outputs: list[torch.Tensor] = []

    def collect(output: torch.Tensor) -> torch.Tensor:
        outputs.append(output)
        # A clone, since the next function may work in place.
        return output.clone()

    with _replaced_outputs(model, layer, collect):
        yield outputs


@contextmanager
def _leaves_of_calls(model: Explained, layer: str) -> Iterator[list[torch.Tensor]]:
    """Collect what a layer returns, call by call, as leaves of an autograd graph that starts there."""
    leaves: list[torch.Tensor] = []

    def start(output: torch.Tensor) -> torch.Tensor:
        leaves.append(output.detach().requires_grad_())
        torch.set_grad_enabled(True)  # until the no_grad around the forward pass ends
        # A clone, since the next function may work in place.
        return leaves[-1].clone()

    with _replaced_outputs(model, layer, start):
        yield leaves


@contextmanager
def _replaced_outputs(model: Explained, layer: str, replace: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Replace what a layer returns in this thread."""
    owner = threading.get_ident()

    def hook(_: torch.nn.Module, __: object, output: object) -> torch.Tensor | None:
        # A server may run the same module in another thread.
        if threading.get_ident() != owner:
            return None
        if not isinstance(output, torch.Tensor):
            raise AttributionError(f"layer must return a tensor, got {type(output).__name__} from {layer!r}")
        return replace(output)

    handle = _submodule(model, layer).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def require_gradients(outputs: torch.Tensor) -> None:
    """Raise AttributionError if outputs cannot be differentiated."""
    if not getattr(outputs, "requires_grad", False):  # nor have arrays, which a module may return
        raise AttributionError(
            "the model's output must have gradients, got an output without any; if the model detaches or quantises, "
            "use a method that needs scores only, such as occlusion or rise"
        )
