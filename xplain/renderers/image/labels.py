"""Marks on pixels: where labels stand, and how strokes, dots, masks and labels are drawn.

`arrange_labels` places the labels for a picture of a size, `draw_marks` draws them. All strokes come first and all
labels last, so that no stroke crosses a label. Each label stands beside what it names or, where that is taken, at the
nearest free place with a line to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.explanation.notes import Point
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.paint import dilate
from xplain.renderers.canvas.typography import PAPER, QUIET, Sheet, fitted, readable_on
from xplain.renderers.image.marks import PLAIN, Dot, Frame, Mark, Marks, Row, Run, Stroke

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Rectangle = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels

# Letters are 1/80 of the picture high, but readable; a crowd of labels has smaller ones.
_LEAST_SIZE, _SIZE_SHARE = 11, 80
_CROWD, _CROWD_FACTOR = 40, 0.75
_THICKNESS_SHARE = 320  # strokes are 1/320 of the picture thick
# In heights of letters.
_LINE, _PADDING, _BAR = 1.32, 0.35, 0.22
_ROW = _LINE + _BAR
_WIDEST = 26.0
_SPACE = 0.28  # width of a space at the end of a run, which the text's own width leaves out
_DOT_RADIUS = 0.45
_GAP = 2  # pixels between labels
_FAR = 16  # cells of the search grid that a label may stand away from what it names
_VEIL = 0.35  # opacity of a mask
_BEYOND = 1.0  # widths of the picture that strokes are followed beyond it: coordinates of documents may be any
_ROUNDING = 1e-9  # pixels


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """Size of a label that needs a place, and the rectangle that it names, in pixels."""

    width: float
    height: float
    owner: Rectangle


@dataclass(frozen=True, slots=True)
class Place:
    """Upper left corner of a label, and whether it stands away from what it names."""

    x: float
    y: float
    away: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A label in its place.

    Parameters
    ----------
    rows : tuple of Row
        The label of a mark, or the name of a dot.
    colour : tuple of int
        RGB of the line to what it names.
    at : tuple of float
        Where that line ends: the middle of what the label names.
    width, height : float
        In pixels.
    place : Place
        Where the label stands.
    """

    rows: tuple[Row, ...]
    colour: Colour
    at: Point
    width: float
    height: float
    place: Place


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Labels in their places, for a picture of a size.

    Parameters
    ----------
    size : int
        Height of letters in pixels.
    labels : tuple of Label
        Those that have a place.
    missing : int
        Number of regions whose labels have none.
    """

    size: int
    labels: tuple[Label, ...]
    missing: int


def arrange_labels(marks: Marks, width: int, height: int, font: str | None) -> Arrangement:
    """Find places for the labels of marks in a picture of so many pixels."""
    all_marks = [*marks.marks, *marks.truths]
    size = max(_LEAST_SIZE, round(min(width, 1.6 * height) / _SIZE_SHARE))
    if len(all_marks) > _CROWD:
        size = max(_LEAST_SIZE, round(_CROWD_FACTOR * size))
    sheet = Sheet(1, 1, size, font)  # measures texts
    radius = _DOT_RADIUS * size + 2  # of a dot with its halo
    # Regions first: if there is no room for all, the names of dots give way.
    labelled = [mark for mark in all_marks if mark.rows]
    named = [dot for mark in all_marks for dot in mark.dots if dot.name]
    texts = [(mark.rows, mark.colour) for mark in labelled] + [(_name_rows(dot), PLAIN) for dot in named]
    thickness = _thickness(width, height, len(all_marks))
    owners = [_owner_of_label(mark, width, height, thickness, radius) for mark in labelled]
    owners += [_around(_in_pixels(dot.at, width, height), radius) for dot in named]
    ends = [_middle(_clipped(mark.frame, width, height)) for mark in labelled]
    ends += [_in_pixels(dot.at, width, height) for dot in named]
    requests = [_request(rows, owner, sheet, width) for (rows, _), owner in zip(texts, owners, strict=True)]
    taken = [_around(_in_pixels(dot.at, width, height), radius) for mark in all_marks for dot in mark.dots]
    places = place_labels(requests, width, height, max(4, size // 2), taken)
    labels = tuple(
        Label(rows, colour, end, request.width - _GAP, request.height - _GAP, place)
        for (rows, colour), end, request, place in zip(texts, ends, requests, places, strict=True)
        if place is not None
    )
    return Arrangement(size, labels, sum(place is None for place in places[: len(labelled)]))


def _name_rows(dot: Dot) -> tuple[Row, ...]:
    return (Row(((dot.name, False),), PLAIN),)


def _owner_of_label(mark: Mark, width: int, height: int, thickness: float, radius: float) -> Rectangle:
    """What the label of a mark must not cover: the mark's frame, with its strokes or dots."""
    x0, y0, x1, y1 = _clipped(mark.frame, width, height)
    down = thickness if mark.strokes else radius if mark.dots else 0
    across = radius if mark.dots and not mark.strokes else 0
    return x0 - across, y0 - down, x1 + across, y1 + down


