"""Edge Impulse's documents: what is read from them, and what is written."""

import contextlib
import copy
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.formatters import golden, ours
from tests.support import refuses
from xplain.errors import DocumentError, FidelityError, InputError, XplainError
from xplain.explanation import Attribution, Box, Explanation, Grid, Item, Prediction, Record, Results, Source, Window
from xplain.explanation.outcomes import outcomes
from xplain.formatters import dumps, from_document, notes, read_items, sniff, to_document, validate

FORMAT = "edge-impulse"


def outcomes_of(explanation):
    return outcomes(explanation, notes(explanation))


def load(name):
    return golden.read(golden.DATA / FORMAT / f"{name}.json")


def item(name, index=0):
    return from_document(load(name)).items[index]


def extras(explanation):
    return explanation.attributes[FORMAT]


def changed(name, keys, value):
    """Return a golden document in which one field is another value, or is gone."""
    document = load(name)
    if value is None:
        del golden.at(document, keys[:-1])[keys[-1]]
    else:
        golden.at(document, keys[:-1])[keys[-1]] = value
    return document


BLOCK = ("result", 0, "classifications", 0)


# Jobs and pages.


@pytest.mark.parametrize("path", golden.of(FORMAT), ids=golden.identify)
def test_a_document_comes_back_as_it_was(path):
    level = "seed" if path.stem == "page" else "current"
    assert to_document(from_document(golden.read(path)), FORMAT, level=level) == golden.read(path)


def test_windows_are_joined_with_the_scores_of_every_block():
    wave = item("job").explanation
    assert wave.task == "signal-classification"
    assert wave.source.sample_rate_hz == 62.5
    assert wave.source.sha256 == load("job")["result"][0]["sample"]["sha256Hash"]
    first = [p for p in wave.predictions if p.region == Window(0, 2000)]
    assert [(p.name, p.score, p.threshold) for p in first] == [
        ("idle", 0.0625, 0.6),
        ("wave", 0.9375, 0.6),
        ("anomaly", -0.25, 0.3),
    ]
    assert [p.attributes for p in first] == [{}, {"expected": "wave", "correct": True}, {"block": 1}]
    assert len(wave.predictions) == 9


def test_windows_are_joined_by_sample_in_whatever_order_they_are_listed():
    first, second = from_document(load("page")).items
    assert [p.region for p in first.explanation.predictions] == [Window(0, 1000)] * 2 + [Window(500, 1500)] * 2
    assert [p.region for p in second.explanation.predictions] == [Window(0, 1000)] * 2


def test_the_outcome_of_a_window_may_be_uncertain():
    decisions = outcomes_of(item("job").explanation)
    assert [(o.predicted, o.expected, o.correct) for o in decisions] == [
        ("wave", "wave", True),
        ("uncertain", "wave", False),
        ("idle", "idle", True),
    ]


def test_a_decision_that_does_not_follow_from_the_scores_is_kept():
    broken = load("job")
    broken["predictions"][1] |= {"prediction": "wave", "predictionCorrect": True}
    broken["accuracy"] = to_document(from_document(load("page")), FORMAT).get("accuracy") or {
        "totalSummary": {"good": 3, "bad": 1},
        "summaryPerClass": {"idle": {"good": 1, "bad": 0}, "wave": {"good": 2, "bad": 1}},
        "confusionMatrixValues": {"idle": {"idle": 1}, "wave": {"wave": 2, "idle": 1}},
        "allLabels": ["idle", "wave"],
    }
    value = from_document(broken)
    predictions = value.items[0].explanation.predictions
    (best,) = [p for p in predictions if p.region == Window(1000, 3000) and "correct" in p.attributes]
    assert best.attributes == {"expected": "wave", "correct": True, "predicted": "wave"}
    assert to_document(value, FORMAT) == broken


def test_a_name_that_comes_again_gets_the_number_of_the_sample():
    assert [i.name for i in from_document(load("page")).items] == ["noise.cbor", "noise.cbor (12)"]
    assert [i.explanation.source.name for i in from_document(load("page")).items] == ["noise.cbor"] * 2


def test_a_page_may_be_of_more():
    value = from_document({**load("page"), "totalCount": 5})
    assert (value.total, value.finished) == (5, False)
    assert to_document(value, FORMAT)["totalCount"] == 5
    (problem,) = validate({**load("page"), "totalCount": 1})
    assert str(problem) == "$.totalCount: must be at least 2, the number of results, got 1"


