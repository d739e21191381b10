"""Run-length masks: ours against pycocotools, hotcoco, rlemasklib, faster-coco-eval, supervision and NumPy.

    python benchmarks/rle.py [--quick]

Masks are C-ordered uint8 in memory, as models give them, and decoded masks are C-ordered; a library that wants column
order pays for its copy. Every library returns its own masks: ours are arrays of counts, rlemasklib's are objects,
pycocotools' are compressed text. Numbers are ratios rival / ours; below 1 we lose.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from _bench import Call, Contenders, Effort, Table, heading, main, rival

from xplain.kernels import rle

Mask = npt.NDArray[np.uint8]
Calls = dict[str, Call | None]

RLEMASKLIB, SUPERVISION = rival("rlemasklib"), rival("supervision.detection.utils.converters")
COCO_MODULES = {
    "pycocotools": "pycocotools.mask",
    "hotcoco": "hotcoco.mask",
    "faster-coco-eval": "faster_coco_eval.core.mask",
}
"""Libraries that share pycocotools' interface."""
COCO_LIKE = {name: library for name, module in COCO_MODULES.items() if (library := rival(module))}

PACKAGES = ("numpy", "numba", "pycocotools", "hotcoco", "rlemasklib", "faster-coco-eval", "supervision")
SIZES = [(224, 224), (640, 640), (1080, 1920), (4000, 6000)]
QUICK_SIZES = [(48, 64)]


