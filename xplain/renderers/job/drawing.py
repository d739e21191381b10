"""A job as a picture: the explanations of its inputs, and below them how far it is and how often it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xplain.explanation import Explanation, Item, Results
from xplain.explanation.notes import NotesOf, no_notes
from xplain.renderers.canvas.picture import Picture, stack
from xplain.renderers.explanations import check_options, draw_explanations
from xplain.renderers.job import charts

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture

_MAX_ITEMS = 24  # that are drawn unless a kind is asked for


def draw(results: Results, image: Any = None, notes: NotesOf = no_notes, /, **options: Any) -> Picture | TextPicture:
    """Draw a job, or one of `xplain.renderers.job.charts.KINDS` of it; see `xplain.renderers.draw`."""
    kind = options.get("kind")
    if isinstance(kind, str) and kind in charts.KINDS:
        font = check_options(("font",), {**options, "kind": None}).get("font")
        return charts.draw(results, kind, font, notes)
    font = options.get("font")
    explanations = [_with_name(item) for item in results.items if item.explanation is not None]
    if kind is not None and explanations:
        return draw_explanations(explanations, image, notes, options)
    pictures = _draw_by_source(explanations[:_MAX_ITEMS], image, notes, options)
    all_shown = results.finished and results.completed == results.total and 0 < len(explanations) <= _MAX_ITEMS
    if len(pictures) == 1 and not isinstance(pictures[0], Picture):
        picture = pictures[0]
        return picture if all_shown else picture.with_note(f"{charts.title(results)}: {charts.summary(results)}.")
    below = [] if all_shown and pictures else [charts.draw(results, "progress", font)]
    below += [charts.draw(results, judging, font, notes) for judging in charts.judging_kinds(results, notes)]
    return stack([*(Picture(picture.pixels, picture.alt) for picture in pictures), *below])


def _with_name(item: Item) -> Explanation:
    """The explanation of an input, with the item's name if its source has none."""
    explanation = item.explanation
    assert explanation is not None
    source = explanation.source
    return explanation if source.name is not None else replace(explanation, source=replace(source, name=item.name))


def _draw_by_source(
    subjects: Sequence[Explanation], image: Any, notes: NotesOf, options: dict[str, Any]
) -> list[Picture | TextPicture]:
    """A picture for each kind of source of which there is something to draw."""
    kinds = dict.fromkeys(explanation.source.kind for explanation in subjects)
    groups = [[explanation for explanation in subjects if explanation.source.kind == kind] for kind in kinds]
    return [
        draw_explanations(group, image if group[0].source.kind == "image" else None, notes, options)
        for group in groups
        if any(e.predictions or e.attributions or e.task == "object-detection" for e in group)
    ]
