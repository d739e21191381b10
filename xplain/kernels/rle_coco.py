"""Read and write COCO's RLE objects, ``{"size": [height, width], "counts": ...}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError
from xplain.kernels import jit
from xplain.kernels.plain import rle as plain
from xplain.kernels.rle_counts import RUN_KERNELS, Counts, as_length, as_runs, canonical, check, format_value


def to_coco(counts: npt.ArrayLike, height: int, width: int) -> dict[str, Any]:
    """Write a mask as COCO's compressed RLE object.

    Parameters
    ----------
    counts : array_like
        Run lengths that sum to height * width.
    height, width : int
        Size in pixels.

    Returns
    -------
    dict
        ``{"size": [height, width], "counts": str}``, ready for JSON. pycocotools takes it as it is.

    Raises
    ------
    DocumentError
        If the counts do not describe an image of this size.

    Examples
    --------
    >>> to_coco([3, 4, 4, 1], 3, 4)
    {'size': [3, 4], 'counts': '344M'}
    """
    runs, _, _ = as_runs(check(counts, height, width))
    text = jit.choose(runs.size, RUN_KERNELS, plain).write_text(runs)
    return {"size": [int(height), int(width)], "counts": text.tobytes().decode("ascii")}


def from_coco(rle: Mapping[str, Any], path: str = "$") -> tuple[Counts, int, int]:
    """Read COCO's RLE object.

    Parameters
    ----------
    rle : mapping
        ``{"size": [height, width], "counts": ...}``, where counts are compressed text (str or bytes) or a list of
        run lengths.
    path : str
        Where the object stands in a document, for the message.

    Returns
    -------
    counts : uint32 array
        Canonical run lengths.
    height, width : int
        Size in pixels.

    Raises
    ------
    DocumentError
        If a field is missing or malformed, or the counts do not describe an image of this size.

    Examples
    --------
    >>> counts, height, width = from_coco({"size": [3, 4], "counts": "344M"})
    >>> counts.tolist(), height, width
    ([3, 4, 4, 1], 3, 4)
    """
    if not isinstance(rle, Mapping) or not {"size", "counts"} <= rle.keys():
        raise DocumentError(f"an RLE must be a mapping with size and counts, got {format_value(rle)}", path=path)
    size, counts = rle["size"], rle["counts"]
    if not isinstance(size, (list, tuple, np.ndarray)) or len(size) != 2:
        raise DocumentError(f"size must be [height, width], got {format_value(size)}", path=f"{path}.size")
    height, width = as_length("height", size[0], f"{path}.size"), as_length("width", size[1], f"{path}.size")
    if isinstance(counts, (str, bytes)):
        counts = _read_text(counts, f"{path}.counts")
    return canonical(check(counts, height, width, f"{path}.counts")), height, width


def _read_text(text: str | bytes, path: str) -> Counts:
    # Only ASCII is valid: other characters become bytes that the kernel refuses, and up to the first of them the index
    # of a byte is that of its character.
    codes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    counts: Counts
    counts, bad_index = jit.choose(len(codes), RUN_KERNELS, plain).read_text(np.frombuffer(codes, np.uint8))
    if bad_index >= 0:
        excerpt = format_value(text[bad_index : bad_index + 8])
        raise DocumentError(f"counts must be COCO's compressed text, got {excerpt} at character {bad_index}", path=path)
    return counts
