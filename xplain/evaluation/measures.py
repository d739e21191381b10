"""The table of measures: how each asks a model about a map, and what a comparison shows of its result.

Results are JSON values in `Attribution.quality`, so that they travel in documents.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check, quality
from xplain.errors import AttributionError, InputError
from xplain.explanation import Attribution, Explanation, Heatmap

if TYPE_CHECKING:
    from xplain.models import Prepared


#: What is measured unless the caller says otherwise: cheap, and without a region.
DEFAULT_MEASURES = ("deletion", "insertion", "sparseness")

Maps = npt.NDArray[np.floating[Any]]
Knobs = Mapping[str, Any]

#: Rectangles whose Shapley values are computed exactly, by 2**12 evaluations.
_MOST_PLAYERS = 12


@dataclass(frozen=True, slots=True)
class Subject:
    """One map, and what a measure may ask about it.

    Parameters
    ----------
    model : ImageClassifier, Detector or Segmenter
        What was explained.
    explanation : Explanation
        The explanation that the map is a part of.
    attribution : Attribution
        The map.
    prepared : Prepared
        The image.
    region : Box, Mask, array_like or None
        Where the object to find is.
    output : str or None
        Which score is followed.
    batch_size : int or None
        Images in one call of the model.
    shared : dict
        Cache of what is the same for all maps of this prediction: its score function, its exact Shapley values.
    options : mapping, optional
        The method's options; those that the explanation's provenance holds as JSON if left out.
    """

    model: Any
    explanation: Explanation
    attribution: Attribution
    prepared: Prepared
    region: Any
    output: str | None
    batch_size: int | None
    shared: dict[str, Any] = field(default_factory=dict)
    options: Knobs | None = None

    @property
    def values(self) -> Maps:
        """The map in pixels of the image."""
        evidence = self.attribution.evidence
        if not isinstance(evidence, Heatmap):
            raise InputError(f"explanation must hold heat maps to be measured, got a {type(evidence).__name__}")
        return evidence.values

    @property
    def values_in_input_frame(self) -> Maps:
        """The map in pixels of the model's input."""
        geometry = self.prepared.geometry
        height, width = self.values.shape
        if (height, width) != (geometry.height, geometry.width):
            raise InputError(f"input must be {height}x{width} as the map, got {geometry.height}x{geometry.width}")
        return geometry.to_input(self.values)

    def score_arguments(self) -> dict[str, Any]:
        """Return the arguments that measures of faithfulness share: score function, input and map."""
        from xplain.attributions.kinds.scoring import scorer

        values = self.values_in_input_frame
        if "score" not in self.shared:
            target = self.attribution.target
            self.shared["score"] = scorer(self.model, self.prepared, target, self.output, self.batch_size)
        return {
            "score": self.shared["score"][0],
            "image": self.prepared.array,
            "values": values,
            "channel_axis": self.model.channel_axis,
        }

    def explain(self, method: str, arrays: npt.NDArray[Any], **options: Any) -> Maps:
        """Return the maps (n, height, width) of inputs (n, ...) for the same prediction by a method."""
        from xplain import attributions
        from xplain.attributions.kinds.scoring import target_of

        # They draw the random numbers of the image itself, else noise would pass for a change of the map.
        identity = np.ascontiguousarray(self.prepared.array).tobytes()
        inputs = [replace(self.prepared, array=array, identity=identity) for array in arrays]
        targets = [target_of(self.model, self.attribution.target)] * len(inputs)
        options = {"batch_size": self.batch_size, **options}
        explanations = attributions.run(self.model, inputs, targets, method=method, **options)
        return np.stack([replace(self, attribution=each.attributions[0]).values for each in explanations])

    def explain_again(self, arrays: npt.NDArray[Any]) -> Maps:
        """Return the maps (n, height, width) of inputs (n, ...) by the method that made this map."""
        origin = self.explanation.provenance
        if origin.method is None:
            raise InputError("explanation must say by which method it was made, got none")
        options = origin.options if self.options is None else self.options
        return self.explain(origin.method, arrays, **{"seed": origin.seed or 0, **options})


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of maps.

    Parameters
    ----------
    run : callable
        Takes a `Subject` and knobs, and returns JSON values.
    knobs : tuple of str
        Names of its knobs.
    columns : mapping of str to str
        The columns of a comparison: headings, and the field of the result under each.
    note : str
        How to read the columns.
    """

    run: Callable[..., Any]
    knobs: tuple[str, ...]
    columns: Mapping[str, str]
    note: str


def options_by_name(name: str, values: Any) -> dict[str, Knobs]:
    """Return options by name, from such a mapping or from names alone."""
    if isinstance(values, Mapping):
        return {
            key: _check.mapping(f"{name}[{key!r}]", options) for key, options in _check.mapping(name, values).items()
        }
    return {key: {} for key in _check.tuple_of(name, values, str)}


def choose_measures(measures: Any, region: Any) -> dict[str, Knobs]:
    """Return the measures that are asked for, with the knobs of each; a region asks for localisation."""
    chosen = options_by_name("measures", measures)
    for name, knobs in chosen.items():
        measure = MEASURES[_check.known("measure", name, MEASURES)]
        for knob in knobs:
            _check.known(f"knob of {name}", knob, measure.knobs)
    if region is not None:
        return {"localisation": {}} | chosen
    if "localisation" in chosen:
        raise InputError("region must be given for localisation, got None")
    return chosen


def measure(subject: Subject, measures: Mapping[str, Knobs]) -> Attribution:
    """Return the attribution with the results of measures added to `Attribution.quality`."""
    results = {name: MEASURES[name].run(subject, **knobs) for name, knobs in measures.items()}
    return replace(subject.attribution, quality={**subject.attribution.quality, **results})


def row(explanation: Explanation, measures: Iterable[str]) -> dict[str, Any]:
    """Return the row of a comparison for an explanation of one target: figures by their headings."""
    (attribution,) = explanation.attributions
    figures: dict[str, Any] = {"method": attribution.method}
    for name in measures:
        result = attribution.quality[name]
        for heading, key in MEASURES[name].columns.items():
            value = result[key]
            figures[heading] = value[-1] if isinstance(value, list) else value  # of several stages, the last
    figures["evaluations"] = explanation.provenance.evaluations
    figures["seconds"] = explanation.provenance.seconds
    return figures


def _curve(function: Callable[..., quality.Curve]) -> Callable[..., Any]:
    """Return what runs deletion or insertion on a subject."""

    def run(subject: Subject, **knobs: Any) -> Any:
        arguments = subject.score_arguments()
        _, output = subject.shared["score"]
        return function(**arguments, output=output, **knobs).to_json()

    return run


def _infidelity(subject: Subject, **knobs: Any) -> Any:
    return quality.infidelity(**subject.score_arguments(), **knobs).to_json()


def _sparseness(subject: Subject) -> Any:
    return {"gini": quality.sparseness(subject.values)}


def _localisation(subject: Subject, **knobs: Any) -> Any:
    return quality.localisation(subject.values, subject.region, **knobs).to_json()


def _max_sensitivity(subject: Subject, **knobs: Any) -> Any:
    return quality.max_sensitivity(subject.explain_again, subject.prepared.array, **knobs).to_json()


def _randomisation(subject: Subject, **knobs: Any) -> Any:
    module = subject.model.module
    if module is None:
        raise AttributionError("model must be a torch module to be made random, got a black box")

    def explain() -> Maps | None:
        try:
            (heatmap,) = subject.explain_again(subject.prepared.array[np.newaxis])
        except AttributionError:
            return None  # a random network may have no map: its numbers may overflow
        return np.asarray(heatmap)

    return quality.randomisation(module, explain, **knobs).to_json()


def _shapley(subject: Subject, *, players: int = 9) -> Any:
    """Compare the sums of a map over rectangles with the exact Shapley values of the rectangles."""
    count = _check.integer("players", players, least=2)
    if count > _MOST_PLAYERS:
        raise _check.wrong("players", f"at most {_MOST_PLAYERS}, since all coalitions are evaluated", players)
    geometry = subject.prepared.geometry
    regions = _rectangles(geometry.height, geometry.width, count)
    key = f"shapley {count}"
    if key not in subject.shared:
        arrays = subject.prepared.array[np.newaxis]
        subject.shared[key] = subject.explain("shapley", arrays, segments=regions, budget=2**_MOST_PLAYERS)[0]
    labels, exact = geometry.to_input(regions), geometry.to_input(subject.shared[key])
    present = np.unique(labels)  # a crop may drop some
    sums = np.bincount(labels.ravel(), subject.values_in_input_frame.ravel().astype(np.float64))[present]
    # All pixels of a region have its value; the median is that value also where resampling mixed some at the edges.
    reference = [float(np.median(exact[labels == label])) for label in present]
    return quality.agreement(sums, reference).to_json()


def _rectangles(height: int, width: int, count: int) -> npt.NDArray[np.int64]:
    """Divide an image into at most ``count`` rectangles that are nearly square: their numbers, (height, width)."""
    rows = max(1, round((count * height / width) ** 0.5))
    columns = max(1, count // rows)
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    numbers: npt.NDArray[np.int64] = row[:, np.newaxis] * columns + column
    return numbers


def _knobs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the keyword options of a measure that the caller may set, and not this module."""
    ours = ("channel_axis", "output", "batch_size")
    parameters = inspect.signature(function).parameters.values()
    return tuple(option.name for option in parameters if option.kind is option.KEYWORD_ONLY and option.name not in ours)


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "deletion": Measure(
            _curve(quality.deletion),
            _knobs(quality.deletion),
            {"deletion": "auc"},
            "area under the score while the highest pixels are deleted; low is good",
        ),
        "insertion": Measure(
            _curve(quality.insertion),
            _knobs(quality.insertion),
            {"insertion": "auc"},
            "area under the score while the highest pixels are inserted; high is good",
        ),
        "infidelity": Measure(
            _infidelity,
            _knobs(quality.infidelity),
            {"infidelity": "relative"},
            "error of the map about covered squares, 1 if it says nothing; low is good",
        ),
        "localisation": Measure(
            _localisation,
            _knobs(quality.localisation),
            {"hit": "hit", "energy": "energy", "IoU": "iou"},
            "whether the highest pixel and how much of the evidence are in the region; high is good",
        ),
        "sparseness": Measure(_sparseness, (), {"sparseness": "gini"}, "Gini index, 1 if a few pixels hold everything"),
        "max-sensitivity": Measure(
            _max_sensitivity,
            _knobs(quality.max_sensitivity),
            {"max-sensitivity": "max_sensitivity"},
            "largest relative change of the map for a little noise; low is good",
        ),
        "randomisation": Measure(
            _randomisation,
            _knobs(quality.randomisation),
            {"randomisation": "absolute"},
            "rank correlation with the map of a network of random weights; near 0 is good",
        ),
        "shapley": Measure(
            _shapley,
            _knobs(_shapley),
            {"rank correlation": "rank_correlation", "relative error": "relative_error"},
            "of sums over rectangles with their exact Shapley values",
        ),
    }
)
"""Every measure by name."""
