"""The maps of one input by a method, and how those of the windows of a text or a recording become one.

A long text or recording is read in windows, each of which is an input of the engine. The score of the whole is the sum
or the mean of the windows' scores, and its map that of their maps, each at its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.attributions.engine.checks import Checks
from xplain.explanation import Provenance
from xplain.models import Prepared

Float64 = npt.NDArray[np.float64]
Quality = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class InputMaps:
    """The maps of one input for its T targets, before they become evidence of an explanation.

    Parameters
    ----------
    prepared : Prepared
        The input.
    targets : tuple of int
        The T classes that were explained.
    scores : numpy.ndarray
        float64 (classes,), those of the input.
    maps : numpy.ndarray
        float64 (T, h', w'), over the whole of the input.
    quality : list of dict
        For each target, JSON values that say how far to trust its map.
    checks : list of Checks
        For each target, what was checked about its map, from which sentences about it follow.
    provenance : Provenance
        How the maps were computed; ``evaluations`` and ``seconds`` are those of this input.
    """

    prepared: Prepared
    targets: tuple[int, ...]
    scores: Float64
    maps: Float64
    quality: list[Quality]
    checks: list[Checks]
    provenance: Provenance


def combined_quality(parts: Sequence[Mapping[str, Any]], coverage: Sequence[float], divisor: int = 1) -> Quality:
    """Combine the notes about the maps of several windows into those about the map of the whole.

    Parameters
    ----------
    parts : sequence of mapping
        The notes of each window.
    coverage : sequence of float
        How much of the whole each window holds, 0..1; more than 1 in all where windows overlap.
    divisor : int
        The map and the score of the whole are the sum of the windows' ones over this: 1 for the sum, their number for
        the mean.

    Returns
    -------
    dict
        Scores and residuals add up. The standard error is a root mean square over places: the variance of a place is
        the sum of those of the windows that hold it, as if they were sampled independently. A fit is as good as the
        worst. What is not known of a window is not known of the whole. Of notes about the method, such as its
        players, those of the first window are kept.

    Examples
    --------
    >>> windows = [{"score": 3.0, "standard_error": 0.3}, {"score": 5.0, "standard_error": 0.4}]
    >>> combined_quality(windows, [0.5, 0.5], divisor=2)["score"]
    4.0
    """
    if len(parts) == 1:
        return dict(parts[0])
    combine: dict[str, Callable[[Any], Any]] = {
        "score": lambda values: np.sum(values) / divisor,
        "baseline_score": lambda values: np.sum(values) / divisor,
        "completeness_residual": lambda values: np.sum(values) / divisor,
        "standard_error": lambda errors: np.sqrt(np.dot(coverage, np.square(errors))) / divisor,
        "standard_error_max": lambda errors: np.max(errors) / divisor,
        "fit": np.min,
    }
    combined = {
        name: float(combine[name]([notes[name] for notes in parts])) if name in combine else value
        for name, value in parts[0].items()
        if name not in combine or all(name in notes for notes in parts)
    }
    if "completeness_relative" in combined:
        change = abs(combined["score"] - combined["baseline_score"])
        combined["completeness_relative"] = abs(combined["completeness_residual"]) / change if change else 0.0
    return combined


def combined_provenance(parts: Sequence[Provenance], evaluations: int) -> Provenance:
    """Return how several windows of one input were explained, which took ``evaluations`` more than their own."""
    return replace(
        parts[0],
        evaluations=evaluations + sum(part.evaluations or 0 for part in parts),
        seconds=sum(part.seconds or 0.0 for part in parts),
        batch_size=max((part.batch_size for part in parts if part.batch_size is not None), default=None),
    )


def with_notes(
    quality: Quality, values: npt.NDArray[Any], checks: Sequence[Checks], doubts: Sequence[str] = ()
) -> Quality:
    """Return quality with sentences about evidence under ``"notes"``; as it is if there is nothing to say.

    Parameters
    ----------
    quality : dict
        Of the whole map.
    values : numpy.ndarray
        The evidence as it is kept.
    checks : sequence of Checks
        Of each window of the input; none where nothing was checked.
    doubts : sequence of str
        Sentences about the model's scores.
    """
    found = Checks.combined(checks).notes(values, quality) if checks else []
    notes = [*quality.get("notes", ()), *found, *doubts]
    return {**quality, "notes": notes} if notes else quality
