"""The page that PNG and SVG show: legend, texts, bars, from top to bottom."""

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
from xplain.renderers.text.entities import Stretch
from xplain.renderers.text.scene import Part, Run, Scene, Section, Tint
from xplain.renderers.text.wording import Bar

# Scripts that write no spaces, after whose characters a line may end: kana, Han.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    "(?P<end>\r\n|[\n\x85\u2028\u2029])|"
    f"(?P<hidden>{HIDDEN.pattern})|"
    f"(?P<space>\\s)|(?P<word>[{_UNSPACED}]|(?:(?!{HIDDEN.pattern})[^\\s{_UNSPACED}])+)"
)
_TAB = 4  # spaces
_LETTER = 0.6  # width of a letter that the font lacks, in heights of text


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
        Whether they are one character that is drawn as a box with its code point.
    x : float
        In pixels from the start of the line.
    """

    text: str
    run: int
    width: float
    boxed: bool
    x: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces from left to right, and the position in the text after the last character."""

    pieces: tuple[Piece, ...]
    stop: int


@dataclass(frozen=True, slots=True)
class Setting:
    """How text is set.

    Parameters
    ----------
    size : int
        Height of text in pixels.
    font : str or None
        A font file.
    letters : bool
        Whether the viewer has letters for the characters that fonts lack here; else they become boxes.
    """

    size: int
    font: str | None
    letters: bool

    @property
    def space(self) -> float:
        """Width of a space."""
        return fitted("a a", self.size, self.font)[2] - fitted("aa", self.size, self.font)[2]

    def box_width(self, character: str) -> float:
        """Width of a box with a code point of two, four or six digits in two rows."""
        return self.size * (0.7 if ord(character) < 0x100 else 0.9 if ord(character) < 0x10000 else 1.2)


def wrapped(text: str, runs: Sequence[Run], room: float, setting: Setting) -> Iterator[Line]:
    """Break a text that runs cover into lines, ``room`` pixels wide."""
    starts = [run.start for run in runs]
    space = setting.space
    line: list[Piece] = []
    x = 0.0
    for match in _TOKEN.finditer(text):
        if match["end"]:
            yield Line(tuple(line), match.end())
            line, x = [], 0.0
            continue
        if match["space"]:
            x += space * (_TAB if match[0] == "\t" else 1)
            continue
        pieces = list(_pieces(match, starts, runs, setting))
        width = sum(piece.width for piece in pieces)
        if width > room:  # even on a line of its own
            pieces = [part for piece in pieces for part in _characters(piece, setting)]
        at = match.start()
        for piece in pieces:
            # A word that fits on a line stays whole.
            if line and x + (piece.width if width > room or at > match.start() else width) > room:
                yield Line(tuple(line), at)
                line, x = [], 0.0
            line.append(replace(piece, x=x))
            x += piece.width
            at += len(piece.text)
    if line:
        yield Line(tuple(line), len(text))


def _pieces(match: re.Match[str], starts: Sequence[int], runs: Sequence[Run], setting: Setting) -> Iterator[Piece]:
    """Divide a token by runs, and the characters that have letters from those that have not."""
    start, run = match.start(), bisect_right(starts, match.start()) - 1
    while start < match.end():
        stop = min(match.end(), runs[run].stop)
        for part, width, boxed in _measured(match.string[start:stop], bool(match["hidden"]), setting):
            yield Piece(part, run, width, boxed)
        start, run = stop, run + 1


def _characters(piece: Piece, setting: Setting) -> Iterator[Piece]:
    if piece.boxed:
        yield piece
        return
    for character in piece.text:
        for part, width, boxed in _measured(character, False, setting):
            yield Piece(part, piece.run, width, boxed)


