"""Checks of a subject, and selection by target: which explanations are drawn, and which of their attributions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Prediction


def as_explanations(subject: Any) -> tuple[Explanation, ...]:
    """Return one explanation, or a sequence of them, as a tuple.

    Raises
    ------
    InputError
        If it is neither, or holds none.
    """
    if isinstance(subject, Explanation):
        return (subject,)
    if not isinstance(subject, Iterable):
        raise _check.wrong("subject", "an Explanation or a sequence of them", subject)
    explanations: tuple[Explanation, ...] = _check.tuple_of("subject", subject, Explanation)
    if not explanations:
        raise InputError("subject must hold at least one Explanation, got none")
    return explanations


def select_attributions(attributions: Sequence[Attribution], target: int | str | None) -> Sequence[Attribution]:
    """Return the attributions whose target is selected, see `select_predictions`; all if ``target`` is None."""
    if target is None:
        return attributions
    predictions = select_predictions([attribution.target for attribution in attributions], target)
    if not isinstance(target, str):
        return [attributions[target]]  # an index selects one, even if others explain the same prediction
    return [attribution for attribution in attributions if attribution.target in predictions]


def select_predictions(predictions: Sequence[Prediction], target: int | str) -> list[Prediction]:
    """Return the predictions with an index or a label; of a label of several levels the last one is enough.

    Raises
    ------
    UnknownNameError
        If there is none; the message lists the labels or indices.
    """
    if isinstance(target, str):
        matches = [p for p in predictions if target in (p.name, p.label[-1])]
        known = dict.fromkeys(p.name for p in predictions)
    else:
        index = _check.integer("target", target)
        matches = [predictions[index]] if -len(predictions) <= index < len(predictions) else []
        known = dict.fromkeys(str(i) for i in range(len(predictions)))
    if not matches:
        raise UnknownNameError("target", target, known)
    return matches
