import numpy as np
import pytest

from tests.attributions.board import Board, linear
from xplain.attributions.methods.controls import centre, random, sobel
from xplain.models import Preprocess


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
    centre(run)
    assert run.calls == 1


def test_centre_is_a_gaussian_of_a_quarter_of_each_side():
    maps = centre(board(np.zeros((3, 41, 81), np.float32)))
    assert maps.shape == (2, 41, 81)
    rows, columns = np.mgrid[:41, :81]
    expected = np.exp(-(((rows - 20) / (41 / 4)) ** 2 + ((columns - 40) / (81 / 4)) ** 2) / 2)
    assert maps[0] == pytest.approx(expected, abs=1e-12)
    assert (maps[0] == maps[1]).all()


@pytest.mark.parametrize("resize", ["shorter-side", "letterbox", "stretch"])
def test_centre_is_the_middle_of_the_photo(resize):
    array, geometry = Preprocess(size=24, resize=resize)(np.zeros((40, 72, 3), np.uint8))
    run = Board(linear(np.ones((1, *array.shape))), array, geometry=geometry)
    values = geometry.to_original(centre(run)[0])
    rows, columns = np.mgrid[:40, :72]
    expected = np.exp(-(((rows - 19.5) / 10) ** 2 + ((columns - 35.5) / 18) ** 2) / 2)
    seen = values != 0
    assert values[seen] == pytest.approx(expected[seen], abs=0.03)
