"""NumPy twins of `xplain.kernels.compiled.maps`: block by block, so that temporaries stay small and in the cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 14  # pixels


def blend(
    photo: npt.NDArray[np.uint8],
    values: npt.NDArray[np.float32],
    table: npt.NDArray[np.uint16],
    scale: np.float32,
    offset: np.float32,
    out: npt.NDArray[np.uint8],
) -> None:
    """Fill the flat ``out`` with ``(photo * weight + colour) >> 8``."""
    red, green, blue, weights = np.ascontiguousarray(table.T)
    pixels, result = photo.reshape(-1, 3), out.reshape(-1, 3)
    for start in range(0, values.size, _BLOCK):
        stop = start + _BLOCK
        with np.errstate(over="ignore"):
            level = values[start:stop] * scale
        level += offset
        index = np.clip(level, 0, 255, out=level).astype(np.uint8)
        weight = weights.take(index)
        for channel, colours in enumerate((red, green, blue)):
            mixed = pixels[start:stop, channel] * weight
            mixed += colours.take(index)
            mixed >>= 8
            result[start:stop, channel] = mixed


def count_magnitudes(bits: npt.NDArray[np.uint32], counts: npt.NDArray[np.int64]) -> None:
    """Count each float32, given as its bits, in the bin of the upper 15 bits below its sign."""
    for start in range(0, bits.size, _BLOCK):
        bins = (bits[start : start + _BLOCK] >> np.uint32(16)) & np.uint32(0x7FFF)
        counts += np.bincount(bins, minlength=counts.size)
