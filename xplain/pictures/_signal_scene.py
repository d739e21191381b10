"""What a picture of signals shows: recordings, evidence on one scale, labels along time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _signals
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, SignalScores, Window, _check
from xplain.pictures import _trace
from xplain.pictures._paint import Colouring
from xplain.pictures._subject import chosen
from xplain.pictures._timeline import Block, blocks, clipped
from xplain.pictures.colormaps import Cmap
from xplain.pictures.scale import Extent, Scale, choose

__all__ = ["Part", "Scene", "Section", "build"]

Float32 = npt.NDArray[np.float32]

_ROUNDING = 1e-6  # of milliseconds and readings that are computed from each other
_OPACITY = 0.7  # of the strongest evidence: the line stays readable on it


@dataclass(frozen=True, slots=True)
class Section:
    """One attribution: its values as they are drawn, (axes, columns), and their extent."""

    attribution: Attribution
    values: Float32
    extent: Extent


@dataclass(frozen=True, slots=True)
class Part:
    """One explanation.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    readings : float32 array (axes, time) or None
        What is drawn of the recording, if it is known.
    axes : tuple of str
        Names of the axes; empty if there is neither a recording nor evidence.
    time : int
        Readings that are drawn on each axis; 0 if there are none.
    sections : tuple of Section
        The attributions that are drawn.
    blocks : tuple of Block
        Labels of the windows.
    begin : float
        When what is drawn begins, in milliseconds from the start of the recording.
    length : float or None
        The time that is drawn in milliseconds, if it is known.
    """

    explanation: Explanation
    readings: Float32 | None
    axes: tuple[str, ...]
    time: int
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]
    begin: float
    length: float | None

    @property
    def drawable(self) -> bool:
        """Whether there is anything to draw along time."""
        return bool(self.time or self.blocks)

    @property
    def averaged(self) -> float:
        """Readings that a column of colours stands for."""
        return self.time / self.sections[0].values.shape[1] if self.sections else 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn. Without a scale there is nothing to see in any section, and no colouring."""

    parts: tuple[Part, ...]
    cmap: Cmap
    scale: Scale | None
    colouring: Colouring | None

    @property
    def sections(self) -> list[Section]:
        """The sections of all parts."""
        return [section for part in self.parts for section in part.sections]

    def colouring_of(self, section: Section) -> Colouring | None:
        """The colouring, unless there is nothing to see in the section; the caller's own scale shows it as it is."""
        return self.colouring if self.scale is not None and (self.scale.fixed or not section.extent.nothing) else None


def build(
    subjects: Sequence[Explanation],
    signals: Any,
    axes: Any,
    expected: Any,
    span: Any,
    target: int | str | None,
    cmap: Cmap,
    scale: Any,
    width: int,
) -> Scene:
    """Choose the attributions, check what belongs to them and give them one scale; ``width`` is that of a plot."""
    parts = tuple(
        _part(explanation, name, signal, axes, expected, span, target, width)
        for explanation, (name, signal) in zip(subjects, _given(signals, subjects), strict=True)
    )
    extents = [section.extent for part in parts for section in part.sections]
    found = choose(extents, scale) if extents else None
    return Scene(parts, cmap, found, None if found is None else Colouring.of(found, cmap, _OPACITY))


def _given(signals: Any, subjects: Sequence[Explanation]) -> list[tuple[str, Any]]:
    """For each explanation the recording that the caller gave, and what messages call it."""
    if not isinstance(signals, (list, tuple)):
        return [("signal", signals)] * len(subjects)
    if len(signals) != len(subjects):
        raise InputError(
            f"signal must be one array (axes, time), or one for each explanation ({len(subjects)}), got {len(signals)}"
        )
    return [(f"signal[{i}]", signal) for i, signal in enumerate(signals)]


def _part(
    explanation: Explanation,
    name: str,
    signal: Any,
    axes: Any,
    expected: Any,
    span: Any,
    target: int | str | None,
    width: int,
) -> Part:
    attributions = chosen(explanation.attributions, target)
    shape = _shape(attributions)
    names = _axes(explanation, axes)
    readings = _readings(explanation, name, signal, names, shape)
    count, time = readings.shape if readings is not None else shape or (0, 0)
    if axes is not None and count and len(names or ()) != count:
        raise InputError(f"axes must be {count} names, one for each axis, got {len(names or ())}")
    if names is None or len(names) != count:
        names = tuple(f"axis {i}" for i in range(count)) if count > 1 else ("",) * count
    length = _length(explanation, time)
    found = _judged([] if length is None else blocks(explanation.predictions, length), expected)
    begin = 0.0
    shown = slice(0, time)
    span = _window(attributions, length) if span is None else _span(span, length)
    if span is not None and length is not None:
        if time:
            first, last = (at * time / length for at in span)
            shown = slice(math.floor(first + _ROUNDING), min(math.ceil(last - _ROUNDING), time))
            begin, end = shown.start * length / time, shown.stop * length / time
        else:
            begin, end = span
        found, length = clipped(found, begin, end), end - begin
    return Part(
        explanation,
        None if readings is None else readings[:, shown],
        names,
        len(range(time)[shown]),
        tuple(_section(attribution, shown, width) for attribution in attributions),
        tuple(found),
        begin,
        length,
    )


