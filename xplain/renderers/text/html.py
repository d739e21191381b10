"""Texts as HTML: without script, with every style inline.

Notebooks clean what they show. JupyterLab keeps inline styles whose colours are plain; GitHub drops all of them. So
colours are ``rgba(r, g, b, 0.4)``, the text takes its own colour from the page, light or dark, and the scores stand in
titles and in lists.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from xplain.explanation import Explanation
from xplain.explanation.characters import one_line, visible
from xplain.renderers.canvas.colours import CMAPS, Colour
from xplain.renderers.canvas.html import background, escaped
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.text import wording
from xplain.renderers.text.entities import Stretch
from xplain.renderers.text.scene import Part, Scene, Section, Tint, build
from xplain.renderers.text.wording import Bar

_STYLE = (
    ":root { color-scheme: light dark; }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 48em; margin: 2em auto; padding: 0 1em; }"
)
_QUIET = "font-size: 0.85em; opacity: 0.75"
_FRAME = "border: 1px solid rgba(128, 128, 128, 0.35); border-radius: 4px"
_TEXT = (
    "white-space: pre-wrap; overflow-wrap: break-word; line-height: 1.8; font-size: 1.1em; margin: 0.4em 0; "
    f"padding: 0.5em 0.8em; {_FRAME}"
)
_CELL = "display: inline-block; width: 1.4em; height: 0.9em; vertical-align: middle"
_COLUMN = "display: inline-block; vertical-align: top; max-width: 100%; margin: 0.4em 1.5em 0.4em 0"
_LABEL = (
    "display: inline-block; width: 32%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; "
    "text-align: right; vertical-align: middle"
)
_NAME = "font-size: 0.65em; opacity: 0.75; margin: 0 0.3em 0 0.15em"
_VEIL = 0.3  # opacity of the colour of an entity
_LANE, _MOST_LANES = 2, 4  # pixels of a line below an entity, and lines
_NEUTRAL: Colour = (128, 128, 128)
_STEPS = 5  # colours of a sign in the legend
_CSS_LEAST = 0.1  # per cent: the narrowest bar


def page(scene: Scene) -> str:
    """One self-contained page."""
    names = [name for part in scene.parts if (name := wording.heading(part))]
    title = f"Explanation of {', '.join(names[:3]) + (', …' if len(names) > 3 else '') if names else 'a text'}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_escaped(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"{fragment(scene)}\n</body>\n</html>\n"
    )


def fragment(scene: Scene) -> str:
    """What stands in a page or in a notebook's cell."""
    return "\n".join(['<div style="max-width: 48em">', *_legend(scene), *_parts(scene), "</div>"])


def _parts(scene: Scene) -> Iterator[str]:
    for part in scene.parts:
        if name := wording.heading(part):
            yield f'<div style="font-size: 1.3em; margin-top: 1em" dir="auto">{_escaped(name)}</div>'
        for section in part.sections:
            yield from _section(scene, part, section)
        if scene.kind == "text":
            yield from _passages(part)
            yield from _entities(part)
        if reason := wording.blank_reason(part):
            yield f'<div style="{_QUIET}">{reason}</div>'
        if not part.sections:
            yield from _classes(part, None)
        if bars := wording.qualities(part):
            yield from _column("Properties", 16, bars, None)
    if scene.note:
        yield f'<div style="{_QUIET}; margin-top: 1em">{_escaped(scene.note)}</div>'


def _passages(part: Part) -> Iterator[str]:
    """The parts of the text with what is found in them."""
    text = part.text or ""
    for passage in part.passages if part.shows_text else ():
        if passage.name:
            yield f'<div style="{_QUIET}">{_escaped(passage.name)}</div>'
        shown = "".join(_stretch(stretch, text) for stretch in passage.stretches)
        yield f'<div dir="auto" style="{_TEXT}">{shown}</div>'


