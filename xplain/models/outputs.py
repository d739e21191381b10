"""What models return, checked and brought to one shape.

Libraries wrap class scores in tuples, mappings and objects. These functions take the scores out, and raise an
`InputError` that names the wrong shape, before a method computes something meaningless from it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError

_TOLERANCE = 1e-3  # of probabilities and their sums; half precision rounds by less


#: Fields of outputs that hold no scores of classes: what they hold, and what to do.
_NO_CLASSES = {
    "start_logits": "the places of an answer in question answering; explain it by a function from texts to the score "
    "of one answer",
    "class_queries_logits": "the queries and masks of universal segmentation; wrap a function that returns class maps",
    "pred_masks": "the queries and masks of panoptic segmentation; wrap a function that returns class maps",
}


def tensor_of(output: Any) -> Any:
    """Return the class scores inside a model's output.

    A tensor or an array is returned as it is. Of a mapping or an object the ``logits`` count, else its first tensor;
    of a sequence the first tensor.
    """
    for name, reason in _NO_CLASSES.items():
        if hasattr(output, name) or (isinstance(output, Mapping) and name in output):
            raise InputError(f"model output must be scores of classes, got {name}, {reason}")
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if logits is not None:
        return logits
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        # A number beside the scores is the loss.
        return next((part for part in output if hasattr(part, "ndim") and part.ndim >= 1), output)
    return output


def class_scores(output: Any, count: int) -> npt.NDArray[np.float64]:
    """Check a model's output for a batch and return it as numbers.

    Parameters
    ----------
    output : torch.Tensor or array_like
        (batch, classes); (batch,) is one class.
    count : int
        Size of the batch.

    Returns
    -------
    numpy.ndarray
        float64 (batch, classes), finite.

    Raises
    ------
    InputError
        If the shape is another one or a score is not finite.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(output, torch.Tensor):
        output = output.detach()
        output = (output if output.is_complex() else output.double()).cpu().numpy()
    try:
        array = np.asarray(output)
        scores = array.astype(np.float64, copy=False) if array.dtype.kind != "c" else None
    except (TypeError, ValueError, OverflowError):  # ValueError of rows of several lengths, too
        raise InputError(f"model output must be numbers (batch, classes), got {type(output).__name__}") from None
    if scores is None:
        raise InputError("model output must be real numbers, got complex ones; take their absolute value or real part")
    check_shape(scores.shape, count)
    if scores.ndim == 1:
        scores = scores[:, np.newaxis]
    if not np.isfinite(scores).all():
        raise InputError("model output must be finite, got NaN or infinity")
    return scores


def check_shape(shape: tuple[int, ...], count: int) -> None:
    """Raise unless ``shape`` is (count, classes) or (count,)."""
    if len(shape) not in (1, 2) or shape[0] != count or shape[-1] == 0:
        raise InputError(f"model output must be of shape ({count}, classes) for a batch of {count}, got {tuple(shape)}")


def class_tensor(output: Any, count: int) -> Any:
    """Return the class scores inside a module's output for a batch as a tensor (count, classes); gradients flow."""
    scores = tensor_of(output)
    check_shape(tuple(getattr(scores, "shape", ())), count)
    return scores[:, None] if scores.ndim == 1 else scores


def add_up(scores: npt.NDArray[np.float64]) -> bool:
    """Whether scores (..., classes) are like probabilities: of several classes, within 0..1, with sums of 1 (1e-3)."""
    if scores.shape[-1] < 2:
        return False
    return are_fractions(scores) and bool((np.abs(scores.sum(axis=-1) - 1) <= _TOLERANCE).all())


def are_fractions(scores: npt.NDArray[np.float64]) -> bool:
    """Whether all scores are within 0..1."""
    return bool((scores >= 0).all() and (scores <= 1).all())


def check_probabilities(scores: npt.NDArray[Any], kinds_of_output: Sequence[str]) -> None:
    """Raise InputError unless scores are within 0..1, but for rounding; the model's kinds of output are the remedy."""
    if scores.size and (scores.min() < -_TOLERANCE or scores.max() > 1 + _TOLERANCE):
        others = ", output='value' for others" if "value" in kinds_of_output else ""
        raise InputError(
            f"model output must be from 0 to 1 where output is 'probability', got {scores.min():.4g} to "
            f"{scores.max():.4g}; pass output='logit' for scores before a softmax or a sigmoid{others}"
        )


def check_classes(expected: int, actual: int) -> None:
    """Raise if a model returns another number of classes than it did for the input itself."""
    if actual != expected:
        raise InputError(f"model output must have the same classes for every batch, got {expected} and then {actual}")


def as_numpy(values: Any) -> npt.NDArray[Any]:
    """Return a tensor or an array as an array; types that NumPy lacks become float32."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() and values.element_size() < 4 else values).numpy()
    return np.asarray(values)


def softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Softmax over the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))  # the largest is 1: nothing overflows
    probabilities: npt.NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
    return probabilities
