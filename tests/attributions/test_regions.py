import inspect
import json

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.support import refuses
from xplain import AttributionError, Mask
from xplain.attributions import METHODS

METHODS_ON_REGIONS = [
    name for name, method in METHODS.items() if "regions" in method.explains and method.needs != "attention"
]


#: Controls, and methods of single neurons, which no region is.
NO_EVIDENCE_OF_REGIONS = {
    *("random", "sobel", "centre"),
    *("neuron-gradient", "neuron-conductance", "neuron-integrated-gradients"),
}


class Pixelwise(nn.Module):
    """Two classes; a pixel's logits are weighted channels, at half the resolution: linear, with known evidence."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 2, 1, bias=False)
        self.head.weight.data = torch.tensor([[2.0, 0, -1], [-1.0, 0, 3]])[..., None, None]

    def forward(self, x):
        return nn.functional.avg_pool2d(self.head(x), 2)


class Encoder(nn.Module):
    """Convolution, ReLU, convolution, ReLU, 1x1 convolution; sums of channels, with set weights."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(4, 2, 1)
        with torch.no_grad():
            for part in (self.first[0], self.second[0]):
                part.weight.fill_(0.05)
                part.bias.zero_()
            for i in range(3):
                self.first[0].weight[i] = 0
                self.first[0].weight[i, i] = 1 / 9
                self.second[0].weight[i] = 0
                self.second[0].weight[i, i] = 1 / 9
            self.head.weight.copy_(torch.tensor([[3.0, 0, -1, 0], [-1.0, 0, 3, 0]])[..., None, None])
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(self.second(self.first(x)))


def photo():
    """16 x 24: a red square on the left, a blue one on the right, dark grey between."""
    image = np.full((16, 24, 3), 20, np.uint8)
    image[4:12, 2:10] = (220, 10, 10)
    image[4:12, 14:22] = (10, 10, 220)
    return image


def black_box(images):
    x = images.astype(np.float64) / 255
    return np.stack([2 * x[..., 0] - x[..., 2], 3 * x[..., 2] - x[..., 0]], axis=1)


def square(x0):
    region = np.zeros((16, 24), bool)
    region[4:12, x0 : x0 + 8] = True
    return region


def values(explanation, index=0):
    return explanation.attributions[index].evidence.values


@pytest.mark.parametrize("method", [name for name in METHODS_ON_REGIONS if name not in NO_EVIDENCE_OF_REGIONS])
def test_every_method_finds_the_region_that_it_explains(method):
    options = {"rise": {"cells": 6, "n_samples": 1500}}.get(method, {})
    if "players" in inspect.signature(METHODS[method].load()).parameters:
        options = {"segments": "grid", "n_segments": 24}
    if METHODS[method].needs == "layers":
        options = {"layer": "second"}
    model = xplain.Segmenter(Encoder(), ["red", "blue"])
    left = xplain.explain(model, photo(), method, target="red", region=square(2), **options)
    right = xplain.explain(model, photo(), method, target="blue", region=square(14), **options)
    assert left.task == "image-segmentation"
    assert left.attributions[0].target.region == Mask.from_array(square(2))
    # Seg-Grad-CAM weighs channels, so it lights up wherever the class is, and there is one object of each.
    inside = np.abs(values(left))[square(2)].mean(), np.abs(values(right))[square(14)].mean()
    outside = np.abs(values(left))[square(14)].mean(), np.abs(values(right))[square(2)].mean()
    assert inside[0] > 3 * outside[0]
    assert inside[1] > 3 * outside[1]


