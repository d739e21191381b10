import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.support import refuses
from xplain import InputError, Mask, Prediction, UnknownNameError
from xplain.models.segmenter import region_weights


def colours(images):
    """Three classes, red, green and blue: probabilities (n, 3, height, width)."""
    values = np.asarray(images, np.float64).transpose(0, 3, 1, 2) + 1e-9
    return values / values.sum(axis=1, keepdims=True)


def flag():
    """6 x 10: red on the left, green on the right, two blue spots."""
    image = np.zeros((6, 10, 3), np.uint8)
    image[:, :4, 0] = 255
    image[:, 4:, 1] = 255
    image[0:2, 0:2] = image[4:6, 7:9] = (0, 0, 255)
    return image


NAMES = ["red", "green", "blue"]


def model(**options):
    return xplain.Segmenter(colours, NAMES, output="probability", **options)


def test_each_class_that_is_the_best_somewhere_is_a_prediction_with_its_mask():
    predictions = xplain.predict(model(), flag())
    assert [(prediction.name, prediction.region.area, prediction.id) for prediction in predictions] == [
        ("green", 32, 1),
        ("red", 20, 0),
        ("blue", 8, 2),
    ]
    assert [prediction.score for prediction in predictions] == pytest.approx([1.0] * 3)
    np.testing.assert_array_equal(predictions[1].region.to_array(), flag()[..., 0] > 0)
    assert [prediction.name for prediction in xplain.predict(model(), flag(), top=2)] == ["green", "red"]
    assert [prediction.name for prediction in model(background=1).predict(flag())] == ["red", "blue"]


def test_connected_parts_are_predictions_of_their_own():
    predictions = model().predict(flag(), components=True)
    assert [(prediction.name, prediction.region.area) for prediction in predictions] == [
        ("green", 32),
        ("red", 20),
        ("blue", 4),
        ("blue", 4),
    ]
    assert {prediction.region.bbox.x0 for prediction in predictions[2:]} == {0.0, 7.0}


@pytest.mark.parametrize(("output", "level"), [("probability", 0.5), ("logit", 0.0)])
def test_one_class_is_the_foreground(output, level):
    def bright(images):
        return (images[..., 0] > 0) * 1.0 - (0.5 - level)  # (n, height, width)

    (foreground,) = xplain.Segmenter(bright, output=output).predict(flag())
    assert foreground.region.area == 20
    assert foreground.label == ("0",)
    assert foreground.score == pytest.approx(1.0 if output == "probability" else 1 / (1 + np.exp(-0.5)))
    assert xplain.Segmenter(bright, output=output).predict(np.zeros((4, 4, 3), np.uint8)) == ()


def test_coarse_maps_cover_the_photo_and_padding_is_left_out():
    def coarse(images):
        return colours(images.transpose(0, 2, 3, 1))[:, :, ::4, ::4]

    preprocess = xplain.Preprocess(size=(16, 16), resize="letterbox", fill=255)
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, :20, 0] = image[:, 20:, 2] = 255
    predictions = xplain.Segmenter(coarse, NAMES, preprocess, output="probability").predict(image)
    assert {prediction.name for prediction in predictions} == {"red", "blue"}
    assert sum(prediction.region.area for prediction in predictions) == 800
    assert [abs(prediction.region.area - 400) <= 40 for prediction in predictions] == [True, True]


def test_what_a_crop_cuts_off_belongs_to_no_class():
    preprocess = xplain.Preprocess(size=8, resize="shorter-side")
    segmenter = xplain.Segmenter(lambda x: colours(x.transpose(0, 2, 3, 1)), NAMES, preprocess, output="probability")
    predictions = segmenter.predict(np.full((8, 16, 3), (255, 0, 0), np.uint8))
    assert [(prediction.name, prediction.region.area, prediction.region.bbox.x0) for prediction in predictions] == [
        ("red", 64, 4.0)
    ]
    prepared = segmenter.prepare(np.full((8, 16, 3), 9, np.uint8))
    with refuses(InputError, "region must overlap what the model sees of the image"):
        segmenter.targets("red", segmenter.maps(prepared.array[None])[0], prepared.geometry, region=(1, 3))


def test_weights_are_the_part_of_a_region_in_each_cell():
    geometry = model().prepare(np.zeros((4, 6, 3), np.uint8)).geometry
    region = np.zeros((4, 6), bool)
    region[:, :3] = True
    np.testing.assert_allclose(region_weights(region, geometry, (2, 3)), [[1 / 3, 1 / 6, 0]] * 2)
    np.testing.assert_allclose(region_weights(None, geometry, (2, 3)), np.full((2, 3), 1 / 6))


