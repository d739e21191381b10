"""Edge Impulse: results of classifying the samples of a project, and of a device.

::

    {"success": true,
     "result": [{"sampleId": 7, "sample": {"filename": "wave.1.cbor", "frequency": 62.5, ...},
                 "classifications": [{"learnBlock": {"id": 3, "type": "keras", ...},
                                      "result": [{"idle": 0.02, "wave": 0.98}, ...one for each window...],
                                      "minimumConfidenceRating": 0.6,
                                      "expectedLabels": [{"startIndex": 0, "endIndex": 1, "label": "wave"}]}]}],
     "predictions": [{"sampleId": 7, "startMs": 0, "endMs": 2000, "label": "wave", "prediction": "wave",
                      "predictionCorrect": true}, ...one for each window of each sample...],
     "accuracy": {"totalSummary": {"good": 2, "bad": 0}, "accuracyScore": 100.0, ...},
     "additionalMetricsByLearnBlock": [...], "availableVariants": ["int8", "float32"]}

A sample is an item, named by its file (a name that occurs again gets the sample's number). The predictions of a window
have its `Window` as their region; an image is a single window without a region. The threshold is
``minimumConfidenceRating``, where 0 means none except for anomaly scores. The truth and the outcome of a window are
attributes of its best prediction (`xplain.explanation.outcomes`). Detections are boxes; the scores of a visual anomaly
are a `Grid` that explains its anomaly score. The figures of ``accuracy``, of grids and of detections with debug
information are recomputed.

Besides jobs, these are read: pages of results, the result of one sample, that of a device (see `runner`), also as the
vendor's Python SDK gives it,
``{"success": false, "error": ...}`` instead of any of them, and the importance of features (as a record).

What else a document holds is kept as a patch in ``attributes["edge-impulse"]`` (see `writing`), together with the
``centroids`` of detections that have debug information (see `figures`).

Results, and an explanation as the only sample, are written as a job if the truth of a sample is known: the ``expected``
label of a window's best prediction, or the boxes of objects (`xplain.vendors.edge_impulse.with_truth` adds both). Else
they are written as a page, which has no accuracy. The vendor's SDK accepts both from 1.71.0 on; ``level="seed"`` leaves
out what only releases after 1.71.0 require.
"""

from __future__ import annotations

from typing import Any

from xplain import _check
from xplain.errors import FidelityError
from xplain.explanation import Box, Explanation, Grid, Item, Record, Results, Window
from xplain.formatters.core.extras import extras_of
from xplain.formatters.core.fit import Capabilities, Value
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import boolean, mapping
from xplain.formatters.edge_impulse.fields import FORMAT, IMPORTANCE, Json
from xplain.formatters.edge_impulse.jobs import (
    HEAD,
    ITEMS,
    JOB_FIELDS,
    OWN,
    RESPONSE,
    Facts,
    has_truth,
    read_error,
    read_job,
    read_response,
    sample_name,
    write_job,
    write_response,
)
from xplain.formatters.edge_impulse.notes import notes
from xplain.formatters.edge_impulse.patches import apply_patch
from xplain.formatters.edge_impulse.runner import RUNNER, is_runner, read_runner, write_runner

__all__ = ["CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"]

_ATTRIBUTES = ("expected", "correct", "predicted", "block", "anomaly")
_IMAGE = Capabilities(
    source="image",
    evidence=(Grid,),
    explains="prediction",
    described=("name", "sha256", "height", "width"),
    regions=(Box,),
    unit="fraction",
    other_unit=True,
    threshold=True,
    attributes=_ATTRIBUTES,
)
CAPABILITIES = {
    "image-classification": _IMAGE,
    "object-detection": _IMAGE,
    "signal-classification": Capabilities(
        source="signal",
        described=("name", "sha256", "sample_rate_hz", "axes", "readings"),
        regions=(Window,),
        windows=True,
        threshold=True,
        attributes=_ATTRIBUTES,
    ),
}

_LEVELS = ("seed", "current")
_IMPORTANCE = "feature-importance"


def sniff(document: Any) -> bool:
    """Whether a document looks like one of Edge Impulse's."""
    if not isinstance(document, dict):
        return False
    if not isinstance(document.get("success"), bool):
        return "success" not in document and is_runner(document)
    keys = ("result", "predictions", "classifications", "hasFeatureImportance")
    return document["success"] is False or any(key in document for key in keys)


# Writing.


def encode(
    value: Value,
    *,
    level: str = "current",
    page: bool | None = None,
    lossy: bool = False,
    project: int | None = None,
    block: str | None = None,
    title: str | None = None,
    created: str | None = None,
) -> Json:
    """Turn fitted results, or an explanation as their only item, into the result of a job, or a page of it.

    Parameters
    ----------
    value : Explanation, Results or Record
        What to write. An explanation that was read from the result of one sample or of a device is written as such.
    level : {"current", "seed"}
        Whether to fill in the fields that only releases of the vendor's SDK after 1.71.0 require.
    page : bool, optional
        Whether to write a page, which has no accuracy, or all of a job. Left out, a document that was read is written
        as what it was, and others as a page unless the truth of an item is known.
    lossy : bool
        Whether a job may be asked for whose truth is not known: its accuracy is empty.
    project : int, optional
        Number of the project.
    block, title : str, optional
        Name and title of the learn blocks.
    created : str, optional
        When the samples were created: an ISO 8601 time with a zone.

    Returns
    -------
    dict
        The document, of JSON values only.

    Raises
    ------
    FidelityError
        If a job is asked for and the truth of none of its items is known.
    """
    current = _check.choice("level", level, _LEVELS) == "current"
    facts = Facts.of(project, block, title, created)
    if isinstance(value, Record):
        return value.fields
    if isinstance(value, Explanation):
        extras = extras_of(value.attributes, FORMAT)
        if isinstance(extras.get(RUNNER), dict):
            return write_runner(value)
        if isinstance(extras.get(RESPONSE), dict):
            return write_response(value, current, facts)
        value = Results("", (Item(sample_name(value), "successful", explanation=value),))
    extras = extras_of(value.attributes, FORMAT)
    if value.error is not None:
        return apply_patch({"success": False, "error": value.error}, extras)
    if page is not None:
        extras["page"] = _check.boolean("page", page)
        if not page and not lossy and not has_truth(value):
            raise FidelityError(FORMAT, ["the truth, from which the accuracy of a job follows, is known of no item"])
    return write_job(value, extras, current, facts)


def decode(at: At) -> Explanation | Results | Record:
    """Read a job, a page of it, the result of one sample or of a device, an error, or the importance of features."""
    document = mapping(at)
    if "success" not in document and is_runner(document):
        return read_runner(at)
    boolean(at["success"])
    if document["success"] is False:
        return read_error(at)
    if "hasFeatureImportance" in document:
        return Record(FORMAT, _IMPORTANCE, IMPORTANCE(at))
    if "classifications" in document:
        return read_response(at)
    has_results = document.get("result") and isinstance(document["result"], list)
    if has_results or any(key in document for key in ("predictions", *JOB_FIELDS)):
        return read_job(at)
    return read_runner(at)
