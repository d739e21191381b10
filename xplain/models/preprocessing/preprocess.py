"""How a photo becomes the input of a model, by the rules of the libraries, pixel for pixel; and where it lies on it.

The photo is resized to whole pixels and then cropped or padded by whole pixels, as torchvision, timm and transformers
do: the longer side is rounded down, and a crop that cannot be centred lies half a pixel off. `Geometry` holds that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError
from xplain.models import settings
from xplain.models.geometry import Geometry
from xplain.models.preprocessing import foreign

Sides: TypeAlias = tuple[int, int]
Pixels: TypeAlias = npt.NDArray[np.uint8]

_RESIZES = ("shorter-side", "stretch", "letterbox", "none")
_CHANNELS = {"RGB": 3, "BGR": 3, "L": 1}
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_ROUNDINGS = ("even", "down")
_RATIOS: dict[str, Callable[[float, float], float]] = {"shorter-side": max, "letterbox": min}  # of a named geometry
_MOST_PIXELS = 1 << 26  # of a resized photo that is still to be cropped: beyond, only the crop is computed


def _sides(name: str, value: Any) -> Sides | None:
    if value is None:
        return None
    sides = (value, value) if np.isscalar(value) else value
    if not isinstance(sides, (tuple, list)) or len(sides) != 2:
        raise _check.wrong(name, "an integer or (height, width)", value)
    height, width = (_check.integer(name, side, least=1) for side in sides)
    return height, width


def _kept_part(name: str, value: Any) -> float | tuple[float, float]:
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise _check.wrong(name, "a number or (height, width)", value)
        height, width = (_one_part(name, part) for part in value)
        return height if height == width else (height, width)
    return _one_part(name, value)


def _one_part(name: str, value: Any) -> float:
    if not 0 < _check.number(name, value) <= 1:
        raise _check.wrong(name, "above 0 and at most 1", value)
    return value  # type: ignore[no-any-return]


def _colour(name: str, value: Any) -> int | tuple[int, ...]:
    if not isinstance(value, (tuple, list)):
        return _grey(name, value)
    if len(value) != 3:
        raise _check.wrong(name, "a grey value or three, for RGB", value)
    return tuple(_grey(name, part) for part in value)


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
    crop : float or (float, float)
        Part of the resized photo's sides that is kept, 0..1, or that of its (height, width): the photo is resized for
        an input of ``size / crop`` whole pixels, of which the centre is cropped (224 / 256 for "resize to 256, crop
        224").
    interpolation : {"bilinear", "bicubic"}
        Resampling filter, widened when shrinking (antialiased).
    fill : int or (int, int, int)
        Grey value or colour of the padding, 0..255.
    rounding : {"even", "down"}
        Where a crop cannot be centred on whole pixels, whether its corner is rounded to even numbers (torchvision,
        timm) or down (transformers).

    Notes
    -----
    With "shorter-side" the longer side is rounded down, as in torchvision; where height and width of ``size / crop``
    differ, the photo is made as small as covers both, with sides rounded, as in timm.

    Examples
    --------
    >>> preprocess = Preprocess(size=4, mean=0.5, std=0.5)
    >>> array, geometry = preprocess(np.full((8, 16, 3), 255, np.uint8))
    >>> array.shape, float(array.max()), geometry.offset_x
    ((3, 4, 4), 1.0, -2.0)
    """

    size: int | Sides | None = checked(_sides, default=224)
    resize: str = checked(_check.choice, allowed=_RESIZES, default="shorter-side")
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    channels: str = checked(_check.choice, allowed=tuple(_CHANNELS), default="RGB")
    crop: float | tuple[float, float] = checked(_kept_part, default=1.0)
    interpolation: str = checked(_check.choice, allowed=tuple(_FILTERS), default="bilinear")
    fill: int | tuple[int, ...] = checked(_colour, default=127)
    rounding: str = checked(_check.choice, allowed=_ROUNDINGS, default="even")

    @classmethod
    def of(cls, source: Any) -> Preprocess:
        """Return the preprocessing that an object of another library declares or does.

        Parameters
        ----------
        source : object
            Of timm a model, its ``pretrained_cfg`` as a mapping, or what ``create_transform`` returns; of torchvision
            weights, their transforms, or a ``Compose``; of transformers an image processor, or a processor that has
            one; or any function from a PIL image to a tensor (channels, height, width). None of the libraries has to
            be installed here.

        Returns
        -------
        Preprocess
            Settings of our own, where they give the same input as the source. If they do not, as for a processor that
            resizes tensors in place of PIL images, the source itself is called, see `from_callable`.

        Raises
        ------
        InputError
            If it declares none and cannot be called, or if it cannot be measured which part of the photo it shows.

        Examples
        --------
        >>> config = {"input_size": (3, 224, 224), "crop_pct": 0.875, "interpolation": "bicubic"}
        >>> preprocess = Preprocess.of(config | {"mean": [0.5] * 3, "std": [0.5] * 3})
        >>> preprocess.size, preprocess.resize, preprocess.crop, preprocess.mean
        ((224, 224), 'shorter-side', 0.875, (0.5, 0.5, 0.5))
        """
        if isinstance(source, Preprocess):
            return source
        declared = settings.preprocessing_of(source)
        try:
            plain = cls(**declared.settings())
        except InputError:
            if declared.function is None:
                raise
            return Transform.around(declared.function)
        if declared.function is None or foreign.agree(plain, declared.function):
            return plain
        return Transform.around(declared.function)

    @classmethod
    def from_callable(cls, function: Callable[[Any], Any], geometry: Any = None) -> Preprocess:
        """Return the preprocessing that a function does.

        Parameters
        ----------
        function : callable
            Given the photo as a PIL image (RGB, upright), as transforms are, or where it cannot take one, as a uint8
            array (height, width, 3). Returns the input of the model, (channels, height, width), as an array or a
            tensor, with or without a batch axis of 1, or in a mapping as ``pixel_values``.
        geometry : optional
            Which part of the photo the input shows: "stretch", the whole; "shorter-side", the middle of the longer
            side; "letterbox", the whole and padding on two sides; a `Preprocess` that resizes and crops in the same
            way; a `Geometry`, for photos of one size; or a function of the photo's (height, width) that returns one. If
            left out, it is measured for each size of a photo, by what the function makes of black, white, and ramps.

        Raises
        ------
        InputError
            If ``geometry`` is none of these, or left out and cannot be measured: the function turns, mirrors or
            distorts the photo, draws random numbers, or changes brightness other than in proportion.

        Examples
        --------
        >>> def halve(photo):
        ...     small = photo.resize((photo.width // 2, photo.height // 2))
        ...     return np.asarray(small, np.float32).transpose(2, 0, 1) / 255
        >>> array, geometry = Preprocess.from_callable(halve)(np.zeros((80, 60, 3), np.uint8))
        >>> array.shape, geometry.scale_x, geometry.offset_x
        ((3, 40, 30), 0.5, 0.0)
        """
        return Transform.around(_check.function("function", function), geometry)

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

    def __call__(self, pixels: Pixels) -> tuple[npt.NDArray[np.float32], Geometry]:
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
        _check_pixels(pixels)
        geometry = self.place(*pixels.shape[:2])
        resized = self._resample(pixels, geometry)
        if self.channels == "L":
            resized = np.asarray(Image.fromarray(resized).convert("L"))[:, :, np.newaxis]
        elif self.channels == "BGR":
            resized = resized[:, :, ::-1]
        scaled = resized.astype(np.float32) / np.float32(255)
        normalised = (scaled - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)), geometry

    def place(self, height: int, width: int) -> Geometry:
        """Return where the input lies on a photo of this size."""
        if not isinstance(self.size, tuple):
            return Geometry.identity(height, width)
        inner_height, inner_width = self._resized_size(height, width)
        scales = inner_height / height, inner_width / width  # of whole pixels, and not the exact ratio
        top, left = (
            _start(inner, side, self.rounding)
            for inner, side in zip((inner_height, inner_width), self.size, strict=True)
        )
        return Geometry(height, width, *self.size, *scales, float(top), float(left))

    def _resized_size(self, height: int, width: int) -> Sides:
        """Return the size in whole pixels to which a photo is resized before it is cropped or padded."""
        assert isinstance(self.size, tuple)
        kept = self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)
        full_height, full_width = (max(round(side / part), side) for side, part in zip(self.size, kept, strict=True))
        if self.resize == "stretch":
            return full_height, full_width
        if self.resize == "shorter-side" and full_height == full_width:
            longer = int(full_height * max(height, width) / min(height, width))
            return (longer, full_width) if height > width else (full_height, longer)
        ratios = height / full_height, width / full_width
        ratio = min(ratios) if self.resize == "shorter-side" else max(ratios)
        return max(1, round(height / ratio)), max(1, round(width / ratio))

    def _resample(self, pixels: Pixels, geometry: Geometry) -> Pixels:
        """Return the photo resized, and cropped or padded to the input's size."""
        if not isinstance(self.size, tuple):
            return pixels
        photo, filter = Image.fromarray(pixels), _FILTERS[self.interpolation]
        inner = round(geometry.scale_y * geometry.height), round(geometry.scale_x * geometry.width)
        corner = round(geometry.offset_y), round(geometry.offset_x)  # of the resized photo on the input
        first = [max(0, -start) for start in corner]
        stop = [min(side, size - start) for side, size, start in zip(inner, self.size, corner, strict=True)]
        if inner[0] * inner[1] <= _MOST_PIXELS:
            resized = photo.resize(inner[::-1], filter).crop((first[1], first[0], stop[1], stop[0]))
        else:  # a long strip: the same up to the rounding of the box, to single precision
            left, top = first[1] / geometry.scale_x, first[0] / geometry.scale_y
            right, bottom = stop[1] / geometry.scale_x, stop[0] / geometry.scale_y
            box = (left, top, min(right, photo.width), min(bottom, photo.height))
            resized = photo.resize((stop[1] - first[1], stop[0] - first[0]), filter, box=box)
        if resized.size == self.size[::-1]:
            return np.asarray(resized)
        padded = np.empty((*self.size, 3), np.uint8)
        padded[:] = self.fill
        top, left = max(0, corner[0]), max(0, corner[1])
        padded[top : top + resized.height, left : left + resized.width] = np.asarray(resized)
        return padded

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON values; the rounding only where it is not the default."""
        names = [each.name for each in fields(Preprocess) if (each.name, self.rounding) != ("rounding", "even")]
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _start(inner: int, side: int, rounding: str) -> int:
    """Return along one axis where the resized photo starts on the input: below 0 if it is cropped."""
    if inner <= side:
        return (side - inner) // 2
    return -((inner - side) // 2) if rounding == "down" else -round((inner - side) / 2)


def _check_pixels(pixels: Any) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise _check.wrong("pixels", "a uint8 array (height, width, 3)", pixels)


@dataclass(frozen=True, slots=True)
class Transform(Preprocess):
    """A function of another library that makes the input; see `Preprocess.from_callable`, which checks the arguments.

    Parameters
    ----------
    function : callable
        From a photo to the input.
    placing : callable, optional
        From (height, width) of a photo and of the input to a `Geometry`; measured if left out.
    """

    function: Any = None
    placing: Callable[[Sides, Sides], Geometry] | None = None
    measured: dict[Sides, Geometry] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def around(cls, function: Callable[[Any], Any], geometry: Any = None) -> Transform:
        """Return the transform of a function, after a trial where its geometry is to be measured."""
        if geometry is None:
            foreign.check_content(function, foreign.measure(function, *foreign.TRIAL_SIZE))
            return cls(size=None, resize="none", function=function)
        if type(geometry) is Preprocess:
            return cls(**asdict(geometry), function=function, placing=functools.partial(_as_preprocess, geometry))
        return cls(size=None, resize="none", function=function, placing=_placing(geometry))

    def __call__(self, pixels: Pixels) -> tuple[npt.NDArray[np.float32], Geometry]:
        """Preprocess a photo; see `Preprocess`."""
        _check_pixels(pixels)
        array = foreign.call(self.function, pixels)
        size = (pixels.shape[0], pixels.shape[1])
        input_size = (array.shape[1], array.shape[2])
        if self.placing is not None:
            geometry = self.placing(size, input_size)
        else:
            if size not in self.measured:
                self.measured[size] = foreign.measure(self.function, *size)
            geometry = self.measured[size]
        if (geometry.height, geometry.width, geometry.input_height, geometry.input_width) != (*size, *input_size):
            raise InputError(
                f"geometry must be that of a photo of {size[0]}x{size[1]} and an input of {input_size[0]}x"
                f"{input_size[1]} (height x width), got {geometry}"
            )
        return array, geometry

    def describe(self) -> dict[str, Any]:
        """Return the function's name, and how the input lies on the photo, as JSON values."""
        described: dict[str, Any] = {"function": foreign.name_of(self.function)}
        if self.placing is None:
            return described | {"geometry": "measured"}
        if self.resize != "none":
            return described | {"geometry": Preprocess.describe(self)}
        return described | {"geometry": foreign.name_of(self.placing)}


