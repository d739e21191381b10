"""Signals: each window of a recording is explained, and the windows' maps are added up.

Lengths are in readings of the model's window. Baselines are in units of the model's input: normalised, if the model
normalises. The value of a segment is shared out evenly among its readings, so that the maps of all methods are in units
of the score for each reading, and those that share out a change of the score add up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions import call
from xplain.attributions.engine.maps import combined_provenance, combined_quality, with_notes
from xplain.attributions.engine.supplies import Cover, Players, Supplies
from xplain.attributions.kinds.backgrounds import gathered, members
from xplain.attributions.kinds.views import ClassView, numbered
from xplain.attributions.table import Method
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Prediction, Provenance, SignalScores, Source, Window
from xplain.inputs import baselines as baseline_images
from xplain.kernels import masks
from xplain.models import Geometry, Prepared, PreparedSignal, SignalClassifier

if TYPE_CHECKING:
    import torch


Baseline = float | str | npt.ArrayLike
Scores = npt.NDArray[np.float64]

_SEGMENTS = 10  # of a window's time, if a caller does not say how many


def explain(
    model: SignalClassifier, inputs: Sequence[PreparedSignal], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain predictions of a signal classifier; see `xplain.attributions.run`.

    There is one attribution for each target, over the whole recording: the value of a reading is the sum of its values
    in the windows that hold it. So it explains the sum of the class's scores over the windows, and if a method's values
    add up to the change of a window's score, these add up to the change of that sum. The option ``windows`` is the
    number of the only window to explain, or a sequence of numbers; readings of no such window get 0. A target of None
    is the class with the highest mean probability over the windows that are explained.
    """
    windows, request = gathered(request, ndim=2).take("windows")
    entry = call.choose_method(model, request, "occlusion" if model.module is None else "integrated-gradients")
    return [
        _explain_recording(model, prepared, target, windows, entry, request)
        for prepared, target in zip(inputs, targets, strict=True)
    ]


