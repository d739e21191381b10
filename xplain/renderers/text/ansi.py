"""Texts for terminals: 256 colours, or plain letters with the scores in brackets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate

from xplain.explanation.characters import one_line, visible
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.text import wording
from xplain.renderers.text.scene import Part, Scene, Section, Tint
from xplain.renderers.text.wording import Bar

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_BLACK, _WHITE = 16, 231
_LEVELS = 3
_MARKED = 10
_BAR = 24  # characters
_LABEL = 24
_CUBE = (0, 95, 135, 175, 215, 255)  # levels of the 6x6x6 colours of xterm, which start at 16
_GREY = 1  # level of the grey that colours start from: it is about as light as they are


def write(scene: Scene, color: bool) -> str:
    """Write for a terminal.

    With ``color`` the background of a word goes from grey to the colour of its sign; the terminal's own background may
    be light or dark. Without it the strongest words are followed by their scores.
    """
    return "\n".join(_lines(scene, color)).lstrip("\n") + "\n"


def _lines(scene: Scene, color: bool) -> Iterator[str]:
    yield _legend(scene, color)
    for part in scene.parts:
        if name := wording.heading(part):
            yield ""
            yield f"{_BOLD}{name}{_RESET}" if color else name
        for section in part.sections:
            yield ""
            yield from _section(scene, part, section, color)
        if scene.kind == "text":
            yield from _passages(part, color)
            yield from _entities(part)
        if reason := wording.blank_reason(part):
            yield reason
        if not part.sections:
            yield from _classes(part, None, color)
        if bars := wording.qualities(part):
            yield "Properties"
            yield from _bars(bars, None, "█" if color else "#")
    if scene.note:
        yield ""
        yield scene.note


def _passages(part: Part, color: bool) -> Iterator[str]:
    """The text with what is found in it between brackets."""
    text = part.text or ""
    for passage in part.passages if part.shows_text else ():
        if passage.name:
            yield f"{_BOLD}{passage.name}{_RESET}" if color else f"{passage.name}:"
        shown, before = [], 0
        for stretch in passage.stretches:
            shown.append("[" * (len(stretch.over) - before))
            shown.append(visible(text[stretch.start : stretch.stop]))
            shown += [f"]{{{entity.name}}}" for entity in stretch.ending]
            before = len(stretch.over) - len(stretch.ending)
        yield "".join(shown)


def _entities(part: Part) -> Iterator[str]:
    if listed := wording.entities(part):
        yield "Found"
        for entity, facts in listed:
            yield f"{_right(entity.name)}  {facts}"
        if more := wording.more_entities(part):
            yield f"{'':{_LABEL}}  {more}"


def _legend(scene: Scene, color: bool) -> str:
    rule = wording.rule(scene)
    if scene.scale is None or scene.tint is None:
        return rule
    low, high = wording.ends(scene)
    tint = scene.tint
    against, favour = wording.meanings_of(scene)
    if not color:
        return (f"{low} {against}, " if scene.scale.signed else "") + f"{high} {favour} ({rule})"
    steps = [tint.limit * (i + 1) / _LEVELS for i in range(_LEVELS)]
    below = f"{against} {low} {_cells(tint, [-s for s in reversed(steps)])} " if scene.scale.signed else ""
    return f"{below}0 {_cells(tint, steps)} {high} {favour} ({rule})"


def _cells(tint: Tint, scores: Sequence[float]) -> str:
    return "".join(_paint("  ", _index(tint, score)) for score in scores)


def _section(scene: Scene, part: Part, section: Section, color: bool) -> Iterator[str]:
    target, method = section.attribution.target, section.attribution.method
    label = one_line(target.name)
    by = f" by {one_line(method)}" if method else ""
    yield f"{_BOLD if color else ''}{label}{_RESET if color else ''} {number(target.score)}{by}"
    if scene.kind == "text":
        yield "".join(_runs(scene, section, color))
    yield from wording.notes(scene, section)
    if bars := wording.strongest(scene, section):
        yield "Strongest words"
        yield from _bars(bars, scene.tint if color else None)
    yield from _classes(part, section, color)


def _runs(scene: Scene, section: Section, color: bool) -> Iterator[str]:
    tint = scene.tint_of(section)
    words = section.strongest(_MARKED)
    least = abs(words[-1].score) if words else 0.0
    for run in section.runs:
        shown = visible(section.text[run.start : run.stop])
        if run.word is None or tint is None:
            yield shown
        elif color:
            # A colour that a line break interrupts would fill the rest of the line on many terminals.
            index = _index(tint, run.word.score)
            yield "\n".join(_paint(line, index) for line in shown.split("\n"))
        else:
            marked = words and abs(run.word.score) >= least
            yield f"{shown}[{wording.signed(run.word.score, section)}]" if marked else shown


def _classes(part: Part, section: Section | None, color: bool) -> Iterator[str]:
    if bars := wording.classes(part, section):
        yield "Class scores"
        yield from _bars(bars, None, "█" if color else "#")
        if more := wording.more_classes(part):
            yield f"{'':{_LABEL}}  {more}"


def _bars(bars: Sequence[Bar], tint: Tint | None, sign: str = "") -> Iterator[str]:
    """Rows of a label, a number and a bar; ``sign`` draws the bar, or a plus or minus if it is empty."""
    most = max(abs(bar.value) for bar in bars) or 1.0
    tree = any(bar.depth for bar in bars)
    for bar in bars:
        length = round(_BAR * fraction(abs(bar.value), 0.0, most))
        line = (sign or ("-" if bar.value < 0 else "+")) * length
        if tint is not None and length:
            line = _paint(" " * length, _index(tint, tint.limit if bar.value > 0 else -tint.limit))
        label = bar.label if not bar.depth else f"{'  ' * bar.depth}{bar.label}"
        column = _right(label) if not tree else _left(label)
        yield f"{column}  {bar.number:>9}  {line:{_BAR * bool(bar.remarks)}}  {bar.remarks}".rstrip()


def _right(label: str) -> str:
    """A label at the right of its column, shortened to it."""
    if _columns(label) > _LABEL:
        ends = accumulate(_columns(character) for character in label)
        label = label[: sum(end < _LABEL for end in ends)] + "…"
    return " " * (_LABEL - _columns(label)) + label


def _left(label: str) -> str:
    """A label at the left of its column, shortened to it."""
    shown = _right(label).lstrip() if _columns(label) > _LABEL else label
    return shown + " " * max(0, _LABEL - _columns(shown))


def _columns(text: str) -> int:
    """Columns that a terminal gives a text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _paint(text: str, index: int | None) -> str:
    if index is None or not text:
        return text
    green = (index - 16) // 6 % 6
    return f"\x1b[48;5;{index};38;5;{_BLACK if _CUBE[green] > 95 else _WHITE}m{text}{_RESET}"


def _index(tint: Tint, score: float) -> int | None:
    """Number of the colour of a score; None near zero."""
    level = round(_LEVELS * tint.share(score))
    if not level:
        return None
    red, green, blue = (
        round(_GREY + (min(range(6), key=lambda i: abs(_CUBE[i] - channel)) - _GREY) * level / _LEVELS)
        for channel in tint.hue(score)
    )
    return 16 + 36 * red + 6 * green + blue
