"""Readings of gauges against geometry done by hand."""

import math

import pytest

from xplain.explanation import Box, Polygon, Prediction
from xplain.explanation.notes import Reading
from xplain.formatters.cognite.gauges import read_gauge


def gauge(feature, points, scale=None, region=None, **more):
    keypoints = {name: {"point": {"x": x, "y": y}} for name, (x, y) in points.items()}
    attributes = {"feature": feature, "keypoints": {"label": "gauge", "keypoints": keypoints, **more}}
    return Prediction("gauge", 0.5, region=region, attributes=attributes | ({"scale": scale} if scale else {}))


def at(degrees):
    """Place a point on a dial of radius 0.4, clockwise from the right."""
    return 0.5 + 0.4 * math.cos(math.radians(degrees)), 0.5 + 0.4 * math.sin(math.radians(degrees))


def dial(needle, start=135, end=45, **scale):
    return gauge("dialGauge", {"start": at(start), "end": at(end), "needle": at(needle)}, scale)


@pytest.mark.parametrize(("needle", "value"), [(135, 0), (180, 5), (270, 15), (0, 25), (45, 30)])
def test_a_dial_is_read_clockwise(needle, value):
    reading = read_gauge(dial(needle, minLevel=0, maxLevel=30))
    assert reading.value == pytest.approx(value, abs=1e-9)
    assert (reading.start, reading.sweep) == (pytest.approx(135), pytest.approx(270))
    assert reading.claimed is None
    assert reading.difference is None


def test_without_a_scale_the_value_is_the_fraction():
    reading = read_gauge(dial(270))
    assert reading.value == reading.fraction == pytest.approx(0.5)


@pytest.mark.parametrize(("needle", "value"), [(80, 30), (100, 0)])
def test_in_the_dead_angle_the_nearer_end_counts(needle, value):
    assert read_gauge(dial(needle, minLevel=0, maxLevel=30)).value == pytest.approx(value)


def test_the_dead_angle_stands_for_the_ends():
    points = {"needle": at(270)}
    assert read_gauge(gauge("dialGauge", points, {"deadAngle": 90})).start == 135
    assert read_gauge(gauge("dialGauge", points, {"deadAngle": 90})).sweep == 270
    assert read_gauge(gauge("dialGauge", points)) is None
    assert read_gauge(gauge("dialGauge", points, {"deadAngle": 360})) is None


@pytest.mark.parametrize(("needle", "value"), [(135, -1), (180, -0.5), (225, 0), (315, 3.5), (45, 7)])
def test_a_scale_that_is_not_linear_is_parted_at_zero(needle, value):
    # From -1 to 0 in the first 90 degrees, from 0 to 7 in the other 180.
    reading = read_gauge(dial(needle, minLevel=-1, maxLevel=7, nonLinAngle=90))
    assert reading.value == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("as_polygon", [False, True])
def test_the_region_says_how_wide_fractions_are(as_polygon):
    """In a wide image the same dial is narrow in fractions."""
    points = {"start": at(135), "end": at(45), "needle": at(180 + 60)}
    box = Box(0.5, 0, 0.75, 1)
    squeezed = {name: (0.5 + x / 4, y) for name, (x, y) in points.items()}
    region = Polygon([(0.5, 0), (0.75, 0), (0.75, 1), (0.5, 1)]) if as_polygon else box
    assert read_gauge(gauge("dialGauge", squeezed, region=region)).angle == pytest.approx(105)


def test_the_center_may_be_marked():
    points = {"center": (0.5, 0.75), "start": (0.25, 0.75), "end": (0.75, 0.75), "tip": (0.5, 0.5)}
    assert read_gauge(gauge("dialGauge", points)) == Reading(
        0.5, 0.5, None, 90.0, 180.0, 180.0, pointer=((0.5, 0.75), (0.5, 0.5))
    )


@pytest.mark.parametrize(("y", "value"), [(1.0, 2), (0.75, 4), (0.0, 10), (-0.5, 10), (1.5, 2)])
def test_a_level_is_where_it_falls_on_its_axis(y, value):
    points = {"bottom": (0.5, 1), "top": (0.5, 0), "value": (0.625, y)}
    assert read_gauge(gauge("levelGauge", points, {"minLevel": 2, "maxLevel": 10})).value == value


@pytest.mark.parametrize(
    ("attributes", "claimed"),
    [
        ({"pressure": 4.5}, 4.5),
        ({"Reading": 4.5, "other": 1}, 4.5),
        ({"one": 1, "other": 2}, None),
        ({}, None),
    ],
)
def test_the_claimed_reading_is_found(attributes, claimed):
    claims = {name: {"type": "numerical", "value": value} for name, value in attributes.items()}
    claims["fine"] = {"type": "boolean", "value": True}
    points = {"bottom": (0, 1), "top": (0, 0), "value": (0, 0.5)}
    reading = read_gauge(gauge("levelGauge", points, {"minLevel": 0, "maxLevel": 8}, attributes=claims))
    assert reading.claimed == claimed
    assert reading.difference == (None if claimed is None else 0.5)


def test_what_cannot_be_read_is_none():
    assert read_gauge(Prediction("valve", 1)) is None
    assert read_gauge(gauge("valve", {"needle": (0, 0)})) is None
    assert read_gauge(gauge("levelGauge", {"bottom": (0, 0)})) is None
    assert read_gauge(gauge("levelGauge", {"bottom": (0, 0), "top": (0, 0), "value": (0, 0)})) is None
    assert read_gauge(gauge("dialGauge", {"start": at(0), "end": at(0), "needle": at(9)})) is None
    assert read_gauge(gauge("dialGauge", {"start": at(0), "end": at(9), "needle": (0.5, 0.5)})) is None


@pytest.mark.parametrize("keypoints", [5, {"keypoints": [1]}, {"keypoints": {"tip": {"point": {"x": 0}}}}])
def test_without_points_of_the_right_form_nothing_is_read(keypoints):
    assert read_gauge(Prediction("gauge", 1, attributes={"feature": "dialGauge", "keypoints": keypoints})) is None


@pytest.mark.parametrize("scale", [5, {"minLevel": "0"}, {"minLevel": 0, "maxLevel": None}])
def test_with_a_malformed_scale_no_reading_is_made_up(scale):
    assert read_gauge(gauge("levelGauge", {"bottom": (0, 1), "top": (0, 0), "value": (0, 0.5)}, scale)) is None


@pytest.mark.parametrize("far", [1e308, 1e-170])
def test_what_cannot_be_computed_is_none(far):
    points = {"bottom": (0.0, far), "top": (0.0, -far), "value": (0.0, 0.0)}
    assert read_gauge(gauge("levelGauge", points)) is None


def test_the_pointer_goes_from_the_bottom_to_the_surface():
    points = {"bottom": (0.5, 1), "top": (0.5, 0), "level": (0.5, 0.25)}
    assert read_gauge(gauge("levelGauge", points)).pointer == ((0.5, 1.0), (0.5, 0.25))
