"""The small models of Captum's published suite, with its values, or values by hand where it has no such row."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.networks import prepared
from xplain.attributions import run


class Sums(nn.Module):
    """Four sums of three inputs, ReLUs, two scores (``BasicModel_MultiLayer``)."""

    def forward(self, x):
        total = x.flatten(1).sum(dim=1, keepdim=True)
        hidden = torch.relu(torch.cat([total - 10, total + 1, total + 1, total + 1], dim=1))
        return hidden.sum(dim=1, keepdim=True) + torch.tensor([-1.0, 1.0])


class Gate(nn.Module):
    """relu(relu(a) - 1 - relu(b)) (``BasicModel2``)."""

    def forward(self, x):
        a, b = torch.relu(x.flatten(1)).unbind(1)
        return torch.relu(a - 1 - b)[:, None]


class Threshold(nn.Module):
    """relu(relu(a - 1) - relu(b)) (``BasicModel3``)."""

    def forward(self, x):
        a, b = x.flatten(1).unbind(1)
        return torch.relu(torch.relu(a - 1) - torch.relu(b))[:, None]


class Relus(nn.Module):
    """2 relu(a) + 2 relu(b - 1.5) (``ReLUDeepLiftModel``)."""

    def forward(self, x):
        a, b = x.flatten(1).unbind(1)
        return (2 * torch.relu(a) + 2 * torch.relu(b - 1.5))[:, None]


class Tanhs(nn.Module):
    """2 tanh(a) + 2 tanh(b) (``TanhDeepLiftModel``)."""

    def forward(self, x):
        return 2 * torch.tanh(x.flatten(1)).sum(dim=1, keepdim=True)


class Tops(nn.Module):
    """The sum of the larger numbers of two pairs (``LinearMaxPoolLinearModel``, smaller)."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool1d(2)

    def forward(self, x):
        return self.pool(x).flatten(1).sum(dim=1, keepdim=True)


class OneConv(nn.Module):
    """Two sums of nine pixels, less 50 and 75, ReLUs, a linear layer of 1 and -1, a ReLU (``..ConvNet_One_Conv``)."""

    def __init__(self):
        super().__init__()
        self.conv1, self.relu1, self.fc1, self.relu2 = nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(8, 4), nn.ReLU()
        with torch.no_grad():
            self.conv1.weight.fill_(1)
            self.conv1.bias.copy_(torch.tensor([-50.0, -75.0]))
            self.fc1.weight.fill_(1)[:, 5:] = -1
            self.fc1.bias.zero_()

    def forward(self, x):
        return self.relu2(self.fc1(self.relu1(self.conv1(x)).flatten(1)))


#: The model, the input, the method with its options, and the values.
VECTORS = [
    (Sums, [20, 50, 30], "feature-ablation", {"segments": 3}, [80, 200, 120]),
    (Sums, [20, 50, 30], "feature-ablation", {"segments": np.array([[0, 0, 1]])}, [140, 140, 120]),
    (Sums, [20, 50, 30], "saliency", {}, [4, 4, 4]),
    (Sums, [20, 50, 30], "input-x-gradient", {}, [80, 200, 120]),
    (Sums, [20, 50, 30], "integrated-gradients", {"n_steps": 500}, [77.9, 194.8, 116.9]),
    (Sums, [20, 50, 30], "captum:ShapleyValues", {"segments": 3}, [76.6667, 196.6667, 116.6667]),
    (Sums, [20, 50, 30], "captum:ShapleyValueSampling", {"segments": 3, "n_samples": 600}, [76.6667, 196.667, 116.667]),
    (Sums, [20, 50, 30], "captum:KernelShap", {"segments": 3, "n_samples": 500}, [76.6667, 196.6667, 116.6667]),
    (Sums, [20, 50, 30], "captum:Occlusion", {"sliding_window_shapes": (1, 1, 1)}, [80, 200, 120]),
    (Sums, [20, 50, 30], "deep-lift", {}, [78, 195, 117]),
    (Sums, [20, 50, 30], "shapley", {"segments": 3}, [76.6667, 196.6667, 116.6667]),
    (Sums, [20, 50, 30], "kernel-shap", {"segments": 3}, [76.6667, 196.6667, 116.6667]),
    (Sums, [0, 100, 0], "integrated-gradients", {"n_steps": 500}, [0, 390, 0]),
    (Gate, [3, 1], "integrated-gradients", {"n_steps": 1000}, [1.5, -0.5]),
    (Gate, [3, 1], "saliency", {}, [1, 1]),
    (Gate, [3, 1], "input-x-gradient", {}, [3, -1]),
    (Gate, [3, 1], "feature-ablation", {"segments": 2}, [1, -1]),
    (Gate, [3, 1], "shapley", {"segments": 2}, [1.5, -0.5]),
    (Gate, [3, 1], "captum:ShapleyValues", {"segments": 2}, [1.5, -0.5]),
    (Gate, [1.5, 2], "saliency", {}, [0, 0]),
    (Threshold, [3, 1], "integrated-gradients", {"n_steps": 1000}, [1.5, -0.5]),
    (Threshold, [3, 1], "deep-lift", {}, [2, -1]),
    (Threshold, [3, 1], "captum:NoiseTunnel", {"of": "InputXGradient", "stdevs": 1e-6}, [3, -1]),
    (Relus, [1, 2], "deep-lift", {}, [2, 1]),
    (Relus, [1, 2], "captum:DeepLiftShap", {"baselines": [0.0]}, [2, 1]),
    (Relus, [1, 2], "integrated-gradients", {"n_steps": 2000}, [2, 1]),
    (Relus, [-1, 2], "captum:GuidedBackprop", {}, [0, 2]),
    (Tanhs, [-1, -2], "deep-lift", {}, [-1.5232, -1.9281]),
    (Tanhs, [-1, -2], "captum:DeepLiftShap", {"baselines": [0.0]}, [-1.5232, -1.9281]),
    (Tanhs, [-1, -2], "integrated-gradients", {"n_steps": 200}, [-1.5232, -1.9281]),
    (Tops, [1, 4, 3, 2], "deep-lift", {}, [0, 4, 3, 0]),
    (Tops, [1, 4, 3, 2], "captum:DeepLiftShap", {"baselines": [0.0]}, [0, 4, 3, 0]),
    (Tops, [1, 4, 3, 2], "lrp", {}, [0, 4, 3, 0]),
]


