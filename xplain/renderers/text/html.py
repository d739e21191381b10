"""Explained texts as HTML: whole pages, fragments for notebooks, and snippets for the page of a job.

There is no script, and every style is inline, because notebooks clean what they show: JupyterLab keeps inline styles
whose colours are plain, GitHub drops all of them. So colours are ``rgba(r, g, b, 0.4)``, the text takes its own colour
from the page, light or dark, and the scores are also in titles and in lists.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from xplain.explanation import Explanation
from xplain.explanation.characters import one_line, visible
from xplain.explanation.notes import Notes
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.html import background, escaped
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.text import wording
from xplain.renderers.text.entities import ENTITY_OPACITY, Stretch
from xplain.renderers.text.scene import ExplainedText, Scene, Section, Tint, build
from xplain.renderers.text.style import Style
from xplain.renderers.text.wording import Bar

_PAGE_STYLE = (
    ":root { color-scheme: light dark; }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 48em; margin: 2em auto; padding: 0 1em; }"
)
_QUIET = "font-size: 0.85em; opacity: 0.75"
_FRAME = "border: 1px solid rgba(128, 128, 128, 0.35); border-radius: 4px"
_TEXT = (
    "white-space: pre-wrap; overflow-wrap: break-word; line-height: 1.8; font-size: 1.1em; margin: 0.4em 0; "
    f"padding: 0.5em 0.8em; {_FRAME}"
)
_SWATCH = "display: inline-block; width: 1.4em; height: 0.9em; vertical-align: middle"
_CHART = "display: inline-block; vertical-align: top; max-width: 100%; margin: 0.4em 1.5em 0.4em 0"
_LABEL = (
    "display: inline-block; width: 32%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; "
    "text-align: right; vertical-align: middle"
)
_ENTITY_NAME = "font-size: 0.65em; opacity: 0.75; margin: 0 0.3em 0 0.15em"
_LINE_WIDTH, _MAX_LINES = 2, 4  # pixels of a line below an entity; lines below each other where entities overlap
_NEUTRAL: Colour = (128, 128, 128)
_STEPS = 5  # colours of a sign in the legend
_MIN_BAR = 0.1  # per cent: a bar of any value can be seen
_CHART_WIDTH, _WORDS_WIDTH, _WIDE_WIDTH = 16, 25, 34  # em
_BARS_SHARE, _NARROW_BARS_SHARE = 48, 30  # per cent of a chart, the latter if badges are written beside the bars
_SNIPPET_LENGTH = 400  # characters
_SNIPPET_CMAP = "RdBu_r"

# A half-open range of code points, its colour with opacity, and its title.
_Highlight = tuple[int, int, tuple[Colour, float] | None, str]


def page(scene: Scene) -> str:
    """Write one self-contained page."""
    names = [name for explained in scene.texts if (name := wording.heading(explained))]
    title = f"Explanation of {', '.join(names[:3]) + (', …' if len(names) > 3 else '') if names else 'a text'}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_PAGE_STYLE}\n</style>\n</head>\n<body>\n"
        f"{fragment(scene)}\n</body>\n</html>\n"
    )


def fragment(scene: Scene) -> str:
    """Write what a page, or the cell of a notebook, holds."""
    return "\n".join(['<div style="max-width: 48em">', *_legend(scene), *_texts(scene), "</div>"])


def snippet(explanation: Explanation, notes: Notes) -> str:
    """Write the beginning of a text, coloured by the first attribution or by entities; empty if it is not known."""
    style = Style(target=0 if explanation.attributions else None)
    scene = build([explanation], style, lambda _: notes)
    [explained] = scene.texts
    if explained.sections:
        [section] = explained.sections
        text, highlights = section.text, _word_highlights(scene, section)
    else:
        text, highlights = explained.text or "", _entity_highlights(explained)
    written = "".join(_highlighted(text, highlight) for highlight in highlights if highlight[0] < _SNIPPET_LENGTH)
    return written + ("…" if written and len(text) > _SNIPPET_LENGTH else "")


def _word_highlights(scene: Scene, section: Section) -> Iterator[_Highlight]:
    tint = scene.tint_of(section)
    for run in section.runs:
        if run.word is None or tint is None or not tint.opacity(run.word.score):
            yield run.start, run.stop, None, ""
        else:
            score = run.word.score
            title = wording.format_score(score, section)
            yield run.start, run.stop, (tint.hue(score), tint.opacity(score)), title


def _entity_highlights(explained: ExplainedText) -> Iterator[_Highlight]:
    end = 0
    for passage in explained.passages:
        for stretch in passage.stretches:
            yield end, stretch.start, None, ""  # what separates two parts of a text
            colour = (stretch.covering[0].colour, ENTITY_OPACITY) if stretch.covering else None
            title = "; ".join(", ".join((entity.name, *entity.facts)) for entity in stretch.covering)
            yield stretch.start, stretch.stop, colour, title
            end = stretch.stop


def _highlighted(text: str, highlight: _Highlight) -> str:
    start, stop, colour, title = highlight
    characters = escaped(text[start : min(stop, _SNIPPET_LENGTH)], lines=True)
    if colour is None:
        return characters
    return f'<span style="{background(*colour)}" title="{escaped(title)}">{characters}</span>'


def _legend(scene: Scene) -> Iterator[str]:
    rule = html.escape(wording.scale_rule(scene))
    if scene.scale is None or scene.tint is None:
        if rule:
            yield f'<div style="{_QUIET}">{rule}</div>'
        return
    low, high = map(html.escape, wording.legend_ends(scene))
    against, favour = wording.legend_meanings(scene)
    scores = [scene.tint.limit * (i + 1) / _STEPS for i in range(_STEPS)]
    left = f"{against} {low} {_swatches(scene.tint, [-s for s in reversed(scores)])} " if scene.scale.signed else ""
    yield f'<div style="font-size: 0.85em">{left}0 {_swatches(scene.tint, scores)} {high} {favour}</div>'
    yield f'<div style="{_QUIET}">{rule}</div>'


def _swatches(tint: Tint, scores: Sequence[float]) -> str:
    return "".join(f'<span style="{_SWATCH}; {background(tint.hue(s), tint.opacity(s))}"></span>' for s in scores)


def _texts(scene: Scene) -> Iterator[str]:
    for explained in scene.texts:
        if name := wording.heading(explained):
            yield f'<div style="font-size: 1.3em; margin-top: 1em" dir="auto">{html.escape(name)}</div>'
        for section in explained.sections:
            yield from _section(scene, explained, section)
        if scene.kind == "text":
            yield from _passages(explained)
            yield from _entities(explained)
        if reason := wording.blank_reason(explained):
            yield f'<div style="{_QUIET}">{reason}</div>'
        if not explained.sections:
            yield from _labels(explained, None)
        if bars := wording.property_bars(explained):
            yield from _chart("Properties", _CHART_WIDTH, bars, None)
    if scene.note:
        yield f'<div style="{_QUIET}; margin-top: 1em">{html.escape(scene.note)}</div>'


def _section(scene: Scene, explained: ExplainedText, section: Section) -> Iterator[str]:
    target, method = section.attribution.target, section.attribution.method
    by = f' <span style="{_QUIET}">by {html.escape(one_line(method))}</span>' if method else ""
    yield (
        f'<div style="margin-top: 1.2em"><strong>{html.escape(one_line(target.name))}</strong> '
        f"{number(target.score)}{by}</div>"
    )
    if scene.kind == "text":
        yield f'<div dir="auto" style="{_TEXT}">{"".join(_runs(scene, section))}</div>'
    for note in wording.section_notes(scene, section):
        yield f'<div style="{_QUIET}">{html.escape(note)}</div>'
    if bars := wording.word_bars(scene, section):
        yield from _chart("Strongest words", _WORDS_WIDTH, bars, scene.tint)
    yield from _labels(explained, section)


def _runs(scene: Scene, section: Section) -> Iterator[str]:
    tint = scene.tint_of(section)
    for run in section.runs:
        characters = html.escape(visible(section.text[run.start : run.stop]))
        if run.word is None:
            yield characters
            continue
        score = run.word.score
        style = ""
        if tint is not None and tint.opacity(score):
            style = f' style="{background(tint.hue(score), tint.opacity(score))}; border-radius: 3px"'
        yield f'<span{style} title="{wording.format_score(score, section)}">{characters}</span>'


def _passages(explained: ExplainedText) -> Iterator[str]:
    """The named parts of the text with their entities."""
    text = explained.text or ""
    for passage in explained.passages if explained.shows_text else ():
        if passage.name:
            yield f'<div style="{_QUIET}">{html.escape(passage.name)}</div>'
        stretches = "".join(_stretch(stretch, text) for stretch in passage.stretches)
        yield f'<div dir="auto" style="{_TEXT}">{stretches}</div>'


def _stretch(stretch: Stretch, text: str) -> str:
    """A stretch on the colour of its first entity, a line for each entity, and the names of those that end with it."""
    characters = html.escape(visible(text[stretch.start : stretch.stop]))
    if stretch.covering:
        lines = ", ".join(
            f"0 {_LINE_WIDTH * (i + 1)}px 0 {_rgb(entity.colour)}"
            for i, entity in enumerate(stretch.covering[:_MAX_LINES])
        )
        title = html.escape("; ".join(f"{entity.name} {', '.join(entity.facts)}" for entity in stretch.covering))
        colour = background(stretch.covering[0].colour, ENTITY_OPACITY)
        characters = f'<span style="{colour}; box-shadow: {lines}" title="{title}">{characters}</span>'
    return characters + "".join(
        f'<span style="{_ENTITY_NAME}">{html.escape(entity.name)}</span>' for entity in stretch.ending
    )


def _entities(explained: ExplainedText) -> Iterator[str]:
    entities = wording.listed_entities(explained)
    if not entities:
        return
    yield f'<div style="{_QUIET}">Found</div>'
    for entity, facts in entities:
        swatch = f'<span style="{_SWATCH}; {background(entity.colour, 1)}"></span>'
        name = f"<strong>{html.escape(entity.name)}</strong>"
        yield f'<div style="font-size: 0.9em">{swatch} {name} {html.escape(facts)}</div>'
    if more := wording.more_entities(explained):
        yield f'<div style="{_QUIET}">{more}</div>'


def _labels(explained: ExplainedText, section: Section | None) -> Iterator[str]:
    if bars := wording.label_bars(explained, section):
        is_wide = section is None and any(bar.depth or bar.badges for bar in bars)
        width = _WIDE_WIDTH if is_wide else _CHART_WIDTH
        yield from _chart("Class scores", width, bars, None, wording.more_labels(explained))


def _chart(title: str, width: int, bars: Sequence[Bar], tint: Tint | None, more: str = "") -> Iterator[str]:
    """A titled bar chart ``width`` em wide, in the colours of a tint or grey, with a last line about other bars."""
    axis = wording.axis_ends(bars)
    is_tree = any(bar.depth for bar in bars)
    share = _NARROW_BARS_SHARE if any(bar.badges for bar in bars) else _BARS_SHARE
    yield f'<div style="{_CHART}; width: {width}em"><div style="{_QUIET}">{title}</div>'
    for bar in bars:
        remarks = f' <span style="{_QUIET}">{html.escape(bar.remarks)}</span>' if bar.remarks else ""
        yield (
            f'<div style="line-height: 1.5; font-size: 0.9em; white-space: nowrap">'
            f"{_bar_label(bar, is_tree, bold=bar.emphasised and tint is None)} "
            f'<span style="display: inline-block; width: {share}%; vertical-align: middle">'
            f"{_bar(bar, axis, *_bar_colour(bar, tint))}</span> "
            f"<span>{bar.text}</span>{remarks}</div>"
        )
    if more:
        yield f'<div style="{_QUIET}">{more}</div>'
    yield "</div>"


def _bar_label(bar: Bar, is_tree: bool, *, bold: bool) -> str:
    """A label at the right of its column; in a tree at the left, indented."""
    label = html.escape(bar.label)
    indent = f"; text-align: left; padding-left: {1.2 * bar.depth:g}em; box-sizing: border-box" if is_tree else ""
    return (
        f'<span style="{_LABEL}{indent}" title="{label}" dir="auto">'
        f"{f'<strong>{label}</strong>' if bold else label}</span>"
    )


def _bar_colour(bar: Bar, tint: Tint | None) -> tuple[Colour, float]:
    if tint is None:
        return _NEUTRAL, 0.9 if bar.emphasised else 0.4
    return tint.hue(bar.value), tint.opacity(tint.limit)


def _bar(bar: Bar, axis: tuple[float, float], colour: Colour, opacity: float) -> str:
    """A bar from zero to its value, and a tick at its threshold."""
    start, end = (100 * fraction(position, *axis) for position in sorted((0.0, bar.value)))
    length = max(end - start, _MIN_BAR if bar.value else 0.0)
    return (
        f'<span style="display: inline-block; width: {length:.1f}%; height: 0.85em; margin-left: {start:.1f}%; '
        f'vertical-align: middle; {background(colour, opacity)}"></span>{_tick(bar, axis, start + length)}'
    )


def _tick(bar: Bar, axis: tuple[float, float], bar_end: float) -> str:
    """A line at the threshold; as it follows the bar, its margin is measured from there, in per cent of the axis."""
    if bar.threshold is None:
        return ""
    margin = 100 * fraction(bar.threshold, *axis) - bar_end
    return (
        f'<span style="display: inline-block; width: 0; height: 1.15em; vertical-align: middle; '
        f'margin-left: {margin:.1f}%; border-left: 2px solid"></span>'
    )


def _rgb(colour: Colour) -> str:
    red, green, blue = colour
    return f"rgb({red}, {green}, {blue})"
