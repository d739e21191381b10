"""What predictions with regions are drawn as: outlines, dots and lines with labels, in fractions of the image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xplain.explanation import Attribution, Box, Explanation, Grid, Mask, Polygon, Prediction, Region
from xplain.explanation.gauges import pointer, read_gauge
from xplain.explanation.matches import MAX_CHARACTERS, align
from xplain.explanation.outcomes import ANOMALY
from xplain.renderers import notes
from xplain.renderers.canvas.colours import COLOURS, Colour, colours_of
from xplain.renderers.canvas.scale import number

Point = tuple[float, float]
Size = tuple[int, int]

#: Colour of what is no prediction: truths.
PLAIN: Colour = (255, 255, 255)
_MOST = 1000  # regions that are drawn
_NEAR = 0.01  # distance of centres that are the same but for rounding


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points: closed or open, thin if it only leads somewhere, dashed if it does not count."""

    points: tuple[Point, ...]
    closed: bool = True
    dashed: bool = False
    thin: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A point: a square for a truth, hollow without a partner."""

    at: Point
    name: str = ""
    square: bool = False
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a label.

    Parameters
    ----------
    runs : tuple of (str, bool)
        Its text, and what of it is marked.
    score, threshold : float or None
        For the bar below it.
    colour : tuple of int
        RGB.
    counts : bool
        Whether the score reaches the threshold.
    """

    runs: tuple[tuple[str, bool], ...]
    colour: Colour
    score: float | None = None
    threshold: float | None = None
    counts: bool = True

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(text for text, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Mark:
    """A region and what is said of it.

    Parameters
    ----------
    rows : tuple of Row
        The alternatives for the region: those that count first, then by score; none, and there is no label.
    frame : tuple of float
        x0, y0, x1, y1 of what the label belongs to.
    colour : tuple of int
        Of the lines.
    lines, dots, mask
        What is drawn.
    veil : bool
        Whether the inside of a mask gets its colour too.
    """

    rows: tuple[Row, ...]
    frame: tuple[float, float, float, float]
    colour: Colour
    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    mask: Mask | None = None
    veil: bool = True

    @property
    def counts(self) -> bool:
        """Whether any of the alternatives does."""
        return not self.rows or any(row.counts for row in self.rows)


@dataclass(frozen=True, slots=True)
class Marks:
    """All that is drawn over one image.

    Parameters
    ----------
    marks : tuple of Mark
        Regions, the best first.
    truths : tuple of Mark
        What is really there.
    links : tuple of Line
        From predictions to the truths that they were taken for.
    whole : tuple of Prediction
        What is predicted of the whole image.
    outside : int
        Regions that do not touch the image.
    more : int
        Regions that are not drawn, since they are too many.
    limit : str
        What an outline without a label says.
    figures : tuple of (str, float)
        How well what was found agrees with what is there.
    """

    marks: tuple[Mark, ...] = ()
    truths: tuple[Mark, ...] = ()
    links: tuple[Line, ...] = ()
    whole: tuple[Prediction, ...] = ()
    outside: int = 0
    more: int = 0
    limit: str = ""
    figures: tuple[tuple[str, float], ...] = ()


def regional(explanation: Explanation) -> bool:
    """Whether an explanation is about parts of an image."""
    if explanation.task in ("object-detection", "image-segmentation"):
        return True
    return any(isinstance(p.region, (Box, Polygon, Mask)) for p in explanation.predictions)


def counts(prediction: Prediction) -> bool:
    """Whether a score reaches its threshold."""
    return prediction.threshold is None or prediction.score >= prediction.threshold


def marks(explanation: Explanation, predictions: Iterable[Prediction], size: Size, truths: bool = True) -> Marks:
    """Find what to draw.

    Parameters
    ----------
    explanation : Explanation
        Of an image.
    predictions : iterable of Prediction
        Those of its predictions that are drawn.
    size : (int, int)
        Height and width of the image in pixels, which pixels of regions count in.
    truths : bool
        Whether to draw what is really there too.
    """
    found = sorted(predictions, key=lambda p: -p.score)
    placed = [p for p in found if isinstance(p.region, (Box, Polygon, Mask))]
    actual = notes.truths(explanation) if truths else []
    real, made, links = notes.centroids(explanation) if truths else ([], [], [])
    names = [_colour_name(p) for p in placed] + [label for label, _ in actual] + [one.label for one in real]
    colours = colours_of(names)
    groups: dict[object, list[Prediction]] = {}
    for prediction in placed:
        groups.setdefault(_group(prediction), []).append(prediction)
    inside = [group for group in groups.values() if _touches(_frame(group[0].region, size))]
    drawn = (_mark(explanation, group, size, colours) for group in inside[:_MOST])
    return Marks(
        tuple(_with_partner(mark, made) for mark in drawn),
        (*(_truth(label, box, size, not real) for label, box in actual), *map(_centre, real))[:_MOST],
        tuple(Line((link.prediction, link.truth), closed=False) for link in links[:_MOST]),
        tuple(p for p in found if p.region is None),
        len(groups) - len(inside),
        max(0, len(inside) - _MOST),
        figures=tuple(notes.figures(explanation)) if truths else (),
    )


def limits(attribution: Attribution) -> Marks | None:
    """Outline the cells that reach the threshold of an anomaly score, which is one for each cell; None elsewhere."""
    grid, target = attribution.evidence, attribution.target
    if not isinstance(grid, Grid) or target.threshold is None or target.label != (ANOMALY,):
        return None
    cells = Mask.from_array(grid.values >= target.threshold)
    mark = Mark((), (0.0, 0.0, 1.0, 1.0), COLOURS[0], mask=cells, veil=False)
    return Marks((mark,), limit=f"outlined: {cells.area} cells of {number(target.threshold)} or more")


def _group(prediction: Prediction) -> object:
    """What alternatives for one region have in common."""
    region, output = prediction.attributes.get("region_id"), prediction.attributes.get("output", 0)
    if isinstance(region, int) and isinstance(output, int):
        return output, region
    if notes.is_read(prediction):  # a text and the tag that it is taken for stand in one box
        return id(prediction)
    return prediction.region


def _mark(explanation: Explanation, group: Sequence[Prediction], size: Size, colours: Mapping[str, Colour]) -> Mark:
    group = sorted(group, key=lambda p: (not counts(p), -p.score))
    best = group[0]
    rows = tuple(_row(prediction, colours[_colour_name(prediction)]) for prediction in group)
    colour, dashed = rows[0].colour, not any(row.counts for row in rows)
    frame = _frame(best.region, size)
    if notes.is_dot(explanation, best):
        x, y = (frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2
        return Mark(rows, (x, y, x, y), colour, dots=(Dot((x, y)),))
    if isinstance(best.region, Mask):
        return Mark(rows, frame, colour, mask=best.region)
    lines = [
        _outline(prediction.region, size, dashed, prediction.attributes.get("closed") is not False)
        for prediction in {p.region: p for p in group}.values()
    ]
    tag = notes.asset(best)
    if tag is not None and isinstance(tag[1], (Box, Polygon)):
        other = _frame(tag[1], size)
        lines.append(replace(_outline(tag[1], size), thin=True))
        lines.append(Line((_middle(frame), _middle(other)), closed=False, thin=True))
    needle = pointer(best)
    if needle is not None:
        lines.append(Line(needle, closed=False))
    dots = tuple(Dot(at, name) for name, at in notes.keypoints(best).items())
    return Mark(rows, frame, colour, tuple(lines), dots)


def _row(prediction: Prediction, colour: Colour) -> Row:
    runs = [(prediction.name, False)]
    tag = notes.asset(prediction)
    if tag is not None:
        runs = [*_aligned(prediction.name, tag[0])]
    gauge = read_gauge(prediction)
    if gauge is not None:
        claimed = "" if gauge.claimed is None else f" (said: {number(gauge.claimed)})"
        runs.append((f", reads {number(gauge.value)}{claimed}", False))
    else:
        runs += [(f", {name}: {value}", False) for name, value in notes.states(prediction)]
    if prediction.attributes.get("unscored") is True:
        return Row(tuple(runs), colour)
    runs.append((f" {number(prediction.score)}", False))
    return Row(tuple(runs), colour, prediction.score, prediction.threshold, counts(prediction))


def _aligned(text: str, name: str) -> Iterable[tuple[str, bool]]:
    """A text and the name that it is taken for, with the characters of either that the other has not."""
    if max(len(text), len(name)) > MAX_CHARACTERS or name.startswith("id "):
        return [(f"{text} = {name}", False)]
    stretches = align(text, name).stretches
    ours = [(one.text, one.kind != "same") for one in stretches if one.text]
    theirs = [(one.name, one.kind != "same") for one in stretches if one.name]
    return [*ours, (" = ", False), *theirs]


def _truth(label: str, box: Box, size: Size, labelled: bool) -> Mark:
    """A true box; its centre has the label if that is known."""
    rows = (Row(((f"truth: {label}", False),), PLAIN),) if labelled else ()
    return Mark(rows, _frame(box, size), PLAIN, (replace(_outline(box, size), thin=True),))


def _centre(truth: notes.Centroid) -> Mark:
    row = Row(((f"truth: {truth.label}", False),), PLAIN)
    return Mark((row,), (*truth.at, *truth.at), PLAIN, dots=(Dot(truth.at, square=True, hollow=not truth.matched),))


def _with_partner(mark: Mark, made: Sequence[notes.Centroid]) -> Mark:
    """Make the dot of a centre hollow if no truth was taken for it."""
    if mark.lines or mark.mask or not made or not mark.dots:
        return mark
    x, y = mark.dots[0].at
    nearest = min(made, key=lambda one: (one.at[0] - x) ** 2 + (one.at[1] - y) ** 2)
    near = max(abs(nearest.at[0] - x), abs(nearest.at[1] - y)) <= _NEAR
    return replace(mark, dots=(replace(mark.dots[0], hollow=near and not nearest.matched),))


def _outline(region: Region | None, size: Size, dashed: bool = False, closed: bool = True) -> Line:
    if isinstance(region, Polygon):
        points = region.to("fraction", size).points
        return Line(points, closed=closed and len(points) > 2, dashed=dashed)
    x0, y0, x1, y1 = _frame(region, size)
    return Line(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), dashed=dashed)


def _frame(region: Region | None, size: Size) -> tuple[float, float, float, float]:
    """The box around a region."""
    box: Region | None = region
    if isinstance(region, Mask):
        around = region.bbox
        box = None if around is None else around.to("fraction", (region.height, region.width))
    elif isinstance(region, Polygon):
        box = region.bbox
    if not isinstance(box, Box):  # an empty mask
        return (-1.0, -1.0, -1.0, -1.0)
    box = box.to("fraction", size)
    return box.x0, box.y0, box.x1, box.y1


def _middle(frame: tuple[float, float, float, float]) -> Point:
    return (frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2


def _touches(frame: tuple[float, float, float, float]) -> bool:
    x0, y0, x1, y1 = frame
    return x0 <= 1 and y0 <= 1 and x1 >= 0 and y1 >= 0


def _colour_name(prediction: Prediction) -> str:
    """What gets a colour of its own: a label, or all that is read."""
    return str(prediction.attributes["feature"]) if notes.is_read(prediction) else prediction.name
