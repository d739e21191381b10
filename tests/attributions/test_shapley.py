import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attributions.board import Board, linear, notes_of, on_pixels
from tests.support import examples, refuses
from xplain.errors import InputError

shapley = on_pixels("shapley")


def strip(players):
    return np.ones((1, 1, players), np.float32), np.arange(players)[None]


def score(value):
    return lambda batch: np.array([[value(row[0, 0] > 0.5)] for row in batch])


def by_subsets(value, players):
    """Shapley values from the formula with factorials."""
    shares = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            for subset in itertools.combinations(others, size):
                present = np.zeros(players, bool)
                present[list(subset)] = True
                before = value(present)
                present[player] = True
                weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
                shares[player] += weight * (value(present) - before)
    return shares


def every(present):
    return float(present.all())


def parity(present):
    return float(present.sum() % 2)


@pytest.mark.parametrize("players", [2, 3, 5])
def test_and_is_shared_equally(players):
    image, mask = strip(players)
    assert shapley(Board(score(every), image), segments=mask)[0, 0] == pytest.approx(1 / players)


def test_xor_of_two_cancels_and_of_three_is_shared():
    image, mask = strip(2)
    assert shapley(Board(score(parity), image), segments=mask) == pytest.approx(np.zeros((1, 1, 2)))
    image, mask = strip(3)
    assert shapley(Board(score(parity), image), segments=mask) == pytest.approx(np.full((1, 1, 3), 1 / 3))


def test_max_is_shared_as_an_airport_s_runway():
    """Littlechild & Owen 1973: everybody pays an equal share of each stretch that they need."""
    cost = np.array([1.0, 3.0, 6.0])
    image, mask = strip(3)
    values = shapley(Board(score(lambda present: cost[present].max(initial=0.0)), image), segments=mask)
    assert values[0, 0] == pytest.approx([1 / 3, 1 / 3 + 2 / 2, 1 / 3 + 2 / 2 + 3 / 1])


@examples(25)
@given(players=st.integers(2, 6), seed=st.integers(0, 999))
def test_any_game_agrees_with_the_formula(players, seed):
    worth = np.random.default_rng(seed).normal(size=2**players)

    def value(present):
        return worth[present @ (1 << np.arange(players))]

    image, mask = strip(players)
    board = Board(score(value), image)
    values = shapley(board, segments=mask)
    assert values[0, 0] == pytest.approx(by_subsets(value, players), abs=1e-10)
    assert notes_of(board)[0]["exact"] is True
    assert board.each("standard_error_max") == 0
    assert board.calls == 2**players


def test_captum_gives_the_same():
    import torch
    from captum.attr import ShapleyValues

    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 4, 5)).astype(np.float32)
    mask = np.arange(20).reshape(4, 5) % 4
    weight = torch.from_numpy(rng.normal(size=(3, 2, 4, 5)))

    def model(batch):
        return torch.tanh(torch.einsum("tchw,nchw->nt", weight, batch.double()) / 3)

    x = torch.from_numpy(image)[None]
    theirs = ShapleyValues(model).attribute(x, target=1, feature_mask=torch.from_numpy(mask)[None, None])
    ours = shapley(Board(lambda batch: model(torch.from_numpy(batch)).numpy(), image), segments=mask)
    assert ours[1] == pytest.approx(theirs[0, 0].numpy(), abs=1e-6)


def test_a_linear_score_is_exact_in_any_order():
    image, mask = strip(30)
    weights = np.random.default_rng(0).normal(size=(2, 1, 1, 30))
    board = Board(linear(weights, bias=4.0), image)
    values = shapley(board, segments=mask, budget=300)
    assert values == pytest.approx(weights[:, 0], abs=1e-10)
    assert notes_of(board)[0]["exact"] is False
    assert board.each("standard_error_max") == pytest.approx(np.zeros(2), abs=1e-10)


def test_pairs_that_interact_are_exact_in_any_order_and_its_reverse():
    players = 20
    strength = np.random.default_rng(0).normal(size=(players, players))
    image, mask = strip(players)
    board = Board(score(lambda present: present @ strength @ present), image)
    values = shapley(board, segments=mask, budget=100)
    assert values[0, 0] == pytest.approx((strength.sum(axis=0) + strength.sum(axis=1)) / 2)


def test_sampling_converges_and_its_standard_error_is_right():
    players = 9
    worth = np.random.default_rng(1).normal(size=2**players)

    def value(present):
        return worth[present @ (1 << np.arange(players))] + 3 * present[:3].sum() ** 2

    image, mask = strip(players)
    truth = by_subsets(value, players)
    actual, claimed = [], []
    for budget in (100, 400):
        boards = [Board(score(value), image, seed=seed) for seed in range(40)]
        maps = [shapley(board, segments=mask, budget=budget)[0, 0] for board in boards]
        assert all(board.calls == budget for board in boards)
        assert [values.sum() for values in maps] == pytest.approx([truth.sum()] * 40)
        actual.append(np.sqrt(np.mean((np.array(maps) - truth) ** 2)))
        claimed.append(np.sqrt(np.mean([board.each("standard_error")[0] ** 2 for board in boards])))
    assert actual[1] < actual[0] / 2
    assert claimed == pytest.approx(actual, rel=0.2)


def test_runs_repeat_bit_for_bit():
    image, mask = strip(14)
    weights = np.random.default_rng(0).normal(size=(14, 3))

    def function(batch):
        return np.tanh(batch.reshape(len(batch), -1).astype(float) @ weights)

    def once(seed, size):
        return shapley(Board(function, image, seed=seed, batch_size=size), segments=mask, budget=300)

    assert (once(3, 1) == once(3, 7)).all()
    assert (once(3, 1) != once(4, 1)).any()


def test_refusals():
    image, mask = strip(12)
    board = Board(score(every), image)
    with refuses(InputError, "budget must be at least 48 for 12 regions, got 47", "lower n_segments"):
        shapley(board, segments=mask, budget=47)
    with refuses(InputError, "budget must be an integer >= 1, got 0"):
        shapley(board, segments=mask, budget=0)
