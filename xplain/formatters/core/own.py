"""Attributes of vendors in documents of our own, checked.

Under the name of a format stands an object, and the keys in it that the format's readers set are of the types that they
give them. A format declares these in its ``OWN``; other keys are what vendors' documents said, which may be anything.
null counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from xplain.explanation import Explanation, Item, Results
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import Reader, mapping

T = TypeVar("T", Explanation, Results, Item)

Own = Mapping[str, Reader[Any]]
"""Readers of the keys that a format's readers set: in attributes of jobs, of items and of explanations."""

Formats = Callable[[], Mapping[str, Own]]
"""Gives what each format declares."""


def checked(decode: Reader[Any], formats: Formats) -> Reader[Any]:
    """Make a reader of our documents that also checks the attributes of vendors."""

    def read(at: At) -> Any:
        value = decode(at)
        _refuse(problems_of_document(at, formats()))
        return value

    return read


def checked_layouts(layouts: Mapping[str, ItemLayout], formats: Formats) -> Mapping[str, ItemLayout]:
    """Make the layouts of our documents' items whose readers check what `checked` does."""
    return {key: replace(layout, reader=_checked_items(layout, formats)) for key, layout in layouts.items()}


def _checked_items(layout: ItemLayout, formats: Formats) -> Callable[[At], Reader[Any]]:
    def reader(job: At) -> Reader[Any]:
        read_item = layout.reader(job)

        def read(at: At) -> Any:
            item = read_item(at)
            _refuse(_problems_of_item(at, formats()))
            return item

        return read

    return reader


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Rejected(problems)


def problems_of_document(document: At, formats: Mapping[str, Own]) -> list[Problem]:
    """Return what is wrong with the attributes of vendors in a document of our own that is right otherwise."""
    if document["type"].value == "record":
        return []
    found = _problems(document["attributes"], formats)
    if document["type"].value == "results":
        for i in range(len(document["items"].value)):
            found += _problems_of_item(document["items"][i], formats)
    return found


def _problems_of_item(item: At, formats: Mapping[str, Own]) -> list[Problem]:
    """Return what is wrong with the attributes of vendors of an item, and of its explanation."""
    return _problems(item["attributes"], formats) + _problems(item["explanation"]["attributes"], formats)


def _problems(attributes: At, formats: Mapping[str, Own]) -> list[Problem]:
    found: list[Problem] = []
    for name, readers in formats.items():
        value = attributes.value.get(name) if isinstance(attributes.value, Mapping) else None
        if value is not None:
            found += _problems_of(attributes[name], readers)
    return found


def _problems_of(at: At, readers: Own) -> list[Problem]:
    found: list[Problem] = []
    if not readers:
        return found
    try:
        fields = mapping(at)
    except Rejected as rejected:
        return rejected.problems
    for key, read in readers.items():
        if fields.get(key) is not None:
            try:
                read(at[key])
            except Rejected as rejected:
                found += rejected.problems
    return found


# Writing.


def cut(value: Explanation | Results, formats: Mapping[str, Own]) -> tuple[Explanation | Results, list[str]]:
    """Leave out what is wrong with the attributes of vendors in a value; return what that loses, too."""
    losses: list[str] = []
    if isinstance(value, Explanation):
        return _cut(value, formats, "", losses), losses
    items = []
    for i, item in enumerate(value.items):
        explanation = item.explanation
        if explanation is not None:
            explanation = _cut(explanation, formats, f"items[{i}].explanation.", losses)
        items.append(replace(_cut(item, formats, f"items[{i}].", losses), explanation=explanation))
    return replace(_cut(value, formats, "", losses), items=tuple(items)), losses


def _cut(holder: T, formats: Mapping[str, Own], prefix: str, losses: list[str]) -> T:
    """Leave out the attributes of each vendor of which something is wrong."""
    kept = {}
    for name, value in holder.attributes.items():
        at = At(value, key=f"{prefix}attributes.{name}")
        wrong = [] if value is None else _problems_of(at, formats.get(name, {}))
        losses += [f"{problem.path} {problem.message}" for problem in wrong]
        if not wrong:
            kept[name] = value
    return holder if len(kept) == len(holder.attributes) else replace(holder, attributes=kept)
