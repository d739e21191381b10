"""Use a caller's torch module in evaluation mode, and leave it as it was.

A module belongs to the caller, who may be training it, or may explain it from several threads at once. So every change
is a loan: the first user of a part of a module records its state, the last one restores it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError

if TYPE_CHECKING:
    import torch


def unwrap(model: Any) -> Any:
    """Return the module inside a torch.compile wrapper: hooks do not fire in compiled code."""
    return getattr(model, "_orig_mod", model)


def is_lazy(weight: torch.Tensor) -> bool:
    """Whether a parameter or a buffer of a lazy module has no shape yet."""
    return type(weight).__name__.startswith("Uninitialized")


def refusal_of_lazy_parts() -> InputError:
    """Return the error for a module whose lazy parts have not made their weights."""
    return InputError(
        "model must hold its weights, got a module with lazy parts that has not run; call it once on an input"
    )


def name_of_layer(module: torch.nn.Module | None, layer: Any) -> str:
    """Return the dotted name of a layer that a caller gives by its name or as the part of a module that it is.

    Raises
    ------
    InputError
        If it is neither a str nor a part of the module.
    """
    if isinstance(layer, str):
        return layer
    if not hasattr(layer, "named_modules"):
        raise _check.wrong("layer", "the dotted name of a part of the module, or the part itself", layer)
    parts = [] if module is None else [(name, part) for name, part in module.named_modules() if name]
    part = unwrap(layer)
    name: str | None = next((name for name, each in parts if each is part or each is layer), None)
    if name is None:
        names = f", such as {parts[-1][0]!r}" if parts else ""
        actual = "all of it" if part is module and module is not None else f"another {type(part).__name__}"
        raise InputError(f"layer must be a part of the model's module, got {actual}; pass the part or its name{names}")
    return name


@contextmanager
def evaluation(module: torch.nn.Module | None, *, gradients: bool) -> Iterator[None]:
    """Put a module into evaluation mode, and restore every training flag when the last user is done.

    Suspends the caller's `torch.inference_mode` and `torch.no_grad` for the duration: services call xplain inside
    them, and neither lets gradients flow.

    Parameters
    ----------
    module : torch.nn.Module or None
        None, for a black box, does nothing.
    gradients : bool
        Whether autograd records.
    """
    if module is None:
        yield
        return
    torch = require("torch", extra="torch")
    borrowed = _borrow(module)
    parts = list(module.modules()) if gradients else []
    # cuDNN differentiates recurrent layers in training mode only, whose dropout would draw random numbers.
    is_recurrent = any(isinstance(part, torch.nn.RNNBase) for part in parts)
    recurrent = torch.backends.cudnn.flags(enabled=False) if is_recurrent else nullcontext()
    norms = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.instancenorm._InstanceNorm)
    handles = [
        part.register_forward_hook(_keep_layout)
        for part in parts
        if isinstance(part, norms) and not isinstance(part, torch.jit.ScriptModule)
    ]
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradients), recurrent:
            yield
    finally:
        for handle in handles:
            handle.remove()
        _give_back(borrowed)


def _keep_layout(norm: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
    """Let the gradient of a normalisation come in the memory layout of its output.

    For a batch of one, torch computes another gradient where the two differ (seen in 2.13 on CPUs): so it does for maps
    that become tokens by ``flatten(2).transpose(1, 2)`` after a batch normalisation.
    """
    if not output.requires_grad:
        return
    import torch

    stride = output.stride()

    def hook(gradient: torch.Tensor) -> torch.Tensor:
        if gradient.stride() == stride:
            return gradient
        laid_out = torch.empty_strided(gradient.shape, stride, dtype=gradient.dtype, device=gradient.device)
        return laid_out.copy_(gradient)

    output.register_hook(hook)  # type: ignore[no-untyped-call]


@dataclass(slots=True)
class _Loan:
    """The state of a part of a module before it was changed, and how many users it has now."""

    training: bool
    compiled_call: Any
    users: int = 0


#: Parts that are changed now, for all threads and all modules: modules may share parts.
_loans: dict[torch.nn.Module, _Loan] = {}
_lock = threading.Lock()


def _borrow(module: torch.nn.Module) -> list[torch.nn.Module]:
    """Put the parts of a module into evaluation mode, and return those that are on loan to this user."""
    borrowed = []
    with _lock:
        for part in module.modules():
            # Setting an attribute of a module is slow, and most modules are in evaluation mode already. Parts of a
            # frozen script are in it for good, and have no such attribute.
            if not (getattr(part, "training", False) or part._compiled_call_impl is not None or part in _loans):
                continue
            borrowed.append(part)
            loan = _loans.setdefault(part, _Loan(part.training, part._compiled_call_impl))
            loan.users += 1
            # Not module.eval(): exported modules refuse it, and an override may do more than can be undone here.
            part.training = False
            # After module.compile() a call runs compiled code, in which hooks do not fire.
            if part._compiled_call_impl is not None:
                part._compiled_call_impl = None
    return borrowed


def _give_back(borrowed: list[torch.nn.Module]) -> None:
    with _lock:
        for part in borrowed:
            loan = _loans[part]
            loan.users -= 1
            if not loan.users:
                part.training = loan.training
                if loan.compiled_call is not None:
                    part._compiled_call_impl = loan.compiled_call
                del _loans[part]
