"""What a picture of explained signals shows: recordings, evidence on one scale, labels along time, and the words.

`build` makes a `Scene` with an `ExplainedSignal` for each explanation and a `Section` for each attribution. It crops
recording, evidence and labels to the same time, so that what draws a scene knows only the time that is drawn.
"""

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
from xplain.explanation.notes import Notes, NotesOf, remarks
from xplain.inputs.signals import load as load_recording
from xplain.renderers.canvas.colours import Cmap
from xplain.renderers.canvas.paint import Colouring
from xplain.renderers.canvas.scale import Extent, Scale, choose, number
from xplain.renderers.signal.curves import average_columns
from xplain.renderers.signal.style import Style
from xplain.renderers.signal.timeline import Block, clip, merge, window_blocks
from xplain.renderers.targets import select_attributions

Float32 = npt.NDArray[np.float32]

_ROUNDING = 1e-6  # of milliseconds and readings that are computed from each other
_OPACITY = 0.7  # of the strongest evidence: the line stays readable on it
_MAX_NAMED = 12  # blocks in the text alternative


@dataclass(frozen=True, slots=True)
class Section:
    """One attribution: its values (axes, columns) as they are drawn, and their extent."""

    attribution: Attribution
    values: Float32
    extent: Extent


@dataclass(frozen=True, slots=True)
class ExplainedSignal:
    """One explanation, cropped to the time that is drawn.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    readings : float32 array (axes, time) or None
        The recording, if it is known.
    axes : tuple of str
        Names of the axes; empty if there is neither a recording nor evidence.
    time : int
        Readings of each axis; 0 if there are none.
    sections : tuple of Section
        The attributions.
    blocks : tuple of Block
        Labels of the windows.
    begin : float
        When the time that is drawn begins, in milliseconds from the start of the recording.
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
    def readings_per_column(self) -> float:
        """Readings that a column of colours stands for."""
        return self.time / self.sections[0].values.shape[1] if self.sections else 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn; scale and colouring are None if no section has anything to see."""

    signals: tuple[ExplainedSignal, ...]
    cmap: Cmap
    scale: Scale | None
    colouring: Colouring | None

    @property
    def sections(self) -> list[Section]:
        """The sections of all signals."""
        return [section for explained in self.signals for section in explained.sections]

    def colouring_of(self, section: Section) -> Colouring | None:
        """The colouring, unless there is nothing to see in the section; the caller's own scale shows it as it is."""
        if self.scale is None or (section.extent.blank_reason and not self.scale.fixed):
            return None
        return self.colouring


def build(subjects: Sequence[Explanation], style: Style, width: int, notes_of: NotesOf) -> Scene:
    """Pick the attributions, check what the caller gave and choose one scale.

    Parameters
    ----------
    subjects : sequence of Explanation
        What is drawn.
    style : Style
        What the caller asks for; what it says of recordings is checked here.
    width : int
        Of a plot in pixels: evidence is averaged to that many columns.
    notes_of : callable
        Gives the notes of an explanation.
    """
    explained_signals = tuple(
        _explained_signal(explanation, notes_of(explanation), name, signal, style, width)
        for explanation, (name, signal) in zip(subjects, _signals_by_name(style.signal, len(subjects)), strict=True)
    )
    extents = [section.extent for explained in explained_signals for section in explained.sections]
    chosen_scale = choose(extents, style.scale) if extents else None
    colouring = None if chosen_scale is None else Colouring.of(chosen_scale, style.cmap, _OPACITY)
    return Scene(explained_signals, style.cmap, chosen_scale, colouring)


def _signals_by_name(signals: Any, count: int) -> list[tuple[str, Any]]:
    """For each of ``count`` explanations the name of the caller's recording in messages, and the recording."""
    if not isinstance(signals, (list, tuple)):
        return [("signal", signals)] * count
    if len(signals) != count:
        raise InputError(
            f"signal must be one array (axes, time), or one for each explanation ({count}), got {len(signals)}"
        )
    return [(f"signal[{i}]", signal) for i, signal in enumerate(signals)]


def _explained_signal(
    explanation: Explanation, notes: Notes, name: str, signal: Any, style: Style, width: int
) -> ExplainedSignal:
    attributions = select_attributions(explanation.attributions, style.target)
    shape = _evidence_shape(attributions)
    axis_names = _axis_names(explanation, style.axes)
    readings = _readings(explanation, name, signal, axis_names, shape)
    count, time = readings.shape if readings is not None else shape or (0, 0)
    if style.axes is not None and count and len(axis_names or ()) != count:
        raise InputError(f"axes must be {count} names, one for each axis, got {len(axis_names or ())}")
    length = _length(explanation, time)
    blocks = [] if length is None else window_blocks(explanation.predictions, notes, length)
    blocks = _with_expected(blocks, style.expected)
    span = _only_window(attributions, length) if style.span is None else _check_span(style.span, length)
    shown, begin = slice(0, time), 0.0
    if span is not None and length is not None:
        shown, begin, end = _crop(span, time, length)
        blocks, length = clip(blocks, begin, end), end - begin
    return ExplainedSignal(
        explanation,
        None if readings is None else readings[:, shown],
        _numbered(axis_names, count),
        len(range(time)[shown]),
        tuple(_section(attribution, shown, width) for attribution in attributions),
        tuple(blocks),
        begin,
        length,
    )


