"""Methods that change how scores are carried back through nonlinear functions: guided backpropagation and DeepLIFT.

Both run the model while functions are replaced by others with the same values and different derivatives (`Rules`), so
that they follow functional, reused and in-place calls, which hooks on modules would miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions.engine.autograd import Rules, wide
from xplain.attributions.engine.functions import ELEMENTWISE, RELU_LIKE
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError

Maps = npt.NDArray[np.float64]
Function = Callable[[torch.Tensor], torch.Tensor]

#: Relative error of the sum that is put down to rounding; single precision leaves about 1e-5 in a deep network.
_TOLERANCE = 1e-3

#: By the name of a max pooling, the variant of it that also returns where each maximum lies.
_POOLS = {
    f"{kind}max_pool{n}d{suffix}": getattr(torch.nn.functional, f"{kind}max_pool{n}d_with_indices")
    for kind in ("", "adaptive_")
    for n in (1, 2, 3)
    for suffix in ("", "_with_indices")
}


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


def deep_lift(run: Run, *, baseline: npt.NDArray[np.float32]) -> Maps:
    """DeepLIFT with the Rescale rule: how the difference from a baseline is carried to the score.

    The gradient of each elementwise function f becomes ``(f(x) - f(b)) / (x - b)``, that of max pooling shares the
    difference out among the places that are largest for the input and for the baseline; linear functions keep theirs.
    The result times input minus baseline, summed over the channels, adds up to S(x) - S(b). Costs 2 evaluations.

    Parameters
    ----------
    run : Run
        What is explained.
    baseline : numpy.ndarray
        (...), what to compare with. A caller sets the options of the kind instead.

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
    pair = torch.stack([run.tensor, run.to_tensor(baseline)])
    scores, gradients = run.differentiate(pair, [run.targets, ()], Rescale)
    shares = wide(gradients[:, 0]) * wide(pair[0] - pair[1])
    attributed = shares.sum(dim=(1, 2, 3)).cpu().numpy()
    change = scores[0] - scores[1]
    residual = np.abs(change - attributed)
    # The second term is for changes near 0, of shares that cancel.
    allowed = _TOLERANCE * np.abs(change) + _TOLERANCE**2 * shares.abs().sum(dim=(1, 2, 3)).cpu().numpy()
    if (residual > allowed).any():
        worst = int(np.argmax(residual - allowed))
        raise AttributionError(
            f"deep-lift must add up to the change of the score, got {attributed[worst]:.6g} for {change[worst]:.6g}: "
            "the model has a nonlinear function that the Rescale rule does not cover, such as a product of activations "
            "(attention, gates), normalisation or softmax; use integrated-gradients"
        )
    run.quality.completeness(attributed, run.score(run.prepared.array), scores[1])
    maps: Maps = shares.sum(dim=1).cpu().numpy()
    return maps


