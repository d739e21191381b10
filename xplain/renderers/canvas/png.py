"""A small PNG writer: 8-bit RGB, one filter, a fast compressor, a description.

W3C, *Portable Network Graphics (PNG) Specification (Third Edition)*, https://www.w3.org/TR/png-3/.

Most of the time of a picture goes into its encoding. So rows are filtered a block at a time and compressed at the
fastest level: by ISA-L (the ``fast`` extra) if it is installed, else by zlib. Pixels are the same with both, bytes
differ.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NONE, _UP = 0, 2  # filter types
_BLOCK = 1 << 18  # bytes of rows that are filtered and compressed at once, while they are in the cache
_HEAD = 16  # bytes that ISA-L compresses by themselves


def encode(pixels: npt.NDArray[np.uint8], description: str = "") -> bytes:
    """Encode an image as PNG.

    Parameters
    ----------
    pixels : uint8 array (height, width, 3)
        RGB, at least one pixel.
    description : str
        Kept in the file under the keyword ``Description``, for readers that cannot show the pixels.

    Returns
    -------
    bytes
        A PNG file; the same for the same arguments and the same compressor.
    """
    height, width, _ = pixels.shape
    deflate = fastest_zlib()
    file = io.BytesIO(_SIGNATURE)  # getvalue() hands its bytes over without another copy
    file.seek(0, io.SEEK_END)
    file.writelines(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
    if description:
        # Keyword and its end, not compressed, method 0, no language, no translated keyword.
        file.writelines(_chunk(b"iTXt", b"Description\0\0\0\0\0" + description.encode("utf-8", "replace")))
    compressor = deflate.compressobj(1)
    rows = np.ascontiguousarray(pixels).reshape(height, 3 * width)
    step = max(1, _BLOCK // (3 * width))
    for start in range(0, height, step):
        block = _filter(rows, start, min(start + step, height)).reshape(-1)
        if start == 0 and deflate is not zlib:
            # Where ISA-L 2.31 begins a stream in its fast loop, it takes the address of the stream for data and enters
            # its hash as that of the second byte (`.write_first_byte` in igzip_icf_body_h1_gr_bt.asm), so that a match
            # may be found, or not, depending on where the compressor lies in memory. A few bytes that are flushed do
            # not reach that loop.
            head, block = block[:_HEAD], block[_HEAD:]
            data = compressor.compress(head) + compressor.flush(deflate.Z_SYNC_FLUSH)
            file.writelines(_chunk(b"IDAT", data, deflate))
        file.writelines(_chunk(b"IDAT", compressor.compress(block), deflate))
    file.writelines(_chunk(b"IDAT", compressor.flush(), deflate))
    file.writelines(_chunk(b"IEND", b""))
    return file.getvalue()


def _filter(rows: npt.NDArray[np.uint8], start: int, stop: int) -> npt.NDArray[np.uint8]:
    """Rows start..stop as differences from the row above, the image's first row as it is; each with its filter byte."""
    out = np.empty((stop - start, rows.shape[1] + 1), dtype=np.uint8)
    out[:, 0] = _UP
    if start == 0:
        out[0, 0] = _NONE
        out[0, 1:] = rows[0]
        np.subtract(rows[1:stop], rows[: stop - 1], out=out[1:, 1:])
    else:
        np.subtract(rows[start:stop], rows[start - 1 : stop - 1], out=out[:, 1:])
    return out


def _chunk(kind: bytes, data: bytes, deflate: Any = zlib) -> tuple[bytes, ...]:
    """Length, kind, data and checksum of a chunk; nothing for image data that the compressor still holds back."""
    if kind == b"IDAT" and not data:
        return ()
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", deflate.crc32(data, zlib.crc32(kind)))


def fastest_zlib() -> Any:
    """ISA-L's replacement of the module `zlib` if it is installed, else `zlib`."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib
