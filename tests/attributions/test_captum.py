"""Captum as an engine: any of its attributions as a method, right or refused, with nothing left behind."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.detectors import PLANTED, Planted, Threshold, photo
from tests.support import refuses
from xplain import AttributionError, InputError, UnknownNameError
from xplain.attributions import METHODS
from xplain.attributions.naming import method_of

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
TEXT = "one good film"


class Net(nn.Module):
    """Two convolutions without biases, ReLUs as functions, the mean over places, a linear layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 4, 3, bias=False)
        self.last = nn.Linear(4, 3, bias=False)

    def forward(self, x):
        return self.last(torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3)))


class Twice(Net):
    def forward(self, x):
        return (super().forward(x) + super().forward(x.flip(3))) / 2


@pytest.fixture
def net():
    return Net().eval()


@pytest.fixture
def model(net):
    return xplain.ImageClassifier(net, preprocess=xplain.Preprocess(size=(12, 12)))


def values(explanation, t=0):
    return explanation.attributions[t].evidence.values


def score(model, index):
    return float(model.scores(model.prepare(PHOTO).array[None])[0, index])


class TestNames:
    def test_a_name_a_class_and_captums_name_are_one_method(self, captum, model):
        explanations = [xplain.explain(model, PHOTO, method, target=1) for method in ("lrp", captum.LRP, "captum:LRP")]
        assert {e.provenance.method for e in explanations} == {"lrp"}
        assert all(e.attributions == explanations[0].attributions for e in explanations)
        assert {e.attributions[0].method for e in explanations} == {"lrp"}

    def test_what_the_table_has_not_keeps_captums_name(self, captum, model):
        e = xplain.explain(model, PHOTO, captum.LayerGradientShap, target=1)
        assert e.provenance.method == e.attributions[0].method == "captum:LayerGradientShap"
        assert e.provenance.engine == "captum"
        assert e.provenance.versions["captum"]
        assert e.provenance.options["n_samples"] == 5

    @pytest.mark.parametrize(
        ("name", "entry"),
        [("Saliency", "saliency"), ("LayerGradCam", "grad-cam"), ("DeepLift", "deep-lift"), ("LRP", "lrp")],
    )
    def test_classes_that_the_table_has_are_its_entries(self, captum, name, entry):
        assert method_of(getattr(captum, name)) is METHODS[entry]

    def test_unknown_names_are_refused(self, model):
        with refuses(UnknownNameError, "captum:LPR", "did you mean 'captum:LRP'?"):
            xplain.explain(model, PHOTO, "captum:LPR")
        with refuses(UnknownNameError, "method must be one of"):
            xplain.explain(model, PHOTO, Net)
        with refuses(UnknownNameError, "option of captum:Occlusion must be one of", "did you mean 'strides'?"):
            xplain.explain(model, PHOTO, "captum:Occlusion", stride=2)

    @pytest.mark.parametrize(
        "name", ["LayerActivation", "FeaturePermutation", "LLMAttribution", "DataLoaderAttribution"]
    )
    def test_what_explains_no_prediction_is_refused_with_what_does(self, model, name):
        with refuses(AttributionError, f"got {name}, which", "use" if "LLM" not in name else "explain a classifier"):
            xplain.explain(model, PHOTO, f"captum:{name}")

    def test_wrong_options_are_refused_never_a_bare_error(self, model):
        with refuses(InputError, "n_steps must be an integer >= 1, got 'a'"):
            xplain.explain(model, PHOTO, "layer-conductance", n_steps="a")
        with refuses(InputError, "options must be what Captum's NoiseTunnel takes"):
            xplain.explain(model, PHOTO, "captum:NoiseTunnel", nt_samples=0)
        for neuron in ((99, 0, 0), (0,), (0, 0), (0, 0, 0, 0)):
            with refuses(InputError, "neuron must be a place in the layer's output (4, 10, 10)", f"got {neuron}"):
                xplain.explain(model, PHOTO, "neuron-gradient", layer="first", neuron=neuron)
            with refuses(InputError, "neuron must be a place in the layer's output (4, 10, 10)", f"got {neuron}"):
                xplain.explain(model, PHOTO, "neuron-conductance", layer="first", neuron=neuron)
        with refuses(InputError, "stdevs must be at least 0, got -1.0"):
            xplain.explain(model, PHOTO, "captum:NoiseTunnel", stdevs=-1.0)

    def test_captums_own_complaint_is_passed_on(self, model):
        with refuses(InputError, "options must be what Captum's Occlusion takes"):
            xplain.explain(model, PHOTO, "captum:Occlusion", sliding_window_shapes=(9, 9, 9, 9))


