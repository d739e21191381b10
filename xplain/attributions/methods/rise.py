"""RISE and D-RISE: correlate the score with random masks.

Masks are never kept: each is drawn again from its index when the map is summed up, so memory does not grow with their
number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods.coalitions import like_input
from xplain.errors import InputError
from xplain.kernels import masks

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Float64 = npt.NDArray[np.float64]

_ROUNDS = 20  # parts of the masks, whose spread gives the standard error
_LEAST_ROUNDS = 5  # fewer tell too little about the error to stop


def rise(
    run: Run,
    *,
    n_samples: int = 2000,
    cells: Any = 7,
    p: float = 0.5,
    shift: bool = True,
    centred: bool = True,
    tolerance: float | None = None,
    baseline: npt.NDArray[np.float32],
) -> Float64:
    """Correlate the score with random masks of the input.

    A mask keeps each cell of a coarse grid with probability p; it is enlarged bilinearly to one cell more than the
    input and cropped at a random place [1]_. The input is faded to the baseline by 1 - mask. With scores f_i, masks M_i
    and N samples, a pixel's value is ``sum_i (f_i - mean f) M_i / (N p (1 - p))``. Where masks are 0 or 1, it estimates
    the difference between the expected scores with and without the pixel. ``centred=False`` is the paper's estimator,
    ``sum_i f_i M_i / (N p)``, the expected score with the pixel; the mean of f, which it holds everywhere, costs it
    about 2.2 times as many masks for the same error.

    On detections this is D-RISE [2]_: the score of a detection on a masked image is its best similarity with anything
    that is detected there, overlap times likeness of the classes times the score of its class; see
    `xplain.models.detections.similarity`. Its masks are finer, of 16 cells by default, and its paper takes 5,000 of
    them with ``centred=False``.

    Quality: ``n_samples`` that were used, ``standard_error`` and ``standard_error_max``, the root mean square and the
    largest of the pixels' standard errors, from the spread of 20 parts of the masks.

    Costs ``n_samples`` evaluations, less where the tolerance is met before.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    n_samples : int
        Number of masks, at least 40.
    cells : int or (int, int)
        Rows and columns of the grid, at most one for each pixel of the model's input.
    p : float
        Probability that a cell is kept, 0 < p < 1.
    shift : bool
        Whether masks are cropped at random places; without, the grid lies still and its edges show.
    centred : bool
        Whether the mean score is subtracted.
    tolerance : float, optional
        Stop after a quarter or more of the samples, as soon as each target's ``standard_error`` is at most this part
        of the largest absolute value of its map. None uses all samples.
    baseline : numpy.ndarray
        (...), what a mask hides the input with. A caller sets the options of the kind instead; the paper's is 0.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score, at the resolution of the model's input.

    Raises
    ------
    InputError
        If an option is malformed or out of range.

    References
    ----------
    .. [1] Petsiuk, Das & Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018.
    .. [2] Petsiuk et al., "Black-box explanation of object detectors via saliency maps", CVPR 2021, arXiv:2006.03204.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="rise", cells=2, shift=False)
    >>> explanation.attributions[0].evidence.values[::3, ::3].round(-2).tolist()
    [[200.0, 0.0], [0.0, 0.0]]

    >>> def lamp(images):
    ...     light = images[:, 4:8, 4:8].mean(axis=(1, 2, 3)) / 255
    ...     return [{"boxes": [[4, 4, 8, 8]], "labels": [0], "scores": [score]} for score in light]
    >>> photo = np.full((16, 16, 3), 200, np.uint8)
    >>> explanation = xplain.explain(xplain.Detector(lamp), photo, method="d-rise", cells=8)
    >>> values = explanation.attributions[0].evidence.values
    >>> bool(values[4:8, 4:8].mean() > 10 * abs(values[:, 9:]).mean())
    True
    """
    count = _check.integer("n_samples", n_samples, least=2 * _ROUNDS)
    bound = None if tolerance is None else _check.number("tolerance", tolerance)
    if bound is not None and bound <= 0:
        raise _check.wrong("tolerance", "above 0 or None", tolerance)
    for name, flag in (("shift", shift), ("centred", centred)):
        if not isinstance(flag, bool):
            raise _check.wrong(name, "True or False", flag)
    image, axis, size = run.prepared.array, run.model.channel_axis, run.size
    channels = image.shape[2] if axis == -1 else 1
    pool = _MaskPool(int(run.rng.integers(2**63)), size, _grid(cells, size), _probability(p), shift, channels)
    hidden = like_input(run, baseline).astype(np.float32)
    difference = image.astype(np.float32) - hidden
    background = hidden + np.float32(0.5 if image.dtype == np.uint8 else 0)  # uint8 is cut off; with 0.5, it is rounded
    # An image with its channels last is faded as one of a single channel that is as many times as wide.
    flat = (-1, size[0], size[1] * channels)
    difference, background = difference.reshape(flat), background.reshape(flat)

    def make(start: int, stop: int) -> npt.NDArray[Any]:
        return pool.fade(start, stop, difference, background, image.dtype).reshape(-1, *image.shape)

    scores = np.empty((count, len(run.targets)))
    statistics = _MapStatistics((len(run.targets), *size))
    ends = np.linspace(0, count, _ROUNDS + 1).astype(int).tolist()  # of the rounds; the first is 0
    used, is_enough = 0, False
    for batch, batch_scores in run.evaluate(make, count):
        scores[batch] = batch_scores
        # Rounds end at fixed masks, wherever batches end, so that a run stops at the same mask for any batch size.
        while not is_enough and used < count and batch.stop >= ends[statistics.count + 1]:
            start, used = used, ends[statistics.count + 1]
            statistics.add(pool.weighted_sum(_weights(scores[start:used], pool.p, centred), start))
            if bound is not None and statistics.count >= _LEAST_ROUNDS:
                is_enough = bool(statistics.relative_error().max() <= bound)
        if is_enough:
            break
    run.quality.add("n_samples", used)
    run.quality.standard_error(statistics.variance())
    run.quality.add_each("standard_error_max", np.sqrt(statistics.variance().max(axis=(1, 2))))
    return pool.weighted_sum(_weights(scores[:used], pool.p, centred), 0)


def _weights(scores: Float64, p: float, centred: bool) -> Float64:
    """Return the weights (n, T) of masks in the map, from their scores (n, T)."""
    weights: Float64 = scores / (len(scores) * p)
    if centred:
        weights = (weights - weights.mean(axis=0)) / (1 - p)
    return weights


def _probability(p: Any) -> float:
    value = _check.number("p", p)
    if not 0 < value < 1:
        raise _check.wrong("p", "a probability above 0 and below 1", p)
    return value


def _grid(cells: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of cells, at most one for each pixel."""
    pair = cells if isinstance(cells, (tuple, list)) else (cells, cells)
    if len(pair) != 2:
        raise _check.wrong("cells", "a number of cells or a pair (rows, columns)", cells)
    rows, columns = (_check.integer("cells", value, least=1) for value in pair)
    if rows > size[0] or columns > size[1]:
        raise InputError(f"cells must be at most one for each pixel, {size}, got {(rows, columns)}")
    return rows, columns


