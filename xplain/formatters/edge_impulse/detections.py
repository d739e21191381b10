"""How well detections of one image agree with the objects that are there.

Precision, recall and F1 count a detection as right if it overlaps an object of its label by half (intersection over
union) that no detection of a higher score has taken. The average precision is COCO's: the mean over overlaps from 0.5
to 0.95 in steps of 0.05, and over the labels of the objects, of the precision at 101 recalls. Without objects all
figures are 1 if nothing is detected, else 0. (The vendor documents the names of these figures only; for detectors of
centroids it counts by distance, see `xplain.formatters.edge_impulse.figures`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.explanation import Box
from xplain.kernels import boxes

FIGURES = ("mAP", "f1", "precision", "recall")

_OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_FARTHEST = 1e150  # largest edge whose boxes have finite areas


@dataclass(frozen=True, slots=True)
class Found:
    """A box with a label, and a score if it was detected."""

    label: str
    box: Box
    score: float = 1.0


def agreement(detected: Sequence[Found], truths: Sequence[Found]) -> dict[str, float]:
    """Compare detections with the objects of an image, all boxes in one unit.

    Examples
    --------
    >>> cat, dog = Found("cat", Box(0, 0, 0.5, 0.5), 0.9), Found("dog", Box(0.5, 0.5, 1, 1), 0.8)
    >>> agreement([cat, dog], [Found("cat", Box(0, 0, 0.5, 0.5))])
    {'mAP': 1.0, 'f1': 0.6666666666666666, 'precision': 0.5, 'recall': 1.0}
    """
    if not truths:
        return dict.fromkeys(FIGURES, 0.0 if detected else 1.0)
    labels = sorted({truth.label for truth in truths})
    hits = {label: _hits(_of(detected, label), _of(truths, label)) for label in labels}
    matched = sum(int(of_label[0].sum()) for of_label in hits.values())
    precision = matched / len(detected) if detected else 0.0
    recall = matched / len(truths)
    f1 = 2 * precision * recall / (precision + recall) if matched else 0.0
    precisions = [_average_precision(hits[label], len(_of(truths, label))) for label in labels]
    return {"mAP": float(np.mean(precisions)), "f1": f1, "precision": precision, "recall": recall}


def _of(found: Sequence[Found], label: str) -> list[Found]:
    """Return those of one label, by decreasing score."""
    return sorted((one for one in found if one.label == label), key=lambda one: -one.score)


def _hits(detected: Sequence[Found], truths: Sequence[Found]) -> npt.NDArray[np.bool_]:
    """Return whether each detection, by decreasing score, is right at each overlap: (overlaps, detections)."""
    hits = np.zeros((len(_OVERLAPS), len(detected)), np.bool_)
    if not detected:
        return hits
    shared = boxes.iou(_rows(detected), _rows(truths))
    for k, least in enumerate(_OVERLAPS):
        free = np.ones(len(truths), np.bool_)
        for i, row in enumerate(shared):
            best = int(np.where(free, row, -1.0).argmax())
            if free[best] and row[best] >= least - 1e-12:
                hits[k, i], free[best] = True, False
    return hits


def _rows(found: Sequence[Found]) -> npt.NDArray[np.float64]:
    """Return the edges of boxes, cut to the numbers whose areas are finite."""
    edges = [[one.box.x0, one.box.y0, one.box.x1, one.box.y1] for one in found]
    return np.clip(np.array(edges, np.float64).reshape(-1, 4), -_FARTHEST, _FARTHEST)


def _average_precision(hits: npt.NDArray[np.bool_], count: int) -> float:
    """Return COCO's average precision of one label, of which there are ``count`` objects."""
    if not hits.shape[1]:
        return 0.0
    right = np.cumsum(hits, axis=1)
    precision = right / np.arange(1, hits.shape[1] + 1)
    # From right to left, the precision at a recall is the best at that or any higher one.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    means = []
    for recall, of_overlap in zip(right / count, precision, strict=True):
        at = np.searchsorted(recall, _RECALLS, side="left")
        means.append(np.append(of_overlap, 0.0)[at].mean())
    return float(np.mean(means))
