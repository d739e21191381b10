"""Hide one part of the input at a time behind a baseline, and see what the score loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods.coalitions import Game, baseline_like_input
from xplain.errors import InputError
from xplain.kernels import masks

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Float64 = npt.NDArray[np.float64]


def occlusion(run: Run, *, window: Any = 1 / 7, stride: Any = 1 / 14, baseline: Any = 0.0) -> Float64:
    """Slide a window of the baseline over the input, and give each pixel what the score loses.

    A pixel's value is the mean, over the windows that cover it, of f(input) - f(input with the window replaced) [1]_.
    The last window of a row or column is moved back to fit, so every pixel is covered. For a linear score and windows
    that do not overlap, the value is exactly the window's share, the sum of w (x - b).

    Costs 1 evaluation and one for each position: 170 for 224 x 224 pixels with the default window and stride.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    window, stride : int, float or pair of those
        Size of the window and distance between two windows, for both axes or as (height, width): an int is in pixels of
        the model's input, a float a fraction of its side, above 0 and at most 1.
    baseline : number, "blur", "mean" or array_like
        What the window shows; see `Run.baseline`.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score, at the resolution of the model's input.

    Raises
    ------
    InputError
        If the window or the stride is malformed or larger than the input.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="occlusion", window=2, stride=2)
    >>> explanation.attributions[0].evidence.values[::2, ::2].tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    image, axis, size = run.prepared.array, run.model.channel_axis, run.size
    height, width = _pixels("window", window, size)
    step = _pixels("stride", stride, size)
    if step[0] > height or step[1] > width:
        raise InputError(
            f"stride must be at most the window, {(height, width)} pixels, got {step}; pixels would be left out"
        )
    tops, lefts = masks.starts(size[0], height, step[0]), masks.starts(size[1], width, step[1])
    windows = [
        (slice(top, top + height), slice(left, left + width)) for top in tops.tolist() for left in lefts.tolist()
    ]
    hidden = baseline_like_input(run, baseline)

    def make(start: int, stop: int) -> npt.NDArray[Any]:
        copies = np.repeat(image[np.newaxis], stop - start, axis=0)
        for copy, position in zip(copies, windows[start:stop], strict=True):
            inside = (slice(None), *position) if axis == 0 else position
            copy[inside] = hidden[inside]
        return copies

    loss = np.empty((len(windows), len(run.targets)))
    score = run.score(image)
    for batch, scores in run.evaluate(make, len(windows)):
        loss[batch] = score - scores
    # Windows are products of a range of rows and one of columns, and so are sums over the windows that cover a pixel.
    rows = masks.coverage(tops, height, size[0])
    columns = masks.coverage(lefts, width, size[1])
    total: Float64 = rows.T @ loss.T.reshape(-1, len(tops), len(lefts)) @ columns
    return total / np.outer(rows.sum(axis=0), columns.sum(axis=0))


def feature_ablation(run: Run, *, segments: Any = "slic", n_segments: int = 50, baseline: Any = 0.0) -> Float64:
    """Replace one region at a time by the baseline, and give its pixels what the score loses.

    A pixel's value is f(input) - f(input with the pixel's region replaced): occlusion [1]_ whose windows are regions of
    the image. Exact for a score that is linear in the regions.

    Costs 1 evaluation and one for each region.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments : {"slic", "quickshift", "felzenszwalb", "grid"} or integer array (height, width)
        The regions: superpixels, rectangles, or a feature mask in pixels of the original image.
    n_segments : int
        How many superpixels or rectangles to aim at.
    baseline : number, "blur", "mean" or array_like
        What an absent region shows; see `Run.baseline`.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score; a region's value on each of its pixels.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="feature-ablation", segments="grid", n_segments=4)
    >>> explanation.attributions[0].evidence.values[::2, ::2].tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    game = Game(run, segments, n_segments, baseline)
    return game.paint(game.full - game.worth(~np.eye(game.players, dtype=bool)))


def _pixels(name: str, value: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return a length for both axes in pixels, from pixels (int) or a fraction of the side (float)."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise _check.wrong(name, "one length or a pair (height, width)", value)
    return _length(name, pair[0], size[0]), _length(name, pair[1], size[1])


def _length(name: str, value: Any, side: int) -> int:
    if isinstance(value, float):
        if not 0 < value <= 1:
            raise _check.wrong(name, "a fraction above 0 and at most 1", value, "whole pixels are an int")
        return max(1, round(value * side))
    pixels = _check.integer(name, value, least=1)
    if pixels > side:
        raise InputError(f"{name} must be at most {side}, the side of the model's input in pixels, got {pixels}")
    return pixels