def test_predictions_may_be_without_results():
    features = {**load("page"), "result": []}
    value = from_document(features)
    assert value.items == ()
    assert to_document(value, FORMAT, level="seed") == features


def test_items_are_read_one_at_a_time():
    for name in ("job", "page", "visual-anomaly"):
        text = dumps(load(name)).encode()
        assert tuple(read_items(lambda text=text: io.BytesIO(text))) == from_document(load(name)).items


def test_an_error_is_a_failed_job():
    value = from_document(load("error"))
    assert value == Results("", (), error="No model testing results found, run 'startClassifyJob' first")
    assert from_document({"success": False, "error": None}).error == "no reason given"
    assert to_document(from_document({"success": False}), FORMAT) == {"success": False}
    assert from_document({"success": False, "error": "x", "id": 2}).attributes == {FORMAT: {"id": 2}}


def test_the_result_of_one_sample_has_windows_of_its_own():
    value = from_document(load("sample"))
    assert {p.region for p in value.predictions} == {Window(0, 64), Window(32, 96)}
    assert [o.correct for o in outcomes_of(value)] == [True, False]
    assert value.source.content.shape == (3, 6)
    assert value.source.content[:, 5].tolist() == [5, -5, 9.5]


def test_importance_of_features_is_a_record():
    value = from_document(load("importance"))
    assert isinstance(value, Record)
    assert (value.format, value.kind) == (FORMAT, "feature-importance")
    assert value.fields["labels"]["idle"]["features"] == [{"axis": "accX RMS", "importance": 0.5}]


def test_a_regression_has_a_value_and_no_threshold():
    (prediction,) = item("regression").explanation.predictions
    assert (prediction.name, prediction.score, prediction.threshold) == ("value", 12.25, None)
    assert prediction.attributes == {"expected": "12.5", "correct": True, "predicted": "12.25"}


def test_a_threshold_of_zero_is_none_but_for_distances():
    zero = changed("job", (*BLOCK, "minimumConfidenceRating"), 0)
    zero["result"][0]["classifications"][1]["minimumConfidenceRating"] = 0
    value = from_document(zero)
    assert {p.name: p.threshold for p in value.items[0].explanation.predictions} == {
        "wave": None,
        "idle": None,
        "anomaly": 0.0,
    }
    assert to_document(value, FORMAT) == zero


def test_windows_without_scores_survive():
    empty = changed("job", (*BLOCK, "result", 1), {})
    value = from_document(empty)
    assert to_document(value, FORMAT) == empty


# Labels with their ends included.


@pytest.mark.parametrize(("last", "truths"), [(0, ["wave", "idle"]), (1, ["wave", "wave"])])
def test_the_end_of_an_expected_label_is_included(last, truths):
    document = load("sample")
    document["classifications"][0]["expectedLabels"] = [
        {"startIndex": 0, "endIndex": last, "label": "wave"},
        {"startIndex": 1, "endIndex": 1, "label": "idle"},
    ]
    assert [o.expected for o in outcomes_of(from_document(document))] == truths


def test_expected_labels_are_written_as_runs():
    truths = ["wave", "wave", None, "wave", "idle"]
    predictions = [
        Prediction("wave", 0.75, region=Window(i, i + 1), attributes={} if truth is None else {"expected": truth})
        for i, truth in enumerate(truths)
    ]
    written = to_document(Explanation("signal-classification", Source("signal"), predictions), FORMAT)
    assert written["result"][0]["classifications"][0]["expectedLabels"] == [
        {"startIndex": 0, "endIndex": 1, "label": "wave"},
        {"startIndex": 3, "endIndex": 3, "label": "wave"},
        {"startIndex": 4, "endIndex": 4, "label": "idle"},
    ]


def test_structured_labels_are_kept_in_readings():
    labels = extras(item("job").explanation)["sample"]["structuredLabels"]
    assert [(label["startIndex"], label["endIndex"]) for label in labels] == [(0, 187), (188, 249)]


# Images.


