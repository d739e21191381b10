"""Photos that several benchmarks explain or draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.data import chelsea

Pixels = npt.NDArray[np.uint8]


def cat(height: int = 300, width: int = 451) -> Pixels:
    """Return a photo of a cat: uint8 (height, width, 3)."""
    return np.asarray(Image.fromarray(chelsea()).resize((width, height), Image.Resampling.BICUBIC))


def noisy_cat(height: int, width: int) -> Pixels:
    """Return the cat with a camera's noise, which an enlarged photo lacks and compressors would notice."""
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    return np.clip(cat(height, width) + noise, 0, 255).astype(np.uint8)
