"""The explanation of one input: what a model predicts for it, why, and how that was computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError
from xplain.explanation.evidence import Evidence, Heatmap, Mask
from xplain.explanation.regions import Box, Part, Polygon, Span, Window

Region = Box | Polygon | Span | Window | Mask
"""Where a prediction applies."""

TASKS = (
    "image-classification",
    "image-segmentation",
    "object-detection",
    "text-classification",
    "signal-classification",
)
SOURCE_KINDS = ("image", "text", "signal")

#: Displays a value in a notebook. `xplain.api` sets it, since values do not know renderers.
notebook_display: Callable[[Any], dict[str, Any]] | None = None


def _identifier(name: str, value: Any) -> int | str:
    return value if isinstance(value, str) else _check.integer(name, value)


def _digest(name: str, value: Any) -> str:
    if not re.fullmatch("[0-9a-f]{64}", _check.string(name, value)):
        raise _check.wrong(name, "64 lower-case hexadecimal digits", value)
    return value  # type: ignore[no-any-return]


def _rate(name: str, value: Any) -> float:
    rate = _check.number(name, value)
    if rate <= 0:
        raise _check.wrong(name, "positive", value)
    return rate


def _read_only(name: str, value: Any) -> npt.NDArray[Any]:
    view = np.asarray(value).view()
    view.flags.writeable = False
    return view


def _versions(name: str, value: Any) -> dict[str, str]:
    versions = _check.mapping(name, value)
    for package, version in versions.items():
        _check.string(f"{name}[{package!r}]", version)
    return versions


@value
class Prediction:
    """One label that a model predicts for an input, with its score.

    Parameters
    ----------
    label : str or sequence of str
        Path in the hierarchy of labels; a plain string is a path of one level.
    score : float
        Finite. A probability 0..1, unless the model has another kind of score (of an anomaly, say).
    region : Box, Polygon, Span, Window or Mask, optional
        Where the prediction applies; None is the whole input.
    threshold : float, optional
        The score from which the prediction counts.
    id : int or str, optional
        Number of the label, or name of the prediction, in the system that made it.
    attributes : mapping, optional
        Anything else, as JSON values.
    """

    label: tuple[str, ...] = checked(_check.label_path)
    score: float = checked(_check.number)
    region: Region | None = checked(
        _check.instance,
        kind=Region,
        expected="a Box, Polygon, Span, Window, Mask or None",
        default=None,
        kw_only=True,
    )
    threshold: float | None = checked(_check.number, default=None, kw_only=True)
    id: int | str | None = checked(_identifier, default=None, kw_only=True)
    attributes: dict[str, Any] = checked(_check.mapping, default_factory=dict, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The label as one string, levels joined by `` > ``."""
        return " > ".join(self.label)


@value
class Source:
    """The input that was explained.

    Parameters
    ----------
    kind : {"image", "text", "signal"}
        Kind of input.
    name : str, optional
        Name for display, such as a file name; it is never opened as a path.
    sha256 : str, optional
        Hexadecimal digest of the encoded input.
    height, width : int, optional
        Size of an image in pixels, after its EXIF orientation is applied.
    text : str, optional
        The text that was explained.
    parts : sequence of Part, optional
        Named parts of the text, in order and without overlaps.
    sample_rate_hz : float, optional
        Readings per second of a signal.
    axes : sequence of str, optional
        Names of the axes of a signal; numbers from 0 where the content is known and they have no names.
    readings : int, optional
        Readings on each axis of a signal; those of the content if that is known.
    content : array_like, optional
        The decoded input, in memory so that the explanation can be drawn; never written to a document and not
        compared. uint8 (height, width, 3) RGB for an image, float32 (axes, time) for a signal.
    """

    kind: str = checked(_check.choice, allowed=SOURCE_KINDS)
    name: str | None = checked(_check.string, default=None, kw_only=True)
    sha256: str | None = checked(_digest, default=None, kw_only=True)
    height: int | None = checked(_check.integer, least=0, default=None, kw_only=True)
    width: int | None = checked(_check.integer, least=0, default=None, kw_only=True)
    text: str | None = checked(_check.string, default=None, kw_only=True)
    parts: tuple[Part, ...] = checked(_check.tuple_of, kind=Part, default=(), kw_only=True)
    sample_rate_hz: float | None = checked(_rate, default=None, kw_only=True)
    axes: tuple[str, ...] = checked(_check.tuple_of, kind=str, default=(), kw_only=True)
    readings: int | None = checked(_check.integer, least=0, default=None, kw_only=True)
    content: npt.NDArray[Any] | None = checked(_read_only, default=None, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.height is None) != (self.width is None):
            raise InputError(
                f"Source.height and Source.width must be given together, got {self.height} and {self.width}"
            )
        if self.kind == "signal" and self.content is not None and self.content.ndim == 2:
            self._describe_signal(*self.content.shape)
        self._check_parts()

    def _describe_signal(self, axes: int, readings: int) -> None:
        """Take the axes and the length of a signal from its content."""
        if not self.axes:
            put(self, "axes", tuple(map(str, range(axes))))
        if self.readings is None:
            put(self, "readings", readings)
        if (len(self.axes), self.readings) != (axes, readings):
            got = f"{len(self.axes)} axes of {self.readings}"
            raise InputError(f"Source.content must be {got} readings, got {axes} axes of {readings}")

    def _check_parts(self) -> None:
        previous_stop, names = 0, set()
        for i, part in enumerate(self.parts):
            if part.start < previous_stop or part.stop > len(self.text or ""):
                raise InputError(
                    f"Source.parts[{i}] must lie in the text after the part before it, got {part.start}..{part.stop}"
                )
            if part.name in names:
                raise InputError(f"Source.parts[{i}].name must be given once, got {part.name!r} twice")
            previous_stop = part.stop
            names.add(part.name)


