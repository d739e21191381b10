"""What flows where in a watched forward pass: whether a layer is bypassed, and what moves places.

`Flow` remembers, for each tensor that a torch function returns, which tensors it was made of. `moves_places` says of a
single function whether it puts numbers of one place of feature maps at others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

#: Torch functions that move or mix places wherever they are applied to what has places.
_MOVERS = {"roll", "flip", "fliplr", "flipud", "rot90"}
#: Torch functions that multiply by a matrix.
_PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "einsum"}


class Flow:
    """The tensors of one forward pass as a graph, without keeping any of them alive.

    A tensor is a number here: the larger, the later.
    """

    def __init__(self) -> None:
        self._made_of: list[tuple[int, ...]] = []
        self._convolutions: set[int] = set()
        self._numbers: Any = WeakTensorKeyDictionary()

    def number(self, tensor: torch.Tensor) -> int:
        """Return a tensor's number; one that was not seen before is made of nothing."""
        number = self._numbers.get(tensor)
        return self._new(tensor, ()) if number is None else int(number)

    def note(self, name: str, arguments: object, result: object) -> None:
        """Take note of a torch function: its name, all its arguments, and what it returned."""
        if not isinstance(result, (torch.Tensor, tuple, list)) and name != "__setitem__":
            return
        sources = list(tensors_in(arguments))
        results = list(tensors_in(result)) or sources[: name == "__setitem__"]
        made_of = tuple({self.number(source) for source in sources})
        for tensor in results:
            number = self._new(tensor, made_of)
            if name.startswith("conv"):
                self._convolutions.add(number)
            # A function in place changes what the tensor is a view of, too.
            if (name.endswith("_") or name == "__setitem__") and tensor._base is not None:
                self._new(tensor._base, (number, self.number(tensor._base)))

    def bypass(self, start: Iterable[int], layer: Iterable[int], end: Iterable[int]) -> str | None:
        """Return how the end depends on the start beside a layer, whose outputs are given.

        Returns
        -------
        {"branch", "skip"} or None
            "branch" through convolutions that the layer's outputs are not made of, "skip" without any, None not at all.
        """
        cut = set(layer)
        end = set(end)
        made_layer = self._reached(cut, set())
        beside = self._reached(end, cut)
        from_layer, from_start = set(cut), set(start)
        for number, made_of in enumerate(self._made_of):
            if from_layer.intersection(made_of):
                from_layer.add(number)
            if number in beside and from_start.intersection(made_of):
                from_start.add(number)
        if not end & from_start:
            return None
        return "branch" if self._convolutions & from_start - made_layer - from_layer else "skip"

    def _reached(self, numbers: Iterable[int], but: set[int]) -> set[int]:
        """All that some tensors are made of, themselves included, without passing ``but``."""
        reached: set[int] = set()
        waiting = list(numbers)
        while waiting:
            number = waiting.pop()
            if number not in reached and number not in but:
                reached.add(number)
                waiting.extend(self._made_of[number])
        return reached

    def _new(self, tensor: torch.Tensor, made_of: tuple[int, ...]) -> int:
        self._made_of.append(made_of)
        self._numbers[tensor] = len(self._made_of) - 1
        return len(self._made_of) - 1


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def moves_places(name: str, arguments: tuple[Any, ...], maps: tuple[int, ...]) -> bool:
    """Return whether a torch function puts what lies at a place elsewhere.

    Parameters
    ----------
    name : str
        The function's.
    arguments : tuple
        Its positional arguments.
    maps : tuple of int
        Channels, rows and columns of the last feature maps; rows times columns is the number of tokens.
    """
    if name not in _PRODUCTS | _MOVERS | {"linear", "conv1d"} and not name.startswith("fft_"):
        return False
    values = list(tensors_in(arguments))
    if not any(value.ndim >= 3 for value in values):
        return False
    first, places = values[0], maps[1] * maps[2]
    if name in _MOVERS or name.startswith("fft_"):
        return True
    if name == "linear":
        return (first.ndim == 3 and first.shape[2] == places) or tuple(first.shape[1:]) == maps
    if name == "conv1d":
        return first.shape[-2] == places or (first.shape[-1] == places and values[1].shape[-1] > 1)
    # A matrix of weights that has places on one side.
    return any(value.ndim == 2 and places in value.shape for value in values)
