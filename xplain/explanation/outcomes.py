"""Whether a classifier was right: the outcome of each window, and counts of outcomes.

What is known of a window stands on its chosen prediction, the one with the best score: the attribute ``expected`` (the
true label), ``correct`` (whether whoever judged it took it for right) and, where the outcome is not what follows from
label, score and threshold, ``predicted``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xplain.explanation.core import Explanation, Prediction
from xplain.explanation.regions import Window

UNCERTAIN, ANOMALY, NO_ANOMALY = "uncertain", "anomaly", "no anomaly"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a classifier decided, and what is known about the truth.

    Parameters
    ----------
    predicted : str
        The label, or ``"uncertain"`` if its score is below the threshold.
    expected : str, optional
        The true label.
    correct : bool, optional
        Whether it is right; None if that is not known.
    region : Window, optional
        The stretch of a signal that it is about; None is the whole input.
    """

    predicted: str
    expected: str | None = None
    correct: bool | None = None
    region: Window | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of outcomes.

    Parameters
    ----------
    good, bad : int
        Outcomes that are right and wrong; those of which it is not known are in neither.
    labels : tuple of str
        Every label that occurs, sorted; without ``"uncertain"``.
    per_label : dict of str to (int, int)
        Right and wrong outcomes by expected label.
    confusion : dict of str to dict of str to int
        Outcomes by expected label and by predicted one.
    """

    good: int
    bad: int
    labels: tuple[str, ...]
    per_label: dict[str, tuple[int, int]]
    confusion: dict[str, dict[str, int]]

    @property
    def accuracy(self) -> float | None:
        """Fraction of right outcomes, 0..1; None if of none it is known."""
        known = self.good + self.bad
        return self.good / known if known else None


def choose(predictions: Iterable[Prediction]) -> Prediction | None:
    """Return the prediction with the best score of one window; an anomaly score only if there is no other.

    Predictions of boxes, masks or spans are about parts and never chosen.
    """
    best: Prediction | None = None
    for prediction in predictions:
        if prediction.region is not None and not isinstance(prediction.region, Window):
            continue
        if best is None or _rank(prediction) > _rank(best):
            best = prediction
    return best


def _rank(prediction: Prediction) -> tuple[bool, float]:
    return not _is_anomaly(prediction), prediction.score


def _is_anomaly(prediction: Prediction) -> bool:
    return prediction.label == (ANOMALY,) or prediction.attributes.get("anomaly") is True


def decide(prediction: Prediction) -> str:
    """Return what follows from a chosen prediction's label, score and threshold."""
    if prediction.threshold is None or prediction.score >= prediction.threshold:
        return prediction.name
    return NO_ANOMALY if _is_anomaly(prediction) else UNCERTAIN


def outcomes(explanation: Explanation) -> tuple[Outcome, ...]:
    """Return the outcome of each window, or of the whole input; none for detections and segments.

    Examples
    --------
    >>> from xplain.explanation import Source
    >>> wave = Prediction("wave", 0.5, region=Window(0, 1000), threshold=0.6, attributes={"expected": "wave"})
    >>> outcomes(Explanation("signal-classification", Source("signal"), [wave]))
    (Outcome(predicted='uncertain', expected='wave', correct=False, region=Window(start_ms=0.0, end_ms=1000.0)),)
    """
    if explanation.task in ("object-detection", "image-segmentation"):
        return ()
    windows: dict[Window | None, list[Prediction]] = {}
    for prediction in explanation.predictions:
        if prediction.region is None or isinstance(prediction.region, Window):
            windows.setdefault(prediction.region, []).append(prediction)
    chosen = (choose(predictions) for predictions in windows.values())
    return tuple(outcome(prediction) for prediction in chosen if prediction is not None)


def outcome(prediction: Prediction) -> Outcome:
    """Return the outcome of the window of which this is the chosen prediction."""
    own = prediction.attributes
    predicted = own["predicted"] if isinstance(own.get("predicted"), str) else decide(prediction)
    expected = own["expected"] if isinstance(own.get("expected"), str) else None
    correct = own["correct"] if isinstance(own.get("correct"), bool) else None
    if correct is None and expected is not None:
        correct = predicted == expected
    region = prediction.region if isinstance(prediction.region, Window) else None
    return Outcome(predicted, expected, correct, region)


def tally(found: Sequence[Outcome]) -> Tally:
    """Count outcomes.

    Examples
    --------
    >>> counts = tally([Outcome("wave", "wave", True), Outcome("uncertain", "idle", False)])
    >>> counts.accuracy, counts.confusion
    (0.5, {'idle': {'uncertain': 1}, 'wave': {'wave': 1}})
    """
    expected = sorted({one.expected for one in found if one.expected is not None})
    labels = sorted({*expected, *(one.predicted for one in found)} - {UNCERTAIN})
    good = dict.fromkeys(expected, 0)
    bad = dict(good)
    confusion: dict[str, dict[str, int]] = {label: {} for label in expected}
    for one in found:
        if one.expected is None:
            continue
        row = confusion[one.expected]
        row[one.predicted] = row.get(one.predicted, 0) + 1
        if one.correct is not None:
            (good if one.correct else bad)[one.expected] += 1
    return Tally(
        sum(one.correct is True for one in found),
        sum(one.correct is False for one in found),
        tuple(labels),
        {label: (good[label], bad[label]) for label in expected},
        confusion,
    )
