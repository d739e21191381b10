import hashlib
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import xplain
from tests.support import refuses
from xplain import ImageClassifier, InputError, Preprocess, UnknownNameError


class Linear(nn.Module):
    def __init__(self, classes: int = 3, wrap=lambda x: x) -> None:
        super().__init__()
        self.head = nn.Linear(12, classes)
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(self.head(x.flatten(1)))


IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def test_without_preprocess_a_module_gets_pixels_as_0_to_1_and_floats_as_they_are():
    model = ImageClassifier(Linear())
    assert np.array_equal(model.prepare(IMAGE).array, (IMAGE / np.float32(255)).transpose(2, 0, 1).astype(np.float32))
    floats = np.random.default_rng(0).normal(size=(2, 2, 3))
    assert np.array_equal(model.prepare(floats).array, floats.transpose(2, 0, 1).astype(np.float32))
    tensor = torch.randn(3, 2, 2)
    assert np.array_equal(model.prepare(tensor).array, tensor.numpy())


def test_integers_are_the_same_input_in_every_type():
    for preprocess in (None, Preprocess(size=2)):
        model = ImageClassifier(Linear(), preprocess=preprocess)
        expected = model.prepare(IMAGE).array
        for image in (IMAGE.astype(int), IMAGE.astype(np.uint16), IMAGE.astype(np.int8)):
            assert np.array_equal(model.prepare(image).array, expected)
    bright = IMAGE + np.uint8(200)
    for preprocess in (None, Preprocess(size=2)):
        model = ImageClassifier(Linear(), preprocess=preprocess)
        deep = bright.astype(np.uint16) * 257
        np.testing.assert_allclose(model.prepare(deep).array, model.prepare(bright).array, rtol=1e-6)


@pytest.mark.parametrize("channels", [2, 4, 6])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_without_preprocess_all_bands_of_an_array_reach_the_model(channels, kind):
    image = np.random.default_rng(0).integers(0, 256, (5, 6, channels)).astype(kind)
    seen = []

    def score(batch):
        seen.append(batch)
        return batch.mean(axis=(1, 2))

    explanation = xplain.explain(ImageClassifier(score), image, "occlusion", window=2, stride=2)
    assert explanation.attributions[0].evidence.values.shape == (5, 6)
    assert seen[0].dtype == kind
    assert np.array_equal(seen[0][0], image)
    module = nn.Sequential(nn.Conv2d(channels, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    array = ImageClassifier(module).prepare(image).array
    expected = image / np.float32(255) if kind == np.uint8 else image
    assert np.array_equal(array, expected.astype(np.float32).transpose(2, 0, 1))
    with refuses(InputError, "must have 1, 3 or 4 channels") if channels != 4 else nullcontext():
        ImageClassifier(score, preprocess=Preprocess(size=2)).prepare((image / 255).astype(kind))


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("kind", ["classifier", "flat", "segmenter", "detector"])
def test_modules_of_other_channels_say_what_to_do(channels, kind):
    convolution = nn.Conv2d(channels, 2, 1)
    model = {
        "classifier": lambda: ImageClassifier(nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        "flat": lambda: ImageClassifier(nn.Sequential(nn.Flatten(), nn.Linear(20 * channels, 2))),
        "segmenter": lambda: xplain.Segmenter(convolution),
        "detector": lambda: xplain.Detector(convolution, postprocess=lambda maps: []),
    }[kind]()
    photo = Image.new("L", (4, 5), 99)
    remedy = "xplain.Preprocess(size=None, resize='none', channels='L')" if channels == 1 else "(height, width, 4)"
    with refuses(InputError, "image must have the number of channels that the model's layer", "got 3", remedy):
        model.predict(photo)
    if channels == 1 and kind != "detector":
        model.preprocess = Preprocess(size=None, resize="none", channels="L")
        assert model.predict(photo)


@pytest.mark.parametrize("preprocess", [Preprocess(size=4, mean=0.5, std=0.25), Preprocess((4, 5), "stretch"), None])
def test_the_remedy_for_grey_modules_works(preprocess):
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(InputError) as caught:
        ImageClassifier(module, preprocess=preprocess).predict(IMAGE)
    remedy = eval(str(caught.value).split("preprocess=")[1], {"xplain": xplain})
    array = ImageClassifier(module, preprocess=remedy).prepare(IMAGE).array
    like = preprocess or Preprocess(size=None, resize="none")
    assert array.shape == (1, *like(IMAGE)[0].shape[1:])
    assert (remedy.mean, remedy.std) == (like.mean[:1], like.std[:1])


def test_errors_of_a_module_that_are_none_of_channels_stay():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        ImageClassifier(nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(7, 2))).predict(IMAGE)


def test_floats_of_8_bits_with_a_preprocess_are_refused_with_the_remedy():
    model = ImageClassifier(Linear(), preprocess=Preprocess(size=2))
    with refuses(InputError, "floats from 0 to 1", "divide it: image / 255"):
        model.predict(IMAGE.astype(np.float32))
    assert np.array_equal(model.prepare(IMAGE / 255).array, model.prepare(IMAGE).array)


def test_one_image_is_no_batch():
    model = ImageClassifier(Linear())
    with refuses(InputError, "got one array of shape (2, 2, 3); explain takes a single image"):
        xplain.explain_batch(model, IMAGE)
    assert len(xplain.explain_batch(model, IMAGE[np.newaxis], "saliency")) == 1


def test_without_labels_the_number_of_a_class_is_its_label():
    model, scores = ImageClassifier(len), np.array([0.1, 0.7, 0.2])
    assert model.targets("1", scores) == model.targets(torch.tensor(1), scores) == (1,)
    for several in (range(2), torch.tensor([0, 1]), np.array([0, 1]), ["0", 1]):
        assert model.targets(several, scores) == (0, 1)
    with refuses(InputError, "target must be a class from 0 to 2, got '7'"):
        model.targets("7", scores)
    with refuses(UnknownNameError, "target must be one of 0, 1, 2, got 'x'"):
        model.targets("x", scores)
    margin = xplain.explain(ImageClassifier(Linear()), IMAGE, "saliency", target="1 - 0").attributions[0].target
    assert margin.name == "1 - 0"


def test_without_preprocess_a_callable_gets_uint8_images():
    calls = []

    def score(batch):
        calls.append((batch.dtype, batch.shape))
        return np.ones((len(batch), 2))

    ImageClassifier(score).predict(IMAGE)
    assert calls == [(np.uint8, (1, 2, 2, 3))]


def test_with_preprocess_a_callable_gets_what_a_module_gets():
    def score(batch):
        return batch.mean(axis=(2, 3))

    model = ImageClassifier(score, preprocess=Preprocess(size=2, mean=0.5), output="probability")
    assert model.prepare(IMAGE).array.shape == (3, 2, 2)
    assert model.channel_axis == 0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: (x, x.sum()),
        lambda x: {"loss": x.sum(), "logits": x},
        lambda x: {"out": x},
        lambda x: SimpleNamespace(logits=x),
    ],
)
def test_tuple_dict_and_object_outputs(wrap):
    torch.manual_seed(0)
    plain = Linear()
    wrapped = Linear(wrap=wrap)
    wrapped.load_state_dict(plain.state_dict())
    batch = ImageClassifier(plain).prepare(IMAGE).array[None]
    assert np.array_equal(ImageClassifier(wrapped).scores(batch), ImageClassifier(plain).scores(batch))