def test_detections_are_boxes_of_their_corner_and_sides():
    explanation = item("detection").explanation
    assert explanation.task == "object-detection"
    assert (explanation.source.height, explanation.source.width) == (240, 320)
    assert [(p.name, p.score, p.threshold) for p in explanation.predictions] == [("beer", 0.9, 0.5), ("can", 0.55, 0.5)]
    assert explanation.predictions[1].region == Box(0.5, 0.25, 0.75, 0.65, "fraction")
    box = {"label": "beer", "x": 32, "y": 24, "width": 64, "height": 120}
    assert extras(explanation)["sample"]["boundingBoxes"][0] == box
    assert extras(explanation)["classifications"]["0"]["details"][0]["boxes"][0] == [0.1, 0.1, 0.6, 0.3]


@pytest.mark.parametrize(
    ("rows", "unit"), [([[0, 0, 1, 1]], "fraction"), ([[0, 0, 1, 1], [0, 0, 1.5, 1]], "pixel"), ([], None)]
)
def test_a_number_above_one_means_pixels(rows, unit):
    document = load("detection")
    structured = golden.at(document, (*BLOCK, "structuredResult", 0))
    structured |= {"boxes": rows, "labels": ["can"] * len(rows), "scores": [0.5] * len(rows)}
    value = from_document(document)
    assert {p.region.unit for p in value.items[0].explanation.predictions} == ({unit} if unit else set())
    assert to_document(value, FORMAT) == document


def test_detections_may_have_no_labels():
    document = changed("detection", (*BLOCK, "structuredResult", 0, "labels"), None)
    value = from_document(document)
    assert [p.name for p in value.items[0].explanation.predictions] == ["object"] * 2
    assert to_document(value, FORMAT) == document


def test_centroids_say_which_detection_found_which_truth():
    attributes = extras(item("fomo").explanation)
    assert attributes["classifications"]["0"]["objectDetectionLastLayer"] == "fomo"
    centroids = attributes["centroids"]
    assert centroids["links"] == [{"prediction": 0, "truth": 0, "distance": 0.0625}]
    assert [(point["name"], point["matched"]) for point in centroids["truths"]] == [
        ("bolt", True),
        ("nut", False),
        ("bolt", False),
    ]
    assert centroids["predictions"][1] == {"x": 0.1875, "y": 0.6875, "label": 2, "matched": False, "name": "nut"}


def test_centroids_may_be_missing_where_there_are_none():
    document = load("fomo")
    structured = golden.at(document, (*BLOCK, "structuredResult", 0))
    nothing = {"assignments": [], "unassigned_y_true_idxs": [], "unassigned_y_pred_idxs": []}
    structured |= {"boxes": [], "labels": [], "scores": [], "precision": 1, "recall": 1, "f1": 1}
    structured["debugInfoJson"] = json.dumps(nothing)
    document["predictions"][0]["f1Score"] = 1
    document["accuracy"]["accuracyScore"] = 100
    value = from_document(document)
    assert extras(value.items[0].explanation)["centroids"] == {"truths": [], "predictions": [], "links": []}
    assert to_document(value, FORMAT) == document


def test_a_grid_explains_the_anomaly_score():
    explanation = item("visual-anomaly").explanation
    assert explanation.task == "image-classification"
    (attribution,) = explanation.attributions
    assert attribution.target == explanation.predictions[0]
    assert attribution.evidence == Grid([[0.5, 1.25, 0.75], [1.5, 5.5, 4.25], [0.25, 1.0, 0.875]])
    assert explanation.predictions[0] == Prediction(
        "anomaly", 5.5, threshold=4.0, attributes={"expected": "anomaly", "correct": True}
    )
    assert [p.region for p in explanation.predictions[1:]] == [
        Box(0.3333, 0.3333, 0.3333 + 0.3333, 0.3333 + 0.3333),
        Box(0.6667, 0.3333, 0.6667 + 0.3333, 0.3333 + 0.3333),
    ]
    (passed,) = outcomes_of(item("visual-anomaly", 1).explanation)
    assert (passed.predicted, passed.correct) == ("no anomaly", True)


def test_scores_finer_than_float32_survive():
    document = load("visual-anomaly")
    fine = [[0.123456789012, 1.5], [0.1, 1.25]]
    golden.at(document, ("result", 1, "classifications", 0, "anomalyResult", 0))["scores"] = fine
    del golden.at(document, ("result", 1, "classifications", 0, "anomalyResult", 0))["meanScore"]
    value = from_document(document)
    assert value.items[1].explanation.attributions[0].evidence == Grid(fine)
    assert to_document(value, FORMAT) == document


