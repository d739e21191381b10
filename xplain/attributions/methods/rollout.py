"""Attention rollout: what the layers of a vision transformer pass on from patch to score.

The input is cut into h' x w' patches. Each is a token; class and register tokens come before them. Each layer mixes
tokens by its attention, so the attention of all layers is a product of matrices. A map is the mean over the rows of the
tokens that the score reads after the last layer, in the columns of the patches. The gradient tells which tokens the
score reads: the class tokens if it reads any, else the patches. Fused attention, which hides its matrices, is computed
step by step meanwhile.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from xplain.attributions.engine import layers
from xplain.attributions.engine.run import Run

Maps = npt.NDArray[np.float64]


def attention_rollout(run: Run) -> Maps:
    """Attention rollout: how much of each patch reaches the tokens that the score reads, by attention alone.

    ``R = (A_L + I) / 2 ... (A_1 + I) / 2`` with the mean A_l over the heads of layer l and the identity for what the
    layer leaves as it is. It does not depend on the class, except by the tokens that its score reads. Costs 1
    evaluation, and 1 more a call to find the patches.

    Parameters
    ----------
    run : Run
        What is explained.

    Returns
    -------
    numpy.ndarray
        float64 (T, h', w'), not negative.

    References
    ----------
    Abnar & Zuidema, Quantifying Attention Flow in Transformers, ACL 2020, arXiv:2005.00928.
    """
    attention = run.attention()
    rollout = _identity(attention.matrices[0])
    for matrix in attention.matrices:
        rollout = (matrix.mean(dim=0) @ rollout + rollout) / 2
    return np.stack([_patch_map(run, rollout, gradients[-1]) for gradients in attention.slopes])


def gradient_rollout(run: Run) -> Maps:
    """Gradient-weighted rollout: as attention rollout, with the attention that speaks for the class only.

    ``R = I``, then for each layer ``R = R + mean over heads of relu(dS/dA_l * A_l) R``; what a token keeps of itself,
    the identity, is taken off. Costs 1 evaluation, and 1 more a call to find the patches.

    Parameters
    ----------
    run : Run
        What is explained.

    Returns
    -------
    numpy.ndarray
        float64 (T, h', w'), not negative.

    References
    ----------
    Chefer, Gur & Wolf, Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers, ICCV 2021, arXiv:2103.15679, equations 5 and 6.
    """
    attention = run.attention()
    maps = []
    for gradients in attention.slopes:
        identity = _identity(attention.matrices[0])
        relevance = identity
        for matrix, gradient in zip(attention.matrices, gradients, strict=True):
            relevance = relevance + (gradient * matrix).clamp(min=0).mean(dim=0) @ relevance
        maps.append(_patch_map(run, relevance - identity, gradients[-1]))
    return np.stack(maps)


def _identity(matrix: torch.Tensor) -> torch.Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


def _patch_map(run: Run, rollout: torch.Tensor, last_gradient: torch.Tensor) -> Maps:
    """Return (h', w'), the mean over the rows of the tokens that a score reads.

    The score reads a token if it depends on the token's row of the last layer's attention: ``last_gradient`` is not 0.
    """
    first, grid = layers.patches(run, len(rollout))
    is_read = (last_gradient != 0).any(dim=2).any(dim=0)
    if is_read[:first].any():
        is_read[first:] = False
    rows = rollout[is_read] if is_read.any() else torch.zeros_like(rollout[:1])
    values: Maps = rows.mean(dim=0)[first:].reshape(grid).cpu().numpy()
    return values
