"""Inner layers of an input's pass: which one suits a class activation map, and where a transformer's tokens lie.

A vision transformer returns tokens instead of feature maps: class and register tokens come first, then one for each
patch of the image. `xplain.attributions.engine.observe` finds the grid of the patches.
"""

from __future__ import annotations

import torch

from xplain import _check
from xplain.attributions.engine.autograd import LayerDidNotRun
from xplain.attributions.engine.observe import Observation, first_patch
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError


def is_sequence(run: Run) -> bool:
    """Whether the input is a text or a recording."""
    return run.prepared.source.kind != "image"


def choose_layer(run: Run, name: str | None) -> tuple[str, bool]:
    """Return the layer for class activation maps: the one asked for, the model's own, or what its pass shows.

    Returns
    -------
    str
        The layer's dotted name.
    bool
        Whether it may see the input mirrored or moved, since the pass moved places.
    """
    if name is not None:
        return _check.string("layer", name), False
    if run.model.layer is not None:
        return run.model.layer, False
    if is_sequence(run):
        raise AttributionError(f"layer must be named for a {run.prepared.source.kind}, got none; pass layer=...")
    observation = run.observation
    if observation.layer_has_places:
        if observation.bypass == "skip":
            run.quality.say(
                f"The score also depends on the input beside layer {observation.layer!r}, without further "
                "convolutions: that evidence is not in this map."
            )
        assert observation.layer is not None
        return observation.layer, observation.moved
    if observation.token_layer is not None:
        return observation.token_layer, False
    if observation.layer is not None and observation.mixed_by is not None and observation.mixed_tokens is not None:
        return observation.mixed_tokens, True
    raise _no_layer(observation)


def layer_that_runs(run: Run, name: str | None) -> tuple[str, bool]:
    """Return what `choose_layer` does, for a layer that the input itself passes; its calls are then recorded."""
    chosen = choose_layer(run, name)
    try:
        run.layer_calls(chosen[0])
    except LayerDidNotRun:
        if name is not None or run.model.layer is not None:
            raise
        run.observe_itself()  # what was seen is another input's way through the network
        chosen = choose_layer(run, name)
    return chosen


def _no_layer(observation: Observation) -> AttributionError:
    """Return what to raise where no layer suits."""
    if observation.layer is None:
        return AttributionError(
            "model must have a layer with feature maps (channels, height > 1, width > 1) that a convolution made, "
            "got none (scripted and exported modules hide theirs); name one with layer=..., or use "
            "integrated-gradients"
        )
    if observation.attention_follows or observation.mixed_by is not None:
        mixed_by = "attention" if observation.attention_follows else observation.mixed_by
        return AttributionError(
            f"model must not mix places after its last feature maps, got {mixed_by} after layer "
            f"{observation.layer!r}; name a layer with layer=..., or use integrated-gradients"
        )
    return AttributionError(
        f"layer must be named where the score depends on convolutions beside the last feature maps, got "
        f"{observation.layer!r} in one of several branches; name one with layer=... for the map of its branch alone, "
        "or use integrated-gradients or occlusion"
    )


def patches(run: Run, tokens: int) -> tuple[int, tuple[int, int]]:
    """Return how many class and register tokens come before the patches among ``tokens``, and the patches' grid."""
    grid = run.observation.grid
    first = first_patch(tokens, grid)
    if grid is None or first is None:
        count = "no patches" if grid is None else f"{grid[0]} x {grid[1]} patches"
        raise AttributionError(
            "tokens must be one for each patch that a convolution cut out, after at most a few class and register "
            f"tokens, got {tokens} for {count}; use integrated-gradients"
        )
    run.quality.add("patches", list(grid))
    run.quality.add("class_tokens", first)
    return first, grid


def at_places(run: Run, values: torch.Tensor) -> torch.Tensor:
    """Return values at a layer (n, ...) as feature maps (n, channels, h', w'): tokens stand where their patches are."""
    return values if values.ndim == 4 else tokens_at_places(run, values)


def tokens_at_places(run: Run, tokens: torch.Tensor) -> torch.Tensor:
    """Put the patches among tokens (..., tokens, channels) at their places: (..., channels, h', w')."""
    first, grid = patches(run, tokens.shape[-2])
    maps = tokens[..., first:, :].transpose(-2, -1)
    return maps.reshape(*maps.shape[:-1], *grid)
