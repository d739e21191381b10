"""The image classifiers that attribution methods are timed on. Importing this restricts torch to one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import xplain

torch.set_num_threads(1)  # more are noisy on a shared machine


class SmallCNN(nn.Module):
    """Two convolutions with random weights and ten classes: for quick runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3, stride=2), nn.Conv2d(8, 8, 3, stride=2)
        self.features, self.relu = nn.ReLU(), nn.ReLU()
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score images (batch, 3, height, width)."""
        maps = self.features(self.second(self.relu(self.first(x))))
        scores: torch.Tensor = self.head(maps.mean(dim=(2, 3)))
        return scores


def classifier(quick: bool) -> xplain.ImageClassifier:
    """Return EfficientNet-Lite0 for photos of 224x224, or for quick runs a small network for 56x56."""
    if not quick:
        return xplain.pretrained("efficientnet-lite0")
    return xplain.ImageClassifier(SmallCNN().eval(), preprocess=xplain.Preprocess(size=56), layer="features")


def network_name(quick: bool) -> str:
    """Return what `classifier` is called in tables."""
    return "a small CNN, 56x56" if quick else "EfficientNet-Lite0"


def grid(rows: int, columns: int, height: int, width: int) -> npt.NDArray[np.int64]:
    """Number the cells of a grid: int64 (height, width)."""
    cells: Any = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width
    return np.asarray(cells, np.int64)


def stride(evaluations: int, size: int, window: int) -> int:
    """Return the stride at which a square window takes about so many positions in a square image."""
    positions = max(2, round(evaluations**0.5))
    return min(window, max(1, (size - window) // (positions - 1)))
