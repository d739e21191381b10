"""Vendors' objects without results as tables: requests, specifications, statistics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xplain.explanation import Record
from xplain.explanation.secrets import without_secrets
from xplain.renderers import notes
from xplain.renderers.canvas.colours import COLOURS, OTHERS, Colour
from xplain.renderers.canvas.page import Page, Segment
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import number
from xplain.renderers.canvas.typography import INK

_MOST_ROWS, _MOST_COLUMNS, _MOST_LISTED = 300, 7, 24
_DEEP = 12  # levels of objects in objects
_LONGEST = 4000  # characters of a text alternative
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")
_BLUE, _ORANGE, _GREEN, _, _RED = COLOURS[:5]
#: Qualities and traffic lights; their names are written beside the colours.
_QUALITIES: dict[str, Colour] = {
    "poor": _RED,
    "average": _ORANGE,
    "good": _BLUE,
    "excellent": _GREEN,
    "none": OTHERS,
}


def draw(record: Record, font: str | None = None) -> Picture:
    """Draw a record as a table that people can read.

    Parameters
    ----------
    record : Record
        What stands under names that end in key, token, secret or password is left out.
    font : str, optional
        A TrueType or OpenType file.

    Returns
    -------
    Picture
        960 pixels wide, at most some hundred rows; a note says what is left out.

    Examples
    --------
    >>> draw(Record("deepomatic", "specification", {"name": "cats", "apiKey": "x", "outputs": []})).alt
    'deepomatic specification: name: cats; outputs: none'
    """
    page = Page(font)
    fields = without_secrets(record.fields)
    page.heading(f"{record.kind.replace('-', ' ')} ({record.format})")
    special = _SPECIAL.get((record.format, record.kind))
    if special is not None:
        fields = special(page, fields)
    rows = _Rows(page)
    rows.write(fields)
    if rows.more:
        page.line(f"and {rows.more:,} more")
    words = "; ".join(_sentences(without_secrets(record.fields)))
    short = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
    return Picture(page.pixels(), f"{record.format} {record.kind}: {short}")


class _Rows:
    """Writes JSON: names and values, objects indented below their names, arrays of alike objects as tables."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.left = _MOST_ROWS
        self.more = 0

    def write(self, value: Any, depth: int = 0) -> None:
        """Write what an object or an array holds."""
        pairs = value.items() if isinstance(value, Mapping) else ((str(i + 1), one) for i, one in enumerate(value))
        for name, one in pairs:
            self._pair(_spaced(name), one, depth)

    def _pair(self, name: str, value: Any, depth: int) -> None:
        if not self._room():
            return
        indent = 1.2 * depth
        if not isinstance(value, (Mapping, list)) or not value or _is_plain(value):
            self.page.field(name, _shown(value), indent)
        elif depth >= _DEEP:
            self.page.field(name, "…", indent)
        elif isinstance(value, list) and (columns := _columns(value)):
            self.page.line(name, indent=indent, colour=INK)
            shown = value[: self.left]
            self.page.table([_spaced(one) for one in columns], [[_shown(row.get(c)) for c in columns] for row in shown])
            self.page.space(0.4)
            self.left -= len(shown)
            self.more += len(value) - len(shown)
        else:
            self.page.line(name, indent=indent, colour=INK)
            self.write(value, depth + 1)

    def _room(self) -> bool:
        self.left -= 1
        self.more += self.left < 0
        return self.left >= 0


def _is_plain(value: Any) -> bool:
    """Whether a value is an array of numbers and words."""
    return isinstance(value, list) and not any(isinstance(one, (Mapping, list)) for one in value)


def _columns(value: Sequence[Any]) -> list[str]:
    """Names of the columns of an array of alike objects; none if it is something else."""
    if not all(isinstance(one, Mapping) and one for one in value):
        return []
    names = list(dict.fromkeys(name for one in value for name in one))
    flat = all(
        not isinstance(cell, Mapping) and (not isinstance(cell, list) or _is_plain(cell))
        for one in value
        for cell in one.values()
    )
    return names if flat and len(names) <= _MOST_COLUMNS else []


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ([], {}, ""):
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        more = len(value) - _MOST_LISTED
        return ", ".join(_shown(one) for one in value[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
    return str(value)


def _spaced(name: str) -> str:
    """A name in words: ``num_amber_labels`` and ``numAmberLabels`` are "num amber labels"."""
    return " ".join(word if word.isupper() else word[:1].lower() + word[1:] for word in _WORDS.split(name) if word)


def _sentences(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Names and values of all that is in JSON."""
    nested = isinstance(value, (Mapping, list)) and value and not _is_plain(value) and depth < _DEEP
    if not nested:
        yield f"{path}: {_shown(value)}" if path else _shown(value)
        return
    pairs = value.items() if isinstance(value, Mapping) else ((str(i + 1), one) for i, one in enumerate(value))
    for name, one in pairs:
        yield from _sentences(one, f"{path} {_spaced(name)}".strip(), depth + 1)


# Objects that say more as pictures.


def _validation(page: Page, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Qualities as badges and labels as a strip of traffic lights; return what is left to be written."""
    said = notes.value_at(fields, "validation")
    if not isinstance(said, Mapping):
        return fields
    for name, value in said.items():
        if name.endswith("_quality"):
            quality = value if isinstance(value, str) else "none"
            page.badge(_spaced(name), quality, _QUALITIES.get(quality, OTHERS))
    labels, amber, red = (notes.number_at(said, f"num_{name}") for name in ("labels", "amber_labels", "red_labels"))
    if labels and amber is not None and red is not None and labels >= amber + red:
        page.line("labels", colour=INK)
        page.strip(
            [
                Segment("without a warning", round(labels - amber - red), _GREEN),
                Segment("amber", round(amber), _ORANGE),
                Segment("red", round(red), _RED, hatched=True),
            ]
        )
    page.space()
    rest = {name: value for name, value in said.items() if not name.endswith("_quality")}
    if isinstance(rest.get("labels"), list):
        rest["labels"] = [notes.text_at(label, "name") or "?" for label in rest["labels"]]
    return {**fields, "validation": rest}


def _annotated(page: Page, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the properties of a text follow from its labels; return what is left to be written."""
    for name, value, steps in notes.breakdowns(fields):
        page.line(f"{_spaced(name)} = {number(value)}, by what contributes to it", colour=INK)
        page.waterfall(steps, (_spaced(name), value))
        page.space(0.4)
    return {name: value for name, value in fields.items() if name != "label_properties"}


def _importance(page: Page, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The importance of features for each label; return what is left to be written."""
    found = list(notes.importances(fields))
    most = max((features[0][1] for _, features in found), default=0.0)
    for label, features in found:
        page.line(label, colour=INK)
        page.bars(features[:_MOST_LISTED], most)
        page.space(0.4)
    return {name: value for name, value in fields.items() if name != "labels"}


_SPECIAL = {
    ("reinfer", "validation"): _validation,
    ("reinfer", "annotated-comment"): _annotated,
    ("edge-impulse", "feature-importance"): _importance,
}
