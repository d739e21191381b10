"""The page that shows explained signals: axes, time, labels, legend, from top to bottom.

It is made of strips as wide as the page, which are put below each other at the end: none has to know how high the
others are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from xplain.explanation.outcomes import UNCERTAIN
from xplain.renderers.canvas.colours import OTHERS, Colour
from xplain.renderers.canvas.legend import Message, strip
from xplain.renderers.canvas.scale import number
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, Sheet
from xplain.renderers.image.maps import ramp
from xplain.renderers.signal.curves import draw_axis, draw_confidences, value_range
from xplain.renderers.signal.scene import (
    ExplainedSignal,
    Scene,
    Section,
    caption,
    heading,
    legend_lines,
    noted,
    time_ticks,
)
from xplain.renderers.signal.timeline import Block, draw_timeline, palette

UInt8 = npt.NDArray[np.uint8]

_WIDTH, _SIZE, _MARGIN = 960, 15, 24  # of the page, height of its text, around it: in pixels
#: Where plots begin: names and numbers of axes are written at their left.
LEFT = 148
#: Width of a plot in pixels.
PLOT_WIDTH = _WIDTH - LEFT - _MARGIN
MAX_SECTIONS, MAX_AXES = 24, 48
# Heights in pixels.
_ALL_AXES, _MAX_AXIS, _MIN_AXIS = 480, 84, 22  # of all axes together; of one
_BARE_AXIS = 22  # without a line
_GAP = 6
_TIMELINE = 24
_MAX_TICKS = 10


def draw_page(scene: Scene, font: str | None) -> UInt8:
    """Draw as uint8 (height, width, 3)."""
    blocks = [block for explained in scene.signals for block in explained.blocks]
    colours = palette(blocks)
    strips = [_blank(_MARGIN // 2)]
    count = 0  # a signal without sections counts as one
    for explained in scene.signals:
        if count >= MAX_SECTIONS:
            break
        sections = explained.sections[: MAX_SECTIONS - count]
        if count:
            strips.append(_blank(_SIZE))
        strips += _signal(scene, explained, sections, colours, font)
        count += max(1, len(sections))
    total = sum(max(1, len(explained.sections)) for explained in scene.signals)
    if total > count:
        strips.append(_lines([f"and {total - count} more, which are not drawn here"], font))
    if blocks:
        strips.append(_swatches(colours, any(block.hatched for block in blocks), font))
    if scene.sections:
        strips.append(_legend(scene, font))
    return np.concatenate([*strips, _blank(_MARGIN // 2)])


def _signal(
    scene: Scene, explained: ExplainedSignal, sections: Sequence[Section], colours: dict[str, Colour], font: str | None
) -> Iterator[UInt8]:
    yield _lines([heading(explained)], font)
    for section in sections:
        target = section.attribution.target
        title = (target.name, number(target.score))
        yield strip(_WIDTH, _SIZE, title, [caption(section)], None, font, pad=_MARGIN, remarks=noted(section))
        yield _axes(scene, explained, section, font)
        yield _time_axis(explained, font)
    if not sections and explained.readings is not None:
        yield _axes(scene, explained, None, font)
        yield _time_axis(explained, font)
    if explained.blocks and explained.length:
        yield from _labels(explained, explained.length, colours, font)


def _labels(explained: ExplainedSignal, length: float, colours: dict[str, Colour], font: str | None) -> Iterator[UInt8]:
    """What was predicted when, what was expected, and how sure that was."""
    blocks = explained.blocks
    yield _blank(_GAP)
    yield _timeline("predicted", blocks, length, colours, font)
    truths = [Block(block.start, block.stop, block.expected) for block in blocks if block.expected is not None]
    if truths:
        yield _blank(_GAP // 2)
        yield _timeline("expected", truths, length, colours, font)
    confidences = draw_confidences(
        explained.explanation.predictions, colours, explained.begin, length, PLOT_WIDTH, font
    )
    if confidences:
        yield _blank(_GAP)
        yield _beside("confidence", *confidences, font)
    if not explained.time:
        yield _time_axis(explained, font)


def _axes(scene: Scene, explained: ExplainedSignal, section: Section | None, font: str | None) -> UInt8:
    """The axes, one below the other."""
    count = min(len(explained.axes), MAX_AXES)
    highest = _MAX_AXIS if explained.readings is not None else _BARE_AXIS
    height = max(_MIN_AXIS, min(highest, _ALL_AXES // count))
    more = len(explained.axes) - count
    sheet = Sheet(_WIDTH, count * (height + _GAP) + 2 * _SIZE * bool(more), _SIZE, font)
    colouring = None if section is None else scene.colouring_of(section)
    for i in range(count):
        top = i * (height + _GAP)
        readings = None if explained.readings is None else explained.readings[i]
        evidence = None if section is None else section.values[i]
        sheet.box(LEFT - 1, top, LEFT + PLOT_WIDTH + 1, top + height + 1, None, LINE)
        sheet.paste(LEFT, top + 1, draw_axis(readings, evidence, colouring, PLOT_WIDTH, height - 1))
        numbers_width = 0.0
        if readings is not None and height >= 3 * _SIZE:
            low, high = value_range(readings)
            for value, base in ((high, top + _SIZE), (low, top + height - 3)):
                width = sheet.text((LEFT - 8, base), number(value), room=60, scale=0.8, colour=QUIET, anchor="rs")
                numbers_width = max(numbers_width, width)
        room = LEFT - _MARGIN - numbers_width - 16
        sheet.text((_MARGIN, top + height / 2 + 0.36 * _SIZE), explained.axes[i], room=room)
    if more:
        sheet.text((LEFT, sheet.pixels().shape[0] - 8), f"and {more} more axes", room=PLOT_WIDTH, colour=QUIET)
    return sheet.pixels()


def _time_axis(explained: ExplainedSignal, font: str | None) -> UInt8:
    """Ticks and numbers."""
    sheet = Sheet(_WIDTH, round(1.7 * _SIZE), _SIZE, font)
    unit, ticks = time_ticks(explained, _MAX_TICKS)
    sheet.text((LEFT - 8, 1.3 * _SIZE), unit, room=LEFT - _MARGIN, scale=0.85, colour=QUIET, anchor="rs")
    for position, text in ticks:
        x = LEFT + position * PLOT_WIDTH
        sheet.box(x, 0, x + 1, 5, LINE)
        # At the left end a number in the middle of its tick would touch the unit.
        sheet.text((x, 1.3 * _SIZE), text, room=90, scale=0.85, colour=QUIET, anchor="ms" if position else "ls")
    return sheet.pixels()


def _timeline(name: str, blocks: Sequence[Block], length: float, colours: dict[str, Colour], font: str | None) -> UInt8:
    sheet = Sheet(_WIDTH, _TIMELINE, _SIZE, font)
    sheet.text((_MARGIN, _TIMELINE / 2 + 0.36 * _SIZE), name, room=LEFT - _MARGIN - 8)
    pixels = draw_timeline(blocks, colours, length, PLOT_WIDTH, _TIMELINE, round(0.85 * _SIZE), font)
    sheet.paste(LEFT, 0, pixels)
    return sheet.pixels()


def _beside(name: str, pixels: UInt8, numbers: Sequence[tuple[str, int]], font: str | None) -> UInt8:
    """A plot with its name and the numbers of its scale at the left."""
    sheet = Sheet(_WIDTH, len(pixels), _SIZE, font)
    sheet.text((_MARGIN, len(pixels) / 2 + 0.36 * _SIZE), name, room=LEFT - _MARGIN - 40)
    for text, y in numbers:
        base = min(max(y + 0.3 * _SIZE, 0.8 * _SIZE), len(pixels) - 2)
        sheet.text((LEFT - 8, base), text, room=40, scale=0.8, colour=QUIET, anchor="rs")
    sheet.paste(LEFT, 0, pixels)
    return sheet.pixels()


def _swatches(colours: dict[str, Colour], hatched: bool, font: str | None) -> UInt8:
    """What the colours of the labels mean, in as many lines as it takes."""
    entries = [(label, colour) for label, colour in colours.items() if colour != OTHERS]
    if UNCERTAIN in colours:
        entries.append((UNCERTAIN, OTHERS))
    if len(entries) < len(colours):
        entries.append(("other labels", OTHERS))
    measure = Sheet(1, 1, _SIZE, font)
    indent = 1.5 * _SIZE  # of a text behind its swatch
    x, line, positions = 0.0, 0, []
    for text, _ in entries:
        width = min(indent + measure.width_of(text) + 1.5 * _SIZE, PLOT_WIDTH)
        if x + width > PLOT_WIDTH:
            x, line = 0.0, line + 1
        positions.append((x, line))
        x += width
    lines = line + 1 + hatched
    sheet = Sheet(_WIDTH, round((1.5 * lines + 0.8) * _SIZE), _SIZE, font)
    for (text, colour), (x, line) in zip(entries, positions, strict=True):
        base = (1.5 * line + 1.5) * _SIZE
        sheet.box(LEFT + x, base - 0.85 * _SIZE, LEFT + x + _SIZE, base + 0.15 * _SIZE, colour)
        sheet.text((LEFT + x + indent, base), text, room=PLOT_WIDTH - indent, colour=INK)
    if hatched:
        meaning = "hatched: another label was expected, or no score reaches the threshold"
        sheet.text((LEFT, 1.5 * lines * _SIZE), meaning, room=PLOT_WIDTH, colour=QUIET)
    return sheet.pixels()


def _legend(scene: Scene, font: str | None) -> UInt8:
    lines = legend_lines(scene)
    if scene.scale is None or scene.colouring is None:
        return strip(_WIDTH, _SIZE, None, [], Message(lines[0]), font, pad=_MARGIN)
    methods = [section.attribution.method for section in scene.sections]
    key = ramp(scene.colouring, scene.scale, scene.cmap.diverging, methods)
    return strip(_WIDTH, _SIZE, None, lines, key, font, pad=_MARGIN)


def _lines(lines: Sequence[str], font: str | None) -> UInt8:
    return strip(_WIDTH, _SIZE, None, lines, None, font, pad=_MARGIN)


def _blank(height: int) -> UInt8:
    return np.full((height, _WIDTH, 3), PAPER, np.uint8)