class Windows(ClassView):
    """A signal classifier of windows, (1, axes, time); the options of what it supplies are those that a caller sets.

    Parameters
    ----------
    model : SignalClassifier
        What is explained.
    """

    def __init__(self, model: SignalClassifier) -> None:
        super().__init__(model)
        self.signal_model = model

    def prepared_input(self, window: npt.NDArray[np.float32], number: int) -> Prepared:
        """Return a window (axes, time) of a recording, by its number there, as the engine takes it."""
        identity = numbered(number, window)
        return Prepared(Source("signal"), window[np.newaxis], Geometry.identity(*window.shape), identity)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores of windows (n, 1, axes, time); gradients flow."""
        return self.signal_model.forward(batch[:, 0])

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score windows (n, 1, axes, time), without gradients."""
        return self.signal_model.scores(batch[:, 0])

    @property
    def supplies(self) -> Supplies:
        """All that methods may ask for."""
        return Supplies("signals", self.baseline, self.baselines, self.players, self.cover)

    def baseline(self, prepared: Prepared, *, baseline: Any = 0.0) -> list[npt.NDArray[np.float32]]:
        """Return the window that stands for "nothing there", or a set of windows whose explanations are averaged.

        Parameters
        ----------
        prepared : Prepared
            The window.
        baseline : float, "mean", array_like, or a list of those
            In units of the model's input: a number; "mean", each axis's own mean over the window; a number for each
            axis; or (axes, time). A list, or an array (k, axes, time), is a set, such as the windows of a real
            recording, ``model.prepare(recording).windows()``. A set costs k times as much.
        """
        return [self._baseline(prepared, spec) for spec in members("baseline", baseline, 2)]

    def _baseline(self, prepared: Prepared, baseline: Baseline) -> npt.NDArray[np.float32]:
        """Return one baseline."""
        axes, time = prepared.array.shape[1:]
        if isinstance(baseline, str):
            _check.choice("baseline", baseline, ("mean",))
        elif np.ndim(baseline) == 1 and len(np.asarray(baseline)) == axes:
            baseline = np.reshape(baseline, (1, axes, 1))
        elif np.ndim(baseline) != 0 and np.shape(baseline) != (axes, time):
            raise InputError(
                f"baseline must be a number, 'mean', one number for each of {axes} axes, or ({axes}, {time}), got "
                f"shape {np.shape(baseline)}"
            )
        # The mean of an image's one channel would be that of all axes.
        of_axes = prepared.array.mean(axis=2, keepdims=True, dtype=np.float64)
        return baseline_images.make(prepared.array, 0, of_axes if isinstance(baseline, str) else baseline)

    def baselines(self, prepared: Prepared, *, baselines: Any = (0.0, "mean")) -> list[npt.NDArray[np.float32]]:
        """Return several baselines.

        Parameters
        ----------
        prepared : Prepared
            The window.
        baselines : baseline or set of baselines
            As for `baseline`; a list of numbers is a set of windows that these fill.
        """
        several = isinstance(baselines, (list, tuple))
        specs = list(baselines) if several and baselines else members("baselines", baselines, 2)
        return [self._baseline(prepared, spec) for spec in specs]

    def players(self, prepared: Prepared, *, segments: Any = None, together: bool = False) -> Players:
        """Return segments of the window as players; the value of a segment is shared out evenly among its readings.

        Parameters
        ----------
        prepared : Prepared
            The window.
        segments : int, or integer array (axes, time), optional
            Into how many segments the window's time is divided; or a feature mask, where readings of one segment share
            a number. If left out 10, or one for each reading of a shorter window. The only one has the whole change of
            the score.
        together : bool
            Whether a segment of time holds all axes; else there is one for each axis. A feature mask ignores it.
        """
        axes, time = prepared.array.shape[1:]
        if segments is None:
            segments = min(_SEGMENTS, time)
        if np.ndim(segments) == 0:
            count = _check.integer("segments", segments, least=1)
            if count > time:
                raise InputError(f"segments must be at most {time}, the readings of the model's window, got {count}")
            columns = np.arange(time) * count // time
            rows = np.zeros(axes, np.int64) if _check.boolean("together", together) else np.arange(axes)
            labels = rows[:, None] * count + columns
        else:
            labels = np.asarray(segments)
            if labels.dtype.kind not in "iu" or labels.shape != (axes, time):
                raise InputError(
                    f"segments must be a number of segments, or integers ({axes}, {time}), got {labels.dtype} "
                    f"{labels.shape}"
                )
        _, inverse = np.unique(labels, return_inverse=True)
        numbered: npt.NDArray[np.int64] = inverse.reshape(axes, time).astype(np.int64)
        return Players(numbered, is_shared=True, noun="segments", remedy="lower segments")

    def cover(
        self,
        prepared: Prepared,
        *,
        length: int | float = 0.1,
        stride: int | float | None = None,
        together: bool = False,
    ) -> Cover:
        """Return the positions of a segment of time, which cover the window.

        A reading's value is the mean, over the segments that cover it, of the loss shared out among the readings of the
        segment. Where segments overlap, the last is moved back to end with the window. By default they do not, and are
        spread evenly if they do not fit: 125 readings in segments of 12 are 11 of 11 or 12.

        Parameters
        ----------
        prepared : Prepared
            The window.
        length : int or float
            Of the segment: readings (int), or a part of the window, above 0 and at most 1 (float).
        stride : int or float, optional
            From the start of a segment to that of the next, at most ``length``, which it is if left out.
        together : bool
            Whether a segment covers all axes at once; else one after the other.
        """
        axes, time = prepared.array.shape[1:]
        extent = _readings("length", length, time)
        step = extent if stride is None else _readings("stride", stride, time)
        if step > extent:
            raise InputError(
                f"stride must be at most the length, {extent} readings, got {step}; readings would be left out"
            )
        rows = np.ones((1, axes)) if _check.boolean("together", together) else np.eye(axes)
        columns = masks.slide(time, extent, step)
        # Segments that overlap are of one size; of others each reading has that of its own.
        sizes = (columns.sum(axis=1) @ columns) / columns.sum(axis=0)
        return Cover(rows, columns, rows[0].sum() * sizes)


def _readings(name: str, value: Any, time: int) -> int:
    """Return a length in readings, from readings (int) or a part of the window (float)."""
    if isinstance(value, float):
        if not 0 < value <= 1:
            raise _check.wrong(name, "a part above 0 and at most 1", value, "readings are an int")
        return max(1, round(value * time))
    readings = _check.integer(name, value, least=1)
    if readings > time:
        raise InputError(f"{name} must be at most {time}, the readings of the model's window, got {readings}")
    return readings