class TestInstances:
    def test_settings_of_an_instance_are_kept(self, captum, net, model):
        e = xplain.explain(model, PHOTO, captum.IntegratedGradients(net, multiply_by_inputs=False), target=1, n_steps=9)
        x = torch.tensor(model.prepare(PHOTO).array)[None]
        raw = captum.IntegratedGradients(net, multiply_by_inputs=False).attribute(x, target=1, n_steps=9)
        np.testing.assert_allclose(values(e), raw.sum(dim=1)[0].detach(), rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("abs", [True, False])
    def test_an_instance_of_saliency_is_the_tables(self, captum, net, model, abs):
        own, named = (
            xplain.explain(model, PHOTO, method, target=1, abs=abs) for method in (captum.Saliency(net), "saliency")
        )
        np.testing.assert_allclose(values(own), values(named), rtol=1e-5)
        assert (values(named) < 0).any() != abs

    def test_the_layer_of_an_instance_is_explained(self, captum, net, model):
        given = xplain.explain(model, PHOTO, captum.LayerConductance(net, net.first), target=1)
        assert given.attributions[0].quality["layer"] == "first"
        named = xplain.explain(model, PHOTO, "layer-conductance", layer="first", target=1)
        np.testing.assert_array_equal(values(given), values(named))

    def test_a_tunnel_of_the_callers_repeats_his_method(self, captum, net, model):
        tunnel = captum.NoiseTunnel(captum.IntegratedGradients(net, multiply_by_inputs=False))
        options = {"nt_samples": 2, "n_steps": 5, "stdevs": 1e-6}
        e = xplain.explain(model, PHOTO, tunnel, target=1, **options)
        x = torch.tensor(model.prepare(PHOTO).array)[None]
        raw = captum.IntegratedGradients(net, multiply_by_inputs=False).attribute(x, target=1, n_steps=5)
        np.testing.assert_allclose(values(e), raw.sum(dim=1)[0].detach(), rtol=1e-3, atol=1e-5)

    def test_classes_and_layers_are_kept_in_documents_by_name(self, captum, net, model):
        e = xplain.explain(model, PHOTO, captum.NoiseTunnel, of=captum.InputXGradient, nt_samples=2)
        assert xplain.from_document(xplain.to_document(e)).provenance.options["of"] == "InputXGradient"
        e = xplain.explain(model, PHOTO, "layer-conductance", layer=net.first, n_steps=2)
        assert xplain.to_document(e)["attributions"][0]["quality"]["layer"] == "first"

    def test_an_instance_of_another_module_is_refused(self, captum, model):
        with refuses(InputError, "method must be made of the module of this model, got Saliency of another"):
            xplain.explain(model, PHOTO, captum.Saliency(Net()))

    def test_a_tunnel_repeats_what_it_is_told(self, captum, model):
        tunnel = xplain.explain(
            model, PHOTO, captum.NoiseTunnel, of="IntegratedGradients", nt_samples=3, n_steps=5, seed=3
        )
        again = xplain.explain(
            model, PHOTO, "captum:NoiseTunnel", of=captum.IntegratedGradients, nt_samples=3, n_steps=5, seed=3
        )
        assert tunnel.attributions == again.attributions
        other = xplain.explain(
            model, PHOTO, captum.NoiseTunnel, of="IntegratedGradients", nt_samples=3, n_steps=5, seed=4
        )
        assert not np.array_equal(values(tunnel), values(other))
        with refuses(AttributionError, "of must be what a NoiseTunnel repeats, got another NoiseTunnel"):
            xplain.explain(model, PHOTO, captum.NoiseTunnel, of="NoiseTunnel")
        with refuses(UnknownNameError, "of must be one of", "did you mean 'captum:LRP'?"):
            xplain.explain(model, PHOTO, captum.NoiseTunnel, of="captum:LPR")
        with refuses(UnknownNameError, "option of captum:NoiseTunnel", "did you mean 'nt_samples'?"):
            xplain.explain(model, PHOTO, captum.NoiseTunnel, of="LRP", nt_sample=3)

    @pytest.mark.parametrize(
        ("of", "method", "options"),
        [
            ("LRP", "lrp", {}),
            ("DeepLiftShap", "deep-lift-shap", {"baselines": [0.0]}),
            ("LayerConductance", "layer-conductance", {"layer": "first", "n_steps": 3}),
            ("NeuronGradient", "neuron-gradient", {"layer": "first", "neuron": (1, 2, 3)}),
            ("Occlusion", "captum:Occlusion", {"sliding_window_shapes": (3, 4, 4), "strides": (3, 4, 4)}),
            ("KernelShap", "captum:KernelShap", {"segments": "grid", "n_segments": 4, "n_samples": 50}),
            ("Deconvolution", "deconvolution", {}),
        ],
    )
    @pytest.mark.parametrize("batch_size", [1, 8])
    def test_a_tunnel_repeats_any_method(self, captum, model, of, method, options, batch_size):
        plain = xplain.explain(model, PHOTO, method, target=[1, 2], **options)
        tunnel = xplain.explain(
            model,
            PHOTO,
            captum.NoiseTunnel,
            of=of,
            target=[1, 2],
            nt_samples=3,
            stdevs=1e-7,
            batch_size=batch_size,
            **options,
        )
        for t in range(2):
            if of != "KernelShap":  # which draws other coalitions for each copy
                scale = np.abs(values(plain, t)).max()
                np.testing.assert_allclose(values(tunnel, t), values(plain, t), rtol=1e-3, atol=1e-4 * scale)
        assert tunnel.provenance.options["of"] == of

    def test_a_tunnel_of_scores_explains_black_boxes(self, captum):
        model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
        photo = np.full((4, 4, 3), 200, np.uint8)
        e = xplain.explain(
            model, photo, captum.NoiseTunnel, of="FeatureAblation", segments="grid", n_segments=4, stdevs=1e-3
        )
        assert values(e)[::2, ::2].round(1).tolist() == [[200, 0], [0, 0]]


class TestSums:
    @pytest.mark.parametrize(
        "method",
        ["deep-lift-shap", "lrp", "layer-conductance", "layer-integrated-gradients", "layer-deep-lift"],
    )
    def test_methods_that_add_up_do(self, model, method):
        e = xplain.explain(model, PHOTO, method, target=[0, 1])
        for attribution in e.attributions:
            change = attribution.quality["score"] - attribution.quality["baseline_score"]
            assert attribution.quality["completeness_residual"] == pytest.approx(0, abs=2e-3 * abs(change))

    def test_relevance_of_a_network_without_biases_is_the_score(self, model):
        e = xplain.explain(model, PHOTO, "lrp", target=1)
        assert values(e).sum() == pytest.approx(score(model, 1), rel=1e-4)
        assert "notes" not in e.attributions[0].quality

    def test_what_biases_keep_is_stored(self, net):
        net.second = nn.Conv2d(4, 4, 3)
        biased = xplain.ImageClassifier(net.eval(), preprocess=xplain.Preprocess(size=(12, 12)))
        e = xplain.explain(biased, PHOTO, "lrp", target=1)
        quality = e.attributions[0].quality
        assert abs(quality["completeness_residual"]) > 0.01 * abs(quality["score"])
        assert "biases keep the rest" in quality["notes"][0]
        assert "biases keep the rest" in xplain.render(e).alt

    def test_relevance_of_a_region_is_the_mean_of_that_of_its_pixels(self):
        class Dense(Net):
            def forward(self, x):
                return self.second(torch.relu(self.first(x)))

        class Pixels(Dense):
            def forward(self, x):
                return super().forward(x)[:, 1].flatten(1)

        preprocess = xplain.Preprocess(size=(12, 12))
        segmenter = xplain.Segmenter(Dense().eval(), preprocess=preprocess)
        found = values(xplain.explain(segmenter, PHOTO, "lrp", target=1, region="image"))
        pixels = xplain.explain(
            xplain.ImageClassifier(Pixels().eval(), preprocess=preprocess), PHOTO, "lrp", target=list(range(64))
        )
        expected = np.mean([attribution.evidence.values for attribution in pixels.attributions], axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)

    def test_deconvolution_is_the_papers(self, net, model):
        x = torch.tensor(model.prepare(PHOTO).array)[None].requires_grad_()

        class Deconv(torch.autograd.Function):
            @staticmethod
            def forward(context, x):
                return x.clamp(min=0)

            @staticmethod
            def backward(context, gradient):
                return gradient.clamp(min=0)

        hidden = Deconv.apply(net.second(Deconv.apply(net.first(x))))
        net.last(hidden.mean((2, 3)))[0, 1].backward()
        e = xplain.explain(model, PHOTO, "deconvolution", target=1)
        np.testing.assert_allclose(values(e), x.grad.sum(dim=1)[0], rtol=1e-4, atol=1e-7)

    def test_a_neuron_is_the_callers_or_the_most_active(self, captum, net, model):
        e = xplain.explain(model, PHOTO, "neuron-gradient", layer="first", neuron=(1, 2, 3))
        x = torch.tensor(model.prepare(PHOTO).array)[None].requires_grad_()
        net.first(x)[0, 1, 2, 3].backward()
        np.testing.assert_allclose(values(e), x.grad.sum(dim=1)[0], atol=1e-6)
        quality = xplain.explain(model, PHOTO, "neuron-gradient", layer="first").attributions[0].quality
        with torch.no_grad():
            output = net.first(x)[0]
        assert float(output[tuple(quality["neuron"])]) == float(output.max())

    def test_layers_are_names_or_modules_and_run_once(self, net, model):
        named = xplain.explain(model, PHOTO, "layer-conductance", layer="first", target=1)
        given = xplain.explain(model, PHOTO, "layer-conductance", layer=net.first, target=1)
        assert named.attributions == given.attributions
        with refuses(InputError, "layer must be a part of the model's module"):
            xplain.explain(model, PHOTO, "layer-conductance", layer=nn.Conv2d(1, 1, 1))
        twice = xplain.ImageClassifier(Twice().eval(), preprocess=xplain.Preprocess(size=(12, 12)))
        with refuses(AttributionError, "layer must run once in a pass for LayerConductance, got 2 calls", "hires-cam"):
            xplain.explain(twice, PHOTO, "layer-conductance", layer="second")


class TestBorrowing:
    METHODS = ("saliency", "lrp", "deconvolution", "deep-lift-shap", "layer-conductance", "neuron-gradient")

    @pytest.mark.parametrize("method", [*METHODS, "captum:GradientShap", "captum:LayerGradientShap"])
    def test_the_module_and_the_global_generators_are_as_before(self, net, model, method):
        net.train()
        state = [(dict(m.__dict__), m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in net.modules()]
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        xplain.explain(model, PHOTO, method)
        after = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
        assert all((a == b).all() for a, b in zip(before, after, strict=True))
        now = [(dict(m.__dict__), m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in net.modules()]
        assert [keys[1:] for keys in state] == [keys[1:] for keys in now]
        assert [set(keys[0]) for keys in state] == [set(keys[0]) for keys in now]

    def test_threads_share_a_model(self, model):
        expected = {method: xplain.explain(model, PHOTO, method, target=1).attributions for method in self.METHODS}
        wrong = []

        def work(method):
            for _ in range(3):
                if xplain.explain(model, PHOTO, method, target=1).attributions != expected[method]:
                    wrong.append(method)

        threads = [threading.Thread(target=work, args=(method,)) for method in self.METHODS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_captum_and_matplotlib_are_imported_by_the_first_of_its_methods(self):
        code = (
            "import sys, numpy as np, torch, xplain;"
            "m = xplain.ImageClassifier(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)),"
            " preprocess=xplain.Preprocess(size=(2, 2)));"
            "p = np.full((2, 2, 3), 9, np.uint8);"
            "xplain.methods(); xplain.explain(m, p, 'deep-lift'); assert 'captum' not in sys.modules;"
            "xplain.explain(m, p, 'saliency'); assert 'captum' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestBlackBoxes:
    def test_scores_are_all_that_perturbations_need(self):
        model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
        photo = np.full((4, 4, 3), 200, np.uint8)
        e = xplain.explain(model, photo, "feature-ablation", segments="grid", n_segments=4)
        assert values(e)[::2, ::2].tolist() == [[200, 0], [0, 0]]
        assert e.provenance.engine == "captum"
        e = xplain.explain(model, photo, "captum:ShapleyValues", segments="grid", n_segments=4)
        assert values(e)[::2, ::2].tolist() == [[200, 0], [0, 0]]

    def test_what_would_take_for_ever_is_refused(self):
        model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
        with refuses(AttributionError, "regions must be at most 6 for ShapleyValues", "got 9; use shapley"):
            xplain.explain(model, PHOTO, "captum:ShapleyValues", segments="grid", n_segments=9)

    def test_words_that_overlap_in_a_window_are_ours(self):
        model = xplain.TextClassifier(lambda texts: [[3.0 * ("good" in text)] for text in texts])
        assert xplain.explain(model, TEXT, "occlusion").provenance.engine == "captum"
        overlapping = xplain.explain(model, TEXT, "occlusion", window=2)
        assert overlapping.provenance.engine == "xplain"
        assert [word.score for word in overlapping.attributions[0].evidence.words] == [3.0, 3.0, 3.0]

    def test_gradients_are_refused(self):
        model = xplain.ImageClassifier(lambda images: images.mean(axis=(1, 2)))
        with refuses(AttributionError, "method must be one that needs scores only for a black box, got 'lrp'"):
            xplain.explain(model, PHOTO, "captum:LRP")


@pytest.mark.parametrize("method", ["captum:GradientShap", "captum:NoiseTunnel", "captum:LayerGradientShap"])
def test_texts_are_explained_by_their_embeddings(method):
    model = xplain.pretrained("sentiment-cnn")
    e = xplain.explain(model, "a good film , not bad", method)
    scores = [word.score for word in e.attributions[0].evidence.words]
    assert len(scores) == 6
    assert np.isfinite(scores).all()
    assert any(scores)
    with refuses(AttributionError, "method must be one that explains texts, got 'captum:NeuronDeepLift'"):
        xplain.explain(model, "a good film", "captum:NeuronDeepLift")


class Featured(Planted):
    """A detector whose layer "features" returns the image as it is."""

    def __init__(self):
        super().__init__(raw=True)
        self.features = nn.Identity()

    def forward(self, images):
        return super().forward(self.features(images))


def test_layers_of_a_detector_are_explained_for_each_detection():
    detector = xplain.Detector(Featured(), postprocess=Threshold(PLANTED, 0.5))
    e = xplain.explain(detector, photo(), "layer-integrated-gradients", target=[0, 1], layer="features")
    for attribution in e.attributions:
        x0, y0, x1, y1 = next(patch for label, _, patch in PLANTED if label == attribution.target.id)
        found = attribution.evidence.values
        assert found[y0:y1, x0:x1].sum() == pytest.approx(found.sum(), rel=1e-5)
        assert found.sum() == pytest.approx(attribution.quality["score"], rel=1e-4)


def test_several_targets_come_from_one_set_of_passes(model):
    one = xplain.explain(model, PHOTO, "integrated-gradients", target=1, n_steps=8)
    three = xplain.explain(model, PHOTO, "integrated-gradients", target=[0, 1, 2], n_steps=8)
    assert three.provenance.evaluations == one.provenance.evaluations
    np.testing.assert_allclose(values(three, 1), values(one), rtol=1e-5, atol=1e-7)


def test_what_is_known_of_a_method_is_told():
    info = xplain.methods()["lrp"]
    assert str(info) == info.summary == METHODS["lrp"].summary
    assert (info.engine, info.needs, info.options["images"]) == ("captum", "gradients", {})
    assert "Bach" in info.paper
    assert info.example == 'xplain.explain(model, "cat.jpg", "lrp")'
    assert xplain.methods()["occlusion"].options["texts"] == {"unit": "auto", "window": 1}
