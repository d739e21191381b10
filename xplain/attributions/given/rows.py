"""One row of an explanation by shap: its values by output, its base values, and the words that it names.

An explanation is known by its attributes ``values``, ``base_values``, ``data`` and ``output_names``; shap itself is not
imported. Values are (rows, input axes..., outputs), without the first axis once a row was taken (``explanation[0]``)
and without the last where a single output was explained or taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain import _check
from xplain.attributions.given import numbers
from xplain.attributions.given.numbers import Float64
from xplain.attributions.given.reading import Asked
from xplain.errors import InputError

NAME = "explanation.values"
_BASE = "explanation.base_values"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What shap says of one input.

    Parameters
    ----------
    values : numpy.ndarray
        float64 (input axes..., outputs).
    base : numpy.ndarray or None
        float64 (outputs,): what the values start from.
    tokens : list of str or None
        The pieces of a text; None for other inputs.
    names : tuple of str
        Names of the outputs; empty if they have none of their own.
    is_part : bool
        Whether the only output was taken out of several.
    is_half : bool
        Whether the values are in half precision.
    """

    values: Float64
    base: Float64 | None
    tokens: list[str] | None
    names: tuple[str, ...]
    is_part: bool
    is_half: bool

    @property
    def outputs(self) -> int:
        """How many outputs were explained."""
        return int(self.values.shape[-1])

    def check_target(self, target: Any, labels: Sequence[str]) -> Any:
        """Return the target; where it is left out, the label that the only output is named by.

        Raises
        ------
        InputError
            If it is left out and nothing says which class was explained.
        """
        if target is not None:
            return target
        if self.outputs > 1:
            raise InputError(
                f"target must be named for an explanation of {self.outputs} outputs, got None; "
                "name one, or a list of some"
            )
        if self.names and self.names[0] in labels:
            return self.names[0]
        if self.is_part:
            raise InputError(
                "target must be named for an explanation of one of several outputs, got None; name the class it is of"
            )
        return None

    def columns(self, asked: Asked, labels: Sequence[str]) -> list[int]:
        """Return the output of each target: by name, by class number where all classes have one, or in their order."""
        wanted = [target.name for target in asked.targets]
        if self.names and set(wanted) <= set(self.names):
            return [self.names.index(name) for name in wanted]
        if explained := [name for name in self.names if name in labels]:
            other = next(name for name in wanted if name not in self.names)
            raise InputError(
                f"target must be one that was explained, {', '.join(map(repr, explained[:5]))}, got {other!r}; have "
                "shap explain it, too"
            )
        if self.outputs == 1 and len(wanted) == 1:
            return [0]
        if asked.classes is not None and self.outputs == asked.class_count:
            return list(asked.classes)
        if asked.classes is None and self.outputs == len(wanted):
            return list(range(self.outputs))
        each = f"{len(wanted)} targets" if asked.class_count is None else f"{asked.class_count} classes"
        raise InputError(
            f"{NAME} must have an output for each of {each}, or outputs named by label, got {self.outputs}; take the "
            "output of the target: explanation[..., number]"
        )