# Devices.


def test_a_device_gives_scores_and_an_anomaly_score():
    value = from_document(load("runner-classification"))
    assert value.task == "signal-classification"
    assert value.predictions == (
        Prediction("wave", 0.9),
        Prediction("idle", 0.1),
        Prediction("anomaly", -0.4, attributes={"anomaly": True}),
    )


def test_a_device_gives_boxes_in_pixels_of_what_the_model_got():
    value = from_document(load("runner-detection"))
    assert value.task == "object-detection"
    assert value.predictions[0] == Prediction("bolt", 0.9375, region=Box(8, 16, 24, 24, "pixel"))


def test_cells_may_be_nested_or_not():
    nested = load("runner-anomaly")
    value = from_document(nested)
    assert value.predictions[1] == Prediction(
        "anomaly", 7.5, region=Box(24, 40, 32, 48, "pixel"), attributes={"anomaly": True}
    )
    flat = {**nested, "result": nested["result"]["visual_anomaly"]}
    for cell in flat["result"]["visual_anomaly_grid"]:
        cell["label"] = "anomaly"
    assert from_document(flat).predictions == value.predictions
    assert to_document(from_document(flat), FORMAT) == flat
    twice = {**nested, "result": {"anomaly": 1, "visual_anomaly": {"anomaly": 2}}}
    (problem,) = validate(twice)
    assert str(problem) == "$.result.anomaly: must be given once, got it under visual_anomaly too"


# Writing explanations of our own.


@pytest.mark.parametrize("name", ["gesture", "street", "anomaly", "photo"])
def test_our_explanations_are_pages_of_one_sample(name):
    full = ours.values(FORMAT)[name]
    grids = [attribution for attribution in full.attributions if isinstance(attribution.evidence, Grid)]
    explanation = Explanation(full.task, full.source, full.predictions, grids)
    written = to_document(explanation, FORMAT)
    sample = written["result"][0]["sample"]
    assert sample["filename"] == explanation.source.name
    assert sample["sha256Hash"] == (explanation.source.sha256 or "")
    assert sample["frequency"] == (explanation.source.sample_rate_hz or 0)
    assert sample["created"] == "1970-01-01T00:00:00.000Z"
    (item_read,) = from_document(written).items
    size = (explanation.source.height, explanation.source.width)
    regions = [
        p.region.to("fraction", size) if isinstance(p.region, Box) else p.region for p in explanation.predictions
    ]
    assert [(p.name, p.score, p.region, p.threshold) for p in item_read.explanation.predictions] == [
        (p.name, p.score, region, p.threshold) for p, region in zip(explanation.predictions, regions, strict=True)
    ]
    assert not {"accuracy", "availableVariants"} & written.keys()
    assert [a.evidence for a in item_read.explanation.attributions] == [a.evidence for a in explanation.attributions]


def test_what_is_written_for_a_grid():
    target = Prediction("anomaly", 2.5, threshold=2.0)
    explanation = Explanation(
        "image-classification", Source("image"), [target], [Attribution(target, Grid([[0.1, 2.5], [1.0, 0.25]]))]
    )
    written = to_document(explanation, FORMAT)
    block = written["result"][0]["classifications"][0]
    assert block["learnBlock"]["type"] == "keras-visual-anomaly"
    assert block["anomalyResult"][0]["scores"] == [[0.1, 2.5], [1.0, 0.25]]
    assert block["anomalyResult"][0]["maxScore"] == 2.5
    assert written["predictions"][0]["anomalyScores"] == [[0.1, 2.5], [1.0, 0.25]]
    assert written["predictions"][0]["prediction"] == "anomaly"


def test_a_sample_without_a_name_gets_one():
    (item_read,) = from_document(to_document(Explanation("image-classification", Source("image")), FORMAT)).items
    assert (item_read.name, item_read.explanation.source.name) == ("sample", "sample")
    unnamed = changed("sample", ("sample", "sample", "filename"), "")
    assert to_document(from_document(unnamed), FORMAT) == unnamed


