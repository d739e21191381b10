"""What a picture of signals shows: recordings, evidence on one scale, labels along time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, SignalScores, Window
from xplain.inputs.signals import load as load_recording
from xplain.renderers.canvas.colours import Cmap
from xplain.renderers.canvas.paint import Colouring
from xplain.renderers.canvas.scale import Extent, Scale, choose, number
from xplain.renderers.signal import curves
from xplain.renderers.signal.timeline import Block, blocks, clipped, merged
from xplain.renderers.targets import select_attributions

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
        return (
            self.colouring if self.scale is not None and (self.scale.fixed or not section.extent.blank_reason) else None
        )


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
    attributions = select_attributions(explanation.attributions, target)
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
    values = curves.columns(attribution.evidence.values[:, shown], width)
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
    readings = load_recording(source.content if signal is None else signal, axes, name).values
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


_NAMED = 12  # stretches of time in a text alternative


def heading(part: Part) -> str:
    """What the recording is called, how long it is and how it was read."""
    source = part.explanation.source
    name = source.name or "a signal"
    axes = f"{len(part.axes)} {'axis' if len(part.axes) == 1 else 'axes'}"
    rate = "" if source.sample_rate_hz is None else f" at {source.sample_rate_hz:g} Hz"
    lasting = "" if part.length is None else f", {when(part.length)}"
    if part.begin and part.length is not None:
        lasting = f", {when(part.begin)} to {when(part.begin + part.length)}"
    return f"{name}: {axes}{rate}{lasting}" if part.time else f"{name}{lasting}"


def origin(part: Part, section: Section) -> str:
    """The method, the window if it is only one, and the extent of the values."""
    attribution, extent = section.attribution, section.extent
    said = extent.blank_reason or extent.flat or f"values {number(extent.low)} to {number(extent.high)} a reading"
    region = attribution.target.region
    window = f"window {when(region.start_ms)} to {when(region.end_ms)}" if isinstance(region, Window) else ""
    return " · ".join(filter(None, (attribution.method, window, said)))


def rule(scene: Scene) -> list[str]:
    """How the scale came about, and what a colour stands for; or why there is none."""
    if not scene.sections:
        return []
    if scene.scale is None:
        return [scene.sections[0].extent.blank_reason]
    most = max(part.averaged for part in scene.parts)
    averaged = f"each column is the mean of {most:.3g} readings" if most > 1 else ""
    return [scene.scale.rule + (", one for all" if len(scene.sections) > 1 else ""), averaged]


def describe(scene: Scene) -> str:
    """The text alternative of a picture."""
    sentences = []
    for part in scene.parts:
        sentences.append(f"Explanation of {heading(part)}.")
        sentences += [_sentence(part, section) for section in part.sections]
        if part.blocks:
            sentences.append(_labels(part))
    if scene.scale is not None:
        of_all = " everywhere" if len(scene.sections) > 1 else ""
        sentences.append(f"Full colour stands for {number(scene.scale.limit)} or more{of_all}.")
    return " ".join(sentences)


def _sentence(part: Part, section: Section) -> str:
    target = section.attribution.target
    where = ""
    if section.extent.high > 0 and not section.extent.blank_reason and not section.extent.flat:
        axis, column = np.unravel_index(int(np.argmax(section.values)), section.values.shape)
        middle = (column + 0.5) / section.values.shape[1]
        at = f"reading {int(middle * part.time)}" if part.length is None else when(part.begin + middle * part.length)
        where = f"; strongest at {at}" + (f" on {part.axes[axis]}" if part.axes[axis] else "")
    return f"evidence for {target.name!r} (score {number(target.score)}): {origin(part, section)}{where}."


def _labels(part: Part) -> str:
    parts = merged(part.blocks)
    said = [
        f"{block.label} from {when(part.begin + block.start)} to {when(part.begin + block.stop)}"
        + (f" (expected {block.expected})" if block.wrong else "")
        for block in parts[:_NAMED]
    ]
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"Predicted: {', '.join(said)}{more}."


def when(milliseconds: float) -> str:
    """A time in seconds, or in milliseconds below one second."""
    return f"{milliseconds / 1000:.4g} s" if milliseconds >= 1000 or not milliseconds else f"{milliseconds:.3g} ms"


def ticks(part: Part, most: int) -> tuple[str, list[tuple[float, str]]]:
    """Return the unit of the time axis, and at most that many places 0..1 on it with their numbers."""
    if part.length is None:
        unit, begin, whole = "reading", 0.0, float(part.time)
    else:
        unit, per = ("s", 1000.0) if part.length >= 1000 else ("ms", 1.0)
        begin, whole = part.begin / per, part.length / per
    size = 10.0 ** math.floor(math.log10(whole / most))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if whole / (size * factor) <= most)
    first, last = math.ceil(begin / step * (1 - 1e-9)), math.floor((begin + whole) / step * (1 + 1e-9))
    return unit, [((i * step - begin) / whole, f"{i * step:.6g}") for i in range(first, last + 1)]
