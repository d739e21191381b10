"""Objects of other libraries: what they say of preprocessing and labels, and modules that were converted."""

import enum
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.models.library_pixels import photo as noise
from tests.support import refuses
from xplain.errors import AttributionError, InputError
from xplain.models import Detector, ImageClassifier, Preprocess, Segmenter

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TIMM = {"input_size": (3, 224, 224), "crop_pct": 0.9, "interpolation": "bicubic", "mean": MEAN, "std": STD}


class InterpolationMode(enum.Enum):
    """As torchvision has it."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


TORCHVISION = SimpleNamespace(
    crop_size=[224], resize_size=[256], mean=list(MEAN), std=list(STD), interpolation=InterpolationMode.BILINEAR
)
TRANSFORMERS = {
    "do_resize": True, "size": {"height": 224, "width": 224}, "resample": 2, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3,
}  # fmt: skip


def changed(settings, **values):
    if isinstance(settings, dict):
        return {**settings, **values}
    return SimpleNamespace(**{**vars(settings), **values})


def test_a_model_of_timm_says_how_images_are_prepared():
    """Its evaluation resizes the shorter side to floor(224 / 0.9) = 248 pixels."""
    expected = Preprocess(224, mean=MEAN, std=STD, crop=224 / 248, interpolation="bicubic")
    module = nn.Linear(1, 1)
    module.pretrained_cfg = module.default_cfg = TIMM
    assert Preprocess.of(module) == expected
    assert Preprocess.of(torch.compile(module, backend="eager")) == expected
    assert Preprocess.of(SimpleNamespace(default_cfg=TIMM)) == expected
    assert Preprocess.of(TIMM) == expected
    squashed = Preprocess.of(changed(TIMM, crop_mode="squash", crop_pct=1.0, input_size=(3, 96, 128)))
    assert squashed == Preprocess((96, 128), "stretch", MEAN, STD, interpolation="bicubic")
    grey = Preprocess.of(changed(TIMM, input_size=(1, 28, 28), mean=(0.1,), std=(0.3,), crop_pct=1.0))
    assert grey == Preprocess(28, mean=0.1, std=0.3, channels="L", interpolation="bicubic")


def test_weights_of_torchvision_say_how_images_are_prepared():
    expected = Preprocess(224, mean=MEAN, std=STD, crop=224 / 256)
    assert Preprocess.of(TORCHVISION) == expected
    assert Preprocess.of(SimpleNamespace(transforms=lambda: TORCHVISION)) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, Preprocess(224, "stretch", 0.5, 0.25)),
        ({"do_normalize": False}, Preprocess(224, "stretch")),
        ({"do_rescale": False}, Preprocess(224, "stretch", 0.5 / 255, 0.25 / 255)),
        ({"do_rescale": None, "rescale_factor": None}, Preprocess(224, "stretch", 0.5, 0.25)),
        ({"rescale_factor": 1 / 127.5}, Preprocess(224, "stretch", 0.25, 0.125)),
        ({"do_resize": False}, Preprocess(None, "none", 0.5, 0.25)),
        ({"resample": 3, "do_flip_channel_order": True},
         Preprocess(224, "stretch", 0.5, 0.25, "BGR", interpolation="bicubic")),
        ({"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
         Preprocess(224, "shorter-side", 0.5, 0.25, crop=0.875)),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, Preprocess(224, "shorter-side", 0.5, 0.25, crop=0.875)),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, Preprocess(384, "stretch", 0.5, 0.25)),
    ],
)  # fmt: skip
def test_image_processors_of_transformers_say_how_images_are_prepared(settings, expected):
    source = changed(TRANSFORMERS, **settings)
    preprocess = Preprocess.of(source)
    for key, value in expected.describe().items():
        assert getattr(preprocess, key) == (pytest.approx(value) if key in ("mean", "std") else getattr(expected, key))
    assert Preprocess.of(SimpleNamespace(image_processor=SimpleNamespace(**source), tokenizer=None)) == preprocess


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ViTImageProcessorPil", {}),
        ("CLIPImageProcessorPil", {"size": {"shortest_edge": 250}}),
        ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 224}}),
        ("ViTImageProcessorPil", {"do_resize": False, "rescale_factor": 1 / 128}),
        ("DeiTImageProcessorPil", {}),
        ("BitImageProcessorPil", {"size": {"shortest_edge": 57}, "crop_size": {"height": 48, "width": 41}}),
        ("SegformerImageProcessorPil", {"size": {"height": 100, "width": 131}}),
        ("DPTImageProcessorPil", {}),
    ],
)
def test_real_image_processors_do_the_same(name, settings):
    """To the pixel, on a photo whose sides are odd, and none of them a multiple of the input's."""
    transformers = pytest.importorskip("transformers", reason="transformers is in the test group")
    processor = getattr(transformers, name, None) or getattr(transformers, name.removesuffix("Pil"))
    processor = processor(**settings)
    photo = noise(251, 303)
    expected = np.asarray(processor(photo, return_tensors="np")["pixel_values"][0])
    preprocess = Preprocess.of(processor)
    assert type(preprocess) is Preprocess  # nothing of transformers is called
    array, _ = preprocess(photo)
    assert array.shape == expected.shape
    np.testing.assert_allclose(array, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("source", "fragments"),
    [
        (nn.Linear(1, 1), ["source must say how images are prepared", "got Linear", "xplain.Preprocess(size="]),
        (changed(TIMM, crop_mode="top"), ["crop_mode must be one of 'center', 'squash', 'border', got 'top'"]),
        (changed(TIMM, interpolation="lanczos"), ["interpolation must be bilinear or bicubic, got 'lanczos'"]),
        (changed(TORCHVISION, interpolation=InterpolationMode.NEAREST), ["got 'nearest'"]),
        (changed(TORCHVISION, crop_size=None), ["a resize of the shorter side and a crop, got (256,) and ()"]),
        (changed(TORCHVISION, crop_size=[288]), ["crop_size must be at most the shorter side of 256, got (288, 288)"]),
        (changed(TIMM, mean=None), ["preprocessing's mean must be numbers, one for each channel, got None"]),
        (
            changed(TRANSFORMERS, size=224),
            ["size must be a height and a width, or a shortest_edge and a crop, got 224"],
        ),
        (changed(TRANSFORMERS, do_pad=True), ["do_pad must be False, got True", "write it out"]),
        (changed(TRANSFORMERS, rescale_offset=True), ["rescale_offset must be False"]),
        (changed(TRANSFORMERS, size={"shortest_edge": 800, "longest_edge": 1333}), ["size must be a height"]),
        (changed(TRANSFORMERS, do_resize=False, do_center_crop=True), ["do_center_crop must be False"]),
    ],
)
def test_other_preprocessing_is_refused(source, fragments):
    with refuses(InputError, *fragments):
        Preprocess.of(source)


