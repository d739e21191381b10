"""Dispatch by kind of source: the module that draws it is imported when it is needed."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Explanation
from xplain.explanation.notes import NotesOf
from xplain.renderers.canvas.picture import Picture

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture

#: The module that draws each kind of source, with a function ``draw(subjects, image, **options)``.
_DRAWERS = {
    "image": "xplain.renderers.image.drawing",
    "text": "xplain.renderers.text.drawing",
    "signal": "xplain.renderers.signal.drawing",
}


def draw_explanations(
    subjects: Sequence[Explanation], image: Any, notes: NotesOf, options: dict[str, Any]
) -> Picture | TextPicture:
    """Draw explanations of one kind of source; see `xplain.renderers.draw`."""
    kinds = {explanation.source.kind for explanation in subjects}
    if len(kinds) > 1:
        raise InputError(
            f"subject must explain sources of one kind, got {' and '.join(sorted(kinds))}; draw each apart"
        )
    draw: Callable[..., Picture | TextPicture] = importlib.import_module(_DRAWERS[kinds.pop()]).draw
    parameters = inspect.signature(draw).parameters.values()
    allowed = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    _check_names(options, allowed)
    return draw(subjects, image, notes, **options)


def check_options(allowed: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are not None; refuse those that are not allowed."""
    given = {name: value for name, value in options.items() if value is not None}
    _check_names(given, allowed)
    return given


def _check_names(options: dict[str, Any], allowed: Sequence[str]) -> None:
    for name in options:
        if name not in allowed:
            raise UnknownNameError("option", name, allowed)
