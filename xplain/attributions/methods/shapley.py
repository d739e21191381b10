"""Shapley values of the parts of an input: exactly, or from random orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods.coalitions import Game
from xplain.errors import InputError

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run
    from xplain.attributions.engine.supplies import Players


Float64 = npt.NDArray[np.float64]


def shapley(
    run: Run, *, players: Players, budget: int = 4096, background: Sequence[npt.NDArray[np.float32]]
) -> Float64:
    """Share the score's gain over the baseline among players by their Shapley values.

    A player's value is what its presence adds to the score, on average over all orders in which the players can appear
    [1]_. All coalitions are evaluated if the budget allows (12 players with the default budget), and the result is
    exact. Else the orders are random, each taken forwards and backwards (antithetic pairs [2]_), which is unbiased.

    Quality: ``players``, ``exact``, ``completeness_residual`` (f(input) - f(baseline) minus the sum of the values, 0
    but for rounding) and ``standard_error`` and ``standard_error_max``, the root mean square over the places and the
    largest of the standard errors, 0 where the result is exact.

    Costs ``2**players`` evaluations if that is within the budget, else at most ``budget``.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts of the input. A caller sets the options of the kind instead.
    budget : int
        Number of evaluations: at least two pairs of orders, about 4 for each player. Of pixels 2000 by default.
    background : sequence of numpy.ndarray
        (...) each, what an absent part shows; of several, the mean score
        counts. A caller sets the options of the kind instead.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score; a player's value on each of its places, or shared out among them.

    Raises
    ------
    InputError
        If an option is malformed, or if the budget is too small for the players.

    References
    ----------
    .. [1] Shapley, "A value for n-person games", 1953.
    .. [2] Mitchell, Cooper, Frank & Holmes, "Sampling permutations for Shapley value estimation", JMLR 2022.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="shapley", segments="grid", n_segments=4)
    >>> explanation.attributions[0].evidence.values[::2, ::2].round(3).tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    limit = _check.integer("budget", budget, least=1)
    game = Game(run, players, background)
    if game.count == 1:
        return game.sole_player()
    exact = game.count < 63 and 2**game.count <= limit  # coalitions are numbered by 64-bit integers
    if exact:
        values = _exact_values(game)
        errors = np.zeros_like(values)
    else:
        values, errors = _sampled_values(run, game, limit)
    run.quality.add("exact", exact)
    game.note_errors(values, errors)
    return game.paint(values)


def _exact_values(game: Game) -> Float64:
    """Return values (players, T) from all coalitions; bit i of a coalition's number stands for player i."""
    players = game.count
    numbers = np.arange(2**players)
    members = (numbers[:, None] >> np.arange(players) & 1).astype(bool)
    worth = game.worth(members)
    # The part of all orders in which exactly the members of a coalition of this size come before a given player.
    share_of_orders = np.array([1 / (players * math.comb(players - 1, size)) for size in range(players)])
    weights = share_of_orders[np.minimum(members.sum(axis=1), players - 1)]
    values = np.empty((players, worth.shape[1]))
    for player in range(players):
        without = numbers[~members[:, player]]
        values[player] = weights[without] @ (worth[without | 1 << player] - worth[without])
    return values


def _sampled_values(run: Run, game: Game, budget: int) -> tuple[Float64, Float64]:
    """Return values and standard errors, (players, T) each, from antithetic pairs of random orders."""
    players = game.count
    cost = 2 * (players - 1)  # of a pair: the empty and the full coalition are known
    pairs = (budget - 2) // cost
    if pairs < 2:
        raise InputError(
            f"budget must be at least {2 * cost + 2} for {players} {game.players.noun}, got {budget}; "
            f"raise budget or {game.players.remedy}"
        )
    forward = run.rng.random((pairs, players)).argsort(axis=1)
    orders = np.stack([forward, forward[:, ::-1]], axis=1)
    ranks = orders.argsort(axis=2)  # when each player appears
    shares = np.empty((pairs, players, len(run.targets)))
    block = max(1, 2**22 // (cost * players))  # bounds the coalitions that are held at once
    for start in range(0, pairs, block):
        rank = ranks[start : start + block]
        present = rank[:, :, None, :] < np.arange(players + 1)[:, None]
        worth = game.worth(present.reshape(-1, players)).reshape(*present.shape[:3], -1)
        added = np.diff(worth, axis=2)  # by the player who comes first, second, ...
        shares[start : start + block] = np.take_along_axis(added, rank[..., None], axis=2).mean(axis=1)
    return shares.mean(axis=0), shares.std(axis=0, ddof=1) / math.sqrt(pairs)
