"""Validation statistics as Re:infer reports them, for a model of many labels with few training examples each.

The vendor documents the names and ranges of the figures: mean average precision is "safe" because it is taken over the
labels with at least 20 training examples; balance and coverage are from 0 to 1, the score of the data set from 0 to
100; qualities are ranked poor, average, good and excellent.

The vendor does not publish the rest, which is inferred here:

* coverage: the part of the inputs for which a label that applies is predicted with at least the threshold, or, where
  no label applies, for which none is predicted;
* balance: the cosine similarity of the distribution of labels in the training examples and in all inputs;
* red labels have fewer than 20 examples or an average precision below 0.5; amber ones are below 0.7;
* the ranks begin at 0.5 (average), 0.7 (good) and 0.85 (excellent);
* the score of the data set is the mean of safe mean average precision, the part of the labels that is neither amber nor
  red, balance and coverage, in percent; a figure that is not known does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.quality.classification import average_precision

#: Training examples from which a label's average precision is taken to be reliable.
SAFE_EXAMPLES = 20

QUALITIES = ("poor", "average", "good", "excellent")

_LEAST_OF_RANKS = (0.5, 0.7, 0.85)  # where each quality but the first begins
_RED, _AMBER = 0.5, 0.7  # average precisions below which a label is red, and amber

Label = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelValidation:
    """How well one label is predicted.

    Parameters
    ----------
    label : tuple of str
        Its path.
    average_precision : float or None
        0..1; None if it applies to no input.
    examples : int
        Training examples.
    health : {"green", "amber", "red"}
        Whether it does well, could do better, or needs more examples.
    """

    label: Label
    average_precision: float | None
    examples: int
    health: str


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation statistics of a model; see the module for which formulas are inferred.

    `xplain.vendors.reinfer.validation_response` writes them as the vendor's service does.

    Parameters
    ----------
    labels : tuple of LabelValidation
        One for each label.
    num_reviewed : int
        Number of inputs whose labels are known.
    mean_average_precision_safe : float or None
        0..1, over the labels with at least 20 training examples; None if there is none.
    num_amber, num_red : int
        How many labels are amber and red.
    coverage : float
        0..1.
    balance : float or None
        0..1; None if the distribution of labels in all inputs is not known.
    dataset_score : int
        0..100.
    """

    labels: tuple[LabelValidation, ...]
    num_reviewed: int
    mean_average_precision_safe: float | None
    num_amber: int
    num_red: int
    coverage: float
    balance: float | None
    dataset_score: int

    @property
    def dataset_quality(self) -> str:
        """Rank of ``dataset_score``."""
        return quality_rank(self.dataset_score / 100)

    @property
    def balance_quality(self) -> str | None:
        """Rank of ``balance``."""
        return None if self.balance is None else quality_rank(self.balance)

    @property
    def coverage_quality(self) -> str:
        """Rank of ``coverage``."""
        return quality_rank(self.coverage)

    @property
    def all_labels_quality(self) -> str | None:
        """Rank of ``mean_average_precision_safe``."""
        precision = self.mean_average_precision_safe
        return None if precision is None else quality_rank(precision)

    @property
    def underperforming_labels_quality(self) -> str:
        """Rank of the part of the labels that is neither amber nor red."""
        return quality_rank(1 - (self.num_amber + self.num_red) / len(self.labels))


