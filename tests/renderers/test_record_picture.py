"""Records as tables, without secrets."""

import numpy as np
import pytest

from tests.renderers.noted import draw
from xplain.explanation import Box, Explanation, Prediction, Record, Source
from xplain.explanation.notes import Breakdown, Measure
from xplain.explanation.secrets import is_secret, without_secrets
from xplain.formatters import notes
from xplain.renderers.canvas.colours import COLOURS

BLUE, ORANGE, GREEN, _, RED, *_ = COLOURS


def has(picture, colour):
    return (picture.pixels == np.array(colour)).all(axis=2).any()


class TestSecrets:
    @pytest.mark.parametrize(
        "name", ["submittedByKey", "signatureKey", "key", "API_KEY", "accessToken", "clientSecret", "db_password"]
    )
    def test_are_known_by_their_names(self, name):
        assert is_secret(name)
        assert without_secrets([{"a": {name: {"deep": 1}, "b": 2}}]) == [{"a": {"b": 2}}]

    def test_other_names_are_none(self):
        assert not any(map(is_secret, ["keyword", "keys", "tokens", "secretary", "name", ""]))

    def test_are_not_in_records(self):
        fields = {"name": "job", "submittedByKey": "hunter2", "inputs": [{"signatureKey": "hunter2", "name": "a"}]}
        shown = draw(Record("modzy", "request", fields))
        assert "hunter2" not in shown.alt
        assert np.array_equal(shown.pixels, draw(Record("modzy", "request", without_secrets(fields))).pixels)

    def test_are_not_in_regions(self):
        states = {"open": {"type": "boolean", "value": True}, "doorKey": {"type": "numerical", "value": 4711}}
        valve = Prediction("valve", 0.9, region=Box(0, 0, 1, 1), attributes={"attributes": states})
        alt = draw(Explanation("object-detection", Source("image"), [valve])).alt
        assert "open: yes" in alt
        assert "4711" not in alt


class TestTables:
    def test_names_become_words_and_values_are_whole_in_the_alternative(self):
        fields = {"numLabels": 3, "is_public": False, "none": None, "list": [1, 2.5, "x"], "outputs": [{"labels": []}]}
        assert draw(Record("modzy", "request", fields)).alt == (
            "modzy request: num labels: 3; is public: no; none: none; list: 1, 2.5, x; outputs 1 labels: none"
        )

    def test_rows_are_bounded_and_counted(self):
        picture = draw(Record("modzy", "request", {f"name {i}": i for i in range(5000)}))
        assert picture.pixels.shape[0] < 10_000
        assert len(picture.alt) < 5000
        deep = value = {}
        for _ in range(200):
            value["a"] = {}
            value = value["a"]
        draw(Record("modzy", "request", {"deep": deep, "wide": [{"x": [{"y": 1}]}] * 2000}))

    def test_objects_that_are_alike_become_a_table(self):
        rows = [{"id": i, "name": f"label {i}"} for i in range(30)]
        table = draw(Record("deepomatic", "specification", {"labels": rows}))
        single = draw(Record("deepomatic", "specification", {"labels": [{**row, "more": {}} for row in rows]}))
        assert table.pixels.shape[0] < 0.6 * single.pixels.shape[0]

    def test_long_values_are_broken_into_lines(self):
        long = draw(Record("modzy", "request", {"text": "word " * 100}))
        short = draw(Record("modzy", "request", {"text": "word"}))
        assert short.pixels.shape[0] < long.pixels.shape[0] < 300


class TestValidation:
    FIELDS = {  # noqa: RUF012
        "validation": {
            "num_labels": 10,
            "num_amber_labels": 3,
            "num_red_labels": 2,
            "dataset_quality": "good",
            "balance_quality": "poor",
            "coverage_quality": None,
            "labels": [{"name": "A > B", "parts": ["A", "B"]}],
        }
    }

    def test_badges_and_traffic_lights(self):
        picture = draw(Record("reinfer", "validation", self.FIELDS))
        assert has(picture, BLUE)
        assert has(picture, RED)
        rows = [(picture.pixels == np.array(colour)).all(axis=2).sum(axis=1).max() for colour in (GREEN, ORANGE)]
        assert abs(rows[0] / rows[1] - 5 / 3) < 0.05
        assert "balance quality: poor" in picture.alt

    def test_other_forms_are_tables(self):
        for odd in ({"validation": 3}, {"validation": {"num_labels": "x", "dataset_quality": 7}}, {}):
            draw(Record("reinfer", "validation", odd))


def test_contributions_add_up_to_their_total():
    contributions = {
        "label_contributions": [{"name": ["Order", "Late"], "value": -1.0}],
        "other_group_contributions": [{"name": "Channel", "value": 0.25}],
    }
    fields = {"label_properties": [{"name": "tone", "value": -1.0, "breakdown": contributions}]}
    record = Record("reinfer", "annotated-comment", fields)
    parts = (Measure("Order > Late", -1.0), Measure("Channel", 0.25), Measure("everything else", -0.25))
    assert notes(record).charts == (Breakdown(Measure("tone", -1.0), parts),)
    picture = draw(record)
    assert has(picture, (178, 24, 44))
    assert has(picture, (33, 102, 172))


def test_importance_of_features_is_drawn_on_one_scale():
    labels = {
        "walk": {"features": [{"axis": "z", "importance": 0.25}, {"axis": "x", "importance": 1.0}]},
        "run": {"features": [{"axis": "x", "importance": 0.5}]},
        "odd": 3,
    }
    picture = draw(Record("edge-impulse", "feature-importance", {"labels": labels}))
    bar_pixels = (picture.pixels == np.array((146, 154, 164))).all(axis=2).sum(axis=1)
    lengths = sorted({int(length) for length in bar_pixels if length > 20})
    assert len(lengths) == 3
    assert np.allclose(np.array(lengths) / lengths[-1], [0.25, 0.5, 1], atol=0.02)
