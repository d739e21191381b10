import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.board import notes_of
from tests.attributions.networks import Linear, Pooled, attribute, convolutional, noise, prepared
from tests.support import refuses
from xplain.attributions import run
from xplain.errors import AttributionError, UnknownNameError
from xplain.models import ImageClassifier

IMAGE = noise(2, 6, 6)


def scores_of(module, array):
    with torch.no_grad():
        return module(torch.tensor(array[None]).double())[0].numpy()


def feature_maps(module, array):
    with torch.no_grad():
        return module.features(torch.tensor(array[None]).double())[0].numpy()


def test_grad_cam_of_a_pooled_network_is_cam():
    """Zhou et al. 2016: sum_k w_k A_k; Grad-CAM divides by the number of places and so adds up to logit - bias."""
    module = Pooled()
    maps, run = attribute("grad-cam", module, IMAGE, target=[0, 1, 2], relu=False)
    weights, bias = module.head.weight.detach().numpy(), module.head.bias.detach().numpy()
    cam = np.einsum("tk,khw->thw", weights, feature_maps(module, IMAGE)) / 36
    np.testing.assert_allclose(maps, cam, rtol=0, atol=1e-15)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), scores_of(module, IMAGE) - bias, rtol=0, atol=1e-14)
    assert notes_of(run)[0]["layer"] == "features.1"


def test_grad_cam_is_the_paper_s_two_equations():
    module = convolutional(pool=nn.AvgPool2d(2))
    layer = "3"
    body, head = module[:4], module[4:]
    maps = body(torch.tensor(IMAGE[None]).double()).detach().requires_grad_()
    for target in (0, 1):
        (slopes,) = torch.autograd.grad(head(maps)[0, target], maps)
        expected = np.zeros((6, 6))
        for k in range(5):
            alpha = sum(float(slopes[0, k, i, j]) for i in range(6) for j in range(6)) / 36
            expected += alpha * maps[0, k].detach().numpy()
        signed, _ = attribute("grad-cam", module, IMAGE, target=target, layer=layer, relu=False)
        np.testing.assert_allclose(signed[0], expected, rtol=0, atol=1e-15)
        positive, _ = attribute("grad-cam", module, IMAGE, target=target, layer=layer)
        np.testing.assert_array_equal(positive[0], np.maximum(signed[0], 0))
        hires, _ = attribute("hires-cam", module, IMAGE, target=target, layer=layer)
        np.testing.assert_allclose(hires[0], (slopes * maps)[0].sum(dim=0).detach(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("pool", [None, nn.AvgPool2d(3)])
def test_hires_cam_adds_up_under_any_linear_head(pool):
    module = convolutional(pool=pool)
    maps, _ = attribute("hires-cam", module, IMAGE, target=[0, 1, 2])
    expected = scores_of(module, IMAGE) - module[-1].bias.detach().numpy()
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=0, atol=1e-14)


def test_guided_grad_cam_is_the_product():
    module = convolutional(pool=nn.AvgPool2d(2))
    maps, run = attribute("guided-grad-cam", module, IMAGE, target=[0, 1])
    coarse, _ = attribute("grad-cam", module, IMAGE, target=[0, 1])
    guided, _ = attribute("guided-backprop", module, IMAGE, target=[0, 1])
    assert coarse.shape == (2, 3, 3)
    fine = F.interpolate(torch.from_numpy(coarse)[None], size=(6, 6), mode="bilinear")[0].numpy()
    np.testing.assert_allclose(maps, fine * guided, rtol=0, atol=1e-15)
    assert notes_of(run)[0]["layer"] == "4"


class Functional(nn.Module):
    """The features pass an in-place function that no module calls."""

    def __init__(self, in_place):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)
        self.in_place = in_place
        self.double()

    def forward(self, x):
        x = self.conv(F.relu(self.stem(x), inplace=self.in_place))
        return self.head(F.relu(x, inplace=self.in_place).mean(dim=(2, 3)))


@pytest.mark.parametrize("layer", ["conv", "stem"])
def test_a_function_in_place_after_the_layer_changes_nothing(layer):
    expected, _ = attribute("grad-cam", Functional(False), IMAGE, layer=layer, relu=False)
    maps, _ = attribute("grad-cam", Functional(True), IMAGE, layer=layer, relu=False)
    np.testing.assert_array_equal(maps, expected)


def test_an_in_place_module_is_found_rather_than_what_it_overwrites():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(48, 2)).double()
    maps, run = attribute("grad-cam", module, IMAGE, relu=False)
    assert notes_of(run)[0]["layer"] == "1"
    plain = nn.Sequential(module[0], nn.ReLU(), *module[2:])
    np.testing.assert_array_equal(maps, attribute("grad-cam", plain, IMAGE, relu=False)[0])