def smooth(height: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return a map like a heat map: a few waves, 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    total = np.zeros((height, width), np.float32)
    for weight, down, across, phase in zip(*rng.normal(size=(1, 8)), *rng.uniform(0, 2, (3, 8)), strict=True):
        total += np.float32(weight) * np.cos(2 * np.pi * (down * y + across * x + phase)).astype(np.float32)
    return (total - total.min()) / np.ptp(total)


def blob(height: int, width: int, seed: int = 0) -> Mask:
    """Return the highest 30 % of a smooth map: few long runs."""
    values = smooth(height, width, seed)
    return (values > np.quantile(values, 0.7)).astype(np.uint8)


def superpixels(height: int, width: int) -> Mask:
    """Return random squares of 24 pixels: runs of medium length."""
    cells = np.random.default_rng(0).integers(0, 2, (height // 24 + 1, width // 24 + 1), np.uint8)
    return np.ascontiguousarray(np.kron(cells, np.ones((24, 24), np.uint8))[:height, :width])


def noise(height: int, width: int) -> Mask:
    """Return random pixels: the shortest runs."""
    return np.random.default_rng(0).integers(0, 2, (height, width), np.uint8)


MASKS: dict[str, Callable[[int, int], Mask]] = {"blob": blob, "superpixels": superpixels, "noise": noise}


def numpy_encode(mask: Mask) -> Any:
    """Encode as everyone does with NumPy alone."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.diff(edges, prepend=0, append=flat.size)


def numpy_decode(counts: Any, height: int, width: int) -> Any:
    """Decode with NumPy alone."""
    columns = np.repeat(np.arange(counts.size) % 2 == 1, counts).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def encoders(mask: Mask) -> Contenders:
    """Return what rivals do to encode a mask."""
    calls: Calls = {"numpy": lambda: numpy_encode(mask)}
    for name, library in COCO_LIKE.items():
        calls[name] = lambda encode=library.encode: encode(np.asfortranarray(mask))
    if RLEMASKLIB:
        calls["rlemasklib"] = lambda: RLEMASKLIB.RLEMask.from_array(mask)
        calls["rlemasklib dense"] = lambda: RLEMASKLIB.RLEMask.from_array(mask, is_sparse=False)
    if SUPERVISION:
        calls["supervision"] = lambda: SUPERVISION.mask_to_rle(mask.view(bool))
    return calls


def decoders(mask: Mask) -> Contenders:
    """Return what rivals do to decode a mask that each has encoded."""
    height, width = mask.shape
    counts = rle.encode(mask)
    calls: Calls = {"numpy": lambda: numpy_decode(counts, height, width)}
    for name, library in COCO_LIKE.items():
        encoded = library.encode(np.asfortranarray(mask))
        calls[name] = lambda decode=library.decode, encoded=encoded: np.ascontiguousarray(decode(encoded))
    if RLEMASKLIB:
        runs = RLEMASKLIB.RLEMask.from_array(mask)
        calls["rlemasklib"] = lambda: runs.to_array(order="C")
    if SUPERVISION:
        listed = SUPERVISION.mask_to_rle(mask.view(bool))
        calls["supervision"] = lambda: SUPERVISION.rle_to_mask(listed, (width, height))
    return calls


def thresholders(values: npt.NDArray[np.float32], levels: list[float]) -> Contenders:
    """Return what rivals do to encode the parts of a map above each level."""
    calls: Calls = {"numpy": lambda: [numpy_encode(values >= level) for level in levels]}
    for name, library in COCO_LIKE.items():
        calls[name] = lambda encode=library.encode: [
            encode(np.asfortranarray(values >= level, np.uint8)) for level in levels
        ]
    if RLEMASKLIB:
        from_array = RLEMASKLIB.RLEMask.from_array
        calls["rlemasklib"] = lambda: [from_array(values >= level) for level in levels]
        calls["rlemasklib fused"] = lambda: [from_array(values, threshold=level) for level in levels]
    return calls


def algebra(first: Mask, second: Mask) -> dict[str, tuple[Call, Calls]]:
    """Return ours and the rivals' for each operation on encoded masks."""
    height = first.shape[0]
    a, b = rle.encode(first), rle.encode(second)
    operations: dict[str, tuple[Call, Calls]] = {
        "area": (lambda: rle.area(a), {}),
        "bbox": (lambda: rle.bbox(a, height), {}),
        "IoU": (lambda: rle.iou(a, b), {}),
        "union": (lambda: rle.union(a, b), {}),
    }
    for name, library in COCO_LIKE.items():
        x, y = (library.encode(np.asfortranarray(mask)) for mask in (first, second))
        operations["area"][1][name] = lambda m=library, x=x: m.area(x)
        operations["bbox"][1][name] = lambda m=library, x=x: m.toBbox(x)
        operations["IoU"][1][name] = lambda m=library, x=x, y=y: m.iou([x], [y], [0])
        operations["union"][1][name] = lambda m=library, x=x, y=y: m.merge([x, y])
    if RLEMASKLIB:
        p, q = (RLEMASKLIB.RLEMask.from_array(mask) for mask in (first, second))
        operations["area"][1]["rlemasklib"] = lambda: p.area()
        operations["bbox"][1]["rlemasklib"] = lambda: p.bbox()
        operations["IoU"][1]["rlemasklib"] = lambda: p.iou(q)
        operations["union"][1]["rlemasklib"] = lambda: p | q
    return operations


def encode(effort: Effort) -> None:
    """Print the times of encoding."""
    heading("Encode; pycocotools, hotcoco and faster-coco-eval after their copy to column order")
    table = Table(effort, ["rlemasklib", "rlemasklib dense", "numpy", *COCO_MODULES, "supervision"])
    for kind, make in MASKS.items():
        for height, width in effort.choose(QUICK_SIZES, SIZES):
            mask = make(height, width)
            case = f"{kind} {height}x{width}, {rle.encode(mask).size} runs"
            table.row(case, partial(rle.encode, mask), encoders(mask))


def decode(effort: Effort) -> None:
    """Print the times of decoding."""
    heading("Decode to row order; the same three with their copy to it")
    table = Table(effort, ["rlemasklib", "numpy", *COCO_MODULES, "supervision"])
    for kind, make in MASKS.items():
        for height, width in effort.choose(QUICK_SIZES, SIZES):
            mask = make(height, width)
            ours = partial(rle.decode, rle.encode(mask), height, width)
            table.row(f"{kind} {height}x{width}", ours, decoders(mask))


def threshold(effort: Effort) -> None:
    """Print the times from a map to masks."""
    heading("Float map to masks: one threshold, and nine in one read")
    table = Table(effort, ["rlemasklib", "rlemasklib fused", "numpy", *COCO_MODULES])
    for levels in ([0.5], [0.1 * level for level in range(1, 10)]):
        for height, width in effort.choose(QUICK_SIZES, SIZES):
            values = smooth(height, width)
            ours = partial(rle.encode_levels, values, levels)
            table.row(f"{len(levels)} of {height}x{width}", ours, thresholders(values, levels))


def operate(effort: Effort) -> None:
    """Print the times of operations on encoded masks."""
    heading("On runs, blobs")
    table = Table(effort, ["rlemasklib", *COCO_MODULES])
    for height, width in effort.choose(QUICK_SIZES, SIZES):
        for name, (ours, rivals) in algebra(blob(height, width), blob(height, width, 1)).items():
            table.row(f"{name} {height}x{width}", ours, rivals)


if __name__ == "__main__":
    sections = {"encode": encode, "decode": decode, "threshold": threshold, "operate": operate}
    main(__doc__, sections, PACKAGES, rounds=15)
