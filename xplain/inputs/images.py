"""Photos as people see them: whatever a caller passes as an image becomes upright 8-bit RGB pixels.

EXIF orientation is applied, transparency is composited over white, and grey, palette, CMYK and 16-bit images are
converted, so that a model, an attribution and a picture all refer to the same pixels. Of an animation that is the first
picture.
"""

from __future__ import annotations

import io
import os
import re
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from xplain.errors import InputError, message_of
from xplain.inputs import files, locations, pixels

#: Formats of photos that are decoded: those that Pillow knows at once, and those that it has to load first. Of others
#: some start programs (EPS runs Ghostscript), and few are photos.
_COMMON_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM")
_OTHER_FORMATS = ("WEBP", "TIFF", "MPO", "AVIF", "HEIF", "JPEG2000", "DIB", "ICO", "TGA", "PCX", "SGI", "QOI")

_KINDS = (
    "a path, bytes, a PIL image, a NumPy array (height, width[, channels]), a torch tensor (channels, height, width), "
    "an open file or a data: URL"
)
_NUMBERS = "buif"


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded image.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 (height, width, 3), RGB, upright.
    values : numpy.ndarray
        The numbers of an array or a tensor as (height, width, channels): floats as they are, integers as uint8, or as
        uint16 that fills 16 bits. `pixels` for anything else.
    sha256 : str or None
        Digest of the file's bytes, or of the array; None if the caller wanted none.
    name : str or None
        File name without its folder.
    """

    pixels: npt.NDArray[np.uint8]
    values: npt.NDArray[Any]
    sha256: str | None
    name: str | None


def load(image: Any, name: str = "image", *, digest: bool = True, bands: bool = False) -> LoadedImage:
    """Decode an image.

    Parameters
    ----------
    image : path, str, bytes, file, PIL.Image.Image, numpy.ndarray or torch.Tensor
        A str is a path, a ``file:`` or a ``data:`` URL. A file is an open one, an upload of a web framework, or
        anything with ``read``; it is read from its start. Arrays are (height, width) or (height, width, channels) with
        1, 3 (RGB) or 4 (RGBA) channels: integers 0..255, uint16 0..65535, bool, or floats. Floats within 0..1 are
        brightness; others are stretched from their least to their greatest value. A flat array of uint8 is an encoded
        file. Tensors are (channels, height, width), or (1, channels, height, width).
    name : str, optional
        The argument's name in messages.
    digest : bool
        Whether to compute the digest.
    bands : bool
        Whether the numbers of an array are wanted as they are: then it may have any number of channels, and the fourth
        is no transparency.

    Returns
    -------
    LoadedImage
        Pixels, numbers, digest and name.

    Raises
    ------
    InputError
        If the image is of another kind, cannot be decoded, is empty, is not finite, or if its channels or its range
        may mean several things.

    Examples
    --------
    >>> load(np.zeros((2, 3), np.uint8)).pixels.shape
    (2, 3, 3)
    """
    if isinstance(image, (str, os.PathLike)):
        return _from_location(image, name, digest)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(image), None, name, digest)
    if isinstance(image, Image.Image):
        return _from_pillow(image, name, digest)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(image, torch.Tensor):
        return _from_tensor(image, name, digest, bands)
    if isinstance(image, np.ndarray) or all(hasattr(image, each) for each in ("__array__", "dtype", "shape")):
        return _from_array(image, name, digest, bands)
    if hasattr(image, "read"):
        return _from_bytes(locations.content(image, name), locations.name_of(image), name, digest)
    raise InputError(f"{name} must be {_KINDS}, got {type(image).__name__}")


def is_path(image: Any) -> bool:
    """Whether an image is given as a path, and not as a URL or in any other way."""
    return isinstance(image, os.PathLike) or (isinstance(image, str) and not locations.is_url(image))


# ---------------------------------------------------------------- encoded files


def _from_location(location: str | os.PathLike[str], name: str, digest: bool) -> LoadedImage:
    if isinstance(location, str) and locations.is_data_url(location):
        return _from_bytes(locations.data_of_url(location, name), None, name, digest)
    path = locations.local(location, name)
    try:
        data = path.read_bytes() if path.is_file() else None
    except (OSError, ValueError) as error:
        raise files.refusal(f"{name} must be a file that can be read", locations.shown(path), error) from error
    if data is None:
        raise InputError(f"{name} must be an existing file, got {locations.shown(path)!r}")
    return _from_bytes(data, path.name, name, digest)


def _from_bytes(data: bytes, file: str | None, name: str, digest: bool) -> LoadedImage:
    source = repr(file) if file else f"{len(data)} bytes"
    expected = f"{name} must be an image that Pillow can decode, got {source}"
    try:
        with _opened(data) as image:
            _check_size(image, name)
            ImageOps.exif_transpose(image, in_place=True)  # a copy would double the peak memory
            rgb = pixels.rgb_of_pillow(image, name)
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} must be of a reasonable size, got a decompression bomb: {error}") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{expected}, {_nature(data)}") from error
    except (InputError, MemoryError):
        raise
    except Exception as error:  # decoders raise errors of any type for a broken file
        raise InputError(f"{expected}: {message_of(error)}") from error
    return LoadedImage(rgb, rgb, _sha256(data) if digest else None, file)


def _opened(data: bytes) -> Image.Image:
    """Open an image of an allowed format, whatever its file is called."""
    try:
        return Image.open(io.BytesIO(data), formats=_COMMON_FORMATS)
    except UnidentifiedImageError:
        Image.init()  # which registers the other formats
        return Image.open(io.BytesIO(data), formats=[each for each in _OTHER_FORMATS if each in Image.OPEN])


def _nature(data: bytes) -> str:
    """Say what bytes are that are no image of an allowed format."""
    if not data:
        return "which is empty"
    if data.startswith((b"%!PS", b"%PDF", b"\xc5\xd0\xd3\xc6")):
        return "a drawing in PostScript or PDF, which would start another program; save it as PNG"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "a HEIC photo; save it as JPEG, or let the package pillow-heif register its format with Pillow"
    unknown = "which is in no format of images that it knows"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return unknown
    if re.search(r"[\0-\x08\x0e-\x1f]", text):
        return unknown
    if re.search(r"<svg[\s>]", text[:1000]):
        return "a drawing in SVG; save it as PNG"
    return "which is text and no photo; a text is for a TextClassifier, and at the shell for --text-file"


def _from_pillow(image: Image.Image, name: str, digest: bool) -> LoadedImage:
    try:
        _check_size(image, name)
        rgb = pixels.rgb_of_pillow(ImageOps.exif_transpose(image), name)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # what is still to be decoded may be broken, or its file closed
        raise InputError(
            f"{name} must be an image that Pillow can decode, got one of mode {image.mode!r}: {message_of(error)}"
        ) from error
    return LoadedImage(rgb, rgb, array_digest(rgb) if digest else None, None)


def _check_size(image: Image.Image, name: str) -> None:
    image.load()  # some decoders set the size only then
    if 0 in image.size:
        raise InputError(f"{name} must hold at least one pixel, got {image.height}x{image.width}")


# ---------------------------------------------------------------- numbers


def _from_tensor(tensor: Any, name: str, digest: bool, bands: bool) -> LoadedImage:
    shape = tuple(tensor.shape)
    if len(shape) == 4 and shape[0] == 1:
        shape, tensor = shape[1:], tensor[0]
    is_file = len(shape) == 1 and "uint8" in str(tensor.dtype)
    if len(shape) != 3 and not is_file:
        raise InputError(
            f"{name} must be a tensor (channels, height, width), got shape {shape}"
            + ("; explain_batch takes several images" if len(shape) == 4 else "")
        )
    if not is_file and _channels_lead((shape[2], shape[0], shape[1])):
        raise InputError(
            f"{name} must be a tensor (channels, height, width), got shape {shape}; channels come first: "
            "image.permute(2, 0, 1)"
        )
    try:
        tensor = tensor.detach().cpu()
        array: npt.NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:  # sparse, quantised, or on the meta device
        raise InputError(f"{name} must be a tensor that NumPy can read, got {tensor.dtype}: {error}") from error
    if is_file:
        return _from_array(array, name, digest, bands)
    if array.dtype.kind not in _NUMBERS:
        raise InputError(f"{name} must be a tensor of real numbers, got {tensor.dtype}")
    _check_channels(shape[0], shape, name, "a tensor's first axis is that of the channels", bands)
    return _from_numbers(array.transpose(1, 2, 0), shape, name, digest, bands)


def _from_array(array: Any, name: str, digest: bool, bands: bool) -> LoadedImage:
    if isinstance(array, np.ma.MaskedArray) and np.ma.getmaskarray(array).any():
        raise InputError(f"{name} must have no masked values, got a masked array; image.filled(0) makes them black")
    values = np.asarray(array)
    if values.ndim == 1 and values.dtype == np.uint8:
        return _from_bytes(values.tobytes(), None, name, digest)
    shape = values.shape
    if values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
    if values.ndim != 3 or values.dtype.kind not in _NUMBERS:
        raise InputError(
            f"{name} must be an array of numbers (height, width[, channels]), got shape {shape} of {values.dtype}"
            + ("; explain_batch takes several images" if len(shape) == 4 else "")
        )
    channels = values.shape[2]
    if channels > 4 and (_channels_lead(values.shape) or (values.shape[0] in (1, 3, 4) and not bands)):
        raise InputError(
            f"{name} must be an array (height, width, channels), got shape {shape}; channels come last: "
            "image.transpose(1, 2, 0)" + ("; of a tensor (channels, height, width) they come first" if bands else "")
        )
    _check_channels(channels, shape, name, "an array's last axis is that of the channels", bands)
    return _from_numbers(values, shape, name, digest, bands)


def _channels_lead(shape: tuple[int, ...]) -> bool:
    """Whether the first of three axes is that of the channels, rather than the last: by far the shortest."""
    return shape[2] > 4 and 2 * shape[0] <= min(shape[1:])


def _check_channels(channels: int, shape: tuple[int, ...], name: str, which: str, bands: bool) -> None:
    if not bands and channels not in (0, 1, 3, 4):
        raise InputError(
            f"{name} must have 1, 3 or 4 channels, grey, RGB or RGBA, got {channels} in shape {shape} ({which}); a "
            "model without a preprocess takes any number"
        )


def _from_numbers(
    values: npt.NDArray[Any], shape: tuple[int, ...], name: str, digest: bool, bands: bool
) -> LoadedImage:
    if 0 in values.shape:
        raise InputError(f"{name} must hold at least one pixel, got shape {shape}")
    numbers = pixels.brightness(values, name)
    rgb = pixels.rgb_of_channels(pixels.to_8_bits(numbers), bands=bands)
    return LoadedImage(rgb, numbers, array_digest(values) if digest else None, None)


def array_digest(array: npt.NDArray[Any]) -> str:
    """Return the sha256 of an array's type, shape and values."""
    return _sha256(f"{array.dtype.str} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())


def _sha256(data: bytes) -> str:
    import hashlib  # here, since it loads OpenSSL: 4 MB that drawing can do without

    return hashlib.sha256(data).hexdigest()
