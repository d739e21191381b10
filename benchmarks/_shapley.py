"""Exact Shapley values, the truth that estimates are compared with."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def subsets(players: int) -> npt.NDArray[np.int64]:
    """Return all subsets: int64 (2 ** players, players); bit p of a row's number says whether player p is in it."""
    return np.arange(2**players)[:, None] >> np.arange(players) & 1


def shapley_values(worth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the Shapley values of players from the worth of each row of `subsets`."""
    players = worth.size.bit_length() - 1
    members = subsets(players)
    sizes = members.sum(axis=1)
    values = np.empty(players)
    for player in range(players):
        without = np.flatnonzero(members[:, player] == 0)
        weights = [1 / (players * math.comb(players - 1, int(size))) for size in sizes[without]]
        values[player] = weights @ (worth[without | 1 << player] - worth[without])
    return values
