import tracemalloc

import numpy as np
import pytest

from tests.attributions.board import Board, linear, on_pixels
from tests.support import refuses
from xplain.errors import InputError

rise = on_pixels("rise")


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(2, 8, 10)).astype(np.float32)


@pytest.fixture
def weights():
    return np.random.default_rng(1).normal(size=(2, 2, 8, 10))


class Recorder(Board):
    """Keeps every input that was scored."""

    def evaluate(self, make, count):
        self.inputs = make(0, count)
        return super().evaluate(make, count)


def test_is_the_paper_s_sum_over_masks(weights):
    """Petsiuk et al. 2018, equation 6, over the masks that an image of ones shows."""
    image = np.ones((2, 8, 10), np.float32)

    def curved(batch):
        return np.exp(linear(weights)(batch) / 9)

    board = Recorder(curved, image)
    maps = rise(board, n_samples=60, cells=3, p=0.4, centred=False)
    masks = board.inputs[:, 0].astype(np.float64)
    scores = curved(board.inputs)
    expected = sum(score[:, None, None] * mask for score, mask in zip(scores, masks, strict=True)) / (60 * 0.4)
    assert maps == pytest.approx(expected, abs=1e-5)
    board = Recorder(curved, image)
    maps = rise(board, n_samples=60, cells=3, p=0.4)
    scores = scores - scores.mean(axis=0)
    expected = np.einsum("nt,nhw->thw", scores, masks) / (60 * 0.4 * 0.6)
    assert maps == pytest.approx(expected, abs=1e-5)


def test_expectation_for_a_linear_score(image, weights):
    """Independent cells as small as pixels: E S = (1 - p) w x + p sum w x + b, and w x centred."""
    share = (weights * image).sum(axis=1)
    p, bias, options = 0.3, 2.0, {"cells": (8, 10), "shift": False, "p": 0.3, "n_samples": 4000}
    plain = Board(linear(weights, bias), image, batch_size=50)
    maps = rise(plain, centred=False, **options)
    expected = (1 - p) * share + p * share.sum(axis=(1, 2), keepdims=True) + bias
    assert np.abs(maps - expected).max() < 5 * plain.each("standard_error_max").max()
    centred = Board(linear(weights, bias), image, batch_size=50)
    maps = rise(centred, **options)
    assert np.abs(maps - share).max() < 5 * centred.each("standard_error_max").max()
    assert np.corrcoef(maps[0].ravel(), share[0].ravel())[0, 1] > 0.9


def test_standard_error_is_the_spread_over_seeds(image, weights):
    def curved(batch):
        return np.tanh(linear(weights)(batch) / 5)

    for centred in (True, False):
        boards = [Board(curved, image, seed=seed) for seed in range(40)]
        maps = np.array([rise(board, n_samples=100, cells=4, centred=centred) for board in boards])
        claimed = np.mean([board.each("standard_error") for board in boards], axis=0)
        assert claimed == pytest.approx(maps.std(axis=0, ddof=1).mean(axis=(1, 2)), rel=0.2)


def test_centring_needs_fewer_masks(image, weights):
    def error(centred):
        board = Board(linear(weights, bias=3.0), image)
        rise(board, n_samples=400, centred=centred, p=0.5)
        scale = 1.0 if centred else 0.5  # the paper's estimator has the share times 1 - p
        return board.each("standard_error") / scale

    assert (error(False) ** 2 > 1.5 * error(True) ** 2).all()


def test_batches_do_not_matter(image, weights):
    maps = [rise(Board(linear(weights), image, batch_size=size), n_samples=50) for size in (1, 7, 50)]
    assert maps[1] == pytest.approx(maps[0], abs=1e-12)
    assert maps[2] == pytest.approx(maps[0], abs=1e-12)


def test_runs_repeat_bit_for_bit(image, weights):
    first, second, other = (rise(Board(linear(weights), image, seed=seed), n_samples=50) for seed in (1, 1, 2))
    assert (first == second).all()
    assert (first != other).any()


def test_baseline_is_what_masks_hide_with(image, weights):
    def loud(batch):
        return batch.reshape(len(batch), -1).max(axis=1, keepdims=True).astype(float)

    board = Recorder(loud, np.zeros((1, 6, 6), np.float32))
    rise(board, n_samples=40, cells=2, baseline=5.0)
    assert board.inputs.min() >= 0
    assert board.inputs.max() == pytest.approx(5.0)


def test_channels_may_come_last():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    weights = np.random.default_rng(1).normal(size=(1, 9, 12, 3))
    last = rise(Board(linear(weights), pixels), n_samples=40)
    moved = pixels.transpose(2, 0, 1).astype(np.float32)
    first = rise(Board(linear(weights.transpose(0, 3, 1, 2)), moved), n_samples=40)
    assert last == pytest.approx(first, abs=0.03 * np.abs(first).max())  # faded pixels are rounded to whole numbers


def test_tolerance_stops_early_at_the_same_mask_for_any_batch(image, weights):
    results = {}
    for size in (1, 7, 400):
        board = Board(linear(weights), image, batch_size=size)
        results[size] = rise(board, n_samples=2000, tolerance=0.06)
        assert 500 < board.each("n_samples")[0] < 2000
        assert board.calls < board.each("n_samples")[0] + 1 + size
        assert (board.each("standard_error") < 0.06 * np.abs(results[size]).max(axis=(1, 2)) * 1.05).all()
    assert results[7] == pytest.approx(results[1], abs=1e-12)
    assert results[400] == pytest.approx(results[1], abs=1e-12)


def test_memory_does_not_grow_with_the_number_of_masks():
    image = np.ones((1, 96, 96), np.float32)

    def peak(count):
        board = Board(lambda batch: batch.mean(axis=(1, 2, 3), dtype=float)[:, None], image, batch_size=8)
        tracemalloc.start()
        rise(board, n_samples=count)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    few, many = peak(400), peak(1200)
    assert many < 1.1 * few
    assert many < 1200 * 96 * 96 * 4 / 5


def test_refusals(image, weights):
    board = Board(linear(weights), image)
    for p in (0, 1, 1.5, -0.1):
        with refuses(InputError, "p must be a probability above 0 and below 1", f"got {p}"):
            rise(board, p=p)
    with refuses(InputError, "n_samples must be an integer >= 40, got 39"):
        rise(board, n_samples=39)
    with refuses(InputError, "cells must be at most one for each pixel, (8, 10), got (9, 9)"):
        rise(board, cells=9)
    with refuses(InputError, "cells must be a number of cells or a pair"):
        rise(board, cells=(1, 2, 3))
    with refuses(InputError, "shift must be True or False, got 'no'"):
        rise(board, shift="no")
    with refuses(InputError, "centred must be True or False, got 0"):
        rise(board, centred=0)
    with refuses(InputError, "tolerance must be above 0 or None, got 0"):
        rise(board, tolerance=0)