def _evidence_shape(attributions: Sequence[Attribution]) -> tuple[int, int] | None:
    """Axes and readings of the evidence; None if there is none."""
    shape: tuple[int, int] | None = None
    for attribution in attributions:
        evidence = attribution.evidence
        if not isinstance(evidence, SignalScores):
            raise InputError(f"evidence must be SignalScores to be drawn on a signal, got {type(evidence).__name__}")
        if 0 in evidence.values.shape:
            raise InputError(f"evidence must have at least one reading to be drawn, got {evidence!r}")
        if shape not in (None, evidence.values.shape):
            raise InputError(
                f"evidence must be of one shape (axes, readings) to be drawn on one signal, got {shape} and "
                f"{evidence.values.shape}; draw each apart: target=0, target=1..."
            )
        shape = evidence.values.shape
    return shape


def _axis_names(explanation: Explanation, axes: Any) -> tuple[str, ...] | None:
    """Names of the axes: those that the caller gives, that the model gave its input, or that the source has."""
    if axes is not None:
        names: tuple[str, ...] = _check.tuple_of("axes", axes, str)
        return names
    recorded = explanation.provenance.preprocessing.get("axes")
    if isinstance(recorded, (list, tuple)):
        return tuple(str(name) for name in recorded)
    of_source = explanation.source.axes
    # Axes without names are numbered there.
    return None if of_source == tuple(map(str, range(len(of_source)))) else of_source


def _numbered(names: tuple[str, ...] | None, count: int) -> tuple[str, ...]:
    """The names if they are as many as the axes; else numbers, and for a single axis an empty name."""
    if names is not None and len(names) == count:
        return names
    return tuple(f"axis {i}" for i in range(count)) if count > 1 else ("",) * count


def _readings(
    explanation: Explanation, name: str, signal: Any, axes: tuple[str, ...] | None, shape: tuple[int, int] | None
) -> Float32 | None:
    """The recording: the caller's, or that of the source; None if there is none."""
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
    """The whole time in milliseconds: that of the readings or, without any, up to the last window's end."""
    rate = explanation.source.sample_rate_hz
    if time:
        return None if rate is None else 1000 * time / rate
    ends = [p.region.end_ms for p in explanation.predictions if isinstance(p.region, Window)]
    return max(ends, default=0.0) or None


def _with_expected(blocks: list[Block], expected: Any) -> list[Block]:
    """Note what the caller expected: one label, or one for each window, None where that is not known."""
    if expected is None:
        return blocks
    if isinstance(expected, str):
        return [replace(block, expected=expected, correct=None) for block in blocks]
    labels = list(expected) if isinstance(expected, (Sequence, np.ndarray)) else []
    if len(labels) != len(blocks) or not all(isinstance(label, str) or label is None for label in labels):
        raise _check.wrong("expected", f"a label, or a label or None for each of the {len(blocks)} windows", expected)
    return [replace(block, expected=label, correct=None) for block, label in zip(blocks, labels, strict=True)]


def _check_span(span: Any, length: float | None) -> tuple[float, float]:
    """The time that the caller wants to see, in milliseconds."""
    if not isinstance(span, (Sequence, np.ndarray)) or len(span) != 2:
        raise _check.wrong("span", "a pair of milliseconds, from and to", span)
    begin, end = (_check.number("span", time) for time in span)
    if length is None:
        raise InputError("span must be left out where the sample rate is not known, got one")
    if not 0 <= begin < end <= length + _ROUNDING:
        raise InputError(f"span must lie in 0 to {length:g} ms and begin before it ends, got {begin:g} to {end:g}")
    return begin, end


def _only_window(attributions: Sequence[Attribution], length: float | None) -> tuple[float, float] | None:
    """The window in milliseconds if only one is explained and it lies within the recording."""
    regions = {attribution.target.region for attribution in attributions}
    region = regions.pop() if len(regions) == 1 else None
    if length is None or not isinstance(region, Window):
        return None
    inside = 0 <= region.start_ms < region.end_ms <= length + _ROUNDING
    return (region.start_ms, region.end_ms) if inside else None


def _crop(span: tuple[float, float], time: int, length: float) -> tuple[slice, float, float]:
    """The readings that a span touches, and when the first of them begins and the last one ends."""
    begin, end = span
    if not time:
        return slice(0, 0), begin, end
    first, last = (edge * time / length for edge in span)
    shown = slice(math.floor(first + _ROUNDING), min(math.ceil(last - _ROUNDING), time))
    return shown, shown.start * length / time, shown.stop * length / time


def _section(attribution: Attribution, shown: slice, width: int) -> Section:
    assert isinstance(attribution.evidence, SignalScores)
    values = average_columns(attribution.evidence.values[:, shown], width)
    return Section(attribution, values, Extent.of(values, attribution.target.score))


