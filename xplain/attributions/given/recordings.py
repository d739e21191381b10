"""Numbers for recordings: over the whole of one, or window by window as the model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xplain.attributions.given.numbers import Float64
from xplain.attributions.given.reading import Asked, Placed, Reading
from xplain.attributions.kinds.signals import add_maps, recording_prediction, with_axes, with_reading
from xplain.explanation import Attribution, Explanation, Provenance, SignalScores
from xplain.models import SignalClassifier


class Recording(Asked):
    """A signal classifier and one recording.

    Parameters
    ----------
    model : SignalClassifier
        What predicts.
    recording, target
        As for `xplain.explain`.
    """

    def __init__(self, model: SignalClassifier, recording: Any, target: Any) -> None:
        self.prepared = model.prepare(recording)
        self._window_scores = model.all_scores(self.prepared)
        self.model = self._classifier = model = model.as_read(self._window_scores, self.prepared)
        mean = model.probabilities(self._window_scores).mean(axis=0)
        self.classes = tuple(model.targets(target, mean))
        self.class_count = mean.size
        self.targets = tuple(recording_prediction(model, mean, index) for index in self.classes)
        self.evaluations = len(self._window_scores)

    @property
    def windows(self) -> int:
        """How many windows the model reads."""
        return len(self.prepared.starts)

    def scores(self) -> Float64:
        """Return the model's own output for the T targets, added up over the windows, (T,)."""
        assert self.classes is not None
        total: Float64 = self._window_scores.sum(axis=0)[list(self.classes)]
        return total

    def place(self, values: Float64, reading: Reading) -> Placed:
        """Return a number for each reading, (axes, time); numbers of windows add up where these overlap."""
        reading.refuse("a recording", "layout", "frame", "tokens")
        given, (axes, time) = values, self.prepared.values.shape
        of_windows = (self.windows, axes, self.prepared.length)
        if values.shape == of_windows and self.windows > 1:
            maps, _ = add_maps(self.prepared, range(self.windows), list(values[:, None]))
            return Placed(maps[0], (f"the numbers of {self.windows} windows were added up",))
        while values.ndim > 2 and len(values) == 1:
            values = values[0]
        if values.ndim == 1 and axes == 1:
            values = values[None]
        if values.shape != (axes, time):
            expected = f"({axes}, {time}), the recording's axes and readings"
            if self.windows > 1:
                expected += f", or {of_windows}, its windows"
            remedy = "for several targets name as many" if values.ndim > 2 else ""
            if values.shape == (time, axes):
                remedy = "it lies on its side: transpose it"
            raise reading.wrong_shape(expected, given, remedy)
        return Placed(values)

    def explanation(
        self, maps: Sequence[Float64], quality: list[dict[str, Any]], provenance: Provenance
    ) -> Explanation:
        """Make an explanation of the readings' numbers."""
        model, scores = self._classifier, self._window_scores
        attributions = tuple(
            Attribution(
                target,
                SignalScores(values.astype(np.float32)),
                provenance.method,
                with_reading(notes, self.prepared),
            )
            for target, values, notes in zip(self.targets, maps, quality, strict=True)
        )
        predictions = model.predictions_of(self.prepared, scores, top=scores.shape[1])
        return Explanation(
            model.task, self.prepared.source, predictions, attributions, with_axes(provenance, self.prepared)
        )
