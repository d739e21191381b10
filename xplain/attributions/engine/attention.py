"""The attention matrices of a forward pass, whichever function computes them.

Fused attention (``scaled_dot_product_attention``, ``MultiheadAttention``) never shows its matrix, so a torch function
mode computes it step by step. Attention that is written out shows itself by its softmax.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch

from xplain.attributions.engine import autograd
from xplain.attributions.engine.explained import Explained
from xplain.errors import AttributionError


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention matrices of one input, in the order of the layers, and the gradients of T scores there.

    Parameters
    ----------
    matrices : list of torch.Tensor
        One (heads, tokens, tokens) for each layer, in double precision: how much a token (second axis) takes of each
        token (last axis). Rows add up to 1.
    slopes : list of list of torch.Tensor
        For each score and each layer the gradient of the score by the layer's matrix, of the same shape.
    """

    matrices: list[torch.Tensor]
    slopes: list[list[torch.Tensor]]


def record_attention(model: Explained, tensor: torch.Tensor, targets: tuple[int, ...]) -> Attention:
    """Run a module on one input (...) and differentiate its scores for some classes by its attention.

    Layers that none of the scores depends on are left out.

    Raises
    ------
    AttributionError
        If no attention is seen, or one that does not go from each token to each token.
    """
    unfused = _Unfused()
    outputs, _ = autograd.record_input(model, tensor[None], lambda: unfused)
    matrices = unfused.matrices
    slopes = [
        torch.autograd.grad(outputs[0, target], matrices, retain_graph=True, allow_unused=True) for target in targets
    ]
    used = [i for i in range(len(matrices)) if any(of_target[i] is not None for of_target in slopes)]
    _refuse_shapes([tuple(matrices[i].shape) for i in used])
    return Attention(
        [_by_head(matrices[i].detach()) for i in used],
        [[_by_head(_or_zeros(of_target[i], matrices[i])) for i in used] for of_target in slopes],
    )


def _or_zeros(slope: torch.Tensor | None, matrix: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(matrix) if slope is None else slope


def _by_head(matrix: torch.Tensor) -> torch.Tensor:
    """Return the attention of one input as (heads, tokens, tokens), in double precision."""
    return autograd.wide(matrix.reshape(-1, *matrix.shape[-2:]))


def _refuse_shapes(shapes: list[tuple[int, ...]]) -> None:
    """Raise AttributionError unless there is attention, square and of one size in all layers."""
    if not shapes:
        raise AttributionError(
            "model's score must depend on its attention, got no gradient there; use integrated-gradients"
        )
    sizes = sorted({shape[-2:] for shape in shapes})
    if len(sizes) > 1 or sizes[0][0] != sizes[0][1]:
        listed = ", ".join(f"{queries} x {keys}" for queries, keys in sizes)
        raise AttributionError(
            f"model's attention must go from every token to every token in each layer, got {listed} (windows, merged "
            "tokens or a pooling query); use integrated-gradients"
        )


class _Unfused(autograd.Rules):
    """Computes fused attention step by step while it is entered, and keeps the matrices.

    A torch function mode belongs to its thread and ends with its block: no function is patched, nothing to restore.
    """

    def __init__(self) -> None:
        super().__init__()
        self.matrices: list[torch.Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").partition(".")[0]
        if name == "scaled_dot_product_attention":
            matrix, output = step_by_step(*args, **kwargs)
            self.matrices.append(matrix)
            return output
        if name == "multi_head_attention_forward":
            return self._multi_head(func, args, kwargs)
        result = func(*args, **kwargs)
        if name == "softmax" and _is_attention(result, *args[1:], **kwargs):
            self.matrices.append(result)
        return result

    def _multi_head(self, func: Any, args: Any, kwargs: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Make ``multi_head_attention_forward`` return its weights, and return what the caller asked for."""
        call = inspect.signature(func).bind(*args, **kwargs)
        call.apply_defaults()
        need_weights, average = call.arguments["need_weights"], call.arguments["average_attn_weights"]
        call.arguments |= {"need_weights": True, "average_attn_weights": False}
        output, weights = func(*call.args, **call.kwargs)
        # The weights are a view of the matrix that the output was computed from: only that one has a gradient.
        self.matrices.append(weights if weights._base is None else weights._base)
        return output, (weights.mean(dim=-3) if average else weights) if need_weights else None

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
    """Whether a softmax gave attention, (batch, heads, queries, keys) or (batch, tokens, tokens); else class scores."""
    if result.ndim < 3 or dim not in (-1, result.ndim - 1):
        return False
    return result.ndim == 4 or result.shape[-1] == result.shape[-2]


def step_by_step(
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
