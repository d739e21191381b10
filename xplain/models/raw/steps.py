"""From a network's raw tensors to predictions, and why each was or was not reported.

What Deepomatic's ``post_processings`` describe, one for each output of a specification: either `Classification`, which
compares scores with thresholds, or `Detection`, which decodes boxes from one of three kinds of output, suppresses
those of one label that overlap a better one, and compares the rest with thresholds. `postprocess` carries it out on
tensors by name, without their batch dimension; N is the number of proposals and L that of labels.

The vendor says what each tensor holds and what the thresholds mean. The rest is inferred from the publications of the
networks: Faster R-CNN's parametrisation of offsets (arXiv:1506.01497), YOLOv2's of its grid (arXiv:1612.08242), that
boxes are cut to the image before they are compared, and the order of the steps:

1. a candidate whose score is below ``discard_threshold`` is dropped;
2. of candidates of one label, by decreasing score, one that overlaps a better one that was kept by more than
   ``nms_threshold`` (intersection over union) is suppressed;
3. what is left is predicted if its score reaches the threshold of its label, and discarded if not;
4. the best ``max_predictions`` of the predicted are reported, and as many of the discarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Prediction
from xplain.kernels import boxes
from xplain.models.raw import layouts
from xplain.models.raw.trace import FATES, Trace

Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]
Labels: TypeAlias = tuple[tuple[int, str], ...]

_DROPPED, _SUPPRESSED, _DISCARDED, _PREDICTED, _BEYOND = range(len(FATES))
_OPEN = -1
_FARTHEST = 10.0  # in widths or heights of the image; an edge farther away is in pixels


@dataclass(frozen=True, slots=True)
class Classification:
    """Scores compared with thresholds.

    Parameters
    ----------
    output_tensor : str
        The tensor of the scores, of size L, 0..1.
    thresholds : sequence of float, optional
        0..1, one for each label in order; 0.025 for each label if the labels are exclusive and 0.5 if not.
    """

    output_tensor: str
    thresholds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check.string("Classification.output_tensor", self.output_tensor)
        object.__setattr__(self, "thresholds", _fractions("Classification.thresholds", self.thresholds))


@dataclass(frozen=True, slots=True)
class Anchored:
    """Boxes as offsets from proposals, as Faster R-CNN gives them.

    Parameters
    ----------
    anchors_tensor : str
        N x 5: the score of the proposal (not used), x and y of its upper left corner, width, height.
    scores_tensor : str
        N x (L + 1): the background, then each label, 0..1.
    offsets_tensor : str
        N x (L + 1) x 4 or N x 4 (L + 1): for the background and each label dx, dy, dw, dh. The centre of the proposal
        moves by dx widths and dy heights, and its sides are multiplied by exp(dw) and exp(dh).
    """

    anchors_tensor: str
    scores_tensor: str
    offsets_tensor: str


@dataclass(frozen=True, slots=True)
class Direct:
    """Boxes as they are, as the TensorFlow object detection API gives them.

    Parameters
    ----------
    boxes_tensor : str
        N x L x 4, or N x 4 where each proposal has one label.
    scores_tensor : str
        N x L or N, 0..1.
    classes_tensor : str
        N x L or N: numbers of labels in the specification, not their positions.
    order : {"xyxy", "yxyx"}
        Of a box: xmin ymin xmax ymax, as documented, or ymin xmin ymax xmax, as TensorFlow's networks have it.
    """

    boxes_tensor: str
    scores_tensor: str
    classes_tensor: str
    order: str = "xyxy"

    def __post_init__(self) -> None:
        _check.choice("Direct.order", self.order, ("xyxy", "yxyx"))


@dataclass(frozen=True, slots=True)
class Yolo:
    """Boxes on a grid, as YOLOv2 gives them.

    Parameters
    ----------
    output_tensor : str
        H x W x A (5 + L): for each of A anchors tx, ty, tw, th, to and a logit for each label. The centre is at
        (column + sigmoid(tx)) / W and (row + sigmoid(ty)) / H, the sides are the anchor's times exp(tw) / W and
        exp(th) / H, and a label's score is sigmoid(to) times the softmax of the logits.
    anchors : sequence of float
        Width and height of each anchor, w0 h0 w1 h1 ..., in cells of the grid.
    """

    output_tensor: str
    anchors: tuple[float, ...]

    def __post_init__(self) -> None:
        anchors = tuple(_check.number("Yolo.anchors", side) for side in self.anchors)
        if not anchors or len(anchors) % 2 or min(anchors) <= 0:
            raise _check.wrong("Yolo.anchors", "pairs of a positive width and height", self.anchors)
        object.__setattr__(self, "anchors", anchors)


@dataclass(frozen=True, slots=True)
class Detection:
    """Boxes decoded, suppressed where they overlap, and their scores compared with thresholds.

    Parameters
    ----------
    output : Anchored, Direct or Yolo
        How boxes are decoded.
    thresholds : sequence of float, optional
        0..1, one for each label in order; 0.8 for each if left out.
    nms_threshold : float
        0..1: the overlap above which two boxes of one label are one object.
    discard_threshold : float
        0..1: candidates with a lower score are never reported.
    normalize_wrt_tensor : str
        The tensor that holds height and width of the network's input, by which boxes in pixels are divided; "" if boxes
        are fractions of the image already.
    """

    output: Anchored | Direct | Yolo
    thresholds: tuple[float, ...] | None = None
    nms_threshold: float = field(default=0.3, kw_only=True)
    discard_threshold: float = field(default=0.025, kw_only=True)
    normalize_wrt_tensor: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.output, Anchored | Direct | Yolo):
            raise _check.wrong("Detection.output", "an Anchored, Direct or Yolo", self.output)
        object.__setattr__(self, "thresholds", _fractions("Detection.thresholds", self.thresholds))
        for name in ("nms_threshold", "discard_threshold"):
            object.__setattr__(self, name, _fraction(f"Detection.{name}", getattr(self, name)))
        _check.string("Detection.normalize_wrt_tensor", self.normalize_wrt_tensor)
        if isinstance(self.output, Yolo) and self.normalize_wrt_tensor:
            raise _check.wrong(
                "Detection.normalize_wrt_tensor", "'' for Yolo, whose boxes are fractions", self.normalize_wrt_tensor
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions from raw tensors.

    Parameters
    ----------
    predicted, discarded : tuple of Prediction
        Those whose score reaches the threshold of their label, and those whose does not; by decreasing score. Boxes
        are fractions of the image, ids the numbers of the labels.
    trace : Trace
        Why.
    """

    predicted: tuple[Prediction, ...]
    discarded: tuple[Prediction, ...]
    trace: Trace