def read(explanation: Any, row: int | None, axes: int, all_rows: int = 1) -> Row:
    """Take a row out of an explanation by shap.

    Parameters
    ----------
    explanation : shap.Explanation
        Or an object with the same attributes.
    row : int or None
        Which row; None is the only one.
    axes : int
        How many axes an input has: 3 for a photo, 2 for a recording, 1 for a text.
    all_rows : int
        Rows that are windows of one recording, and taken together if there are so many.
    """
    values: Any = getattr(explanation, "values", None)
    data: Any = getattr(explanation, "data", None)
    count = _length(values)
    if not count:
        raise _check.wrong(
            "explanation", "one by shap, with values, base_values and data", explanation, "from_array takes arrays"
        )
    is_batch = _is_batch(values, data, axes)
    if is_batch and data is not None and len(data) != count:
        raise InputError(f"explanation.data must have {count} rows, as its values, got {len(data)}")
    number = _row_number(row, count, is_batch, all_rows)
    array = numbers.checked(NAME, values if number is None else values[number])
    tokens = _tokens(data if number is None or data is None else data[number]) if axes == 1 else None
    input_axes = axes if data is None or axes == 1 else np.ndim(data) - is_batch
    input_axes += is_batch and number is None  # windows of one recording
    if array.ndim not in (input_axes, input_axes + 1) or 0 in array.shape:
        raise InputError(
            f"{NAME} must have {input_axes} axes of the input, and one of outputs if there are several, got shape "
            f"{array.shape}"
        )
    has_outputs = array.ndim > input_axes
    names, is_part = _names(getattr(explanation, "output_names", None), number, count)
    return Row(
        values=array if has_outputs else array[..., np.newaxis],
        base=_base(getattr(explanation, "base_values", None), number, count * is_batch, array.shape[-1] * has_outputs),
        tokens=tokens,
        names=names,
        is_part=is_part and not has_outputs,
        is_half=numbers.is_half(values),
    )


def _length(values: Any) -> int:
    """Return the length of an array or a sequence; 0 for anything else, such as the method of a mapping."""
    try:
        return len(values)
    except TypeError:
        return 0


def _is_batch(values: Any, data: Any, axes: int) -> bool:
    """Whether the first axis is that of rows."""
    if axes == 1 and data is not None and len(data):
        return not isinstance(data[0], (str, float, int, np.generic))
    return np.ndim(values if data is None else data) > axes


def _row_number(row: int | None, rows: int, is_batch: bool, all_rows: int) -> int | None:
    """Return which row to take; None for all there is."""
    if not is_batch:
        if row not in (None, 0):
            raise _check.wrong("row", "left out for an explanation of one row", row)
        return None
    if row is None:
        if rows == all_rows > 1:
            return None
        if rows != 1:
            raise InputError(f"explanation must have one row, got {rows}; name the one of this input: row=0")
        return 0
    if not 0 <= _check.integer("row", row) < rows:
        raise InputError(f"row must be from 0 to {rows - 1}, got {row}")
    return int(row)


def _tokens(data: Any) -> list[str] | None:
    """Return the tokens of a row if they are strings."""
    items = list(data) if data is not None else []
    return [str(item) for item in items] if items and all(isinstance(item, str) for item in items) else None


def _names(names: Any, number: int | None, rows: int) -> tuple[tuple[str, ...], bool]:
    """Return the names of a row's outputs, none if shap only numbered them; and whether there is one name for all."""
    if names is None:
        return (), False
    if isinstance(names, str):
        return (() if re.fullmatch(r"Output \d+", names) else (str(names),)), True
    listed = list(names)
    if number is not None and len(listed) == rows and not isinstance(listed[0], str):
        listed = list(listed[number])  # each row has the names of its own best outputs
    texts = tuple(str(name) for name in listed)
    return (() if all(re.fullmatch(r"Output \d+", text) for text in texts) else texts), False


def _base(values: Any, number: int | None, rows: int, outputs: int) -> Float64 | None:
    """Return the base value of each output, (outputs,), of rows taken together their sum; None where there are none.

    ``rows`` is 0 for the explanation of a single row, ``outputs`` for that of a single output.
    """
    if values is None or np.size(values) == 0:
        return None
    base = numbers.checked(_BASE, values)
    has_rows = rows > 0 and base.ndim > (outputs > 0)  # else all rows have the same
    if has_rows and len(base) == rows:
        base = base.sum(axis=0) if number is None else base[number]
    if base.size not in (1, max(outputs, 1)):
        raise InputError(f"{_BASE} must be one for each output of each row, got shape {np.shape(values)}")
    each: Float64 = np.broadcast_to(base.reshape(-1), max(outputs, 1))
    return each