class _MaskPool:
    """An endless sequence of random masks: each depends on the key and on its index alone, and none is kept."""

    def __init__(
        self, key: int, size: tuple[int, int], grid: tuple[int, int], p: float, shift: bool, channels: int
    ) -> None:
        self.p = p
        self._key, self._grid = key, grid
        # A shift moves the grid by less than a cell.
        vertical, horizontal = (-(-side // count) if shift else 1 for side, count in zip(size, grid, strict=True))
        self._shifts = (vertical, horizontal)
        self._rows = np.ascontiguousarray(masks.enlargement(grid[0], size[0], vertical))
        self._columns = np.ascontiguousarray(masks.enlargement(grid[1], size[1], horizontal))
        # What fading needs: single precision, and columns as often as the image has channels in a row.
        self._row_neighbours = masks.neighbours(self._rows)
        self._channel_columns = self._columns.astype(np.float32).repeat(channels, axis=2)
        self._block = max(1, 2**18 // (grid[0] * size[1] + vertical))  # bounds the arrays inside weighted_sum

    def fade(
        self, start: int, stop: int, difference: npt.NDArray[Any], background: npt.NDArray[Any], dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """Return masks start..stop-1 times the difference, plus the background: (stop - start, *difference.shape)."""
        kept, offsets = masks.draw_cells(self._key, start, stop, self._grid, self.p, self._shifts)
        return masks.fade(kept, offsets, self._row_neighbours, self._channel_columns, difference, background, dtype)

    def weighted_sum(self, weights: Float64, start: int) -> Float64:
        """Sum the masks from ``start`` on, each times its weights: (n, sums) -> (sums, height, width)."""
        total: Float64 = np.zeros(())
        for first in range(0, len(weights), self._block):
            block = weights[first : first + self._block]
            kept, offsets = masks.draw_cells(
                self._key, start + first, start + first + len(block), self._grid, self.p, self._shifts
            )
            total = total + masks.sum_across(block, kept, offsets, self._shifts[0], self._columns)
        return masks.enlarge_down(total, self._rows)


class _MapStatistics:
    """Mean and standard error of maps (T, height, width) that come one at a time, by Welford's recurrence."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self._mean, self._squares = np.zeros(shape), np.zeros(shape)

    def add(self, values: Float64) -> None:
        """Add one map of each target."""
        self.count += 1
        step = values - self._mean
        self._mean += step / self.count
        self._squares += step * (values - self._mean)

    def variance(self) -> Float64:
        """Return the squared standard error of each pixel's mean."""
        return self._squares / (self.count * (self.count - 1))

    def relative_error(self) -> Float64:
        """Return each target's root mean square standard error over its largest absolute mean."""
        largest = np.abs(self._mean).max(axis=(1, 2))
        error: Float64 = np.sqrt(self.variance().mean(axis=(1, 2))) / np.maximum(largest, np.finfo(float).tiny)
        return error
