"""Photos as people see them: whatever a caller passes as an image becomes upright 8-bit RGB pixels.

EXIF orientation is applied, transparency is composited over white, and grey, palette, CMYK and 16-bit images are
converted, so that a model, an attribution and a picture all refer to the same pixels.
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from xplain.errors import InputError
from xplain.inputs import files

_KINDS = (
    "a path, bytes, a PIL image, a NumPy array (height, width[, channels]) or a torch tensor (channels, height, width)"
)
_BAND_ROWS = 128  # rows that are copied from Pillow at a time


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded image.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 (height, width, 3), RGB, upright.
    values : numpy.ndarray
        The numbers of an array or a tensor, as (height, width, channels) in their own type; `pixels` for anything else.
    sha256 : str or None
        Digest of the file's bytes, or of the array; None if the caller wanted none.
    name : str or None
        File name without its folder.
    """

    pixels: npt.NDArray[np.uint8]
    values: npt.NDArray[Any]
    sha256: str | None
    name: str | None


def load(image: Any, name: str = "image", *, digest: bool = True) -> LoadedImage:
    """Decode an image.

    Parameters
    ----------
    image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
        Arrays are (height, width), (height, width, 1), (height, width, 3) or (height, width, 4): uint8 0..255, uint16
        0..65535, bool, or floats. Floats within 0..1 are brightness; others are stretched from their least to their
        greatest value. Tensors are (channels, height, width), or (1, channels, height, width).
    name : str, optional
        The argument's name in messages.
    digest : bool
        Whether to compute the digest.

    Returns
    -------
    LoadedImage
        Pixels, numbers, digest and name.

    Raises
    ------
    InputError
        If the image is of another kind, cannot be decoded, is empty, or is not finite.

    Examples
    --------
    >>> load(np.zeros((2, 3), np.uint8)).pixels.shape
    (2, 3, 3)
    """
    if isinstance(image, (str, os.PathLike)):
        return _from_bytes(_file_bytes(image, name), Path(image).name, name, digest)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(image), None, name, digest)
    if isinstance(image, Image.Image):
        _check_size(image, name)
        pixels = _rgb(ImageOps.exif_transpose(image))
        return LoadedImage(pixels, pixels, array_digest(pixels) if digest else None, None)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(image, torch.Tensor):
        return _from_array(_tensor_values(image, name), name, digest)
    if isinstance(image, np.ndarray):
        return _from_array(image, name, digest)
    raise InputError(f"{name} must be {_KINDS}, got {type(image).__name__}")


def _file_bytes(path: str | os.PathLike[str], name: str) -> bytes:
    try:
        if Path(path).is_file():
            return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise files.refusal(f"{name} must be a file that can be read", path, error) from error
    raise InputError(f"{name} must be an existing file, got {str(path)!r}")


def _from_bytes(data: bytes, file: str | None, name: str, digest: bool) -> LoadedImage:
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image, name)
            ImageOps.exif_transpose(image, in_place=True)  # a copy would double the peak memory
            pixels = _rgb(image)
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} must be of a reasonable size, got a decompression bomb: {error}") from error
    except (InputError, MemoryError):
        raise
    except Exception as error:  # decoders raise errors of any type for a broken file
        source = repr(file) if file else f"{len(data)} bytes"
        raise InputError(f"{name} must be an image that Pillow can decode, got {source}: {error}") from error
    return LoadedImage(pixels, pixels, _sha256(data) if digest else None, file)


def _check_size(image: Image.Image, name: str) -> None:
    image.load()  # some decoders set the size only then
    if 0 in image.size:
        raise InputError(f"{name} must hold at least one pixel, got {image.height}x{image.width}")


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Convert an image of any Pillow mode; 16-bit ones by hand, since Pillow clips them instead of scaling."""
    if image.mode.startswith("I"):
        return _to_rgb8(np.asarray(image).astype(np.uint16)[:, :, np.newaxis])
    if image.mode == "F":
        return _to_rgb8(np.asarray(image)[:, :, np.newaxis])
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        return _to_rgb8(np.asarray(image.convert("RGBA")))
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    pixels = np.empty((rgb.height, rgb.width, 3), np.uint8)
    for top in range(0, rgb.height, _BAND_ROWS):  # Pillow hands out copies; in bands they need little memory
        bottom = min(top + _BAND_ROWS, rgb.height)
        pixels[top:bottom] = np.asarray(rgb.crop((0, top, rgb.width, bottom)))
    return pixels


def _tensor_values(tensor: Any, name: str) -> npt.NDArray[Any]:
    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 3:
        raise InputError(
            f"{name} must be a tensor (channels, height, width), got shape {tuple(tensor.shape)}"
            + ("; explain_batch takes several images" if tensor.ndim == 4 else "")
        )
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()
    values: npt.NDArray[Any] = tensor.permute(1, 2, 0).numpy()
    return values


def _from_array(array: npt.NDArray[Any], name: str, digest: bool) -> LoadedImage:
    values = array[:, :, np.newaxis] if array.ndim == 2 else array
    if values.ndim != 3 or values.dtype.kind not in "buif":
        raise InputError(
            f"{name} must be an array of numbers (height, width[, channels]), got shape {array.shape} of {array.dtype}"
        )
    if 0 in values.shape:
        raise InputError(f"{name} must hold at least one pixel, got shape {array.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputError(f"{name} must be finite, got NaN or infinity")
    return LoadedImage(_to_rgb8(values), values, array_digest(values) if digest else None, None)


def _to_rgb8(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Turn numbers (height, width, channels) of any type into pixels (height, width, 3)."""
    channels = values.shape[2]
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype == np.uint16:
        values = (values >> 8).astype(np.uint8)
    elif values.dtype != np.uint8:
        values = values.astype(np.float32)
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > 1:
            values = (values - low) / ((high - low) or 1.0)  # one value everywhere becomes black
        values = np.rint(values * 255).astype(np.uint8)
    if channels == 3:
        return np.array(values)
    if channels == 4:
        alpha = values[:, :, 3:].astype(np.uint16)
        blended = values[:, :, :3] * alpha + np.uint16(255) * (255 - alpha)
        return ((blended + 127) // 255).astype(np.uint8)  # rounded, in integers
    grey = values[:, :, 0] if channels == 1 else values.mean(axis=2).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def array_digest(array: npt.NDArray[Any]) -> str:
    """Return the sha256 of an array's type, shape and values."""
    return _sha256(f"{array.dtype.str} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())


def _sha256(data: bytes) -> str:
    import hashlib  # here, since it loads OpenSSL: 4 MB that drawing can do without

    return hashlib.sha256(data).hexdigest()
