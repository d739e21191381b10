"""Labels that are paths: what the predictions of leaves say about their parents."""

from __future__ import annotations

import math
from collections.abc import Iterable

from xplain import _check
from xplain.explanation.core import Prediction


def with_parents(predictions: Iterable[Prediction], combine: str = "max") -> tuple[Prediction, ...]:
    """Add the parents of labels that are not predicted themselves.

    Parameters
    ----------
    predictions : iterable of Prediction
        Probabilities of labels, each label once. A parent among them stays as it is.
    combine : {"max", "any"}
        A parent's probability from those of its leaves: their largest, which is a lower bound of "at least one of them
        applies"; or the probability of that if they apply independently, 1 - (1 - p1)(1 - p2)...

    Returns
    -------
    tuple of Prediction
        By decreasing score; a parent before its children where they are equal.

    Examples
    --------
    >>> leaves = [Prediction(("Order", "Late"), 0.8), Prediction(("Order", "Lost"), 0.5)]
    >>> [(one.name, one.score) for one in with_parents(leaves, "any")]
    [('Order', 0.9), ('Order > Late', 0.8), ('Order > Lost', 0.5)]
    """
    _check.choice("combine", combine, ("max", "any"))
    given = _check.tuple_of("predictions", predictions, Prediction)
    labels = {one.label for one in given}
    ancestors = {one.label[:depth] for one in given for depth in range(1, len(one.label))}
    below: dict[tuple[str, ...], list[float]] = {}
    for one in given:
        if one.label in ancestors:  # no leaf: its own children speak for it
            continue
        for depth in range(1, len(one.label)):
            below.setdefault(one.label[:depth], []).append(one.score)
    added = [
        Prediction(label, max(scores) if combine == "max" else 1 - math.prod(1 - score for score in scores))
        for label, scores in below.items()
        if label not in labels
    ]
    return tuple(sorted([*given, *added], key=lambda one: (-one.score, len(one.label))))
