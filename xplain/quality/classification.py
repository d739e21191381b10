"""How well a classifier predicts known labels: the confusion matrix and what is computed from it and from scores.

The formulas are those of scikit-learn's ``metrics``, with which the tests compare them. They are written out here since
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

#: The prediction of a classifier whose largest score is below the threshold.
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
        How many of them were predicted as it, and as something else.
    roc_auc, average_precision : float or None
        Of its scores against all other classes; None without scores or without inputs of it, the first also without
        others.
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
        Part of the inputs that are predicted rightly, 0..1; an uncertain prediction is never right.
    balanced_accuracy : float
        Mean recall of the classes that have inputs, 0..1.
    good, bad : int
        How many inputs are predicted rightly, and how many are not.
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
    true = _numbers("truth", truth, names)
    if not len(true):
        raise InputError("truth must hold a label, got none")
    table = None if scores is None else _probabilities(scores, len(true), len(names))
    if predicted is not None:
        chosen = _numbers("predicted", predicted, (*names, UNCERTAIN))
        if len(chosen) != len(true):
            raise InputError(f"predicted must be {len(true)} labels, one for each input, got {len(chosen)}")
    elif table is not None:
        limit = _check.number("threshold", threshold)
        chosen = np.where(table.max(axis=1) < limit, len(names), table.argmax(axis=1))
    else:
        raise InputError("scores or predicted must be given, got neither")
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    np.add.at(confusion, (true, chosen), 1)
    return _report(names, true, confusion, table)


def roc_auc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Probability that a positive input scores higher than another, ties counting half; None if either are missing.

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
    wanted, values = _binary(positive, scores)
    count = int(wanted.sum())
    if count in (0, wanted.size):
        return None
    ranks = mean_ranks(values)  # Mann and Whitney
    return float((ranks[wanted].sum() - count * (count + 1) / 2) / (count * (wanted.size - count)))


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
    wanted, values = _binary(positive, scores)
    if not wanted.any():
        return None
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(wanted[order])
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))  # equal scores pass a threshold together
    precision = hits[ends] / (ends + 1)
    gained = np.diff(hits[ends], prepend=0) / hits[-1]
    return float((precision * gained).sum())


def _report(
    names: tuple[str, ...], true: npt.NDArray[np.intp], confusion: npt.NDArray[np.int64], table: Floats | None
) -> ClassificationReport:
    square = confusion[:, : len(names)]
    good, support, named = np.diag(square), confusion.sum(axis=1), square.sum(axis=0)
    precision, recall = _ratio(good, named), _ratio(good, support)
    f1 = _ratio(2 * good, named + support)
    classes = tuple(
        ClassReport(
            name,
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            support=int(support[i]),
            good=int(good[i]),
            bad=int(support[i] - good[i]),
            roc_auc=None if table is None else roc_auc(true == i, table[:, i]),
            average_precision=None if table is None else average_precision(true == i, table[:, i]),
        )
        for i, name in enumerate(names)
    )
    right = int(good.sum())
    return ClassificationReport(
        names,
        tuple(tuple(int(count) for count in row) for row in confusion),
        classes,
        accuracy=right / len(true),
        balanced_accuracy=float(recall[support > 0].mean()),
        good=right,
        bad=len(true) - right,
        macro_f1=float(f1.mean()),
        weighted_f1=float((f1 * support).sum() / len(true)),
        log_loss=None if table is None else _log_loss(true, table),
        roc_auc=_mean([one.roc_auc for one in classes]),
        mean_average_precision=_mean([one.average_precision for one in classes]),
    )


def _log_loss(true: npt.NDArray[np.intp], table: Floats) -> float:
    # A probability of 0 would make the loss infinite, whatever the others are.
    chosen = np.clip(table[np.arange(len(true)), true], np.finfo(np.float64).eps, 1.0)
    return float(-np.log(chosen).mean())


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _ratio(above: npt.NDArray[np.int64], below: npt.NDArray[np.int64]) -> Floats:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def _numbers(name: str, values: Any, labels: Sequence[str]) -> npt.NDArray[np.intp]:
    """The number of each label."""
    number = {label: i for i, label in enumerate(labels)}
    return np.array(
        [number[_check.known(name, label, number)] for label in _check.tuple_of(name, values, str)], np.intp
    )


def _probabilities(scores: npt.ArrayLike, inputs: int, classes: int) -> Floats:
    table = _floats("scores", scores)
    if table.shape != (inputs, classes):
        raise InputError(f"scores must have shape ({inputs}, {classes}), (inputs, classes), got {table.shape}")
    if (table < 0).any() or (table > 1).any():
        raise InputError(f"scores must be probabilities from 0 to 1, got {table.min():g} to {table.max():g}")
    return table


def _binary(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Floats]:
    wanted, values = np.asarray(positive), _floats("scores", scores)
    if wanted.dtype != np.bool_ and wanted.size:
        raise _check.wrong("positive", "an array of True and False", positive)
    if wanted.ndim != 1 or wanted.shape != values.shape:
        raise InputError(f"scores must be as many as positive, got {values.shape} and {wanted.shape}")
    return wanted.astype(np.bool_), values


def _floats(name: str, values: npt.ArrayLike) -> Floats:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise _check.wrong(name, "an array of numbers", values) from None
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, got NaN or infinity")
    return array
