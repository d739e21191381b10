"""Tiles: panels whose evidence has become a map or a mask, with the colours that it gets.

`prepare` chooses map or mask, `colour_tiles` gives all maps their scale, and `Tile.arranged` places the labels once the
size of the picture is known. `Tile.paint` and `Tile.mark` draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from xplain.explanation import Heatmap, Mask
from xplain.renderers.canvas.colours import CMAPS
from xplain.renderers.canvas.legend import Key, Message, Ramp, Swatch
from xplain.renderers.canvas.paint import OUTLINE, Colouring, paint_mask, paint_values
from xplain.renderers.canvas.scale import Extent, Scale, choose, meanings, number
from xplain.renderers.image.labels import Arrangement, arrange_labels, draw_marks
from xplain.renderers.image.panels import Panel
from xplain.renderers.image.style import Style

_SEQUENTIAL, _DIVERGING = "inferno", "RdBu_r"  # default colour maps


@dataclass(frozen=True, slots=True)
class Tile:
    """A panel that is ready to be painted.

    Parameters
    ----------
    panel : Panel
        The photo, and the evidence or regions on it.
    kind : {"overlay", "heatmap", "mask", "contour", "regions"}
        How the panel is drawn.
    style : Style
        The caller's options.
    values : float32 array (height, width) or None
        Of a map.
    extent : Extent or None
        Of a map.
    mask : Mask or None
        The evidence, or made from a heat map that is drawn as a mask.
    scale : Scale or None
        None for a mask, or if there is nothing to see.
    colouring : Colouring or None
        Of the scale.
    arrangement : Arrangement or None
        Places of the labels of regions, once the size of the picture is known.
    """

    panel: Panel
    kind: str
    style: Style
    values: npt.NDArray[np.float32] | None = None
    extent: Extent | None = None
    mask: Mask | None = None
    scale: Scale | None = None
    colouring: Colouring | None = None
    arrangement: Arrangement | None = None

    @property
    def photo(self) -> npt.NDArray[np.uint8] | None:
        """The photo below the evidence, if it is to be seen."""
        return None if self.kind == "heatmap" else self.panel.photo

    def arranged(self, zoom: int) -> Tile:
        """Return a tile whose labels are placed for a picture ``zoom`` times as large."""
        marks, panel = self.panel.marks, self.panel
        if marks is None:
            return self
        arrangement = arrange_labels(marks, panel.width * zoom, panel.height * zoom, self.style.font)
        return replace(self, arrangement=arrangement)

    def paint(self, out: npt.NDArray[np.uint8]) -> None:
        """Fill ``out``, C-contiguous uint8 (height, width, 3), with photo and evidence."""
        if self.mask is not None:
            paint_mask(self.photo, self.mask.to_array(), self.style.alpha, self.kind != "contour", out)
        else:
            paint_values(self.photo, self.values, self.colouring, out)

    def mark(self, out: npt.NDArray[np.uint8]) -> None:
        """Draw regions and labels over what is painted, at the zoom for which they are arranged."""
        if self.panel.marks is not None and self.arrangement is not None:
            out[...] = draw_marks(self.panel.marks, self.arrangement, out, self.style.font)

    def key(self) -> Key | None:
        """Return the key to the colours; None for regions, whose labels explain them."""
        if self.panel.attribution is None:
            return None
        if self.mask is not None:
            return Swatch(OUTLINE, "evidence" if self.mask.area else "no evidence: the mask is empty")
        if self.scale is None or self.colouring is None:
            return Message(self.extent.blank_reason if self.extent else "")
        diverging = self.style.cmap.diverging if self.style.cmap else self.scale.signed
        return ramp(self.colouring, self.scale, diverging, [self.panel.attribution.method])


def prepare(panel: Panel, style: Style) -> Tile:
    """Turn the evidence of a panel into the map or mask that the kind of picture needs."""
    evidence, kind = panel.evidence, style.kind
    if panel.attribution is None:
        return Tile(panel, "regions", style)
    if isinstance(evidence, Mask):
        return Tile(panel, kind if kind in ("contour", "heatmap") else "mask", style, mask=evidence)
    values = panel.values()
    if kind in ("mask", "contour"):
        heatmap = evidence if isinstance(evidence, Heatmap) else Heatmap(values)
        return Tile(panel, kind, style, mask=heatmap.to_mask(style.keep))
    extent = Extent.of(values, panel.attribution.target.score)
    alone = kind == "heatmap" or panel.photo is None
    return Tile(panel, "heatmap" if alone else "overlay", style, values=values, extent=extent)


def colour_tiles(tiles: Sequence[Tile], style: Style) -> list[Tile]:
    """Give the maps among some tiles their colours: on one scale if the style shares it, else each on its own."""
    extents = [tile.extent for tile in tiles if tile.extent is not None]
    common = choose(extents, style.scale)  # also checks the scale where nothing is a map
    return [
        tile
        if tile.extent is None
        else _on_scale(tile, tile.extent, common if style.shared else choose([tile.extent], style.scale))
        for tile in tiles
    ]


def _on_scale(tile: Tile, extent: Extent, scale: Scale | None) -> Tile:
    """A map with the colours of a scale; one with nothing to see gets none, unless the caller fixed the scale."""
    if scale is None or (extent.blank_reason and not scale.fixed):
        return tile
    cmap = tile.style.cmap or CMAPS[_DIVERGING if scale.signed else _SEQUENTIAL]
    alpha = None if tile.kind == "heatmap" else tile.style.alpha
    return replace(tile, scale=scale, colouring=Colouring.of(scale, cmap, alpha))


def ramp(colouring: Colouring, scale: Scale, diverging: bool, methods: Sequence[str | None]) -> Ramp:
    """Return the key to a scale, for maps of these methods."""
    limit = number(scale.limit)
    high = f">= {limit}" if scale.clips_high else limit
    if diverging:
        low = f"<= -{limit}" if scale.clips_low else f"-{limit}"
        return Ramp(colouring.ramp, (low, "0", high), meanings(methods, True, scale.signed))
    if scale.signed:  # a sequential map shows no negative values
        return Ramp(colouring.ramp, ("<= 0", high), ("none, or against", "speaks for"))
    return Ramp(colouring.ramp, ("0", high), meanings(methods, False, False))
