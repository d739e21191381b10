"""What the inputs of one call share: the model, its limits, counts of evaluations, and passes over several inputs.

A `Session` is one call. It groups its inputs into chunks: a `Chunk` is inputs of one shape that pass through the model
together where a method looks at the inputs themselves (their scores, their gradients). A method's own variants of an
input are evaluated by that input's `Run`. Both go through `Batches`, which shrink when memory runs out.

The last bits of a score depend on how many inputs share a pass. So as many pass together whatever the call has, see
`TOGETHER`, and a smaller group is filled up: what is found for an input does not depend on the others.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.explained import Explained
from xplain.errors import AttributionError, is_out_of_memory
from xplain.models import Prepared

if TYPE_CHECKING:
    import torch

    from xplain.attributions.engine.autograd import LayerCall, Recording, Rules
    from xplain.attributions.engine.observe import Observation


Result = TypeVar("Result")
Progress = Callable[[int, int], object]
Scores = npt.NDArray[np.float64]

#: The largest activation of a whole batch, in bytes, that is still fast. On a CPU it has to stay in the caches: each of
#: 4 photos through a mobile network costs a third of each of 32. A GPU has to be filled instead.
_WORKING_SET = {"cpu": 24 * 2**20, "gpu": 2**30}
#: Inputs that pass together. On a CPU several take as long as one after the other; an accelerator has to be filled.
TOGETHER = {"cpu": 1, "gpu": 8}
#: Inputs in the largest batch, however small their activations are.
_MOST_INPUTS = 256
#: Bytes that activations may take on a CPU, and on an accelerator that does not say how much memory it has (mps).
_CPU_MEMORY = 2**30
_OTHER_MEMORY = 4 * _CPU_MEMORY
#: A model that hides its activations is taken for a mobile network: so many bytes of the largest activation for each
#: number of the input, and so many times that of all activations.
_GUESSED_PEAK_BYTES = 32
_GUESSED_TOTAL = 4


class Session:
    """One call: owns the model, all inputs with what is to be explained of them, the limits, and the counts.

    Parameters
    ----------
    model : Explained
        What is explained.
    inputs : sequence of Prepared
        All inputs, at least one.
    targets : sequence
        For each input, what to explain, as `Explained.targets` takes it.
    batch_size : int or None
        Inputs in a batch; None chooses.
    memory : int or None
        Bytes that activations may take.
    progress : callable or None
        Called as ``progress(done, total)`` after each batch.
    is_one : bool
        Whether the inputs are parts of one, such as windows of a recording, which may share passes as they like.

    Attributes
    ----------
    evaluations : list of int
        For each input, how often it or a variant of it went through the model so far. A watched pass, by which batches
        and layers are chosen, is none of them: it is made once for a model and remembered.
    output_type : torch.dtype or None
        Of the scores that were differentiated last: under autocast, another one than that of the weights.
    """

    def __init__(
        self,
        model: Explained,
        inputs: Sequence[Prepared],
        targets: Sequence[Any],
        batch_size: int | None,
        memory: int | None,
        progress: Progress | None,
        is_one: bool = False,
    ) -> None:
        self.model = model
        self.inputs = inputs
        self.targets = targets
        self.batch_size = None if batch_size is None else _check.integer("batch_size", batch_size, least=1)
        self.memory = None if memory is None else _check.integer("memory", memory, least=1)
        self.progress = None if progress is None else _check.function("progress", progress)
        self.is_one = is_one
        self.evaluations = [0] * len(inputs)
        self.output_type: torch.dtype | None = None
        self._batches: dict[Any, Batches] = {}
        self._observations: dict[Any, Observation] = {}
        self._in_batches: set[int] = set()  # inputs whose variants were evaluated in batches
        self._planned = [0] * len(inputs)
        self._announced = [0] * len(inputs)

    def observation(self, prepared: Prepared) -> Observation:
        """What a watched forward pass of an input of this one's shape showed; torch modules only."""
        from xplain.attributions.engine.observe import observed

        form = form_of(prepared)
        if form not in self._observations:
            with _refused_out_of_memory():
                self._observations[form] = observed(self.model, prepared.array)
        return self._observations[form]

    def observe_itself(self, prepared: Prepared) -> None:
        """Watch a pass of an input itself, where what was seen of others does not hold for it."""
        from xplain.attributions.engine.observe import observe

        with _refused_out_of_memory():
            self._observations[form_of(prepared)] = observe(self.model, prepared.array)

    def batches(self, prepared: Prepared) -> Batches:
        """Batches of inputs like this one, of the size that the caller wants, or that suits the model's activations."""
        form = form_of(prepared)
        if form not in self._batches:
            size = self._suitable_size(prepared) if self.batch_size is None else self.batch_size
            size = size if self.model.takes_batches else 1
            self._batches[form] = Batches(size)
        return self._batches[form]

    def _suitable_size(self, prepared: Prepared) -> int:
        guess = _GUESSED_PEAK_BYTES * prepared.array.size
        if self.model.module is None:
            return batch_size(guess, _GUESSED_TOTAL * guess, "cpu", self.memory)
        observation = self.observation(prepared)
        peak, total = observation.peak_bytes or guess, observation.total_bytes or _GUESSED_TOTAL * guess
        # Twice the activations: their gradients may take as much again.
        return batch_size(peak, 2 * total, self.device, self.memory)

    @property
    def device(self) -> str:
        """Where the model is."""
        return "cpu" if self.model.module is None else str(self.model.placement()[0] or "cpu")

    def batches_for(self, index: int, count: int) -> Batches:
        """Return batches for ``count`` variants of an input; one alone needs no choice, which may take a pass."""
        if count == 1:
            return Batches(1)
        self._in_batches.add(index)
        return self.batches(self.inputs[index])

    def batch_size_of(self, index: int) -> int:
        """Return the size of the batches that an input was evaluated in, which gives the same bits again."""
        if index in self._in_batches or self.batch_size is not None:
            return self.batches(self.inputs[index]).size
        return self.together(self.inputs[index])

    def together(self, prepared: Prepared) -> int:
        """Return how many inputs like this one pass together."""
        most = TOGETHER["cpu" if self.device == "cpu" else "gpu"]
        return 1 if most == 1 else min(most, self.batches(prepared).size)

    def add_planned(self, index: int, evaluations: int) -> None:
        """Plan evaluations of one input; those that were announced are planned already."""
        known = min(evaluations, self._announced[index])
        self._announced[index] -= known
        self._planned[index] += evaluations - known

    def announce(self, index: int, evaluations: int) -> None:
        """Plan evaluations of one input before the calls that `add_planned` them, but for those announced already."""
        new = max(0, evaluations - self._announced[index])
        self._planned[index] += new
        self._announced[index] += new

    def add_done(self, index: int, evaluations: int) -> None:
        """Count evaluations of one input as done, and report progress."""
        self.evaluations[index] += evaluations
        if self.progress is not None:
            # An input whose turn has not come yet will probably need as many as the others.
            most = max(self._planned)
            self.progress(sum(self.evaluations), sum(planned or most for planned in self._planned))

    @contextmanager
    def counted(self, index: int, evaluations: int) -> Iterator[None]:
        """Count a pass of one input or of variants of it: announced before, done unless it fails."""
        self.add_planned(index, evaluations)
        with _refused_out_of_memory():
            yield
        self.add_done(index, evaluations)

    def in_batches(
        self, index: int, make: Callable[[int, int], Any], count: int, function: Callable[[Any], Result]
    ) -> Iterator[tuple[slice, Result]]:
        """Make variants of one input a batch at a time and apply a function to them.

        Parameters
        ----------
        index : int
            The input.
        make : callable
            ``make(start, stop)`` returns variants; it is called once for each range, in order.
        count : int
            How many variants there are.
        function : callable
            Takes variants.

        Yields
        ------
        (slice, object)
            Which variants, in order, and the function's result.
        """
        self.add_planned(index, count)
        batches = self.batches_for(index, count)
        start = 0
        while start < count:
            stop = min(start + batches.size, count)
            # Several results where memory runs out: variants are made once, since `make` may draw random numbers.
            for rows, result in batches.map(function, make(start, stop)):
                self.add_done(index, rows.stop - rows.start)
                yield slice(start + rows.start, start + rows.stop), result
            start = stop

    def chunks(self) -> list[Chunk]:
        """Group inputs that are next to each other, of one shape and type, and that pass together."""
        chunks: list[Chunk] = []
        share_as_they_like = self.is_one and len(self.inputs) > 1
        if share_as_they_like:
            self._in_batches.update(range(len(self.inputs)))
        for index, prepared in enumerate(self.inputs):
            last = chunks[-1] if chunks else None
            if last is not None and len(last.prepared) < last.most and form_of(last.prepared[0]) == form_of(prepared):
                last.add(prepared)
            else:
                most = self.batches(prepared).size if share_as_they_like else self.together(prepared)
                chunks.append(Chunk(self, index, prepared, most))
        return chunks