def heading(explained: ExplainedSignal) -> str:
    """Name of the recording, its axes, its sample rate, and the time that is drawn."""
    source = explained.explanation.source
    name = source.name or "a signal"
    axes = f"{len(explained.axes)} {'axis' if len(explained.axes) == 1 else 'axes'}"
    rate = "" if source.sample_rate_hz is None else f" at {source.sample_rate_hz:g} Hz"
    time = "" if explained.length is None else f", {format_time(explained.length)}"
    if explained.begin and explained.length is not None:
        time = f", {format_time(explained.begin)} to {format_time(explained.begin + explained.length)}"
    return f"{name}: {axes}{rate}{time}" if explained.time else f"{name}{time}"


def caption(section: Section) -> str:
    """The method, the window if a single one is explained, and the range of the values."""
    attribution, extent = section.attribution, section.extent
    values = extent.blank_reason or extent.flat or f"values {number(extent.low)} to {number(extent.high)} a reading"
    region = attribution.target.region
    window = ""
    if isinstance(region, Window):
        window = f"window {format_time(region.start_ms)} to {format_time(region.end_ms)}"
    return " · ".join(filter(None, (attribution.method, window, values)))


def noted(section: Section) -> list[str]:
    """What was noted about the values when they were computed, without what the caption says."""
    return [remark for remark in remarks(section.attribution) if remark != section.extent.blank_reason]


def legend_lines(scene: Scene) -> list[str]:
    """How the scale was chosen, and how many readings a colour stands for; or why there is no scale."""
    if not scene.sections:
        return []
    if scene.scale is None:
        return [scene.sections[0].extent.blank_reason]
    most = max(explained.readings_per_column for explained in scene.signals)
    averaged = f"each column is the mean of {most:.3g} readings" if most > 1 else ""
    return [scene.scale.rule + (", one for all" if len(scene.sections) > 1 else ""), averaged]


def describe(scene: Scene) -> str:
    """The text alternative of a picture."""
    sentences = []
    for explained in scene.signals:
        sentences.append(f"Explanation of {heading(explained)}.")
        sentences += [_evidence_sentence(explained, section) for section in explained.sections]
        if explained.blocks:
            sentences.append(_labels_sentence(explained))
    if scene.scale is not None:
        everywhere = " everywhere" if len(scene.sections) > 1 else ""
        sentences.append(f"Full colour stands for {number(scene.scale.limit)} or more{everywhere}.")
    return " ".join(sentences)


def _evidence_sentence(explained: ExplainedSignal, section: Section) -> str:
    target = section.attribution.target
    strongest = ""
    if section.extent.high > 0 and not section.extent.blank_reason and not section.extent.flat:
        axis, column = np.unravel_index(int(np.argmax(section.values)), section.values.shape)
        middle = (column + 0.5) / section.values.shape[1]
        strongest = f"; strongest at {_moment(explained, middle)}"
        strongest += f" on {explained.axes[axis]}" if explained.axes[axis] else ""
    noted_too = "".join(f"; {remark}" for remark in noted(section))
    return f"evidence for {target.name!r} (score {number(target.score)}): {caption(section)}{strongest}{noted_too}."


def _moment(explained: ExplainedSignal, fraction: float) -> str:
    """A moment, 0..1 in the time that is drawn, as a time or, where that is not known, as the number of a reading."""
    if explained.length is None:
        return f"reading {int(fraction * explained.time)}"
    return format_time(explained.begin + fraction * explained.length)


def _labels_sentence(explained: ExplainedSignal) -> str:
    blocks = merge(explained.blocks)
    labels = [
        f"{block.label} from {format_time(explained.begin + block.start)} "
        f"to {format_time(explained.begin + block.stop)}" + (f" (expected {block.expected})" if block.wrong else "")
        for block in blocks[:_MAX_NAMED]
    ]
    more = f" and {len(blocks) - _MAX_NAMED} more" if len(blocks) > _MAX_NAMED else ""
    return f"Predicted: {', '.join(labels)}{more}."


def format_time(milliseconds: float) -> str:
    """Write a time in seconds, or in milliseconds below one second."""
    return f"{milliseconds / 1000:.4g} s" if milliseconds >= 1000 or not milliseconds else f"{milliseconds:.3g} ms"


def time_ticks(explained: ExplainedSignal, most: int) -> tuple[str, list[tuple[float, str]]]:
    """Return the unit of the time axis, and at most that many ticks: positions 0..1 with their numbers."""
    if explained.length is None:
        unit, begin, whole = "reading", 0.0, float(explained.time)
    else:
        unit, per_unit = ("s", 1000.0) if explained.length >= 1000 else ("ms", 1.0)
        begin, whole = explained.begin / per_unit, explained.length / per_unit
    power = 10.0 ** math.floor(math.log10(whole / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if whole / (power * factor) <= most)
    # Ticks at both ends stay in spite of rounding.
    first, last = math.ceil(begin / step * (1 - 1e-9)), math.floor((begin + whole) / step * (1 + 1e-9))
    return unit, [((i * step - begin) / whole, f"{i * step:.6g}") for i in range(first, last + 1)]
