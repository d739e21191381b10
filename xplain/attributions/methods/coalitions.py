"""The model as a cooperative game: parts of an input are players, the score of some of them is a coalition's worth.

LIME, KernelSHAP, Shapley values and feature ablation all ask such a game; they differ in which coalitions they choose.
Who the players are is for the kind of input to say: regions of an image, segments of a recording, words of a text.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.kernels import masks

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run
    from xplain.attributions.engine.supplies import Players


Array = npt.NDArray[Any]
Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

_LEAST_FREEDOM = 7
"""With fewer degrees of freedom a standard error is itself too uncertain: intervals would miss more than they say."""


def like_input(run: Run, baseline: Array) -> Array:
    """Return a baseline in the input's dtype, so that one image can show pixels of both."""
    if run.prepared.array.dtype == np.uint8:
        return np.clip(np.rint(baseline), 0, 255).astype(np.uint8)
    return baseline


class Game:
    """Players of one input: a coalition shows its own parts of the input and the background elsewhere.

    Of several backgrounds, a coalition's worth is the mean score over them, so that values of the players are those of
    the mean game. Every coalition is evaluated at most once, with each background.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts.
    background : sequence of numpy.ndarray
        (...) each, what absent parts show.

    Attributes
    ----------
    count : int
        Number of players.
    full : float64 array (T,)
        Scores of the input.
    """

    def __init__(self, run: Run, players: Players, background: Sequence[Array]) -> None:
        self._run = run
        self.players = players
        self._image = run.prepared.array
        self._background = [like_input(run, each) for each in background]
        self.count = players.count
        self.full = run.score(self._image)
        axis = run.model.channel_axis
        self._players_of_pixels = np.expand_dims(players.labels, axis)
        if axis == -1:  # numpy.copyto is slow where its mask is broadcast along the last axis
            self._players_of_pixels = np.broadcast_to(self._players_of_pixels, self._image.shape).copy()
        self._scores = {np.packbits(np.ones(self.count, bool)).tobytes(): self.full}
        run.quality.add("players", self.count)

    @cached_property
    def empty(self) -> Float64:
        """Scores (T,) of the background, the mean of several."""
        scores: Float64 = self.worth(np.zeros((1, self.count), bool))[0]
        return scores

    def worth(self, coalitions: Bool) -> Float64:
        """Return the scores of coalitions.

        Parameters
        ----------
        coalitions : bool array (n, players)

        Returns
        -------
        float64 array (n, T)
        """
        keys = [row.tobytes() for row in np.packbits(coalitions, axis=1)]
        # The first row of each new coalition; in reverse, since of equal keys a dict keeps the last.
        first = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._scores}
        rows = np.array(sorted(first.values()), dtype=np.intp)
        if len(rows):
            for row, score in zip(rows, self._mean_scores(coalitions[rows]), strict=True):
                self._scores[keys[row]] = score
        return np.array([self._scores[key] for key in keys])

    def _mean_scores(self, coalitions: Bool) -> Float64:
        """Score coalitions (n, players), on each background in turn: the means (n, T)."""
        several = len(self._background)

        def make(start: int, stop: int) -> Array:
            variants = np.arange(start, stop)
            shown = self._background[0] if several == 1 else np.stack([self._background[i % several] for i in variants])
            return masks.keep_regions(coalitions[variants // several], self._players_of_pixels, self._image, shown)

        means = np.zeros((len(coalitions), len(self._run.targets)))
        for part, scores in self._run.evaluate(make, len(coalitions) * several):
            np.add.at(means, np.arange(part.start, part.stop) // several, scores)
        return means / several

    def draw(self, rng: np.random.Generator, budget: int) -> Pairs:
        """Draw as many pairs of coalitions as the budget allows besides the whole input and the baseline.

        Raises
        ------
        InputError
            If there are fewer than about two pairs for each player, and not all of them.
        """
        return draw_pairs(rng, self.count, pairs_within(self.players, budget))

    def differences(self, members: Bool) -> Float64:
        """Return what coalitions (n, players) score above their complements: float64 (n, T)."""
        worth = self.worth(np.stack([members, ~members], axis=1).reshape(-1, self.count))
        return worth[::2] - worth[1::2]

    def paint(self, values: Float64) -> Float64:
        """Draw the map of the players' values: (players, T) -> (T, h, w)."""
        return self.players.paint(values)

    def sole_player(self) -> Float64:
        """Draw the map of a game of one player, such as a text of one word: all that the score gains."""
        return self.paint((self.full - self.empty)[np.newaxis])

    def note_errors(self, values: Float64, errors: Float64 | None) -> None:
        """Note how far values (players, T) miss the gain of the score, and standard errors (players, T) if known."""
        notes = self._run.quality
        notes.completeness(values.sum(axis=0), self.full, self.empty)
        if errors is not None:
            notes.standard_error(self.players.spread(errors**2))
            notes.add_each("standard_error_max", errors.max(axis=0))


def pairs_within(players: Players, budget: int) -> int:
    """Return how many pairs of coalitions a budget allows besides the whole input and the baseline.

    Raises
    ------
    InputError
        If there are fewer than about two pairs for each player, and not all of them.
    """
    least = min(4 * players.count, 2**players.count)
    if budget < least:
        raise InputError(
            f"budget must be at least {least} for {players.count} {players.noun}, got {budget}; raise budget or "
            f"{players.remedy}"
        )
    exist: int = 2 ** (players.count - 1) - 1
    return min((budget - 2) // 2, exist)


class Pairs(NamedTuple):
    """Distinct coalitions, each standing for itself and its complement; the empty and the full one are left out.

    Attributes
    ----------
    members : bool array (n, players)
    weights : float64 array (n,)
        Under the Shapley kernel, divided by the chance; their sum is 1.
    chance : float64 array (n,)
        The probability with which a pair of its size was drawn.
    """

    members: Bool
    weights: Float64
    chance: Float64

    @property
    def signs(self) -> Float64:
        """Return 1 for members and -1 for the others: float64 (n, players)."""
        return np.where(self.members, 1.0, -1.0)

    @property
    def unseen(self) -> Float64:
        """Return how much each pair says about those that were not drawn: float64 (n,), of sum 1, or all 0."""
        weights: Float64 = self.weights * (1.0 - self.chance)
        return weights / max(float(weights.sum()), 1e-300)

    @property
    def count_unseen(self) -> int:
        """Return how many pairs were not drawn."""
        distinct: int = 2 ** (self.members.shape[1] - 1) - 1
        return distinct - len(self.members)

    def freedom_of(self, weights: Float64) -> float:
        """Return the degrees of freedom of a mean of squared errors of an additive fit, weighted by (n,)."""
        squares = max(float((weights**2).sum()), 1e-300)
        equal = float(weights.sum()) ** 2 / squares  # as many pairs of equal weight say as much
        fitted: int = self.members.shape[1] - 1
        return equal * (1.0 - fitted / len(self.members))

    @property
    def freedom(self) -> float:
        """Return the degrees of freedom of a mean of squared errors of an additive fit, weighted by `unseen`."""
        return self.freedom_of(self.unseen)

    @property
    def inflation(self) -> float | None:
        """Return what makes a variance of few degrees of freedom one that normal intervals suit, as in Student's t.

        None where too few are left.
        """
        return self.freedom / (self.freedom - 2.0) if self.freedom >= _LEAST_FREEDOM else None


def draw_pairs(rng: np.random.Generator, players: int, count: int) -> Pairs:
    """Draw pairs of complements without replacement, as many of each size while there are enough: leverage sampling.

    A pair's leverage in the Shapley regression depends on its size alone, and all sizes together have the same
    (Musco & Witter, "Provably accurate Shapley value estimation via leverage score sampling", arXiv:2410.01917).

    Parameters
    ----------
    rng : numpy.random.Generator
    players : int
        At least 2.
    count : int
        Number of pairs; all of them are returned if it is larger.
    """
    sizes = range(1, players // 2 + 1)  # of the smaller coalition of a pair
    exist = [math.comb(players, size) // (1 + (2 * size == players)) for size in sizes]
    shares = [0.5 if 2 * size == players else 1.0 for size in sizes]  # other sizes stand for their complements', too
    remaining = float(min(count, sum(exist)))
    expected = []
    for i, total in enumerate(exist):  # which ascend: the small sizes are exhausted first
        expected.append(float(min(total, remaining * shares[i] / sum(shares[i:]))))
        remaining -= expected[-1]
    # Systematic rounding: each size has its expected number on average, and the sum is exact.
    bounds = np.floor(np.round(np.cumsum([0.0, *expected]), 6) + rng.random())
    counts = np.diff(bounds).astype(int)
    members = [
        _draw_coalitions(rng, players, size, n, total) for size, n, total in zip(sizes, counts, exist, strict=True)
    ]
    chance = [math.exp(math.log(number) - math.log(total)) for number, total in zip(expected, exist, strict=True)]
    kernel = [
        share / (number * size * (players - size)) for size, share, number in zip(sizes, shares, expected, strict=True)
    ]
    weights = np.repeat(kernel, counts)
    return Pairs(np.vstack(members), weights / weights.sum(), np.repeat(chance, counts))


def _draw_coalitions(rng: np.random.Generator, players: int, size: int, count: int, total: int) -> Bool:
    """Draw distinct coalitions of a size, of which there are so many up to complements: bool (count, players)."""
    is_half = 2 * size == players  # complements have the same size: those with the first player stand for both
    if total <= 2 * count:
        rest = range(is_half, players)
        chosen = np.array(list(itertools.combinations(rest, size - is_half)), dtype=np.intp).reshape(total, -1)
        members = np.zeros((total, players), bool)
        np.put_along_axis(members, chosen, True, axis=1)
        members[:, 0] |= is_half
        return members if count == total else members[rng.choice(total, count, replace=False)]
    found: dict[bytes, Bool] = {}
    while len(found) < count:
        members = rng.random((count - len(found), players)).argsort(axis=1) < size
        if is_half:
            members ^= ~members[:, :1]
        found.update((row.tobytes(), row) for row in members)
    return np.array(list(found.values()), dtype=bool).reshape(count, players)
