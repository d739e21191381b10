"""Regions over a photo: what stands where, and what the text alternative says."""

import subprocess
import sys

import numpy as np
import pytest

from tests.renderers.noted import draw
from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Box, Explanation, Grid, Heatmap, Mask, Polygon, Prediction, Source
from xplain.explanation.notes import Notes
from xplain.formatters import notes
from xplain.renderers.canvas.colours import COLOURS
from xplain.renderers.canvas.typography import INK, dashes
from xplain.renderers.image.labels import LabelRequest, arrange_labels, place_labels
from xplain.renderers.image.marks import PLAIN, mark_regions

HEIGHT, WIDTH = 480, 640
GREY = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
BLUE, ORANGE = COLOURS[:2]


def scene(*predictions, photo=GREY, attributes=None, attributions=(), name=None, **size):
    if photo is not None:
        size = {"height": photo.shape[0], "width": photo.shape[1]}
    source = Source("image", name=name, content=photo, **size)
    return Explanation("object-detection", source, predictions, attributions, attributes=attributes or {})


def bare(explanation, **options):
    return draw(explanation, legend=False, **options).pixels


def is_colour(pixels, colour):
    return (pixels == np.array(colour)).all(axis=-1)


def box(x0, y0, x1, y1):
    return Box(x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT)


class TestOutlines:
    def test_a_box_is_drawn_on_its_edges_and_nothing_within(self):
        pixels = bare(scene(Prediction("cat", 0.9, region=box(100, 150, 300, 350))))
        for y, x in ((250, 100), (250, 300), (150, 250), (350, 200)):
            assert is_colour(pixels[y - 1 : y + 2, x - 1 : x + 2], BLUE).any()
        assert (pixels[160:340, 110:290] == 128).all()
        assert (pixels[360:, :] == 128).all()

    def test_pixels_and_fractions_are_the_same_box(self):
        fractions = bare(scene(Prediction("cat", 0.9, region=box(100, 150, 300, 350))))
        pixels = bare(scene(Prediction("cat", 0.9, region=Box(100, 150, 300, 350, "pixel"))))
        assert np.array_equal(fractions, pixels)

    def test_what_is_below_its_threshold_is_dashed(self):
        def edge(score):
            region = box(100, 150, 500, 350)
            pixels = bare(scene(Prediction("cat", score, region=region, threshold=0.5)))
            return is_colour(pixels[348:353, 110:490], BLUE).any(axis=0).mean()

        assert edge(0.5) == 1
        assert 0.3 < edge(0.499) < 0.8

    def test_a_polygon_closes_and_a_polyline_does_not(self):
        points = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8)]

        def back(**attributes):
            pixels = bare(scene(Prediction("cat", 0.9, region=Polygon(points), attributes=attributes)))
            return is_colour(pixels[230:250, 310:330], BLUE).any()

        assert back()
        assert not back(closed=False)

    def test_a_mask_is_veiled_and_outlined(self):
        inside = np.zeros((HEIGHT, WIDTH), bool)
        inside[200:300, 200:400] = True
        pixels = bare(scene(Prediction("cat", 0.9, region=Mask.from_array(inside))))
        assert (pixels[250, 300] == np.rint(128 * 0.65 + np.array(BLUE) * 0.35)).all()
        assert is_colour(pixels[200, 250:390], BLUE).all()
        assert (pixels[310:, :] == 128).all()

    def test_a_region_beyond_the_image_is_counted_and_not_drawn(self):
        picture = draw(scene(Prediction("cat", 0.9, region=Box(1.5, 0, 2, 1))), legend=False)
        assert (picture.pixels == 128).all()
        assert "1 outside the image" in picture.alt

    def test_of_very_many_regions_the_best_are_drawn(self):
        predictions = [Prediction("cat", i / 2000, region=Box(0, 0, i / 2000, 1)) for i in range(1200)]
        marks = mark_regions(predictions, Notes(), (HEIGHT, WIDTH))
        assert len(marks.marks) == 1000
        assert marks.more == 200
        assert marks.marks[0].rows[0].score == 1199 / 2000

    def test_masks_of_another_size_and_at_edges_cover_their_place(self):
        inside = np.zeros((12, 16), bool)
        inside[8:, 12:] = True
        pixels = bare(scene(Prediction("cat", 0.9, region=Mask.from_array(inside))))
        changed = (pixels != 128).any(axis=2)
        assert changed[325:, 485:].all()
        assert not changed[:280].any()
        assert not changed[:, :400].any()

    @pytest.mark.parametrize("edge", [1e308, -1e308, 1e18])
    def test_wild_coordinates_do_no_harm(self, edge):
        low, high = min(edge, 0.5), max(edge, 0.5)
        regions = [Box(low, low, high, high), Polygon([(low, 0.5), (high, high), (0.1, low)])]
        for region in regions:
            for unit in ("fraction", "pixel"):
                bare(scene(Prediction("cat", 0.9, region=type(region)(*_parts(region), unit))))


