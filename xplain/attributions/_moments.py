"""Mean and variance of samples that are seen a batch at a time."""

from __future__ import annotations

import torch

__all__ = ["Moments"]


class Moments:
    """Running mean and variance of samples, without keeping them.

    Sums are of differences from the first sample, so samples that are all alike have a variance of exactly 0.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: torch.Tensor | None = None
        self._sum = self._squares = torch.zeros(())

    def add(self, samples: torch.Tensor) -> None:
        """Add samples (T, n, ...) of T quantities."""
        if self._first is None:
            self._first = samples[:, 0].clone()
            self._sum = torch.zeros_like(self._first)
            self._squares = torch.zeros_like(self._first)
        differences = samples - self._first[:, None]
        self.count += samples.shape[1]
        self._sum = self._sum + differences.sum(dim=1)
        self._squares = self._squares + differences.square().sum(dim=1)

    @property
    def mean(self) -> torch.Tensor:
        """Mean (T, ...)."""
        mean = self._sum / self.count
        return mean if self._first is None else mean + self._first

    @property
    def variance(self) -> torch.Tensor:
        """Unbiased variance (T, ...); needs two samples."""
        return (self._squares - self._sum.square() / self.count).clamp(min=0) / (self.count - 1)

    @property
    def variance_of_mean(self) -> torch.Tensor:
        """Estimated variance (T, ...) of `mean`."""
        return self.variance / self.count
