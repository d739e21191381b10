"""Further inputs of a model: arguments that stay as they are while the input is explained, such as metadata or depth.

A model explains one input, its first argument; whatever else its module or function takes is fixed. Each variant of the
input is given the same further inputs, so that they are no part of the evidence.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from xplain import _check
from xplain.errors import InputError, UnknownNameError, XplainError, is_out_of_memory
from xplain.models.adapters.opening import is_module


def checked(function: Any, further: Any) -> dict[str, Any]:
    """Return further inputs of a module or a function by name: arrays as NumPy has them, others as they are.

    Raises
    ------
    InputError
        If it is no mapping of names, a value is no array of numbers, or a name is that of the input itself.
    UnknownNameError
        If the module or function has no such argument.
    """
    values = _check.mapping("inputs", further)
    signature = _signature(function)
    if signature is not None:
        names = list(signature.parameters)
        takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
        for name in values:
            if name == names[0]:
                raise InputError(f"inputs must name further arguments of the model, got {name!r}, which is explained")
            if name not in names and not takes_any and len(names) == 1:
                raise InputError(f"inputs must be left out for a model that takes {names[0]} alone, got {name!r}")
            if name not in names and not takes_any:
                raise UnknownNameError("inputs", name, names[1:])
    return {name: _as_array(name, value) for name, value in values.items()}


def missing(function: Any, given: Collection[str]) -> list[str]:
    """Return the names of what a module or a function needs beside its first argument and is not given."""
    signature = _signature(function)
    parameters = [] if signature is None else list(signature.parameters.values())[1:]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        each.name for each in parameters if each.kind in named and each.default is each.empty and each.name not in given
    ]


def _signature(function: Any) -> inspect.Signature | None:
    """Return the signature of what is called; None where it is not known."""
    try:
        signature = inspect.signature(getattr(function, "forward", function))
    except (TypeError, ValueError):
        return None
    return signature if signature.parameters else None


def _as_array(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach()
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"inputs[{name!r}] must be an array or tensor of numbers, or a plain value, got {type(value).__name__}"
        )
    return array


def bound(
    function: Any, further: Mapping[str, Any], like: Callable[[], tuple[Any, Any]], original: Any
) -> Callable[..., Any]:
    """Return a module or function that is given further inputs beside its own: each as often as the batch has inputs.

    Parameters
    ----------
    function : torch.nn.Module or callable
        What is called.
    further : mapping
        From `checked`: of one input, without the batch.
    like : callable
        Returns the device and the floating type of tensors; None where arrays are passed.
    original : torch.nn.Module or callable
        Whose signature counts, where the function stands in for it.
    """
    signature = _signature(original)

    def call(*args: Any, **named: Any) -> Any:
        first = args[0] if args else next(iter(named.values()))
        others = {name: _repeated(value, len(first), function, like) for name, value in further.items()}
        if doubled := sorted(others.keys() & named.keys()):
            raise InputError(f"inputs must name further arguments, got {doubled[0]!r}, which is given already")
        try:
            if signature is None:
                return function(*args, **named, **others)
            # By place where they follow each other: recorders of graphs take no names.
            places = signature.bind(*args, **named, **others)
            return function(*places.args, **places.kwargs)
        except XplainError:
            raise
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            shapes = {name: tuple(value.shape) for name, value in further.items() if hasattr(value, "shape")}
            raise InputError(
                f"inputs must be what the model takes beside its first argument, each for one input and without the "
                f"batch, got shapes {shapes}; the model says: {error}"
            ) from error

    call.__wrapped__ = original  # type: ignore[attr-defined]  # whose signature it has
    return call


def _repeated(value: Any, count: int, function: Any, like: Callable[[], tuple[Any, Any]]) -> Any:
    """Return a further input for as many inputs, as a module's tensor or a function's array."""
    torch = sys.modules.get("torch")
    if torch is not None and is_module(function) and hasattr(value, "shape"):
        tensor = torch.as_tensor(value)
        device, dtype = like()
        tensor = tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)
        # Captum's rules want gradients wherever they put a hook.
        tensor = tensor.detach().requires_grad_(tensor.is_floating_point() and torch.is_grad_enabled())
        return tensor.expand(count, *tensor.shape).clone()  # which a module may change in place
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.cpu().numpy()
    return np.repeat(value[np.newaxis], count, axis=0) if isinstance(value, np.ndarray) else value
