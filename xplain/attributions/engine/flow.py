"""What flows where in a watched forward pass: whether a layer is bypassed, and what moves places.

`Flow` remembers, for each tensor that a torch function returns, which tensors it was made of. `moves_places` says of a
single function whether it puts numbers of one place of feature maps at others.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch

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
        # By identity, which may be that of another tensor after the first is gone.
        self._numbers: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}

    def number(self, tensor: torch.Tensor) -> int:
        """Return a tensor's number; one that was not seen before is made of nothing."""
        reference, number = self._numbers.get(id(tensor), (None, 0))
        return number if reference is not None and reference() is tensor else self._new(tensor, ())

    def note(self, name: str, arguments: object, result: object) -> None:
        """Take note of a torch function: its name, all its arguments, and what it returned."""
        results = tensors_in(result)
        if not results and name != "__setitem__":
            return
        sources = tensors_in(arguments)
        results = results or sources[:1]
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

    def is_made_of(self, end: Iterable[int], sources: Iterable[int]) -> bool:
        """Whether the end is made of any of some tensors; yes where a part of the way was not seen."""
        reached = self._reached(end, set())
        return not reached.isdisjoint(sources) or all(not self._made_of[number] for number in end)

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
        number = len(self._made_of) - 1
        self._numbers[id(tensor)] = weakref.ref(tensor), number
        return number


def tensors_in(value: object) -> list[torch.Tensor]:
    """Return the tensors in nested tuples, lists and dicts, in their order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, (tuple, list)):
        return []
    # Most are shapes and paddings: their numbers are passed over here.
    nested = [part for part in value if isinstance(part, (torch.Tensor, tuple, list, dict))]
    return [tensor for part in nested for tensor in tensors_in(part)]


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
    values = tensors_in(arguments)
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
