"""How well maps fall on what they should show, and a table of it: methods, their costs, and what beats the controls."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from _bench import heading, note, print_head, print_row, reason

from xplain import explain, quality
from xplain.errors import XplainError
from xplain.quality.classification import average_precision

Map = npt.NDArray[np.floating[Any]]
Figures = Mapping[str, float]

CONTROLS = ("random", "sobel", "centre")
"""Maps that do not depend on the model."""
LOWER_IS_BETTER = ("deletion",)
COST_CLASSES = ((3, "1 to 3 passes"), (20, "up to 20"), (10**9, "more"))


class Contender(NamedTuple):
    """A method by the name that the table shows."""

    method: str
    options: Mapping[str, Any] = {}
    smooth: float = 0.0
    """Standard deviation of a Gaussian that the |map| is blurred with, as a part of the shorter side."""
    every: int = 1
    """It explains every so many samples: what is dear is measured on fewer."""


def explained(model: Any, x: Any, name: str, contender: Contender, target: Any) -> tuple[list[Any], int] | None:
    """Return the evidence of an explanation's attributions, and its evaluations; None, with a note, if refused."""
    try:
        explanation = explain(model, x, method=contender.method, target=target, **contender.options)
    except XplainError as error:
        note(f"left out: {name}: {reason(error)}")
        return None
    return [each.evidence for each in explanation.attributions], explanation.provenance.evaluations or 0


def centre(length: int) -> Map:
    """Return a Gaussian in the middle of a line, a quarter of it wide: the library has this control of photos alone."""
    return np.asarray(np.exp(-0.5 * ((np.arange(length) + 0.5 - length / 2) / (length / 4)) ** 2))


def blurred(values: Map, part: float) -> Map:
    """Blur a |map| (height, width) by a Gaussian whose deviation is a part of the shorter side."""
    result = np.abs(values).astype(np.float64)
    sigma = part * min(result.shape)
    for axis in (0, 1):
        n = result.shape[axis]
        distance = np.arange(n)[:, None] - np.arange(n)
        weights = np.exp(-0.5 * (distance / sigma) ** 2)
        weights /= weights.sum(axis=1, keepdims=True)
        result = np.moveaxis(np.tensordot(weights, result, axes=(1, axis)), 0, axis)
    return result


