"""Signals: exact answers of small models, windows that are added up, and a real network on real recordings."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.support import refuses
from xplain import AttributionError, InputError, SignalClassifier, UnknownNameError
from xplain.attributions import METHODS
from xplain.explanation import Window

AXES, WINDOW = 2, 12
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(2, AXES, WINDOW))
RECORDING = RNG.normal(size=(AXES, 30)).astype(np.float32)

EXACT = ("input-x-gradient", "integrated-gradients", "gradient-shap", "deep-lift")
SEGMENTED = ("occlusion", "feature-ablation", "lime", "kernel-shap", "shapley")
SIGNALS = tuple(name for name, method in METHODS.items() if "signals" in method.explains)


class Linear(nn.Module):
    """score_t = sum(w_t * x) + t."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(WEIGHTS))

    def forward(self, x):
        return torch.einsum("nac,tac->nt", x, self.weights) + torch.arange(2)


def linear(windows):
    return np.einsum("nac,tac->nt", windows, WEIGHTS) + np.arange(2)


def classifier(model=None, **options):
    return SignalClassifier(Linear() if model is None else model, **{"sample_rate_hz": 10, "window": WINDOW} | options)


def values(e, target=0):
    return e.attributions[target].evidence.values


def shares(recording=RECORDING, stride=WINDOW, baseline=0.0, target=1):
    """w (x - b) of a linear score, added up over the windows."""
    total = np.zeros(recording.shape)
    time = recording.shape[1]
    for start in [*range(0, time - WINDOW, stride), time - WINDOW]:
        total[:, start : start + WINDOW] += WEIGHTS[target] * (recording[:, start : start + WINDOW] - baseline)
    return total


def options_of(method, baseline, **options):
    named = {"baselines": [baseline]} if method == "gradient-shap" else {"baseline": baseline}
    return options | named | ({"ridge": 1e-9} if method == "lime" else {})


def sums(matrix, parts):
    """Add up (axes, time) over the segments of one window."""
    return np.stack([part.sum(axis=1) for part in np.array_split(matrix, parts, axis=1)], axis=1)


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("baseline", [0.0, 0.7, [0.5, -1.0]])
def test_a_linear_score_gets_weight_times_change(method, baseline):
    e = xplain.explain(classifier(), RECORDING[:, :WINDOW], method, target=1, **options_of(method, baseline))
    expected = WEIGHTS[1] * (RECORDING[:, :WINDOW] - np.reshape(baseline, (-1, 1)))
    assert values(e) == pytest.approx(expected, abs=1e-6)


def test_baselines_of_signals():
    window = RECORDING[:, :WINDOW]
    e = xplain.explain(classifier(), window, "integrated-gradients", target=1, baseline="mean")
    assert values(e) == pytest.approx(WEIGHTS[1] * (window - window.mean(axis=1, keepdims=True)), abs=1e-6)
    e = xplain.explain(classifier(), window, "occlusion", target=1, length=1, baseline=0.5 * window)
    assert values(e) == pytest.approx(WEIGHTS[1] * 0.5 * window, abs=1e-6)
    # Where readings are normalised, so is the baseline: 0 is the mean that is subtracted.
    e = xplain.explain(classifier(mean=[1, 2], std=2), window, "integrated-gradients", target=1)
    assert values(e) == pytest.approx(WEIGHTS[1] * (window - [[1], [2]]) / 2, abs=1e-6)


