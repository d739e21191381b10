"""The scale of a picture: which value gets the strongest colour, and how the legend says so.

One scale is chosen for all panels of a picture, so that equal values get equal colours. Its limit is printed: passing
the printed number as ``scale`` draws another explanation with the same colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation.notes import ALL_ZERO, Measure
from xplain.kernels import maps

#: How a scale can be chosen.
SCALES = ("robust", "max")
#: Percentage of the non-zero values that a robust scale does not clip.
PERCENTILE = 99.5
# A share of the score below half a unit in the last place is lost when it is added to the score in float32.
_NEGLIGIBLE = 2.0**-24
_DIGITS = 3  # of printed numbers
#: Methods whose values say how much a place matters, not for which side, unless some are negative.
_UNDIRECTED = {"saliency", "smoothgrad", "sobel", "centre"}


@dataclass(frozen=True, slots=True)
class Extent:
    """Summary of one map, from which a scale is chosen.

    Parameters
    ----------
    low, high : float
        Least and greatest value.
    magnitudes : int64 array
        Counts of values by magnitude, from `xplain.kernels.maps.count_magnitudes`.
    score : float
        The target's score.
    """

    low: float
    high: float
    magnitudes: npt.NDArray[np.int64] = field(repr=False)
    score: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float32], score: float) -> Extent:
        """Measure a map, float32 (height, width)."""
        if not values.size:
            return cls(0.0, 0.0, np.zeros(maps.MAGNITUDES, dtype=np.int64), score)
        return cls(float(values.min()), float(values.max()), maps.count_magnitudes(values), score)

    @property
    def largest(self) -> float:
        """The largest |value|."""
        return max(-self.low, self.high)

    @property
    def blank_reason(self) -> str:
        """Why there is nothing to see; empty if there is something."""
        if not self.largest:
            return ALL_ZERO
        if self.largest < _NEGLIGIBLE * abs(self.score):
            share = self.largest / abs(self.score)
            return f"no evidence: no value reaches {number(_round_up(share, 1))} of the score"
        return ""

    @property
    def flat(self) -> str:
        """A sentence if all values are the same; else empty."""
        return f"every value is {number(self.low)}" if self.low == self.high else ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Range of values that the colours span.

    Parameters
    ----------
    limit : float
        |Value| from which on colours are the strongest; positive.
    signed : bool
        Whether there are negative values to show.
    clips_low, clips_high : bool
        Whether values lie beyond -limit, or beyond limit.
    rule : str
        How the limit was chosen, for the legend.
    fixed : bool
        Whether the caller gave the limit.
    """

    limit: float
    signed: bool
    clips_low: bool
    clips_high: bool
    rule: str
    fixed: bool


def choose(extents: Sequence[Extent], scale: str | float | None) -> Scale | None:
    """Choose one scale for several maps.

    Parameters
    ----------
    extents : sequence of Extent
        One for each map.
    scale : {"robust", "max"} or float, optional
        "robust" (the default) clips the largest 0.5 % of the non-zero |values| of all maps, "max" clips none. Both
        limits are rounded up to three digits, so that the printed number is the scale. A positive number is the limit.

    Returns
    -------
    Scale or None
        None if there is nothing to see in any map, unless the scale is a number.

    Raises
    ------
    UnknownNameError, InputError
        If ``scale`` is neither of these names nor a positive number.
    """
    limit, rule = _choose_limit(extents, scale)
    if limit is None:
        return None
    # There are 127 colours below zero. A value less than half a colour away from zero is drawn as zero.
    signed = any(extent.low < -limit / 254 for extent in extents)
    beyond = limit * (1 + 1e-6)  # float32's rounding is no clipping
    clips_low = any(-extent.low > beyond for extent in extents)
    clips_high = any(extent.high > beyond for extent in extents)
    return Scale(limit, signed, clips_low, clips_high, rule, fixed=scale is not None and not isinstance(scale, str))


def number(value: float) -> str:
    """Format a number with three significant digits."""
    return f"{value:.{_DIGITS}g}"


def format_measure(measure: Measure) -> str:
    """Write a figure: words as they are, a percentage with one decimal, any other number as `number` does.

    >>> [format_measure(measure) for measure in (Measure("F1", 2 / 3), Measure("recall", 66.66, "%"))]
    ['0.667', '66.7 %']
    """
    if isinstance(measure.value, str):
        return measure.value
    return f"{measure.value:.1f} %" if measure.unit == "%" else number(measure.value) + measure.unit


def fraction(value: float, low: float, high: float) -> float:
    """Return where a value lies between two ends, as 0..1; 0 if the ends are the same.

    >>> fraction(0.0, -1e308, 1e308)
    0.5
    """
    half = high / 2 - low / 2  # halves, as the whole range may be beyond the largest float
    return (value / 2 - low / 2) / half if half > 0 else 0.0


def _choose_limit(extents: Sequence[Extent], scale: str | float | None) -> tuple[float | None, str]:
    """The limit of a scale, and the rule by which it was chosen, for the legend."""
    if isinstance(scale, str) and scale not in SCALES:
        raise UnknownNameError("scale", scale, SCALES)
    if scale is not None and not isinstance(scale, str):
        limit = _check.number("scale", scale)
        if limit <= 0:
            raise InputError(f"scale must be positive or one of {', '.join(map(repr, SCALES))}, got {scale!r}")
        return limit, "scale: given"
    visible = [extent for extent in extents if not extent.blank_reason]
    if not visible:
        return None, ""
    largest = max(extent.largest for extent in visible)
    if scale == "max":
        return _round_up(largest, _DIGITS), "scale: largest value"
    counts = np.sum([extent.magnitudes for extent in visible], axis=0)
    counts[0] = 0  # zeros, and the smallest denormals
    cumulative = np.cumsum(counts)
    last = int(np.searchsorted(cumulative, math.ceil(cumulative[-1] * (PERCENTILE / 100))))
    limit = min(maps.magnitude_edge(last + 1), largest) if cumulative[-1] else largest
    return _round_up(limit, _DIGITS), f"scale: {PERCENTILE}th percentile"


def _round_up(value: float, digits: int) -> float:
    """Round up to so many digits; a value that float32's rounding alone put above such a number is that number."""
    exponent = math.floor(math.log10(value)) - digits + 1
    # Through a string, as the product with a power of ten would not be the number that is printed.
    return float(f"{math.ceil(value / 10.0**exponent * (1 - 1e-6))}e{exponent}")


def meanings(methods: Iterable[str | None], diverging: bool, signed: bool) -> tuple[str, str]:
    """Return what the low and the high end of a scale stand for, for maps of these methods.

    ``signed`` says whether there are negative values, ``diverging`` whether the scale begins below zero, in any case.
    """
    if set(methods) <= _UNDIRECTED and not signed:
        return "weak", "strong"
    return "speaks against" if diverging else "no evidence", "speaks for"
