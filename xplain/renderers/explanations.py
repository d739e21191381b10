"""Explanations of one kind of source are drawn by the module for that kind, which is imported when it is needed."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Explanation
from xplain.renderers.canvas.picture import Picture

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture

#: The module that draws each kind of source, by a function ``draw(subjects, image, **options)``.
_DRAWERS = {
    "image": "xplain.renderers.image.drawing",
    "text": "xplain.renderers.text.drawing",
    "signal": "xplain.renderers.signal.drawing",
}


def draw_explanations(subjects: Sequence[Explanation], image: Any, options: dict[str, Any]) -> Picture | TextPicture:
    """Draw explanations of one kind of source; see `xplain.renderers.draw`."""
    kinds = {explanation.source.kind for explanation in subjects}
    if len(kinds) > 1:
        raise InputError(
            f"subject must explain sources of one kind, got {' and '.join(sorted(kinds))}; draw each apart"
        )
    draw_one: Callable[..., Picture | TextPicture] = importlib.import_module(_DRAWERS[kinds.pop()]).draw
    known = [name for name, p in inspect.signature(draw_one).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise UnknownNameError("option", name, known)
    return draw_one(subjects, image, **options)


def only(names: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """The options that are given; others than these are refused."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in names:
            raise UnknownNameError("option", name, names)
    return given
