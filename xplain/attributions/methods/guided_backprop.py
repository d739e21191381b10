"""Guided backpropagation: a gradient that drops what flows back negatively through a ReLU.

The model runs while its ReLUs get another derivative (`CallRules`), so that functional, reused and in-place calls are
followed, which hooks on modules would miss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions.engine.autograd import wide
from xplain.attributions.engine.functions import RELU_LIKE
from xplain.attributions.engine.run import Run
from xplain.attributions.rules.calls import CallRules, graph, is_custom
from xplain.errors import AttributionError

Maps = npt.NDArray[np.float64]


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
    gradients: Maps = wide(run.input_gradient(GuidedRelu)).sum(dim=1).cpu().numpy()
    return gradients


class GuidedRelu(CallRules):
    """Guided backpropagation: a ReLU passes back positive gradients only, where its input was positive."""

    names = RELU_LIKE

    def __init__(self) -> None:
        super().__init__()
        self._guided: set[Any] = set()

    def call_elementwise(self, func: Any, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        result: torch.Tensor = func(*args, **kwargs)
        # A quantised function behind it gives no gradient at all.
        result.register_hook(lambda gradient: gradient if gradient is None else gradient.clamp(min=0))  # type: ignore[no-untyped-call]
        self._guided.add(result.grad_fn)
        return result

    def verify(self, outputs: torch.Tensor) -> None:
        missed = sorted({node.name() for node in graph(outputs) if _may_be_relu(node) and node not in self._guided})
        if missed:
            raise AttributionError(
                f"guided-backprop must reach every ReLU, got {', '.join(missed)}, from a scripted part or an autograd "
                "function of the model's own; use integrated-gradients"
            )
        if not self._guided:
            raise AttributionError(
                "guided-backprop must have ReLUs to guide, got a model without any, where it would be the plain "
                "gradient; use saliency or integrated-gradients"
            )


def _may_be_relu(node: Any) -> bool:
    """Return whether a node is a ReLU by its name, or an autograd function of the model's own, which might be one."""
    fragments = ("Relu", "Hardtanh", "Elu", "Celu", "Clamp", "Threshold", "Prelu")
    return is_custom(node) or any(fragment in node.name() for fragment in fragments)
