"""Sets of real inputs as baselines: explanations are means over them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import xplain
from tests.attributions.networks import convolutional, noise, prepared
from tests.support import refuses
from xplain.attributions import run
from xplain.errors import InputError

BACKGROUND = np.stack([noise(2, 6, 6, seed=i) for i in range(10, 15)])
IMAGE = noise(2, 6, 6)
GRID = {"segments": np.arange(36).reshape(6, 6) // 9}
FEW = {"n_steps": 5}
#: Methods that take a baseline, with options that make them exact or cheap.
METHODS = {
    "input-x-gradient": {},
    "integrated-gradients": FEW,
    "deep-lift": {},
    "occlusion": {"window": 3, "stride": 2},
    "feature-ablation": GRID,
    "kernel-shap": GRID,
    "shapley": GRID,
    "captum:Occlusion": {"sliding_window_shapes": (2, 3, 3)},
    "captum:ShapleyValues": GRID,
    "layer-integrated-gradients": {"layer": "0", **FEW},
}


def product(windows):
    """f = a b of two readings."""
    return windows.prod(axis=(1, 2))[:, None]


def explain(method, *, baseline, **options):
    model = xplain.ImageClassifier(convolutional())
    (explanation,) = run(model, [prepared(IMAGE)], [1], method=method, baseline=baseline, **options)
    return explanation


def values(explanation):
    return explanation.attributions[0].evidence.values


@pytest.mark.parametrize("method", METHODS)
def test_explanations_are_averaged_over_the_set(method):
    together = explain(method, baseline=BACKGROUND, **METHODS[method])
    alone = [explain(method, baseline=each, **METHODS[method]) for each in BACKGROUND]
    assert values(together) == pytest.approx(np.mean([values(each) for each in alone], axis=0), abs=1e-6)
    quality = together.attributions[0].quality
    for name in ("baseline_score", "completeness_residual"):
        if name in quality:
            assert quality[name] == pytest.approx(
                np.mean([each.attributions[0].quality[name] for each in alone]), abs=1e-6
            )
    # Costs multiply, but for the pass that scores the input.
    costs = [each.provenance.evaluations for each in (together, alone[0])]
    assert costs[0] <= 5 * costs[1]
    assert costs[0] >= 5 * (costs[1] - 2)


@pytest.mark.parametrize(
    "method", ["integrated-gradients", "occlusion", "feature-ablation", "shapley", "captum:Occlusion"]
)
def test_progress_knows_of_all_members_once_it_has_seen_two(method):
    seen = []
    explain(method, baseline=BACKGROUND, progress=lambda done, total: seen.append((done, total)), **METHODS[method])
    assert seen[-1][0] == seen[-1][1]
    assert {total for done, total in seen if done > 0.5 * seen[-1][0]} == {seen[-1][1]}


@pytest.mark.parametrize("method", ["shapley", "kernel-shap"])
def test_shapley_values_are_those_of_the_mean_game(method):
    model = xplain.SignalClassifier(product, sample_rate_hz=1, window=2)
    baseline = np.array([[[0.0, 0.0]], [[0.0, 1.0]]])
    explanation = xplain.explain(model, [[1.0, 1.0]], method, segments=2, baseline=baseline)
    assert values(explanation)[0] == pytest.approx([0.75, 0.25])
    quality = explanation.attributions[0].quality
    assert (quality["score"], quality["baseline_score"]) == (1, 0)


def test_a_sampled_game_is_the_mean_game_too():
    """The stored error is of the mean game, and covers the exact values."""
    rng = np.random.default_rng(0)
    weights, background = rng.normal(size=(12, 12)), rng.normal(size=(4, 1, 12))
    x = rng.normal(size=12)

    def score(windows):
        return np.tanh(windows[:, 0] @ weights).sum(axis=1)[:, None]

    model = xplain.SignalClassifier(score, sample_rate_hz=1, window=12)
    exact = values(xplain.explain(model, x[None], "shapley", segments=12, baseline=background, budget=5000))
    runs = [
        xplain.explain(model, x[None], "shapley", segments=12, baseline=background, budget=200, seed=seed)
        for seed in range(20)
    ]
    error = np.sqrt(np.mean([np.square(values(each) - exact) for each in runs]))
    stored = np.mean([each.attributions[0].quality["standard_error"] for each in runs])
    assert error == pytest.approx(stored, rel=0.35)
    # Each of at most 200 coalitions on 4 backgrounds, the input and the probe of the window.
    assert runs[0].provenance.evaluations <= 4 * 200 + 2


def test_lime_explains_the_mean_of_the_scores():
    weights = noise(12).astype(np.float64)
    background = noise(3, 1, 12, seed=1)
    model = xplain.SignalClassifier(lambda w: (w[:, 0] @ weights)[:, None], sample_rate_hz=1, window=12)
    x = noise(1, 12, seed=2)
    lime = xplain.explain(model, x, "lime", segments=12, baseline=background, ridge=0.0, n_samples=100)
    assert values(lime)[0] == pytest.approx(weights * (x[0] - background.mean(axis=0)[0]), abs=1e-5)


def test_rise_averages_and_its_error_shrinks():
    alone = explain("rise", baseline=BACKGROUND[0], n_samples=200, cells=3)
    together = explain("rise", baseline=np.stack([BACKGROUND[0]] * 4), n_samples=200, cells=3)
    errors = [each.attributions[0].quality["standard_error"] for each in (alone, together)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.3)
    assert together.provenance.evaluations <= 2 + 4 * 200


@pytest.mark.parametrize("count", [3, 40])
def test_deep_lift_shap_takes_any_number_of_baselines_in_parts_of_a_batch(count):
    baselines = np.stack([noise(2, 6, 6, seed=i) for i in range(count)])
    model, sizes = xplain.ImageClassifier(convolutional()), []
    handle = model.module[0].register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    (shap,) = run(model, [prepared(IMAGE)], [1], method="deep-lift-shap", baselines=baselines, batch_size=8)
    handle.remove()
    assert max(sizes) <= 8
    lifted = explain("deep-lift", baseline=baselines)
    assert values(shap) == pytest.approx(values(lifted), abs=1e-6)


def test_the_set_is_recorded_by_count_and_digest_whatever_its_size():
    explanation = explain("occlusion", baseline=list(BACKGROUND), window=3, stride=3)
    recorded = explanation.provenance.options["baseline"]
    assert recorded["shape"] == [5, 2, 6, 6]
    assert len(recorded["sha256"]) == 64
    assert recorded == explain("occlusion", baseline=BACKGROUND, window=3, stride=3).provenance.options["baseline"]
    assert (
        recorded != explain("occlusion", baseline=BACKGROUND[::-1], window=3, stride=3).provenance.options["baseline"]
    )
    json.dumps(xplain.to_document(explanation, "native"), allow_nan=False)


def test_photos_are_prepared_as_the_input_is(tmp_path):
    model = xplain.ImageClassifier(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2)), preprocess=xplain.Preprocess(size=8, resize="stretch")
    )
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    paths = []
    for i, photo in enumerate(photos):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(photo).save(paths[-1])
    arrays = np.stack([model.prepare(photo).array for photo in photos])
    x = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    forms = [
        arrays,
        list(arrays),
        photos,
        list(photos),
        paths,
        [str(path) for path in paths],
        [Image.open(path) for path in paths],
        [torch.from_numpy(photo.transpose(2, 0, 1).copy()) for photo in photos],
        torch.from_numpy(arrays),
        [photo / np.float32(255) for photo in photos],
    ]
    explained = [xplain.explain(model, x, "integrated-gradients", target=0, n_steps=2, baseline=form) for form in forms]
    for each in explained[1:]:
        assert values(each) == pytest.approx(values(explained[0]), abs=1e-6)
        assert each.provenance.options["baseline"]["shape"] == [3, 3, 8, 8]
    shap = xplain.explain(model, x, "gradient-shap", target=0, n_samples=400, baselines=paths)
    assert np.corrcoef(values(shap).ravel(), values(explained[0]).ravel())[0, 1] > 0.95


def test_detections_and_regions_take_photos():
    photos = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    segmenter = xplain.Segmenter(lambda images: images[..., :2].transpose(0, 3, 1, 2) / 255, output="probability")

    def find(images):
        lights = images[:, 2:6, 2:6].mean(axis=(1, 2, 3)) / 255
        return [{"boxes": [[2, 2, 6, 6]], "labels": [0], "scores": [light]} for light in lights]

    x = np.full((8, 8, 3), 250, np.uint8)
    for model in (segmenter, xplain.Detector(find)):
        together, *alone = (
            values(xplain.explain(model, x, "occlusion", window=4, stride=4, baseline=each))
            for each in (photos, *photos)
        )
        assert together == pytest.approx(np.mean(alone, axis=0), abs=1e-6)


def test_signals_take_sets_of_windows():
    module = nn.Sequential(nn.Flatten(), nn.Linear(20, 4), nn.Tanh(), nn.Linear(4, 2))
    model = xplain.SignalClassifier(module, sample_rate_hz=10, window=10)
    recording, background = noise(2, 10), noise(30, 2, 10, seed=1)
    mean = xplain.explain(model, recording, "integrated-gradients", target=0, baseline=background)
    shap = xplain.explain(model, recording, "gradient-shap", target=0, baselines=background, n_samples=3000)
    assert values(shap) == pytest.approx(values(mean), abs=0.1 * float(np.abs(values(mean)).max()))
    assert mean.provenance.options["baseline"]["shape"] == [30, 2, 10]
    windows = model.prepare(noise(2, 30, seed=2)).windows()
    listed = xplain.explain(model, recording, "deep-lift", target=0, baseline=list(windows))
    assert values(listed) == pytest.approx(
        np.mean([values(xplain.explain(model, recording, "deep-lift", target=0, baseline=w)) for w in windows], axis=0)
    )


def test_named_baselines_may_be_in_a_set_and_a_colour_is_none():
    both = explain("occlusion", baseline=["mean", 0.5], window=3, stride=3)
    alone = [explain("occlusion", baseline=each, window=3, stride=3) for each in ("mean", 0.5)]
    assert values(both) == pytest.approx(np.mean([values(each) for each in alone], axis=0), abs=1e-6)
    assert both.provenance.options["baseline"] == ["mean", 0.5]
    photo = np.full((4, 4, 3), 200, np.uint8)
    model = xplain.ImageClassifier(lambda images: images[:, :2, :2, 0].mean(axis=(1, 2))[:, None])
    red = xplain.explain(model, photo, "occlusion", window=2, stride=2, baseline=(150, 0, 0))
    assert values(red)[0, 0] == 50


def test_refusals():
    with refuses(InputError, "baseline must be at least one baseline, got []"):
        explain("occlusion", baseline=[])
    with refuses(InputError, "baseline must be a number, 'mean', 'blur' or an array of the input's shape (2, 6, 6)"):
        explain("occlusion", baseline=np.zeros((3, 2, 5, 5)))
    model = xplain.TextClassifier(lambda texts: [[len(text), 1.0] for text in texts])
    with refuses(InputError, "baseline must be left out for texts", "baseline_id"):
        xplain.explain(model, "one two", "shapley", baseline=["another text"])


@pytest.mark.parametrize("seed", [0, 1])
def test_evidence_that_is_an_absence_is_seen_with_real_inputs_and_not_with_zeros(seed):
    """Of four bright patches one is missing; the class says which. Zeros cannot miss it, real photos do."""
    rng = np.random.default_rng(seed)
    places = [(2, 2), (2, 12), (12, 2), (12, 12)]

    def photo(missing):
        picture = 0.05 * rng.random((1, 20, 20))
        for i, (top, left) in enumerate(places):
            if i != missing:
                picture[:, top : top + 6, left : left + 6] += 0.8
        return picture.astype(np.float32)

    patches = np.zeros((4, 1, 20, 20), np.float32)
    for i, (top, left) in enumerate(places):
        patches[i, :, top : top + 6, left : left + 6] = 1 / 36
    linear = nn.Linear(400, 4, bias=True)
    linear.weight.data, linear.bias.data = -torch.from_numpy(patches.reshape(4, 400)), torch.full((4,), 0.6)
    model = xplain.ImageClassifier(nn.Sequential(nn.Flatten(), linear, nn.ReLU()))  # relu(.6 - mean of the patch)
    background = np.stack([photo(rng.integers(4)) for _ in range(12)])
    methods = {
        "integrated-gradients": {"n_steps": 20},
        "deep-lift": {},
        "gradient-shap": {"n_samples": 200},
        "occlusion": {"window": 4, "stride": 4},
        "feature-ablation": {"segments": "grid", "n_segments": 25},
        "kernel-shap": {"segments": "grid", "n_segments": 25, "budget": 200},
        "shapley": {"segments": "grid", "n_segments": 25, "budget": 200},
        "lime": {"segments": "grid", "n_segments": 25, "n_samples": 200},
    }
    for method, options in methods.items():
        found = []
        name = "baselines" if method == "gradient-shap" else "baseline"
        for baseline in (0.0, background):
            shares = []
            for missing in range(4):
                (e,) = run(model, [prepared(photo(missing))], [missing], method=method, **{name: baseline}, **options)
                top, left = places[missing]
                positive = np.maximum(values(e), 0)
                shares.append(positive[top : top + 6, left : left + 6].sum() / max(positive.sum(), 1e-30))
            found.append(float(np.mean(shares)))
        assert found[0] < 0.09, method  # the patch is .09 of the photo
        assert found[1] > 0.55, method
