"""Estimates of Shapley values from some coalitions: which are drawn, and whether the errors are what they say."""

import itertools
import math

import numpy as np
import pytest

from tests.attributions.board import Board, notes_of, on_pixels
from xplain.attributions.engine.maps import combined_quality
from xplain.attributions.methods.coalitions import draw_pairs
from xplain.attributions.methods.interactions import estimate as estimate_values
from xplain.attributions.methods.surrogate import additive_fit

METHODS = ["kernel-shap", "shapley"]


def table(worth):
    """A run of a game given by the worth of each coalition; bit i of its number stands for player i."""
    players = len(worth).bit_length() - 1
    numbers = 1 << np.arange(players)

    def score(batch):
        return worth[(batch[:, 0, 0] > 0.5) @ numbers][:, None]

    image = np.ones((1, 1, players), np.float32)
    options = {"segments": np.arange(players)[None]}
    return lambda method, seed=0, **more: run(Board(score, image, seed=seed, batch_size=512), method, options | more)


def run(board, method, options):
    return on_pixels(method)(board, **options)[0, 0], board


def estimate(method, worth, seed, budget):
    """Values and errors of one target, without a run."""
    players = len(worth).bit_length() - 1
    pairs = draw_pairs(np.random.default_rng(seed), players, (budget - 2) // 2)
    number = pairs.members @ (1 << np.arange(players))
    fit = {"kernel-shap": additive_fit, "shapley": estimate_values}[method]
    values, errors = fit(pairs, (worth[number] - worth[len(worth) - 1 - number])[:, None], worth[-1:] - worth[0])[:2]
    return values[:, 0], errors


def game(kind, players):
    rng = np.random.default_rng(1)
    present = (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(float)
    if kind == "tanh":
        return np.tanh(present @ rng.normal(size=(players, 4))) @ rng.normal(size=4)
    if kind == "max":
        return (present * rng.random(players)).max(axis=1)
    return rng.normal(size=2**players)


@pytest.mark.parametrize("players", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("count", [7, 20, 60, 10**9])
def test_pairs_are_distinct_and_weigh_as_the_kernel_on_average(players, count):
    count = min(count, 2 ** (players - 1) - 1)
    means = np.zeros(players)
    for seed in range(100):
        pairs = draw_pairs(np.random.default_rng(seed), players, count)
        both = np.vstack([pairs.members, ~pairs.members])
        assert len(np.unique(both, axis=0)) == 2 * count
        assert pairs.weights.sum() == pytest.approx(1)
        sizes = pairs.members.sum(axis=1)
        assert ((sizes > 0) & (sizes <= players // 2)).all()
        for size in set(sizes[pairs.chance == 1].tolist()):
            assert (both.sum(axis=1) == size).sum() == math.comb(players, size)
        np.add.at(means, sizes, 1 / pairs.chance / 100)
    for size in range(1, players // 2 + 1):
        exist = math.comb(players, size) / (2 if 2 * size == players else 1)
        assert means[size] == pytest.approx(exist, rel=0.25)
    if count == 2 ** (players - 1) - 1:
        kernel = [1 / (math.comb(players, size) * size * (players - size)) for size in sizes.tolist()]
        assert pairs.weights == pytest.approx(np.array(kernel) / sum(kernel))


@pytest.mark.parametrize("players", [200, 1100])
def test_many_players(players):
    pairs = draw_pairs(np.random.default_rng(0), players, 3 * players)
    assert len(pairs.members) == 3 * players
    assert np.isfinite(pairs.weights).all()
    assert (np.abs(np.diff(np.bincount(pairs.members.sum(axis=1))[1 : players // 2])) <= 1).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("budget", [48, 100, 1000, 4095, 4096])
def test_the_whole_budget_goes_to_new_coalitions(method, budget):
    _, board = table(game("tanh", 12))(method, budget=budget)
    assert board.calls == budget - budget % 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("kind", "players", "budget"),
    [
        *[("tanh", 10, 40), ("tanh", 10, 64), ("tanh", 10, 300), ("max", 8, 40), ("max", 8, 60), ("max", 8, 120)],
        *[("max", 6, 56), ("max", 10, 200), ("max", 12, 96), ("tanh", 6, 56), ("tanh", 8, 150), ("tanh", 14, 56)],
        *[("noise", 6, 40), ("noise", 7, 60), ("noise", 9, 44), ("noise", 9, 200)],
    ],
)
def test_intervals_cover_the_truth(method, kind, players, budget):
    """95 % intervals over 100 seeds, of the root mean square of the errors, which is what is stored."""
    worth = game(kind, players)
    truth = estimate(method, worth, 0, 2**players)[0]
    covered = []
    for seed in range(100):
        values, errors = estimate(method, worth, seed, budget)
        if errors is not None:
            covered.append(np.abs(values - truth) <= 1.96 * np.sqrt((errors**2).mean()))
    assert len(covered) > 95
    assert 0.9 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize(
    ("method", "players", "budget"),
    [("kernel-shap", 5, 20), ("kernel-shap", 6, 24), ("shapley", 5, 20), ("shapley", 7, 28), ("shapley", 9, 36)],
)
def test_errors_that_cannot_be_known_are_left_out(method, players, budget):
    for seed in range(5):
        values, board = table(game("noise", players))(method, seed=seed, budget=budget)
        assert not {"standard_error", "standard_error_max"} & set(notes_of(board)[0])
        assert np.abs(values).max() < 100  # also where the coalitions leave a choice


def test_interactions_are_predicted():
    """Triples, which an additive model of pairs of complements does not see."""
    players = 10
    present = (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(float)
    triples = list(itertools.combinations(range(players), 3))
    strength = np.random.default_rng(0).normal(size=len(triples))
    worth = sum(
        amount * present[:, list(triple)].prod(axis=1) for amount, triple in zip(strength, triples, strict=True)
    )
    explain = table(worth)
    truth = [sum(a / 3 for a, t in zip(strength, triples, strict=True) if i in t) for i in range(players)]
    miss = {method: np.abs(explain(method, budget=512)[0] - truth).max() for method in METHODS}
    assert miss["shapley"] < 0.02 * miss["kernel-shap"]


def test_an_error_that_one_window_does_not_know_is_not_known_of_the_whole():
    windows = [{"score": 1.0, "standard_error": 0.1, "players": 9}, {"score": 2.0, "players": 9}]
    for parts in (windows, windows[::-1]):
        assert combined_quality(parts, [0.5, 0.5], divisor=1) == {"score": 3.0, "players": 9}