def test_what_was_changed_since_it_was_read_is_written_as_it_is_now():
    value = from_document(load("job"))
    first = value.items[0].explanation
    shortened = replace(first, predictions=first.predictions[:2])
    written = to_document(replace(value, items=(replace(value.items[0], explanation=shortened),)), FORMAT, lossy=True)
    assert written["accuracy"]["totalSummary"] == {"good": 1, "bad": 0}
    (sample,) = written["result"]
    assert [block["result"] for block in sample["classifications"]] == [[{"idle": 0.0625, "wave": 0.9375}]]
    assert sample["classifications"][0]["expectedLabels"] == [{"startIndex": 0, "endIndex": 0, "label": "wave"}]
    assert sample["sample"]["deviceType"] == "DAQ"
    edited = [
        replace(p, attributes={**p.attributes, "correct": False} if p.attributes else {}) for p in shortened.predictions
    ]
    rewritten = to_document(replace(shortened, predictions=tuple(edited)), FORMAT, lossy=True)
    assert rewritten["predictions"][0]["predictionCorrect"] is True


def test_a_patch_is_dropped_if_it_no_longer_goes_with_the_values():
    value = from_document(load("visual-anomaly"))
    first = value.items[0].explanation
    (old,) = first.attributions
    other = replace(first, attributions=(Attribution(old.target, Grid([[9.0]])),))
    (written,) = to_document(other, FORMAT, lossy=True)["result"]
    assert written["classifications"][0]["anomalyResult"][0]["meanScore"] == 9
    assert written["sample"]["deviceType"] == ""


def test_the_name_of_an_item_goes_before_that_of_its_source():
    explanation = Explanation("image-classification", Source("image", name="source.png"), [Prediction("a", 0.5)])
    written = to_document(Results("", [Item("item.png", "successful", explanation=explanation)]), FORMAT)
    assert written["result"][0]["sample"]["filename"] == "item.png"


def test_only_what_later_releases_require_depends_on_the_level():
    gesture = ours.gesture()
    explanation = Explanation(gesture.task, gesture.source, gesture.predictions)
    seed, current = (to_document(explanation, FORMAT, level=level) for level in ("seed", "current"))
    assert from_document(seed) == from_document(current)
    added = {"thresholds", "intervalMs", "frequencyHz", "resultCount"}
    blocks = [document["result"][0]["classifications"][0] for document in (seed, current)]
    assert blocks[1].keys() - blocks[0].keys() == added
    assert (blocks[1]["intervalMs"], blocks[1]["frequencyHz"], blocks[1]["resultCount"]) == (500, 2, 2)
    samples = [document["result"][0]["sample"] for document in (seed, current)]
    assert samples[1].keys() - samples[0].keys() == {"datastreams"}
    with refuses(InputError, "level must be one of 'seed', 'current', got 'old'"):
        to_document(explanation, FORMAT, level="old")


def test_an_older_document_is_written_for_later_releases():
    written = to_document(from_document(load("page")), FORMAT)
    assert written["totalCount"] == 2
    assert written["result"][0]["classifications"][0]["thresholds"] == []
    assert [s["index"] for s in written["result"][0]["sample"]["sensors"]] == [0, 1, 2]
    (stream,) = written["result"][0]["sample"]["datastreams"]
    assert (stream["frequencyHz"], stream["totalLengthMs"]) == (62.5, 4000)


@pytest.mark.parametrize(("x", "width"), [(0.2, 0.1), (0.7, 0.1), (1e-9, 0.3333), (100, 0.1), (0.1, 0.0)])
def test_sides_come_back_as_short_as_they_were(x, width):
    box = [x, 0.5, width, 0.25]
    document = changed("detection", (*BLOCK, "structuredResult", 0, "boxes", 0), box)
    assert to_document(from_document(document), FORMAT) == document


def test_numbers_of_samples_stay_apart():
    first, second = from_document(load("page")).items
    more = Item("mine", "successful", explanation=Explanation("signal-classification", Source("signal")))
    attributes = copy.deepcopy(extras(second.explanation)) | {"sampleId": 11}
    same = Item(
        "b",
        "successful",
        explanation=Explanation("signal-classification", Source("signal"), attributes={FORMAT: attributes}),
    )
    written = to_document(Results("", (more, first, same)), FORMAT, lossy=True)
    assert [result["sampleId"] for result in written["result"]] == [1, 11, 12]


# Losses.


