"""Outputs of common detection networks as boxes, labels and scores: for `Detector(..., postprocess=...)`.

``candidates`` returns everything that the network proposes, always as many and in the same order, by operations that
let gradients flow: methods follow one candidate through changed images. Calling a head keeps the detections, which are
the candidates above a threshold that overlap no better one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError
from xplain.kernels import boxes as _boxes

if TYPE_CHECKING:
    import torch

__all__ = ["Detr", "Head", "Ssd", "Yolo"]

Candidates = dict[str, Any]


class Head:
    """Base of the heads: a threshold, and non-maximum suppression class by class, over a network's candidates.

    Parameters
    ----------
    threshold : float
        Least score of a detection, 0..1.
    overlap : float or None
        Intersection over union beyond which the lower of two detections of one class is dropped; None keeps all.
    """

    def __init__(self, threshold: float, overlap: float | None) -> None:
        self.threshold = _check_fraction("threshold", threshold)
        self.overlap = None if overlap is None else _check_fraction("overlap", overlap)

    def candidates(self, outputs: Any) -> list[Candidates]:
        """Return for each image everything that the network proposes.

        Returns
        -------
        list of dict
            ``boxes`` (M, 4) x0 y0 x1 y1 with their ``unit``, ``probabilities`` (M, classes), and the best class of each
            as ``labels`` and ``scores`` (M,): tensors.
        """
        raise NotImplementedError

    def __call__(self, outputs: Any) -> list[Candidates]:
        """Return for each image the detections, by decreasing score, in the form of `candidates`."""
        return [self._select(candidates) for candidates in self.candidates(outputs)]

    def _select(self, candidates: Candidates) -> Candidates:
        scores = candidates["scores"].detach().double().cpu().numpy()
        rows = np.flatnonzero(scores >= self.threshold)
        if self.overlap is None:
            rows = rows[np.argsort(-scores[rows], kind="stable")]
        else:
            boxes = candidates["boxes"].detach().double().cpu().numpy()[rows]
            labels = candidates["labels"].cpu().numpy()[rows]
            rows = rows[_boxes.nms(boxes, scores[rows], self.overlap, labels)]
        return {key: value if key == "unit" else value[rows.tolist()] for key, value in candidates.items()}


class Yolo(Head):
    """Networks of the YOLO family, from their decoded output.

    Parameters
    ----------
    threshold, overlap
        As for `Head`.
    objectness : bool
        Whether a row is cx, cy, w, h, objectness, classes (versions 2 to 7, X), whose score is objectness times class,
        in an output (batch, M, 5 + classes); else it is cx, cy, w, h, classes (versions 8, 9, 11), in an output (batch,
        4 + classes, M). Of a tuple the first tensor counts.
    unit : {"pixel", "fraction"}
        Unit of the boxes: pixels of the network's input, or fractions of its sides.

    Examples
    --------
    >>> import torch
    >>> raw = torch.tensor([[[4.0, 4, 2, 4, 0.5, 0.1, 0.8]]])  # one candidate, two classes
    >>> (detections,) = Yolo(objectness=True)(raw)
    >>> detections["boxes"].tolist(), detections["labels"].tolist(), round(detections["scores"].item(), 2)
    ([[3.0, 2.0, 5.0, 6.0]], [1], 0.4)
    """

    def __init__(
        self, threshold: float = 0.25, overlap: float = 0.45, *, objectness: bool = False, unit: str = "pixel"
    ) -> None:
        super().__init__(threshold, overlap)
        self.objectness = _check.boolean("objectness", objectness)
        self.unit = _check.choice("unit", unit, ("pixel", "fraction"))

    def candidates(self, outputs: Any) -> list[Candidates]:
        """Return for each image everything that the network proposes; see `Head.candidates`."""
        raw = _first_tensor(outputs)
        rows = raw if self.objectness else raw.transpose(1, 2)
        if rows.shape[2] < (6 if self.objectness else 5):  # a box, maybe the objectness, and at least one class
            shape = "(batch, M, 5 + classes)" if self.objectness else "(batch, 4 + classes, M)"
            raise InputError(
                f"model output must be of shape {shape} with objectness={self.objectness}, got {tuple(raw.shape)}"
            )
        classes = rows[..., 5:] * rows[..., 4:5] if self.objectness else rows[..., 4:]
        return _per_image(_corners(rows[..., :4]), classes, self.unit)


class Detr(Head):
    """DETR and its successors, as transformers or their authors return them: class logits and boxes of each query.

    Parameters
    ----------
    threshold : float
        As for `Head`.
    overlap : float, optional
        As for `Head`; left out, since these networks need no suppression.
    background : bool
        Whether the last class means "nothing" and classes pass a softmax (DETR, Conditional DETR, YOLOS), or each class
        passes a sigmoid (Deformable DETR, RT-DETR, Grounding DINO).

    Examples
    --------
    >>> import torch
    >>> outputs = {"logits": torch.tensor([[[2.0, 0.0, 0.0]]]), "pred_boxes": torch.tensor([[[0.5, 0.5, 0.5, 1.0]]])}
    >>> (detections,) = Detr()(outputs)
    >>> detections["boxes"].tolist(), detections["unit"], round(detections["scores"].item(), 2)
    ([[0.25, 0.0, 0.75, 1.0]], 'fraction', 0.79)
    """

    def __init__(self, threshold: float = 0.5, overlap: float | None = None, *, background: bool = True) -> None:
        super().__init__(threshold, overlap)
        self.background = _check.boolean("background", background)

    def candidates(self, outputs: Any) -> list[Candidates]:
        """Return for each image everything that the network proposes; see `Head.candidates`."""
        logits, boxes = _field(outputs, "logits", "pred_logits"), _field(outputs, "pred_boxes")
        classes = logits.softmax(-1)[..., :-1] if self.background else logits.sigmoid()
        return _per_image(_corners(boxes), classes, "fraction")


class Ssd(Head):
    """SSD from its raw output: offsets to prior boxes, and class logits whose first means "nothing".

    The network returns (offsets, logits): (batch, M, 4) and (batch, M, 1 + classes). Labels count from 0 without the
    background.

    Parameters
    ----------
    priors : array_like
        (M, 4) prior boxes cx, cy, w, h as fractions of the image.
    variances : (float, float)
        Factors of the offsets of centres and of sizes.
    threshold, overlap
        As for `Head`.

    References
    ----------
    Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016, arXiv:1512.02325.
    """

    def __init__(
        self,
        priors: Any,
        variances: tuple[float, float] = (0.1, 0.2),
        *,
        threshold: float = 0.5,
        overlap: float = 0.45,
    ) -> None:
        super().__init__(threshold, overlap)
        self.priors = np.asarray(priors, np.float64)
        if self.priors.ndim != 2 or self.priors.shape[1] != 4:
            raise InputError(f"priors must be of shape (M, 4), got {self.priors.shape}")
        self.variances = tuple(_check.number("variances", variance) for variance in variances)

    def candidates(self, outputs: Any) -> list[Candidates]:
        """Return for each image everything that the network proposes; see `Head.candidates`."""
        offsets, logits = outputs
        priors = offsets.new_tensor(self.priors)
        if offsets.shape[1:] != priors.shape:
            raise InputError(
                f"model output must have offsets (batch, {len(priors)}, 4) for the priors, got {tuple(offsets.shape)}"
            )
        centres = priors[:, :2] + offsets[..., :2] * self.variances[0] * priors[:, 2:]
        sizes = priors[:, 2:] * (offsets[..., 2:] * self.variances[1]).exp()
        boxes = require("torch", extra="torch").cat([centres, sizes], dim=-1)
        return _per_image(_corners(boxes), logits.softmax(-1)[..., 1:], "fraction")


def _per_image(boxes: torch.Tensor, classes: torch.Tensor, unit: str) -> list[Candidates]:
    """Divide boxes (batch, M, 4) and class scores (batch, M, classes) by images, and find each box's best class."""
    images = []
    for corners, probabilities in zip(boxes, classes, strict=True):
        scores, labels = probabilities.max(-1)
        images.append(
            {"boxes": corners, "labels": labels, "scores": scores, "probabilities": probabilities, "unit": unit}
        )
    return images


