"""How far to trust the maps of one input: notes that are kept with each attribution as its ``quality``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError


class Quality:
    """JSON values by name, for all targets of an input or for each of them.

    Examples
    --------
    >>> quality = Quality()
    >>> quality.add("players", 9)
    >>> quality.completeness(attributed=[2.5], score=[4.0], baseline_score=[1.0])
    >>> quality.by_target(1)[0]["players"], quality.by_target(1)[0]["completeness_residual"]
    (9, 0.5)
    """

    def __init__(self) -> None:
        self._of_all: dict[str, Any] = {}
        self._of_each: dict[str, list[Any]] = {}

    def add(self, name: str, value: Any) -> None:
        """Note a value that holds for the maps of all targets."""
        self._of_all[name] = value

    def say(self, sentence: str) -> None:
        """Add a sentence to ``notes``, what a reader of any of the maps has to know."""
        self._of_all["notes"] = [*self._of_all.get("notes", []), sentence]

    def add_each(self, name: str, values: Sequence[Any] | npt.NDArray[Any]) -> None:
        """Note one value for each of the T targets."""
        self._of_each[name] = np.asarray(values).tolist()

    def completeness(self, attributed: npt.ArrayLike, score: npt.ArrayLike, baseline_score: npt.ArrayLike) -> None:
        """Note by how much attributions miss the change of the score that they are to add up to.

        Parameters
        ----------
        attributed : array_like
            (T,), the sum of each target's attributions.
        score : array_like
            (T,), the score of the input.
        baseline_score : array_like
            (T,), the score that stands for "nothing there".
        """
        score = np.asarray(score, dtype=np.float64)
        change = score - np.asarray(baseline_score, dtype=np.float64)
        residual = change - np.asarray(attributed, dtype=np.float64)
        self.add_each("score", score)
        self.add_each("baseline_score", score - change)
        self.add_each("completeness_residual", residual)
        relative = np.divide(np.abs(residual), np.abs(change), out=np.zeros_like(change), where=change != 0)
        self.add_each("completeness_relative", relative)

    def standard_error(self, variance: npt.ArrayLike) -> None:
        """Note the standard error of a sampled map: the root mean square over its places.

        Parameters
        ----------
        variance : array_like
            (T, h', w'), the estimated variance of the value at each place.
        """
        mean = np.asarray(variance, dtype=np.float64).mean(axis=(1, 2))
        self.add_each("standard_error", np.sqrt(mean))

    def with_mean(self, parts: Sequence[Quality]) -> Quality:
        """Return these notes and those about the mean of maps whose errors are independent, from those about each."""
        mean = Quality()
        said = [note for part in (self, *parts) for note in part._of_all.get("notes", [])]
        mean._of_all = self._of_all | parts[0]._of_all | ({"notes": list(dict.fromkeys(said))} if said else {})
        for name in parts[0]._of_each:
            values = np.array([part._of_each[name] for part in parts], np.float64)
            is_error = name.startswith("standard_error")
            mean.add_each(
                name, np.sqrt(np.square(values).mean(axis=0) / len(parts)) if is_error else values.mean(axis=0)
            )
        if "completeness_residual" in mean._of_each:
            score, residual = np.array(mean._of_each["score"]), np.array(mean._of_each["completeness_residual"])
            mean.completeness(
                score - mean._of_each["baseline_score"] - residual, score, mean._of_each["baseline_score"]
            )
        return mean

    def by_target(self, count: int) -> list[dict[str, Any]]:
        """Return the notes of each of ``count`` targets, or raise InputError if some were made of another number."""
        for name, values in self._of_each.items():
            if len(values) != count:
                raise InputError(f"notes of {name!r} must be {count}, one for each target, got {len(values)}")
        return [{**self._of_all, **{name: values[t] for name, values in self._of_each.items()}} for t in range(count)]
