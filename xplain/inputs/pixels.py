"""From numbers, and from images of any of Pillow's modes, to 8-bit RGB pixels; what is ambiguous is refused.

Integers are brightness: those within 0..255 mean the same in every integer type, and uint16 reaches from 0 to 65535.
Floats are brightness where they lie within 0..1.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain.errors import InputError

Uint8: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[Any]

_BAND_ROWS = 128  # rows that are copied from Pillow at a time
_BRIGHT = 1 << 14  # 16 bits that never reach this hold 8 to 14 bits, far likelier than a picture that dark
_FLOATS = "floats from 0 to 1 are brightness, and a model without a preprocess takes floats as they are"


def brightness(values: Numbers, name: str) -> Numbers:
    """Return numbers as uint8, as uint16 that fills 16 bits, or as finite floats.

    Parameters
    ----------
    values : numpy.ndarray
        Booleans, integers or floats, of any shape but without an empty axis.
    name : str
        The argument's name in messages.

    Raises
    ------
    InputError
        If nobody can know what they mean: integers beyond 0..255 other than uint16, uint16 that holds fewer bits, NaN
        and infinity.
    """
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            if not np.isfinite(np.array([low, high], np.float32)).all():  # NaN is the least and the greatest
                raise InputError(f"{name} must be finite, got NaN, infinity or numbers beyond float32")
        return values
    if low >= 0 and high <= 255:
        return values.astype(np.uint8, copy=False)
    if values.dtype.kind != "u" or values.dtype.itemsize != 2:
        raise InputError(
            f"{name} must hold integers from 0 to 255, or uint16 from 0 to 65535, got {values.dtype} from {low} to "
            f"{high}; {_FLOATS}"
        )
    if high < _BRIGHT:
        bits = int(high).bit_length()
        raise InputError(
            f"{name} must fill 16 bits where it is uint16, got values up to {high}, as data of {bits} bits has; pass "
            f"floats: image / {2**bits - 1}, or image / 65535 if it is that dark"
        )
    return values.astype(np.uint16, copy=False)


def to_8_bits(values: Numbers) -> Uint8:
    """Return what `brightness` returns as uint8 of the same shape; floats beyond 0..1 are stretched, for a picture."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return (values >> 8).astype(np.uint8)
    values = values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:  # halved, so that no difference is infinite; one value everywhere becomes black
        values = (values / 2 - np.float32(low / 2)) / np.float32(high / 2 - low / 2 or 1)
    return np.rint(values * 255).astype(np.uint8)


def rgb_of_channels(values: Uint8, *, bands: bool) -> Uint8:
    """Return channels (height, width, channels) as RGB; four are RGB and alpha, or with ``bands`` begin with RGB."""
    channels = values.shape[2]
    if channels == 3 or (channels == 4 and bands):
        return np.array(values[:, :, :3])
    if channels == 4:
        alpha = values[:, :, 3:].astype(np.uint16)
        blended = values[:, :, :3] * alpha + np.uint16(255) * (255 - alpha)
        return ((blended + 127) // 255).astype(np.uint8)  # rounded, in integers
    grey = values[:, :, 0] if channels == 1 else values.mean(axis=2).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def rgb_of_pillow(image: Image.Image, name: str) -> Uint8:
    """Return the pixels (height, width, 3) of an image of any of Pillow's modes, transparency over white."""
    if image.mode == "F" or image.mode.startswith("I"):
        return rgb_of_channels(to_8_bits(_deep(image, name))[:, :, np.newaxis], bands=False)
    if image.mode == "La":
        image = image.convert("LA")  # of La, Pillow makes nothing else
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return rgb_of_channels(np.asarray(image.convert("RGBA")), bands=False)
    rgb = image if image.mode == "RGB" else _rgb_of_lab(image) if image.mode == "LAB" else image.convert("RGB")
    pixels = np.empty((rgb.height, rgb.width, 3), np.uint8)
    for top in range(0, rgb.height, _BAND_ROWS):  # Pillow hands out copies; in bands they need little memory
        bottom = min(top + _BAND_ROWS, rgb.height)
        pixels[top:bottom] = np.asarray(rgb.crop((0, top, rgb.width, bottom)))
    return pixels


def _deep(image: Image.Image, name: str) -> Numbers:
    """Return the brightness (height, width) of the modes of more than 8 bits, which Pillow would clip."""
    values = np.asarray(image)
    if image.mode == "I":  # 32 bits, in which Pillow keeps images of 16, too
        return brightness(values.astype(np.uint16) if values.min() >= 0 and values.max() <= 65535 else values, name)
    if image.mode != "F":
        return brightness(values.astype(np.uint16), name)
    values = brightness(values, name)
    if values.min() < 0 or values.max() > 255:
        raise InputError(
            f"{name} must hold 0 to 1 or 0 to 255 where its mode is 'F', got {values.min():.4g} to {values.max():.4g}; "
            "scale it"
        )
    return values if values.max() <= 1 else np.rint(values).astype(np.uint8)  # as Pillow itself reads it


def _rgb_of_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms  # LittleCMS, for this mode alone

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    rgb = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert rgb is not None  # None is for changes in place
    return rgb
