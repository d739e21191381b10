"""Which part of the input each call of a layer sees, and whether upright: measured by gradients at noise.

A layer's output does not say where it lies: a network may have cut, mirrored, turned or shuffled the input before it
called the layer. `find_places` runs the network on a few images of noise in the photo's range. The pixels by which a
call's output can be differentiated at all bound the part that the call sees. For each pixel it also measures the mean
place of the output that depends on it: outputs are added up with random signs e_p, alone and times their place q_p, so
that the products of the two gradients at a pixel are, on the mean over the signs,
``sum_p q_p (dA_p / dx)^2`` (Hutchinson 1990). Whatever is not clearly one of the eight ways to lay a rectangle on its
box is refused: shuffled tiles, rolled maps, tokens that lost their places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions.engine import layers
from xplain.attributions.engine.autograd import LayerCall, outputs_of_calls, wide
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError, XplainError

#: Sides of the squares of each image of noise, in pixels: fine noise, and one that means of many pixels survive.
_GRAINS = (1, 4, 1, 4)
#: Variants of the input that `find_places` evaluates: the noise, and the input itself.
VARIANTS = len(_GRAINS) + 1
#: Strips into which a box is cut, along its rows and along its columns.
_STRIPS = 8
#: The least slope of outputs' places over inputs' places: 1 if each sees itself alone, 0 if each sees all.
_LEAST_SLOPE = 0.25
#: How far a place may be from where it should, as a fraction of the box.
_TOLERANCE = 0.15
#: How far apart places of one pixel may be for two variants, on the mean over a box, since the signs are random: a
#: fraction of the box, and one of a place of the output.
_SAME = (0.08, 0.25)
#: Pixels at a border that a layer may leave out, as strides do, and still see up to the border.
_BORDER = 2

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the input, and how feature maps lie on it.

    Parameters
    ----------
    top, bottom, left, right : float
        The part's edges as fractions of the input.
    transposed : bool
        Whether the rows of the maps run along the columns of the input.
    upside_down, mirrored : bool
        Whether they then run from bottom to top, and from right to left.
    """

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0
    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    def upright(self, maps: torch.Tensor) -> torch.Tensor:
        """Return maps (T, h', w') as they lie in the input."""
        if self.transposed:
            maps = maps.transpose(1, 2)
        return maps.flip([axis for axis, flipped in ((1, self.upside_down), (2, self.mirrored)) if flipped])

    def resolution(self, shape: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of the whole input at the resolution of upright maps of ``shape`` (h', w')."""
        height, width = self.bottom - self.top, self.right - self.left
        # Rounded up, except for what rounding of the edges adds.
        return math.ceil(shape[0] / height - 1e-6), math.ceil(shape[1] / width - 1e-6)

    def spread(self, maps: torch.Tensor, frame: tuple[int, int]) -> torch.Tensor:
        """Put upright maps (T, h', w') on the whole input (T, H, W): each value is divided by area, so sums stay."""
        rows = _shares(maps.shape[1], frame[0], self.top, self.bottom).to(maps)
        columns = _shares(maps.shape[2], frame[1], self.left, self.right).to(maps)
        return rows @ maps @ columns.T


def find_places(run: Run, layer: str, calls: Sequence[LayerCall]) -> list[Place | None]:
    """Find the part of the input that each of some calls of a layer sees; None if it sees nothing of it.

    Raises
    ------
    AttributionError
        If that cannot be told for a call.
    """
    parts = list(run.in_batches(lambda variants: _measure(run, layer, calls, variants), VARIANTS))
    found = []
    for index, call in enumerate(calls):
        seen = np.concatenate([of_calls[index][0] for of_calls in parts])
        outputs = [values for of_calls in parts for values in of_calls[index][1]]
        found.append(_place_of(run, layer, call, seen, outputs))
    return found


def _measure(
    run: Run, layer: str, calls: Sequence[LayerCall], variants: Sequence[int]
) -> list[tuple[Float64, list[torch.Tensor]]]:
    """Return what each call sees of some variants, as `_seen` says, and its outputs for each or for all of them."""
    batch = torch.stack([_variant(run, number) for number in variants]).requires_grad_()
    # A detector may find nothing in noise, which is of no matter here: its layers have run.
    with outputs_of_calls(run.model, layer) as outputs, suppress(XplainError):
        # A clone, since a module may normalise its input in place, which autograd forbids for a leaf.
        run.model.forward(batch.clone())
    if len(outputs) != calls[0].count:
        raise _unclear(layer, f"{calls[0].count} calls for the input and {len(outputs)} for noise")
    measured = []
    for call in calls:
        output = outputs[call.number]
        values = output.detach().cpu()
        measured.append((_seen(run, call, output, batch, variants), list(values) if call.of_input else [values]))
    return measured


def _seen(run: Run, call: LayerCall, output: torch.Tensor, batch: torch.Tensor, variants: Sequence[int]) -> Float64:
    """Return (n, 3, height, width): at each pixel the sum of squared derivatives, alone and times rows and columns.

    Rows and columns of the output are 0..1.
    """
    seen = np.zeros((len(variants), 3, *run.size))
    if not call.of_input or not output.requires_grad:
        return seen
    maps = layers.tokens_at_places(run, output) if output.ndim == 3 else output
    shape = tuple(maps.shape[1:])
    signs = np.stack([np.random.default_rng(number).choice([-1.0, 1.0], shape) for number in variants])
    rows, columns = ((np.arange(length) + 0.5) / length for length in shape[1:])
    gradients = []
    for places in (np.ones(1), rows[:, np.newaxis], columns):
        total = (maps * torch.as_tensor(signs * places).to(maps)).sum()
        (gradient,) = torch.autograd.grad(total, batch, retain_graph=True, allow_unused=True)
        if gradient is None:
            return seen
        gradients.append(wide(gradient))
    channels = 1 + run.model.channel_axis % 3
    for which, gradient in enumerate(gradients):
        seen[:, which] = (gradient * gradients[0]).sum(dim=channels).cpu().numpy()
    return seen


def _variant(run: Run, number: int) -> torch.Tensor:
    """Return the input itself for the last number, else noise between its least and its greatest value."""
    photo = run.tensor
    if number == VARIANTS - 1:
        return photo
    grain = _GRAINS[number]
    rng = np.random.default_rng(number)
    channels = photo.shape[run.model.channel_axis]
    height, width = run.size
    squares = rng.random((channels, -(-height // grain), -(-width // grain)))
    noise = squares.repeat(grain, axis=1).repeat(grain, axis=2)[:, :height, :width]
    if run.model.channel_axis != 0:
        noise = np.moveaxis(noise, 0, -1)
    low, high = photo.min(), photo.max()
    return low + (high - low) * torch.as_tensor(noise).to(photo)


def _place_of(run: Run, layer: str, call: LayerCall, seen: Float64, outputs: Sequence[torch.Tensor]) -> Place | None:
    """Return the part of the input that a call sees, from what `_seen` measured for all variants."""
    name = f"call {call.number + 1} of {call.count}"
    if not seen.any():
        if all(torch.equal(values, outputs[0]) for values in outputs):
            return None
        raise _unclear(layer, f"{name} without a gradient to the input that it depends on")
    noise, photo = seen[:-1].sum(axis=0), seen[-1, 0]
    if not noise[0].any():
        raise _unclear(layer, f"{name} that does not react to noise")
    y0, y1, x0, x1 = _box(noise[0] > 0)
    outside = photo.copy()
    outside[max(0, y0 - _BORDER) : y1 + _BORDER, max(0, x0 - _BORDER) : x1 + _BORDER] = 0
    if outside.any():
        raise _unclear(layer, f"{name} on a part that depends on what the input shows")
    maps = layers.tokens_at_places(run, call.output) if call.output.ndim == 2 else call.output
    way = _way(seen[:, :, y0:y1, x0:x1], tuple(maps.shape[1:]))
    if way is None:
        raise _unclear(layer, f"{name} whose places are not those of a box of the input")
    height, width = run.size
    return Place(
        0.0 if y0 <= _BORDER else y0 / height,
        1.0 if y1 >= height - _BORDER else y1 / height,
        0.0 if x0 <= _BORDER else x0 / width,
        1.0 if x1 >= width - _BORDER else x1 / width,
        *way,
    )


def _box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what is True."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _way(seen: Float64, shape: tuple[int, ...]) -> tuple[bool, bool, bool] | None:
    """Return whether maps lie transposed, upside down and mirrored on their box; None if in no such way.

    ``seen`` is (VARIANTS, 3, rows, columns) of the box, as `_seen` says, ``shape`` that of the maps.
    """
    along: list[int | None] = [None, None]  # the axis of the box along which rows and columns of the maps run
    flipped = [False, False]
    for axis in (0, 1):
        if shape[axis] == 1:
            continue
        slopes = _slopes(seen[:, [0, 1 + axis]], shape[axis])
        which = int(np.abs(slopes).argmax())
        if not _LEAST_SLOPE <= abs(slopes[which]) <= 1 + _TOLERANCE or abs(slopes[1 - which]) > _TOLERANCE:
            return None
        along[axis], flipped[which] = which, bool(slopes[which] < 0)
    if along[0] is not None and along[0] == along[1]:
        return None
    return along[0] == 1 or along[1] == 0, flipped[0], flipped[1]


def _slopes(seen: Float64, length: int) -> Float64:
    """Return how fast places along one axis of an output change along the rows and the columns of the box: (2,).

    ``seen`` is (VARIANTS, 2, rows, columns), the squared derivatives alone and times the places, of which there are
    ``length``. Both are 0 where the places do not change evenly, where they are others for other variants, or where too
    little of the box is seen.
    """
    cells, places = seen, []
    for axis in (2, 3):
        count = seen.shape[axis]
        strips = np.arange(min(_STRIPS, count)) * count // min(_STRIPS, count)
        cells = np.add.reduceat(cells, strips, axis=axis)
        # Where the strips' pixels lie in an output of so many places.
        exact = (np.floor((np.arange(count) + 0.5) / count * length) + 0.5) / length
        places.append(np.add.reduceat(exact, strips) / np.diff([*strips, count]) - 0.5)
    noise = cells[:-1].sum(axis=0)
    is_seen = noise[0] > 0
    if is_seen.mean() < 0.5 or not is_seen.any(axis=0).all() or not is_seen.any(axis=1).all():
        return np.zeros(2)
    measured = _quotients(noise[1], noise[0]) - 0.5
    for denominators, numerators in cells:
        differences = np.abs(_quotients(numerators, denominators) - 0.5 - measured)[is_seen & (denominators > 0)]
        if differences.size and differences.mean() > _SAME[0] + _SAME[1] / length:
            return np.zeros(2)
    grid = np.stack(np.broadcast_arrays(places[0][:, np.newaxis], places[1], 1.0))
    (*slopes, shift), *_ = np.linalg.lstsq(grid[:, is_seen].T, measured[is_seen], rcond=None)
    misses = np.where(is_seen, measured - np.tensordot([*slopes, shift], grid, 1), 0)
    of_strips = [np.abs(misses.sum(axis=axis)) / is_seen.sum(axis=axis) for axis in (0, 1)]
    worst = max(np.abs(misses).sum() / is_seen.sum(), *map(np.max, of_strips), abs(shift))
    return np.asarray(slopes) if worst <= _TOLERANCE else np.zeros(2)


def _quotients(numerators: Float64, denominators: Float64) -> Float64:
    """Divide, with 0.5 where the denominator is 0."""
    return np.divide(numerators, denominators, out=np.full_like(numerators, 0.5), where=denominators > 0)


def _shares(length: int, frame: int, start: float, stop: float) -> torch.Tensor:
    """Return (frame, length): which part of each of ``length`` places between two fractions lies in each of a frame."""
    edges = (start + (stop - start) * np.arange(length + 1) / length) * frame
    low, high = edges[:-1], edges[1:]
    cells = np.arange(frame)[:, np.newaxis]
    overlap = np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0, None)
    return torch.as_tensor(overlap / (high - low))


def _unclear(layer: str, actual: str) -> AttributionError:
    return AttributionError(
        f"layer must see the whole input or a box of it in each call that the score depends on, got {layer!r} with "
        f"{actual}; name a layer that runs once on the whole input with layer=..., or use integrated-gradients or "
        "occlusion"
    )
