"""From a photo to a model's input, and back.

A `Preprocess` holds the settings by which a photo becomes an input. Applied to a photo it returns the input and a
`Geometry`, the affine map between the two pixel grids, by which evidence on the input is drawn on the photo. Resize and
crop are one resampling of the original pixels: there is no intermediate rounding to undo.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError
from xplain.models import settings

_RESIZES = ("shorter-side", "stretch", "letterbox", "none")
_CHANNELS = {"RGB": 3, "BGR": 3, "L": 1}
_EPSILON = 1e-9  # pixels; rounding errors must not move a border to the next pixel
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


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


def _sides(name: str, value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    sides = (value, value) if np.isscalar(value) else value
    if not isinstance(sides, (tuple, list)) or len(sides) != 2:
        raise _check.wrong(name, "an integer or (height, width)", value)
    height, width = (_check.integer(name, side, least=1) for side in sides)
    return height, width


def _kept_part(name: str, value: Any) -> float:
    if not 0 < _check.number(name, value) <= 1:
        raise _check.wrong(name, "above 0 and at most 1", value)
    return value  # type: ignore[no-any-return]


def _grey(name: str, value: Any) -> int:
    if not 0 <= _check.integer(name, value) <= 255:
        raise _check.wrong(name, "between 0 and 255", value)
    return value  # type: ignore[no-any-return]


@value
class Preprocess:
    """How a photo becomes the input of a model: resize, crop, normalise.

    Parameters
    ----------
    size : int or (int, int), optional
        Side of the square input, or its (height, width). None keeps the photo's size and needs ``resize="none"``.
    resize : {"shorter-side", "stretch", "letterbox", "none"}
        "shorter-side" fills the input and crops the centre, "stretch" ignores the aspect ratio, "letterbox" fits the
        whole photo and pads with grey, "none" keeps the size.
    mean, std : float or sequence of float
        For all channels or for each: the input is ``(pixel / 255 - mean) / std``.
    channels : {"RGB", "BGR", "L"}
        Order of the channels, or one grey channel.
    crop : float
        With "shorter-side": the part of the shorter side that is kept, 0..1 (224 / 256 for "resize to 256, crop 224").
    interpolation : {"bilinear", "bicubic"}
        Resampling filter, widened when shrinking (antialiased).
    fill : int
        Grey value of the padding, 0..255.

    Examples
    --------
    >>> preprocess = Preprocess(size=4, mean=0.5, std=0.5)
    >>> array, geometry = preprocess(np.full((8, 16, 3), 255, np.uint8))
    >>> array.shape, float(array.max()), geometry.offset_x
    ((3, 4, 4), 1.0, -2.0)
    """

    size: int | tuple[int, int] | None = checked(_sides, default=224)
    resize: str = checked(_check.choice, allowed=_RESIZES, default="shorter-side")
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    channels: str = checked(_check.choice, allowed=tuple(_CHANNELS), default="RGB")
    crop: float = checked(_kept_part, default=1.0)
    interpolation: str = checked(_check.choice, allowed=tuple(_FILTERS), default="bilinear")
    fill: int = checked(_grey, default=127)

    @classmethod
    def of(cls, source: Any) -> Preprocess:
        """Return the preprocessing that an object of another library declares.

        Parameters
        ----------
        source : object
            Of timm a model, or its ``pretrained_cfg`` as a mapping; of torchvision weights, or their transforms; of
            transformers an image processor, or a processor that has one. None of them has to be installed here.

        Raises
        ------
        InputError
            If it declares none, or anything beyond resizing to one size, cropping the centre and normalising.

        Examples
        --------
        >>> config = {"input_size": (3, 224, 224), "crop_pct": 0.875, "interpolation": "bicubic"}
        >>> preprocess = Preprocess.of(config | {"mean": [0.5] * 3, "std": [0.5] * 3})
        >>> preprocess.size, preprocess.resize, preprocess.crop, preprocess.mean
        ((224, 224), 'shorter-side', 0.875, (0.5, 0.5, 0.5))
        """
        return cls(**settings.preprocessing_of(source))

    def __post_init__(self) -> None:
        if (self.size is None) != (self.resize == "none"):
            raise InputError(
                f"Preprocess.size must be None exactly when resize is 'none', got size={self.size!r} "
                f"and resize={self.resize!r}"
            )
        for name in ("mean", "std"):
            put(self, name, self._per_channel(name))
        if 0.0 in self._per_channel("std"):
            raise _check.wrong("Preprocess.std", "non-zero", self.std)

    def _per_channel(self, name: str) -> tuple[float, ...]:
        value = getattr(self, name)
        count = _CHANNELS[self.channels]
        values = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,) * count
        if len(values) != count:
            remedy = "; for one grey channel, channels='L'" if len(values) == 1 else ""
            raise InputError(
                f"Preprocess.{name} must have {count} values for {self.channels}, got {len(values)}{remedy}"
            )
        return tuple(_check.number(f"Preprocess.{name}", number) for number in values)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], Geometry]:
        """Preprocess a photo.

        Parameters
        ----------
        pixels : numpy.ndarray
            uint8 (height, width, 3), RGB.

        Returns
        -------
        array : numpy.ndarray
            float32 (channels, input height, input width).
        geometry : Geometry
            Where that lies on the photo.
        """
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise _check.wrong("pixels", "a uint8 array (height, width, 3)", pixels)
        resized, geometry = self._resample(pixels)
        if self.channels == "L":
            resized = np.asarray(Image.fromarray(resized).convert("L"))[:, :, np.newaxis]
        elif self.channels == "BGR":
            resized = resized[:, :, ::-1]
        scaled = resized.astype(np.float32) / np.float32(255)
        normalised = (scaled - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)), geometry

    def _resample(self, pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], Geometry]:
        height, width = pixels.shape[:2]
        if not isinstance(self.size, tuple):
            return pixels, Geometry.identity(height, width)
        photo, (input_height, input_width) = Image.fromarray(pixels), self.size
        if self.resize == "letterbox":
            return self._letterbox(photo, input_height, input_width)
        box_height, box_width = float(height), float(width)  # what is kept of the photo
        if self.resize == "shorter-side":
            ratio = min(height / input_height, width / input_width) * self.crop
            box_height, box_width = min(input_height * ratio, box_height), min(input_width * ratio, box_width)
        y0, x0 = (height - box_height) / 2, (width - box_width) / 2
        box = (x0, y0, x0 + box_width, y0 + box_height)
        resized = np.asarray(photo.resize((input_width, input_height), _FILTERS[self.interpolation], box=box))
        scale_y, scale_x = input_height / box_height, input_width / box_width
        geometry = Geometry(height, width, input_height, input_width, scale_y, scale_x, -y0 * scale_y, -x0 * scale_x)
        return resized, geometry

    def _letterbox(
        self, photo: Image.Image, input_height: int, input_width: int
    ) -> tuple[npt.NDArray[np.uint8], Geometry]:
        """Fit the whole photo into the middle of the input."""
        height, width = photo.height, photo.width
        ratio = min(input_height / height, input_width / width)
        inner_height, inner_width = max(1, round(height * ratio)), max(1, round(width * ratio))
        top, left = (input_height - inner_height) // 2, (input_width - inner_width) // 2
        inner = np.asarray(photo.resize((inner_width, inner_height), _FILTERS[self.interpolation]))
        padded = np.full((input_height, input_width, 3), self.fill, np.uint8)
        padded[top : top + inner_height, left : left + inner_width] = inner
        # Scales from the rounded sizes: the map must be that of the pixels, not of the exact ratio.
        scale_y, scale_x = inner_height / height, inner_width / width
        return padded, Geometry(height, width, input_height, input_width, scale_y, scale_x, float(top), float(left))

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
