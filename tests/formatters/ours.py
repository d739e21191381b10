"""Explanations as xplain makes them, to be written in every format."""

import importlib

import numpy as np

from xplain.explanation import (
    Attribution,
    Box,
    Explanation,
    Grid,
    Heatmap,
    Item,
    Mask,
    Prediction,
    Provenance,
    Results,
    SignalScores,
    Source,
    Window,
    Word,
    WordScores,
)


def photo():
    cat = Prediction("tabby cat", 0.75, id=281)
    heat = Heatmap(np.linspace(-1, 1, 48, dtype=np.float32).reshape(6, 8))
    source = Source("image", name="cat.jpg", sha256="ab" * 32, height=6, width=8)
    how = Provenance(method="grad-cam", seed=0, created="2026-01-02T03:04:05+00:00")
    predictions = (cat, Prediction("lynx", 0.125, id=287))
    return Explanation("image-classification", source, predictions, (Attribution(cat, heat, "grad-cam"),), how)


def anomaly():
    target = Prediction("anomaly", 2.5, threshold=2.0)
    grid = Grid([[0.5, 2.5], [1.0, 0.25]])
    return Explanation(
        "image-classification", Source("image", name="part.png"), (target,), (Attribution(target, grid),)
    )


def street():
    source = Source("image", name='../street "1".jpg', height=100, width=200)
    predictions = (
        Prediction("person", 0.9, region=Box(10, 20, 50, 90, "pixel"), threshold=0.5, id=0),
        Prediction("bus", 0.25, region=Box(100, 0, 200, 100, "pixel"), threshold=0.5, id=5),
    )
    return Explanation("object-detection", source, predictions)


def sky():
    halves = np.arange(6)[:, None] < [3, 3, 3, 3]
    predictions = [Prediction("sky", 0.75, region=Mask.from_array(halves)), Prediction("sea", 0.5)]
    return Explanation("image-segmentation", Source("image", height=6, width=4), predictions)


def letter():
    complaint = Prediction(["Order", "Missing"], 0.75)
    text = "My order 😀 is missing."
    words = WordScores([Word("order", 0.25, 1, 3, 8), Word("missing.", 1.5, 4, 14, 22)])
    predictions = (complaint, Prediction("Thanks", 0.125))
    return Explanation("text-classification", Source("text", text=text), predictions, (Attribution(complaint, words),))


def gesture():
    windows = [Window(0.0, 1000.0), Window(500.0, 1500.0)]
    predictions = [
        Prediction(label, score, region=window)
        for window, wave in zip(windows, (0.75, 0.25), strict=True)
        for label, score in (("wave", wave), ("idle", 1 - wave))
    ]
    target = Prediction("wave", 0.75, region=windows[0])
    scores = SignalScores(np.linspace(-1, 1, 30, dtype=np.float32).reshape(2, 15))
    source = Source("signal", name="wave.npy", sample_rate_hz=10.0)
    return Explanation("signal-classification", source, predictions, (Attribution(target, scores),))


EXPLANATIONS = {make.__name__: make for make in (photo, anomaly, street, sky, letter, gesture)}


def values(format):
    """Return explanations of the tasks that a format can hold, and a job of them all."""
    module = importlib.import_module(f"xplain.formatters.{format.replace('-', '_')}.formatter")
    explanations = {name: make() for name, make in EXPLANATIONS.items()}
    held = {name: e for name, e in explanations.items() if module.CAPABILITIES is None or e.task in module.CAPABILITIES}
    items = [Item(name, "successful", explanation=e, started="2026-01-02T03:04:05Z") for name, e in held.items()]
    job = Results("nightly", (*items, Item("lost.jpg", "failed", error="could not be decoded")))
    return {**held, "own-job": job}
