import numpy as np
import pytest

import xplain
from tests.support import refuses
from xplain.attributions.kinds import segments
from xplain.attributions.kinds.segments import SEGMENTATIONS
from xplain.errors import InputError
from xplain.explanation import Source
from xplain.models import Geometry, Prepared, Preprocess


def segment(image, name, count, geometry=None):
    """The regions of an image: uint8 with its channels last, others first."""
    last = image.dtype == np.uint8
    size = image.shape[:2] if last else image.shape[1:]
    prepared = Prepared(Source("image"), image, geometry or Geometry.identity(*size))
    return segments.segment(prepared, -1 if last else 0, name, count)


@pytest.fixture
def photo():
    rows, columns = np.mgrid[:40, :60]
    picture = np.stack([rows * 6 % 256, columns * 4, (rows > 20) * 200], axis=-1).astype(np.uint8)
    picture[10:25, 20:45] = (250, 20, 20)
    return picture


@pytest.mark.parametrize("name", SEGMENTATIONS)
@pytest.mark.parametrize("axis", [0, -1])
def test_regions_are_numbered_from_zero_and_repeatable(photo, name, axis):
    image = photo if axis == -1 else (photo.transpose(2, 0, 1) / np.float32(100) - 1).astype(np.float32)
    labels = segment(image, name, 12)
    assert labels.shape == (40, 60)
    assert labels.dtype == np.int64
    assert (np.unique(labels) == np.arange(labels.max() + 1)).all()
    assert 2 <= labels.max() + 1 <= 60
    assert (segment(image, name, 12) == labels).all()


@pytest.mark.parametrize("name", ["slic", "quickshift", "felzenszwalb"])
def test_superpixels_follow_edges(photo, name):
    photo = photo.repeat(3, axis=0).repeat(3, axis=1)
    labels = segment(photo, name, 12)
    inside = np.zeros(labels.shape, bool)
    inside[30:75, 60:135] = True
    strays = sum(min((labels[inside] == label).sum(), (labels[~inside] == label).sum()) for label in np.unique(labels))
    assert strays < 0.1 * inside.sum()


def test_normalisation_and_channel_order_do_not_move_grey_superpixels(photo):
    grey = photo.mean(axis=2, keepdims=True).transpose(2, 0, 1).astype(np.float32)
    assert (segment(grey, "slic", 12) == segment(grey / 64 - 2, "slic", 12)).all()


def test_grid_is_nearly_square_rectangles():
    labels = segment(np.zeros((1, 30, 60), np.float32), "grid", 8)
    assert (labels == (np.arange(30) // 15)[:, None] * 4 + np.arange(60) // 15).all()


@pytest.mark.parametrize("name", ["slic", "felzenszwalb", "grid"])
@pytest.mark.parametrize("count", [2, 3, 5, 9, 16, 25, 50, 100])
def test_regions_are_as_many_as_asked_for_within_a_tenth(photo, name, count):
    noisy = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    for picture in (photo.repeat(2, axis=0).repeat(2, axis=1), noisy):
        labels = segment(picture, name, count)
        assert abs(labels.max() + 1 - count) <= count / 10
        assert (segment(picture, name, count) == labels).all()


def test_regions_stay_connected_where_small_ones_are_merged():
    from skimage.measure import label

    noisy = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    labels = segment(noisy, "slic", 9)
    assert label(labels, background=-1, connectivity=1).max() == 9


def test_the_smallest_regions_are_merged_with_the_neighbour_of_the_nearest_colour():
    labels = np.array([[0, 0, 0, 1, 2, 2, 2, 2, 3, 3]])
    picture = np.repeat(np.array([[0, 0, 0, 0.6, 1, 1, 1, 1, 0.9, 0.9]])[..., np.newaxis], 3, axis=2)
    assert segments._merged(labels, picture, 3).tolist() == [[0, 0, 0, 1, 1, 1, 1, 1, 2, 2]]
    assert segments._merged(labels, picture, 2).tolist() == [[0, 0, 0, 1, 1, 1, 1, 1, 1, 1]]


@pytest.mark.parametrize(("name", "size"), [("slic", 5), ("felzenszwalb", 5), ("grid", 5), ("grid", 6)])
def test_a_picture_too_small_for_them_gets_the_nearest_and_says_so(name, size):
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    model = xplain.ImageClassifier(lambda images: images.mean(axis=(1, 2)))
    explanation = xplain.explain(model, picture, "feature-ablation", segments=name, n_segments=50)
    quality = explanation.attributions[0].quality
    assert quality["players"] == len(np.unique(segment(picture, name, 50))) <= size * size
    assert f"{quality['players']} regions, the nearest to 50 that {name} makes of this image" in quality["notes"]
    enough = xplain.explain(model, picture, "feature-ablation", segments="grid", n_segments=9)
    assert "notes" not in enough.attributions[0].quality


def test_feature_mask_is_in_original_pixels():
    pixels = np.zeros((20, 40, 3), np.uint8)
    array, geometry = Preprocess(size=10, resize="shorter-side")(pixels)
    mask = np.repeat(np.array([[1, 1, -7, -7, 2**40, 2**40, 3, 3]]), 20, axis=0).repeat(5, axis=1)
    labels = segment(array, mask, 2, geometry)
    assert (labels == (np.arange(10) >= 5)[None]).all()  # the crop sees -7 and 2**40 only


def test_refusals(photo):
    with refuses(InputError, "segments must be one of 'slic', 'quickshift', 'felzenszwalb', 'grid', got 'slicc'"):
        segment(photo, "slicc", 5)
    with refuses(InputError, "integers (40, 60), got shape (60, 40)", "original image"):
        segment(photo, np.zeros((60, 40), int), 5)
    with refuses(InputError, "segments must be", "integers (40, 60)"):
        segment(photo, np.zeros((40, 60)), 5)
    with refuses(InputError, "segments must be", "integers (40, 60)"):
        segment(photo, [[1, 2], [3]], 5)
    with refuses(InputError, "at least 2 regions, got 1", "number the pixels"):
        segment(photo, np.zeros((40, 60), int), 5)
    with refuses(InputError, "at least 2 regions, got 1", "segments='grid'"):
        segment(np.zeros((3, 20, 20), np.float32), "felzenszwalb", 5)
    with refuses(InputError, "n_segments must be an integer >= 2, got 1"):
        segment(photo, "grid", 1)
