"""Fit an additive model to the scores of coalitions of regions: LIME and KernelSHAP."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods.coalitions import Game
from xplain.errors import InputError

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


def lime(
    run: Run,
    *,
    segments: Any = "slic",
    n_segments: int = 50,
    n_samples: int = 1000,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    baseline: Any = 0.0,
) -> Float64:
    """Explain by a linear model of which regions are present, fitted near the input.

    Coalitions keep each region with probability 1/2. A ridge regression with a free intercept explains their scores,
    each weighted by ``exp(-d**2 / kernel_width**2)``, where d is the cosine distance of the coalition's indicator to
    that of the whole input [1]_. A pixel's value is its region's coefficient. For a linear score it tends to the
    region's sum of w (x - b) as the ridge tends to 0.

    Quality: ``fit``, the weighted R squared of the surrogate (1 is perfect; where it is low, so is the worth of the
    map), and ``players``, the number of regions.

    Costs ``n_samples`` evaluations, less where coalitions repeat.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments : {"slic", "quickshift", "felzenszwalb", "grid"} or integer array (height, width)
        The regions: superpixels, rectangles, or a feature mask in pixels of the original image.
    n_segments : int
        How many superpixels or rectangles to aim at.
    n_samples : int
        Number of coalitions, the whole input included.
    kernel_width : float
        Above 0, in units of the cosine distance (0..1).
    ridge : float
        Penalty of the squared coefficients, >= 0, on a sum of squares whose weights are at most 1.
    baseline : number, "blur", "mean" or array_like
        What an absent region shows; see `Run.baseline`.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score; a region's value on each of its pixels.

    Raises
    ------
    InputError
        If an option is malformed, or if n_samples is too few for the regions.

    References
    ----------
    .. [1] Ribeiro, Singh & Guestrin, "Why should I trust you? Explaining the predictions of any classifier", KDD 2016.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> found = xplain.explain(model, photo, method="lime", segments="grid", n_segments=4, ridge=0.0)
    >>> float(found.attributions[0].evidence.values[0, 0].round(3))
    200.0
    """
    width = _check.number("kernel_width", kernel_width)
    if width <= 0:
        raise _check.wrong("kernel_width", "above 0", kernel_width)
    penalty = _check.number("ridge", ridge)
    if penalty < 0:
        raise _check.wrong("ridge", "at least 0", ridge)
    count = _check.integer("n_samples", n_samples, least=1)
    game = Game(run, segments, n_segments, baseline)
    if count < game.players + 2:
        raise InputError(
            f"n_samples must be at least {game.players + 2}, two more than there are regions, got {count}; "
            "raise n_samples or lower n_segments"
        )
    coalitions = run.rng.random((count, game.players)) < 0.5
    coalitions[0] = True
    present = coalitions.mean(axis=1)
    distance = 1.0 - np.sqrt(present)  # cosine distance to all ones: |z| / (sqrt(|z|) sqrt(players))
    weights = np.exp(-(distance**2) / width**2)
    coefficients, fit = _ridge(coalitions.astype(np.float64), game.worth(coalitions), weights, penalty)
    run.note_each("fit", fit)
    return game.paint(coefficients)


def _ridge(features: Float64, scores: Float64, weights: Float64, penalty: float) -> tuple[Float64, Float64]:
    """Weighted ridge regression with an unpenalised intercept: coefficients (features, T) and R squared (T,)."""
    share = weights / weights.sum()
    x, y = features - share @ features, scores - share @ scores
    root = np.sqrt(weights)[:, None]
    rows = np.vstack([root * x, math.sqrt(penalty) * np.eye(x.shape[1])])
    values = np.vstack([root * y, np.zeros((x.shape[1], y.shape[1]))])
    coefficients = np.linalg.lstsq(rows, values, rcond=None)[0]
    unexplained = weights @ (y - x @ coefficients) ** 2
    total = weights @ y**2
    return coefficients, 1.0 - np.divide(unexplained, total, out=np.zeros_like(total), where=total > 0)


def kernel_shap(
    run: Run, *, segments: Any = "slic", n_segments: int = 50, budget: int = 1000, baseline: Any = 0.0
) -> Float64:
    """Estimate the Shapley values of regions by a weighted least-squares fit.

    The additive model of which regions are present that fits all coalitions best under the Shapley kernel, and is right
    for the whole input and for the baseline, has the Shapley values as coefficients [1]_. Sizes of coalitions are taken
    in whole, from the smallest and largest inwards, while the budget allows: with few regions everything is, and the
    result is exact. The rest of the budget goes to random coalitions of the other sizes, each with its complement,
    which lowers the variance [2]_.

    Quality: ``players``, ``coalitions`` (distinct ones that were fitted), ``completeness_residual`` (f(input) -
    f(baseline) minus the sum of the values, 0 but for rounding) and ``standard_error`` and ``standard_error_max``, the
    root mean square over the pixels and the largest of the asymptotic standard errors, 0 where the result is exact.

    Costs at most ``budget`` evaluations.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments : {"slic", "quickshift", "felzenszwalb", "grid"} or integer array (height, width)
        The regions: superpixels, rectangles, or a feature mask in pixels of the original image.
    n_segments : int
        How many superpixels or rectangles to aim at.
    budget : int
        Number of evaluations: at least 2 for each region and 6 more, or enough for all coalitions.
    baseline : number, "blur", "mean" or array_like
        What an absent region shows; see `Run.baseline`.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score; a region's value on each of its pixels.

    Raises
    ------
    InputError
        If an option is malformed, or if the budget is too small for the regions.

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
    >>> found = xplain.explain(model, photo, method="kernel-shap", segments="grid", n_segments=4)
    >>> found.attributions[0].evidence.values[::2, ::2].round(3).tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    limit = _check.integer("budget", budget, least=1)
    game = Game(run, segments, n_segments, baseline)
    least = min(2 * game.players + 6, 2**game.players)
    if limit < least:
        raise InputError(
            f"budget must be at least {least} for {game.players} regions, got {limit}; raise budget or lower n_segments"
        )
    coalitions, weights, drawn = _kernel_coalitions(run.rng, game.players, limit - 2)
    total = game.full - game.empty
    values, errors = _constrained_fit(coalitions, game.worth(coalitions) - game.empty, weights, total, drawn)
    run.note("coalitions", len(np.unique(np.packbits(coalitions, axis=1), axis=0)) + 2)
    game.note(values, errors)
    return game.paint(values)


