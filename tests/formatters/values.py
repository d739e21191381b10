"""The values of the golden native documents."""

import numpy as np

from xplain.explanation import (
    Attribution,
    Box,
    Explanation,
    Grid,
    Heatmap,
    Item,
    Mask,
    Polygon,
    Prediction,
    Provenance,
    Results,
    SignalScores,
    Source,
    Span,
    Window,
    Word,
    WordScores,
)


def classification():
    """Two targets of one photo: one a prediction, one not; a packed and a plain array; full provenance."""
    tabby = Prediction("tabby", 0.8125, id=281, attributes={"wnid": "n02123045", "siblings": ["lynx", None]})
    lynx = Prediction(["cat", "lynx"], 0.0625, threshold=0.5, id="lynx")
    ramp = np.linspace(-1, 1, 192, dtype=np.float32).reshape(12, 16)
    spots = np.zeros((12, 16), bool)
    spots[2:5, 3:9] = spots[11, 15] = True
    return Explanation(
        "image-classification",
        Source("image", name="chelsea.png", sha256="0123456789abcdef" * 4, height=12, width=16),
        (tabby, Prediction("tiger", -0.5)),
        (
            Attribution(tabby, Heatmap(ramp), "grad-cam", {"completeness": 0.25}),
            Attribution(lynx, Grid([[0.0, 1.5], [-2.0, 0.25]]), "occlusion"),
            Attribution(tabby, Mask.from_array(spots), "grad-cam"),
        ),
        Provenance(
            method="grad-cam",
            options={"layer": "blocks.6", "window": [8, 8]},
            seed=0,
            model="efficientnet-lite0",
            model_sha256="fedcba9876543210" * 4,
            preprocessing={"size": 224},
            versions={"xplain": "0.1.0"},
            created="2026-01-02T03:04:05Z",
            seconds=1.5,
            evaluations=2,
        ),
    )


def text():
    love = Prediction("joy", 0.75)
    words = WordScores([Word("I", 0.0, 0, 0, 1), Word("loved", 2.5, 1, 2, 7), Word("it", -0.25)])
    return Explanation(
        "text-classification",
        Source("text", text="I loved it \ud83d"),
        (love, Prediction("span", 0.5, region=Span(2, 7))),
        (Attribution(love, words),),
    )


def job():
    """Items in every state; regions of every kind."""
    regions = (
        Box(0.0, 0.25, 0.5, 1.0),
        Polygon([(0.0, 0.0), (1.0, 0.5), (0.5, 1.0)], "pixel"),
        Mask.from_array([[1, 0], [0, 1]]),
        Window(0.0, 250.0),
    )
    detections = Explanation(
        "object-detection",
        Source("image"),
        tuple(Prediction("thing", 0.5, region=region) for region in regions),
    )
    signal = Explanation(
        "signal-classification",
        Source("signal", sample_rate_hz=62.5),
        (Prediction("wave", 1.0),),
        (Attribution(Prediction("wave", 1.0), SignalScores([[0.0, 1.0, -1.0]])),),
    )
    times = {"started": "2026-01-02T03:04:05Z", "updated": "2026-01-02T03:04:06Z", "ended": "2026-01-02T03:04:07Z"}
    return Results(
        "nightly",
        (
            Item("a.png", "successful", explanation=detections, engine="local", **times),
            Item("b.wav", "successful", explanation=signal),
            Item("c.png", "failed", error="InputError: image must be decodable"),
            Item("d.png", "running"),
            Item("e.png", "waiting"),
        ),
    )


VALUES = {"classification": classification, "text": text, "job": job}