def _request(rows: Sequence[Row], owner: Rectangle, sheet: Sheet, width: int) -> LabelRequest:
    widest = max(sum(_run_width(sheet, text) for text, _ in row.runs) for row in rows)
    label_width = min(widest + 2 * _PADDING * sheet.size + 1, _WIDEST * sheet.size, width)
    return LabelRequest(round(label_width) + _GAP, len(rows) * round(_ROW * sheet.size) + _GAP, owner)


def place_labels(
    requests: Sequence[LabelRequest], width: int, height: int, cell: int, taken: Sequence[Rectangle] = ()
) -> list[Place | None]:
    """Find a place in a picture for each label, in order: the first ones have the best places.

    Parameters
    ----------
    requests : sequence of LabelRequest
        The labels.
    width, height : int
        Of the picture in pixels.
    cell : int
        Pixels between the places that are tried away from what a label names.
    taken : sequence of (x0, y0, x1, y1)
        Where no label may stand.

    Returns
    -------
    list of Place or None
        None for a label that has no place.
    """
    # One array for all rectangles that are taken, filled as labels are placed.
    rectangles = np.array([*taken, *[(0.0, 0.0, 0.0, 0.0)] * len(requests)], dtype=np.float64).reshape(-1, 4)
    count = len(taken)
    places: list[Place | None] = []
    for request in requests:
        others = rectangles[:count]
        corner = next(
            (at for at in _corners_beside(request, width, height) if not _overlaps(at, request, others)), None
        )
        away = corner is None
        if corner is None:
            corner = _nearest_corner(request, others, width, height, cell)
        if corner is None:
            places.append(None)
            continue
        x, y = corner
        rectangles[count] = (x, y, x + request.width, y + request.height)
        count += 1
        places.append(Place(x, y, away))
    return places


def _corners_beside(request: LabelRequest, width: int, height: int) -> Iterator[Point]:
    """Upper left corners of a label at the edges of what it names, the best first."""
    x0, y0, x1, y1 = request.owner
    right, middle = x1 - request.width, (x0 + x1 - request.width) / 2
    for x, y in (
        (x0, y0 - request.height),  # above, at the left
        (x0, y1),  # below
        (right, y0 - request.height),  # the same at the right
        (right, y1),
        (x0, max(y0, 0.0)),  # inside
        (x0, min(y1, height) - request.height),
        (x1, y0),  # beside
        (x0 - request.width, y0),
        (middle, (y0 + y1 - request.height) / 2),  # in the middle
    ):
        inside = min(max(x, 0.0), width - request.width)
        if inside >= 0 and 0 <= y <= height - request.height:
            yield round(inside), round(y)


def _overlaps(corner: Point, request: LabelRequest, others: Floats) -> bool:
    (x0, y0), x1, y1 = corner, corner[0] + request.width, corner[1] + request.height
    overlap = (others[:, 0] < x1) & (others[:, 2] > x0) & (others[:, 1] < y1) & (others[:, 3] > y0)
    return bool(overlap.any())


def _nearest_corner(request: LabelRequest, others: Floats, width: int, height: int, cell: int) -> Point | None:
    """The free place that is nearest to what a label names, on a grid around it; None if all are taken."""
    x0, y0, x1, y1 = request.owner
    # The upper left corners that are left to try.
    x0, y0 = x0 - request.width, y0 - request.height
    reach = _FAR * cell
    xs = np.arange(max(0.0, x0 - reach), min(x1 + reach, width - request.width) + _ROUNDING, cell)
    ys = np.arange(max(0.0, y0 - reach), min(y1 + reach, height - request.height) + _ROUNDING, cell)
    if not xs.size or not ys.size:
        return None
    free = np.ones((ys.size, xs.size), dtype=bool)
    right, bottom = xs[-1] + request.width, ys[-1] + request.height
    close = (others[:, 0] < right) & (others[:, 2] > xs[0]) & (others[:, 1] < bottom) & (others[:, 3] > ys[0])
    for other_x0, other_y0, other_x1, other_y1 in others[close]:
        columns = slice(*np.searchsorted(xs, [other_x0 - request.width + _ROUNDING, other_x1]))
        rows = slice(*np.searchsorted(ys, [other_y0 - request.height + _ROUNDING, other_y1]))
        free[rows, columns] = False
    if not free.any():
        return None
    across = np.maximum(np.maximum(x0 - xs, xs - x1), 0)
    down = np.maximum(np.maximum(y0 - ys, ys - y1), 0)
    distance = np.where(free, np.hypot(across[None], down[:, None]), np.inf)
    row, column = np.unravel_index(int(distance.argmin()), distance.shape)
    return float(xs[column]), float(ys[row])


