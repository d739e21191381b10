"""Explained texts for terminals: in 256 colours, or plain with the scores in brackets.

Only characters made visible are written, so nothing in a text or a label acts on the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate

from xplain.explanation.characters import one_line, visible
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.text import wording
from xplain.renderers.text.scene import ExplainedText, Scene, Section, Tint
from xplain.renderers.text.wording import Bar

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_BLACK, _WHITE = 16, 231
_CUBE = (0, 95, 135, 175, 215, 255)  # levels of the 6x6x6 colours of xterm, which start at 16
_GREY = 1  # level in the cube of the grey for zero: a colour fades to it on dark and on light terminals
_STRENGTHS = 3  # shades of a sign
_MAX_BRACKETED = 10  # words that are followed by their scores
# In columns of the terminal.
_LABEL_WIDTH = 24
_BAR_WIDTH = 24


def write(scene: Scene, color: bool) -> str:
    """Write for a terminal.

    With ``color`` the background of a word goes from grey to the colour of its sign; the terminal's own background may
    be light or dark. Without it the strongest words are followed by their scores.
    """
    return "\n".join(_lines(scene, color)).lstrip("\n") + "\n"


def _lines(scene: Scene, color: bool) -> Iterator[str]:
    yield _legend(scene, color)
    for explained in scene.texts:
        if name := wording.heading(explained):
            yield ""
            yield _bold(name) if color else name
        for section in explained.sections:
            yield ""
            yield from _section(scene, explained, section, color)
        if scene.kind == "text":
            yield from _passages(explained, color)
            yield from _entities(explained)
        if reason := wording.blank_reason(explained):
            yield reason
        if not explained.sections:
            yield from _labels(explained, None, color)
        if bars := wording.property_bars(explained):
            yield "Properties"
            yield from _grey_bars(bars, color)
    if scene.note:
        yield ""
        yield scene.note


def _legend(scene: Scene, color: bool) -> str:
    rule = wording.scale_rule(scene)
    if scene.scale is None or scene.tint is None:
        return rule
    low, high = wording.legend_ends(scene)
    tint = scene.tint
    against, favour = wording.legend_meanings(scene)
    if not color:
        return (f"{low} {against}, " if scene.scale.signed else "") + f"{high} {favour} ({rule})"
    scores = [tint.limit * (i + 1) / _STRENGTHS for i in range(_STRENGTHS)]
    left = f"{against} {low} {_cells(tint, [-s for s in reversed(scores)])} " if scene.scale.signed else ""
    return f"{left}0 {_cells(tint, scores)} {high} {favour} ({rule})"


def _cells(tint: Tint, scores: Sequence[float]) -> str:
    return "".join(_paint("  ", _colour_index(tint, score)) for score in scores)


def _section(scene: Scene, explained: ExplainedText, section: Section, color: bool) -> Iterator[str]:
    target, method = section.attribution.target, section.attribution.method
    label = one_line(target.name)
    by = f" by {one_line(method)}" if method else ""
    yield f"{_bold(label) if color else label} {number(target.score)}{by}"
    if scene.kind == "text":
        yield "".join(_runs(scene, section, color))
    yield from wording.section_notes(scene, section)
    if bars := wording.word_bars(scene, section):
        yield "Strongest words"
        yield from _bars(bars, scene.tint if color else None)
    yield from _labels(explained, section, color)


def _runs(scene: Scene, section: Section, color: bool) -> Iterator[str]:
    tint = scene.tint_of(section)
    strongest = section.strongest(_MAX_BRACKETED)
    weakest_bracketed = abs(strongest[-1].score) if strongest else 0.0
    for run in section.runs:
        characters = visible(section.text[run.start : run.stop])
        if run.word is None or tint is None:
            yield characters
        elif color:
            # A colour that a line break interrupts would fill the rest of the line on many terminals.
            index = _colour_index(tint, run.word.score)
            yield "\n".join(_paint(line, index) for line in characters.split("\n"))
        else:
            bracketed = strongest and abs(run.word.score) >= weakest_bracketed
            yield f"{characters}[{wording.format_score(run.word.score, section)}]" if bracketed else characters


def _passages(explained: ExplainedText, color: bool) -> Iterator[str]:
    """The text with its entities in brackets, each followed by its name in braces."""
    text = explained.text or ""
    for passage in explained.passages if explained.shows_text else ():
        if passage.name:
            yield _bold(passage.name) if color else f"{passage.name}:"
        strings, still_open = [], 0
        for stretch in passage.stretches:
            strings.append("[" * (len(stretch.covering) - still_open))
            strings.append(visible(text[stretch.start : stretch.stop]))
            strings += [f"]{{{entity.name}}}" for entity in stretch.ending]
            still_open = len(stretch.covering) - len(stretch.ending)
        yield "".join(strings)


def _entities(explained: ExplainedText) -> Iterator[str]:
    if entities := wording.listed_entities(explained):
        yield "Found"
        for entity, facts in entities:
            yield f"{_align_right(entity.name)}  {facts}"
        if more := wording.more_entities(explained):
            yield f"{'':{_LABEL_WIDTH}}  {more}"


def _labels(explained: ExplainedText, section: Section | None, color: bool) -> Iterator[str]:
    if bars := wording.label_bars(explained, section):
        yield "Class scores"
        yield from _grey_bars(bars, color)
        if more := wording.more_labels(explained):
            yield f"{'':{_LABEL_WIDTH}}  {more}"


def _grey_bars(bars: Sequence[Bar], color: bool) -> Iterator[str]:
    # A terminal without colours may not have block characters either.
    return _bars(bars, None, "█" if color else "#")


def _bars(bars: Sequence[Bar], tint: Tint | None, character: str = "") -> Iterator[str]:
    """Rows of a label, a number and a bar of ``character``, or of its sign if that is empty; a tint paints the bar."""
    longest = max(abs(bar.value) for bar in bars) or 1.0
    is_tree = any(bar.depth for bar in bars)
    for bar in bars:
        length = round(_BAR_WIDTH * fraction(abs(bar.value), 0.0, longest))
        line = (character or ("-" if bar.value < 0 else "+")) * length
        if tint is not None and length:
            line = _paint(" " * length, _colour_index(tint, tint.limit if bar.value > 0 else -tint.limit))
        label = _align_left("  " * bar.depth + bar.label) if is_tree else _align_right(bar.label)
        yield f"{label}  {bar.text:>9}  {line:{_BAR_WIDTH * bool(bar.remarks)}}  {bar.remarks}".rstrip()


def _align_right(label: str) -> str:
    """A label at the right end of its column, shortened if it is wider."""
    label = _shorten(label)
    return " " * (_LABEL_WIDTH - _width(label)) + label


def _align_left(label: str) -> str:
    """A label at the left end of its column; one that has to be shortened loses its indentation."""
    label = label if _width(label) <= _LABEL_WIDTH else _shorten(label).lstrip()
    return label + " " * (_LABEL_WIDTH - _width(label))


def _shorten(label: str) -> str:
    if _width(label) <= _LABEL_WIDTH:
        return label
    ends = accumulate(_width(character) for character in label)
    return label[: sum(end < _LABEL_WIDTH for end in ends)] + "…"


def _width(text: str) -> int:
    """Columns that a terminal gives a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _bold(text: str) -> str:
    return f"{_BOLD}{text}{_RESET}"


def _paint(text: str, index: int | None) -> str:
    """Text on a background of the 256 colours, in what is read best on it."""
    if index is None or not text:
        return text
    green = (index - 16) // 6 % 6  # of the three, it weighs most in how light a colour is
    return f"\x1b[48;5;{index};38;5;{_BLACK if _CUBE[green] > 95 else _WHITE}m{text}{_RESET}"


def _colour_index(tint: Tint, score: float) -> int | None:
    """Index of a score's colour among the 256; None near zero."""
    strength = round(_STRENGTHS * tint.share(score))
    if not strength:
        return None
    red, green, blue = (
        round(_GREY + (min(range(6), key=lambda i: abs(_CUBE[i] - channel)) - _GREY) * strength / _STRENGTHS)
        for channel in tint.hue(score)
    )
    return 16 + 36 * red + 6 * green + blue