@lru_cache(maxsize=4096)
def _measured(text: str, hidden: bool, setting: Setting) -> tuple[tuple[str, float, bool], ...]:
    """Parts of a text with their widths, and whether each is one character in a box."""
    if hidden:
        return ((text, setting.box_width(text), True),)
    parts: list[tuple[str, float, bool]] = []
    for lacking, group in groupby(zip(text, fitted(text, setting.size, setting.font)[1], strict=True), _lacks):
        part = "".join(character for character, _ in group)
        if not lacking:
            parts.append((part, fitted(part, setting.size, setting.font)[2], False))
        elif setting.letters:
            parts.append((part, sum(map(_letter_width, part)) * setting.size, False))
        else:
            parts += [(c, setting.box_width(c), True) for c in part if not _is_invisible(c)]
    if setting.letters:  # whole, since letters may join
        return ((text, sum(width for _, width, _ in parts), False),)
    return tuple(parts)


def _lacks(pair: tuple[str, str]) -> bool:
    """Whether a character would be replaced by more than a letter without its accents."""
    character, written = pair
    return written != character and unicodedata.normalize("NFD", character)[0] != written


def _letter_width(character: str) -> float:
    if _is_invisible(character) or unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else _LETTER


def _is_invisible(character: str) -> bool:
    """Joiners, marks of direction and variation selectors."""
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f"


#: Lines of text on a page; sections share them.
MOST_LINES = 120
_LEAST_LINES = 4  # of each section
_MOST_SECTIONS = 24
_WIDTH, _SIZE, _MARGIN = 960, 18, 28
# Distances in heights of text.
_LINE = 1.75
_ROW, _THICKNESS = 1.6, 0.95
_LABEL, _NUMBER = 11.0, 4.8  # columns of a chart
_WORDS, _CLASSES = 30.0, 19.0  # widths of the charts
_RAMP = 24.0
_INDENT, _SMALL = 1.1, 0.75  # of a level of labels; size of badges
_VEIL = 0.3  # opacity of the colour of an entity
_LANE, _MOST_LANES = 2, 3  # pixels of a line below an entity, and lines
_STEPS = 255
_STRONG, _WEAK = (112, 120, 130), (203, 207, 212)


def pixels(scene: Scene, font: str | None) -> npt.NDArray[np.uint8]:
    """Draw as uint8 (height, width, 3)."""
    page = _Page(scene, Setting(_SIZE, font, letters=False))
    return page.record.pixels(page.height)


