"""How well a classifier predicts known labels: the confusion matrix and what is computed from it and from scores.

The formulas are those of scikit-learn's ``metrics``, and the tests compare the results. They are written out here since
each is a few lines of NumPy, while scikit-learn would bring SciPy and take a second to import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.quality.result import mean_ranks

#: Label of a prediction whose largest score is below the threshold.
UNCERTAIN = "uncertain"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How well one class is predicted.

    Parameters
    ----------
    label : str
        The class.
    precision, recall, f1 : float
        0..1; 0 where there is nothing to divide by.
    support : int
        Number of inputs of this class.
    good, bad : int
        How many of them were predicted as this class, and as something else.
    roc_auc, average_precision : float or None
        Of the class's scores, against all other classes. None without scores or without inputs of this class;
        ``roc_auc`` also without inputs of another class.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    good: int
    bad: int
    roc_auc: float | None = None
    average_precision: float | None = None


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """How well a classifier predicts known labels.

    Parameters
    ----------
    labels : tuple of str
        The classes, in the order of the scores.
    confusion : tuple of tuple of int
        (classes, classes + 1): row i counts the inputs of class i by what was predicted; the last column counts the
        uncertain ones.
    classes : tuple of ClassReport
        One for each label.
    accuracy : float
        Part of the inputs that are predicted correctly, 0..1; an uncertain prediction is never correct.
    balanced_accuracy : float
        Mean recall of the classes that have inputs, 0..1.
    good, bad : int
        How many inputs are predicted correctly, and how many are not.
    log_loss : float or None
        Mean of -ln(probability of the true class), in nats; None without scores.
    macro_f1, weighted_f1 : float
        Mean F1 of the classes, and weighted by support.
    roc_auc, mean_average_precision : float or None
        Means over the classes for which they are defined.
    """

    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[ClassReport, ...]
    accuracy: float
    balanced_accuracy: float
    good: int
    bad: int
    macro_f1: float
    weighted_f1: float
    log_loss: float | None = None
    roc_auc: float | None = None
    mean_average_precision: float | None = None


def classification_report(
    truth: Sequence[str],
    scores: npt.ArrayLike | None = None,
    labels: Sequence[str] = (),
    *,
    predicted: Sequence[str] | None = None,
    threshold: float = 0.0,
) -> ClassificationReport:
    """Compare predictions with known labels.

    Parameters
    ----------
    truth : sequence of str
        The label of each input, one of ``labels``.
    scores : array_like, optional
        (inputs, classes), probabilities 0..1. The class with the largest is predicted, the first of equal ones.
    labels : sequence of str
        The classes, each once, in the order of the scores' columns. ``"uncertain"`` is none of them.
    predicted : sequence of str, optional
        The predicted labels, where there are no scores or where they were chosen otherwise; each one of ``labels`` or
        ``"uncertain"``.
    threshold : float
        Predictions whose largest score is below it are uncertain.

    Returns
    -------
    ClassificationReport
        Counts and figures; `sklearn.metrics` gives the same with ``zero_division=0``.

    Raises
    ------
    InputError
        If lengths differ, a label is unknown, there is no input, or neither scores nor predictions are given.

    Examples
    --------
    >>> scores = [[0.9, 0.1], [0.45, 0.55], [0.2, 0.8]]
    >>> report = classification_report(["cat", "cat", "dog"], scores, ["cat", "dog"], threshold=0.6)
    >>> report.confusion, round(report.accuracy, 3), report.balanced_accuracy
    (((1, 0, 1), (0, 1, 0)), 0.667, 0.75)
    """
    names = _check.tuple_of("labels", labels, str)
    if not names or len(set(names)) < len(names) or UNCERTAIN in names:
        raise _check.wrong("labels", f"one or more different labels, none of them {UNCERTAIN!r}", names)
    true = _class_indices("truth", truth, names)
    if not len(true):
        raise InputError("truth must hold a label, got none")
    probabilities = None if scores is None else _probabilities(scores, len(true), len(names))
    uncertain = len(names)  # index of the last column of the confusion matrix
    if predicted is not None:
        predictions = _class_indices("predicted", predicted, (*names, UNCERTAIN))
        if len(predictions) != len(true):
            raise InputError(f"predicted must be {len(true)} labels, one for each input, got {len(predictions)}")
    elif probabilities is not None:
        limit = _check.number("threshold", threshold)
        predictions = np.where(probabilities.max(axis=1) < limit, uncertain, probabilities.argmax(axis=1))
    else:
        raise InputError("scores or predicted must be given, got neither")
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    np.add.at(confusion, (true, predictions), 1)
    return _report(names, true, confusion, probabilities)


def roc_auc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Probability that a positive input scores higher than a negative one; a tie counts half.

    None without positive or without negative inputs.

    Parameters
    ----------
    positive : array_like
        bool (inputs,).
    scores : array_like
        Finite (inputs,).

    Examples
    --------
    >>> roc_auc([True, False, False], [0.5, 0.5, 0.1])
    0.75
    """
    is_positive, values = _positives_and_scores(positive, scores)
    count = int(is_positive.sum())
    if count in (0, is_positive.size):
        return None
    ranks = mean_ranks(values)
    # The U statistic of Mann and Whitney, over the number of pairs.
    return float((ranks[is_positive].sum() - count * (count + 1) / 2) / (count * (is_positive.size - count)))


