"""xplain's own format: lossless, versioned and compact.

::

    {"xplain": 1, "type": "explanation", "task": "image-classification",
     "source": {"kind": "image", "name": "cat.jpg", "height": 224, "width": 224},
     "predictions": [{"label": ["tabby"], "score": 0.81, "id": 281}],
     "attributions": [{"target": 0, "evidence": {"kind": "heatmap", "shape": [224, 224], "dtype": "float32",
                                                 "packing": "delta-zlib", "data": "eNr..."}, "method": "grad-cam"}],
     "provenance": {"method": "grad-cam", "seed": 0}}

    {"xplain": 1, "type": "results", "job": "cats", "items": [{"name": "cat.jpg", "status": "successful", ...}]}

    {"xplain": 1, "type": "record", "format": "deepomatic", "kind": "version", "fields": {...}}

A field that is None is absent. ``total`` and ``finished`` of results are written only where they do not follow from the
items. A target is the index of a prediction or, if it is none of the predictions, a prediction. Masks are run lengths
(column-major, zeros first); arrays are base64 (see `xplain.formatters.native.arrays`). ``Source.content`` is never
written. The JSON Schema is ``native.schema.json``.
"""

from __future__ import annotations

from typing import Any

from xplain import _check
from xplain.errors import DocumentError
from xplain.explanation import (
    STATUSES,
    TASKS,
    Attribution,
    Box,
    Evidence,
    Explanation,
    Grid,
    Heatmap,
    Item,
    Mask,
    Part,
    Polygon,
    Prediction,
    Provenance,
    Record,
    Region,
    Results,
    SignalScores,
    Source,
    Span,
    Window,
    Word,
    WordScores,
)
from xplain.explanation.notes import no_notes as notes
from xplain.formatters.core.own import Own
from xplain.formatters.core.places import At
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import (
    Reader,
    array,
    boolean,
    choice,
    either,
    integer,
    json_object,
    listing,
    mapping,
    number,
    optional,
    pair,
    record,
    string,
    table,
    tagged,
)
from xplain.formatters.native.arrays import pack, unpack

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"]

VERSION = 1
"""The version of the format; a document of a newer one is refused."""

OWN: Own = {}
"""The format sets no attributes."""

CAPABILITIES = None
"""The format holds everything."""


def sniff(document: Any) -> bool:
    """Whether a document claims to be in xplain's own format."""
    return isinstance(document, dict) and "xplain" in document


