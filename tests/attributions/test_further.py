"""Further inputs of a model are fixed: an explanation is that of a model that has them built in."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.test_determinism import Windowed, few, network, photo
from tests.models.test_text import letters
from tests.support import refuses
from xplain import (
    AttributionError,
    Detector,
    ImageClassifier,
    InputError,
    Segmenter,
    SignalClassifier,
    TextClassifier,
    UnknownNameError,
)
from xplain.attributions import METHODS

PHOTO = photo(0)
META = np.array([0.5, -1.0, 2.0])
DEPTH = np.linspace(0, 1, 256).reshape(1, 16, 16)


class WithMeta(nn.Module):
    """Scores a photo and three numbers about it, which scale and shift what the photo gives."""

    def __init__(self):
        super().__init__()
        self.net, self.gate = network(), nn.Linear(3, 17)

    def forward(self, image, meta):
        return self.net(image) * torch.sigmoid(self.gate(meta)) + self.gate(meta)


class Depth(nn.Module):
    """Joins colours with depth before all convolutions."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.first, self.net = nn.Conv2d(4, 3, 1), network()

    def forward(self, image, *, depth, scale=1.0):
        return self.net(self.first(torch.cat([image, depth * scale], dim=1)))


class Fixed(nn.Module):
    """A module with its further inputs built in."""

    def __init__(self, inner, **further):
        super().__init__()
        self.inner, self.further = inner, further

    def forward(self, x):
        others = {
            name: torch.tensor(value, dtype=torch.float32)[None] if isinstance(value, np.ndarray) else value
            for name, value in self.further.items()
        }
        if "depth" in others:  # as often as there are photos
            others["depth"] = others["depth"] + 0 * x[:, :1]
        return self.inner(x, **others)


NAMES = [name for name, m in METHODS.items() if "images" in m.explains and m.needs in ("scores", "gradients", "layers")]
NO_GRAPH = ("deep-lift-shap", "lrp", "layer-deep-lift")  # of a product of activations


@pytest.mark.parametrize("method", [name for name in NAMES if name not in NO_GRAPH])
@pytest.mark.parametrize("case", ["meta", "depth"])
def test_every_method_explains_the_photo_as_if_the_others_were_built_in(case, method):
    torch.manual_seed(0)
    module, further = (WithMeta(), {"meta": META}) if case == "meta" else (Depth(), {"depth": DEPTH, "scale": 0.5})
    options, layer = few("images", method), {}
    if METHODS[method].needs == "layers":
        layer = {"layer": "net.2"}
    if (case, method) == ("depth", "deconvolution"):
        with refuses(AttributionError, "model must be called with tensors alone, not by name"):
            xplain.explain(ImageClassifier(module), PHOTO, method, inputs=further)
        return
    e = xplain.explain(ImageClassifier(module), PHOTO, method, inputs=further, **options, **layer)
    layer = {"layer": "inner.net.2"} if layer else {}
    expected = xplain.explain(ImageClassifier(Fixed(module, **further)), PHOTO, method, **options, **layer)
    assert e.predictions[0].score == pytest.approx(expected.predictions[0].score, rel=1e-6)
    (found,), (built_in,) = e.attributions, expected.attributions
    scale = np.abs(built_in.evidence.values).max()
    np.testing.assert_allclose(found.evidence.values, built_in.evidence.values, rtol=1e-4, atol=1e-4 * scale)
    assert e.provenance.evaluations == expected.provenance.evaluations
    recorded = e.provenance.options["inputs"]
    assert recorded["meta"]["shape"] == [3] if case == "meta" else recorded["scale"] == 0.5
    assert xplain.from_document(xplain.to_document(e)) == e


@pytest.mark.parametrize("method", ["deep-lift-shap", "lrp", "layer-deep-lift"])
def test_rewritten_modules_are_given_further_inputs(method):
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.other = network(), nn.Linear(3, 17)

        def forward(self, image, meta):
            return self.net(image) + self.other(meta)

    module = Sum()
    e = xplain.explain(ImageClassifier(module), PHOTO, method, inputs={"meta": META})
    if method == "lrp":  # part of the relevance is that of the further inputs
        (attribution,) = e.attributions
        assert attribution.evidence.values.any()
        assert attribution.quality["notes"][0].startswith("relevance adds up to ")
        return
    expected = xplain.explain(ImageClassifier(Fixed(module, meta=META)), PHOTO, method)
    np.testing.assert_allclose(
        e.attributions[0].evidence.values, expected.attributions[0].evidence.values, rtol=1e-4, atol=1e-6
    )


def test_the_default_of_a_network_with_metadata_is_a_map_of_its_features():
    e = xplain.explain(ImageClassifier(WithMeta()), PHOTO, inputs={"meta": META})
    assert e.attributions[0].method == "grad-cam"


