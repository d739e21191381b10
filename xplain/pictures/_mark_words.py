"""The words of regions: what stands below them, and their text alternative."""

from __future__ import annotations

from xplain.pictures._mark_paint import Arrangement
from xplain.pictures._marks import Mark, Marks
from xplain.pictures.scale import number

__all__ = ["describe", "facts", "where"]

_NAMED = 30  # regions in a text alternative
_ON_A_LINE = 2  # signs that are explained
_WHOLE = 5  # predictions of the whole image that are listed


def facts(marks: Marks, arrangement: Arrangement | None) -> list[str]:
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


def describe(marks: Marks) -> str:
    """The text alternative of regions."""
    if marks.limit:
        return f"{marks.limit[0].upper()}{marks.limit[1:]}."
    listed = [_sentence(mark) for mark in (*marks.marks, *marks.truths) if mark.rows]
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


def _sentence(mark: Mark) -> str:
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
