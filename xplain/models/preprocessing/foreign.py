"""Functions of other libraries that make a model's input: called in one form, and measured.

Which part of the photo each pixel of the input shows is found by what a function makes of some pictures: black and
white tell where it shows the photo at all, and how bright that makes the input; a ramp along each axis tells where each
row and column comes from, and the phase of fringes to a hundredth of a pixel. Only what resizes, crops and pads by
straight lines can be measured so, and the rest is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain.errors import InputError, message_of
from xplain.models import outputs
from xplain.models.geometry import Geometry

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Function: TypeAlias = Callable[[Any], Any]

TRIAL_SIZE = (250, 333)  # height and width
_TRIALS = (TRIAL_SIZE, (61, 47), (47, 62), (480, 640), (400, 133))
_SAME = 1e-3  # of a grey value: rounding in float32
_WHOLE = 0.1  # pixels by which a measured side or corner may be off a whole number
_PERIOD, _LEAST_PERIOD = 16, 8  # of fringes, in pixels of the input and of the photo
_SPOT = 4.0  # pixels by which a spot on the photo may be found elsewhere
_STRAIGHT = 1.0  # pixels, and the same in percent of the side, by which a row may be off a straight line
_REMEDY = "say which part of the photo it shows: xplain.Preprocess.from_callable(function, geometry=...)"


def call(function: Function, pixels: npt.NDArray[np.uint8]) -> Float32:
    """Return the input (channels, height, width) that a function makes of a photo, as `Preprocess.from_callable` says.

    Raises
    ------
    InputError
        If the function fails, or returns something else.
    """
    try:
        output = function(Image.fromarray(pixels))
    except (TypeError, AttributeError) as error:  # as of a function that indexes or divides what it is given
        output = _called_on_array(function, pixels, error)
    except Exception as error:
        raise _failed(error) from error
    if isinstance(output, Mapping) and "pixel_values" in output:
        output = output["pixel_values"]
    if isinstance(output, (list, tuple)) and len(output) == 1:
        output = output[0]
    try:
        array = outputs.as_numpy(output)
        if array.dtype.kind not in "buif":
            raise TypeError
    except (TypeError, ValueError):
        raise InputError(f"function must return an array or a tensor of numbers, got {type(output).__name__}") from None
    shape = array.shape
    if array.ndim == 4 and shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or 0 in array.shape or (array.shape[2] <= 4 < array.shape[0]):
        raise InputError(
            f"function must return the input (channels, height, width), got shape {shape}"
            + ("; channels come first: array.transpose(2, 0, 1)" if array.ndim == 3 else "")
        )
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError("function must return finite numbers, got NaN or infinity")
    return array


def _called_on_array(function: Function, pixels: npt.NDArray[np.uint8], first: Exception) -> Any:
    try:
        return function(pixels.copy())
    except Exception as second:
        raise _failed(first, second) from first


def _failed(*errors: Exception) -> InputError:
    return InputError(
        "function must make an input of a PIL image, or of a uint8 array (height, width, 3), got "
        + " and of the other ".join(f"{type(error).__name__}: {message_of(error)}" for error in errors)
        + "; wrap one that takes something else: xplain.Preprocess.from_callable(lambda photo: ...)"
    )


def name_of(function: Any) -> str:
    """Return the name of a function or of the class of an object that is called, with its module."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def agree(preprocess: Any, function: Function) -> bool:
    """Whether a `Preprocess` makes the same inputs as a function, of photos of odd sizes."""
    for height, width in _TRIALS:
        rows, columns, colours = np.ogrid[:height, :width, :3]
        photo = ((rows * rows // 3 + columns * (7 + 4 * colours) + rows * columns // 5) % 256).astype(np.uint8)
        expected, (actual, _) = call(function, photo), preprocess(photo)
        if expected.shape != actual.shape:
            return False
        tolerance = _SAME * np.abs(np.reshape(preprocess.std, (-1, 1, 1))) ** -1 / 255
        if (np.abs(expected - actual) > tolerance + 1e-6 * np.abs(expected)).any():
            return False
    return True


def measure(function: Function, height: int, width: int) -> Geometry:
    """Measure where the input that a function makes of a photo lies on it.

    Parameters
    ----------
    function : callable
        See `call`.
    height, width : int
        Size of the photo in pixels.

    Raises
    ------
    InputError
        If it cannot be measured.
    """
    black, white = (call(function, np.full((height, width, 3), level, np.uint8)) for level in (0, 255))
    gains = white.astype(np.float64) - black if white.shape == black.shape else np.zeros((1, 1, 1))
    channel = int(np.abs(gains).sum(axis=(1, 2)).argmax())
    gain = gains[channel]
    shows = np.abs(gain) > 0.5 * np.abs(gain).max()
    rows, columns = (np.flatnonzero(shows.any(axis=axis)) for axis in (1, 0))
    if not shows.any() or shows.sum() != rows.size * columns.size:
        raise _unclear("does not make white brighter or darker than black in one rectangle")

    def share(pixels: npt.NDArray[np.uint8]) -> Float64:
        """Return the brightness, 0..1, that a photo has where the input shows it."""
        array = call(function, pixels)
        if array.shape != black.shape:
            raise _unclear("makes inputs of several sizes of photos of one size")
        brightness: Float64 = ((array[channel] - black[channel]) / np.where(shows, gain, 1))[np.ix_(rows, columns)]
        return brightness

    across = _Axis(width, columns, lambda levels: share(_stripes(levels, height)))
    down = _Axis(height, rows, lambda levels: share(_stripes(levels, width).transpose(1, 0, 2)).T)
    (scale_y, offset_y), (scale_x, offset_x) = down.line(), across.line()
    return Geometry(height, width, black.shape[1], black.shape[2], scale_y, scale_x, offset_y, offset_x)


def _stripes(levels: Float64, height: int) -> npt.NDArray[np.uint8]:
    """Return a photo of vertical stripes; rows are rounded otherwise, so that means over them are exact."""
    thresholds = (np.arange(height) + 0.5) * 0.6180339887 % 1  # of the golden section: even in each part of the rows
    rounded = levels.astype(np.float32) + thresholds.astype(np.float32)[:, np.newaxis]
    grey = np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of the photo, and the input's pixels along it that show the photo.

    Parameters
    ----------
    side : int
        Length of the axis in pixels of the photo.
    pixels : numpy.ndarray
        Numbers of the input's pixels.
    share : callable
        From levels (side,), 0..255, along the axis to the brightness (lines, pixels), 0..1, that the input shows.
    """

    side: int
    pixels: npt.NDArray[np.intp]
    share: Callable[[Float64], Float64]

    def line(self) -> tuple[float, float]:
        """Return scale and offset: first from a ramp, then by fringes, whose phase shows parts of a pixel."""
        if self.pixels.size == 1 or self.side == 1:
            return self.pixels.size / self.side, float(self.pixels[0])
        places = np.arange(self.side) + 0.5
        seen, again = (self.share(255 * places / self.side) for _ in range(2))
        if not np.array_equal(seen, again):
            raise _unclear("draws random numbers")
        slope, start = self._fit(seen * self.side)
        period = max(_LEAST_PERIOD, _PERIOD * slope)
        if self.side >= 2 * period:
            cosine, sine = (
                2 * self.share(127.5 * (1 + wave(2 * np.pi * places / period))) - 1 for wave in (np.cos, np.sin)
            )
            phases = np.arctan2(sine.mean(axis=0), cosine.mean(axis=0)) / (2 * np.pi) * period
            expected = slope * (self.pixels + 0.5) + start
            positions = phases + np.round((expected - phases) / period) * period
            slope, start = self._fit(positions[np.newaxis])
        scale = _whole(self.side / slope) / self.side
        middle = slope * (self.pixels.mean() + 0.5) + start
        return scale, _whole(float(self.pixels.mean() + 0.5 - middle * scale))

    def _fit(self, positions: Float64) -> tuple[float, float]:
        """Return slope and start of the line of positions on the photo (lines, pixels) by the input's pixels."""
        means, centres = positions.mean(axis=0), self.pixels + 0.5
        reach = 3 * max(1.0, self.side / self.pixels.size)  # of filters at the photo's borders, in its pixels
        inside = (means > reach) & (means < self.side - reach)
        if inside.sum() < 2:
            inside[:] = True
        slope, start = (float(value) for value in np.polyfit(centres[inside], means[inside], 1))
        off = np.abs(means - slope * centres - start)[inside].max()
        skew = np.abs(positions.mean(axis=1) - means.mean()).max()
        allowed = _STRAIGHT * (1 + self.side / 100)
        if slope <= 0 or off > allowed or skew > 2 * allowed:
            raise _unclear("mirrors, turns or distorts the photo, or changes brightness other than in proportion")
        return slope, start


def check_content(function: Function, geometry: Geometry) -> None:
    """Raise InputError if the part of the photo that is shown depends on what is on it, as where margins go."""
    rows, columns = np.mgrid[: geometry.height, : geometry.width]
    visible = geometry.to_original(np.ones((geometry.input_height, geometry.input_width))) > 0.5
    # Within what is shown: of a spot at its border, the part that is there has another middle.
    (top, height), (left, width) = (
        (int(lines[0]), lines.size) if lines.size else (0, 1)
        for lines in (np.flatnonzero(visible.any(axis=axis)) for axis in (1, 0))
    )
    at = top + height * 0.47, left + width * 0.56
    spot = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (min(height, width) / 8) ** 2)
    photo = np.repeat((255 * (1 - spot))[:, :, np.newaxis], 3, axis=2).astype(np.uint8)
    array = np.abs(call(function, photo) - call(function, np.full_like(photo, 255))).sum(axis=0)
    found, expected = (
        [(weights * places).sum() / (weights.sum() or 1) for places in (rows, columns)]
        for weights in (geometry.to_original(array), spot * visible)
    )
    if np.abs(np.subtract(found, expected)).max() > _SPOT:
        raise _unclear("shows another part of the photo where its content is another")


def _whole(value: float) -> float:
    """Return the next whole number if it is close: sides and corners of resized photos are whole."""
    return float(round(value)) if abs(value - round(value)) < _WHOLE else value


def _unclear(why: str) -> InputError:
    return InputError(
        f"function must resize, crop and pad the photo so that it can be measured, got one that {why}; {_REMEDY}"
    )
