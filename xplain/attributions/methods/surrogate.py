"""LIME and KernelSHAP: fit an additive model of which players are present to the scores of coalitions.

They differ in the coalitions, in their weights and in the fit: LIME fits near the whole input, with a ridge and a free
intercept; KernelSHAP fits under the Shapley kernel, exactly right for the whole input and for the baseline.
"""

from __future__ import annotations

import itertools
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


Array = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
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
        (...) each, what an absent part shows; of several, the mean score
        counts. A caller sets the options of the kind instead.

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
    coalitions = run.rng.random((count, game.count)) < 0.5
    coalitions[0] = True
    present = coalitions.mean(axis=1)
    distance = 1.0 - np.sqrt(present)  # cosine distance to all ones: |z| / (sqrt(|z|) sqrt(players))
    weights = np.exp(-(distance**2) / width**2)
    coefficients, fit = _ridge_regression(coalitions.astype(np.float64), game.worth(coalitions), weights, penalty)
    run.quality.add_each("fit", fit)
    return game.paint(coefficients)


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
    that fits all coalitions best under the Shapley kernel has the Shapley values as coefficients [1]_. While the budget
    allows, all coalitions of a size are evaluated, from the smallest and the largest size inwards; with few players
    these are all coalitions, and the result is exact. The rest of the budget goes to random coalitions of the other
    sizes, each with its complement, which lowers the variance [2]_.

    Quality: ``players``, ``coalitions`` (distinct ones that were fitted), ``completeness_residual`` (f(input) -
    f(baseline) minus the sum of the values, 0 but for rounding) and ``standard_error`` and ``standard_error_max``, the
    root mean square over the places and the largest of the asymptotic standard errors, 0 where the result is exact.

    Costs at most ``budget`` evaluations.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts of the input. A caller sets the options of the kind instead.
    budget : int
        Number of evaluations: at least 2 for each player and 6 more, or enough for all coalitions.
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
    .. [1] Lundberg & Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
    .. [2] Covert & Lee, "Improving KernelSHAP: practical Shapley value estimation using linear regression", AISTATS
       2021.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="kernel-shap", segments="grid", n_segments=4)
    >>> explanation.attributions[0].evidence.values[::2, ::2].round(3).tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    limit = _check.integer("budget", budget, least=1)
    game = Game(run, players, background)
    if game.count == 1:
        return game.sole_player()
    least = min(2 * game.count + 6, 2**game.count)  # all of sizes 1 and n - 1, the whole, the baseline, two pairs
    if limit < least:
        raise InputError(
            f"budget must be at least {least} for {game.count} {players.noun}, got {limit}; raise budget or "
            f"{players.remedy}"
        )
    coalitions, weights, sampled = kernel_coalitions(run.rng, game.count, limit - 2)
    total = game.full - game.empty
    values, errors = _constrained_fit(coalitions, game.worth(coalitions) - game.empty, weights, total, sampled)
    run.quality.add("coalitions", len(np.unique(np.packbits(coalitions, axis=1), axis=0)) + 2)
    game.note_errors(values, errors)
    return game.paint(values)


def kernel_coalitions(rng: np.random.Generator, players: int, budget: int) -> tuple[Bool, Float64, int]:
    """Choose coalitions and their weights under the Shapley kernel, but for the empty one and the full one.

    Returns
    -------
    coalitions : bool array (n, players)
    weights : float64 array (n,)
    sampled : int
        How many at the end are random, each coalition followed by its complement.
    """
    sizes = np.arange(1, players // 2 + 1)  # each stands for its complements' size, too
    kernel = (players - 1) / (sizes * (players - sizes))  # weight of all coalitions of a size together,
    kernel[2 * sizes < players] *= 2  # and of their complements
    coalitions: list[Bool] = []
    weights: list[Float64] = []
    for size in sizes.tolist():
        is_half = 2 * size == players  # the complements are of the same size
        count = math.comb(players, size) * (1 if is_half else 2)
        remaining = kernel[size - 1 :]
        if size > 1 and count > budget * remaining[0] / remaining.sum():  # random pairs would not exhaust this size
            break
        members = np.zeros((math.comb(players, size), players), bool)
        np.put_along_axis(members, np.array(list(itertools.combinations(range(players), size))), True, axis=1)
        coalitions.append(members if is_half else np.vstack([members, ~members]))
        weights.append(np.full(count, remaining[0] / count))
        budget -= count
    remaining, pairs = kernel[len(coalitions) :], budget // 2
    if not len(remaining):
        return np.vstack(coalitions), np.concatenate(weights), 0
    random_sizes = rng.choice(sizes[len(coalitions) :], size=pairs, p=remaining / remaining.sum())
    rank = rng.random((pairs, players)).argsort(axis=1)
    members = rank < random_sizes[:, None]
    coalitions.append(np.stack([members, ~members], axis=1).reshape(-1, players))
    weights.append(np.full(2 * pairs, remaining.sum() / (2 * pairs)))
    return np.vstack(coalitions), np.concatenate(weights), 2 * pairs


def _constrained_fit(
    coalitions: Bool, gains: Float64, weights: Float64, total: Float64, sampled: int
) -> tuple[Float64, Float64]:
    """Fit by weighted least squares under the constraint that the coefficients sum to ``total``.

    The constraint expresses the last player by the others. The errors are the sandwich estimate over the sampled pairs
    of coalitions, which are the last ``sampled`` rows.

    Returns
    -------
    float64 array (players, T)
        Coefficients.
    float64 array (players, T)
        Their standard errors.
    """
    z = coalitions.astype(np.float64)
    x, y = z[:, :-1] - z[:, -1:], gains - z[:, -1:] * total
    weighted = weights[:, None] * x
    gram = weighted.T @ x
    free = np.linalg.solve(gram, weighted.T @ y)
    values = np.vstack([free, total - free.sum(axis=0)])
    errors = np.zeros_like(values)
    if sampled:
        residual = (y - x @ free)[-sampled:]
        for target in range(y.shape[1]):
            # The gradient of the squared error of each pair, and by how much it moves the coefficients.
            gradients = (weighted[-sampled:] * residual[:, target, None]).reshape(sampled // 2, 2, -1).sum(axis=1)
            shifts = np.linalg.solve(gram, (gradients - gradients.mean(axis=0)).T)
            shifts = np.vstack([shifts, -shifts.sum(axis=0)])
            errors[:, target] = np.sqrt((shifts**2).sum(axis=1) * len(gradients) / (len(gradients) - 1))
    return values, errors