def _explain_recording(
    model: SignalClassifier,
    prepared: PreparedSignal,
    target: Any,
    windows: Any,
    entry: Method,
    request: call.Request,
) -> Explanation:
    scores = model.all_scores(prepared)
    model = model.as_read(scores, prepared)
    numbers = _window_numbers(windows, len(scores))
    mean_probabilities = model.probabilities(scores)[numbers].mean(axis=0)
    targets = list(model.targets(target, mean_probabilities))
    view, all_windows = Windows(model), prepared.windows()
    inputs = [view.prepared_input(all_windows[number], number) for number in numbers]
    session = call.open_session(view, inputs, [targets] * len(numbers), request, is_one=True)
    of_windows = call.compute_maps(session, view.supplies, entry, request, lambda maps: maps)
    maps, counts = add_maps(prepared, numbers, [each.maps for each in of_windows])
    provenance = combined_provenance([each.provenance for each in of_windows], len(scores))
    coverage = [prepared.length / np.count_nonzero(counts)] * len(numbers)
    region = prepared.region(numbers[0]) if len(numbers) == 1 < len(scores) else None
    attributions = []
    for t, index in enumerate(targets):
        prediction = recording_prediction(model, mean_probabilities, index, region)
        quality = combined_quality([each.quality[t] for each in of_windows], coverage)
        quality |= {"windows": len(numbers), "windows_per_reading": [int(counts.min()), int(counts.max())]}
        evidence = SignalScores(maps[t])
        checks = [each.checks[t] for each in of_windows]
        quality = with_notes(quality, evidence.values, checks, model.doubts(scores[numbers[0]]))
        quality = with_reading(quality, prepared)
        attributions.append(Attribution(prediction, evidence, entry.name, quality))
    options = {**provenance.options, "windows": None if windows is None else numbers}
    provenance = with_axes(replace(provenance, options=options), prepared)
    predictions = model.predictions_of(prepared, scores, top=scores.shape[1])
    return Explanation(model.task, prepared.source, predictions, tuple(attributions), provenance)


def _window_numbers(windows: Any, count: int) -> list[int]:
    """Return the numbers of the windows to explain, of ``count`` windows."""
    if windows is None:
        return list(range(count))
    is_sequence = isinstance(windows, (Sequence, np.ndarray)) and not isinstance(windows, str)
    numbers = [_check.integer("windows", number) for number in (windows if is_sequence else [windows])]
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong or not numbers or len(set(numbers)) < len(numbers):
        raise InputError(
            f"windows must be numbers of windows from 0 to {count - 1}, each once, got {wrong[0] if wrong else windows}"
        )
    return numbers


def recording_prediction(
    model: SignalClassifier, mean_probabilities: Scores, index: int, region: Window | None = None
) -> Prediction:
    """Return one class of a recording as a prediction: its mean probability (classes,) over the explained windows."""
    prediction = model.prediction_of(float(mean_probabilities[index]), index, len(mean_probabilities))
    return replace(prediction, region=region)


def with_reading(quality: dict[str, Any], prepared: PreparedSignal) -> dict[str, Any]:
    """Return quality with what a reader has to know of how the recording was read."""
    return {**quality, "notes": [*prepared.notes, *quality.get("notes", ())]} if prepared.notes else quality


def with_axes(provenance: Provenance, prepared: PreparedSignal) -> Provenance:
    """Return provenance that names the axes, also where the recording does and the model does not."""
    if prepared.axes is None:
        return provenance
    return replace(provenance, preprocessing={**provenance.preprocessing, "axes": list(prepared.axes)})


def add_maps(
    prepared: PreparedSignal, numbers: Sequence[int], of_windows: Sequence[npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add up maps (T, axes, readings) of windows: (T, axes, time), and how many hold each reading, (time,)."""
    sums = np.zeros((len(of_windows[0]), *prepared.values.shape))
    counts = np.zeros(prepared.values.shape[1], np.int64)
    for number, maps in zip(numbers, of_windows, strict=True):
        start = prepared.starts[number]
        readings = slice(start, start + prepared.length)
        counts[readings] += 1
        sums[:, :, readings] += maps
    return sums, counts
