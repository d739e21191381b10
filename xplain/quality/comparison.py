"""How similar two maps are, and how concentrated one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.quality.result import Floats, Result, mean_ranks


@dataclass(frozen=True, slots=True)
class Agreement(Result):
    """How near attributions are to a reference, such as exact Shapley values.

    Parameters
    ----------
    rank_correlation : float or None
        -1..1, Spearman's; None if all attributions or all reference values are equal.
    relative_error : float or None
        Length of the difference over the length of the reference, 0 where equal; None if the reference is zero.
    players : int
        How many attributions were compared.
    """

    rank_correlation: float | None
    relative_error: float | None
    players: int


def agreement(values: npt.ArrayLike, reference: npt.ArrayLike) -> Agreement:
    """Compare attributions with a reference.

    Parameters
    ----------
    values, reference : array_like
        Finite, of one shape.

    Returns
    -------
    Agreement
        Rank correlation, which does not depend on units, and relative error, which does.

    Raises
    ------
    InputError
        If the shapes differ, or there is nothing to compare.

    Examples
    --------
    >>> agreement([1.0, 2.0, 4.0], [1.0, 2.0, 2.0])
    Agreement(rank_correlation=0.8660254037844387, relative_error=0.6666666666666666, players=3)
    """
    attributions, exact = _pair(values, reference)
    length = float(np.linalg.norm(exact))
    error = float(np.linalg.norm(attributions - exact)) / length if length else None
    return Agreement(rank_correlation(attributions, exact), error, attributions.size)


def rank_correlation(values: npt.ArrayLike, reference: npt.ArrayLike) -> float | None:
    """Spearman's correlation of two arrays of one shape; None if all values of either are equal.

    Parameters
    ----------
    values, reference : array_like
        Finite, of one shape.

    Examples
    --------
    >>> rank_correlation([1, 2, 3], [10, 20, 15])
    0.5
    """
    ranks, reference_ranks = (mean_ranks(array) for array in _pair(values, reference))
    ranks, reference_ranks = ranks - ranks.mean(), reference_ranks - reference_ranks.mean()
    lengths = float(np.sqrt((ranks @ ranks) * (reference_ranks @ reference_ranks)))
    return float(ranks @ reference_ranks) / lengths if lengths else None


def sparseness(values: npt.ArrayLike) -> float:
    """Gini index of the |values|: 0 if all are equal, near 1 if a few hold everything.

    Parameters
    ----------
    values : array_like
        A map, or any finite array.

    Returns
    -------
    float
        0..1; at most 1 - 1/n for n values, 0 if all are 0.

    Raises
    ------
    InputError
        If there are no values, or one is not finite.

    References
    ----------
    Hurley & Rickard, "Comparing measures of sparsity", 2009, arXiv:0811.4706; Chalasani et al., "Concise explanations
    of neural networks using adversarial training", ICML 2020, arXiv:1810.06583.

    Examples
    --------
    >>> sparseness([0.0, 0.0, -2.0, 0.0]), sparseness([1.0, 1.0])
    (0.75, 0.0)
    """
    ascending = np.sort(np.abs(_numbers("values", values)))
    total, count = float(ascending.sum()), ascending.size
    if not total:
        return 0.0
    return float((2 * np.arange(1, count + 1) - count - 1) @ ascending) / (count * total)


def _pair(values: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Floats, Floats]:
    shape, expected = np.shape(values), np.shape(reference)
    if shape != expected:
        raise InputError(f"values must be of the reference's shape {expected}, got {shape}")
    return _numbers("values", values), _numbers("reference", reference)


def _numbers(name: str, values: npt.ArrayLike) -> Floats:
    """Return one or more finite numbers as a flat float64 array."""
    try:
        array = np.asarray(values, np.float64).ravel()
    except (TypeError, ValueError):
        raise _check.wrong(name, "an array of numbers", values) from None
    if not array.size or not np.isfinite(array).all():
        raise InputError(f"{name} must be one or more finite numbers, got {'none' if not array.size else 'others'}")
    return array
