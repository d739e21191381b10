"""Figures that Edge Impulse's documents claim, and that follow from what else they say."""

import json
from dataclasses import replace

import pytest

from tests.formatters import golden
from tests.support import refuses
from xplain.errors import FidelityError
from xplain.explanation import Explanation, Item, Prediction, Results, Source, Window
from xplain.formatters import from_document, to_document, validate

FORMAT = "edge-impulse"
STRUCTURED = ("result", 0, "classifications", 0, "structuredResult", 0)


def load(name):
    return golden.read(golden.DATA / FORMAT / f"{name}.json")


def claiming(name, keys, value):
    document = load(name)
    golden.at(document, keys[:-1])[keys[-1]] = value
    return document


@pytest.mark.parametrize(
    ("name", "keys", "value", "expected"),
    [
        ("job", ("accuracy", "totalSummary", "good"), 3, "must be 2, as the predictions give it, got 3"),
        ("job", ("accuracy", "totalSummary", "bad"), 0, "must be 2, as the predictions give it, got 0"),
        ("job", ("accuracy", "summaryPerClass", "wave", "bad"), 1, "must be 2, as the predictions give it, got 1"),
        ("job", ("accuracy", "confusionMatrixValues", "wave", "uncertain"), 0.5, "must be 0.333333,"),
        ("job", ("accuracy", "confusionMatrixValues", "wave", "wave"), 0.34, "must be 0.333333,"),
        ("job", ("accuracy", "accuracyScore"), 50.01, "must be 50, as the predictions give it, got 50.01"),
        ("job", ("accuracy", "accuracyScore"), 0.5, "must be 50, as the predictions give it, got 0.5"),
        ("regression", ("accuracy", "mseScore"), 0.6, "must be 0.53125, as the predictions give it, got 0.6"),
        ("visual-anomaly", ("accuracy", "anomalyAccuracyScore"), 50, "must be 100,"),
        ("visual-anomaly", ("accuracy", "noAnomalyAccuracyScore"), 0, "must be 100,"),
        ("visual-anomaly", ("accuracy", "balancedAccuracyScore"), 99, "must be 100,"),
        ("detection", ("accuracy", "accuracyScore"), 50, "must be 0,"),
        ("detection", ("accuracy", "totalSummary", "good"), 2, "must be 1,"),
        ("detection", ("accuracy", "summaryPerClass", "F1 score", "good"), 1, "must be 0,"),
        ("detection", ("predictions", 0, "f1Score"), 0.9, "must be 0, as in structuredResult, got 0.9"),
        ("fomo", (*STRUCTURED, "precision"), 0.6, "must be 0.5, as debugInfoJson gives it, got 0.6"),
        ("fomo", (*STRUCTURED, "recall"), 0.34, "must be 0.333333, as debugInfoJson gives it, got 0.34"),
        ("fomo", (*STRUCTURED, "f1"), 0.41, "must be 0.4, as debugInfoJson gives it, got 0.41"),
        (
            "visual-anomaly",
            ("result", 0, "classifications", 0, "anomalyResult", 0, "maxScore"),
            5,
            "must be 5.5, that of scores, got 5",
        ),
        (
            "visual-anomaly",
            ("result", 0, "classifications", 0, "anomalyResult", 0, "meanScore"),
            2,
            "must be 1.76389, that of scores, got 2",
        ),
    ],
)
def test_a_claim_that_does_not_follow_is_a_problem(name, keys, value, expected):
    problems = {problem.path: problem.message for problem in validate(claiming(name, keys, value))}
    assert problems[golden.path(keys)].startswith(expected)


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("job", ("accuracy", "accuracyScore"), 50.004),
        ("regression", ("accuracy", "mseScore"), 0.5313),
        ("fomo", (*STRUCTURED, "recall"), 0.3333),
        ("detection", ("accuracy", "accuracyScore"), 0),
        ("job", ("accuracy", "confusionMatrixValues", "idle"), {"idle": 1}),
    ],
)
def test_a_figure_may_be_rounded_or_left_to_follow(name, keys, value):
    assert validate(claiming(name, keys, value)) == []


