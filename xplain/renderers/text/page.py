"""Explained texts as pixels and as SVG: one page with legend, texts and bar charts, from top to bottom.

Pillow draws a line at a time, so texts are broken into lines here (`wrap`). PNG and SVG share the layout and differ in
characters that no font here has: pixels show them as boxes with their code points, an SVG leaves them to the viewer's
fonts.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

from xplain.explanation.characters import HIDDEN, one_line
from xplain.renderers.canvas import legend
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.legend import Ramp
from xplain.renderers.canvas.scale import fraction, number
from xplain.renderers.canvas.surface import Recording
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, fitted
from xplain.renderers.text import wording
from xplain.renderers.text.entities import ENTITY_OPACITY, Stretch
from xplain.renderers.text.scene import ExplainedText, Run, Scene, Section, Tint
from xplain.renderers.text.wording import Bar

_MAX_LINES = 120  # lines of text on a page; sections share them
_MIN_LINES = 4  # of each section
_MAX_SECTIONS = 24
_WIDTH, _SIZE, _MARGIN = 960, 18, 28  # of the page, height of its text, around it: in pixels
# Distances in heights of text.
_LINE_HEIGHT = 1.75
_ROW_HEIGHT, _BAR_HEIGHT = 1.6, 0.95
_LABEL_WIDTH, _NUMBER_WIDTH = 11.0, 4.8  # columns of a chart
_WORDS_WIDTH, _LABELS_WIDTH = 30.0, 19.0  # of the charts
_LEGEND_WIDTH = 24.0
_INDENT = 1.1  # of a level of labels
_SMALL = 0.75  # letters of badges
_UNDERLINE, _MAX_UNDERLINES = 2, 3  # pixels of a line below an entity; lines where entities overlap
_LEGEND_STEPS = 255
_STRONG, _WEAK = (112, 120, 130), (203, 207, 212)  # bars without a tint

# Scripts that write no spaces, after whose characters a line may end: kana, Han.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    "(?P<end>\r\n|[\n\x85\u2028\u2029])|"
    f"(?P<hidden>{HIDDEN.pattern})|"
    f"(?P<space>\\s)|(?P<word>[{_UNSPACED}]|(?:(?!{HIDDEN.pattern})[^\\s{_UNSPACED}])+)"
)
_TAB = 4  # spaces
_GUESSED_WIDTH = 0.6  # of a letter that the font lacks, in heights of text


def pixels(scene: Scene, font: str | None) -> npt.NDArray[np.uint8]:
    """Draw as uint8 (height, width, 3)."""
    page = _Page(scene, TextStyle(_SIZE, font, viewer_has_fonts=False))
    return page.canvas.pixels(page.height)


def svg(scene: Scene, font: str | None, description: str) -> str:
    """Write as SVG."""
    page = _Page(scene, TextStyle(_SIZE, font, viewer_has_fonts=True))
    return page.canvas.svg(page.height, description)


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters of one run, without white space.

    Parameters
    ----------
    text : str
        The characters.
    run : int
        Index of the run that they are in.
    width : float
        In pixels.
    boxed : bool
        Whether it is one character that is drawn as a box with its code point.
    x : float
        In pixels from the start of the line.
    """

    text: str
    run: int
    width: float
    boxed: bool
    x: float = 0.0


