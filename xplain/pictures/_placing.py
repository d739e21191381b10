"""Where labels stand: beside what they name, and never on each other where there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Place", "Wish", "place"]

Rectangle = tuple[float, float, float, float]
Floats = npt.NDArray[np.float64]

_FAR = 16  # cells that a label may stand away from what it names


@dataclass(frozen=True, slots=True)
class Wish:
    """A label of a size, and the rectangle (x0, y0, x1, y1) that it names, all in pixels."""

    width: float
    height: float
    names: Rectangle


@dataclass(frozen=True, slots=True)
class Place:
    """The upper left corner of a label, and whether it stands away from what it names."""

    x: float
    y: float
    away: bool


def place(
    wishes: Sequence[Wish], width: int, height: int, cell: int, taken: Sequence[Rectangle] = ()
) -> list[Place | None]:
    """Find a place in a picture for each label, the first ones first.

    Parameters
    ----------
    wishes : sequence of Wish
        The labels.
    width, height : int
        Of the picture in pixels.
    cell : int
        Pixels between places that are tried away from what a label names.
    taken : sequence of (x0, y0, x1, y1)
        Where no label may stand.

    Returns
    -------
    list of Place or None
        None for a label that has no place.
    """
    used = np.array([*taken, *[(0.0, 0.0, 0.0, 0.0)] * len(wishes)], dtype=np.float64).reshape(-1, 4)
    count = len(taken)
    found: list[Place | None] = []
    for wish in wishes:
        others = used[:count]
        spot = next((at for at in _beside(wish, width, height) if not _covers(at, wish, others)), None)
        away = spot is None
        if spot is None:
            spot = _nearest(wish, others, width, height, cell)
        if spot is None:
            found.append(None)
            continue
        used[count] = (*spot, spot[0] + wish.width, spot[1] + wish.height)
        count += 1
        found.append(Place(*spot, away))
    return found


def _beside(wish: Wish, width: int, height: int) -> Iterator[tuple[float, float]]:
    """Places at the edges of what is named, the best first."""
    x0, y0, x1, y1 = wish.names
    right, middle = x1 - wish.width, (x0 + x1 - wish.width) / 2
    for x, y in (
        (x0, y0 - wish.height),
        (x0, y1),
        (right, y0 - wish.height),
        (right, y1),
        (x0, max(y0, 0.0)),
        (x0, min(y1, height) - wish.height),
        (x1, y0),
        (x0 - wish.width, y0),
        (middle, (y0 + y1 - wish.height) / 2),
    ):
        across = min(max(x, 0.0), width - wish.width)
        if across >= 0 and 0 <= y <= height - wish.height:
            yield round(across), round(y)


def _covers(at: tuple[float, float], wish: Wish, others: Floats) -> bool:
    x, y = at
    return bool(
        (
            (others[:, 0] < x + wish.width) & (others[:, 2] > x) & (others[:, 1] < y + wish.height) & (others[:, 3] > y)
        ).any()
    )


def _nearest(wish: Wish, others: Floats, width: int, height: int, cell: int) -> tuple[float, float] | None:
    """The free place nearest to what is named, on a grid around it."""
    x0, y0, x1, y1 = wish.names
    reach = _FAR * cell
    xs = np.arange(max(0.0, x0 - wish.width - reach), min(x1 + reach, width - wish.width) + 1e-9, cell)
    ys = np.arange(max(0.0, y0 - wish.height - reach), min(y1 + reach, height - wish.height) + 1e-9, cell)
    if not xs.size or not ys.size:
        return None
    free = np.ones((ys.size, xs.size), dtype=bool)
    end_x, end_y = xs[-1] + wish.width, ys[-1] + wish.height
    close = (others[:, 0] < end_x) & (others[:, 2] > xs[0]) & (others[:, 1] < end_y) & (others[:, 3] > ys[0])
    for left, top, right, bottom in others[close]:
        columns = slice(*np.searchsorted(xs, [left - wish.width + 1e-9, right]))
        rows = slice(*np.searchsorted(ys, [top - wish.height + 1e-9, bottom]))
        free[rows, columns] = False
    if not free.any():
        return None
    across = np.maximum(np.maximum(x0 - wish.width - xs, xs - x1), 0)
    down = np.maximum(np.maximum(y0 - wish.height - ys, ys - y1), 0)
    distance = np.where(free, np.hypot(across[None], down[:, None]), np.inf)
    row, column = np.unravel_index(int(distance.argmin()), distance.shape)
    return float(xs[column]), float(ys[row])
