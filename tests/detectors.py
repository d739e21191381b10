"""Detectors whose evidence is known: the score of a box is the mean of a patch."""

import numpy as np
import torch
from torch import nn

import xplain

#: label, box x0 y0 x1 y1, and the patch that is its evidence, for images of 24 x 32 pixels
PLANTED = ((0, (2, 2, 12, 12), (4, 4, 10, 10)), (1, (18, 10, 30, 22), (20, 14, 28, 20)))


def mean_of(images, patch):
    """Means (n,) of a patch of images (n, height, width, channels) of 0..255, as 0..1."""
    x0, y0, x1, y1 = patch
    return images[:, y0:y1, x0:x1].mean(axis=(1, 2, 3)) / 255


def black_box(planted=PLANTED, least=0.0):
    """A callable: uint8 images (n, height, width, 3) to mappings of arrays; weak detections are left out."""

    def find(images):
        scores = np.stack([mean_of(images.astype(np.float64), patch) for _, _, patch in planted], axis=1)
        found = []
        for row in scores:
            kept = [i for i, score in enumerate(row) if score > least]
            found.append(
                {
                    "boxes": np.array([planted[i][1] for i in kept], np.float64).reshape(-1, 4),
                    "labels": np.array([planted[i][0] for i in kept]),
                    "scores": row[kept],
                }
            )
        return found

    return find


def photo(seed=0, size=(24, 32)):
    """A bright photo with some noise: uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(150, 220, (*size, 3)).astype(np.uint8)


class Planted(nn.Module):
    """The same as a module: images (n, 3, height, width) to mappings of tensors; or raw scores (n, M)."""

    def __init__(self, planted=PLANTED, raw=False):
        super().__init__()
        self.planted, self.raw = planted, raw
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images):
        means = [images[:, :, y0:y1, x0:x1].mean(dim=(1, 2, 3)) for _, _, (x0, y0, x1, y1) in self.planted]
        scores = torch.stack(means, dim=1) * self.weight
        return scores if self.raw else Threshold(self.planted, 0.0)(scores)


class Threshold:
    """Turns raw scores (n, M) into mappings; `candidates` are all of them."""

    def __init__(self, planted=PLANTED, least=0.5):
        self.boxes = torch.tensor([box for _, box, _ in planted], dtype=torch.float32)
        self.labels = torch.tensor([label for label, _, _ in planted])
        self.least = least

    def candidates(self, scores):
        return [{"boxes": self.boxes, "labels": self.labels, "scores": row} for row in scores]

    def __call__(self, scores):
        kept = [row > self.least for row in scores]
        return [
            {key: value[k] for key, value in one.items()} for one, k in zip(self.candidates(scores), kept, strict=True)
        ]


def module_detector(planted=PLANTED, least=0.5, **options):
    """A detector with candidates."""
    return xplain.Detector(Planted(planted, raw=True), postprocess=Threshold(planted, least), **options)
