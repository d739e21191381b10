"""Shapley values from some of a game's coalitions: an additive model, and a Gaussian process of the interactions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from xplain.attributions.methods.coalitions import Pairs
from xplain.attributions.methods.surrogate import additive_fit

Float64 = npt.NDArray[np.float64]

_STRENGTHS = (0.05, 0.15, 0.4)
"""Correlations that a player contributes: an interaction of d players has a prior variance of about strength**d."""

_POWERS = (0.0, 0.5)
"""How strengths differ among players: by this power of what the additive model gives them."""

_TRIAL_PAIRS = 400
"""So many pairs choose the strengths: as many again cost eight times as much."""

_MOST_PAIRS = 2048
"""Inverting the kernel of so many takes about as long as a network takes for their scores."""

_OPTIMISM = 1.3
"""Of processes the one with the smallest misses is taken: they look smaller than they are, by about so much at most."""


def estimate(pairs: Pairs, differences: Float64, total: Float64) -> tuple[Float64, Float64 | None]:
    """Estimate Shapley values from what coalitions score above their complements.

    Whatever predicts pairs best that it has not seen is taken, for each target: the additive model, or the same and a
    Gaussian process for what it leaves.

    Parameters
    ----------
    pairs : Pairs
        n coalitions.
    differences : float64 array (n, T)
    total : float64 array (T,)
        What all players together add.

    Returns
    -------
    float64 array (players, T)
        Values.
    float64 array (players, T) or None
        Their standard errors; None if there are too few pairs to know them.
    """
    values, errors, misses = additive_fit(pairs, differences, total)
    if errors is None or len(differences) > _MOST_PAIRS or (pairs.chance == 1).all():
        return values, errors
    # Pairs come by size, so that evenly spaced ones are of all sizes.
    trial = np.linspace(0, len(differences) - 1, min(len(differences), _TRIAL_PAIRS)).astype(int)
    some = Pairs(*(field[trial] for field in pairs))
    residual = differences - pairs.signs @ values
    unexplained = some.unseen @ misses[trial] ** 2
    for target in range(len(total)):
        size = np.abs(values[:, target])
        relative = size / size.max(initial=1e-300)
        best = unexplained[target]
        chosen: Float64 | None = None
        for strength in _STRENGTHS:
            for power in _POWERS:
                strengths = strength * np.maximum(relative**power, 0.01)
                process = Process(some, strengths)
                error = process.unexplained(residual[trial, target])
                if error < best:
                    best, chosen = error, strengths
        if chosen is not None:
            process = Process(pairs, chosen)
            correction, errors[:, target] = process.shapley_values(residual[:, target])
            values[:, target] += correction
    return values, errors


class Process:
    """A Gaussian process of differences of scores, with a free additive part, which is exact at the drawn pairs.

    The covariance of the scores of coalitions s and t, signs 1 and -1, is the product of 1 + strength * s * t over the
    players: interactions of d players have the product of their strengths as variance. A difference of complements
    holds the odd ones. As a product its Shapley values are an integral over the probability that others are present.

    Parameters
    ----------
    pairs : Pairs
        n coalitions.
    strengths : float64 array (players,)
        Between 0 and 1.
    """

    def __init__(self, pairs: Pairs, strengths: Float64) -> None:
        self._strengths = strengths
        # The whole input against the baseline is one more pair, at which the residual is 0.
        self._signs = np.vstack([pairs.signs, np.ones(len(strengths))])
        angles = np.arctanh(strengths)
        exponents = (self._signs * angles) @ self._signs.T
        scale = angles.sum()  # so that the whole input's variance is 1/2
        kernel = 0.5 * (np.exp(exponents - scale) - np.exp(-exponents - scale))
        kernel[np.diag_indices_from(kernel)] *= 1.0 + 1e-9
        self._inverse = np.linalg.inv(kernel)
        self._explained = self._inverse @ self._signs  # (n + 1, players)
        self._covariance = np.linalg.inv(self._signs.T @ self._explained)  # of the additive part
        self._precision = self._inverse - self._explained @ self._covariance @ self._explained.T
        self._inflation = max(pairs.inflation or math.inf, _OPTIMISM)
        self._unseen = np.append(pairs.unseen, 0.0)

    def _left_out(self, residual: Float64) -> tuple[Float64, Float64]:
        """Return the weights of the observations, and by how much the others' prediction misses each of them."""
        weights = self._precision @ np.append(residual, 0.0)
        return weights, weights / np.diag(self._precision)

    def unexplained(self, residual: Float64) -> float:
        """Return the mean squared error of predicting pairs, as the Shapley values weigh them, from all others."""
        return float(self._unseen @ self._left_out(residual)[1] ** 2)

    def shapley_values(self, residual: Float64) -> tuple[Float64, Float64]:
        """Return the Shapley values of the expected scores and their standard errors: (players,) each."""
        weights, misses = self._left_out(residual)
        of_kernel, variance = self._shapley_of_kernel()
        additive = self._covariance @ (self._explained.T @ np.append(residual, 0.0))
        values = additive + weights @ of_kernel
        # Universal kriging: what the drawn pairs leave of the variance, and that of the additive part.
        not_additive = np.eye(len(variance)) - self._explained.T @ of_kernel
        variance = variance - np.einsum("ni,ni->i", of_kernel, self._inverse @ of_kernel)
        variance += np.einsum("pi,pi->i", not_additive, self._covariance @ not_additive)
        # The scale of the variance is that of the misses; it is itself estimated, as in Student's t.
        scale = self._unseen @ misses**2 / (self._unseen @ (1.0 / np.diag(self._precision)))
        return values, np.sqrt(np.maximum(variance, 0.0) * scale * self._inflation)

    def _shapley_of_kernel(self) -> tuple[Float64, Float64]:
        """Return the Shapley values of each column of the kernel, (n + 1, players), and of these functions again."""
        players = len(self._strengths)
        places, weights = np.polynomial.legendre.leggauss(min(players // 2 + 1, 32))
        norm = 1.0 + self._strengths
        of_kernel = np.zeros_like(self._signs)
        variance = np.zeros(players)
        for u, weight in zip(places, weights, strict=True):
            factors = (1.0 + self._strengths * u * self._signs) / norm
            gains = self._strengths * self._signs / norm
            of_kernel += weight / 2 * factors.prod(axis=1, keepdims=True) * gains / factors
            for v, other in zip(places, weights, strict=True):
                factors_of_both = (1.0 + self._strengths * u * v) / norm
                variance += weight * other / 4 * factors_of_both.prod() * self._strengths / norm / factors_of_both
        return of_kernel, variance
