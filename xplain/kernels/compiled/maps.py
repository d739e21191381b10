"""Numba kernels of score maps; `xplain.kernels.plain.maps` has the same functions in NumPy.

`blend` goes through the pixels in blocks that stay in the L1 cache, in three steps: values to entries of the table, the
entries' colours and weights into rows of 16-bit lanes that lie as the photo's channels do, and one multiplication,
addition and shift for each channel. The first and the last step are plain loops over slices, which LLVM turns into
vector code; indexing the table for each channel instead takes four times as long.

The middle step packs the 48 bits of four pixels into three words, ``ccba``-fashion, so the lanes follow each other
without gaps. Words hold their first lane in the lowest bits, as on every machine that Numba compiles for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.kernels.jit import kernel

_BLOCK = 1024  # pixels; a multiple of 4, as `_spread` takes four at a time


@kernel
def _spread(index: Any, words: Any, lanes: Any) -> None:
    """Write the lower 48 bits of ``words[index]`` to ``lanes``, one behind the other."""
    for k in range(np.uintp(index.size // 4)):
        i, o = np.uintp(4) * k, np.uintp(3) * k
        a, b = words[index[i]], words[index[i + np.uintp(1)]]
        c, d = words[index[i + np.uintp(2)]], words[index[i + np.uintp(3)]]
        lanes[o] = a | (b << np.uint64(48))
        lanes[o + np.uintp(1)] = (b >> np.uint64(16)) | (c << np.uint64(32))
        lanes[o + np.uintp(2)] = (c >> np.uint64(32)) | (d << np.uint64(16))


@kernel
def blend(
    photo: npt.NDArray[np.uint8],
    values: npt.NDArray[np.float32],
    table: npt.NDArray[np.uint16],
    scale: np.float32,
    offset: np.float32,
    out: npt.NDArray[np.uint8],
) -> None:
    """Fill the flat ``out`` with ``(photo * weight + colour) >> 8``."""
    colour_words, weight_words = np.empty(256, np.uint64), np.empty(256, np.uint64)
    for i in range(256):
        red, green, blue = np.uint64(table[i, 0]), np.uint64(table[i, 1]), np.uint64(table[i, 2])
        colour_words[i] = red | (green << np.uint64(16)) | (blue << np.uint64(32))
        weight_words[i] = np.uint64(table[i, 3]) * np.uint64(0x000100010001)
    index = np.zeros(_BLOCK, np.uint8)
    colour_lanes, weight_lanes = np.empty(3 * _BLOCK // 4, np.uint64), np.empty(3 * _BLOCK // 4, np.uint64)
    colours, weights = colour_lanes.view(np.uint16), weight_lanes.view(np.uint16)
    first, last = np.float32(0), np.float32(255)
    for start in range(0, values.size, _BLOCK):
        stop = min(start + _BLOCK, values.size)
        block = values[start:stop]
        for i in range(block.size):
            level = block[i] * scale + offset
            level = level if level > first else first
            level = level if level < last else last
            index[i] = np.uint8(np.int32(level))
        _spread(index, colour_words, colour_lanes)
        _spread(index, weight_words, weight_lanes)
        source, result = photo[3 * start : 3 * stop], out[3 * start : 3 * stop]
        for i in range(result.size):
            result[i] = np.uint8((np.uint16(source[i]) * weights[i] + colours[i]) >> np.uint16(8))


@kernel
def count_magnitudes(bits: npt.NDArray[np.uint32], counts: npt.NDArray[np.int64]) -> None:
    """Count each float32, given as its bits, in the bin of the upper 15 bits below its sign."""
    for i in range(bits.size):
        counts[(bits[i] >> np.uint32(16)) & np.uint32(0x7FFF)] += 1
