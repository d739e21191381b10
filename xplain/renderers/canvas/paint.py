"""Panels of pixels: colours over a photo, outlines of masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.kernels import maps
from xplain.renderers.canvas.colours import MIDDLE, Cmap, colour_table
from xplain.renderers.canvas.scale import Scale

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

#: Colour of the outline of a mask: bright, told apart from the dark line around it by every eye.
OUTLINE = (255, 194, 10)
_HALO = (16, 18, 22)
#: What a map lies on where there is no photo.
_NEUTRAL = 232
# Opacity grows faster than the value at first, or weak evidence would be lost on a busy photo. So does the colour of a
# diverging map: it need not fade to white where it fades to the photo.
_OPACITY_EXPONENT = 0.7
_COLOUR_EXPONENT = 0.5
_DIMMED = 0.7
_BLOCK = 1 << 16  # pixels


@dataclass(frozen=True, slots=True)
class Colouring:
    """How values of one scale are painted.

    Parameters
    ----------
    table : uint16 array (256, 4)
        For `xplain.kernels.maps.blend`.
    factor, offset : float
        From a value to its entry.
    ramp : uint8 array (n, 3)
        The colours on white from the least to the greatest entry, for the legend.
    """

    table: npt.NDArray[np.uint16]
    factor: float
    offset: float
    ramp: UInt8

    @classmethod
    def of(cls, scale: Scale, cmap: Cmap, alpha: float | None) -> Colouring:
        """Prepare a scale and a colour map; opacity follows magnitude up to ``alpha``, or is full if that is None."""
        colours = colour_table(cmap)
        middle, steps = (MIDDLE, 127) if cmap.diverging else (0, 255)
        distance = np.clip(np.arange(256) - middle, -steps, steps)
        if alpha is None:
            table = maps.blend_table(colours, np.ones(256))
        else:
            size = np.abs(distance) / steps
            power = _COLOUR_EXPONENT if cmap.diverging else 1.0
            entry = middle + np.sign(distance) * np.rint(steps * size**power).astype(int)
            table = maps.blend_table(colours[entry], alpha * size**_OPACITY_EXPONENT)
        ramp = ((255 * table[:, 3:] + table[:, :3]) >> 8).astype(np.uint8)
        return cls(table, steps / scale.limit, middle + 0.5, ramp[1:] if cmap.diverging else ramp)


def paint_values(
    photo: UInt8 | None, values: npt.NDArray[np.float32] | None, colouring: Colouring | None, out: UInt8
) -> None:
    """Paint a map over a photo, or on a neutral ground; without values or a colouring the ground alone."""
    if photo is None:
        out.fill(_NEUTRAL)
    elif values is None or colouring is None:
        out[...] = photo
    if values is not None and colouring is not None:
        maps.blend(out if photo is None else photo, values, colouring.table, colouring.factor, colouring.offset, out)


def paint_mask(photo: UInt8 | None, mask: Bool, alpha: float, dim: bool, out: UInt8) -> None:
    """Outline a mask on a photo and, if asked to, dim what is outside; alpha 0 leaves the photo as it is."""
    if photo is None:
        out.fill(_NEUTRAL)
    else:
        out[...] = photo
    if not alpha:
        return
    height, width = mask.shape
    thickness = max(2, round(min(height, width) / 220))
    halo = max(1, thickness // 2)
    weights = np.array([round(256 * (1 - _DIMMED * alpha)) if dim else 256, 256], dtype=np.uint16)
    step = max(4 * thickness, _BLOCK // width)
    for start in range(0, height, step):
        band = out[start : start + step]
        _weigh(band, mask[start : start + step], weights)
        # With the rows around it from which its outline may come.
        around = mask[max(0, start - thickness) : start + step + thickness]
        inner = slice(min(start, thickness), min(start, thickness) + len(band))
        band[(grown(around, halo) & ~around)[inner]] = _HALO
        band[(grown(~around, thickness) & around)[inner]] = OUTLINE


def _weigh(pixels: UInt8, mask: Bool, weights: npt.NDArray[np.uint16]) -> None:
    """Multiply pixels by the 256ths that are given for outside and inside the mask."""
    product = np.repeat(weights.take(mask.reshape(-1).view(np.uint8)), 3)
    flat = pixels.reshape(-1)
    product *= flat
    np.right_shift(product, 8, out=flat, casting="unsafe")


def grown(mask: Bool, radius: int) -> Bool:
    """Set every pixel within ``radius`` rows and columns of a set one: its square neighbourhood."""
    result = mask.copy()
    for axis in (0, 1):
        lines = np.moveaxis(result, axis, 0)
        reach = 0
        while reach < radius:
            step = min(2 * reach + 1, radius - reach)  # no gap: runs of 2 reach + 1 set pixels are shifted
            before = np.moveaxis(result.copy(), axis, 0)
            lines[step:] |= before[:-step]
            lines[:-step] |= before[step:]
            reach += step
    return result
