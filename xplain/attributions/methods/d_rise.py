"""D-RISE: RISE on detections, whose score is how well they are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.attributions.methods.rise import rise

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


def d_rise(
    run: Run,
    *,
    n_samples: int = 2000,
    cells: Any = 16,
    p: float = 0.5,
    shift: bool = True,
    centred: bool = True,
    tolerance: float | None = None,
    baseline: Any = 0.0,
) -> npt.NDArray[np.float64]:
    """Correlate how well a detection is found again with random masks of the input.

    The score of a detection on a masked image is its best similarity with anything that is detected there: overlap
    times likeness of the classes times the score of its class; see `xplain.models.detections.similarity`. The rest is
    RISE [1]_ with finer masks [2]_: see `rise` for what the options mean, what is stored as quality, and what the map
    estimates. ``centred=False`` is the papers' estimator, with which the second paper takes 5,000 masks.

    Costs ``n_samples`` evaluations, less where the tolerance is met before, and 2 for the image itself.

    Parameters
    ----------
    run : Run
        Evaluates the detector for T detections.
    n_samples : int
        Number of masks, at least 40.
    cells : int or (int, int)
        Rows and columns of the masks' grid.
    p : float
        Probability that a cell is kept, 0 < p < 1.
    shift : bool
        Whether masks are cropped at random places.
    centred : bool
        Whether the mean score is subtracted.
    tolerance : float, optional
        Stop early at this relative standard error.
    baseline : number, "blur", "mean" or array_like
        What a mask hides the input with; see `Run.baseline`.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score, at the resolution of the model's input.

    References
    ----------
    .. [1] Petsiuk, Das & Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018.
    .. [2] Petsiuk et al., "Black-box explanation of object detectors via saliency maps", CVPR 2021, arXiv:2006.03204.

    Examples
    --------
    >>> import xplain
    >>> def lamp(images):
    ...     light = images[:, 4:8, 4:8].mean(axis=(1, 2, 3)) / 255
    ...     return [{"boxes": [[4, 4, 8, 8]], "labels": [0], "scores": [score]} for score in light]
    >>> photo = np.full((16, 16, 3), 200, np.uint8)
    >>> explanation = xplain.explain(xplain.Detector(lamp), photo, method="d-rise", cells=8)
    >>> values = explanation.attributions[0].evidence.values
    >>> bool(values[4:8, 4:8].mean() > 10 * abs(values[:, 9:]).mean())
    True
    """
    return rise(
        run,
        n_samples=n_samples,
        cells=cells,
        p=p,
        shift=shift,
        centred=centred,
        tolerance=tolerance,
        baseline=baseline,
    )
