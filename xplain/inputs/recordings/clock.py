"""Clocks: columns that say when readings were taken, checked against the rate at which a model takes readings.

A model knows readings by their number only. So a clock is no axis; but where its rate is another, or readings are
missing between two of its times, the model would read something else than was recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError

Float64 = npt.NDArray[np.float64]

_NAMES = {
    1.0: "s sec secs second seconds sekunden secondes segundos",
    1e-3: "ms msec msecs milli millis millisecond milliseconds",
    1e-6: "us µs μs usec usecs micro micros microsecond microseconds",
    1e-9: "ns nsec nsecs nano nanos nanosecond nanoseconds",
    60.0: "min mins minute minutes",
    3600.0: "h hr hrs hour hours",
    86400.0: "day days",
}
_UNITS = {name: seconds for seconds, names in _NAMES.items() for name in names.split()}
#: What a clock that says no unit may count: those above, and the ticks of 100 ns of Windows.
_CANDIDATES = (*_NAMES, 1e-7)
_CLOCKS = """time times uptime timestamp timestamps datetime date clock epoch elapsed utc seconds milliseconds
    microseconds nanoseconds millis micros nanos zeit zeitstempel uhrzeit datum temps heure horodatage tiempo fecha"""
_CLOCK_WORDS = frozenset(_CLOCKS.split())
#: Names of clocks where they stand alone; as part of a longer name they say something else.
_CLOCK_NAMES = frozenset({"t", "ts", "s", "sec", "secs", "ms", "us", "µs", "ns"})
#: Seconds since 1970 from 2001 on, and the same in smaller units.
_EPOCHS = {1.0: 1e9, 1e-3: 1e12, 1e-6: 1e15, 1e-9: 1e18}
_TIME = re.compile(
    r"(?:(?P<date>\S.*?)[T\s,]\s*)?(?P<first>\d{1,3}):(?P<second>\d{2})(?::(?P<third>\d{2}))?(?:[.,:](?P<part>\d+))?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_TOLERANCE = 0.05  # of the rate: phones that are asked for 50 readings a second give 49 or 51
_SAID = 0.01  # a rate that is off by more is said


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """When readings were taken.

    Parameters
    ----------
    title : str
        What messages call it.
    ticks : numpy.ndarray
        float64 (readings,), from any start.
    unit : float or None
        Seconds of a tick; None if nothing says it.
    is_exact : bool
        Whether ticks are not measured but follow from a rate.
    """

    title: str
    ticks: Float64
    unit: float | None = None
    is_exact: bool = False


def words(title: str) -> list[str]:
    """Return the words of a title in lower case: ``"timeStamp (ms)"`` has three.

    Examples
    --------
    >>> words("timeStamp_2 (ms)")
    ['time', 'stamp', '2', 'ms']
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title)
    return [word for word in re.split(r"[\W_]+", spaced.casefold()) if word]


def is_clock(title: str) -> bool:
    """Whether a column of this title says when readings were taken.

    Examples
    --------
    >>> [is_clock(title) for title in ("Time (s)", "seconds_elapsed", "unixTimestampMs", "t [ms]", "T (°C)", "x")]
    [True, True, True, True, False, False]
    """
    name, *unit = re.split(r"[\[(]", title, maxsplit=1)
    bare = words(name)
    if _CLOCK_WORDS.intersection(bare):
        return True
    # What stands alone is a clock unless its unit says otherwise, as of a temperature T (°C).
    rest = [*bare[1:], *(words(unit[0]) if unit else [])]
    return bare[:1] != [] and bare[0] in _CLOCK_NAMES and all(word in _UNITS for word in rest)


def unit_of(title: str) -> float | None:
    """Return the unit that a title names, in seconds.

    Examples
    --------
    >>> unit_of("Time [ms]"), unit_of("seconds_elapsed"), unit_of("time")
    (0.001, 1.0, None)
    """
    return next((_UNITS[word] for word in reversed(words(title)) if word in _UNITS), None)


def of_numbers(title: str, ticks: npt.ArrayLike, unit: float | None) -> Clock:
    """Make a clock of numbers; where no unit is known, times since 1970 show theirs by their size."""
    numbers = np.asarray(ticks, np.float64)
    if unit is None and numbers.size:
        unit = next((each for each, least in _EPOCHS.items() if least <= abs(numbers[0]) < 5 * least), None)
    return Clock(title, numbers, unit)


def count_from_1970(numbers: npt.ArrayLike) -> bool:
    """Whether numbers rise as times since 1970 do, whatever their title.

    Examples
    --------
    >>> count_from_1970([1700000000.0, 1700000000.1]), count_from_1970([1700000000.1, 1700000000.0])
    (True, False)
    """
    ticks = np.asarray(numbers, np.float64)
    is_rising = ticks.size > 1 and bool(np.all(np.diff(ticks) > 0))
    return is_rising and any(least <= ticks[0] and ticks[-1] < 5 * least for least in _EPOCHS.values())


