"""How much a map changes with its input, where it should not, and with its model, where it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.quality.comparison import rank_correlation
from xplain.quality.result import Result

if TYPE_CHECKING:
    import torch


Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class MaxSensitivity(Result):
    """By how much a map changes at most when its input changes a little.

    Parameters
    ----------
    max_sensitivity : float or None
        Largest Euclidean length of the map's change over the length of the map; 0 is best. None if the map is zero
        everywhere.
    radius : float
        Largest change of a number of the input, as a part of the input's range.
    samples : int
        Number of changed inputs.
    seed : int
        Of the changes.
    """

    max_sensitivity: float | None
    radius: float
    samples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Randomisation(Result):
    """How similar a map stays to itself while a network's layers become random, from the last to the first.

    Parameters
    ----------
    layers : tuple of str
        The last layer of each stage that became random.
    correlations : tuple of float or None
        -1..1, rank correlation with the map of the trained network; None where there is no map or a flat one. A map
        that stays similar does not depend on what the network has learnt.
    absolute : tuple of float or None
        Rank correlation of the |values|.
    seed : int
        Of the random weights.
    """

    layers: tuple[str, ...]
    correlations: tuple[float | None, ...]
    absolute: tuple[float | None, ...]
    seed: int


def max_sensitivity(
    explain: Callable[[Array], npt.ArrayLike],
    image: npt.ArrayLike,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    batch_size: int = 10,
) -> MaxSensitivity:
    """Explain an input again after small random changes.

    Parameters
    ----------
    explain : callable
        Takes inputs (n, ...) and returns their maps (n, ...).
    image : array_like
        One input of any shape.
    radius : float
        Each number of the input changes by a uniform random number up to this part of the input's range.
    samples : int
        Number of changed inputs.
    seed : int
        Of the changes.
    batch_size : int
        Inputs in one call of ``explain``.

    Returns
    -------
    MaxSensitivity
        The largest change of the map over the samples, which is a lower bound of the true one.

    Raises
    ------
    InputError
        If the input's numbers are all equal.

    References
    ----------
    Yeh et al., "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019, arXiv:1901.09392.

    Examples
    --------
    >>> image = np.array([0.0, 1.0])
    >>> max_sensitivity(lambda batch: 2 * batch, image, radius=0.1).max_sensitivity < 0.1 * 2**0.5
    True
    """
    array = np.asarray(image)
    part, count = _check.number("radius", radius), _check.integer("samples", samples, least=1)
    size = _check.integer("batch_size", batch_size, least=1)
    rng = np.random.default_rng(_check.integer("seed", seed, least=0))
    most_change = part * float(np.ptp(array)) if array.size else 0.0
    if most_change <= 0:
        raise InputError("radius must be positive and the image's numbers must differ, got a radius of nothing")
    original = np.asarray(explain(array[np.newaxis]), np.float64)[0]
    length = float(np.linalg.norm(original))
    if not length:
        return MaxSensitivity(None, part, count, seed)  # a change relative to nothing
    sensitivity = 0.0
    for start in range(0, count, size):
        shape = (min(size, count - start), *array.shape)
        changed = array + rng.uniform(-most_change, most_change, shape)
        if array.dtype == np.uint8:
            changed = np.clip(np.rint(changed), 0, 255)
        maps = np.asarray(explain(changed.astype(array.dtype)), np.float64)
        sensitivity = max(sensitivity, *(float(np.linalg.norm(heatmap - original)) / length for heatmap in maps))
    return MaxSensitivity(sensitivity, part, count, seed)


def randomisation(
    module: torch.nn.Module,
    explain: Callable[[], npt.ArrayLike | None],
    *,
    stages: int = 5,
    seed: int = 0,
) -> Randomisation:
    """Make a network random from its last layer to its first, and compare its maps with that of the trained network.

    Each parameter is replaced by normal noise of its own mean and standard deviation; buffers stay. Layers are taken in
    the reverse of the order in which the module holds them. The module has all its values back afterwards, bit for bit,
    also when the call fails; it must not serve others meanwhile.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    explain : callable
        Returns the map of the network as it is now, or None where it has none.
    stages : int
        How many times to explain the changed network; layers that have parameters are divided evenly among them.
    seed : int
        Of the random weights.

    Returns
    -------
    Randomisation
        Rank correlations after each stage.

    Raises
    ------
    InputError
        If the module has no parameters, or there is no map to begin with.

    References
    ----------
    Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292 (cascading randomisation).
    """
    import torch

    count = _check.integer("stages", stages, least=1)
    generator = torch.Generator().manual_seed(_check.integer("seed", seed, least=0))
    layers = [
        (name, parameters)
        for name, layer in module.named_modules()
        if (parameters := [values for values in layer.parameters(recurse=False) if values.is_floating_point()])
    ][::-1]
    if not layers:
        raise InputError("module must have parameters to make random, got none")
    names, signed, absolute = [], [], []
    with _restored(module):
        trained = explain()
        if trained is None:
            raise InputError("explain must return a map of the trained module, got None")
        original = np.asarray(trained, np.float64)
        for stage in np.array_split(np.arange(len(layers)), min(count, len(layers))):
            for index in stage:
                for parameter in layers[int(index)][1]:
                    _randomise(parameter, generator)
            heatmap = explain()
            names.append(layers[stage[-1]][0])
            signed.append(None if heatmap is None else rank_correlation(heatmap, original))
            absolute.append(None if heatmap is None else rank_correlation(np.abs(heatmap), np.abs(original)))
    return Randomisation(tuple(names), tuple(signed), tuple(absolute), seed)


def _randomise(parameter: torch.Tensor, generator: torch.Generator) -> None:
    import torch

    with torch.no_grad():
        # On the CPU and in double precision, so that every device and dtype gets the same numbers.
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        values = parameter.detach().double().cpu()
        parameter.copy_(values.mean() + values.std(correction=0) * noise)


@contextmanager
def _restored(module: torch.nn.Module) -> Iterator[None]:
    """Give every parameter and buffer its values back."""
    import torch

    saved = [(tensor, tensor.detach().clone()) for tensor in (*module.parameters(), *module.buffers())]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, values in saved:
                tensor.copy_(values)
