"""The methods on signals: those of images, on a window's readings (axes x time) instead of pixels.

Gradient methods differ in their baselines only, which may be a number for each axis. Perturbation methods cover
segments of time, on one axis or on all at once. The value of a segment is shared out evenly among its readings, so that
the maps of all methods are in units of the score for each reading, and those that share out a change of the score add
up to it.

Lengths are in readings of the model's window. Baselines are in units of the model's input: normalised, if the model
normalises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.methods import occlusion as _occlusion
from xplain.attributions.methods import shapley as _shapley
from xplain.attributions.methods import surrogate as _surrogate
from xplain.errors import InputError

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Maps = npt.NDArray[np.float64]
Baseline = float | str | npt.ArrayLike


def input_x_gradient(run: Run, *, baseline: Baseline = 0.0) -> Maps:
    """Gradient times each reading's difference from the baseline; exact for a linear score.

    Costs 1 evaluation for each window.

    Parameters
    ----------
    run : Run
        What is explained.
    baseline : float, "mean" or array_like
        What to measure readings from, in units of the model's input: a number; "mean", each axis's own mean over the
        window; a number for each axis; or (axes, time).

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Shrikumar et al., Not Just a Black Box, 2016, arXiv:1605.01713.
    """
    from xplain.attributions.methods.gradients import input_x_gradient

    return input_x_gradient(run, baseline=_image_baseline(run, baseline))


def integrated_gradients(
    run: Run, *, n_steps: int = 50, baseline: Baseline = 0.0, quadrature: str = "gauss-legendre"
) -> Maps:
    """Integrated gradients from a baseline signal.

    A window's values add up to f(window) - f(baseline) but for the completeness residual, which is stored. Costs
    n_steps + 1 evaluations for each window, and 1 for the predictions.

    Parameters
    ----------
    run : Run
        What is explained.
    n_steps : int
        Points on the path.
    baseline : float, "mean" or array_like
        Where the path starts; see `input_x_gradient`.
    quadrature : {"gauss-legendre", "midpoint"}
        Where the points lie.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365.
    """
    from xplain.attributions.methods.gradients import integrated_gradients

    return integrated_gradients(run, n_steps=n_steps, baseline=_image_baseline(run, baseline), quadrature=quadrature)


def gradient_shap(run: Run, *, n_samples: int = 50, baselines: Any = (0.0, "mean"), noise: float = 0.0) -> Maps:
    """Expected gradients: integrated gradients at random points of the paths from several baselines.

    The standard error of the sampling is stored. Costs n_samples evaluations for each window, 1 for each baseline, and
    1 for the predictions.

    Parameters
    ----------
    run : Run
        What is explained.
    n_samples : int
        Random points, at least 2.
    baselines : list or tuple of baselines
        The distribution of baselines, each as likely; see `input_x_gradient`.
    noise : float
        Standard deviation of the noise, as a part of the window's range over all axes.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874.
    """
    from xplain.attributions.methods.gradients import gradient_shap

    several = baselines if isinstance(baselines, (list, tuple)) else [baselines]
    return gradient_shap(
        run, n_samples=n_samples, baselines=[_image_baseline(run, baseline) for baseline in several], noise=noise
    )


def deep_lift(run: Run, *, baseline: Baseline = 0.0) -> Maps:
    """DeepLIFT with the Rescale rule: how the difference from a baseline signal is carried to the score.

    A window's values add up to f(window) - f(baseline), or the method refuses. Costs 2 evaluations for each window.

    Parameters
    ----------
    run : Run
        What is explained.
    baseline : float, "mean" or array_like
        What to compare with; see `input_x_gradient`.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Shrikumar, Greenside & Kundaje, Learning Important Features Through Propagating Activation Differences, ICML 2017,
    arXiv:1704.02685.
    """
    from xplain.attributions.methods.propagation import deep_lift

    return deep_lift(run, baseline=_image_baseline(run, baseline))


def occlusion(
    run: Run,
    *,
    length: int | float = 0.1,
    stride: int | float | None = None,
    together: bool = False,
    baseline: Baseline = 0.0,
) -> Maps:
    """Slide a segment of the baseline over time, and give each reading what the score loses.

    A reading's value is the mean, over the segments that cover it, of the loss shared out among the readings of the
    segment. The last segment is moved back to end with the window. Costs 1 evaluation and one for each position, for
    each window.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    length : int or float
        Of the segment: readings (int), or a part of the window, above 0 and at most 1 (float).
    stride : int or float, optional
        From the start of a segment to that of the next, at most ``length``, which it is if left out.
    together : bool
        Whether a segment covers all axes at once; else one after the other.
    baseline : float, "mean" or array_like
        What the segment shows; see `input_x_gradient`.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014.

    Examples
    --------
    >>> import xplain
    >>> model = xplain.SignalClassifier(lambda windows: windows[:, 0, 2:].sum(axis=1), sample_rate_hz=10, window=4)
    >>> explanation = xplain.explain(model, [[1, 2, 3, 5], [1, 1, 1, 1]], "occlusion", length=2)
    >>> explanation.attributions[0].evidence.values.tolist()
    [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]]
    """
    axes, time = run.size
    extent = _readings("length", length, time)
    step = extent if stride is None else _readings("stride", stride, time)
    if step > extent:
        raise InputError(
            f"stride must be at most the length, {extent} readings, got {step}; readings would be left out"
        )
    rows = axes if _check.boolean("together", together) else 1
    loss = _occlusion.occlusion(
        run, window=(rows, extent), stride=(rows, step), baseline=_image_baseline(run, baseline)
    )
    return loss / (rows * extent)


def feature_ablation(run: Run, *, segments: Any = 10, together: bool = False, baseline: Baseline = 0.0) -> Maps:
    """Replace one segment at a time by the baseline, and give its readings what the score loses.

    Costs 1 evaluation and one for each segment, for each window.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments : int, or integer array (axes, time)
        Into how many segments the window's time is divided; or a feature mask, where readings of one segment share a
        number.
    together : bool
        Whether a segment of time holds all axes; else there is one for each axis. A feature mask ignores it.
    baseline : float, "mean" or array_like
        What an absent segment shows; see `input_x_gradient`.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014.
    """
    return _explain_segments(run, _occlusion.feature_ablation, segments, together, baseline)


def lime(
    run: Run,
    *,
    segments: Any = 10,
    together: bool = False,
    n_samples: int = 1000,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    baseline: Baseline = 0.0,
) -> Maps:
    """Ridge regression of the score on which segments are present, weighted towards the whole window.

    Costs ``n_samples`` evaluations for each window, less where coalitions repeat.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments, together, baseline
        What is switched on and off; see `feature_ablation`.
    n_samples, kernel_width, ridge
        As for images: see `xplain.attributions.methods.surrogate.lime`.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Ribeiro, Singh & Guestrin, "Why should I trust you?", KDD 2016, arXiv:1602.04938.
    """
    options = {"n_samples": n_samples, "kernel_width": kernel_width, "ridge": ridge}
    return _explain_segments(run, _surrogate.lime, segments, together, baseline, **options)


def kernel_shap(
    run: Run, *, segments: Any = 10, together: bool = False, budget: int = 1000, baseline: Baseline = 0.0
) -> Maps:
    """Shapley values of the segments by weighted regression.

    Costs at most ``budget`` evaluations for each window; exact where that is enough for all subsets of the segments.
    The standard errors that are stored are those of a segment's value.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments, together, baseline
        What is switched on and off; see `feature_ablation`.
    budget : int
        Number of evaluations.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874.
    """
    return _explain_segments(run, _surrogate.kernel_shap, segments, together, baseline, budget=budget)


def shapley(
    run: Run, *, segments: Any = 10, together: bool = False, budget: int = 4096, baseline: Baseline = 0.0
) -> Maps:
    """Shapley values of the segments: exact for up to 12 with the default budget, else from random orders.

    Costs 2 ** segments evaluations for each window if the budget allows it, else at most ``budget``. The standard
    errors that are stored are those of a segment's value.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    segments, together, baseline
        What is switched on and off; see `feature_ablation`.
    budget : int
        Number of evaluations.

    Returns
    -------
    numpy.ndarray
        float64 (T, axes, time).

    References
    ----------
    Shapley, A value for n-person games, 1953; Mitchell et al., Sampling Permutations for Shapley Value Estimation, JMLR
    2022.
    """
    return _explain_segments(run, _shapley.shapley, segments, together, baseline, budget=budget)


def _image_baseline(run: Run, baseline: Any) -> Any:
    """Return a baseline of signals as `Run.baseline` takes it, for an image (1, axes, time)."""
    if isinstance(baseline, str):
        _check.choice("baseline", baseline, ("mean",))
        return run.prepared.array.mean(axis=2, keepdims=True, dtype=np.float64)
    axes, time = run.size
    if np.ndim(baseline) == 1 and len(baseline) == axes:
        return np.reshape(baseline, (1, axes, 1))
    if np.ndim(baseline) != 0 and np.shape(baseline) != (axes, time):
        raise InputError(
            f"baseline must be a number, 'mean', one number for each of {axes} axes, or ({axes}, {time}), got shape "
            f"{np.shape(baseline)}"
        )
    return baseline


def _readings(name: str, value: Any, time: int) -> int:
    """Return a length in readings, from readings (int) or a part of the window (float)."""
    if isinstance(value, float):
        if not 0 < value <= 1:
            raise _check.wrong(name, "a part above 0 and at most 1", value, "readings are an int")
        return max(1, round(value * time))
    readings = _check.integer(name, value, least=1)
    if readings > time:
        raise InputError(f"{name} must be at most {time}, the readings of the model's window, got {readings}")
    return readings


def _explain_segments(
    run: Run, method: Callable[..., Maps], segments: Any, together: bool, baseline: Any, **options: Any
) -> Maps:
    """Explain segments by a method for the regions of an image, and share out their values among the readings."""
    labels = _segments(run, segments, together)
    maps = method(run, segments=labels, baseline=_image_baseline(run, baseline), **options)
    return maps / np.bincount(labels.reshape(-1))[labels]


def _segments(run: Run, segments: Any, together: Any) -> npt.NDArray[np.int64]:
    """Return the segment that each reading is in, 0..count-1: int64 (axes, time)."""
    axes, time = run.size
    if np.ndim(segments) == 0:
        count = _check.integer("segments", segments, least=1)
        if count > time:
            raise InputError(f"segments must be at most {time}, the readings of the model's window, got {count}")
        columns = np.arange(time) * count // time
        rows = np.zeros(axes, np.int64) if _check.boolean("together", together) else np.arange(axes)
        labels = rows[:, None] * count + columns
    else:
        labels = np.asarray(segments)
        if labels.dtype.kind not in "iu" or labels.shape != (axes, time):
            raise InputError(
                f"segments must be a number of segments, or integers ({axes}, {time}), got {labels.dtype} "
                f"{labels.shape}"
            )
    _, inverse = np.unique(labels, return_inverse=True)
    numbered: npt.NDArray[np.int64] = inverse.reshape(axes, time).astype(np.int64)
    if not numbered.any():
        raise InputError("segments must divide the window into at least 2 segments, got 1; raise segments")
    return numbered