def targets(target=None, region=None):
    segmenter = model()
    prepared = segmenter.prepare(flag())
    maps = segmenter.maps(prepared.array[np.newaxis])[0]
    region_targets = segmenter.targets(target, maps, prepared.geometry, region)
    return [(region_target.prediction.name, region_target) for region_target in region_targets]


def test_targets_are_regions_that_are_predicted():
    assert [name for name, _ in targets()] == ["green"]
    assert [name for name, _ in targets("all")] == ["green", "red", "blue"]
    assert [name for name, _ in targets("top-2")] == ["green", "red"]
    assert [name for name, _ in targets(["blue", 0, "Blue"])] == ["blue", "red"]
    parts = model().predict(flag(), components=True)
    ((name, target),) = targets(parts[2])
    assert (name, target.index, target.prediction.region) == ("blue", 2, parts[2].region)
    assert target.weights.sum() == pytest.approx(1)
    ((_, asked),) = targets(Prediction("red", 1.0, region=Mask.from_array(flag()[..., 1] > 0)))
    assert asked.prediction.score == pytest.approx(0, abs=1e-6)  # the model's own, not the caller's


def test_targets_over_a_region():
    ((name, target),) = targets(region=(0, 0))
    assert (name, target.prediction.region.area, target.prediction.score) == ("blue", 1, pytest.approx(1))
    ((name, target),) = targets("red", region="image")
    assert (name, target.prediction.region, target.prediction.score) == ("red", None, pytest.approx(20 / 60))
    half = np.zeros((6, 10), bool)
    half[:, :5] = True
    assert [name for name, _ in targets("top-2", region=half)] == ["red", "green"]
    assert targets("red", region=Mask.from_array(half))[0][1].prediction.score == pytest.approx(20 / 30)


@pytest.mark.parametrize(
    ("target", "region", "fragment"),
    [
        ("teal", None, "target must be one of"),
        ([], None, "target must name at least one class"),
        (Prediction("red", 1.0, region=xplain.Box(0, 0, 1, 1)), None, "a prediction whose region is a Mask or None"),
        (Prediction("teal", 1.0), None, "a prediction of this model's classes, got 'teal'"),
        ("red", (10, 0), "region must be a point inside 10x6 pixels, got (10, 0)"),
        ("red", (0.5, 0), "region must be an integer"),
        ("red", "everything", "region must be 'image', a Mask, a bool array (6, 10), or a point (x, y)"),
        ("red", np.ones((3, 3), bool), "got bool of shape (3, 3)"),
        ("red", np.ones((6, 10)), "got float64 of shape (6, 10)"),
        ("red", np.zeros((6, 10), bool), "region must hold at least one pixel"),
    ],
)
def test_targets_that_cannot_be_used_are_refused(target, region, fragment):
    kind = UnknownNameError if target == "teal" else InputError
    with refuses(kind, fragment if target != "teal" else "teal"):
        targets(target, region)


def test_a_class_that_is_nowhere_needs_a_region():
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 9
    with refuses(InputError, "target must be a class that is predicted somewhere, got 'blue'", "region='image'"):
        xplain.explain(model(), red, "occlusion", target="blue")
    nothing = xplain.Segmenter(lambda images: images[..., 0] * 0.0 - 1)
    with refuses(InputError, "target must be a class that is predicted somewhere, got none"):
        xplain.explain(nothing, red, "occlusion")


@pytest.mark.parametrize(
    ("function", "fragment"),
    [
        (
            lambda x: x.mean(axis=(1, 2)),
            "model output must be of shape (1, classes, h, w) for a batch of 1, got (1, 3)",
        ),
        (lambda x: colours(x)[:, :2], "labels must be 2 labels, one for each output of the model, got 3"),
        (lambda x: colours(x) * np.nan, "model output must be finite"),
        (lambda x: "maps", "got ()"),
    ],
)
def test_other_outputs_are_refused(function, fragment):
    with refuses(InputError, fragment):
        xplain.Segmenter(function, NAMES, output="probability").predict(flag())


def test_modules_may_return_what_torchvision_and_transformers_return():
    class Wrapped(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.kind = kind

        def forward(self, x):
            maps = torch.cat([x[:, :1], x[:, 2:]], 1)
            return {"plain": maps, "out": {"out": maps, "aux": maps * 0}, "tuple": (maps, x)}.get(
                self.kind, type("Output", (), {"logits": maps})
            )

    for kind in ("plain", "out", "tuple", "logits"):
        predictions = xplain.Segmenter(Wrapped(kind)).predict(flag())
        assert [(prediction.name, prediction.region.area) for prediction in predictions] == [("0", 52), ("1", 8)]


def test_half_precision_is_read():
    class Colours(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))

        def forward(self, x):
            return x * self.scale

    predictions = xplain.Segmenter(Colours(), NAMES).predict(flag())
    assert [prediction.region.area for prediction in predictions] == [32, 20, 8]
