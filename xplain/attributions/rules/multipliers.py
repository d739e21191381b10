"""Derivatives of DeepLIFT's Rescale rule: multipliers that carry the difference from a baseline through a function.

All work on pairs, batches whose second half are the baselines of the first, and are exact: multipliers times the
differences of the arguments add up to the difference of the result. A rule is a function of the arguments that returns
the result, tensors to save, and a function of the gradient and of these tensors that returns those of the arguments.

======================  ============================================================================================
elementwise f(x)        the slope of the secant, (f(x) - f(b)) / (x - b)
products, squares       the derivative at the midpoint between input and baseline: exact for whatever is quadratic
quotients z = x / y     1 / m(y) and -m(z) / m(y), where m is the mean of input and baseline: unlike a product with
                        the secant of 1 / y, it stays of the size of z where one of the two denominators is tiny
softmax and its kin     the derivative with logarithmic means of the two probabilities in place of probabilities
max pooling             the difference is shared among the places that are largest for the input and for the baseline
======================  ============================================================================================

Shrikumar et al. 2017 (arXiv:1704.02685) have the first. The others follow from the same law, and bounds are kept as
those of the plain derivative are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from xplain.errors import AttributionError

Function = Callable[..., Any]
Pullback = Callable[..., tuple[torch.Tensor, ...]]
Saved = tuple[torch.Tensor, ...]
Rule = Callable[..., tuple[Any, Saved, Pullback]]


def apply(rule: Rule, *tensors: torch.Tensor) -> Any:
    """Call a function by its rule."""
    return _Ruled.apply(rule, *tensors)  # type: ignore[no-untyped-call]


class _Ruled(torch.autograd.Function):
    """A function whose derivative is what a rule says."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, *tensors: torch.Tensor) -> Any:
        value, saved, ctx.pullback = rule(*(tensor.detach() for tensor in tensors))
        ctx.save_for_backward(*saved)
        if isinstance(value, tuple):  # of values and of indices
            ctx.mark_non_differentiable(*value[1:])
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (None, *ctx.pullback(gradients[0], *ctx.saved_tensors))


#: The name of autograd's node of a function with a rule.
NODE = f"{_Ruled.__name__}Backward"


def secant(function: Function) -> Rule:
    """Return the rule of an elementwise function."""

    def rule(x: torch.Tensor) -> tuple[torch.Tensor, Saved, Pullback]:
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            value = function(point)
            (slope,) = torch.autograd.grad(value.sum(), point)
        value = value.detach()
        change, is_equal = _change(x)
        # Where input and baseline agree, the secant is the tangent.
        multiplier = torch.where(is_equal, sum(halves(slope)) / 2, _difference(value) / change)
        return value, (multiplier,), lambda gradient, slope: (gradient * torch.cat([slope, slope]),)

    return rule


def midpoint(function: Function) -> Rule:
    """Return the rule of a function that is quadratic in its arguments, such as a product of two of them."""

    def rule(*tensors: torch.Tensor) -> tuple[torch.Tensor, Saved, Pullback]:
        def pullback(gradient: torch.Tensor, *means: torch.Tensor) -> tuple[torch.Tensor, ...]:
            with torch.enable_grad():
                points = [torch.cat([mean, mean]).requires_grad_() for mean in means]
                return torch.autograd.grad(function(*points), points, gradient)

        return function(*tensors), tuple(_mean(tensor) for tensor in tensors), pullback

    return rule


def quotient(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, Saved, Pullback]:
    """Rule of x / y: of z y = x the differences are m(z) dy + m(y) dz = dx."""
    z = x / y
    shapes = x.shape, y.shape

    def pullback(gradient: torch.Tensor, mean_y: torch.Tensor, mean_z: torch.Tensor) -> tuple[torch.Tensor, ...]:
        of_x = gradient / torch.cat([mean_y, mean_y])
        return of_x.sum_to_size(shapes[0]), (-of_x * torch.cat([mean_z, mean_z])).sum_to_size(shapes[1])

    return z, (_mean(y), _mean(z)), pullback


