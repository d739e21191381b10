"""What a torch module ends in: whether its scores come out of a softmax or a sigmoid, and so are probabilities.

The functions that run are watched, not the names of modules: a softmax may be a module, a function, or part of a
script. A number is kept for each tensor that is made of probabilities alone: what its values cannot exceed. Views and
averages of probabilities are bounded by 1 as well; a sigmoid times 255 is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

#: Functions by name, less a final underscore: those that give probabilities, and those that give their logarithms.
_PROBABILITIES = frozenset(("_softmax", "_safe_softmax", "sigmoid", "hardsigmoid"))
_LOGARITHMS = frozenset(("_log_softmax", "log_sigmoid_forward"))
#: Functions that only move, choose or average values.
_KEEPING = frozenset(
    (
        *("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "select", "slice", "t", "transpose", "permute"),
        *("expand", "clone", "_to_copy", "detach", "alias", "index", "index_select", "gather", "flip", "lift_fresh"),
        *("cat", "stack", "split", "split_with_sizes", "unbind", "mean", "amax", "amin", "max", "min", "clamp"),
    )
)


class Ending(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which a module is called, to ask afterwards whether what it returned are probabilities."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that torch need not import its compiler, seconds of work, for the sake of this context."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # By the address of the first value. Whatever is computed later at the same address takes the entry away.
        self._bounds: dict[int, float] = {}
        self._logarithms: set[int] = set()

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what a function returns in this context, or without it if it only runs so."""
        try:
            with self:
                return function(*args, **kwargs)
        except Exception:  # its own, which comes again, or that of control flow which torch compiles
            if compiler := sys.modules.get("torch._dynamo"):  # which remembers that it was watched
                compiler.reset()
            self._bounds.clear()
            return function(*args, **kwargs)

    def is_probability(self, scores: Any) -> bool:
        """Whether a tensor that was computed in this context comes out of a softmax or a sigmoid, within 0..1."""
        return isinstance(scores, torch.Tensor) and self._bounds.get(_address(scores), 2.0) <= 1 + 1e-6

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a function and note what bounds its values."""
        with torch._C.DisableTorchFunction():  # what follows is no call of the model's, for those who watch its calls
            output = func(*args, **(kwargs or {}))
            self._note(func.overloadpacket.__name__.removesuffix("_"), args, output)
        return output

    def _note(self, name: str, args: Sequence[Any], output: Any) -> None:
        addresses = [_address(tensor) for tensor in _tensors(args) if tensor.is_floating_point()]  # no indices
        bounds = [self._bounds.get(address) for address in addresses]
        known = [bound for bound in bounds if bound is not None]
        are_logarithms = bool(addresses) and self._logarithms.issuperset(addresses)
        bound = None
        if name in _PROBABILITIES or (name == "exp" and are_logarithms):
            bound = 1.0
        elif known and len(known) == len(bounds):
            bound = _bound(name, known, [each for each in args if isinstance(each, (int, float))])
        is_logarithm = name in _LOGARITHMS or (name in _KEEPING and are_logarithms)
        for address in map(_address, _tensors([output])):
            self._bounds.pop(address, None)
            self._logarithms.discard(address)
            if bound is not None:
                self._bounds[address] = bound
            if is_logarithm:
                self._logarithms.add(address)


def _bound(name: str, bounds: Sequence[float], numbers: Sequence[float]) -> float | None:
    """Return what the values of a function cannot exceed, given that of its tensors; None if they may be below 0."""
    if name in _KEEPING:
        return max(bounds)
    match name, list(bounds), list(numbers):
        case "add", [one, other], []:
            return one + other
        case "mul", [one, other], []:
            return one * other
        case "mul", [one], [number] if number > 0:
            return one * number
        case "div", [one], [number] if number > 0:
            return one / number
        case "rsub", [one], [number] if number >= one:  # 1 - p
            return number
    return None


def _tensors(values: Iterable[Any]) -> list[torch.Tensor]:
    """Return the tensors among values, those in lists included."""
    found = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += [each for each in value if isinstance(each, torch.Tensor)]
    return found


def _address(tensor: torch.Tensor) -> int:
    """Return where the values of a tensor begin; 0 where there is no such place."""
    is_plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    return tensor.data_ptr() if is_plain and not tensor.is_quantized else 0