def test_each_input_of_a_batch_has_its_own_or_all_have_the_same():
    model, photos = ImageClassifier(WithMeta()), [PHOTO, photo(1), PHOTO]
    sets = [{"meta": META}, {"meta": META + 1}, {"meta": -META}]
    batch = xplain.explain_batch(model, photos, "saliency", inputs=sets)
    alone = [xplain.explain(model, each, "saliency", inputs=one) for each, one in zip(photos, sets, strict=True)]
    assert list(batch) == alone
    assert batch[0].predictions != batch[2].predictions
    same = xplain.explain_batch(model, photos, "saliency", inputs=sets[0])
    assert same[0] == same[2] == alone[0]
    with refuses(InputError, "inputs must have one entry for each of the 3 inputs, got 2"):
        xplain.explain_batch(model, photos, "saliency", inputs=sets[:2])
    plain = ImageClassifier(network())
    by_name = xplain.explain_batch(plain, inputs=photos, method="saliency")
    assert by_name == xplain.explain_batch(plain, photos, "saliency")


def test_tensors_are_taken_and_values_of_the_module_s_type_are_given():
    seen = []

    class Typed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network().double()

        def forward(self, image, meta, index, flag):
            seen.append((meta.dtype, tuple(meta.shape), index.dtype, flag))
            return self.net(image) + meta[:, :1]

    further = {"meta": torch.ones(2, requires_grad=True), "index": np.array(3), "flag": True}
    xplain.explain(ImageClassifier(Typed()), PHOTO, "occlusion", inputs=further)
    assert {each[0] for each in seen} == {torch.float64}
    assert all(each[1][1:] == (2,) and each[2:] == (torch.int64, True) for each in seen)


def test_further_inputs_of_other_kinds_of_model():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.kinds, self.head = nn.Embedding(50, 4), nn.Embedding(2, 4), nn.Linear(4, 2)

        def forward(self, input_ids, attention_mask=None, token_type_ids=None):
            assert token_type_ids.shape == input_ids.shape
            return self.head(torch.tanh(self.table(input_ids) + self.kinds(token_type_ids)).sum(1))

    text = TextClassifier(Words(), letters, baseline_id=0)
    found = [
        xplain.explain(text, "ab c", method, 0, inputs={"token_type_ids": np.array(kinds)}).attributions[0]
        for kinds in ([0, 0, 1, 1], [1, 0, 0, 0])
        for method in ("integrated-gradients", "occlusion")
    ]
    assert found[0].target.score != found[2].target.score
    box = TextClassifier(lambda texts, year: [[len(text), float(y)] for text, y in zip(texts, year, strict=True)])
    e = xplain.explain(box, "ab c", "occlusion", 1, inputs={"year": np.array(7)})
    assert e.attributions[0].target.score == box.probabilities(np.array([4.0, 7.0]))[1]

    class Lead(Windowed):
        def forward(self, windows, lead):
            return super().forward(windows) + lead

    signal = SignalClassifier(Lead(), sample_rate_hz=10, window=12)
    recording = np.random.default_rng(0).normal(size=(2, 30))
    e = xplain.explain(signal, recording, "integrated-gradients", 1, inputs={"lead": np.arange(5.0)})
    plain = SignalClassifier(Windowed(), sample_rate_hz=10, window=12)
    expected = xplain.explain(plain, recording, "integrated-gradients", 1).attributions[0].evidence.values
    np.testing.assert_allclose(e.attributions[0].evidence.values, expected, atol=1e-6)

    def lamp(images, gain):
        light = images[:, 4:8, 4:8].mean(axis=(1, 2, 3)) / 255 * gain
        return [{"boxes": [[4, 4, 8, 8]], "labels": [0], "scores": [score]} for score in light]

    e = xplain.explain(Detector(lamp), PHOTO, "occlusion", inputs={"gain": np.array(0.5)})
    assert e.predictions[0].score == pytest.approx(PHOTO[4:8, 4:8].mean() / 510, rel=1e-6)

    def halves(images, gain):
        grey = images.mean(axis=3) * gain[:, None, None]
        return np.stack([grey, 255 - grey], axis=1) / 255

    assert xplain.explain(Segmenter(halves), PHOTO, "occlusion", inputs={"gain": np.array(0.5)}).attributions


def test_costs_similarities_and_margins_know_further_inputs():
    model, further = ImageClassifier(WithMeta()), {"meta": META}
    for target in (xplain.Similarity(photo(1)), xplain.Margin(0, 1)):
        e = xplain.explain(model, PHOTO, "integrated-gradients", target, inputs=further, n_steps=4)
        assert {"inputs"} <= set(e.provenance.options)
        cost = xplain.cost(model, PHOTO, "integrated-gradients", target, inputs=further, n_steps=4)
        assert cost.evaluations == e.provenance.evaluations


