"""Notes: what documents say besides their values, in words of no vendor."""

import copy

import pytest

from tests.formatters import golden
from xplain.explanation import Box, Explanation, Polygon, Prediction, Record, Results, Source, Span
from xplain.explanation.notes import (
    Badge,
    Keypoint,
    Match,
    Measure,
    Notes,
    PredictionNotes,
    Ranking,
    Shares,
    Stretch,
    Table,
    Truth,
    merge,
)
from xplain.formatters import from_document, notes, to_document

FIGURES = ("mAP", "F1", "precision", "recall")


def document(format, name):
    return golden.read(golden.DATA / format / f"{name}.json")


def explanation_of(document):
    value = from_document(document)
    return value.items[0].explanation if isinstance(value, Results) else value


def said_of(**attributes):
    prediction = Prediction("thing", 0.5, region=Box(0, 0, 1, 1), attributes=attributes)
    return notes(Explanation("object-detection", Source("image"), [prediction])).of(prediction)


def with_blocks(*blocks):
    """The document of a detector with several learn blocks."""
    job = copy.deepcopy(document("edge-impulse", "detection"))
    job["result"][0]["classifications"] = copy.deepcopy(list(blocks))
    return job


SSD = document("edge-impulse", "detection")["result"][0]["classifications"][0]
FOMO = {**SSD, "objectDetectionLastLayer": "fomo"}


