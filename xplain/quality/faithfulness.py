"""Whether a map says what the model does: deletion and insertion curves, infidelity.

A measure takes the model as ``score(batch) -> (n,)`` and a map in the pixels of the image that the model is given.
Published numbers of one method differ by their knobs alone (RISE's deletion and insertion are .1076 and .7267 in its
paper, .105 and .772 in its authors' notebook), so each result holds its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.inputs import baselines
from xplain.quality.result import Floats, Result, Score, image_and_map, scored

#: Which pixels change first.
ORDERS = ("highest", "lowest", "magnitude")

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Curve(Result):
    """How a score changes while pixels are deleted or inserted.

    Parameters
    ----------
    auc : float
        Area under the curve by the trapezoidal rule, in units of the score.
    fractions : tuple of float
        0..1, parts of the pixels that have changed.
    scores : tuple of float
        The score at each of them.
    steps : int
        Steps from 0 to 1 that were asked for; an image of fewer pixels has as many as pixels.
    order : str
        One of `ORDERS`.
    substrate : str or float
        What stands for "nothing there": a number in units of the input, "mean", "blur" or "array".
    output : str or None
        What the score is: "probability", say.
    """

    auc: float
    fractions: tuple[float, ...]
    scores: tuple[float, ...]
    steps: int
    order: str
    substrate: str | float
    output: str | None


@dataclass(frozen=True, slots=True)
class Infidelity(Result):
    """How far a map is from saying by how much the score falls where a square is covered.

    Parameters
    ----------
    infidelity : float
        Mean square of (scale x what the map says - fall of the score); 0 is best, in squared units of the score.
    relative : float or None
        The same over the mean square of the falls: 1 for a map that says nothing; None if the score never changes.
    scale : float
        What the map is multiplied by: the factor with the least infidelity if ``normalise``, else 1.
    normalise : bool
        Whether the scale is free.
    samples : int
        Number of squares.
    side : int
        Their side in pixels.
    substrate : str or float
        What they are covered with.
    seed : int
        Of their places.
    """

    infidelity: float
    relative: float | None
    scale: float
    normalise: bool
    samples: int
    side: int
    substrate: str | float
    seed: int


def deletion(
    score: Score,
    image: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    channel_axis: int = 0,
    steps: int = 50,
    order: str = "highest",
    substrate: Any = 0.0,
    output: str | None = None,
    batch_size: int = 32,
) -> Curve:
    """Delete pixels in the order of a map and follow the score; a good map lets it fall early.

    Parameters
    ----------
    score : callable
        Takes images (n, ...) and returns their scores (n,).
    image : array_like
        One image as the model is given it: (channels, height, width), or (height, width, channels).
    values : array_like
        (height, width), the map. Pixels with equal values change in reading order.
    channel_axis : int
        0 or -1: where the image has its channels.
    steps : int
        How many steps there are; each changes as many pixels, all channels of a pixel at once.
    order : {"highest", "lowest", "magnitude"}
        Which pixels change first: those with the highest, the lowest values, or the largest |values|.
    substrate : float, "mean", "blur" or array_like
        What a deleted pixel shows: a number in the image's units, the image's mean colour, the image out of focus, or
        an image.
    output : str, optional
        What the score is, to be stored.
    batch_size : int
        Images in one call of ``score``.

    Returns
    -------
    Curve
        From the image at 0 to the substrate at 1.

    Raises
    ------
    InputError
        If the map is not as large as the image, or an argument is wrong.

    References
    ----------
    Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
    arXiv:1806.07421; Samek et al., "Evaluating the visualization of what a deep neural network has learned", 2017,
    arXiv:1509.06321.

    Examples
    --------
    >>> image = np.array([[[1.0, 2.0, 4.0, 8.0]]])
    >>> curve = deletion(lambda batch: batch.sum(axis=(1, 2, 3)), image, image[0])
    >>> curve.scores, curve.auc
    ((15.0, 7.0, 3.0, 1.0, 0.0), 4.625)
    """
    array, scores = image_and_map(image, values, channel_axis)
    blank = _blank(array, channel_axis, substrate)
    return _curve(score, array, blank, scores, channel_axis, steps, order, substrate, output, batch_size)


def insertion(
    score: Score,
    image: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    channel_axis: int = 0,
    steps: int = 50,
    order: str = "highest",
    substrate: Any = "blur",
    output: str | None = None,
    batch_size: int = 32,
) -> Curve:
    """Insert pixels into the substrate in the order of a map and follow the score; a good map lets it rise early.

    Parameters
    ----------
    score, image, values, channel_axis, steps, order, substrate, output, batch_size
        As for `deletion`; the image begins as the substrate.

    Returns
    -------
    Curve
        From the substrate at 0 to the image at 1.

    Raises
    ------
    InputError
        If the map is not as large as the image, or an argument is wrong.

    References
    ----------
    Petsiuk, Das & Saenko, BMVC 2018, arXiv:1806.07421.

    Examples
    --------
    >>> image = np.array([[[1.0, 2.0, 4.0, 8.0]]])
    >>> curve = insertion(lambda batch: batch.sum(axis=(1, 2, 3)), image, image[0], substrate=0)
    >>> curve.scores, curve.auc
    ((0.0, 8.0, 12.0, 14.0, 15.0), 10.375)
    """
    array, scores = image_and_map(image, values, channel_axis)
    blank = _blank(array, channel_axis, substrate)
    return _curve(score, blank, array, scores, channel_axis, steps, order, substrate, output, batch_size)


def infidelity(
    score: Score,
    image: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    channel_axis: int = 0,
    samples: int = 64,
    side: float = 0.25,
    substrate: Any = 0.0,
    normalise: bool = True,
    seed: int = 0,
    batch_size: int = 32,
) -> Infidelity:
    """Cover random squares, and compare the falls of the score with the sums of the map over the squares.

    Parameters
    ----------
    score, image, values, channel_axis, substrate, batch_size
        As for `deletion`.
    samples : int
        Number of squares.
    side : float
        Their side as a part of the image's shorter side, above 0 and at most 1.
    normalise : bool
        Whether the map may be multiplied by the factor that suits it best: maps have units of their own.
    seed : int
        Of the squares' places.

    Returns
    -------
    Infidelity
        0 for a map that shares out a score that is a sum over pixels.

    Raises
    ------
    InputError
        If the map is not as large as the image, or an argument is wrong.

    References
    ----------
    Yeh et al., "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019, arXiv:1901.09392 (square removal).

    Examples
    --------
    >>> image = np.arange(1.0, 17.0).reshape(1, 4, 4)
    >>> measured = infidelity(lambda batch: 3 * batch.sum(axis=(1, 2, 3)), image, image[0])
    >>> round(measured.infidelity, 9), round(measured.scale, 9)
    (0.0, 3.0)
    """
    array, scores = image_and_map(image, values, channel_axis)
    count = _check.integer("samples", samples, least=2)
    part = _check.number("side", side)
    if not 0 < part <= 1:
        raise _check.wrong("side", "above 0 and at most 1", side)
    free = _check.boolean("normalise", normalise)
    blank = _blank(array, channel_axis, substrate)
    length = max(1, round(part * min(scores.shape)))
    rng = np.random.default_rng(_check.integer("seed", seed, least=0))
    tops, lefts = (rng.integers(0, size - length + 1, count) for size in scores.shape)
    rows, columns = (np.arange(size) for size in scores.shape)

    def covered(start: int, stop: int) -> npt.NDArray[np.bool_]:
        top, left = tops[start:stop, None, None], lefts[start:stop, None, None]
        down, across = rows[:, None] - top, columns - left
        inside: npt.NDArray[np.bool_] = (down >= 0) & (down < length) & (across >= 0) & (across < length)
        return inside

    size = _check.integer("batch_size", batch_size, least=1)
    own = scored(score, iter([array[np.newaxis]]))[0]
    falls = own - scored(score, _variants(array, blank, covered, count, channel_axis, size))
    summed = np.pad(scores.cumsum(axis=0).cumsum(axis=1), (1, 0))
    said = summed[tops + length, lefts + length] - summed[tops, lefts + length] - summed[tops + length, lefts]
    said += summed[tops, lefts]
    power = float(said @ said)
    scale = float(said @ falls) / power if free and power else 1.0
    found, change = float(np.mean((scale * said - falls) ** 2)), float(np.mean(falls**2))
    relative = found / change if change else None
    return Infidelity(found, relative, scale, free, count, length, _named(substrate), seed)


def _curve(
    score: Score,
    before: Array,
    after: Array,
    values: Floats,
    channel_axis: int,
    steps: int,
    order: str,
    substrate: Any,
    output: str | None,
    batch_size: int,
) -> Curve:
    """Follow the score while ``before`` becomes ``after``."""
    asked = _check.integer("steps", steps, least=1)
    size = _check.integer("batch_size", batch_size, least=1)
    keys = {"highest": -values, "lowest": values, "magnitude": -np.abs(values)}
    first = np.argsort(keys[_check.choice("order", order, ORDERS)], axis=None, kind="stable")
    place = np.empty(values.shape, np.int64)
    place.ravel()[first] = np.arange(values.size)
    counts = np.unique(np.rint(np.linspace(0, values.size, asked + 1)).astype(np.int64))
    changed = _variants(
        before, after, lambda a, b: place < counts[a:b, np.newaxis, np.newaxis], len(counts), channel_axis, size
    )
    scores = scored(score, changed)
    fractions = counts / values.size
    auc = float(np.sum(np.diff(fractions) * (scores[1:] + scores[:-1]) / 2))
    return Curve(auc, tuple(fractions.tolist()), tuple(scores.tolist()), asked, order, _named(substrate), output)


def _variants(
    before: Array,
    after: Array,
    changed: Callable[[int, int], npt.NDArray[np.bool_]],
    count: int,
    channel_axis: int,
    batch_size: int,
) -> Iterator[Array]:
    """Yield batches of images with ``after`` where ``changed(start, stop)``, bool (n, height, width), says so."""
    for start in range(0, count, batch_size):
        where = changed(start, min(start + batch_size, count))
        yield np.where(np.expand_dims(where, 1 if channel_axis == 0 else -1), after, before)


def _blank(image: Array, channel_axis: int, substrate: Any) -> Array:
    """The substrate as an image of the same type."""
    blank = baselines.make(image, channel_axis, substrate, "substrate")
    return np.clip(np.rint(blank), 0, 255).astype(np.uint8) if image.dtype == np.uint8 else blank.astype(image.dtype)


def _named(substrate: Any) -> str | float:
    if isinstance(substrate, str):
        return substrate
    return float(substrate) if np.ndim(substrate) == 0 else "array"
