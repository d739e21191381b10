"""How callers name the classes of a model that are explained: by number, by label, the best ones, the margin of two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError, UnknownNameError

Label = tuple[str, ...]
Pair = tuple[int, int]

_MINUS = " - "


@dataclass(frozen=True, slots=True)
class Margin:
    """The score of one class minus that of another, as what is explained: why this one rather than that one.

    Parameters
    ----------
    first, second : int, str or tuple of str
        Two classes of a classifier, as `xplain.explain` takes them. At the shell, ``--target "first - second"``.

    Examples
    --------
    >>> import xplain
    >>> words = {"good": 2.0, "dull": -1.0}
    >>> def score(texts):
    ...     return [[sum(words.get(word, 0.0) for word in text.split()), 0.5] for text in texts]
    >>> model = xplain.TextClassifier(score, labels=["liked", "bored"])
    >>> e = xplain.explain(model, "good but dull", "occlusion", target=xplain.Margin("liked", "bored"))
    >>> e.attributions[0].target.name, [word.score for word in e.attributions[0].evidence.words]
    ('liked - bored', [2.0, 0.0, -1.0])
    """

    first: Any
    second: Any


def label_paths(labels: Any) -> tuple[Label, ...] | None:
    """Return labels as paths, in the order of the classes.

    ``labels`` is a sequence, or a mapping of class number to label (``id2label``), or None.
    """
    if labels is None:
        return None
    if isinstance(labels, Mapping):
        try:
            numbered = {int(key): value for key, value in labels.items()}
        except (TypeError, ValueError):
            raise _check.wrong("labels", "a mapping of class numbers to labels", labels) from None
        if sorted(numbered) != list(range(len(numbered))):
            raise InputError(f"labels must number the classes 0 to {len(numbered) - 1}, got {sorted(numbered)[:5]}...")
        labels = [numbered[i] for i in range(len(numbered))]
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise _check.wrong("labels", "a sequence of labels or a mapping of class numbers to labels", labels)
    return tuple(_check.label_path("labels", label) for label in labels)


def resolve_targets(
    target: Any,
    scores: npt.NDArray[np.float64],
    labels: Sequence[Label] | None,
    margins: Sequence[Pair] = (),
) -> tuple[int, ...]:
    """Return the class numbers that a caller names.

    Parameters
    ----------
    target : None, int, str, tuple of str, Margin, or several of those in a list, range, array or tensor
        None is the class with the highest score, ``"top-3"`` the three highest; an int is a class number; a str is a
        label (also a level path ``"a > b"``), in any case if only one matches, or a margin ``"a - b"``.
    scores : numpy.ndarray
        float64 (classes,), followed by the margins.
    labels : sequence of tuple of str or None
        The classes' labels.
    margins : sequence of (int, int)
        Pairs of classes whose differences follow the classes in ``scores``.

    Returns
    -------
    tuple of int
        Class numbers, without repeats, in the order of ``target``; those of margins follow those of the classes.

    Examples
    --------
    >>> resolve_targets(["top-1", "Cat"], np.array([0.1, 0.7, 0.2]), [("cat",), ("dog",), ("cow",)])
    (1, 0)
    """
    count = scores.size - len(margins)
    if target is None:
        return (int(np.argmax(scores[:count])),)
    if isinstance(target, str) and (match := re.fullmatch(r"top-(\d+)", target)) and not _matches(target, labels):
        top = int(match[1])
        if not 1 <= top <= count:
            raise InputError(f"target must be top-1 to top-{count}, got {target!r}")
        return tuple(int(i) for i in np.argsort(-scores[:count], kind="stable")[:top])
    if is_sequence_of_targets(target):
        indices = [index for item in target for index in resolve_targets(item, scores, labels, margins)]
        if not indices:
            raise InputError("target must name at least one class, got an empty sequence")
        return tuple(dict.fromkeys(indices))
    pair = _margin(target, labels)
    if pair is not None:
        if pair not in margins:
            raise InputError(f"target must be a class, got {target}; margins are for explain and explain_batch")
        return (count + margins.index(pair),)
    return (_class_of(target, count, labels),)


def margins_in(target: Any, labels: Sequence[Label] | None) -> Iterator[Pair]:
    """Yield the pairs of classes of the margins that a caller names among targets, for one input or for several."""
    if is_sequence_of_targets(target):
        for item in target:
            yield from margins_in(item, labels)
    elif (pair := _margin(target, labels)) is not None:
        yield pair


def _margin(target: Any, labels: Sequence[Label] | None) -> Pair | None:
    """Return the pair of classes of a margin, or of a str that names one and no label; None for other targets."""
    if isinstance(target, Margin):
        count = len(labels) if labels else None
        first, second = (_class_of(each, count, labels) for each in (target.first, target.second))
        if first == second:
            raise InputError(f"target must be the margin of two classes, got {target}, of the same one")
        return first, second
    if not isinstance(target, str) or _MINUS not in target or _matches(target, labels):
        return None
    parts = target.split(_MINUS)
    for i in range(1, len(parts)):
        matches = [_matches(_MINUS.join(side), labels) for side in (parts[:i], parts[i:])]
        if all(len(found) == 1 for found in matches) and matches[0] != matches[1]:
            return matches[0][0], matches[1][0]
    return None


def is_sequence_of_targets(target: Any) -> bool:
    """Whether a caller names several targets; a tuple of str is a single one, a label with its levels."""
    if hasattr(target, "ndim"):  # an array or a tensor; without an axis it is one number
        return bool(target.ndim)
    return isinstance(target, (list, range)) or (
        isinstance(target, tuple) and not all(isinstance(part, str) for part in target)
    )


def _class_of(target: Any, count: int | None, labels: Sequence[Label] | None) -> int:
    """Return the number of one of ``count`` classes, which is None while it is not known."""
    if isinstance(target, (str, tuple)):
        return _class_of_label(target, count, labels)
    index = _check.integer("target", target)
    if index < 0 or (count is not None and index >= count):
        raise InputError(f"target must be a class from 0{f' to {count - 1}' if count else ''}, got {index}")
    return index


def _class_of_label(target: str | tuple[str, ...], count: int | None, labels: Sequence[Label] | None) -> int:
    matches = _matches(target, labels)
    if len(matches) > 1:
        raise InputError(f"target must be one label, got {target!r}, which names classes {matches}")
    if not matches:
        names = [" > ".join(label) for label in labels] if labels else [str(i) for i in range(count or 0)]
        raise UnknownNameError("target", target, names)
    return _class_of(matches[0], count, labels)


def _matches(target: str | tuple[str, ...], labels: Sequence[Label] | None) -> list[int]:
    """Return the classes with a label: those spelt exactly so, or else those that differ in case only.

    Where there are no labels, the number of a class is its label.
    """
    wanted = " > ".join(target) if isinstance(target, tuple) else target
    if not labels:
        return [int(wanted)] if wanted.isdecimal() else []
    names = [" > ".join(label) for label in labels]
    exact = [i for i, name in enumerate(names) if name == wanted]
    return exact or [i for i, name in enumerate(names) if name.casefold() == wanted.casefold()]
