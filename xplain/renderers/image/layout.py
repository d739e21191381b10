"""Layout of a picture: where tiles, captions and the legend stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xplain.renderers.canvas.legend import Message, strip, text_size
from xplain.renderers.canvas.typography import PAPER
from xplain.renderers.image import wording
from xplain.renderers.image.maps import Tile
from xplain.renderers.image.style import Style

UInt8 = npt.NDArray[np.uint8]

# Least length in pixels of a tile's longer side: of a single tile, of one in a set, and of any with labels.
_SINGLE, _IN_SET, _LABELLED = 320, 200, 480
_CAPTION_WIDTH = 24  # least width of a tile in a set, in heights of its caption's text


def bare(tiles: Sequence[Tile], columns: int | None) -> UInt8:
    """Lay out tiles edge to edge without text, in the pixels of their images."""
    across, down = _grid(len(tiles), columns)
    height = max(tile.panel.height for tile in tiles)
    width = max(tile.panel.width for tile in tiles)
    canvas = _canvas(down * height, across * width, white=len(tiles) > 1)
    for i, tile in enumerate(tiles):
        _draw_tile(tile.arranged(1), 1, canvas, i // across * height, i % across * width)
    return canvas


def single(tile: Tile) -> UInt8:
    """Lay out one tile above its legend."""
    zoom = _zoom(tile, _SINGLE)
    tile = tile.arranged(zoom)
    height, width = tile.panel.height * zoom, tile.panel.width * zoom
    size = text_size(width, height)
    legend = _caption(tile, max(width, _SINGLE), size, shared=False, named=True, pad=size)
    canvas = _canvas(height + len(legend), legend.shape[1], white=width < legend.shape[1])
    _draw_tile(tile, zoom, canvas, 0, (legend.shape[1] - width) // 2)
    canvas[height:] = legend
    return canvas


def beside(tiles: Sequence[Tile], style: Style) -> UInt8:
    """Lay out tiles with captions in a grid, above a footer with their common scale if they share it."""
    across, down = _grid(len(tiles), style.columns)
    shared = style.shared
    zooms = [_zoom(tile, _IN_SET) for tile in tiles]
    tiles = [tile.arranged(zoom) for tile, zoom in zip(tiles, zooms, strict=True)]
    height = max(tile.panel.height * zoom for tile, zoom in zip(tiles, zooms, strict=True))
    width = max(_IN_SET, *(tile.panel.width * zoom for tile, zoom in zip(tiles, zooms, strict=True)))
    # Text as for the whole picture, unless a caption would be too narrow for it.
    size = max(text_size(width, height), min(text_size(across * width, down * height), width // _CAPTION_WIDTH))
    named = len({tile.panel.explanation.source.name for tile in tiles}) > 1
    captions = [_caption(tile, width, size, shared, named) for tile in tiles]
    caption_height = max(len(caption) for caption in captions)
    footer = _footer(tiles, across * (width + size) + size, size) if shared else np.empty((0, 0, 3), np.uint8)
    cell_height, cell_width = height + caption_height + size // 2, width + size
    canvas = _canvas(size + down * cell_height + len(footer), across * cell_width + size, white=True)
    for i, (tile, zoom, caption) in enumerate(zip(tiles, zooms, captions, strict=True)):
        y, x = size + i // across * cell_height, size + i % across * cell_width
        # At the bottom of its cell, in the middle.
        top = y + height - tile.panel.height * zoom
        left = x + (width - tile.panel.width * zoom) // 2
        _draw_tile(tile, zoom, canvas, top, left)
        canvas[y + height : y + height + len(caption), x : x + width] = caption
    if len(footer):
        canvas[-len(footer) :] = footer
    return canvas


def _caption(tile: Tile, width: int, size: int, shared: bool, named: bool, pad: int = 0) -> UInt8:
    """The text below a tile; with its own key and rule if the scale is not shared."""
    lines = [wording.origin(tile, named), *wording.facts(tile)]
    key = None if shared else tile.key()
    if tile.scale is not None and not shared:
        lines.append(tile.scale.rule)
    if isinstance(key, Message):  # which says what the facts do
        key = None
    title, remarks = wording.title(tile), wording.remarks(tile)
    return strip(width, size, title, lines, key, tile.style.font, pad=pad, remarks=remarks)


def _footer(tiles: Sequence[Tile], width: int, size: int) -> UInt8:
    """The key of a set on one scale: that of its maps, or of its masks if it has no maps."""
    first = next((tile for tile in tiles if tile.scale is not None), tiles[0])
    rule = f"{first.scale.rule}, one for all panels" if first.scale is not None else ""
    return strip(width, size, None, [rule], first.key(), first.style.font, pad=size)


def _zoom(tile: Tile, least: int) -> int:
    """The least whole factor that makes the longer side at least so long."""
    least = _LABELLED if tile.panel.marks is not None else least
    return -(-least // max(tile.panel.height, tile.panel.width))


def _grid(count: int, columns: int | None) -> tuple[int, int]:
    """Number of columns and rows for so many tiles: up to three in a row, else about a square."""
    across = min(count, columns or (count if count <= 3 else math.ceil(math.sqrt(count))))
    return across, -(-count // across)


def _canvas(height: int, width: int, *, white: bool) -> UInt8:
    """Pixels to lay out tiles on; not cleared if the tiles will cover them."""
    return np.full((height, width, 3), PAPER, np.uint8) if white else np.empty((height, width, 3), np.uint8)


def _draw_tile(tile: Tile, zoom: int, canvas: UInt8, y: int, x: int) -> None:
    """Draw a tile with its upper left corner at (x, y)."""
    height, width = tile.panel.height, tile.panel.width
    region = canvas[y : y + height * zoom, x : x + width * zoom]
    if zoom == 1 and region.flags.c_contiguous:
        tile.paint(region)  # in place: a large photo is not copied
    else:
        pixels = np.empty((height, width, 3), np.uint8)
        tile.paint(pixels)
        region[...] = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1) if zoom > 1 else pixels
    tile.mark(region)
