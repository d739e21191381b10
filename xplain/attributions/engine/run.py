"""The `Run`: one input as an attribution method works with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.attributions.engine import guard
from xplain.attributions.engine.checks import Checks, Watch
from xplain.attributions.engine.explained import Explained
from xplain.attributions.engine.quality import Quality
from xplain.attributions.engine.session import Chunk, Result
from xplain.errors import InputError
from xplain.models import Prepared, outputs

if TYPE_CHECKING:
    import torch

    from xplain.attributions.engine.attention import Attention
    from xplain.attributions.engine.autograd import LayerCall, Rules
    from xplain.attributions.engine.observe import Observation


Array = npt.NDArray[Any]


class Run:
    """One input of one call: owns its random numbers and the scores of its variants, and keeps notes about its maps.

    A method sees nothing else of a call. It asks the run for scores and gradients, of the input itself or of variants
    that it makes; the run batches and counts these passes. What a run shares with others belongs to them: scores and
    gradients of the input itself to its `Chunk`, the model, limits and counts to the `Session`.

    The module is in evaluation mode, gradients are on, and both are undone when the call ends. The score of a class is
    the model's own output for it. T is the number of targets throughout, and "..." the shape of one input.

    Parameters
    ----------
    chunk : Chunk
        The inputs that are explained together.
    row : int
        Which of them this is.
    seed : int
        The caller's seed.
    check : bool
        Whether the first full batch of variants scores the input again, see `xplain.attributions.engine.guard`.

    Attributes
    ----------
    model : Explained
        What is explained.
    prepared : Prepared
        The input.
    quality : Quality
        What says how far to trust the maps.
    computed_by : str
        The engine that computes the maps: "xplain", or "captum" once one of its methods has run.
    watch : Watch
        Notes what is seen on the way to the maps.
    """

    def __init__(self, chunk: Chunk, row: int, seed: int, *, check: bool = True) -> None:
        self.model: Explained = chunk.session.model
        self.prepared: Prepared = chunk.prepared[row]
        self.quality = Quality()
        self.computed_by = "xplain"
        self.watch = Watch()
        self._callers_seed = seed
        self._check = check
        self._chunk = chunk
        self._row = row
        self._session = chunk.session
        self._index = chunk.first + row
        self._scores_by_digest: dict[bytes, npt.NDArray[np.float64]] = {}

    @cached_property
    def seed(self) -> int:
        """Seed of this run, below 2**64: of the caller's seed and the input, so that two inputs do not share draws."""
        key = self._callers_seed.to_bytes(-(-self._callers_seed.bit_length() // 8)) + self.prepared.digest()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())

    @cached_property
    def rng(self) -> np.random.Generator:
        """The random numbers of this run; global generators are never used."""
        return np.random.default_rng(self.seed)

    @property
    def targets(self) -> tuple[int, ...]:
        """The T classes to explain, as numbers."""
        return self._chunk.targets(self._row)

    @property
    def class_scores(self) -> npt.NDArray[np.float64]:
        """Scores (classes,) of the input for all classes."""
        return self._chunk.scores(self._row)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the model's input in pixels."""
        shape = self.prepared.array.shape
        return (shape[1], shape[2]) if self.model.channel_axis == 0 else (shape[0], shape[1])

    @property
    def evaluations(self) -> int:
        """How often this input or a variant of it went through the model so far."""
        return self._session.evaluations[self._index]

    @property
    def observation(self) -> Observation:
        """The watched forward pass of an input of this one's shape; torch modules only."""
        return self._session.observation(self.prepared)

    def observe_itself(self) -> None:
        """Watch a pass of the input itself, where what was seen of others does not hold for it."""
        self._session.observe_itself(self.prepared)

    @property
    def batch_size_used(self) -> int:
        """The size of the batches that the input was evaluated in so far, which gives the same bits again."""
        return self._session.batch_size_of(self._index)

    def announce(self, evaluations: int) -> None:
        """Announce evaluations of variants that come in several calls, so that progress knows of all of them."""
        self._session.announce(self._index, evaluations)

    def count(self, evaluations: int) -> None:
        """Count evaluations that a method made by itself."""
        with self._session.counted(self._index, evaluations):
            pass

    def batch_size_for(self, count: int) -> int:
        """Return how many of ``count`` variants are evaluated at once."""
        return self._session.batches_for(self._index, count).size

    @cached_property
    def tensor(self) -> torch.Tensor:
        """The input as a tensor of the module's device and type."""
        return self.to_tensor(self.prepared.array)

    def to_tensor(self, array: Array) -> torch.Tensor:
        """Return one input (...) as a new tensor of the module's device and type."""
        return self.model.to_tensor(array[np.newaxis])[0]

    def noise(self, start: int, stop: int) -> torch.Tensor:
        """Standard normal numbers (stop - start, ...) for the variants start..stop of `tensor`.

        Each variant has a seed of its own: it gets the same numbers in a batch of any size, as often as one asks.
        """
        import torch

        noise = torch.empty((stop - start, *self.tensor.shape), dtype=self.tensor.dtype, device=self.tensor.device)
        generator = torch.Generator(device=self.tensor.device)
        for index, variant in enumerate(noise, start):
            variant.normal_(generator=generator.manual_seed(self._noise_seed + index))
        return noise

    def score(self, array: Array) -> npt.NDArray[np.float64]:
        """Scores (T,) of one input; each distinct input is evaluated once."""
        if array is self.prepared.array:
            return self.class_scores[list(self.targets)]
        self.watch.baseline(is_input=np.array_equal(array, self.prepared.array))
        key = self.digest(array)
        if key not in self._scores_by_digest:
            ((_, scores),) = self.evaluate(lambda start, stop: array[np.newaxis], 1)
            self._scores_by_digest[key] = scores[0]
        return self._scores_by_digest[key]

    @staticmethod
    def digest(array: Array) -> bytes:
        """Return what tells a variant from others."""
        return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()

    def evaluate(
        self, make: Callable[[int, int], Array], count: int
    ) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
        """Score many variants of the input.

        Parameters
        ----------
        make : callable
            ``make(start, stop)`` returns the variants start..stop as an array (stop - start, ...) of `prepared.array`.
            It is called once for each range, in order, so it may draw random numbers. Values are rounded where the
            input is uint8.
        count : int
            How many variants there are.

        Yields
        ------
        (slice, numpy.ndarray)
            Which variants, in order, and float64 (n, T): their scores for the targets.
        """
        batches = self._session.in_batches(
            self._index, lambda a, b: self._as_input(make(a, b)), count, self._score_variants
        )
        for rows, scores in batches:
            target_scores = self._target_scores(scores)
            self.watch.scores(self.class_scores[list(self.targets)], target_scores)
            yield rows, target_scores

    def gradients(
        self, make: Callable[[int, int], torch.Tensor], count: int
    ) -> Iterator[tuple[slice, npt.NDArray[np.float64], torch.Tensor]]:
        """Score many variants of the input and differentiate the scores.

        Parameters
        ----------
        make : callable
            ``make(start, stop)`` returns a tensor (stop - start, ...) of `tensor`. It is called once for each range, in
            order.
        count : int
            How many variants there are.

        Yields
        ------
        (slice, numpy.ndarray, torch.Tensor)
            Which variants, in order; float64 (n, T), their scores for the targets; and (T, n, ...), the gradients.
        """
        batches = self._session.in_batches(
            self._index, make, count, lambda batch: self._differentiate(batch, [self.targets] * len(batch))
        )
        for rows, (scores, gradients) in batches:
            self.watch.gradients(gradients)
            yield rows, scores, gradients

    def input_gradient(self, rules: Callable[[], Rules] | None = None) -> torch.Tensor:
        """Gradients (T, ...) at the input itself; ``rules`` makes propagation rules, as for `differentiate`."""
        gradients = self._chunk.gradients(self._row, rules)
        if rules is None:
            self.watch.gradients(gradients)
        return gradients

    def differentiate(
        self, batch: torch.Tensor, targets: Sequence[Sequence[int]], rules: Callable[[], Rules] | None = None
    ) -> tuple[npt.NDArray[np.float64], torch.Tensor]:
        """Score a few inputs in one pass and differentiate the scores.

        Parameters
        ----------
        batch : torch.Tensor
            (n, ...) of `tensor`.
        targets : sequence of sequence of int
            Classes to differentiate for each of the n inputs.
        rules : callable, optional
            Makes the propagation rules, which replace the derivatives of some functions.

        Returns
        -------
        numpy.ndarray
            float64 (n, T), the scores for the targets of this run.
        torch.Tensor
            (t, n, ...), the gradients for each input's first, second, ... class.
        """
        with self._session.counted(self._index, len(batch)):
            return self._differentiate(batch, targets, rules)

    def layer_calls(self, layer: str) -> list[LayerCall]:
        """Return the calls of a layer that the scores of the input itself depend on, in their order, at least one."""
        calls = self._chunk.layer_calls(self._row, layer)
        for call in calls:
            self.watch.gradients(call.gradients)
        return calls

    def in_batches(self, function: Callable[[Sequence[int]], Result], count: int) -> Iterator[Result]:
        """Apply a function, which evaluates as many variants of the input, to the numbers 0..count in batches."""
        for _, result in self._session.in_batches(self._index, range, count, function):
            yield result

    def attention(self) -> Attention:
        """Attention of all layers at the input itself, and the scores' gradients there."""
        from xplain.attributions.engine.attention import record_attention

        with self._session.counted(self._index, 1):
            return record_attention(self.model, self.tensor, self.targets)

    def checks(self, *, differentiated: bool) -> list[Checks]:
        """What was checked about the T maps; ``differentiated`` if the method looks beyond the model's scores."""
        return self.watch.by_target(
            self.class_scores[list(self.targets)],
            probability=self.model.output == "probability",
            dtype=self.dtype,
            differentiated=differentiated,
        )

    @property
    def dtype(self) -> torch.dtype | None:
        """What the module computes with, as its weights and its scores show; None for a black box."""
        _, dtype = self.model.placement()
        found = self._session.output_type
        return found if dtype is not None and found is not None and found.itemsize < dtype.itemsize else dtype

    def _differentiate(
        self, batch: torch.Tensor, targets: Sequence[Sequence[int]], rules: Callable[[], Rules] | None = None
    ) -> tuple[npt.NDArray[np.float64], torch.Tensor]:
        import torch

        from xplain.attributions.engine import autograd

        recording = autograd.record_input(self.model, batch, rules)
        self._session.output_type = recording[0].dtype
        scores = self._target_scores(self.model.check_scores(recording[0], len(batch)))
        # The input is the only leaf: where a score does not depend on it, `class_gradients` has raised.
        of_targets = [gradient for (gradient,) in autograd.class_gradients(recording, targets) if gradient is not None]
        return scores, torch.stack(of_targets)

    def _target_scores(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the targets' columns (n, T) of scores (n, classes)."""
        # A target is a number: it means nothing if the classes change.
        outputs.check_classes(self.class_scores.size, scores.shape[1])
        return scores[:, list(self.targets)]

    def _score_variants(self, batch: Array) -> npt.NDArray[np.float64]:
        """Score variants; in the first full batch also the input itself, whose scores are known."""
        if not self._check or len(batch) == 1 or len(batch) < self._session.batches(self.prepared).size:
            return self.model.scores(batch)
        self._check = False
        scores = self.model.scores(np.concatenate([batch, self.prepared.array[np.newaxis]]))
        guard.check_batch(self.model, self.class_scores, scores[-1])
        return scores[:-1]

    def _as_input(self, batch: Array) -> Array:
        """Return variants in the dtype of the input, rounded if that is uint8."""
        like = self.prepared.array
        if batch.shape[1:] != like.shape:
            raise InputError(f"variants must be of the input's shape {like.shape}, got {batch.shape[1:]}")
        if batch.dtype != like.dtype and like.dtype == np.uint8:
            batch = np.clip(np.rint(batch), 0, 255)
        return batch.astype(like.dtype, copy=False)

    @cached_property
    def _noise_seed(self) -> int:
        return int(self.rng.integers(2**62))