def of_texts(cells: Sequence[str]) -> Float64 | None:
    """Return times of day or of a calendar in seconds; None if some are none.

    Examples
    --------
    >>> of_texts(["2024-05-01T23:59:59.5Z", "2024-05-02T00:00:00Z"]).tolist()
    [86399.5, 86400.0]
    >>> of_texts(["12:00 PM", "noon"]) is None
    True
    """
    seconds = np.empty(len(cells))
    days: dict[str, float] = {}
    for i, cell in enumerate(cells):
        match = _TIME.fullmatch(cell)
        if match is None and _calendar_day(cell) is None and not _DATE.fullmatch(cell):
            return None
        written = cell if match is None else match["date"]
        seconds[i] = (0.0 if match is None else _of_day(match)) + (86400 * _day(written, days) if written else 0.0)
    return seconds


def _day(written: str, days: dict[str, float]) -> float:
    """Return the number of a day, from the first one; ``days`` has those known, and the first one's own under ""."""
    if written not in days:
        day = _calendar_day(written)
        first = days.setdefault("", 0.0 if day is None else day)
        # A date in an order of its own is read as the day after the one before it.
        days[written] = max(list(days.values())[1:], default=-1.0) + 1 if day is None else day - first
    return days[written]


def _of_day(match: re.Match[str]) -> float:
    """Seconds since midnight in UTC, or since the start: hours and minutes, or minutes and seconds with a fraction."""
    first, second, third = (int(match[name] or 0) for name in ("first", "second", "third"))
    part = float(f"0.{match['part']}") if match["part"] else 0.0
    if match["third"] is None and match["part"]:
        return first * 60 + second + part
    if half := match["half"]:
        first = first % 12 + (12 if half[0] in "pP" else 0)
    zone = match["zone"] or ""
    offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60 if zone[:1] in ("+", "-") else 0
    return first * 3600 + second * 60 + third + part - (offset if zone[:1] == "+" else -offset)


def _calendar_day(text: str) -> float | None:
    """The number of a day: of an ISO date, or of a duration such as ``0 days``."""
    if match := re.fullmatch(r"(-?\d+) days?,?", text):
        return float(match[1])
    try:
        return float(date.fromisoformat(text).toordinal())
    except ValueError:
        return None


def check(clock: Clock, rate_hz: float, name: str, rows: Sequence[int] | None = None) -> list[str]:
    """Check that a clock ticks evenly, at a model's rate.

    Parameters
    ----------
    clock : Clock
        Of the readings.
    rate_hz : float
        Readings a second that the model takes.
    name : str
        What messages call the recording.
    rows : sequence of int, optional
        The row of each reading in its file.

    Returns
    -------
    list of str
        What a reader has to know: that it is a little uneven, or a little off the rate.

    Raises
    ------
    InputError
        If it goes back, leaves readings out, or has another rate.
    """
    ticks = clock.ticks - clock.ticks[0] if clock.ticks.size else clock.ticks
    if ticks.size < 2 or not np.any(ticks):
        return []
    steps, resolution = np.diff(ticks), 0.0 if clock.is_exact else _resolution(ticks)
    middle = float(np.median(steps))
    usual = middle if resolution <= middle / 2 else float(ticks[-1] / steps.size)
    off = ~(np.abs(steps - usual) <= usual / 2 + resolution * 1.001)
    if off.any():
        i = int(np.argmax(off))
        where = f"row {rows[i + 1]}" if rows is not None else f"reading {i + 1}"
        raise InputError(
            f"{name} must be taken at even times, got a step of {steps[i]:g} in {where} by its clock {clock.title}, "
            f"where {usual:g} is usual; resample it, cut it where readings are missing, or leave the clock out"
        )
    mean = float(ticks[-1] / steps.size)
    tolerance = _TOLERANCE + resolution / float(ticks[-1])
    units = _CANDIDATES if clock.unit is None else (clock.unit,)
    rates = [1 / (mean * unit) for unit in units]
    fitting = [rate for rate in rates if abs(rate / rate_hz - 1) <= tolerance]
    if not fitting and clock.unit is None and abs(mean - 1) < 1e-9:
        return [f"the clock {clock.title} counts readings: that they are {rate_hz:g} a second could not be checked"]
    if not fitting:
        what = f"{rates[0]:.6g} by its clock {clock.title}"
        if clock.unit is None:
            what = f"steps of {mean:.6g} by its clock {clock.title}, of no unit"
        raise InputError(
            f"{name} must have {rate_hz:g} readings a second, the model's sample_rate_hz, got {what}; resample it"
            + (", or name the unit in the title, as 'time (ms)'" if clock.unit is None else "")
        )
    notes = []
    if abs(fitting[0] / rate_hz - 1) > _SAID + resolution / float(ticks[-1]):
        notes.append(f"the clock {clock.title} gives {fitting[0]:.4g} readings a second, the model takes {rate_hz:g}")
    if float(np.abs(steps - usual).max()) > usual / 5 + resolution * 1.001:
        notes.append(f"the clock {clock.title} is uneven: steps of {steps.min():.4g} to {steps.max():.4g}")
    return notes


def _resolution(ticks: Float64) -> float:
    """Return the last decimal place in which ticks differ; 0 if they have more than nine."""
    for places in range(10):
        scaled = ticks * 10.0**places
        if np.abs(scaled - np.rint(scaled)).max() < 1e-4:
            return float(10.0**-places)
    return 0.0
