"""Answers that name their scores: dictionaries of labels and scores, as services and pipelines return them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from xplain.errors import InputError

Label = tuple[str, ...]


def are_named(output: Any) -> bool:
    """Whether a model's output is a list of answers that name their scores, or a single one."""
    if isinstance(output, Mapping):
        return bool(output) and all(isinstance(score, Real) for score in output.values())
    if not isinstance(output, (list, tuple)) or not output:
        return False
    return isinstance(output[0], Mapping) or (
        isinstance(output[0], (list, tuple)) and bool(output[0]) and isinstance(output[0][0], Mapping)
    )


def read_named(output: Any, count: int, labels: Sequence[Label] | None) -> tuple[tuple[Label, ...], list[list[float]]]:
    """Return the labels of answers to ``count`` inputs, and the scores (count, classes) in their order.

    An answer is a mapping of labels to scores, or a list of mappings with ``label`` and ``score``, in any order.
    Without labels, those of the first answer are taken, in alphabetical order.
    """
    is_one = isinstance(output, Mapping) or (
        isinstance(output[0], Mapping) and _is_pair(output[0]) and count == 1 and len(output) > 1
    )
    answers = [output] if is_one else list(output)
    if len(answers) != count:
        raise InputError(f"model output must be an answer for each of {count} inputs, got {len(answers)}")
    rows = [_scores(answer) for answer in answers]
    paths = tuple((name,) for name in sorted(rows[0])) if labels is None else tuple(labels)
    names = [" > ".join(path) for path in paths]
    for row in rows:
        if set(row) != set(names):
            missing = sorted(set(names) - set(row)) or sorted(set(row) - set(names))
            raise InputError(
                f"model output must score the labels {', '.join(names)} for each input, got {', '.join(row)} "
                f"({missing[0]!r} differs); let it return all labels (top_k=None of a pipeline)"
            )
    return paths, [[row[name] for name in names] for row in rows]


def _is_pair(answer: Mapping[str, Any]) -> bool:
    """Whether a mapping is one label and its score."""
    return set(answer) >= {"label", "score"} and isinstance(answer["label"], str)


def _scores(answer: Any) -> dict[str, float]:
    """Return the scores of an answer by label."""
    if isinstance(answer, Mapping) and _is_pair(answer):
        raise InputError(
            f"model output must score all labels, got the best one only, {answer['label']!r}; let it return all "
            "(top_k=None of a pipeline)"
        )
    pairs = list(answer.items()) if isinstance(answer, Mapping) else [_pair(each) for each in answer]
    scores = {str(label): _number(label, score) for label, score in pairs}
    if len(scores) < len(pairs):
        raise InputError(f"model output must name each label once, got {[label for label, _ in pairs]}")
    return scores


def _pair(each: Any) -> tuple[Any, Any]:
    if not (isinstance(each, Mapping) and _is_pair(each)):
        raise InputError(
            "model output must be mappings with label and score where it is a list of them, got "
            + (f"one of {', '.join(map(str, each))}" if isinstance(each, Mapping) else type(each).__name__)
        )
    return each["label"], each["score"]


def _number(label: Any, score: Any) -> float:
    try:
        return float(score)
    except (TypeError, ValueError):
        raise InputError(
            f"model output must map labels to numbers, got {type(score).__name__} for {label!r}; return a mapping of "
            "labels to scores for each input, or a list of mappings with label and score"
        ) from None
