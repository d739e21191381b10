import numpy as np
import pytest

from tests.attributions.board import Board, linear
from xplain.attributions.methods.controls import random, sobel


def board(image, seed=0, targets=2):
    return Board(linear(np.ones((targets, *image.shape))), image, seed=seed)


def test_random_is_standard_noise_from_the_seed():
    image = np.zeros((3, 64, 80), np.float32)
    noise = random(board(image, seed=4))
    assert noise.shape == (2, 64, 80)
    assert noise.mean() == pytest.approx(0, abs=0.05)
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert (noise[0] != noise[1]).all()
    assert (noise == random(board(image, seed=4))).all()
    assert (noise != random(board(image, seed=5))).all()


def test_sobel_is_that_of_scikit_image():
    from skimage.filters import sobel as skimage_sobel

    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    ours = sobel(board(photo))
    assert ours.shape == (2, 20, 30)
    # scikit-image divides by the square root of 2, and mirrors without repeating the border
    assert ours[0][1:-1, 1:-1] * 2 / np.sqrt(2) == pytest.approx(skimage_sobel(photo.mean(axis=2))[1:-1, 1:-1])


def test_sobel_of_a_ramp_is_its_slope():
    ramp = np.broadcast_to(3 * np.arange(9, dtype=np.float32), (2, 7, 9)).copy()
    edges = sobel(board(ramp))
    assert edges[0][:, 1:-1] == pytest.approx(3.0)
    assert edges[0][:, 0] == pytest.approx(1.5)


def test_controls_cost_nothing():
    run = board(np.zeros((3, 8, 8), np.float32))
    random(run)
    sobel(run)
    assert run.calls == 1
