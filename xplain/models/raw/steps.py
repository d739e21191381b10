"""The post-processing of a version of Deepomatic's, from a network's raw tensors to predictions.

A version has one step for each output (``post_processings`` of its specification): a `Classification` compares scores
with thresholds; a `Detection` decodes boxes from one of three layouts, suppresses those that overlap a better one of
the same label, and compares the others with thresholds. `postprocess` carries a step out on tensors by name, without
their batch dimension. N is the number of proposals and L that of labels.

The vendor documents what each tensor holds and what the thresholds mean. The rest is inferred from the publications of
the networks: Faster R-CNN's parametrisation of offsets (arXiv:1506.01497), YOLOv2's of its grid (arXiv:1612.08242),
that boxes are cut to the image before they are compared, and the order of what is done:

1. A candidate whose score is below ``discard_threshold`` is dropped.
2. The candidates of one label are taken by decreasing score. One is suppressed if its overlap (intersection over union)
   with a better one, not suppressed itself, is above ``nms_threshold``.
3. Each other candidate is predicted if its score reaches the threshold of its label, and discarded if not.
4. The best ``max_predictions`` of the predicted are reported, and as many of the discarded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._value import checked, value
from xplain.errors import InputError
from xplain.explanation import Prediction
from xplain.kernels import boxes
from xplain.models.raw import layouts
from xplain.models.raw.trace import FATES, Trace

Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]
Labels: TypeAlias = tuple[tuple[int, str], ...]

_DROPPED, _SUPPRESSED, _DISCARDED, _PREDICTED, _BEYOND = range(len(FATES))
_UNDECIDED = -1
_FARTHEST_EDGE = 10.0  # in widths or heights of the image; an edge farther away must be in pixels

# Thresholds of a step that has none of its own.
_EXCLUSIVE_THRESHOLD, _MULTILABEL_THRESHOLD, _DETECTION_THRESHOLD = 0.025, 0.5, 0.8


def _fraction(name: str, value: Any) -> float:
    number = _check.number(name, value)
    if not 0 <= number <= 1:
        raise _check.wrong(name, "a number 0..1", value)
    return number


def _fractions(name: str, values: Any) -> tuple[float, ...]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise _check.wrong(name, "a sequence of numbers 0..1", values)
    return tuple(_fraction(f"{name}[{i}]", value) for i, value in enumerate(values))


def _anchors(name: str, values: Any) -> tuple[float, ...]:
    anchors = tuple(_check.number(name, side) for side in values)
    if not anchors or len(anchors) % 2 or min(anchors) <= 0:
        raise _check.wrong(name, "pairs of a positive width and height", values)
    return anchors


@value
class Classification:
    """Scores are compared with thresholds.

    Parameters
    ----------
    output_tensor : str
        The tensor of the scores, of size L, 0..1.
    thresholds : sequence of float, optional
        0..1, one for each label in order; 0.025 for each label if the labels are exclusive and 0.5 if not.
    """

    output_tensor: str = checked(_check.string)
    thresholds: tuple[float, ...] | None = checked(_fractions, default=None)


@dataclass(frozen=True, slots=True)
class Anchored:
    """Layout of Faster R-CNN: boxes as offsets from proposals.

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


@value
class Direct:
    """Layout of the TensorFlow object detection API: boxes as such.

    Parameters
    ----------
    boxes_tensor : str
        N x L x 4, or N x 4 where each proposal has one label.
    scores_tensor : str
        N x L or N, 0..1.
    classes_tensor : str
        N x L or N: numbers of labels in the specification, not their positions.
    order : {"xyxy", "yxyx"}
        Order in a box: xmin ymin xmax ymax, as documented, or ymin xmin ymax xmax, as TensorFlow's networks have it.
    """

    boxes_tensor: str
    scores_tensor: str
    classes_tensor: str
    order: str = checked(_check.choice, allowed=("xyxy", "yxyx"), default="xyxy")


