import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attributions.board import Board, linear, on_pixels
from tests.support import examples, refuses
from xplain.errors import InputError

kernel_shap = on_pixels("kernel-shap")
lime = on_pixels("lime")


def strip(players):
    """An image of one pixel for each player, all ones, and the feature mask that says so."""
    return np.ones((1, 1, players), np.float32), np.arange(players)[None]


def by_orders(value, players):
    """Shapley values from the definition: every order of the players."""
    shares = np.zeros(players)
    for order in itertools.permutations(range(players)):
        present = np.zeros(players, bool)
        for player in order:
            before = value(present)
            present[player] = True
            shares[player] += value(present) - before
    return shares / math.factorial(players)


def score(value):
    return lambda batch: np.array([[value(row[0, 0] > 0.5)] for row in batch])


def tanh_game(players, seed):
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(players, 4)), rng.normal(size=4)
    return lambda present: float(np.tanh(present @ inner) @ outer)


class TestLime:
    def test_tends_to_the_share_as_the_ridge_tends_to_0(self):
        rng = np.random.default_rng(0)
        image = rng.normal(size=(2, 6, 8)).astype(np.float32)
        weights = rng.normal(size=(3, 2, 6, 8))
        share = (weights * (image.astype(float) - 0.5)).sum(axis=1)
        expected = share.reshape(3, 2, 3, 2, 4).sum(axis=(2, 4)).repeat(3, axis=1).repeat(4, axis=2)
        options = {"segments": "grid", "n_segments": 4, "n_samples": 60, "baseline": 0.5}
        errors = []
        for ridge in (1.0, 1e-3, 0.0):
            board = Board(linear(weights, bias=2.0), image)
            errors.append(np.abs(lime(board, ridge=ridge, **options) - expected).max())
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 1e-12
        assert board.each("fit") == pytest.approx(np.ones(3))

    def test_is_the_ridge_of_scikit_learn(self):
        linear_model = pytest.importorskip("sklearn.linear_model")
        metrics = pytest.importorskip("sklearn.metrics")
        image, mask = strip(6)
        value = tanh_game(6, 0)
        board = Board(score(value), image, seed=3)
        values = lime(board, segments=mask, n_samples=80, kernel_width=0.4, ridge=2.5)
        rows = np.random.default_rng(3).random((80, 6)) < 0.5
        rows[0] = True
        distance = metrics.pairwise_distances(rows.astype(float), np.ones((1, 6)), metric="cosine")[:, 0]
        weights = np.exp(-(distance**2) / 0.4**2)
        scores = np.array([value(row) for row in rows])
        ridge = linear_model.Ridge(alpha=2.5).fit(rows, scores, sample_weight=weights)
        assert values[0, 0] == pytest.approx(ridge.coef_, abs=1e-10)
        assert board.each("fit")[0] == pytest.approx(ridge.score(rows, scores, sample_weight=weights))

    def test_evaluates_each_coalition_once(self):
        image, mask = strip(3)
        board = Board(score(tanh_game(3, 0)), image)
        lime(board, segments=mask, n_samples=500)
        assert board.calls == 8

    def test_refusals(self):
        image, mask = strip(5)
        board = Board(score(tanh_game(5, 0)), image)
        with refuses(InputError, "n_samples must be at least 7", "got 6", "lower n_segments"):
            lime(board, segments=mask, n_samples=6)
        with refuses(InputError, "kernel_width must be above 0, got 0"):
            lime(board, segments=mask, kernel_width=0)
        with refuses(InputError, "ridge must be at least 0, got -1"):
            lime(board, segments=mask, ridge=-1)


class TestKernelShap:
    @examples(25)
    @given(players=st.integers(2, 6), seed=st.integers(0, 99), data=st.data())
    def test_games_are_solved_exactly_when_the_budget_covers_them(self, players, seed, data):
        kind = data.draw(st.sampled_from(["and", "xor", "max", "tanh"]))
        rng = np.random.default_rng(seed)
        power = rng.random(players)
        value = {
            "and": lambda present: float(present.all()),
            "xor": lambda present: float(present.sum() % 2),
            "max": lambda present: float(power[present].max(initial=0.0)),
            "tanh": tanh_game(players, seed),
        }[kind]
        image, mask = strip(players)
        board = Board(score(value), image)
        if abs(value(np.ones(players, bool))) < 1e-9 and kind != "xor":
            return
        values = kernel_shap(board, segments=mask, budget=2**players)
        assert values[0, 0] == pytest.approx(by_orders(value, players), abs=1e-9)
        assert board.each("standard_error_max") == 0
        assert board.calls == board.each("coalitions")[0] == 2**players

    def test_a_linear_score_is_exact_at_any_budget(self):
        image, mask = strip(20)
        weights = np.random.default_rng(0).normal(size=(3, 1, 1, 20))
        board = Board(linear(weights, bias=1.0), image)
        assert kernel_shap(board, segments=mask, budget=80) == pytest.approx(weights[:, 0], abs=1e-9)
        assert board.calls == 80
        assert board.each("standard_error_max") == pytest.approx(np.zeros(3), abs=1e-9)

    def test_values_add_up_to_the_gain(self):
        image, mask = strip(15)
        value = tanh_game(15, 4)
        board = Board(score(value), image)
        values = kernel_shap(board, segments=mask, budget=100)
        assert values.sum() == pytest.approx(value(np.ones(15, bool)) - value(np.zeros(15, bool)))
        assert board.each("completeness_residual") == pytest.approx([0], abs=1e-12)

    def test_error_falls_and_is_what_the_standard_error_says(self):
        players = 10
        image, mask = strip(players)
        value = tanh_game(players, 1)
        truth = kernel_shap(Board(score(value), image), segments=mask, budget=2**players)
        actual, claimed = [], []
        for budget in (60, 240):
            boards = [Board(score(value), image, seed=seed) for seed in range(40)]
            maps = [kernel_shap(board, segments=mask, budget=budget) for board in boards]
            actual.append(np.sqrt(np.mean([(values - truth) ** 2 for values in maps])))
            claimed.append(np.mean([board.each("standard_error")[0] for board in boards]))
        assert actual[1] < 0.6 * actual[0]
        assert claimed == pytest.approx(actual, rel=0.2)

    def test_batches_do_not_matter(self):
        image, mask = strip(12)
        maps = [
            kernel_shap(Board(score(tanh_game(12, 0)), image, batch_size=size), segments=mask, budget=200)
            for size in (1, 7)
        ]
        assert (maps[0] == maps[1]).all()

    def test_refusals(self):
        image, mask = strip(9)
        board = Board(score(tanh_game(9, 0)), image)
        with refuses(InputError, "budget must be at least 36 for 9 regions, got 35", "lower n_segments"):
            kernel_shap(board, segments=mask, budget=35)
        with refuses(InputError, "budget must be an integer"):
            kernel_shap(board, segments=mask, budget=100.0)
