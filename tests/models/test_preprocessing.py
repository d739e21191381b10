"""The inputs of torchvision, timm and transformers, pixel for pixel; and functions of others, called and measured."""

import functools
import json
import pickle
from dataclasses import astuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import xplain
from tests.models.library_pixels import FOLDER, PHOTOS, photo
from tests.support import examples, refuses
from xplain import InputError, Preprocess
from xplain.models import Geometry

CASES = json.loads((FOLDER / "cases.json").read_text())


def declaration(case):
    """Return what a library's own object says of itself, as an object that cannot be called."""
    if "transforms" not in case:
        return case
    return SimpleNamespace(transforms=[type(name, (), attributes)() for name, attributes in case["transforms"]])


@pytest.mark.parametrize("name", CASES)
def test_inputs_are_those_of_the_library_pixel_for_pixel(name):
    preprocess = Preprocess.of(declaration(CASES[name]))
    with np.load(FOLDER / "pixels.npz") as stored:
        expected = stored[name]
    for size, pixels in zip(PHOTOS, expected, strict=True):
        array, geometry = preprocess(photo(*size))
        assert (geometry.height, geometry.width) == size
        assert (geometry.input_height, geometry.input_width) == pixels.shape[:2] == array.shape[1:]
        made = (array.transpose(1, 2, 0).astype(np.float64) * preprocess.std + preprocess.mean) * 255
        np.testing.assert_allclose(made, pixels, rtol=0, atol=2e-3, err_msg=f"{size}")


@examples(60)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40), st.integers(0, 9), st.booleans())
def test_any_photo_is_resized_and_cropped_by_the_rule_of_torchvision(height, width, crop, more, down):
    """Its functions ``resize`` and ``center_crop``, and the crop of transformers, written out."""
    image, shorter = Image.fromarray(photo(height, width)), crop + more
    longer = int(shorter * max(height, width) / min(height, width))
    size = (shorter, longer) if width <= height else (longer, shorter)
    left, top = ((side - crop) // 2 if down else round((side - crop) / 2.0) for side in size)
    expected = image.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + crop, top + crop))
    rounding = "down" if down else "even"
    preprocess = Preprocess(crop, crop=crop / shorter, interpolation="bicubic", rounding=rounding)
    array, geometry = preprocess(photo(height, width))
    assert np.array_equal(np.rint(array.transpose(1, 2, 0) * 255), np.asarray(expected))
    assert (geometry.offset_x, geometry.offset_y) == (-left, -top)
    assert (geometry.scale_x * width, geometry.scale_y * height) == pytest.approx(size)


def as_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


class TensorResize:
    """As libraries that resize tensors in place of images do: no grey value is rounded before the crop."""

    def __init__(self, shorter, crop, mode="bilinear"):
        self.shorter, self.crop, self.mode = shorter, crop, mode

    def __call__(self, image):
        ratio = self.shorter / min(image.size)
        size = int(image.height * ratio + 1e-9), int(image.width * ratio + 1e-9)
        resized = torch.nn.functional.interpolate(as_tensor(image)[None], size, mode=self.mode, antialias=True)
        top, left = (round((side - self.crop) / 2) for side in size)
        return resized[..., top : top + self.crop, left : left + self.crop] * 2 - 1


@examples(20)
@given(st.integers(12, 200), st.integers(12, 200), st.sampled_from(["bilinear", "bicubic"]))
def test_what_resizes_tensors_is_called_and_its_geometry_measured_to_the_pixel(height, width, mode):
    function = TensorResize(32, 24, mode)
    preprocess = Preprocess.of(function)
    array, geometry = preprocess(photo(height, width))
    assert np.array_equal(array, function(Image.fromarray(photo(height, width)))[0].numpy())
    assert geometry == Preprocess(size=24, crop=24 / 32).place(height, width)


@pytest.mark.parametrize("name", ["DetrImageProcessorPil", "YolosImageProcessorPil", "MaskFormerImageProcessorPil",
                                  "EfficientNetImageProcessorPil", "ViltImageProcessorPil"])  # fmt: skip
