"""Signals: each window of a recording is explained, and the windows' maps are added up.

A window (axes, time) passes for an image of one channel, so that methods and engine are those of images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions import call
from xplain.attributions.table import Method
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Heatmap, Prediction, SignalScores, Source
from xplain.models import Geometry, Prepared, PreparedSignal, SignalClassifier

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]

#: How the notes of several windows become one; of any other note the first window's is kept. Scores add up, as the
#: explained score is their sum.
_COMBINE: Mapping[str, Callable[[Any], Any]] = {
    "score": np.sum,
    "baseline_score": np.sum,
    "completeness_residual": np.sum,
    "standard_error": lambda errors: np.sqrt(np.mean(np.square(errors))),
    "standard_error_max": np.max,
    "fit": np.min,
}


class WindowView:
    """A signal classifier with the members of an image classifier: its images are windows, (1, axes, time).

    Parameters
    ----------
    model : SignalClassifier
        What is explained.
    """

    channel_axis = 0
    layer = None

    def __init__(self, model: SignalClassifier) -> None:
        self.signal_model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.signal_model, name)

    def prepared_input(self, window: npt.NDArray[np.float32]) -> Prepared:
        """Return a window (axes, time) as the engine takes it."""
        return Prepared(Source("signal"), window[np.newaxis], Geometry.identity(*window.shape))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores of windows (n, 1, axes, time); gradients flow."""
        return self.signal_model.forward(batch[:, 0])

    def scores(self, batch: npt.NDArray[np.float32]) -> Scores:
        """Score windows (n, 1, axes, time), without gradients."""
        return self.signal_model.scores(batch[:, 0])


def explain(
    model: SignalClassifier,
    inputs: Sequence[PreparedSignal],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    windows: Any = None,
    **arguments: Any,
) -> list[Explanation]:
    """Explain predictions of a signal classifier; see `xplain.attributions.run`.

    There is one attribution for each target, over the whole recording: the value of a reading is the sum of its values
    in the windows that hold it. So it explains the sum of the class's scores over the windows, and if a method's values
    add up to the change of a window's score, these add up to the change of that sum. ``windows`` is the number of the
    only window to explain, or a sequence of numbers; readings of no such window get 0. A target of None is the class
    with the highest mean probability over the windows that are explained.
    """
    entry = call.choose_method(model, method, for_module="integrated-gradients", for_black_box="occlusion")
    return [
        _explain_recording(model, prepared, target, windows, entry, arguments)
        for prepared, target in zip(inputs, targets, strict=True)
    ]


def _explain_recording(
    model: SignalClassifier,
    prepared: PreparedSignal,
    target: Any,
    windows: Any,
    entry: Method,
    arguments: Mapping[str, Any],
) -> Explanation:
    scores = model.all_scores(prepared)
    numbers = _window_numbers(windows, len(scores))
    mean_probabilities = model.probabilities(scores)[numbers].mean(axis=0)
    targets = list(model.targets(target, mean_probabilities))
    view = WindowView(model)
    all_windows = prepared.windows()
    # A window without evidence is no error: only a whole recording without any is, below.
    by_window = call.explain(
        cast(Any, view),
        [view.prepared_input(all_windows[number]) for number in numbers],
        [targets] * len(numbers),
        method=entry.name,
        allow_zeros=True,
        **arguments,
    )
    maps, counts = _add_maps(prepared, numbers, by_window)
    first = by_window[0].provenance
    region = prepared.region(numbers[0]) if len(numbers) == 1 < len(scores) else None
    attributions = []
    for t, index in enumerate(targets):
        prediction = Prediction(model.label(index), float(mean_probabilities[index]), region=region, id=index)
        call.refuse_zeros(maps[t], prediction.name, entry, first.options)
        quality = _combine_quality([explanation.attributions[t].quality for explanation in by_window])
        quality |= {"windows": len(numbers), "windows_per_reading": [int(counts.min()), int(counts.max())]}
        attributions.append(Attribution(prediction, SignalScores(maps[t]), first.method, quality))
    provenance = replace(
        first,
        options={**first.options, "windows": None if windows is None else numbers},
        evaluations=len(scores) + sum(explanation.provenance.evaluations or 0 for explanation in by_window),
        seconds=sum(explanation.provenance.seconds or 0.0 for explanation in by_window),
    )
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


def _add_maps(
    prepared: PreparedSignal, numbers: Sequence[int], by_window: Sequence[Explanation]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add the windows' maps up, (T, axes, time), and count the windows that hold each reading, (time,)."""
    sums = np.zeros((len(by_window[0].attributions), *prepared.values.shape))
    counts = np.zeros(prepared.values.shape[1], np.int64)
    for number, explanation in zip(numbers, by_window, strict=True):
        start = prepared.starts[number]
        readings = slice(start, start + prepared.length)
        counts[readings] += 1
        for total, attribution in zip(sums, explanation.attributions, strict=True):
            total[:, readings] += cast(Heatmap, attribution.evidence).values
    return sums, counts


def _combine_quality(by_window: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Combine the notes about the windows' maps."""
    if len(by_window) == 1:
        return dict(by_window[0])
    combined = {
        key: float(_COMBINE[key]([notes[key] for notes in by_window])) if key in _COMBINE else value
        for key, value in by_window[0].items()
    }
    if "completeness_relative" in combined:
        change = abs(combined["score"] - combined["baseline_score"])
        combined["completeness_relative"] = abs(combined["completeness_residual"]) / change if change else 0.0
    return combined
