"""What became of each candidate of a network's output: a record that says why it was or was not reported.

A network may have many thousand candidates. So a `Trace` keeps them as columns, one array for each fact, and makes a
`Candidate` only for a row that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.explanation import Box, Prediction

Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]

FATES = ("dropped", "suppressed", "discarded", "predicted", "beyond the maximum")
"""What can become of a candidate; the last one is reached by a candidate with too many better ones."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What became of one candidate.

    Parameters
    ----------
    prediction : Prediction
        Its label, score, box, threshold and label number.
    fate : str
        One of `FATES`.
    by : int, optional
        The candidate that suppressed it, by its position in the trace.
    overlap : float, optional
        Intersection over union with that candidate.
    """

    prediction: Prediction
    fate: str
    by: int | None = None
    overlap: float | None = None

    def __str__(self) -> str:
        text = f"{self.prediction.name} {self.prediction.score:.3f} {self.fate}"
        return text if self.by is None else f"{text} by {self.by} with overlap {self.overlap:.3f}"


@dataclass(frozen=True, slots=True, eq=False)
class Trace(Sequence[Candidate]):
    """Every candidate of a network's output, in the order of the tensors, and what became of it.

    A sequence of `Candidate`; the arrays have one row for each.

    Parameters
    ----------
    boxes : float64 array (candidates, 4), optional
        x0 y0 x1 y1 in fractions of the image; None for a classification.
    scores : float64 array (candidates,)
        0..1.
    labels : int64 array (candidates,)
        Positions in ``names``; -1 for a dropped candidate whose label number no label has.
    fates : int64 array (candidates,)
        Positions in `FATES`.
    by : int64 array (candidates,)
        The candidate that suppressed this one, or -1.
    overlaps : float64 array (candidates,)
        Intersection over union with the candidate that suppressed this one, or 0.
    names : sequence of (int, str)
        Number and name of each label.
    thresholds : sequence of float
        Of each label.
    """

    boxes: Float64 | None
    scores: Float64
    labels: Int64
    fates: Int64
    by: Int64
    overlaps: Float64
    names: tuple[tuple[int, str], ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        for values in (self.boxes, self.scores, self.labels, self.fates, self.by, self.overlaps):
            if values is not None:
                values.flags.writeable = False

    def __len__(self) -> int:
        return self.scores.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        row = range(len(self))[index]  # counts from the end, and raises IndexError
        suppressed = self.by[row] >= 0
        return Candidate(
            self.prediction(row),
            FATES[self.fates[row]],
            by=int(self.by[row]) if suppressed else None,
            overlap=float(self.overlaps[row]) if suppressed else None,
        )

    def __iter__(self) -> Iterator[Candidate]:
        return (self[i] for i in range(len(self)))

    def prediction(self, index: int) -> Prediction:
        """Return a candidate as a prediction."""
        label = int(self.labels[index])
        box = None if self.boxes is None else self.boxes[index].tolist()
        number, name = self.names[label] if label >= 0 else (None, "")
        return Prediction(
            (name,),
            float(self.scores[index]),
            region=None if box is None else Box(*box),
            threshold=self.thresholds[label] if label >= 0 else None,
            id=number,
        )

    def select(self, fate: str) -> Int64:
        """Return the positions of the candidates of one fate, by decreasing score.

        Parameters
        ----------
        fate : str
            One of `FATES`.

        Returns
        -------
        int64 array
            Their positions in the trace.
        """
        rows = np.flatnonzero(self.fates == FATES.index(_check.choice("fate", fate, FATES)))
        ordered: Int64 = rows[np.argsort(-self.scores[rows], kind="stable")]
        return ordered
