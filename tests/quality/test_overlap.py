import numpy as np
import pytest

from tests.support import refuses
from xplain.errors import InputError
from xplain.explanation import Box, Mask
from xplain.quality import localisation

RNG = np.random.default_rng(0)


def test_planted_evidence_is_found_whole():
    planted = np.zeros((8, 9), bool)
    planted[2:5, 3:7] = True
    for region in (planted, Mask.from_array(planted), Box(3, 2, 7, 5, "pixel"), Box(3 / 9, 2 / 8, 7 / 9, 5 / 8)):
        result = localisation(planted * 2.0 - 0.5, region)
        assert (result.hit, result.energy, result.iou, result.threshold) == (1, 1, 1, 1.5)
        assert result.area == pytest.approx(12 / 72)
        missed = localisation(-(planted * 2.0), region)
        assert (missed.hit, missed.energy, missed.iou) == (0, None, pytest.approx(12 / 72))


def test_the_best_overlap_is_that_of_all_thresholds_tried_one_by_one():
    values, inside = RNG.integers(0, 6, (7, 9)).astype(float), RNG.random((7, 9)) < 0.4
    each = {level: (inside & (values >= level)).sum() / (inside | (values >= level)).sum() for level in range(6)}
    result = localisation(values, inside)
    assert result.iou == pytest.approx(max(each.values()))
    assert each[result.threshold] == pytest.approx(result.iou)


def test_of_several_highest_pixels_the_part_inside_counts():
    assert localisation([[1.0, 1.0, 1.0, 1.0]], Box(0, 0, 1, 1, "pixel")).hit == 0.25


def test_tolerance_is_a_distance_in_all_directions():
    inside = np.zeros((21, 23), bool)
    inside[8:12, 10] = True
    rows, columns = np.nonzero(inside)
    for y, x in np.ndindex(inside.shape):
        values = np.zeros(inside.shape)
        values[y, x] = 1
        distance = np.hypot(rows - y, columns - x).min()
        assert localisation(values, inside, tolerance=5).hit == (distance <= 5), (y, x)


def test_a_wrong_region_is_refused():
    values = np.ones((2, 3))
    with refuses(InputError, "region must be 2x3 as the map, got shape (3, 2)"):
        localisation(values, np.ones((3, 2), bool))
    with refuses(InputError, "region must be a Box, a Mask or an array of True and False"):
        localisation(values, np.ones((2, 3)))
    with refuses(InputError, "region must hold a pixel of the image, got none"):
        localisation(values, Box(5, 5, 6, 6, "pixel"))
    with refuses(InputError, "tolerance must be an integer >= 0, got -1"):
        localisation(values, Box(0, 0, 1, 1), tolerance=-1)
