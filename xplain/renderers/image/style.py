"""How explanations of images are drawn: what a caller may ask for."""

from __future__ import annotations

from typing import Any

from xplain import _check
from xplain._value import checked, value
from xplain.renderers.canvas.colours import Cmap, find_cmap
from xplain.renderers.canvas.typography import font_file

#: Kinds of picture, and what they show.
KINDS = {
    "overlay": "the map over the photo; the stronger the evidence, the less of the photo shows",
    "heatmap": "the map alone",
    "mask": "the photo with everything outside the evidence dimmed",
    "contour": "the photo with the outline of the evidence",
    "regions": "boxes, outlines, dots and what is read, with labels, scores and thresholds; a target adds its map",
    "bars": "the scores of the classes",
    "side-by-side": "every attribution in the way that suits it, on one scale",
}


def _share(name: str, given: Any) -> float:
    share = _check.number(name, given)
    if not 0 <= share <= 1:
        raise _check.wrong(name, "between 0 and 1", given)
    return share


@value(scope="")
class Style:
    """Options of a picture of images.

    Parameters
    ----------
    kind : str, optional
        One of `KINDS`. Left out: ``mask`` for a mask, ``overlay`` for a map; where nothing is attributed, ``regions``
        if there are any, else ``bars``.
    target : int or str, optional
        Index of the attribution, or the label that it explains; for ``regions``, those of the prediction.
    cmap : str, optional
        One of `xplain.renderers.CMAPS`. Left out: ``RdBu_r``, centred on zero, if there are negative values, else
        ``inferno``. A sequential map shows no negative values.
    scale : {"robust", "max"} or float, optional
        |Value| that gets the full colour. "robust", the default: the 99.5th percentile of the non-zero |values|; "max":
        the largest one; a number: that one, such as the legend of another picture shows.
    alpha : float
        Opacity 0..1 of the strongest evidence over a photo, and strength of a mask's dimming. 0 is the photo.
    keep : float
        Fraction of the pixels that a heat map keeps as a ``mask`` or ``contour``, see `Heatmap.to_mask`.
    shared : bool
        Whether all panels have one scale, so that equal values have equal colours; else each has its own.
    columns : int, optional
        Panels in a row; left out, up to three panels stand in one row, more in about a square.
    legend : bool
        Whether text stands below. Without it the picture has the pixels of the image, one for one. With it an image
        whose longer side is below 320 pixels (200 in a set, 480 with labels on it) is enlarged by the least whole
        factor that makes it as long.
    font : str, optional
        A TrueType or OpenType file for legend and labels; `Picture.alt` has all characters with any font.

    Raises
    ------
    InputError
        If an option is wrong.
    UnknownNameError
        If ``kind`` or ``cmap`` names nothing that exists.
    """

    kind: str | None = checked(_check.known, default=None, table=KINDS)
    target: int | str | None = None
    cmap: Cmap | None = checked(find_cmap, default=None)
    scale: str | float | None = None
    alpha: float = checked(_share, default=0.8)
    keep: float = checked(_share, default=0.1)
    shared: bool = checked(_check.boolean, default=True)
    columns: int | None = checked(_check.integer, default=None, least=1)
    legend: bool = checked(_check.boolean, default=True)
    font: str | None = checked(font_file, default=None)
