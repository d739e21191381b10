"""Modzy's explainability object, and the items and jobs that hold some.

::

    {"modelType": "imageClassification",
     "result": {"classPredictions": [{"class": "tabby", "score": 0.81}]},
     "explanation": {"maskRLE": [[5, 3, 8]], "dimensions": {"height": 4, "width": 4}}}

    {"modelType": "textClassification",
     "result": {"classPredictions": [{"class": "joy", "score": 0.99}]},
     "explanation": {"wordImportances": {"joy": [{"word": "loved", "score": 0.7, "index": 1}]},
                     "explainableText": "I loved it"}}

    {"jobIdentifier": "8a7c...", "total": 2, "completed": 1, "failed": 1, "finished": true, "explained": true,
     "results": {"cat.jpg": {"status": "SUCCESSFUL", "engine": "model-batch-4f2a", "startTime": "...",
                             "results.json": {"data": {...the object...}}}},
     "failures": {"dog.jpg": {"status": "FAILED", "error": "could not be decoded"}}}

Each inner list of ``maskRLE`` is one mask (column-major run lengths, zeros first) that explains the first prediction,
unless a key of ours says otherwise; ``dimensions`` are those of the original image. Words keep their sign, and
``index`` is a position in the text split on white space. For masks of other classes, detections and segments see
`xplain.formatters.modzy.objects`, for the spellings of an output `xplain.formatters.modzy.outputs`.

Besides objects and jobs, these are read: ``{"data": object}``, an input item of a job (as an explanation, or as a job
of this one item if it has none yet), an object of such items by their names, and a batch
``{"predictions": [{"data": object}, ...]}``.

Reading accepts what real documents contain: a flat ``maskRLE``, numbers as strings, a missing ``modelType`` or
``index``, an empty ``explainableText``, outputs of any name, and zeros, false and empty values left out by proto3. A
class that has word scores but no prediction is a target with score 0. If nothing tells the task, it is image
classification.

An explanation is written as an object, results as a job. ``edge=True`` writes the strict form of Modzy Edge (its
protocol buffer): times as RFC 3339 in UTC, errors as outputs of failed items, and no fields that it does not define.
"""

from __future__ import annotations

from typing import Any

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Box, Explanation, Mask, Record, Results, WordScores
from xplain.explanation.notes import no_notes as notes
from xplain.formatters.core.extras import extras_of
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import mapping
from xplain.formatters.modzy.jobs import (
    HEAD,
    ITEMS,
    OWN,
    encode_job,
    encode_single_item,
    is_item,
    read_batch,
    read_items_object,
    read_job,
    read_single_item,
)
from xplain.formatters.modzy.objects import FORMAT, is_object, read_object
from xplain.formatters.modzy.outputs import encode_output_document, is_output, read_output_document

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"]

CAPABILITIES = {
    "image-classification": Capabilities(source="image", evidence=(Mask,), attributes=True),
    "image-segmentation": Capabilities(source="image", evidence=(Mask,), regions=(Mask,), attributes=True),
    "object-detection": Capabilities(
        source="image",
        evidence=(Mask,),
        regions=(Box,),
        unit="fraction",
        other_unit=True,
        attributes=True,
    ),
    "text-classification": Capabilities(
        source="text", evidence=(WordScores,), explains="label", text=True, attributes=True
    ),
}


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Modzy's."""
    if not isinstance(document, dict):
        return False
    if "jobIdentifier" in document or is_object(document) or is_output(document):
        return True
    if "predictions" in document:
        batch = document["predictions"]
        return isinstance(batch, list) and bool(batch) and is_output(batch[0])
    return is_item(document) or _is_items(document) or any(is_output(value) for value in document.values())


def _is_items(document: dict[str, Any]) -> bool:
    """Whether a document is an object of input items by their names."""
    return bool(document) and all(map(is_item, document.values()))


def encode(value: Value, *, edge: bool = False) -> dict[str, Any]:
    """Turn a fitted explanation into an explainability object, or results into a job.

    Parameters
    ----------
    value : Explanation or Results
        What to write. An explanation that was read from an item of a job is written as such an item.
    edge : bool
        Whether a job is written in the strict form of Modzy Edge's protocol buffer.

    Returns
    -------
    dict
        The document, of JSON values only.
    """
    edge = _check.boolean("edge", edge)
    if isinstance(value, Record):
        raise InputError(f"format must be one that holds records of {value.kind}, got {FORMAT!r}")
    if isinstance(value, Results):
        return encode_job(value, edge=edge)
    if isinstance(extras_of(value.attributes, FORMAT).get("item"), dict):
        return encode_single_item(value)
    return encode_output_document(value)


def decode(at: At) -> Explanation | Results:
    """Read an explainability object, or an output, item, batch or job that holds such objects."""
    fields = mapping(at)
    if "jobIdentifier" in fields or "results" in fields or "failures" in fields:
        return read_job(at)
    if "modelType" in fields or "result" in fields or "explanation" in fields:
        return read_object(at)
    if "predictions" in fields:
        return read_batch(at)
    if "data" in fields:
        return read_output_document(at)
    if _is_items(fields):
        return read_items_object(at)
    if "status" in fields or any(map(is_output, fields.values())):
        return read_single_item(at)
    raise at.rejected("an explainability object, or an output, item, batch or job that holds some")
