"""Inner layers of networks of texts and recordings: whatever their layout, values stand where the layer saw them."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.models.test_text import letters
from tests.support import refuses
from xplain import AttributionError, SignalClassifier, TextClassifier

TEXT = "ab c abc"
RECORDING = np.random.default_rng(0).normal(size=(2, 24)).astype(np.float32)


class Reader(nn.Module):
    """Scores letters: embeddings, a convolution over three of them, ReLU, the mean, a linear layer."""

    def __init__(self, padding=1, channels=6):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(50, 5)
        self.window = nn.Conv1d(5, channels, 3, padding=padding)
        self.back = nn.Identity()
        self.last = nn.Linear(channels, 2)

    def forward(self, ids):
        hidden = torch.relu(self.window(self.table(ids).transpose(1, 2)))
        return self.last(self.back(hidden.transpose(1, 2)).mean(1))


class Listener(nn.Module):
    """Scores windows of two axes; its layers' outputs are (n, channels, places) and, turned, (n, places, channels)."""

    def __init__(self, channels=4, stride=2):
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv1d(2, channels, 3, stride=stride, bias=False)
        self.turned = nn.Identity()
        self.last = nn.Linear(channels, 2)

    def forward(self, x):
        return self.last(self.turned(torch.relu(self.first(x)).transpose(1, 2)).mean(1))


def text_model(**options):
    return TextClassifier(Reader(**options).eval(), letters, baseline_id=0)


def signal_model(**options):
    return SignalClassifier(Listener(**options).eval(), sample_rate_hz=10, window=24)


def scores(explanation):
    return [word.score for word in explanation.attributions[0].evidence.words]


class TestTexts:
    def test_at_the_embeddings_the_layers_method_is_that_of_the_input(self, captum):
        model, options = text_model(), {"target": 1, "n_steps": 20}
        expected = scores(xplain.explain(model, TEXT, "integrated-gradients", **options))
        found = xplain.explain(model, TEXT, "layer-integrated-gradients", **options)
        assert found.attributions[0].quality["layer"] == "table"
        assert scores(found) == pytest.approx(expected, rel=1e-4, abs=1e-6)
        own = captum.LayerIntegratedGradients(model.module, model.module.table)
        assert scores(xplain.explain(model, TEXT, own, **options)) == pytest.approx(expected, rel=1e-4, abs=1e-6)

    @pytest.mark.parametrize("layer", [None, "window", "back"])
    def test_conductance_adds_up_in_any_layer(self, layer):
        e = xplain.explain(text_model(), TEXT, "layer-conductance", layer=layer, target=1, n_steps=200)
        quality = e.attributions[0].quality
        change = quality["score"] - quality["baseline_score"]
        assert sum(scores(e)) == pytest.approx(change, rel=0.02)
        assert abs(quality["completeness_residual"]) < 0.02 * abs(change)

    def test_a_layer_turned_over_has_the_same_values(self):
        model, options = text_model(), {"target": 1, "n_steps": 200}
        first = xplain.explain(model, TEXT, "layer-conductance", layer="window", **options)
        turned = xplain.explain(model, TEXT, "layer-conductance", layer="back", **options)
        assert scores(first) == pytest.approx(scores(turned), rel=1e-2)

    @pytest.mark.parametrize("layer", ["window", "back"])
    def test_as_many_channels_as_tokens_are_told_apart(self, layer):
        model = text_model(channels=len(TEXT))
        with torch.no_grad():
            model.module.table.weight[ord("c") % 50] *= 100  # so that it counts most
        e = xplain.explain(model, TEXT, "layer-integrated-gradients", layer=layer, target=1)
        found = np.abs(scores(e))
        assert found[0] < 0.1 * found.max()

    def test_a_neuron_reads_its_own_letters(self):
        model = text_model()
        e = xplain.explain(model, TEXT, "neuron-gradient", layer="window", neuron=(2, 6))
        read = float(model.module.window.weight[2].detach().sum())  # places 5 to 7, the letters of the last word
        assert scores(e) == pytest.approx([0, 0, read], rel=1e-4)

    def test_places_that_are_no_tokens_are_refused(self):
        with refuses(AttributionError, "layer must return one tensor", "one place for each token", "shape (6, 6)"):
            xplain.explain(text_model(padding=0), TEXT, "layer-conductance", layer="window")
        with refuses(AttributionError, "layer must return one tensor", "got 'last' with shape (2,)"):
            xplain.explain(text_model(), TEXT, "layer-conductance", layer="last")

    def test_noise_on_embeddings_of_a_layer(self, captum):
        model = text_model()
        plain = xplain.explain(model, TEXT, "layer-conductance", target=1)
        noisy = xplain.explain(model, TEXT, captum.NoiseTunnel, of="LayerConductance", target=1, stdevs=1e-6)
        assert scores(noisy) == pytest.approx(scores(plain), rel=1e-3, abs=1e-6)

    def test_methods_that_change_functions_are_refused(self):
        with refuses(AttributionError, "method must be one that explains texts, got 'lrp'"):
            xplain.explain(text_model(), TEXT, "captum:LRP")


class TestRecordings:
    @pytest.mark.parametrize("method", ["layer-conductance", "layer-integrated-gradients", "layer-deep-lift"])
    @pytest.mark.parametrize("layer", ["first", "turned"])
    def test_values_add_up(self, method, layer):
        e = xplain.explain(signal_model(), RECORDING, method, layer=layer, target=0)
        (attribution,) = e.attributions
        change = attribution.quality["score"] - attribution.quality["baseline_score"]
        assert attribution.evidence.values.shape == (2, 24)
        assert attribution.evidence.values.sum() == pytest.approx(change, rel=0.03)

    @pytest.mark.parametrize("channels", [4, 11, 24])
    def test_values_stand_where_the_layer_saw_them(self, channels):
        recording = np.zeros((2, 24), np.float32)
        recording[:, 18:20] = 3
        for layer in ("first", "turned"):
            e = xplain.explain(
                signal_model(channels=channels), recording, "layer-integrated-gradients", layer=layer, target=0
            )
            seen = np.abs(e.attributions[0].evidence.values).sum(axis=0)
            assert seen[15:23].sum() > 0.99 * seen.sum()

    def test_a_layer_has_to_be_named(self):
        with refuses(AttributionError, "layer must be named for a signal, got none; pass layer=..."):
            xplain.explain(signal_model(), RECORDING, "layer-conductance")

    def test_layers_without_places_are_refused(self):
        class Mixed(Listener):
            def forward(self, x):
                hidden = torch.relu(self.first(x))
                order = torch.tensor([7, 2, 9, 0, 5, 10, 3, 8, 1, 6, 4])
                return self.last(self.turned(hidden[:, :, order].transpose(1, 2)).mean(1))

        model = SignalClassifier(Mixed().eval(), sample_rate_hz=10, window=24)
        with refuses(AttributionError, "layer must return one tensor", "of which no axis follows the input"):
            xplain.explain(model, RECORDING, "layer-conductance", layer="turned")