def _stretch(stretch: Stretch, text: str) -> str:
    """A stretch on the colour of the first entity that covers it, a line for each, and the names of those that end."""
    shown = _escaped(visible(text[stretch.start : stretch.stop]))
    if stretch.over:
        lines = ", ".join(
            f"0 {_LANE * (i + 1)}px 0 {_rgb(entity.colour)}" for i, entity in enumerate(stretch.over[:_MOST_LANES])
        )
        title = _escaped("; ".join(f"{entity.name} {', '.join(entity.facts)}" for entity in stretch.over))
        ground = _background(stretch.over[0].colour, _VEIL)
        shown = f'<span style="{ground}; box-shadow: {lines}" title="{title}">{shown}</span>'
    return shown + "".join(f'<span style="{_NAME}">{_escaped(entity.name)}</span>' for entity in stretch.ending)


def _entities(part: Part) -> Iterator[str]:
    if not (listed := wording.entities(part)):
        return
    yield f'<div style="{_QUIET}">Found</div>'
    for entity, facts in listed:
        cell = f'<span style="{_CELL}; {_background(entity.colour, 1)}"></span>'
        yield f'<div style="font-size: 0.9em">{cell} <strong>{_escaped(entity.name)}</strong> {_escaped(facts)}</div>'
    if more := wording.more_entities(part):
        yield f'<div style="{_QUIET}">{more}</div>'


def _section(scene: Scene, part: Part, section: Section) -> Iterator[str]:
    target, method = section.attribution.target, section.attribution.method
    by = f' <span style="{_QUIET}">by {_escaped(one_line(method))}</span>' if method else ""
    yield (
        f'<div style="margin-top: 1.2em"><strong>{_escaped(one_line(target.name))}</strong> '
        f"{number(target.score)}{by}</div>"
    )
    if scene.kind == "text":
        yield f'<div dir="auto" style="{_TEXT}">{"".join(_runs(scene, section))}</div>'
    for note in wording.notes(scene, section):
        yield f'<div style="{_QUIET}">{_escaped(note)}</div>'
    if bars := wording.strongest(scene, section):
        yield from _column("Strongest words", 25, bars, scene.tint)
    yield from _classes(part, section)


def _runs(scene: Scene, section: Section) -> Iterator[str]:
    tint = scene.tint_of(section)
    for run in section.runs:
        shown = _escaped(visible(section.text[run.start : run.stop]))
        if run.word is None:
            yield shown
            continue
        score = run.word.score
        style = ""
        if tint is not None and tint.opacity(score):
            style = f' style="{_background(tint.hue(score), tint.opacity(score))}; border-radius: 3px"'
        yield f'<span{style} title="{wording.signed(score, section)}">{shown}</span>'


def _legend(scene: Scene) -> Iterator[str]:
    rule = _escaped(wording.rule(scene))
    if scene.scale is None or scene.tint is None:
        if rule:
            yield f'<div style="{_QUIET}">{rule}</div>'
        return
    low, high = map(_escaped, wording.ends(scene))
    against, favour = wording.meanings_of(scene)
    steps = [scene.tint.limit * (i + 1) / _STEPS for i in range(_STEPS)]
    below = f"{against} {low} {_cells(scene.tint, [-s for s in reversed(steps)])} " if scene.scale.signed else ""
    yield f'<div style="font-size: 0.85em">{below}0 {_cells(scene.tint, steps)} {high} {favour}</div>'
    yield f'<div style="{_QUIET}">{rule}</div>'


def _cells(tint: Tint, scores: Sequence[float]) -> str:
    return "".join(f'<span style="{_CELL}; {_background(tint.hue(s), tint.opacity(s))}"></span>' for s in scores)


def _classes(part: Part, section: Section | None) -> Iterator[str]:
    if bars := wording.classes(part, section):
        width = 16 if section is not None or not any(bar.depth or bar.badges for bar in bars) else 34
        yield from _column("Class scores", width, bars, None, wording.more_classes(part))


