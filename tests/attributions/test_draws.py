"""Sampled methods draw numbers of the seed and of the input."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from xplain.attributions import METHODS

PHOTOS = [np.random.default_rng(i).random((12, 12, 3)).astype(np.float32) for i in range(3)]
FEW = {"n_samples": 40}
#: Sampled methods, with options that make them cheap and random.
SAMPLED = {
    "random": {},
    "smoothgrad": FEW,
    "gradient-shap": FEW,
    "lime": {"n_samples": 60, "segments": "grid", "n_segments": 16},
    "kernel-shap": {"budget": 70, "segments": "grid", "n_segments": 16},
    "shapley": {"budget": 200, "segments": "grid", "n_segments": 16},
    "rise": {"n_samples": 40, "cells": 4},
    "captum:NoiseTunnel": {"nt_samples": 4},
    "captum:GradientShap": {"n_samples": 4},
    "captum:Lime": {"n_samples": 60, "segments": "grid", "n_segments": 16},
    "captum:KernelShap": {"n_samples": 60, "segments": "grid", "n_segments": 16},
    "captum:ShapleyValueSampling": {"n_samples": 3, "segments": "grid", "n_segments": 16},
}


def values(explanation):
    evidence = explanation.attributions[0].evidence
    return np.array([word.score for word in evidence.words]) if hasattr(evidence, "words") else evidence.values


def test_every_sampled_method_of_images_is_tried():
    sampled = {name for name, entry in METHODS.items() if entry.random and "images" in entry.explains}
    assert sampled == {name for name in SAMPLED if not name.startswith("captum:")}


@pytest.mark.parametrize("method", SAMPLED)
def test_an_input_draws_the_same_numbers_alone_and_among_others(method):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2))
    model = xplain.ImageClassifier(network)

    def maps(photos, seed=3):
        explanations = xplain.explain_batch(model, photos, method, 1, seed=seed, batch_size=4, **SAMPLED[method])
        assert {each.provenance.seed for each in explanations} == {seed}  # the caller's
        return [values(each) for each in explanations]

    batch = maps(PHOTOS)
    (alone,) = maps(PHOTOS[1:2])
    assert (maps(PHOTOS)[1] == batch[1]).all()
    assert alone == pytest.approx(batch[1], abs=1e-5)
    assert (maps(PHOTOS[1:2], seed=4)[0] != alone).any()


def test_photos_have_noise_of_their_own():
    model = xplain.ImageClassifier(lambda images: images.mean(axis=(1, 2)))
    photos = [np.full((9, 9, 3), i, np.uint8) for i in (1, 2, 1)]
    first, second, third = (values(each) for each in xplain.explain_batch(model, photos, "random"))
    assert (first == third).all()
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.4  # 4 standard deviations of 81 numbers
    assert (xplain.explain(model, photos[0], "random").attributions[0].evidence.values == first).all()


@pytest.mark.parametrize("method", [name for name in SAMPLED if name in METHODS and METHODS[name].needs == "scores"])
def test_masks_differ_between_photos(method):
    """A score that sees only which parts are hidden tells what was drawn."""
    pattern = np.random.default_rng(0).normal(size=(4, 4))
    model = xplain.ImageClassifier(lambda images: ((images[..., 0] > 0) * pattern).prod(axis=2).sum(axis=1)[:, None])
    photos = [np.full((4, 4, 3), level, np.uint8) for level in (100, 200, 100)]
    first, second, third = (values(each) for each in xplain.explain_batch(model, photos, method, **SAMPLED[method]))
    assert (first == third).all()
    assert (first != second).any()


def test_texts_of_one_length_have_noise_of_their_own():
    model = xplain.TextClassifier(lambda texts: np.array([[len(text), 1.0] for text in texts]))
    texts = ["one two three", "uno due tre", "one two three"]
    first, second, third = (values(each) for each in xplain.explain_batch(model, texts, "random"))
    assert (first == third).all()
    assert (first != second).all()
    assert (values(xplain.explain(model, "uno due tre", "random")) == second).all()


def test_equal_windows_of_a_recording_have_noise_of_their_own():
    model = xplain.SignalClassifier(lambda windows: windows.sum(axis=2), sample_rate_hz=10, window=4)
    still = np.ones((1, 12), np.float32)
    noise = values(xplain.explain(model, still, "random"))[0].reshape(3, 4)
    assert len(np.unique(noise)) == 12
    second = values(xplain.explain(model, still, "random", windows=1))[0]
    assert (second == np.repeat([0, 1, 0], 4) * noise.ravel()).all()


def test_errors_of_equal_windows_combine_as_independent():
    """The stored error of the sum over windows is what the sum varies by between seeds."""
    weights = np.random.default_rng(0).normal(size=(8, 8))

    def score(windows):
        return np.tanh(windows[:, 0] @ weights).sum(axis=1)[:, None]

    model = xplain.SignalClassifier(score, sample_rate_hz=10, window=8, stride=1)
    recording = np.ones((1, 16), np.float32)  # 9 equal windows that overlap
    options = {"method": "shapley", "segments": 8, "budget": 60}
    runs = [xplain.explain(model, recording, seed=seed, **options) for seed in range(60)]
    spread = np.sqrt(np.var([values(each) for each in runs], axis=0, ddof=1).mean())
    stored = np.mean([each.attributions[0].quality["standard_error"] for each in runs])
    assert spread == pytest.approx(stored, rel=0.2)  # with the same draws in each window it was .57 of that


def test_equal_windows_of_a_text_have_noise_of_their_own():
    from tests.attributions.test_kinds import CHARACTERS
    from xplain.attributions.engine.run import Run
    from xplain.attributions.engine.session import Session
    from xplain.attributions.kinds.embeddings import Embeddings

    (window,) = CHARACTERS.prepare("abc").windows
    seeds = []
    for number in (0, 1, 0):
        view = Embeddings(CHARACTERS, window, number)
        session = Session(view, [view.prepared_input()], [0], None, None, None)
        seeds.append(Run(session.chunks()[0], 0, 5).seed)
    assert seeds[0] == seeds[2] != seeds[1]
