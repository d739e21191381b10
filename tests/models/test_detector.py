from types import SimpleNamespace

import numpy as np
import pytest
import torch

import xplain
from tests.detectors import PLANTED, Planted, Threshold, black_box, module_detector, photo
from tests.support import refuses
from xplain import Box, InputError, Prediction, UnknownNameError
from xplain.models.detections import Detections, best_match, read_detections, similarity

FOUND = {"boxes": [[0, 0, 4, 4], [2, 2, 6, 8]], "labels": [1, 0], "scores": [0.5, 0.9]}


def constant(output=FOUND):
    return lambda images: [output for _ in images]


def test_detections_are_predictions_by_decreasing_score():
    predictions = xplain.predict(xplain.Detector(constant(), ["cat", "dog"]), np.zeros((8, 8, 3), np.uint8))
    assert predictions == (
        Prediction("cat", 0.9, region=Box(2, 2, 6, 8, "pixel"), id=0),
        Prediction("dog", 0.5, region=Box(0, 0, 4, 4, "pixel"), id=1),
    )
    assert xplain.predict(xplain.Detector(constant()), photo(), top=1)[0].name == "0"


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "shorter-side"])
def test_boxes_are_in_pixels_of_the_photo(resize):
    preprocess = xplain.Preprocess(size=(40, 20), resize=resize)
    image = np.zeros((100, 200, 3), np.uint8)
    image[30:60, 90:110] = 255

    def brightest(images):
        bright = images[0, 0] > 0.5
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        return [{"boxes": [box], "labels": [0], "scores": [1.0]}]

    (brightest_spot,) = xplain.Detector(brightest, preprocess=preprocess).predict(image)
    corners = [brightest_spot.region.x0, brightest_spot.region.y0, brightest_spot.region.x1, brightest_spot.region.y1]
    np.testing.assert_allclose(corners, [90, 30, 110, 60], atol=6)


def test_boxes_and_their_geometry_are_inverse():
    _, geometry = xplain.Preprocess(size=(40, 20), resize="letterbox")(np.zeros((100, 200, 3), np.uint8))
    boxes = np.array([[10.0, 20, 30, 90], [0, 0, 200, 100]])
    np.testing.assert_allclose(geometry.boxes_to_original(geometry.boxes_to_input(boxes)), boxes)
    np.testing.assert_allclose(geometry.boxes_to_original([-5, -5, 50, 50]), [0, 0, 200, 100])


@pytest.mark.parametrize(
    "output",
    [
        {key: torch.tensor(value) for key, value in FOUND.items()},
        {key: np.array(value) for key, value in FOUND.items()},
        SimpleNamespace(**{key: np.array(value) for key, value in FOUND.items()}),
        {
            "boxes": np.array(FOUND["boxes"]) / (32, 24, 32, 24),
            "labels": [1, 0],
            "scores": [0.5, 0.9],
            "unit": "fraction",
        },
        SimpleNamespace(
            boxes=SimpleNamespace(
                xyxy=torch.tensor(FOUND["boxes"]), cls=torch.tensor([1.0, 0.0]), conf=torch.tensor(FOUND["scores"])
            )
        ),
    ],
    ids=["tensors", "arrays", "object", "fractions", "ultralytics"],
)
def test_what_detectors_return(output):
    predictions = xplain.Detector(constant(output)).predict(photo())
    assert [(p.name, round(p.score, 6)) for p in predictions] == [("0", 0.9), ("1", 0.5)]
    np.testing.assert_allclose([p.region.x1 for p in predictions], [6, 4])


def test_names_may_stand_for_class_numbers():
    model = xplain.Detector(constant({**FOUND, "labels": ["dog", "cat"]}))
    assert [(p.name, p.id) for p in model.predict(photo())] == [("cat", None), ("dog", None)]
    named = xplain.Detector(lambda x: [with_names(output) for output in black_box()(x)])
    explanation = xplain.explain(named, photo(), "occlusion")
    assert explanation.attributions[0].target.name == explanation.predictions[0].name


def with_names(output):
    return {**output, "labels": [("cat", "dog")[i] for i in output["labels"]]}


def test_no_detections_are_no_error():
    for empty in (
        {"boxes": [], "labels": [], "scores": []},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long), "scores": torch.zeros(0)},
    ):
        assert xplain.Detector(constant(empty)).predict(photo()) == ()


def test_logits_pass_a_sigmoid():
    (prediction,) = xplain.Detector(
        constant({"boxes": [[0, 0, 1, 1]], "labels": [0], "scores": [2.0]}), output="logit"
    ).predict(photo())
    assert prediction.score == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.parametrize(
    ("output", "fragment"),
    [
        (
            np.zeros((1, 5)),
            "must be one mapping with boxes, labels and scores for each image, got ndarray; for raw tensors",
        ),
        ([FOUND, FOUND], "model output must have 1 mappings, one for each image, got 2"),
        (
            [{"boxes": [[0, 0, 1, 1]]}],
            "model output[0] must have boxes, labels and scores, got no labels and no scores",
        ),
        ([{**FOUND, "boxes": [[0, 0, 1]] * 2}], "model output[0]['boxes'] must be of shape (2, 4), got (2, 3)"),
        ([{**FOUND, "labels": [1]}], "model output[0]['labels'] must be of shape (2,), got (1,)"),
        ([{**FOUND, "scores": [0.1, np.nan]}], "model output[0]['scores'] must be finite"),
        ([{**FOUND, "scores": ["a", "b"]}], "model output[0]['scores'] must be an array of numbers"),
        ([{**FOUND, "probabilities": [[0.1], [0.2], [0.3]]}], "['probabilities'] must be of shape (2, 1), got (3, 1)"),
        ([{**FOUND, "unit": "inch"}], "model output[0]['unit'] must be one of"),
        ([{**FOUND, "boxes": [[4, 0, 0, 4]] * 2}], "Box must have x0 <= x1"),
    ],
)
def test_other_outputs_are_refused(output, fragment):
    with refuses(InputError, fragment):
        xplain.Detector(lambda images: output).predict(photo())