class TestEdgeImpulse:
    @pytest.mark.parametrize(
        ("blocks", "centres"), [((SSD, FOMO), [0, 0, 1, 1]), ((FOMO, SSD), [1, 1, 0, 0]), ((FOMO,), [1, 1])]
    )
    def test_each_block_tells_whether_it_finds_centres_only(self, blocks, centres):
        explanation = explanation_of(with_blocks(*blocks))
        said = notes(explanation)
        assert [said.of(prediction).only_centre for prediction in explanation.predictions] == [*map(bool, centres)]

    def test_figures_are_those_of_the_document_zeros_included(self):
        job = document("edge-impulse", "detection")
        structured = job["result"][0]["classifications"][0]["structuredResult"][0]
        structured |= dict.fromkeys(("mAP", "f1", "precision", "recall"), 0)
        del job["predictions"][0]["f1Score"]
        figures = tuple(Measure(name, 0) for name in FIGURES)
        assert notes(explanation_of(job)).agreement == (Table("", figures),)

    def test_figures_of_several_blocks_are_named(self):
        nameless = {**FOMO, "learnBlock": {**FOMO["learnBlock"], "name": "", "title": ""}}
        agreement = notes(explanation_of(with_blocks(SSD, nameless))).agreement
        assert [table.title for table in agreement] == [SSD["learnBlock"]["name"], "block 2"]
        assert [measure.name for measure in agreement[1].measures] == [*FIGURES]

    def test_a_document_written_from_detections_alone_says_nothing_of_the_truth(self):
        cat = Prediction("cat", 0.5, region=Box(0, 0, 0.5, 0.5))
        plain = Explanation("object-detection", Source("image", name="a.jpg"), [cat])
        written = to_document(plain, "edge-impulse", lossy=True)
        assert notes(explanation_of(written)) == Notes()

    def test_truths_are_in_pixels(self):
        said = notes(explanation_of(document("edge-impulse", "detection")))
        boxes = document("edge-impulse", "detection")["result"][0]["sample"]["boundingBoxes"]
        assert said.truths == tuple(
            Truth(b["label"], Box(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"], "pixel")) for b in boxes
        )

    def test_links_of_another_form_are_skipped(self):
        centroids = {"truths": [{"x": 0, "y": 0}], "predictions": [{"x": 1, "y": 1}]}
        centroids["links"] = [{"prediction": [1], "truth": 0}, {"prediction": 0, "truth": 0.0}, {}, 5]
        attributes = {"edge-impulse": {"centroids": centroids}}
        said = notes(Explanation("object-detection", Source("image"), attributes=attributes))
        assert (len(said.true_centroids), len(said.centroids), said.links) == (1, 1, ())

    def test_outcomes(self):
        said = said_of(expected="idle", correct=True, predicted="uncertain", anomaly=True)
        assert said == PredictionNotes(expected="idle", correct=True, predicted="uncertain", anomaly=True)
        assert said_of(expected=3, correct="yes", predicted=[], anomaly=1) == PredictionNotes()

    def test_figures_of_a_job(self):
        accuracy = {"accuracyScore": 66.66, "mseScore": 0.5, "totalSummary": {}}
        blocks = [{"learnBlockName": "Bottles", "additionalMetrics": [{"name": "IoU", "value": "0.9"}, {"name": 5}]}, 3]
        attributes = {"edge-impulse": {"accuracy": accuracy, "additionalMetricsByLearnBlock": blocks}}
        assert notes(Results("job", (), attributes=attributes)).tables == (
            Table("The job's own figures", (Measure("accuracy", 66.66, "%"), Measure("mse", 0.5))),
            Table("Bottles", (Measure("IoU", "0.9"),)),
        )

    def test_importances_are_ranked(self):
        record = from_document(document("edge-impulse", "importance"))
        rankings = notes(record).charts
        assert rankings
        assert all(isinstance(ranking, Ranking) for ranking in rankings)
        assert "labels" not in notes(record).remaining


class TestCognite:
    def test_a_tag_is_matched_to_its_asset(self):
        region = {"polygon": {"vertices": [{"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 1, "y": 1}]}}
        tag = Prediction("P-1", 1, attributes={"assetRef": {"externalId": "P1"}, "objectRegion": region})
        said = notes(Explanation("object-detection", Source("image"), [tag])).of(tag)
        stretches = (Stretch("same", "P", "P"), Stretch("extra", "-", ""), Stretch("same", "1", "1"))
        assert said.match == Match("P1", Polygon([(0, 0), (1, 0), (1, 1)]), stretches)
        assert said_of(assetRef={"id": 7}).match == Match("id 7")
        assert said_of(assetRef={"id": 7.5}).match is None

    def test_points_states_and_how_an_object_was_found(self):
        keypoints = {"keypoints": {"tip": {"point": {"x": 0.5, "y": 0.25}}, "odd": {"point": {"x": "0"}}}}
        states = {"open": {"value": False}, "digits": {"value": 12.25}, "doorKey": {"value": 4711}, "odd": 3}
        said = said_of(keypoints=keypoints, attributes=states, feature="assetTag", closed=False, unscored=True)
        assert said == PredictionNotes(
            keypoints=(Keypoint("tip", (0.5, 0.25)),),
            states=(Measure("open", "no"), Measure("digits", 12.25)),
            read_as="assetTag",
            open=True,
            unscored=True,
        )


class TestDeepomatic:
    def test_alternatives_share_an_output_and_a_region(self):
        assert said_of(region_id=3).alternatives == (0, 3)
        assert said_of(region_id=3, output=1).alternatives == (1, 3)

    @pytest.mark.parametrize("attributes", [{"region_id": 1, "output": []}, {"region_id": "1"}, {"output": 1}])
    def test_keys_of_another_form_say_nothing(self, attributes):
        assert said_of(**attributes) == PredictionNotes()


class TestReinfer:
    def test_an_entity_and_its_places(self):
        spans = [{"start": 2, "stop": 4, "part": "body"}, {"start": 4, "stop": 2}, {"start": "0", "stop": 1}, None]
        said = said_of(kind="date", formatted_value="2026", further_spans=spans, auto_thresholds=["balanced", 3])
        assert said == PredictionNotes(
            kind="date", value="2026", further_spans=(Span(2, 4, part="body"),), badges=("balanced",)
        )

    def test_qualities_are_badges_and_labels_have_warnings(self):
        validation = {"data_quality": "good", "odd_quality": 3, "num_labels": 10, "labels": [{"name": "a"}, 5]}
        validation |= {"num_amber_labels": 3, "num_red_labels": 2}
        said = notes(Record("reinfer", "validation", {"validation": validation, "status": "ok"}))
        assert said.charts == (
            Badge("data_quality", "good", 2),
            Badge("odd_quality", "none"),
            Shares("labels", 5, 3, 2),
        )
        assert said.remaining["status"] == "ok"
        assert said.remaining["validation"]["labels"] == ["a", "?"]

    def test_properties_of_a_text(self):
        extras = {"label_properties": [{"property_name": "tone", "value": -1}, {"value": 1}], "sentiment": {"total": 0}}
        explanation = Explanation("text-classification", Source("text"), attributes={"reinfer": extras})
        assert notes(explanation).properties == (Measure("tone", -1), Measure("sentiment", 0))


def test_nothing_is_said_of_values_without_extras():
    cat = Prediction("cat", 0.5)
    assert notes(Explanation("image-classification", Source("image"), [cat])) == Notes()
    assert notes(Results("job", ())) == Notes()
    assert notes(Record("modzy", "request", {"labels": {}})) == Notes()


def test_what_several_formats_say_is_joined():
    said = said_of(unscored=True, region_id=3, expected="cat", kind="when")
    assert said == PredictionNotes(unscored=True, alternatives=(0, 3), expected="cat", kind="when")
    cat = Prediction("cat", 0.5)
    both = merge([Notes({cat: PredictionNotes(kind="a")}), Notes({cat: PredictionNotes(kind="b", value="c")})])
    assert both.of(cat) == PredictionNotes(kind="a", value="c")
