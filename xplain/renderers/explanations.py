"""Dispatch by kind of source: the package that draws it is imported when it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Explanation
from xplain.explanation.notes import NotesOf
from xplain.renderers.canvas.picture import Picture

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture

    Draw = Callable[[Sequence[Explanation], Any, Any, NotesOf], Picture | TextPicture]

AnyStyle = TypeVar("AnyStyle")

#: For each kind of source the package with the modules ``drawing``, which draws it, and ``style``, its options.
_PACKAGES = {
    "image": "xplain.renderers.image",
    "text": "xplain.renderers.text",
    "signal": "xplain.renderers.signal",
}


def draw_explanations(
    subjects: Sequence[Explanation], image: Any, notes: NotesOf, options: Mapping[str, Any]
) -> Picture | TextPicture:
    """Draw explanations of one kind of source; see `xplain.renderers.draw`."""
    kinds = {explanation.source.kind for explanation in subjects}
    if len(kinds) > 1:
        raise InputError(
            f"subject must explain sources of one kind, got {' and '.join(sorted(kinds))}; draw each apart"
        )
    package = _PACKAGES[kinds.pop()]
    style = make_style(importlib.import_module(f"{package}.style").Style, options)
    draw: Draw = importlib.import_module(f"{package}.drawing").draw
    return draw(subjects, image, style, notes)


def make_style(style: type[AnyStyle], options: Mapping[str, Any]) -> AnyStyle:
    """Make a style of a caller's options; None leaves one out, and one that does not exist is refused."""
    names = [field.name for field in fields(style)]  # type: ignore[arg-type]
    _check_names(options, names)
    return style(**{name: option for name, option in options.items() if option is not None})


def check_options(allowed: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not None; refuse those that are not allowed."""
    given = {name: option for name, option in options.items() if option is not None}
    _check_names(given, allowed)
    return given


def _check_names(options: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for name in options:
        if name not in allowed:
            raise UnknownNameError("option", name, allowed)
