"""The words of a picture: lines of its legend and its text alternative."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xplain.explanation import Attribution, Grid
from xplain.renderers.canvas.scale import Extent, number
from xplain.renderers.image.labels import Arrangement
from xplain.renderers.image.maps import Piece
from xplain.renderers.image.marks import Mark, Marks

_NAMED = 30  # regions in a text alternative
_ON_A_LINE = 2  # signs that are explained
_WHOLE = 5  # predictions of the whole image that are listed


def region_facts(marks: Marks, arrangement: Arrangement | None) -> list[str]:
    """What is known of regions beside their labels, and how to read these."""
    if marks.limit:
        return [marks.limit]
    lines = [_counted(marks)]
    if whole := marks.whole[:_WHOLE]:
        more = len(marks.whole) - len(whole)
        listed = ", ".join(f"{p.name} {number(p.score)}" for p in whole)
        lines.append(f"whole image: {listed}{f' and {more} more' if more else ''}")
    if marks.figures:
        lines.append(_figures(marks))
    rows = [row for mark in marks.marks for row in mark.rows]
    signs = []
    if any(row.score is not None and 0 <= row.score <= 1 for row in rows):
        signs.append("bar: score from 0 to 1")
        if any(row.threshold is not None for row in rows):
            signs[0] += ", tick: threshold"
    if not all(mark.counts for mark in marks.marks):
        signs.append("dashed: below the threshold")
    if any(dot.hollow for mark in (*marks.marks, *marks.truths) for dot in mark.dots):
        signs.append("hollow: without a partner")
    if marks.links:
        signs.append("line: taken for each other")
    if any(marked for row in rows for _, marked in row.runs):
        signs.append("inverted: characters that differ")
    lines += [" · ".join(signs[i : i + _ON_A_LINE]) for i in range(0, len(signs), _ON_A_LINE)]
    if arrangement is not None and arrangement.missing:
        lines.append(f"{_many(arrangement.missing, 'label')} without room")
    return lines


def describe_regions(marks: Marks) -> str:
    """The text alternative of regions."""
    if marks.limit:
        return f"{marks.limit[0].upper()}{marks.limit[1:]}."
    listed = [_region_sentence(mark) for mark in (*marks.marks, *marks.truths) if mark.rows]
    more = len(listed) - _NAMED
    said = "; ".join(listed[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    whole = ", ".join(f"{p.name} {number(p.score)}" for p in marks.whole[:_WHOLE])
    sentences = [f"{_counted(marks)}{': ' + said if said else ''}."]
    if whole:
        sentences.append(f"Of the whole image: {whole}.")
    if marks.figures:
        sentences.append(f"{_figures(marks)}.")
    return " ".join(sentences)


def _figures(marks: Marks) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in marks.figures)


def where(x: float, y: float) -> str:
    """In which ninth of the image a point (fractions) is, in words."""
    row, column = (min(max(int(3 * at), 0), 2) for at in (y, x))
    if row == 1 and column == 1:
        return "centre"
    return f"{('top', 'middle', 'bottom')[row]} {('left', 'centre', 'right')[column]}"


def _counted(marks: Marks) -> str:
    count = len(marks.marks) + marks.more
    below = sum(not mark.counts for mark in marks.marks)
    parts = [_many(count, "region") if count else "no regions"]
    if below:
        parts.append(f"{below} below {'their thresholds' if below > 1 else 'its threshold'}")
    if truths := sum(bool(mark.rows) for mark in marks.truths):
        parts.append(_many(truths, "truth"))
    if marks.more:
        parts.append(f"{marks.more} not drawn")
    if marks.outside:
        parts.append(f"{marks.outside} outside the image")
    return ", ".join(parts)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _region_sentence(mark: Mark) -> str:
    x0, y0, x1, y1 = mark.frame
    place = where((max(x0, 0) + min(x1, 1)) / 2, (max(y0, 0) + min(y1, 1)) / 2)
    rows = []
    for row in mark.rows:
        limit = ""
        if row.score is not None and row.threshold is not None:
            limit = f" ({number(abs(row.score - row.threshold))} {'over' if row.counts else 'below'} the threshold)"
        rows.append(row.text + limit)
    names = [dot.name for dot in mark.dots if dot.name]
    points = f" with the points {', '.join(names)}" if names else ""
    return f"{' or '.join(rows)} at the {place}{points}"


def title(piece: Piece) -> tuple[str, str] | None:
    """The label and the score of what is explained."""
    attribution = piece.panel.attribution
    return None if attribution is None else (attribution.target.name, number(attribution.target.score))


def facts(piece: Piece) -> list[str]:
    """What is known of what is drawn beside its colours."""
    marks = piece.panel.marks
    if marks is None:
        return _evidence_facts(piece)
    said = region_facts(marks, piece.arrangement)
    # That there is one region need not be said of the one that is explained.
    return [*_evidence_facts(piece), *(said[1:] if piece.panel.attribution is not None and not marks.limit else said)]


def _evidence_facts(piece: Piece) -> list[str]:
    if piece.panel.attribution is None:
        return []
    if piece.mask is not None:
        lines = [f"{_share(piece)} of the image"]
        if not _is_mask(piece):
            lines.append(f"the strongest {100 * piece.style.keep:.3g} % of the pixels, positive values only")
        return lines
    extent = piece.extent
    assert extent is not None
    return [
        extent.blank_reason
        or extent.flat
        or f"values {_rounded(extent.low, extent)} to {_rounded(extent.high, extent)}"
    ]


def origin(piece: Piece, named: bool = True) -> str:
    """The method and, if it is to be named, what the source is called."""
    name = piece.panel.explanation.source.name if named else None
    method = None if piece.panel.attribution is None else piece.panel.attribution.method
    return " · ".join(filter(None, (method, name)))


def describe(pieces: Sequence[Piece], shared: bool) -> str:
    """The text alternative of a picture."""
    names = dict.fromkeys(piece.panel.explanation.source.name or "an image" for piece in pieces)
    sentences = [f"Explanation of {', '.join(names)}:", *(_sentence(piece) for piece in pieces)]
    if all(piece.panel.attribution is None for piece in pieces):
        sentences[0] = f"Regions of {', '.join(names)}:"
    scaled = [piece for piece in pieces if piece.scale is not None]
    limits = dict.fromkeys(number(piece.scale.limit) for piece in scaled if piece.scale is not None)
    if len(limits) == 1:
        of_all = " for all panels" if len(scaled) > 1 and shared else ""
        sentences.append(f"Full colour stands for {next(iter(limits))} or more{of_all}.")
    elif limits:
        sentences.append(f"Full colour stands for {', '.join(limits)} or more, in this order.")
    return " ".join(sentences)


def _sentence(piece: Piece) -> str:
    attribution, marks = piece.panel.attribution, piece.panel.marks
    marked = describe_regions(marks) if marks is not None else ""
    return " ".join(filter(None, ("" if attribution is None else _evidence(piece, attribution), marked)))


def _evidence(piece: Piece, attribution: Attribution) -> str:
    target = attribution.target
    what = "mask" if piece.mask is not None else "grid" if isinstance(attribution.evidence, Grid) else "heat map"
    by = f" by {attribution.method}" if attribution.method else ""
    ground = " over the photo" if piece.photo is not None else ""
    said = ", ".join(_evidence_facts(piece))
    where = _where(piece)
    at = f"; strongest in the {where}" if where and piece.mask is None else f"; around the {where}" if where else ""
    return f"{what} for {target.name!r} (score {number(target.score)}){by}{ground}: {said}{at}."


def _rounded(value: float, extent: Extent) -> str:
    """A value as a number with the digits that matter beside the largest one."""
    return number(value if abs(value) >= extent.largest / 1000 else 0.0)


def _is_mask(piece: Piece) -> bool:
    return piece.panel.evidence is piece.mask


def _share(piece: Piece) -> str:
    assert piece.mask is not None
    return f"{100 * piece.mask.area / (piece.mask.height * piece.mask.width):.3g} %"


def _where(piece: Piece) -> str:
    """In which ninth of the image the evidence peaks, in words; nothing if there is none."""
    height, width = piece.panel.height, piece.panel.width
    if piece.mask is not None:
        box = piece.mask.bbox
        if box is None:
            return ""
        y, x = (box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2
    elif (
        piece.extent is None
        or piece.values is None
        or piece.extent.high <= 0
        or piece.extent.blank_reason
        or piece.extent.flat
    ):
        return ""
    else:
        y, x = divmod(int(np.argmax(piece.values)), width)
    return where(x / width, y / height)