def test_of_a_layer_reused_in_a_row_the_last_call_counts():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.relu, self.head = nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Linear(2, 3)
            self.double()

        def forward(self, x):
            return self.head(self.relu(self.conv(self.relu(self.conv(x)))).mean(dim=(2, 3)))

    module = Twice()
    maps, run = attribute("grad-cam", module, IMAGE, relu=False)
    assert notes_of(run)[0]["layer"] == "relu"
    np.testing.assert_allclose(
        maps.sum(), scores_of(module, IMAGE).max() - float(module.head.bias.detach()[run.targets[0]])
    )


def test_the_layer_is_the_last_with_places():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Identity()
            self.features = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
            self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

        def forward(self, x):
            return {"logits": self.head(self.pool(self.features(self.scale(x))).flatten(1))}

    assert notes_of(attribute("grad-cam", Model(), IMAGE, relu=False)[1])[0]["layer"] == "features.2"


def test_the_model_s_own_layer_and_the_option_come_first():
    model = ImageClassifier(convolutional(), layer="1")
    assert notes_of(attribute("hires-cam", model, IMAGE)[1])[0]["layer"] == "1"
    assert notes_of(attribute("hires-cam", model, IMAGE, layer="2")[1])[0]["layer"] == "2"


def test_unknown_layers_are_refused_with_the_nearest_name():
    with refuses(UnknownNameError, "layer must be one of", "'feature.1'", "did you mean 'features.1'?"):
        attribute("grad-cam", Pooled(), IMAGE, layer="feature.1")


def test_a_layer_without_places_is_refused():
    with refuses(AttributionError, "(batch, channels, height, width) or tokens", "got shape (1, 3) from 'head'"):
        attribute("grad-cam", Pooled(), IMAGE, layer="head")


def test_a_layer_that_returns_no_tensor_is_refused():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair, self.head = Pair(), nn.Linear(72, 2)

        def forward(self, x):
            return self.head(self.pair(x)[0].flatten(1))

    with refuses(AttributionError, "layer must return a tensor, got tuple from 'pair'"):
        attribute("grad-cam", Model(), IMAGE, layer="pair")


def test_a_layer_that_is_skipped_is_refused():
    module = Pooled()
    module.unused = nn.Conv2d(2, 2, 1)
    with refuses(AttributionError, "layer must run in the forward pass, got no output of 'unused'"):
        attribute("grad-cam", module, IMAGE, layer="unused")


def test_a_model_without_feature_maps_is_refused():
    with refuses(AttributionError, "model must have a layer with feature maps", "layer=...", "integrated-gradients"):
        attribute("grad-cam", Linear(noise(3, 2, 6, 6)), IMAGE)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripted_and_exported_modules_are_refused():
    scripted = torch.jit.script(Pooled())
    exported = torch.export.export(Pooled(), (torch.zeros(1, 2, 6, 6).double(),)).module()
    for module in (scripted, exported):
        with refuses(AttributionError, "scripted and exported modules hide theirs", "integrated-gradients"):
            attribute("hires-cam", ImageClassifier(module), IMAGE)


class Transformer(nn.Module):
    """Patches by a convolution, then attention: the feature maps come before places are mixed."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(2, 8, 2, stride=2)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.block(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1))


def test_maps_from_before_attention_are_refused_and_not_chosen():
    with refuses(AttributionError, "attention after layer 'patches'", "integrated-gradients"):
        attribute("grad-cam", Transformer(), IMAGE)
    (explanation,) = run(ImageClassifier(Transformer()), [prepared(IMAGE)])
    assert explanation.attributions[0].method == "integrated-gradients"


def test_another_thread_in_the_same_module_is_not_captured():
    """All calls of the layer count, but here the last is another thread's, on another image."""

    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Pooled()

        def forward(self, x):
            scores = self.inner(x)
            other = threading.Thread(target=lambda: self.inner(-x.detach()))
            other.start()
            other.join()
            return scores

    expected, _ = attribute("grad-cam", Pooled(), IMAGE, layer="features", relu=False)
    maps, _ = attribute("grad-cam", Nested(), IMAGE, layer="inner.features", relu=False)
    np.testing.assert_array_equal(maps, expected)


def test_captum_agrees(captum):
    module = convolutional(pool=nn.AvgPool2d(2))
    x = torch.tensor(IMAGE[None]).double().requires_grad_()
    oracle = captum.LayerGradCam(module, module[2]).attribute(x, target=1, relu_attributions=True)
    maps, _ = attribute("grad-cam", module, IMAGE, target=1, layer="2")
    np.testing.assert_allclose(maps, oracle[0].detach(), rtol=0, atol=1e-15)


@pytest.mark.network
def test_the_demo_network_s_map_lies_on_the_cat(network, cat):
    (explanation,) = run(network, [network.prepare(cat)])
    (attribution,) = explanation.attributions
    assert attribution.method == "grad-cam"
    assert attribution.quality["layer"] == "_act1"
    assert attribution.evidence.values.shape == cat.shape[:2]
