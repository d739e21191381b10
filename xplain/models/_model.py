"""What all models share: what is called, its labels, where its weights are, and their fingerprint."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from xplain.errors import InputError
from xplain.explanation import _check
from xplain.models import _labels, _settings, _state

if TYPE_CHECKING:
    import torch

__all__ = ["Model"]


class Model:
    """A torch module or a callable that is explained; see its subclasses.

    Attributes
    ----------
    task : str
        One of the tasks of an `Explanation`.
    module : torch.nn.Module or None
        The module, outside any torch.compile wrapper; None for a black box.
    function : callable
        What is called: the module, or the black box.
    labels : tuple of tuple of str, or None
        The classes' labels as paths.
    output : {"logit", "probability"}
        What the model returns.
    name : str
        The model's name in documents.
    """

    task: str

    def __init__(self, model: Any, labels: Any, output: str, name: str | None) -> None:
        inner = _state.unwrap(model)
        if not callable(inner):
            raise _check.wrong("model", "a torch module or a callable", model)
        self.module: torch.nn.Module | None = inner if _is_module(inner) else None
        self.function: Callable[..., Any] = inner
        self.labels = _labels.label_table(_settings.labels_of(inner) if labels is None else labels)
        self.output = _check.choice("output", output, ("logit", "probability"))
        given = None if name is None else _check.string("name", name)
        self.name: str = given or getattr(inner, "__name__", None) or type(inner).__name__
        self._fingerprint: tuple[Any, str] | None = None

    def __repr__(self) -> str:
        kind = "black box" if self.module is None else "torch module"
        return f"{type(self).__name__}({self.name}, {kind})"

    def label(self, index: int) -> tuple[str, ...]:
        """Return the label of a class as a path; its number where there are no labels."""
        return self.labels[index] if self.labels else (str(index),)

    def placement(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Return the device and floating type of the module's weights; None where it has none.

        Raises
        ------
        InputError
            If the weights are on the meta device, which holds none.
        """
        if self.module is None:
            return None, None
        weights = itertools.chain(self.module.parameters(), self.module.buffers())
        like = next((weight for weight in weights if weight.is_floating_point()), None)
        if like is not None and like.is_meta:
            raise InputError(
                "model must hold its weights, got a module on the meta device; move it with to_empty(device=...) and "
                "load its state_dict"
            )
        return (None, None) if like is None else (like.device, like.dtype)

    def fingerprint(self) -> str | None:
        """Return the sha256 of the module's weights and buffers; None for a black box."""
        if self.module is None:
            return None
        self.placement()  # refuses weights that are not there
        state = {key: value for key, value in self.module.state_dict().items() if hasattr(value, "detach")}
        # A digest costs as much as a forward pass; a tensor's version counter tells whether it is still true.
        version = tuple(
            (key, value.data_ptr(), None if value.is_inference() else value._version) for key, value in state.items()
        )
        if self._fingerprint is None or self._fingerprint[0] != version:
            digest = hashlib.sha256()
            for key in sorted(state):
                value = state[key].detach().cpu().contiguous()
                digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
                digest.update(_bytes_of(value))
            self._fingerprint = (version, digest.hexdigest())
        return self._fingerprint[1]


def _bytes_of(tensor: torch.Tensor) -> bytes:
    import torch

    flat = tensor.reshape(-1)
    if flat.stride() != (1,):  # a single number may have any stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().tobytes()


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)
