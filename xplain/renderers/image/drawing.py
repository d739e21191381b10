"""Explanations of images as pictures: panels of maps, masks and regions, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Explanation
from xplain.explanation.notes import NotesOf, no_notes
from xplain.inputs import files
from xplain.renderers.canvas import chart
from xplain.renderers.canvas.colours import find_cmap
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.image import layout, wording
from xplain.renderers.image.maps import Style, colour_tiles, prepare
from xplain.renderers.image.marks import has_regions
from xplain.renderers.image.panels import panels
from xplain.renderers.targets import as_explanations

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


def draw(
    subject: Explanation | Sequence[Explanation],
    image: npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8] | None] | None = None,
    notes: NotesOf = no_notes,
    *,
    kind: str | None = None,
    target: int | str | None = None,
    cmap: str | None = None,
    scale: str | float | None = None,
    alpha: float = 0.8,
    keep: float = 0.1,
    shared: bool = True,
    columns: int | None = None,
    legend: bool = True,
    font: str | None = None,
) -> Picture:
    """Draw one explanation of an image, or several side by side.

    Parameters
    ----------
    subject : Explanation or sequence of Explanation
        Every attribution becomes a panel, unless ``target`` selects some.
    image : uint8 array (height, width, 3), optional
        The photo that was explained, upright and not resized; or a sequence with one for each explanation. Left out,
        the photo that the source still holds; if there is none, the map stands alone.
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
    notes : callable
        As for `xplain.renderers.draw`.

    Returns
    -------
    Picture
        Pixels and a text alternative.

    Raises
    ------
    InputError
        If the image has another size than the explained one, or an argument is wrong.
    UnknownNameError
        If ``kind``, ``target``, ``cmap`` or ``scale`` names nothing that exists.

    Examples
    --------
    >>> from xplain.explanation import Attribution, Heatmap, Prediction, Source
    >>> cat = Prediction("cat", 0.9)
    >>> photo = np.zeros((240, 320, 3), np.uint8)
    >>> values = np.linspace(-1, 1, photo[..., 0].size).reshape(240, 320)
    >>> e = Explanation("image-classification", Source("image"), (cat,), (Attribution(cat, Heatmap(values), "mine"),))
    >>> draw(e, photo, legend=False).pixels.shape
    (240, 320, 3)
    """
    subjects = as_explanations(subject)
    if kind is not None:
        _check.known("kind", kind, KINDS)
    font = None if font is None else str(files.as_path(font, "font"))
    style = Style(_share("alpha", alpha), _share("keep", keep), None if cmap is None else find_cmap(cmap), font)
    shared, legend = _check.boolean("shared", shared), _check.boolean("legend", legend)
    if columns is not None:
        columns = _check.integer("columns", columns, least=1)
    attributed = any(explanation.attributions for explanation in subjects)
    regions = kind == "regions"
    drawable = attributed or regions or any(has_regions(explanation) for explanation in subjects)
    if kind == "bars" or (kind is None and not drawable):
        return chart.draw_bars(subjects, font)
    if not drawable or (kind not in (None, "regions", "side-by-side") and not attributed):
        raise InputError("subject must hold an attribution, got none; kind='bars' shows the predictions")
    tiles = [prepare(panel, kind, style) for panel in panels(subjects, image, target, regions, notes)]
    tiles = colour_tiles(tiles, scale, shared)
    if not legend:
        pixels = layout.bare(tiles, columns)
    elif len(tiles) == 1:
        pixels = layout.single(tiles[0])
    else:
        pixels = layout.beside(tiles, columns, shared)
    return Picture(pixels, wording.describe(tiles, shared))


def _share(name: str, value: float) -> float:
    share = _check.number(name, value)
    if not 0 <= share <= 1:
        raise _check.wrong(name, "between 0 and 1", value)
    return share