@pytest.mark.parametrize(
    ("index", "correct", "message"),
    [
        (0, False, "must be true, since 'wave' is expected and 'wave' predicted, got false"),
        (1, True, "must be false, since 'wave' is expected and 'uncertain' predicted, got true"),
        (3, True, "must be false, since 'wave' is expected and 'idle' predicted, got true"),
    ],
)
def test_a_window_is_judged_by_its_label(index, correct, message):
    problems = {
        p.path: p.message for p in validate(claiming("job", ("predictions", index, "predictionCorrect"), correct))
    }
    assert problems[f"$.predictions[{index}].predictionCorrect"] == message


def test_a_window_of_several_labels_or_of_no_class_may_be_judged_otherwise():
    document = load("job")
    document["result"][1]["classifications"][0]["isMultiLabel"] = True
    document["predictions"][3]["predictionCorrect"] = True
    document["accuracy"] |= {"totalSummary": {"good": 3, "bad": 1}, "accuracyScore": 75}
    document["accuracy"]["summaryPerClass"]["wave"] = {"good": 2, "bad": 1}
    assert validate(document) == []
    del document["result"][1]["classifications"][0]["isMultiLabel"]
    assert [p.path for p in validate(document)] == ["$.predictions[3].predictionCorrect"]
    document["predictions"][3]["prediction"] = "shake"
    document["accuracy"]["confusionMatrixValues"]["wave"] = {"wave": 1, "uncertain": 1, "shake": 1}
    assert validate(document) == []


def test_a_confusion_matrix_may_hold_counts():
    document = load("job")
    document["accuracy"]["confusionMatrixValues"] = {
        "idle": {"idle": 1},
        "wave": {"idle": 1, "wave": 1, "uncertain": 1},
    }
    assert validate(document) == []
    document["accuracy"]["confusionMatrixValues"]["wave"]["idle"] = 2
    (problem,) = validate(document)
    assert str(problem) == ("$.accuracy.confusionMatrixValues.wave.idle: must be 1, as the predictions give it, got 2")


def test_a_class_that_windows_have_must_be_there():
    document = load("job")
    del document["accuracy"]["summaryPerClass"]["idle"]
    document["accuracy"]["summaryPerClass"]["snake"] = {"good": 0, "bad": 0}
    (problem,) = validate(document)
    assert str(problem) == "$.accuracy.summaryPerClass: must hold 'idle', which 1 windows have, got none"


def test_nothing_is_compared_where_something_is_missing():
    document = load("job")
    document["accuracy"]["totalSummary"]["good"] = 9
    assert len(validate(document)) == 1
    empty = {**document, "result": [], "predictions": []}  # a job may be without them for a while
    assert validate(empty) == []
    for prediction in document["predictions"]:
        del prediction["predictionCorrect"]
        del prediction["label"]
    assert validate(document) == []


def test_the_outcome_follows_from_labels_where_it_is_not_said():
    document = load("job")
    for prediction in document["predictions"]:
        del prediction["predictionCorrect"]
    assert validate(document) == []
    document["predictions"][0]["prediction"] = "idle"
    assert "$.accuracy.totalSummary.good" in [problem.path for problem in validate(document)]


def test_detections_without_any_object_are_perfect():
    document = load("fomo")
    structured = golden.at(document, STRUCTURED)
    debug = json.loads(structured["debugInfoJson"])
    debug |= {"assignments": [], "unassigned_y_true_idxs": [], "unassigned_y_pred_idxs": []}
    structured["debugInfoJson"] = json.dumps(debug)
    assert [(p.path.rpartition(".")[2], p.message[:9]) for p in validate(document)] == [
        ("precision", "must be 1"),
        ("recall", "must be 1"),
        ("f1", "must be 1"),
    ]


def test_only_missed_objects_are_no_success():
    document = load("fomo")
    structured = golden.at(document, STRUCTURED)
    debug = json.loads(structured["debugInfoJson"])
    debug |= {"assignments": [], "unassigned_y_true_idxs": [0, 1, 2], "unassigned_y_pred_idxs": []}
    structured["debugInfoJson"] = json.dumps(debug)
    assert [p.message[:9] for p in validate(document)] == ["must be 0"] * 3


