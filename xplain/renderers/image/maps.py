"""A panel made ready: its evidence as a map or a mask, and the colours that it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from xplain.explanation import Heatmap, Mask
from xplain.renderers.canvas.colours import CMAPS, Cmap
from xplain.renderers.canvas.legend import Key, Message, Ramp, Swatch
from xplain.renderers.canvas.paint import OUTLINE, Colouring, paint_mask, paint_values
from xplain.renderers.canvas.scale import Extent, Scale, choose, meanings, number
from xplain.renderers.image.labels import Arrangement, arrange, paint
from xplain.renderers.image.panels import Panel

_SEQUENTIAL, _DIVERGING = "inferno", "RdBu_r"


@dataclass(frozen=True, slots=True)
class Style:
    """What the caller chose: see `xplain.renderers.draw`."""

    alpha: float
    keep: float
    cmap: Cmap | None
    font: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """One panel.

    Parameters
    ----------
    panel : Panel
        What is drawn and on what.
    kind : {"overlay", "heatmap", "mask", "contour", "regions"}
        How.
    style : Style
        With which options.
    values : float32 array (height, width) or None
        Of a map.
    extent : Extent or None
        Of a map.
    mask : Mask or None
        Of a mask, or of a heat map that is drawn as one.
    scale : Scale or None
        None for a mask, or if there is nothing to see.
    colouring : Colouring or None
        Of the scale.
    arrangement : Arrangement or None
        Where labels of regions stand, once it is known how large the picture is.
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
        """What it lies on."""
        return None if self.kind == "heatmap" else self.panel.photo

    def arranged(self, zoom: int) -> Piece:
        """The same with its labels in their places, drawn ``zoom`` times as large."""
        marks, panel = self.panel.marks, self.panel
        if marks is None:
            return self
        return replace(self, arrangement=arrange(marks, panel.width * zoom, panel.height * zoom, self.style.font))

    def paint(self, out: npt.NDArray[np.uint8]) -> None:
        """Fill ``out``, C-contiguous uint8 (height, width, 3), with all but lines and letters."""
        if self.mask is not None:
            paint_mask(self.photo, self.mask.to_array(), self.style.alpha, self.kind != "contour", out)
        else:
            paint_values(self.photo, self.values, self.colouring, out)

    def mark(self, out: npt.NDArray[np.uint8]) -> None:
        """Draw lines and letters over what is painted, as large as it is arranged."""
        if self.panel.marks is not None and self.arrangement is not None:
            out[...] = paint(self.panel.marks, self.arrangement, out, self.style.font)

    def key(self) -> Key | None:
        """What its colours mean; None where labels say it."""
        if self.panel.attribution is None:
            return None
        if self.mask is not None:
            return Swatch(OUTLINE, "evidence" if self.mask.area else "no evidence: the mask is empty")
        if self.scale is None or self.colouring is None:
            return Message(self.extent.blank_reason if self.extent else "")
        diverging = self.style.cmap.diverging if self.style.cmap else self.scale.signed
        return ramp(self.colouring, self.scale, diverging, [self.panel.attribution.method])


def ready(panel: Panel, kind: str | None, style: Style) -> Piece:
    """Turn the evidence of a panel into what the kind of picture needs."""
    evidence = panel.evidence
    if panel.attribution is None:
        return Piece(panel, "regions", style)
    if isinstance(evidence, Mask):
        return Piece(panel, kind if kind in ("contour", "heatmap") else "mask", style, mask=evidence)
    values = panel.values()
    if kind in ("mask", "contour"):
        heat = evidence if isinstance(evidence, Heatmap) else Heatmap(values)
        return Piece(panel, kind, style, mask=heat.to_mask(style.keep))
    extent = Extent.of(values, panel.attribution.target.score)
    alone = kind == "heatmap" or panel.photo is None
    return Piece(panel, "heatmap" if alone else "overlay", style, values=values, extent=extent)


def coloured(pieces: Sequence[Piece], scale: str | float | None, shared: bool) -> list[Piece]:
    """Give the maps their colours: of one scale, or each of its own."""
    maps = [piece.extent for piece in pieces if piece.extent is not None]
    common = choose(maps, scale)
    result = []
    for piece in pieces:
        if piece.extent is not None:
            chosen = common if shared else choose([piece.extent], scale)
            # A map in which nothing is to be seen is drawn without colours, unless the caller fixed the scale.
            if chosen is not None and (chosen.fixed or not piece.extent.blank_reason):
                cmap = piece.style.cmap or CMAPS[_DIVERGING if chosen.signed else _SEQUENTIAL]
                alpha = None if piece.kind == "heatmap" else piece.style.alpha
                piece = replace(piece, scale=chosen, colouring=Colouring.of(chosen, cmap, alpha))
        result.append(piece)
    return result


def ramp(colouring: Colouring, scale: Scale, diverging: bool, methods: Sequence[str | None]) -> Ramp:
    """Return what the colours of a scale mean for maps of some methods."""
    limit = number(scale.limit)
    high = f">= {limit}" if scale.clips_high else limit
    if diverging:
        low = f"<= -{limit}" if scale.clips_low else f"-{limit}"
        return Ramp(colouring.ramp, (low, "0", high), meanings(methods, True))
    if scale.signed:
        return Ramp(colouring.ramp, ("<= 0", high), ("none, or against", "speaks for"))
    return Ramp(colouring.ramp, ("0", high), meanings(methods, False))
