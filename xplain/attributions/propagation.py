"""Methods that change how scores are carried back through nonlinear functions: guided backpropagation and DeepLIFT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions._autograd import wide
from xplain.attributions._rules import GuidedRelu, Rescale
from xplain.attributions._run import Run
from xplain.errors import AttributionError

__all__ = ["deep_lift", "guided_backprop", "guided_gradient"]

Maps = npt.NDArray[np.float64]

#: Relative error of the sum that is put down to rounding; single precision leaves about 1e-5 in a deep network.
_TOLERANCE = 1e-3


def guided_backprop(run: Run) -> Maps:
    """Guided backpropagation: the gradient without what flows back negatively through a ReLU.

    At each ReLU, ``R_in = relu'(x) * max(R_out, 0)``; the map is the sum over the channels. Functional, reused and
    in-place ReLUs count, as do ReLU6, leaky ReLU, ELU and hardtanh with a floor of 0. It draws edges well, but barely
    depends on the class (Adebayo et al. 2018, arXiv:1810.03292). Costs 1 evaluation.

    Parameters
    ----------
    run : Run
        What is explained.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w).

    Raises
    ------
    AttributionError
        If the model has no such function, or one that cannot be reached, in a scripted part say.

    References
    ----------
    Springenberg et al., Striving for Simplicity: The All Convolutional Net, 2014, arXiv:1412.6806.
    """
    return guided_gradient(run)


def guided_gradient(run: Run) -> Maps:
    """Return the guided gradient (T, h, w), summed over the channels."""
    slopes: Maps = wide(run.input_gradient(GuidedRelu)).sum(dim=1).cpu().numpy()
    return slopes


def deep_lift(run: Run, *, baseline: float | str | npt.ArrayLike = 0.0) -> Maps:
    """DeepLIFT with the Rescale rule: how the difference from a baseline is carried to the score.

    The gradient of each elementwise function f becomes ``(f(x) - f(b)) / (x - b)``, that of max pooling shares the
    difference out among the places that are largest for the input and for the baseline; linear functions keep theirs.
    The result times input minus baseline, summed over the channels, adds up to S(x) - S(b). Costs 2 evaluations.

    Parameters
    ----------
    run : Run
        What is explained.
    baseline : float, "mean", "blur" or array_like
        What to compare with; see `Run.baseline`.

    Returns
    -------
    numpy.ndarray
        float64 (T, h, w).

    Raises
    ------
    AttributionError
        If the attributions do not add up: the model has a function that the rule does not cover, such as a product of
        two activations (attention, gates), layer normalisation or a softmax.

    References
    ----------
    Shrikumar, Greenside & Kundaje, Learning Important Features Through Propagating Activation Differences, ICML 2017,
    arXiv:1704.02685.
    """
    reference = run.baseline(baseline)
    pair = torch.stack([run.tensor, run.to_tensor(reference)])
    scores, slopes = run.differentiate(pair, [run.targets, ()], Rescale)
    shares = wide(slopes[:, 0]) * wide(pair[0] - pair[1])
    attributed = shares.sum(dim=(1, 2, 3)).cpu().numpy()
    change = scores[0] - scores[1]
    residual = np.abs(change - attributed)
    allowed = _TOLERANCE * np.abs(change) + _TOLERANCE**2 * shares.abs().sum(dim=(1, 2, 3)).cpu().numpy()
    if (residual > allowed).any():
        worst = int(np.argmax(residual - allowed))
        raise AttributionError(
            f"deep-lift must add up to the change of the score, got {attributed[worst]:.6g} for {change[worst]:.6g}: "
            "the model has a nonlinear function that the Rescale rule does not cover, such as a product of activations "
            "(attention, gates), normalisation or softmax; use integrated-gradients"
        )
    run.note_completeness(attributed, scores[1])
    maps: Maps = shares.sum(dim=1).cpu().numpy()
    return maps
