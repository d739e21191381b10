"""What documents say besides the values of an explanation, in words that belong to no vendor.

A vendor's document also holds ground truth, keypoints, readings of gauges, names of thresholds, figures of a model.
Readers keep such extras as JSON in ``attributes``, under keys of the vendor. The module ``notes`` of each format turns
its own extras into the values here, and `xplain.formatters.notes` asks them all; renderers know the values here alone.
Malformed extras make no note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from xplain.explanation.characters import one_line
from xplain.explanation.core import Attribution, Explanation, Prediction, Region
from xplain.explanation.regions import Box, Span
from xplain.explanation.results import Record, Results

Said = TypeVar("Said", "PredictionNotes", "Notes")
#: What is said of evidence that is zero everywhere.
ALL_ZERO = "nothing counted: all values are 0"
_MOST_REMARKS = 20  # on one attribution

Point = tuple[float, float]
"""x and y as fractions of the image."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A named figure.

    Parameters
    ----------
    name : str
        What is measured.
    value : float or str
        The figure; a str as the document words it.
    unit : str
        Written after it, such as ``"%"``.
    """

    name: str
    value: float | str
    unit: str = ""


# Objects in images.


@dataclass(frozen=True, slots=True)
class Truth:
    """An object that is really there: its label, and its box in pixels."""

    label: str
    region: Box


@dataclass(frozen=True, slots=True)
class Centroid:
    """The centre of a true or a predicted object, and whether a counterpart matches it."""

    at: Point
    label: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Link:
    """The centres of a predicted and a true object that are matched to each other."""

    prediction: Point
    truth: Point


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A named point of an object."""

    name: str
    at: Point


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge shows, and from which angles that was derived.

    Parameters
    ----------
    value : float
        In the unit of the scale; equal to the fraction if the scale is unknown.
    fraction : float
        How far along the scale, 0..1.
    claimed : float, optional
        The reading in the document.
    angle, start, sweep : float, optional
        Angles of a dial, in degrees clockwise: from the start to the needle, from the right to the start, and of the
        whole scale.
    pointer : (Point, Point), optional
        The two ends of the line that shows the reading: from the centre of a dial to the tip of its needle, or from
        the bottom of a level to its surface.
    """

    value: float
    fraction: float
    claimed: float | None = None
    angle: float | None = None
    start: float | None = None
    sweep: float | None = None
    pointer: tuple[Point, Point] | None = None

    @property
    def difference(self) -> float | None:
        """The claimed reading minus the derived one, in the unit of the scale."""
        return None if self.claimed is None else self.claimed - self.value


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a text and the stretch of a name that it corresponds to.

    Parameters
    ----------
    kind : {"same", "case", "changed", "missing", "extra"}
        Equal, different in case only, different, only in the name, or only in the text.
    text, name : str
        The characters of either; all stretches together make up the whole text and the whole name.
    """

    kind: str
    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Match:
    """The thing that a text in an image is taken to name.

    Parameters
    ----------
    name : str
        Of the thing.
    region : Box or Polygon, optional
        Where it is in the image.
    stretches : tuple of Stretch
        Text and name side by side; empty if the name is no reason for the match, or one of them is very long.
    """

    name: str
    region: Region | None = None
    stretches: tuple[Stretch, ...] = ()


# Charts of records.


