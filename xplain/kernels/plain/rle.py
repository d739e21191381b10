"""NumPy twins of the kernels of run-length masks, `rle_pixels` and `rle_runs` in `xplain.kernels.compiled`.

Most work on *boundaries*: the positions, in column order, at which one run ends and the next begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.uint32]
Boundaries = npt.NDArray[np.uint64]


def _counts(boundaries: npt.NDArray[Any], pixels: int) -> Counts:
    """Run lengths between boundaries, which are increasing positions less than ``pixels``."""
    return np.diff(boundaries, prepend=0, append=pixels).astype(np.uint32)


def _boundaries(counts: Counts) -> Boundaries:
    """Positions where runs end, without the end of the mask."""
    ends = np.cumsum(counts, dtype=np.uint64)
    inner: Boundaries = ends[:-1]
    return inner[inner < ends[-1:]]


# ---------------------------------------------------------------- pixels


def encode_columns(values: npt.NDArray[Any], thresholds: npt.NDArray[Any]) -> tuple[Counts, npt.NDArray[np.int64]]:
    """Encode a column-major image at each threshold; bytes are set if they are not 0."""
    counts = []
    for threshold in thresholds:
        is_set = values != 0 if values.dtype == np.uint8 else values >= threshold
        counts.append(_counts(np.flatnonzero(np.diff(is_set, prepend=False)), values.size))
    return np.concatenate(counts), np.cumsum([level.size for level in counts])


def encode_rows(
    values: npt.NDArray[Any], height: int, width: int, thresholds: npt.NDArray[Any]
) -> tuple[Counts, npt.NDArray[np.int64]]:
    """Encode a row-major image at each threshold."""
    return encode_columns(values.reshape(height, width).ravel(order="F"), thresholds)


def decode(counts: Counts, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Decode to a new bool array (height, width)."""
    columns = np.repeat(np.arange(counts.size) % 2 == 1, counts)
    return np.ascontiguousarray(columns.reshape(width, height).T)


# ---------------------------------------------------------------- runs


def measure(counts: Counts) -> tuple[int, int, bool]:
    """Number of pixels, number of set pixels, and whether there is no run or an empty one after the first."""
    pixels, area = (int(np.sum(runs, dtype=np.uint64)) for runs in (counts, counts[1::2]))
    return pixels, area, counts.size == 0 or not counts[1:].all()


def bbox(counts: Counts, height: int, pixels: int) -> tuple[int, int, int, int]:
    """x, y, width and height of the tightest box; needs at least one run of ones."""
    ends = np.cumsum(counts, dtype=np.int64)
    starts, stops = ends[:-1:2], ends[1::2]
    left, right = int(starts[0]) // height, (int(stops[-1]) - 1) // height
    if (starts // height != (stops - 1) // height).any():
        top, bottom = 0, height - 1  # a run that goes on in the next column touches bottom and top
    else:
        top, bottom = int((starts % height).min()), int(((stops - 1) % height).max())
    return left, top, right - left + 1, bottom - top + 1


def _is_set(counts: Counts, positions: Boundaries) -> npt.NDArray[np.bool_]:
    """Whether the pixels at some positions are set: those after an odd number of boundaries."""
    is_set: npt.NDArray[np.bool_] = np.searchsorted(_boundaries(counts), positions, side="right") % 2 == 1
    return is_set


def _changes(a: Counts, b: Counts) -> Boundaries:
    """Positions from 0 up between which neither of two masks changes."""
    return np.unique(np.concatenate([[np.uint64(0)], _boundaries(a), _boundaries(b)]))


def union(a: Counts, b: Counts) -> tuple[Counts, int, int]:
    """Return the counts of the union of two masks, and the number of pixels of each."""
    positions = _changes(a, b)
    is_set = _is_set(a, positions) | _is_set(b, positions)
    pixels, other_pixels = measure(a)[0], measure(b)[0]
    return _counts(positions[np.flatnonzero(np.diff(is_set, prepend=False))], pixels), pixels, other_pixels


def overlap(a: Counts, b: Counts) -> tuple[int, int, int, int]:
    """Areas of intersection and of union, and the number of pixels of each mask."""
    (pixels, area_a, _), (other_pixels, area_b, _) = measure(a), measure(b)
    positions = _changes(a, b)
    lengths = np.diff(positions, append=np.uint64(pixels))
    common = int(lengths[_is_set(a, positions) & _is_set(b, positions)].sum())
    return common, area_a + area_b - common, pixels, other_pixels


def iou_matrix(a: Counts, ends_a: Any, b: Counts, ends_b: Any) -> npt.NDArray[np.float64]:
    """IoU of each mask of one batch with each of another; counts of a batch follow each other up to their ends."""
    result = np.zeros((len(ends_a), len(ends_b)))
    for i, mask_a in enumerate(np.split(a, ends_a[:-1])):
        for j, mask_b in enumerate(np.split(b, ends_b[:-1])):
            intersection_area, union_area, _, _ = overlap(mask_a, mask_b)
            result[i, j] = intersection_area / union_area if union_area else 0.0
    return result


# ---------------------------------------------------------------- COCO's text


def write_text(counts: Counts) -> npt.NDArray[np.uint8]:
    """COCO's characters: differences to the run before the last, 5 bits at a time, low ones first."""
    text = bytearray()
    runs = counts.tolist()
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        while True:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)  # the fifth bit is the sign of what is left
            text.append(48 + bits + 32 * more)
            if not more:
                break
    return np.frombuffer(bytes(text), np.uint8)


def read_text(text: npt.NDArray[np.uint8]) -> tuple[Counts, int]:
    """Inverse of `write_text`; also the index of the first character that cannot be right, or -1."""
    counts: list[int] = []
    start = value = 0
    for i, code in enumerate(text.tolist()):
        bits, shift = code - 48, 5 * (i - start)
        if not 0 <= bits < 64 or shift > 30:  # no character of COCO's, or more than the seven that 32 bits take
            return np.array(counts, np.uint32), i
        value |= (bits & 31) << shift
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << (shift + 5)
        if len(counts) > 2:
            value += counts[-2]
        if not 0 <= value < 2**32:
            return np.array(counts, np.uint32), start
        counts.append(value)
        start, value = i + 1, 0
    return np.array(counts, np.uint32), -1 if start == text.size else start
