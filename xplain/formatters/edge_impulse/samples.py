"""Edge Impulse's samples, with the results of learn blocks for their windows, read as explanations.

The i-th window of a sample is the i-th of its elements in ``predictions``, and each learn block has one result for it.
If there are several blocks, the predictions of all but the first name theirs in the attribute ``block``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from xplain.explanation import Attribution, Box, Explanation, Grid, Prediction, Source, Window
from xplain.explanation.outcomes import ANOMALY, UNCERTAIN, choose, decide
from xplain.formatters.core.extras import UNIT, attributes_of
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.edge_impulse.fields import FORMAT, Json
from xplain.formatters.edge_impulse.figures import centroids, check_figures, is_near, make_box, make_boxes
from xplain.formatters.edge_impulse.outcomes import outcome_notes
from xplain.formatters.edge_impulse.patches import make_patch
from xplain.formatters.edge_impulse.writing import (
    DETECTION,
    LABEL_NAMES,
    MAX_BLOCKS,
    STRUCTURED,
    plain_sample,
    single_stream,
    truths_of,
)

_SHA256 = re.compile("[0-9a-f]{64}")
_REGRESSION = "keras-regression"
#: Fields of a block that hold one element for each window.
_PER_WINDOW = ("result", "anomalyResult", "structuredResult", "details")
#: Blocks whose score is a distance from everything known, for which 0 is a threshold like any other.
_DISTANCES = ("anomaly", "anomaly-gmm", "keras-anomaly")
#: Relative difference allowed for the mean and maximum of a grid, which have no fixed scale.
_GRID_TOLERANCE = 1e-3


def explain_sample(at: At, document: Json, windows: Sequence[Json], places: Sequence[At]) -> Explanation:
    """Make the explanation of a sample, without the document's extras (see `with_extras`).

    Parameters
    ----------
    at : At
        The place of ``classifications``, for messages.
    document : dict
        ``sample`` and ``classifications``.
    windows : sequence of dict
        Each window's element of ``predictions``, or its startMs and endMs alone.
    places : sequence of At
        The place of each window, for messages; empty if the document does not list windows.
    """
    sample, blocks = document["sample"], document["classifications"]
    is_detection = any(_detects(block) for block in blocks)
    is_image = is_detection or sample["chartType"] == "image" or "imageDimensions" in sample
    is_image = is_image or any(block.get("anomalyResult") for block in blocks)
    _check(at, blocks, windows, places, is_image)
    thresholds = [_threshold(block) for block in blocks]
    predictions: list[Prediction] = []
    for i, window in enumerate(windows):
        scores = _window_scores(blocks, thresholds, window, i, is_image)
        best = None if is_detection else choose(scores, outcome_notes)
        if best is not None:
            judged = _with_outcome(best, window, _expected_label(blocks, i))
            scores = [judged if prediction is best else prediction for prediction in scores]
        predictions += [*scores, *_window_boxes(blocks, thresholds, i, is_detection)]
    return Explanation(
        DETECTION if is_detection else "image-classification" if is_image else "signal-classification",
        _make_source(sample, is_image),
        tuple(predictions),
        tuple(_make_grids(at, blocks, predictions)) if is_image else (),
    )


def with_extras(explanation: Explanation, document: Json, name: str, **more: Any) -> Explanation:
    """Add to an explanation the extras of its document: the patch, the centroids, and those given.

    Parameters
    ----------
    explanation : Explanation
        As `explain_sample` makes it.
    document : dict
        ``sampleId``, ``sample``, ``classifications`` and, if the document lists windows, ``predictions``.
    name : str
        Name of the item.
    **more
        Further attributes.
    """
    # Indices and streams that follow from the rest of the sample are no extras.
    sample = dict(document["sample"])
    sample["sensors"] = [_without_index(sensor, i) for i, sensor in enumerate(sample["sensors"])]
    if sample.get("datastreams") == single_stream(document["sample"]):
        del sample["datastreams"]
    structured = [result for block in document["classifications"] for result in block.get("structuredResult", [])]
    truths = truths_of(sample, bool(structured))
    plain = plain_sample(explanation, name, document["sampleId"], truths=truths)
    if "predictions" not in document:
        del plain["predictions"]
    extras = make_patch({**document, "sample": sample}, plain)
    if structured and truths == []:
        extras[STRUCTURED] = True
    if explanation.source.height is not None and any(_is_in_pixels(p) for p in explanation.predictions):
        extras[UNIT] = "pixel"
    points = centroids(structured[0]) if structured else None
    if points is not None:
        extras["centroids"] = points
    extras |= more
    return replace(explanation, attributes=attributes_of(extras, FORMAT))


def _is_in_pixels(prediction: Prediction) -> bool:
    return isinstance(prediction.region, Box) and prediction.region.unit == "pixel"


def _without_index(sensor: Json, position: int) -> Json:
    """Leave out the index of a sensor if it is its position."""
    return {key: value for key, value in sensor.items() if (key, value) != ("index", position)}


# Values.


def _detects(block: Json) -> bool:
    return "object-detection" in block["learnBlock"]["type"] or bool(block.get("structuredResult"))


def _make_source(sample: Json, is_image: bool) -> Source:
    digest = sample["sha256Hash"] if _SHA256.fullmatch(sample["sha256Hash"]) else None
    if is_image:
        size = sample.get("imageDimensions", {})
        height, width = size.get("height"), size.get("width")
        return Source("image", name=sample["filename"], sha256=digest, height=height, width=width)
    return Source(
        "signal",
        name=sample["filename"],
        sha256=digest,
        sample_rate_hz=sample["frequency"] if sample["frequency"] > 0 else None,
        axes=tuple(sensor["name"] for sensor in sample["sensors"]),
        readings=sample["valuesCount"] or None,
    )


def _threshold(block: Json) -> float | None:
    """Return the score from which a block's predictions count; for a regression the number is an error."""
    kind, rating = block["learnBlock"]["type"], block["minimumConfidenceRating"]
    if kind == _REGRESSION or (rating == 0 and kind not in _DISTANCES):
        return None
    return float(rating)