def form_of(prepared: Prepared) -> Any:
    """What inputs have in common that pass together."""
    return prepared.array.shape, prepared.array.dtype


class Chunk:
    """Inputs of one shape: owns their scores and gradients, which are computed for all of them at once and kept.

    Parameters
    ----------
    session : Session
        The call, whose model, targets and counts are used.
    first : int
        The index in the session of the chunk's first input.
    prepared : Prepared
        The first input; `add` takes others. A ``row`` of the methods below is a number of theirs.
    most : int
        How many inputs pass together.
    """

    def __init__(self, session: Session, first: int, prepared: Prepared, most: int) -> None:
        self.session = session
        self.first = first
        self.most = most
        self.prepared: list[Prepared] = []
        self._scores: list[Scores | None] = []
        self._gradients: dict[Any, list[list[LayerCall]]] = {}
        self._batches = session.batches(prepared) if session.is_one and most > 1 else Batches(most)
        self.add(prepared)

    def add(self, prepared: Prepared) -> None:
        """Take another input, of the same shape and type."""
        self.prepared.append(prepared)
        self._scores.append(None)

    def scores(self, row: int) -> Scores:
        """Scores (classes,) of one input."""
        if self._scores[row] is None:
            missing = [i for i, scores in enumerate(self._scores) if scores is None]
            self._plan(missing)
            score = self.session.model.scores
            for span, scores in self._map(lambda rows: score(self._stack(rows)), missing):
                self._record(missing[span], scores[: span.stop - span.start])
        row_scores = self._scores[row]
        assert row_scores is not None
        return row_scores

    def targets(self, row: int) -> tuple[int, ...]:
        """Classes to explain of one input."""
        return self.session.model.targets(self.session.targets[self.first + row], self.scores(row))

    def gradients(self, row: int, rules: Callable[[], Rules] | None = None) -> torch.Tensor:
        """Gradients (T, ...) of one input's targets at the input, with some derivatives replaced by ``rules``."""
        (call,) = self._differentiated(row, ("input", rules), partial(self._differentiate_input, rules))
        return call.gradients

    def layer_calls(self, row: int, layer: str) -> list[LayerCall]:
        """Return the calls of a layer that scores of one input's targets depend on, in their order, at least one."""
        return self._differentiated(row, ("layer", layer), partial(self._differentiate_layer, layer))

    def _differentiated(
        self, row: int, key: Any, function: Callable[[Sequence[int]], list[list[LayerCall]]]
    ) -> list[LayerCall]:
        """Differentiate all inputs when the first is asked for, and keep what is found."""
        if key not in self._gradients:
            rows = range(len(self.prepared))
            self._plan(rows)
            self._gradients[key] = [calls for _, of_rows in self._map(function, rows) for calls in of_rows]
        return self._gradients[key][row]

    def _differentiate_input(self, rules: Callable[[], Rules] | None, rows: Sequence[int]) -> list[list[LayerCall]]:
        from xplain.attributions.engine import autograd

        batch = self.session.model.to_tensor(self._stack(rows))
        return self._calls_of(autograd.record_input(self.session.model, batch, rules), rows)

    def _differentiate_layer(self, layer: str, rows: Sequence[int]) -> list[list[LayerCall]]:
        from xplain.attributions.engine import autograd

        batch = self.session.model.to_tensor(self._stack(rows))
        return self._calls_of(autograd.record_layer(self.session.model, batch, layer), rows)

    def _calls_of(self, recording: Recording, rows: Sequence[int]) -> list[list[LayerCall]]:
        """Differentiate a recording by each input's targets."""
        from xplain.attributions.engine import autograd

        self.session.output_type = recording[0].dtype
        # The targets may depend on the scores, which this pass brings along.
        filled = self._filled(rows)
        self._record(rows, self.session.model.check_scores(recording[0], len(filled))[: len(rows)])
        return autograd.calls_of_inputs(recording, [self.targets(row) for row in filled])[: len(rows)]

    def _map(self, function: Callable[[Any], Result], rows: Sequence[int]) -> Iterator[tuple[slice, Result]]:
        return self._batches.map(function, rows)

    def _filled(self, rows: Sequence[int]) -> list[int]:
        """Return rows, the last one repeated until there are as many as pass together."""
        missing = 0 if self.session.is_one else self._batches.size - len(rows)
        return [*rows, *[rows[-1]] * missing]

    def _stack(self, rows: Sequence[int]) -> npt.NDArray[Any]:
        return np.stack([self.prepared[row].array for row in self._filled(rows)])

    def _plan(self, rows: Sequence[int]) -> None:
        for row in rows:
            self.session.add_planned(self.first + row, 1)

    def _record(self, rows: Sequence[int], batch_scores: Scores) -> None:
        """Count one evaluation of each row, and keep its first scores: a later pass may round them otherwise."""
        for row, scores in zip(rows, batch_scores, strict=True):
            if self._scores[row] is None:
                self._scores[row] = scores
            self.session.add_done(self.first + row, 1)


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
                if not is_out_of_memory(error):
                    raise
                if stop - start == 1:
                    _refuse_out_of_memory(error)
                self.size = (stop - start) // 2
            else:
                yield slice(start, stop), result
                start = stop
                continue
            # Only here, after the exception is gone, are the tensors that its traceback held free.
            _release_memory()


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
    most = min(_MOST_INPUTS, _WORKING_SET["cpu" if device == "cpu" else "gpu"] // max(peak, 1))
    if memory is None:
        memory = _CPU_MEMORY if device == "cpu" else _quarter_of_gpu(device)
    fitting = max(1, min(most, memory // max(total, 1)))
    return 1 << (fitting.bit_length() - 1)  # rounded down to a power of two


def _quarter_of_gpu(device: str) -> int:
    torch = sys.modules["torch"]
    if not device.startswith("cuda"):
        return _OTHER_MEMORY
    return int(torch.cuda.get_device_properties(device).total_memory) // 4


def _refuse_out_of_memory(error: BaseException) -> None:
    """Raise AttributionError if an error of the smallest pass says that memory has run out."""
    if is_out_of_memory(error):
        raise AttributionError(
            f"memory must suffice for one input at a time, got: {error}; use a smaller input or model"
        ) from error


@contextmanager
def _refused_out_of_memory() -> Iterator[None]:
    """Raise AttributionError where memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        _refuse_out_of_memory(error)
        raise


def _release_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
