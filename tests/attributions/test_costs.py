"""`xplain.cost` knows the evaluations of every method before it runs."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency

import xplain
from tests.attributions.test_determinism import CASES, MODELS, few, network, photo
from tests.attributions.test_kinds import BLACK_BOXES, CHARACTERS
from tests.attributions.vits import TimmLike
from tests.support import refuses
from xplain import AttributionError, ImageClassifier, InputError, TextClassifier, UnknownNameError

NET = ImageClassifier(network())
PHOTO = photo(0)
METHODS = sorted({(case.values[0], case.values[1]) for case in CASES})
CAPTUM = [
    *("DeepLift", "GradientShap", "NeuronDeepLift", "NeuronDeepLiftShap", "NeuronGradientShap", "LayerDeepLiftShap"),
    *("NeuronDeconvolution", "NeuronGuidedBackprop", "Lime", "KernelShap", "ShapleyValueSampling", "ShapleyValues"),
]


def costs(model, input, method, **arguments):
    """What a method costs by what was said, and by what was done."""
    said, done = xplain.cost(model, input, method, **arguments), xplain.explain(model, input, method, **arguments)
    return said.evaluations, done.provenance.evaluations


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_every_method_evaluates_as_often_as_said(kind, method, batch_size):
    model, inputs = MODELS[kind]
    target = [None, "top-2"][kind in ("images", "texts", "signals")]
    for input in inputs[:2]:
        said, done = costs(model, input, method, target=target, batch_size=batch_size, **few(kind, method))
        assert said == done
    said, done = costs(model, inputs[-1], method, **few(kind, method))
    assert said == done


@pytest.mark.parametrize("method", ["integrated-gradients", "deep-lift", "occlusion", "kernel-shap", "lime", "rise"])
def test_each_baseline_of_a_set_counts(method):
    options = few("images", method) | {"baseline": [0.0, "mean", 0.0, "blur"]}
    said, done = costs(NET, PHOTO, method, **options)
    assert said == done


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("method", ["deep-lift-shap", "gradient-shap", "captum:NeuronDeepLiftShap"])
def test_each_of_several_baselines_counts(method, count):
    baselines = [0.0, "mean", "blur", 1.0, 0.5][:count]
    said, done = costs(NET, PHOTO, method, baselines=baselines, batch_size=4)
    assert said == done


@pytest.mark.parametrize("name", CAPTUM)
def test_classes_of_captum_evaluate_as_often_as_said(name):
    options = {"segments": "grid", "n_segments": 4} if name in ("Lime", "KernelShap", "ShapleyValues") else {}
    options |= {"n_samples": 9} if name == "ShapleyValueSampling" else {}
    options |= {"segments": "grid", "n_segments": 4} if name == "ShapleyValueSampling" else {}
    said, done = costs(NET, PHOTO, f"captum:{name}", target=[0, 3], **options)
    assert said == done


@pytest.mark.parametrize("of", ["Saliency", "IntegratedGradients", "DeepLift", "LayerConductance", "FeatureAblation"])
def test_a_tunnel_evaluates_as_often_as_said(of):
    options = {"n_steps": 4} if of in ("IntegratedGradients", "LayerConductance") else {}
    options |= {"segments": "grid", "n_segments": 4} if of == "FeatureAblation" else {}
    said, done = costs(NET, PHOTO, NoiseTunnel, of=of, nt_samples=3, target=[0, 1], **options)
    assert said == done


def test_instances_evaluate_as_often_as_said():
    for instance in (Saliency(NET.module), IntegratedGradients(NET.module)):
        said, done = costs(NET, PHOTO, instance, target=[1, 0])
        assert said == done


@pytest.mark.parametrize("method", ["attention-rollout", "gradient-rollout", "hires-cam", None])
def test_transformers_evaluate_as_often_as_said(method):
    said, done = costs(ImageClassifier(TimmLike()), torch.rand(2, 6, 8), method)
    assert said == done


def test_a_layer_that_runs_several_times_costs_more():
    class Mirrored(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return self.net(x) + self.net(x.flip(3))

    said, done = costs(ImageClassifier(Mirrored()), PHOTO, "hires-cam")
    assert said == done > 1


@pytest.mark.parametrize("kind", BLACK_BOXES)
def test_the_default_method_of_black_boxes_costs_what_is_said(kind):
    model, input = BLACK_BOXES[kind]
    options = {"n_samples": 60, "cells": 4} if kind == "detections" else {}
    said, done = costs(model, input, None, **options)
    assert said == done


def test_the_model_is_hardly_called_and_a_tuple_comes_back():
    calls = []

    def score(images):
        calls.append(len(images))
        return images.mean(axis=(1, 2)) / 255

    evaluations, seconds = xplain.cost(ImageClassifier(score), PHOTO, "rise", n_samples=5000)
    assert evaluations == 5001
    assert 0 < seconds < 60
    assert sum(calls) <= 6
    module_calls = []
    handle = NET.module.register_forward_pre_hook(lambda _, inputs: module_calls.append(len(inputs[0])))
    cost = xplain.cost(NET, PHOTO, "integrated-gradients", n_steps=3000, batch_size=8)
    handle.remove()
    assert cost.evaluations == 3002
    assert sum(module_calls) <= 20
    assert str(cost).startswith("3,002 evaluations, about ")


def test_windows_are_timed_once():
    model, _ = MODELS["signals"]
    calls = []
    handle = model.module.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    cost = xplain.cost(model, np.random.default_rng(0).normal(size=(2, 7 * 40)), "integrated-gradients", n_steps=100)
    handle.remove()
    assert cost.evaluations > 40 * 100
    assert sum(calls) < 40 * 2 + 3 * 100


def test_the_estimate_is_of_the_right_size():
    """Of a model whose pass takes a known time."""
    import time

    model = TextClassifier(lambda texts: time.sleep(0.005 * len(texts)) or [[len(text), 1.0] for text in texts])
    seconds = xplain.cost(model, "a text of nine words and a few more", "shapley", budget=100).seconds
    assert 0.4 < seconds < 2


def test_long_texts_cost_as_much_for_each_window():
    text = "ab c ab and some more " * 3
    for method in ("integrated-gradients", "occlusion", "shapley", "lime"):
        options = {"n_steps": 3} if method == "integrated-gradients" else {}
        said, done = costs(CHARACTERS, text, method, **options)
        assert said == done


def test_what_explain_refuses_is_refused():
    with refuses(UnknownNameError, "option of rise must be one of"):
        xplain.cost(NET, PHOTO, "rise", steps=3)
    with refuses(InputError, "budget must be at least 24 for 6 regions, got 3"):
        xplain.cost(NET, PHOTO, "kernel-shap", segments="grid", n_segments=6, budget=3)
    with refuses(AttributionError, "needs gradients of a torch module"):
        xplain.cost(ImageClassifier(lambda images: images[:, 0, 0]), PHOTO, "saliency")
    with refuses(AttributionError, "method must be one whose evaluations are known before it runs, got 'captum:Layer"):
        xplain.cost(NET, PHOTO, "captum:LayerFeatureAblation")
    assert np.isfinite(xplain.cost(NET, PHOTO, "rise", tolerance=0.5).seconds)
