"""Boxes: non-maximum suppression and overlaps, ours against OpenCV, pycocotools, hotcoco, NumPy and PyTorch.

    python benchmarks/boxes.py [--quick]

Boxes are float64 x0 y0 x1 y1 in clusters of about eight, as detectors give them; a library that wants x y width height
gets that without having to convert. The loops in NumPy and PyTorch are those of every repository: the best box, its
overlaps with all the rest, those that stay. Numbers are ratios rival / ours; below 1 we lose.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from _bench import Call, Effort, Table, heading, main, rival

from xplain.kernels import boxes

Float64 = npt.NDArray[np.float64]

CV2, COCO, HOTCOCO, TORCH = rival("cv2"), rival("pycocotools.mask"), rival("hotcoco.mask"), rival("torch")
PACKAGES = ("numpy", "numba", "opencv-python-headless", "pycocotools", "hotcoco", "torch")
THRESHOLD = 0.5


def crowd(count: int, seed: int = 0) -> tuple[Float64, Float64]:
    """Draw boxes of 30 to 90 pixels in a picture of 1000 x 1000, and their scores."""
    rng = np.random.default_rng(seed)
    clusters = count // 8 + 1
    cluster = rng.integers(0, clusters, count)
    centre = rng.uniform(0, 1000, (clusters, 2))[cluster] + rng.normal(0, 8, (count, 2))
    size = rng.uniform(30, 90, (clusters, 2))[cluster] * rng.uniform(0.8, 1.2, (count, 2))
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1), rng.random(count)


def with_size(corners: Float64) -> Float64:
    """Return boxes as x y width height."""
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def numpy_nms(corners: Float64, scores: Float64) -> list[int]:
    """Suppress as py_cpu_nms does."""
    x0, y0, x1, y1 = corners.T
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


def torch_nms(corners: Any, scores: Any) -> list[int]:
    """Suppress as the loops do that are written where torchvision is not installed."""
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    order = scores.argsort(descending=True)
    kept = []
    while order.numel():
        i, rest = order[0], order[1:]
        kept.append(i.item())
        low, high = corners[rest, :2].maximum(corners[i, :2]), corners[rest, 2:].minimum(corners[i, 2:])
        common = (high - low).clamp(min=0).prod(1)
        order = rest[common / (areas[i] + areas[rest] - common) <= THRESHOLD]
    return kept


def numpy_iou(a: Float64, b: Float64) -> Float64:
    """Return the overlaps of all pairs."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    common = (high - low).clip(0).prod(axis=2)
    areas = [(corners[:, 2:] - corners[:, :2]).prod(axis=1) for corners in (a, b)]
    overlap: Float64 = common / (areas[0][:, None] + areas[1] - common)
    return overlap


def suppressors(corners: Float64, scores: Float64) -> dict[str, Call]:
    """Return the rivals' non-maximum suppression; each must keep the boxes that ours keeps."""
    calls: dict[str, Call] = {"numpy": partial(numpy_nms, corners, scores)}
    if CV2:
        calls["cv2.dnn"] = partial(CV2.dnn.NMSBoxes, with_size(corners), scores, 0.0, THRESHOLD)
    if TORCH:
        calls["torch"] = partial(torch_nms, TORCH.from_numpy(corners), TORCH.from_numpy(scores))
    kept = set(boxes.nms(corners, scores, THRESHOLD).tolist())
    for name, call in calls.items():
        assert set(call()) == kept, name
    return calls


def overlappers(a: Float64, b: Float64) -> dict[str, Call]:
    """Return the rivals' overlaps, which must be ours."""
    calls: dict[str, Call] = {"numpy": partial(numpy_iou, a, b)}
    for name, library in (("pycocotools", COCO), ("hotcoco", HOTCOCO)):
        if library:
            calls[name] = partial(library.iou, with_size(a), with_size(b), [0] * len(b))
    expected = boxes.iou(a, b)
    for name, call in calls.items():
        assert np.allclose(call(), expected), name
    return calls


def suppress(effort: Effort) -> None:
    """Print the times of non-maximum suppression."""
    heading("Non-maximum suppression at an overlap of 0.5; all keep the same boxes")
    table = Table(effort, ["cv2.dnn", "numpy", "torch"])
    for count in effort.choose([20], [100, 1000, 10_000]):
        corners, scores = crowd(count)
        table.row(f"{count} boxes", partial(boxes.nms, corners, scores, THRESHOLD), suppressors(corners, scores))
        labels = np.arange(count) % 20
        table.row(f"{count} boxes of 20 labels", partial(boxes.nms, corners, scores, THRESHOLD, labels))
        table.row(f"{count} boxes, with who and how much", partial(boxes.suppressors, corners, scores, THRESHOLD))


def overlap(effort: Effort) -> None:
    """Print the times of overlaps."""
    heading("Overlaps of all pairs")
    table = Table(effort, ["hotcoco", "pycocotools", "numpy"])
    for count in effort.choose([10], [10, 100, 1000]):
        a, b = crowd(count)[0], crowd(count, seed=1)[0]
        table.row(f"{count} x {count}", partial(boxes.iou, a, b), overlappers(a, b))


if __name__ == "__main__":
    if TORCH:
        TORCH.set_num_threads(1)  # its tensors are small
    main(__doc__, {"suppress": suppress, "overlap": overlap}, PACKAGES, rounds=15)
