"""DeepLIFT's Rescale rule for whole networks: which of torch's functions have which multipliers.

Functions that are made of others (normalisations, attention, norms) are computed step by step, and those that torch
writes in Python are opened, so that a few rules cover what networks are built of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.weak import WeakIdKeyDictionary

from xplain.attributions.engine.attention import step_by_step
from xplain.attributions.engine.functions import ELEMENTWISE
from xplain.attributions.rules import multipliers
from xplain.attributions.rules.calls import CallRules, graph, is_custom, opened

Tensor = torch.Tensor

#: By the name of a max pooling, the variant of it that also returns where each maximum lies.
_POOLS = {
    f"{kind}max_pool{n}d{suffix}": getattr(torch.nn.functional, f"{kind}max_pool{n}d_with_indices")
    for kind in ("", "adaptive_")
    for n in (1, 2, 3)
    for suffix in ("", "_with_indices")
}
#: Multiplication and division by all their names, without the underscore of in-place variants.
_OPERATIONS = dict.fromkeys(("multiply", "__mul__", "__rmul__", "__imul__"), "mul")
_OPERATIONS |= dict.fromkeys(("divide", "true_divide", "__truediv__", "__div__", "__itruediv__"), "div")
_OPERATIONS |= {"__matmul__": "matmul"}
#: Functions that are quadratic in their arguments.
_QUADRATIC = {"mul", "matmul", "bmm", "baddbmm", "einsum", "addcmul", "lerp", "var"}


class Rescale(CallRules):
    """DeepLIFT's Rescale rule, for batches of pairs: the second half are the baselines of the first.

    Functions that no rule covers keep their derivative; then the attributions do not add up.

    Attributes
    ----------
    out_of_reach : list of str
        Autograd functions of the model's own, which have derivatives of their own.
    """

    names = ELEMENTWISE

    def __init__(self) -> None:
        super().__init__()
        self.out_of_reach: list[str] = []
        #: What c * rsqrt(v) divides by, for each rsqrt(v).
        self._denominators = WeakIdKeyDictionary()

    def verify(self, outputs: Tensor) -> None:
        """Note what no rule can reach; `deep_lift` sees whether that matters: whether the attributions add up."""
        custom = {node.name() for node in graph(outputs) if is_custom(node)}
        self.out_of_reach = sorted(custom - {multipliers.NODE})

    def call_elementwise(self, func: Any, name: str, args: Any, kwargs: Any) -> Tensor:
        x, *constants = args
        # Of the positional arguments of these functions only ``inplace`` may be True.
        in_place = bool(kwargs.pop("inplace", False)) or name.endswith("_") or any(arg is True for arg in constants)

        def function(values: Tensor) -> Tensor:
            # An in-place function gets a copy, since the slope is computed from x.
            result: Tensor = func(values.clone() if in_place else values, *constants, **kwargs)
            return result

        result: Tensor = multipliers.apply(multipliers.secant(function), x)
        if name == "rsqrt":
            with self:
                self._denominators[result] = x.sqrt()
        return x.copy_(result) if in_place else result

    def call_other(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        if name in _POOLS and self.depends(args[0]):
            return _pooled(name, args, kwargs)
        body = opened(func)
        if body is not None and self._involved(args, kwargs):
            with self:
                return body(*args, **kwargs)
        name = name.removeprefix("special_")
        if name in _MADE_OF_OTHERS and self._involved(args, kwargs):
            with self:
                return _MADE_OF_OTHERS[name](*args, **kwargs)
        if name in _SOFTMAXES and self.depends(args[0]):
            return _SOFTMAXES[name](*args, **kwargs)
        if name == "pow" and len(args) > 1 and self.depends(args[1]):
            return multipliers.apply(multipliers.secant(lambda exponent: func(args[0], exponent)), args[1])
        operation, in_place = _operation(name)
        if operation == "div" and len(args) > 1 and not kwargs and self.depends(args[1]):
            result = self._divide(*args)
        elif operation in _QUADRATIC and self._involved(args, kwargs) > (operation != "var"):  # else it is linear
            result = self._multiply(getattr(torch, operation) if in_place else func, operation, args, kwargs)
        else:
            return func(*args, **kwargs)
        return args[0].copy_(result) if in_place else result

    def _divide(self, x: Any, y: Tensor) -> Tensor:
        result: Tensor
        if self.depends(x):
            result = multipliers.apply(multipliers.quotient, x, y)
            return result
        with self:
            result = y.reciprocal() * x
        return result

    def _involved(self, args: Any, kwargs: Any) -> int:
        """Return how many arguments depend on the input, those in lists included."""
        return sum(map(self.depends, tree_flatten((args, kwargs))[0]))

    def _multiply(self, func: Any, operation: str, args: Any, kwargs: Any) -> Tensor:
        """Call a quadratic function by its rule; ``c * rsqrt(v)`` is a quotient, which is stabler."""
        result: Tensor
        if operation == "mul" and len(args) > 1:
            for numerator, other in (args[:2], args[1::-1]):
                if other in self._denominators:
                    result = multipliers.apply(multipliers.quotient, numerator, self._denominators[other])
                    return result
        values, structure = tree_flatten((args, kwargs))
        places = [i for i, value in enumerate(values) if self.depends(value)]
        constants = [value.detach() if isinstance(value, Tensor) else value for value in values]

        def function(*tensors: Tensor) -> Tensor:
            filled = list(constants)
            for place, tensor in zip(places, tensors, strict=True):
                filled[place] = tensor
            positional, named = tree_unflatten(filled, structure)
            product: Tensor = func(*positional, **named)
            return product

        result = multipliers.apply(multipliers.midpoint(function), *(values[place] for place in places))
        return result


def _operation(name: str) -> tuple[str, bool]:
    """Return what a function computes, and whether it does so in place."""
    is_operator = name.endswith("__")
    plain = name if is_operator else name.removesuffix("_")
    return _OPERATIONS.get(plain, plain), name.startswith("__i") if is_operator else name != plain


def _pooled(name: str, args: Any, kwargs: Any) -> Any:
    with_indices = kwargs.pop("return_indices", False) or name.endswith("_with_indices")
    pool = _POOLS[name]
    values, indices = multipliers.apply(multipliers.max_pool(lambda x: pool(x, *args[1:], **kwargs)), args[0])
    return (values, indices) if with_indices else values


def _softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    result: Tensor = multipliers.apply(multipliers.softmax(dim), _in_type(input, dtype))
    return result


def _log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    result: Tensor = multipliers.apply(multipliers.log_softmax(dim), _in_type(input, dtype))
    return result


def _logsumexp(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    dims = dim if isinstance(dim, int) else tuple(dim)
    result: Tensor = multipliers.apply(multipliers.logsumexp(dims, keepdim), input)
    return result


def _in_type(x: Tensor, dtype: Any) -> Tensor:
    """Return a tensor in the type that a softmax is asked to compute in; aten has a flag in that place."""
    return x.to(dtype) if isinstance(dtype, torch.dtype) else x


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    dims = tuple(range(-len(normalized_shape), 0))
    return _affine(_scaled(input - input.mean(dims, keepdim=True), dims, eps), weight, bias)


def _rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    dims = tuple(range(-len(normalized_shape), 0))
    return _affine(_scaled(input, dims, torch.finfo(input.dtype).eps if eps is None else eps), weight, None)


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    grouped = input.reshape(len(input), num_groups, -1)
    result = _scaled(grouped - grouped.mean(-1, keepdim=True), (-1,), eps).reshape(input.shape)
    by_channel = (-1, *[1] * (input.ndim - 2))
    return _affine(result, *(None if each is None else each.reshape(by_channel) for each in (weight, bias)))


def _instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    if use_input_stats:
        return _group_norm(input, input.shape[1], weight, bias, eps)
    return torch.batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps, cudnn_enabled)


def _scaled(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """Divide by the root of the mean square."""
    return x / (x.square().mean(dims, keepdim=True) + eps).sqrt()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _attention(*args: Any, **kwargs: Any) -> Tensor:
    return step_by_step(*args, **kwargs)[1]


def _glu(input: Tensor, dim: int = -1) -> Tensor:
    values, gates = input.chunk(2, dim)
    return values * gates.sigmoid()


def _std(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return input.var(*args, **kwargs).sqrt()


def _vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    x = x if dtype is None else x.to(dtype)
    dims = tuple(range(x.ndim)) if dim is None else dim
    if ord == 1:
        return x.abs().sum(dims, keepdim=keepdim)
    return x.abs().pow(ord).sum(dims, keepdim=keepdim).pow(1 / ord)


def _cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: int = 1,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of classes; of probabilities and of smoothed labels it would be another sum of the same."""
    log_p = input.log_softmax(0 if input.ndim == 1 else 1)
    return torch._C._nn.nll_loss_nd(log_p, target, weight, reduction, ignore_index)  # type: ignore[arg-type]


def _cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    first, second = (x / x.square().sum(dim, keepdim=True).sqrt().clamp_min(eps) for x in (x1, x2))
    return (first * second).sum(dim)


_SOFTMAXES: dict[str, Callable[..., Tensor]] = {
    **dict.fromkeys(("softmax", "_softmax", "_safe_softmax"), _softmax),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _log_softmax),
    "logsumexp": _logsumexp,
}
_MADE_OF_OTHERS: dict[str, Callable[..., Tensor]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "scaled_dot_product_attention": _attention,
    "glu": _glu,
    "std": _std,
    "linalg_vector_norm": _vector_norm,
    "cross_entropy_loss": _cross_entropy,
    "cosine_similarity": _cosine_similarity,
}