@value
class Attribution:
    """Why a model predicts a target: scores for the parts of the input.

    Parameters
    ----------
    target : Prediction
        The prediction that is explained.
    evidence : Heatmap, Mask, WordScores, SignalScores or Grid
        The scores; positive ones speak for the target.
    method : str, optional
        Name of the method; None if unknown, as in the documents of vendors.
    quality : mapping, optional
        Measures of how far to trust it (completeness residual, standard error...), as JSON values; ``"notes"`` is a
        list of sentences about it, which pictures say.
    """

    target: Prediction = checked(_check.instance, kind=Prediction, expected="a Prediction")
    evidence: Evidence = checked(
        _check.instance, kind=Evidence, expected="a Heatmap, Mask, WordScores, SignalScores or Grid"
    )
    method: str | None = checked(_check.string, default=None)
    quality: dict[str, Any] = checked(_check.mapping, default_factory=dict, hash=False)


@value
class Provenance:
    """How an explanation was computed: enough to compute it again.

    Parameters
    ----------
    method : str, optional
        Attribution method.
    options : mapping, optional
        Every option of the method, defaults included, as JSON values.
    seed : int, optional
        Seed of the random numbers; None if the method draws none.
    model, model_sha256 : str, optional
        Name of the model and digest of its weights.
    preprocessing : mapping, optional
        Preprocessing of the input, as JSON values.
    versions : mapping, optional
        Versions of the packages used.
    created : str, optional
        ISO 8601 time. Not compared, so that two equal runs are equal.
    seconds : float, optional
        Wall time. Not compared.
    evaluations : int, optional
        Number of single inputs that went through the model.
    engine : str, optional
        What computed it: "captum" or "xplain".
    batch_size, threads : int, optional
        Most inputs in one call of the model, and threads that computed it. The last bits of the scores depend on both.
    """

    method: str | None = checked(_check.string, default=None)
    options: dict[str, Any] = checked(_check.mapping, default_factory=dict, hash=False)
    seed: int | None = checked(_check.integer, default=None)
    model: str | None = checked(_check.string, default=None)
    model_sha256: str | None = checked(_check.string, default=None)
    preprocessing: dict[str, Any] = checked(_check.mapping, default_factory=dict, hash=False)
    versions: dict[str, str] = checked(_versions, default_factory=dict, hash=False)
    created: str | None = checked(_check.string, default=None, compare=False)
    seconds: float | None = checked(_check.number, default=None, compare=False)
    evaluations: int | None = checked(_check.integer, least=0, default=None)
    engine: str | None = checked(_check.string, default=None)
    batch_size: int | None = checked(_check.integer, least=1, default=None)
    threads: int | None = checked(_check.integer, least=1, default=None)


@value
class Explanation:
    """One input, what a model predicts for it, and why.

    Parameters
    ----------
    task : str
        One of `TASKS`.
    source : Source
        The input.
    predictions : sequence of Prediction
        By decreasing score where the task has an order.
    attributions : sequence of Attribution
        One for each explained target.
    provenance : Provenance, optional
        How the explanation was computed.
    attributes : mapping, optional
        Vendor extras: other fields of a document as JSON values, under the name of its format.
    """

    task: str = checked(_check.choice, allowed=TASKS)
    source: Source = checked(_check.instance, kind=Source, expected="a Source")
    predictions: tuple[Prediction, ...] = checked(_check.tuple_of, kind=Prediction, default=())
    attributions: tuple[Attribution, ...] = checked(_check.tuple_of, kind=Attribution, default=())
    provenance: Provenance = checked(
        _check.instance, kind=Provenance, expected="a Provenance", default_factory=Provenance
    )
    attributes: dict[str, Any] = checked(_check.mapping, default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        if self.source.height is None:
            return
        source_size = (self.source.height, self.source.width)
        for i, attribution in enumerate(self.attributions):
            size = _image_size(attribution.evidence)
            if size is not None and size != source_size:
                raise InputError(
                    f"Explanation.attributions[{i}].evidence must be {source_size[0]}x{source_size[1]} as the source, "
                    f"got {size[0]}x{size[1]}"
                )

    def with_masks(self, keep: float | None = None, threshold: float | None = None) -> Explanation:
        """Return a copy whose heat maps are masks; the arguments are those of `Heatmap.to_mask`."""
        return replace(
            self,
            attributions=tuple(
                replace(a, evidence=a.evidence.to_mask(keep, threshold)) if isinstance(a.evidence, Heatmap) else a
                for a in self.attributions
            ),
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return notebook_display(self) if notebook_display else {"text/plain": repr(self)}


def _image_size(evidence: Evidence) -> tuple[int, int] | None:
    """Return (height, width) of evidence with the size of its image, None for other evidence."""
    if isinstance(evidence, Heatmap):
        height, width = evidence.values.shape
        return int(height), int(width)
    return (evidence.height, evidence.width) if isinstance(evidence, Mask) else None
