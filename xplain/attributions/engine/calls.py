"""The calls of one layer in an input's pass: which of them a score depends on, where they lie, and their maps as one.

A network may run a layer several times: on a mirrored copy of the photo, on its tiles, at several sizes, on another
photo. Each call that a score depends on has an output and gradients of its own. Only where there are several, or where
the pass moved places, `xplain.attributions.engine.places` finds out which part of the photo each call sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from xplain.attributions.engine import layers, places
from xplain.attributions.engine.autograd import LayerCall
from xplain.attributions.engine.places import Place
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError


@dataclass(frozen=True, slots=True, eq=False)
class PlacedCall:
    """A call of a layer whose place in the photo is known.

    Parameters
    ----------
    maps : torch.Tensor
        (channels, h', w'), the feature maps that it returned.
    gradients : torch.Tensor
        (T, channels, h', w'), those of the scores.
    place : Place
        The part of the input that it sees.
    """

    maps: torch.Tensor
    gradients: torch.Tensor
    place: Place


def calls_of_layer(run: Run, layer: str, *, verify: bool = False) -> list[PlacedCall]:
    """Return the calls of a layer that the scores depend on and that see the input.

    Costs 1 evaluation; `xplain.attributions.engine.places.VARIANTS` more if the scores depend on several calls, or if
    ``verify`` asks for the place of a single one.

    Parameters
    ----------
    run : Run
        What is explained.
    layer : str
        Dotted name of the layer.
    verify : bool
        Whether even a single call may see the input mirrored or moved.

    Raises
    ------
    AttributionError
        If it cannot be told which part of the input a call sees.
    """
    recorded = run.layer_calls(layer)
    if len(recorded) == 1 and not verify:
        return [_placed(run, recorded[0], Place())]
    found = places.find_places(run, layer, recorded)
    calls = [_placed(run, call, place) for call, place in zip(recorded, found, strict=True) if place is not None]
    if not calls:
        raise AttributionError(
            f"layer must see the input, got {layer!r}, whose output is the same for any; name another with layer=..., "
            "or use integrated-gradients or occlusion"
        )
    if len(calls) < len(recorded):
        others = ", ".join(str(call.number + 1) for call, place in zip(recorded, found, strict=True) if place is None)
        run.quality.say(
            f"The score also depends on what layer {layer!r} saw in another input (call {others} of "
            f"{recorded[0].count}): that evidence is not in this map."
        )
    if len(recorded) > 1:
        run.quality.add("layer_calls", len(calls))
    return calls


def add_up(run: Run, calls: Sequence[PlacedCall], maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Add up the maps of several calls, each at its place.

    Where a coarse place covers several of the finer frame, its value is divided among them, so that the sum of the
    whole is the sum of all maps.

    Parameters
    ----------
    run : Run
        What is explained.
    calls : sequence of PlacedCall
        At least one.
    maps : sequence of torch.Tensor
        (T, h', w') of each call.

    Returns
    -------
    torch.Tensor
        (T, H, W), at the resolution of the finest call; of a single call that sees the input as it is, its map.
    """
    if len(calls) == 1 and calls[0].place == Place():
        return maps[0]
    upright = [call.place.upright(values) for call, values in zip(calls, maps, strict=True)]
    sizes = [call.place.resolution(values.shape[1:]) for call, values in zip(calls, upright, strict=True)]
    height, width = (
        min(side, max(of_calls)) for side, of_calls in zip(run.size, zip(*sizes, strict=True), strict=True)
    )
    spread = [call.place.spread(values, (height, width)) for call, values in zip(calls, upright, strict=True)]
    return torch.stack(spread).sum(dim=0)


def _placed(run: Run, call: LayerCall, place: Place) -> PlacedCall:
    if call.output.ndim == 3:
        return PlacedCall(call.output, call.gradients, place)
    return PlacedCall(layers.tokens_at_places(run, call.output), layers.tokens_at_places(run, call.gradients), place)
