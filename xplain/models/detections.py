"""Detections of one image, and how alike two of them are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain import _check
from xplain.errors import InputError
from xplain.explanation.regions import LENGTH_UNITS
from xplain.models import outputs


@dataclass(frozen=True, slots=True)
class Detections:
    """M detections of one image, as NumPy arrays or as torch tensors through which gradients flow.

    Parameters
    ----------
    boxes : array (M, 4)
        x0, y0, x1, y1 in pixels of the model's input.
    labels : array (M,)
        Class numbers, or names where a black box gives names.
    scores : array (M,)
        How sure the model is of each.
    probabilities : array (M, classes), optional
        A score for each class.
    """

    boxes: Any
    labels: Any
    scores: Any
    probabilities: Any = None

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, index: Any) -> Detections:
        """Return some of the detections, by an index array."""
        classes = None if self.probabilities is None else self.probabilities[index]
        return Detections(self.boxes[index], self.labels[index], self.scores[index], classes)

    def numpy(self) -> Detections:
        """Return them as NumPy arrays."""
        classes = None if self.probabilities is None else outputs.as_numpy(self.probabilities)
        return Detections(
            outputs.as_numpy(self.boxes), outputs.as_numpy(self.labels), outputs.as_numpy(self.scores), classes
        )

    def squashed(self) -> Detections:
        """Return them with scores and probabilities that passed a sigmoid."""
        classes = None if self.probabilities is None else _sigmoid(self.probabilities)
        return Detections(self.boxes, self.labels, _sigmoid(self.scores), classes)

    @classmethod
    def joined(cls, parts: Sequence[Detections]) -> Detections:
        """Return one after the other; arrays, all with or all without probabilities."""
        boxes, labels, scores = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "labels", "scores")
        )
        classes = None if parts[0].probabilities is None else np.concatenate([p.probabilities for p in parts])
        return cls(boxes, labels, scores, classes)

    def tensors(self, like: Any) -> Detections:
        """Return them as tensors of the device and type of another."""
        floats = [None if a is None else like.new_tensor(a) for a in (self.boxes, self.scores, self.probabilities)]
        labels = sys.modules["torch"].as_tensor(self.labels, device=like.device)
        return Detections(floats[0], labels, floats[1], floats[2])


def similarity(targets: Detections, found: Detections) -> Any:
    """How well each of M detections matches each of T targets.

    That is D-RISE's product of three terms: the overlap of the boxes (intersection over union), how alike the classes
    are (the cosine of their probabilities; without them, 1 for equal labels and else 0), and how sure the model is. For
    the last, D-RISE takes the objectness; here it is the score that the detection gives to the *target's* class, so
    that two classes on one box are told apart. It reaches the target's own score for the target itself.

    Parameters
    ----------
    targets : Detections
        T detections.
    found : Detections
        M detections; arrays of the same library. Gradients flow through tensors.

    Returns
    -------
    array (T, M)
        In units of the score, never negative where scores are not.

    References
    ----------
    Petsiuk et al., Black-box Explanation of Object Detectors via Saliency Maps, CVPR 2021, arXiv:2006.03204, section
    3.3.

    Examples
    --------
    >>> cat = Detections(np.array([[0., 0, 2, 2]]), np.array([3]), np.array([0.9]))
    >>> both = Detections(np.array([[0., 0, 2, 4], [0, 0, 2, 2]]), np.array([3, 5]), np.array([0.8, 0.7]))
    >>> similarity(cat, both).tolist()
    [[0.4, 0.0]]
    """
    return overlaps(targets.boxes, found.boxes) * _class_match(targets, found)


def best_match(targets: Detections, found: Detections) -> Any:
    """Return for each of T targets the largest `similarity` (T,) of M detections; 0 where nothing overlaps it."""
    touching = (overlaps(targets.boxes, found.boxes) > 0).any(0)
    if not bool(touching.any()):
        return (found.boxes.sum() + found.scores.sum()) * 0 + _like([0] * len(targets), targets.boxes)
    values = similarity(targets, found.rows(touching))
    return values.max(1) if isinstance(values, np.ndarray) else values.amax(1)


def overlaps(ours: Any, theirs: Any) -> Any:
    """Intersection over union of boxes (T, 4) and (M, 4), as (T, M); 0 for boxes without area.

    Of arrays or tensors: unlike `xplain.kernels.boxes`, which is for many boxes, it lets gradients flow.
    """
    xp = _library(theirs)
    sides = [
        (
            xp.minimum(ours[:, None, end], theirs[None, :, end])
            - xp.maximum(ours[:, None, start], theirs[None, :, start])
        )
        for start, end in ((0, 2), (1, 3))
    ]
    shared = sides[0].clip(min=0) * sides[1].clip(min=0)
    areas = [(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (ours, theirs)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return shared / xp.where(union > 0, union, 1.0)


def _class_match(targets: Detections, found: Detections) -> Any:
    if targets.probabilities is None or found.probabilities is None:
        return found.scores[None, :] * (targets.labels[:, None] == found.labels[None, :])
    xp = _library(found.boxes)
    ours, theirs = (
        p / xp.sqrt((p * p).sum(-1))[:, None].clip(min=1e-12) for p in (targets.probabilities, found.probabilities)
    )
    return (ours @ theirs.T) * found.probabilities.T[targets.labels]


def _library(array: Any) -> Any:
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def read_detections(output: Any, count: int, size: tuple[int, int]) -> list[Detections]:
    """Check what a detector returns for a batch.

    Parameters
    ----------
    output : iterable
        For each image a mapping, or an object, with ``boxes``, ``labels``, ``scores`` and maybe ``probabilities``, as
        arrays or tensors; boxes are in pixels of the input, or in fractions of its sides where ``unit`` says
        "fraction". An ultralytics result (``boxes.xyxy``, ``boxes.cls``, ``boxes.conf``) is understood. One mapping for
        a batch of one is itself.
    count : int
        Size of the batch.
    size : (int, int)
        Height and width of the input.

    Returns
    -------
    list of Detections
        One for each image.

    Raises
    ------
    InputError
        If something is missing, of another shape, or not finite.
    """
    if count == 1 and isinstance(output, Mapping):
        output = [output]
    if isinstance(output, (str, bytes, Mapping)) or not isinstance(output, Iterable) or hasattr(output, "ndim"):
        raise InputError(
            "model output must be one mapping with boxes, labels and scores for each image, got "
            f"{type(output).__name__}; for raw tensors, pass postprocess=..."
        )
    images = list(output)
    if len(images) != count:
        raise InputError(f"model output must have {count} mappings, one for each image, got {len(images)}")
    return [_one(image, i, size) for i, image in enumerate(images)]


def _one(image: Any, number: int, size: tuple[int, int]) -> Detections:
    where = f"model output[{number}]"
    fields = _fields(image)
    missing = [name for name in ("boxes", "labels", "scores") if fields.get(name) is None]
    if missing:
        raise InputError(f"{where} must have boxes, labels and scores, got no {' and no '.join(missing)}")
    boxes, labels, scores, classes = (
        _array(f"{where}[{name!r}]", fields.get(name)) for name in ("boxes", "labels", "scores", "probabilities")
    )
    found = Detections(boxes, _whole(labels), scores, classes)
    m = len(found)
    if m == 0:
        boxes = boxes.reshape(0, 4)
    shapes = {"boxes": (boxes, (m, 4)), "labels": (found.labels, (m,)), "scores": (found.scores, (m,))}
    if found.probabilities is not None:
        shapes["probabilities"] = (found.probabilities, (m, *found.probabilities.shape[-1:]))
    for name, (array, shape) in shapes.items():
        if tuple(array.shape) != shape:
            raise InputError(f"{where}[{name!r}] must be of shape {shape}, got {tuple(array.shape)}")
        if name != "labels" and not _finite(array):
            raise InputError(f"{where}[{name!r}] must be finite, got NaN or infinity")
    if _check.choice(f"{where}['unit']", fields.get("unit") or "pixel", LENGTH_UNITS) == "fraction":
        height, width = size
        boxes = boxes * _like([width, height, width, height], boxes)
    return Detections(boxes, found.labels, found.scores, found.probabilities)


def _finite(array: Any) -> bool:
    isfinite = _library(array).isfinite
    with np.errstate(all="ignore"):
        # NaN and infinity show in the sum, which costs far less than a look at each of many candidates' classes.
        return bool(isfinite(array.sum())) or bool(isfinite(array).all())


def _fields(image: Any) -> Mapping[str, Any]:
    if isinstance(image, Mapping):
        return image
    boxes: Any = getattr(image, "boxes", None)
    if hasattr(boxes, "xyxy"):
        return {"boxes": boxes.xyxy, "labels": boxes.cls, "scores": boxes.conf}
    return {name: getattr(image, name, None) for name in ("boxes", "labels", "scores", "probabilities")}


def _array(name: str, value: Any) -> Any:
    """Return a tensor as it is, and anything else as an array of numbers or strings."""
    torch = sys.modules.get("torch")
    if value is None or (torch is not None and isinstance(value, torch.Tensor)):
        return value
    try:
        array = np.asarray(value)
    except ValueError:
        raise _check.wrong(name, "an array of numbers", value) from None
    if array.dtype.kind not in ("biufU" if "labels" in name else "biuf"):
        raise _check.wrong(name, "an array of numbers", value)
    return array.astype(np.float64) if array.dtype.kind in "biu" else array


def _whole(labels: Any) -> Any:
    """Return class numbers as int64, and names as they are."""
    if isinstance(labels, np.ndarray):
        return labels if labels.dtype.kind == "U" else labels.astype(np.int64)
    return labels.long()


def _sigmoid(scores: Any) -> Any:
    return 1 / (1 + np.exp(-scores)) if isinstance(scores, np.ndarray) else scores.sigmoid()


def _like(values: list[int], like: Any) -> Any:
    return np.array(values, like.dtype) if isinstance(like, np.ndarray) else like.new_tensor(values)
