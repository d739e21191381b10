"""Where the values of a layer's output lie along a text or a recording: which of its axes runs along it.

Networks of sequences lay out an inner output as (batch, channels, places) or as (batch, places, channels), and nothing
says which. For a text, the axis of as many places as there are tokens is taken. Else it is measured: from place to
place, what the output depends on moves along the input.
"""

from __future__ import annotations

import numpy as np
import torch

from xplain.attributions.engine.autograd import outputs_of_calls, wide
from xplain.attributions.engine.places import Place
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError

#: Inputs of noise that are looked at.
NOISES = 4
#: Places that are looked at along an axis.
_LOOKS = 8
#: The least slope of what is seen over places: 1 if each sees its own part of the input alone, 0 if each sees all.
_LEAST_SLOPE = 0.25


def spread(run: Run, layer: str, values: torch.Tensor) -> torch.Tensor:
    """Sum values at a layer over its channels, and share them out among the places of the input.

    Parameters
    ----------
    run : Run
        What is explained: a text as (1, tokens), or a recording as (axes, readings).
    layer : str
        Dotted name of the layer.
    values : torch.Tensor
        (T, ...) in the shape of the layer's output.

    Returns
    -------
    torch.Tensor
        float64 (T, axes, readings) or (T, 1, tokens), of the same sums.

    Raises
    ------
    AttributionError
        If the output has no axis along the input.
    """
    shape = tuple(values.shape[1:])
    if len(values) != len(run.targets):
        raise _no_places(run, layer, f"one without the batch in front, ({len(values) // len(run.targets)}, ...)")
    if len(shape) == 3 and run.prepared.source.kind == "signal":
        maps = wide(values).sum(dim=1)
    elif len(shape) == 2:
        maps = wide(values).sum(dim=3 - _axis_of_places(run, layer, shape))[:, np.newaxis]
    else:
        raise _no_places(run, layer, f"shape {shape} for one input")
    return Place().spread(maps, run.size)


def is_measured(run: Run, shape: tuple[int, ...]) -> bool:
    """Whether the axis of an output of this shape for one input has to be measured, on as many inputs as `NOISES`."""
    return len(shape) == 2 and (run.prepared.source.kind != "text" or len(_fitting(run, shape)) > 1)


def _fitting(run: Run, shape: tuple[int, ...]) -> list[int]:
    """Return the axes of an output (1, a, b) that are as long as a text has tokens."""
    return [axis for axis, size in enumerate(shape, 1) if size == run.size[1]]


def _axis_of_places(run: Run, layer: str, shape: tuple[int, ...]) -> int:
    """Return which axis of an output (1, a, b) runs along the input: 1 or 2."""
    if run.prepared.source.kind == "text":
        fitting = _fitting(run, shape)
        if not fitting:
            raise _no_places(run, layer, f"shape {shape} for {run.size[1]} tokens")
        if not is_measured(run, shape):
            return fitting[0]
    slopes = _slopes(run, layer)
    axis = 1 if slopes[0] > slopes[1] else 2
    if slopes[axis - 1] < _LEAST_SLOPE or slopes[axis - 1] < 2 * abs(slopes[2 - axis]):
        raise _no_places(run, layer, f"shape {shape}, of which no axis follows the input")
    return axis


def _slopes(run: Run, layer: str) -> tuple[float, float]:
    """Return how fast what an output (1, a, b) depends on moves along the input, along each of its two axes."""
    rng = np.random.default_rng(0)
    noise = torch.as_tensor(rng.normal(size=(NOISES, *run.tensor.shape))).to(run.tensor)
    # At the input itself, most of a layer may be idle.
    batch = (run.tensor.mean() + run.tensor.std() * noise).requires_grad_()
    with torch.enable_grad(), outputs_of_calls(run.model, layer) as outputs:
        run.model.forward(batch.clone())
    run.count(len(batch))
    output = outputs[-1]
    signs = rng.choice([-1.0, 1.0], tuple(output.shape))  # so that parts do not cancel
    signed = output * torch.as_tensor(signs).to(output)
    return _slope(signed, batch, 1), _slope(signed, batch, 2)


def _slope(output: torch.Tensor, batch: torch.Tensor, axis: int) -> float:
    count, length = output.shape[axis], batch.shape[-1]
    places, centres = [], []
    for index in np.unique(np.linspace(0, count - 1, _LOOKS).round().astype(int)).tolist():
        (gradient,) = torch.autograd.grad(output.select(axis, index).sum(), batch, retain_graph=True)
        seen = wide(gradient).square().flatten(0, -2).sum(dim=0).cpu().numpy()
        if seen.any():
            places.append((index + 0.5) / count)
            centres.append(float(seen @ (np.arange(length) + 0.5)) / seen.sum() / length)
    return float(np.polyfit(places, centres, 1)[0]) if len(places) > 1 else 0.0


def _no_places(run: Run, layer: str, actual: str) -> AttributionError:
    whole = "one place for each token" if run.prepared.source.kind == "text" else "an axis along the recording"
    return AttributionError(
        f"layer must return one tensor (batch, ...) with {whole}, got {layer!r} with {actual}; name another layer, or "
        "use integrated-gradients"
    )
