"""Models whose scores depend on chance or on their batch are refused; those that take one input at a time are not."""

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import xplain
from tests.attributions.networks import noise
from tests.support import refuses
from xplain.errors import AttributionError, InputError

PHOTO = (noise(16, 16, 3) * 40 + 128).clip(0, 255).astype(np.uint8)
RECORDING = noise(2, 60).astype(np.float32)
CHANCE = "model must be deterministic"
BATCH = "scores must not depend on the batch"


def body(*middle):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Sequential(*middle, nn.ReLU()), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 3)
    ).eval()


class Stack(nn.Module):
    """Something done to the input before a network, or to its scores after it."""

    def __init__(self, before=lambda x: x, after=lambda x: x, net=None):
        super().__init__()
        self.net, self.before, self.after = net or body(), before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)))


STOCHASTIC = {
    "dropout": lambda: Stack(functools.partial(functional.dropout, p=0.3, training=True)),
    "noise": lambda: Stack(lambda x: x + 0.01 * torch.randn_like(x)),
    "numpy noise": lambda: Stack(after=lambda s: s + float(np.random.default_rng().normal())),
    "sampled": lambda: Stack(after=lambda s: torch.multinomial(s.softmax(1), 3).float()),
    "gumbel": lambda: Stack(after=lambda s: functional.gumbel_softmax(s)),
}
OF_BATCH = {
    "batch statistics": lambda: body(nn.BatchNorm2d(8, track_running_stats=False)),
    "normalised by the batch": lambda: Stack(lambda x: (x - x.mean()) / x.std()),
    "ranked in the batch": lambda: Stack(after=lambda s: s.argsort(0).float()),
    "softmax over the batch": lambda: Stack(after=lambda s: s.softmax(0)),
    "attention between rows": lambda: Stack(after=lambda s: s + (s @ s.T).softmax(1) @ s),
    "largest of the batch": lambda: Stack(lambda x: x / x.abs().max()),
}


@pytest.mark.parametrize("method", ["saliency", "grad-cam", "integrated-gradients", "rise", "occlusion", "shapley"])
@pytest.mark.parametrize("name", STOCHASTIC)
def test_stochastic_models_are_refused(name, method):
    with refuses(AttributionError, CHANCE):
        xplain.explain(xplain.ImageClassifier(STOCHASTIC[name]()), PHOTO, method, target=0)


@pytest.mark.parametrize("name", OF_BATCH)
def test_rows_that_depend_on_their_batch_are_refused_and_batches_of_one_are_the_remedy(name):
    model = xplain.ImageClassifier(OF_BATCH[name]())
    with refuses(AttributionError, BATCH, "pass batch_size=1"):
        xplain.explain(model, PHOTO, "occlusion", target=0)
    options = {"window": 8, "stride": 8, "target": 0}
    alone = xplain.explain(model, PHOTO, "occlusion", batch_size=1, **options)
    beside = xplain.explain_batch(model, [PHOTO, 255 - PHOTO], "occlusion", batch_size=1, **options)[0]
    assert np.array_equal(alone.attributions[0].evidence.values, beside.attributions[0].evidence.values)
    literal = xplain.explain(xplain.ImageClassifier(OneByOne(model.module)), PHOTO, "occlusion", **options)
    np.testing.assert_allclose(
        alone.attributions[0].evidence.values, literal.attributions[0].evidence.values, rtol=1e-5, atol=1e-6
    )


