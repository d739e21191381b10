"""Detections of one image as arrays or tensors, their similarity, and the check of what a detector returns.

A detection is found again on a changed image by its box and class: `similarity` compares each target with everything
that is detected there. The functions work on NumPy arrays and on torch tensors alike, so that gradients flow.
"""

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

_ROUNDING = 1e-3  # how far rounding, also of half precision, takes a score out of 0..1


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
        Confidence of the model in each.
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
        """Return the detections that an index array selects."""
        probabilities = None if self.probabilities is None else self.probabilities[index]
        return Detections(self.boxes[index], self.labels[index], self.scores[index], probabilities)

    def numpy(self) -> Detections:
        """Return the detections as NumPy arrays."""
        probabilities = None if self.probabilities is None else outputs.as_numpy(self.probabilities)
        return Detections(
            outputs.as_numpy(self.boxes), outputs.as_numpy(self.labels), outputs.as_numpy(self.scores), probabilities
        )

    def check_probabilities(self) -> None:
        """Raise InputError for scores that are no probabilities, such as percent or logits."""
        if not len(self):
            return
        scores = outputs.as_numpy(self.scores)
        low, high = float(scores.min()), float(scores.max())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise InputError(
                f"model output must hold scores from 0 to 1, got {low:.4g} to {high:.4g}; for logits pass "
                "output='logit'"
            )

    def with_sigmoid(self) -> Detections:
        """Return the detections with the sigmoid of their scores and probabilities, which are logits."""
        probabilities = None if self.probabilities is None else _sigmoid(self.probabilities)
        return Detections(self.boxes, self.labels, _sigmoid(self.scores), probabilities)

    @classmethod
    def concatenate(cls, parts: Sequence[Detections]) -> Detections:
        """Join detections that are arrays, all with or all without probabilities."""
        boxes, labels, scores = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "labels", "scores")
        )
        if parts[0].probabilities is None:
            return cls(boxes, labels, scores)
        return cls(boxes, labels, scores, np.concatenate([part.probabilities for part in parts]))

    def tensors(self, like: Any) -> Detections:
        """Return detections that are arrays as tensors of the device and floating type of ``like``."""
        probabilities = None if self.probabilities is None else like.new_tensor(self.probabilities)
        labels = sys.modules["torch"].as_tensor(self.labels, device=like.device)
        return Detections(like.new_tensor(self.boxes), labels, like.new_tensor(self.scores), probabilities)


def similarity(targets: Detections, detections: Detections) -> Any:
    """Return how well each of M detections matches each of T targets.

    This is D-RISE's product of three terms: the overlap of the boxes (intersection over union), the likeness of the
    classes (the cosine of their probabilities; without probabilities, 1 for equal labels and else 0), and the
    confidence. D-RISE takes the objectness as confidence; here it is the score that the detection gives to the
    *target's* class, so that two classes on one box are told apart. A target compared with itself reaches its score.

    Parameters
    ----------
    targets : Detections
        T detections.
    detections : Detections
        M detections; arrays of the same library. Gradients flow through tensors.

    Returns
    -------
    array (T, M)
        In units of the score; never negative where scores are not.

    References
    ----------
    Petsiuk et al., Black-box Explanation of Object Detectors via Saliency Maps, CVPR 2021, arXiv:2006.03204, section
    3.3.

    Examples
    --------
    >>> cat = Detections(np.array([[0., 0, 2, 2]]), np.array([3]), np.array([0.9]))
    >>> others = Detections(np.array([[0., 0, 2, 4], [0, 0, 2, 2]]), np.array([3, 5]), np.array([0.8, 0.7]))
    >>> similarity(cat, others).tolist()
    [[0.4, 0.0]]
    """
    return overlaps(targets.boxes, detections.boxes) * _class_match(targets, detections)


def best_match(targets: Detections, detections: Detections) -> Any:
    """Return for each of T targets the largest `similarity` (T,) of M detections; 0 where nothing overlaps it."""
    touching = (overlaps(targets.boxes, detections.boxes) > 0).any(0)
    if not bool(touching.any()):
        # A zero that depends on the detections, so that gradients exist (and are 0).
        return (detections.boxes.sum() + detections.scores.sum()) * 0 + _like([0] * len(targets), targets.boxes)
    values = similarity(targets, detections.rows(touching))
    return values.max(1) if isinstance(values, np.ndarray) else values.amax(1)


def overlaps(boxes: Any, others: Any) -> Any:
    """Return the intersection over union (T, M) of boxes (T, 4) and others (M, 4); 0 for boxes without area.

    Both are arrays or both tensors, through which gradients flow. `xplain.kernels.boxes` is faster for many boxes, but
    has no gradients.
    """
    xp = _library(others)
    width, height = (
        xp.minimum(boxes[:, None, end], others[None, :, end])
        - xp.maximum(boxes[:, None, start], others[None, :, start])
        for start, end in ((0, 2), (1, 3))
    )
    shared = width.clip(min=0) * height.clip(min=0)
    areas, other_areas = (
        (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]) for corners in (boxes, others)
    )
    union = areas[:, None] + other_areas[None, :] - shared
    return shared / xp.where(union > 0, union, 1.0)