@value
class Yolo:
    """Layout of YOLOv2: boxes on a grid.

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
    anchors: tuple[float, ...] = checked(_anchors)


@value
class Detection:
    """Boxes are decoded, suppressed where they overlap, and their scores compared with thresholds.

    Parameters
    ----------
    output : Anchored, Direct or Yolo
        Layout of the tensors that boxes are decoded from.
    thresholds : sequence of float, optional
        0..1, one for each label in order; 0.8 for each if left out.
    nms_threshold : float
        0..1: the overlap above which two boxes of one label are one object.
    discard_threshold : float
        0..1: candidates with a lower score are never reported.
    normalize_wrt_tensor : str
        The tensor with height and width of the network's input, by which boxes in pixels are divided; "" if boxes are
        fractions of the image already.
    """

    output: Anchored | Direct | Yolo = checked(
        _check.instance, kind=Anchored | Direct | Yolo, expected="an Anchored, Direct or Yolo"
    )
    thresholds: tuple[float, ...] | None = checked(_fractions, default=None)
    nms_threshold: float = checked(_fraction, default=0.3, kw_only=True)
    discard_threshold: float = checked(_fraction, default=0.025, kw_only=True)
    normalize_wrt_tensor: str = checked(_check.string, default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.output, Yolo) and self.normalize_wrt_tensor:
            raise _check.wrong(
                "Detection.normalize_wrt_tensor", "'' for Yolo, whose boxes are fractions", self.normalize_wrt_tensor
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a step.

    Parameters
    ----------
    predicted, discarded : tuple of Prediction
        Those whose score reaches the threshold of their label, and those whose score does not; by decreasing score.
        Boxes are fractions of the image, ids the numbers of the labels.
    trace : Trace
        What became of each candidate.
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
        The step to carry out.
    labels : sequence of (int, str)
        Number and name of each label, in the order of the specification.
    tensors : mapping of str to array_like or torch.Tensor
        The network's outputs for one image, without the batch dimension.
    exclusive : bool
        Whether one label excludes the others; it decides the thresholds of a classification that has none.
    max_predictions : int
        How many predictions are reported, and how many that are discarded.

    Returns
    -------
    Outcome
        Predictions and the trace.

    Raises
    ------
    InputError
        If labels have one number twice, there is not one threshold for each label, or a tensor has another shape or
        holds what cannot be a score, a label or a box.
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
    names = _check_labels(labels)
    exclusive = _check.boolean("exclusive", exclusive)
    most = _check.integer("max_predictions", max_predictions, least=0)
    if isinstance(step, Classification):
        scores = layouts.decode_scores(tensors, step.output_tensor, len(names))
        candidates = _Candidates(None, scores, np.arange(len(names)))
        default = _EXCLUSIVE_THRESHOLD if exclusive else _MULTILABEL_THRESHOLD
    elif isinstance(step, Detection):
        candidates, default = _find_candidates(step, names, tensors), _DETECTION_THRESHOLD
    else:
        raise _check.wrong("step", "a Classification or Detection", step)
    thresholds = (default,) * len(names) if step.thresholds is None else step.thresholds
    if len(thresholds) != len(names):
        raise InputError(f"thresholds must be one for each of the {len(names)} labels, got {len(thresholds)}")
    _apply_thresholds(candidates, thresholds, most)
    return _outcome(candidates, names, thresholds)


@dataclass(slots=True)
class _Candidates:
    """The columns of a `Trace` while steps fill them in; fates are undecided at first."""

    boxes: Float64 | None
    scores: Float64
    labels: Int64
    fates: Int64 = field(init=False)
    by: Int64 = field(init=False)
    overlaps: Float64 = field(init=False)

    def __post_init__(self) -> None:
        self.fates = np.full(self.scores.size, _UNDECIDED)
        self.by = np.full(self.scores.size, -1)
        self.overlaps = np.zeros(self.scores.size)


def _find_candidates(step: Detection, names: Labels, tensors: Mapping[str, Any]) -> _Candidates:
    """Decode the boxes, drop those with a low score, and suppress those that overlap a better one."""
    corners, scores, labels = _decode(step.output, names, tensors)
    if step.normalize_wrt_tensor:
        height, width = layouts.decode_image_size(tensors, step.normalize_wrt_tensor)
        corners = corners / np.array([width, height, width, height])
    dropped = scores < step.discard_threshold
    rows = np.flatnonzero(~dropped)
    _check_boxes(step.output, corners[rows], labels[rows])
    # Dropped boxes are not checked: padding may hold any numbers. In the trace they end no earlier than they start.
    corners[:, 2:] = np.maximum(corners[:, :2], corners[:, 2:])
    corners = np.clip(corners, 0.0, 1.0)
    candidates = _Candidates(corners, scores, labels)
    by, overlaps = boxes.suppressors(corners[rows], scores[rows], step.nms_threshold, labels[rows])
    suppressed = by >= 0
    candidates.fates[dropped] = _DROPPED
    candidates.fates[rows[suppressed]] = _SUPPRESSED
    candidates.by[rows[suppressed]] = rows[by[suppressed]]
    candidates.overlaps[rows] = overlaps
    return candidates


def _decode(
    output: Anchored | Direct | Yolo, names: Labels, tensors: Mapping[str, Any]
) -> tuple[Float64, Float64, Int64]:
    """Return boxes (candidates, 4), scores (candidates,) and positions of labels (candidates,), -1 for no label."""
    positions = np.arange(len(names))
    if isinstance(output, Direct):
        corners, scores, numbers = layouts.decode_direct(
            tensors, output.boxes_tensor, output.scores_tensor, output.classes_tensor, len(names)
        )
        if output.order == "yxyx":
            corners = corners[..., [1, 0, 3, 2]]
        is_label = numbers[..., np.newaxis] == np.array([number for number, _ in names], np.float64)
        positions = np.where(is_label.any(axis=-1), is_label.argmax(axis=-1), -1)
    elif isinstance(output, Anchored):
        corners, scores = layouts.decode_anchored(
            tensors, output.anchors_tensor, output.scores_tensor, output.offsets_tensor, len(names)
        )
    else:
        corners, scores = layouts.decode_yolo(tensors, output.output_tensor, output.anchors, len(names))
    # One candidate for each label of a box; the labels of a YOLO box share its corners.
    corners = np.broadcast_to(corners, (*scores.shape, 4)).reshape(-1, 4).copy()
    return corners, scores.ravel(), np.broadcast_to(positions, scores.shape).ravel()


def _check_boxes(output: Anchored | Direct | Yolo, corners: Float64, labels: Int64) -> None:
    """Raise if boxes have an unknown label, end before they start, or are in pixels."""
    if isinstance(output, Yolo):
        return  # decoded here from the grid, so none of this can be wrong
    if isinstance(output, Direct):
        if (labels < 0).any():
            raise InputError(f"tensor {output.classes_tensor!r} must hold numbers of labels, got one that no label has")
        inverted = np.flatnonzero((corners[:, :2] > corners[:, 2:]).any(axis=1))
        if inverted.size:
            x0, y0, x1, y1 = corners[inverted[0]]
            raise InputError(
                f"tensor {output.boxes_tensor!r} must hold xmin <= xmax and ymin <= ymax, "
                f"got x {x0:g} to {x1:g} and y {y0:g} to {y1:g}"
            )
    if corners.size and (farthest := np.abs(corners).max()) > _FARTHEST_EDGE:
        name = output.boxes_tensor if isinstance(output, Direct) else output.anchors_tensor
        raise InputError(
            f"tensor {name!r} must hold boxes in fractions of the image, got an edge at {farthest:g}; "
            "boxes in pixels need normalize_wrt_tensor"
        )


def _apply_thresholds(candidates: _Candidates, thresholds: tuple[float, ...], most: int) -> None:
    """Decide the fates that are open: predicted or discarded, but only the best ``most`` of each."""
    undecided = candidates.fates == _UNDECIDED
    reaches = candidates.scores >= np.array(thresholds)[candidates.labels]
    order = np.argsort(-candidates.scores, kind="stable")
    for fate, applies in ((_PREDICTED, undecided & reaches), (_DISCARDED, undecided & ~reaches)):
        candidates.fates[applies] = fate
        candidates.fates[order[applies[order]][most:]] = _BEYOND


def _outcome(candidates: _Candidates, names: Labels, thresholds: tuple[float, ...]) -> Outcome:
    trace = Trace(
        candidates.boxes,
        candidates.scores,
        candidates.labels,
        candidates.fates,
        candidates.by,
        candidates.overlaps,
        names=names,
        thresholds=thresholds,
    )
    predicted, discarded = (
        tuple(trace.prediction(i) for i in trace.select(fate).tolist()) for fate in ("predicted", "discarded")
    )
    return Outcome(predicted, discarded, trace)


def _check_labels(labels: Any) -> Labels:
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
