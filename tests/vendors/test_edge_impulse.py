"""A labelled data set classified into a job of Edge Impulse, and the truth added to results."""

import numpy as np
import PIL.Image
import pytest

import xplain
from tests.support import refuses
from xplain import Box, Explanation, InputError, Prediction, Source, UnknownNameError, Window
from xplain.explanation.outcomes import outcomes
from xplain.formatters import notes
from xplain.quality.classification import classification_report
from xplain.vendors.edge_impulse import classify, with_truth


def brightness(photos):
    light = photos.mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - light, light], axis=1)


def spread(windows):
    return np.stack([1 - windows.std(axis=(1, 2)), windows.std(axis=(1, 2))], axis=1)


@pytest.fixture
def images():
    return xplain.ImageClassifier(brightness, labels=["dark", "light"], output="probability", name="Light")


@pytest.fixture
def signals():
    return xplain.SignalClassifier(
        spread, ["still", "moving"], sample_rate_hz=100, window=10, output="probability", axes=["x", "y"]
    )


@pytest.fixture
def photos(tmp_path):
    for label, name, value in (("dark", "a", 10), ("dark", "b", 200), ("light", "a", 250), ("light", "b", 240)):
        (tmp_path / label).mkdir(exist_ok=True)
        PIL.Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(tmp_path / label / f"{name}.png")
    (tmp_path / ".cache").mkdir()
    return tmp_path


def test_a_folder_of_photos_becomes_a_job(images, photos):
    results = classify(images, photos, project=7)
    assert [item.name for item in results.items] == ["dark/a.png", "dark/b.png", "light/a.png", "light/b.png"]
    document = xplain.to_document(results, "edge-impulse")
    assert xplain.validate(document) == []
    assert document["accuracy"] == {
        "totalSummary": {"good": 3, "bad": 1},
        "summaryPerClass": {"dark": {"good": 1, "bad": 1}, "light": {"good": 2, "bad": 0}},
        "confusionMatrixValues": {
            "dark": {"dark": 1, "light": 1, "uncertain": 0},
            "light": {"dark": 0, "light": 2, "uncertain": 0},
        },
        "allLabels": ["dark", "light"],
        "accuracyScore": 75,
        "balancedAccuracyScore": 75,
    }
    assert results.attributes["edge-impulse"]["accuracy"] == document["accuracy"]
    assert [p["predictionCorrect"] for p in document["predictions"]] == [True, False, True, True]
    first = document["result"][0]
    assert first["sample"]["projectId"] == 7
    assert not first["sample"]["created"].startswith("1970")
    assert first["sample"]["label"] == "dark"
    assert first["sample"]["imageDimensions"] == {"width": 6, "height": 4}
    block = first["classifications"][0]
    assert (block["learnBlock"]["name"], block["learnBlock"]["title"]) == ("Light", "Light")
    assert set(block["result"][0]) == {"dark", "light"}
    back = xplain.from_document(document)
    assert xplain.to_document(back, "edge-impulse") == document
    assert xplain.from_document(xplain.to_document(results)) == results