def test_what_is_missing_or_wrong_is_refused_with_what_helps():
    model = ImageClassifier(WithMeta())
    with refuses(
        InputError, "inputs must hold meta, which the model needs beside what is explained, got none; pass", "'meta'"
    ):
        xplain.explain(model, PHOTO, "saliency")
    with refuses(UnknownNameError, "inputs must be one of meta, got 'metta'; did you mean 'meta'?"):
        xplain.explain(model, PHOTO, "saliency", inputs={"metta": META})
    with refuses(InputError, "inputs must name further arguments of the model, got 'image', which is explained"):
        xplain.explain(model, PHOTO, "saliency", inputs={"image": META})
    with refuses(InputError, "inputs must be left out for a model that takes x alone, got 'meta'"):
        xplain.explain(ImageClassifier(lambda x: x.mean((1, 2))), PHOTO, "occlusion", inputs={"meta": META})
    with refuses(InputError, "inputs must be a mapping"):
        xplain.explain(model, PHOTO, "saliency", inputs=[META])
    with refuses(InputError, "inputs['meta'] must be an array or tensor of numbers, or a plain value, got"):
        xplain.explain(model, PHOTO, "saliency", inputs={"meta": object()})
    with refuses(InputError, "each for one input and without the batch, got shapes {'meta': (7,)}; the model says:"):
        xplain.explain(model, PHOTO, "saliency", inputs={"meta": np.zeros(7)})
    box = ImageClassifier(lambda images, meta: images[:, 0, 0] * meta[:, :1])
    with refuses(InputError, "inputs must hold meta, which the model needs beside what is explained"):
        xplain.explain(box, PHOTO, "occlusion")
    e = xplain.explain(box, PHOTO, "occlusion", inputs={"meta": META})
    assert e.predictions[0].id == PHOTO[0, 0].argmax()


def test_other_verbs_know_further_inputs():
    model, further = ImageClassifier(WithMeta()), {"meta": META}
    expected = xplain.explain(model, PHOTO, "saliency", inputs=further)
    assert xplain.predict(model, PHOTO, inputs=further) == expected.predictions
    with refuses(InputError, "inputs must hold meta"):
        xplain.predict(model, PHOTO)
    compared = xplain.compare(model, PHOTO, ["saliency"], inputs=further)
    assert compared.explanations[0].attributions[0].evidence == expected.attributions[0].evidence
    measured = xplain.evaluate(model, expected, PHOTO, inputs=further)
    assert measured.attributions[0].quality["deletion"] == compared.explanations[0].attributions[0].quality["deletion"]
    for call in (lambda: xplain.compare(model, PHOTO, ["saliency"]), lambda: xplain.evaluate(model, expected, PHOTO)):
        with refuses(InputError, "inputs must hold meta"):
            call()
    with_them = model.with_inputs(further)
    assert xplain.explain(with_them, PHOTO, "saliency") == expected
    assert {"saliency", "grad-cam"} <= set(xplain.methods(with_them, PHOTO))
    assert "saliency" in xplain.methods(model)  # which is not tried without its inputs
    changed = xplain.explain(with_them, PHOTO, "saliency", inputs={"meta": META + 1})
    assert changed == xplain.explain(model, PHOTO, "saliency", inputs={"meta": META + 1})


@pytest.mark.parametrize("method", ["saliency", "integrated-gradients", "occlusion"])
def test_partial_calls_and_methods_of_a_module_are_the_module(method):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
            )

        def forward(self, x, scale=1.0, shift=None):
            return self.net(x) * scale + (0 if shift is None else shift)

    net, photo = Scaled().eval(), np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    expected = xplain.explain(ImageClassifier(net), photo, method, target=1)
    for held in (functools.partial(net), net.forward, net.__call__, functools.partial(net, scale=1.0)):
        model = ImageClassifier(held)
        assert model.module is net
        found = xplain.explain(model, photo, method, target=1)
        assert found.attributions[0].evidence == expected.attributions[0].evidence
    fixed = functools.partial(net, scale=2.0, shift=torch.tensor([0.0, 7.0, 0.0]))
    found = xplain.explain(ImageClassifier(fixed), photo, method)
    assert found.attributions[0].target.label == ("1",)
    np.testing.assert_allclose(
        found.attributions[0].evidence.values, 2 * expected.attributions[0].evidence.values, rtol=1e-3, atol=1e-6
    )
    assert found.provenance.options["inputs"]["scale"] == 2.0


def test_complex_scores_are_refused():
    for model in (lambda images: np.fft.fft(images.mean(axis=(1, 2))), Spectrum()):
        with refuses(InputError, "model output must be real numbers, got complex ones"):
            xplain.explain(ImageClassifier(model), np.zeros((4, 4, 3), np.uint8), "occlusion", window=2, stride=2)


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x.mean((2, 3)))