def windows(truths, predicted):
    return [
        Prediction(label, 0.75, region=Window(i, i + 1), threshold=0.5, attributes={"expected": truth})
        for i, (truth, label) in enumerate(zip(truths, predicted, strict=True))
    ]


def test_the_figures_of_our_own_results_are_computed():
    first = Explanation("signal-classification", Source("signal"), windows("aab", "aba"))
    second = Explanation("signal-classification", Source("signal"), windows("b", "b"))
    unsure = Prediction("a", 0.25, threshold=0.5, attributes={"expected": "a"})
    third = Explanation("signal-classification", Source("signal"), [unsure])
    items = [Item(str(i), "successful", explanation=e) for i, e in enumerate((first, second, third))]
    written = to_document(Results("", items), FORMAT)
    assert written["accuracy"] == {
        "totalSummary": {"good": 2, "bad": 3},
        "summaryPerClass": {"a": {"good": 1, "bad": 2}, "b": {"good": 1, "bad": 1}},
        "confusionMatrixValues": {"a": {"a": 1, "b": 1, "uncertain": 1}, "b": {"a": 1, "b": 1, "uncertain": 0}},
        "allLabels": ["a", "b"],
        "accuracyScore": 40.0,
        "balancedAccuracyScore": pytest.approx((100 / 3 + 50) / 2),
    }
    assert written["predictions"][-1]["prediction"] == "uncertain"
    assert from_document(written).attributes == {FORMAT: {"accuracy": written["accuracy"]}}


def test_without_a_truth_there_is_no_accuracy():
    explanation = Explanation("signal-classification", Source("signal"), [Prediction("a", 0.75)])
    page = to_document(explanation, FORMAT)
    assert set(page) == {"success", "result", "predictions", "totalCount"}
    with refuses(FidelityError, "the truth, from which the accuracy of a job follows, is known of no item"):
        to_document(explanation, FORMAT, page=False)
    assert to_document(explanation, FORMAT, page=False, lossy=True)["accuracy"] == {
        "totalSummary": {"good": 0, "bad": 0},
        "summaryPerClass": {},
        "confusionMatrixValues": {},
        "allLabels": [],
    }


def test_whether_a_window_is_right_is_written():
    explanation = Explanation("signal-classification", Source("signal"), windows("ab", "aa"))
    written = to_document(explanation, FORMAT)
    assert [prediction["predictionCorrect"] for prediction in written["predictions"]] == [True, False]
    assert validate(written) == []


def test_figures_of_anomalies_are_computed():
    truths = ["anomaly", "anomaly", "no anomaly"]
    scores = [3.0, 1.0, 0.5]
    items = [
        Item(
            f"{i}",
            "successful",
            explanation=Explanation(
                "image-classification",
                Source("image"),
                [Prediction("anomaly", score, threshold=2.0, attributes={"expected": truth})],
            ),
        )
        for i, (truth, score) in enumerate(zip(truths, scores, strict=True))
    ]
    figures = to_document(Results("", items), FORMAT)["accuracy"]
    assert (figures["anomalyAccuracyScore"], figures["noAnomalyAccuracyScore"]) == (50, 100)
    assert figures["balancedAccuracyScore"] == 75


def test_the_error_of_a_regression_is_computed_again():
    value = from_document(load("regression"))
    changed = [
        replace(
            item,
            explanation=replace(
                item.explanation,
                predictions=tuple(replace(p, score=p.score + 1) for p in item.explanation.predictions),
            ),
        )
        for item in value.items
    ]
    written = to_document(replace(value, items=tuple(changed)), FORMAT, lossy=True)
    predictions, results = written["predictions"], written["result"]
    values = [score for r in results for b in r["classifications"] for w in b["result"] for score in w.values()]
    errors = [value - float(p["label"]) for value, p in zip(values, predictions, strict=True)]
    assert written["accuracy"]["mseScore"] == pytest.approx(sum(e * e for e in errors) / len(errors))
    assert validate(written) == []
