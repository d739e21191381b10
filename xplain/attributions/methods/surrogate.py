"""LIME and KernelSHAP: fit an additive model of which players are present to the scores of coalitions.

They differ in the coalitions, in their weights and in the fit: LIME fits near the whole input, with a ridge and a free
intercept; KernelSHAP fits under the Shapley kernel, exactly right for the whole input and for the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods.coalitions import Game, Pairs
from xplain.errors import InputError

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run
    from xplain.attributions.engine.supplies import Players


Array = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def lime(
    run: Run,
    *,
    players: Players,
    n_samples: int = 1000,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    background: Sequence[Array],
) -> Float64:
    """Explain by a linear model of which players are present, fitted near the input.

    Coalitions keep each player with probability 1/2. A ridge regression with a free intercept explains their scores,
    each weighted by ``exp(-d**2 / kernel_width**2)``, where d is the cosine distance of the coalition's indicator to
    that of the whole input [1]_. A player's value is its coefficient. For a linear score it tends to the player's sum
    of w (x - b) as the ridge tends to 0.

    Quality: ``fit``, the weighted R squared of the surrogate (1 is perfect; where it is low, so is the worth of the
    map), and ``players``, their number.

    Costs ``n_samples`` evaluations, less where coalitions or texts repeat.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts of the input. A caller sets the options of the kind instead.
    n_samples : int
        Number of coalitions, the whole input included.
    kernel_width : float
        Above 0, in units of the cosine distance (0..1).
    ridge : float
        Penalty of the squared coefficients, >= 0, on a sum of squares whose weights are at most 1.
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
        If an option is malformed, or if n_samples is too few for the players.

    References
    ----------
    .. [1] Ribeiro, Singh & Guestrin, "Why should I trust you? Explaining the predictions of any classifier", KDD 2016.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="lime", segments="grid", n_segments=4, ridge=0.0)
    >>> float(explanation.attributions[0].evidence.values[0, 0].round(3))
    200.0
    """
    width = _check.number("kernel_width", kernel_width)
    if width <= 0:
        raise _check.wrong("kernel_width", "above 0", kernel_width)
    penalty = _check.number("ridge", ridge)
    if penalty < 0:
        raise _check.wrong("ridge", "at least 0", ridge)
    count = _check.integer("n_samples", n_samples, least=1)
    game = Game(run, players, background)
    if game.count == 1:
        return game.sole_player()
    if count < game.count + 2:
        raise InputError(
            f"n_samples must be at least {game.count + 2}, two more than there are {players.noun}, got {count}; "
            f"raise n_samples or {players.remedy}"
        )
    coalitions = draw_coalitions(run.rng, count, game.count)
    present = coalitions.mean(axis=1)
    distance = 1.0 - np.sqrt(present)  # cosine distance to all ones: |z| / (sqrt(|z|) sqrt(players))
    weights = np.exp(-(distance**2) / width**2)
    coefficients, fit = _ridge_regression(coalitions.astype(np.float64), game.worth(coalitions), weights, penalty)
    run.quality.add_each("fit", fit)
    return game.paint(coefficients)


def draw_coalitions(rng: np.random.Generator, count: int, players: int) -> npt.NDArray[np.bool_]:
    """Draw coalitions (count, players) of which each player is a member by chance; the first has all."""
    coalitions = rng.random((count, players)) < 0.5
    coalitions[0] = True
    return coalitions


def _ridge_regression(features: Float64, scores: Float64, weights: Float64, penalty: float) -> tuple[Float64, Float64]:
    """Fit a weighted ridge regression with an unpenalised intercept.

    Returns
    -------
    float64 array (features, T)
        Coefficients.
    float64 array (T,)
        R squared.
    """
    share = weights / weights.sum()
    x, y = features - share @ features, scores - share @ scores  # centred, which takes the intercept out
    # The penalty as one more row for each feature, by which the normal equations need not be formed.
    root = np.sqrt(weights)[:, None]
    rows = np.vstack([root * x, math.sqrt(penalty) * np.eye(x.shape[1])])
    values = np.vstack([root * y, np.zeros((x.shape[1], y.shape[1]))])
    coefficients = np.linalg.lstsq(rows, values, rcond=None)[0]
    unexplained = weights @ (y - x @ coefficients) ** 2
    total = weights @ y**2
    return coefficients, 1.0 - np.divide(unexplained, total, out=np.zeros_like(total), where=total > 0)


def kernel_shap(run: Run, *, players: Players, budget: int = 1000, background: Sequence[Array]) -> Float64:
    """Estimate the Shapley values of players by a weighted least-squares fit.

    Of all additive models of which players are present that are right for the whole input and for the baseline, the one
    that fits all coalitions best under the Shapley kernel has the Shapley values as coefficients [1]_. If the budget
    allows, all coalitions are evaluated, and the result is exact. Else it goes to random coalitions, none of them
    twice, each with its complement, which lowers the variance [2]_, and as many of each size while there are enough
    [3]_.

    Quality: ``players``, ``coalitions`` (distinct ones that were fitted), ``completeness_residual`` (f(input) -
    f(baseline) minus the sum of the values, 0 but for rounding) and ``standard_error`` and ``standard_error_max``, the
    root mean square over the places and the largest of the standard errors, 0 where the result is exact. The errors are
    left out where there are too few coalitions to know them.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts of the input. A caller sets the options of the kind instead.
    budget : int
        Number of evaluations: at least 4 for each player, or enough for all coalitions.
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
    .. [1] Lundberg & Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
    .. [2] Covert & Lee, "Improving KernelSHAP: practical Shapley value estimation using linear regression", AISTATS
       2021.
    .. [3] Musco & Witter, "Provably accurate Shapley value estimation via leverage score sampling", ICLR 2025.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="kernel-shap", segments="grid", n_segments=4)
    >>> (explanation.attributions[0].evidence.values[::2, ::2].round(3) + 0.0).tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    limit = _check.integer("budget", budget, least=1)
    game = Game(run, players, background)
    if game.count == 1:
        return game.sole_player()
    pairs = game.draw(run.rng, limit)
    values, errors, _ = additive_fit(pairs, game.differences(pairs.members), game.full - game.empty)
    run.quality.add("coalitions", 2 * len(pairs.members) + 2)
    game.note_errors(values, errors)
    return game.paint(values)