def postprocess(
    step: Classification | Detection,
    labels: Sequence[tuple[int, str]],
    tensors: Mapping[str, Any],
    *,
    exclusive: bool = True,
    max_predictions: int = 100,
) -> Outcome:
    """Turn a network's raw tensors into predictions.

    Parameters
    ----------
    step : Classification or Detection
        What to do.
    labels : sequence of (int, str)
        Number and name of each label, in the order of the specification.
    tensors : mapping of str to array_like or torch.Tensor
        The network's outputs for one image, without the batch dimension.
    exclusive : bool
        Whether one label excludes the others; it decides about the thresholds of a classification that has none.
    max_predictions : int
        How many predictions are reported, and how many that are discarded.

    Returns
    -------
    Outcome
        Predictions and the trace.

    Raises
    ------
    InputError
        If labels have one number twice, there is not one threshold for each label, or a tensor is missing, of another
        shape, or holds what cannot be a score, a label or a box.
    UnknownNameError
        If there is no tensor of a name.

    Examples
    --------
    >>> step = Detection(Direct("boxes", "scores", "classes"), thresholds=[0.6], nms_threshold=0.5)
    >>> corners = [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.6], [0.5, 0.5, 1, 1]]
    >>> tensors = {"boxes": corners, "scores": [0.9, 0.8, 0.3], "classes": [4, 4, 4]}
    >>> outcome = postprocess(step, [(4, "cat")], tensors)
    >>> [str(candidate) for candidate in outcome.trace]
    ['cat 0.900 predicted', 'cat 0.800 suppressed by 0 with overlap 0.833', 'cat 0.300 discarded']
    >>> outcome.predicted[0].region
    Box(x0=0.0, y0=0.0, x1=0.5, y1=0.5, unit='fraction')
    """
    names = _labels(labels)
    exclusive = _check.boolean("exclusive", exclusive)
    most = _check.integer("max_predictions", max_predictions, least=0)
    if isinstance(step, Classification):
        scores = layouts.scores(tensors, step.output_tensor, len(names))
        found, default = _Candidates(None, scores, np.arange(len(names))), 0.025 if exclusive else 0.5
    elif isinstance(step, Detection):
        found, default = _detect(step, names, tensors), 0.8
    else:
        raise _check.wrong("step", "a Classification or Detection", step)
    thresholds = (default,) * len(names) if step.thresholds is None else step.thresholds
    if len(thresholds) != len(names):
        raise InputError(f"thresholds must be one for each of the {len(names)} labels, got {len(thresholds)}")
    return _outcome(found, names, thresholds, most)


@dataclass(slots=True)
class _Candidates:
    """Rows of candidates on their way; of those that are neither dropped nor suppressed the fate is still open."""

    boxes: Float64 | None
    scores: Float64
    labels: Int64
    fates: Int64 = field(init=False)
    by: Int64 = field(init=False)
    overlaps: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self.fates = np.full(self.scores.size, _OPEN)
        self.by = np.full(self.scores.size, -1)
        self.overlaps = np.zeros(self.scores.size)


