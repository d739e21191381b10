import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.attributions.board import notes_of
from tests.attributions.networks import Linear, Styled, attribute, convolutional, noise
from tests.support import refuses
from xplain.errors import AttributionError

IMAGE = noise(2, 6, 6)
BASELINE = noise(2, 6, 6, seed=2)


def layer_by_layer(module, array, target, slope_of, reference=None):
    """Carry a one-hot score back through the layers of a Sequential, one at a time, as the papers write it.

    ``slope_of(layer, x, x_reference, gradient)`` is the rule of an elementwise layer; others keep their gradient.
    """
    values = [torch.tensor(array[None], dtype=torch.float64)]
    references = [torch.tensor(np.zeros_like(array)[None] if reference is None else reference[None]).double()]
    for layer in module:
        values.append(layer(values[-1]).detach())
        references.append(layer(references[-1]).detach())
    carried = torch.zeros_like(values[-1])
    carried[0, target] = 1
    for layer, x, x_reference in reversed(list(zip(module, values, references, strict=False))):
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Flatten, nn.AvgPool2d, nn.BatchNorm2d)):
            point = x.clone().requires_grad_()
            (carried,) = torch.autograd.grad(layer(point), point, carried)
        else:
            carried = slope_of(layer, x, x_reference, carried)
    return carried[0].detach().numpy()


def rescale(layer, x, x_reference, carried):
    return carried * (layer(x) - layer(x_reference)) / (x - x_reference)


def guide(layer, x, _, carried):
    point = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(layer(point).sum(), point)
    return carried.clamp(min=0) * slope


ACTIVATIONS = [
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
]
ACTIVATIONS += [nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.PReLU, nn.LogSigmoid, nn.Softsign]


@pytest.mark.parametrize("relu", ACTIVATIONS)
def test_deep_lift_is_the_rescale_rule_layer_by_layer(relu):
    module = convolutional(relu=relu)
    maps, run = attribute("deep-lift", module, IMAGE, target=[0, 2], baseline=BASELINE)
    for t, target in enumerate([0, 2]):
        multipliers = layer_by_layer(module, IMAGE, target, rescale, BASELINE)
        expected = (multipliers * (IMAGE.astype(np.float64) - BASELINE)).sum(axis=0)
        np.testing.assert_allclose(maps[t], expected, rtol=0, atol=1e-12)
        assert abs(notes_of(run)[t]["completeness_residual"]) < 1e-12


@pytest.mark.parametrize("relu", [nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.PReLU, nn.Hardtanh])
def test_guided_backprop_is_the_paper_s_rule_layer_by_layer(relu):
    module = convolutional(relu=relu)
    maps, _ = attribute("guided-backprop", module, IMAGE, target=[0, 2])
    for t, target in enumerate([0, 2]):
        expected = layer_by_layer(module, IMAGE, target, guide).sum(axis=0)
        np.testing.assert_allclose(maps[t], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("style", Styled.STYLES)
@pytest.mark.parametrize("method", ["deep-lift", "guided-backprop"])
def test_every_way_to_call_a_relu_is_followed(method, style):
    expected, _ = attribute(method, convolutional(), IMAGE, target=[0, 1, 2])
    maps, _ = attribute(method, Styled(style), IMAGE, target=[0, 1, 2])
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-14)
    plain, _ = attribute(
        "input-x-gradient" if method == "deep-lift" else "saliency", convolutional(), IMAGE, target=[0, 1, 2]
    )
    assert not np.allclose(maps, plain)


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.MaxPool2d(3, stride=1),
        nn.AdaptiveMaxPool2d(2),
        nn.AvgPool2d(2),
    ],
)
def test_deep_lift_shares_out_max_pooling_completely(pool):
    """Windows overlap in the second and the third, where unpooling by assignment loses what they share."""
    maps, run = attribute("deep-lift", convolutional(pool=pool), IMAGE, target=[0, 1, 2], baseline=BASELINE)
    for values, notes in zip(maps, notes_of(run), strict=True):
        assert abs(notes["completeness_residual"]) < 1e-12
        assert values.sum() == pytest.approx(notes["score"] - notes["baseline_score"], abs=1e-12)


def test_the_max_pooling_rule_by_hand():
    """One window (4, 1) against (2, 3): the input's place gets 4 - 3, the baseline's nothing."""

    class Pool(nn.Module):
        def forward(self, x):
            return F.max_pool2d(x, (1, 2)).flatten(1)

    def shares(x, reference):
        x, reference = np.array([[x]], np.float32), np.array([[reference]], np.float32)
        return attribute("deep-lift", Pool(), x, baseline=reference)[0][0, 0].round(6).tolist()

    assert shares([4.0, 1.0], [2.0, 3.0]) == [1.0, 0.0]
    assert shares([4.0, 1.0], [2.0, 0.0]) == [2.0, 0.0]
    assert shares([1.0, 0.0], [2.0, 3.0]) == [0.0, -2.0]


