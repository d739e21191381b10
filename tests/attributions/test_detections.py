import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.detectors import PLANTED, Planted, Threshold, black_box, mean_of, module_detector, photo
from tests.support import refuses
from xplain import AttributionError, Box, InputError, Prediction
from xplain.attributions import METHODS
from xplain.attributions.engine.observe import reached_fraction

SCORES = [name for name, method in METHODS.items() if "detections" in method.explains and method.needs == "scores"]
GRADIENTS = [
    name for name, method in METHODS.items() if "detections" in method.explains and method.needs == "gradients"
]
NEED_RELUS = ("guided-backprop", "deconvolution")
NEED_MODULES = ("deep-lift-shap", "lrp")
SMALL = {"d-rise": {"cells": 6, "n_samples": 1200}, "lime": {"segments": "grid"}, "kernel-shap": {"segments": "grid"}}
SMALL |= {"shapley": {"segments": "grid", "n_segments": 12}, "feature-ablation": {"segments": "grid"}}


def maps(explanation):
    return [a.evidence.values for a in explanation.attributions]


def inside(values, patch):
    x0, y0, x1, y1 = patch
    row, column = np.unravel_index(values.argmax(), values.shape)
    return x0 <= column < x1 and y0 <= row < y1


@pytest.mark.parametrize("method", [name for name in SCORES if name not in ("random", "sobel", "centre")])
def test_the_peak_lies_in_the_evidence_of_each_detection(method):
    model = xplain.Detector(black_box(), labels=["cat", "dog"])
    explanation = xplain.explain(model, photo(), method, target=["cat", "dog"], **SMALL.get(method, {}))
    assert explanation.task == "object-detection"
    assert [a.target.name for a in explanation.attributions] == ["cat", "dog"]
    assert [a.target.region for a in explanation.attributions] == [Box(*box, "pixel") for _, box, _ in PLANTED]
    patches = [patch for _, _, patch in PLANTED]
    for values, mine, others in zip(maps(explanation), patches, patches[::-1], strict=True):
        (x0, y0, x1, y1), (u0, v0, u1, v1) = mine, others
        assert values[y0:y1, x0:x1].mean() > 4 * abs(values[v0:v1, u0:u1].mean())
        if method in ("d-rise", "occlusion"):
            assert inside(values, mine)


@pytest.mark.parametrize("method", ["d-rise", "occlusion"])
@pytest.mark.parametrize("probabilities", [False, True])
def test_two_classes_on_one_box_have_maps_of_their_own(method, probabilities):
    left, right = (0, 0, 12, 24), (20, 0, 32, 24)

    def find(images):
        detections = []
        for image in images.astype(np.float64)[:, np.newaxis]:
            scores = [mean_of(image, left).item(), mean_of(image, right).item()]
            detections.append({"boxes": [[0, 0, 32, 24]] * 2, "labels": [0, 1], "scores": scores})
            if probabilities:
                detections[-1]["probabilities"] = [scores, scores]
        return detections

    explanation = xplain.explain(xplain.Detector(find), photo(), method, target="all", **SMALL.get(method, {}))
    by_label = {a.target.label[0]: a.evidence.values for a in explanation.attributions}
    assert by_label["0"][:, :12].mean() > 5 * abs(by_label["0"][:, 20:].mean())
    assert by_label["1"][:, 20:].mean() > 5 * abs(by_label["1"][:, :12].mean())


def naive_similarity(target, detection):
    """The paper's product for two detections (box, class, probabilities), one number after the other."""
    (ax0, ay0, ax1, ay1), label, ours = target
    (bx0, by0, bx1, by1), theirs = detection
    width, height = min(ax1, bx1) - max(ax0, bx0), min(ay1, by1) - max(ay0, by0)
    shared = max(width, 0) * max(height, 0)
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared
    dot = sum(a * b for a, b in zip(ours, theirs, strict=True))
    cosine = dot / (sum(a * a for a in ours) ** 0.5 * sum(b * b for b in theirs) ** 0.5)
    return shared / union * cosine * theirs[label]


