import warnings

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.networks import Pooled
from tests.attributions.vits import TimmLike
from tests.support import refuses
from xplain.attributions import METHODS, refusals
from xplain.attributions.table import KINDS, method_names
from xplain.errors import AttributionError, InputError
from xplain.models import Detector, ImageClassifier, Preprocess, Segmenter, SignalClassifier, TextClassifier

PHOTO = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
SIZE = Preprocess(8)


class Pictures(nn.Module):
    """A convolutional network (batch, 3, h, w) to scores or, if dense, to maps."""

    def __init__(self, dense=False):
        super().__init__()
        torch.manual_seed(0)
        self.dense = dense
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        maps = self.head(self.features(x))
        return maps if self.dense else maps.mean(dim=(2, 3))


def explains(model, method, input):
    """Whether `explain` answers, with few evaluations."""
    accepted = METHODS[method].load().__kwdefaults__ or {}
    options = {name: value for name, value in (("n_steps", 2), ("n_samples", 2), ("relu", False)) if name in accepted}
    try:
        xplain.explain(model, input, method, **options)
    except AttributionError as error:
        return str(error)
    return None


@pytest.mark.parametrize("module", [Pictures(), nn.Sequential(nn.Flatten(), nn.Linear(192, 2))], ids=["conv", "dense"])
def test_a_refusal_is_that_of_the_explanation(module):
    model = ImageClassifier(module, preprocess=SIZE)
    reasons = refusals(model)
    for method in METHODS:
        if KINDS[model.task] in METHODS[method].explains and METHODS[method].needs != "scores":
            assert reasons.get(method) == explains(model, method, PHOTO), method
    assert set(method_names(model.task, "scores")).isdisjoint(reasons)
    assert xplain.refusals(model, PHOTO) == reasons
    assert xplain.methods(model) == {name: text for name, text in xplain.methods().items() if name not in reasons}


def test_what_a_network_shows_decides():
    convolutional = refusals(ImageClassifier(Pictures(), preprocess=SIZE))
    assert "grad-cam" not in convolutional
    assert "got none of them (a convolutional network" in convolutional["attention-rollout"]
    flat = refusals(ImageClassifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), preprocess=SIZE))
    assert "feature maps" in flat["grad-cam"]
    assert "saliency" not in flat
    image = np.random.default_rng(0).random((6, 8, 2), np.float32)
    transformer = xplain.refusals(ImageClassifier(TimmLike()), image)
    assert {"grad-cam", "attention-rollout", "gradient-rollout", "saliency"}.isdisjoint(transformer)


def test_a_black_box_answers_what_needs_scores_only():
    model = ImageClassifier(lambda images: pytest.fail("a black box is not tried"), preprocess=SIZE)
    reasons = refusals(model)
    assert set(METHODS) - set(reasons) == set(method_names("image-classification", "scores"))
    assert "needs scores only for a black box, got 'grad-cam'" in reasons["grad-cam"]
    assert "must be one that explains images, got 'd-rise'" in reasons["d-rise"]


def test_gradients_that_are_off_are_said():
    class Detached(Pictures):
        def forward(self, x):
            return super().forward(x).detach()

    reasons = refusals(ImageClassifier(Detached(), preprocess=SIZE))
    assert "model's output must have gradients" in reasons["saliency"]
    with torch.inference_mode():
        frozen = Pictures()
    assert set(refusals(ImageClassifier(frozen, preprocess=SIZE))) == set(METHODS)


def test_scripted_modules_have_no_layers():
    with warnings.catch_warnings(action="ignore"):
        scripted = torch.jit.script(Pictures())
    reasons = refusals(ImageClassifier(scripted, preprocess=SIZE))
    assert "scripted and exported modules hide theirs" in reasons["grad-cam"]
    assert "saliency" not in reasons


def test_other_kinds_of_models():
    segmenter = refusals(Segmenter(Pictures(dense=True), preprocess=SIZE))
    assert {"saliency", "grad-cam"}.isdisjoint(segmenter)
    assert "convolutional network" in segmenter["attention-rollout"]

    class Letters(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.table, self.head = nn.Embedding(128, 4), nn.Linear(4, 2)

        def forward(self, ids):
            return self.head(torch.tanh(self.table(ids)).sum(1))

    def tokens(text):
        return [ord(letter) % 128 for letter in text], [(i, i + 1) for i in range(len(text))]

    texts = refusals(TextClassifier(Letters(), tokens, baseline_id=32))
    assert "got a model without any" in texts.pop("guided-backprop")  # no ReLUs
    assert set(METHODS) - set(texts) == set(method_names("text-classification"))
    signals = refusals(SignalClassifier(nn.Flatten(), sample_rate_hz=1, window=4))
    assert set(METHODS) - set(signals) == set(method_names("signal-classification"))


def test_a_detector_is_tried_on_an_input_where_it_finds_something():
    class Lamp(nn.Module):
        def forward(self, images):
            boxes, labels = torch.tensor([[1.0, 1, 5, 5]]), torch.tensor([1])
            return [
                {"boxes": boxes[: int(i.max() > 0)], "labels": labels[: int(i.max() > 0)],
                 "scores": i.mean()[None][: int(i.max() > 0)]} for i in images
            ]  # fmt: skip

    model = Detector(Lamp(), preprocess=SIZE)
    assert set(refusals(model)) == set(METHODS) - set(method_names("object-detection"))
    reasons = xplain.refusals(model, PHOTO)
    assert "saliency" not in reasons
    assert "model must have a layer with feature maps" in reasons["hires-cam"]
    with refuses(InputError, "target must be a detection, got none in this image"):
        xplain.refusals(model, np.zeros_like(PHOTO))


def test_a_probe_leaves_the_module_as_it_was():
    module = Pictures().train()
    refusals(ImageClassifier(module, preprocess=SIZE))
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    with refuses(InputError, "model must be an xplain model, got Pooled"):
        xplain.refusals(Pooled())
