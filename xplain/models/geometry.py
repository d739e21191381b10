"""Where a model's input lies on the photo: the affine map between the two pixel grids, and evidence brought back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_EPSILON = 1e-9  # pixels; rounding errors must not move a border to the next pixel


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a model's input lies on the original image.

    A point (x, y) of the original, in pixels from its top left corner, is (x * scale_x + offset_x, y * scale_y +
    offset_y) on the input. Pixel (row, column) covers the unit square from that corner, so its centre is at + 0.5.

    Parameters
    ----------
    height, width : int
        Size of the original in pixels.
    input_height, input_width : int
        Size of the model's input in pixels.
    scale_y, scale_x : float
        Input pixels per original pixel, positive.
    offset_y, offset_x : float
        Input coordinates of the original's top left corner.
    """

    height: int
    width: int
    input_height: int
    input_width: int
    scale_y: float = 1.0
    scale_x: float = 1.0
    offset_y: float = 0.0
    offset_x: float = 0.0

    @classmethod
    def identity(cls, height: int, width: int) -> Geometry:
        """Return the geometry of an image that the model reads without resizing."""
        return cls(height, width, height, width)

    def to_original(self, values: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Resample a map of the input onto the original's pixels.

        Parameters
        ----------
        values : array_like
            (rows, columns) of any resolution, covering the input evenly.

        Returns
        -------
        numpy.ndarray
            float32 (height, width): linear interpolation, averaged where the original is coarser; 0 in what the model
            does not see.
        """
        array = np.ascontiguousarray(values, dtype=np.float32)
        rows, columns = array.shape
        top, bottom, y0, y1 = _visible(self.height, self.input_height, self.scale_y, self.offset_y, rows)
        left, right, x0, x1 = _visible(self.width, self.input_width, self.scale_x, self.offset_x, columns)
        resized = Image.fromarray(array).resize(
            (right - left, bottom - top), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1)
        )
        original = np.zeros((self.height, self.width), np.float32)
        original[top:bottom, left:right] = np.asarray(resized)
        return original

    def boxes_to_original(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map boxes (..., 4) x0 y0 x1 y1 from pixels of the input to pixels of the original, cut at its borders."""
        scale, offset = self._affine_of_boxes()
        corners = (np.asarray(boxes, np.float64) - offset) / scale
        inside: npt.NDArray[np.float64] = np.clip(corners, 0.0, np.array([self.width, self.height] * 2, np.float64))
        return inside

    def boxes_to_input(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map boxes (..., 4) x0 y0 x1 y1 from pixels of the original to pixels of the input."""
        scale, offset = self._affine_of_boxes()
        corners: npt.NDArray[np.float64] = np.asarray(boxes, np.float64) * scale + offset
        return corners

    def _affine_of_boxes(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        return np.array([self.scale_x, self.scale_y] * 2), np.array([self.offset_x, self.offset_y] * 2)

    def to_input(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Look up the labels of the original's pixels for each input pixel.

        Parameters
        ----------
        labels : numpy.ndarray
            (height, width), such as a feature mask.

        Returns
        -------
        numpy.ndarray
            (input_height, input_width) of the same type: the label under each input pixel's centre; padding takes the
            nearest.
        """
        rows = _pixels_under(self.input_height, self.scale_y, self.offset_y, self.height)
        columns = _pixels_under(self.input_width, self.scale_x, self.offset_x, self.width)
        looked_up: npt.NDArray[Any] = labels[np.ix_(rows, columns)]
        return looked_up


def _visible(size: int, input_size: int, scale: float, offset: float, cells: int) -> tuple[int, int, float, float]:
    """Return along one axis which original pixels the model sees, and where they lie on a map of the input.

    Pixels [first, stop) are those whose centre the input covers; the map has ``cells`` cells along the axis.
    """
    first = max(0, math.ceil(-offset / scale - 0.5 - _EPSILON))
    stop = min(size, math.floor((input_size - offset) / scale - 0.5 + _EPSILON) + 1)
    if stop <= first:  # the model sees less than a pixel: take the one under its centre
        first = min(max(math.floor((input_size / 2 - offset) / scale), 0), size - 1)
        stop = first + 1
    cells_per_pixel = cells / input_size
    cell_start = min(max((first * scale + offset) * cells_per_pixel, 0.0), float(cells))
    cell_stop = min(max((stop * scale + offset) * cells_per_pixel, 0.0), float(cells))
    return first, stop, cell_start, cell_stop


def _pixels_under(input_size: int, scale: float, offset: float, size: int) -> npt.NDArray[np.intp]:
    """Return along one axis the original pixel under the centre of each input pixel."""
    centres = (np.arange(input_size) + 0.5 - offset) / scale
    pixels: npt.NDArray[np.intp] = np.clip(np.floor(centres), 0, size - 1).astype(np.intp)
    return pixels