@pytest.mark.parametrize("centred", [False, True])
def test_d_rise_is_the_paper_literally(centred):
    """The image is all ones, so that what the detector is given is the mask itself."""
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 10, (7, 2))
    boxes = np.hstack([corners, corners + rng.uniform(2, 8, (7, 2))])
    weights = rng.uniform(0.1, 1, (7, 4, 12 * 18))
    inputs = []

    def find(images):
        inputs.extend(images[..., 0].astype(np.float64))
        flat = images[..., 0].reshape(len(images), -1).astype(np.float64)
        classes = np.einsum("np,mcp->nmc", flat, weights) / weights.sum(axis=2)
        return [
            {"boxes": boxes, "labels": p.argmax(1), "scores": p.max(1), "probabilities": p}
            for p in classes * np.linspace(0.5, 1, 4)
        ]

    ones = np.ones((12, 18, 3), np.float32)
    options = {"cells": 4, "n_samples": 80, "p": 0.4, "centred": centred, "batch_size": 7, "check": False}
    explanation = xplain.explain(xplain.Detector(find), ones, "d-rise", target=[0, 3], **options)
    masks = [mask for mask in inputs if not (mask == 1).all()]
    assert len(masks) == 80
    (detections,) = find(ones[np.newaxis])
    order = np.argsort(-detections["scores"], kind="stable")
    for attribution, index in zip(explanation.attributions, order[[0, 3]], strict=True):
        target = (boxes[index], detections["labels"][index], detections["probabilities"][index])
        scores = []
        for mask in masks:
            (there,) = find(np.repeat(mask[np.newaxis, :, :, np.newaxis], 3, axis=3))
            candidates = zip(there["boxes"], there["probabilities"], strict=True)
            scores.append(max(naive_similarity(target, candidate) for candidate in candidates))
        expected = np.zeros((12, 18))
        for mask, score in zip(masks, scores, strict=True):
            if centred:
                expected += (score - sum(scores) / 80) * mask / (80 * 0.4 * 0.6)
            else:
                expected += score * mask / (80 * 0.4)
        np.testing.assert_allclose(attribution.evidence.values, expected, rtol=2e-5, atol=2e-6)


def test_d_rise_says_how_sure_it_is_and_stops_early():
    model = xplain.Detector(black_box())
    explanation = xplain.explain(model, photo(), "d-rise", target="all", cells=6, n_samples=4000, tolerance=0.2)
    quality = explanation.attributions[0].quality
    assert quality["n_samples"] < 4000
    assert 0 < quality["standard_error"] <= 0.2 * np.abs(maps(explanation)[0]).max() * 1.1
    assert 4000 > explanation.provenance.evaluations >= quality["n_samples"] + 2
    again = xplain.explain(model, photo(), "d-rise", target="all", cells=6, n_samples=4000, tolerance=0.2)
    assert again == explanation


