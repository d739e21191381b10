"""One call for signals: each window of a recording is explained, and the windows' maps are added up.

A window (axes, time) is seen as an image of one channel, so that methods and engine are those of images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions import call
from xplain.attributions.table import METHODS
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Heatmap, Prediction, SignalScores, Source
from xplain.models import Geometry, Prepared, PreparedSignal, SignalClassifier

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]

#: How notes of several windows become one; of any other note the first window's is kept.
_COMBINED: Mapping[str, Callable[[Any], Any]] = {
    "score": np.sum,
    "baseline_score": np.sum,
    "completeness_residual": np.sum,
    "standard_error": lambda errors: np.sqrt(np.mean(np.square(errors))),
    "standard_error_max": np.max,
    "fit": np.min,
}


class WindowView:
    """A signal classifier with the face of an image classifier: its images are windows, (1, axes, time).

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

    def prepared(self, window: npt.NDArray[np.float32]) -> Prepared:
        """Return a window (axes, time) as the engine takes it."""
        return Prepared(Source("signal"), window[np.newaxis], Geometry.identity(*window.shape))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores of windows (n, 1, axes, time); gradients flow."""
        return self.signal_model.forward(batch[:, 0])

    def scores(self, batch: npt.NDArray[np.float32]) -> Scores:
        """Score windows (n, 1, axes, time), without gradients."""
        return self.signal_model.scores(batch[:, 0])


def run(
    model: SignalClassifier,
    inputs: Sequence[PreparedSignal],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    windows: Any = None,
    **arguments: Any,
) -> list[Explanation]:
    """Explain the predictions of a signal classifier; see `_dispatch.run`.

    There is one attribution for each target, over the whole recording: what the windows' maps say of a reading is added
    up over the windows that hold it. So it explains the sum of the class's scores over the windows, and what a method
    shares out of a window's score it shares out of that sum. ``windows`` is the number of the only window to explain,
    or a sequence of numbers; readings of no such window get 0. A target of None is the class with the highest mean
    probability over the windows that are explained.
    """
    entry = METHODS[method or ("occlusion" if model.module is None else "integrated-gradients")]
    call.refuse_black_box(entry, model)
    arguments["method"] = entry.name
    return [
        _explain(model, prepared, target, windows, arguments) for prepared, target in zip(inputs, targets, strict=True)
    ]


def _explain(
    model: SignalClassifier, prepared: PreparedSignal, target: Any, windows: Any, arguments: Mapping[str, Any]
) -> Explanation:
    scores = model.all_scores(prepared)
    numbers = _numbers(windows, len(scores))
    mean = model.probabilities(scores)[numbers].mean(axis=0)
    targets = list(model.targets(target, mean))
    view = WindowView(model)
    cut = prepared.windows()
    parts = call.run(
        cast(Any, view), [view.prepared(cut[i]) for i in numbers], [targets] * len(numbers), parts=True, **arguments
    )
    sums, counts = _added(prepared, numbers, parts)
    first = parts[0]
    region = prepared.region(numbers[0]) if len(numbers) == 1 < len(scores) else None
    attributions = []
    for t, index in enumerate(targets):
        explained = Prediction(model.label(index), float(mean[index]), region=region, id=index)
        call.refuse_zeros(sums[t], explained.name, METHODS[arguments["method"]], first.provenance.options)
        quality = _quality([part.attributions[t].quality for part in parts])
        quality |= {"windows": len(numbers), "windows_per_reading": [int(counts.min()), int(counts.max())]}
        attributions.append(Attribution(explained, SignalScores(sums[t]), first.provenance.method, quality))
    provenance = replace(
        first.provenance,
        options={**first.provenance.options, "windows": None if windows is None else numbers},
        evaluations=len(scores) + sum(part.provenance.evaluations or 0 for part in parts),
        seconds=sum(part.provenance.seconds or 0.0 for part in parts),
    )
    predictions = model.predictions_of(prepared, scores, top=scores.shape[1])
    return Explanation(model.task, prepared.source, predictions, tuple(attributions), provenance)


def _numbers(windows: Any, count: int) -> list[int]:
    """Return the numbers of the windows to explain."""
    if windows is None:
        return list(range(count))
    several = isinstance(windows, (Sequence, np.ndarray)) and not isinstance(windows, str)
    numbers = [_check.integer("windows", number) for number in (windows if several else [windows])]
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong or not numbers or len(set(numbers)) < len(numbers):
        raise InputError(
            f"windows must be numbers of windows from 0 to {count - 1}, each once, got {wrong[0] if wrong else windows}"
        )
    return numbers


def _added(
    prepared: PreparedSignal, numbers: Sequence[int], parts: Sequence[Explanation]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Add the windows' maps up, (T, axes, time), and count the windows that hold each reading, (time,)."""
    sums = np.zeros((len(parts[0].attributions), *prepared.values.shape))
    counts = np.zeros(prepared.values.shape[1], np.int64)
    for number, part in zip(numbers, parts, strict=True):
        start = prepared.starts[number]
        place = slice(start, start + prepared.length)
        counts[place] += 1
        for total, attribution in zip(sums, part.attributions, strict=True):
            total[:, place] += cast(Heatmap, attribution.evidence).values
    return sums, counts


def _quality(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Combine what is noted of the windows."""
    if len(each) == 1:
        return dict(each[0])
    combined = {
        key: float(_COMBINED[key]([notes[key] for notes in each])) if key in _COMBINED else value
        for key, value in each[0].items()
    }
    if "completeness_relative" in combined:
        change = abs(combined["score"] - combined["baseline_score"])
        combined["completeness_relative"] = abs(combined["completeness_residual"]) / change if change else 0.0
    return combined
