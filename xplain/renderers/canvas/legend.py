"""The legend below a picture: the target and its score, lines of facts, and a key to the colours.

A key is a ramp of colours, a swatch, or a message where there are no colours. Keys draw on any `Surface`, so that the
same legend is written as pixels and as SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.typography import INK, QUIET, Sheet, Surface, wrapped

UInt8 = npt.NDArray[np.uint8]

# Distances in heights of plain text.
_MARGIN = 0.8  # above and below
_TITLE = 1.25  # letters of the title
_TITLE_LINE = 1.75
_LINE = 1.45
_BAR = 0.85  # the bar of a ramp
_GAP = 1.5  # between text and a key beside it
_TEXT_WIDTH = 14.0  # least width of text with a key beside it
_KEY_WIDTH = (16.0, 26.0)  # least and greatest width of a key beside text


@dataclass(frozen=True, slots=True)
class Ramp:
    """A bar of colours, uint8 (n, 3), with two or three numbers below it and the meanings of its ends above."""

    colours: UInt8
    numbers: tuple[str, ...]
    meanings: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Swatch:
    """A single colour and what it marks."""

    colour: Colour
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence in place of a key, where there are no colours to explain."""

    text: str


Key = Ramp | Swatch | Message


def text_size(width: int, height: int) -> int:
    """Height of plain text for a picture: readable when the picture fills a screen, and at least 13 pixels."""
    return max(13, round(min(width, 3 * height) / 64))


def strip(
    width: int,
    size: int,
    title: tuple[str, str] | None,
    lines: Sequence[str],
    key: Key | None = None,
    font: str | None = None,
    *,
    pad: int = 0,
    remarks: Sequence[str] = (),
) -> UInt8:
    """Draw a strip of text and a key.

    Parameters
    ----------
    width : int
        In pixels.
    size : int
        Height of plain text in pixels.
    title : tuple of str, optional
        A label and a number, written larger; the label is shortened if it must be.
    lines : sequence of str
        Written below the title; empty ones are left out.
    key : Key, optional
        What the colours mean. In a wide strip a ramp stands beside the lines: on the right below a title, on the left
        without one. Otherwise the key stands below the lines.
    font : str, optional
        A font file.
    pad : int
        Margin at the sides in pixels.
    remarks : sequence of str
        Written below the lines, each in as many lines as it needs.

    Returns
    -------
    uint8 array (height, width, 3)
        Dark text on white; as high as its content.
    """
    lines = [line for line in lines if line]
    inner = width - 2 * pad
    # First the measures, as the sheet is made as high as its content.
    beside = isinstance(key, Ramp) and bool([*lines, *remarks]) and inner >= (_TEXT_WIDTH + _GAP + _KEY_WIDTH[0]) * size
    key_width = min(_KEY_WIDTH[1] * size, inner - (_TEXT_WIDTH + _GAP) * size) if beside else inner
    room = inner - (key_width + _GAP * size if beside else 0.0)
    lines += _wrap(remarks, room, size, font)
    text_height, key_height = _LINE * len(lines) * size, height_of(key) * size
    gap = 0.4 * size if key and lines and not beside else 0.0
    body = max(text_height, key_height) if beside else text_height + gap + key_height
    top = (_MARGIN + _TITLE_LINE * bool(title)) * size
    sheet = Sheet(width, round(top + body + _MARGIN * size), size, font)
    if title:
        _draw_title(sheet, title, pad, top - 0.5 * size, inner)
    x = pad + (key_width + _GAP * size if beside and not title else 0.0)
    y = top + (body - text_height) / 2 if beside else top
    for line in lines:
        y += _LINE * size
        sheet.text((x, y - 0.45 * size), line, room=room, colour=QUIET)
    if key is not None:
        left = width - pad - key_width if beside and title else float(pad)
        # Beside the lines the key is centred on them, else it stands at the bottom.
        draw_key(sheet, key, left, top + (body - key_height) / (2 if beside else 1), key_width)
    return sheet.pixels()


def _wrap(remarks: Sequence[str], room: float, size: int, font: str | None) -> list[str]:
    """Break remarks into lines that fit."""
    ruler = Sheet(1, 1, size, font)
    return [line for remark in remarks for line in wrapped(remark, room, ruler.width_of)]


def _draw_title(sheet: Sheet, title: tuple[str, str], left: float, base: float, room: float) -> None:
    """Write the label, shortened to leave room for the number, and the number after it."""
    label, value = title
    value_width = sheet.width_of(value, _TITLE) + 0.6 * sheet.size
    label_width = sheet.text((left, base), label, room=room - value_width, scale=_TITLE)
    sheet.text((left + label_width + 0.6 * sheet.size, base), value, room=value_width, scale=_TITLE, colour=QUIET)


def height_of(key: Key | None) -> float:
    """Height of a key, in heights of text."""
    if key is None:
        return 0.0
    return 2 * _LINE + _BAR if isinstance(key, Ramp) else _LINE


def draw_key(surface: Surface, key: Key, left: float, top: float, width: float) -> None:
    """Draw a key with its upper left corner at (left, top), all in pixels."""
    size = surface.size
    base = top + size  # base line of the first line of text
    if isinstance(key, Message):
        surface.text((left, base), key.text, room=width)
    elif isinstance(key, Swatch):
        surface.box(left, base - 0.8 * size, left + 0.9 * size, base + 0.1 * size, key.colour, INK)
        surface.text((left + 1.5 * size, base), key.text, room=width - 1.5 * size)
    else:
        _draw_ramp(surface, key, left, top, width)


def _draw_ramp(surface: Surface, key: Ramp, left: float, top: float, width: float) -> None:
    """Draw the meanings of the ends, the bar below them, and its numbers below the bar."""
    size = surface.size
    right, base = left + width, top + size
    surface.text((left, base), key.meanings[0], room=width / 2 - size / 2, colour=QUIET)
    surface.text((right, base), key.meanings[1], room=width / 2 - size / 2, colour=QUIET, anchor="rs")
    bar_top = top + _LINE * size
    bar_bottom = bar_top + _BAR * size
    surface.ramp(left, bar_top, right, bar_bottom, key.colours)
    base = bar_top + (_BAR + 1.15) * size
    anchors = ("ls", "ms", "rs") if len(key.numbers) == 3 else ("ls", "rs")
    for i, (text, anchor) in enumerate(zip(key.numbers, anchors, strict=True)):
        surface.text((left + width * i / (len(anchors) - 1), base), text, room=width / 2 - size, anchor=anchor)
