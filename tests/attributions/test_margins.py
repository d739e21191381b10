"""Margins: the score of one class minus that of another, explained like a class by every method."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.networks import noise, prepared
from tests.models.test_text import letters
from tests.support import refuses
from xplain import InputError, Margin, UnknownNameError
from xplain.attributions import METHODS, run

LABELS = ["cat", "dog", "cow"]
SMALL = {"n_segments": 9, "segments": "grid"}
OPTIONS = {
    **dict.fromkeys(("feature-ablation", "lime", "kernel-shap", "shapley"), SMALL),
    "occlusion": {"window": 4, "stride": 4},
    "rise": {"n_samples": 60, "cells": 4},
}


class Net(nn.Module):
    """A convolution, ReLU, the mean, a linear layer; or the margin of two of its scores alone."""

    def __init__(self, margin=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.relu, self.last = nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Linear(5, 3)
        if margin is not None:
            first, second = margin
            whole, self.last = self.last, nn.Linear(5, 1)
            with torch.no_grad():
                self.last.weight.copy_(whole.weight[first] - whole.weight[second])
                self.last.bias.copy_(whole.bias[first] - whole.bias[second])

    def forward(self, x):
        return self.last(self.relu(self.conv(x)).mean((2, 3)))


def maps(model, method, target):
    (e,) = run(model, [prepared(noise(3, 12, 12))], [target], method=method, **OPTIONS.get(method, {}))
    return e.attributions[0].evidence.values


@pytest.mark.parametrize(
    "method",
    [
        name
        for name, method in METHODS.items()
        if "images" in method.explains and method.needs != "attention" and name != "lrp"
    ],
)
def test_every_method_explains_a_margin_as_the_score_of_a_network_that_returns_it(method):
    if METHODS[method].needs == "layers":
        OPTIONS[method] = {"layer": "conv"}
    model = xplain.ImageClassifier(Net().eval(), labels=LABELS)
    found = maps(model, method, Margin("cat", "cow"))
    expected = maps(xplain.ImageClassifier(Net((0, 2)).eval()), method, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert model.margins == ()


def test_relevance_of_a_margin_is_that_of_its_classes():
    model = xplain.ImageClassifier(Net().eval(), labels=LABELS)
    cat, cow, margin = (maps(model, "lrp", target) for target in ("cat", "cow", Margin("cat", "cow")))
    np.testing.assert_allclose(margin, cat - cow, rtol=1e-4, atol=1e-6)


def test_a_margin_is_documented_with_its_classes():
    model = xplain.ImageClassifier(Net().eval(), labels=LABELS)
    (e,) = run(model, [prepared(noise(3, 12, 12))], [[Margin("dog", 0), "cow"]], method="integrated-gradients")
    margin, cow = e.attributions
    assert (margin.target.name, margin.target.id, cow.target.name) == ("dog - cat", None, "cow")
    scores = model.scores(noise(3, 12, 12)[None])[0]
    probabilities = model.probabilities(scores)
    assert margin.target.score == pytest.approx(probabilities[1] - probabilities[0])
    assert margin.quality["score"] == pytest.approx(scores[1] - scores[0])
    assert {p.name for p in e.predictions} == set(LABELS)
    assert xplain.from_document(xplain.to_document(e)).attributions[0].target == margin.target


class TestTexts:
    words = staticmethod(lambda texts: [[2.0 * ("good" in t), 1.0 * ("dull" in t)] for t in texts])

    def test_words_for_one_class_and_for_the_other(self):
        model = xplain.TextClassifier(self.words, labels=["liked", "bored"])
        e = xplain.explain(model, "good but dull", "shapley", target=Margin("liked", "bored"))
        assert [word.score for word in e.attributions[0].evidence.words] == pytest.approx([2, 0, -1])
        assert [p.name for p in e.predictions] == ["liked", "bored"]

    def test_windows_of_tokens(self):
        class Letters(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.table = nn.Embedding(50, 2)

            def forward(self, ids):
                return self.table(ids).sum(1)

        model = xplain.TextClassifier(Letters().eval(), letters, baseline_id=0, max_length=8)
        one, other, margin = (
            xplain.explain(model, "abc de fgh", "integrated-gradients", target=target).attributions[0]
            for target in (0, 1, Margin(0, 1))
        )
        expected = [a.score - b.score for a, b in zip(one.evidence.words, other.evidence.words, strict=True)]
        assert [word.score for word in margin.evidence.words] == pytest.approx(expected, abs=1e-6)
        assert margin.target.name == "0 - 1"


def test_recordings():
    model = xplain.SignalClassifier(
        lambda windows: np.stack([windows[:, 0].sum(axis=1), windows[:, 1].sum(axis=1)], axis=1),
        sample_rate_hz=1, window=4, labels=["up", "down"],
    )  # fmt: skip
    recording = np.arange(16.0).reshape(2, 8)
    e = xplain.explain(model, recording, "occlusion", target=Margin("up", "down"), length=1)
    np.testing.assert_allclose(e.attributions[0].evidence.values, recording * [[1], [-1]], rtol=1e-5)
    assert {p.name for p in e.predictions} == {"up", "down"}
    assert e.attributions[0].target.name == "up - down"


class TestNames:
    model = xplain.ImageClassifier(
        lambda images: images[:, 0, 0].astype(float), labels=["cat", "dog", "semi - wild"], output="value"
    )
    photo = np.full((2, 2, 3), 9, np.uint8)

    def name(self, target):
        return xplain.explain(self.model, self.photo, "occlusion", target=target).attributions[0].target.name

    def test_a_string_names_a_margin_where_no_label_is_called_so(self):
        assert self.name("cat - dog") == "cat - dog"
        assert self.name("Cat - DOG") == "cat - dog"
        assert self.name("semi - wild") == "semi - wild"
        assert self.name("dog - semi - wild") == "dog - semi - wild"
        assert self.name(Margin("semi - wild", "cat")) == "semi - wild - cat"
        with refuses(UnknownNameError, "target must be one of", "got 'cat - horse'"):
            self.name("cat - horse")

    def test_each_input_of_a_batch_has_its_own(self):
        batch = xplain.explain_batch(
            self.model, [self.photo] * 3, "occlusion", target=[Margin(0, 1), "dog", ["cat - dog", Margin(1, 2)]]
        )
        names = [[a.target.name for a in e.attributions] for e in batch]
        assert names == [["cat - dog"], ["dog"], ["cat - dog", "dog - semi - wild"]]

    def test_wrong_ones_are_refused(self):
        with refuses(InputError, "margin of two classes", "of the same one"):
            self.name(Margin("cat", 0))
        with refuses(UnknownNameError, "target must be one of", "got 'horse'"):
            self.name(Margin("cat", "horse"))
        with refuses(InputError, "target must be a class from 0 to 2, got 7"):
            self.name(Margin(0, 7))
        unlabelled = xplain.ImageClassifier(lambda images: images[:, 0, 0].astype(float))
        with refuses(InputError, "target must be a class from 0 to 2, got 7 in a margin"):
            xplain.explain(unlabelled, self.photo, "occlusion", target=Margin(0, 7))

    def test_quality_is_measured_for_the_margin(self):
        e = xplain.explain(self.model, self.photo, "occlusion", target="cat - dog", window=1, stride=1)
        curves = xplain.evaluate(self.model, e, self.photo)
        assert curves is not None


def test_models_without_classes_refuse_margins():
    from tests.detectors import module_detector, photo

    with refuses(InputError, "target"):
        xplain.explain(module_detector(), photo(), target=Margin(0, 1))


def test_a_tuple_is_one_label_for_a_whole_batch():
    model = xplain.TextClassifier(
        lambda texts: [[1.0 * ("good" in t), 0.0] for t in texts], labels=[("mood", "liked"), ("mood", "bored")]
    )
    batch = xplain.explain_batch(model, ["good film", "dull film"], "occlusion", target=("mood", "liked"))
    assert [e.attributions[0].target.name for e in batch] == ["mood > liked"] * 2