def test_labels_are_read_from_the_model():
    module = nn.Flatten()
    assert ImageClassifier(module).labels is None
    module.config = SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"})
    assert ImageClassifier(module).labels is None
    module.config.id2label = {0: "cat", 1: "dog"}
    for model in (module, torch.compile(module, backend="eager")):
        assert ImageClassifier(model).labels == (("cat",), ("dog",))
        assert Segmenter(model).labels == (("cat",), ("dog",))
    assert ImageClassifier(module, labels=["a", "b"]).labels == (("a",), ("b",))


def test_ultralytics_and_torchvision_detections_and_their_names():
    """Results with ``boxes.xyxy``, ``boxes.conf`` and ``boxes.cls``, and mappings; names come from the model."""

    class Results:
        def __init__(self):
            xyxy, conf, cls = torch.tensor([[1.0, 1, 5, 5]]), torch.tensor([0.75]), torch.tensor([1.0])
            self.boxes = SimpleNamespace(xyxy=xyxy, conf=conf, cls=cls)

    class Yolo:
        names = {0: "cat", 1: "dog"}  # noqa: RUF012 - as ultralytics has it

        def __call__(self, images):
            return [Results() for _ in images]

    (dog,) = Detector(Yolo()).predict(np.zeros((8, 8, 3), np.uint8))
    assert (dog.name, dog.score, dog.region.x1) == ("dog", 0.75, 5.0)

    class TorchVision(nn.Module):
        def forward(self, images):
            boxes, labels = torch.tensor([[1.0, 1, 5, 5]]), torch.tensor([1])
            return [{"boxes": boxes, "labels": labels, "scores": image.mean()[None]} for image in images]

    module = TorchVision()
    module.config = SimpleNamespace(id2label=Yolo.names)
    explanation = xplain.explain(Detector(module), np.full((8, 8, 3), 255, np.uint8), "saliency")
    assert explanation.predictions[0].name == "dog"
    assert explanation.attributions[0].evidence.values.min() > 0