def test_scores_leave_no_trace_and_work_in_training_and_inference_mode():
    module = nn.Sequential(nn.BatchNorm2d(3), Linear())
    module[1].eval()
    before = module[0].running_mean.clone()
    model = ImageClassifier(module)
    with torch.inference_mode():
        inside = model.scores(model.prepare(IMAGE).array[None])
    assert np.array_equal(inside, model.scores(model.prepare(IMAGE).array[None]))
    assert torch.equal(module[0].running_mean, before)
    assert (module.training, module[0].training, module[1].training) == (True, True, False)


def test_training_flags_come_back_after_an_exception():
    def fail(x):
        raise RuntimeError("boom")

    module = Linear(wrap=fail)
    with pytest.raises(RuntimeError, match="boom"):
        ImageClassifier(module).predict(IMAGE)
    assert module.training


def test_probabilities():
    scores = np.array([[0.0, np.log(3.0)]])
    assert ImageClassifier(len).probabilities(scores).tolist() == [[pytest.approx(0.25), pytest.approx(0.75)]]
    assert ImageClassifier(len, multilabel=True).probabilities(scores)[0].tolist() == pytest.approx([0.5, 0.75])
    assert ImageClassifier(len, output="probability").probabilities(scores) is scores
    single = ImageClassifier(len).probabilities(
        np.array(
            [
                -1000.0,
            ]
        )[:, None]
    )
    assert single.tolist() == [[0.0]]


