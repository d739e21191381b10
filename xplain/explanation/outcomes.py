"""Outcomes: what a classifier decided for each window of a signal, and whether it was right; and counts of outcomes.

Of all predictions for a window the one with the best score is chosen. What is known about the truth is in its notes
(`xplain.explanation.notes`): the true label, the verdict of whoever judged the decision, and the decision itself if it
does not follow from label, score and threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from xplain.explanation.core import Explanation, Prediction
from xplain.explanation.notes import Notes, PredictionNotes
from xplain.explanation.regions import Window

UNCERTAIN, ANOMALY, NO_ANOMALY = "uncertain", "anomaly", "no anomaly"
"""Decisions beside labels."""

OfPrediction = Callable[[Prediction], PredictionNotes]
"""Gives the notes of a prediction, as `Notes.of` does."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a classifier decided, and what is known of the truth.

    Parameters
    ----------
    predicted : str
        The label, or ``"uncertain"`` if its score is below the threshold.
    expected : str, optional
        The true label.
    correct : bool, optional
        Whether the decision is right; None if unknown.
    region : Window, optional
        The window of a signal; None is the whole input.
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
        Number of right and of wrong outcomes; unknown ones count for neither.
    labels : tuple of str
        Every label that occurs, sorted; without ``"uncertain"``.
    per_label : dict of str to (int, int)
        Numbers of right and wrong outcomes by expected label.
    confusion : dict of str to dict of str to int
        Number of outcomes by expected and by predicted label.
    """

    good: int
    bad: int
    labels: tuple[str, ...]
    per_label: dict[str, tuple[int, int]]
    confusion: dict[str, dict[str, int]]

    @property
    def accuracy(self) -> float | None:
        """Fraction of right outcomes, 0..1; None if all are unknown."""
        judged = self.good + self.bad
        return self.good / judged if judged else None


def choose(predictions: Iterable[Prediction], notes_of: OfPrediction) -> Prediction | None:
    """Return the prediction with the best score for one window; an anomaly score only if there is no other.

    Predictions of boxes, masks or spans concern parts of the input and are never chosen.
    """

    def rank(prediction: Prediction) -> tuple[bool, float]:
        return not _is_anomaly(prediction, notes_of(prediction)), prediction.score

    whole = [p for p in predictions if p.region is None or isinstance(p.region, Window)]
    return max(whole, key=rank, default=None)


def _is_anomaly(prediction: Prediction, notes: PredictionNotes) -> bool:
    return prediction.label == (ANOMALY,) or notes.anomaly


def decide(prediction: Prediction, notes: PredictionNotes) -> str:
    """Return the decision that follows from the label, score and threshold of a chosen prediction."""
    if prediction.threshold is None or prediction.score >= prediction.threshold:
        return prediction.name
    return NO_ANOMALY if _is_anomaly(prediction, notes) else UNCERTAIN


def outcomes(explanation: Explanation, notes: Notes) -> tuple[Outcome, ...]:
    """Return the outcome of each window, or of the whole input; detection and segmentation have none.

    Examples
    --------
    >>> from xplain.explanation import Source
    >>> wave = Prediction("wave", 0.5, region=Window(0, 1000), threshold=0.6)
    >>> explanation = Explanation("signal-classification", Source("signal"), [wave])
    >>> outcomes(explanation, Notes({wave: PredictionNotes(expected="wave")}))
    (Outcome(predicted='uncertain', expected='wave', correct=False, region=Window(start_ms=0.0, end_ms=1000.0)),)
    """
    if explanation.task in ("object-detection", "image-segmentation"):
        return ()
    windows: dict[Window | None, list[Prediction]] = {}
    for prediction in explanation.predictions:
        if prediction.region is None or isinstance(prediction.region, Window):
            windows.setdefault(prediction.region, []).append(prediction)
    chosen = (choose(predictions, notes.of) for predictions in windows.values())
    return tuple(outcome(prediction, notes.of(prediction)) for prediction in chosen if prediction is not None)


def outcome(prediction: Prediction, notes: PredictionNotes) -> Outcome:
    """Return the outcome of a window by its chosen prediction."""
    predicted = decide(prediction, notes) if notes.predicted is None else notes.predicted
    correct = notes.correct
    if correct is None and notes.expected is not None:
        correct = predicted == notes.expected
    region = prediction.region if isinstance(prediction.region, Window) else None
    return Outcome(predicted, notes.expected, correct, region)


def tally(decided: Sequence[Outcome]) -> Tally:
    """Count outcomes.

    Examples
    --------
    >>> counts = tally([Outcome("wave", "wave", True), Outcome("uncertain", "idle", False)])
    >>> counts.accuracy, counts.confusion
    (0.5, {'idle': {'uncertain': 1}, 'wave': {'wave': 1}})
    """
    expected = sorted({outcome.expected for outcome in decided if outcome.expected is not None})
    labels = sorted({*expected, *(outcome.predicted for outcome in decided)} - {UNCERTAIN})
    good = dict.fromkeys(expected, 0)
    bad = dict(good)
    confusion: dict[str, dict[str, int]] = {label: {} for label in expected}
    for outcome in decided:
        if outcome.expected is None:
            continue
        row = confusion[outcome.expected]
        row[outcome.predicted] = row.get(outcome.predicted, 0) + 1
        if outcome.correct is not None:
            (good if outcome.correct else bad)[outcome.expected] += 1
    return Tally(
        sum(outcome.correct is True for outcome in decided),
        sum(outcome.correct is False for outcome in decided),
        tuple(labels),
        {label: (good[label], bad[label]) for label in expected},
        confusion,
    )
