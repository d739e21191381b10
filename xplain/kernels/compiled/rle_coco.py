"""COCO's RLE objects, with compressed text or lists of counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError
from xplain.kernels import jit
from xplain.kernels.compiled.rle_counts import RUNS, Counts, as_length, as_runs, canonical, check, shown
from xplain.kernels.plain import rle as plain


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
    runs = as_runs(check(counts, height, width))[0]
    text = jit.choose(runs.size, RUNS, plain).write_text(runs)
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
        raise DocumentError(f"an RLE must be a mapping with size and counts, got {shown(rle)}", path=path)
    size, counts = rle["size"], rle["counts"]
    if not isinstance(size, (list, tuple, np.ndarray)) or len(size) != 2:
        raise DocumentError(f"size must be [height, width], got {shown(size)}", path=f"{path}.size")
    height, width = (as_length(n, v, f"{path}.size") for n, v in zip(("height", "width"), size, strict=True))
    if isinstance(counts, (str, bytes)):
        counts = _read_text(counts, f"{path}.counts")
    return canonical(check(counts, height, width, f"{path}.counts")), height, width


def _read_text(text: str | bytes, path: str) -> Counts:
    # A character that is not ASCII becomes bytes that the reader refuses; up to there, bytes are characters.
    codes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    counts: Counts
    counts, bad = jit.choose(len(codes), RUNS, plain).read_text(np.frombuffer(codes, np.uint8))
    if bad >= 0:
        near = shown(text[bad : bad + 8])
        raise DocumentError(f"counts must be COCO's compressed text, got {near} at character {bad}", path=path)
    return counts
