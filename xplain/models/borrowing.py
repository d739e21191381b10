"""Borrowing somebody's torch module without leaving traces."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xplain._lazy import require

if TYPE_CHECKING:
    import torch


def unwrap(model: Any) -> Any:
    """Return the module inside a torch.compile wrapper: hooks do not fire in compiled code."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def evaluation(module: torch.nn.Module | None, *, gradients: bool) -> Iterator[None]:
    """Put a module into evaluation mode, and restore every training flag when nobody uses it any more.

    Leaves `torch.inference_mode` and `torch.no_grad` of the caller for the duration: services call us inside them, and
    neither lets gradients flow.

    Parameters
    ----------
    module : torch.nn.Module or None
        None, for a black box, changes nothing.
    gradients : bool
        Whether autograd records.
    """
    if module is None:
        yield
        return
    torch = require("torch", extra="torch")
    borrowed = _borrow(module)
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):
            yield
    finally:
        _give_back(borrowed)


@dataclass(slots=True)
class _Loan:
    """What a part of a module was like, and how many calls use it now."""

    training: bool
    compiled: Any
    users: int = 0


#: Parts that are changed now. Several threads may explain one module, or modules that share parts: the first to come
#: changes a part, and the last to go restores it.
_loans: dict[torch.nn.Module, _Loan] = {}
_lock = threading.Lock()


def _borrow(module: torch.nn.Module) -> list[torch.nn.Module]:
    """Put the parts that need it into evaluation mode, and return those that were not in it."""
    borrowed = []
    with _lock:
        for part in module.modules():
            # Only what changes: setting an attribute of a module is slow, and most modules are in evaluation mode.
            if not (part.training or part._compiled_call_impl is not None or part in _loans):
                continue
            borrowed.append(part)
            loan = _loans.setdefault(part, _Loan(part.training, part._compiled_call_impl))
            loan.users += 1
            # Not module.eval(): exported modules refuse it, and overrides of it may do more than can be undone here.
            part.training = False
            # After module.compile() calls pass by hooks.
            part._compiled_call_impl = None
    return borrowed


def _give_back(borrowed: list[torch.nn.Module]) -> None:
    with _lock:
        for part in borrowed:
            loan = _loans[part]
            loan.users -= 1
            if not loan.users:
                part.training, part._compiled_call_impl = loan.training, loan.compiled
                del _loans[part]
