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

from xplain._lazy import require

if TYPE_CHECKING:
    import torch


def unwrap(model: Any) -> Any:
    """Return the module inside a torch.compile wrapper: hooks do not fire in compiled code."""
    return getattr(model, "_orig_mod", model)


def is_uninitialized(weight: torch.Tensor) -> bool:
    """Whether a parameter or a buffer of a lazy module has no shape yet."""
    torch = require("torch", extra="torch")
    lazy: bool = torch.nn.parameter.is_lazy(weight)
    return lazy


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
    # cuDNN differentiates recurrent layers in training mode only, whose dropout would draw random numbers.
    is_recurrent = gradients and any(isinstance(part, torch.nn.RNNBase) for part in module.modules())
    recurrent = torch.backends.cudnn.flags(enabled=False) if is_recurrent else nullcontext()
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradients), recurrent:
            yield
    finally:
        _give_back(borrowed)


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
            # Setting an attribute of a module is slow, and most modules are in evaluation mode already.
            if not (part.training or part._compiled_call_impl is not None or part in _loans):
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