def _class_match(targets: Detections, detections: Detections) -> Any:
    """Return likeness of the classes times confidence (T, M), the last two terms of `similarity`."""
    if targets.probabilities is None or detections.probabilities is None:
        return detections.scores[None, :] * (targets.labels[:, None] == detections.labels[None, :])
    xp = _library(detections.boxes)
    directions, others = (
        vectors / xp.sqrt((vectors * vectors).sum(-1))[:, None].clip(min=1e-12)  # also where all are 0
        for vectors in (targets.probabilities, detections.probabilities)
    )
    return (directions @ others.T) * detections.probabilities.T[targets.labels]


def read_detections(output: Any, count: int, size: tuple[int, int]) -> list[Detections]:
    """Check what a detector returns for a batch.

    Parameters
    ----------
    output : iterable
        For each image a mapping, or an object, with ``boxes``, ``labels``, ``scores`` and maybe ``probabilities``, as
        arrays or tensors; boxes are in pixels of the input, or in fractions of its sides where ``unit`` says
        "fraction". A result of ultralytics (``boxes.xyxy``, ``boxes.cls``, ``boxes.conf``) and Detections of
        supervision (``xyxy``, ``class_id``, ``confidence``) are read too. For a batch of one, the mapping may come
        without a list around it.
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
        If something is missing, has another shape, or is not finite.
    """
    if count == 1 and (isinstance(output, Mapping) or hasattr(output, "xyxy") or hasattr(output, "boxes")):
        output = [output]
    if isinstance(output, (str, bytes, Mapping)) or not isinstance(output, Iterable) or hasattr(output, "ndim"):
        raise InputError(
            "model output must be one mapping with boxes, labels and scores for each image, got "
            f"{type(output).__name__}; for raw tensors, pass postprocess=..."
        )
    images = list(output)
    if len(images) != count:
        raise InputError(f"model output must have {count} mappings, one for each image, got {len(images)}")
    return [_read_image(image, f"model output[{i}]", size) for i, image in enumerate(images)]


def _read_image(image: Any, where: str, size: tuple[int, int]) -> Detections:
    """Check the detections of one image; ``where`` names them in messages."""
    fields = _fields(image)
    missing = [name for name in ("boxes", "labels", "scores") if fields.get(name) is None]
    if missing:
        raise InputError(f"{where} must have boxes, labels and scores, got no {' and no '.join(missing)}")
    boxes, labels, scores, probabilities = (
        _array(f"{where}[{name!r}]", fields.get(name)) for name in ("boxes", "labels", "scores", "probabilities")
    )
    labels = _whole_numbers(labels)
    count = len(scores)
    if count == 0:
        boxes = boxes.reshape(0, 4)  # an empty list has one axis
    _check_array(f"{where}['boxes']", boxes, (count, 4))
    _check_array(f"{where}['labels']", labels, (count,), finite=False)
    _check_array(f"{where}['scores']", scores, (count,))
    if probabilities is not None:
        _check_array(f"{where}['probabilities']", probabilities, (count, *probabilities.shape[-1:]))
    if _check.choice(f"{where}['unit']", fields.get("unit") or "pixel", LENGTH_UNITS) == "fraction":
        height, width = size
        boxes = boxes * _like([width, height, width, height], boxes)
    return Detections(boxes, labels, scores, probabilities)


def _fields(image: Any) -> Mapping[str, Any]:
    if isinstance(image, Mapping):
        return image
    if hasattr(image, "xyxy") and hasattr(image, "class_id"):  # supervision
        data = getattr(image, "data", None) or {}
        labels = image.class_id if image.class_id is not None else data.get("class_name")
        return {"boxes": image.xyxy, "labels": labels, "scores": image.confidence}
    boxes: Any = getattr(image, "boxes", None)
    if hasattr(boxes, "xyxy"):  # ultralytics
        return {"boxes": boxes.xyxy, "labels": boxes.cls, "scores": boxes.conf}
    return {name: getattr(image, name, None) for name in ("boxes", "labels", "scores", "probabilities")}


def _check_array(name: str, array: Any, shape: tuple[int, ...], finite: bool = True) -> None:
    if tuple(array.shape) != shape:
        raise InputError(f"{name} must be of shape {shape}, got {tuple(array.shape)}")
    if finite and not _is_finite(array):
        raise InputError(f"{name} must be finite, got NaN or infinity")


def _is_finite(array: Any) -> bool:
    isfinite = _library(array).isfinite
    with np.errstate(all="ignore"):
        # NaN and infinity show in the sum, which costs far less than a look at each of many candidates' classes.
        return bool(isfinite(array.sum())) or bool(isfinite(array).all())


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


def _whole_numbers(labels: Any) -> Any:
    """Return class numbers as int64, and names as they are."""
    if isinstance(labels, np.ndarray):
        return labels if labels.dtype.kind == "U" else labels.astype(np.int64)
    return labels.long()


def _library(array: Any) -> Any:
    """Return numpy or torch, whose functions of these names do the same."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def _sigmoid(scores: Any) -> Any:
    return 1 / (1 + np.exp(-scores)) if isinstance(scores, np.ndarray) else scores.sigmoid()


def _like(values: list[int], like: Any) -> Any:
    """Return numbers as an array or tensor of the type of ``like``."""
    return np.array(values, like.dtype) if isinstance(like, np.ndarray) else like.new_tensor(values)