@pytest.mark.parametrize("method", SEGMENTED)
@pytest.mark.parametrize("model", [linear, None], ids=["black box", "module"])
def test_segments_get_what_their_readings_add_up_to_shared_out_evenly(method, model):
    division = {"length": WINDOW // 3} if method == "occlusion" else {"segments": 3}
    options = options_of(method, 0.25, **division)
    e = xplain.explain(classifier(model), RECORDING[:, :WINDOW], method, target=1, **options)
    expected = sums(shares(RECORDING[:, :WINDOW], baseline=0.25), 3)
    assert sums(values(e), 3) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(values(e).reshape(AXES, 3, -1), axis=2).max() < 1e-6
    e = xplain.explain(classifier(model), RECORDING[:, :WINDOW], method, target=1, together=True, **options)
    assert sums(values(e), 3).sum(axis=0) == pytest.approx(expected.sum(axis=0), abs=1e-5)
    assert np.array_equal(values(e)[0], values(e)[1])


@pytest.mark.parametrize("method", SEGMENTED)
def test_the_only_segment_has_the_whole_change_of_the_score(method):
    division = {"length": WINDOW} if method == "occlusion" else {"segments": 1}
    options = options_of(method, 0.25, together=True, **division)
    e = xplain.explain(classifier(linear), RECORDING[:, :WINDOW], method, target=1, **options)
    expected = shares(RECORDING[:, :WINDOW], baseline=0.25).sum()
    assert values(e) == pytest.approx(np.full((AXES, WINDOW), expected / (AXES * WINDOW)), abs=1e-6)


@pytest.mark.parametrize("method", SEGMENTED)
def test_a_window_of_one_reading_has_the_whole_change_of_the_score(method):
    model = xplain.SignalClassifier(lambda windows: windows.sum(axis=2) ** 2, sample_rate_hz=10, window=1)
    options = options_of(method, 1.0)
    e = xplain.explain(model, [[3.0, -2.0, 1.0]], method, target=0, **options)
    assert values(e) == pytest.approx(np.array([[8.0, 3.0, 0.0]]), abs=1e-5)
    three = xplain.SignalClassifier(lambda windows: windows.sum(axis=2) ** 2, sample_rate_hz=10, window=3)
    e = xplain.explain(three, [[3.0, -2.0, 1.0]], "shapley", target=0)
    assert e.attributions[0].quality["players"] == 3


def test_a_feature_mask_names_the_segments():
    mask = np.where(np.arange(WINDOW) < 5, 7, 3) * np.ones((AXES, 1), int)
    mask[1, -1] = -4
    e = xplain.explain(classifier(linear), RECORDING[:, :WINDOW], "shapley", target=1, segments=mask)
    expected = shares(RECORDING[:, :WINDOW])
    for number in (7, 3, -4):
        assert values(e)[mask == number].sum() == pytest.approx(expected[mask == number].sum(), abs=1e-5)
    assert e.attributions[0].quality["players"] == 3


def test_shapley_and_kernel_shap_are_exact_for_any_game():
    players = 6
    worth = RNG.normal(size=2**players)

    def game(windows):
        present = windows.reshape(len(windows), players, -1).any(axis=2)
        return worth[present @ (1 << np.arange(players))][:, None]

    expected = np.zeros(players)
    for order in itertools.permutations(range(players)):
        coalition = 0
        for player in order:
            expected[player] += worth[coalition | 1 << player] - worth[coalition]
            coalition |= 1 << player
    expected /= math.factorial(players)
    for method in ("shapley", "kernel-shap"):
        e = xplain.explain(classifier(game), np.ones((AXES, WINDOW)), method, segments=3)
        assert sums(values(e), 3).reshape(-1) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("stride", [WINDOW, 5, 1])
@pytest.mark.parametrize("method", ["integrated-gradients", "occlusion"])
def test_overlapping_windows_are_added_up(stride, method):
    options = {"length": 1} if method == "occlusion" else {}
    model = classifier(stride=stride)
    e = xplain.explain(model, RECORDING, method, target=1, **options)
    assert values(e) == pytest.approx(shares(stride=stride), abs=1e-5)
    scores = model.all_scores(model.prepare(RECORDING))[:, 1]
    quality = e.attributions[0].quality
    assert quality["windows"] == len(scores)
    assert quality["windows_per_reading"] == [1, min(len(scores), -(-WINDOW // stride) + (stride == WINDOW))]
    if method == "integrated-gradients":
        assert quality["score"] == pytest.approx(scores.sum())
        assert quality["baseline_score"] == pytest.approx(len(scores))  # the bias of class 1 is 1
        assert values(e).sum() == pytest.approx(quality["score"] - quality["baseline_score"], abs=1e-4)
        assert abs(quality["completeness_residual"]) < 1e-4


def test_the_explained_class_is_that_of_the_highest_mean_probability():
    def score(windows):
        first = windows[:, 0].mean(axis=1)
        return np.stack([1 - first, first], axis=1)

    recording = np.repeat([[1.0, 0.1, 0.2]], WINDOW, axis=1)
    model = classifier(score, labels=["rest", "walk"], output="probability")
    e = xplain.explain(model, recording, "occlusion")
    (attribution,) = e.attributions
    assert attribution.target.name == "rest"
    assert attribution.target.score == pytest.approx((0.0 + 0.9 + 0.8) / 3)
    assert attribution.target.region is None
    assert [p.name for p in e.predictions[::2]] == ["walk", "rest", "rest"]
    assert e.predictions[2].region == Window(1200, 2400)
    assert [a.target.name for a in xplain.explain(model, recording, target="top-2").attributions] == ["rest", "walk"]


def test_one_window_alone():
    model = classifier(labels=["a", "b"], stride=6)
    whole = xplain.explain(model, RECORDING, target="a")
    parts = [xplain.explain(model, RECORDING, target="a", windows=i) for i in range(4)]
    assert values(whole) == pytest.approx(sum(values(part) for part in parts), abs=1e-5)
    alone = parts[1]
    assert not values(alone)[:, :6].any()
    assert not values(alone)[:, 18:].any()
    target = alone.attributions[0].target
    assert target.region == Window(600, 1800)
    assert target.score == next(p.score for p in whole.predictions if p.region == target.region and p.name == "a")
    assert alone.predictions == whole.predictions
    assert alone.provenance.options["windows"] == [1]
    assert whole.provenance.options["windows"] is None
    both = xplain.explain(model, RECORDING, target="a", windows=[0, 1])
    assert values(both) == pytest.approx(values(parts[0]) + values(parts[1]), abs=1e-5)
    default = xplain.explain(model, RECORDING, windows=2).attributions[0].target
    assert default.name == next(p for p in whole.predictions if p.region == default.region).name


@pytest.mark.parametrize("windows", [-1, 3, [], [0, 0], "1", 0.5])
def test_windows_that_do_not_exist_are_refused(windows):
    with refuses(InputError, "windows must be"):
        xplain.explain(classifier(), RECORDING, windows=windows)


def test_windows_without_evidence_count_as_zero():
    def peak(windows):
        return windows.max(axis=(1, 2))[:, None] > 0.5

    recording = np.zeros((1, 36))
    recording[0, 20] = 1
    e = xplain.explain(classifier(peak), recording, "occlusion", length=1)
    assert np.flatnonzero(values(e)).tolist() == [20]
    assert values(e)[0, 20] == 1
    assert not values(xplain.explain(classifier(peak), np.zeros((1, 36)), "occlusion")).any()


def test_every_method_for_signals_gives_a_map_of_the_recording():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv1d(AXES, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)
    )
    model = classifier(module, stride=9)
    captums = {name for name in SIGNALS if METHODS[name].captum_class}
    assert set(SIGNALS) == {*EXACT, *SEGMENTED, *captums, "saliency", "smoothgrad", "guided-backprop", "random"}
    for method in set(SIGNALS) - captums:
        e = xplain.explain(model, RECORDING, method, target="top-2")
        assert [values(e, t).shape for t in (0, 1)] == [RECORDING.shape] * 2, method
        assert not np.array_equal(values(e, 0), values(e, 1)), method
        assert e == xplain.explain(model, RECORDING, method, target="top-2"), method
    for method in ("deep-lift", "integrated-gradients", "kernel-shap", "shapley", "gradient-shap"):
        quality = xplain.explain(model, RECORDING, method).attributions[0].quality
        change = quality["score"] - quality["baseline_score"]
        total = values(xplain.explain(model, RECORDING, method)).sum()
        assert total == pytest.approx(change - quality["completeness_residual"], abs=1e-4), method
        assert quality["completeness_relative"] == pytest.approx(abs(quality["completeness_residual"] / change))


def test_provenance_counts_the_windows_that_were_scored():
    batch_sizes = []

    def count(windows):
        batch_sizes.append(len(windows))
        return linear(windows)

    e = xplain.explain(classifier(count), RECORDING, "occlusion", length=4, check=False)
    assert e.provenance.evaluations == sum(batch_sizes) == 3 + 3 * (1 + 2 * 3)
    assert e.provenance.preprocessing["window"] == WINDOW


def test_the_best_method_depends_on_the_model():
    assert xplain.explain(classifier(), RECORDING).provenance.method == "integrated-gradients"
    assert xplain.explain(classifier(linear), RECORDING).provenance.method == "occlusion"
    with refuses(AttributionError, "needs scores only for a black box, got 'saliency'", "kernel-shap"):
        xplain.explain(classifier(linear), RECORDING, "saliency")
    with refuses(AttributionError, "method must be one that explains signals, got 'grad-cam'"):
        xplain.explain(classifier(), RECORDING, "grad-cam")


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("occlusion", {"length": 13}, "length must be at most 12, the readings of the model's window, got 13"),
        ("occlusion", {"length": 1.5}, "length must be a part above 0 and at most 1, got 1.5; readings are an int"),
        ("occlusion", {"length": 2, "stride": 3}, "stride must be at most the length, 2 readings, got 3"),
        ("occlusion", {"together": 1}, "together must be True or False, got 1"),
        ("shapley", {"segments": 13}, "segments must be at most 12, the readings of the model's window, got 13"),
        ("captum:KernelShap", {"segments": 1, "together": True}, "segments must be at least 2 for KernelShap, which"),
        ("lime", {"segments": np.zeros((3, 3), int)}, "segments must be a number of segments, or integers (2, 12)"),
        ("lime", {"segments": 0.5}, "segments must be an integer >= 1, got 0.5"),
        ("occlusion", {"baseline": "blur"}, "baseline must be one of 'mean', got 'blur'"),
        (
            "integrated-gradients",
            {"baseline": np.zeros(3)},
            "one number for each of 2 axes, or (2, 12), got shape (3,)",
        ),
    ],
)
def test_options_that_cannot_be_used_are_refused(method, options, message):
    with refuses(InputError, message):
        xplain.explain(classifier(), RECORDING, method, **options)


def test_unknown_names_are_refused():
    with refuses(UnknownNameError, "option of occlusion must be one of length, stride, together, baseline"):
        xplain.explain(classifier(), RECORDING, "occlusion", window=3)
    with refuses(UnknownNameError, "target must be one of walk, run, got 'wlk'; did you mean 'walk'?"):
        xplain.explain(classifier(labels=["walk", "run"]), RECORDING, target="wlk")


@pytest.mark.parametrize(
    ("readings", "options"), [(125, {}), (125, {"length": 0.3}), (7, {"length": 3}), (3, {"length": 2})]
)
@pytest.mark.parametrize("together", [False, True])
def test_occlusion_of_a_linear_score_adds_up_also_where_segments_do_not_fit(readings, options, together):
    recording = np.random.default_rng(0).normal(size=(2, readings)).astype(np.float32) + 1
    weights = np.random.default_rng(1).normal(size=(2, readings))
    model = xplain.SignalClassifier(
        lambda windows: (windows * weights).sum(axis=(1, 2))[:, None], sample_rate_hz=10, window=readings
    )
    e = xplain.explain(model, recording, "occlusion", together=together, baseline=0.5, **options)
    assert values(e).sum() == pytest.approx((weights * (recording - 0.5)).sum(), rel=1e-5)


def test_a_segment_shares_its_loss_among_its_own_readings():
    model = xplain.SignalClassifier(lambda windows: windows.sum(axis=2), sample_rate_hz=10, window=3)
    assert values(xplain.explain(model, [[80.0, 200, 120]], "occlusion", length=2)).tolist() == [[140, 140, 120]]
