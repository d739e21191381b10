"""The attention matrices of a forward pass, whichever function computes them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch

from xplain.attributions.engine import autograd
from xplain.errors import AttributionError
from xplain.models import ImageClassifier


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention matrices of one input, in the order of the layers, and the gradients of T scores there.

    Parameters
    ----------
    matrices : list of torch.Tensor
        One (heads, tokens, tokens) for each layer, in double precision; how much of each token (last axis) a token
        takes. Rows add up to 1.
    slopes : list of list of torch.Tensor
        For each score and each layer the gradient, of the same shape.
    """

    matrices: list[torch.Tensor]
    slopes: list[list[torch.Tensor]]


def record_attention(model: ImageClassifier, tensor: torch.Tensor, targets: tuple[int, ...]) -> Attention:
    """Run a module on one input (...) and differentiate its scores for some classes by its attention.

    Layers that none of the scores depends on are left out.

    Raises
    ------
    AttributionError
        If no attention is seen, or one that does not go from each token to each token.
    """
    unfused = _Unfused()
    outputs, _ = autograd.record_input(model, tensor[None], lambda: unfused)
    slopes = [
        torch.autograd.grad(outputs[0, target], unfused.matrices, retain_graph=True, allow_unused=True)
        for target in targets
    ]
    used = [i for i, each in enumerate(zip(*slopes, strict=True)) if any(slope is not None for slope in each)]
    matrices = [unfused.matrices[i] for i in used]
    _refuse_shapes([tuple(matrix.shape) for matrix in matrices])
    return Attention(
        [_heads(matrix.detach()) for matrix in matrices],
        [[_heads(torch.zeros_like(unfused.matrices[i]) if one[i] is None else one[i]) for i in used] for one in slopes],
    )


def _heads(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix of one input as (heads, tokens, tokens), in double precision."""
    return autograd.wide(matrix.reshape(-1, *matrix.shape[-2:]))


def _refuse_shapes(shapes: list[tuple[int, ...]]) -> None:
    if not shapes:
        raise AttributionError(
            "model's score must depend on its attention, got no gradient there; use integrated-gradients"
        )
    sizes = sorted({shape[-2:] for shape in shapes})
    if len(sizes) > 1 or sizes[0][0] != sizes[0][1]:
        found = ", ".join(f"{queries} x {keys}" for queries, keys in sizes)
        raise AttributionError(
            f"model's attention must go from every token to every token in each layer, got {found} (windows, merged "
            "tokens or a pooling query); use integrated-gradients"
        )


class _Unfused(autograd.Rules):
    """Computes fused attention step by step while it is entered, and keeps the matrices.

    A mode belongs to its thread and ends with its block: no function is patched, nothing has to be restored.
    """

    def __init__(self) -> None:
        super().__init__()
        self.matrices: list[torch.Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").partition(".")[0]
        if name == "scaled_dot_product_attention":
            matrix, output = _step_by_step(*args, **kwargs)
            self.matrices.append(matrix)
            return output
        if name == "multi_head_attention_forward":
            return self._multi_head(func, args, kwargs)
        result = func(*args, **kwargs)
        if name == "softmax" and _is_attention(result, *args[1:], **kwargs):
            self.matrices.append(result)
        return result

    def _multi_head(self, func: Any, args: Any, kwargs: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        call = inspect.signature(func).bind(*args, **kwargs)
        call.apply_defaults()
        wanted, averaged = call.arguments["need_weights"], call.arguments["average_attn_weights"]
        call.arguments |= {"need_weights": True, "average_attn_weights": False}
        output, weights = func(*call.args, **call.kwargs)
        # The weights are a view of the matrix that the output was computed from.
        self.matrices.append(weights if weights._base is None else weights._base)
        return output, (weights.mean(dim=-3) if averaged else weights) if wanted else None

    def verify(self, outputs: torch.Tensor) -> None:
        """Raise AttributionError if no attention was seen."""
        if not self.matrices:
            raise AttributionError(
                "model must compute its attention by torch.nn.functional.scaled_dot_product_attention, "
                "torch.nn.MultiheadAttention or a softmax, got none of them (a convolutional network, a kernel of "
                "another library, or a scripted module); use attn_implementation='eager' if the model has it, or "
                "integrated-gradients"
            )


def _is_attention(result: torch.Tensor, dim: int | None = None, *_: Any, **__: Any) -> bool:
    """Tell attention (batch, heads, queries, keys) or (batch, tokens, tokens) from the probabilities of classes."""
    if result.ndim < 3 or dim not in (-1, result.ndim - 1):
        return False
    return result.ndim == 4 or result.shape[-1] == result.shape[-2]


def _step_by_step(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrix and the output of `torch.nn.functional.scaled_dot_product_attention`, without dropout."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    matrix = scores.softmax(dim=-1)
    return matrix, matrix @ value
