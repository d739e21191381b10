"""Calls of torch functions as propagation rules see them: the name, and which arguments depend on the model's input."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch

from xplain.attributions.engine.autograd import Rules


class CallRules(Rules):
    """Propagation rules that replace calls of elementwise functions of one tensor, in-place variants included.

    Subclasses say which functions, by ``names``, and what to do with their calls and with others.
    """

    names: set[str]

    def __init__(self) -> None:
        super().__init__()
        self._depends: dict[Any, bool] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        # Inside an autograd function gradients are off: it has a derivative of its own, whatever it calls.
        if not torch.is_grad_enabled():
            return func(*args, **kwargs)
        name = str(getattr(func, "__name__", "")).partition(".")[0]
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        if name.removesuffix("_") in self.names and self._is_elementwise(args, kwargs):
            return self.call_elementwise(func, name, args, kwargs)
        return self.call_other(func, name, args, kwargs)

    def call_elementwise(self, func: Any, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        """Call an elementwise function of ``args[0]`` and give it another derivative."""
        raise NotImplementedError

    def call_other(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Call another function."""
        return func(*args, **kwargs)

    def depends(self, value: Any) -> bool:
        """Return whether a value is a tensor that depends on the model's input, not on its parameters alone."""
        if not isinstance(value, torch.Tensor) or not value.requires_grad:
            return False
        if value.grad_fn is None:
            return not isinstance(value, torch.nn.Parameter)
        return self._leads_to_input(value.grad_fn)

    def _leads_to_input(self, node: Any) -> bool:
        """Return whether an autograd node was computed from the input; each node is looked at once."""
        waiting, seen = [node], set[Any]()
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            known = self._depends.get(current)
            variable = getattr(current, "variable", None)  # of the node that gathers the gradient of a leaf
            if known or (variable is not None and not isinstance(variable, torch.nn.Parameter)):
                self._depends[node] = True
                return True
            if known is None:
                waiting += [previous for previous, _ in current.next_functions if previous is not None]
        self._depends |= dict.fromkeys(seen, False)
        return False

    def _is_elementwise(self, args: Any, kwargs: Any) -> bool:
        """Return whether the first argument depends on the input, and no other."""
        return bool(args) and self.depends(args[0]) and not any(map(self.depends, (*args[1:], *kwargs.values())))


def graph(outputs: torch.Tensor) -> Iterator[Any]:
    """Yield autograd's nodes that a tensor was computed by."""
    visited: set[Any] = set()
    waiting = [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in visited:
            visited.add(node)
            yield node
            waiting += [previous for previous, _ in node.next_functions]


def is_custom(node: Any) -> bool:
    """Return whether a node is of an autograd function that torch does not define itself."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


@lru_cache(maxsize=1024)
def opened(func: Any) -> Callable[..., Any] | None:
    """Return a copy of a function of torch that is written in Python, whose calls of others are seen by rules.

    Torch hands such a function over as a whole, and would hand over the same one again if it was called. The copy
    does not ask. None for other functions.
    """
    function = getattr(func, "__wrapped__", func)
    # A method that calls the one of its base class arrives here again, under its own name.
    if not isinstance(function, types.FunctionType) or "super" in function.__code__.co_names:
        return None
    checks = {name: _never for name in function.__code__.co_names if name.startswith("has_torch_function")}
    if not checks and function is func:
        return None
    copy = types.FunctionType(
        function.__code__,
        {**function.__globals__, **checks},
        func.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _never(*_: Any) -> bool:
    return False
