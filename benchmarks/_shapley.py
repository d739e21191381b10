"""Exact Shapley values, the truth that estimates are compared with, and games."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Present = npt.NDArray[np.float64]
Worth = npt.NDArray[np.float64]


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


def _additive(rng: np.random.Generator, present: Present) -> Worth:
    return present @ rng.normal(size=present.shape[1])


def _pairwise(rng: np.random.Generator, present: Present) -> Worth:
    players = present.shape[1]
    return np.einsum("ni,ij,nj->n", present, rng.normal(size=(players, players)), present)


def _maximum(rng: np.random.Generator, present: Present) -> Worth:
    worth: Worth = (present * rng.random(present.shape[1])).max(axis=1)
    return worth


def _products(rng: np.random.Generator, present: Present) -> Worth:
    players = present.shape[1]
    worth = np.zeros(len(present))
    for _ in range(2 * players):
        members = rng.choice(players, int(rng.integers(2, 5)), replace=False)
        worth += rng.normal() * present[:, members].prod(axis=1)
    return worth


def _network(rng: np.random.Generator, present: Present) -> Worth:
    hidden = np.tanh(present @ rng.normal(size=(present.shape[1], 8)) + rng.normal(size=8))
    return hidden @ rng.normal(size=8)


GAMES = {
    "additive": _additive,
    "pairwise": _pairwise,
    "maximum": _maximum,
    "products": _products,
    "network": _network,
}
"""Functions of a generator and all coalitions, float64 (2 ** players, players), that return what each is worth."""