@pytest.mark.parametrize(
    ("value", "loss"),
    [
        (Results("nightly", ()), "job becomes ''"),
        (Results("", (Item("a", "running"),)), "items[0] is left out"),
        (
            Explanation("image-classification", Source("image"), [Prediction("a", 0.5), Prediction("a", 0.25)]),
            "predictions[1] is left out",
        ),
        (
            Explanation("image-classification", Source("image"), [Prediction("a", 0.25), Prediction("b", 0.5)]),
            "predictions[0].score becomes 0.5",
        ),
        (
            Explanation("signal-classification", Source("signal"), [Prediction("a", 0.5, attributes={"expected": 3})]),
            "predictions[0].attributes.expected",
        ),
        (
            Explanation(
                "image-classification",
                Source("image"),
                [Prediction("cat", 0.5)],
                [Attribution(Prediction("cat", 0.5), Grid(np.ones((2, 2))))],
            ),
            "attributions[0] is left out",
        ),
    ],
)
def test_what_has_no_place_is_refused(value, loss):
    with refuses(FidelityError, loss):
        to_document(value, FORMAT)
    to_document(value, FORMAT, lossy=True)


def test_text_is_refused():
    with refuses(InputError, "task must be one of 'image-classification'", "got 'text-classification'"):
        to_document(Explanation("text-classification", Source("text", text="a")), FORMAT)


# Problems.


@pytest.mark.parametrize(
    ("name", "keys", "value", "path", "message"),
    [
        (
            "job",
            (*BLOCK, "result", 2),
            None,
            "$.result[0].classifications[0].result",
            "3 windows in predictions, got 2",
        ),
        ("job", (*BLOCK, "learnBlock", "type"), "svm", "$.result[0].classifications[0].learnBlock.type", "one of"),
        ("job", (*BLOCK, "learnBlock", "id"), 0, "$.result[0].classifications[0].learnBlock.id", "an integer >= 1"),
        (
            "job",
            (*BLOCK, "expectedLabels", 1, "endIndex"),
            3,
            "$.result[0].classifications[0].expectedLabels[1].endIndex",
            "must be at most 2, the last window, got 3",
        ),
        (
            "job",
            (*BLOCK, "expectedLabels", 1, "endIndex"),
            1,
            "$.result[0].classifications[0].expectedLabels[1].endIndex",
            "must be at least startIndex, got 1",
        ),
        ("job", ("predictions", 0, "endMs"), -1, "$.predictions[0].endMs", "must be at least startMs, got -1.0"),
        ("job", ("predictions", 3, "sampleId"), 74, "$.predictions[3].sampleId", "that of one of the results, got 74"),
        ("job", ("result", 1, "sampleId"), 71, "$.result[1].sampleId", "that of one result only, got 71"),
        ("job", ("availableVariants", 0), "int4", "$.availableVariants[0]", "one of 'int8', 'float32', 'akida'"),
        ("job", ("result", 0, "sample", "chartType"), "pie", "$.result[0].sample.chartType", "one of 'chart'"),
        ("job", ("result", 0, "sample", "chartType"), "image", "$.result[0].classifications", "one window, got 3"),
        ("job", ("accuracy", "totalSummary", "good"), 2.5, "$.accuracy.totalSummary.good", "an integer >= 0"),
        (
            "detection",
            ("result", 0, "sample", "boundingBoxes", 0, "x"),
            0.5,
            "$.result[0].sample.boundingBoxes[0].x",
            "must be an integer, got 0.5",
        ),
        (
            "detection",
            (*BLOCK, "structuredResult", 0, "boxes", 0),
            [1, 2, 3],
            "$.result[0].classifications[0].structuredResult[0].boxes[0]",
            "x, y, width and height",
        ),
        (
            "detection",
            (*BLOCK, "structuredResult", 0, "boxes", 0, 2),
            -1,
            "$.result[0].classifications[0].structuredResult[0].boxes[0][2]",
            "must be a number of at least 0, got -1",
        ),
        (
            "detection",
            (*BLOCK, "structuredResult", 0, "scores", 1),
            None,
            "$.result[0].classifications[0].structuredResult[0].scores",
            "must hold one for each of 2 boxes, got 1",
        ),
        (
            "visual-anomaly",
            (*BLOCK, "anomalyResult", 0, "scores", 1),
            [1],
            "$.result[0].classifications[0].anomalyResult[0].scores[1]",
            "must be an array of 3, as the first row",
        ),
    ],
)
def test_what_is_wrong_is_named(name, keys, value, path, message):
    problems = validate(changed(name, keys, value))
    assert path in [problem.path for problem in problems]
    assert message in " ".join(problem.message for problem in problems)


