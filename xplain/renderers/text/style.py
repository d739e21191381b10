"""How explanations of texts are drawn: what a caller may ask for."""

from __future__ import annotations

from collections.abc import Sequence

from xplain import _check
from xplain._value import checked, value
from xplain.errors import InputError
from xplain.renderers.canvas.colours import CMAPS, Cmap, find_cmap
from xplain.renderers.canvas.typography import font_file

#: Kinds of picture of a text and what they show.
KINDS = {
    "text": "the text, its words on the colour of what they speak for, what is found in it, the strongest words and "
    "the labels as bars",
    "bars": "the strongest words and the labels as bars",
}


def _diverging(name: str, given: object) -> Cmap:
    cmap = find_cmap(name, given)
    if not cmap.diverging:
        diverging = ", ".join(known for known, other in CMAPS.items() if other.diverging)
        raise InputError(f"{name} must be diverging for a text ({diverging}), got {given!r}")
    return cmap


@value(scope="")
class Style:
    """Options of a picture of texts.

    Parameters
    ----------
    kind : str, optional
        One of `KINDS`; "text" if left out.
    target : int or str, optional
        Index of the attribution, or the label that it explains.
    cmap : str, optional
        A diverging one of `xplain.renderers.CMAPS`, centred on zero; its most vivid colours mark the signs. ``RdBu_r``
        if left out.
    scale : {"robust", "max"} or float, optional
        |Score| that gets the full colour, see `xplain.renderers.canvas.scale.choose`.
    text : str or sequence of str, optional
        The text that was explained, or one for each explanation, if the source does not hold it. Without any, the
        scored words stand alone.
    font : str, optional
        A TrueType or OpenType file for PNG.

    Raises
    ------
    InputError
        If an option is wrong.
    UnknownNameError
        If ``kind`` or ``cmap`` names nothing that exists.
    """

    kind: str = checked(_check.known, default="text", table=KINDS)
    target: int | str | None = None
    cmap: Cmap = checked(_diverging, default="RdBu_r")
    scale: str | float | None = None
    text: str | Sequence[str | None] | None = None
    font: str | None = checked(font_file, default=None)
