"""The words of a picture of signals: headings, facts and the text alternative."""

from __future__ import annotations

import math

import numpy as np

from xplain.explanation import Window
from xplain.pictures._signal_scene import Part, Scene, Section
from xplain.pictures._timeline import merged
from xplain.pictures.scale import number

__all__ = ["describe", "heading", "origin", "rule", "ticks", "when"]

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
    said = extent.nothing or extent.flat or f"values {number(extent.low)} to {number(extent.high)} a reading"
    region = attribution.target.region
    window = f"window {when(region.start_ms)} to {when(region.end_ms)}" if isinstance(region, Window) else ""
    return " · ".join(filter(None, (attribution.method, window, said)))


def rule(scene: Scene) -> list[str]:
    """How the scale came about, and what a colour stands for; or why there is none."""
    if not scene.sections:
        return []
    if scene.scale is None:
        return [scene.sections[0].extent.nothing]
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
    if section.extent.high > 0 and not section.extent.nothing and not section.extent.flat:
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