def test_scores_beyond_float32_are_refused():
    document = load("visual-anomaly")
    document["result"][0]["classifications"][0]["anomalyResult"] = [{"scores": [[1e39]]}]
    (problem,) = validate(document)
    assert problem.path == "$.result[0].classifications[0].anomalyResult[0].scores.values"
    assert "beyond float32" in problem.message


@pytest.mark.parametrize(
    ("keys", "value", "tail", "message"),
    [
        (("y_trues", 0, "x"), "left", ".y_trues[0].x", "must be a finite number, got 'left'"),
        (("assignments", 0, "yp"), 2, ".assignments[0].yp", "must be the index of one of 2 y_preds, got 2"),
        (("unassigned_y_true_idxs", 1), 3, ".unassigned_y_true_idxs[1]", "the index of one of 3 y_trues, got 3"),
        (("assignments",), None, ".assignments", "must be an array, got nothing"),
    ],
)
def test_paths_go_on_in_the_debug_information(keys, value, tail, message):
    document = load("fomo")
    structured = golden.at(document, (*BLOCK, "structuredResult", 0))
    debug = json.loads(structured["debugInfoJson"])
    if value is None:
        del debug[keys[0]]
    else:
        golden.at(debug, keys[:-1])[keys[-1]] = value
    structured["debugInfoJson"] = json.dumps(debug)
    (problem,) = validate(document)
    assert problem.path == f"$.result[0].classifications[0].structuredResult[0].debugInfoJson{tail}"
    assert message in problem.message
    structured["debugInfoJson"] = "{"
    (problem,) = validate(document)
    assert problem.path == "$.result[0].classifications[0].structuredResult[0].debugInfoJson"
    assert problem.message.startswith("must be JSON")


@pytest.mark.parametrize(
    "garbage",
    [
        5,
        {"sample": 5, "classifications": [1]},
        {"sample": {"sensors": 5, "valuesCount": "x"}},
        {"predictions": 5},
        {"predictions": {"0": 3, "1": {}}},
        {"sampleId": "x", "centroids": 1, "runner": 1, "response": None},
        {"runner": {"nested": "x", "result": 5}},
        {"runner": {"nested": [[]], "result": {"timing": 1}}},
        {"response": {"sample": 1, "windowSizeMs": "x"}},
        {"classifications": {"0": {"result": {"0": {"a": "x"}}, "structuredResult": 3}, "1": 7}},
    ],
)
def test_attributes_that_no_document_gave_do_no_harm(garbage):
    prediction = Prediction("a", 1, attributes={"block": 10**9, "expected": 3, "correct": "x", "predicted": None})
    explanation = Explanation("signal-classification", Source("signal"), [prediction], attributes={FORMAT: garbage})
    results = Results("", [Item("a", "successful", explanation=explanation)], attributes={FORMAT: garbage})
    for value in (explanation, results):
        with contextlib.suppress(XplainError):
            written = to_document(value, FORMAT, lossy=True)
            assert validate(written, FORMAT) == []


@pytest.mark.parametrize(
    "other",
    [{"success": "yes", "result": []}, {"success": True}, {"result": {"classes": {"idle": 0.1}}}, [], None, 3],
)
def test_other_documents_are_not_claimed(other):
    with refuses(DocumentError, "exactly one of the formats"):
        sniff(other)


# What does not hold together.