def test_figures_of_the_learn_block_are_those_of_the_report(images, photos):
    results = classify(images, photos)
    (metrics,) = results.attributes["edge-impulse"]["additionalMetricsByLearnBlock"]
    figures = {metric["name"]: metric["fullPrecisionValue"] for metric in metrics["additionalMetrics"]}
    light = np.array([10, 200, 250, 240]) / 255
    report = classification_report(
        ["dark", "dark", "light", "light"], np.stack([1 - light, light], 1), ["dark", "light"]
    )
    assert figures["Area under ROC Curve"] == pytest.approx(report.roc_auc)
    assert figures["Weighted average F1 score"] == pytest.approx(report.weighted_f1)
    assert figures["Cross-entropy loss"] == pytest.approx(report.log_loss)
    assert figures["Weighted average Precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["Weighted average Recall"] == 0.75
    assert (metrics["learnBlockId"], metrics["learnBlockName"]) == (1, "Light")


def test_a_folder_of_recordings_becomes_a_job_of_windows(signals, tmp_path):
    rng = np.random.default_rng(0)
    for label, scale in (("still", 0.0), ("moving", 1.0)):
        (tmp_path / label).mkdir()
        np.save(tmp_path / label / "a.npy", np.sign(rng.normal(size=(2, 30))) * scale)
    document = xplain.to_document(classify(signals, tmp_path, threshold=0.6), "edge-impulse")
    sample = document["result"][0]["sample"]
    assert [sensor["name"] for sensor in sample["sensors"]] == ["x", "y"]
    assert (sample["valuesCount"], sample["totalLengthMs"], sample["intervalMs"]) == (30, 300, 10)
    assert [(p["startMs"], p["endMs"], p["label"]) for p in document["predictions"]] == [
        (start, start + 100, label) for label in ("moving", "still") for start in (0, 100, 200)
    ]
    assert document["accuracy"]["totalSummary"] == {"good": 6, "bad": 0}
    block = document["result"][0]["classifications"][0]
    assert (block["minimumConfidenceRating"], block["intervalMs"], block["resultCount"]) == (0.6, 100, 3)
    assert block["expectedLabels"] == [{"startIndex": 0, "endIndex": 2, "label": "moving"}]


def test_an_uncertain_window_is_wrong(images, photos):
    document = xplain.to_document(classify(images, photos, threshold=0.95), "edge-impulse")
    assert [p["prediction"] for p in document["predictions"]] == ["dark", "uncertain", "light", "uncertain"]
    assert document["accuracy"]["totalSummary"] == {"good": 2, "bad": 2}


def test_a_file_that_cannot_be_read_has_failed(images, photos):
    (photos / "light" / "c.png").write_bytes(b"no photo")
    results = classify(images, photos)
    assert (results.completed, results.failed, results.items[-1].name) == (4, 1, "light/c.png")
    with refuses(xplain.FidelityError, "items[4] is left out"):
        xplain.to_document(results, "edge-impulse")


def test_what_is_no_labelled_data_set_is_refused(images, photos, tmp_path):
    with refuses(UnknownNameError, "must be one of dark, light, got 'lightt'; did you mean 'light'?"):
        (photos / "light").rename(photos / "lightt")
        classify(images, photos)
    (tmp_path / "empty").mkdir()
    with refuses(InputError, "folder must have a sub-folder with samples for each label, got"):
        classify(images, tmp_path / "empty")
    with refuses(InputError, "folder must be one that can be read, got", "No such file or directory"):
        classify(images, tmp_path / "nowhere")
    with refuses(InputError, "threshold must be between 0 and 1, got 60"):
        classify(images, photos, threshold=60)
    text = xplain.TextClassifier(lambda texts: np.ones((len(texts), 1)), labels=["a"])
    with refuses(InputError, "model must be an ImageClassifier or SignalClassifier, got TextClassifier"):
        classify(text, photos)


def test_the_variant_that_was_tested_is_named(photos):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, photos):
            light = photos.mean(dim=(1, 2, 3)) * self.scale
            return torch.stack([1 - light, light], dim=1)

    model = xplain.ImageClassifier(Net(), labels=["dark", "light"])
    document = xplain.to_document(xplain.vendors.edge_impulse.classify(model, photos), "edge-impulse")
    assert document["availableVariants"] == ["float32"]
    assert xplain.validate(document) == []


# The truth.


def test_windows_are_judged_by_the_truth():
    predictions = [
        Prediction(label, score, region=Window(start, start + 100))
        for start, wave in ((0, 0.75), (100, 0.25))
        for label, score in (("wave", wave), ("idle", 1 - wave))
    ]
    explanation = Explanation("signal-classification", Source("signal"), predictions)
    judged = with_truth(explanation, ["wave", "wave"])
    assert [outcome.correct for outcome in outcomes(judged, notes(judged))] == [True, False]
    assert xplain.to_document(judged, "edge-impulse")["accuracy"]["totalSummary"] == {"good": 1, "bad": 1}
    assert xplain.to_document(with_truth(explanation, "idle"), "edge-impulse")["accuracy"]["accuracyScore"] == 50
    with refuses(InputError, "truth must be a label, or one for each of 2 windows, got 3"):
        with_truth(explanation, ["wave"] * 3)


def detector_explanation(*predictions, **source):
    return Explanation("object-detection", Source("image", **({"height": 100, "width": 200} | source)), predictions)


CAT = Prediction("cat", 0.9, region=Box(10, 20, 60, 80, "pixel"))
DOG = Prediction("dog", 0.8, region=Box(0, 0, 20, 20, "pixel"))