def test_masks_are_never_all_in_memory():
    model = xplain.Detector(black_box(((0, (0, 0, 80, 80), (20, 20, 60, 60)),)))
    image = photo(size=(160, 160))
    xplain.explain(model, image, "d-rise", n_samples=40)
    tracemalloc.start()
    xplain.explain(model, image, "d-rise", n_samples=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * 1000 * 160 * 160 * 4


@pytest.mark.parametrize("candidates", [False, True])
def test_gradients_are_those_of_the_detection(candidates):
    model = module_detector() if candidates else xplain.Detector(Planted())
    explanation = xplain.explain(model, photo(), "saliency", target="all")
    for attribution in explanation.attributions:
        _, _, (x0, y0, x1, y1) = PLANTED[int(attribution.target.name)]
        expected = np.zeros((24, 32))
        expected[y0:y1, x0:x1] = 1 / (3 * (x1 - x0) * (y1 - y0))
        np.testing.assert_allclose(attribution.evidence.values, expected, atol=1e-8)


@pytest.mark.parametrize("candidates", [False, True])
@pytest.mark.parametrize("method", sorted({*GRADIENTS} - {*NEED_RELUS}))
def test_gradient_methods_see_nothing_but_the_evidence(method, candidates):
    model = module_detector() if candidates else xplain.Detector(Planted())
    if method in NEED_MODULES and not candidates:  # its boxes are made in the module
        with refuses(AttributionError, "module must be recordable as a graph"):
            xplain.explain(model, photo(), method)
        return
    for attribution in xplain.explain(model, photo(), method, target="all").attributions:
        _, _, (x0, y0, x1, y1) = PLANTED[int(attribution.target.name)]
        values = attribution.evidence.values
        there = values[y0:y1, x0:x1]
        assert (there != 0).all()
        assert np.count_nonzero(values) == there.size


@pytest.mark.parametrize("method", NEED_RELUS)
def test_methods_of_relus_refuse_a_detector_without_any(method):
    with refuses(AttributionError, "must have ReLUs to", "got a model without any"):
        xplain.explain(module_detector(), photo(), method)


def test_candidates_keep_a_score_alive_below_the_threshold():
    """On the straight path from black the detection is below its threshold half of the way."""
    explanation = xplain.explain(module_detector(least=0.5), photo(), "integrated-gradients", n_steps=4)
    assert abs(explanation.attributions[0].quality["completeness_residual"]) < 1e-6
    dropped = xplain.Detector(Planted(raw=True), postprocess=lambda scores: Threshold(least=0.5)(scores))
    explanation = xplain.explain(dropped, photo(), "integrated-gradients", n_steps=4)
    assert explanation.attributions[0].quality["completeness_relative"] > 0.2


def test_a_box_that_was_not_detected_can_be_explained():
    model = xplain.Detector(black_box(least=0.9), labels=["cat", "dog"])
    with refuses(InputError, "target must be a detection, got none in this image", "a label and a Box"):
        xplain.explain(model, photo(), "occlusion")
    asked = Prediction("dog", 1.0, region=Box(18 / 32, 10 / 24, 30 / 32, 22 / 24))
    for model in (xplain.Detector(black_box(), labels=["cat", "dog"]), module_detector(labels=["cat", "dog"], least=1)):
        explanation = xplain.explain(model, photo(), "occlusion", target=asked)
        assert explanation.attributions[0].target == asked
        assert inside(maps(explanation)[0], (17, 11, 31, 23))
    values = maps(xplain.explain(model, photo(), "saliency", target=asked))[0]
    assert inside(values, PLANTED[1][2])
    elsewhere = Prediction("dog", 1.0, region=Box(0, 0, 3, 3, "pixel"))
    with refuses(InputError, "target must overlap a candidate of its class", "d-rise"):
        xplain.explain(model, photo(), "saliency", target=elsewhere)


def test_maps_and_boxes_are_in_pixels_of_the_photo():
    preprocess = xplain.Preprocess(size=(24, 32), resize="letterbox", fill=0)

    def find(images):
        return black_box()(images.transpose(0, 2, 3, 1) * 255)

    large = np.kron(photo()[:, :24], np.ones((10, 10, 1), np.uint8))  # 240 x 240, so 4 columns of padding on each side
    model = xplain.Detector(find, preprocess=preprocess)
    explanation = xplain.explain(model, large, "occlusion", target="all", window=2, stride=1)
    first = next(a for a in explanation.attributions if a.target.name == "0")
    assert first.target.region == Box(0.0, 20.0, 80.0, 120.0, "pixel")  # cut at the photo's left edge
    assert first.evidence.values.shape == (240, 240)
    assert inside(first.evidence.values, (0, 40, 60, 100))


def test_every_image_through_the_model_is_counted():
    class Counted(Planted):
        count = 0

        def forward(self, images):
            self.count += len(images)
            return super().forward(images)

    for method in ("occlusion", "saliency", "integrated-gradients"):
        module = Counted(raw=True)
        model = xplain.Detector(module, postprocess=Threshold())
        explanation = xplain.explain(model, photo(), method, batch_size=3, check=False)
        assert explanation.provenance.evaluations == module.count


class Convolutional(nn.Module):
    """Two 3x3 convolutions at half the resolution, and a 1x1 convolution that scores every place."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(8, 2, 1)
        nn.init.uniform_(self.head.weight, 0.1, 1)

    def forward(self, images):
        return self.head(self.body(self.stem(images))).sigmoid()


class Places:
    """A box of 6 x 6 pixels around each place of the head."""

    def candidates(self, maps):
        classes, rows, columns = maps.shape[1:]
        y, x = torch.meshgrid(torch.arange(rows) * 2.0, torch.arange(columns) * 2.0, indexing="ij")
        boxes = torch.stack([x - 2, y - 2, x + 4, y + 4], -1).reshape(-1, 4)
        candidates = []
        for image_maps in maps:
            p = image_maps.reshape(classes, -1).T
            candidates.append({"boxes": boxes, "labels": p.argmax(1), "scores": p.max(1).values, "probabilities": p})
        return candidates

    def __call__(self, maps):
        return [{key: value[[60, 90]] for key, value in detections.items()} for detections in self.candidates(maps)]


def test_the_layer_for_cams_sees_the_whole_box_and_leaves_no_hook():
    module = Convolutional().train()
    model = xplain.Detector(module, postprocess=Places())
    explanation = xplain.explain(model, photo(), "hires-cam", target="all")
    # Beyond the body's convolution a score depends on one place only, before it on 3 x 3, the size of the box.
    assert {a.quality["layer"] for a in explanation.attributions} == {"stem.1"}
    first, second = maps(explanation)
    assert not np.array_equal(first, second)
    assert all(not part._forward_hooks for part in module.modules())
    assert module.training
    assert explanation.provenance.evaluations == 3
    named = xplain.explain(xplain.Detector(module, postprocess=Places(), layer="body"), photo(), "grad-cam")
    assert named.attributions[0].quality["layer"] == "body"
    assert named.provenance.evaluations == 2


def test_the_default_of_modules_is_the_mean_square_of_noisy_gradients():
    model = module_detector()  # the gradient of a detection is one over the readings of its patch, and 0 elsewhere
    explanation = xplain.explain(model, photo(), target="all")
    assert explanation.provenance.method == "smoothgrad"
    assert explanation.provenance.options["statistic"] == "square"
    assert explanation.provenance.evaluations == 8 + 2  # one finds the detections, one scores them
    for values, (_, _, (x0, y0, x1, y1)) in zip(maps(explanation), PLANTED, strict=True):
        expected = np.zeros_like(values)
        expected[y0:y1, x0:x1] = 3 * (1 / (3 * (y1 - y0) * (x1 - x0))) ** 2
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-12)


def test_a_module_without_feature_maps_is_told_so():
    with refuses(AttributionError, "model must have a layer with feature maps", "name one with layer=..."):
        xplain.explain(module_detector(), photo(), "grad-cam")
    with refuses(AttributionError, "must have gradients"):

        def detached(scores):
            return [
                {key: value.detach() for key, value in detections.items()}
                for detections in Threshold(least=0.1)(scores)
            ]

        xplain.explain(xplain.Detector(Planted(raw=True), postprocess=detached), photo(), "saliency")


def test_methods_that_do_not_explain_detections_are_refused():
    with refuses(AttributionError, "method must be one that explains detections, got 'rise'", "d-rise, "):
        xplain.explain(module_detector(), photo(), "rise")
    with refuses(AttributionError, "method must be one that explains images, got 'd-rise'", "use one of"):
        xplain.explain(xplain.ImageClassifier(lambda x: x.mean(axis=(1, 2))), photo(), "d-rise")
    with refuses(AttributionError, "needs scores only for a black box, got 'saliency'", "d-rise"):
        xplain.explain(xplain.Detector(black_box()), photo(), "saliency")


def test_candidates_must_be_as_many_for_every_image():
    class Growing(Threshold):
        def candidates(self, scores):
            candidates = super().candidates(scores)
            counts = [1 if image["scores"][0].item() < 0.5 else 2 for image in candidates]
            return [
                {key: value[:count] for key, value in image.items()}
                for image, count in zip(candidates, counts, strict=True)
            ]

    model = xplain.Detector(Planted(raw=True), postprocess=Growing())
    with refuses(InputError, "postprocess.candidates must give as many for every image, got 2 and then 1"):
        xplain.explain(model, photo(), "integrated-gradients", target="1")


def test_the_part_of_a_box_that_a_gradient_reaches():
    slope = torch.zeros(1, 2, 4, 4)
    slope[0, 1, :2, :2] = 1
    prepared = xplain.Detector(black_box()).prepare(np.zeros((8, 8, 3), np.uint8))
    assert reached_fraction(slope, np.array([0.0, 0, 4, 4]), prepared) == 1.0
    assert reached_fraction(slope, np.array([0.0, 0, 8, 4]), prepared) == 0.5
    assert reached_fraction(slope, np.array([-4.0, -4, 12, 12]), prepared) == 0.25
    assert reached_fraction(None, np.array([0.0, 0, 4, 4]), prepared) == 0.0
