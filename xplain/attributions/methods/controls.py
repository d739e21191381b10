"""Control methods: maps that do not ask the model, which any method has to beat.

Edge detectors and noise look like explanations, and some measures rate them as highly.

References
----------
Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018; Clark et al., "XAI-TRIS: non-linear image benchmarks to
quantify false positive post-hoc attribution of feature importance", Machine Learning 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Float64 = npt.NDArray[np.float64]


def random(run: Run) -> Float64:
    """Draw a map of independent standard normal numbers for each target; another input has other numbers.

    Costs no evaluation of the model.

    Parameters
    ----------
    run : Run
        The input, its targets and the seed.

    Returns
    -------
    float64 array (T, h, w)
    """
    return run.rng.standard_normal((len(run.targets), *_grey(run).shape))


def sobel(run: Run) -> Float64:
    """Measure how strong the edges of the grey input are.

    The magnitude of the gradient by the 3 x 3 Sobel operator, in units of the input per pixel; the border is mirrored.
    All targets get the same map. Costs no evaluation of the model.

    Parameters
    ----------
    run : Run
        The input and its targets.

    Returns
    -------
    float64 array (T, h, w)
        Not negative.
    """
    padded = np.pad(_grey(run), 1, mode="symmetric")
    # Central differences along one axis, smoothed by (1, 2, 1) / 4 along the other.
    down = (padded[2:] - padded[:-2]) / 2
    across = (padded[:, 2:] - padded[:, :-2]) / 2
    vertical = (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 4
    horizontal = (across[:-2] + 2 * across[1:-1] + across[2:]) / 4
    magnitude = np.hypot(vertical, horizontal)
    return np.broadcast_to(magnitude, (len(run.targets), *magnitude.shape)).copy()


def centre(run: Run) -> Float64:
    """Draw a Gaussian at the middle of the photo, where photographers put what matters.

    It is 1 in the middle; its standard deviations are a quarter of the photo's height and of its width, so that it is
    .14 in the middle of a side and .02 in a corner. All targets and all photos get the same map. Of the controls it is
    the hardest to beat. Costs no evaluation of the model.

    Parameters
    ----------
    run : Run
        The input and its targets.

    Returns
    -------
    float64 array (T, h, w)
        From 0 to 1.

    References
    ----------
    Judd, Ehinger, Durand & Torralba, "Learning to predict where humans look", ICCV 2009.

    Examples
    --------
    >>> import xplain
    >>> model = xplain.ImageClassifier(lambda images: images.mean(axis=(1, 2)))
    >>> explanation = xplain.explain(model, np.zeros((5, 5, 3), np.uint8), "centre")
    >>> [round(float(value), 2) for value in explanation.attributions[0].evidence.values[2]]
    [0.28, 0.73, 1.0, 0.73, 0.28]
    """
    geometry = run.prepared.geometry
    x0, y0, x1, y1 = geometry.boxes_to_input([0, 0, geometry.width, geometry.height])
    down, across = (
        np.exp(-8 * ((np.arange(side) + 0.5 - (low + high) / 2) / (high - low)) ** 2)
        for side, low, high in zip(run.size, (y0, x0), (y1, x1), strict=True)
    )
    return np.broadcast_to(np.outer(down, across), (len(run.targets), *run.size)).copy()


def _grey(run: Run) -> Float64:
    """Mean (h, w) of the input's channels."""
    grey: Float64 = run.prepared.array.mean(axis=run.model.channel_axis, dtype=np.float64)
    return grey
