"""Validation statistics, by hand."""

import pytest

from tests.support import refuses
from xplain.errors import InputError
from xplain.quality.validation import QUALITIES, quality_rank, validation_statistics

LABELS = [("Order",), ("Order", "Late"), ("Thanks",)]
TRUTH = [[("Order",), ("Order", "Late")], ["Order"], ["Thanks"], []]
SCORES = [
    [0.9, 0.2, 0.1],
    [0.8, 0.6, 0.1],
    [0.3, 0.1, 0.2],
    [0.1, 0.1, 0.24],
]


def test_figures_by_hand():
    statistics = validation_statistics(TRUTH, SCORES, LABELS, [30, 20, 19], distribution=[30, 20, 19])
    # Order: both first. Late: second of its scores. Thanks: second of its scores.
    assert [label.average_precision for label in statistics.labels] == [1.0, 0.5, 0.5]
    assert [label.health for label in statistics.labels] == ["green", "amber", "red"]
    assert statistics.mean_average_precision_safe == 0.75  # Thanks has too few examples
    assert (statistics.num_amber, statistics.num_red, statistics.num_reviewed) == (1, 1, 4)
    assert statistics.coverage == 0.75  # "Thanks" is missed at 0.25; nothing is predicted where nothing applies
    assert statistics.balance == pytest.approx(1.0)
    assert statistics.dataset_score == 71  # (0.75 + 1/3 + 1 + 0.75) / 4
    assert (statistics.dataset_quality, statistics.coverage_quality, statistics.balance_quality) == (
        "good",
        "good",
        "excellent",
    )
    assert (statistics.all_labels_quality, statistics.underperforming_labels_quality) == ("good", "poor")


def test_the_threshold_decides_what_is_covered():
    assert validation_statistics(TRUTH, SCORES, LABELS, [30, 20, 19], threshold=0.2).coverage == 0.75
    assert validation_statistics(TRUTH, SCORES, LABELS, [30, 20, 19], threshold=0.85).coverage == 0.5
    assert validation_statistics(TRUTH, SCORES, LABELS, [30, 20, 19], threshold=0.0).coverage == 0.75


def test_what_is_not_known_does_not_count():
    statistics = validation_statistics([[], []], [[0.1], [0.2]], ["a"], [3])
    assert (statistics.mean_average_precision_safe, statistics.all_labels_quality) == (None, None)
    assert (statistics.balance, statistics.balance_quality) == (None, None)
    assert (statistics.num_red, statistics.coverage, statistics.dataset_score) == (1, 1.0, 50)


def test_balance_is_the_cosine_of_two_distributions():
    def balance(examples, distribution):
        return validation_statistics([["a"]], [[1, 0]], ["a", "b"], examples, distribution=distribution).balance

    assert balance([1, 0], [0, 7]) == 0.0
    assert balance([3, 4], [4, 3]) == pytest.approx(24 / 25)
    assert balance([0, 0], [4, 3]) == 0.0


def test_ranks():
    assert [quality_rank(value) for value in (0, 0.5, 0.7, 0.85)] == list(QUALITIES)
    assert quality_rank(1) == "excellent"
    with refuses(InputError, "value must be between 0 and 1, got 1.1"):
        quality_rank(1.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": []}, "labels must be one or more different labels"),
        ({"labels": ["a", "a"]}, "labels must be one or more different labels"),
        ({"truth": []}, "truth must hold the labels of an input, got none"),
        ({"truth": ["a"]}, "truth[0] must be a sequence of labels, got 'a'"),
        ({"truth": [["c"]]}, "truth[0] must be labels of the model, got 'c'"),
        ({"scores": [[0.5]]}, "scores must have shape (1, 2), (inputs, labels), got (1, 1)"),
        ({"scores": [[0.5, -1]]}, "scores must be finite and not negative, got -1 to 0.5"),
        ({"scores": [["x", 1]]}, "scores must be an array of numbers"),
        ({"examples": [1]}, "examples must be 2 counts, one for each label, got 1"),
        ({"examples": [1, -1]}, "examples must be an integer >= 0, got -1"),
        ({"distribution": [1]}, "distribution must have shape (2,), (labels,), got (1,)"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    arguments = {"truth": [["a"]], "scores": [[0.5, 0.5]], "labels": ["a", "b"], "examples": [1, 1]} | changes
    with refuses(InputError, message):
        validation_statistics(**arguments)
