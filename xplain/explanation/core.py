"""The explanation of one input: what a model predicts for it, why, and how that was computed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
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


@dataclass(frozen=True, slots=True)
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

    label: tuple[str, ...]
    score: float
    region: Region | None = field(default=None, kw_only=True)
    threshold: float | None = field(default=None, kw_only=True)
    id: int | str | None = field(default=None, kw_only=True)
    attributes: dict[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", _check.label_path("Prediction.label", self.label))
        object.__setattr__(self, "score", _check.number("Prediction.score", self.score))
        if self.region is not None and not isinstance(self.region, Region):
            raise _check.wrong("Prediction.region", "a Box, Polygon, Span, Window, Mask or None", self.region)
        if self.threshold is not None:
            object.__setattr__(self, "threshold", _check.number("Prediction.threshold", self.threshold))
        if self.id is not None and not isinstance(self.id, str):
            object.__setattr__(self, "id", _check.integer("Prediction.id", self.id))
        object.__setattr__(self, "attributes", _check.mapping("Prediction.attributes", self.attributes))

    @property
    def name(self) -> str:
        """The label as one string, levels joined by `` > ``."""
        return " > ".join(self.label)


@dataclass(frozen=True, slots=True)
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
    content : array_like, optional
        The decoded input, in memory so that the explanation can be drawn; never written to a document and not
        compared. uint8 (height, width, 3) RGB for an image, float32 (axes, time) for a signal.
    """

    kind: str
    name: str | None = field(default=None, kw_only=True)
    sha256: str | None = field(default=None, kw_only=True)
    height: int | None = field(default=None, kw_only=True)
    width: int | None = field(default=None, kw_only=True)
    text: str | None = field(default=None, kw_only=True)
    parts: tuple[Part, ...] = field(default=(), kw_only=True)
    sample_rate_hz: float | None = field(default=None, kw_only=True)
    content: npt.NDArray[Any] | None = field(default=None, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check.choice("Source.kind", self.kind, SOURCE_KINDS)
        for name in ("name", "text"):
            if getattr(self, name) is not None:
                _check.string(f"Source.{name}", getattr(self, name))
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", _check.string("Source.sha256", self.sha256)):
            raise _check.wrong("Source.sha256", "64 lower-case hexadecimal digits", self.sha256)
        if (self.height is None) != (self.width is None):
            raise InputError(
                f"Source.height and Source.width must be given together, got {self.height} and {self.width}"
            )
        for name in ("height", "width"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _check.integer(f"Source.{name}", getattr(self, name), least=0))
        object.__setattr__(self, "parts", _check.tuple_of("Source.parts", self.parts, Part))
        self._check_parts()
        if self.sample_rate_hz is not None:
            rate = _check.number("Source.sample_rate_hz", self.sample_rate_hz)
            if rate <= 0:
                raise _check.wrong("Source.sample_rate_hz", "positive", self.sample_rate_hz)
            object.__setattr__(self, "sample_rate_hz", rate)
        if self.content is not None:
            content = np.asarray(self.content).view()
            content.flags.writeable = False
            object.__setattr__(self, "content", content)

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


@dataclass(frozen=True, slots=True)
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
        Measures of how far to trust it (completeness residual, standard error...), as JSON values.
    """

    target: Prediction
    evidence: Evidence
    method: str | None = None
    quality: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.target, Prediction):
            raise _check.wrong("Attribution.target", "a Prediction", self.target)
        if not isinstance(self.evidence, Evidence):
            raise _check.wrong(
                "Attribution.evidence", "a Heatmap, Mask, WordScores, SignalScores or Grid", self.evidence
            )
        if self.method is not None:
            _check.string("Attribution.method", self.method)
        object.__setattr__(self, "quality", _check.mapping("Attribution.quality", self.quality))


@dataclass(frozen=True, slots=True)
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
    """

    method: str | None = None
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    seed: int | None = None
    model: str | None = None
    model_sha256: str | None = None
    preprocessing: dict[str, Any] = field(default_factory=dict, hash=False)
    versions: dict[str, str] = field(default_factory=dict, hash=False)
    created: str | None = field(default=None, compare=False)
    seconds: float | None = field(default=None, compare=False)
    evaluations: int | None = None

    def __post_init__(self) -> None:
        for name in ("method", "model", "model_sha256", "created"):
            if getattr(self, name) is not None:
                _check.string(f"Provenance.{name}", getattr(self, name))
        for name in ("options", "preprocessing", "versions"):
            object.__setattr__(self, name, _check.mapping(f"Provenance.{name}", getattr(self, name)))
        for key, version in self.versions.items():
            _check.string(f"Provenance.versions[{key!r}]", version)
        for name in ("seed", "evaluations"):
            if getattr(self, name) is not None:
                least = 0 if name == "evaluations" else None
                object.__setattr__(self, name, _check.integer(f"Provenance.{name}", getattr(self, name), least=least))
        if self.seconds is not None:
            object.__setattr__(self, "seconds", _check.number("Provenance.seconds", self.seconds))


@dataclass(frozen=True, slots=True)
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

    task: str
    source: Source
    predictions: tuple[Prediction, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    attributes: dict[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        _check.choice("Explanation.task", self.task, TASKS)
        if not isinstance(self.source, Source):
            raise _check.wrong("Explanation.source", "a Source", self.source)
        for name, kind in (("predictions", Prediction), ("attributions", Attribution)):
            values = _check.tuple_of(f"Explanation.{name}", getattr(self, name), kind)
            object.__setattr__(self, name, values)
        if not isinstance(self.provenance, Provenance):
            raise _check.wrong("Explanation.provenance", "a Provenance", self.provenance)
        object.__setattr__(self, "attributes", _check.mapping("Explanation.attributes", self.attributes))
        self._check_evidence_sizes()

    def _check_evidence_sizes(self) -> None:
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
