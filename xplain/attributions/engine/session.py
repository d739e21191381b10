"""What the inputs of one call share: the model, its limits, the counts, and passes over several inputs at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import AttributionError, XplainError
from xplain.models import ImageClassifier, Prepared

if TYPE_CHECKING:
    import torch

    from xplain.attributions.engine.autograd import Rules
    from xplain.attributions.engine.observe import Observation


#: The largest activation of a whole batch that is still fast: on a CPU it has to stay in the caches, where each of 4
#: photos through a mobile network costs a third of each of 32; a GPU has to be filled instead.
_WORKING_SET = {"cpu": 24 * 2**20, "gpu": 2**30}
_MOST = 256
_CPU_MEMORY = 2**30


def batch_size(peak: int, total: int, device: str, memory: int | None) -> int:
    """Choose how many inputs to evaluate together.

    The choice depends on the model and the memory budget only. Timing a few sizes would choose a little better, but
    sums in batches of another size differ in their last bits, and two runs are to give the same bytes.

    Parameters
    ----------
    peak, total : int
        Bytes of the largest activation and of all activations of one input.
    device : str
        Where the model is: ``"cpu"``, or anything else for an accelerator.
    memory : int or None
        Bytes that activations may take; None is 1 GiB on a CPU and a quarter of an accelerator's memory.

    Returns
    -------
    int
        At least 1; a power of two.
    """
    most = min(_MOST, _WORKING_SET["cpu" if device == "cpu" else "gpu"] // max(peak, 1))
    if memory is None:
        memory = _CPU_MEMORY if device == "cpu" else _quarter_of_gpu(device)
    fitting = max(1, min(most, memory // max(total, 1)))
    return 1 << (fitting.bit_length() - 1)


def _quarter_of_gpu(device: str) -> int:
    torch = sys.modules["torch"]
    if not device.startswith("cuda"):
        return 4 * _CPU_MEMORY
    return int(torch.cuda.get_device_properties(device).total_memory) // 4


class Batches:
    """Evaluates inputs in batches, and in smaller ones from the moment that memory runs out.

    Parameters
    ----------
    size : int
        Inputs in a batch, at least 1.
    """

    def __init__(self, size: int) -> None:
        self.size = _check.integer("batch_size", size, least=1)

    def map(self, function: Callable[[Any], Result], batch: Any) -> Iterator[tuple[slice, Result]]:
        """Apply a function to a batch in parts of at most ``size``.

        Parameters
        ----------
        function : callable
            Takes ``batch[start:stop]``.
        batch : numpy.ndarray or torch.Tensor
            Inputs along the first axis.

        Yields
        ------
        (slice, object)
            Rows of the batch, in order, and what the function returns for them.

        Raises
        ------
        AttributionError
            If memory does not suffice for a single input.
        """
        start = 0
        while start < len(batch):
            stop = min(start + self.size, len(batch))
            try:
                result = function(batch[start:stop])
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                if stop - start == 1:
                    raise AttributionError(
                        f"memory must suffice for one input at a time, got: {error}; use a smaller input or model"
                    ) from error
                self.size = (stop - start) // 2
            else:
                yield slice(start, stop), result
                start = stop
                continue
            # Only here, after the exception is gone, are the tensors that its traceback held free.
            _release()


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, XplainError):
        return False
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        part in text for part in ("out of memory", "not enough memory", "can't allocate memory")
    )


def _release() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


Result = TypeVar("Result")
Progress = Callable[[int, int], object]
Scores = npt.NDArray[np.float64]


class Session:
    """One call of `run`.

    Parameters
    ----------
    model : ImageClassifier
        What is explained.
    inputs : sequence of Prepared
        All inputs, at least one.
    targets : sequence
        For each input, what to explain, as `ImageClassifier.targets` takes it.
    batch_size : int or None
        Inputs in a batch; None chooses.
    memory : int or None
        Bytes that activations may take.
    progress : callable or None
        Called as ``progress(done, total)`` after each batch.
    """

    def __init__(
        self,
        model: ImageClassifier,
        inputs: Sequence[Prepared],
        targets: Sequence[Any],
        batch_size: int | None,
        memory: int | None,
        progress: Progress | None,
    ) -> None:
        self.model = model
        self.inputs = inputs
        self.targets = targets
        self.batch_size = None if batch_size is None else _check.integer("batch_size", batch_size, least=1)
        self.memory = None if memory is None else _check.integer("memory", memory, least=1)
        self.progress = None if progress is None else _check.function("progress", progress)
        self.evaluations = [0] * len(inputs)
        self._planned = [0] * len(inputs)

    @cached_property
    def observation(self) -> Observation:
        """A watched forward pass of the first input; torch modules only."""
        from xplain.attributions.engine.observe import observe

        self.plan(0, 1)
        found = observe(self.model, self.inputs[0].array)
        self.count(0, 1)
        return found

    @property
    def observed_scores(self) -> Scores | None:
        """Scores of the first input if they are known already."""
        return self.observation.scores if "observation" in self.__dict__ else None

    @cached_property
    def batches(self) -> Batches:
        """How many inputs are evaluated at once."""
        if self.batch_size is not None:
            return Batches(self.batch_size)
        # Of a model that hides its activations: what a mobile network takes.
        guess = 32 * self.inputs[0].array.size
        if self.model.module is None:
            return Batches(batch_size(guess, 4 * guess, "cpu", self.memory))
        seen = self.observation
        device = str(self.model.placement()[0] or "cpu")
        return Batches(batch_size(seen.peak or guess, 2 * (seen.total or 4 * guess), device, self.memory))

    def batches_for(self, count: int) -> Batches:
        """Return `batches`; choosing them takes a forward pass, which a single input can do without."""
        return Batches(1) if count == 1 else self.batches

    def plan(self, index: int, count: int) -> None:
        """Announce evaluations of one input."""
        self._planned[index] += count

    def count(self, index: int, count: int) -> None:
        """Count evaluations of one input as done."""
        self.evaluations[index] += count
        if self.progress is not None:
            most = max(self._planned)
            self.progress(sum(self.evaluations), sum(planned or most for planned in self._planned))

    def chunks(self) -> list[Chunk]:
        """Group inputs that are next to each other and of one shape and type."""
        groups: list[tuple[int, list[Prepared]]] = []
        most = self.batches.size if len(self.inputs) > 1 else 1
        for index, prepared in enumerate(self.inputs):
            last = groups[-1][1] if groups else []
            if last and len(last) < most and _alike(last[0].array, prepared.array):
                last.append(prepared)
            else:
                groups.append((index, [prepared]))
        return [Chunk(self, index, prepared) for index, prepared in groups]


def _alike(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


class Chunk:
    """Inputs that go through the model together where a method looks at nothing but the input itself."""

    def __init__(self, session: Session, first: int, prepared: Sequence[Prepared]) -> None:
        self.session = session
        self.first = first
        self.prepared = prepared
        self._scores: list[Scores | None] = [None] * len(prepared)
        if first == 0:
            self._scores[0] = session.observed_scores
        self._gradients: dict[Any, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def scores(self, row: int) -> Scores:
        """Scores (classes,) of one input."""
        if self._scores[row] is None and self.first == 0 and row == 0:
            self._scores[0] = self.session.observed_scores
        if self._scores[row] is None:
            missing = [i for i, scores in enumerate(self._scores) if scores is None]
            self._plan(missing)
            score = self.session.model.scores
            for part, found in self._map(lambda rows: score(self._stack(rows)), missing):
                self._keep(missing[part], found)
        known = self._scores[row]
        assert known is not None
        return known

    def targets(self, row: int) -> tuple[int, ...]:
        """Classes to explain for one input."""
        return self.session.model.targets(self.session.targets[self.first + row], self.scores(row))

    def gradients(
        self, row: int, *, layer: str | None = None, rules: Callable[[], Rules] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what one input's scores are differentiated by (...) and the gradients (T, ...) there.

        That is the input, or the output of a layer. All inputs of the chunk are done at once, the first time.
        """
        key = (layer, rules)
        if key not in self._gradients:
            rows = range(len(self.prepared))
            self._plan(rows)
            found = self._map(lambda part: self._differentiate(part, layer, rules), rows)
            self._gradients[key] = [pair for _, pairs in found for pair in pairs]
        return self._gradients[key][row]

    def _differentiate(
        self, rows: Sequence[int], layer: str | None, rules: Callable[[], Rules] | None
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        import torch

        from xplain.attributions.engine import autograd

        model = self.session.model
        batch = model.to_tensor(self._stack(rows))
        if layer is None:
            recording = autograd.record_input(model, batch, rules)
        else:
            recording = autograd.record_layer(model, batch, layer)
        self._keep(rows, model.check_scores(recording[0], len(rows)))
        targets = [self.targets(row) for row in rows]
        slopes = autograd.slopes(recording, targets)
        wrt = recording[1].detach()
        return [(wrt[i], torch.stack([slopes[t][i] for t in range(len(classes))])) for i, classes in enumerate(targets)]

    def _map(self, function: Callable[[Any], Result], rows: Sequence[int]) -> Iterator[tuple[slice, Result]]:
        return self.session.batches_for(len(rows)).map(function, rows)

    def _stack(self, rows: Sequence[int]) -> npt.NDArray[Any]:
        return np.stack([self.prepared[row].array for row in rows])

    def _plan(self, rows: Sequence[int]) -> None:
        for row in rows:
            self.session.plan(self.first + row, 1)

    def _keep(self, rows: Sequence[int], scores: Scores) -> None:
        for row, found in zip(rows, scores, strict=True):
            if self._scores[row] is None:
                self._scores[row] = found
            self.session.count(self.first + row, 1)
