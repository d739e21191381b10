"""Kinds: each gives the engine what it needs and methods what they ask for, so that one function serves all."""

import ast
import itertools
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from tests.attributions.networks import Zeds
from tests.models.test_text import letters
from tests.support import refuses
from xplain import AttributionError, Detector, ImageClassifier, Segmenter, SignalClassifier, TextClassifier
from xplain.attributions import METHODS, Method, Run, call, dispatch, naming, table
from xplain.attributions.engine.explained import Explained
from xplain.attributions.engine.maps import combined_quality
from xplain.attributions.engine.supplies import Cover, Players, Supplies
from xplain.attributions.kinds import texts
from xplain.attributions.kinds.detections import DetectionView, GradientView
from xplain.attributions.kinds.embeddings import Embeddings
from xplain.attributions.kinds.images import Pixels
from xplain.attributions.kinds.presence import Presence
from xplain.attributions.kinds.regions import RegionView
from xplain.attributions.kinds.signals import Windows
from xplain.explanation import Explanation

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
RECORDING = np.random.default_rng(1).normal(size=(2, 26))
TEXT = "ab c ab and some more"


class Letters(nn.Module):
    """A classifier of characters that is not linear in its embeddings."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(50, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, ids):
        return self.head(torch.tanh(self.table(ids)).sum(1).square())


def brightness(images):
    return images.mean(axis=(1, 2, 3))[:, None] / np.array([255.0, 300.0])


def lamp(images):
    light = images[:, 4:8, 4:8].mean(axis=(1, 2, 3)) / 255
    return [{"boxes": [[4, 4, 8, 8]], "labels": [0], "scores": [score]} for score in light]


def halves(images):
    grey = images.mean(axis=3)
    return np.stack([grey, 255 - grey], axis=1) / 255


def counts(strings):
    return np.array([[text.count("a") + 0.5, 0.1 * len(text)] for text in strings])


def energy(windows):
    return np.stack([(windows**2).sum(axis=(1, 2)), windows.sum(axis=(1, 2))], axis=1)


BLACK_BOXES = {
    "images": (ImageClassifier(brightness), PHOTO),
    "texts": (TextClassifier(counts), TEXT),
    "detections": (Detector(lamp), PHOTO),
    "regions": (Segmenter(halves, output="probability"), PHOTO),
    "signals": (SignalClassifier(energy, sample_rate_hz=10, window=12, stride=7), RECORDING),
}
CHARACTERS = TextClassifier(Letters(), letters, baseline_id=0, max_length=8)


def everything_explained() -> list[Explained]:
    """One of each that is given to the engine."""
    detector, segmenter, photo = BLACK_BOXES["detections"][0], BLACK_BOXES["regions"][0], ImageClassifier(brightness)
    image, text = photo.prepare(PHOTO), CHARACTERS.prepare(TEXT)
    return [
        photo,
        DetectionView.of(detector, image, None),
        GradientView.of(detector, image, None),
        RegionView.of(segmenter, image, None),
        Presence(CHARACTERS, text, CHARACTERS.scores([TEXT])[0]),
        Embeddings(CHARACTERS, text.windows[0], 0),
        Windows(BLACK_BOXES["signals"][0]),
    ]


def test_every_kind_has_what_the_engine_needs():
    members = {name for name in vars(Explained) if not name.startswith("_")}
    assert len(members) == 17
    for explained in everything_explained():
        assert members - set(dir(explained)) == set(), explained


def test_no_kind_imitates_another_behind_the_back_of_mypy():
    for path in Path(xplain.__file__).parent.joinpath("attributions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # A recorder of calls stands in for tensors, not for a kind.
            if isinstance(node, ast.FunctionDef) and path.name != "trace.py":
                assert node.name not in ("__getattr__", "__getattribute__"), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast":
                assert ast.unparse(node.args[0]) != "Any", path


def with_method(monkeypatch, **fields):
    """Add a method to a copy of the table, under the name "new"."""
    entry = Method("new", "A new one.", cost="?", paper="?", **{"needs": "scores"} | fields)
    methods = MappingProxyType({**METHODS, "new": entry})
    for module in (table, call, dispatch, naming):
        monkeypatch.setattr(module, "METHODS", methods)


def count_up(run: Run, *, players: Players, weight: float = 1.0, baseline):
    """Values that rise with the number of the player."""
    assert players.count >= 2
    assert baseline.shape == run.prepared.array.shape
    gain = run.score(run.prepared.array) - run.score(baseline)
    return weight * players.paint(np.arange(1, players.count + 1)[:, None] * gain)


def slopes(run: Run, *, baselines, baseline, power: int = 1):
    """Sums of gradients over channels."""
    assert all(each.shape == baseline.shape == run.prepared.array.shape for each in baselines)
    return run.input_gradient().double().pow(power).sum(dim=1).numpy()


@pytest.mark.parametrize("kind", BLACK_BOXES)
def test_a_new_method_is_one_function_for_every_kind(monkeypatch, kind):
    with_method(monkeypatch, function=f"{__name__}:count_up")
    model, input = BLACK_BOXES[kind]
    explanation = xplain.explain(model, input, "new", weight=2.0)
    assert explanation.provenance.method == "new"
    own = {"texts": ["unit"], "signals": ["segments", "together"]}.get(kind, ["segments", "n_segments"])
    last = [] if kind == "texts" else ["baseline"]
    windows = ["windows"] if kind == "signals" else []
    assert list(explanation.provenance.options) == [*own, "weight", *last, *windows]
    assert explanation.attributions[0].evidence is not None


def test_a_new_method_differentiates_texts_and_signals_alike(monkeypatch):
    with_method(monkeypatch, function=f"{__name__}:slopes", needs="gradients")
    e = xplain.explain(CHARACTERS, TEXT, "new")
    assert dict(e.provenance.options) == {"power": 1}
    assert len(e.attributions[0].evidence.words) == 6
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    e = xplain.explain(SignalClassifier(module, sample_rate_hz=10, window=8), RECORDING, "new", baselines=[0.5])
    assert list(e.provenance.options) == ["baselines", "baseline", "power", "windows"]
    image = ImageClassifier(nn.Sequential(nn.Flatten(), nn.Linear(432, 2)))
    e = xplain.explain(image, PHOTO, "new", baseline="blur")
    assert list(e.provenance.options) == ["baselines", "baseline", "power"]
    assert e.attributions[0].evidence.values.shape == (12, 12)


def test_a_method_that_asks_for_what_a_kind_has_not_is_refused(monkeypatch):
    with_method(monkeypatch, function=f"{__name__}:count_up", needs="gradients")
    with refuses(
        AttributionError, "default for each option but baseline, background, baselines, which texts supply", "'players'"
    ):
        xplain.explain(CHARACTERS, TEXT, "new")
    with_method(monkeypatch, function=f"{__name__}:slopes", needs="scores")
    with refuses(AttributionError, "method must need gradients"):
        Presence(CHARACTERS, CHARACTERS.prepare(TEXT), np.zeros(2)).forward(torch.zeros(1))


def test_a_kind_has_defaults_of_its_own():
    for kind, expected in (
        ("texts", {"unit": "auto", "budget": 4096}),
        ("signals", {"segments": None, "together": False, "budget": 4096, "baseline": 0.0, "windows": None}),
    ):
        options = xplain.explain(*BLACK_BOXES[kind], "shapley").provenance.options
        assert list(options.items()) == list(expected.items())
    supplies = Pixels("images", 0).supplies
    assert call.all_options(METHODS["shapley"], supplies, {}) == {
        "segments": "slic",
        "n_segments": 25,
        "budget": 2000,
        "baseline": 0.0,
    }
    assert call.all_options(METHODS["lime"], supplies, {})["n_segments"] == 50
    assert call.all_options(METHODS["rise"], supplies, {})["cells"] == 7
    assert call.all_options(METHODS["d-rise"], Pixels("detections", 0).supplies, {})["cells"] == 16


@pytest.mark.parametrize(
    ("kind", "options", "remedy"),
    [
        ("images", {"segments": "grid", "n_segments": 9}, "9 regions, got 8; raise budget or lower n_segments"),
        ("signals", {"segments": 8}, "16 segments, got 8; raise budget or lower segments"),
        ("texts", {}, "6 units of the text, got 8; raise budget or pass a larger unit"),
    ],
)
def test_the_remedy_names_an_option_of_the_kind(kind, options, remedy):
    model, input = BLACK_BOXES[kind]
    with refuses(xplain.InputError, "budget must be at least", remedy):
        xplain.explain(model, input, "kernel-shap", budget=8, **options)


@pytest.mark.parametrize(
    ("model", "input", "method"),
    [
        *((model, input, "occlusion") for model, input in BLACK_BOXES.values()),
        (CHARACTERS, TEXT, "integrated-gradients"),
        (CHARACTERS, TEXT, "shapley"),
    ],
    ids=[*BLACK_BOXES, "tokens", "words"],
)
def test_one_explanation_is_made_of_an_input_however_many_windows_it_has(monkeypatch, model, input, method):
    made = []
    check = Explanation.__post_init__
    monkeypatch.setattr(Explanation, "__post_init__", lambda self: (made.append(self), check(self))[1])
    e = xplain.explain(model, input, method)
    assert len(made) == 1
    if e.task in ("text-classification", "signal-classification") and model.module is not None:
        assert e.attributions[0].quality["windows"] == 4


def test_notes_of_a_text_are_those_of_all_its_windows(monkeypatch):
    seen = []
    combine = texts.combined_quality
    monkeypatch.setattr(texts, "combined_quality", lambda *a, **k: (seen.append(a[0]), combine(*a, **k))[1])
    e = xplain.explain(CHARACTERS, TEXT, "gradient-shap", n_samples=3, noise=0.2)
    (parts,), quality = seen, e.attributions[0].quality
    assert len(parts) == 4
    for name in ("score", "baseline_score", "completeness_residual"):
        assert quality[name] == pytest.approx(np.mean([part[name] for part in parts]))
    change = quality["score"] - quality["baseline_score"]
    assert quality["completeness_relative"] == pytest.approx(abs(quality["completeness_residual"] / change))
    assert quality["completeness_relative"] != parts[0]["completeness_relative"]
    errors = np.array([part["standard_error"] for part in parts])
    # The mean over windows that do not hold the same words has the root mean square of their errors over their number;
    # over windows that all hold all words it would have the root of the sum of squares over their number.
    assert np.sqrt(np.mean(errors**2)) / 4 <= quality["standard_error"] <= np.sqrt(np.sum(errors**2)) / 4


@pytest.mark.parametrize("divisor", [1, 3])
@pytest.mark.parametrize("starts", [(0, 4, 8), (0, 3, 8), (0, 0, 0)])
def test_the_standard_error_of_windows_is_that_of_their_combined_map(starts, divisor):
    length, time = 4, max(starts) + 4
    windows = np.random.default_rng(0).random((len(starts), length))  # variances of the windows' places
    variance = np.zeros(time)
    for start, window in zip(starts, windows, strict=True):
        variance[start : start + length] += window / divisor**2
    held = len(set(itertools.chain.from_iterable(range(start, start + length) for start in starts)))
    parts = [{"standard_error": np.sqrt(window.mean())} for window in windows]
    combined = combined_quality(parts, [length / held] * len(starts), divisor)
    assert combined["standard_error"] == pytest.approx(np.sqrt(variance.sum() / held))


@pytest.mark.parametrize("stride", [40, 20])
def test_the_standard_error_of_a_recording_is_the_spread_over_seeds(stride):
    weights = np.random.default_rng(0).normal(size=(2, 2, 40)) / 3
    recording = np.random.default_rng(1).normal(size=(2, 160))

    def curved(windows):
        projected = np.einsum("nac,tac->nt", windows, weights)
        return np.tanh(projected) + projected**2

    model = SignalClassifier(curved, sample_rate_hz=10, window=40, stride=stride)
    several = [
        xplain.explain(model, recording, "shapley", target=0, segments=5, budget=150, seed=seed).attributions[0]
        for seed in range(40)
    ]
    values = np.array([each.evidence.values for each in several]) * 8  # of segments, each of 8 readings
    claimed = np.mean([each.quality["standard_error"] for each in several])
    assert claimed == pytest.approx(np.sqrt(values.var(axis=0, ddof=1).mean()), rel=0.15)


def test_a_window_of_a_text_without_evidence_counts_as_zero():
    model = TextClassifier(Zeds(), letters, baseline_id=0, max_length=8)
    e = xplain.explain(model, "ab zzz ab and some more", "integrated-gradients")
    scores = [word.score for word in e.attributions[0].evidence.words]
    assert scores == pytest.approx([0, 3 / e.attributions[0].quality["windows"], 0, 0, 0, 0])


def test_players_and_covers_paint_values_back():
    labels = np.array([[0, 0, 1], [2, 1, 1]])
    values = np.array([[6.0], [9.0], [1.0]])
    assert Players(labels).paint(values).tolist() == [[[6, 6, 9], [1, 9, 9]]]
    assert Players(labels, is_shared=True).paint(values).tolist() == [[[3, 3, 3], [1, 3, 3]]]
    cover = Cover(np.eye(2), np.array([[1.0, 1, 0], [0, 1, 1]]), sizes=2.0)
    assert cover.positions[1] == (slice(0, 1), slice(1, 3))
    assert cover.average(np.array([[2.0], [4], [6], [8]])).tolist() == [[[1, 1.5, 2], [3, 3.5, 4]]]
    with refuses(AttributionError, "got 'cover' without one"):
        Supplies("texts", lambda prepared: prepared, lambda prepared: [prepared]).named("cover")