def _parts(region):
    return (region.x0, region.y0, region.x1, region.y1) if isinstance(region, Box) else (region.points,)


class TestLabels:
    def test_labels_do_not_cover_each_other_and_stay_in_the_picture(self):
        rng = np.random.default_rng(0)
        corners = rng.random((60, 2)) * 0.8
        predictions = [
            Prediction(f"label {i}", rng.random(), region=Box(x, y, x + 0.15, y + 0.15))
            for i, (x, y) in enumerate(corners)
        ]
        marks = mark_regions(predictions, Notes(), (1080, 1920))
        labels = arrange_labels(marks, 1920, 1080, None).labels
        assert len(labels) == 60
        taken = np.zeros((1080, 1920), int)
        for label in labels:
            x, y = int(label.place.x), int(label.place.y)
            assert x >= 0
            assert y >= 0
            assert x + label.width <= 1920
            assert y + label.height <= 1080
            taken[y : y + int(label.height), x : x + int(label.width)] += 1
        assert taken.max() == 1

    def test_labels_without_room_are_counted(self):
        predictions = [Prediction(f"label {i}", 0.5, region=Box(0, 0, 1, 1)) for i in range(300)]
        predictions = [Prediction(p.label, 0.5, region=Box(i / 1e4, 0, 1, 1)) for i, p in enumerate(predictions)]
        marks = mark_regions(predictions, Notes(), (HEIGHT, WIDTH))
        arrangement = arrange_labels(marks, WIDTH, HEIGHT, None)
        assert arrangement.missing > 0
        assert arrangement.missing + len(arrangement.labels) == 300
        assert (bare(scene(*predictions)) != 128).any()

    def test_the_bar_is_as_long_as_the_score_and_has_a_tick_at_the_threshold(self):
        def label(score, threshold):
            prediction = Prediction("mmmmmmmmmm", score, region=box(100, 200, 400, 400), threshold=threshold)
            marks = mark_regions([prediction], Notes(), (HEIGHT, WIDTH))
            (placed,) = arrange_labels(marks, WIDTH, HEIGHT, None).labels
            x, y = int(placed.place.x), int(placed.place.y)
            pixels = bare(scene(prediction))[y : y + int(placed.height), x : x + int(placed.width)]
            return is_colour(pixels, INK)

        bar = label(0.5, None)[-1]
        assert abs(bar.mean() - 0.5) < 0.05
        above = label(0.9, 0.25)[-4] & ~label(0.9, None)[-4]
        assert abs(np.flatnonzero(above).mean() / len(above) - 0.25) < 0.05

    def test_a_score_that_is_no_probability_has_no_bar(self):
        prediction = Prediction("anomaly", 7.5, region=box(100, 200, 400, 400), threshold=4)
        assert "bar" not in draw(scene(prediction)).alt
        assert "3.5 over the threshold" in draw(scene(prediction)).alt

    def test_alternatives_for_one_region_share_a_label_and_those_that_count_come_first(self):
        region = box(100, 200, 400, 400)
        predictions = [
            Prediction("sunglasses", 0.31, region=region, threshold=0.347, attributes={"region_id": 3}),
            Prediction("glasses", 0.2, region=region, threshold=0.139, attributes={"region_id": 3}),
            Prediction("face", 0.7, region=region, attributes={"region_id": 4}),
        ]
        marks = mark_regions(predictions, notes(scene(*predictions)), (HEIGHT, WIDTH))
        assert [[row.text for row in mark.rows] for mark in marks.marks] == [
            ["face 0.7"],
            ["glasses 0.2", "sunglasses 0.31"],
        ]
        assert not any(stroke.dashed for mark in marks.marks for stroke in mark.strokes)

    def test_a_long_label_is_shortened_and_whole_in_the_alternative(self):
        long = "an electric " * 30 + "scooter"
        picture = draw(scene(Prediction(long, 0.9, region=box(10, 10, 600, 400))), legend=False)
        assert picture.pixels.shape == GREY.shape
        assert long in picture.alt


