"""Score maps over photos: count magnitudes and blend colours, in one pass and without full-size temporaries.

Arguments are not checked: the renderers, which call these functions, have prepared them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xplain.kernels import jit
from xplain.kernels.plain import maps as plain

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
Int64 = npt.NDArray[np.int64]

#: Bins of `count_magnitudes`: the upper 15 bits of |value| as IEEE 754 float32 (8 of exponent, 7 of mantissa).
MAGNITUDES = 1 << 15
_COMPILED = "xplain.kernels.compiled.maps"


def blend_table(colours: UInt8, opacity: npt.ArrayLike) -> UInt16:
    """Prepare 256 colours for `blend`.

    Parameters
    ----------
    colours : uint8 array (256, 3)
        RGB.
    opacity : array_like (256,)
        0 shows the photo, 1 hides it; kept in steps of 1/256.

    Returns
    -------
    uint16 array (256, 4)
        Colour times opacity with the rounding term, and the weight of the photo: so that a blended channel is
        ``(photo * weight + colour) >> 8``, which cannot overflow 16 bits and is the photo itself at opacity 0.
    """
    # In 1/256, so that the weights of colour and photo sum to 256 and a shift by 8 bits divides by it.
    share = np.rint(np.asarray(opacity, dtype=np.float64) * 256).astype(np.uint16)[:, None]
    rounding = np.uint16(128)
    return np.concatenate([colours * share + rounding, np.uint16(256) - share], axis=1)


def blend(photo: UInt8, values: Float32, table: UInt16, scale: float, offset: float, out: UInt8 | None = None) -> UInt8:
    """Lay the colours of a score map over a photo.

    Parameters
    ----------
    photo : uint8 array (height, width, 3)
        C-contiguous.
    values : float32 array (height, width)
        C-contiguous and finite.
    table : uint16 array (256, 4)
        From `blend_table`.
    scale, offset : float
        A value takes the entry ``floor(value * scale + offset)`` of the table, the first or last one if that is
        outside.
    out : uint8 array (height, width, 3), optional
        C-contiguous; where to put the result. It may be ``photo``.

    Returns
    -------
    uint8 array (height, width, 3)
        ``out``, or a new array.
    """
    result = np.empty_like(photo) if out is None else out
    kernels = jit.choose(values.size, _COMPILED, plain)
    flat_photo, flat_values, flat_result = photo.reshape(-1), values.reshape(-1), result.reshape(-1)
    kernels.blend(flat_photo, flat_values, table, np.float32(scale), np.float32(offset), flat_result)
    return result


def count_magnitudes(values: Float32) -> Int64:
    """Make a histogram of the magnitudes, in bins less than 1 % wide.

    Parameters
    ----------
    values : float32 array
        C-contiguous and finite; any shape.

    Returns
    -------
    int64 array (MAGNITUDES,)
        How many values have ``magnitude_edge(i) <= |value| < magnitude_edge(i + 1)``. Zeros are in bin 0.
    """
    kernels = jit.choose_if_loaded(_COMPILED, plain)
    counts = np.zeros(MAGNITUDES, dtype=np.int64)
    kernels.count_magnitudes(values.reshape(-1).view(np.uint32), counts)
    return counts


def magnitude_edge(index: int) -> float:
    """Return the lower edge of a bin of `count_magnitudes`."""
    return float(np.array(index << 16, dtype=np.uint32).view(np.float32))