def test_targets():
    model = ImageClassifier(len, labels=["cat", "Dog", ("pet", "fish"), "cAt"])
    scores = np.array([0.1, 0.7, 0.2, 0.0])
    assert model.targets(None, scores) == (1,)
    assert model.targets(2, scores) == model.targets("pet > fish", scores) == model.targets(("pet", "fish"), scores)
    assert model.targets("dog", scores) == (1,)
    assert model.targets("cat", scores) == (0,)
    assert model.targets("top-3", scores) == (1, 2, 0)
    assert model.targets(["Dog", 0, 1], scores) == (1, 0)
    assert model.targets(np.int64(3), scores) == (3,)
    with refuses(UnknownNameError, "target must be one of cat, Dog", "got 'dag'; did you mean 'Dog'?"):
        model.targets("dag", scores)
    with refuses(InputError, "target must be one label, got 'CAT', which names classes [0, 3]"):
        model.targets("CAT", scores)
    with refuses(InputError, "target must be a class from 0 to 3, got 4"):
        model.targets(4, scores)
    with refuses(InputError, "target must be a class from 0 to 3, got -1"):
        model.targets(-1, scores)
    with refuses(InputError, "target must be top-1 to top-4, got 'top-5'"):
        model.targets("top-5", scores)
    with refuses(InputError, "target must be a class number, a label, 'top-k', a Margin, or a list of those, got 1.5"):
        model.targets(1.5, scores)
    with refuses(InputError, "target must be an integer, got True"):
        model.targets(True, scores)
    with refuses(InputError, "target must name at least one class"):
        model.targets([], scores)


def test_bad_outputs_are_refused():
    for output, message in [
        (np.zeros((2, 3)), "model output must be of shape (1, classes) for a batch of 1, got (2, 3)"),
        (np.zeros((1, 3, 4, 4)), "got (1, 3, 4, 4)"),
        (np.full((1, 2), np.nan), "model output must be finite, got NaN"),
        ("cat", "model output must be numbers (batch, classes), got str"),
        (np.zeros((1, 0)), "got (1, 0)"),
    ]:
        with refuses(InputError, message):
            ImageClassifier(lambda batch, output=output: output).predict(IMAGE)


def test_bad_arguments_are_refused():
    with refuses(InputError, "model must be a torch module or a callable, a pipeline or an estimator, got 'net'"):
        ImageClassifier("net")
    with refuses(InputError, "labels must be 3 labels, one for each output of the model, got 2"):
        ImageClassifier(Linear(), labels=["a", "b"]).predict(IMAGE)
    with refuses(InputError, "labels must number the classes 0 to 1, got [0, 2]"):
        ImageClassifier(len, labels={0: "a", 2: "b"})
    with refuses(InputError, "output must be one of 'logit', 'probability', 'value', got 'softmax'"):
        ImageClassifier(len, output="softmax")
    with refuses(InputError, "preprocess must be a Preprocess or None"):
        ImageClassifier(len, preprocess=224)
    with refuses(InputError, "image must hold floats from 0 to 1", "leave out preprocess"):
        ImageClassifier(len, preprocess=Preprocess()).prepare(np.full((2, 2, 3), 2.0))


def test_labels_from_id2label():
    assert ImageClassifier(len, labels={"1": "b", "0": "a"}).labels == (("a",), ("b",))


def test_compiled_modules_are_unwrapped():
    module = Linear()
    assert ImageClassifier(torch.compile(module, backend="eager")).module is module


def test_fingerprint_follows_the_weights():
    module = Linear()
    model = ImageClassifier(module)
    first = model.fingerprint()
    assert first == model.fingerprint() == ImageClassifier(module).fingerprint()
    with torch.no_grad():
        module.head.bias.add_(1)
    assert model.fingerprint() != first
    assert len(first) == len(hashlib.sha256().hexdigest())
    assert ImageClassifier(len).fingerprint() is None
    assert ImageClassifier(Linear().to(torch.bfloat16)).fingerprint()


def test_fingerprint_of_a_number_with_any_stride():
    """As converters from other formats leave them behind."""
    module, plain = Linear(), Linear()
    module.register_buffer("number", torch.zeros(3)[1:2].as_strided((1,), (0,)))
    plain.register_buffer("number", torch.zeros(1))
    module.load_state_dict(plain.state_dict())
    assert ImageClassifier(module).fingerprint() == ImageClassifier(plain).fingerprint()


def test_half_precision_modules_are_fed_their_own_type():
    assert ImageClassifier(Linear().double()).predict(IMAGE)
    assert ImageClassifier(Linear().to(torch.bfloat16)).predict(IMAGE)


@pytest.mark.network
def test_the_demo_network_sees_the_cat(network, cat):
    names = [prediction.name for prediction in network.predict(cat)]
    assert {"tiger cat", "Egyptian cat", "tabby"} <= set(names[:3])


def test_an_unknown_network_is_refused():
    choices = "network must be one of efficientnet-lite0, sentiment-cnn"
    with refuses(UnknownNameError, f"{choices}, got 'efficientnet'", "did you mean"):
        xplain.pretrained("efficientnet")
