"""The methods that need scores only, through the engine."""

import numpy as np
import pytest
from PIL import Image

import xplain

OPTIONS = {
    "occlusion": {"window": 6, "stride": 3},
    "feature-ablation": {"segments": "grid", "n_segments": 16},
    "lime": {"segments": "grid", "n_segments": 16, "n_samples": 80},
    "kernel-shap": {"segments": "grid", "n_segments": 16, "budget": 150},
    "shapley": {"segments": "grid", "n_segments": 16, "budget": 150},
    "rise": {"n_samples": 120, "cells": 4},
}
EVALUATIONS = {"occlusion": 1 + 49, "feature-ablation": 1 + 16, "lime": 80, "rise": 1 + 120}


def patch_brightness(images):
    """Brightness of a patch, and of the rest, cubed so that pixels interact."""
    images = np.asarray(images, np.float64) / 255
    patch = images[:, 12:18, 6:12].mean(axis=(1, 2, 3))
    return np.stack([patch, images.mean(axis=(1, 2, 3)) - patch], axis=1) ** 3


@pytest.fixture
def model():
    return xplain.ImageClassifier(patch_brightness, labels=["patch", "rest"], output="value")


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(100, 200, (24, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize("method", OPTIONS)
def test_evidence_lies_where_the_score_comes_from(model, photo, method):
    explanation = xplain.explain(model, photo, method=method, target="patch", **OPTIONS[method])
    values = explanation.attributions[0].evidence.values
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert 11 <= row < 19
    assert 5 <= column < 13
    used = explanation.provenance.evaluations
    assert used == EVALUATIONS[method] if method in EVALUATIONS else used <= 150


@pytest.mark.parametrize("method", OPTIONS)
def test_several_targets_cost_as_much_as_one(model, photo, method):
    single = xplain.explain(model, photo, method=method, target="rest", **OPTIONS[method])
    double = xplain.explain(model, photo, method=method, target=["patch", "rest"], **OPTIONS[method])
    assert double.provenance.evaluations == single.provenance.evaluations
    assert double.attributions[1].evidence.values == pytest.approx(single.attributions[0].evidence.values, abs=1e-9)
    for name, value in single.attributions[0].quality.items():
        assert double.attributions[1].quality[name] == pytest.approx(value, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("method", [*OPTIONS, "random", "sobel", "centre"])
def test_runs_repeat_and_batches_do_not_matter(model, photo, method):
    options = OPTIONS.get(method, {})
    first, again, by_one, by_seven = (
        xplain.explain(model, photo, method=method, target="patch", batch_size=size, **options)
        for size in (None, None, 1, 7)
    )
    assert first == again
    values = first.attributions[0].evidence.values
    for other in (by_one, by_seven):
        assert other.attributions[0].evidence.values == pytest.approx(values, abs=1e-7 * float(np.abs(values).max()))


def test_seeds_differ(model, photo):
    for method in ("lime", "kernel-shap", "shapley", "rise", "random"):
        options = {**OPTIONS.get(method, {}), "target": "patch"}
        if "n_segments" in options:
            options["n_segments"] = 36  # the patch is spread over several of them
        maps = [
            xplain.explain(model, photo, method=method, seed=seed, **options).attributions[0].evidence.values
            for seed in (0, 1)
        ]
        assert (maps[0] != maps[1]).any()


def test_a_feature_mask_is_in_pixels_of_the_photo(photo):
    preprocess = xplain.Preprocess(size=12, resize="stretch")
    model = xplain.ImageClassifier(lambda batch: batch[:, :, 6:9, 3:6].mean(axis=(1, 2, 3))[:, None], None, preprocess)
    mask = np.zeros((24, 24), int)
    mask[12:18, 6:12] = 9
    values = xplain.explain(model, photo, method="shapley", segments=mask).attributions[0].evidence.values
    assert values[13:17, 7:11] == pytest.approx(values.max())
    assert values[:10] == pytest.approx(0)


def test_a_score_that_heeds_nothing_has_a_map_of_zeros(photo):
    model = xplain.ImageClassifier(lambda images: np.ones((len(images), 2)))
    (attribution,) = xplain.explain(model, photo, method="occlusion").attributions
    assert not attribution.evidence.values.any()
    assert "the score did not change in any of" in attribution.quality["notes"][1]


@pytest.mark.network
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("occlusion", {"window": 0.25, "stride": 0.125}),
        ("feature-ablation", {"n_segments": 25}),
        ("lime", {"segments": "grid", "n_segments": 16, "n_samples": 60}),
        ("kernel-shap", {"segments": "grid", "n_segments": 16, "budget": 64}),
        ("shapley", {"segments": "grid", "n_segments": 16, "budget": 64}),
        ("rise", {"n_samples": 60, "cells": 5}),
    ],
)
def test_evidence_for_a_cat_lies_on_the_cat(network, cat, method, options):
    """A small photo of a cat in the lower right corner of a grey one."""
    photo = np.full((300, 300, 3), 128, np.uint8)
    photo[140:280, 70:280] = np.asarray(Image.fromarray(cat).resize((210, 140)))
    explanation = xplain.explain(network, photo, method=method, target="Egyptian cat", **options)
    positive = np.maximum(explanation.attributions[0].evidence.values, 0)
    assert positive[140:280, 70:280].sum() > 0.6 * positive.sum()
