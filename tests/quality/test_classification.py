"""The classification report against scikit-learn, and against numbers worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics

from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.quality.classification import average_precision, classification_report, roc_auc

LABELS = ["a", "b", "c", "d"]


def sample(seed, decimals):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.dirichlet(np.ones(4), size=200), decimals)  # rounding makes ties
    truth = [LABELS[i] for i in rng.integers(0, 3, 200)]  # nothing is a "d"
    return truth, scores


@pytest.mark.parametrize(("seed", "decimals"), [(0, 12), (1, 1), (2, 1)])
def test_figures_are_those_of_scikit_learn(seed, decimals):
    truth, scores = sample(seed, decimals)
    report = classification_report(truth, scores, LABELS)
    predicted = [LABELS[i] for i in scores.argmax(axis=1)]
    square = [row[:-1] for row in report.confusion]
    assert np.array_equal(square, metrics.confusion_matrix(truth, predicted, labels=LABELS))
    assert report.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    recalls = metrics.recall_score(truth, predicted, labels=LABELS[:3], average=None)
    assert report.balanced_accuracy == pytest.approx(recalls.mean())
    rows = metrics.precision_recall_fscore_support(truth, predicted, labels=LABELS, zero_division=0)
    for name, row in zip(("precision", "recall", "f1", "support"), rows, strict=True):
        assert [getattr(cls, name) for cls in report.classes] == pytest.approx(list(row)), name
    for average, f1 in (("macro", report.macro_f1), ("weighted", report.weighted_f1)):
        expected = metrics.f1_score(truth, predicted, labels=LABELS, average=average, zero_division=0)
        assert f1 == pytest.approx(expected)
    for i, cls in enumerate(report.classes[:3]):
        positive = [label == cls.label for label in truth]
        assert cls.roc_auc == pytest.approx(metrics.roc_auc_score(positive, scores[:, i]))
        assert cls.average_precision == pytest.approx(metrics.average_precision_score(positive, scores[:, i]))
    assert (report.classes[3].roc_auc, report.classes[3].average_precision) == (None, None)
    assert report.roc_auc == pytest.approx(np.mean([cls.roc_auc for cls in report.classes[:3]]))


def test_log_loss():
    truth, scores = sample(3, 12)
    report = classification_report(truth, scores, LABELS)
    assert report.log_loss == pytest.approx(metrics.log_loss(truth, scores, labels=LABELS))
    certain = classification_report(["a", "b"], [[1.0, 0.0], [1.0, 0.0]], ["a", "b"])
    assert certain.log_loss == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_uncertain_predictions_are_never_right():
    report = classification_report(["a", "a", "b"], predicted=["a", "uncertain", "uncertain"], labels=["a", "b"])
    assert report.confusion == ((1, 0, 1), (0, 0, 1))
    assert (report.good, report.bad, report.accuracy) == (1, 2, pytest.approx(1 / 3))
    assert [(cls.good, cls.bad, cls.precision, cls.recall) for cls in report.classes] == [
        (1, 1, 1.0, 0.5),
        (0, 1, 0, 0),
    ]
    assert report.balanced_accuracy == 0.25
    assert (report.log_loss, report.roc_auc, report.mean_average_precision) == (None, None, None)
    at_threshold = classification_report(["a"], [[0.6, 0.4]], ["a", "b"], threshold=0.6)
    assert at_threshold.confusion == ((1, 0, 0), (0, 0, 0))


def test_curves_of_one_kind_only_are_not_defined():
    assert roc_auc([True, True], [0.1, 0.2]) is None
    assert roc_auc([False, False], [0.1, 0.2]) is None
    assert average_precision([False, False], [0.1, 0.2]) is None
    assert average_precision([True, True], [0.1, 0.2]) == 1.0
    assert average_precision([], []) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], [[1.0]], []), "labels must be one or more different labels, none of them 'uncertain', got ()"),
        ((["a"], [[0.5, 0.5]], ["a", "a"]), "labels must be one or more different labels"),
        ((["a"], [[1.0]], ["uncertain"]), "none of them 'uncertain'"),
        (([], [], ["a"]), "truth must hold a label, got none"),
        ((["a"], None, ["a"]), "scores or predicted must be given, got neither"),
        ((["a"], [[0.5, 0.5]], ["a"]), "scores must have shape (1, 1), (inputs, classes), got (1, 2)"),
        ((["a"], [[1.5]], ["a"]), "scores must be probabilities from 0 to 1, got 1.5 to 1.5"),
        ((["a"], [[np.nan]], ["a"]), "scores must be finite, got NaN or infinity"),
        ((["a"], [["x"]], ["a"]), "scores must be an array of numbers"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with refuses(InputError, message):
        classification_report(*arguments)


def test_unknown_labels_and_lengths_are_refused():
    with refuses(UnknownNameError, "truth must be one of a, b, got 'B'; did you mean 'b'?"):
        classification_report(["B"], [[0.5, 0.5]], ["a", "b"])
    with refuses(InputError, "predicted must be 1 labels, one for each input, got 2"):
        classification_report(["a"], labels=["a"], predicted=["a", "a"])
    with refuses(InputError, "scores must be as many as positive, got (2,) and (1,)"):
        roc_auc([True], [0.1, 0.2])
    with refuses(InputError, "positive must be an array of True and False, got [1]"):
        average_precision([1], [0.5])


def test_a_loss_of_nothing_is_zero_and_not_minus_zero():
    report = classification_report(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], ["a", "b"])
    assert str(report.log_loss) == "0.0"
