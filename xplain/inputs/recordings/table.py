"""Tables of readings: which columns are axes, and which only count the rows or say when they were taken."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.inputs.recordings import clock
from xplain.inputs.recordings.clock import Clock

Float64 = npt.NDArray[np.float64]

KINDS = (
    "an array or a list (axes, time) or (time,), a data frame, a dictionary of axis to readings, or a file: .csv, "
    ".npy, .npz, .wav, .json"
)
"""What a recording may be, in messages."""

_INDEX_WORDS = frozenset({"index", "idx", "id", "row", "rows", "rownum", "unnamed"})
_COUNTERS = """i n no nr num number sample samples reading readings record frame packet counter count seq sequence
    level step nummer numero"""
#: Words that name a counter of rows where the column counts them, and else may name what was read.
_COUNTER_WORDS = _INDEX_WORDS.union(_COUNTERS.split())
_LABELS = """label labels class classes target activity subject user participant event events marker annotation
    session dt interval fs"""
#: Columns of data sets that say what was done, by whom or how often: numbers in them are no readings.
_LABEL_WORDS = frozenset(_LABELS.split())
_SOME_ROWS = 64  # that tell texts from times
_LEAST_ROWS = 4  # that tell a column that counts from one that happens to rise


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str or None
        As written; None without titles, "" if it is the only one without.
    numbers : numpy.ndarray or None
        float64 (readings,), NaN where a reading is missing; None for a column of texts.
    texts : sequence of str or None
        The cells of a column of texts, where they were kept; they may be times.
    unit : str
        What stands below the title.
    is_time : bool
        Whether the numbers are times in seconds.
    """

    title: str | None
    numbers: Float64 | None = None
    texts: Sequence[str] | None = None
    unit: str = ""
    is_time: bool = False

    @property
    def called(self) -> str:
        """What messages call it."""
        return repr(self.title) if self.title is not None else "without a title"


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What was read of a recording, before it is checked.

    Parameters
    ----------
    values : object
        Numbers (axes, time), or (time,).
    axes : tuple of str or None
        Names of the axes, where the recording has them.
    clocks : sequence of Clock
        When the readings were taken, by each clock of the recording.
    rows : sequence of int or None
        The row of each reading in its file.
    notes : sequence of str
        What a reader has to know of how the recording was read.
    """

    values: npt.ArrayLike
    axes: tuple[str, ...] | None = None
    clocks: Sequence[Clock] = ()
    rows: Sequence[int] | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model wants of a recording.

    Parameters
    ----------
    name : str
        What messages call the recording.
    axes : sequence of str or None
        Names of the axes, which select columns and order them.
    count : int or None
        How many axes, where that is known without names.
    """

    name: str
    axes: Sequence[str] | None = None
    count: int | None = None