def draw_marks(marks: Marks, arrangement: Arrangement, pixels: UInt8, font: str | None) -> UInt8:
    """Draw marks and their labels over pixels (height, width, 3), and return the result."""
    height, width, _ = pixels.shape
    # The best marks last, and so on top; first the truths, then the marks that do not count.
    ordered = [*marks.truths, *sorted(marks.marks, key=lambda mark: mark.counts, reverse=True)[::-1]]
    thickness = _thickness(width, height, len(ordered))
    sheet = Sheet.over(_draw_masks(pixels, ordered, thickness), arrangement.size, font)
    for mark in ordered:
        for stroke in mark.strokes:
            _draw_stroke(sheet, stroke, mark.colour, thickness, width, height)
    for stroke in marks.links:
        _draw_stroke(sheet, stroke, PLAIN, thickness, width, height)
    for mark in ordered:
        for dot in mark.dots:
            _draw_dot(sheet, dot, mark.colour, width, height)
    for label in arrangement.labels:
        if label.place.away:
            middle = (label.place.x + label.width / 2, label.place.y + label.height / 2)
            sheet.stroke(np.array([label.at, middle]), 1.0, label.colour, readable_on(label.colour))
    for label in arrangement.labels:
        _draw_label(sheet, label)
    return sheet.pixels()