def test_detections_of_supervision():
    """As an object with ``xyxy``, ``confidence`` and ``class_id``, alone or one for each image."""

    def found(**values):
        defaults = {"xyxy": np.array([[1.0, 1, 5, 5]]), "confidence": np.array([0.75], np.float32),
                    "class_id": np.array([1]), "mask": None, "data": {"class_name": np.array(["dog"])}}  # fmt: skip
        return SimpleNamespace(**{**defaults, **values})

    photo = np.zeros((8, 8, 3), np.uint8)
    for detections in (found(), [found()], found(class_id=None)):
        (dog,) = Detector(lambda images, each=detections: each, labels=["cat", "dog"]).predict(photo)
        assert (dog.name, dog.score, dog.region.x1) == ("dog", 0.75, 5.0)
    with refuses(InputError, "model output[0] must have boxes, labels and scores, got no scores"):
        Detector(lambda images: found(confidence=None)).predict(photo)


def test_scores_that_are_no_probabilities_are_refused():
    for score, fragment in ((87.5, "got 87.5 to 87.5; for logits pass output='logit'"), (-2.0, "got -2 to -2")):
        found = {"boxes": [[1.0, 1, 5, 5]], "labels": [1], "scores": [score]}
        with refuses(InputError, "model output must hold scores from 0 to 1", fragment):
            Detector(lambda images, each=found: [each]).predict(np.zeros((8, 8, 3), np.uint8))
        assert Detector(lambda images, each=found: [each], output="logit").predict(np.zeros((8, 8, 3), np.uint8))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.features(x).mean(dim=(2, 3)))


def converted(how):
    module, example = Network().eval(), (torch.zeros(2, 3, 8, 8),)
    if how == "compiled":
        return torch.compile(module, backend="eager")
    if how == "exported":
        batch = torch.export.Dim("batch", min=1, max=64)
        return torch.export.export(module, example, dynamic_shapes=({0: batch},)).module()
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.trace(module, example) if how == "traced" else torch.jit.script(module)


@pytest.mark.parametrize("how", ["compiled", "exported", "traced", "scripted"])
def test_converted_modules_have_gradients_and_refuse_layers(how):
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    plain, model = ImageClassifier(Network()), ImageClassifier(converted(how))
    for method in ("saliency", "integrated-gradients", "occlusion"):
        options = {"window": 4, "stride": 4} if method == "occlusion" else {}
        expected, actual = (xplain.explain(classifier, photo, method, **options) for classifier in (plain, model))
        np.testing.assert_allclose(
            actual.attributions[0].evidence.values, expected.attributions[0].evidence.values, rtol=1e-4, atol=1e-7
        )
    if how == "compiled":  # is unwrapped
        assert xplain.explain(model, photo, "grad-cam").attributions[0].quality["layer"] == "features.1"
        return
    for options in ({}, {"layer": "features"}):
        with refuses(AttributionError, "integrated-gradients"):
            xplain.explain(model, photo, "grad-cam", **options)