def _placing(geometry: Any) -> Callable[[Sides, Sides], Geometry]:
    """Return a geometry that a caller declares as a function of the sizes of photo and input."""
    if isinstance(geometry, Geometry):
        return functools.partial(_as_given, geometry)
    if isinstance(geometry, str):
        return functools.partial(_as_named, _check.choice("geometry", geometry, ("stretch", *_RATIOS)))
    if not callable(geometry) or isinstance(geometry, Preprocess):
        raise _check.wrong(
            "geometry", "'stretch', 'shorter-side', 'letterbox', a Preprocess, a Geometry, or a function", geometry
        )
    return functools.partial(_as_computed, geometry)


def _as_preprocess(preprocess: Preprocess, size: Sides, input_size: Sides) -> Geometry:
    return preprocess.place(*size)


def _as_given(geometry: Geometry, size: Sides, input_size: Sides) -> Geometry:
    return geometry


def _as_computed(function: Callable[[int, int], Any], size: Sides, input_size: Sides) -> Geometry:
    found = function(*size)
    if not isinstance(found, Geometry):
        raise _check.wrong("geometry(height, width)", "an xplain.models.Geometry", found)
    return found


def _as_named(name: str, size: Sides, input_size: Sides) -> Geometry:
    scale_y, scale_x = (there / here for here, there in zip(size, input_size, strict=True))
    if name in _RATIOS:
        scale_y = scale_x = _RATIOS[name](scale_y, scale_x)
    corner = (
        (there - here * scale) / 2 for here, there, scale in zip(size, input_size, (scale_y, scale_x), strict=True)
    )
    return Geometry(*size, *input_size, scale_y, scale_x, *corner)