def _draw_masks(pixels: UInt8, marks: Iterable[Mark], thickness: int) -> UInt8:
    """Draw all masks on a copy of the pixels; each touches only the part of them around its frame."""
    masked = [(mark, mark.mask) for mark in marks if mark.mask is not None]
    if not masked:
        return pixels
    result = pixels.copy()
    height, width, _ = pixels.shape
    margin = 2 * thickness
    for mark, mask in masked:
        x0, y0, x1, y1 = _clipped(mark.frame, width, height)
        top, left = max(0, int(y0) - margin), max(0, int(x0) - margin)
        ys, xs = np.arange(top, min(height, int(y1) + margin)), np.arange(left, min(width, int(x1) + margin))
        # A mask has pixels of its own, fewer or more than the picture.
        inside = mask.to_array()[(ys * mask.height // height)[:, None], xs * mask.width // width]
        _draw_mask(result[top : top + len(ys), left : left + len(xs)], inside, mark, thickness)
    return result


def _draw_mask(pixels: UInt8, inside: npt.NDArray[np.bool_], mark: Mark, thickness: int) -> None:
    """Draw a mask in place: a veil, and an outline with a halo, dashed if the mark does not count."""
    if mark.veil and mark.counts:
        pixels[inside] = np.rint(pixels[inside] * (1 - _VEIL) + np.array(mark.colour) * _VEIL).astype(np.uint8)
    pixels[dilate(inside, max(1, thickness // 2)) & ~inside] = readable_on(mark.colour)
    outline = dilate(~inside, thickness) & inside
    if not mark.counts:
        ys, xs = np.indices(outline.shape)
        outline &= ((xs + ys) // (4 * thickness)) % 2 == 0
    pixels[outline] = mark.colour


def _draw_stroke(sheet: Sheet, stroke: Stroke, colour: Colour, thickness: int, width: int, height: int) -> None:
    points = stroke.points if len(stroke.points) > 1 else stroke.points * 2  # a single point is a line to itself
    path = np.clip(np.nan_to_num(np.array(points)), -_BEYOND, 1 + _BEYOND) * (width, height)
    if stroke.closed:
        path = np.concatenate([path, path[:1]])
        # An outline along the edge of the picture is moved inside, or half of it would be cut off.
        inside = thickness / 2
        path = np.where(np.abs(path) < inside, inside, path)
        path = np.where(np.abs(path - (width, height)) < inside, np.array((width, height)) - inside, path)
    stroke_width = max(1.0, thickness / 2) if stroke.thin else thickness
    sheet.stroke(path, stroke_width, colour, readable_on(colour), dashed=stroke.dashed)


def _draw_dot(sheet: Sheet, dot: Dot, colour: Colour, width: int, height: int) -> None:
    # A square that stands on a corner looks smaller than a disc; named dots are the many points of one object.
    radius = _DOT_RADIUS * sheet.size * (1.25 if dot.square else 1.0) * (0.7 if dot.name else 1.0)
    at = _in_pixels(dot.at, width, height)
    sheet.dot(at, radius, colour, readable_on(colour), square=dot.square, hollow=dot.hollow)


def _draw_label(sheet: Sheet, label: Label) -> None:
    """Draw the rows of a label: on their colour, or, if they do not count, on white with a frame."""
    size, x = sheet.size, label.place.x
    row_height = round(_ROW * size)
    for i, row in enumerate(label.rows):
        top = label.place.y + i * row_height
        bottom = top + row_height
        ground = row.colour if row.counts else PAPER
        ink = readable_on(ground) if row.counts else QUIET
        sheet.box(x, top, x + label.width, bottom, ground, row.colour if not row.counts else None)
        _draw_runs(sheet, row, (x + _PADDING * size, top), label.width - 2 * _PADDING * size + 1, ground, ink)
        if row.score is not None and 0 <= row.score <= 1:
            _draw_bar(sheet, row, row.score, x, bottom, label.width, ground, ink)


def _draw_runs(sheet: Sheet, row: Row, corner: Point, room: float, ground: Colour, ink: Colour) -> None:
    """Write the text of a row; highlighted runs have ink and ground exchanged."""
    size, (x, top) = sheet.size, corner
    for text, highlighted in _shortened_runs(sheet, row, room):
        if highlighted:
            sheet.box(x, top + 0.12 * size, x + sheet.width_of(text), top + 1.26 * size, ink)
        start = x + (len(text) - len(text.lstrip(" "))) * (_SPACE * size)
        sheet.text((start, top + 1.02 * size), text, room=room, colour=ground if highlighted else ink)
        x += _run_width(sheet, text)


def _draw_bar(
    sheet: Sheet, row: Row, score: float, x: float, bottom: float, width: float, ground: Colour, ink: Colour
) -> None:
    """Draw the score as a bar from 0 to 1, with a tick at the threshold."""
    thickness = max(2, round(_BAR * sheet.size))
    top, left, right = bottom - thickness, x + 1, x + width - 1
    red, green, blue = (round(0.75 * g + 0.25 * i) for g, i in zip(ground, ink, strict=True))
    sheet.box(left, top, right, bottom, (red, green, blue))
    if score > 0:
        sheet.box(left, top, left + max(1.0, score * (right - left)), bottom, ink)
    if row.threshold is not None and 0 <= row.threshold <= 1:
        tick = max(2, thickness // 2)
        at = min(max(left + row.threshold * (right - left) - tick / 2, left), right - tick)
        sheet.box(at - 1, top - thickness, at + tick + 1, bottom, ground)
        sheet.box(at, top - thickness, at + tick, bottom, ink)


def _shortened_runs(sheet: Sheet, row: Row, room: float) -> Sequence[Run]:
    """The runs of a row if there is room; else its text with an ellipsis, but with the whole score."""
    if sum(_run_width(sheet, text) for text, _ in row.runs) <= room:
        return row.runs
    *before, (score, _) = row.runs
    if row.score is None or not before:
        return ((row.text, False),)
    score_width = _run_width(sheet, score)
    _font, text, _width = fitted("".join(text for text, _ in before), sheet.size, sheet.font, room - score_width)
    return ((text, False), (score, False))


def _run_width(sheet: Sheet, text: str) -> float:
    """Width of a run with the spaces at its ends."""
    return sheet.width_of(text) + (len(text) - len(text.strip(" "))) * (_SPACE * sheet.size)


def _thickness(width: int, height: int, marks: int) -> int:
    """Thickness of strokes, for so many marks."""
    return max(2, round(min(height, width) / _THICKNESS_SHARE * (_CROWD_FACTOR if marks > _CROWD else 1.0)))


def _in_pixels(at: Point, width: int, height: int) -> Point:
    x, y = np.clip(np.nan_to_num(np.array(at)), -_BEYOND, 1 + _BEYOND).tolist()
    return x * width, y * height


def _clipped(frame: Frame, width: int, height: int) -> Rectangle:
    """The part of a frame that is in the picture, in pixels."""
    x0, y0, x1, y1 = np.clip(frame, 0, 1).tolist()
    return x0 * width, y0 * height, x1 * width, y1 * height


def _around(point: Point, radius: float) -> Rectangle:
    x, y = point
    return x - radius, y - radius, x + radius, y + radius


def _middle(rectangle: Rectangle) -> Point:
    x0, y0, x1, y1 = rectangle
    return (x0 + x1) / 2, (y0 + y1) / 2