@dataclass(frozen=True, slots=True)
class TextLine:
    """Pieces from left to right, and the position in the text after the last character."""

    pieces: tuple[Piece, ...]
    stop: int


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How text is set.

    Parameters
    ----------
    size : int
        Height of text in pixels.
    font : str or None
        A font file.
    viewer_has_fonts : bool
        Whether characters that no font here has are left to the viewer's fonts; else they become boxes.
    """

    size: int
    font: str | None
    viewer_has_fonts: bool

    @property
    def space(self) -> float:
        """Width of a space."""
        return fitted("a a", self.size, self.font)[2] - fitted("aa", self.size, self.font)[2]

    def box_width(self, character: str) -> float:
        """Width of a box with a code point of two, four or six digits in two rows."""
        return self.size * (0.7 if ord(character) < 0x100 else 0.9 if ord(character) < 0x10000 else 1.2)


def wrap(text: str, runs: Sequence[Run], room: float, style: TextStyle) -> Iterator[TextLine]:
    """Break a text that runs cover into lines, ``room`` pixels wide."""
    starts = [run.start for run in runs]
    space = style.space
    line: list[Piece] = []
    x = 0.0
    for token in _TOKEN.finditer(text):
        if token["end"]:
            yield TextLine(tuple(line), token.end())
            line, x = [], 0.0
            continue
        if token["space"]:
            x += space * (_TAB if token[0] == "\t" else 1)
            continue
        pieces = list(_pieces(token, starts, runs, style))
        width = sum(piece.width for piece in pieces)
        divisible = width > room  # too wide even for a line of its own
        if divisible:
            pieces = [character for piece in pieces for character in _characters(piece, style)]
        position = token.start()
        for piece in pieces:
            # A word that fits on a line stays whole.
            needed = piece.width if divisible or position > token.start() else width
            if line and x + needed > room:
                yield TextLine(tuple(line), position)
                line, x = [], 0.0
            line.append(replace(piece, x=x))
            x += piece.width
            position += len(piece.text)
    if line:
        yield TextLine(tuple(line), len(text))


def _pieces(token: re.Match[str], starts: Sequence[int], runs: Sequence[Run], style: TextStyle) -> Iterator[Piece]:
    """Divide a token where runs begin, and characters that a font has from those that none has."""
    start, run = token.start(), bisect_right(starts, token.start()) - 1
    while start < token.end():
        stop = min(token.end(), runs[run].stop)
        for text, width, boxed in _measure(token.string[start:stop], bool(token["hidden"]), style):
            yield Piece(text, run, width, boxed)
        start, run = stop, run + 1


def _characters(piece: Piece, style: TextStyle) -> Iterator[Piece]:
    if piece.boxed:
        yield piece
        return
    for character in piece.text:
        for text, width, boxed in _measure(character, False, style):
            yield Piece(text, piece.run, width, boxed)


@lru_cache(maxsize=4096)
def _measure(text: str, hidden: bool, style: TextStyle) -> tuple[tuple[str, float, bool], ...]:
    """Parts of a text with their widths, and whether each is one character in a box."""
    if hidden:
        return ((text, style.box_width(text), True),)
    parts: list[tuple[str, float, bool]] = []
    for lacking, group in groupby(zip(text, fitted(text, style.size, style.font)[1], strict=True), _is_lacking):
        part = "".join(character for character, _ in group)
        if not lacking:
            parts.append((part, fitted(part, style.size, style.font)[2], False))
        elif style.viewer_has_fonts:
            parts.append((part, sum(map(_guess_width, part)) * style.size, False))
        else:
            parts += [(c, style.box_width(c), True) for c in part if not _is_invisible(c)]
    if style.viewer_has_fonts:  # whole, since letters may join
        return ((text, sum(width for _, width, _ in parts), False),)
    return tuple(parts)


def _is_lacking(pair: tuple[str, str]) -> bool:
    """Whether a character was replaced, by more than a letter without its accents."""
    character, substitute = pair
    return substitute != character and unicodedata.normalize("NFD", character)[0] != substitute


def _guess_width(character: str) -> float:
    if _is_invisible(character) or unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else _GUESSED_WIDTH


def _is_invisible(character: str) -> bool:
    """Joiners, marks of direction and variation selectors."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run is written on: a colour, a tip for the pointer, and the colours of lines below it."""

    colour: Colour
    tip: str
    underlines: tuple[Colour, ...] = ()


def _ground_of_run(run: Run, section: Section, tint: Tint | None) -> Ground | None:
    if run.word is None:
        return None
    score = run.word.score
    colour = tint.on_paper(score) if tint is not None and tint.opacity(score) else PAPER
    return Ground(colour, wording.format_score(score, section))


def _ground_of_stretch(stretch: Stretch) -> Ground | None:
    """The colour of the first entity, and a line for each."""
    if not stretch.covering:
        return None
    entity = stretch.covering[0]
    red, green, blue = (round(p + (c - p) * ENTITY_OPACITY) for p, c in zip(PAPER, entity.colour, strict=True))
    tip = "; ".join(entity.name for entity in stretch.covering)
    return Ground((red, green, blue), tip, tuple(entity.colour for entity in stretch.covering[:_MAX_UNDERLINES]))