class AdditiveFit(NamedTuple):
    """An additive model of a game.

    Attributes
    ----------
    values : float64 array (players, T)
        Coefficients.
    errors : float64 array (players, T) or None
        Their standard errors; None if there are too few pairs to know them.
    misses : float64 array (n, T)
        By how much the model misses each pair if it is fitted without it.
    """

    values: Float64
    errors: Float64 | None
    misses: Float64


def additive_fit(pairs: Pairs, differences: Float64, total: Float64) -> AdditiveFit:
    """Fit what coalitions score above their complements, (n, T), by weighted least squares.

    The coefficients sum to ``total`` (T,): they are equal shares of it and a deviation of sum 0, the smallest one if
    the coalitions leave a choice. The errors are the sandwich estimate of a sample without replacement.
    """
    signs = pairs.signs
    equal_shares = total / signs.shape[1]
    mean = signs.mean(axis=1, keepdims=True)
    x, y = signs - mean, differences - signs.shape[1] * mean * equal_shares
    root = np.sqrt(pairs.weights)[:, None]
    left, scales, right = np.linalg.svd(root * x, full_matrices=False)
    rank = int((scales > 1e-9 * scales[0]).sum())
    left = left[:, :rank]
    influence = right[:rank].T @ (left / scales[:rank]).T * root[:, 0]  # (players, n), of each pair on each coefficient
    deviation = influence @ y
    values = equal_shares + deviation
    spared = 1.0 - (left**2).sum(axis=1)[:, None]  # what a pair's own score does not decide of its fit
    residual = y - x @ deviation
    misses = residual / np.maximum(spared, 1e-9)
    drawn = pairs.chance < 1.0
    if not drawn.any():
        return AdditiveFit(values, np.zeros_like(values), misses)
    if pairs.inflation is None or rank < signs.shape[1] - 1 or spared[drawn].min() < 1e-6:
        return AdditiveFit(values, None, misses)
    variance = influence**2 * (1.0 - pairs.chance) @ (residual * misses)
    return AdditiveFit(values, np.sqrt(variance * pairs.inflation), misses)
