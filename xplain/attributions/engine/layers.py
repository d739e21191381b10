"""Inner layers of an input's pass: which one suits a class activation map, and where a transformer's tokens lie.

A vision transformer returns tokens instead of feature maps: class and register tokens come first, then one for each
patch of the image. `xplain.attributions.engine.observe` finds the grid of the patches.
"""

from __future__ import annotations

import torch

from xplain import _check
from xplain.attributions.engine.observe import first_patch
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError


def choose_layer(run: Run, name: str | None) -> str:
    """Return the layer for class activation maps: the one asked for, the model's own, or what its pass shows."""
    if name is not None:
        return _check.string("layer", name)
    if run.model.layer is not None:
        return run.model.layer
    observation = run.observation
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


def maps_of_layer(run: Run, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a layer's feature maps (channels, h', w') of the input, and the scores' gradients (T, ...) there."""
    output, gradients = run.layer_gradient(layer)
    return at_places(run, output[None])[0], at_places(run, gradients)


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
    if values.ndim == 4:
        return values
    first, grid = patches(run, values.shape[-2])
    maps = values[..., first:, :].transpose(-2, -1)
    return maps.reshape(*maps.shape[:-1], *grid)
