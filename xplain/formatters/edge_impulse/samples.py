"""Edge Impulse's samples, with what learn blocks say of their windows, as explanations.

The i-th window of a sample is the i-th of its entries in ``predictions``, and each block has one result for it. Of
several blocks, predictions of those after the first say which with the attribute ``block``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from xplain.explanation import Attribution, Explanation, Grid, Prediction, Source, Window
from xplain.explanation.outcomes import ANOMALY, UNCERTAIN, choose, decide
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.edge_impulse.fields import FORMAT
from xplain.formatters.edge_impulse.figures import box, centroids, check_figures, near, rectangles
from xplain.formatters.edge_impulse.writing import DETECTION, MAX_BLOCKS, difference, plain_sample, streams

Json = dict[str, Any]
Limits = Sequence[float | None]

_SHA256 = re.compile("[0-9a-f]{64}")
_REGRESSION = "keras-regression"
_PER_WINDOW = ("result", "anomalyResult", "structuredResult")
#: Blocks whose score is a distance from all that is known, for which 0 is a threshold like any other.
_DISTANCES = ("anomaly", "anomaly-gmm", "keras-anomaly")


def explain_sample(at: At, found: Json, windows: Sequence[Json], places: Sequence[At]) -> Explanation:
    """Make the explanation of a sample, without what the document says beyond it.

    Parameters
    ----------
    at : At
        Where ``classifications`` are, for messages.
    found : dict
        ``sample`` and ``classifications``.
    windows : sequence of dict
        startMs, endMs and what is known of each window.
    places : sequence of At
        Where each window is, for messages; empty if the document does not list them.
    """
    sample, blocks = found["sample"], found["classifications"]
    detection = any(_detects(block) for block in blocks)
    image = detection or sample["chartType"] == "image" or "imageDimensions" in sample
    image = image or any(block.get("anomalyResult") for block in blocks)
    _check(at, blocks, windows, places, image)
    predictions: list[Prediction] = []
    limits = [_threshold(block) for block in blocks]
    for i, window in enumerate(windows):
        scores = _scores(blocks, limits, window, i, image)
        best = None if detection else choose(scores)
        if best is not None:
            known = _decided(best, window, _expected(blocks, i))
            scores = [known if one is best else one for one in scores]
        predictions += scores + _boxes(blocks, limits, i, detection)
    return Explanation(
        DETECTION if detection else "image-classification" if image else "signal-classification",
        _source(sample, image),
        tuple(predictions),
        tuple(_grids(at, blocks, predictions)) if image else (),
    )


def with_patch(explanation: Explanation, found: Json, name: str, **more: Any) -> Explanation:
    """Add what a document says of a sample beyond what is written of the values alone."""
    sample = dict(found["sample"])
    sample["sensors"] = [_unnumbered(sensor, i) for i, sensor in enumerate(sample["sensors"])]
    if sample.get("datastreams") == streams(found["sample"]):
        del sample["datastreams"]
    plain = plain_sample(explanation, name, found["sampleId"])
    if "predictions" not in found:  # of one sample alone
        del plain["predictions"]
    patch = difference({**found, "sample": sample}, plain)
    linked = [centroids(one) for block in found["classifications"] for one in block.get("structuredResult", [])]
    if linked and linked[0] is not None:
        patch["centroids"] = linked[0]
    own = {**patch, **more}
    return replace(explanation, attributes={FORMAT: own} if own else {})


def _unnumbered(sensor: Json, index: int) -> Json:
    return {key: value for key, value in sensor.items() if (key, value) != ("index", index)}


def _detects(block: Json) -> bool:
    return "object-detection" in block["learnBlock"]["type"] or bool(block.get("structuredResult"))


def _source(sample: Json, image: bool) -> Source:
    digest = sample["sha256Hash"] if _SHA256.fullmatch(sample["sha256Hash"]) else None
    if image:
        return Source("image", name=sample["filename"], sha256=digest, **sample.get("imageDimensions", {}))
    rate = sample["frequency"] if sample["frequency"] > 0 else None
    return Source("signal", name=sample["filename"], sha256=digest, sample_rate_hz=rate)


def _check(at: At, blocks: Sequence[Json], windows: Sequence[Json], places: Sequence[At], image: bool) -> None:
    """Check that there is one of everything for each window, and figures that follow from others."""
    count, found = len(windows), []
    if image and count > 1:
        found.append(Problem(at.path, f"must be of an image with one window, got {count}"))
    if len(blocks) > MAX_BLOCKS:
        found.append(Problem(at.path, f"must hold at most {MAX_BLOCKS} learn blocks, got {len(blocks)}"))
    for k, block in enumerate(blocks):
        for key in _PER_WINDOW:
            own = block.get(key, [])
            if own and len(own) != count:
                message = f"must hold one for each of the sample's {count} windows in predictions, got {len(own)}"
                found.append(Problem(at[k][key].path, message))
        for i, label in enumerate(block["expectedLabels"]):
            last = max(count, block.get("resultCount", 0)) - 1
            if label["endIndex"] > last and count:
                found.append(at[k]["expectedLabels"][i]["endIndex"].problem(f"at most {last}, the last window"))
        found += _figures(at[k], block)
    for i, place in enumerate(places if not found else ()):
        found += _f1(place, windows[i], blocks, i) + _judged(place, windows[i], blocks, i)
    if found:
        raise Rejected(found)


def _figures(at: At, block: Json) -> list[Problem]:
    found: list[Problem] = []
    for i, anomaly in enumerate(block.get("anomalyResult", [])):
        values = [value for row in anomaly.get("scores", []) for value in row]
        place = at["anomalyResult"][i]
        for key, expected in (("meanScore", sum(values) / (len(values) or 1)), ("maxScore", max(values, default=0.0))):
            if values and key in anomaly and not near(anomaly[key], expected, relative=1e-3):
                found.append(place[key].problem(f"{expected:.6g}, that of scores"))
    for i, structured in enumerate(block.get("structuredResult", [])):
        try:
            check_figures(at["structuredResult"][i], structured)
        except Rejected as rejected:
            found += rejected.problems
    return found


def _f1(at: At, window: Json, blocks: Sequence[Json], i: int) -> list[Problem]:
    """Compare the F1 score of a window with that of the block that detects."""
    scores = [block["structuredResult"][i]["f1"] for block in blocks if block.get("structuredResult")]
    if "f1Score" not in window or not scores or any(near(window["f1Score"], score) for score in scores):
        return []
    return [at["f1Score"].problem(f"{scores[0]:.6g}, as in structuredResult")]


def _judged(at: At, window: Json, blocks: Sequence[Json], i: int) -> list[Problem]:
    """Check that a window is judged as its label and its prediction say, where both are classes of a block."""
    if not {"label", "predictionCorrect"} <= window.keys() or any(_differs(block) for block in blocks):
        return []
    label, predicted, correct = window["label"], window["prediction"], window["predictionCorrect"]
    classes = {name for block in blocks if block["result"] for name in block["result"][i]} | {UNCERTAIN}
    if correct == (label == predicted) or not {label, predicted} <= classes:
        return []
    should = f"{str(not correct).lower()}, since {label!r} is expected and {predicted!r} predicted"
    return [at["predictionCorrect"].problem(should)]


def _differs(block: Json) -> bool:
    """Whether a block predicts something else than one of its classes."""
    return block["learnBlock"]["type"] == _REGRESSION or block.get("isMultiLabel", False) or _detects(block)


def _threshold(block: Json) -> float | None:
    """Return the score from which a block's predictions count; for a regression the number is an error."""
    kind, rating = block["learnBlock"]["type"], block["minimumConfidenceRating"]
    if kind == _REGRESSION or (rating == 0 and kind not in _DISTANCES):
        return None
    return float(rating)