def average_precision(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Sum over thresholds of (recall gained) x (precision there); None if no input is positive.

    Parameters
    ----------
    positive : array_like
        bool (inputs,).
    scores : array_like
        Finite (inputs,).

    Examples
    --------
    >>> average_precision([True, False, True], [0.9, 0.8, 0.7])
    0.8333333333333333
    """
    is_positive, values = _positives_and_scores(positive, scores)
    if not is_positive.any():
        return None
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(is_positive[order])
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))  # equal scores pass a threshold together
    precision = hits[ends] / (ends + 1)
    gained = np.diff(hits[ends], prepend=0) / hits[-1]
    return float((precision * gained).sum())


def _report(
    names: tuple[str, ...], true: npt.NDArray[np.intp], confusion: npt.NDArray[np.int64], probabilities: Floats | None
) -> ClassificationReport:
    """Compute the figures from the confusion matrix and, where there are scores, from these."""
    square = confusion[:, : len(names)]
    good, support, predicted = np.diag(square), confusion.sum(axis=1), square.sum(axis=0)
    precision, recall = _ratio(good, predicted), _ratio(good, support)
    f1 = _ratio(2 * good, predicted + support)
    classes = tuple(
        ClassReport(
            name,
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            support=int(support[i]),
            good=int(good[i]),
            bad=int(support[i] - good[i]),
            roc_auc=None if probabilities is None else roc_auc(true == i, probabilities[:, i]),
            average_precision=None if probabilities is None else average_precision(true == i, probabilities[:, i]),
        )
        for i, name in enumerate(names)
    )
    total_good = int(good.sum())
    return ClassificationReport(
        names,
        tuple(tuple(int(count) for count in row) for row in confusion),
        classes,
        accuracy=total_good / len(true),
        balanced_accuracy=float(recall[support > 0].mean()),
        good=total_good,
        bad=len(true) - total_good,
        macro_f1=float(f1.mean()),
        weighted_f1=float((f1 * support).sum() / len(true)),
        log_loss=None if probabilities is None else _log_loss(true, probabilities),
        roc_auc=_mean([report.roc_auc for report in classes]),
        mean_average_precision=_mean([report.average_precision for report in classes]),
    )


def _log_loss(true: npt.NDArray[np.intp], probabilities: Floats) -> float:
    # Clipped, since one probability of 0 would make the loss infinite.
    of_truth = np.clip(probabilities[np.arange(len(true)), true], np.finfo(np.float64).eps, 1.0)
    return float(np.log(1 / of_truth).mean())  # not -log, which gives -0


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _ratio(numerators: npt.NDArray[np.int64], denominators: npt.NDArray[np.int64]) -> Floats:
    """Return ratios, 0 where the denominator is 0."""
    return np.divide(numerators, denominators, out=np.zeros(len(numerators)), where=denominators > 0)


def _class_indices(name: str, values: Any, labels: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return the index of each value among the labels."""
    index = {label: i for i, label in enumerate(labels)}
    return np.array([index[_check.known(name, label, index)] for label in _check.tuple_of(name, values, str)], np.intp)


def _probabilities(scores: npt.ArrayLike, inputs: int, classes: int) -> Floats:
    array = _floats("scores", scores)
    if array.shape != (inputs, classes):
        raise InputError(f"scores must have shape ({inputs}, {classes}), (inputs, classes), got {array.shape}")
    if (array < 0).any() or (array > 1).any():
        raise InputError(f"scores must be probabilities from 0 to 1, got {array.min():g} to {array.max():g}")
    return array


def _positives_and_scores(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Floats]:
    is_positive, values = np.asarray(positive), _floats("scores", scores)
    if is_positive.dtype != np.bool_ and is_positive.size:
        raise _check.wrong("positive", "an array of True and False", positive)
    if is_positive.ndim != 1 or is_positive.shape != values.shape:
        raise InputError(f"scores must be as many as positive, got {values.shape} and {is_positive.shape}")
    return is_positive.astype(np.bool_), values


def _floats(name: str, values: npt.ArrayLike) -> Floats:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise _check.wrong(name, "an array of numbers", values) from None
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, got NaN or infinity")
    return array
