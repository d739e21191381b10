"""The same input, seed, batch size, threads and versions give the same document, whatever else a call holds."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.test_kinds import BLACK_BOXES, CHARACTERS, Letters
from tests.models.test_text import letters
from xplain.attributions import METHODS
from xplain.attributions.engine import observe, session
from xplain.models import ImageClassifier, SignalClassifier, TextClassifier

FEW = {"n_steps": 5, "n_samples": 6, "n_segments": 6, "segments": "grid", "budget": 100, "cells": 4}


def photo(seed, size=(16, 16)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def network():
    """A network large enough that its bits depend on how many inputs share a pass."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 200), nn.ReLU(), nn.Linear(200, 17)),
    )


class Windowed(nn.Module):
    """Scores windows by two convolutions."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Conv1d(2, 16, 3), nn.ReLU(), nn.Conv1d(16, 32, 3), nn.ReLU())
        self.head = nn.Linear(32, 5)

    def forward(self, windows):
        return self.head(self.body(windows).mean(dim=2))


PHOTOS = [photo(0), photo(1), photo(2, (12, 19)), photo(0)]
MODELS = {
    "images": (ImageClassifier(network()), PHOTOS),
    "texts": (CHARACTERS, ["ab c ab", "and some more", "ab c ab and some more", "z"]),
    "signals": (
        SignalClassifier(Windowed(), sample_rate_hz=10, window=12, stride=7),
        [np.random.default_rng(seed).normal(size=(2, 26)) for seed in range(3)],
    ),
    "detections": (BLACK_BOXES["detections"][0], [photo(0, (12, 12)), photo(1, (12, 12))]),
    "regions": (BLACK_BOXES["regions"][0], [photo(0, (12, 12)), photo(1, (12, 12))]),
}
CASES = [
    pytest.param(kind, name, size, id=f"{kind}-{name}-{size}")
    for kind, (model, _) in MODELS.items()
    for name, method in METHODS.items()
    if kind in method.explains
    and (kind, name) != ("texts", "guided-backprop")  # which needs a ReLU
    and method.needs in (("scores",) if model.module is None else ("scores", "gradients", "layers"))
    for size in ((None, 3) if name in ("saliency", "integrated-gradients", "grad-cam", "shapley") else (3,))
]


def few(kind, method):
    """Options of a method that make it cheap, as far as it takes them, and that it does not work without."""
    known = xplain.methods()[method].options[kind]
    options = {name: value for name, value in FEW.items() if name in known and (kind, name) != ("signals", "segments")}
    if METHODS[method].needs == "scores" and "n_samples" in options:
        options["n_samples"] = 40
    if kind == "signals" and METHODS[method].needs == "layers":
        options["layer"] = "body.2"
    return options


@pytest.mark.parametrize(("kind", "method", "batch_size"), CASES)
def test_a_document_does_not_depend_on_how_a_job_was_cut(kind, method, batch_size):
    model, inputs = MODELS[kind]
    options = few(kind, method) | {"batch_size": batch_size}
    whole = list(xplain.explain_batch(model, inputs, method, **options))
    alone = [xplain.explain(model, each, method, **options) for each in inputs]
    assert whole == alone
    cut = [xplain.explain_batch(model, part, method, **options) for part in (inputs[1:], inputs[:1])]
    assert [*cut[1], *cut[0]] == alone
    for each, input in zip(alone, inputs, strict=True):
        used = each.provenance.batch_size
        assert used >= 1 if batch_size is None else used == batch_size
        assert each.provenance.threads >= 1
        assert xplain.explain(model, input, method, **options | {"batch_size": used}) == each


def test_bits_depend_on_the_batch_size_and_provenance_says_it():
    """Else the law above would hold of anything."""
    model = ImageClassifier(network())
    found = [xplain.explain(model, PHOTOS[0], "integrated-gradients", batch_size=size) for size in (1, 50)]
    assert [e.provenance.batch_size for e in found] == [1, 50]
    assert found[0].attributions[0].evidence != found[1].attributions[0].evidence


def test_the_default_method_of_a_photo_does_not_depend_on_others():
    """Of a tiny photo the network makes a single place, where class activation maps say nothing."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    model = ImageClassifier(body)
    photos = [photo(0, (3, 3)), photo(1), photo(2, (3, 3))]
    alone = [xplain.explain(model, each) for each in photos]
    assert [e.attributions[0].method for e in alone] == ["integrated-gradients", "grad-cam", "integrated-gradients"]
    assert list(xplain.explain_batch(model, photos)) == alone