@dataclass(frozen=True, slots=True)
class Badge:
    """A quality: its name, its value in words, and its rank from 0 (worst) to 3 (best); None without a rank."""

    name: str
    value: str
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of all have no warning, a warning, or a serious one."""

    name: str
    good: int
    amber: int
    red: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A total and what contributes to it; the contributions add up to it."""

    total: Measure
    contributions: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Figures that are compared with each other and with those of other rankings, the largest first."""

    name: str
    measures: tuple[Measure, ...]


Chart = Badge | Shares | Breakdown | Ranking


@dataclass(frozen=True, slots=True)
class Table:
    """A titled list of figures."""

    title: str
    measures: tuple[Measure, ...]


# All that is said of one value.


@dataclass(frozen=True, slots=True)
class PredictionNotes:
    """What is said of one prediction.

    Parameters
    ----------
    expected : str, optional
        The true label.
    predicted : str, optional
        The decision, where it does not follow from label, score and threshold.
    correct : bool, optional
        The verdict of whoever judged the decision.
    anomaly : bool
        Whether the score is that of an anomaly.
    unscored : bool
        Whether the document has no score for it; that of the prediction fills the gap.
    badges : tuple of str
        Names of thresholds that the score reaches.
    alternatives : (int, int), optional
        A key that the alternatives for one region of an image share; None if the region itself is the key.
    only_centre : bool
        Whether the centre of the object is known, not its size.
    open : bool
        Whether its polygon is a line whose ends do not meet.
    read_as : str, optional
        The kind of text that was read in an image, if the label is such a text.
    keypoints : tuple of Keypoint
        Points of the object.
    match : Match, optional
        What the text names.
    reading : Reading, optional
        What a gauge shows.
    states : tuple of Measure
        The state of the object: whether a valve is open, say.
    kind : str, optional
        The kind of an entity in a text.
    value : str, optional
        What an entity reads in a normal form.
    further_spans : tuple of Span
        Where else an entity stands, in code points.
    """

    expected: str | None = None
    predicted: str | None = None
    correct: bool | None = None
    anomaly: bool = False
    unscored: bool = False
    badges: tuple[str, ...] = ()
    alternatives: tuple[int, int] | None = None
    only_centre: bool = False
    open: bool = False
    read_as: str | None = None
    keypoints: tuple[Keypoint, ...] = ()
    match: Match | None = None
    reading: Reading | None = None
    states: tuple[Measure, ...] = ()
    kind: str | None = None
    value: str | None = None
    further_spans: tuple[Span, ...] = ()


NO_PREDICTION_NOTES = PredictionNotes()
"""Of a prediction of which nothing more is said."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is said of an explanation, of the results of a job, or of a record.

    Parameters
    ----------
    predictions : mapping of Prediction to PredictionNotes
        Those of which something is said; `of` has them all.
    truths : tuple of Truth
        The objects that are really in an image.
    true_centroids, centroids : tuple of Centroid
        Centres of true and of predicted objects.
    links : tuple of Link
        Which of them are matched to each other.
    agreement : tuple of Table
        How well the objects found in an image agree with the true ones, for each part of the model that found some; a
        single part has no title.
    properties : tuple of Measure
        Of a text, such as its tone; they have no fixed range.
    tables : tuple of Table
        Figures of a job: of itself, and of each tested part of the model.
    charts : tuple of Badge, Shares, Breakdown or Ranking
        What of a record is drawn above its fields.
    remaining : mapping, optional
        The fields of a record that its charts leave for a table; None if there are no charts.
    """

    predictions: Mapping[Prediction, PredictionNotes] = field(default_factory=dict)
    truths: tuple[Truth, ...] = ()
    true_centroids: tuple[Centroid, ...] = ()
    centroids: tuple[Centroid, ...] = ()
    links: tuple[Link, ...] = ()
    agreement: tuple[Table, ...] = ()
    properties: tuple[Measure, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    remaining: Mapping[str, Any] | None = None

    def of(self, prediction: Prediction) -> PredictionNotes:
        """What is said of one prediction."""
        return self.predictions.get(prediction, NO_PREDICTION_NOTES)


NotesOf = Callable[[Explanation | Results | Record], Notes]
"""Gives the notes of a value."""


def no_notes(value: Explanation | Results | Record) -> Notes:
    """Say nothing: the notes of a value without extras."""
    return Notes()


def note_each(
    predictions: Iterable[Prediction],
    notes_of: Callable[[Prediction], PredictionNotes],
    attributes: frozenset[str] | None = None,
) -> dict[Prediction, PredictionNotes]:
    """Return the notes of those predictions of which something is said.

    Parameters
    ----------
    predictions : iterable of Prediction
        Those of an explanation.
    notes_of : callable
        Gives the notes of a prediction.
    attributes : frozenset of str, optional
        Names of attributes without all of which nothing is said: to look at no more.
    """
    if attributes is not None:
        predictions = (p for p in predictions if p.attributes and not attributes.isdisjoint(p.attributes))
    return {p: said for p in predictions if (said := notes_of(p)) != NO_PREDICTION_NOTES}


def merge(several: Iterable[Notes]) -> Notes:
    """Join the notes that several formats make of one value; where two of them say the same thing, the first counts.

    Examples
    --------
    >>> cat = Prediction("cat", 0.9)
    >>> first = Notes({cat: PredictionNotes(badges=("high recall",))})
    >>> second = Notes({cat: PredictionNotes(expected="dog", badges=("low",))}, properties=(Measure("tone", 0.5),))
    >>> both = merge([first, second])
    >>> both.of(cat).expected, both.of(cat).badges, both.properties[0].value
    ('dog', ('high recall',), 0.5)
    """
    empty = merged = Notes()
    predictions: dict[Prediction, PredictionNotes] = {}
    for notes in several:
        for prediction, said in notes.predictions.items():
            known = predictions.get(prediction)
            predictions[prediction] = said if known is None else _fill(known, said, NO_PREDICTION_NOTES)
        merged = _fill(merged, notes, empty)
    return replace(merged, predictions=predictions)


def _fill(first: Said, second: Said, empty: Said) -> Said:
    """The first value, with what it leaves empty from the second."""
    names = [each.name for each in fields(empty)]
    missing = [name for name in names if getattr(first, name) == getattr(empty, name)]
    return replace(first, **{name: getattr(second, name) for name in missing})


# What was noted about evidence when it was computed.


def remarks(attribution: Attribution) -> tuple[str, ...]:
    """Return the sentences of ``quality["notes"]``, each on one line; what is no sentence is left out.

    >>> from xplain import Attribution, Prediction, WordScores
    >>> remarks(Attribution(Prediction("cat", 0.5), WordScores([]), quality={"notes": [ALL_ZERO, 3]}))
    ('nothing counted: all values are 0',)
    """
    notes = attribution.quality.get("notes")
    sentences = notes[:_MOST_REMARKS] if isinstance(notes, (list, tuple)) else ()
    return tuple(one_line(note) for note in sentences if isinstance(note, str) and note.strip())


def all_remarks(explanation: Explanation) -> list[str]:
    """Return what is noted about all attributions, each sentence once; of which, where it is not said of all."""
    targets: dict[str, list[str]] = {}
    for attribution in explanation.attributions:
        for remark in remarks(attribution):
            targets.setdefault(remark, []).append(attribution.target.name)
    return [
        remark
        if len(names) == len(explanation.attributions)
        else f"for {', '.join(repr(one_line(name)) for name in dict.fromkeys(names))}: {remark}"
        for remark, names in targets.items()
    ]