def _shape(attributions: Sequence[Attribution]) -> tuple[int, int] | None:
    """Axes and readings of the evidence; None if there is none."""
    shape: tuple[int, int] | None = None
    for attribution in attributions:
        evidence = attribution.evidence
        if not isinstance(evidence, SignalScores):
            raise InputError(f"evidence must be SignalScores to be drawn on a signal, got {type(evidence).__name__}")
        if 0 in evidence.values.shape:
            raise InputError(f"evidence must have at least one reading to be drawn, got {evidence!r}")
        shape = evidence.values.shape
    return shape


def _span(span: Any, length: float | None) -> tuple[float, float]:
    """The time that the caller wants to see, in milliseconds."""
    if not isinstance(span, (Sequence, np.ndarray)) or len(span) != 2:
        raise _check.wrong("span", "a pair of milliseconds, from and to", span)
    begin, end = (_check.number("span", at) for at in span)
    if length is None:
        raise InputError("span must be left out where the sample rate is not known, got one")
    if not 0 <= begin < end <= length + _ROUNDING:
        raise InputError(f"span must lie in 0 to {length:g} ms and begin before it ends, got {begin:g} to {end:g}")
    return begin, end


def _window(attributions: Sequence[Attribution], length: float | None) -> tuple[float, float] | None:
    """The only window that is explained; None if there is no such one within the recording."""
    regions = {attribution.target.region for attribution in attributions}
    region = regions.pop() if len(regions) == 1 else None
    if length is None or not isinstance(region, Window):
        return None
    inside = 0 <= region.start_ms < region.end_ms <= length + _ROUNDING
    return (region.start_ms, region.end_ms) if inside else None


def _section(attribution: Attribution, shown: slice, width: int) -> Section:
    assert isinstance(attribution.evidence, SignalScores)
    values = _trace.columns(attribution.evidence.values[:, shown], width)
    return Section(attribution, values, Extent.of(values, attribution.target.score))


def _axes(explanation: Explanation, axes: Any) -> tuple[str, ...] | None:
    """Names of the axes: those that the caller gives, or those that the model gave its input."""
    if axes is not None:
        names: tuple[str, ...] = _check.tuple_of("axes", axes, str)
        return names
    noted = explanation.provenance.preprocessing.get("axes")
    return tuple(str(name) for name in noted) if isinstance(noted, (list, tuple)) else None


def _readings(
    explanation: Explanation, name: str, signal: Any, axes: tuple[str, ...] | None, shape: tuple[int, int] | None
) -> Float32 | None:
    source = explanation.source
    if signal is None and source.content is None:
        return None
    readings = _signals.load(source.content if signal is None else signal, axes, name).values
    if shape is not None and readings.shape != shape:
        raise InputError(
            f"{name} must be {shape[0]} axes of {shape[1]} readings as the explained signal, got {readings.shape[0]} "
            f"of {readings.shape[1]}; pass the whole recording, not resampled"
        )
    return readings


def _length(explanation: Explanation, time: int) -> float | None:
    """The time that is drawn in milliseconds: that of the readings or, without any, up to the last window's end."""
    rate = explanation.source.sample_rate_hz
    if time:
        return None if rate is None else 1000 * time / rate
    ends = [p.region.end_ms for p in explanation.predictions if isinstance(p.region, Window)]
    return max(ends, default=0.0) or None


def _judged(found: list[Block], expected: Any) -> list[Block]:
    """Note what the caller expected: one label, or one for each window, None where that is not known."""
    if expected is None:
        return found
    if isinstance(expected, str):
        return [replace(block, expected=expected, correct=None) for block in found]
    each = list(expected) if isinstance(expected, (Sequence, np.ndarray)) else []
    if len(each) != len(found) or not all(isinstance(one, str) or one is None for one in each):
        raise _check.wrong("expected", f"a label, or a label or None for each of the {len(found)} windows", expected)
    return [replace(block, expected=one, correct=None) for block, one in zip(found, each, strict=True)]
