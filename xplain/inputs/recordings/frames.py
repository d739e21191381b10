"""Tables in memory: data frames and series of pandas, polars and pyarrow, and dictionaries of axis to readings.

None of these packages is imported: what they hold is asked by the names of their methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.inputs.recordings import clock
from xplain.inputs.recordings.clock import Clock
from xplain.inputs.recordings.table import Column, Float64, Readings, Wanted, choose, named_axes


def is_frame(value: Any) -> bool:
    """Whether a value is a table in memory that `read` reads."""
    return _is_table(value) or _is_series(value)


def read(value: Any, wanted: Wanted) -> Readings:
    """Read a data frame or a series.

    The index of pandas is no axis. A default one says nothing; one of times or of even steps is a clock.

    Raises
    ------
    InputError
        If columns hold other things than numbers, or the index shows that readings were left out.
    """
    if _is_series(value):
        # Whoever hands over one column says that it is the axis, whatever it is called.
        title = str(value.name) if value.name not in (None, "") else None
        column = _column(title, _array(value), wanted)
        if column.numbers is None or column.is_time:
            raise InputError(f"{wanted.name} must hold numbers, got {getattr(value, 'dtype', 'texts')}")
        found = Readings(column.numbers, None if title is None else (title,))
    else:
        titles = list(value.column_names if hasattr(value, "column_names") else value.columns)
        arrays = [_array(value.iloc[:, i] if hasattr(value, "iloc") else value[each]) for i, each in enumerate(titles)]
        found = _of_columns([str(title) for title in titles], arrays, wanted)
    index = _index(getattr(value, "index", None), wanted)
    return found if index is None else Readings(found.values, found.axes, [*found.clocks, index], None, found.notes)


def of_mapping(mapping: Mapping[Any, Any], wanted: Wanted) -> Readings:
    """Read arrays (time,) by the names of their axes.

    Raises
    ------
    InputError
        If they differ in length, or are none.
    """
    arrays = [_array(array) for array in mapping.values()]
    lengths = {str(title): array.shape for title, array in zip(mapping, arrays, strict=True)}
    if len(set(lengths.values())) != 1 or any(array.ndim != 1 for array in arrays):
        known = ", ".join(f"{title!r}: {shape}" for title, shape in list(lengths.items())[:8])
        raise InputError(f"{wanted.name} must map each axis to as many readings, got shapes {known or 'of no axis'}")
    return _of_columns(list(lengths), arrays, wanted)


def of_records(records: Sequence[Any], wanted: Wanted) -> Readings:
    """Read mappings of axis to reading, one for each time, as ``to_json(orient="records")`` of pandas writes them.

    Raises
    ------
    InputError
        If some have other keys.
    """
    keys = list(records[0]) if isinstance(records[0], Mapping) else []
    for i, record in enumerate(records):
        if not isinstance(record, Mapping) or record.keys() != set(keys):
            raise InputError(
                f"{wanted.name} must have the same keys in each record, got others in record {i} than "
                f"{', '.join(map(str, keys[:20]))}"
            )
    return of_mapping({key: [record[key] for record in records] for key in keys}, wanted)


def _of_columns(titles: Sequence[str], arrays: Sequence[npt.NDArray[Any]], wanted: Wanted) -> Readings:
    if not arrays:
        raise InputError(f"{wanted.name} must have a column for each axis, got none")
    # Columns that nobody named are numbered.
    known: list[str | None] = [
        None if list(titles) == [str(i) for i in range(len(titles))] else each for each in titles
    ]
    named = named_axes(known, wanted)
    needed = [named is None or i in named for i in range(len(arrays))]
    columns = [
        _column(title, array, wanted, is_needed=is_needed)
        for title, array, is_needed in zip(known, arrays, needed, strict=True)
    ]
    return choose(columns, wanted)


def _column(title: str | None, array: npt.NDArray[Any], wanted: Wanted, *, is_needed: bool = True) -> Column:
    """Return a column of numbers, times or texts; one that is not needed may hold anything."""
    if array.ndim != 1:
        raise InputError(f"{wanted.name} must have one column named {title!r}, got shape {array.shape}")
    if array.dtype.kind in "iuf":
        return Column(title, array.astype(np.float64))
    if array.dtype.kind in "mM":
        return Column(title, _seconds(array), is_time=True)
    cells = array.tolist()
    if cells and all(isinstance(cell, str) for cell in cells):
        return Column(title, None, cells)
    numbers = _objects(cells)
    if numbers is None and is_needed:
        kind = next((type(cell).__name__ for cell in cells if not isinstance(cell, (int, float))), "bool")
        raise InputError(f"{wanted.name} must hold numbers, got {kind} in the column {title!r}; leave it out")
    return Column(title, numbers, ())


def _objects(cells: Sequence[Any]) -> Float64 | None:
    """Return objects as numbers, NaN for those that are missing; None if others are among them."""
    numbers = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        if cell is None or type(cell).__name__ == "NAType":  # that of pandas
            continue
        if isinstance(cell, (bool, str)) or not isinstance(cell, (Number, Decimal)) or isinstance(cell, complex):
            return None
        try:
            numbers[i] = float(cell)  # type: ignore[arg-type]
        except OverflowError:  # an integer of hundreds of digits
            numbers[i] = np.inf
    return numbers


def _seconds(times: npt.NDArray[Any]) -> Float64:
    """Return times or durations in seconds from the first one; NaN where there is none."""
    if not times.size:
        return np.zeros(0)
    seconds = (times - times[0]).astype("timedelta64[ns]").astype(np.float64) / 1e9
    return np.where(np.isnat(times), np.nan, seconds)


def _array(value: Any) -> npt.NDArray[Any]:
    """Return a column as an array; times of a zone are those of UTC."""
    if str(getattr(value, "dtype", "")).startswith("datetime64"):
        return np.asarray(value, dtype="datetime64[ns]")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    except ValueError:  # rows of several lengths
        return np.empty((0, 0))


def _index(index: Any, wanted: Wanted) -> Clock | None:
    """Return the clock that an index of pandas is; None if it only counts."""
    if not hasattr(index, "to_numpy"):
        return None
    remedy = "reset_index(drop=True) if its order is that of time"
    if getattr(index, "nlevels", 1) > 1:
        raise InputError(f"{wanted.name} must have a simple index, got one of {index.nlevels} levels; {remedy}")
    title = str(index.name) if getattr(index, "name", None) is not None else ""
    column = _column(title, _array(index), wanted, is_needed=False)
    if column.is_time and column.numbers is not None:
        return Clock("of the index", column.numbers, 1.0)
    if column.texts:
        seconds = clock.of_texts(column.texts)
        if seconds is not None:
            return Clock("of the index", seconds, 1.0)
    if column.numbers is None:
        raise InputError(f"{wanted.name} must have an index of numbers or times, got {index.dtype}; {remedy}")
    steps = np.diff(column.numbers)
    if np.all(steps == 1) and not clock.is_clock(title):
        return None
    if not clock.is_clock(title) and not (np.all(steps > 0) and np.allclose(steps, steps[:1])):
        i = int(np.argmax(steps != 1))
        raise InputError(
            f"{wanted.name} must have an index that counts or ticks evenly, got {column.numbers[i + 1]:g} after "
            f"{column.numbers[i]:g}: readings may be left out or in another order; {remedy}"
        )
    return clock.of_numbers("of the index", column.numbers, clock.unit_of(title))


def _is_table(value: Any) -> bool:
    """Whether a value is a data frame of pandas (iloc), one of polars (get_columns), or a table of pyarrow."""
    is_any = any(hasattr(value, attribute) for attribute in ("iloc", "get_columns", "column_names"))
    return is_any and hasattr(value, "columns")


def _is_series(value: Any) -> bool:
    return hasattr(value, "to_numpy") and hasattr(value, "name") and not _is_table(value)
