"""Objects of Deepomatic without results: specifications, versions with their post_processings, and pages of them.

They are checked as a whole and kept as records with unchanged fields. The labels that the thresholds of a version
belong to are in its specification, so a document alone cannot show whether the two fit: `mismatches` compares them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation import Record
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.wire import (
    Reader,
    array,
    between,
    boolean,
    choice,
    either,
    exactly_one,
    integer,
    keep,
    listing,
    mapping,
    nullable,
    number,
    optional,
    record,
    string,
    time,
)
from xplain.formatters.deepomatic.inferences import FORMAT, uint32

_FRACTION = between(0, 1)
#: An absolute URL, or one that is relative to the server.
_URL = re.compile(r"(https?://[^\s/]+|/)\S*|\?\S+")
_ID = either("an integer >= 0 or a string", integer(0), string)


def _all_of(*readers: Reader[Any]) -> Reader[None]:
    """Make a reader that checks one object with several readers and raises the problems of all together."""

    def read(at: At) -> None:
        wrong: list[Problem] = []
        for reader in readers:
            try:
                reader(at)
            except Rejected as rejected:
                wrong += [problem for problem in rejected.problems if problem not in wrong]
        if wrong:
            raise Rejected(wrong)

    return read


# Post-processing.


def _tensor_name(at: At) -> str:
    if not string(at):
        raise at.rejected("the name of a tensor")
    return string(at)


def _check_anchors(anchors: tuple[float, ...]) -> None:
    if not anchors or len(anchors) % 2 or min(anchors) <= 0:
        raise DocumentError(f"must be pairs of a positive width and height, got {list(anchors)}"[:200])


_BOXES = exactly_one(
    {
        "anchored_output": record(
            dict, anchors_tensor=_tensor_name, scores_tensor=_tensor_name, offsets_tensor=_tensor_name
        ),
        "direct_output": record(
            dict, boxes_tensor=_tensor_name, scores_tensor=_tensor_name, classes_tensor=_tensor_name
        ),
        "yolo_output": record(
            dict, output_tensor=_tensor_name, anchors=lambda at: at.build(_check_anchors, array(number)(at))
        ),
    }
)
_THRESHOLDS = nullable(array(_FRACTION))
_POST_PROCESSING = exactly_one(
    {
        "classification": record(dict, output_tensor=_tensor_name, thresholds=_THRESHOLDS),
        "detection": _all_of(
            _BOXES,
            record(
                dict,
                thresholds=_THRESHOLDS,
                nms_threshold=_FRACTION,
                discard_threshold=nullable(_FRACTION),
                normalize_wrt_tensor=nullable(string),
            ),
        ),
    }
)


# Specifications and versions.


def _check_labels(labels: tuple[dict[str, Any], ...], **fields: Any) -> None:
    """Refuse labels of which two have one id, or none at all."""
    ids: set[int] = set()
    for i, label in enumerate(labels):
        if label["id"] in ids:
            raise DocumentError(f"must differ from those before, got {label['id']}", path=f"$.labels[{i}].id")
        ids.add(label["id"])
    if not labels:
        raise DocumentError("must hold at least one label, got none", path="$.labels")


_LABELS = record(
    _check_labels,
    labels=array(record(dict, id=uint32, name=string)),
    exclusive=boolean,
    roi=choice("NONE", "BBOX", "MASK"),
)
_SPECIFICATION_OUTPUT = exactly_one({"labels": _LABELS, "text": mapping, "tensors": mapping})
# Elements of a page may lack outputs and post_processings, which a document of its own must have.
_LISTED_SPECIFICATION: dict[str, Reader[Any]] = {
    "id": optional(_ID),
    "name": string,
    "description": nullable(string),
    "update_date": nullable(time),
    "metadata": nullable(mapping),
    "current_version_id": nullable(integer(0)),
    "task_id": nullable(_ID),
    "outputs": optional(array(_SPECIFICATION_OUTPUT)),
}
_VERSION: dict[str, Reader[Any]] = {
    "id": optional(integer(0)),
    "spec_id": _ID,
    "network_id": integer(0),
    "spec_name": nullable(string),
    "network_name": nullable(string),
    "update_date": nullable(time),
    "task_id": nullable(_ID),
}
_POST_PROCESSINGS = array(_POST_PROCESSING)
_LISTED_VERSION: dict[str, Reader[Any]] = {**_VERSION, "post_processings": optional(_POST_PROCESSINGS)}


def is_specification(value: Any) -> bool:
    """Whether an object looks like a specification: outputs with names of labels, not predictions."""
    if not isinstance(value, dict) or "status" in value:
        return False
    if "name" in value and ("outputs" in value or "current_version_id" in value or "metadata" in value):
        return True
    outputs = value.get("outputs")
    if not isinstance(outputs, list):
        return False
    labels = [output.get("labels") for output in outputs if isinstance(output, dict)]
    return any(isinstance(fields, dict) and ("labels" in fields or "exclusive" in fields) for fields in labels)


def is_version(value: Any) -> bool:
    """Whether an object looks like a version, or the post_processings of one."""
    return isinstance(value, dict) and ("post_processings" in value or {"spec_id", "network_id"} <= value.keys())


def _record(kind: str, fields: Mapping[str, Reader[Any]]) -> Reader[Record]:
    """Make a reader of a record that checks these fields and keeps all."""
    read = keep(fields)
    return lambda at: Record(FORMAT, kind, read(at))


_READ_VERSION = _record("version", {**_VERSION, "post_processings": _POST_PROCESSINGS})
_READ_POST_PROCESSINGS = _record("post_processings", {"post_processings": _POST_PROCESSINGS})
_READ_SPECIFICATION = _record("specification", {**_LISTED_SPECIFICATION, "outputs": array(_SPECIFICATION_OUTPUT)})


def read_record(at: At) -> Record:
    """Read a specification, a version or the post_processings of one."""
    fields = mapping(at)
    if not is_version(fields):
        return _READ_SPECIFICATION(at)
    is_whole_version = not fields.keys().isdisjoint({"spec_id", "network_id", "id"})
    return (_READ_VERSION if is_whole_version else _READ_POST_PROCESSINGS)(at)


def page_url(at: At) -> str:
    """Read the URL of another page of a list."""
    if not _URL.fullmatch(string(at)):
        raise at.rejected("the URL of a page")
    return string(at)


def read_page(at: At) -> Record:
    """Read a page of specifications or of versions."""
    has_versions = any(is_version(element) for element in listing(at["results"]))
    kind = "versions" if has_versions else "specifications"
    results = array(keep(_LISTED_VERSION if has_versions else _LISTED_SPECIFICATION))
    page: dict[str, Reader[Any]] = {
        "count": integer(0),
        "next": nullable(page_url),
        "previous": nullable(page_url),
        "results": results,
    }
    read = _record(kind, page)(at)
    if at.value["count"] < len(at.value["results"]):
        raise at["count"].rejected(f"at least {len(at.value['results'])}, the number of results")
    return read


# Requests for an inference.

_CORNER = between(0, 1)
_IMAGE = keep(
    {
        "source": string,
        "bbox": nullable(keep(dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), _CORNER))),
        "polygon": nullable(array(keep({"x": _CORNER, "y": _CORNER}))),
        "crop_uniform_background": nullable(boolean),
    }
)


def is_request(value: Any) -> bool:
    """Whether an object looks like a request for an inference."""
    inputs = value.get("inputs") if isinstance(value, dict) else None
    return isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], dict) and "image" in inputs[0]


def read_request(at: At) -> Record:
    """Read a request for an inference."""
    return _READ_REQUEST(at)


_READ_REQUEST = _record(
    "inference-request",
    {
        "inputs": array(keep({"image": _IMAGE})),
        "show_discarded": nullable(boolean),
        "max_predictions": nullable(integer(1)),
    },
)


def mismatches(version: Mapping[str, Any], specification: Mapping[str, Any]) -> list[Problem]:
    """List what does not fit between a version and its specification.

    Parameters
    ----------
    version, specification : mapping
        Fields of the two records, each valid by itself.

    Returns
    -------
    list of Problem
        With paths in the version.
    """
    steps, outputs = version["post_processings"], specification["outputs"]
    if len(steps) != len(outputs):
        expected = f"one for each of the {len(outputs)} outputs of the specification"
        return [Problem("$.post_processings", f"must be {expected}, got {len(steps)}")]
    wrong = []
    for i, (step, output) in enumerate(zip(steps, outputs, strict=True)):
        kind = "classification" if step.get("classification") is not None else "detection"
        path, labels = f"$.post_processings[{i}].{kind}", output.get("labels")
        if labels is None or (labels["roi"] != "NONE") != (kind == "detection"):
            roi = "no labels" if labels is None else f"roi {labels['roi']}"
            wrong.append(Problem(path, f"must go with output {i} of the specification, got {kind} and {roi}"))
            continue
        thresholds = step[kind].get("thresholds")
        if thresholds is not None and len(thresholds) != len(labels["labels"]):
            expected = f"one for each of the {len(labels['labels'])} labels of the specification"
            wrong.append(Problem(f"{path}.thresholds", f"must be {expected}, got {len(thresholds)}"))
    return wrong