def test_detections_without_a_truth_have_no_figures():
    page = xplain.to_document(detector_explanation(CAT, DOG), "edge-impulse")
    block = page["result"][0]["classifications"][0]
    assert "structuredResult" not in block
    assert block["details"] == [
        {
            "boxes": [[0.2, 0.05, 0.8, 0.3], [0.0, 0.0, 0.2, 0.1]],
            "labels": [0, 1],
            "scores": [0.9, 0.8],
            "labelNames": ["cat", "dog"],
        }
    ]
    assert "accuracy" not in page
    (item,) = xplain.from_document(page).items
    assert [(p.name, p.score, p.region) for p in item.explanation.predictions] == [
        ("cat", 0.9, Box(0.05, 0.2, 0.3, 0.8)),
        ("dog", 0.8, Box(0.0, 0.0, 0.1, 0.2)),
    ]


def test_detections_with_a_truth_have_all_figures():
    truth = [Prediction("cat", 1, region=Box(0.05, 0.2, 0.3, 0.75)), Prediction("cat", 1, region=Box(0.5, 0, 1, 1))]
    judged = with_truth(detector_explanation(CAT, DOG), truth)
    document = xplain.to_document(judged, "edge-impulse")
    assert xplain.validate(document) == []
    sample = document["result"][0]["sample"]
    assert sample["boundingBoxes"] == [
        {"label": "cat", "x": 10, "y": 20, "width": 50, "height": 55},
        {"label": "cat", "x": 100, "y": 0, "width": 100, "height": 100},
    ]
    (structured,) = document["result"][0]["classifications"][0]["structuredResult"]
    assert structured["boxes"] == [[0.05, 0.2, 0.25, 0.6], [0.0, 0.0, 0.1, 0.2]]
    assert (structured["precision"], structured["recall"], structured["f1"]) == (0.5, 0.5, 0.5)
    # One of two cats is found, up to an overlap of 55/60: at 9 of 10 overlaps, and 51 of 101 recalls.
    assert structured["mAP"] == pytest.approx(0.9 * 51 / 101)
    assert document["accuracy"] == {
        "totalSummary": {"good": 0, "bad": 1},
        "summaryPerClass": {"F1 score": {"good": 0, "bad": 0}},
        "confusionMatrixValues": {},
        "allLabels": ["cat"],
        "accuracyScore": 50.0,
    }
    back = xplain.from_document(document)
    assert xplain.to_document(back, "edge-impulse") == document
    assert len(notes(back.items[0].explanation).truths) == 2


def test_no_object_is_a_truth_too():
    document = xplain.to_document(with_truth(detector_explanation(), []), "edge-impulse")
    (structured,) = document["result"][0]["classifications"][0]["structuredResult"]
    assert [structured[key] for key in ("mAP", "f1", "precision", "recall")] == [1, 1, 1, 1]
    assert document["accuracy"]["accuracyScore"] == 100
    wrong = xplain.to_document(with_truth(detector_explanation(CAT), []), "edge-impulse")
    assert wrong["accuracy"]["accuracyScore"] == 0


def test_what_is_no_truth_is_refused():
    with refuses(InputError, "truth[0].region must be a Box, got None"):
        with_truth(detector_explanation(CAT), [Prediction("cat", 1)])
    with refuses(InputError, "truth[0].region must be in pixels where the size of the image is not known"):
        truth = [Prediction("cat", 1, region=Box(0, 0, 1, 1))]
        with_truth(detector_explanation(CAT, height=None, width=None), truth)


def test_what_is_known_of_samples_can_be_set():
    explanation = Explanation("image-classification", Source("image"), [Prediction("a", 0.75)])
    written = xplain.to_document(
        explanation, "edge-impulse", project=7, block="Surface", title="Surfaces", created="2026-01-02T03:04:05Z"
    )
    sample, block = written["result"][0]["sample"], written["result"][0]["classifications"][0]["learnBlock"]
    assert (sample["projectId"], sample["created"], sample["added"]) == (7, *["2026-01-02T03:04:05Z"] * 2)
    assert (block["name"], block["title"]) == ("Surface", "Surfaces")
    assert xplain.to_document(xplain.from_document(written), "edge-impulse") == written
    with refuses(InputError, "created must be an ISO 8601 time with a zone, got 'today'"):
        xplain.to_document(explanation, "edge-impulse", created="today")
    for option in ("block", "title"):
        with refuses(InputError, f"{option} must be a string, got 5"):
            xplain.to_document(explanation, "edge-impulse", **{option: 5})
