"""Whether a map is faithful to the model: deletion and insertion curves, infidelity.

Measures take the model as ``score(batch) -> (n,)``, and a map in the pixels of the image that the model is given.
Published numbers of one method differ by their knobs alone (RISE's deletion and insertion are .1076 and .7267 in its
paper, .105 and .772 in its authors' notebook), so each result holds the knobs it was computed with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.inputs import baselines
from xplain.quality.result import Floats, Result, Score, image_and_map, score_batches

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
    """How badly the sums of a map over squares predict by how much the score falls when they are covered.

    Parameters
    ----------
    infidelity : float
        Mean square of (scale x sum of the map - fall of the score); 0 is best, in squared units of the score.
    relative : float or None
        ``infidelity`` over the mean square of the falls: 1 for a map of zeros; None if the score never changes.
    scale : float
        Factor of the map: the one with the least infidelity if ``normalise``, else 1.
    normalise : bool
        Whether the scale is free.
    samples : int
        Number of squares.
    side : int
        Their side in pixels.
    substrate : str or float
        What they are covered with.
    seed : int
        Of their positions.
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
    """Delete pixels in the order of a map and follow the score; with a good map it falls early.

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
    array, heatmap = image_and_map(image, values, channel_axis)
    blank = _blank(array, channel_axis, substrate)
    walk = _Walk.along(heatmap, order, steps)
    scores = walk.scores(score, array, blank, channel_axis, batch_size)
    return walk.curve(scores, steps, order, substrate, output)


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
    """Insert pixels into the substrate in the order of a map and follow the score; with a good map it rises early.

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
    array, heatmap = image_and_map(image, values, channel_axis)
    blank = _blank(array, channel_axis, substrate)
    walk = _Walk.along(heatmap, order, steps)
    scores = walk.scores(score, blank, array, channel_axis, batch_size)
    return walk.curve(scores, steps, order, substrate, output)


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
        Of the squares' positions.

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
    >>> result = infidelity(lambda batch: 3 * batch.sum(axis=(1, 2, 3)), image, image[0])
    >>> round(result.infidelity, 9), round(result.scale, 9)
    (0.0, 3.0)
    """
    array, heatmap = image_and_map(image, values, channel_axis)
    count = _check.integer("samples", samples, least=2)
    part = _check.number("side", side)
    if not 0 < part <= 1:
        raise _check.wrong("side", "above 0 and at most 1", side)
    scale_is_free = _check.boolean("normalise", normalise)
    blank = _blank(array, channel_axis, substrate)
    length = max(1, round(part * min(heatmap.shape)))
    rng = np.random.default_rng(_check.integer("seed", seed, least=0))
    tops, lefts = (rng.integers(0, size - length + 1, count) for size in heatmap.shape)
    rows, columns = (np.arange(size) for size in heatmap.shape)

    def covered(start: int, stop: int) -> npt.NDArray[np.bool_]:
        top, left = tops[start:stop, None, None], lefts[start:stop, None, None]
        down, across = rows[:, None] - top, columns - left
        inside: npt.NDArray[np.bool_] = (down >= 0) & (down < length) & (across >= 0) & (across < length)
        return inside

    size = _check.integer("batch_size", batch_size, least=1)
    image_score = score_batches(score, iter([array[np.newaxis]]))[0]
    falls = image_score - score_batches(score, _variants(array, blank, covered, count, channel_axis, size))
    sums = _square_sums(heatmap, tops, lefts, length)
    power = float(sums @ sums)
    scale = float(sums @ falls) / power if scale_is_free and power else 1.0  # least squares
    error, change = float(np.mean((scale * sums - falls) ** 2)), float(np.mean(falls**2))
    relative = error / change if change else None
    return Infidelity(error, relative, scale, scale_is_free, count, length, _substrate_name(substrate), seed)


def _square_sums(heatmap: Floats, tops: npt.NDArray[Any], lefts: npt.NDArray[Any], length: int) -> Floats:
    """Sum a map over squares, by its integral image."""
    integral = np.pad(heatmap.cumsum(axis=0).cumsum(axis=1), (1, 0))
    bottoms, rights = tops + length, lefts + length
    sums: Floats = integral[bottoms, rights] - integral[tops, rights] - integral[bottoms, lefts]
    sums += integral[tops, lefts]
    return sums


@dataclass(frozen=True, slots=True)
class _Walk:
    """Pixels in the order of a map, changed a part at a time: after step k those whose rank is below ``counts[k]``."""

    rank: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def along(cls, values: Floats, order: str, steps: int) -> _Walk:
        """Rank the pixels of a map (height, width)."""
        step_count = _check.integer("steps", steps, least=1)
        keys = {"highest": -values, "lowest": values, "magnitude": -np.abs(values)}
        sequence = np.argsort(keys[_check.choice("order", order, ORDERS)], axis=None, kind="stable")
        rank = np.empty(values.shape, np.int64)
        rank.ravel()[sequence] = np.arange(values.size)
        # Small images have fewer different numbers of changed pixels than steps.
        return cls(rank, np.unique(np.rint(np.linspace(0, values.size, step_count + 1)).astype(np.int64)))

    def scores(self, score: Score, before: Array, after: Array, channel_axis: int, batch_size: int) -> Floats:
        """Follow the score while ``before`` becomes ``after``."""

        def changed(start: int, stop: int) -> npt.NDArray[np.bool_]:
            return self.rank < self.counts[start:stop, np.newaxis, np.newaxis]

        size = _check.integer("batch_size", batch_size, least=1)
        return score_batches(score, _variants(before, after, changed, len(self.counts), channel_axis, size))

    def curve(self, scores: Floats, steps: int, order: str, substrate: Any, output: str | None) -> Curve:
        """Put the scores and how they were taken together."""
        fractions = self.counts / self.rank.size
        auc = float(np.sum(np.diff(fractions) * (scores[1:] + scores[:-1]) / 2))
        name = _substrate_name(substrate)
        return Curve(auc, tuple(fractions.tolist()), tuple(scores.tolist()), int(steps), order, name, output)


def _variants(
    before: Array,
    after: Array,
    changed: Callable[[int, int], npt.NDArray[np.bool_]],
    count: int,
    channel_axis: int,
    batch_size: int,
) -> Iterator[Array]:
    """Yield batches of images with the pixels of ``after`` where ``changed`` says so, else of ``before``.

    ``changed(start, stop)`` returns bool (stop - start, height, width).
    """
    for start in range(0, count, batch_size):
        is_changed = changed(start, min(start + batch_size, count))
        yield np.where(np.expand_dims(is_changed, 1 if channel_axis == 0 else -1), after, before)


def _blank(image: Array, channel_axis: int, substrate: Any) -> Array:
    """Return the substrate as an image of the same dtype."""
    blank = baselines.make(image, channel_axis, substrate, "substrate")
    return np.clip(np.rint(blank), 0, 255).astype(np.uint8) if image.dtype == np.uint8 else blank.astype(image.dtype)


def _substrate_name(substrate: Any) -> str | float:
    """Return what identifies a substrate in a result."""
    if isinstance(substrate, str):
        return substrate
    return float(substrate) if np.ndim(substrate) == 0 else "array"
