"""Classes by number and by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import _check

__all__ = ["label_table", "resolve_targets"]

Label = tuple[str, ...]


def label_table(labels: Any) -> tuple[Label, ...] | None:
    """Return labels as paths, from a sequence or from a mapping of class number to label (``id2label``)."""
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


def resolve_targets(target: Any, scores: npt.NDArray[np.float64], labels: Sequence[Label] | None) -> tuple[int, ...]:
    """Return the class numbers that a caller asks for.

    Parameters
    ----------
    target : None, int, str, tuple of str, or a sequence of those
        None is the class with the highest score, ``"top-3"`` the three highest; an int is a class number; a str is a
        label (also a level path ``"a > b"``), in any case if only one matches.
    scores : numpy.ndarray
        float64 (classes,).
    labels : sequence of tuple of str or None
        The classes' labels.

    Returns
    -------
    tuple of int
        Class numbers, without repeats, in the order asked for.
    """
    if target is None:
        return (int(np.argmax(scores)),)
    if isinstance(target, str) and (match := re.fullmatch(r"top-(\d+)", target)) and not _matches(target, labels):
        count = int(match[1])
        if not 1 <= count <= scores.size:
            raise InputError(f"target must be top-1 to top-{scores.size}, got {target!r}")
        return tuple(int(i) for i in np.argsort(-scores, kind="stable")[:count])
    if isinstance(target, (list, np.ndarray)) or (
        isinstance(target, tuple) and not all(isinstance(part, str) for part in target)
    ):
        chosen = [i for one in target for i in resolve_targets(one, scores, labels)]
        if not chosen:
            raise InputError("target must name at least one class, got an empty sequence")
        return tuple(dict.fromkeys(chosen))
    if isinstance(target, (str, tuple)):
        found = _matches(target, labels)
        if len(found) != 1:
            names = [" > ".join(label) for label in labels] if labels else [str(i) for i in range(scores.size)]
            if len(found) > 1:
                raise InputError(f"target must be one label, got {target!r}, which names classes {found}")
            raise UnknownNameError("target", target, names)
        return (found[0],)
    index = _check.integer("target", target)
    if not 0 <= index < scores.size:
        raise InputError(f"target must be a class from 0 to {scores.size - 1}, got {index}")
    return (index,)


def _matches(target: str | tuple[str, ...], labels: Sequence[Label] | None) -> list[int]:
    wanted = " > ".join(target) if isinstance(target, tuple) else target
    names = [" > ".join(label) for label in labels or ()]
    exact = [i for i, name in enumerate(names) if name == wanted]
    return exact or [i for i, name in enumerate(names) if name.casefold() == wanted.casefold()]
