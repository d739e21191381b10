"""Outputs of common detection networks as boxes, labels and scores: for `Detector(..., postprocess=...)`.

``candidates`` returns everything that the network proposes, always as many and in the same order, by operations that
let gradients flow: methods follow one candidate through changed images. Calling a head keeps the detections, which are
the candidates above a threshold that overlap no better one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError
from xplain.kernels import boxes as _boxes

if TYPE_CHECKING:
    import torch

__all__ = ["Detr", "EndToEnd", "Head", "Ssd", "Yolo"]

Candidates = dict[str, Any]

_ROUNDING = 1e-3  # how far rounding, also of half precision, takes a score out of 0..1
_MANY_CLASSES = 200  # more than the boxes, and more than this, are boxes that lie along the wrong axis


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
    """Networks of the YOLO family, from their decoded or, with anchors, from their raw output.

    Parameters
    ----------
    threshold, overlap
        As for `Head`.
    objectness : bool
        Whether a row is cx, cy, w, h, objectness, classes (versions 2 to 7, X), whose score is objectness times class,
        in an output (batch, M, 5 + classes); else it is cx, cy, w, h, classes (versions 8, 9, 11), in an output (batch,
        4 + classes, M). Of a tuple the first tensor counts. Versions whose rows are x0, y0, x1, y1, score, class: see
        `EndToEnd`.
    unit : {"pixel", "fraction"}
        Unit of the boxes: pixels of the network's input, or fractions of its sides.
    anchors : sequence of (float, float), or one for each level, optional
        Width and height of each anchor. The output is that of the last convolution, (batch, anchors * (5 + classes),
        rows, columns), or (batch, anchors, rows, columns, 5 + classes); for several levels a sequence of such.
    stride : int, or sequence of int, optional
        Pixels of the input in a cell, of each level.
    version : {2, 3, 5}, optional
        How raw numbers are decoded. 2: anchors in cells, sides ``anchor * exp(t)``, classes by softmax. 3, also for 4:
        anchors in pixels, classes by sigmoid. 5, also for 7: anchors in pixels, sides ``anchor * (2 * sigmoid(t))**2``,
        centres ``2 * sigmoid(t) - 0.5``, classes by sigmoid. If left out, 2 where all anchors are smaller than a
        stride, as only those in cells are, else 3.

    Examples
    --------
    >>> import torch
    >>> raw = torch.tensor([[[4.0, 4, 2, 4, 0.5, 0.1, 0.8]]])  # one candidate, two classes
    >>> (detections,) = Yolo(objectness=True)(raw)
    >>> detections["boxes"].tolist(), detections["labels"].tolist(), round(detections["scores"].item(), 2)
    ([[3.0, 2.0, 5.0, 6.0]], [1], 0.4)
    >>> raw = torch.zeros(1, 7, 1, 2)  # one anchor, two classes, two cells
    >>> Yolo(anchors=[(40, 24)], stride=16).candidates(raw)[0]["boxes"].tolist()
    [[-12.0, -4.0, 28.0, 20.0], [4.0, -4.0, 44.0, 20.0]]

    References
    ----------
    Redmon and Farhadi, YOLO9000, CVPR 2017, arXiv:1612.08242, and YOLOv3, arXiv:1804.02767. Ultralytics, YOLOv5.
    """

    def __init__(
        self,
        threshold: float = 0.25,
        overlap: float = 0.45,
        *,
        objectness: bool = False,
        unit: str = "pixel",
        anchors: Any = None,
        stride: int | Sequence[int] | None = None,
        version: int | None = None,
    ) -> None:
        super().__init__(threshold, overlap)
        self.objectness = _check.boolean("objectness", objectness)
        self.unit = _check.choice("unit", unit, ("pixel", "fraction"))
        self.levels = _read_levels(anchors, stride)
        if version is None:
            in_cells = all((level.anchors < level.stride).all() for level in self.levels)
            version = 2 if in_cells else 3
        if isinstance(version, bool) or version not in (2, 3, 5):
            raise _check.wrong("version", "2, 3 or 5", version)
        self.version = version
        if self.levels and self.unit == "fraction":
            raise InputError("unit must be 'pixel' where there are anchors, got 'fraction'; the stride gives pixels")

    def candidates(self, outputs: Any) -> list[Candidates]:
        """Return for each image everything that the network proposes; see `Head.candidates`."""
        if self.levels:
            torch = require("torch", extra="torch")
            decoded = [
                _decode_anchors(raw, level, self.version)
                for raw, level in zip(_raw_tensors(outputs, len(self.levels)), self.levels, strict=True)
            ]
            if len({classes.shape[2] for _, classes in decoded}) > 1:
                raise InputError("model output must have as many classes at each level, got other numbers of channels")
            boxes, scores = (torch.cat(parts, dim=1) for parts in zip(*decoded, strict=True))
            return _per_image(_corners(boxes), scores, self.unit)
        raw = _first_tensor(outputs)
        rows = raw if self.objectness else raw.transpose(1, 2)
        if rows.shape[2] < (6 if self.objectness else 5):  # a box, maybe the objectness, and at least one class
            shape = "(batch, M, 5 + classes)" if self.objectness else "(batch, 4 + classes, M)"
            raise InputError(
                f"model output must be of shape {shape} with objectness={self.objectness}, got {tuple(raw.shape)}"
            )
        if not self.objectness and raw.shape[2] == 6 and raw.shape[1] > 6:
            raise InputError(
                f"model output must be of shape (batch, 4 + classes, M), got {tuple(raw.shape)}, as of x0, y0, x1, y1, "
                "score and class; decode it by xplain.models.heads.EndToEnd()"
            )
        if rows.shape[2] > max(_MANY_CLASSES, 3 * rows.shape[1]):
            raise InputError(
                f"model output must be of shape (batch, {'M, 5 + classes' if self.objectness else '4 + classes, M'}) "
                f"with objectness={self.objectness}, got {tuple(raw.shape)}, which would be more classes than boxes; "
                f"try objectness={not self.objectness}, or transpose it"
            )
        classes = rows[..., 5:] * rows[..., 4:5] if self.objectness else rows[..., 4:]
        return _per_image(_corners(rows[..., :4]), classes, self.unit)


class EndToEnd:
    """Networks that suppress duplicates themselves and return rows x0, y0, x1, y1, score, class (YOLOv10, YOLO26).

    The output is (batch, M, 6), or for each image (M, 6), as non-maximum suppression of ultralytics returns it. Rows
    are in the order of their scores, so there are no candidates that could be followed by their index: a detection is
    found again by its box and class.

    Parameters
    ----------
    threshold : float
        Least score of a detection, 0..1.
    unit : {"pixel", "fraction"}
        Unit of the boxes: pixels of the network's input, or fractions of its sides.

    Examples
    --------
    >>> import torch
    >>> (detections,) = EndToEnd()(torch.tensor([[[1.0, 2, 5, 6, 0.75, 3], [0, 0, 1, 1, 0.1, 0]]]))
    >>> detections["boxes"].tolist(), detections["labels"].tolist(), detections["scores"].tolist()
    ([[1.0, 2.0, 5.0, 6.0]], [3], [0.75])
    """

    def __init__(self, threshold: float = 0.25, unit: str = "pixel") -> None:
        self.threshold = _check_fraction("threshold", threshold)
        self.unit = _check.choice("unit", unit, ("pixel", "fraction"))

    def __call__(self, outputs: Any) -> list[Candidates]:
        """Return for each image the detections, by decreasing score, in the form of `Head.candidates`."""
        if isinstance(outputs, (list, tuple)) and outputs and getattr(outputs[0], "ndim", 0) == 3:
            outputs = outputs[0]
        if not isinstance(outputs, (list, tuple)) and getattr(outputs, "ndim", 0) != 3:
            raise InputError(f"model output must be of shape (batch, M, 6), got {_shape_of(outputs)}")
        return [self._select(rows) for rows in outputs]

    def _select(self, rows: Any) -> Candidates:
        if getattr(rows, "ndim", 0) != 2 or rows.shape[1] != 6:
            raise InputError(f"model output must be rows of x0, y0, x1, y1, score, class, got {_shape_of(rows)}")
        _check_scores(rows[:, 4])
        kept = rows[rows[:, 4] >= self.threshold]
        kept = kept[kept[:, 4].argsort(descending=True, stable=True)]
        return {"boxes": kept[:, :4], "labels": kept[:, 5].long(), "scores": kept[:, 4], "unit": self.unit}


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
    _check_scores(classes)
    images = []
    for corners, probabilities in zip(boxes, classes, strict=True):
        scores, labels = probabilities.max(-1)
        images.append(
            {"boxes": corners, "labels": labels, "scores": scores, "probabilities": probabilities, "unit": unit}
        )
    return images


def _check_scores(scores: torch.Tensor) -> None:
    """Raise InputError for scores that are not within 0..1: NaN would vanish, and logits would be taken for scores."""
    if scores.numel() == 0:
        return
    low, high = (float(value) for value in scores.detach().aminmax())
    if not low >= -_ROUNDING or not high <= 1 + _ROUNDING:  # NaN is neither
        remedy = "; apply the network's sigmoid or softmax, or pass anchors and stride for raw numbers"
        raise InputError(
            "model output must hold scores from 0 to 1, got "
            + ("NaN" if low != low else f"{low:.4g} to {high:.4g}{remedy}")
        )


@dataclass(frozen=True, slots=True)
class _Level:
    """The anchors (A, 2) of a level of a YOLO, and pixels of the input in a cell."""

    anchors: npt.NDArray[np.float64]
    stride: int


def _read_levels(anchors: Any, stride: Any) -> tuple[_Level, ...]:
    if anchors is None and stride is None:
        return ()
    if anchors is None or stride is None:
        raise InputError(f"anchors and stride must be given together, got anchors={anchors!r} and stride={stride!r}")
    several = not np.isscalar(stride)
    strides = [_check.integer("stride", value, least=1) for value in (stride if several else [stride])]
    expected = "width and height > 0 of each anchor" + (", for each stride" if several else "")
    try:
        found = [np.asarray(level, np.float64) for level in (anchors if several else [anchors])]
    except (TypeError, ValueError):
        raise _check.wrong("anchors", expected, anchors) from None
    if len(found) != len(strides) or not all(
        each.ndim == 2 and each.shape[1:] == (2,) and (each > 0).all() and np.isfinite(each).all() for each in found
    ):
        raise _check.wrong("anchors", expected, anchors)
    return tuple(_Level(each, side) for each, side in zip(found, strides, strict=True))


def _raw_tensors(outputs: Any, count: int) -> list[torch.Tensor]:
    """Return the raw tensor of each level."""
    if not isinstance(outputs, (list, tuple)):
        outputs = [outputs]
    tensors = [output for output in outputs if getattr(output, "ndim", 0) in (4, 5)]
    if len(tensors) < count or (count > 1 and len(tensors) != count):
        shapes = [_shape_of(output) for output in outputs]
        raise InputError(
            f"model output must be {count} tensors (batch, anchors * (5 + classes), rows, columns), one for each "
            f"stride, got {shapes}"
        )
    return tensors[:count]


def _decode_anchors(raw: torch.Tensor, level: _Level, version: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return boxes cx, cy, w, h in pixels and scores of classes (batch, rows * columns * anchors, ...)."""
    torch = require("torch", extra="torch")
    count = len(level.anchors)
    if raw.ndim == 5:
        grid = raw.permute(0, 2, 3, 1, 4)
    else:
        if raw.shape[1] % count:
            raise InputError(
                f"model output must have {count} * (5 + classes) channels for {count} anchors, got {tuple(raw.shape)}"
            )
        grid = raw.reshape(len(raw), count, -1, *raw.shape[2:]).permute(0, 3, 4, 1, 2)
    batch, rows, columns, anchors, fields = grid.shape
    if anchors != count or fields < 6:
        raise InputError(
            f"model output must have 5 numbers and at least one class for each of {count} anchors, got "
            f"{tuple(raw.shape)}"
        )
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    cells = torch.stack([x, y], dim=-1)[:, :, None].to(grid)
    places, sides = grid[..., :2].sigmoid(), grid.new_tensor(level.anchors)
    if version == 5:
        places, sides = 2 * places - 0.5, sides * (2 * grid[..., 2:4].sigmoid()) ** 2
    else:
        sides = sides * grid[..., 2:4].exp() * (level.stride if version == 2 else 1)
    boxes = torch.cat([(cells + places) * level.stride, sides], dim=-1)
    classes = grid[..., 5:].softmax(-1) if version == 2 else grid[..., 5:].sigmoid()
    scores = grid[..., 4:5].sigmoid() * classes
    return boxes.reshape(batch, -1, 4), scores.reshape(batch, -1, fields - 5)


def _shape_of(output: Any) -> Any:
    return tuple(getattr(output, "shape", ())) or type(output).__name__


def _corners(boxes: torch.Tensor) -> torch.Tensor:
    """Turn cx, cy, w, h into x0, y0, x1, y1."""
    centre, half = boxes[..., :2], boxes[..., 2:4].clamp(min=0) / 2
    corners: torch.Tensor = require("torch", extra="torch").cat([centre - half, centre + half], dim=-1)
    return corners


def _first_tensor(outputs: Any) -> torch.Tensor:
    while isinstance(outputs, Sequence) and outputs:
        outputs = outputs[0]
    if not hasattr(outputs, "transpose") or getattr(outputs, "ndim", 0) != 3:
        remedy = "; for raw numbers pass anchors and stride" if getattr(outputs, "ndim", 0) in (4, 5) else ""
        raise InputError(f"model output must be a tensor with three axes, got {_shape_of(outputs)}{remedy}")
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
