"""Signal classifiers: torch modules, or any callable that scores windows of a recording.

A recording of any length is explained window by window: the model scores each window alone, and each has its own
predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Prediction, Source, Window
from xplain.inputs import signals
from xplain.kernels import masks
from xplain.models import borrowing
from xplain.models.base import Classifier

if TYPE_CHECKING:
    import torch


Float32 = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

_BATCH = 64  # windows in one call of the model


@dataclass(frozen=True, slots=True)
class PreparedSignal:
    """A recording as the input of a model.

    Parameters
    ----------
    source : Source
        The recording; its content is float32 (axes, time) before normalisation.
    values : numpy.ndarray
        float32 (axes, time), normalised.
    starts : tuple of int
        First reading of each window.
    length : int
        Readings in a window.
    axes : tuple of str or None
        Names of the axes: the model's, or those that the recording has.
    notes : tuple of str
        What a reader has to know of how the recording was read.
    """

    source: Source
    values: Float32
    starts: tuple[int, ...]
    length: int
    axes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def windows(self) -> Float32:
        """Return the windows as float32 (windows, axes, readings)."""
        return np.stack([self.values[:, start : start + self.length] for start in self.starts])

    def region(self, number: int) -> Window:
        """Return when a window begins and ends, in milliseconds."""
        rate = self.source.sample_rate_hz
        assert rate is not None
        start = self.starts[number]
        return Window(1000 * start / rate, 1000 * (start + self.length) / rate)


class SignalClassifier(Classifier):
    """A model that scores the classes of a window of a signal: of an accelerometer, a microphone, an ECG.

    A recording that is longer than the window is read in windows that begin every ``stride`` readings. The last window
    is moved back to end with the recording, so that each reading is in a window.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A module maps float32 (batch, axes, window) to (batch, classes), alone or in a tuple, a mapping or an object
        with ``logits``. A callable is a black box: it is given the same as an array, and returns an array or a tensor
        (batch, classes), or answers that name their scores. An estimator of scikit-learn is given each window as one
        row, a pipeline of transformers for audio as it is.
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels; a label may be a path, as a tuple of str. If left out, those of the model
        (``config.id2label``, ``names``), else the class numbers.
    sample_rate_hz : float
        Readings a second on each axis; a pipeline of transformers says it.
    window : int
        Readings on each axis that the model is given at once.
    stride : int, optional
        Readings from the start of a window to that of the next, at most ``window``; that many if left out.
    axes : sequence of str, optional
        Names of the axes, as ``["accX", "accY", "accZ"]``.
    mean, std : float or sequence of float
        The input is ``(reading - mean) / std``, by one number or one for each axis.
    output : {"logit", "probability", "value"}, optional
        What the model returns: scores before a softmax or a sigmoid, probabilities, or values that are neither, as of a
        regression. If left out, what the model's configuration says, else logits. Where these come out of a softmax or
        a sigmoid, or a callable's all lie in 0..1 and add up to 1, on the input and for "nothing there", they are read
        as probabilities, and provenance says so. One score for two labels is that of the second.
    multilabel : bool, optional
        Whether classes are independent of each other (logits pass a sigmoid, not a softmax); what the model's
        configuration says if left out. A single class always is.
    name : str, optional
        The model's name in documents.

    Examples
    --------
    >>> def shaking(windows):
    ...     spread = windows.std(axis=2).mean(axis=1)
    ...     return np.stack([1 - spread, spread], axis=1)
    >>> model = SignalClassifier(shaking, ["still", "shaking"], sample_rate_hz=10, window=20, output="probability")
    >>> recording = np.concatenate([np.zeros(20), np.resize([1.0, -1.0], 20)])
    >>> [(best.name, best.score, best.region.start_ms) for best in model.predict(recording, top=1)]
    [('still', 1.0, 0.0), ('shaking', 1.0, 2000.0)]
    """

    task = "signal-classification"

    def __init__(
        self,
        model: Any,
        labels: Any = None,
        *,
        sample_rate_hz: float | None = None,
        window: int,
        stride: int | None = None,
        axes: Sequence[str] | None = None,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        output: str | None = None,
        multilabel: bool | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(model, labels, output, multilabel, name)
        if sample_rate_hz is None:
            sample_rate_hz = self.given.extras.get("sample_rate_hz")
        self.sample_rate_hz = _check.number("sample_rate_hz", sample_rate_hz)
        if self.sample_rate_hz <= 0:
            raise _check.wrong("sample_rate_hz", "above 0", sample_rate_hz)
        self.window = _check.integer("window", window, least=1)
        self.stride = self.window if stride is None else _check.integer("stride", stride, least=1)
        if self.stride > self.window:
            raise InputError(
                f"stride must be at most the window, {self.window} readings, got {self.stride}; readings would be left "
                "out"
            )
        self.axes: tuple[str, ...] | None = None if axes is None else _check.tuple_of("axes", axes, str)
        if self.axes == ():
            raise InputError("axes must name at least one axis, got none; leave them out if they have no names")
        self.mean, self.std = self._per_axis("mean", mean), self._per_axis("std", std)
        if (self.std <= 0).any():
            raise _check.wrong("std", "above 0", std)

    def _per_axis(self, name: str, value: Any) -> npt.NDArray[np.float64]:
        """Return one number, or one for each axis, as a column: it broadcasts over readings (axes, time)."""
        numbers = value if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) else [value]
        column = np.array([_check.number(name, number) for number in numbers]).reshape(-1, 1)
        if self.axes is not None and len(column) not in (1, len(self.axes)):
            raise InputError(f"{name} must be one number, or one for each of {len(self.axes)} axes, got {len(column)}")
        return column

    @property
    def _axis_count(self) -> int | None:
        """How many axes a recording has; None if nothing says it: one mean for all axes does not."""
        count = max(len(self.mean), len(self.std))
        return len(self.axes) if self.axes is not None else count if count > 1 else None

    def prepare(self, recording: Any) -> PreparedSignal:
        """Read a recording, normalise it and divide it into windows.

        Parameters
        ----------
        recording : array_like, torch.Tensor, data frame, mapping, bytes, path or file object
            Numbers (axes, time), or (time,) for one axis; a data frame or a series (of pandas or polars), or a
            dictionary of axis to readings. Files are recognised by what they hold, also packed by gzip: tables as text
            with a column for each axis and a row for each reading, ``.npy``, ``.npz``, WAV (readings from -1 to 1), and
            JSON: arrays, or Edge Impulse's acquisition format. Of a table the columns are those that ``axes`` names, or
            all but clocks and counters of rows. A clock is compared with ``sample_rate_hz``.

        Returns
        -------
        PreparedSignal
            The model's input and its source.

        Raises
        ------
        InputError
            If the recording cannot be read or could be read in several ways, is not finite, has other axes or another
            rate than the model, was taken unevenly, or is shorter than a window.
        """
        loaded = signals.load(recording, self.axes, count=self._axis_count, rate_hz=self.sample_rate_hz)
        values = loaded.values
        self._check_shape(values.shape)
        normalised = ((values - self.mean) / self.std).astype(np.float32)
        source = Source(
            "signal",
            name=loaded.name,
            sha256=loaded.sha256,
            sample_rate_hz=self.sample_rate_hz,
            axes=self.axes or (),
            content=values,
        )
        starts = tuple(masks.starts(values.shape[1], self.window, self.stride).tolist())
        return PreparedSignal(source, normalised, starts, self.window, self.axes or loaded.axes, loaded.notes)

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        axes, time = shape
        expected = self._axis_count
        if expected is not None and axes != expected:
            remedy = "; it lies on its side: transpose it" if time == expected else ""
            raise InputError(f"recording must have {expected} axes, got {axes} (of {time} readings){remedy}")
        if time < self.window:
            raise InputError(
                f"recording must hold at least a window of {self.window} readings, got {axes} axes of {time}; record "
                "longer, pad it as the model's training data was padded, or transpose it if time comes first"
            )

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores (batch, classes) of windows (batch, axes, window); gradients flow."""
        return self.class_tensors(batch)

    def scores(self, windows: Float32) -> Scores:
        """Score windows in one call of the model, without gradients.

        Parameters
        ----------
        windows : numpy.ndarray
            float32 (windows, axes, window), normalised.

        Returns
        -------
        numpy.ndarray
            float64 (windows, classes): the model's own output.
        """
        with borrowing.evaluation(self.module, gradients=False):
            return self.score_rows(windows if self.module is None else self.to_tensor(windows))

    def as_read(self, scores: Scores, prepared: PreparedSignal) -> Self:
        """Return the model with what it returns as the scores (windows, classes) of one recording show it."""

        def at_nothing() -> Scores:
            return self.of_classes(self.scores(np.zeros((1, len(prepared.values), prepared.length), np.float32)))

        return self.read_output(self.of_classes(scores), at_nothing, (len(prepared.values), prepared.length))

    def output_of(self, prepared: PreparedSignal) -> Scores:
        """Return the mean of the model's outputs for the windows of a recording as float64 (classes,)."""
        mean: Scores = self.all_scores(prepared).mean(axis=0)
        return mean

    def all_scores(self, prepared: PreparedSignal) -> Scores:
        """Score each window of a recording: float64 (windows, classes)."""
        windows = prepared.windows()
        return np.concatenate([self.scores(windows[i : i + _BATCH]) for i in range(0, len(windows), _BATCH)])

    def to_tensor(self, windows: Float32) -> torch.Tensor:
        """Return windows as a tensor of the module's device and floating type; a copy, as modules may change it."""
        import torch

        device, dtype = self.placement()
        return torch.tensor(windows, device=device, dtype=dtype)

    def predict(self, recording: Any, top: int = 5) -> tuple[Prediction, ...]:
        """Classify each window of a recording.

        Parameters
        ----------
        recording : array_like, data frame, path or file object
            As for `prepare`.
        top : int
            How many classes to return for each window.

        Returns
        -------
        tuple of Prediction
            For each window in order its classes by decreasing score, which is a probability 0..1; ``region`` is the
            `Window`. If the recording has only one window, ``region`` is None.
        """
        prepared = self.prepare(recording)
        scores = self.all_scores(prepared)
        return self.as_read(scores, prepared).predictions_of(prepared, scores, top)

    def predictions_of(self, prepared: PreparedSignal, scores: Scores, top: int) -> tuple[Prediction, ...]:
        """Return the ``top`` classes of each window of a recording; ``scores`` is float64 (windows, classes)."""
        top = _check.integer("top", top, least=1)
        predictions = []
        for number, row in enumerate(self.probabilities(scores)):
            region = prepared.region(number) if len(scores) > 1 else None
            for index in np.argsort(-self.of_classes(scores[number]), kind="stable")[:top].tolist():
                predictions.append(Prediction(self.label(index), float(row[index]), region=region, id=index))
        return tuple(predictions)

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as JSON values, and what the model returns."""
        return {
            "window": self.window,
            "stride": self.stride,
            "mean": self.mean[:, 0].tolist(),
            "std": self.std[:, 0].tolist(),
            **({} if self.axes is None else {"axes": list(self.axes)}),
            **self.describe_output(),
        }
