"""What is to be drawn of what the caller hands over: which explanations, and which of their attributions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Prediction


def explanations(subject: Any) -> tuple[Explanation, ...]:
    """One or several explanations, as a tuple."""
    if isinstance(subject, Explanation):
        return (subject,)
    if not isinstance(subject, Iterable):
        raise _check.wrong("subject", "an Explanation or a sequence of them", subject)
    found: tuple[Explanation, ...] = _check.tuple_of("subject", subject, Explanation)
    if not found:
        raise InputError("subject must hold at least one Explanation, got none")
    return found


def chosen(attributions: Sequence[Attribution], target: int | str | None) -> Sequence[Attribution]:
    """Return the attributions that a target picks: see `picked`."""
    if target is None:
        return attributions
    targets = picked([attribution.target for attribution in attributions], target)
    if not isinstance(target, str):
        return [attributions[target]]
    return [attribution for attribution in attributions if attribution.target in targets]


def picked(predictions: Sequence[Prediction], target: int | str) -> list[Prediction]:
    """Return the predictions that a target picks: by number, or by label."""
    if isinstance(target, str):
        found = [p for p in predictions if target in (p.name, p.label[-1])]
        known = dict.fromkeys(p.name for p in predictions)
    else:
        index = _check.integer("target", target)
        found = [predictions[index]] if -len(predictions) <= index < len(predictions) else []
        known = dict.fromkeys(str(i) for i in range(len(predictions)))
    if not found:
        raise UnknownNameError("target", target, known)
    return found