def _of(block: int, **more: Any) -> Json:
    return {**({"block": block} if block else {}), **more}


def _scores(blocks: Sequence[Json], limits: Limits, window: Json, i: int, image: bool) -> list[Prediction]:
    """Make the predictions of a window; those of an image, which has only one, by decreasing score in each block."""
    start, end = window["startMs"], window["endMs"]
    region = None if image or (start == 0 and end == 0) else Window(start, end)
    return [
        Prediction((label,), score, region=region, threshold=limits[k], attributes=_of(k))
        for k, block in enumerate(blocks)
        if block["result"]
        for label, score in (_ranked if image else list)(block["result"][i].items())
    ]


def _ranked(scores: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(scores, key=lambda one: -one[1])


def _boxes(blocks: Sequence[Json], limits: Limits, i: int, detection: bool) -> list[Prediction]:
    found: list[Prediction] = []
    for k, (block, limit) in enumerate(zip(blocks, limits, strict=True)):
        if block.get("anomalyResult"):
            own = _of(k, anomaly=True) if detection else _of(k)
            for one in block["anomalyResult"][i].get("boxes", []):
                region = box(one["x"], one["y"], one["width"], one["height"])
                found.append(Prediction(one["label"], one["score"], region=region, threshold=limit, attributes=own))
        if block.get("structuredResult"):
            structured = block["structuredResult"][i]
            labels = structured.get("labels", ["object"] * len(structured["boxes"]))
            rows = zip(labels, structured["scores"], rectangles(structured["boxes"]), strict=True)
            for label, score, region in rows:
                found.append(Prediction(label, score, region=region, threshold=limit, attributes=_of(k)))
    return found


def _expected(blocks: Sequence[Json], i: int) -> str | None:
    """Find the true label of a window; the ends of runs are included."""
    runs = (run for block in blocks for run in block["expectedLabels"] if run["startIndex"] <= i <= run["endIndex"])
    return next((run["label"] for run in runs), None)


def _decided(best: Prediction, window: Json, expected: str | None) -> Prediction:
    own = {
        "expected": window.get("label", expected),
        "correct": window.get("predictionCorrect"),
        "predicted": window.get("prediction", decide(best)),
    }
    if own["predicted"] == decide(best):
        del own["predicted"]
    known = {key: value for key, value in own.items() if value is not None}
    return replace(best, attributes={**best.attributes, **known})


def _grids(at: At, blocks: Sequence[Json], predictions: Sequence[Prediction]) -> list[Attribution]:
    """Make grids of the anomaly scores of an image, which explain its anomaly score."""
    found = []
    for k, block in enumerate(blocks):
        target = [
            p for p in predictions if p.region is None and p.name == ANOMALY and p.attributes.get("block", 0) == k
        ]
        rows = next((one.get("scores") for one in block.get("anomalyResult", [])), None)
        if target and rows and rows[0]:
            place = at[k]["anomalyResult"][0]["scores"]
            found.append(place.build(_attribution, target[0], rows))
    return found


def _attribution(target: Prediction, rows: list[list[float]]) -> Attribution:
    return Attribution(target, Grid(rows))  # type: ignore[arg-type]