def _detect(step: Detection, names: Labels, tensors: Mapping[str, Any]) -> _Candidates:
    """Decode, drop and suppress."""
    corners, scores, labels = _decode(step.output, names, tensors)
    if step.normalize_wrt_tensor:
        height, width = layouts.image_size(tensors, step.normalize_wrt_tensor)
        corners = corners / np.array([width, height, width, height])
    dropped = scores < step.discard_threshold
    rows = np.flatnonzero(~dropped)
    _check_boxes(step.output, corners[rows], labels[rows])
    corners[:, 2:] = np.maximum(corners[:, :2], corners[:, 2:])  # a dropped box may end before it starts
    corners = np.clip(corners, 0.0, 1.0)
    found = _Candidates(corners, scores, labels)
    by, overlaps = boxes.suppressors(corners[rows], scores[rows], step.nms_threshold, labels[rows])
    found.fates[dropped] = _DROPPED
    found.fates[rows[by >= 0]] = _SUPPRESSED
    found.by[rows[by >= 0]] = rows[by[by >= 0]]
    found.overlaps[rows] = overlaps
    return found


def _decode(
    output: Anchored | Direct | Yolo, names: Labels, tensors: Mapping[str, Any]
) -> tuple[Float64, Float64, Int64]:
    """Return boxes (candidates, 4), scores and positions of labels (candidates,)."""
    positions = np.arange(len(names))
    if isinstance(output, Direct):
        corners, scores, numbers = layouts.direct(
            tensors, output.boxes_tensor, output.scores_tensor, output.classes_tensor, len(names)
        )
        if output.order == "yxyx":
            corners = corners[..., [1, 0, 3, 2]]
        known = np.array([number for number, _ in names], np.float64)
        same = numbers[..., np.newaxis] == known
        positions = np.where(same.any(axis=-1), same.argmax(axis=-1), -1)
    elif isinstance(output, Anchored):
        corners, scores = layouts.anchored(
            tensors, output.anchors_tensor, output.scores_tensor, output.offsets_tensor, len(names)
        )
    else:
        corners, scores = layouts.yolo(tensors, output.output_tensor, output.anchors, len(names))
    corners = np.broadcast_to(corners, (*scores.shape, 4)).reshape(-1, 4).copy()
    return corners, scores.ravel(), np.broadcast_to(positions, scores.shape).ravel()


def _check_boxes(output: Anchored | Direct | Yolo, corners: Float64, labels: Int64) -> None:
    """Raise if boxes that count have an unknown label, end before they start, or are in pixels."""
    if isinstance(output, Yolo):
        return
    if isinstance(output, Direct):
        if (labels < 0).any():
            raise InputError(f"tensor {output.classes_tensor!r} must hold numbers of labels, got one that no label has")
        inverted = np.flatnonzero((corners[:, :2] > corners[:, 2:]).any(axis=1))
        if inverted.size:
            raise InputError(
                f"tensor {output.boxes_tensor!r} must hold xmin <= xmax and ymin <= ymax, "
                f"got x {corners[inverted[0], 0]:g} to {corners[inverted[0], 2]:g} and "
                f"y {corners[inverted[0], 1]:g} to {corners[inverted[0], 3]:g}"
            )
    if corners.size and (farthest := np.abs(corners).max()) > _FARTHEST:
        name = output.boxes_tensor if isinstance(output, Direct) else output.anchors_tensor
        raise InputError(
            f"tensor {name!r} must hold boxes in fractions of the image, got an edge at {farthest:g}; "
            "boxes in pixels need normalize_wrt_tensor"
        )


def _outcome(found: _Candidates, names: Labels, thresholds: tuple[float, ...], most: int) -> Outcome:
    """Compare with the thresholds and report the best."""
    is_open = found.fates == _OPEN
    reaches = found.scores >= np.array(thresholds)[found.labels]
    order = np.argsort(-found.scores, kind="stable")
    for fate, applies in ((_PREDICTED, is_open & reaches), (_DISCARDED, is_open & ~reaches)):
        found.fates[applies] = fate
        found.fates[order[applies[order]][most:]] = _BEYOND
    columns = (found.boxes, found.scores, found.labels, found.fates, found.by, found.overlaps)
    trace = Trace(*columns, names=names, thresholds=thresholds)
    predicted, discarded = (
        tuple(trace.prediction(i) for i in trace.select(fate).tolist()) for fate in ("predicted", "discarded")
    )
    return Outcome(predicted, discarded, trace)


def _labels(labels: Any) -> Labels:
    """Check numbers and names of labels."""
    try:
        pairs = [(number, name) for number, name in labels]
    except (TypeError, ValueError):
        raise _check.wrong("labels", "a sequence of (number, name)", labels) from None
    names = tuple(
        (_check.integer(f"labels[{i}]", number, least=0), _check.string(f"labels[{i}]", name))
        for i, (number, name) in enumerate(pairs)
    )
    if not names or len({number for number, _ in names}) < len(names):
        raise _check.wrong("labels", "one or more pairs with different numbers", labels)
    return names


def _fractions(name: str, values: Any) -> tuple[float, ...] | None:
    if values is None:
        return None
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise _check.wrong(name, "a sequence of numbers 0..1", values)
    return tuple(_fraction(f"{name}[{i}]", value) for i, value in enumerate(values))


def _fraction(name: str, value: Any) -> float:
    result = _check.number(name, value)
    if not 0 <= result <= 1:
        raise _check.wrong(name, "a number 0..1", value)
    return result
