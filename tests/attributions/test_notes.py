"""Sentences that go with a map: that it is all zeros, why as far as that was checked, and that rounding may show."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.networks import Pooled, Zeds, noise, prepared
from tests.models.test_text import letters
from tests.support import refuses
from xplain.attributions import METHODS, refusals, run
from xplain.attributions.engine.checks import Checks, Watch
from xplain.errors import AttributionError
from xplain.explanation.notes import ALL_ZERO, all_remarks, remarks
from xplain.models import ImageClassifier, Preprocess, SignalClassifier, TextClassifier

IMAGE = noise(2, 6, 6)
NEGATIVE = "all evidence is negative: hires-cam, or grad-cam with relu=False, shows it"
BASELINE = "the score is that of the baseline"
ITSELF = "the input equals its baseline: another baseline may show more"
FLAT = "the gradient vanishes: it is 0 everywhere"
SATURATED = "the gradient vanishes, and the probability is saturated: explain logits instead"


def explain(model, method, image=IMAGE, target=None, **options):
    model = model if isinstance(model, ImageClassifier) else ImageClassifier(model)
    (explanation,) = run(model, [prepared(image)], [target], method=method, **options)
    return explanation


def notes(explanation):
    return [attribution.quality.get("notes") for attribution in explanation.attributions]


def opposed():
    """A pooled network whose evidence for each class is negative, or nothing."""
    module = Pooled()
    with torch.no_grad():
        module.head.weight.copy_(-module.head.weight.abs())
    return module


class Steep(nn.Module):
    """Sigmoids of sums so large that they are exactly 1, and exactly 0 for the second class."""

    def forward(self, x):
        return torch.sigmoid(100 * x.abs().flatten(1).sum(1, keepdim=True) * torch.tensor([1.0, -1.0]))


class Constant(nn.Module):
    """Has gradients, all of them 0."""

    def forward(self, x):
        return 0 * x.flatten(1)[:, :3] + torch.tensor([1.0, 2.0, 3.0])


class Sum(nn.Module):
    """The sum of all numbers, by a weight that can be in half precision."""

    def __init__(self, weight=1.0, bias=0.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.tensor([weight])), nn.Parameter(torch.tensor([bias]))

    def forward(self, x):
        return x.flatten(1).sum(1, keepdim=True) * self.weight + self.bias


def test_one_text_without_a_hit_does_not_cost_the_others_theirs():
    model = TextClassifier(lambda ts: [[float("good" in s), 0.0] for s in ts], labels=["pos", "neg"])
    good, plain = xplain.explain_batch(model, ["a good film", "a plain film"], "occlusion", target="pos")
    assert [word.score for word in good.attributions[0].evidence.words] == [0, 1, 0]
    assert notes(good) == [None]
    assert [word.score for word in plain.attributions[0].evidence.words] == [0, 0, 0]
    assert notes(plain) == [[ALL_ZERO, "the score did not change in any of 3 variants of the input"]]
    both = xplain.explain(model, "a good film", "shapley", target="top-2")
    assert notes(both) == [
        None,
        [ALL_ZERO, BASELINE, "the score did not change in any of 7 variants of the input"],
    ]
    assert all_remarks(both)[0] == f"for 'neg': {ALL_ZERO}"
    assert all_remarks(plain) == notes(plain)[0]


def test_a_cause_is_named_only_where_it_was_checked():
    def either(texts):
        return np.array([[float(("salt" in t) != ("pepper" in t))] for t in texts])

    # The values cancel, though the score changes: with the baseline, not without a change.
    assert notes(xplain.explain(TextClassifier(either), "salt pepper", "shapley")) == [[ALL_ZERO, BASELINE]]
    flat = np.zeros((8, 8, 3), np.uint8)
    edges = xplain.explain(ImageClassifier(lambda images: images.mean(axis=(1, 2))), flat, "sobel")
    assert notes(edges) == [[ALL_ZERO]]  # a control asks the model nothing
    one_word = TextClassifier(lambda texts: np.ones((len(texts), 1)))
    assert notes(xplain.explain(one_word, "film", "occlusion")) == [
        [ALL_ZERO, "the score did not change in the only variant of the input"]
    ]


@pytest.mark.parametrize("method", ["rise", "lime", "kernel-shap", "shapley", "feature-ablation", "occlusion"])
def test_a_score_that_never_changes_leaves_no_rounding(method):
    constant = ImageClassifier(lambda images: np.full((len(images), 2), 0.37))
    options = {} if method in ("rise", "occlusion") else {"segments": "grid", "n_segments": 4}
    options |= {"n_samples": 50} if method in ("rise", "lime") else {}
    options |= {"cells": 2} if method == "rise" else {}
    explanation = explain(constant, method, **options)
    assert not explanation.attributions[0].evidence.values.any()
    assert notes(explanation)[0][0] == ALL_ZERO
    assert "the score did not change in any of" in notes(explanation)[0][-1]
    if method == "rise":  # as the paper has it, a map of the score itself
        (attribution,) = explain(constant, method, centred=False, **options).attributions
        assert attribution.evidence.values.min() > 0


def test_negative_evidence_is_said_where_relu_hid_it():
    assert notes(explain(opposed(), "grad-cam", target="top-2")) == [[ALL_ZERO, NEGATIVE]] * 2
    assert notes(explain(opposed(), "grad-cam", relu=False)) == [None]
    assert notes(explain(opposed(), "hires-cam", relu=True)) == [
        [ALL_ZERO, "all evidence is negative: relu=False shows it"]
    ]
    assert NEGATIVE in notes(explain(opposed(), "guided-grad-cam"))[0]
    blind = Pooled()
    with torch.no_grad():
        blind.head.weight.zero_()
    assert notes(explain(blind, "grad-cam")) == [[ALL_ZERO, FLAT]]
    mixed = Pooled()  # one class has evidence for it, another only against it: each says its own
    with torch.no_grad():
        mixed.head.weight[0], mixed.head.weight[1:] = 1.0, -1.0
    assert notes(explain(mixed, "grad-cam", target=[0, 1])) == [None, [ALL_ZERO, NEGATIVE]]


def test_a_vanishing_gradient_is_said_and_saturation_only_of_probabilities():
    assert notes(explain(Constant(), "saliency")) == [[ALL_ZERO, FLAT]]
    assert notes(explain(Steep(), "saliency")) == [[ALL_ZERO, SATURATED]]  # it ends in a sigmoid
    probabilities = ImageClassifier(Steep(), output="probability", multilabel=True)
    assert notes(explain(probabilities, "saliency", target=[0, 1])) == [[ALL_ZERO, SATURATED]] * 2
    half = ImageClassifier(lambda images: images.mean(axis=(1, 2, 3))[:, None], output="probability")
    assert notes(explain(half, "occlusion")) == [None]
    unsaturated = ImageClassifier(nn.Sequential(Constant(), nn.Softmax(1)), output="probability")
    assert notes(explain(unsaturated, "saliency")) == [[ALL_ZERO, FLAT]]
    linear = ImageClassifier(Sum())  # its gradient is 1 everywhere: the variance is 0 for another reason
    assert notes(explain(linear, "smoothgrad", statistic="variance", n_samples=4)) == [[ALL_ZERO]]


def test_the_baseline_is_said_to_be_the_input_or_to_have_its_score():
    zeros = np.zeros_like(IMAGE)
    assert notes(explain(Sum(), "integrated-gradients", zeros)) == [[ALL_ZERO, ITSELF]]
    assert notes(explain(Sum(), "integrated-gradients", zeros, baseline=1.0)) == [None]
    assert notes(explain(Constant(), "integrated-gradients")) == [[ALL_ZERO, BASELINE, FLAT]]
    (attribution,) = explain(Sum(), "gradient-shap", zeros, baselines=[0.0, 0.5]).attributions
    assert attribution.evidence.values.any()


def test_windows_say_a_cause_that_holds_in_each():
    model = TextClassifier(Zeds(), letters, baseline_id=0, max_length=8)
    assert notes(xplain.explain(model, "ab zzz ab and some more", "integrated-gradients")) == [None]
    assert notes(xplain.explain(model, "ab and some more", "integrated-gradients")) == [[ALL_ZERO, ITSELF]]
    quiet = SignalClassifier(lambda windows: windows.max(axis=(1, 2))[:, None] > 0.5, sample_rate_hz=1, window=4)
    assert notes(xplain.explain(quiet, np.zeros((1, 8)), "occlusion", length=1)) == [
        [ALL_ZERO, "the score did not change in any of 8 variants of the input"]
    ]
    parts = [Watch(), Watch()]
    parts[0].reason([True], "here")
    checks = [part.by_target(np.ones(1), probability=False, dtype=None, differentiated=False)[0] for part in parts]
    assert Checks.combined(checks).notes(np.zeros(2), {}) == [ALL_ZERO]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_said_of_methods_that_differentiate(dtype):
    name = str(dtype).removeprefix("torch.")
    said = f"computed in {name}: values may be off by several per cent, float32 is more exact"
    module = Pooled()
    for method in ("saliency", "integrated-gradients", "hires-cam"):
        assert notes(explain(copy.deepcopy(module).to(dtype), method)) == [[said]], method
        assert notes(explain(copy.deepcopy(module).double(), method)) == [None]
    assert notes(explain(copy.deepcopy(module).to(dtype), "random")) == [None]


def test_half_precision_of_autocast_is_said():
    class Cast(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Pooled().float()

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return self.inner(x)

    said = "computed in bfloat16: values may be off by several per cent, float32 is more exact"
    for method in ("saliency", "integrated-gradients", "hires-cam"):
        assert notes(explain(Cast(), method)) == [[said]], method
    with refuses(AttributionError, "rounding in bfloat16 hides", "run the model without autocast"):
        explain(Cast(), "deep-lift", target=[0, 1, 2])


def test_changes_within_the_rounding_of_the_module_are_said_to_be():
    tiny = Sum(weight=1e-3, bias=8.0).bfloat16()
    hidden = notes(explain(tiny, "occlusion", np.full((2, 6, 6), 0.25, np.float32)))
    assert hidden == [
        [
            ALL_ZERO,
            "the score did not change in any of 36 variants of the input",
            "changes below about 0.8 % of the score are lost in bfloat16: float32 would show them",
        ]
    ]
    assert notes(explain(tiny.float(), "occlusion", np.full((2, 6, 6), 0.25, np.float32))) == [None]
    step = Sum(weight=0.015, bias=8.0).bfloat16()  # half of the image moves the score by a step of its numbers
    assert notes(explain(step, "feature-ablation", np.ones((2, 2, 2), np.float32), segments="grid", n_segments=2)) == [
        ["no change of the score is larger than the rounding of bfloat16: values may be rounding alone"]
    ]
    plain = Sum(weight=1.0).bfloat16()
    assert notes(explain(plain, "occlusion", np.ones((2, 6, 6), np.float32))) == [None]


def test_a_map_that_single_precision_cannot_hold_is_zeros():
    small = ImageClassifier(lambda images: 1e-60 * images[:, 0, 0].astype(float))
    assert notes(xplain.explain(small, np.full((2, 2, 3), 9, np.uint8), "occlusion", window=1, stride=1)) == [
        [ALL_ZERO]
    ]


def test_zeros_on_noise_are_no_refusal():
    model = ImageClassifier(Constant(), preprocess=Preprocess(size=(4, 4)))
    refused = refusals(model)
    assert {"saliency", "integrated-gradients", "smoothgrad"}.isdisjoint(refused)
    assert "grad-cam" in refused  # no layer
    assert set(refused) <= set(METHODS)


def test_notes_outlive_a_document():
    explanation = explain(opposed(), "grad-cam", target="top-2")
    again = xplain.from_document(xplain.to_document(explanation, "native"))
    assert [remarks(attribution) for attribution in again.attributions] == [(ALL_ZERO, NEGATIVE)] * 2