@pytest.mark.parametrize(("model", "values", "method", "options", "expected"), VECTORS)
def test_vectors(model, values, method, options, expected):
    signals = xplain.SignalClassifier(model().eval(), sample_rate_hz=1, window=len(values))
    e = xplain.explain(signals, np.array([values], np.float32), method, target=0, **options)
    np.testing.assert_allclose(e.attributions[0].evidence.values[0], expected, rtol=0.02, atol=1e-6)


QUARTERS = np.kron([[0, 1], [2, 3]], np.ones((2, 2), int))
#: The method with its options, and the values for the pixels 0 to 15 of a photo of four rows, or at the layer's places.
PIXELS = [
    ("saliency", {}, [[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]]),
    ("input-x-gradient", {}, [[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11], [0, 0, 0, 0]]),
    (
        "integrated-gradients",
        {"n_steps": 500},
        [
            [0, 0.0748, 0.1495, 0.2243],
            [1.2284, 3.2911, 3.9494, 2.4579],
            [2.4568, 5.9241, 6.5823, 3.8625],
            [3.6852, 7.585, 8.1684, 4.1454],
        ],
    ),
    (
        "deep-lift",
        {},
        [
            [0, 0.0741, 0.1481, 0.2222],
            [1.2346, 3.3025, 3.963, 2.463],
            [2.4691, 5.9444, 6.6049, 3.8704],
            [3.7037, 7.6235, 8.2099, 4.1667],
        ],
    ),
    ("captum:LRP", {}, [[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11], [0, 0, 0, 0]]),
    ("captum:GuidedBackprop", {}, [[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]]),
    ("captum:Deconvolution", {}, [[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]]),
    (
        "captum:FeatureAblation",
        {"segments": QUARTERS},
        [[7, 7, 4, 4]] * 2 + [[36, 36, 47, 47]] * 2,
    ),
    (
        "captum:Occlusion",
        {"sliding_window_shapes": (1, 2, 2)},
        [[7, 8, 6.5, 4], [15.5, 20.75, 22.25, 18.5], [30, 39.25, 44.25, 40], [36, 45, 50.5, 47]],
    ),
    ("occlusion", {"window": 2, "stride": 2}, [[7, 7, 4, 4]] * 2 + [[36, 36, 47, 47]] * 2),
    ("captum:LayerGradCam", {"layer": "relu1"}, [[0, 4], [28, 32.5]]),
    ("captum:LayerGradientXActivation", {"layer": "conv1"}, [[0, 4], [25, 25]]),
    ("layer-deep-lift", {"layer": "conv1"}, [[0, 4], [25, 25]]),
    ("layer-conductance", {"layer": "relu1"}, [[0, 3.9706], [25, 24.5237]]),
    ("layer-integrated-gradients", {"layer": "relu1"}, [[0, 4], [25, 25]]),
    ("internal-influence", {"layer": "conv1"}, [[0, 0.0805], [0.2964, 0.2775]]),
    (
        "neuron-gradient",
        {"layer": "conv1", "neuron": (0, 1, 1)},
        [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]],
    ),
    (
        "neuron-integrated-gradients",
        {"layer": "conv1", "neuron": (0, 1, 1)},
        [[0, 0, 0, 0], [0, 5, 6, 7], [0, 9, 10, 11], [0, 13, 14, 15]],
    ),
    (
        "neuron-conductance",
        {"layer": "conv1", "neuron": (0, 1, 1)},
        [[0, 0, 0, 0], [0, 2.15, 2.58, 3.01], [0, 3.87, 4.3, 4.73], [0, 5.59, 6.02, 6.45]],
    ),
]


@pytest.mark.parametrize(("method", "options", "expected"), PIXELS)
def test_pixels(method, options, expected):
    model = xplain.ImageClassifier(OneConv().eval())
    array = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    (e,) = run(model, [prepared(array)], [0], method=method, **options)
    found = e.attributions[0].evidence.values
    if len(expected) == 2:  # each place of the layer on four pixels, with its value on them or between them
        found = found[::3, ::3]
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=1e-6)
