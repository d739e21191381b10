"""Where panels, captions and the legend stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xplain.renderers.canvas.legend import Message, strip, text_size
from xplain.renderers.canvas.typography import PAPER
from xplain.renderers.image import wording
from xplain.renderers.image.maps import Piece

UInt8 = npt.NDArray[np.uint8]

_ALONE, _BESIDE = 320, 200  # least length in pixels of the longer side of a panel with text
_LABELLED = 480  # and with labels on it
_CHARACTERS = 24  # a panel is at least that many heights of its caption's text wide


def bare(pieces: Sequence[Piece], columns: int | None) -> UInt8:
    """Panels edge to edge without a word, pixels one for one."""
    across = _columns(len(pieces), columns)
    height = max(piece.panel.height for piece in pieces)
    width = max(piece.panel.width for piece in pieces)
    down = -(-len(pieces) // across)
    canvas = _paper(down * height, across * width, len(pieces) > 1)
    for i, piece in enumerate(pieces):
        _place(piece.arranged(1), 1, canvas, i // across * height, i % across * width)
    return canvas


def single(piece: Piece) -> UInt8:
    """One panel above its legend."""
    zoom = _zoom(piece, _ALONE)
    piece = piece.arranged(zoom)
    height, width = piece.panel.height * zoom, piece.panel.width * zoom
    key = piece.key()
    # A key that is only a message says what the facts would.
    said = [] if isinstance(key, Message) else wording.facts(piece)
    lines = [wording.origin(piece), *said, piece.scale.rule if piece.scale is not None else ""]
    title = wording.title(piece)
    size = text_size(width, height)
    below = strip(max(width, _ALONE), size, title, lines, key, piece.style.font, pad=size)
    canvas = _paper(height + len(below), below.shape[1], width < below.shape[1])
    _place(piece, zoom, canvas, 0, (below.shape[1] - width) // 2)
    canvas[height:] = below
    return canvas


def beside(pieces: Sequence[Piece], columns: int | None, shared: bool) -> UInt8:
    """Panels with captions, above what they have in common."""
    across = _columns(len(pieces), columns)
    down = -(-len(pieces) // across)
    zooms = [_zoom(piece, _BESIDE) for piece in pieces]
    pieces = [piece.arranged(zoom) for piece, zoom in zip(pieces, zooms, strict=True)]
    height = max(piece.panel.height * zoom for piece, zoom in zip(pieces, zooms, strict=True))
    width = max(_BESIDE, *(piece.panel.width * zoom for piece, zoom in zip(pieces, zooms, strict=True)))
    size = max(text_size(width, height), min(text_size(across * width, down * height), width // _CHARACTERS))
    named = len({piece.panel.explanation.source.name for piece in pieces}) > 1
    captions = [_caption(piece, width, size, shared, named) for piece in pieces]
    caption_height = max(len(caption) for caption in captions)
    footer = _footer(pieces, across * (width + size) + size, size) if shared else np.empty((0, 0, 3), np.uint8)
    cell_height, cell_width = height + caption_height + size // 2, width + size
    canvas = _paper(size + down * cell_height + len(footer), across * cell_width + size, True)
    for i, (piece, zoom, caption) in enumerate(zip(pieces, zooms, captions, strict=True)):
        y, x = size + i // across * cell_height, size + i % across * cell_width
        _place(piece, zoom, canvas, y + height - piece.panel.height * zoom, x + (width - piece.panel.width * zoom) // 2)
        canvas[y + height : y + height + len(caption), x : x + width] = caption
    if len(footer):
        canvas[-len(footer) :] = footer
    return canvas


def _caption(piece: Piece, width: int, size: int, shared: bool, named: bool) -> UInt8:
    lines = [wording.origin(piece, named), *wording.facts(piece)]
    key = None if shared else piece.key()
    if piece.scale is not None and not shared:
        lines.append(piece.scale.rule)
    title = wording.title(piece)
    return strip(width, size, title, lines, None if isinstance(key, Message) else key, piece.style.font)


def _footer(pieces: Sequence[Piece], width: int, size: int) -> UInt8:
    """The key of a set on one scale: that of its maps, or of its masks if it has no maps."""
    first = next((piece for piece in pieces if piece.scale is not None), pieces[0])
    rule = f"{first.scale.rule}, one for all panels" if first.scale is not None else ""
    return strip(width, size, None, [rule], first.key(), first.style.font, pad=size)


def _zoom(piece: Piece, least: int) -> int:
    """The least whole factor that makes the longer side long enough."""
    least = _LABELLED if piece.panel.marks is not None else least
    return -(-least // max(piece.panel.height, piece.panel.width))


def _columns(count: int, columns: int | None) -> int:
    return min(count, columns or (count if count <= 3 else math.ceil(math.sqrt(count))))


def _paper(height: int, width: int, blank: bool) -> UInt8:
    """A canvas, white if panels will not cover it."""
    return np.full((height, width, 3), PAPER, np.uint8) if blank else np.empty((height, width, 3), np.uint8)


def _place(piece: Piece, zoom: int, canvas: UInt8, y: int, x: int) -> None:
    height, width = piece.panel.height, piece.panel.width
    region = canvas[y : y + height * zoom, x : x + width * zoom]
    if zoom == 1 and region.flags.c_contiguous:
        piece.paint(region)
    else:
        pixels = np.empty((height, width, 3), np.uint8)
        piece.paint(pixels)
        region[...] = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1) if zoom > 1 else pixels
    piece.mark(region)