def test_one_mapping_for_one_image_is_itself():
    (image,) = read_detections({key: np.array(value) for key, value in FOUND.items()}, 1, (8, 8))
    assert len(image) == 2


def test_labels_must_name_every_class():
    with refuses(InputError, "labels must name every class that is detected, got 1 labels and class 1"):
        xplain.Detector(constant(), ["cat"]).predict(photo())


def detections(rng, m, classes=None):
    corners = rng.uniform(0, 6, (m, 2))
    boxes = np.hstack([corners, corners + rng.uniform(1, 5, (m, 2))])
    p = None if classes is None else rng.uniform(0.01, 1, (m, classes))
    labels = rng.integers(0, 3, m) if p is None else p.argmax(1)
    return Detections(boxes, labels, rng.uniform(size=m) if p is None else p.max(1), p)


@pytest.mark.parametrize("classes", [None, 3])
def test_similarity_is_overlap_times_class_and_the_same_for_tensors(classes):
    rng = np.random.default_rng(0)
    targets, others = detections(rng, 3, classes), detections(rng, 9, classes)
    expected = np.zeros((3, 9))
    for t in range(3):
        for j in range(9):
            (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = targets.boxes[t], others.boxes[j]
            shared = max(0, min(ax1, bx1) - max(ax0, bx0)) * max(0, min(ay1, by1) - max(ay0, by0))
            union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared
            match = others.scores[j] * (targets.labels[t] == others.labels[j])
            if classes:
                p, q = targets.probabilities[t], others.probabilities[j]
                match = p @ q / np.linalg.norm(p) / np.linalg.norm(q) * q[targets.labels[t]]
            expected[t, j] = shared / union * match
    np.testing.assert_allclose(similarity(targets, others), expected)
    np.testing.assert_allclose(best_match(targets, others), expected.max(axis=1))
    like = torch.zeros(1, dtype=torch.float64)
    np.testing.assert_allclose(best_match(targets.tensors(like), others.tensors(like)), expected.max(axis=1))
    far = Detections(others.boxes + 100, others.labels, others.scores, others.probabilities)
    assert best_match(targets, far).tolist() == [0, 0, 0]
    np.testing.assert_allclose(best_match(others, others), others.scores, atol=1)
    if classes is None:
        np.testing.assert_allclose(np.diag(similarity(others, others)), others.scores)


def names_of_targets(target, model=None):
    model = model or xplain.Detector(black_box(), ["cat", "dog"])
    prepared = model.prepare(photo())
    ((detections,), _) = model.detect(prepared.array[np.newaxis])
    return [prediction.name for prediction in model.targets(target, detections, prepared.geometry)[1]]


def test_targets():
    names = names_of_targets("all")
    assert sorted(names) == ["cat", "dog"]
    assert names_of_targets(None) == names_of_targets(0) == names_of_targets("top-1") == names[:1]
    assert names_of_targets("top-5") == names_of_targets([0, 1, "Cat"]) == names
    assert names_of_targets("DOG") == ["dog"]
    assert names_of_targets(Prediction(names[1], 0.3, region=Box(0, 0, 5, 5, "pixel"))) == [names[1]]


@pytest.mark.parametrize(
    ("target", "fragment"),
    [
        (2, "target must be a detection from 0 to 1, got 2"),
        (-1, "target must be a detection from 0 to 1, got -1"),
        ([], "target must name at least one detection"),
        (0.5, "target must be an integer"),
        (Prediction("cat", 1.0), "target must be a prediction with a Box"),
    ],
)
def test_targets_that_cannot_be_used_are_refused(target, fragment):
    with refuses(InputError, fragment):
        names_of_targets(target)


def test_unknown_labels_are_refused():
    with refuses(UnknownNameError, "'cow'"):
        names_of_targets("cow")
    with refuses(UnknownNameError, "'cow'"):
        names_of_targets(Prediction("cow", 1.0, region=Box(0, 0, 1, 1)))


def test_modules_are_left_as_they_were():
    model = module_detector()
    model.module.train()
    assert len(model.predict(photo())) == 2
    assert model.module.training
    assert repr(model) == "Detector(Planted, torch module)"
    plain = xplain.Detector(Planted()).predict(photo())
    assert [p.region for p in plain] == [p.region for p in model.predict(photo())]
    assert len(PLANTED) == len(plain)
    assert Threshold().boxes.shape == (2, 4)


@pytest.mark.parametrize(("name", "value"), [("postprocess", 3), ("preprocess", 3), ("output", "x"), ("layer", 3)])
def test_constructor_arguments_are_checked(name, value):
    with refuses(InputError, f"{name} must be"):
        xplain.Detector(constant(), **{name: value})


def test_half_precision_is_read():
    output = {key: torch.tensor(value) for key, value in FOUND.items()}
    output |= {"scores": output["scores"].bfloat16(), "boxes": output["boxes"].half()}
    assert [p.score for p in xplain.Detector(constant(output)).predict(photo())] == pytest.approx([0.9, 0.5], abs=0.01)
    model = module_detector()
    model.module.bfloat16()
    values = xplain.explain(model, photo(), "saliency").attributions[0].evidence.values
    assert np.count_nonzero(values) in (36, 48)