@pytest.mark.parametrize("size", [(61, 97), (90, 31)])
def test_processors_with_rules_of_their_own_are_called(name, size):
    transformers = pytest.importorskip("transformers", reason="transformers is in the test group")
    sizes = {"Detr": {"shortest_edge": 70, "longest_edge": 101}, "Yolos": {"shortest_edge": 70, "longest_edge": 101},
             "MaskFormer": {"shortest_edge": 70, "longest_edge": 101}, "EfficientNet": {"height": 40, "width": 44},
             "Vilt": {"shortest_edge": 70}}  # fmt: skip
    processor = getattr(transformers, name)(size=sizes[name.removesuffix("ImageProcessorPil")])
    array, geometry = Preprocess.of(processor)(photo(*size))
    expected = processor(images=Image.fromarray(photo(*size)), return_tensors="np")["pixel_values"][0]
    assert np.array_equal(array, expected)
    blob = np.zeros((*size, 3), np.uint8)
    rows, columns = np.mgrid[: size[0], : size[1]]
    blob[...] = (255 * np.exp(-((rows - 40.2) ** 2 + (columns - 20.7) ** 2) / 40))[:, :, np.newaxis]
    weights = geometry.to_original(
        np.abs(Preprocess.of(processor)(blob)[0][0] - Preprocess.of(processor)(blob * 0)[0][0])
    )
    weights /= weights.sum()
    assert (weights * rows).sum() == pytest.approx(40.2, abs=0.3)
    assert (weights * columns).sum() == pytest.approx(20.7, abs=0.3)


def test_a_preprocess_is_its_own():
    preprocess = Preprocess(size=8)
    assert Preprocess.of(preprocess) is preprocess


def test_steps_of_evaluation_become_settings():
    """A Compose by the names of its steps; a step that leaves an RGB photo as it is does not matter."""
    steps = [
        ("Resize", {"size": 32}),
        ("CenterCrop", {"size": (24, 24)}),
        ("Normalize", {"mean": [0.5], "std": [0.25]}),
    ]

    class Compose:
        def __init__(self, *more):
            named = [type(name, (), {**values, "interpolation": "bilinear"})() for name, values in steps]
            self.transforms = [*named, *more]

        def __call__(self, image):
            inner = Preprocess(size=24, crop=0.75).place(image.height, image.width)
            size = round(inner.scale_x * image.width), round(inner.scale_y * image.height)
            left, top = -int(inner.offset_x), -int(inner.offset_y)
            cropped = image.resize(size, Image.Resampling.BILINEAR).crop((left, top, left + 24, top + 24))
            return (as_tensor(cropped) - 0.5) / 0.25

    expected = Preprocess(size=24, crop=0.75, mean=(0.5,) * 3, std=(0.25,) * 3)
    assert Preprocess.of(Compose()) == Preprocess.of(Compose(lambda image: image.convert("RGB"))) == expected
    random = type("RandomHorizontalFlip", (), {})()
    with refuses(InputError, "transforms must be those of evaluation, got RandomHorizontalFlip"):
        Preprocess.of(SimpleNamespace(transforms=Compose(random).transforms))


def halve(image):
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    return as_tensor(small)[None]


