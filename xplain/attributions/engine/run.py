"""The `Run`: one input as an attribution method works with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.session import Chunk
from xplain.errors import AttributionError, InputError
from xplain.inputs import baselines
from xplain.models import ImageClassifier, Prepared, outputs

if TYPE_CHECKING:
    import torch

    from xplain.attributions.engine.attention import Attention
    from xplain.attributions.engine.autograd import Rules


Array = npt.NDArray[Any]
Result = TypeVar("Result")


class Run:
    """One input of one call: owns its random numbers, the notes about its maps, and the scores of its variants.

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
        Seed of `rng`.

    Attributes
    ----------
    model : ImageClassifier
        What is explained.
    prepared : Prepared
        The input.
    rng : numpy.random.Generator
        The random numbers of this run; global generators are never used.
    quality : dict
        What `note` stored, for all targets.
    quality_each : list of dict
        What `note_each` stored, one for each target; empty before it is called.
    """

    def __init__(self, chunk: Chunk, row: int, seed: int) -> None:
        self.model: ImageClassifier = chunk.session.model
        self.prepared: Prepared = chunk.prepared[row]
        self.rng = np.random.default_rng(seed)
        self.quality: dict[str, Any] = {}
        self.quality_each: list[dict[str, Any]] = []
        self._chunk = chunk
        self._row = row
        self._session = chunk.session
        self._index = chunk.first + row
        self._scores_by_digest: dict[bytes, npt.NDArray[np.float64]] = {}

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

    def baseline(self, spec: Any = 0.0) -> npt.NDArray[np.float32]:
        """Return the input that stands for "nothing there".

        Parameters
        ----------
        spec : float, "mean", "blur" or array_like
            A number fills the input, in its own units: 0.0 is the mean colour where preprocessing subtracts one, and
            black otherwise. "mean" is the input's own mean colour, "blur" the input out of focus (a Gaussian of a tenth
            of its shorter side), and an array of `prepared.array`'s shape, or one that broadcasts to it, is itself.

        Returns
        -------
        numpy.ndarray
            float32, of the shape of `prepared.array`.
        """
        return baselines.make(self.prepared.array, self.model.channel_axis, spec)

    def score(self, array: Array) -> npt.NDArray[np.float64]:
        """Scores (T,) of one input; each distinct input is evaluated once."""
        if array is self.prepared.array:
            return self.class_scores[list(self.targets)]
        key = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()
        if key not in self._scores_by_digest:
            ((_, scores),) = self.evaluate(lambda start, stop: array[np.newaxis], 1)
            self._scores_by_digest[key] = scores[0]
        return self._scores_by_digest[key]

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
        for rows, scores in self._in_batches(lambda a, b: self._as_input(make(a, b)), count, self.model.scores):
            yield rows, self._target_scores(scores)

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
        batches = self._in_batches(make, count, lambda batch: self._differentiate(batch, [self.targets] * len(batch)))
        for rows, (scores, gradients) in batches:
            yield rows, scores, gradients

    def input_gradient(self, rules: Callable[[], Rules] | None = None) -> torch.Tensor:
        """Gradients (T, ...) at the input itself; ``rules`` makes propagation rules, as for `differentiate`."""
        return self._chunk.gradients(self._row, rules=rules)[1]

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
        self._session.add_planned(self._index, len(batch))
        result = self._differentiate(batch, targets, rules)
        self._session.add_done(self._index, len(batch))
        return result

    def layer(self, name: str | None) -> str:
        """Return the layer for class activation maps: the one asked for, the model's own, or what its pass shows."""
        if name is not None:
            return _check.string("layer", name)
        if self.model.layer is not None:
            return self.model.layer
        observation = self._session.observation
        if observation.layer is not None and not observation.attention_follows:
            return observation.layer
        if observation.token_layer is not None:
            return observation.token_layer
        if observation.layer is None:
            raise AttributionError(
                "model must have a layer with feature maps (channels, height > 1, width > 1) that a convolution made, "
                "got none (scripted and exported modules hide theirs); name one with layer=..., or use "
                "integrated-gradients"
            )
        raise AttributionError(
            f"model must not mix places after its last feature maps, got attention after layer {observation.layer!r}; "
            "name a layer with layer=..., or use integrated-gradients"
        )

    def layer_gradient(self, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Feature maps (channels, h', w') of a layer at the input itself, and the scores' gradients (T, ...) there."""
        output, gradients = self._chunk.gradients(self._row, layer=layer)
        if output.ndim == 3:
            return output, gradients
        return self.as_maps(output), self.as_maps(gradients)  # tokens of a transformer

    def attention(self) -> Attention:
        """Attention of all layers at the input itself, and the scores' gradients there."""
        from xplain.attributions.engine.attention import record_attention

        self._session.observation  # noqa: B018 - the patches are needed later, and it brings the scores along
        self._session.add_planned(self._index, 1)
        attention = record_attention(self.model, self.tensor, self.targets)
        self._session.add_done(self._index, 1)
        return attention

    def patches(self, tokens: int) -> tuple[int, tuple[int, int]]:
        """Return how many class and register tokens come before the patches among ``tokens``, and the patches' grid."""
        from xplain.attributions.engine.observe import first_patch

        grid = self._session.observation.grid
        first = first_patch(tokens, grid)
        if grid is None or first is None:
            patches = "no patches" if grid is None else f"{grid[0]} x {grid[1]} patches"
            raise AttributionError(
                "tokens must be one for each patch that a convolution cut out, after at most a few class and register "
                f"tokens, got {tokens} for {patches}; use integrated-gradients"
            )
        self.note("patches", list(grid))
        self.note("class_tokens", first)
        return first, grid

    def as_maps(self, tokens: torch.Tensor) -> torch.Tensor:
        """Put the patches among tokens (..., tokens, channels) at their places: (..., channels, h', w')."""
        first, grid = self.patches(tokens.shape[-2])
        maps = tokens[..., first:, :].transpose(-2, -1)
        return maps.reshape(*maps.shape[:-1], *grid)

    def note(self, name: str, value: Any) -> None:
        """Store a JSON value that says how far to trust the maps of all targets."""
        self.quality[name] = value

    def note_each(self, name: str, values: Sequence[Any] | Array) -> None:
        """Store one JSON value for each of the T targets, as `note` does for all of them."""
        values = np.asarray(values).tolist()
        if len(values) != len(self.targets):
            raise InputError(f"values must be {len(self.targets)}, one for each target, got {len(values)}")
        self.quality_each = self.quality_each or [{} for _ in values]
        for notes, value in zip(self.quality_each, values, strict=True):
            notes[name] = value

    def note_completeness(self, attributed: npt.ArrayLike, baseline_score: npt.ArrayLike) -> None:
        """Store by how much attributions miss the change of the score that they are to add up to.

        Parameters
        ----------
        attributed : array_like
            (T,), the sum of each target's attributions.
        baseline_score : array_like
            (T,), the score that stands for "nothing there".
        """
        score = self.score(self.prepared.array)
        change = score - np.asarray(baseline_score, dtype=np.float64)
        residual = change - np.asarray(attributed, dtype=np.float64)
        self.note_each("score", score)
        self.note_each("baseline_score", score - change)
        self.note_each("completeness_residual", residual)
        relative = np.divide(np.abs(residual), np.abs(change), out=np.zeros_like(change), where=change != 0)
        self.note_each("completeness_relative", relative)

    def note_standard_error(self, variance: npt.ArrayLike) -> None:
        """Store the standard error of a sampled map: the root mean square over its pixels.

        Parameters
        ----------
        variance : array_like
            (T, h', w'), the estimated variance of each pixel's value.
        """
        mean = np.asarray(variance, dtype=np.float64).mean(axis=(1, 2))
        self.note_each("standard_error", np.sqrt(mean))

    def _in_batches(
        self, make: Callable[[int, int], Any], count: int, function: Callable[[Any], Result]
    ) -> Iterator[tuple[slice, Result]]:
        """Make variants a batch at a time and apply a function to them; yields which variants, and the result."""
        self._session.add_planned(self._index, count)
        batches = self._session.batches_for(count)
        start = 0
        while start < count:
            stop = min(start + batches.size, count)
            # Several results where memory runs out: variants are made once, since `make` may draw random numbers.
            for rows, result in batches.map(function, make(start, stop)):
                self._session.add_done(self._index, rows.stop - rows.start)
                yield slice(start + rows.start, start + rows.stop), result
            start = stop

    def _differentiate(
        self, batch: torch.Tensor, targets: Sequence[Sequence[int]], rules: Callable[[], Rules] | None = None
    ) -> tuple[npt.NDArray[np.float64], torch.Tensor]:
        import torch

        from xplain.attributions.engine import autograd

        recording = autograd.record_input(self.model, batch, rules)
        scores = self._target_scores(self.model.check_scores(recording[0], len(batch)))
        return scores, torch.stack(autograd.class_gradients(recording, targets))

    def _target_scores(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the targets' columns (n, T) of scores (n, classes)."""
        # A target is a number: it means nothing if the classes change.
        outputs.check_classes(self.class_scores.size, scores.shape[1])
        return scores[:, list(self.targets)]

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