@pytest.mark.parametrize(
    ("name", "keys", "value", "path", "message"),
    [
        ("job", ("result", 0, "sample", "intervalMs"), -16, "", "must be a number of at least 0, got -16"),
        ("job", ("result", 0, "sample", "intervalMs"), 20, "", "must be 1000 / frequency, 16, got 20"),
        ("job", ("result", 0, "sample", "originalFrequency"), 100, ".originalIntervalMs", "must be 1000 / orig"),
        ("job", (*BLOCK, "intervalMs"), 7, "", "must be 1000 / frequencyHz"),
        ("job", (*BLOCK, "result", 0, "wave"), 63.8, "", "must be a confidence from 0 to 1, got 63.8"),
        ("detection", (*BLOCK, "details", 0, "boxes", 0), [0.1, 0.1, 0.6], "", "must be an array of ymin, xmin, ymax"),
        ("detection", (*BLOCK, "details", 0, "boxes", 0, 2), 0.05, "", "must be at least ymin, 0.1, got 0.05"),
        ("detection", (*BLOCK, "details", 0, "labels"), [0], "", "must hold one for each of 2 boxes, got 1"),
        ("detection", (*BLOCK, "structuredResult", 0, "mAP"), 90, "", "must be a number from 0 to 1, got 90"),
        ("job", ("accuracy", "accuracyScore"), 500, "", "must be a number from 0 to 100, got 500"),
        ("job", ("accuracy", "allLabels"), [], "", "must hold the labels of confusionMatrixValues, got none"),
        ("job", ("additionalMetricsByLearnBlock", 0, "learnBlockId"), 99, "", "must be that of a learn block, got 99"),
    ],
)
def test_numbers_that_do_not_go_together_are_named(name, keys, value, path, message):
    problems = {problem.path: problem.message for problem in validate(changed(name, keys, value))}
    place = golden.path(keys[:-1]) + path if path else golden.path(keys)
    assert problems[place].startswith(message)


def test_the_rounding_of_single_precision_is_no_wrong_confidence():
    document = changed("job", (*BLOCK, "result", 0, "wave"), 1.0000001)
    assert [p for p in validate(document) if "confidence" in p.message] == []


@pytest.mark.parametrize("more", ["depth", "text", "content", "name"])
def test_further_keys_of_a_size_are_no_fields_of_the_source(more):
    document = changed("detection", ("result", 0, "sample", "imageDimensions", more), {"text": 1})
    value = from_document(document)
    assert (value.items[0].explanation.source.height, value.items[0].explanation.source.text) == (240, None)
    assert to_document(value, FORMAT) == document


def test_the_result_of_the_python_sdk_is_read():
    document = {"result": {"classification": {"idle": 0.25, "wave": 0.75}}, "timing": {"dsp": 1, "classification": 2}}
    assert sniff(document) == FORMAT
    value = from_document(document)
    assert [(p.name, p.score) for p in value.predictions] == [("wave", 0.75), ("idle", 0.25)]
    assert to_document(value, FORMAT) == document
    boxes = {"result": {"bounding_boxes": [{"label": "a", "value": 0.5, "x": 0, "y": 0, "width": 8, "height": 8}]}}
    assert from_document(boxes).task == "object-detection"
    assert to_document(from_document(boxes), FORMAT) == boxes


def test_a_recording_keeps_its_axes_and_its_length():
    source = Source("signal", name="a.npy", sample_rate_hz=100, content=np.zeros((2, 1000), np.float32))
    explanation = Explanation("signal-classification", source, [Prediction("idle", 0.75)])
    written = to_document(explanation, FORMAT)
    sample = written["result"][0]["sample"]
    assert sample["sensors"] == [{"name": n, "units": "N/A", "index": i} for i, n in enumerate("01")]
    assert (sample["valuesCount"], sample["totalLengthMs"]) == (1000, 10000)
    assert (written["predictions"][0]["startMs"], written["predictions"][0]["endMs"]) == (0, 10000)
    assert written["result"][0]["classifications"][0]["intervalMs"] == 10000
    back = from_document(written).items[0].explanation
    assert (back.source.axes, back.source.readings) == (("0", "1"), 1000)
    assert from_document(to_document(back)) == back


def test_scores_that_are_no_confidences_are_those_of_a_regression():
    explanation = Explanation("signal-classification", Source("signal"), [Prediction("speed", 63.8)])
    written = to_document(explanation, FORMAT)
    assert written["result"][0]["classifications"][0]["learnBlock"]["type"] == "keras-regression"
    assert from_document(written).items[0].explanation.predictions[0].score == 63.8


@pytest.mark.parametrize("good", ["x", [1], {"a": 5}, None, True, 1.5])
def test_a_job_with_a_broken_figure_is_read_in_parts_or_refused(good):
    document = load("detection")
    document["accuracy"]["totalSummary"]["good"] = good
    with refuses(DocumentError):
        from_document(document)
    try:
        items = tuple(read_items(lambda: io.BytesIO(dumps(document).encode())))
    except DocumentError:
        return
    assert items == from_document(load("detection")).items