def _corners(boxes: torch.Tensor) -> torch.Tensor:
    """Turn cx, cy, w, h into x0, y0, x1, y1."""
    centre, half = boxes[..., :2], boxes[..., 2:4].clamp(min=0) / 2
    corners: torch.Tensor = require("torch", extra="torch").cat([centre - half, centre + half], dim=-1)
    return corners


def _first_tensor(outputs: Any) -> torch.Tensor:
    while isinstance(outputs, Sequence) and outputs:
        outputs = outputs[0]
    if not hasattr(outputs, "transpose") or getattr(outputs, "ndim", 0) != 3:
        shape = tuple(getattr(outputs, "shape", ())) or type(outputs).__name__
        raise InputError(f"model output must be a tensor with three axes, got {shape}")
    tensor: torch.Tensor = require("torch", extra="torch").as_tensor(outputs)
    return tensor


def _field(outputs: Any, *names: str) -> torch.Tensor:
    for name in names:
        value = outputs.get(name) if isinstance(outputs, Mapping) else getattr(outputs, name, None)
        if value is not None:
            tensor: torch.Tensor = value
            return tensor
    raise InputError(f"model output must have {' or '.join(names)}, got {type(outputs).__name__} without")


def _check_fraction(name: str, value: Any) -> float:
    number = _check.number(name, value)
    if not 0 <= number <= 1:
        raise _check.wrong(name, "between 0 and 1", value)
    return number