class TestWhatIsReadAndMeasured:
    def test_characters_that_differ_from_the_asset_are_marked(self):
        tag = Prediction(
            "21PT1O19",
            0.75,
            region=box(100, 200, 200, 230),
            attributes={"feature": "assetTag", "assetRef": {"externalId": "21-PT-1019"}},
        )
        (mark,) = mark_regions([tag], notes(scene(tag)), (HEIGHT, WIDTH)).marks
        assert mark.rows[0].text == "21PT1O19 = 21-PT-1019 0.75"
        assert "".join(text for text, marked in mark.rows[0].runs if marked) == "O--0"

    def test_the_object_of_an_asset_is_outlined_and_tied_to_its_tag(self):
        tag = Prediction(
            "P-1",
            0.75,
            region=box(100, 100, 150, 120),
            attributes={
                "feature": "assetTag",
                "assetRef": {"id": 7},
                "objectRegion": {"boundingBox": {"xMin": 0.5, "yMin": 0.5, "xMax": 0.75, "yMax": 0.75}},
            },
        )
        pixels = bare(scene(tag))
        assert is_colour(pixels[300, 315:326], BLUE).any()
        assert is_colour(pixels[195:205, 230:300], BLUE).any()
        assert "P-1 = id 7" in draw(scene(tag)).alt

    def test_what_has_no_confidence_has_no_score(self):
        tag = Prediction("P-1", 1.0, region=box(1, 1, 9, 9), attributes={"unscored": True})
        assert "P-1 at the top left" in draw(scene(tag)).alt

    def test_a_needle_and_its_reading(self):
        points = {"start": (0.3, 0.7), "end": (0.7, 0.7), "needle": (0.5, 0.2), "center": (0.5, 0.5)}
        dial = Prediction(
            "dial",
            0.9,
            region=Box(0.2, 0.2, 0.8, 0.8),
            attributes={
                "feature": "dialGauge",
                "keypoints": {"keypoints": {n: {"point": {"x": x, "y": y}} for n, (x, y) in points.items()}},
                "scale": {"minLevel": 0, "maxLevel": 10},
            },
        )
        picture = draw(scene(dial), legend=False)
        assert is_colour(picture.pixels[170, 315:326], BLUE).any()  # on the needle
        assert "dial, reads 5 0.9 at the centre with the points start, end, needle, center" in picture.alt

    def test_attributes_of_another_form_are_not_drawn(self):
        odd = Prediction(
            "P-1",
            0.5,
            region=box(1, 1, 9, 9),
            attributes={"assetRef": 3, "keypoints": [1], "attributes": "x", "auto_thresholds": 5, "region_id": "a"},
        )
        attributes = {"edge-impulse": {"sample": {"boundingBoxes": [3, {"x": 1}]}, "centroids": [], "blocks": 1}}
        alt = draw(scene(odd, attributes=attributes)).alt
        assert alt.startswith("Regions of an image: 1 region: P-1 0.5 at the top left.")
        assert "mAP" not in alt  # no figure without a truth


CENTROIDS = {
    "truths": [
        {"x": 0.25, "y": 0.25, "label": 1, "matched": True, "name": "car"},
        {"x": 0.75, "y": 0.75, "label": 2, "matched": False},
    ],
    "predictions": [{"x": 0.35, "y": 0.25, "label": 1, "matched": True}],
    "links": [{"prediction": 0, "truth": 0, "distance": 0.1}],
}


