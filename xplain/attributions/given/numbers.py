"""Numbers as others hand them over, arrays and tensors of any device and precision, as one array for each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.models import outputs

Float64 = npt.NDArray[np.float64]

_LARGEST = float(np.finfo(np.float32).max)  # evidence is in single precision


def checked(name: str, values: Any) -> Float64:
    """Return numbers of any library as finite float64, or raise InputError; ``name`` is what the caller calls them."""
    try:
        array = outputs.as_numpy(values)
        if array.dtype.kind not in "biuf":
            raise TypeError  # objects, strings, complex numbers
    except (TypeError, ValueError, RuntimeError):  # the last of tensors that hold no values
        raise _check.wrong(name, "an array or a tensor of numbers", values) from None
    numbers: Float64 = array.astype(np.float64)
    wrong = int(numbers.size - np.count_nonzero(np.abs(numbers) <= _LARGEST))
    if wrong:
        raise InputError(
            f"{name} must be finite, got {wrong} of {numbers.size} that are NaN or beyond float32; find out why, or "
            "replace them as numpy.nan_to_num does"
        )
    return numbers


def one_each(name: str, values: Any, count: int) -> list[Float64]:
    """Divide what a caller gives into one array for each of ``count`` targets.

    A sequence of arrays has one each; a single array has them along its first axis, unless there is one target only.
    """
    if _is_sequence_of_arrays(values):
        if len(values) == 1:
            values = values[0]
        elif len(values) == count:
            return [checked(f"{name}[{i}]", item) for i, item in enumerate(values)]
        else:
            raise InputError(
                f"{name} must be {_arrays(count)}, got {len(values)}; name as many targets, or pass the part that "
                "belongs to the input"
            )
    numbers = checked(name, values)
    if count == 1:
        return [numbers]
    if numbers.ndim == 0 or len(numbers) != count:
        raise InputError(f"{name} must be {_arrays(count)}, got shape {numbers.shape}; name as many targets")
    return list(numbers)


def is_half(values: Any) -> bool:
    """Whether numbers were handed over in half precision."""
    items = values if _is_sequence_of_arrays(values) else [values]
    return any(str(getattr(item, "dtype", "")).endswith("float16") for item in items)


def _is_sequence_of_arrays(values: Any) -> bool:
    return (
        isinstance(values, Sequence)
        and len(values) > 0
        and all(hasattr(item, "shape") and len(item.shape) > 0 for item in values)
    )


def _arrays(count: int) -> str:
    return "one array for one target" if count == 1 else f"{count} arrays, one for each target"
