"""How explanations of signals are drawn: what a caller may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xplain import _check
from xplain._value import checked, value
from xplain.renderers.canvas.colours import Cmap, find_cmap
from xplain.renderers.canvas.typography import font_file

#: Kinds of picture of a signal and what they show.
KINDS = {
    "signal": "the axes as lines on the colours of what they speak for, and the labels of the windows along time",
    "bars": "the mean scores of the classes over the windows",
}


@value(scope="")
class Style:
    """Options of a picture of signals.

    Parameters
    ----------
    kind : str, optional
        One of `KINDS`. Left out: "signal", or "bars" if there is nothing to draw along time.
    target : int or str, optional
        Index of the attribution, or the label that it explains.
    cmap : str, optional
        One of `xplain.renderers.CMAPS`; ``RdBu_r``, centred on zero, if left out.
    scale : {"robust", "max"} or float, optional
        |Value| of a reading that gets the full colour, see `xplain.renderers.canvas.scale.choose`.
    signal : array_like (axes, time) or path, or a list with one for each explanation, optional
        The recording that was explained, if the source does not hold it. Without any, the colours stand alone.
    axes : sequence of str, optional
        Names of the axes; those that the model was given if left out.
    expected : str or sequence of str, optional
        The true label, or one for each window, None where it is not known; what the predictions say if left out.
        Windows with another one are hatched.
    span : (float, float), optional
        What is shown of the time, in milliseconds from and to. Left out: the window, if only one is explained, else
        all.
    font : str, optional
        A TrueType or OpenType file.

    Raises
    ------
    InputError
        If an option is wrong.
    UnknownNameError
        If ``kind`` or ``cmap`` names nothing that exists.
    """

    kind: str | None = checked(_check.known, default=None, table=KINDS)
    target: int | str | None = None
    cmap: Cmap = checked(find_cmap, default="RdBu_r")
    scale: str | float | None = None
    signal: Any = None
    axes: Sequence[str] | None = None
    expected: str | Sequence[str | None] | None = None
    span: tuple[float, float] | None = None
    font: str | None = checked(font_file, default=None)