class TestTruths:
    def test_centres_are_dots_and_links_are_lines(self):
        attributes = {
            "edge-impulse": {
                "classifications": {"0": {"objectDetectionLastLayer": "fomo"}},
                "centroids": CENTROIDS,
            }
        }
        car = Prediction("car", 0.9, region=Box(0.3, 0.2, 0.4, 0.3))
        picture = draw(scene(car, attributes=attributes), legend=False)
        assert is_colour(picture.pixels[120, 224], BLUE)
        assert not is_colour(picture.pixels[96:145, 190:194], BLUE).any()  # no box
        assert is_colour(picture.pixels[118:123, 192], PLAIN).any()  # the link
        assert is_colour(picture.pixels[120, 160], PLAIN)
        assert (picture.pixels[360, 480] == 128).all()  # hollow
        assert "2 truths" in picture.alt
        assert "truth: label 2 at the bottom right" in picture.alt

    def test_each_block_is_drawn_as_what_it_finds_centres_or_boxes(self):
        def marks(first, second):
            blocks = [{"objectDetectionLastLayer": layer} for layer in (first, second)]
            car = Prediction("car", 0.9, region=Box(0.3, 0.2, 0.4, 0.3))
            bus = Prediction("bus", 0.8, region=Box(0.6, 0.6, 0.9, 0.9), attributes={"block": 1})
            explanation = scene(car, bus, attributes={"edge-impulse": {"classifications": blocks}})
            return mark_regions([car, bus], notes(explanation), (HEIGHT, WIDTH)).marks

        def drawn(marks):
            return ["box" if mark.strokes else "dot" for mark in marks]

        assert drawn(marks("mobilenet-ssd", "fomo")) == ["box", "dot"]
        assert drawn(marks("fomo", "mobilenet-ssd")) == ["dot", "box"]
        assert drawn(marks("fomo", "fomo")) == ["dot", "dot"]

    def test_figures_of_the_agreement(self):
        figures = {"mAP": 0.4, "f1": 0.5, "precision": "x", "recall": True}
        attributes = {"edge-impulse": {"classifications": [{"structuredResult": [figures]}]}}
        assert draw(scene(attributes=attributes)).alt == "Regions of an image: no regions. mAP 0.4, F1 0.5."

    def test_true_boxes_are_white(self):
        boxes = [{"label": "bus", "x": 320, "y": 240, "width": 160, "height": 120}]
        picture = draw(scene(attributes={"edge-impulse": {"sample": {"boundingBoxes": boxes}}}), legend=False)
        assert is_colour(picture.pixels[300, 319:322], PLAIN).any()
        assert picture.alt == (
            "Regions of an image: no regions, 1 truth: truth: bus at the centre. mAP 0, F1 0, precision 0, recall 0."
        )


class TestWithEvidence:
    def heat(self):
        return Heatmap(np.hypot(*np.mgrid[-200:280, -200:440]) < 50)

    def test_the_map_of_a_detection_has_its_box(self):
        cat = Prediction("cat", 0.9, region=box(100, 150, 300, 350))
        dog = Prediction("dog", 0.8, region=box(400, 150, 600, 350))
        explanation = scene(cat, dog, attributions=(Attribution(cat, self.heat(), "d-rise"),))
        pixels = bare(explanation)
        assert is_colour(pixels[250, 99:102], BLUE).any()
        assert (pixels[250, 390:610] == 128).all()
        both = bare(explanation, kind="regions")
        assert (both[250, 390:610] != 128).any()
        assert (both[180:220, 180:220] == 128).all()
        target = bare(explanation, kind="regions", target="cat")
        assert np.array_equal(target, pixels)

    def test_a_target_picks_regions(self):
        explanation = scene(Prediction("cat", 0.9, region=box(1, 1, 9, 9)), Prediction("dog", 0.8))
        assert "cat" in draw(explanation, kind="regions", target="cat").alt
        assert "1 region" in draw(explanation, target=0).alt
        with refuses(UnknownNameError, "target", "'fox'"):
            draw(explanation, target="fox")
        with refuses(UnknownNameError, "target", "5"):
            draw(explanation, target=5)

    def test_cells_of_an_anomaly_are_outlined_from_the_threshold_on(self):
        grid = np.array([[1.0, 1, 1], [1, 5, 1], [1, 4, 1]])
        anomaly = Prediction("anomaly", 5, threshold=4)
        cells = [Prediction("anomaly", 5, region=Box(1 / 3, 1 / 3, 2 / 3, 2 / 3), threshold=4)]
        explanation = scene(anomaly, *cells, attributions=(Attribution(anomaly, Grid(grid)),))
        picture = draw(explanation, legend=False)
        assert "Outlined: 2 cells of 4 or more." in picture.alt
        for y, x in ((160, 320), (240, 214), (400, 214), (240, 425)):
            assert is_colour(picture.pixels[y - 3 : y + 4, x - 3 : x + 4], BLUE).any()
        assert not is_colour(picture.pixels[310:330, 320], BLUE).any()  # between two cells that reach it


