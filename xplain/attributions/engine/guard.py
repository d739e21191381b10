"""The guard: a model gives the same scores twice, and beside other inputs, before anything is made of them.

Methods compare scores of many variants of an input, which are computed in batches. A model that draws random numbers in
evaluation mode, or whose rows depend on the rest of their batch (normalisation by batch statistics, quantisation to the
range of a batch), makes maps of these accidents. So the first input of each shape is scored alone and in a batch of
other inputs, once for each model, weights and shape: the verdict is kept with the model. Methods of many evaluations
score the input again in their first full batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.errors import AttributionError, XplainError, is_out_of_memory
from xplain.models import outputs

if TYPE_CHECKING:
    from xplain.attributions.engine.explained import Explained

Array = npt.NDArray[Any]
Scores = npt.NDArray[np.float64]

#: What a computation in single precision may differ by, where the type is unknown.
_SINGLE_STEP = float(np.finfo(np.float32).eps)


def check(model: Explained, array: Array, *, batched: bool) -> None:
    """Raise AttributionError if scores are not the same twice, or not the same beside other inputs.

    Costs 6 evaluations in 4 passes the first time, which do not count as those of any input; then nothing.

    Parameters
    ----------
    model : Explained
        What is explained, in evaluation mode.
    array : numpy.ndarray
        One input (...).
    batched : bool
        Whether it may be scored in batches.
    """
    key = (type(model), model.fingerprint(), array.shape, array.dtype.str, batched)
    refusal = model.verdicts.get(key)
    if refusal is None:
        refusal = model.verdicts[key] = _find_refusal(model, array, batched=batched)
    if refusal:
        raise AttributionError(refusal)


def check_batch(model: Explained, expected: Scores, actual: Scores) -> None:
    """Raise AttributionError unless the scores (classes,) of an input in a full batch are those that it had before."""
    if not same(model, expected, actual):
        raise AttributionError(_of_batch(expected, actual))


def same(model: Explained, expected: Scores, actual: Scores) -> bool:
    """Whether scores (..., classes) differ by no more than sums in another order do in the numbers of a model.

    That is a quarter of the root of a step of these numbers, or 8 steps where they have few digits, of the largest
    score.
    """
    _, dtype = model.placement()
    step = _SINGLE_STEP
    if dtype is not None:
        import torch

        step = torch.finfo(dtype).eps
    largest = np.abs(expected).max(axis=-1, keepdims=True)
    return bool((np.abs(actual - expected) <= max(step**0.5 / 4, 8 * step) * largest).all())


def _find_refusal(model: Explained, array: Array, *, batched: bool) -> str:
    """Return why maps of the model would be wrong; nothing if they would not."""
    half, other = _emptied(array)
    first = model.scores(array[np.newaxis])[0]
    try:
        rows = [first, *(model.scores(each[np.newaxis])[0] for each in (half, other))]
    except XplainError:  # the model minds such inputs, which a method may not make
        half = other = array
        rows = [first] * 3
    alone = _stacked(rows)
    together = _score_together(model, array, half, other) if batched else None
    if together is not None:
        outputs.check_classes(alone.shape[1], together.shape[1])
    if together is not None and same(model, alone, together):
        return ""
    again = _stacked([model.scores(each[np.newaxis])[0] for each in (array, half, other)])
    if not same(model, alone, again):
        return _of_chance(alone, again)
    return "" if together is None else _of_batch(alone, together)


def _stacked(rows: Sequence[Scores]) -> Scores:
    for row in rows:
        outputs.check_classes(rows[0].size, row.size)
    return np.stack(rows)


def _score_together(model: Explained, *arrays: Array) -> Scores | None:
    """Return the scores of inputs in one batch; None if memory does not suffice for it."""
    try:
        return model.scores(np.stack(arrays))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def _emptied(array: Array) -> tuple[Array, Array]:
    """Return an input with zeros for the second half of its longest axis, and one with zeros for the first half.

    Where that axis has one place, both are the input itself.
    """
    first, second = array.copy(), array.copy()
    axis = int(np.argmax(array.shape))
    middle = array.shape[axis] // 2
    if middle:
        np.moveaxis(first, axis, 0)[middle:] = 0
        np.moveaxis(second, axis, 0)[:middle] = 0
    return first, second


def _of_chance(expected: Scores, actual: Scores) -> str:
    return (
        f"model must be deterministic, got scores that differ {_by(expected, actual)} when the same input is scored "
        "twice; switch its random parts off (dropout, noise, sampling) or fix their seed, or leave this check out: "
        "check=False"
    )


def _of_batch(expected: Scores, actual: Scores) -> str:
    return (
        f"scores must not depend on the batch, got ones that differ {_by(expected, actual)} alone and beside other "
        "inputs (normalised by statistics of the batch, or quantised to its range?); pass batch_size=1"
    )


def _by(expected: Scores, actual: Scores) -> str:
    largest, difference = np.abs(expected).max(), np.abs(actual - expected).max()
    return f"by {difference:.2g} (the largest is {largest:.3g})"