def svg(scene: Scene, font: str | None, description: str) -> str:
    """Write as SVG."""
    page = _Page(scene, Setting(_SIZE, font, letters=True))
    return page.record.svg(page.height, description)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run stands on: a colour, what is said of it, and colours of the lines below it."""

    colour: Colour
    tip: str
    lanes: tuple[Colour, ...] = ()


def _ground(run: Run, section: Section, tint: Tint | None) -> Ground | None:
    if run.word is None:
        return None
    coloured = tint is not None and tint.opacity(run.word.score)
    return Ground(
        tint.on_paper(run.word.score) if tint and coloured else PAPER, wording.signed(run.word.score, section)
    )


def _ground_of(stretch: Stretch) -> Ground | None:
    """The colour of the first entity, and a line for each."""
    if not stretch.over:
        return None
    red, green, blue = (round(p + (c - p) * _VEIL) for p, c in zip(PAPER, stretch.over[0].colour, strict=True))
    tip = "; ".join(entity.name for entity in stretch.over)
    return Ground((red, green, blue), tip, tuple(entity.colour for entity in stretch.over[:_MOST_LANES]))


class _Page:
    """Draws a scene on a record, and knows how far down it is."""

    def __init__(self, scene: Scene, setting: Setting) -> None:
        self.scene = scene
        self.setting = setting
        self.record = Recording(_WIDTH, _SIZE, setting.font)
        self._y = float(_MARGIN)
        self._lines = max(_LEAST_LINES, MOST_LINES // max(1, min(len(scene.sections), _MOST_SECTIONS)))
        self._legend()
        drawn = 0
        for part in scene.parts:
            shown = part.sections[: _MOST_SECTIONS - drawn]
            if drawn == _MOST_SECTIONS:
                break
            self._part(part, shown)
            drawn += max(1, len(shown))
        total = sum(max(1, len(part.sections)) for part in scene.parts)
        if total > drawn:
            self._down(1.0)
            self._write(f"and {total - drawn} more, which are not drawn here", QUIET)
        if scene.note:
            self._down(1.0)
            self._write(scene.note, QUIET)

    @property
    def height(self) -> int:
        """Of the page in pixels."""
        return round(self._y) + _MARGIN

    def _legend(self) -> None:
        scene = self.scene
        if scene.scale is None or scene.tint is None:
            self._write(wording.rule(scene), QUIET)
            return
        low, high = wording.ends(scene)
        signed = scene.scale.signed
        scores = np.linspace(-scene.tint.limit if signed else 0.0, scene.tint.limit, _STEPS)
        colours = np.array([scene.tint.on_paper(float(score)) for score in scores], np.uint8)
        ramp = Ramp(colours, (low, "0", high) if signed else (low, high), wording.meanings_of(scene))
        legend.draw_key(self.record, ramp, _MARGIN, self._y, _RAMP * _SIZE)
        self._y += legend.height_of(ramp) * _SIZE
        room = _WIDTH - 2 * _MARGIN - (_RAMP + 1.5) * _SIZE
        self.record.text(
            (_WIDTH - _MARGIN, self._y - 0.35 * _SIZE), wording.rule(scene), room=room, colour=QUIET, anchor="rs"
        )

    def _part(self, part: Part, sections: Sequence[Section]) -> None:
        if name := wording.heading(part):
            self._down(1.2)
            self._write(name, INK, 1.4)
        for section in sections:
            self._section(part, section)
        if self.scene.kind == "text":
            self._passages(part)
            self._entities(part)
        self._write(wording.blank_reason(part), QUIET)
        if not part.sections:
            self._charts(part, None)
        if bars := wording.qualities(part):
            self._y = self._chart("Properties", bars, _MARGIN, self._y + 1.7 * _SIZE, _WORDS * _SIZE, None)

    def _passages(self, part: Part) -> None:
        """The parts of the text with what is found in them."""
        for passage in part.passages if part.shows_text else ():
            if passage.name:
                self._write(passage.name, QUIET)
            text = (part.text or "")[passage.start :]
            runs = tuple(Run(s.start - passage.start, s.stop - passage.start, None) for s in passage.stretches)
            grounds = [_ground_of(stretch) for stretch in passage.stretches]
            self._text(text[: runs[-1].stop] if runs else "", runs, grounds)

    def _entities(self, part: Part) -> None:
        for i, (entity, facts) in enumerate(wording.entities(part)):
            self._down(1.8 if not i else 1.45)
            y = self._y
            self.record.box(_MARGIN, y - 0.85 * _SIZE, _MARGIN + _SIZE, y + 0.15 * _SIZE, entity.colour)
            x = _MARGIN + 1.5 * _SIZE
            x += self.record.text((x, y), entity.name, room=0.4 * _WIDTH) + 0.6 * _SIZE
            self.record.text((x, y), facts, room=_WIDTH - _MARGIN - x, colour=QUIET)
        self._write(wording.more_entities(part), QUIET)

    def _section(self, part: Part, section: Section) -> None:
        target, method = section.attribution.target, section.attribution.method
        self._down(2.4)
        score = number(target.score)
        room = _WIDTH - 2 * _MARGIN
        x = _MARGIN + self.record.text((_MARGIN, self._y), one_line(target.name), room=room - 8 * _SIZE, scale=1.25) + 9
        x += self.record.text((x, self._y), score, room=room, scale=1.25, colour=QUIET) + 9
        if method:
            self.record.text((x, self._y), f"by {one_line(method)}", room=_WIDTH - _MARGIN - x, colour=QUIET)
        if self.scene.kind == "text":
            tint = self.scene.tint_of(section)
            self._text(section.text, section.runs, [_ground(run, section, tint) for run in section.runs])
        for note in wording.notes(self.scene, section):
            self._write(note, QUIET)
        self._charts(part, section)

    def _text(self, text: str, runs: Sequence[Run], grounds: Sequence[Ground | None]) -> None:
        """The lines that there is room for, in a frame."""
        pad = 0.7 * _SIZE
        top = self._y + 0.7 * _SIZE
        base, stop = top + 0.35 * _SIZE, 0
        for i, line in enumerate(wrapped(text, runs, _WIDTH - 2 * _MARGIN - 2 * pad, self.setting)):
            if i == self._lines:
                break
            base += _LINE * _SIZE
            self._line(line, _MARGIN + pad, base - 0.55 * _SIZE, grounds)
            stop = line.stop
        else:
            stop = len(text)
        bottom = base + 0.35 * _SIZE
        self.record.box(_MARGIN, top, _WIDTH - _MARGIN, bottom, None, LINE)
        self._y = bottom
        if stop < len(text):
            self._write(f"… {len(text) - stop:,} more characters, which are not drawn here", QUIET)

    def _line(self, line: Line, left: float, base: float, grounds: Sequence[Ground | None]) -> None:
        for index, group in groupby(line.pieces, lambda piece: piece.run):
            pieces = list(group)
            ground = grounds[index]
            if ground is not None:
                x0, x1 = left + pieces[0].x - 1, left + pieces[-1].x + pieces[-1].width + 1
                self.record.box(x0, base - 1.05 * _SIZE, x1, base + 0.4 * _SIZE, ground.colour, tip=ground.tip)
                for lane, colour in enumerate(ground.lanes):
                    y = base + 0.3 * _SIZE + lane * (_LANE + 1)
                    self.record.box(x0, y, x1, y + _LANE, colour)
            for piece in pieces:
                self._piece(piece, left + piece.x, base)

    def _piece(self, piece: Piece, x: float, base: float, ink: Colour = INK) -> None:
        if piece.boxed:
            self._code_point(piece, x, base)
        elif self.setting.letters:
            self.record.letters((x, base), piece.text, piece.width, ink)
        else:
            self.record.text((x, base), piece.text, room=math.inf, colour=ink)

    def _code_point(self, piece: Piece, x: float, base: float) -> None:
        """A box with hexadecimal digits in two rows, as browsers draw characters that no font has."""
        digits = f"{ord(piece.text):02X}"
        digits = digits.zfill(4 if len(digits) in (3, 4) else 6 if len(digits) > 4 else 2)
        half = len(digits) // 2
        self.record.box(x + 1, base - 0.95 * _SIZE, x + piece.width - 1, base + 0.3 * _SIZE, None, QUIET)
        for row, y in ((digits[:half], base - 0.4 * _SIZE), (digits[half:], base + 0.15 * _SIZE)):
            self.record.text((x + piece.width / 2, y), row, room=math.inf, scale=0.5, colour=INK, anchor="ms")

    def _charts(self, part: Part, section: Section | None) -> None:
        """The strongest words at the left, the classes at the right of them."""
        top = self._y + 1.7 * _SIZE
        left, bottom = float(_MARGIN), self._y
        if section is not None and (bars := wording.strongest(self.scene, section)):
            bottom = self._chart("Strongest words", bars, left, top, _WORDS * _SIZE, self.scene.tint)
            left += _WORDS * _SIZE
        if bars := wording.classes(part, section):
            wide = section is None and any(bar.depth or bar.badges for bar in bars)
            width = _WIDTH - 2 * _MARGIN if wide else _CLASSES * _SIZE
            end = self._chart("Class scores", bars, left, top, width, None)
            if more := wording.more_classes(part):
                end += _ROW * _SIZE
                self.record.text((left, end - 0.5 * _SIZE), more, room=_CLASSES * _SIZE, colour=QUIET)
            bottom = max(bottom, end)
        self._y = bottom

    def _chart(
        self, title: str, bars: Sequence[Bar], left: float, top: float, width: float, tint: Tint | None
    ) -> float:
        """Draw bars from a common zero, and return where they end; without a tint in grey."""
        record = self.record
        record.text((left, top), title, room=width, colour=QUIET)
        tree = any(bar.depth for bar in bars)
        widest = max(self._laid(bar.label)[1] + bar.depth * _INDENT * _SIZE for bar in bars)
        labels = min((2 if tree else 1) * _LABEL * _SIZE, widest, 0.4 * width)
        remarks = 0.0 if width < _WIDTH / 2 else max(map(self._remarks_width, bars))
        x0, x1 = left + labels + 0.6 * _SIZE, left + width - _NUMBER * _SIZE - remarks
        ends = [0.0, *(at for bar in bars for at in (bar.value, bar.tick or 0.0))]
        low, high = min(ends), max(ends)
        zero = x0 + fraction(0.0, low, high) * (x1 - x0)
        y = top + 0.5 * _SIZE
        record.box(zero, y, zero + 1, y + _ROW * _SIZE * len(bars), LINE)
        for bar in bars:
            base = y + 1.1 * _SIZE
            ink = INK if bar.strong else QUIET
            colour = tint.on_paper(math.copysign(tint.limit, bar.value)) if tint else _STRONG if bar.strong else _WEAK
            indent = bar.depth * _INDENT * _SIZE
            if tree:
                self._label(bar.label, left + indent, base, labels + 1 - indent, ink, anchor="ls")
            else:
                self._label(bar.label, x0 - 0.6 * _SIZE, base, labels + 1, ink)
            start, end = sorted((zero, x0 + fraction(bar.value, low, high) * (x1 - x0)))
            record.box(start, base - 0.85 * _SIZE, end, base + (_THICKNESS - 0.85) * _SIZE, colour)
            if bar.tick is not None:
                at = x0 + fraction(bar.tick, low, high) * (x1 - x0)
                record.box(at - 1, base - 1.05 * _SIZE, at + 1, base + (_THICKNESS - 0.65) * _SIZE, INK)
            record.text((x1 + 0.6 * _SIZE, base), bar.number, room=_NUMBER * _SIZE, colour=ink)
            if remarks:
                self._badges(bar.badges, x1 + _NUMBER * _SIZE, base)
            y += _ROW * _SIZE
        return y

    def _remarks_width(self, bar: Bar) -> float:
        return sum(self.record.width_of(badge, _SMALL) + 1.1 * _SIZE for badge in bar.badges)

    def _badges(self, badges: Sequence[str], x: float, base: float) -> None:
        """Words in frames."""
        for badge in badges:
            width = self.record.width_of(badge, _SMALL) + 0.7 * _SIZE
            self.record.box(x, base - 0.95 * _SIZE, x + width, base + 0.3 * _SIZE, None, QUIET)
            self.record.text((x + width / 2, base - 0.1 * _SIZE), badge, room=width, scale=_SMALL, anchor="ms")
            x += width + 0.4 * _SIZE

    def _laid(self, label: str) -> tuple[tuple[Piece, ...], float]:
        """The pieces of a label on one line, and their width."""
        line = next(wrapped(label, (Run(0, len(label), None),), math.inf, self.setting), None)
        return ((), 0.0) if line is None else (line.pieces, line.pieces[-1].x + line.pieces[-1].width)

    def _label(self, label: str, x: float, base: float, room: float, ink: Colour, anchor: str = "rs") -> None:
        """A label at the right ("rs") or the left ("ls") of its column, shortened to it."""
        pieces, width = self._laid(label)
        left = x - width if anchor == "rs" else x
        if width <= room and self.setting.letters:
            self.record.letters((left, base), label, width, ink)
        elif width <= room and any(piece.boxed for piece in pieces):
            for piece in pieces:
                self._piece(piece, left + piece.x, base, ink)
        else:
            self.record.text((x, base), label, room=room, colour=ink, anchor=anchor)

    def _write(self, line: str, colour: Colour, scale: float = 1.0) -> None:
        """One line; nothing if it is empty."""
        if line:
            self._down(1.45 * scale)
            self.record.text((_MARGIN, self._y), line, room=_WIDTH - 2 * _MARGIN, colour=colour, scale=scale)

    def _down(self, heights: float) -> None:
        self._y += heights * _SIZE
