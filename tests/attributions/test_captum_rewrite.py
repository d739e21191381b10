"""Captum's hook-based methods on rewritten models: right where they are wrong on the models themselves, or refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.networks import Styled, attribute, convolutional, noise
from xplain.attributions.captum.relevance import attach_rules
from xplain.attributions.captum.rewrite import hookable

pytestmark = pytest.mark.filterwarnings("ignore:Setting .*hooks:UserWarning")

IMAGE = noise(2, 6, 6)
BASELINE = noise(2, 6, 6, seed=2)
X = torch.tensor(IMAGE[None]).double()
REFERENCE = torch.tensor(BASELINE[None]).double()


class Residual(nn.Module):
    """Sums of tensors that other functions read too, in several spellings, and ReLUs that write into their input."""

    def __init__(self, bias=True):
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=bias)
        self.body = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1, bias=bias) for _ in range(3)])
        self.head = nn.Linear(4, 3, bias=bias)
        self.double()

    def forward(self, x):
        x = self.stem(x)
        x = x + self.body[0](F.relu(x))
        y = F.relu_(self.body[1](torch.relu(x)))
        x = torch.add(x, y).add(self.body[2](y))
        x += y
        x.relu_()
        return self.head(x.mean((2, 3)))


class Calls(nn.Module):
    """conv, then a function, then the rest of `convolutional`."""

    def __init__(self, function):
        super().__init__()
        plain = convolutional()
        self.first, self.head, self.function = plain[0], nn.Linear(144, 3).double(), function

    def forward(self, x):
        return self.head(F.relu(self.function(self.first(x))).flatten(1))


def maps_of(captum, method, module, **options):
    """(channels, height, width) of a method of Captum on the rewritten module, for class 1."""
    names = {
        "deep-lift": "DeepLift",
        "guided-backprop": "GuidedBackprop",
        "deconvolution": "Deconvolution",
        "lrp": "LRP",
    }
    rewritten = hookable(module, X, method=method).module
    if method == "lrp":
        attach_rules(rewritten)
    if method == "deep-lift":
        options.setdefault("baselines", REFERENCE)
    return getattr(captum, names[method])(rewritten).attribute(X, target=1, **options)[0].detach().numpy()


def ours(method, module):
    options = {"baseline": BASELINE} if method == "deep-lift" else {}
    return attribute(method, module, IMAGE, target=1, **options)[0][0]


def change(module):
    return float((module(X) - module(REFERENCE))[0, 1])


class TestDeepLift:
    @pytest.mark.parametrize("style", Styled.STYLES)
    def test_functional_reused_and_in_place_relus(self, captum, style):
        found = maps_of(captum, "deep-lift", Styled(style)).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", Styled(style)), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("activation", [nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.PReLU, nn.Tanh, nn.GELU, nn.Hardswish])
    def test_any_function_of_single_numbers(self, captum, activation):
        module = convolutional(relu=activation)
        found = maps_of(captum, "deep-lift", module).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", module), rtol=0, atol=1e-12)

    def test_sums(self, captum):
        found = maps_of(captum, "deep-lift", Residual()).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", Residual()), rtol=0, atol=1e-12)
        assert found.sum() == pytest.approx(change(Residual()), abs=1e-12)

    @pytest.mark.parametrize(
        "pool",
        [
            nn.MaxPool2d(2),
            nn.MaxPool2d(3, 2, padding=1),
            nn.MaxPool2d((3, 2), stride=(1, 3), padding=(1, 0)),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.MaxPool2d(2, 4, ceil_mode=True),
            nn.MaxPool2d(3, 3, padding=1, ceil_mode=True),
        ],
    )
    def test_pooling_after_a_relu(self, captum, pool):
        module = convolutional(pool=pool)
        found = maps_of(captum, "deep-lift", module).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", module), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("function", [lambda x: F.max_pool2d(x, 3, 1, 1), lambda x: torch.max_pool2d(x, 3, 1, 1)])
    def test_functional_pooling(self, captum, function):
        found = maps_of(captum, "deep-lift", Calls(function)).sum(0)
        np.testing.assert_allclose(found, ours("deep-lift", Calls(function)), rtol=0, atol=1e-12)

    def test_a_distribution_of_baselines(self, captum):
        baselines = torch.tensor(noise(5, 2, 6, 6, seed=4)).double()
        module = Residual()
        rewritten = hookable(module, X, method="deep-lift-shap").module
        found = captum.DeepLiftShap(rewritten).attribute(X, baselines, target=1)
        expected = module(X)[0, 1] - module(baselines)[:, 1].mean()
        assert float(found.sum()) == pytest.approx(float(expected), abs=1e-12)

    @pytest.mark.parametrize("layer", ["0", "1", "3", "4"])
    def test_a_layer_adds_up(self, captum, layer):
        module = convolutional(pool=nn.MaxPool2d(3, 1))
        rewritten = hookable(module, X, method="layer-deep-lift", layer=layer)
        found = captum.LayerDeepLift(rewritten.module, rewritten.layer).attribute(X, REFERENCE, target=1)
        assert found.shape == module[: int(layer) + 1](X).shape
        assert float(found.sum()) == pytest.approx(change(module), abs=1e-12)

    def test_a_layer_with_parts_adds_up(self, captum):
        plain = convolutional()
        module = nn.Sequential(plain[:2], plain[2:4], plain[4:])
        rewritten = hookable(module, X, method="layer-deep-lift", layer="1")
        found = captum.LayerDeepLift(rewritten.module, rewritten.layer).attribute(X, REFERENCE, target=1)
        assert float(found.sum()) == pytest.approx(change(module), abs=1e-12)

    @pytest.mark.network
    def test_the_demo_network(self, captum, network):
        array = noise(3, 64, 64)
        x = torch.tensor(array[None])
        baseline = np.zeros_like(array)
        rewritten = hookable(network.module, x, method="deep-lift").module
        found = captum.DeepLift(rewritten).attribute(x, torch.zeros_like(x), target=1)[0].sum(0).detach()
        expected = attribute("deep-lift", network.module, array, target=1, baseline=baseline)[0][0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max() * 10)
        raw = captum.DeepLift(network.module).attribute(x, torch.zeros_like(x), target=1)
        assert abs(float(raw.sum()) - expected.sum()) > 0.1 * abs(expected.sum())


class TestGuidedBackpropAndDeconvolution:
    @pytest.mark.parametrize("module", [*map(Styled, Styled.STYLES), Residual(), convolutional(relu=nn.ReLU6)])
    def test_guided_backprop_is_ours(self, captum, module):
        found = maps_of(captum, "guided-backprop", module).sum(0)
        np.testing.assert_array_equal(found, ours("guided-backprop", module))

    @pytest.mark.parametrize("style", Styled.STYLES)
    def test_deconvolution_is_the_papers(self, captum, style):
        plain = convolutional()
        carried = torch.eye(3).double()[1:2] @ plain[-1].weight
        carried = carried.reshape(1, 5, 6, 6).clamp(min=0)  # the ReLU lets through what is positive on the way back
        carried = F.conv_transpose2d(carried, plain[2].weight, padding=1).clamp(min=0)
        expected = F.conv_transpose2d(carried, plain[0].weight, padding=1)[0].detach()
        found = maps_of(captum, "deconvolution", Styled(style))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)

    def test_guided_grad_cam_of_a_functional_network(self, captum):
        rewritten = hookable(Styled("functional"), X, method="guided-grad-cam", layer="second")
        found = captum.GuidedGradCam(rewritten.module, rewritten.layer).attribute(X, 1, interpolate_mode="bilinear")
        plain = convolutional()
        expected = captum.GuidedGradCam(plain, plain[2]).attribute(X, 1, interpolate_mode="bilinear")
        assert found.abs().max() > 0
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def epsilon_rule(layer, x, relevance):
    """R_i = sum_j x_i w_ij R_j / (z_j + epsilon), with the matrix of the layer, one column for each input."""
    x, relevance = np.asarray(x), np.asarray(relevance)
    basis = torch.eye(x.size).double().reshape(-1, *x.shape[1:])
    with torch.no_grad():
        matrix = layer(basis).reshape(x.size, -1).numpy()
        z = layer(torch.tensor(x)).reshape(-1).numpy()
    carried = relevance.reshape(-1) / (z + np.where(z >= 0, 1e-9, -1e-9))
    return (x.reshape(-1) * (matrix @ carried)).reshape(x.shape)


class Skip(nn.Module):
    """Without biases: conv, relu, h + conv(h), relu, mean, linear."""

    def __init__(self):
        super().__init__()
        plain = convolutional(bias=False)
        self.first, self.second = plain[0], nn.Conv2d(4, 4, 3, padding=1, bias=False).double()
        self.head = nn.Linear(4, 3, bias=False).double()

    def forward(self, x):
        h = F.relu(self.first(x))
        return self.head(F.relu(h + self.second(h)).mean((2, 3)))


class TestLrp:
    @pytest.mark.parametrize("module", [Skip(), Residual(bias=False), convolutional(bias=False)])
    def test_nets_without_biases_add_up(self, captum, module):
        assert maps_of(captum, "lrp", module).sum() == pytest.approx(float(module(X)[0, 1]), abs=1e-6)

    def test_it_is_the_epsilon_rule(self, captum):
        module = Skip()
        with torch.no_grad():
            h = F.relu(module.first(X))
            branch = module.second(h)
            top = F.relu(h + branch)
            mean = top.mean((2, 3))
        score = np.zeros((1, 3))
        score[0, 1] = float(module(X)[0, 1])
        relevance = epsilon_rule(lambda t: t.mean((2, 3)), top, epsilon_rule(module.head, mean, score))
        total = (h + branch).numpy()
        share = relevance / (total + np.where(total >= 0, 1e-9, -1e-9))
        relevance = h.numpy() * share + epsilon_rule(module.second, h, branch.numpy() * share)
        expected = epsilon_rule(module.first, X, relevance)[0]
        np.testing.assert_allclose(maps_of(captum, "lrp", module), expected, rtol=0, atol=1e-9)

    def test_a_layer_adds_up(self, captum):
        rewritten = hookable(Skip(), X, method="layer-lrp", layer="first")
        attach_rules(rewritten.module)
        found = captum.LayerLRP(rewritten.module, rewritten.layer).attribute(X, target=1)
        assert found.shape == (1, 4, 6, 6)
        assert float(found.sum()) == pytest.approx(float(Skip_score()), abs=1e-6)

    def test_rules_can_be_attached_again(self, captum):
        module = Residual()
        rewritten = hookable(module, X, method="lrp").module
        maps = []
        for _ in range(2):
            attach_rules(rewritten)
            maps.append(captum.LRP(rewritten).attribute(X, target=1))
        torch.testing.assert_close(maps[0], maps[1], rtol=0, atol=0)

    def test_functions_that_keep_relevance_from_spreading(self, captum):
        """Flatten, dropout, batch normalisation, pooling and padding between bias-free layers."""
        plain = convolutional(bias=False)
        normalisation = nn.BatchNorm2d(4, affine=False).double().eval()
        pools = (nn.MaxPool2d(2), nn.AvgPool2d(3), nn.Dropout(), nn.Flatten(), nn.Linear(4, 3, bias=False).double())
        module = nn.Sequential(plain[0], normalisation, nn.ReLU6(), nn.ZeroPad2d(1), *pools).eval()
        with torch.no_grad():
            expected = float(module(X)[0, 1])
        assert maps_of(captum, "lrp", module).sum() == pytest.approx(expected, abs=1e-6)


def Skip_score():
    return Skip()(X)[0, 1].detach()


class TestRawCaptumIsWrong:
    """What FIELD measured: these models are right through the rewrite, by the tests above."""

    def test_deep_lift_on_functional_relus(self, captum):
        raw = captum.DeepLift(Styled("functional")).attribute(X, REFERENCE, target=1)
        assert abs(float(raw.sum()) - change(Styled("functional"))) > 0.01

    def test_deep_lift_on_relu6_and_pooling_behind_a_relu(self, captum):
        for module in (convolutional(relu=nn.GELU), convolutional(pool=nn.MaxPool2d(2))):
            raw = captum.DeepLift(module).attribute(X, REFERENCE, target=1)
            assert abs(float(raw.sum()) - change(module)) > 0.01

    def test_guided_backprop_on_functional_relus_is_the_gradient(self, captum):
        module = Styled("functional")
        point = X.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(module(point)[0, 1], point)
        torch.testing.assert_close(captum.GuidedBackprop(module).attribute(X, target=1), gradient)

    def test_lrp_on_a_sum_doubles(self, captum):
        class Sum(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.flat, self.last = (
                    nn.Linear(4, 4, bias=False),
                    nn.Identity(),
                    nn.Linear(4, 3, bias=False),
                )

            def forward(self, x):
                return self.last(self.first(x) + self.first(x)) if self.training else self.last(x + x)

        module, x = nn.Sequential(Sum().last).eval(), torch.rand(1, 4)
        assert float(captum.LRP(module).attribute(x, target=1).sum()) == pytest.approx(float(module(x)[0, 1]), abs=1e-5)
