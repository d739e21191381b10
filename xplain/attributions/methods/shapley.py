"""Shapley values of the parts of an input: exactly, or predicted from some coalitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods.coalitions import Game
from xplain.attributions.methods.interactions import estimate

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
    exact. Else the budget goes to random coalitions, none of them twice, each with its complement, and as many of each
    size while there are enough [2]_. What an additive model leaves of their scores, a Gaussian process of the players'
    interactions predicts for the other coalitions [3]_, unless the additive model alone predicts coalitions that it has
    not seen as well.

    Quality: ``players``, ``exact``, ``completeness_residual`` (f(input) - f(baseline) minus the sum of the values, 0
    but for rounding) and ``standard_error`` and ``standard_error_max``, the root mean square over the places and the
    largest of the standard errors, 0 where the result is exact. The errors are left out where there are too few
    coalitions to know them: of 5 to 9 players at the least budget.

    Costs ``2**players`` evaluations if that is within the budget, else ``budget``, but for an odd one. Beyond 4096
    evaluations the additive model is taken, as by kernel-shap.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts of the input. A caller sets the options of the kind instead.
    budget : int
        Number of evaluations: at least 4 for each player, or enough for all coalitions. Of pixels 2000 by default.
    background : sequence of numpy.ndarray
        (...) each, what an absent part shows; of several, the mean score counts. A caller sets the options of the
        kind instead.

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
    .. [2] Musco & Witter, "Provably accurate Shapley value estimation via leverage score sampling", ICLR 2025.
    .. [3] O'Hagan, "Bayes-Hermite quadrature", 1991; the kernel is the diffusion kernel of Kondor & Lafferty, 2002.

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
        errors: Float64 | None = np.zeros_like(values)
    else:
        pairs = game.draw(run.rng, limit)
        values, errors = estimate(pairs, game.differences(pairs.members), game.full - game.empty)
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
