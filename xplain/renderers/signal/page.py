"""The page that shows explained signals: axes, time, labels, legend, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from xplain.explanation.outcomes import UNCERTAIN
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.legend import Message, strip
from xplain.renderers.canvas.scale import number
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, Sheet
from xplain.renderers.image.maps import ramp
from xplain.renderers.signal.curves import curves, plot, reach
from xplain.renderers.signal.scene import Part, Scene, Section, heading, origin, rule, ticks
from xplain.renderers.signal.timeline import OTHERS, Block, palette, timeline

UInt8 = npt.NDArray[np.uint8]

_WIDTH, _SIZE, _MARGIN = 960, 15, 24
_LEFT = 148  # of the plots: names and numbers of axes stand there
#: Width of a plot in pixels.
PLOT = _WIDTH - _LEFT - _MARGIN
_MOST_SECTIONS, _MOST_AXES = 24, 48
# Heights in pixels.
_AXES, _TALLEST, _LOWEST = 480, 84, 22  # of all axes together; of one
_BARE = 22  # of an axis without a line
_GAP = 6
_STRIP = 24


def page(scene: Scene, font: str | None) -> UInt8:
    """Draw as uint8 (height, width, 3)."""
    colours = palette(block for part in scene.parts for block in part.blocks)
    strips = [_blank(_MARGIN // 2)]
    drawn = 0
    for part in scene.parts:
        if drawn >= _MOST_SECTIONS:
            break
        shown = part.sections[: _MOST_SECTIONS - drawn]
        if drawn:
            strips.append(_blank(_SIZE))
        strips += _part(scene, part, shown, colours, font)
        drawn += max(1, len(shown))
    total = sum(max(1, len(part.sections)) for part in scene.parts)
    if total > drawn:
        strips.append(_lines([f"and {total - drawn} more, which are not drawn here"], font))
    if any(part.blocks for part in scene.parts):
        wrong = any(block.hatched for part in scene.parts for block in part.blocks)
        strips.append(_swatches(colours, wrong, font))
    if scene.sections:
        strips.append(_legend(scene, font))
    return np.concatenate([*strips, _blank(_MARGIN // 2)])


def _part(
    scene: Scene, part: Part, sections: Sequence[Section], colours: dict[str, Colour], font: str | None
) -> Iterator[UInt8]:
    yield _lines([heading(part)], font)
    for section in sections:
        target = section.attribution.target
        title = (target.name, number(target.score))
        yield strip(_WIDTH, _SIZE, title, [origin(part, section)], None, font, pad=_MARGIN)
        yield _plots(scene, part, section, font)
        yield _time(part, font)
    if not sections and part.readings is not None:
        yield _plots(scene, part, None, font)
        yield _time(part, font)
    if part.blocks and part.length:
        yield _blank(_GAP)
        yield _labelled("predicted", part.blocks, part.length, colours, font)
        if any(block.expected is not None for block in part.blocks):
            truth = [Block(b.start, b.stop, b.expected) for b in part.blocks if b.expected is not None]
            yield _blank(_GAP // 2)
            yield _labelled("expected", truth, part.length, colours, font)
        if drawn := curves(part.explanation.predictions, colours, part.begin, part.length, PLOT, font):
            yield _blank(_GAP)
            yield _beside("confidence", *drawn, font)
        if not part.time:
            yield _time(part, font)


def _plots(scene: Scene, part: Part, section: Section | None, font: str | None) -> UInt8:
    """The axes, one below the other."""
    shown = min(len(part.axes), _MOST_AXES)
    tallest = _TALLEST if part.readings is not None else _BARE
    height = max(_LOWEST, min(tallest, _AXES // shown))
    more = len(part.axes) - shown
    sheet = Sheet(_WIDTH, shown * (height + _GAP) + 2 * _SIZE * bool(more), _SIZE, font)
    colouring = None if section is None else scene.colouring_of(section)
    for i in range(shown):
        top = i * (height + _GAP)
        readings = None if part.readings is None else part.readings[i]
        evidence = None if section is None else section.values[i]
        sheet.box(_LEFT - 1, top, _LEFT + PLOT + 1, top + height + 1, None, LINE)
        sheet.paste(_LEFT, top + 1, plot(readings, evidence, colouring, PLOT, height - 1))
        numbers = 0.0
        if readings is not None and height >= 3 * _SIZE:
            low, high = reach(readings)
            for value, base in ((high, top + _SIZE), (low, top + height - 3)):
                text = number(value)
                taken = sheet.text((_LEFT - 8, base), text, room=60, scale=0.8, colour=QUIET, anchor="rs")
                numbers = max(numbers, taken)
        room = _LEFT - _MARGIN - numbers - 16
        sheet.text((_MARGIN, top + height / 2 + 0.36 * _SIZE), part.axes[i], room=room)
    if more:
        sheet.text((_LEFT, sheet.pixels().shape[0] - 8), f"and {more} more axes", room=PLOT, colour=QUIET)
    return sheet.pixels()


def _time(part: Part, font: str | None) -> UInt8:
    """Ticks and numbers of the time axis."""
    sheet = Sheet(_WIDTH, round(1.7 * _SIZE), _SIZE, font)
    unit, places = ticks(part, 10)
    sheet.text((_LEFT - 8, 1.3 * _SIZE), unit, room=_LEFT - _MARGIN, scale=0.85, colour=QUIET, anchor="rs")
    for place, text in places:
        x = _LEFT + place * PLOT
        sheet.box(x, 0, x + 1, 5, LINE)
        sheet.text((x, 1.3 * _SIZE), text, room=90, scale=0.85, colour=QUIET, anchor="ms" if place else "ls")
    return sheet.pixels()


def _labelled(name: str, blocks: Sequence[Block], length: float, colours: dict[str, Colour], font: str | None) -> UInt8:
    sheet = Sheet(_WIDTH, _STRIP, _SIZE, font)
    sheet.text((_MARGIN, _STRIP / 2 + 0.36 * _SIZE), name, room=_LEFT - _MARGIN - 8)
    sheet.paste(_LEFT, 0, timeline(blocks, colours, length, PLOT, _STRIP, round(0.85 * _SIZE), font))
    return sheet.pixels()


def _beside(name: str, pixels: UInt8, marks: Sequence[tuple[str, int]], font: str | None) -> UInt8:
    """A plot with its name and numbers at the left."""
    sheet = Sheet(_WIDTH, len(pixels), _SIZE, font)
    sheet.text((_MARGIN, len(pixels) / 2 + 0.36 * _SIZE), name, room=_LEFT - _MARGIN - 40)
    for text, y in marks:
        base = min(max(y + 0.3 * _SIZE, 0.8 * _SIZE), len(pixels) - 2)
        sheet.text((_LEFT - 8, base), text, room=40, scale=0.8, colour=QUIET, anchor="rs")
    sheet.paste(_LEFT, 0, pixels)
    return sheet.pixels()


def _swatches(colours: dict[str, Colour], wrong: bool, font: str | None) -> UInt8:
    """What the colours of the labels mean, in as many lines as it takes."""
    entries = [(label, colour) for label, colour in colours.items() if colour != OTHERS]
    if UNCERTAIN in colours:
        entries.append((UNCERTAIN, OTHERS))
    if len(entries) < len(colours):
        entries.append(("other labels", OTHERS))
    measure = Sheet(1, 1, _SIZE, font)
    box, most = 1.5 * _SIZE, PLOT - 1.5 * _SIZE
    x, line, places = 0.0, 0, []
    for text, colour in entries:
        width = min(box + measure.width_of(text) + 1.5 * _SIZE, PLOT)
        if x + width > PLOT:
            x, line = 0.0, line + 1
        places.append((x, line, text, colour))
        x += width
    lines = line + 1 + wrong
    sheet = Sheet(_WIDTH, round((1.5 * lines + 0.8) * _SIZE), _SIZE, font)
    for x, line, text, colour in places:
        base = (1.5 * line + 1.5) * _SIZE
        sheet.box(_LEFT + x, base - 0.85 * _SIZE, _LEFT + x + _SIZE, base + 0.15 * _SIZE, colour)
        sheet.text((_LEFT + x + box, base), text, room=most, colour=INK)
    if wrong:
        said = "hatched: another label was expected, or no score reaches the threshold"
        sheet.text((_LEFT, 1.5 * lines * _SIZE), said, room=PLOT, colour=QUIET)
    return sheet.pixels()


def _legend(scene: Scene, font: str | None) -> UInt8:
    lines = rule(scene)
    if scene.scale is None or scene.colouring is None:
        return strip(_WIDTH, _SIZE, None, [], Message(lines[0]), font, pad=_MARGIN)
    methods = [section.attribution.method for section in scene.sections]
    diverging = scene.cmap.diverging
    return strip(_WIDTH, _SIZE, None, lines, ramp(scene.colouring, scene.scale, diverging, methods), font, pad=_MARGIN)


def _lines(lines: Sequence[str], font: str | None) -> UInt8:
    return strip(_WIDTH, _SIZE, None, lines, None, font, pad=_MARGIN)


def _blank(height: int) -> UInt8:
    return np.full((height, _WIDTH, 3), PAPER, np.uint8)
