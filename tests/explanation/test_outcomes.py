"""Outcomes of windows, and their counts."""

import pytest

from xplain.explanation import Box, Explanation, Prediction, Source, Window
from xplain.explanation.notes import Notes, PredictionNotes
from xplain.explanation.outcomes import Outcome, choose, decide, outcomes, tally

FIRST, SECOND = Window(0, 1000), Window(500, 1500)


def windows(*predictions, task="signal-classification", **notes):
    """The outcomes of predictions, with notes on the one whose label is the name of an argument."""
    said = {p: PredictionNotes(**notes[p.name]) for p in predictions if p.name in notes}
    return outcomes(Explanation(task, Source("signal"), predictions), Notes(said))


def test_each_window_has_the_outcome_of_its_best_score():
    decided = windows(
        Prediction("idle", 0.25, region=FIRST),
        Prediction("wave", 0.75, region=FIRST),
        Prediction("anomaly", 5.0, region=FIRST),
        Prediction("still", 0.5, region=SECOND, threshold=0.5),
        wave={"expected": "idle", "correct": False},
        still={"expected": "still"},
    )
    assert decided == (Outcome("wave", "idle", False, FIRST), Outcome("still", "still", True, SECOND))


@pytest.mark.parametrize(
    ("prediction", "predicted"),
    [
        (Prediction("wave", 0.5), "wave"),
        (Prediction("wave", 0.5, threshold=0.5), "wave"),
        (Prediction("wave", 0.5, threshold=0.75), "uncertain"),
        (Prediction("anomaly", 0.5, threshold=0.5), "anomaly"),
        (Prediction("anomaly", -0.5, threshold=0.0), "no anomaly"),
    ],
)
def test_a_score_counts_from_its_threshold_on(prediction, predicted):
    assert decide(prediction, PredictionNotes()) == predicted
    assert windows(prediction) == (Outcome(predicted),)


def test_what_was_said_goes_before_what_follows():
    judged = {"predicted": "12.5", "expected": "12", "correct": True}
    assert windows(Prediction("value", 12.48), value=judged) == (Outcome("12.5", "12", True),)


def test_parts_are_never_chosen():
    box = Prediction("cat", 0.75, region=Box(0, 0, 1, 1))
    assert choose([box], Notes().of) is None
    assert windows(box) == ()
    assert windows(Prediction("cat", 0.5), task="object-detection") == ()


def test_outcomes_are_counted():
    counts = tally(
        [
            Outcome("wave", "wave", True),
            Outcome("idle", "wave", False),
            Outcome("uncertain", "wave", False),
            Outcome("idle", "idle"),
            Outcome("snake", None, True),
        ]
    )
    assert (counts.good, counts.bad, counts.accuracy) == (2, 2, 0.5)
    assert counts.labels == ("idle", "snake", "wave")
    assert counts.per_label == {"idle": (0, 0), "wave": (1, 2)}
    assert counts.confusion == {"idle": {"idle": 1}, "wave": {"wave": 1, "idle": 1, "uncertain": 1}}
    assert tally([]).accuracy is None
