"""What is drawn over an image for its predictions: strokes and dots with labels, in fractions of the image.

Marks know nothing of pixels, so one set of marks serves a picture of any size. Each region has one mark; alternatives
for the same region are rows of one label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xplain.explanation import Attribution, Box, Explanation, Grid, Mask, Polygon, Prediction, Region
from xplain.explanation.notes import Centroid, Match, Notes, Point, PredictionNotes, Table, Truth
from xplain.explanation.outcomes import ANOMALY
from xplain.renderers.canvas.colours import COLOURS, Colour, colours_of
from xplain.renderers.canvas.scale import number

Size = tuple[int, int]
Frame = tuple[float, float, float, float]  # x0, y0, x1, y1
Run = tuple[str, bool]  # text, and whether it is highlighted

#: Colour of the ground truth, apart from all colours of predictions.
PLAIN: Colour = (255, 255, 255)
_MOST = 1000  # regions, truths and links that are drawn
_SAME_POINT = 0.01  # centres closer than this differ by rounding only
_NOWHERE: Frame = (-1.0, -1.0, -1.0, -1.0)  # frame of an empty mask, outside of any image


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points: closed or open, dashed if its prediction does not count, thin if it is secondary."""

    points: tuple[Point, ...]
    closed: bool = True
    dashed: bool = False
    thin: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A point: a disc, or a square for a truth; hollow if it has no counterpart."""

    at: Point
    name: str = ""
    square: bool = False
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a label.

    Parameters
    ----------
    runs : tuple of (str, bool)
        Stretches of text, and whether they are highlighted.
    colour : tuple of int
        RGB.
    score, threshold : float or None
        For the bar below the text.
    counts : bool
        Whether the score reaches the threshold.
    """

    runs: tuple[Run, ...]
    colour: Colour
    score: float | None = None
    threshold: float | None = None
    counts: bool = True

    @property
    def text(self) -> str:
        """The text of all runs."""
        return "".join(text for text, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Mark:
    """A region with its label.

    Parameters
    ----------
    rows : tuple of Row
        The label: a row for each alternative, those that count first, then by score; empty for no label.
    frame : tuple of float
        x0, y0, x1, y1 of what the label names.
    colour : tuple of int
        RGB of strokes, dots and mask.
    strokes, dots, mask
        What is drawn.
    veil : bool
        Whether the inside of a mask is tinted, too.
    """

    rows: tuple[Row, ...]
    frame: Frame
    colour: Colour
    strokes: tuple[Stroke, ...] = ()
    dots: tuple[Dot, ...] = ()
    mask: Mask | None = None
    veil: bool = True

    @property
    def counts(self) -> bool:
        """Whether any of the alternatives counts; True without a label."""
        return not self.rows or any(row.counts for row in self.rows)


@dataclass(frozen=True, slots=True)
class Marks:
    """All that is drawn over one image.

    Parameters
    ----------
    marks : tuple of Mark
        Regions of predictions, the best first.
    truths : tuple of Mark
        The ground truth.
    links : tuple of Stroke
        Between predictions and the truths that they are matched to.
    whole : tuple of Prediction
        Predictions for the image as a whole.
    outside : int
        Number of regions that do not touch the image.
    more : int
        Number of regions that are not drawn, as there are too many.
    note : str
        What an outline without a label stands for; empty for labelled regions.
    agreement : tuple of Table
        Figures of the agreement with the ground truth.
    """

    marks: tuple[Mark, ...] = ()
    truths: tuple[Mark, ...] = ()
    links: tuple[Stroke, ...] = ()
    whole: tuple[Prediction, ...] = ()
    outside: int = 0
    more: int = 0
    note: str = ""
    agreement: tuple[Table, ...] = ()


def has_regions(explanation: Explanation) -> bool:
    """Whether an explanation is about parts of an image."""
    if explanation.task in ("object-detection", "image-segmentation"):
        return True
    return any(isinstance(p.region, (Box, Polygon, Mask)) for p in explanation.predictions)


def mark_regions(predictions: Iterable[Prediction], notes: Notes, size: Size, truths: bool = True) -> Marks:
    """Mark the regions of predictions, and the ground truth.

    Parameters
    ----------
    predictions : iterable of Prediction
        Those of the predictions for an image that are drawn.
    notes : Notes
        Of its explanation.
    size : (int, int)
        Height and width of the image in pixels, to which regions in pixels refer.
    truths : bool
        Whether to draw the ground truth, too.
    """
    ranked = sorted(predictions, key=lambda p: -p.score)
    with_region = [p for p in ranked if isinstance(p.region, (Box, Polygon, Mask))]
    shown = notes if truths else Notes(notes.predictions)
    labels = [truth.label for truth in shown.truths] + [centroid.label for centroid in shown.true_centroids]
    colours = colours_of([_colour_name(p, notes) for p in with_region] + labels)
    groups: dict[object, list[Prediction]] = {}
    for prediction in with_region:
        groups.setdefault(_region_key(prediction, notes.of(prediction)), []).append(prediction)
    visible = [group for group in groups.values() if _touches_image(_frame(group[0].region, size))]
    marks = (_mark(group, notes, size, colours) for group in visible[:_MOST])
    # Where boxes and centroids are known of the same truths, the centroids have the labels.
    boxes = [_true_box(truth, size, labelled=not shown.true_centroids) for truth in shown.truths]
    return Marks(
        marks=tuple(_with_partner(mark, shown.centroids) for mark in marks),
        truths=(*boxes, *map(_true_centre, shown.true_centroids))[:_MOST],
        links=tuple(Stroke((link.prediction, link.truth), closed=False) for link in shown.links[:_MOST]),
        whole=tuple(p for p in ranked if p.region is None),
        outside=len(groups) - len(visible),
        more=max(0, len(visible) - _MOST),
        agreement=shown.agreement,
    )


def mark_anomalous_cells(attribution: Attribution) -> Marks | None:
    """Outline the cells of a grid of anomaly scores that reach the threshold; None for any other evidence."""
    grid, target = attribution.evidence, attribution.target
    if not isinstance(grid, Grid) or target.threshold is None or target.label != (ANOMALY,):
        return None
    cells = Mask.from_array(grid.values >= target.threshold)
    mark = Mark((), (0.0, 0.0, 1.0, 1.0), COLOURS[0], mask=cells, veil=False)
    return Marks((mark,), note=f"outlined: {cells.area} cells of {number(target.threshold)} or more")


def _counts(prediction: Prediction) -> bool:
    return prediction.threshold is None or prediction.score >= prediction.threshold


def _colour_name(prediction: Prediction, notes: Notes) -> str:
    """What has a colour of its own: a label, or one kind of text that is read, whatever it says."""
    return notes.of(prediction).read_as or prediction.name


def _region_key(prediction: Prediction, notes: PredictionNotes) -> object:
    """A key that the alternatives for one region share."""
    if notes.alternatives is not None:
        return notes.alternatives
    if notes.read_as is not None:  # a text, and the tag that it is matched to, have the same box
        return id(prediction)
    return prediction.region


def _mark(group: Sequence[Prediction], notes: Notes, size: Size, colours: Mapping[str, Colour]) -> Mark:
    """The mark of one region, of which a group of predictions are the alternatives."""
    group = sorted(group, key=lambda p: (not _counts(p), -p.score))
    best, of_best = group[0], notes.of(group[0])
    rows = tuple(_row(p, notes.of(p), colours[_colour_name(p, notes)]) for p in group)
    colour = rows[0].colour
    frame = _frame(best.region, size)
    if of_best.only_centre:
        x, y = _middle(frame)
        return Mark(rows, (x, y, x, y), colour, dots=(Dot((x, y)),))
    if isinstance(best.region, Mask):
        return Mark(rows, frame, colour, mask=best.region)
    dashed = not any(row.counts for row in rows)
    strokes = [
        _outline(prediction.region, size, dashed, closed=not notes.of(prediction).open)
        for prediction in {p.region: p for p in group}.values()
    ]
    strokes += _match_strokes(of_best.match, frame, size)
    if of_best.reading is not None and of_best.reading.pointer is not None:
        strokes.append(Stroke(of_best.reading.pointer, closed=False))
    dots = tuple(Dot(point.at, point.name) for point in of_best.keypoints)
    return Mark(rows, frame, colour, tuple(strokes), dots)


def _match_strokes(match: Match | None, frame: Frame, size: Size) -> list[Stroke]:
    """The outline of the thing that a text names, and a line to it; none if it is not known where that is."""
    region = None if match is None else match.region
    if not isinstance(region, (Box, Polygon)):
        return []
    link = Stroke((_middle(frame), _middle(_frame(region, size))), closed=False, thin=True)
    return [replace(_outline(region, size), thin=True), link]


def _row(prediction: Prediction, notes: PredictionNotes, colour: Colour) -> Row:
    """The label of a prediction: its name, the match or reading or state that goes with it, and its score."""
    runs = [(prediction.name, False)] if notes.match is None else _comparison(prediction.name, notes.match)
    gauge = notes.reading
    if gauge is not None:
        claimed = "" if gauge.claimed is None else f" (said: {number(gauge.claimed)})"
        runs.append((f", reads {number(gauge.value)}{claimed}", False))
    else:
        runs += [(f", {state.name}: {_format_state(state.value)}", False) for state in notes.states]
    if notes.unscored:
        return Row(tuple(runs), colour)
    runs.append((f" {number(prediction.score)}", False))
    return Row(tuple(runs), colour, prediction.score, prediction.threshold, _counts(prediction))


def _format_state(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"  # the digits of a gauge: more than a score has


def _comparison(text: str, match: Match) -> list[Run]:
    """A text and the name that it is matched to; characters that only one of them has are highlighted."""
    if not match.stretches:
        return [(f"{text} = {match.name}", False)]
    text_runs = [(stretch.text, stretch.kind != "same") for stretch in match.stretches if stretch.text]
    name_runs = [(stretch.name, stretch.kind != "same") for stretch in match.stretches if stretch.name]
    return [*text_runs, (" = ", False), *name_runs]


def _true_box(truth: Truth, size: Size, labelled: bool) -> Mark:
    rows = (Row(((f"truth: {truth.label}", False),), PLAIN),) if labelled else ()
    return Mark(rows, _frame(truth.region, size), PLAIN, (replace(_outline(truth.region, size), thin=True),))


def _true_centre(truth: Centroid) -> Mark:
    row = Row(((f"truth: {truth.label}", False),), PLAIN)
    return Mark((row,), (*truth.at, *truth.at), PLAIN, dots=(Dot(truth.at, square=True, hollow=not truth.matched),))


def _with_partner(mark: Mark, centroids: Sequence[Centroid]) -> Mark:
    """Make the dot of a predicted centre hollow if its centroid is matched to no truth."""
    if mark.strokes or mark.mask or not centroids or not mark.dots:
        return mark
    x, y = mark.dots[0].at
    nearest = min(centroids, key=lambda centroid: (centroid.at[0] - x) ** 2 + (centroid.at[1] - y) ** 2)
    same = max(abs(nearest.at[0] - x), abs(nearest.at[1] - y)) <= _SAME_POINT
    return replace(mark, dots=(replace(mark.dots[0], hollow=same and not nearest.matched),))


def _outline(region: Region | None, size: Size, dashed: bool = False, closed: bool = True) -> Stroke:
    """The outline of a polygon (open if ``closed`` is False), or the frame of any other region."""
    if isinstance(region, Polygon):
        points = region.to("fraction", size).points
        return Stroke(points, closed=closed and len(points) > 2, dashed=dashed)
    x0, y0, x1, y1 = _frame(region, size)
    return Stroke(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), dashed=dashed)


def _frame(region: Region | None, size: Size) -> Frame:
    """The bounding box of a region, in fractions of the image."""
    box: Region | None = region
    if isinstance(region, Mask):
        in_pixels = region.bbox
        # The mask's own pixels, which need not be those of the image.
        box = None if in_pixels is None else in_pixels.to("fraction", (region.height, region.width))
    elif isinstance(region, Polygon):
        box = region.bbox
    if not isinstance(box, Box):  # an empty mask
        return _NOWHERE
    box = box.to("fraction", size)
    return box.x0, box.y0, box.x1, box.y1


def _middle(frame: Frame) -> Point:
    return (frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2


def _touches_image(frame: Frame) -> bool:
    x0, y0, x1, y1 = frame
    return x0 <= 1 and y0 <= 1 and x1 >= 0 and y1 >= 0