class _ElementwiseRules(Rules):
    """Finds the calls of elementwise functions of one tensor, in-place variants included.

    Subclasses say which functions, by ``names``, and what to do with their calls.
    """

    names: set[str]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = str(getattr(func, "__name__", "")).partition(".")[0]
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        # Inside an autograd function gradients are off: it has a derivative of its own, whatever it calls.
        if not args or not isinstance(args[0], torch.Tensor) or not (args[0].requires_grad and torch.is_grad_enabled()):
            return func(*args, **kwargs)
        if name.removesuffix("_") in self.names and _is_of_one_tensor(name, args, kwargs):
            return self.call_elementwise(func, name, args, kwargs)
        return self.call_other(func, name, args, kwargs)

    def call_elementwise(self, func: Any, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        """Call an elementwise function of ``args[0]`` and give it another derivative."""
        raise NotImplementedError

    def call_other(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Call another function."""
        return func(*args, **kwargs)


class GuidedRelu(_ElementwiseRules):
    """Guided backpropagation: a ReLU passes back positive gradients only, where its input was positive."""

    names = RELU_LIKE

    def __init__(self) -> None:
        super().__init__()
        self._guided: set[Any] = set()

    def call_elementwise(self, func: Any, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        result: torch.Tensor = func(*args, **kwargs)
        result.register_hook(lambda gradient: gradient.clamp(min=0))  # type: ignore[no-untyped-call]
        self._guided.add(result.grad_fn)
        return result

    def verify(self, outputs: torch.Tensor) -> None:
        missed = sorted({node.name() for node in _graph(outputs) if _may_be_relu(node) and node not in self._guided})
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


class Rescale(_ElementwiseRules):
    """DeepLIFT's Rescale rule, for batches of pairs: the second half are the baselines of the first.

    Derivatives become slopes of secants between input and baseline. Functions that the rule does not cover keep their
    derivative; then the attributions do not add up.
    """

    names = ELEMENTWISE

    def call_elementwise(self, func: Any, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        x, *constants = args
        # Of the positional arguments of these functions only ``inplace`` may be True.
        in_place = bool(kwargs.pop("inplace", False)) or name.endswith("_") or any(arg is True for arg in constants)

        def function(values: torch.Tensor) -> torch.Tensor:
            # An in-place function gets a copy, since the slope is computed from x.
            result: torch.Tensor = func(values.clone() if in_place else values, *constants, **kwargs)
            return result

        result: torch.Tensor = _Secant.apply(x, function)  # type: ignore[no-untyped-call]
        return x.copy_(result) if in_place else result

    def verify(self, outputs: torch.Tensor) -> None:
        """Do nothing: `deep_lift` sees whether the attributions add up, which proves more than a list of functions."""

    def call_other(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        if name not in _POOLS:
            return func(*args, **kwargs)
        with_indices = kwargs.pop("return_indices", False) or name.endswith("_with_indices")
        pool = _POOLS[name]
        values, indices = _PoolSecant.apply(args[0], lambda x: pool(x, *args[1:], **kwargs))  # type: ignore[no-untyped-call]
        return (values, indices) if with_indices else values


class _Secant(torch.autograd.Function):
    """An elementwise function whose derivative is the slope of the secant between input and baseline."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, function: Function) -> torch.Tensor:
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            value = function(point)
            (slope,) = torch.autograd.grad(value.sum(), point)
        value = value.detach()
        change, is_equal = _change(x)
        # Where input and baseline agree, the secant is the tangent.
        secant = torch.where(is_equal, sum(_halves(slope)) / 2, _difference(value) / change)
        ctx.save_for_backward(secant)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (secant,) = ctx.saved_tensors
        return gradients[0] * torch.cat([secant, secant]), None


class _PoolSecant(torch.autograd.Function):
    """Max pooling that shares its difference between where the input and where the baseline is largest.

    Windows may overlap: the shares of one position in several windows are added up.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, pool: Any) -> tuple[torch.Tensor, torch.Tensor]:
        values, indices = pool(x)
        ctx.save_for_backward(x, values, indices)
        ctx.mark_non_differentiable(indices)
        return values, indices

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        x, values, indices = ctx.saved_tensors
        gradient, _ = _halves(gradients[0])
        (value, reference), (index, reference_index) = _halves(values), _halves(indices)
        larger = torch.maximum(value, reference)
        change, is_equal = _change(x)
        shares = _unpool(gradient * (larger - reference), index, change)
        shares = shares + _unpool(gradient * (value - larger), reference_index, change)
        slope = torch.where(is_equal, _unpool(gradient, index, change), shares / change)
        return torch.cat([slope, torch.zeros_like(slope)]), None


def _is_of_one_tensor(name: str, args: Any, kwargs: Any) -> bool:
    """Return whether all arguments but the first are constants (or the weights of a PReLU)."""
    others = (*args[1:], *kwargs.values())
    return name == "prelu" or not any(isinstance(other, torch.Tensor) and other.requires_grad for other in others)


def _halves(pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the halves of a batch that belong to the inputs and to their baselines."""
    if len(pair) % 2:
        raise AttributionError(
            f"the model must keep the batch in front, got a function of a tensor {tuple(pair.shape)} for a pair of "
            "inputs; use integrated-gradients"
        )
    first, second = pair.chunk(2)
    return first, second


def _difference(pair: torch.Tensor) -> torch.Tensor:
    first, second = _halves(pair)
    return first - second


def _change(pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return input - baseline, to divide by, and where the two are equal but for rounding; there the first is 1."""
    first, second = _halves(pair)
    change = first - second
    is_equal = change.abs() <= 100 * torch.finfo(pair.dtype).eps * torch.maximum(first.abs(), second.abs())
    return torch.where(is_equal, torch.ones_like(change), change), is_equal


def _unpool(values: torch.Tensor, indices: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Add pooled values up at their indices in a tensor of the unpooled shape."""
    flat = torch.zeros_like(like).flatten(2)
    return flat.scatter_add(2, indices.flatten(2), values.flatten(2)).reshape(like.shape)


def _graph(outputs: torch.Tensor) -> Iterator[Any]:
    """Yield autograd's nodes that a tensor was computed by."""
    visited: set[Any] = set()
    waiting = [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in visited:
            visited.add(node)
            yield node
            waiting += [previous for previous, _ in node.next_functions]


def _may_be_relu(node: Any) -> bool:
    """Return whether a node is a ReLU by its name, or an autograd function of the model's own, which might be one."""
    fragments = ("Relu", "Hardtanh", "Elu", "Celu", "Clamp", "Threshold", "Prelu")
    is_custom = isinstance(node, torch.autograd.function.BackwardCFunction)
    return is_custom or any(fragment in node.name() for fragment in fragments)
