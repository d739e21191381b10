"""The model as a cooperative game: parts of an input are players, the score of some of them is a coalition's worth.

LIME, KernelSHAP, Shapley values and feature ablation all ask such a game; they differ in which coalitions they choose.
Who the players are is for the kind of input to say: regions of an image, segments of a recording, words of a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.kernels import masks

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run
    from xplain.attributions.engine.supplies import Players


Array = npt.NDArray[Any]
Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]


def like_input(run: Run, baseline: Array) -> Array:
    """Return a baseline in the input's dtype, so that one image can show pixels of both."""
    if run.prepared.array.dtype == np.uint8:
        return np.clip(np.rint(baseline), 0, 255).astype(np.uint8)
    return baseline


class Game:
    """Players of one input: a coalition shows its own parts of the input and the background elsewhere.

    Of several backgrounds, a coalition's worth is the mean score over them, so that values of the players are those of
    the mean game. Every coalition is evaluated at most once, with each background.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts.
    background : sequence of numpy.ndarray
        (...) each, what absent parts show.

    Attributes
    ----------
    count : int
        Number of players.
    full : float64 array (T,)
        Scores of the input.
    """

    def __init__(self, run: Run, players: Players, background: Sequence[Array]) -> None:
        self._run = run
        self.players = players
        self._image = run.prepared.array
        self._background = [like_input(run, each) for each in background]
        self.count = players.count
        self.full = run.score(self._image)
        axis = run.model.channel_axis
        self._players_of_pixels = np.expand_dims(players.labels, axis)
        if axis == -1:  # numpy.copyto is slow where its mask is broadcast along the last axis
            self._players_of_pixels = np.broadcast_to(self._players_of_pixels, self._image.shape).copy()
        self._scores = {np.packbits(np.ones(self.count, bool)).tobytes(): self.full}
        run.quality.add("players", self.count)

    @cached_property
    def empty(self) -> Float64:
        """Scores (T,) of the background, the mean of several."""
        scores: Float64 = self.worth(np.zeros((1, self.count), bool))[0]
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
            for row, score in zip(rows, self._mean_scores(coalitions[rows]), strict=True):
                self._scores[keys[row]] = score
        return np.array([self._scores[key] for key in keys])

    def _mean_scores(self, coalitions: Bool) -> Float64:
        """Score coalitions (n, players), on each background in turn: the means (n, T)."""
        several = len(self._background)

        def make(start: int, stop: int) -> Array:
            variants = np.arange(start, stop)
            shown = self._background[0] if several == 1 else np.stack([self._background[i % several] for i in variants])
            return masks.keep_regions(coalitions[variants // several], self._players_of_pixels, self._image, shown)

        means = np.zeros((len(coalitions), len(self._run.targets)))
        for part, scores in self._run.evaluate(make, len(coalitions) * several):
            np.add.at(means, np.arange(part.start, part.stop) // several, scores)
        return means / several

    def paint(self, values: Float64) -> Float64:
        """Draw the map of the players' values: (players, T) -> (T, h, w)."""
        return self.players.paint(values)

    def sole_player(self) -> Float64:
        """Draw the map of a game of one player, such as a text of one word: all that the score gains."""
        return self.paint((self.full - self.empty)[np.newaxis])

    def note_errors(self, values: Float64, errors: Float64) -> None:
        """Note how far values (players, T) miss the gain of the score, and their standard errors (players, T)."""
        notes = self._run.quality
        notes.completeness(values.sum(axis=0), self.full, self.empty)
        notes.standard_error(self.players.spread(errors**2))
        notes.add_each("standard_error_max", errors.max(axis=0))
