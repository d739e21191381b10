"""A network's raw tensors as scores, labels and boxes: one row for each candidate.

Every function takes a mapping of names to tensors without their batch dimension, and names in what it refuses the
tensor that is wrong. Boxes are x0 y0 x1 y1.
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

_ROUNDING = 1e-6  # by which probabilities in float32 may leave 0..1
_LARGEST_EXPONENT = 500.0  # keeps the sides of boxes finite


def _tensor(tensors: Tensors, name: str, size: str, *shapes: tuple[int | None, ...]) -> Float64:
    """Return a finite tensor of one of some shapes, of which None fits any length."""
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
    result = array.astype(np.float64)
    if not np.isfinite(result).all():
        raise InputError(f"tensor {name!r} must be finite, got NaN or infinity")
    return result


def _fits(shape: tuple[int | None, ...], found: tuple[int, ...]) -> bool:
    return all(want in (None, have) for want, have in zip(shape, found, strict=True))


def _probabilities(values: Float64, name: str) -> Float64:
    if values.size and not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):
        raise InputError(
            f"tensor {name!r} must hold scores 0..1, got {values.min():g} to {values.max():g}; "
            "let the network end with its softmax or sigmoid"
        )
    return np.clip(values, 0.0, 1.0)


def scores(tensors: Tensors, name: str, labels: int) -> Float64:
    """Return the scores (L,) of a classification."""
    return _probabilities(_tensor(tensors, name, f"{labels}, the number of labels", (labels,)), name)


def image_size(tensors: Tensors, name: str) -> tuple[float, float]:
    """Return height and width from a tensor that starts with them."""
    values = _tensor(tensors, name, "at least 2: height and width", (None,), (1, None)).ravel()
    if values.size < 2 or not (values[:2] >= 1).all():
        raise InputError(f"tensor {name!r} must start with height and width in pixels, got {values[:2].tolist()}")
    return float(values[0]), float(values[1])


def anchored(
    tensors: Tensors, anchors_tensor: str, scores_tensor: str, offsets_tensor: str, labels: int
) -> tuple[Float64, Float64]:
    """Return boxes (N, L, 4) and scores (N, L) of Faster R-CNN's heads."""
    anchors = _tensor(tensors, anchors_tensor, "N x 5", (None, 5))
    count, classes = anchors.shape[0], labels + 1
    chosen = _tensor(tensors, scores_tensor, f"{count} x {classes}: the background and each label", (count, classes))
    offsets = _tensor(
        tensors,
        offsets_tensor,
        f"{count} x {classes} x 4 or {count} x {4 * classes}: for the background and each label",
        (count, classes, 4),
        (count, 4 * classes),
    ).reshape(count, classes, 4)[:, 1:]
    corner, size = anchors[:, np.newaxis, 1:3], anchors[:, np.newaxis, 3:]
    if (size < 0).any():
        raise InputError(f"tensor {anchors_tensor!r} must hold widths and heights >= 0, got {size.min():g}")
    centre = corner + size / 2 + offsets[..., :2] * size
    half = size * np.exp(np.minimum(offsets[..., 2:], _LARGEST_EXPONENT)) / 2
    return np.concatenate([centre - half, centre + half], axis=-1), _probabilities(chosen, scores_tensor)[:, 1:]


def direct(
    tensors: Tensors, boxes_tensor: str, scores_tensor: str, classes_tensor: str, labels: int
) -> tuple[Float64, Float64, Float64]:
    """Return boxes (N, K, 4), scores (N, K) and label numbers (N, K); K is the number of labels or 1."""
    size = f"N x {labels} or N"
    found = _probabilities(_tensor(tensors, scores_tensor, size, (None, labels), (None,)), scores_tensor)
    shape = found.shape
    size = " x ".join(map(str, shape))
    numbers = _tensor(tensors, classes_tensor, f"{size}, that of the scores", shape)
    corners = _tensor(tensors, boxes_tensor, f"{size} x 4", (*shape, 4))
    columns = shape[1] if len(shape) == 2 else 1
    return corners.reshape(shape[0], columns, 4), found.reshape(-1, columns), numbers.reshape(-1, columns)


def yolo(tensors: Tensors, name: str, anchors: tuple[float, ...], labels: int) -> tuple[Float64, Float64]:
    """Return boxes (H * W * A, 1, 4), fractions of the image, and scores (H * W * A, L) of a YOLOv2 head."""
    count, fields = len(anchors) // 2, 5 + labels
    size = f"H x W x {count * fields}: for each of {count} anchors 5 and {labels} numbers"
    output = _tensor(tensors, name, size, (None, None, count * fields))
    height, width = output.shape[:2]
    output = output.reshape(height, width, count, fields)
    cell = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)[:, :, np.newaxis]
    grid = np.array([width, height], np.float64)
    centre = (cell + _sigmoid(output[..., :2])) / grid
    sides = np.reshape(anchors, (count, 2)) * np.exp(np.minimum(output[..., 2:4], _LARGEST_EXPONENT)) / grid
    corners = np.concatenate([centre - sides / 2, centre + sides / 2], axis=-1)
    chosen = _sigmoid(output[..., 4:5]) * softmax(output[..., 5:]) if output.size else output[..., 5:]
    return corners.reshape(-1, 1, 4), chosen.reshape(-1, labels)


def _sigmoid(values: Float64) -> Float64:
    result: Float64 = 0.5 + 0.5 * np.tanh(values / 2)
    return result
