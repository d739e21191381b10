"""Explanations of several inputs, as `xplain.explain_batch` returns them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

from xplain.explanation import core
from xplain.explanation.core import Explanation


class Explanations(Sequence[Explanation]):
    """Explanations of several inputs, in their order; in a notebook it shows them on one scale.

    Parameters
    ----------
    items : iterable of Explanation
        Kept in their order.
    """

    def __init__(self, items: Iterable[Explanation]) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> Explanations: ...
    def __getitem__(self, index: int | slice) -> Explanation | Explanations:
        return Explanations(self._items[index]) if isinstance(index, slice) else self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, Explanations) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"Explanations({list(self._items)!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return core.notebook_display(self) if core.notebook_display else {"text/plain": repr(self)}