class OneByOne(nn.Module):
    """Each row of a batch through a network of its own."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return torch.cat([self.net(row[None]) for row in x])


def test_black_boxes_of_every_kind_are_checked():
    random = np.random.default_rng(0)

    def chance(inputs):
        return random.normal(size=(len(inputs), 2))

    for model, given in (
        (xplain.ImageClassifier(chance), PHOTO),
        (xplain.TextClassifier(chance), "one two three"),
        (xplain.SignalClassifier(chance, sample_rate_hz=10, window=20), RECORDING),
    ):
        with refuses(AttributionError, CHANCE):
            xplain.explain(model, given, target=0)

    def of_batch(texts):
        lengths = np.array([len(text) for text in texts], float)
        return np.stack([lengths / lengths.max(), -lengths], axis=1)

    with refuses(AttributionError, BATCH):
        xplain.explain(xplain.TextClassifier(of_batch), "one two three", target=0)


def test_detectors_and_segmenters_are_checked():
    random = np.random.default_rng(0)

    def find(images):
        return [{"boxes": [[2, 2, 9, 9]], "labels": [0], "scores": [random.uniform(0.5, 1)]} for _ in images]

    with refuses(AttributionError, CHANCE):
        xplain.explain(xplain.Detector(find), PHOTO)
    maps = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2, track_running_stats=False)).eval()
    with refuses(AttributionError, BATCH):
        xplain.explain(xplain.Segmenter(maps), PHOTO, "occlusion", target=0, region="image")


def test_a_rare_accident_is_seen_in_the_first_full_batch():
    calls = 0

    def sixth_pass(images):
        nonlocal calls
        calls += 1
        return images.mean(axis=(1, 2)) / 255 + (calls > 5) * len(images)

    model = xplain.ImageClassifier(sixth_pass, output="value")
    with refuses(AttributionError, BATCH):
        xplain.explain(model, PHOTO, "rise", n_samples=500, batch_size=16)


def test_a_model_is_checked_once_for_its_weights_and_each_shape():
    seen = []
    net = body()
    net.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    model = xplain.ImageClassifier(net)

    def cost(photo):
        seen.clear()
        assert xplain.explain(model, photo, "saliency").provenance.evaluations == 1
        return sum(seen)

    assert [cost(PHOTO), cost(PHOTO), cost(PHOTO[:12]), cost(PHOTO)] == [7, 1, 7, 1]
    with torch.no_grad():
        net[0].weight.mul_(2)
    assert [cost(PHOTO), cost(PHOTO)] == [7, 1]


def test_leaving_the_check_out_is_said():
    model = xplain.ImageClassifier(STOCHASTIC["dropout"]())
    e = xplain.explain(model, PHOTO, "saliency", check=False)
    assert e.provenance.options["check"] is False
    assert "check" not in xplain.explain(xplain.ImageClassifier(body()), PHOTO, "saliency").provenance.options
    with refuses(InputError, "check must be"):
        xplain.explain(model, PHOTO, check="no")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_rounding_is_no_dependence(dtype):
    wide = nn.Sequential(
        nn.Flatten(), nn.Linear(768, 512), nn.ReLU(), *[nn.Linear(512, 512), nn.GELU()] * 6, nn.Linear(512, 5)
    )
    xplain.explain(xplain.ImageClassifier(wide.to(dtype).eval()), PHOTO, "occlusion", target=0)


class Lone(nn.Module):
    """Takes one photo at a time, as code that was written for a demo does."""

    def __init__(self, squeezes):
        super().__init__()
        self.net, self.squeezes = body(), squeezes

    def forward(self, x):
        maps = self.net[:3](x)
        if self.squeezes:
            channels, *_ = maps.squeeze(0).shape
            assert channels == 8, "one photo at a time"
        return self.net[4](maps.view(1, -1))


@pytest.mark.parametrize("squeezes", [False, True])
@pytest.mark.parametrize("method", ["occlusion", "rise", "integrated-gradients", "kernel-shap", "grad-cam", "saliency"])
def test_models_that_take_one_input_at_a_time_are_given_one_at_a_time(squeezes, method):
    net, photos = Lone(squeezes), [PHOTO, 255 - PHOTO]
    together = xplain.explain_batch(xplain.ImageClassifier(net), photos, method, target=1)
    if method == "grad-cam":  # whose layer would run once for each row
        wrapped = [xplain.explain(xplain.ImageClassifier(net), photo, method, target=1) for photo in photos]
    else:
        wrapped = xplain.explain_batch(xplain.ImageClassifier(OneByOne(net)), photos, method, target=1)
    for one, other in zip(together, wrapped, strict=True):
        np.testing.assert_allclose(
            one.attributions[0].evidence.values, other.attributions[0].evidence.values, rtol=1e-4, atol=1e-6
        )


def test_a_detector_that_takes_one_image_at_a_time_is_given_one_at_a_time():
    def find(images):
        (image,) = images
        return [{"boxes": [[2, 2, 9, 9]], "labels": [0], "scores": [float(image[2:9, 2:9].mean()) / 255]}]

    e = xplain.explain(xplain.Detector(find), PHOTO, "occlusion", window=4, stride=4)
    assert e.attributions[0].evidence.values[3:8, 3:8].min() > 0


def test_what_a_model_raises_is_told_with_its_cause():
    class Two(nn.Module):
        def forward(self, photo, mask, *, scale=1.0):
            return photo.mean((2, 3)) * mask

    with refuses(InputError, "inputs must hold mask, which the model needs", "pass inputs={'mask': ...}"):
        xplain.explain(xplain.ImageClassifier(Two()), PHOTO)

    def angry(texts):
        raise ValueError("no more credits")

    with pytest.raises(AttributionError, match="got ValueError: no more credits") as raised:
        xplain.predict(xplain.TextClassifier(angry), "a film")
    assert isinstance(raised.value.__cause__, ValueError)


def test_lazy_parts_have_to_run_first():
    net = nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3)).eval()
    model = xplain.ImageClassifier(net)
    for method in (None, "occlusion", "saliency"):
        with refuses(InputError, "got a module with lazy parts that has not run; call it once on an input"):
            xplain.explain(model, PHOTO, method)
    net(torch.zeros(1, 3, 16, 16))
    xplain.explain(model, PHOTO)


@pytest.mark.filterwarnings("ignore")  # torch is about to give its quantisation away
def test_quantised_parts_give_no_gradient():
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    model = xplain.ImageClassifier(torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8))
    for method in ("guided-backprop", "saliency", "integrated-gradients"):
        with refuses(AttributionError, "got no gradient", "occlusion"):
            xplain.explain(model, PHOTO, method, batch_size=1)
    xplain.explain(model, PHOTO, "occlusion", batch_size=1)
