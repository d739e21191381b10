"""Hierarchies of labels: a label is a path, and its parents are the shorter paths it begins with.

A classifier may score leaves only. `with_parents` derives the scores of their parents.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from xplain import _check
from xplain.explanation.core import Prediction


def with_parents(predictions: Iterable[Prediction], combine: str = "max") -> tuple[Prediction, ...]:
    """Add the parents of labels, unless they are predicted themselves.

    Parameters
    ----------
    predictions : iterable of Prediction
        Probabilities of labels, each label once. A parent among them keeps its score.
    combine : {"max", "any"}
        How the probability of a parent follows from its leaves. ``"max"`` is their largest, a lower bound of "at least
        one of them applies". ``"any"`` is the probability of that if leaves are independent: 1 - (1 - p1)(1 - p2)...

    Returns
    -------
    tuple of Prediction
        By decreasing score; of equal ones a parent comes before its children.

    Examples
    --------
    >>> leaves = [Prediction(("Order", "Late"), 0.8), Prediction(("Order", "Lost"), 0.5)]
    >>> [(label.name, label.score) for label in with_parents(leaves, "any")]
    [('Order', 0.9), ('Order > Late', 0.8), ('Order > Lost', 0.5)]
    """
    _check.choice("combine", combine, ("max", "any"))
    scored = _check.tuple_of("predictions", predictions, Prediction)
    labels = {prediction.label for prediction in scored}
    ancestors = {label[:depth] for label in labels for depth in range(1, len(label))}
    leaf_scores: dict[tuple[str, ...], list[float]] = {}
    for prediction in scored:
        if prediction.label in ancestors:  # not a leaf
            continue
        for depth in range(1, len(prediction.label)):
            leaf_scores.setdefault(prediction.label[:depth], []).append(prediction.score)
    parents = [
        Prediction(label, max(scores) if combine == "max" else 1 - math.prod(1 - score for score in scores))
        for label, scores in leaf_scores.items()
        if label not in labels
    ]
    return tuple(sorted([*scored, *parents], key=lambda prediction: (-prediction.score, len(prediction.label))))