def test_linear_evidence_is_exact():
    region = square(2)
    module = Pixelwise()
    model = xplain.Segmenter(module)
    x = photo().transpose(2, 0, 1) / 255
    weights = module.head.weight.detach().numpy()[0, :, 0, 0]
    expected = np.where(region, np.einsum("c,chw->hw", weights, x), 0) / region.sum()
    for method in ("input-x-gradient", "integrated-gradients"):
        explanation = xplain.explain(model, photo(), method, target=0, region=region)
        np.testing.assert_allclose(values(explanation), expected, atol=1e-7)
    explanation = xplain.explain(
        xplain.Segmenter(black_box), photo(), "occlusion", target=0, region=region, window=2, stride=2
    )
    x = x.reshape(3, 8, 2, 12, 2).sum(axis=(2, 4)).repeat(2, 1).repeat(2, 2)
    expected = np.where(region, 2 * x[0] - x[2], 0) / region.sum()
    np.testing.assert_allclose(values(explanation), expected, atol=1e-6)


def test_point_component_class_and_image_differ():
    model = xplain.Segmenter(black_box, ["red", "blue"])
    image = photo()
    image[13:16, 0:3] = (220, 10, 10)  # a second red part
    whole = values(xplain.explain(model, image, "occlusion", target="red", window=1, stride=1))
    parts = [p for p in model.predict(image, components=True) if p.name == "red" and p.region.area < 100]
    by_area = {
        part.region.area: values(xplain.explain(model, image, "occlusion", target=part, window=1, stride=1))
        for part in parts
    }
    large, small = by_area[64], by_area[9]
    assert (large[14, 1], small[14, 1] > 0, whole[14, 1] > 0) == (0, True, True)
    assert (large[5, 5] > 0, small[5, 5], whole[5, 5] > 0) == (True, 0, True)
    point = values(xplain.explain(model, image, "occlusion", target="red", region=(5, 6), window=1, stride=1))
    assert np.flatnonzero(point).tolist() == [6 * 24 + 5]
    everywhere = xplain.explain(model, image, "occlusion", target="red", region="image", window=1, stride=1)
    assert everywhere.attributions[0].target.region is None
    assert np.count_nonzero(values(everywhere)) == 16 * 24


def test_one_attribution_for_each_region_and_the_score_is_that_of_the_model():
    explanation = xplain.explain(xplain.Segmenter(Encoder(), ["red", "blue"]), photo(), target="all")
    assert explanation.provenance.method == "hires-cam"
    assert [a.target for a in explanation.attributions] == list(explanation.predictions)
    assert sorted(p.name for p in explanation.predictions) == ["blue", "red"]
    assert not np.array_equal(values(explanation), values(explanation, 1))
    again = xplain.from_document(json.loads(json.dumps(xplain.to_document(explanation))))
    assert again == explanation
    assert again.predictions[0].region == explanation.predictions[0].region


def test_the_layer_for_cams_sees_the_surroundings():
    module = Encoder()
    region = np.zeros((16, 24), bool)
    region[6:8, 5:7] = True  # twice as large is 4 x 4, which one 3 x 3 convolution sees
    explanation = xplain.explain(xplain.Segmenter(module), photo(), "grad-cam", target=0, region=region)
    assert explanation.attributions[0].quality["layer"] == "first.1"
    assert explanation.provenance.evaluations == 3
    assert all(not part._forward_hooks for part in module.modules())


def test_every_image_through_the_model_is_counted():
    count = 0

    def counted(images):
        nonlocal count
        count += len(images)
        return black_box(images)

    explanation = xplain.explain(xplain.Segmenter(counted), photo(), window=4, stride=4, check=False)
    assert explanation.provenance.method == "occlusion"
    assert explanation.provenance.evaluations == count


def test_refusals():
    with refuses(AttributionError, "needs scores only for a black box, got 'grad-cam'", "rise"):
        xplain.explain(xplain.Segmenter(black_box), photo(), "grad-cam")
    with refuses(AttributionError, "method must be one that explains regions, got 'd-rise'"):
        xplain.explain(xplain.Segmenter(black_box), photo(), "d-rise")
    sizes = iter([1, 1, 2, 2])

    def shrinking(images):
        return black_box(images)[:, :, :: next(sizes)]

    with refuses(xplain.InputError, "model output must be of one shape for every batch, got (2, 16, 24) and then"):
        xplain.explain(xplain.Segmenter(shrinking), photo(), "occlusion", batch_size=4)
