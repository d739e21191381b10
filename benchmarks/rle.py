"""Run-length masks: ours against pycocotools, hotcoco, rlemasklib, faster-coco-eval, supervision and NumPy.

    python benchmarks/rle.py [--quick] [--sizes 224x224 1080x1920]

Masks are C-ordered uint8 in memory, as models give them, and decoded masks are C-ordered; a library that wants column
order pays for its copy, and says so by "(copy)". Every library returns its own masks: ours are arrays of counts,
rlemasklib's are objects, pycocotools' are compressed text. Numbers are ratios rival / ours; below 1 we lose.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from _bench import Table, machine, rival

from xplain.kernels import jit, rle

Mask = npt.NDArray[np.uint8]
Runs = dict[str, Callable[[], Any] | None]

COCO, HOTCOCO, FASTER = rival("pycocotools.mask"), rival("hotcoco.mask"), rival("faster_coco_eval.core.mask")
RLEMASKLIB, SUPERVISION = rival("rlemasklib"), rival("supervision.detection.utils.converters")
LIBRARIES = ("numpy", "numba", "pycocotools", "hotcoco", "rlemasklib", "faster-coco-eval", "supervision")
COLUMNS = {"pycocotools": COCO, "hotcoco": HOTCOCO, "faster-coco-eval": FASTER}  # they share an interface


def smooth(height: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return a map like a heat map: a few waves, 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    total = np.zeros((height, width), np.float32)
    for weight, down, across, phase in zip(*rng.normal(size=(1, 8)), *rng.uniform(0, 2, (3, 8)), strict=True):
        total += np.float32(weight) * np.cos(2 * np.pi * (down * y + across * x + phase)).astype(np.float32)
    return (total - total.min()) / np.ptp(total)


def blob(height: int, width: int, seed: int = 0) -> Mask:
    values = smooth(height, width, seed)
    return (values > np.quantile(values, 0.7)).astype(np.uint8)


def superpixels(height: int, width: int) -> Mask:
    chosen = np.random.default_rng(0).integers(0, 2, (height // 24 + 1, width // 24 + 1), np.uint8)
    return np.ascontiguousarray(np.kron(chosen, np.ones((24, 24), np.uint8))[:height, :width])


def noise(height: int, width: int) -> Mask:
    return np.random.default_rng(0).integers(0, 2, (height, width), np.uint8)


def by_numpy(mask: Mask) -> Any:
    """Encode as everyone does with NumPy alone."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return np.diff(edges, prepend=0, append=flat.size)


def from_numpy(counts: Any, height: int, width: int) -> Any:
    columns = np.repeat(np.arange(counts.size) % 2 == 1, counts).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def encoders(mask: Mask) -> Runs:
    runs: Runs = {"numpy": lambda: by_numpy(mask)}
    for name, library in COLUMNS.items():
        runs[name] = library and (lambda encode=library.encode: encode(np.asfortranarray(mask)))
    if RLEMASKLIB:
        runs["rlemasklib"] = lambda: RLEMASKLIB.RLEMask.from_array(mask)
        runs["rlemasklib dense"] = lambda: RLEMASKLIB.RLEMask.from_array(mask, is_sparse=False)
    runs["supervision"] = SUPERVISION and (lambda: SUPERVISION.mask_to_rle(mask.view(bool)))
    return runs


def decoders(mask: Mask) -> Runs:
    height, width = mask.shape
    counts = rle.encode(mask)
    runs: Runs = {"numpy": lambda: from_numpy(counts, height, width)}
    for name, library in COLUMNS.items():
        if library:
            theirs = library.encode(np.asfortranarray(mask))
            runs[name] = lambda decode=library.decode, theirs=theirs: np.ascontiguousarray(decode(theirs))
    if RLEMASKLIB:
        theirs = RLEMASKLIB.RLEMask.from_array(mask)
        runs["rlemasklib"] = lambda theirs=theirs: theirs.to_array(order="C")
    if SUPERVISION:
        listed = SUPERVISION.mask_to_rle(mask.view(bool))
        runs["supervision"] = lambda: SUPERVISION.rle_to_mask(listed, (width, height))
    return runs