def test_a_network_that_takes_another_way_for_another_photo_is_watched_again():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.dark, self.light = network(), network()

        def forward(self, x):
            return (self.light if x.mean() > 0.5 else self.dark)(x)

    model, dark, light = ImageClassifier(Branches()), photo(0) // 4, 255 - photo(0) // 4
    layers = [xplain.explain(model, each, "grad-cam").attributions[0].quality["layer"] for each in (dark, light, dark)]
    assert layers == ["dark.4", "light.4", "dark.4"]
    batch = xplain.explain_batch(model, [light, dark], "grad-cam")
    assert [e.attributions[0].quality["layer"] for e in batch] == ["light.4", "dark.4"]
    assert xplain.cost(model, light, "grad-cam").evaluations == batch[0].provenance.evaluations


def test_provenance_has_the_batch_size_that_memory_allowed():
    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            if len(x) > 3:
                raise MemoryError("out of memory")
            return self.net(x)

    model = ImageClassifier(Large())
    e = xplain.explain(model, PHOTOS[0], "integrated-gradients", batch_size=16, n_steps=12)
    assert e.provenance.batch_size == 3


def test_a_pass_is_watched_once_for_a_model_its_weights_and_a_shape(monkeypatch):
    watched = []
    monkeypatch.setattr(observe, "observe", lambda *args, watch=observe.observe: watched.append(1) or watch(*args))
    model = ImageClassifier(network())
    tensors = [torch.rand(3, 6, 6) for _ in range(3)]
    for tensor in tensors:
        xplain.explain(model, tensor, "grad-cam")
    xplain.explain_batch(model, tensors, "integrated-gradients", n_steps=4)
    xplain.explain(ImageClassifier(model.module), tensors[0], "grad-cam")
    assert len(watched) == 1
    xplain.explain(model, torch.rand(3, 6, 8), "grad-cam")
    assert len(watched) == 2
    with torch.no_grad():
        model.module[0].weight.mul_(2)
    xplain.explain(model, tensors[0], "grad-cam")
    assert len(watched) == 3
    model.module[1] = nn.GELU()
    xplain.explain(model, tensors[0], "grad-cam")
    assert len(watched) == 4


def test_what_is_remembered_is_bounded_and_goes_with_the_module(monkeypatch):
    monkeypatch.setattr(observe, "_MOST_SEEN", 2)
    module = network()
    model = ImageClassifier(module)
    for width in range(6, 11):
        xplain.explain(model, torch.rand(3, 6, width), "grad-cam")
    assert len(observe._seen[module]) == 2
    before = len(observe._seen)
    del model, module
    gc.collect()
    assert len(observe._seen) < before


@pytest.mark.parametrize("method", ["saliency", "grad-cam", "occlusion", "deep-lift"])
def test_a_group_that_passes_together_is_filled_up(monkeypatch, method):
    monkeypatch.setitem(session.TOGETHER, "cpu", 4)
    model, photos = ImageClassifier(network()), [photo(seed) for seed in range(6)]
    calls = []
    model.module.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    whole = xplain.explain_batch(model, photos, method, batch_size=4, check=False)
    assert method == "occlusion" or calls.count(1) <= 1  # the watched one
    assert list(whole) == [xplain.explain(model, each, method, batch_size=4, check=False) for each in photos]
    monkeypatch.setitem(session.TOGETHER, "cpu", 1)
    for each, apart in zip(whole, (xplain.explain(model, each, method, batch_size=4) for each in photos), strict=True):
        assert each.provenance.evaluations == apart.provenance.evaluations
        np.testing.assert_allclose(
            each.attributions[0].evidence.values, apart.attributions[0].evidence.values, rtol=1e-3, atol=1e-5
        )


def test_threads_of_a_black_box_are_those_of_openmp(monkeypatch):
    model = ImageClassifier(lambda images: images.mean(axis=(1, 2)))
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert xplain.explain(model, PHOTOS[0], "sobel").provenance.threads == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "all")
    assert xplain.explain(model, PHOTOS[0], "sobel").provenance.threads >= 1


def test_batch_size_and_threads_are_written_and_old_documents_are_read():
    e = xplain.explain(TextClassifier(Letters(), letters, baseline_id=0), "ab c", "occlusion")
    document = xplain.to_document(e)
    assert document["provenance"]["threads"] == torch.get_num_threads()
    assert document["provenance"]["batch_size"] >= 1
    assert xplain.from_document(document) == e
    known = {name: value for name, value in document["provenance"].items() if name not in ("threads", "batch_size")}
    read = xplain.from_document({**document, "provenance": known})
    assert read == replace(e, provenance=replace(e.provenance, threads=None, batch_size=None))
    assert "threads" not in xplain.to_document(read)["provenance"]
    wrong = {**document, "provenance": {"batch_size": 0}}
    assert [problem.path for problem in xplain.validate(wrong)] == ["$.provenance.batch_size"]