def encode(value: Explanation | Results | Record, *, quantize: int | None = None) -> dict[str, Any]:
    """Turn an explanation, the results of a job or a vendor's record into a document.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write.
    quantize : {None, 8, 16}
        Bits of each element of heat maps and signal scores; None keeps every bit. Quantised values come back within
        half a step; a step is the range of the map / (2**quantize - 1).

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    if quantize is not None and (not isinstance(quantize, int) or quantize not in (8, 16)):
        raise _check.wrong("quantize", "None, 8 or 16", quantize)
    if isinstance(value, Results):
        return {"xplain": VERSION, "type": "results", **_encode_results(value, quantize)}
    if isinstance(value, Record):
        return {
            "xplain": VERSION,
            "type": "record",
            "format": value.format,
            "kind": value.kind,
            "fields": value.fields,
        }
    return {"xplain": VERSION, "type": "explanation", **_encode_explanation(value, quantize)}


def _encode_results(results: Results, quantize: int | None) -> dict[str, Any]:
    implied = Results(results.job, results.items, total=results.total)  # finished as it follows from the items
    return _without_none(
        job=results.job,
        total=None if results.total == len(results.items) else results.total,
        finished=None if results.finished == implied.finished else results.finished,
        error=results.error,
        submitted=results.submitted,
        started=results.started,
        updated=results.updated,
        ended=results.ended,
        attributes=results.attributes or None,
        items=[_encode_item(item, quantize) for item in results.items],
    )


def _encode_item(item: Item, quantize: int | None) -> dict[str, Any]:
    explanation = None if item.explanation is None else _encode_explanation(item.explanation, quantize)
    return _without_none(
        name=item.name,
        status=item.status,
        error=item.error,
        engine=item.engine,
        started=item.started,
        updated=item.updated,
        ended=item.ended,
        attributes=item.attributes or None,
        explanation=explanation,
    )


def _encode_explanation(explanation: Explanation, quantize: int | None) -> dict[str, Any]:
    source, provenance = explanation.source, explanation.provenance
    # Of equal predictions, targets point to the first.
    indices: dict[Prediction, int] = {}
    for index, prediction in enumerate(explanation.predictions):
        indices.setdefault(prediction, index)
    document = {
        "task": explanation.task,
        "source": _without_none(
            kind=source.kind,
            name=source.name,
            sha256=source.sha256,
            height=source.height,
            width=source.width,
            text=source.text,
            parts=[_encode_part(part) for part in source.parts] or None,
            sample_rate_hz=source.sample_rate_hz,
            axes=list(source.axes) or None,
            readings=source.readings,
        ),
        "predictions": [_encode_prediction(prediction) for prediction in explanation.predictions],
        "attributions": [
            _without_none(
                target=_encode_target(attribution.target, indices),
                evidence=_encode_evidence(attribution.evidence, quantize),
                method=attribution.method,
                quality=attribution.quality or None,
            )
            for attribution in explanation.attributions
        ],
        "provenance": _without_none(
            method=provenance.method,
            options=provenance.options or None,
            seed=provenance.seed,
            model=provenance.model,
            model_sha256=provenance.model_sha256,
            preprocessing=provenance.preprocessing or None,
            versions=provenance.versions or None,
            created=provenance.created,
            seconds=provenance.seconds,
            evaluations=provenance.evaluations,
            engine=provenance.engine,
            batch_size=provenance.batch_size,
            threads=provenance.threads,
        ),
    }
    document |= _without_none(attributes=explanation.attributes or None)
    if not document["provenance"]:
        del document["provenance"]
    return document


def _encode_part(part: Part) -> dict[str, Any]:
    return {"name": part.name, "start": part.start, "stop": part.stop}


def _encode_target(target: Prediction, indices: dict[Prediction, int]) -> int | dict[str, Any]:
    return indices[target] if target in indices else _encode_prediction(target)


def _encode_prediction(prediction: Prediction) -> dict[str, Any]:
    return _without_none(
        label=list(prediction.label),
        score=prediction.score,
        region=None if prediction.region is None else _encode_region(prediction.region),
        threshold=prediction.threshold,
        id=prediction.id,
        attributes=prediction.attributes or None,
    )


def _encode_region(region: Region) -> dict[str, Any]:
    match region:
        case Box(x0, y0, x1, y1, unit):
            return {"kind": "box", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "unit": unit}
        case Polygon(points, unit):
            return {"kind": "polygon", "points": [list(point) for point in points], "unit": unit}
        case Span(start, stop, unit, part):
            return _without_none(kind="span", start=start, stop=stop, unit=unit, part=part)
        case Window(start_ms, end_ms):
            return {"kind": "window", "start_ms": start_ms, "end_ms": end_ms}
        case Mask():
            return _encode_mask(region)


def _encode_evidence(evidence: Evidence, quantize: int | None) -> dict[str, Any]:
    match evidence:
        case Heatmap(values):
            return {"kind": "heatmap", **pack(values, quantize)}
        case SignalScores(values):
            return {"kind": "signal", **pack(values, quantize)}
        case Grid(values):
            return {"kind": "grid", **pack(values)}
        case WordScores(words):
            return {
                "kind": "words",
                "words": [
                    _without_none(text=word.text, score=word.score, index=word.index, start=word.start, stop=word.stop)
                    for word in words
                ],
            }
        case Mask():
            return _encode_mask(evidence)


def _encode_mask(mask: Mask) -> dict[str, Any]:
    return {"kind": "mask", "height": mask.height, "width": mask.width, "counts": mask.counts.tolist()}


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# Reading: one reader for each function above.


def _decode_mask(height: int, width: int, counts: list[Any]) -> Mask:
    try:
        return Mask(counts, height, width)  # type: ignore[arg-type]
    except DocumentError as error:
        raise DocumentError(error.message, path=error.path.replace("$", "$.counts", 1)) from error


_MASK = record(_decode_mask, height=integer(0), width=integer(0), counts=listing)
_LENGTH_UNIT = choice("fraction", "pixel")
_REGION: Reader[Region] = tagged(
    "kind",
    {
        "box": record(Box, x0=number, y0=number, x1=number, y1=number, unit=_LENGTH_UNIT),
        "polygon": record(Polygon, points=array(pair(number)), unit=_LENGTH_UNIT),
        "span": record(
            Span, start=integer(0), stop=integer(0), unit=choice("codepoint", "utf16_byte"), part=optional(string)
        ),
        "window": record(Window, start_ms=number, end_ms=number),
        "mask": _MASK,
    },
)
_WORD = record(
    Word,
    text=string,
    score=number,
    index=optional(integer(0)),
    start=optional(integer(0)),
    stop=optional(integer(0)),
)
_EVIDENCE: Reader[Evidence] = tagged(
    "kind",
    {
        "heatmap": lambda at: Heatmap(unpack(at)),
        "signal": lambda at: SignalScores(unpack(at)),
        "grid": lambda at: Grid(unpack(at)),
        "words": record(WordScores, words=array(_WORD)),
        "mask": _MASK,
    },
)
_PREDICTION = record(
    Prediction,
    label=array(string),
    score=number,
    region=optional(_REGION),
    threshold=optional(number),
    id=optional(either("an integer or a string", integer(), string)),
    attributes=optional(json_object, {}),
)
_SOURCE = record(
    Source,
    kind=choice("image", "text", "signal"),
    name=optional(string),
    sha256=optional(string),
    height=optional(integer(0)),
    width=optional(integer(0)),
    text=optional(string),
    parts=optional(array(record(Part, name=string, start=integer(0), stop=integer(0))), ()),
    sample_rate_hz=optional(number),
    axes=optional(array(string), ()),
    readings=optional(integer(0)),
)
_PROVENANCE = record(
    Provenance,
    method=optional(string),
    options=optional(json_object, {}),
    seed=optional(integer()),
    model=optional(string),
    model_sha256=optional(string),
    preprocessing=optional(json_object, {}),
    versions=optional(table(string), {}),
    created=optional(string),
    seconds=optional(number),
    evaluations=optional(integer(0)),
    engine=optional(string),
    batch_size=optional(integer(1)),
    threads=optional(integer(1)),
)


def _read_target(at: At) -> Prediction | int:
    return _PREDICTION(at) if isinstance(at.value, dict) else integer(0)(at)


def _decode_explanation(
    task: str,
    source: Source,
    predictions: tuple[Prediction, ...],
    attributions: tuple[dict[str, Any], ...],
    provenance: Provenance,
    attributes: dict[str, Any],
) -> Explanation:
    resolved = []
    for index, fields in enumerate(attributions):
        target = fields["target"]
        if isinstance(target, int):
            if target >= len(predictions):
                raise DocumentError(
                    f"must be the index of one of {len(predictions)} predictions, got {target}",
                    path=f"$.attributions[{index}].target",
                )
            fields |= {"target": predictions[target]}
        resolved.append(Attribution(**fields))
    return Explanation(task, source, predictions, tuple(resolved), provenance, attributes=attributes)


_EXPLANATION = record(
    _decode_explanation,
    task=choice(*TASKS),
    source=_SOURCE,
    predictions=array(_PREDICTION),
    attributions=array(
        record(
            dict[str, Any],
            target=_read_target,
            evidence=_EVIDENCE,
            method=optional(string),
            quality=optional(json_object, {}),
        )
    ),
    provenance=optional(_PROVENANCE, Provenance()),
    attributes=optional(json_object, {}),
)
_ITEM = record(
    Item,
    name=string,
    status=choice(*STATUSES),
    explanation=optional(_EXPLANATION),
    error=optional(string),
    engine=optional(string),
    started=optional(string),
    updated=optional(string),
    ended=optional(string),
    attributes=optional(json_object, {}),
)
_JOB: dict[str, Reader[Any]] = {
    "total": optional(integer(0)),
    "finished": optional(boolean),
    "error": optional(string),
    "submitted": optional(string),
    "started": optional(string),
    "updated": optional(string),
    "ended": optional(string),
    "attributes": optional(json_object, {}),
}
_RESULTS = record(Results, rest=None, job=string, items=array(_ITEM), **_JOB)
_RECORD = record(Record, format=string, kind=string, fields=json_object)
_DOCUMENT = tagged("type", {"explanation": _EXPLANATION, "results": _RESULTS, "record": _RECORD})


def _check_version(at: At) -> None:
    if integer(1)(at) != VERSION:
        raise at.rejected(str(VERSION), "a newer xplain wrote it: upgrade xplain-kit to read it")


def _item_reader(at: At) -> Reader[Item]:
    """Make the reader of the items of a document, which must be results of this version."""
    _check_version(at["xplain"])
    choice("results")(at["type"])
    return _ITEM


ITEMS = {"items": ItemLayout(_item_reader)}
HEAD: Reader[dict[str, Any]] = record(dict, rest=None, job=string, **_JOB)


def decode(at: At) -> Explanation | Results | Record:
    """Read an explanation, the results of a job or a vendor's record."""
    mapping(at)
    _check_version(at["xplain"])
    value: Explanation | Results | Record = _DOCUMENT(at)
    return value