def thinned(values: Any) -> Any:
    """Return every so manyth row and column, so that at least 128 of each are left: sorting all pixels takes longer."""
    step = max(1, min(values.shape) // 128)
    return values[step // 2 :: step, step // 2 :: step]


def placed(values: Map, inside: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return how well a map falls on a region of its shape.

    ``energy`` is the part of the positive evidence in the region (0 if there is none), ``pointing`` whether the highest
    value is in it, ``precision`` the average precision of the |values|, and ``overall`` the mean of the three. All are
    0..1; a map of noise has about the region's area.
    """
    if values.ndim == 2:
        values, inside = (thinned(each) for each in (values, inside))
    two = values[None] if values.ndim == 1 else values
    found = quality.localisation(two, inside.reshape(two.shape))
    precision = average_precision(inside.ravel(), np.abs(values).ravel()) or 0.0
    figures = {"energy": found.energy or 0.0, "pointing": found.hit, "precision": precision}
    return {"overall": float(np.mean(list(figures.values()))), **figures}


class Board:
    """Figures of methods on the same samples.

    Parameters
    ----------
    title : str
        Heading of the table.
    unit : str
        What the samples are.
    seconds : float
        No sample begins later, so that a busy machine ends with fewer samples, and not much later.
    """

    def __init__(self, title: str, unit: str, seconds: float = 180) -> None:
        self.title, self.unit, self.seconds = title, unit, seconds
        self.figures: dict[str, dict[int, Figures]] = {}
        self.costs: dict[str, list[int]] = {}
        self.samples = 0
        self.start = time.perf_counter()

    def begin(self, name: str) -> bool:
        """Begin a sample, and say so on standard error; False if the time is up."""
        seconds = time.perf_counter() - self.start
        if seconds > self.seconds:
            note(f"the time of {self.seconds:.0f} s was up after {self.samples} {self.unit}s")
            return False
        self.samples += 1
        print(f"{self.title}: {self.unit} {self.samples}, {name} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        return True

    def add(self, label: str, evaluations: int, figures: Figures) -> None:
        """Add a method's figures on the sample that was begun last."""
        self.figures.setdefault(label, {})[self.samples] = figures
        self.costs.setdefault(label, []).append(evaluations)

    def add_line(
        self, model: Any, sample: Any, contenders: Mapping[str, Contender], line: Callable[[Any], Map]
    ) -> None:
        """Add the figures of a sample of one dimension, by a function from evidence to a line."""
        for name, contender in contenders.items():
            if name == "centre":
                self.add(name, 0, placed(centre(len(sample.inside)), sample.inside))
                continue
            found = explained(model, sample.x, name, contender, sample.target)
            if found is not None:
                self.add(name, found[1], placed(line(found[0][0]), sample.inside))

    def print(self) -> None:
        """Print the table, the cheapest methods first, and the best of each class of cost."""
        heading(f"{self.title}; {self.samples} {self.unit}s")
        if not self.figures:
            note("nothing was measured")
            return
        names = list(dict.fromkeys(name for of in self.figures.values() for each in of.values() for name in each))
        print_head("method", "samples", "evaluations", *names)
        controls = [label for label in self.figures if label in CONTROLS]
        others = sorted((label for label in self.figures if label not in CONTROLS), key=self.cost)
        for label in (*controls, *others):
            count = len(self.figures[label])
            print_row(
                f"`{label}`", count, f"{self.cost(label):.0f}", *(self.cell(label, name, controls) for name in names)
            )
        self.print_best(others, controls)

    def print_best(self, labels: Iterable[str], controls: list[str]) -> None:
        """Print the best method of each class of cost by the first figure."""
        least = 0
        for most, title in COST_CLASSES:
            of_class = [label for label in labels if least < self.cost(label) <= most]
            least = most
            if of_class:
                best = max(of_class, key=lambda label: self.mean(label, "overall"))
                note(f"{self.title}: best of {title}: `{best}`, overall {self.cell(best, 'overall', controls)}")

    def cost(self, label: str) -> float:
        """Return a method's mean evaluations."""
        return float(np.mean(self.costs[label]))

    def values(self, label: str, name: str) -> dict[int, float]:
        """Return a figure of a method by sample."""
        return {sample: each[name] for sample, each in self.figures[label].items() if name in each}

    def mean(self, label: str, name: str) -> float:
        """Return the mean of a figure; that of what was not measured is the worst."""
        values = list(self.values(label, name).values())
        return float(np.mean(values)) if values else -np.inf

    def cell(self, label: str, name: str, controls: list[str]) -> str:
        """Format a mean with its standard error, and whether it differs from the best control by two of them."""
        values = self.values(label, name)
        if not values:
            return ""
        sign = -1 if name in LOWER_IS_BETTER else 1
        mean, error = mean_and_error(list(values.values()))
        verdict = ""
        if label not in controls and controls:
            best = max(controls, key=lambda control: sign * self.mean(control, name))
            reference = self.values(best, name)
            pairs = [sign * (values[k] - reference[k]) for k in values.keys() & reference.keys()]
            difference, spread = mean_and_error(pairs)
            verdict = ", better" if difference > 2 * spread else ", worse" if difference < -2 * spread else ""
        return f"{mean:.2f} (±{error:.2f}{verdict})"


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Return a mean and its standard error; infinite for a single value."""
    count = len(values)
    return float(np.mean(values)), float(np.std(values, ddof=1) / count**0.5) if count > 1 else np.inf
