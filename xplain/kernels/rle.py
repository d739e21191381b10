"""Run-length encoded masks: column-major counts, zeros first (provisional NumPy version)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import DocumentError

Counts = npt.NDArray[np.uint32]


def check(counts: Any, height: int, width: int, path: str = "$") -> Counts:
    array = np.asarray(counts)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DocumentError("counts must be a flat list of integers", path=path)
    if (array < 0).any() or int(array.sum()) != height * width:
        raise DocumentError(f"counts must sum to {height * width}, got {int(array.sum())}", path=path)
    return array.astype(np.uint32)


def canonical(counts: Counts) -> Counts:
    return counts.copy()


def encode(mask: npt.ArrayLike, threshold: float | None = None) -> Counts:
    array = np.asarray(mask)
    array = array >= threshold if threshold is not None else array != 0
    flat = array.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    return np.diff(edges, prepend=0, append=flat.size).astype(np.uint32)


def decode(counts: npt.ArrayLike, height: int, width: int) -> npt.NDArray[np.bool_]:
    array = np.asarray(counts)
    flat = np.repeat(np.arange(array.size) % 2 == 1, array)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def area(counts: npt.ArrayLike) -> int:
    return int(np.asarray(counts)[1::2].sum())


def bbox(counts: npt.ArrayLike, height: int) -> tuple[int, int, int, int]:
    array = np.asarray(counts)
    rows, columns = np.nonzero(decode(array, height, int(array.sum()) // height))
    x, y = int(columns.min()), int(rows.min())
    return x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y


def iou(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    n = int(np.asarray(a).sum())
    x, y = decode(a, n, 1), decode(b, n, 1)
    union = int((x | y).sum())
    return int((x & y).sum()) / union if union else 0.0
