"""One verb for all pictures: what is explained decides how it is drawn.

What draws texts, signals, jobs and records is imported when there is one to draw.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Explanation, Item, Record, Results
from xplain.pictures import raster
from xplain.pictures._subject import explanations
from xplain.pictures.picture import Picture, stacked

if TYPE_CHECKING:
    from xplain.pictures.text import TextPicture

__all__ = ["KINDS", "draw"]

#: Kinds of picture and what they show; those of texts, of signals and of jobs are in the `KINDS` of their modules.
KINDS = raster.KINDS
_MOST_ITEMS = 24  # of a job that are drawn unless a kind is asked for


def draw(
    subject: Explanation | Sequence[Explanation] | Results | Record,
    image: Any = None,
    *,
    kind: str | None = None,
    target: int | str | None = None,
    cmap: str | None = None,
    scale: str | float | None = None,
    **style: Any,
) -> Picture | TextPicture:
    """Draw an explanation, several of one kind of source, a job, or a record.

    A job is drawn as the explanations of its inputs. Without a kind, the first 24 of them; below them stand how far the
    job is, unless all is well, and how often it is right, where that is known.

    Parameters
    ----------
    subject : Explanation, sequence of Explanation, Results or Record
        What to draw. Of a record nothing is drawn that may be a secret, see `xplain.pictures.record.draw`.
    image, kind, target, cmap, scale, **style
        As for `xplain.pictures.raster.draw` or, where texts or signals are explained, the ``draw`` of
        `xplain.pictures.text` or `xplain.pictures.signal`. Of a job, ``kind`` may also be one of
        `xplain.pictures.job.KINDS`, which draw it as a whole.

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
    options = {"kind": kind, "target": target, "cmap": cmap, "scale": scale, **style}
    if isinstance(subject, Record):
        from xplain.pictures import record

        return record.draw(subject, **_only(("font",), options))
    if isinstance(subject, Results):
        return _draw_job(subject, image, options)
    return _draw_explanations(explanations(subject), image, options)


def _draw_explanations(subjects: Sequence[Explanation], image: Any, options: dict[str, Any]) -> Picture | TextPicture:
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


def _draw_job(results: Results, image: Any, options: dict[str, Any]) -> Picture | TextPicture:
    from xplain.pictures import job

    kind = options["kind"]
    if isinstance(kind, str) and kind in job.KINDS:
        return job.draw(results, kind, **_only(("font",), {**options, "kind": None}))
    font = {"font": options["font"]} if "font" in options else {}
    found = [_named(item) for item in results.items if item.explanation is not None]
    if kind is not None and found:
        return _draw_explanations(found, image, options)
    drawn = _drawn_apart(found[:_MOST_ITEMS], image, options)
    well = results.finished and results.completed == results.total and 0 < len(found) <= _MOST_ITEMS
    if len(drawn) == 1 and not isinstance(drawn[0], Picture):
        return drawn[0] if well else drawn[0].with_note(f"{job.title(results)}: {job.summary(results)}.")
    below = [] if well and drawn else [job.draw(results, "progress", **font)]
    below += [job.draw(results, part, **font) for part in job.judging(results)]
    return stacked([*(Picture(one.pixels, one.alt) for one in drawn), *below])


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
        _draw_explanations(group, image if group[0].source.kind == "image" else None, options)
        for group in groups
        if any(one.predictions or one.attributions or one.task == "object-detection" for one in group)
    ]


def _only(names: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """The options that are given; others than these are refused."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in names:
            raise UnknownNameError("option", name, names)
    return given


#: The module that draws each kind of source.
_DRAWERS = {
    "image": "xplain.pictures.raster",
    "text": "xplain.pictures.text",
    "signal": "xplain.pictures.signal",
}
