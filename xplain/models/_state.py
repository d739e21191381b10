"""Borrowing somebody's torch module without leaving traces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xplain._lazy import require

if TYPE_CHECKING:
    import torch

__all__ = ["evaluation", "unwrap"]


def unwrap(model: Any) -> Any:
    """Return the module inside a torch.compile wrapper: hooks do not fire in compiled code."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def evaluation(module: torch.nn.Module | None, *, gradients: bool) -> Iterator[None]:
    """Put a module into evaluation mode, and restore every training flag afterwards.

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
    kept = [(part, part.training, part._compiled_call_impl) for part in module.modules()]
    try:
        # Not module.eval(): exported modules refuse it, and overrides of it may do more than can be undone here.
        for part, _, _ in kept:
            part.training = False
            # After module.compile() calls pass by hooks.
            part._compiled_call_impl = None
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):
            yield
    finally:
        for part, training, compiled in kept:
            part.training = training
            part._compiled_call_impl = compiled
