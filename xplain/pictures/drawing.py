"""One verb for all pictures: what is explained decides how it is drawn."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Explanation
from xplain.pictures import raster, signal, text
from xplain.pictures._subject import explanations
from xplain.pictures.picture import Picture
from xplain.pictures.text import TextPicture

__all__ = ["KINDS", "draw"]

#: Kinds of picture and what they show; those of texts and of signals are in the `KINDS` of their modules.
KINDS = raster.KINDS


def draw(
    subject: Explanation | Sequence[Explanation],
    image: Any = None,
    *,
    kind: str | None = None,
    target: int | str | None = None,
    cmap: str | None = None,
    scale: str | float | None = None,
    **style: Any,
) -> Picture | TextPicture:
    """Draw an explanation, or several of one kind of source.

    Parameters
    ----------
    subject : Explanation or sequence of Explanation
        What to draw.
    image, kind, target, cmap, scale, **style
        As for `xplain.pictures.raster.draw` or, where texts or signals are explained, the ``draw`` of
        `xplain.pictures.text` or `xplain.pictures.signal`.

    Returns
    -------
    Picture or TextPicture
        Both save themselves as PNG, HTML, SVG and text, and have ``pixels`` and ``alt``.

    Raises
    ------
    InputError
        If sources of several kinds are mixed, or an argument is wrong.
    UnknownNameError
        If an option, or the value of one, is none of those that exist.
    """
    subjects = explanations(subject)
    kinds = {explanation.source.kind for explanation in subjects}
    if len(kinds) > 1:
        raise InputError(
            f"subject must explain sources of one kind, got {' and '.join(sorted(kinds))}; draw each apart"
        )
    draw_one = _DRAWERS[kinds.pop()]
    known = [name for name, p in inspect.signature(draw_one).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in style:
        if name not in known:
            raise UnknownNameError("option", name, known)
    return draw_one(subjects, image, kind=kind, target=target, cmap=cmap, scale=scale, **style)


_DRAWERS: dict[str, Callable[..., Picture | TextPicture]] = {
    "image": raster.draw,
    "text": text.draw,
    "signal": signal.draw,
}
