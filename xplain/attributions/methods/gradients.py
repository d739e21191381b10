"""Methods that differentiate the score by the input, at one point or at many.

A place is a pixel, a reading of a signal, or a token of a text, whose channels are the numbers of its embedding; a text
is differentiated by its embeddings. Maps are sums over the channels, but for `saliency`. Methods that share out a
change of the score among the places give maps in units of the score, and store by how much the sum misses the change
as ``completeness_residual``. Methods that sample store the noise of the map as ``standard_error``. Sums are taken in
double precision, whatever the model's. Costs are those of one input: each window of a long text or recording is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from xplain import _check
from xplain.attributions.captum import seam
from xplain.attributions.engine.autograd import wide
from xplain.attributions.engine.run import Run

Maps = npt.NDArray[np.float64]
Array = npt.NDArray[np.float32]

#: Captum's names of where the points of a path lie.
_QUADRATURES = {"gauss-legendre": "gausslegendre", "midpoint": "riemann_middle"}


def saliency(run: Run, *, abs: bool = True) -> Maps:
    """Saliency: the gradient, as its largest absolute value over the channels or with its sign.

    ``max_c |dS/dx_c|``: how strongly the score reacts to a place, not whether the place speaks for the class. With
    ``abs=False`` it is ``sum_c dS/dx_c``, by how much the score rises for each unit that all channels of the place
    rise; for tokens of a text these are the numbers of the embedding. Costs 1 evaluation.

    Parameters
    ----------
    run : Run
        What is explained.
    abs : bool
        Whether the sign is dropped, before the channels are combined; the name is Captum's.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w), in units of the score for each unit of the input; not negative with ``abs``.

    References
    ----------
    Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, 2013, arXiv:1312.6034.

    Examples
    --------
    >>> import xplain
    >>> line = torch.nn.Linear(2, 1)  # 3 a - 2 b
    >>> line.weight.data = torch.tensor([[3.0, -2.0]])
    >>> model = xplain.SignalClassifier(torch.nn.Sequential(torch.nn.Flatten(), line), sample_rate_hz=1, window=2)
    >>> xplain.explain(model, [[5.0, 7.0]], "saliency", abs=False).attributions[0].evidence.values.tolist()
    [[3.0, -2.0]]
    """
    is_absolute = _check.boolean("abs", abs)
    gradients = seam.attribute_input(run, "Saliency", run.tensor, abs=is_absolute)
    return _as_array(gradients.amax(dim=1) if is_absolute else wide(gradients).sum(dim=1))


def input_x_gradient(run: Run, *, baseline: Array) -> Maps:
    """Input times gradient: the first-order share of each place in the score.

    ``sum_c (x_c - b_c) dS/dx_c``; exact for a linear score. Costs 1 evaluation.

    Parameters
    ----------
    run : Run
        What is explained.
    baseline : numpy.ndarray
        (...), what to measure the input from. A caller sets the options of the kind instead.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w).

    References
    ----------
    Shrikumar et al., Not Just a Black Box, 2016, arXiv:1605.01713.
    """
    # Captum multiplies with the input, which is measured from the baseline for it.
    change = run.tensor - run.to_tensor(baseline)
    return _as_array(wide(seam.attribute_input(run, "InputXGradient", change)).sum(dim=1))


def integrated_gradients(run: Run, *, n_steps: int = 50, baseline: Array, quadrature: str = "gauss-legendre") -> Maps:
    """Integrated gradients: gradients averaged on the straight path from a baseline to the input.

    ``sum_c (x_c - b_c) * integral over t in 0..1 of dS/dx_c at b + t (x - b)``. The integral adds up to S(x) - S(b);
    a large completeness residual asks for more steps. Costs n_steps + 1 evaluations, and 1 for the predictions.

    Parameters
    ----------
    run : Run
        What is explained.
    n_steps : int
        Points on the path.
    baseline : numpy.ndarray
        (...), where the path starts. A caller sets the options of the kind instead.
    quadrature : {"gauss-legendre", "midpoint"}
        Where the points lie. Gauss-Legendre is exact for polynomials of degree 2 n_steps - 1.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w).

    References
    ----------
    Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365.
    """
    n_steps = _check.integer("n_steps", n_steps, least=1)
    _check.choice("quadrature", quadrature, tuple(_QUADRATURES))
    method, start = _QUADRATURES[quadrature], run.to_tensor(baseline)
    shares = wide(seam.attribute_path(run, "IntegratedGradients", n_steps, baselines=start, method=method))
    attributed = shares.sum(dim=(1, 2, 3)).cpu().numpy()
    run.quality.completeness(attributed, run.score(run.prepared.array), run.score(baseline))
    return _as_array(shares.sum(dim=1))


def smoothgrad(run: Run, *, n_samples: int = 50, noise: float = 0.15, statistic: str = "mean") -> Maps:
    """SmoothGrad: statistics of the gradient over noisy copies of the input.

    With g = dS/dx at x + e and e normal: "mean" is ``sum_c E g_c``, signed (SmoothGrad); "square" is ``sum_c E g_c^2``
    (SmoothGrad-Squared); "variance" is ``sum_c Var g_c`` (VarGrad), which is zero for a linear score. Costs n_samples
    evaluations, and 1 for the predictions.

    Parameters
    ----------
    run : Run
        What is explained.
    n_samples : int
        Noisy copies, at least 2; 8 for detections unless set.
    noise : float
        Standard deviation of the noise, as a part of the input's range, greater than 0.
    statistic : {"mean", "square", "variance"}
        Which statistic of the gradients the map holds; "square" for detections unless set.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w).

    References
    ----------
    Smilkov et al., SmoothGrad: removing noise by adding noise, 2017, arXiv:1706.03825; Hooker et al., A Benchmark for
    Interpretability Methods in Deep Neural Networks, 2019, arXiv:1806.10758 (squared); Adebayo et al., Local
    Explanation Methods for Deep Neural Networks Lack Sensitivity to Parameter Values, 2018, arXiv:1810.03307 (VarGrad).
    """
    n_samples = _check.integer("n_samples", n_samples, least=2)
    _check.choice("statistic", statistic, ("mean", "square", "variance"))
    scale = _positive("noise", noise) * float(run.tensor.max() - run.tensor.min())
    moments = Moments()
    for _, _, gradients in run.gradients(lambda a, b: run.tensor + scale * run.noise(a, b), n_samples):
        samples = wide(gradients)
        if statistic == "mean":
            samples = samples.sum(dim=2)
        elif statistic == "square":
            samples = samples.square().sum(dim=2)
        moments.add(samples)
    if statistic == "variance":
        return _as_array(moments.variance.sum(dim=1))
    run.quality.standard_error(_as_array(moments.variance_of_mean))
    return _as_array(moments.mean)


def gradient_shap(run: Run, *, n_samples: int = 50, baselines: Sequence[Array], noise: float = 0.0) -> Maps:
    """Gradient SHAP, or expected gradients: integrated gradients over random baselines and random points.

    ``E sum_c (x'_c - b_c) dS/dx_c at b + t (x' - b)`` with t uniform in 0..1, b drawn from the baselines and x' the
    input plus normal noise. In expectation it adds up to E S(x') - E S(b); the completeness residual is against S(x)
    and holds the sampling error, too. Costs n_samples evaluations, 1 for each baseline, and 1 for the predictions.

    Parameters
    ----------
    run : Run
        What is explained.
    n_samples : int
        Random points, at least 2.
    baselines : sequence of numpy.ndarray
        (...) each: the distribution of baselines, each as likely. A caller sets the options of the kind instead.
    noise : float
        Standard deviation of the noise, as a part of the input's range.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w).

    References
    ----------
    Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874; Erion et al.,
    Improving performance of deep learning models with axiomatic attribution priors and expected gradients, 2021,
    arXiv:1906.10670.
    """
    n_samples = _check.integer("n_samples", n_samples, least=2)
    starts = torch.stack([run.to_tensor(baseline) for baseline in baselines])
    scale = _positive("noise", noise, or_zero=True) * float(run.tensor.max() - run.tensor.min())
    indices = torch.as_tensor(run.rng.integers(len(baselines), size=n_samples), device=starts.device)
    positions = torch.as_tensor(run.rng.random(n_samples)).to(starts).reshape(-1, 1, 1, 1)

    def change(start: int, stop: int) -> torch.Tensor:
        end = run.tensor + scale * run.noise(start, stop) if scale else run.tensor
        return end - starts[indices[start:stop]]

    moments = Moments()
    points = run.gradients(lambda a, b: starts[indices[a:b]] + positions[a:b] * change(a, b), n_samples)
    for rows, _, gradients in points:
        # By the rows that came back, since a batch that memory cannot hold comes back in parts.
        moments.add((wide(gradients) * wide(change(rows.start, rows.stop))).sum(dim=2))
    shares = moments.mean
    run.quality.standard_error(_as_array(moments.variance_of_mean))
    baseline_score = np.mean([run.score(baseline) for baseline in baselines], axis=0)
    run.quality.completeness(_as_array(shares.sum(dim=(1, 2))), run.score(run.prepared.array), baseline_score)
    return _as_array(shares)


class Moments:
    """Running mean and variance of samples, without keeping them.

    Sums are of differences from the first sample, so that samples that are all equal have a variance of exactly 0.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: torch.Tensor | None = None
        self._sum = self._squares = torch.zeros(())

    def add(self, samples: torch.Tensor) -> None:
        """Add samples (T, n, ...) of T quantities."""
        if self._first is None:
            self._first = samples[:, 0].clone()
            self._sum = torch.zeros_like(self._first)
            self._squares = torch.zeros_like(self._first)
        differences = samples - self._first[:, None]
        self.count += samples.shape[1]
        self._sum = self._sum + differences.sum(dim=1)
        self._squares = self._squares + differences.square().sum(dim=1)

    @property
    def mean(self) -> torch.Tensor:
        """Mean (T, ...)."""
        mean = self._sum / self.count
        return mean if self._first is None else mean + self._first

    @property
    def variance(self) -> torch.Tensor:
        """Unbiased variance (T, ...); needs two samples."""
        return (self._squares - self._sum.square() / self.count).clamp(min=0) / (self.count - 1)

    @property
    def variance_of_mean(self) -> torch.Tensor:
        """Estimated variance (T, ...) of `mean`."""
        return self.variance / self.count


def _positive(name: str, value: float, *, or_zero: bool = False) -> float:
    number = _check.number(name, value)
    if number < 0 or (number == 0 and not or_zero):
        raise _check.wrong(name, "0 or greater" if or_zero else "greater than 0", value)
    return number


def _as_array(values: torch.Tensor) -> Maps:
    array: Maps = wide(values).cpu().numpy()
    return array
