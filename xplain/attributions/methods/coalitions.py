"""The model as a cooperative game: regions of an input are players, the score of some of them is a coalition's worth.

LIME, KernelSHAP, Shapley values and feature ablation all ask such a game; they differ in which coalitions they choose.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.attributions.methods.segments import segment
from xplain.kernels import masks

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


def baseline_like_input(run: Run, baseline: Any) -> npt.NDArray[Any]:
    """Return the baseline in the input's dtype, so that one image can show pixels of both."""
    values = run.baseline(baseline)
    if run.prepared.array.dtype == np.uint8:
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return values


class Game:
    """Regions as players: a coalition shows its own regions of the input and the baseline elsewhere.

    Every coalition is evaluated at most once.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments, n_segments
        See `xplain.attributions.methods.segments.segment`.
    baseline
        What absent regions show; see `Run.baseline`.

    Attributes
    ----------
    players : int
        Number of regions.
    full : float64 array (T,)
        Scores of the input.
    """

    def __init__(self, run: Run, segments: Any, n_segments: Any, baseline: Any) -> None:
        self._run = run
        self._labels = segment(run, segments, n_segments)
        self._image = run.prepared.array
        self._baseline = baseline_like_input(run, baseline)
        self.players = int(self._labels.max()) + 1
        self.full = run.score(self._image)
        axis = run.model.channel_axis
        self._players_of_pixels = np.expand_dims(self._labels, axis)
        if axis == -1:  # numpy.copyto is slow where its mask is broadcast along the last axis
            self._players_of_pixels = np.broadcast_to(self._players_of_pixels, self._image.shape).copy()
        self._scores = {np.packbits(np.ones(self.players, bool)).tobytes(): self.full}
        run.note("players", self.players)

    @cached_property
    def empty(self) -> Float64:
        """Scores (T,) of the baseline."""
        scores: Float64 = self.worth(np.zeros((1, self.players), bool))[0]
        return scores

    def worth(self, coalitions: Bool) -> Float64:
        """Return the scores of coalitions.

        Parameters
        ----------
        coalitions : bool array (n, players)

        Returns
        -------
        float64 array (n, T)
        """
        keys = [row.tobytes() for row in np.packbits(coalitions, axis=1)]
        # The first row of each new coalition; in reverse, since of equal keys a dict keeps the last.
        first = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._scores}
        rows = np.array(sorted(first.values()), dtype=np.intp)
        if len(rows):

            def make(start: int, stop: int) -> npt.NDArray[Any]:
                return masks.keep_regions(
                    coalitions[rows[start:stop]], self._players_of_pixels, self._image, self._baseline
                )

            for part, scores in self._run.evaluate(make, len(rows)):
                self._scores.update((keys[row], score) for row, score in zip(rows[part], scores, strict=True))
        return np.array([self._scores[key] for key in keys])

    def paint(self, values: Float64) -> Float64:
        """Give each pixel the value of its region: (players, T) -> (T, height, width)."""
        return values.T[:, self._labels]

    def note_errors(self, values: Float64, errors: Float64) -> None:
        """Store how far values (players, T) miss the gain of the score, and their standard errors (players, T)."""
        self._run.note_completeness(values.sum(axis=0), self.empty)
        self._run.note_standard_error(self.paint(errors**2))
        self._run.note_each("standard_error_max", errors.max(axis=0))
