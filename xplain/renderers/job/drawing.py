"""Jobs as pictures: the explanations of their inputs, and below them how far the job is and how often it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xplain.explanation import Explanation, Item, Results
from xplain.renderers.canvas.picture import Picture, stack
from xplain.renderers.explanations import check_options, draw_explanations
from xplain.renderers.job import charts

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture

_MOST_ITEMS = 24  # of a job that are drawn unless a kind is asked for


def draw(results: Results, image: Any = None, **options: Any) -> Picture | TextPicture:
    """Draw a job, or one of `xplain.renderers.job.charts.KINDS` of it; see `xplain.renderers.draw`."""
    kind = options.get("kind")
    if isinstance(kind, str) and kind in charts.KINDS:
        return charts.draw(results, kind, **check_options(("font",), {**options, "kind": None}))
    font = {"font": options["font"]} if "font" in options else {}
    found = [_named(item) for item in results.items if item.explanation is not None]
    if kind is not None and found:
        return draw_explanations(found, image, options)
    drawn = _drawn_apart(found[:_MOST_ITEMS], image, options)
    well = results.finished and results.completed == results.total and 0 < len(found) <= _MOST_ITEMS
    if len(drawn) == 1 and not isinstance(drawn[0], Picture):
        return drawn[0] if well else drawn[0].with_note(f"{charts.title(results)}: {charts.summary(results)}.")
    below = [] if well and drawn else [charts.draw(results, "progress", **font)]
    below += [charts.draw(results, part, **font) for part in charts.judging(results)]
    return stack([*(Picture(one.pixels, one.alt) for one in drawn), *below])


def _named(item: Item) -> Explanation:
    """The explanation of an input, with its name if the source has none."""
    explanation = item.explanation
    assert explanation is not None
    source = explanation.source
    return explanation if source.name is not None else replace(explanation, source=replace(source, name=item.name))


def _drawn_apart(subjects: Sequence[Explanation], image: Any, options: dict[str, Any]) -> list[Picture | TextPicture]:
    """A picture for each kind of source; explanations that hold nothing to draw are left to the job's own pictures."""
    kinds = dict.fromkeys(explanation.source.kind for explanation in subjects)
    groups = [[explanation for explanation in subjects if explanation.source.kind == kind] for kind in kinds]
    return [
        draw_explanations(group, image if group[0].source.kind == "image" else None, options)
        for group in groups
        if any(one.predictions or one.attributions or one.task == "object-detection" for one in group)
    ]