def _kernel_coalitions(rng: np.random.Generator, players: int, budget: int) -> tuple[Bool, Float64, int]:
    """Choose coalitions and their weights under the Shapley kernel.

    Returns
    -------
    coalitions : bool array (n, players)
    weights : float64 array (n,)
    drawn : int
        How many at the end are random, each coalition followed by its complement.
    """
    sizes = np.arange(1, players // 2 + 1)
    kernel = (players - 1) / (sizes * (players - sizes))  # weight of all coalitions of a size together,
    kernel[2 * sizes < players] *= 2  # and of their complements
    rows: list[Bool] = []
    weights: list[Float64] = []
    for size in sizes.tolist():
        half = 2 * size == players  # the complements are of the same size
        count = math.comb(players, size) * (1 if half else 2)
        left = kernel[size - 1 :]
        if size > 1 and count > budget * left[0] / left.sum():  # random pairs would not exhaust this size
            break
        chosen = np.zeros((math.comb(players, size), players), bool)
        np.put_along_axis(chosen, np.array(list(itertools.combinations(range(players), size))), True, axis=1)
        rows.append(chosen if half else np.vstack([chosen, ~chosen]))
        weights.append(np.full(count, left[0] / count))
        budget -= count
    left, pairs = kernel[len(rows) :], budget // 2
    if not len(left):
        return np.vstack(rows), np.concatenate(weights), 0
    drawn = rng.choice(sizes[len(rows) :], size=pairs, p=left / left.sum())
    rank = rng.random((pairs, players)).argsort(axis=1)
    chosen = rank < drawn[:, None]
    rows.append(np.stack([chosen, ~chosen], axis=1).reshape(-1, players))
    weights.append(np.full(2 * pairs, left.sum() / (2 * pairs)))
    return np.vstack(rows), np.concatenate(weights), 2 * pairs


def _constrained_fit(
    coalitions: Bool, gains: Float64, weights: Float64, total: Float64, drawn: int
) -> tuple[Float64, Float64]:
    """Weighted least squares whose coefficients sum to ``total``: values and standard errors, (players, T) each.

    The constraint takes the last player out. The errors are the sandwich estimate over the drawn pairs of coalitions.
    """
    z = coalitions.astype(np.float64)
    x, y = z[:, :-1] - z[:, -1:], gains - z[:, -1:] * total
    weighted = weights[:, None] * x
    gram = weighted.T @ x
    free = np.linalg.solve(gram, weighted.T @ y)
    values = np.vstack([free, total - free.sum(axis=0)])
    errors = np.zeros_like(values)
    if drawn:
        residual = (y - x @ free)[-drawn:]
        for target in range(y.shape[1]):
            pull = (weighted[-drawn:] * residual[:, target, None]).reshape(drawn // 2, 2, -1).sum(axis=1)
            moved = np.linalg.solve(gram, (pull - pull.mean(axis=0)).T)
            moved = np.vstack([moved, -moved.sum(axis=0)])
            errors[:, target] = np.sqrt((moved**2).sum(axis=1) * len(pull) / (len(pull) - 1))
    return values, errors
