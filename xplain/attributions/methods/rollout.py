"""Attention rollout: what the layers of a vision transformer pass on from patch to score.

The input is cut into patches, h' x w' of them, and each is a token; class and register tokens come before them. A layer
mixes tokens by its attention, so that of all layers is a product of matrices. Its rows are those of the tokens that the
score reads after the last layer, which the gradient tells: the class tokens if it reads any, else the patches; its
columns are the patches. Fused attention is computed step by step meanwhile. The maps have a place for each patch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

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
    return np.stack([_of_patches(run, rollout, slopes[-1]) for slopes in attention.slopes])


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
    for slopes in attention.slopes:
        identity = _identity(attention.matrices[0])
        relevance = identity
        for matrix, slope in zip(attention.matrices, slopes, strict=True):
            relevance = relevance + (slope * matrix).clamp(min=0).mean(dim=0) @ relevance
        maps.append(_of_patches(run, relevance - identity, slopes[-1]))
    return np.stack(maps)


def _identity(matrix: torch.Tensor) -> torch.Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


def _of_patches(run: Run, rollout: torch.Tensor, last_slope: torch.Tensor) -> Maps:
    """Return (h', w'), the mean over the rows of the tokens that a score reads.

    A token is read if the score depends on its row of the last layer's attention, whose gradient is given.
    """
    first, grid = run.patches(len(rollout))
    read = (last_slope != 0).any(dim=2).any(dim=0)
    if read[:first].any():
        read[first:] = False
    rows = rollout[read] if read.any() else torch.zeros_like(rollout[:1])
    found: Maps = rows.mean(dim=0)[first:].reshape(grid).cpu().numpy()
    return found