class _Page:
    """Draws a scene from top to bottom; ``_y`` is how far down it is, in pixels."""

    def __init__(self, scene: Scene, style: TextStyle) -> None:
        self.scene = scene
        self.style = style
        self.canvas = Recording(_WIDTH, _SIZE, style.font)
        self._y = float(_MARGIN)
        self._max_lines = max(_MIN_LINES, _MAX_LINES // max(1, min(len(scene.sections), _MAX_SECTIONS)))
        self._legend()
        self._texts()
        if scene.note:
            self._down(1.0)
            self._write(scene.note, QUIET)

    @property
    def height(self) -> int:
        """Height of the page in pixels."""
        return round(self._y) + _MARGIN

    def _legend(self) -> None:
        scene = self.scene
        if scene.scale is None or scene.tint is None:
            self._write(wording.scale_rule(scene), QUIET)
            return
        low, high = wording.legend_ends(scene)
        signed = scene.scale.signed
        scores = np.linspace(-scene.tint.limit if signed else 0.0, scene.tint.limit, _LEGEND_STEPS)
        colours = np.array([scene.tint.on_paper(float(score)) for score in scores], np.uint8)
        ramp = Ramp(colours, (low, "0", high) if signed else (low, high), wording.legend_meanings(scene))
        legend.draw_key(self.canvas, ramp, _MARGIN, self._y, _LEGEND_WIDTH * _SIZE)
        self._y += legend.height_of(ramp) * _SIZE
        room = _WIDTH - 2 * _MARGIN - (_LEGEND_WIDTH + 1.5) * _SIZE
        self.canvas.text(
            (_WIDTH - _MARGIN, self._y - 0.35 * _SIZE), wording.scale_rule(scene), room=room, colour=QUIET, anchor="rs"
        )

    def _texts(self) -> None:
        count = 0  # a text without sections counts as one
        for explained in self.scene.texts:
            if count == _MAX_SECTIONS:
                break
            sections = explained.sections[: _MAX_SECTIONS - count]
            self._text(explained, sections)
            count += max(1, len(sections))
        total = sum(max(1, len(explained.sections)) for explained in self.scene.texts)
        if total > count:
            self._down(1.0)
            self._write(f"and {total - count} more, which are not drawn here", QUIET)

    def _text(self, explained: ExplainedText, sections: Sequence[Section]) -> None:
        if name := wording.heading(explained):
            self._down(1.2)
            self._write(name, INK, 1.4)
        for section in sections:
            self._section(explained, section)
        if self.scene.kind == "text":
            self._passages(explained)
            self._entities(explained)
        self._write(wording.blank_reason(explained), QUIET)
        if not explained.sections:
            self._charts(explained, None)
        if bars := wording.property_bars(explained):
            self._y = self._chart("Properties", bars, _MARGIN, self._y + 1.7 * _SIZE, _WORDS_WIDTH * _SIZE, None)

    def _section(self, explained: ExplainedText, section: Section) -> None:
        target, method = section.attribution.target, section.attribution.method
        self._down(2.4)
        score = number(target.score)
        room = _WIDTH - 2 * _MARGIN
        name_room = room - 8 * _SIZE  # the score needs some
        x = _MARGIN + self.canvas.text((_MARGIN, self._y), one_line(target.name), room=name_room, scale=1.25) + 9
        x += self.canvas.text((x, self._y), score, room=room, scale=1.25, colour=QUIET) + 9
        if method:
            self.canvas.text((x, self._y), f"by {one_line(method)}", room=_WIDTH - _MARGIN - x, colour=QUIET)
        if self.scene.kind == "text":
            tint = self.scene.tint_of(section)
            self._frame(section.text, section.runs, [_ground_of_run(run, section, tint) for run in section.runs])
        for note in wording.section_notes(self.scene, section):
            self._write(note, QUIET)
        self._charts(explained, section)

    def _passages(self, explained: ExplainedText) -> None:
        """The named parts of the text with their entities."""
        for passage in explained.passages if explained.shows_text else ():
            if passage.name:
                self._write(passage.name, QUIET)
            text = (explained.text or "")[passage.start :]
            runs = tuple(Run(s.start - passage.start, s.stop - passage.start, None) for s in passage.stretches)
            grounds = [_ground_of_stretch(stretch) for stretch in passage.stretches]
            self._frame(text[: runs[-1].stop] if runs else "", runs, grounds)

    def _entities(self, explained: ExplainedText) -> None:
        for i, (entity, facts) in enumerate(wording.listed_entities(explained)):
            self._down(1.8 if not i else 1.45)
            y = self._y
            self.canvas.box(_MARGIN, y - 0.85 * _SIZE, _MARGIN + _SIZE, y + 0.15 * _SIZE, entity.colour)
            x = _MARGIN + 1.5 * _SIZE
            x += self.canvas.text((x, y), entity.name, room=0.4 * _WIDTH) + 0.6 * _SIZE
            self.canvas.text((x, y), facts, room=_WIDTH - _MARGIN - x, colour=QUIET)
        self._write(wording.more_entities(explained), QUIET)

    def _frame(self, text: str, runs: Sequence[Run], grounds: Sequence[Ground | None]) -> None:
        """A framed text, as many lines of it as there is room for."""
        pad = 0.7 * _SIZE
        top = self._y + 0.7 * _SIZE
        base, stop = top + 0.35 * _SIZE, 0
        for i, line in enumerate(wrap(text, runs, _WIDTH - 2 * _MARGIN - 2 * pad, self.style)):
            if i == self._max_lines:
                break
            base += _LINE_HEIGHT * _SIZE
            self._line(line, _MARGIN + pad, base - 0.55 * _SIZE, grounds)
            stop = line.stop
        else:
            stop = len(text)
        bottom = base + 0.35 * _SIZE
        self.canvas.box(_MARGIN, top, _WIDTH - _MARGIN, bottom, None, LINE)
        self._y = bottom
        if stop < len(text):
            self._write(f"… {len(text) - stop:,} more characters, which are not drawn here", QUIET)

    def _line(self, line: TextLine, left: float, base: float, grounds: Sequence[Ground | None]) -> None:
        for index, group in groupby(line.pieces, lambda piece: piece.run):
            pieces = list(group)
            ground = grounds[index]
            if ground is not None:
                x0, x1 = left + pieces[0].x - 1, left + pieces[-1].x + pieces[-1].width + 1
                self.canvas.box(x0, base - 1.05 * _SIZE, x1, base + 0.4 * _SIZE, ground.colour, tip=ground.tip)
                for i, colour in enumerate(ground.underlines):
                    y = base + 0.3 * _SIZE + i * (_UNDERLINE + 1)
                    self.canvas.box(x0, y, x1, y + _UNDERLINE, colour)
            for piece in pieces:
                self._piece(piece, left + piece.x, base)

    def _piece(self, piece: Piece, x: float, base: float, ink: Colour = INK) -> None:
        if piece.boxed:
            self._code_point(piece, x, base)
        elif self.style.viewer_has_fonts:
            self.canvas.letters((x, base), piece.text, piece.width, ink)
        else:
            self.canvas.text((x, base), piece.text, room=math.inf, colour=ink)

    def _code_point(self, piece: Piece, x: float, base: float) -> None:
        """A box with hexadecimal digits in two rows, as browsers draw characters that no font has."""
        digits = f"{ord(piece.text):02X}"
        digits = digits.zfill(4 if len(digits) in (3, 4) else 6 if len(digits) > 4 else 2)
        half = len(digits) // 2
        self.canvas.box(x + 1, base - 0.95 * _SIZE, x + piece.width - 1, base + 0.3 * _SIZE, None, QUIET)
        for row, y in ((digits[:half], base - 0.4 * _SIZE), (digits[half:], base + 0.15 * _SIZE)):
            self.canvas.text((x + piece.width / 2, y), row, room=math.inf, scale=0.5, colour=INK, anchor="ms")

    def _charts(self, explained: ExplainedText, section: Section | None) -> None:
        """The strongest words at the left, the labels at the right of them."""
        top = self._y + 1.7 * _SIZE
        left, bottom = float(_MARGIN), self._y
        if section is not None and (bars := wording.word_bars(self.scene, section)):
            bottom = self._chart("Strongest words", bars, left, top, _WORDS_WIDTH * _SIZE, self.scene.tint)
            left += _WORDS_WIDTH * _SIZE
        if bars := wording.label_bars(explained, section):
            is_wide = section is None and any(bar.depth or bar.badges for bar in bars)
            width = _WIDTH - 2 * _MARGIN if is_wide else _LABELS_WIDTH * _SIZE
            end = self._chart("Class scores", bars, left, top, width, None)
            if more := wording.more_labels(explained):
                end += _ROW_HEIGHT * _SIZE
                self.canvas.text((left, end - 0.5 * _SIZE), more, room=_LABELS_WIDTH * _SIZE, colour=QUIET)
            bottom = max(bottom, end)
        self._y = bottom

    def _chart(
        self, title: str, bars: Sequence[Bar], left: float, top: float, width: float, tint: Tint | None
    ) -> float:
        """Draw bars from a common zero, and return where they end; without a tint in grey."""
        self.canvas.text((left, top), title, room=width, colour=QUIET)
        is_tree = any(bar.depth for bar in bars)
        widest = max(self._lay_out(bar.label)[1] + bar.depth * _INDENT * _SIZE for bar in bars)
        labels = min((2 if is_tree else 1) * _LABEL_WIDTH * _SIZE, widest, 0.4 * width)
        badges = 0.0 if width < _WIDTH / 2 else max(map(self._badges_width, bars))
        x0, x1 = left + labels + 0.6 * _SIZE, left + width - _NUMBER_WIDTH * _SIZE - badges
        low, high = wording.axis_ends(bars)

        def x_of(value: float) -> float:
            return x0 + fraction(value, low, high) * (x1 - x0)

        y = top + 0.5 * _SIZE
        self.canvas.box(x_of(0.0), y, x_of(0.0) + 1, y + _ROW_HEIGHT * _SIZE * len(bars), LINE)
        for bar in bars:
            base = y + 1.1 * _SIZE
            ink = INK if bar.emphasised else QUIET
            if is_tree:
                indent = bar.depth * _INDENT * _SIZE
                self._label(bar.label, left + indent, base, labels + 1 - indent, ink, anchor="ls")
            else:
                self._label(bar.label, x0 - 0.6 * _SIZE, base, labels + 1, ink)
            start, end = sorted((x_of(0.0), x_of(bar.value)))
            self.canvas.box(start, base - 0.85 * _SIZE, end, base + (_BAR_HEIGHT - 0.85) * _SIZE, _colour(bar, tint))
            if bar.threshold is not None:
                x = x_of(bar.threshold)
                self.canvas.box(x - 1, base - 1.05 * _SIZE, x + 1, base + (_BAR_HEIGHT - 0.65) * _SIZE, INK)
            self.canvas.text((x1 + 0.6 * _SIZE, base), bar.text, room=_NUMBER_WIDTH * _SIZE, colour=ink)
            if badges:
                self._badges(bar.badges, x1 + _NUMBER_WIDTH * _SIZE, base)
            y += _ROW_HEIGHT * _SIZE
        return y

    def _badges_width(self, bar: Bar) -> float:
        return sum(self.canvas.width_of(badge, _SMALL) + 1.1 * _SIZE for badge in bar.badges)

    def _badges(self, badges: Sequence[str], x: float, base: float) -> None:
        """Words in frames."""
        for badge in badges:
            width = self.canvas.width_of(badge, _SMALL) + 0.7 * _SIZE
            self.canvas.box(x, base - 0.95 * _SIZE, x + width, base + 0.3 * _SIZE, None, QUIET)
            self.canvas.text((x + width / 2, base - 0.1 * _SIZE), badge, room=width, scale=_SMALL, anchor="ms")
            x += width + 0.4 * _SIZE

    def _lay_out(self, label: str) -> tuple[tuple[Piece, ...], float]:
        """The pieces of a label on one line, and their width."""
        line = next(wrap(label, (Run(0, len(label), None),), math.inf, self.style), None)
        return ((), 0.0) if line is None else (line.pieces, line.pieces[-1].x + line.pieces[-1].width)

    def _label(self, label: str, x: float, base: float, room: float, ink: Colour, anchor: str = "rs") -> None:
        """A label at the right ("rs") or the left ("ls") of its column, shortened if it is wider."""
        pieces, width = self._lay_out(label)
        left = x - width if anchor == "rs" else x
        if width <= room and self.style.viewer_has_fonts:
            self.canvas.letters((left, base), label, width, ink)
        elif width <= room and any(piece.boxed for piece in pieces):
            for piece in pieces:
                self._piece(piece, left + piece.x, base, ink)
        else:
            self.canvas.text((x, base), label, room=room, colour=ink, anchor=anchor)

    def _write(self, line: str, colour: Colour, scale: float = 1.0) -> None:
        """One line; nothing if it is empty."""
        if line:
            self._down(1.45 * scale)
            self.canvas.text((_MARGIN, self._y), line, room=_WIDTH - 2 * _MARGIN, colour=colour, scale=scale)

    def _down(self, heights: float) -> None:
        """Move down by some heights of text."""
        self._y += heights * _SIZE


def _colour(bar: Bar, tint: Tint | None) -> Colour:
    if tint is None:
        return _STRONG if bar.emphasised else _WEAK
    return tint.on_paper(math.copysign(tint.limit, bar.value))