def test_pooled_values_may_be_changed_in_place():
    def module(in_place):
        return nn.Sequential(nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.ReLU(in_place), nn.Flatten()).double()

    expected, weights = module(False), module(True)
    weights.load_state_dict(expected.state_dict())
    maps = [attribute("deep-lift", each, IMAGE, target=[0, 5], baseline=BASELINE)[0] for each in (expected, weights)]
    np.testing.assert_allclose(maps[1], maps[0], rtol=0, atol=1e-14)
    assert maps[0].any()


def test_max_pooling_with_indices_still_hands_them_out():
    class Indexed(nn.Module):
        def forward(self, x):
            values, indices = F.max_pool2d(x, 2, return_indices=True)
            return F.max_unpool2d(values, indices, 2).flatten(1).sum(dim=1, keepdim=True)

    maps, run = attribute("deep-lift", Indexed(), IMAGE)
    assert maps.sum() == pytest.approx(notes_of(run)[0]["score"])


def test_equal_input_and_baseline_take_the_derivative():
    baseline = IMAGE.copy()
    baseline[:, :3] += 1
    maps, run = attribute("deep-lift", convolutional(relu=nn.Tanh), IMAGE, baseline=baseline)
    assert np.isfinite(maps).all()
    assert not maps[0, 3:].any()
    assert abs(notes_of(run)[0]["completeness_residual"]) < 1e-12


def test_deep_lift_refuses_an_autograd_function_with_its_own_relu():
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, gradient):
            return gradient * (ctx.saved_tensors[0] > 0)

    class OwnReLU(nn.Module):
        def forward(self, x):
            return Own.apply(x)

    with refuses(AttributionError, "the derivative of OwnBackward", "does not cover"):
        attribute("deep-lift", convolutional(relu=OwnReLU), IMAGE, baseline=BASELINE)
    with refuses(AttributionError, "guided-backprop must reach every ReLU, got OwnBackward"):
        attribute("guided-backprop", convolutional(relu=OwnReLU), IMAGE)


def test_deep_lift_refuses_a_batch_that_moves():
    class Folded(nn.Module):
        def forward(self, x):
            return torch.relu(x.flatten(1).sum(dim=0, keepdim=True)).expand(len(x), -1)

    with refuses(AttributionError, "must keep the batch in front, got a function of a tensor (1, 72)"):
        attribute("deep-lift", Folded(), IMAGE)


def test_guided_backprop_refuses_a_model_without_relus():
    with refuses(AttributionError, "guided-backprop must have ReLUs to guide", "use saliency"):
        attribute("guided-backprop", convolutional(relu=nn.GELU), IMAGE)
    with refuses(AttributionError, "guided-backprop must have ReLUs to guide"):
        attribute("guided-backprop", Linear(noise(1, 2, 6, 6)), IMAGE)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_guided_backprop_refuses_a_relu_that_it_cannot_reach():
    module = convolutional()
    module[1] = torch.jit.script(nn.ReLU())
    with refuses(AttributionError, "guided-backprop must reach every ReLU, got", "ReluBackward0", "scripted part"):
        attribute("guided-backprop", module, IMAGE)


def test_captum_agrees_where_it_is_right(captum):
    module = convolutional()
    x = torch.tensor(IMAGE[None]).double().requires_grad_()
    with pytest.warns(UserWarning, match="hooks"):
        oracle = captum.DeepLift(module).attribute(x, torch.tensor(BASELINE[None]).double(), target=1)
    maps, _ = attribute("deep-lift", module, IMAGE, target=1, baseline=BASELINE)
    np.testing.assert_allclose(maps[0], oracle[0].sum(dim=0).detach(), rtol=0, atol=1e-9)
    with pytest.warns(UserWarning, match="hooks"):
        oracle = captum.GuidedBackprop(module).attribute(x, target=1)
    maps, _ = attribute("guided-backprop", module, IMAGE, target=1)
    np.testing.assert_allclose(maps[0], oracle[0].sum(dim=0).detach(), rtol=0, atol=1e-14)


@pytest.mark.network
def test_the_demo_network_adds_up(network, cat):
    """ReLU6, skip connections and depthwise convolutions, in single precision."""
    from xplain.attributions import run

    (explanation,) = run(network, [network.prepare(cat)], ["top-2"], method="deep-lift")
    assert len(explanation.attributions) == 2
    assert all(a.quality["completeness_relative"] < 1e-4 for a in explanation.attributions)
