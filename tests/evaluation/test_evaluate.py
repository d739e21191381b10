"""Measures of maps of real models: hand-set networks with planted evidence, black boxes, detectors, segmenters."""

import json

import numpy as np
import pytest

import xplain
from tests.support import refuses
from xplain.errors import AttributionError, InputError, UnknownNameError
from xplain.evaluation import MEASURES, compare, evaluate

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
THING = xplain.Box(2, 1, 6, 4, "pixel")


class Planted(torch.nn.Module):
    """Class 1 is the sum of the rectangle x 2..6, y 1..4; class 0 is nothing."""

    def __init__(self):
        super().__init__()
        weights = torch.zeros(3, 8, 8)
        weights[:, 1:4, 2:6] = 1 / 9
        self.head = torch.nn.Linear(192, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.stack([torch.zeros(192), weights.flatten()]))

    def forward(self, x):
        return self.head(x.flatten(1))


@pytest.fixture
def planted():
    return xplain.ImageClassifier(Planted(), ["nothing", "thing"], name="planted")


@pytest.fixture
def photo():
    return RNG.integers(100, 256, (8, 8, 3), np.uint8)


def test_a_faithful_method_beats_the_controls_in_every_measure(planted, photo):
    measures = [name for name in MEASURES if name != "localisation"]
    compared = compare(planted, photo, ["input-x-gradient"], measures=measures, region=THING, output="logit")
    first, *controls = compared.rows()
    assert [row["method"] for row in controls] == ["random", "sobel", "centre"]
    for control in controls:
        for name in ("deletion", "infidelity", "relative error"):
            assert first[name] < control[name], name
        for name in ("insertion", "energy", "IoU", "rank correlation"):
            assert first[name] > control[name], name
    assert (first["hit"], first["energy"], first["IoU"]) == (1, 1, 1)
    assert first["infidelity"] == pytest.approx(0, abs=1e-6)
    assert first["rank correlation"] == pytest.approx(1)
    assert first["relative error"] == pytest.approx(0, abs=1e-5)
    assert first["randomisation"] < 0.5
    assert all(control["randomisation"] == 1 for control in controls)
    assert json.loads(json.dumps(compared.rows(), allow_nan=False)) == compared.rows()


def test_results_with_their_knobs_are_kept_in_documents(planted, photo):
    e = xplain.explain(planted, photo, method="saliency", target="thing")
    measured = evaluate(planted, e, measures={"deletion": {"steps": 8, "substrate": "blur"}, "sparseness": {}})
    results = measured.attributions[0].quality
    assert results["deletion"]["steps"] == 8
    assert results["deletion"]["substrate"] == "blur"
    assert results["deletion"]["output"] == "probability"
    assert results["sparseness"]["gini"] == pytest.approx(1 - 12 / 64)
    document = json.loads(json.dumps(xplain.to_document(measured, "native")))
    assert xplain.from_document(document).attributions[0].quality == results
    again = evaluate(planted, e, photo, measures=results.keys() & {"sparseness"})
    assert again.attributions[0].evidence == e.attributions[0].evidence


def test_curves_follow_the_probability_or_the_logit(planted, photo):
    e = xplain.explain(planted, photo, method="input-x-gradient", target="thing")
    ends = {}
    for output in ("probability", "logit"):
        curve = evaluate(planted, e, measures=["deletion"], output=output).attributions[0].quality["deletion"]
        ends[output] = curve["scores"][0], curve["scores"][-1]
        assert curve["output"] == output
    logit = photo[1:4, 2:6].sum() / 255 / 9
    assert ends["logit"] == pytest.approx((logit, 0), abs=1e-5)
    assert ends["probability"] == pytest.approx((1 / (1 + np.exp(-logit)), 0.5), abs=1e-5)


def test_a_map_is_brought_back_to_the_input_of_a_preprocessed_model():
    batches = []

    def score(batch):
        batches.append(batch)
        return batch[:, :, :2].mean(axis=(1, 2, 3))[:, None]

    model = xplain.ImageClassifier(score, preprocess=xplain.Preprocess(size=4), output="probability")
    photo = np.full((8, 16, 3), 255, np.uint8)
    e = xplain.explain(model, photo, method="occlusion", window=1, stride=1)
    batches.clear()
    curve = evaluate(model, e, measures={"deletion": {"steps": 2}}).attributions[0].quality["deletion"]
    assert curve["scores"] == [1, 0, 0]
    assert np.concatenate(batches)[-2].any(axis=0).tolist() == [[False] * 4] * 2 + [[True] * 4] * 2


def test_a_method_that_cannot_explain_the_model_is_told_with_its_reason(photo):
    model = xplain.ImageClassifier(lambda images: images[:, 1:4, 2:6].mean(axis=(1, 2, 3))[:, None] / 255, ["thing"])
    compared = compare(model, photo, {"grad-cam": {}, "occlusion": {"window": 2, "stride": 2}, "sobel": {}})
    assert [e.provenance.method for e in compared] == ["occlusion", "random", "sobel", "centre"]
    assert "which needs layers of a torch module" in compared.refused["grad-cam"]
    assert "grad-cam: refused: method must be" in str(compared)
    assert compared[0].provenance.options["window"] == 2