def softmax(dim: int) -> Rule:
    """Return the rule of softmax."""

    def rule(x: torch.Tensor) -> tuple[torch.Tensor, Saved, Pullback]:
        log_p = x.log_softmax(dim)
        means = _logarithmic_mean(log_p)

        def pullback(gradient: torch.Tensor, means: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
            carried = halves(gradient)[0] * means
            return (_of_inputs(carried - weights * carried.sum(dim, keepdim=True)),)

        return log_p.exp(), (means, _normalised(means, dim)), pullback

    return rule


def log_softmax(dim: int) -> Rule:
    """Return the rule of the logarithm of softmax."""

    def rule(x: torch.Tensor) -> tuple[torch.Tensor, Saved, Pullback]:
        log_p = x.log_softmax(dim)

        def pullback(gradient: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
            carried = halves(gradient)[0]
            return (_of_inputs(carried - weights * carried.sum(dim, keepdim=True)),)

        return log_p, (_normalised(_logarithmic_mean(log_p), dim),), pullback

    return rule


def logsumexp(dim: int | tuple[int, ...], keepdim: bool) -> Rule:
    """Return the rule of the logarithm of a sum of exponentials."""

    def rule(x: torch.Tensor) -> tuple[torch.Tensor, Saved, Pullback]:
        kept = x.logsumexp(dim, keepdim=True)
        weights = _normalised(_logarithmic_mean(x - kept), dim)

        def pullback(gradient: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (_of_inputs(halves(gradient.reshape(kept.shape))[0] * weights),)

        return x.logsumexp(dim, keepdim=keepdim), (weights,), pullback

    return rule


def max_pool(pool: Function) -> Rule:
    """Return the rule of a max pooling that returns values and indices.

    Windows may overlap: the shares of one position in several windows are added up.
    """

    def rule(x: torch.Tensor) -> tuple[Any, Saved, Pullback]:
        values, indices = pool(x)
        (value, reference), (index, reference_index) = halves(values), halves(indices)
        larger = torch.maximum(value, reference)
        # New tensors: the next function may work in place.
        saved = larger - reference, value - larger, index.clone(), reference_index.clone(), *_change(x)

        def pullback(gradient: torch.Tensor, *saved: torch.Tensor) -> tuple[torch.Tensor, ...]:
            gain, loss, index, reference_index, change, is_equal = saved
            of_inputs, _ = halves(gradient)
            shares = _unpool(of_inputs * gain, index, change)
            shares = shares + _unpool(of_inputs * loss, reference_index, change)
            return (_of_inputs(torch.where(is_equal, _unpool(of_inputs, index, change), shares / change)),)

        return (values, indices), saved, pullback

    return rule


def halves(pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the halves of a batch that belong to the inputs and to their baselines."""
    if not pair.ndim or len(pair) % 2:
        raise AttributionError(
            f"the model must keep the batch in front, got a function of a tensor {tuple(pair.shape)} for a pair of "
            "inputs; use integrated-gradients"
        )
    first, second = pair.chunk(2)
    return first, second


def _of_inputs(gradient: torch.Tensor) -> torch.Tensor:
    """Return a gradient of the inputs as one of the pair: nothing is asked of the baselines."""
    return torch.cat([gradient, torch.zeros_like(gradient)])


def _mean(pair: torch.Tensor) -> torch.Tensor:
    first, second = halves(pair)
    return (first + second) / 2


def _difference(pair: torch.Tensor) -> torch.Tensor:
    first, second = halves(pair)
    return first - second


def _change(pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return input - baseline, to divide by, and where the two are equal but for rounding; there the first is 1."""
    first, second = halves(pair)
    change = first - second
    is_equal = change.abs() <= 100 * torch.finfo(pair.dtype).eps * torch.maximum(first.abs(), second.abs())
    return torch.where(is_equal, torch.ones_like(change), change), is_equal


def _logarithmic_mean(log_p: torch.Tensor) -> torch.Tensor:
    """Return (p - q) / (log p - log q) of the probabilities of input and baseline: what exp changes by a change of log.

    Times the changes of log p they are the changes of p, whose sum is 0: so their shares of their own sum weigh the
    changes of the logits to that of logsumexp, and nothing overflows.
    """
    first, second = halves(log_p)
    larger, difference = torch.maximum(first, second).exp(), (first - second).abs()
    factor = torch.where(difference == 0, torch.ones_like(larger), -torch.expm1(-difference) / difference)
    return torch.where(larger > 0, larger * factor, torch.zeros_like(larger))  # both 0 under a mask


def _normalised(means: torch.Tensor, dim: int | tuple[int, ...]) -> torch.Tensor:
    return means / means.sum(dim, keepdim=True).clamp_min(torch.finfo(means.dtype).tiny)


def _unpool(values: torch.Tensor, indices: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Add pooled values up at their indices in a tensor of the unpooled shape."""
    flat = torch.zeros_like(like).flatten(2)
    return flat.scatter_add(2, indices.flatten(2), values.flatten(2)).reshape(like.shape)
