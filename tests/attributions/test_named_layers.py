"""A layer may be given by its dotted name or as the part of the module that it is; documents have its name."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import LayerConductance
from torch import nn

import xplain
from tests.attributions.networks import convolutional, noise
from tests.models.test_text import letters
from tests.support import refuses
from xplain import ImageClassifier, InputError, SignalClassifier, TextClassifier

IMAGE = torch.tensor(noise(2, 6, 6))
METHODS = ["grad-cam", "hires-cam", "guided-grad-cam", "layer-conductance", "layer-deep-lift", "neuron-gradient"]


class Net(nn.Module):
    """A network whose features are a part of their own."""

    def __init__(self):
        super().__init__()
        plain = convolutional()
        self.features, self.classifier = plain[:4], plain[4:]

    def forward(self, x):
        return self.classifier(self.features(x))


@pytest.mark.parametrize("method", [*METHODS, LayerConductance, "captum:LayerGradientShap"])
def test_a_part_is_its_name(method):
    net = Net()
    model = ImageClassifier(net)
    by_name = xplain.explain(model, IMAGE, method, layer="features.2")
    by_part = xplain.explain(model, IMAGE, method, layer=net.features[2])
    assert by_part == by_name
    assert by_part.provenance.options["layer"] == by_part.attributions[0].quality["layer"] == "features.2"


def test_a_model_has_a_layer_by_part_or_name():
    net = Net()
    models = [
        ImageClassifier(net, layer=layer) for layer in ("features.2", net.features[2], torch.compile(net.features[2]))
    ]
    assert [model.layer for model in models] == ["features.2"] * 3
    maps = [xplain.explain(model, IMAGE).attributions[0] for model in models]
    assert maps[0] == maps[1] == maps[2]
    assert maps[0].method == "grad-cam"


def test_a_part_of_a_compiled_module_is_found():
    net = Net()
    compiled = torch.compile(net)
    e = xplain.explain(ImageClassifier(compiled), IMAGE, "hires-cam", layer=compiled.features[0])
    assert e.provenance.options["layer"] == "features.0"


def test_layers_of_texts_and_recordings_are_given_as_parts():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Embedding(50, 4), nn.Linear(4, 2)

        def forward(self, ids):
            return self.head(torch.tanh(self.table(ids)).sum(1))

    words = Words()
    e = xplain.explain(
        TextClassifier(words, letters, baseline_id=0),
        "ab c",
        "layer-integrated-gradients",
        layer=words.table,
        n_steps=3,
    )
    assert e.provenance.options["layer"] == "table"
    net = nn.Sequential(nn.Conv1d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 2))
    recording = np.sin(np.arange(20))
    model = SignalClassifier(net, sample_rate_hz=1, window=20)
    e = xplain.explain(model, recording, "layer-conductance", layer=net[0], n_steps=3)
    assert e.provenance.options["layer"] == "0"


def test_what_is_no_part_is_refused():
    net = Net()
    model = ImageClassifier(net)
    for other in (nn.Conv2d(2, 3, 3), copy.deepcopy(net.features[0])):
        with refuses(
            InputError, "layer must be a part of the model's module, got another Conv2d; pass", "'classifier."
        ):
            xplain.explain(model, IMAGE, "grad-cam", layer=other)
        with refuses(InputError, "layer must be a part of the model's module, got another Conv2d"):
            ImageClassifier(net, layer=other)
    with refuses(InputError, "layer must be a part of the model's module, got all of it; pass"):
        xplain.explain(model, IMAGE, "grad-cam", layer=net)
    with refuses(InputError, "layer must be the dotted name of a part of the module, or the part itself, got 3"):
        xplain.explain(model, IMAGE, "grad-cam", layer=3)
    with refuses(InputError, "layer must be a part of the model's module, got another Conv2d; pass the part"):
        ImageClassifier(lambda images: images[:, 0, 0], layer=net.features[0])


def test_a_layer_that_returns_no_tensor_is_refused():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(2, 3, 3)

        def forward(self, x):
            return {"maps": self.body(x.float())}

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Named()

        def forward(self, x):
            return self.part(x)["maps"].mean((2, 3))

    for method in ("hires-cam", "layer-conductance"):
        with refuses(xplain.AttributionError, "layer must return a tensor, got dict"):
            xplain.explain(ImageClassifier(Whole()), IMAGE, method, layer="part")
        xplain.explain(ImageClassifier(Whole()), IMAGE, method, layer="part.body")
