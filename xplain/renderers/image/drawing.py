"""Explanations of images as pictures: panels of maps, masks and regions, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Explanation
from xplain.explanation.notes import NotesOf
from xplain.renderers.canvas import chart
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.image import layout, wording
from xplain.renderers.image.maps import colour_tiles, prepare
from xplain.renderers.image.marks import has_regions
from xplain.renderers.image.panels import panels
from xplain.renderers.image.style import Style


def draw(
    subjects: Sequence[Explanation],
    image: npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8] | None] | None,
    style: Style,
    notes: NotesOf,
) -> Picture:
    """Draw one explanation of an image, or several side by side.

    Parameters
    ----------
    subjects : sequence of Explanation
        Every attribution becomes a panel, unless the style's target selects some.
    image : uint8 array (height, width, 3), optional
        The photo that was explained, upright and not resized; or a sequence with one for each explanation. None is the
        photo that the source still holds; if there is none, the map stands alone.
    style : Style
        What the caller asks for.
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
        If ``target`` or ``scale`` names nothing that exists.

    Examples
    --------
    >>> from xplain.explanation.notes import no_notes
    >>> from xplain.explanation import Attribution, Heatmap, Prediction, Source
    >>> cat = Prediction("cat", 0.9)
    >>> photo = np.zeros((240, 320, 3), np.uint8)
    >>> values = np.linspace(-1, 1, photo[..., 0].size).reshape(240, 320)
    >>> e = Explanation("image-classification", Source("image"), (cat,), (Attribution(cat, Heatmap(values), "mine"),))
    >>> draw([e], photo, Style(legend=False), no_notes).pixels.shape
    (240, 320, 3)
    """
    attributed = any(explanation.attributions for explanation in subjects)
    drawable = attributed or style.kind == "regions" or any(map(has_regions, subjects))
    if style.kind == "bars" or (style.kind is None and not drawable):
        return chart.draw_bars(subjects, style.font)
    if not drawable or (style.kind not in (None, "regions", "side-by-side") and not attributed):
        raise InputError("subject must hold an attribution, got none; kind='bars' shows the predictions")
    tiles = colour_tiles([prepare(panel, style) for panel in panels(subjects, image, style, notes)], style)
    if not style.legend:
        pixels = layout.bare(tiles, style.columns)
    elif len(tiles) == 1:
        pixels = layout.single(tiles[0])
    else:
        pixels = layout.beside(tiles, style)
    return Picture(pixels, wording.describe(tiles, style.shared))
