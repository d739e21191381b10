import numpy as np
import pytest

from tests.support import refuses
from xplain.errors import InputError
from xplain.quality import agreement, rank_correlation, sparseness

RNG = np.random.default_rng(0)


def test_the_gini_index_is_half_the_relative_mean_difference():
    values = RNG.normal(size=(5, 6))
    flat = np.abs(values).ravel()
    differences = np.abs(flat[:, None] - flat).mean()
    assert sparseness(values) == pytest.approx(differences / 2 / flat.mean())
    assert sparseness(values * -9) == pytest.approx(sparseness(values))
    assert sparseness(np.eye(1, 10)) == pytest.approx(0.9)
    assert sparseness(np.zeros(4)) == 0


def test_rank_correlation_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    a, b = RNG.integers(0, 5, 40), RNG.normal(size=40)
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert rank_correlation(b, np.exp(b)) == pytest.approx(1)
    assert rank_correlation(b, -b) == pytest.approx(-1)
    assert rank_correlation(b, np.ones(40)) is None


def test_agreement_heeds_units_in_the_error_only():
    exact = np.array([[1.0, -2.0], [2.0, 4.0]])
    assert agreement(exact, exact).relative_error == 0
    doubled = agreement(2 * exact, exact)
    assert (doubled.rank_correlation, doubled.relative_error, doubled.players) == (pytest.approx(1), 1, 4)
    assert agreement(exact, 0 * exact).relative_error is None


def test_what_cannot_be_compared_is_refused():
    with refuses(InputError, "values must be of the reference's shape (3,), got (2,)"):
        agreement([1, 2], [1, 2, 3])
    with refuses(InputError, "values must be one or more finite numbers, got none"):
        sparseness([])
    with refuses(InputError, "values must be one or more finite numbers, got others"):
        sparseness([np.nan])
    with refuses(InputError, "values must be an array of numbers, got 'map'"):
        sparseness("map")
