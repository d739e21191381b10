import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import refuses
from xplain import InputError, Preprocess
from xplain.models import Geometry

SIDES = st.integers(1, 60)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["shorter-side", "stretch", "letterbox"]))
def test_a_constant_map_stays_constant_where_the_model_looks(height, width, h, w, resize):
    _, geometry = Preprocess(size=(h, w), resize=resize)(np.zeros((height, width, 3), np.uint8))
    back = geometry.to_original(np.full((3, 5), 2.0))
    assert back.shape == (height, width)
    assert set(np.unique(back.round(5))) <= {0.0, 2.0}
    if resize != "shorter-side":
        assert (back.round(5) == 2).all()


def test_without_resizing_maps_and_labels_come_back_as_they_are():
    values = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    geometry = Geometry.identity(6, 9)
    assert np.array_equal(geometry.to_original(values), values)
    labels = np.arange(54).reshape(6, 9)
    assert np.array_equal(geometry.to_input(labels), labels)


@pytest.mark.parametrize(
    ("height", "width", "preprocess"),
    [
        (100, 200, Preprocess(size=50)),
        (200, 100, Preprocess(size=50, crop=0.8)),
        (90, 200, Preprocess(size=(40, 60), resize="stretch")),
        (120, 200, Preprocess(size=64, resize="letterbox")),
    ],
)
def test_a_blob_comes_back_to_where_it_was(height, width, preprocess):
    rows, columns = np.mgrid[:height, :width]
    at = height * 0.55, width * 0.52
    blob = np.exp(-((rows + 0.5 - at[0]) ** 2 + (columns + 0.5 - at[1]) ** 2) / 60)
    pixels = np.repeat((255 * blob)[:, :, None], 3, axis=2).astype(np.uint8)
    array, geometry = preprocess(pixels)
    evidence = np.maximum(array[0] - 0.5, 0)  # above the letterbox's grey
    back = geometry.to_original(evidence)
    weights = back / back.sum()
    centre = (weights * (rows + 0.5)).sum(), (weights * (columns + 0.5)).sum()
    assert np.allclose(centre, at, atol=0.3)


def test_outside_the_crop_there_is_no_evidence():
    _, geometry = Preprocess(size=10)(np.zeros((10, 30, 3), np.uint8))
    back = geometry.to_original(np.ones((10, 10)))
    assert back[:, 10:20].all()
    assert not back[:, :10].any()
    assert not back[:, 20:].any()


def test_a_crop_of_less_than_a_pixel_is_shown_on_that_pixel():
    _, geometry = Preprocess(size=4, crop=0.01)(np.zeros((3, 3, 3), np.uint8))
    assert np.argwhere(geometry.to_original(np.ones((4, 4)))).tolist() == [[1, 1]]


def test_labels_are_looked_up_under_each_input_pixel_and_padding_takes_the_nearest():
    labels = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    _, geometry = Preprocess(size=4, resize="letterbox")(np.zeros((2, 4, 3), np.uint8))
    assert geometry.to_input(labels).tolist() == [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6, 7, 8]]


def test_normalisation_and_channel_order():
    pixels = np.array([[[255, 0, 51]]], np.uint8)
    rgb = Preprocess(size=None, resize="none", mean=(0.5, 0.5, 0.2), std=(0.5, 0.25, 1))
    assert rgb(pixels)[0][:, 0, 0].tolist() == pytest.approx([1, -2, 0], abs=1e-6)
    bgr = Preprocess(size=None, resize="none", channels="BGR")
    assert bgr(pixels)[0][:, 0, 0].tolist() == pytest.approx([0.2, 0, 1])
    grey = Preprocess(size=None, resize="none", channels="L", mean=0.1)
    assert grey(np.full((1, 1, 3), 51, np.uint8))[0].tolist() == [[[pytest.approx(0.1)]]]


def test_letterbox_pads_with_the_fill():
    array, _ = Preprocess(size=4, resize="letterbox", fill=51)(np.full((2, 4, 3), 255, np.uint8))
    assert array[0, :, 0].tolist() == pytest.approx([0.2, 1, 1, 0.2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "Preprocess.size must be an integer >= 1, got 0"),
        ({"size": "big"}, "Preprocess.size must be an integer"),
        ({"size": (1, 2, 3)}, "Preprocess.size must be an integer or (height, width), got (1, 2, 3)"),
        ({"resize": "crop"}, "Preprocess.resize must be one of 'shorter-side'"),
        ({"size": None}, "Preprocess.size must be None exactly when resize is 'none'"),
        ({"mean": (0.5, 0.5)}, "Preprocess.mean must have 3 values for RGB, got 2"),
        ({"std": 0}, "Preprocess.std must be non-zero"),
        ({"crop": 1.5}, "Preprocess.crop must be above 0 and at most 1, got 1.5"),
        ({"fill": 256}, "Preprocess.fill must be between 0 and 255"),
        ({"channels": "CMYK"}, "Preprocess.channels must be one of"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with refuses(InputError, message):
        Preprocess(**arguments)