def named_axes(titles: Sequence[str | None], wanted: Wanted) -> list[int] | None:
    """Return which columns hold the axes that a model names; None where it names none, or there are no titles.

    A title fits that is the name, or else the only one that is so without its unit and the case of its letters.

    Raises
    ------
    InputError
        If an axis has no column, or several.

    Examples
    --------
    >>> named_axes(["time", "accX (g)", "accY (g)"], Wanted("recording", ["accY", "ACCX"]))
    [2, 1]
    """
    if wanted.axes is None or not any(title is not None for title in titles):
        return None
    found = [i for i, title in enumerate(titles) if title != ""]
    if [titles[i] for i in found] == [str(i) for i in range(len(wanted.axes))] and not {*titles} & {*wanted.axes}:
        return found  # columns that nobody named are numbered by those who write the others
    found = []
    for axis in wanted.axes:
        exact = [i for i, title in enumerate(titles) if title == axis]
        alike = exact or [i for i, title in enumerate(titles) if title and _bare(title) == _bare(axis)]
        known = [title for title in titles if title]
        if not alike:
            near = difflib.get_close_matches(axis, known, 1)
            raise InputError(
                f"{wanted.name} must have a column for each axis, got {', '.join(known[:20])} without {axis!r}"
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if len(alike) > 1:
            raise InputError(
                f"{wanted.name} must have one column for each axis, got {len(alike)} for {axis!r}; give the columns "
                "titles of their own"
            )
        found += alike
    return found


def choose(
    columns: Sequence[Column], wanted: Wanted, rows: Sequence[int] | None = None, notes: Sequence[str] = ()
) -> Readings:
    """Divide the columns of a table into axes, clocks and counters of rows.

    Parameters
    ----------
    columns : sequence of Column
        Of as many readings each.
    wanted : Wanted
        The axes that a model names; without any, all columns are axes that are neither clock nor counter.
    rows : sequence of int, optional
        The row of each reading in its file.
    notes : sequence of str
        What a reader has to know already.

    Raises
    ------
    InputError
        If an axis is missing or holds no numbers, or it cannot be told whether a column is one.
    """
    named = named_axes([column.title for column in columns], wanted)
    if named is not None:
        clocks = [_clock(column) for i, column in enumerate(columns) if i not in named and _is_clock(column)]
        chosen = [columns[i] for i in named]
        return _readings(chosen, [each for each in clocks if each], wanted, rows, notes)
    if all(column.title is None for column in columns):
        return _without_titles(columns, wanted, rows, notes)
    axes, found = [], []
    for column in columns:
        if _is_clock(column):
            found.append(_known_clock(column, wanted))
        elif not _is_counter(column, wanted, rows):
            axes.append(column)
    said = list(notes)
    is_doubtful = rows is not None and wanted.count is None and not found and _counts_alone(columns)
    if is_doubtful and axes and axes[0] is columns[0]:
        said.append(f"the first column, {columns[0].called}, rises evenly as a clock does; it was read as an axis")
    return _readings(axes, found, wanted, rows, said)


def _without_titles(
    columns: Sequence[Column], wanted: Wanted, rows: Sequence[int] | None, notes: Sequence[str]
) -> Readings:
    """Divide columns by their number and what they hold: a first one may be a clock or a counter."""
    for column in columns:
        if column.numbers is not None and column.numbers.size > 1 and _is_start(column.numbers):
            raise InputError(
                f"{wanted.name} must begin with readings, got {column.numbers[0]:.10g} in the first row, which may be "
                "the time of its start; cut out what is no reading"
            )
    first, rest = columns[0], columns[1:]
    count = len(wanted.axes) if wanted.axes is not None else wanted.count
    times = _clock(first) if first.numbers is None or first.is_time else None
    if times is not None:
        return _readings(rest, [times], wanted, rows, notes)
    if count is not None and len(columns) == count + 1 and first.numbers is not None and _rises(first.numbers):
        ticks = clock.of_numbers("in the first column", first.numbers, None)
        return _readings(rest, [] if _counts(first.numbers) else [ticks], wanted, rows, notes)
    if count is None and _counts_alone(columns):
        raise InputError(
            f"{wanted.name} must say whether its first column is a clock, an index or an axis, got no titles and one "
            "that rises evenly; give the columns titles, such as 'time (s),x,y', or cut it out"
        )
    return _readings(columns, [], wanted, rows, notes)


def _readings(
    axes: Sequence[Column], clocks: Sequence[Clock], wanted: Wanted, rows: Sequence[int] | None, notes: Sequence[str]
) -> Readings:
    if not axes:
        raise InputError(f"{wanted.name} must have a column for each axis, got none beside clocks and counters of rows")
    numbers = []
    for column in axes:
        if column.numbers is None:
            remedy = "" if rows is not None else "make numbers of its texts, as pandas.to_numeric does, or "
            raise InputError(
                f"{wanted.name} must hold numbers in the columns of its axes, got {_a_text(column, rows)}the column "
                f"{column.called}; {remedy}name the columns that are axes, as axes=['x', 'y'] of the model"
            )
        numbers.append(column.numbers)
    names = tuple(column.title or "" for column in axes) if any(column.title for column in axes) else None
    return Readings(np.stack(numbers), names, clocks, rows, notes)


def _a_text(column: Column, rows: Sequence[int] | None) -> str:
    """Return a cell of a column that is no number, and where it is."""
    cells = list(column.texts or ())
    number = next((i for i, cell in enumerate(cells) if not re.fullmatch(r"[-+.,\deE]*", cell)), 0)
    if not cells:
        return "texts in "
    return f"{cells[number][:60]!r} in {f'row {rows[number]}' if rows else f'reading {number}'} of "


def _bare(title: str) -> str:
    """Return a title without its unit in brackets, in one case."""
    return re.sub(r"[\[(].*", "", title).strip().casefold()


def _is_clock(column: Column) -> bool:
    if column.is_time or (column.title is not None and clock.is_clock(column.title)):
        return True
    if column.numbers is not None and clock.count_from_1970(column.numbers):
        return True
    return bool(column.texts) and clock.of_texts((column.texts or ())[:_SOME_ROWS]) is not None


def _clock(column: Column) -> Clock | None:
    """Return the clock of a column; None if it holds something else."""
    if column.numbers is not None:
        if not np.isfinite(column.numbers).all():
            return None
        unit = 1.0 if column.is_time else clock.unit_of(f"{column.title or ''} {column.unit}")
        return clock.of_numbers(column.called, column.numbers, unit)
    seconds = clock.of_texts(column.texts or ())
    return None if seconds is None else Clock(column.called, seconds, 1.0)


def _known_clock(column: Column, wanted: Wanted) -> Clock:
    found = _clock(column)
    if found is not None and column.numbers is not None and column.numbers.size > 1 and not np.ptp(column.numbers):
        raise InputError(
            f"{wanted.name} must have a clock that moves, got {column.numbers[0]:g} all over in the column "
            f"{column.called}; cut it out, or name the columns that are axes, as axes=['x', 'y'] of the model"
        )
    if found is None:
        example = f", as {column.texts[0]!r}" if column.texts else ""
        raise InputError(
            f"{wanted.name} must have a clock that can be read, got other cells in the column {column.called}{example}"
            "; name the columns that are axes, as axes=['x', 'y'] of the model, and others are left out"
        )
    return found


def _is_counter(column: Column, wanted: Wanted, rows: Sequence[int] | None) -> bool:
    """Whether a column counts the rows; raise InputError where its title says so, and its numbers do not."""
    title = column.title or ""
    bare = clock.words(title)
    remedy = "name the columns that are axes, as axes=['x', 'y'] of the model"
    if _LABEL_WORDS.intersection(bare) and all(word in _LABEL_WORDS | _COUNTER_WORDS for word in bare):
        raise InputError(
            f"{wanted.name} must hold readings, got a column {column.called} that may be no reading; {remedy}"
        )
    if title.strip().isdigit() or not all(word in _COUNTER_WORDS or word.isdigit() for word in bare):
        return False
    if column.numbers is not None and _counts(column.numbers):
        return True
    steps = np.diff(column.numbers) if column.numbers is not None else np.zeros(0)
    has_gaps = bool(np.all(steps >= 1)) and 2 * int(np.count_nonzero(steps == 1)) >= steps.size > 0
    if not has_gaps and not _INDEX_WORDS.issuperset(bare):
        return False
    at = ""
    if column.numbers is not None and steps.size:
        i = int(np.argmax(steps != 1)) + 1
        at = f": {column.numbers[i]:g} after {column.numbers[i - 1]:g}" + (f" in row {rows[i]}" if rows else "")
    raise InputError(
        f"{wanted.name} must count its rows without gaps in the column {column.called}, got other cells{at}; {remedy}"
    )


def _counts(numbers: Float64) -> bool:
    return bool(np.all(np.diff(numbers) == 1)) and bool(np.all(np.isfinite(numbers)))


def _rises(numbers: Float64) -> bool:
    return bool(np.all(np.diff(numbers) >= 0)) and bool(np.isfinite(numbers).all())


def _is_start(numbers: Float64) -> bool:
    """Whether the first number is a time since 1970, and no other is anywhere near."""
    return bool(1e9 <= numbers[0] < 5e9) and bool(np.abs(numbers[1:]).max() < 1e8)


def _is_even(numbers: Float64 | None) -> bool:
    """Whether numbers rise by one step."""
    if numbers is None or not np.isfinite(numbers).all():
        return False
    steps = np.diff(numbers)
    return bool(steps.size) and bool(steps[0] > 0) and bool(np.allclose(steps, steps[0], rtol=1e-3, atol=0))


def _counts_alone(columns: Sequence[Column]) -> bool:
    """Whether the first column rises evenly, and no other does."""
    first, *rest = columns
    if first.numbers is None or first.numbers.size < _LEAST_ROWS or not rest:
        return False
    return _is_even(first.numbers) and not any(_is_even(column.numbers) for column in rest)
