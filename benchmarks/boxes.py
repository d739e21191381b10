"""Boxes: non-maximum suppression and overlaps, ours against OpenCV, pycocotools, hotcoco, NumPy and PyTorch.

    python benchmarks/boxes.py [--quick]

Boxes are float64 x0 y0 x1 y1 in clusters of about eight, as detectors give them; a library that wants x y width height
gets that without having to convert. The loops in NumPy and PyTorch are those of every repository: the best box, its
overlaps with all the rest, those that stay. Numbers are ratios rival / ours; below 1 we lose.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from _bench import Table, machine, rival

from xplain.kernels import boxes, jit

Float64 = npt.NDArray[np.float64]

CV2, COCO, HOTCOCO, TORCH = rival("cv2"), rival("pycocotools.mask"), rival("hotcoco.mask"), rival("torch")
LIBRARIES = ("numpy", "numba", "opencv-python-headless", "pycocotools", "hotcoco", "torch")
THRESHOLD = 0.5


def crowd(count: int, seed: int = 0) -> tuple[Float64, Float64]:
    """Draw boxes of 30 to 90 pixels in a picture of 1000 x 1000, and their scores."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, count // 8 + 1, count)
    centre = rng.uniform(0, 1000, (count // 8 + 1, 2))[of] + rng.normal(0, 8, (count, 2))
    size = rng.uniform(30, 90, (count // 8 + 1, 2))[of] * rng.uniform(0.8, 1.2, (count, 2))
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1), rng.random(count)


def by_numpy(rows: Float64, scores: Float64) -> list[int]:
    """Suppress as py_cpu_nms does."""
    x0, y0, x1, y1 = rows.T
    areas = (x1 - x0) * (y1 - y0)
    order = scores.argsort()[::-1]
    kept = []
    while order.size:
        i, rest = order[0], order[1:]
        kept.append(int(i))
        width = np.maximum(0, np.minimum(x1[i], x1[rest]) - np.maximum(x0[i], x0[rest]))
        height = np.maximum(0, np.minimum(y1[i], y1[rest]) - np.maximum(y0[i], y0[rest]))
        common = width * height
        order = rest[common / (areas[i] + areas[rest] - common) <= THRESHOLD]
    return kept


def by_torch(rows: Any, scores: Any) -> list[int]:
    """Suppress as the loops do that are written where torchvision is not installed."""
    areas = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
    order = scores.argsort(descending=True)
    kept = []
    while order.numel():
        i, rest = order[0], order[1:]
        kept.append(i.item())
        low, high = rows[rest, :2].maximum(rows[i, :2]), rows[rest, 2:].minimum(rows[i, 2:])
        common = (high - low).clamp(min=0).prod(1)
        order = rest[common / (areas[i] + areas[rest] - common) <= THRESHOLD]
    return kept


def suppressing(count: int) -> tuple[Callable[[], Any], dict[str, Callable[[], Any] | None]]:
    """Return ours and the rivals on one crowd, checked to keep the same boxes."""
    rows, scores = crowd(count)
    sized = np.concatenate([rows[:, :2], rows[:, 2:] - rows[:, :2]], axis=1)
    calls: dict[str, Callable[[], Any] | None] = {"numpy": lambda: by_numpy(rows, scores)}
    if CV2:
        calls["cv2.dnn"] = lambda: CV2.dnn.NMSBoxes(sized, scores, 0.0, THRESHOLD)
    if TORCH:
        tensors = TORCH.from_numpy(rows), TORCH.from_numpy(scores)
        calls["torch"] = lambda: by_torch(*tensors)
    kept = boxes.nms(rows, scores, THRESHOLD)
    assert all(set(call()) == set(kept.tolist()) for call in calls.values() if call)
    return lambda: boxes.nms(rows, scores, THRESHOLD), calls


def overlapping(count: int) -> tuple[Callable[[], Any], dict[str, Callable[[], Any] | None]]:
    """Return ours and the rivals on two crowds."""
    a, b = crowd(count)[0], crowd(count, seed=1)[0]
    x, y = (np.concatenate([rows[:, :2], rows[:, 2:] - rows[:, :2]], axis=1) for rows in (a, b))
    calls: dict[str, Callable[[], Any] | None] = {"numpy": lambda: iou_by_numpy(a, b)}
    for name, library in (("pycocotools", COCO), ("hotcoco", HOTCOCO)):
        if library:
            calls[name] = lambda iou=library.iou: iou(x, y, [0] * count)
    expected = boxes.iou(a, b)
    assert all(np.allclose(call(), expected) for call in calls.values() if call)
    return lambda: boxes.iou(a, b), calls


def iou_by_numpy(a: Float64, b: Float64) -> Float64:
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    common = (high - low).clip(0).prod(axis=2)
    areas = [(rows[:, 2:] - rows[:, :2]).prod(axis=1) for rows in (a, b)]
    overlap: Float64 = common / (areas[0][:, None] + areas[1] - common)
    return overlap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 15")
    rounds = 3 if parser.parse_args().quick else 15
    jit.one_shot(0)
    if TORCH:
        TORCH.set_num_threads(1)
    print(machine(*LIBRARIES))

    print("\nNon-maximum suppression at an overlap of 0.5; all keep the same boxes\n")
    table = Table(["cv2.dnn", "numpy", "torch"], rounds)
    for count in (100, 1000, 10_000):
        ours, rivals = suppressing(count)
        table.row(f"{count} boxes", ours, **rivals)
        rows, scores = crowd(count)
        labels = np.arange(count) % 20
        table.row(f"{count} boxes of 20 labels", lambda r=rows, s=scores, n=labels: boxes.nms(r, s, THRESHOLD, n))
        table.row(f"{count} boxes, with who and how much", lambda r=rows, s=scores: boxes.suppressors(r, s, THRESHOLD))

    print("\nOverlaps of all pairs\n")
    table = Table(["hotcoco", "pycocotools", "numpy"], rounds)
    for count in (10, 100, 1000):
        ours, rivals = overlapping(count)
        table.row(f"{count} x {count}", ours, **rivals)


if __name__ == "__main__":
    main()