def validation_statistics(
    truth: Sequence[Sequence[str | Label]],
    scores: npt.ArrayLike,
    labels: Sequence[str | Label],
    examples: Sequence[int],
    *,
    threshold: float = 0.25,
    distribution: npt.ArrayLike | None = None,
) -> Validation:
    """Compute validation statistics of a model whose labels are independent of each other.

    Parameters
    ----------
    truth : sequence of sequence of labels
        The labels that apply to each input.
    scores : array_like
        (inputs, labels), probabilities 0..1.
    labels : sequence of str or tuple of str
        All labels as paths, each once, in the order of the columns.
    examples : sequence of int
        Training examples of each label.
    threshold : float
        Probability from which a label counts as predicted; 0.25 is the vendor's default.
    distribution : array_like, optional
        (labels,), how often each label occurs among all inputs, in any unit: counts, or the sums of a model's
        probabilities over inputs that nobody has labelled.

    Returns
    -------
    Validation
        Figures and ranks.

    Raises
    ------
    InputError
        If shapes do not match, or a label is unknown or repeated.

    Examples
    --------
    >>> scores = [[0.9, 0.2], [0.6, 0.1], [0.3, 0.8]]
    >>> result = validation_statistics([["Order"], ["Order"], ["Other"]], scores, ["Order", "Other"], [40, 5])
    >>> result.mean_average_precision_safe, result.num_red, result.coverage, result.dataset_score
    (1.0, 1, 1.0, 83)
    """
    names = tuple(_check.label_path("labels", label) for label in labels)
    if not names or len(set(names)) < len(names):
        raise _check.wrong("labels", "one or more different labels", labels)
    applies = _applies(truth, names)
    if not len(applies):
        raise InputError("truth must hold the labels of an input, got none")
    probabilities = _numbers("scores", scores, applies.shape, "(inputs, labels)")
    counts = [_check.integer("examples", count, least=0) for count in examples]
    if len(counts) != len(names):
        raise InputError(f"examples must be {len(names)} counts, one for each label, got {len(counts)}")
    validations = tuple(
        _validate_label(name, average_precision(applies[:, i], probabilities[:, i]), counts[i])
        for i, name in enumerate(names)
    )
    safe = [label.average_precision for label in validations if label.examples >= SAFE_EXAMPLES]
    defined = [value for value in safe if value is not None]
    precision = float(np.mean(defined)) if defined else None
    amber, red = (sum(label.health == health for label in validations) for health in ("amber", "red"))
    is_predicted = probabilities >= _check.number("threshold", threshold)
    is_covered = np.where(applies.any(axis=1), (applies & is_predicted).any(axis=1), ~is_predicted.any(axis=1))
    coverage = float(is_covered.mean())
    balance = None if distribution is None else _cosine(counts, _numbers("distribution", distribution, (len(names),)))
    factors = (precision, 1 - (amber + red) / len(validations), balance, coverage)
    score = float(np.mean([factor for factor in factors if factor is not None]))
    return Validation(validations, len(applies), precision, amber, red, coverage, balance, round(100 * score))


def quality_rank(value: float) -> str:
    """Rank a figure from 0 to 1 as poor, average (from 0.5), good (0.7) or excellent (0.85).

    Examples
    --------
    >>> [quality_rank(value) for value in (0.49, 0.5, 0.7, 0.85)]
    ['poor', 'average', 'good', 'excellent']
    """
    if not 0 <= _check.number("value", value) <= 1:
        raise _check.wrong("value", "between 0 and 1", value)
    return QUALITIES[sum(value >= limit for limit in _LEAST_OF_RANKS)]


def _validate_label(name: Label, precision: float | None, examples: int) -> LabelValidation:
    if precision is None or precision < _RED or examples < SAFE_EXAMPLES:
        health = "red"
    else:
        health = "amber" if precision < _AMBER else "green"
    return LabelValidation(name, precision, examples, health)


def _applies(truth: Sequence[Sequence[str | Label]], names: tuple[Label, ...]) -> npt.NDArray[np.bool_]:
    """Return which labels apply to which inputs, (inputs, labels)."""
    index = {name: i for i, name in enumerate(names)}
    applies = np.zeros((len(truth), len(names)), np.bool_)
    for i, labels in enumerate(truth):
        if isinstance(labels, str):
            raise _check.wrong(f"truth[{i}]", "a sequence of labels", labels)
        for label in labels:
            path = _check.label_path(f"truth[{i}]", label)
            if path not in index:
                raise _check.wrong(f"truth[{i}]", "labels of the model", " > ".join(path))
            applies[i, index[path]] = True
    return applies


def _numbers(
    name: str, values: npt.ArrayLike, shape: tuple[int, ...], axes: str = "(labels,)"
) -> npt.NDArray[np.float64]:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise _check.wrong(name, "an array of numbers", values) from None
    if array.shape != shape:
        raise InputError(f"{name} must have shape {shape}, {axes}, got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        raise InputError(f"{name} must be finite and not negative, got {array.min():g} to {array.max():g}")
    return array


def _cosine(a: Sequence[int], b: npt.NDArray[np.float64]) -> float:
    """Return the cosine similarity of two distributions, 0 if one of them is all zeros."""
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return min(float(np.dot(a, b)) / lengths, 1.0) if lengths else 0.0  # rounding may give more than 1