def _column(title: str, width: int, bars: Sequence[Bar], tint: Tint | None, more: str = "") -> Iterator[str]:
    """A titled bar chart; without a tint in grey."""
    ends = [0.0, *(at for bar in bars for at in (bar.value, bar.tick or 0.0))]
    low, high = min(ends), max(ends)
    tree = any(bar.depth for bar in bars)
    across = 30 if any(bar.badges for bar in bars) else 48
    yield f'<div style="{_COLUMN}; width: {width}em"><div style="{_QUIET}">{title}</div>'
    for bar in bars:
        colour = _NEUTRAL if tint is None else tint.hue(bar.value)
        opacity = (0.9 if bar.strong else 0.4) if tint is None else tint.opacity(tint.limit)
        start, end = (100 * fraction(at, low, high) for at in sorted((0.0, bar.value)))
        length = max(end - start, _CSS_LEAST if bar.value else 0.0)
        label = f"<strong>{_escaped(bar.label)}</strong>" if bar.strong and tint is None else _escaped(bar.label)
        tick = _tick(bar, start + length, low, high)
        place = f"; text-align: left; padding-left: {1.2 * bar.depth:g}em; box-sizing: border-box" if tree else ""
        remarks = f' <span style="{_QUIET}">{_escaped(bar.remarks)}</span>' if bar.remarks else ""
        yield (
            f'<div style="line-height: 1.5; font-size: 0.9em; white-space: nowrap">'
            f'<span style="{_LABEL}{place}" title="{_escaped(bar.label)}" dir="auto">{label}</span> '
            f'<span style="display: inline-block; width: {across}%; vertical-align: middle">'
            f'<span style="display: inline-block; width: {length:.1f}%; height: 0.85em; margin-left: {start:.1f}%; '
            f'vertical-align: middle; {_background(colour, opacity)}"></span>{tick}</span> '
            f"<span>{bar.number}</span>{remarks}</div>"
        )
    if more:
        yield f'<div style="{_QUIET}">{more}</div>'
    yield "</div>"


def _tick(bar: Bar, end: float, low: float, high: float) -> str:
    """A line where the threshold is; ``end`` is where the bar ends, in per cent."""
    if bar.tick is None:
        return ""
    place = 100 * fraction(bar.tick, low, high) - end
    return (
        f'<span style="display: inline-block; width: 0; height: 1.15em; vertical-align: middle; '
        f'margin-left: {place:.1f}%; border-left: 2px solid"></span>'
    )


def _rgb(colour: Colour) -> str:
    red, green, blue = colour
    return f"rgb({red}, {green}, {blue})"


def _background(colour: Colour, opacity: float) -> str:
    red, green, blue = colour
    return f"background-color: rgba({red}, {green}, {blue}, {opacity:g})"


def _escaped(text: str) -> str:
    return html.escape(text)


_LENGTH = 400  # characters of a text that are shown
# opacity of the colour of what is found
_CMAP = "RdBu_r"

#: Start, stop, colour with opacity, and what is said of it.
_Stretch = tuple[int, int, tuple[Colour, float] | None, str]


def snippet(explanation: Explanation) -> str:
    """Return the beginning of the text, coloured by the first attribution or by entities; empty if it is not known."""
    target = 0 if explanation.attributions else None
    scene = build([explanation], None, "text", target, CMAPS[_CMAP], None)
    [part] = scene.parts
    if part.sections:
        [section] = part.sections
        text, stretches = section.text, _words(scene, section)
    else:
        text, stretches = part.text or "", _found(part)
    shown = "".join(_coloured(text, one) for one in stretches if one[0] < _LENGTH)
    return shown + ("…" if shown and len(text) > _LENGTH else "")


def _coloured(text: str, stretch: _Stretch) -> str:
    start, stop, colour, title = stretch
    shown = escaped(text[start : min(stop, _LENGTH)], lines=True)
    if colour is None:
        return shown
    return f'<span style="{background(*colour)}" title="{escaped(title)}">{shown}</span>'


def _words(scene: Scene, section: Section) -> Iterator[_Stretch]:
    tint = scene.tint_of(section)
    for run in section.runs:
        if run.word is None or tint is None or not tint.opacity(run.word.score):
            yield run.start, run.stop, None, ""
        else:
            score = run.word.score
            yield run.start, run.stop, (tint.hue(score), tint.opacity(score)), wording.signed(score, section)


def _found(part: Part) -> Iterator[_Stretch]:
    at = 0
    for passage in part.passages:
        for one in passage.stretches:
            yield at, one.start, None, ""
            over = "; ".join(", ".join((entity.name, *entity.facts)) for entity in one.over)
            yield one.start, one.stop, (one.over[0].colour, _VEIL) if one.over else None, over
            at = one.stop
