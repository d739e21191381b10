"""The words of a picture: the lines of its legend, and its text alternative.

Legend and alternative describe a tile's evidence (values, area, place) and its regions (counts, labels, places) by the
same small steps, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xplain.explanation import Attribution, Grid, notes
from xplain.renderers.canvas.scale import Extent, format_measure, number
from xplain.renderers.image.labels import Arrangement
from xplain.renderers.image.maps import Tile
from xplain.renderers.image.marks import Mark, Marks, Row

_MOST_REGIONS = 30  # that a text alternative lists
_MOST_WHOLE = 5  # predictions of the whole image that are listed
_SIGNS_PER_LINE = 2  # that a legend explains


# Lines of the legend.


def title(tile: Tile) -> tuple[str, str] | None:
    """The label and the score of the explained prediction; None if regions are drawn without evidence."""
    attribution = tile.panel.attribution
    return None if attribution is None else (attribution.target.name, number(attribution.target.score))


def origin(tile: Tile, named: bool = True) -> str:
    """The method and, if ``named``, the name of the source."""
    name = tile.panel.explanation.source.name if named else None
    method = None if tile.panel.attribution is None else tile.panel.attribution.method
    return " · ".join(filter(None, (method, name)))


def facts(tile: Tile) -> list[str]:
    """Lines on what the colours and labels do not tell: ranges, areas, counts, and how to read the labels."""
    marks = tile.panel.marks
    if marks is None:
        return _evidence_facts(tile)
    lines = _region_facts(marks, tile.arrangement)
    # On evidence, the count of regions is left out: it is 1, the region that is explained.
    if tile.panel.attribution is not None and not marks.note:
        lines = lines[1:]
    return [*_evidence_facts(tile), *lines]


def remarks(tile: Tile) -> list[str]:
    """What was noted about the evidence when it was computed, without what the facts say already."""
    if tile.panel.attribution is None:
        return []
    said = _evidence_facts(tile)
    return [remark for remark in notes.remarks(tile.panel.attribution) if remark not in said]


def _region_facts(marks: Marks, arrangement: Arrangement | None) -> list[str]:
    """Lines on regions: their count, predictions of the whole image, metrics, and the signs that labels use."""
    if marks.note:
        return [marks.note]
    signs = _signs(marks)
    lines = [
        _counted(marks),
        _whole_image(marks),
        *_agreement(marks),
        *(" · ".join(signs[i : i + _SIGNS_PER_LINE]) for i in range(0, len(signs), _SIGNS_PER_LINE)),
        f"{_plural(arrangement.missing, 'label')} without room" if arrangement and arrangement.missing else "",
    ]
    return [line for line in lines if line]


def _whole_image(marks: Marks) -> str:
    more = len(marks.whole) - _MOST_WHOLE
    listed = _listed_whole(marks)
    return f"whole image: {listed}{f' and {more} more' if more > 0 else ''}" if listed else ""


def _signs(marks: Marks) -> list[str]:
    """Explanations of the signs that these marks use."""
    rows = [row for mark in marks.marks for row in mark.rows]
    dots = [dot for mark in (*marks.marks, *marks.truths) for dot in mark.dots]
    signs = [
        (_bar_sign(rows), any(row.score is not None and 0 <= row.score <= 1 for row in rows)),
        ("dashed: below the threshold", not all(mark.counts for mark in marks.marks)),
        ("hollow: without a partner", any(dot.hollow for dot in dots)),
        ("line: taken for each other", bool(marks.links)),
        ("inverted: characters that differ", any(highlighted for row in rows for _, highlighted in row.runs)),
    ]
    return [sign for sign, used in signs if used]


def _bar_sign(rows: Sequence[Row]) -> str:
    tick = ", tick: threshold" if any(row.threshold is not None for row in rows) else ""
    return f"bar: score from 0 to 1{tick}"


def _evidence_facts(tile: Tile) -> list[str]:
    if tile.panel.attribution is None:
        return []
    if tile.mask is not None:
        lines = [f"{_area(tile)} of the image"]
        if not _is_own_mask(tile):
            lines.append(f"the strongest {100 * tile.style.keep:.3g} % of the pixels, positive values only")
        return lines
    extent = tile.extent
    assert extent is not None
    return [
        extent.blank_reason or extent.flat or f"values {_format(extent.low, extent)} to {_format(extent.high, extent)}"
    ]


def _format(value: float, extent: Extent) -> str:
    """A value as a number; below a thousandth of the largest |value| it is written as 0."""
    return number(value if abs(value) >= extent.largest / 1000 else 0.0)


def _is_own_mask(tile: Tile) -> bool:
    """Whether the mask is the evidence itself, not made from a heat map."""
    return tile.panel.evidence is tile.mask


def _area(tile: Tile) -> str:
    assert tile.mask is not None
    return f"{100 * tile.mask.area / (tile.mask.height * tile.mask.width):.3g} %"


# The text alternative.


def describe(tiles: Sequence[Tile], shared: bool) -> str:
    """The text alternative of a picture: a sentence for each tile, and the scale."""
    names = ", ".join(dict.fromkeys(tile.panel.explanation.source.name or "an image" for tile in tiles))
    only_regions = all(tile.panel.attribution is None for tile in tiles)
    sentences = [
        f"{'Regions' if only_regions else 'Explanation'} of {names}:",
        *(_describe_tile(tile) for tile in tiles),
    ]
    limits = [number(tile.scale.limit) for tile in tiles if tile.scale is not None]
    distinct = list(dict.fromkeys(limits))
    if len(distinct) == 1:
        of_all = " for all panels" if len(limits) > 1 and shared else ""
        sentences.append(f"Full colour stands for {distinct[0]} or more{of_all}.")
    elif distinct:
        sentences.append(f"Full colour stands for {', '.join(distinct)} or more, in this order.")
    return " ".join(sentences)


def _describe_tile(tile: Tile) -> str:
    attribution, marks = tile.panel.attribution, tile.panel.marks
    evidence = "" if attribution is None else _describe_evidence(tile, attribution)
    regions = "" if marks is None else _describe_regions(marks)
    return " ".join(filter(None, (evidence, regions)))


def _describe_evidence(tile: Tile, attribution: Attribution) -> str:
    target = attribution.target
    kind = "mask" if tile.mask is not None else "grid" if isinstance(attribution.evidence, Grid) else "heat map"
    method = f" by {attribution.method}" if attribution.method else ""
    ground = " over the photo" if tile.photo is not None else ""
    place = _place_of_evidence(tile)
    if place:
        place = f"; strongest in the {place}" if tile.mask is None else f"; around the {place}"
    facts = ", ".join(_evidence_facts(tile))
    noted = "".join(f"; {remark}" for remark in remarks(tile))
    return f"{kind} for {target.name!r} (score {number(target.score)}){method}{ground}: {facts}{place}{noted}."


def _place_of_evidence(tile: Tile) -> str:
    """In which ninth of the image a mask is centred, or the values peak; empty if there is no evidence."""
    height, width = tile.panel.height, tile.panel.width
    if tile.mask is not None:
        box = tile.mask.bbox
        return "" if box is None else _ninth((box.x0 + box.x1) / 2 / width, (box.y0 + box.y1) / 2 / height)
    extent = tile.extent
    if extent is None or tile.values is None or extent.high <= 0 or extent.blank_reason or extent.flat:
        return ""
    y, x = divmod(int(np.argmax(tile.values)), width)
    return _ninth(x / width, y / height)


def _describe_regions(marks: Marks) -> str:
    """The text alternative of regions: their count, a list of them, predictions of the whole image, and metrics."""
    if marks.note:
        return f"{marks.note[0].upper()}{marks.note[1:]}."
    regions = [_describe_region(mark) for mark in (*marks.marks, *marks.truths) if mark.rows]
    more = len(regions) - _MOST_REGIONS
    listed = "; ".join(regions[:_MOST_REGIONS]) + (f"; and {more} more" if more > 0 else "")
    whole = _listed_whole(marks)
    sentences = [
        f"{_counted(marks)}{f': {listed}' if listed else ''}.",
        f"Of the whole image: {whole}." if whole else "",
        *(f"{figures}." for figures in _agreement(marks)),
    ]
    return " ".join(filter(None, sentences))


def _describe_region(mark: Mark) -> str:
    x0, y0, x1, y1 = mark.frame
    # The middle of the part that is in the image.
    place = _ninth((max(x0, 0) + min(x1, 1)) / 2, (max(y0, 0) + min(y1, 1)) / 2)
    rows = " or ".join(row.text + _margin(row) for row in mark.rows)
    names = [dot.name for dot in mark.dots if dot.name]
    points = f" with the points {', '.join(names)}" if names else ""
    return f"{rows} at the {place}{points}"


def _margin(row: Row) -> str:
    """By how much a score is over or below its threshold."""
    if row.score is None or row.threshold is None:
        return ""
    return f" ({number(abs(row.score - row.threshold))} {'over' if row.counts else 'below'} the threshold)"


# Phrases that both use.


def _counted(marks: Marks) -> str:
    count = len(marks.marks) + marks.more
    below = sum(not mark.counts for mark in marks.marks)
    truths = sum(bool(mark.rows) for mark in marks.truths)
    phrases = [
        _plural(count, "region") if count else "no regions",
        f"{below} below {'their thresholds' if below > 1 else 'its threshold'}" if below else "",
        _plural(truths, "truth") if truths else "",
        f"{marks.more} not drawn" if marks.more else "",
        f"{marks.outside} outside the image" if marks.outside else "",
    ]
    return ", ".join(filter(None, phrases))


def _listed_whole(marks: Marks) -> str:
    return ", ".join(f"{p.name} {number(p.score)}" for p in marks.whole[:_MOST_WHOLE])


def _agreement(marks: Marks) -> list[str]:
    """Figures of the agreement with the ground truth, of each part of the model that found something."""
    return [
        (f"{table.title}: " if table.title else "")
        + ", ".join(f"{measure.name} {format_measure(measure)}" for measure in table.measures)
        for table in marks.agreement
    ]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _ninth(x: float, y: float) -> str:
    """In which ninth of the image a point (in fractions) is, in words."""
    row, column = (min(max(int(3 * at), 0), 2) for at in (y, x))
    if row == 1 and column == 1:
        return "centre"
    return f"{('top', 'middle', 'bottom')[row]} {('left', 'centre', 'right')[column]}"