def test_a_function_is_given_an_image_or_an_array_and_returns_any_array():
    pixels = photo(40, 30)
    expected = halve(Image.fromarray(pixels))[0].numpy()

    def by_index(array):  # takes no image
        height, width = (side // 2 * 2 for side in array.shape[:2])
        means = array[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
        return means.transpose(2, 0, 1) / 255

    for function in (halve, lambda image: {"pixel_values": halve(image)}, lambda image: [halve(image).numpy()[0]]):
        array, geometry = Preprocess.from_callable(function)(pixels)
        assert array.dtype == np.float32
        assert np.array_equal(array, expected)
        assert geometry == Geometry(40, 30, 20, 15, 0.5, 0.5)
    array, geometry = Preprocess.from_callable(by_index)(pixels)
    assert np.abs(array - expected).max() <= 1.01 / 255
    assert geometry == Geometry(40, 30, 20, 15, 0.5, 0.5)


def test_a_declared_geometry_is_taken():
    pixels = photo(40, 30)
    gamma = functools.partial(curved, size=(20, 20))
    with refuses(InputError, "changes brightness other than in proportion; say which part of the photo it shows"):
        Preprocess.from_callable(gamma)
    for declared, expected in (
        ("stretch", Geometry(40, 30, 20, 20, 0.5, 2 / 3)),
        ("letterbox", Geometry(40, 30, 20, 20, 0.5, 0.5, 0, 2.5)),
        ("shorter-side", Geometry(40, 30, 20, 20, 2 / 3, 2 / 3, (20 - 80 / 3) / 2, 0)),
        (Preprocess(size=20), Preprocess(size=20).place(40, 30)),
        (Geometry(40, 30, 20, 20, 0.3, 0.4, 1, 2), Geometry(40, 30, 20, 20, 0.3, 0.4, 1, 2)),
        (lambda height, width: Geometry(height, width, 20, 20, 0.5, 0.5), Geometry(40, 30, 20, 20, 0.5, 0.5)),
    ):
        array, geometry = Preprocess.from_callable(gamma, geometry=declared)(pixels)
        assert np.array_equal(array, gamma(Image.fromarray(pixels)))
        assert astuple(geometry) == pytest.approx(astuple(expected))
    assert Preprocess.from_callable(gamma, Preprocess(size=20)).size == (20, 20)
    again = pickle.loads(pickle.dumps(Preprocess.from_callable(gamma, "stretch")))
    assert again(pixels)[1] == Geometry(40, 30, 20, 20, 0.5, 2 / 3)


def curved(image, size):
    return (np.asarray(image.resize(size[::-1])) / 255.0).transpose(2, 0, 1).astype(np.float32) ** 2.2


def cut_margins(image):
    box = Image.fromarray((np.asarray(image) < 250).any(2)).getbbox() or (0, 0, *image.size)
    return as_tensor(image.crop(box).resize((50, 50)))


@pytest.mark.parametrize(
    ("function", "fragment"),
    [
        (lambda image: as_tensor(image).flip(2), "mirrors, turns or distorts the photo"),
        (lambda image: as_tensor(image.resize((50, 50))).transpose(1, 2), "mirrors, turns or distorts the photo"),
        (
            lambda image: as_tensor(image.rotate(30)),
            "does not make white brighter or darker than black in one rectangle",
        ),
        (lambda image: as_tensor(image) * 0, "does not make white brighter or darker than black"),
        (lambda image: as_tensor(image) + torch.rand(3, 1, 1) * 0.01, "draws random numbers"),
        (cut_margins, "shows another part of the photo where its content is another"),
        (lambda image: 1 / 0, "must make an input of a PIL image, or of a uint8 array (height, width, 3), got ZeroDiv"),
        (lambda image: "text", "must return an array or a tensor of numbers, got str"),
        (lambda image: np.asarray(image) / 255.0, "channels come first: array.transpose(2, 0, 1)"),
        (lambda image: as_tensor(image)[0], "must return the input (channels, height, width), got shape (250, 333)"),
        (lambda image: as_tensor(image) / 0, "must return finite numbers"),
    ],
)
def test_functions_whose_geometry_cannot_be_known_are_refused(function, fragment):
    torch.manual_seed(0)
    with refuses(InputError, fragment):
        Preprocess.from_callable(function)


def test_wrong_geometries_are_refused():
    with refuses(InputError, "geometry must be 'stretch', 'shorter-side', 'letterbox', a Preprocess, a Geometry, or a"):
        Preprocess.from_callable(halve, geometry=3)
    with refuses(InputError, "geometry must be one of 'stretch', 'shorter-side', 'letterbox', got 'crop'"):
        Preprocess.from_callable(halve, geometry="crop")
    with refuses(InputError, "geometry must be that of a photo of 40x30 and an input of 20x15 (height x width), got"):
        Preprocess.from_callable(halve, geometry=Preprocess(size=8))(photo(40, 30))
    with refuses(InputError, "geometry(height, width) must be an xplain.models.Geometry, got None"):
        Preprocess.from_callable(halve, geometry=lambda height, width: None)(photo(40, 30))
    with refuses(InputError, "function must be a function, got 3"):
        Preprocess.from_callable(3)


def test_evidence_of_a_function_is_in_pixels_of_the_photo():
    """The score is one pixel of the input: evidence lies under it."""

    class OnePixel(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x[:, :, 5, 7].sum(1), x[:, :, 0, 0].sum(1)], dim=1)

    preprocess = Preprocess.from_callable(halve)
    model = xplain.ImageClassifier(OnePixel(), preprocess=preprocess)
    explanation = xplain.explain(model, photo(40, 30), "saliency", target=0)
    values = explanation.attributions[0].evidence.values
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert (row // 2, column // 2) == (5, 7)
    again = xplain.from_document(xplain.to_document(explanation))
    described = again.provenance.preprocessing
    assert described == {"function": f"{__name__}.halve", "geometry": "measured"}
    declared = Preprocess.from_callable(halve, Preprocess(size=(20, 15), resize="stretch")).describe()
    assert declared["geometry"]["resize"] == "stretch"


def test_a_model_takes_a_function_as_its_preprocess():
    model = xplain.ImageClassifier(torch.nn.Flatten(), preprocess=TensorResize(32, 24))
    assert np.array_equal(model.prepare(photo(40, 30)).array, Preprocess.of(TensorResize(32, 24))(photo(40, 30))[0])
    with refuses(InputError, "preprocess must be a Preprocess or None, got 3; xplain.Preprocess.of reads many"):
        xplain.ImageClassifier(torch.nn.Flatten(), preprocess=3)


def test_a_strip_is_resized_without_the_memory_of_the_whole():
    """Its resized photo would have 7 billion pixels."""
    strip = np.zeros((2, 60_000, 3), np.uint8)
    strip[:, 30_000:] = 255
    array, geometry = Preprocess(size=224, crop=0.5)(strip)
    assert geometry.scale_y == 224
    assert (np.diff(array[0, 0]) >= 0).all()
    assert 0 <= array[0, 0, 0] < 0.01 < 0.99 < array[0, 0, -1] <= 1


def test_parts_of_each_side_colours_of_the_padding_and_rounding():
    geometry = Preprocess(size=(6, 9), crop=(0.5, 0.75)).place(12, 24)
    assert (geometry.scale_y, geometry.scale_x, geometry.offset_y, geometry.offset_x) == (1, 1, -3, -8)
    letterbox = Preprocess(size=4, resize="letterbox", fill=(0, 51, 255))
    array, _ = letterbox(np.full((2, 4, 3), 255, np.uint8))
    assert array[:, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    corners = [Preprocess(size=4, rounding=rounding).place(4, 11).offset_x for rounding in ("even", "down")]
    assert corners == [-4, -3]
    assert "rounding" not in Preprocess().describe()
    assert Preprocess(rounding="down").describe()["rounding"] == "down"
    for arguments, message in (
        ({"crop": (0.5, 0.5, 1)}, "Preprocess.crop must be a number or (height, width), got"),
        ({"crop": (0.5, 0)}, "Preprocess.crop must be above 0 and at most 1, got 0"),
        ({"fill": (1, 2)}, "Preprocess.fill must be a grey value or three, for RGB, got (1, 2)"),
        ({"fill": (1, 2, 256)}, "Preprocess.fill must be between 0 and 255, got 256"),
        ({"rounding": "up"}, "Preprocess.rounding must be one of 'even', 'down', got 'up'"),
    ):
        with refuses(InputError, message):
            Preprocess(**arguments)


@pytest.mark.parametrize("box", [(0, 0, 32, 32), (10, 5, 42, 37), (35, 20, 67, 45)])
def test_a_function_that_cuts_out_a_corner_is_measured(box):
    from xplain.models.preprocessing.foreign import check_content, measure

    def cut(image):
        return np.asarray(image.crop(box), np.float32).transpose(2, 0, 1) / 255

    geometry = measure(cut, 50, 70)
    assert (geometry.offset_x, geometry.offset_y, geometry.scale_x, geometry.scale_y) == (-box[0], -box[1], 1, 1)
    check_content(cut, geometry)
