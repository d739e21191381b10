"""Arrays of float32 in JSON: base64 of little-endian elements, packed where that is smaller.

Packing puts a floating-point predictor in front of zlib, like predictor 3 of TIFF. The bytes of all elements are
regrouped into planes (the first byte of each element, then the second bytes, ...), each byte is replaced by its
difference (modulo 256) from the one before it in its plane, and the result is deflated. A smooth map shrinks to about
half of what zlib alone makes of it.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError, InputError
from xplain.formatters.core.wire import Reader, array, choice, integer, number, optional, record, string

MAX_ELEMENTS = 2**27
"""Most elements of an array that is written or read (a 134-megapixel map, 512 MiB)."""

#: Deflate expands by at most this factor, so a larger claim is refused before anything is inflated.
_MAX_RATIO = 1032

Float32 = npt.NDArray[np.float32]
_DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "uint8": np.dtype("u1"), "uint16": np.dtype("<u2")}


def pack(values: Float32, quantize: int | None = None) -> dict[str, Any]:
    """Turn a two-dimensional float32 array into JSON values.

    Parameters
    ----------
    values : ndarray
        float32 (rows, columns), finite.
    quantize : {None, 8, 16}
        Bits of each stored element; None keeps every bit. A quantised element is ``offset + scale * q``, which is
        within half a ``scale`` of the original (and float32 rounding).

    Returns
    -------
    dict
        shape, dtype and data; packing if the data are packed; offset and scale if they are quantised.

    Raises
    ------
    InputError
        If the array has more than `MAX_ELEMENTS` elements.
    """
    if values.size > MAX_ELEMENTS:
        raise InputError(f"an array must hold at most {MAX_ELEMENTS} elements to be written, got {values.size}")
    packed: dict[str, Any] = {"shape": list(values.shape), "dtype": "float32"}
    elements: npt.NDArray[Any] = values.astype("<f4")
    if quantize is not None:
        levels = 2**quantize - 1
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
        scale = (high - low) / levels
        packed |= {"dtype": f"uint{quantize}", "offset": low, "scale": scale}
        steps = (values.astype(np.float64) - low) / (scale or 1.0)  # a constant map has scale 0
        elements = np.rint(steps).astype(_DTYPES[packed["dtype"]])
    raw = elements.tobytes()
    planes = np.frombuffer(raw, np.uint8).reshape(-1, elements.itemsize).T
    deflated = zlib.compress(np.diff(planes, axis=1, prepend=np.uint8(0)).tobytes())
    if len(deflated) < len(raw):
        packed["packing"] = "delta-zlib"
        raw = deflated
    packed["data"] = base64.b64encode(raw).decode("ascii")
    return packed


def _unpack(shape: tuple[int, ...], dtype: str, data: str, packing: str | None, offset: float, scale: float) -> Float32:
    element = _DTYPES[dtype]
    if len(shape) != 2:
        raise DocumentError(f"must be an array of two, got an array of {len(shape)}", path="$.shape")
    count = shape[0] * shape[1]
    if max(shape) > MAX_ELEMENTS and not count:  # NumPy has no arrays of such sides, even empty ones
        raise DocumentError(f"must hold sides of at most {MAX_ELEMENTS}, got {_format_shape(shape)}", path="$.shape")
    if count > MAX_ELEMENTS:
        got = _format_shape(shape)
        raise DocumentError(f"must multiply to at most {MAX_ELEMENTS} elements, got {got}", path="$.shape")
    raw = _decode_bytes(data, count * element.itemsize, packed=packing is not None)
    if packing is None:
        stored = np.frombuffer(raw, element)
    else:
        differences = np.frombuffer(raw, np.uint8).reshape(element.itemsize, count)
        planes = np.cumsum(differences, axis=1, dtype=np.uint8)
        stored = np.ascontiguousarray(planes.T).view(element).reshape(count)
    if dtype == "float32":
        values: Float32 = stored.astype(np.float32)
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is refused below
            values = (offset + scale * stored.astype(np.float64)).astype(np.float32)
    if not np.isfinite(values).all():
        raise DocumentError("must hold finite numbers, got NaN, infinity or a number beyond float32", path="$.data")
    return values.reshape(shape)


def _decode_bytes(data: str, size: int, packed: bool) -> bytes:
    """Decode exactly ``size`` bytes; refuse other sizes without inflating more than that."""
    try:
        raw = binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        raise DocumentError("must be base64, got other characters, padding or length", path="$.data") from None
    if packed:
        if size > _MAX_RATIO * len(raw):
            raise DocumentError(f"must inflate to {size} bytes, got only {len(raw)} deflated ones", path="$.data")
        inflate = zlib.decompressobj()
        try:
            raw = inflate.decompress(raw, size + 1)
        except zlib.error:
            raise DocumentError("must be a zlib stream, got something else", path="$.data") from None
        if not inflate.eof or inflate.unused_data:
            got = "more" if len(raw) > size else "an unfinished or overlong stream"
            raise DocumentError(f"must inflate to {size} bytes, got {got}", path="$.data")
    if len(raw) != size:
        raise DocumentError(f"must hold the {size} bytes of the shape, got {len(raw)}", path="$.data")
    return raw


def _format_shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) if side < 10**18 else "a huge number" for side in shape)


unpack: Reader[Float32] = record(
    _unpack,
    shape=array(integer(0)),
    dtype=choice(*_DTYPES),
    data=string,
    packing=optional(choice("delta-zlib")),
    offset=optional(number, 0.0),
    scale=optional(number, 1.0),
)
"""Read an array that `pack` wrote, as float32 (rows, columns)."""
