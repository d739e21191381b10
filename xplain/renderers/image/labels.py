"""Marks over pixels: first all lines, then the labels, each in a place of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.paint import grown
from xplain.renderers.canvas.typography import PAPER, QUIET, Sheet, fitted, readable_on
from xplain.renderers.image.marks import PLAIN, Dot, Line, Mark, Marks, Row

Rectangle = tuple[float, float, float, float]


_FAR = 16  # cells that a label may stand away from what it names


@dataclass(frozen=True, slots=True)
class Wish:
    """A label of a size, and the rectangle (x0, y0, x1, y1) that it names, all in pixels."""

    width: float
    height: float
    names: Rectangle


@dataclass(frozen=True, slots=True)
class Place:
    """The upper left corner of a label, and whether it stands away from what it names."""

    x: float
    y: float
    away: bool


def place(
    wishes: Sequence[Wish], width: int, height: int, cell: int, taken: Sequence[Rectangle] = ()
) -> list[Place | None]:
    """Find a place in a picture for each label, the first ones first.

    Parameters
    ----------
    wishes : sequence of Wish
        The labels.
    width, height : int
        Of the picture in pixels.
    cell : int
        Pixels between places that are tried away from what a label names.
    taken : sequence of (x0, y0, x1, y1)
        Where no label may stand.

    Returns
    -------
    list of Place or None
        None for a label that has no place.
    """
    used = np.array([*taken, *[(0.0, 0.0, 0.0, 0.0)] * len(wishes)], dtype=np.float64).reshape(-1, 4)
    count = len(taken)
    found: list[Place | None] = []
    for wish in wishes:
        others = used[:count]
        spot = next((at for at in _beside(wish, width, height) if not _covers(at, wish, others)), None)
        away = spot is None
        if spot is None:
            spot = _nearest(wish, others, width, height, cell)
        if spot is None:
            found.append(None)
            continue
        used[count] = (*spot, spot[0] + wish.width, spot[1] + wish.height)
        count += 1
        found.append(Place(*spot, away))
    return found


def _beside(wish: Wish, width: int, height: int) -> Iterator[tuple[float, float]]:
    """Places at the edges of what is named, the best first."""
    x0, y0, x1, y1 = wish.names
    right, middle = x1 - wish.width, (x0 + x1 - wish.width) / 2
    for x, y in (
        (x0, y0 - wish.height),
        (x0, y1),
        (right, y0 - wish.height),
        (right, y1),
        (x0, max(y0, 0.0)),
        (x0, min(y1, height) - wish.height),
        (x1, y0),
        (x0 - wish.width, y0),
        (middle, (y0 + y1 - wish.height) / 2),
    ):
        across = min(max(x, 0.0), width - wish.width)
        if across >= 0 and 0 <= y <= height - wish.height:
            yield round(across), round(y)


def _covers(at: tuple[float, float], wish: Wish, others: Floats) -> bool:
    x, y = at
    return bool(
        (
            (others[:, 0] < x + wish.width) & (others[:, 2] > x) & (others[:, 1] < y + wish.height) & (others[:, 3] > y)
        ).any()
    )


def _nearest(wish: Wish, others: Floats, width: int, height: int, cell: int) -> tuple[float, float] | None:
    """The free place nearest to what is named, on a grid around it."""
    x0, y0, x1, y1 = wish.names
    reach = _FAR * cell
    xs = np.arange(max(0.0, x0 - wish.width - reach), min(x1 + reach, width - wish.width) + 1e-9, cell)
    ys = np.arange(max(0.0, y0 - wish.height - reach), min(y1 + reach, height - wish.height) + 1e-9, cell)
    if not xs.size or not ys.size:
        return None
    free = np.ones((ys.size, xs.size), dtype=bool)
    end_x, end_y = xs[-1] + wish.width, ys[-1] + wish.height
    close = (others[:, 0] < end_x) & (others[:, 2] > xs[0]) & (others[:, 1] < end_y) & (others[:, 3] > ys[0])
    for left, top, right, bottom in others[close]:
        columns = slice(*np.searchsorted(xs, [left - wish.width + 1e-9, right]))
        rows = slice(*np.searchsorted(ys, [top - wish.height + 1e-9, bottom]))
        free[rows, columns] = False
    if not free.any():
        return None
    across = np.maximum(np.maximum(x0 - wish.width - xs, xs - x1), 0)
    down = np.maximum(np.maximum(y0 - wish.height - ys, ys - y1), 0)
    distance = np.where(free, np.hypot(across[None], down[:, None]), np.inf)
    row, column = np.unravel_index(int(distance.argmin()), distance.shape)
    return float(xs[column]), float(ys[row])


UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_LEAST, _SHARE = 11, 80  # height of letters: at least, and as a part of the picture's
_CROWD, _SMALLER = 40, 0.75  # from so many labels on letters are smaller
_THICK = 320  # part of the picture that a line is thick
# In heights of letters.
_LINE, _PAD, _BAR = 1.32, 0.35, 0.22
_WIDEST = 26.0
_GAP = 2  # pixels between labels
_FILL = 0.35  # opacity of a mask
_BEYOND = 1.0  # widths of the picture that lines are followed beyond it


@dataclass(frozen=True, slots=True)
class Label:
    """A mark's label, or the name of a dot, and where it stands."""

    rows: tuple[Row, ...]
    colour: Colour
    at: tuple[float, float]
    width: float
    height: float
    place: Place


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where labels stand in a picture of a size.

    Parameters
    ----------
    size : int
        Height of letters in pixels.
    labels : tuple of Label
        Those that have a place.
    missing : int
        How many regions have none.
    """

    size: int
    labels: tuple[Label, ...]
    missing: int


def arrange(marks: Marks, width: int, height: int, font: str | None) -> Arrangement:
    """Find places for the labels in a picture of so many pixels."""
    every = [*marks.marks, *marks.truths]
    size = max(_LEAST, round(min(width, 1.6 * height) / _SHARE))
    if len(every) > _CROWD:
        size = max(_LEAST, round(_SMALLER * size))
    measure = Sheet(1, 1, size, font)
    wishes, owners = [], []
    labelled = [mark for mark in every if mark.rows]
    reach = _radius(size) + 2
    for mark in labelled:
        x0, y0, x1, y1 = _pixels(mark.frame, width, height)
        owners.append((mark.rows, mark.colour, ((x0 + x1) / 2, (y0 + y1) / 2)))
        down = _thickness(width, height, len(every)) if mark.lines else reach if mark.dots else 0
        across = reach if mark.dots and not mark.lines else 0
        wishes.append(_wish(mark.rows, (x0 - across, y0 - down, x1 + across, y1 + down), measure, width))
    points = [_point(dot.at, width, height) for mark in every for dot in mark.dots]
    taken = [(x - reach, y - reach, x + reach, y + reach) for x, y in points]
    for mark in every:
        for dot in mark.dots:
            if dot.name:
                rows = (Row(((dot.name, False),), PLAIN),)
                x, y = _point(dot.at, width, height)
                wishes.append(_wish(rows, (x - reach, y - reach, x + reach, y + reach), measure, width))
                owners.append((rows, PLAIN, (x, y)))
    places = place(wishes, width, height, max(4, size // 2), taken)
    labels = tuple(
        Label(rows, colour, at, wish.width - _GAP, wish.height - _GAP, spot)
        for wish, (rows, colour, at), spot in zip(wishes, owners, places, strict=True)
        if spot is not None
    )
    return Arrangement(size, labels, sum(spot is None for spot in places[: len(labelled)]))


def paint(marks: Marks, arrangement: Arrangement, pixels: UInt8, font: str | None) -> UInt8:
    """Draw over pixels (height, width, 3), and return the result."""
    height, width, _ = pixels.shape
    every = [*marks.truths, *sorted(marks.marks, key=lambda mark: mark.counts, reverse=True)[::-1]]  # the best on top
    thick = _thickness(width, height, len(every))
    pixels = _filled(pixels, every, thick)
    sheet = Sheet.over(pixels, arrangement.size, font)
    for mark in every:
        for line in mark.lines:
            _stroke(sheet, line, mark.colour, thick, width, height)
    for line in marks.links:
        _stroke(sheet, line, PLAIN, thick, width, height)
    for mark in every:
        for dot in mark.dots:
            _dot(sheet, dot, mark.colour, width, height)
    for label in arrangement.labels:
        if label.place.away:
            x, y = label.place.x + label.width / 2, label.place.y + label.height / 2
            sheet.stroke(np.array([label.at, (x, y)]), 1.0, label.colour, readable_on(label.colour))
    for label in arrangement.labels:
        _label(sheet, label)
    return sheet.pixels()


def _thickness(width: int, height: int, count: int) -> int:
    return max(2, round(min(height, width) / _THICK * (_SMALLER if count > _CROWD else 1.0)))


def _filled(pixels: UInt8, marks: Iterable[Mark], thick: int) -> UInt8:
    """Masks: a veil of their colour, and an outline."""
    masked = [mark for mark in marks if mark.mask is not None]
    if not masked:
        return pixels
    result = pixels.copy()
    height, width, _ = pixels.shape
    for mark in masked:
        assert mark.mask is not None
        x0, y0, x1, y1 = _pixels(mark.frame, width, height)
        top, left = max(0, int(y0) - 2 * thick), max(0, int(x0) - 2 * thick)
        ys, xs = np.arange(top, min(height, int(y1) + 2 * thick)), np.arange(left, min(width, int(x1) + 2 * thick))
        inside = mark.mask.to_array()[(ys * mark.mask.height // height)[:, None], xs * mark.mask.width // width]
        _fill(result[top : top + len(ys), left : left + len(xs)], inside, mark, thick)
    return result


def _fill(pixels: UInt8, inside: npt.NDArray[np.bool_], mark: Mark, thick: int) -> None:
    """One mask, over the pixels around it."""
    if mark.veil and mark.counts:
        pixels[inside] = np.rint(pixels[inside] * (1 - _FILL) + np.array(mark.colour) * _FILL).astype(np.uint8)
    pixels[grown(inside, max(1, thick // 2)) & ~inside] = readable_on(mark.colour)
    edge = grown(~inside, thick) & inside
    if not mark.counts:  # dashed
        ys, xs = np.indices(edge.shape)
        edge &= ((xs + ys) // (4 * thick)) % 2 == 0
    pixels[edge] = mark.colour


def _stroke(sheet: Sheet, line: Line, colour: Colour, thick: int, width: int, height: int) -> None:
    points = line.points if len(line.points) > 1 else line.points * 2
    path = np.clip(np.nan_to_num(np.array(points)), -_BEYOND, 1 + _BEYOND) * (width, height)
    if line.closed:
        path = np.concatenate([path, path[:1]])
        inside = thick / 2
        path = np.where(np.abs(path) < inside, inside, path)  # lines at the picture's edges stay whole
        path = np.where(np.abs(path - (width, height)) < inside, np.array((width, height)) - inside, path)
    sheet.stroke(path, max(1.0, thick / 2) if line.thin else thick, colour, readable_on(colour), dashed=line.dashed)


def _dot(sheet: Sheet, dot: Dot, colour: Colour, width: int, height: int) -> None:
    radius = _radius(sheet.size) * (1.25 if dot.square else 1.0) * (0.7 if dot.name else 1.0)
    at = _point(dot.at, width, height)
    sheet.dot(at, radius, colour, readable_on(colour), square=dot.square, hollow=dot.hollow)


def _label(sheet: Sheet, label: Label) -> None:
    size, x, y = sheet.size, label.place.x, label.place.y
    for i, row in enumerate(label.rows):
        top = y + i * round(_LINE * size + _BAR * size)
        bottom = top + round((_LINE + _BAR) * size)
        ground = row.colour if row.counts else PAPER
        ink = readable_on(ground) if row.counts else QUIET
        sheet.box(x, top, x + label.width, bottom, ground, row.colour if not row.counts else None)
        at, room = x + _PAD * size, label.width - 2 * _PAD * size + 1
        for text, marked in _shortened(sheet, row, room):
            if marked:
                sheet.box(at, top + 0.12 * size, at + sheet.width_of(text), top + 1.26 * size, ink)
            start = at + (len(text) - len(text.lstrip(" "))) * _space(sheet)
            sheet.text((start, top + 1.02 * size), text, room=room, colour=ground if marked else ink)
            at += _width(sheet, text)
        if row.score is not None and _is_share(row.score):
            _bar(sheet, row, x, bottom, label.width, ground, ink)


def _bar(sheet: Sheet, row: Row, x: float, bottom: float, width: float, ground: Colour, ink: Colour) -> None:
    """The score from 0 to 1, and a tick at the threshold."""
    thick = max(2, round(_BAR * sheet.size))
    left, right = x + 1, x + width - 1
    track = tuple(round(0.75 * one + 0.25 * other) for one, other in zip(ground, ink, strict=True))
    sheet.box(left, bottom - thick, right, bottom, (track[0], track[1], track[2]))
    assert row.score is not None
    if row.score > 0:
        sheet.box(left, bottom - thick, left + max(1.0, row.score * (right - left)), bottom, ink)
    if row.threshold is not None and _is_share(row.threshold):
        tick = max(2, thick // 2)
        at = min(max(left + row.threshold * (right - left) - tick / 2, left), right - tick)
        sheet.box(at - 1, bottom - 2 * thick, at + tick + 1, bottom, ground)
        sheet.box(at, bottom - 2 * thick, at + tick, bottom, ink)


def _shortened(sheet: Sheet, row: Row, room: float) -> Sequence[tuple[str, bool]]:
    """The runs of a row, or its text with an ellipsis if there is no room for them; the score always stays."""
    if sum(_width(sheet, text) for text, _ in row.runs) <= room:
        return row.runs
    *before, (last, _) = row.runs
    if row.score is None or not before:
        return ((row.text, False),)
    _font, text, _ = fitted("".join(text for text, _ in before), sheet.size, sheet.font, room - _width(sheet, last))
    return ((text, False), (last, False))


def _wish(rows: Sequence[Row], names: tuple[float, float, float, float], measure: Sheet, width: int) -> Wish:
    size = measure.size
    widest = max(sum(_width(measure, text) for text, _ in row.runs) for row in rows)
    across = min(widest + 2 * _PAD * size + 1, _WIDEST * size, width)
    return Wish(round(across) + _GAP, len(rows) * round((_LINE + _BAR) * size) + _GAP, names)


def _width(sheet: Sheet, text: str) -> float:
    """Width of a run with the spaces around it."""
    return sheet.width_of(text) + (len(text) - len(text.strip(" "))) * _space(sheet)


def _space(sheet: Sheet) -> float:
    return 0.28 * sheet.size


def _is_share(value: float) -> bool:
    return 0 <= value <= 1


def _radius(size: int) -> float:
    return 0.45 * size


def _point(at: tuple[float, float], width: int, height: int) -> tuple[float, float]:
    x, y = np.clip(np.nan_to_num(np.array(at)), -_BEYOND, 1 + _BEYOND).tolist()
    return x * width, y * height


def _pixels(frame: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """The part of a frame that is in the picture."""
    x0, y0, x1, y1 = np.clip(frame, 0, 1).tolist()
    return x0 * width, y0 * height, x1 * width, y1 * height