def _block_attributes(block: int) -> Json:
    """Return the attributes that name a block; the first needs no name."""
    return {"block": block} if block else {}


def _window_scores(
    blocks: Sequence[Json], thresholds: Sequence[float | None], window: Json, i: int, is_image: bool
) -> list[Prediction]:
    """Make the predictions of a whole window; those of an image by decreasing score in each block."""
    start, end = window["startMs"], window["endMs"]
    region = None if is_image or (start == 0 and end == 0) else Window(start, end)
    return [
        Prediction((label,), score, region=region, threshold=thresholds[k], attributes=_block_attributes(k))
        for k, block in enumerate(blocks)
        if block["result"]
        for label, score in (_rank if is_image else list)(block["result"][i].items())
    ]


def _rank(scores: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(scores, key=lambda entry: -entry[1])


def _window_boxes(
    blocks: Sequence[Json], thresholds: Sequence[float | None], i: int, is_detection: bool
) -> Iterator[Prediction]:
    """Make the predictions of a window that have a box."""
    for k, (block, threshold) in enumerate(zip(blocks, thresholds, strict=True)):
        if block.get("anomalyResult"):
            # Among detections, an attribute tells which boxes are anomalies.
            attributes = _block_attributes(k) | ({"anomaly": True} if is_detection else {})
            for box in block["anomalyResult"][i].get("boxes", []):
                region = make_box(box["x"], box["y"], box["width"], box["height"])
                yield Prediction(box["label"], box["score"], region=region, threshold=threshold, attributes=attributes)
        found: Iterable[tuple[str, float, Box]] = ()
        if block.get("structuredResult"):
            structured = block["structuredResult"][i]
            regions = make_boxes(structured["boxes"])
            labels = structured.get("labels", ["object"] * len(regions))
            found = zip(labels, structured["scores"], regions, strict=True)
        elif is_detection and block.get("details"):
            found = _detailed(block["details"][i])
        for label, score, region in found:
            yield Prediction((label,), score, region=region, threshold=threshold, attributes=_block_attributes(k))


def _detailed(details: Json) -> Iterator[tuple[str, float, Box]]:
    """Return the labels, scores and boxes of ``details``; a label without a name is its number."""
    corners = details.get("boxes", [])
    numbers = details.get("labels", [0] * len(corners))
    names = details.get(LABEL_NAMES) or [f"{number:g}" for number in numbers]
    scores = details.get("scores", [1.0] * len(corners))
    for name, score, (y0, x0, y1, x1) in zip(names, scores, corners, strict=True):
        yield name, score, Box(x0, y0, x1, y1)


def _expected_label(blocks: Sequence[Json], i: int) -> str | None:
    """Return the true label of a window: that of the first run that covers it, ends included."""
    runs = (run for block in blocks for run in block["expectedLabels"] if run["startIndex"] <= i <= run["endIndex"])
    return next((run["label"] for run in runs), None)


def _with_outcome(best: Prediction, window: Json, expected: str | None) -> Prediction:
    """Add the outcome of a window to its best prediction, as far as it does not follow from that."""
    decision = decide(best, outcome_notes(best))
    outcome = {
        "expected": window.get("label", expected),
        "correct": window.get("predictionCorrect"),
        "predicted": window.get("prediction", decision),
    }
    if outcome["predicted"] == decision:
        del outcome["predicted"]
    known = {key: value for key, value in outcome.items() if value is not None}
    return replace(best, attributes={**best.attributes, **known})


def _make_grids(at: At, blocks: Sequence[Json], predictions: Sequence[Prediction]) -> Iterator[Attribution]:
    """Make the grids of an image, each of which explains the anomaly score of its block."""
    for k, block in enumerate(blocks):
        targets = [
            prediction
            for prediction in predictions
            if prediction.region is None and prediction.name == ANOMALY and prediction.attributes.get("block", 0) == k
        ]
        rows = next((anomaly.get("scores") for anomaly in block.get("anomalyResult", [])), None)
        if targets and rows and rows[0]:
            place = at[k]["anomalyResult"][0]["scores"]
            yield place.build(_make_attribution, targets[0], rows)


def _make_attribution(target: Prediction, rows: list[list[float]]) -> Attribution:
    return Attribution(target, Grid(rows))  # type: ignore[arg-type]


# Checks: what the fields of a document must agree in.


def _check(at: At, blocks: Sequence[Json], windows: Sequence[Json], places: Sequence[At], is_image: bool) -> None:
    """Check that each block has one of everything for each window, and that figures follow from others."""
    count = len(windows)
    problems: list[Problem] = []
    if is_image and count > 1:
        problems.append(Problem(at.path, f"must be of an image with one window, got {count}"))
    if len(blocks) > MAX_BLOCKS:
        problems.append(Problem(at.path, f"must hold at most {MAX_BLOCKS} learn blocks, got {len(blocks)}"))
    for k, block in enumerate(blocks):
        problems += [*_check_counts(at[k], block, count), *_check_grids(at[k], block), *_check_detections(at[k], block)]
    if not problems:  # else blocks may lack the windows that are looked up
        for i, (place, window) in enumerate(zip(places, windows, strict=False)):
            problems += [*_check_f1(place, window, blocks, i), *_check_correct(place, window, blocks, i)]
    if problems:
        raise Rejected(problems)


def _check_counts(at: At, block: Json, count: int) -> Iterator[Problem]:
    """Check that a block has one result for each window, and no expected labels beyond the last one."""
    for key in _PER_WINDOW:
        results = block.get(key, [])
        if results and len(results) != count:
            message = f"must hold one for each of the sample's {count} windows in predictions, got {len(results)}"
            yield Problem(at[key].path, message)
    last = max(count, block.get("resultCount", 0)) - 1
    for i, run in enumerate(block["expectedLabels"]):
        if run["endIndex"] > last and count:
            yield at["expectedLabels"][i]["endIndex"].problem(f"at most {last}, the last window")


def _check_grids(at: At, block: Json) -> Iterator[Problem]:
    """Compare the mean and the maximum of each grid with its scores."""
    for i, anomaly in enumerate(block.get("anomalyResult", [])):
        values = [value for row in anomaly.get("scores", []) for value in row]
        if not values:
            continue
        for key, expected in (("meanScore", sum(values) / len(values)), ("maxScore", max(values))):
            if key in anomaly and not is_near(anomaly[key], expected, relative=_GRID_TOLERANCE):
                yield at["anomalyResult"][i][key].problem(f"{expected:.6g}, that of scores")


def _check_detections(at: At, block: Json) -> Iterator[Problem]:
    for i, structured in enumerate(block.get("structuredResult", [])):
        try:
            check_figures(at["structuredResult"][i], structured)
        except Rejected as rejected:
            yield from rejected.problems


def _check_f1(at: At, window: Json, blocks: Sequence[Json], i: int) -> Iterator[Problem]:
    """Compare the F1 score of a window with that of the blocks that detect."""
    scores = [block["structuredResult"][i]["f1"] for block in blocks if block.get("structuredResult")]
    if "f1Score" in window and scores and not any(is_near(window["f1Score"], score) for score in scores):
        yield at["f1Score"].problem(f"{scores[0]:.6g}, as in structuredResult")


def _check_correct(at: At, window: Json, blocks: Sequence[Json], i: int) -> Iterator[Problem]:
    """Check that a window is judged as its label and prediction say, if both are classes of a block."""
    if not {"label", "predictionCorrect"} <= window.keys() or any(_predicts_no_class(block) for block in blocks):
        return
    label, predicted, correct = window["label"], window["prediction"], window["predictionCorrect"]
    classes = {name for block in blocks if block["result"] for name in block["result"][i]} | {UNCERTAIN}
    if correct == (label == predicted) or not {label, predicted} <= classes:
        return
    expected = f"{str(not correct).lower()}, since {label!r} is expected and {predicted!r} predicted"
    yield at["predictionCorrect"].problem(expected)


def _predicts_no_class(block: Json) -> bool:
    """Whether a block predicts something other than one of its classes."""
    return block["learnBlock"]["type"] == _REGRESSION or block.get("isMultiLabel", False) or _detects(block)
