"""Decode the layouts in which networks lay out their raw tensors: into boxes, scores and labels of candidates.

Every function takes tensors by name, without their batch dimension, and the names of those that it reads; its errors
name the tensor that is wrong. Boxes are x0 y0 x1 y1. N is the number of proposals, L that of labels.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.models.outputs import softmax

Float64: TypeAlias = npt.NDArray[np.float64]
Tensors: TypeAlias = Mapping[str, Any]

_ROUNDING = 1e-6  # how far rounding in float32 may take a probability out of 0..1
_LARGEST_EXPONENT = 500.0  # exp() of more would make sides of boxes infinite, and their areas NaN


def decode_scores(tensors: Tensors, name: str, labels: int) -> Float64:
    """Return the scores (L,) of a classification."""
    values = _read_tensor(tensors, name, f"{labels}, the number of labels", (labels,))
    return _check_probabilities(values, name)


def decode_image_size(tensors: Tensors, name: str) -> tuple[float, float]:
    """Return height and width from a tensor that starts with them."""
    values = _read_tensor(tensors, name, "at least 2: height and width", (None,), (1, None)).ravel()
    if values.size < 2 or not (values[:2] >= 1).all():
        raise InputError(f"tensor {name!r} must start with height and width in pixels, got {values[:2].tolist()}")
    return float(values[0]), float(values[1])


def decode_anchored(
    tensors: Tensors, anchors_tensor: str, scores_tensor: str, offsets_tensor: str, labels: int
) -> tuple[Float64, Float64]:
    """Return boxes (N, L, 4) and scores (N, L) from proposals and offsets, the heads of Faster R-CNN."""
    anchors = _read_tensor(tensors, anchors_tensor, "N x 5", (None, 5))
    count, classes = anchors.shape[0], labels + 1
    scores = _read_tensor(
        tensors, scores_tensor, f"{count} x {classes}: the background and each label", (count, classes)
    )
    offsets = _read_tensor(
        tensors,
        offsets_tensor,
        f"{count} x {classes} x 4 or {count} x {4 * classes}: for the background and each label",
        (count, classes, 4),
        (count, 4 * classes),
    ).reshape(count, classes, 4)[:, 1:]
    corner, size = anchors[:, np.newaxis, 1:3], anchors[:, np.newaxis, 3:]  # column 0 is the proposal's own score
    if (size < 0).any():
        raise InputError(f"tensor {anchors_tensor!r} must hold widths and heights >= 0, got {size.min():g}")
    centre = corner + size / 2 + offsets[..., :2] * size
    half = size * np.exp(np.minimum(offsets[..., 2:], _LARGEST_EXPONENT)) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1)
    return boxes, _check_probabilities(scores, scores_tensor)[:, 1:]


def decode_direct(
    tensors: Tensors, boxes_tensor: str, scores_tensor: str, classes_tensor: str, labels: int
) -> tuple[Float64, Float64, Float64]:
    """Return boxes (N, K, 4), scores (N, K) and label numbers (N, K) that are given as such; K is L or 1."""
    size = f"N x {labels} or N"
    scores = _check_probabilities(_read_tensor(tensors, scores_tensor, size, (None, labels), (None,)), scores_tensor)
    shape = scores.shape
    size = " x ".join(map(str, shape))
    numbers = _read_tensor(tensors, classes_tensor, f"{size}, that of the scores", shape)
    boxes = _read_tensor(tensors, boxes_tensor, f"{size} x 4", (*shape, 4))
    columns = shape[1] if len(shape) == 2 else 1
    return boxes.reshape(shape[0], columns, 4), scores.reshape(-1, columns), numbers.reshape(-1, columns)


def decode_yolo(tensors: Tensors, name: str, anchors: tuple[float, ...], labels: int) -> tuple[Float64, Float64]:
    """Return boxes (H * W * A, 1, 4), in fractions of the image, and scores (H * W * A, L) from a YOLOv2 grid."""
    count, fields = len(anchors) // 2, 5 + labels
    size = f"H x W x {count * fields}: for each of {count} anchors 5 and {labels} numbers"
    output = _read_tensor(tensors, name, size, (None, None, count * fields))
    height, width = output.shape[:2]
    output = output.reshape(height, width, count, fields)
    cell = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)[:, :, np.newaxis]
    grid = np.array([width, height], np.float64)
    centre = (cell + _sigmoid(output[..., :2])) / grid
    sides = np.reshape(anchors, (count, 2)) * np.exp(np.minimum(output[..., 2:4], _LARGEST_EXPONENT)) / grid
    boxes = np.concatenate([centre - sides / 2, centre + sides / 2], axis=-1)
    scores = _sigmoid(output[..., 4:5]) * softmax(output[..., 5:])
    return boxes.reshape(-1, 1, 4), scores.reshape(-1, labels)


def _read_tensor(tensors: Tensors, name: str, size: str, *shapes: tuple[int | None, ...]) -> Float64:
    """Return a finite tensor of one of several shapes, in which None stands for any length; ``size`` describes them."""
    values = tensors[_check.known("tensor", name, tensors)]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        values = values.detach().double().cpu().numpy()
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf" and array.size:
            raise TypeError
    except (TypeError, ValueError):
        raise _check.wrong(f"tensor {name!r}", "an array of numbers", values) from None
    if not any(len(shape) == array.ndim and _fits(shape, array.shape) for shape in shapes):
        raise InputError(f"tensor {name!r} must be of size {size}, got {' x '.join(map(str, array.shape)) or 'one'}")
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise InputError(f"tensor {name!r} must be finite, got NaN or infinity")
    return numbers


def _fits(expected: tuple[int | None, ...], actual: tuple[int, ...]) -> bool:
    return all(length in (None, side) for length, side in zip(expected, actual, strict=True))


def _check_probabilities(values: Float64, name: str) -> Float64:
    if values.size and not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):
        raise InputError(
            f"tensor {name!r} must hold scores 0..1, got {values.min():g} to {values.max():g}; "
            "let the network end with its softmax or sigmoid"
        )
    return np.clip(values, 0.0, 1.0)


def _sigmoid(values: Float64) -> Float64:
    probabilities: Float64 = 0.5 + 0.5 * np.tanh(values / 2)  # does not overflow, as 1 / (1 + exp(-x)) does
    return probabilities
