"""Runs an attribution of Captum on one input, within its `Run`.

What is asked for at the input goes through the `seam`. Layers and neurons are inside the module, and so are the
functions that DeepLift, guided backpropagation, deconvolution and LRP change: for these Captum gets a `Face`, a module
around a copy of the user's (`rewrite`), which shares its parameters and on which all hooks stay.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions.captum.classes import HOOKED
from xplain.attributions.captum.relevance import Outputs
from xplain.attributions.captum.rewrite import hookable
from xplain.attributions.captum.trace import twin
from xplain.attributions.engine.autograd import require_gradients, torch_module
from xplain.errors import AttributionError, InputError, UnknownNameError

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run

Float64 = npt.NDArray[np.float64]

_GLOBAL_GENERATORS = threading.RLock()  # Captum draws from those of torch and NumPy


class Face(torch.nn.Module):
    """What is explained, as Captum sees it: a module from inputs (n, ...) to scores (n, classes), which counts passes.

    Parameters
    ----------
    run : Run
        What is explained.
    module : torch.nn.Module
        Stands in for the model's module; a part of this one, so that Captum's hooks reach it.
    layer : torch.nn.Module, optional
        The part of it that a method of layers looks at.
    """

    def __init__(self, run: Run, module: torch.nn.Module, layer: torch.nn.Module | None = None) -> None:
        super().__init__()
        self.module = module
        self._run = [run]  # in a list, so that copies of modules leave it alone
        self._explained = [run.model.with_module(module)]
        self._layer = [] if layer is None else [layer]
        self._passes = self._layer_calls = 0
        self._layer_shape: tuple[int, ...] | None = None
        for each in self._layer:
            each.register_forward_hook(self._count_call)

    def _count_call(self, layer: torch.nn.Module, inputs: Any, output: Any) -> None:
        if not isinstance(output, (torch.Tensor, tuple)):
            raise AttributionError(
                f"layer must return a tensor, got {type(output).__name__}; name a part of it that returns one"
            )
        self._layer_calls += 1
        self._layer_shape = tuple(output.shape[1:]) if isinstance(output, torch.Tensor) else None

    def parts(self) -> tuple[torch.nn.Module, ...]:
        """Return what a class of Captum is made of: this, and the layer if it looks at one."""
        return (self, *self._layer)

    def refuse_repeated_layer(self, layer: str, method: str) -> None:
        """Raise AttributionError if a watched layer ran more than once in a pass: Captum keeps the last call only."""
        if self._layer_calls > self._passes:
            raise AttributionError(
                f"layer must run once in a pass for {method}, got {self._layer_calls / self._passes:.3g} calls of "
                f"{layer!r}; use hires-cam, which counts each"
            )

    def refuse_no_neuron(self, neuron: tuple[int, ...]) -> None:
        """Raise InputError unless a place names one number of the watched layer's output for one input."""
        shape = self._layer_shape
        if shape is not None and not (
            len(neuron) == len(shape) and all(-n <= i < n for i, n in zip(neuron, shape, strict=True))
        ):
            raise InputError(f"neuron must be a place in the layer's output {shape}, got {neuron}")

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the scores; gradients flow."""
        self._run[0].count(len(batch))
        self._passes += 1
        # A clone, since a module may normalise its input in place.
        outputs = self._explained[0].forward(batch.clone())
        if torch.is_grad_enabled():
            require_gradients(outputs)
        return outputs


class _Recorder(torch.nn.Module):
    """Stands in for a module to see what it is called with."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.inputs: tuple[Any, ...] = ()
        self._module = [module]

    def forward(self, *inputs: Any, **named: Any) -> Any:
        if named or not all(isinstance(each, torch.Tensor) for each in inputs):
            raise AttributionError(
                "model must be called with tensors alone, not by name, for its functions to be rewritten, got "
                f"{len(inputs)} inputs and {sorted(named)}; use deep-lift or integrated-gradients"
            )
        self.inputs = inputs
        return self._module[0](*inputs)


def face_of(run: Run, name: str, layer: str | None) -> Face:
    """Return the face for a class of Captum.

    Parameters
    ----------
    run : Run
        What is explained.
    name : str
        The class.
    layer : str or None
        Dotted name of the layer.
    """
    module = torch_module(run.model)
    if name in HOOKED:
        recorder = _Recorder(module)
        with torch.no_grad():
            run.model.with_module(recorder).forward(run.tensor[np.newaxis])
        run.count(1)
        rewritten = hookable(module, *recorder.inputs, method=HOOKED[name], layer=layer)
        return Face(run, Outputs(rewritten.module) if name == "LRP" else rewritten.module, rewritten.layer)
    copied = twin(module)
    if layer is None:
        return Face(run, copied)
    part = dict(copied.named_modules()).get(layer)
    if part is None or not layer:
        raise UnknownNameError("layer", layer, [name for name, _ in copied.named_modules() if name])
    return Face(run, copied, part)


class Scores:
    """The scores of one target for any variants, without gradients; each distinct variant is evaluated once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[bytes, Float64] = {}
        self.target = 0

    def __call__(self, variants: torch.Tensor) -> torch.Tensor:
        """Return the scores (n,) of variants (n, ...)."""
        rows = variants.detach().cpu().numpy()
        keys = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
        first = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._known}
        missing = np.array(sorted(first.values()), np.intp)
        if len(missing):
            for part, scores in self._run.evaluate(lambda a, b: rows[missing[a:b]], len(missing)):
                self._known.update((keys[row], score) for row, score in zip(missing[part], scores, strict=True))
        return torch.from_numpy(np.array([self._known[key][self.target] for key in keys]))


class Gradients:
    """Captum's ``gradient_func`` for one target: gradients at any points, in batches of the budget."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.target = 0

    def __call__(
        self, forward_fn: Any, inputs: Any, target_ind: Any = None, additional_forward_args: Any = None
    ) -> tuple[torch.Tensor]:
        """Return the gradients (n, ...) of the target's score at points (n, ...)."""
        (points,) = inputs if isinstance(inputs, tuple) else (inputs,)
        points = points.detach()
        with torch.enable_grad():  # some methods ask with gradients switched off
            batches = self._run.gradients(lambda a, b: points[a:b], len(points))
            return (torch.cat([gradients[self.target] for _, _, gradients in batches]),)


@contextmanager
def seeded(run: Run, is_random: bool) -> Iterator[None]:
    """Seed the global generators that Captum draws from by the run's, and put their states back; one call at a time."""
    if not is_random:
        yield
        return
    with _GLOBAL_GENERATORS, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        state = np.random.get_state()  # noqa: NPY002
        try:
            torch.manual_seed(run.seed)
            np.random.seed(run.seed % 2**32)  # noqa: NPY002
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


def single(attributions: Any, name: str) -> torch.Tensor:
    """Return the attributions of a single input or layer output (1, ...), or refuse several."""
    if isinstance(attributions, (tuple, list)):
        if len(attributions) != 1:
            raise InputError(f"layer must return one tensor for {name}, got {len(attributions)}; name another layer")
        (attributions,) = attributions
    found: torch.Tensor = attributions.detach()
    return found
