"""Painting evidence on pixels: a map's colours over a photo, or the outline of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.kernels import maps
from xplain.renderers.canvas.colours import MIDDLE, Cmap, colour_table
from xplain.renderers.canvas.scale import Scale

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

#: Colour of the outline of a mask: bright on a dark halo, so that it stands out from any photo.
OUTLINE = (255, 194, 10)
#: Pixels of a mask that are painted at a time, so that the temporaries of a large photo stay small.
BAND_PIXELS = 1 << 16
_HALO = (16, 18, 22)
_NEUTRAL = 232  # grey below a map where there is no photo
# Opacity grows faster than the value at first, or weak evidence would be lost on a busy photo. So does the colour of a
# diverging map: it need not fade to white where it fades to the photo.
_OPACITY_EXPONENT = 0.7
_COLOUR_EXPONENT = 0.5
_DIMMING = 0.7  # of the brightness outside of a mask, at alpha 1


@dataclass(frozen=True, slots=True)
class Colouring:
    """The colours and opacities of one scale.

    Parameters
    ----------
    table : uint16 array (256, 4)
        For `xplain.kernels.maps.blend`.
    factor, offset : float
        A value takes the table's entry ``value * factor + offset``.
    ramp : uint8 array (n, 3)
        The colours on white from the least to the greatest entry, for the legend.
    """

    table: npt.NDArray[np.uint16]
    factor: float
    offset: float
    ramp: UInt8

    @classmethod
    def of(cls, scale: Scale, cmap: Cmap, alpha: float | None) -> Colouring:
        """Combine a scale and a colour map; opacity grows with |value| up to ``alpha``, or is always full if None."""
        colours = colour_table(cmap)
        middle, steps = (MIDDLE, 127) if cmap.diverging else (0, 255)
        distance = np.clip(np.arange(256) - middle, -steps, steps)
        if alpha is None:
            table = maps.blend_table(colours, np.ones(256))
        else:
            magnitude = np.abs(distance) / steps
            exponent = _COLOUR_EXPONENT if cmap.diverging else 1.0
            entry = middle + np.sign(distance) * np.rint(steps * magnitude**exponent).astype(int)
            table = maps.blend_table(colours[entry], alpha * magnitude**_OPACITY_EXPONENT)
        ramp = ((255 * table[:, 3:] + table[:, :3]) >> 8).astype(np.uint8)  # blended with white
        return cls(table, steps / scale.limit, middle + 0.5, ramp[1:] if cmap.diverging else ramp)


def paint_values(
    photo: UInt8 | None, values: npt.NDArray[np.float32] | None, colouring: Colouring | None, out: UInt8
) -> None:
    """Paint a map over a photo, or over grey if there is none; without values or colouring the ground alone."""
    if photo is None:
        out.fill(_NEUTRAL)
    elif values is None or colouring is None:
        out[...] = photo
    if values is not None and colouring is not None:
        maps.blend(out if photo is None else photo, values, colouring.table, colouring.factor, colouring.offset, out)


def paint_mask(photo: UInt8 | None, mask: Bool, alpha: float, dim: bool, out: UInt8) -> None:
    """Outline a mask on a photo and, if ``dim``, darken what is outside; alpha 0 leaves the photo as it is."""
    if photo is None:
        out.fill(_NEUTRAL)
    else:
        out[...] = photo
    if not alpha:
        return
    height, width = mask.shape
    thickness = max(2, round(min(height, width) / 220))  # in proportion to the picture, and never too thin to see
    halo = max(1, thickness // 2)
    weights = np.array([round(256 * (1 - _DIMMING * alpha)) if dim else 256, 256], dtype=np.uint16)
    step = max(4 * thickness, BAND_PIXELS // width)
    for start in range(0, height, step):
        band = out[start : start + step]
        _multiply(band, mask[start : start + step], weights)
        # The outline of a band may come from the rows around it.
        around = mask[max(0, start - thickness) : start + step + thickness]
        inner = slice(min(start, thickness), min(start, thickness) + len(band))
        band[(dilate(around, halo) & ~around)[inner]] = _HALO
        band[(dilate(~around, thickness) & around)[inner]] = OUTLINE


def _multiply(pixels: UInt8, mask: Bool, weights: npt.NDArray[np.uint16]) -> None:
    """Multiply pixels in place by one of two weights, in 256ths: for outside and for inside of the mask."""
    product = np.repeat(weights.take(mask.reshape(-1).view(np.uint8)), 3)
    flat = pixels.reshape(-1)
    product *= flat
    np.right_shift(product, 8, out=flat, casting="unsafe")


def dilate(mask: Bool, radius: int) -> Bool:
    """Set every pixel within ``radius`` rows and columns of a set one: a square structuring element."""
    result = mask.copy()
    for axis in (0, 1):
        lines = np.moveaxis(result, axis, 0)
        reach = 0
        while reach < radius:
            step = min(2 * reach + 1, radius - reach)  # runs are at least 2 reach + 1 long, so shifts leave no gap
            before = np.moveaxis(result.copy(), axis, 0)
            lines[step:] |= before[:-step]
            lines[:-step] |= before[step:]
            reach += step
    return result