def thresholds(values: npt.NDArray[np.float32], levels: list[float]) -> Runs:
    runs: Runs = {"numpy": lambda: [by_numpy(values >= level) for level in levels]}
    for name, library in COLUMNS.items():
        runs[name] = library and (
            lambda encode=library.encode: [encode(np.asfortranarray(values >= level, np.uint8)) for level in levels]
        )
    if RLEMASKLIB:
        make = RLEMASKLIB.RLEMask.from_array
        runs["rlemasklib"] = lambda: [make(values >= level) for level in levels]
        runs["rlemasklib fused"] = lambda: [make(values, threshold=level) for level in levels]
    return runs


def algebra(first: Mask, second: Mask) -> dict[str, tuple[Callable[[], Any], Runs]]:
    height = first.shape[0]
    a, b = rle.encode(first), rle.encode(second)
    cases: dict[str, tuple[Callable[[], Any], Runs]] = {
        "area": (lambda: rle.area(a), {}),
        "bbox": (lambda: rle.bbox(a, height), {}),
        "IoU": (lambda: rle.iou(a, b), {}),
        "union": (lambda: rle.union(a, b), {}),
    }
    for name, library in COLUMNS.items():
        if library:
            x, y = (library.encode(np.asfortranarray(mask)) for mask in (first, second))
            cases["area"][1][name] = lambda m=library, x=x: m.area(x)
            cases["bbox"][1][name] = lambda m=library, x=x: m.toBbox(x)
            cases["IoU"][1][name] = lambda m=library, x=x, y=y: m.iou([x], [y], [0])
            cases["union"][1][name] = lambda m=library, x=x, y=y: m.merge([x, y])
    if RLEMASKLIB:
        x, y = (RLEMASKLIB.RLEMask.from_array(mask) for mask in (first, second))
        cases["area"][1]["rlemasklib"] = lambda: x.area()
        cases["bbox"][1]["rlemasklib"] = lambda: x.bbox()
        cases["IoU"][1]["rlemasklib"] = lambda: x.iou(y)
        cases["union"][1]["rlemasklib"] = lambda: x | y
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    parser.add_argument("--sizes", nargs="+", default=["224x224", "640x640", "1080x1920", "4000x6000"])
    arguments = parser.parse_args()
    sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes]
    rounds = 3 if arguments.quick else 15
    warnings.simplefilter("ignore")
    jit.one_shot(0)
    print(machine(*LIBRARIES))
    both = ["rlemasklib", "numpy", "pycocotools", "hotcoco", "faster-coco-eval", "supervision"]
    masks = {"blob": blob, "superpixels": superpixels, "noise": noise}

    print("\nEncode; pycocotools, hotcoco and faster-coco-eval after their copy to column order\n")
    table = Table([*both[:1], "rlemasklib dense", *both[1:]], rounds)
    for kind, make in masks.items():
        for height, width in sizes:
            mask = make(height, width)
            runs = rle.encode(mask).size
            table.row(f"{kind} {height}x{width}, {runs} runs", lambda mask=mask: rle.encode(mask), **encoders(mask))

    print("\nDecode to row order; the same three with their copy to it\n")
    table = Table(both, rounds)
    for kind, make in masks.items():
        for height, width in sizes:
            mask = make(height, width)
            counts, size = rle.encode(mask), (height, width)
            table.row(
                f"{kind} {height}x{width}", lambda counts=counts, size=size: rle.decode(counts, *size), **decoders(mask)
            )

    print("\nFloat map to masks: one threshold, and nine in one read\n")
    table = Table(["rlemasklib", "rlemasklib fused", "numpy", "pycocotools", "hotcoco", "faster-coco-eval"], rounds)
    for levels in ([0.5], [0.1 * level for level in range(1, 10)]):
        for height, width in sizes:
            values = smooth(height, width)
            table.row(
                f"{len(levels)} of {height}x{width}",
                lambda values=values, levels=levels: rle.encode_levels(values, levels),
                **thresholds(values, levels),
            )

    print("\nOn runs, blobs\n")
    table = Table(["rlemasklib", "pycocotools", "hotcoco", "faster-coco-eval"], rounds)
    for height, width in sizes:
        for name, (ours, rivals) in algebra(blob(height, width), blob(height, width, 1)).items():
            table.row(f"{name} {height}x{width}", ours, **rivals)


if __name__ == "__main__":
    main()