class TestGround:
    def test_without_a_photo_the_ground_has_the_shape_of_the_image(self):
        prediction = Prediction("cat", 0.9, region=Box(0.1, 0.1, 0.5, 0.5))
        assert bare(scene(prediction, photo=None, height=300, width=500)).shape == (300, 500, 3)
        assert bare(scene(prediction, photo=None, height=10**9, width=2 * 10**9)).shape == (800, 1600, 3)
        assert bare(scene(prediction, photo=None)).shape == (640, 640, 3)
        pixel = Prediction("cat", 0.9, region=Box(10, 10, 400, 300, "pixel"))
        assert bare(scene(pixel, photo=None)).shape == (300, 400, 3)

    def test_an_empty_image_is_refused(self):
        with refuses(InputError, "image must have at least one pixel to be drawn, got 0x0"):
            draw(scene(photo=None, height=0, width=0))

    def test_a_detector_that_finds_nothing_is_drawn(self):
        assert draw(scene(name="a.png")).alt == "Regions of a.png: no regions."

    def test_a_small_photo_is_enlarged_for_its_labels(self):
        photo = np.full((100, 200, 3), 128, np.uint8)
        picture = draw(scene(Prediction("cat", 0.9, region=Box(0.1, 0.3, 0.5, 0.9)), photo=photo))
        assert picture.pixels.shape[1] == 600

    def test_a_region_as_large_as_the_image_has_its_label_in_a_corner(self):
        marks = mark_regions([Prediction("cat", 0.9, region=Box(0, 0, 1, 1))], Notes(), (HEIGHT, WIDTH))
        (label,) = arrange_labels(marks, WIDTH, HEIGHT, None).labels
        assert (label.place.x, label.place.y) == (0, 0)

    def test_the_whole_image_is_told_in_words(self):
        picture = draw(scene(Prediction("cat", 0.9, region=Box(0, 0, 1, 1)), Prediction("indoors", 0.7)))
        assert "Of the whole image: indoors 0.7." in picture.alt

    def test_other_kinds_still_need_evidence(self):
        with refuses(InputError, "subject must hold an attribution, got none"):
            draw(scene(Prediction("cat", 0.9, region=Box(0, 0, 1, 1))), kind="overlay")


def test_places_are_beside_what_is_named_or_away_or_none():
    requests = [LabelRequest(40, 20, (10, 30, 90, 90))] * 2 + [LabelRequest(200, 20, (0, 0, 9, 9))]
    above, beside, too_wide = place_labels(requests, 100, 100, 5)
    assert (above.x, above.y, above.away) == (10, 10, False)
    assert not beside.away
    assert too_wide is None
    upper_half = [(0, 0, 100, 50)]
    (away,) = place_labels([LabelRequest(40, 20, (10, 10, 20, 20))], 100, 100, 5, upper_half)
    assert away.away
    assert away.y >= 50


def test_dashes_cover_about_half_of_a_line_and_follow_its_corners():
    path = np.array([(0.0, 0.0), (100.0, 0.0), (100.0, 100.0)])
    cut = dashes(path, 2.0)
    lengths = [np.hypot(*np.diff(dash, axis=0).T).sum() for dash in cut]
    assert abs(sum(lengths) / 200 - 4 / 9) < 0.01
    assert any(len(dash) == 3 for dash in cut) or not any((dash == 100).all(axis=1).any() for dash in cut)
    assert len(dashes(path[:2] / 50, 2.0)) == 1


def test_drawing_regions_imports_neither_torch_nor_matplotlib():
    code = (
        "import sys, numpy as np; from xplain.explanation import *; from xplain.renderers import draw;"
        "p = Prediction('cat', 0.9, region=Box(0, 0, 1, 1));"
        "draw(Explanation('object-detection', Source('image'), [p]), np.zeros((60, 80, 3), np.uint8)).png();"
        "print(sorted({'torch', 'matplotlib', 'numba', 'skimage', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