@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_zeros_are_measured_like_any_map_and_what_has_no_value_is_none(planted, photo, method):
    region = np.arange(64).reshape(8, 8) < 16
    everything = list(MEASURES)
    compared = compare(planted, photo, [method], "nothing", measures=everything, region=region)
    (attribution,) = compared[0].attributions
    assert not attribution.evidence.values.any()
    assert attribution.quality["notes"][0] == "nothing counted: all values are 0"
    first = compared.rows()[0]
    none = {name for name, value in first.items() if value is None}
    assert none == {
        "energy", "max-sensitivity", "randomisation", "rank correlation", "relative error"
    }  # fmt: skip
    assert [first[name] for name in ("sparseness", "infidelity", "hit", "IoU")] == [0, 1, 0.25, 0.25]
    assert "nothing counted: all values are 0" in xplain.render(compared).alt
    assert str(compared)


def test_a_method_runs_again_with_its_own_options(planted, photo):
    segments = np.arange(64).reshape(8, 8) // 16
    (first, *_) = compare(planted, photo, {"kernel-shap": {"segments": segments}}, measures=["max-sensitivity"])
    assert 0 < first.attributions[0].quality["max-sensitivity"]["max_sensitivity"] < 0.5


def test_the_same_seed_gives_the_same_measures(planted, photo):
    measures = ["infidelity", "max-sensitivity", "randomisation"]
    rows = [compare(planted, photo, ["smoothgrad"], measures=measures, seed=4).rows(time=False) for _ in range(2)]
    assert rows[0] == rows[1]
    assert set(rows[0][0]) == {"method", "infidelity", "max-sensitivity", "randomisation", "evaluations"}


def test_detections_are_measured_by_their_similarity():
    def find(images):
        level = images[:, 1:4, 2:6].mean(axis=(1, 2, 3)) / 255
        return [{"boxes": [[2, 1, 6, 4]], "labels": [0], "scores": [float(score)]} for score in level]

    photo = np.full((8, 8, 3), 200, np.uint8)
    model = xplain.Detector(find, labels=["thing"])
    compared = compare(model, photo, {"occlusion": {"window": 1, "stride": 1}}, region=THING)
    first, *controls = compared.rows()
    assert compared[0].attributions[0].quality["deletion"]["output"] == "similarity"
    assert (first["hit"], first["IoU"]) == (1, 1)
    assert all(first["deletion"] < control["deletion"] for control in controls if control["method"] != "sobel")


def test_regions_are_measured_by_what_the_segmenter_returns():
    def segment(images):
        level = images.mean(axis=3) / 255
        return np.stack([1 - level, level], axis=1)

    photo = np.full((8, 8, 3), 20, np.uint8)
    photo[1:4, 2:6] = 250
    model = xplain.Segmenter(segment, labels=["back", "thing"], output="probability")
    compared = compare(model, photo, {"occlusion": {"window": 1, "stride": 1}}, target="thing", region=THING)
    curve = compared[0].attributions[0].quality["deletion"]
    assert curve["output"] == "probability"
    assert (curve["scores"][0], curve["scores"][-1]) == (pytest.approx(250 / 255), 0)
    assert compared.rows()[0]["energy"] == 1


def test_what_cannot_be_measured_is_refused(planted, photo):
    e = xplain.explain(planted, photo, method="saliency")
    with refuses(UnknownNameError, "deletion"):
        evaluate(planted, e, measures=["deltion"])
    with refuses(UnknownNameError, "knob of deletion", "steps"):
        evaluate(planted, e, measures={"deletion": {"step": 3}})
    with refuses(InputError, "region must be given for localisation, got None"):
        evaluate(planted, e, measures=["localisation"])
    with refuses(InputError, "model must be an xplain model, got Planted; wrap it: xplain.ImageClassifier(model"):
        evaluate(Planted(), e)
    with refuses(InputError, "model must be an ImageClassifier, a Detector or a Segmenter to measure heat maps"):
        evaluate(xplain.TextClassifier(len), e)
    with refuses(InputError, "explanation must be an Explanation, got 3"):
        evaluate(planted, 3)
    with refuses(InputError, "explanation must hold heat maps to be measured, got a Mask"):
        evaluate(planted, e.with_masks(keep=0.1))
    with refuses(InputError, "input must be 8x8 as the map, got 8x9"):
        evaluate(planted, e, np.zeros((8, 9, 3), np.uint8))
    without_image = xplain.from_document(xplain.to_document(e, "native"))
    with refuses(InputError, "input must be given for an explanation that does not hold its image"):
        evaluate(planted, without_image)
    with refuses(InputError, "output must be 'probability' or 'logit' for this model, got 'similarity'"):
        evaluate(planted, e, output="similarity")
    with refuses(InputError, "target must be one thing to explain, got 2"):
        compare(planted, photo, ["saliency"], target=[0, 1])
    with refuses(UnknownNameError, "saliency"):
        compare(planted, photo, ["salience"])
    with refuses(InputError, "players must be at most 12"):
        evaluate(planted, e, measures={"shapley": {"players": 13}})
    box = xplain.ImageClassifier(lambda images: images.mean(axis=(1, 2, 3))[:, None])
    occluded = xplain.explain(box, photo, method="occlusion", window=4, stride=4)
    with refuses(AttributionError, "model must be a torch module to be made random, got a black box"):
        evaluate(box, occluded, measures=["randomisation"])
