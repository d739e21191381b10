"""Shapley values from some of a game's coalitions: an additive model, and a Gaussian process of the interactions."""

from __future__ import annotations

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
"""Inverting the kernel of so many takes less time than a network takes for their scores."""

_OPTIMISM = 1.25
"""The process with the smallest misses is taken: their squares look smaller than they are, by about so much."""

_LEAST_FREEDOM = 9.5
"""With fewer degrees of freedom of the additive model, intervals of a chosen process cover less than they say."""

_LEAST_UNSEEN = 16
"""Misses of fewer pairs that are not drawn do not add up to a normal error; the additive model does as well there."""


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
        Their standard errors; None if there are too few pairs to know them, which players and pairs alone decide.
    """
    values, errors, misses = additive_fit(pairs, differences, total)
    if errors is None or len(differences) > _MOST_PAIRS or pairs.count_unseen < _LEAST_UNSEEN:
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
    return values, errors if pairs.freedom >= _LEAST_FREEDOM else None


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
        self._half = _inverse_of_triangle(np.linalg.cholesky(kernel))  # half' @ half is the kernel's inverse
        self._explained = self._half.T @ (self._half @ self._signs)  # (n + 1, players)
        self._covariance = np.linalg.inv(self._signs.T @ self._explained)  # of the additive part
        additive = np.einsum("ni,ni->n", self._explained @ self._covariance, self._explained)
        self._expected = 1.0 / (np.einsum("mn,mn->n", self._half, self._half) - additive)  # squares of misses
        self._pairs = pairs
        self._unseen = np.append(pairs.unseen, 0.0)

    def _influence(self, columns: Float64) -> Float64:
        """Return how much each observation counts in the expected integrals of columns of the kernel, but additive."""
        additive = self._explained @ (self._covariance @ (self._explained.T @ columns))
        influence: Float64 = self._half.T @ (self._half @ columns) - additive
        return influence

    def _misses(self, residual: Float64) -> Float64:
        """Return by how much the others' prediction misses each observation: (n + 1,)."""
        misses: Float64 = self._influence(np.append(residual, 0.0)) * self._expected
        return misses

    def unexplained(self, residual: Float64) -> float:
        """Return the mean squared error of predicting pairs, as the Shapley values weigh them, from all others."""
        return float(self._unseen @ self._misses(residual) ** 2)

    def shapley_values(self, residual: Float64) -> tuple[Float64, Float64]:
        """Return the Shapley values of the expected scores and their standard errors: (players,) each."""
        of_kernel, variance = self._shapley_of_kernel()
        influence = self._influence(of_kernel) + self._explained @ self._covariance  # of each pair on each value
        # Universal kriging: what the drawn pairs leave of the variance, and that of the additive part.
        not_additive = np.eye(len(variance)) - self._explained.T @ of_kernel
        variance = variance - ((self._half @ of_kernel) ** 2).sum(axis=0)
        variance += np.einsum("pi,pi->i", not_additive, self._covariance @ not_additive)
        scale = self._scale(residual, (influence**2).sum(axis=1))
        return influence.T @ np.append(residual, 0.0), np.sqrt(np.maximum(variance, 0.0) * scale)

    def _scale(self, residual: Float64, influence: Float64) -> float:
        """Return the process's variance: squared misses over those that a variance of 1 expects.

        The mean of two, where the process may hold less: weighted by what pairs say about those that were not drawn,
        and by how much they move the values, (n + 1,). It is itself estimated, as in Student's t.
        """
        squares = self._misses(residual) ** 2
        moving = np.where(self._unseen > 0, influence, 0.0)
        ratio = sum(float(weights @ squares / (weights @ self._expected)) for weights in (self._unseen, moving)) / 2
        freedom = max(self._pairs.freedom_of((moving * self._expected)[:-1]), 4.0)
        return ratio * _OPTIMISM * freedom / (freedom - 2.0)

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


def _inverse_of_triangle(lower: Float64) -> Float64:
    """Invert a lower triangular matrix, halves by halves: NumPy has general inverses only, which take twice as long."""
    count = len(lower)
    inverse = np.zeros_like(lower)
    if count <= 64:
        inverse[:] = np.linalg.inv(lower)
        return inverse
    half = count // 2
    inverse[:half, :half] = _inverse_of_triangle(lower[:half, :half])
    inverse[half:, half:] = _inverse_of_triangle(lower[half:, half:])
    inverse[half:, :half] = -inverse[half:, half:] @ (lower[half:, :half] @ inverse[:half, :half])
    return inverse
