"""Deepomatic's objects that hold no results: specifications, versions with their post_processings, and pages of them.

They are checked whole and kept as they stand. A version does not hold the labels that its thresholds belong to; what
can be said only with its specification at hand, `mismatches` says.
"""

from __future__ import annotations

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
from xplain.formatters.deepomatic.inferences import FORMAT, number32

_FRACTION = between(0, 1)
_ID = either("an integer >= 0 or a string", integer(0), string)


def _all_of(*readers: Reader[Any]) -> Reader[None]:
    """Make a reader that tries several at one place and gives the problems of all."""

    def read(at: At) -> None:
        found: list[Problem] = []
        for reader in readers:
            try:
                reader(at)
            except Rejected as rejected:
                found += [problem for problem in rejected.problems if problem not in found]
        if found:
            raise Rejected(found)

    return read


# Post-processing.


def _name(at: At) -> str:
    if not string(at):
        raise at.rejected("the name of a tensor")
    return string(at)


def _anchors(anchors: tuple[float, ...]) -> None:
    if not anchors or len(anchors) % 2 or min(anchors) <= 0:
        raise DocumentError(f"must be pairs of a positive width and height, got {list(anchors)}"[:200])


_BOXES = exactly_one(
    {
        "anchored_output": record(dict, anchors_tensor=_name, scores_tensor=_name, offsets_tensor=_name),
        "direct_output": record(dict, boxes_tensor=_name, scores_tensor=_name, classes_tensor=_name),
        "yolo_output": record(dict, output_tensor=_name, anchors=lambda at: at.build(_anchors, array(number)(at))),
    }
)
_THRESHOLDS = nullable(array(_FRACTION))
_POST_PROCESSING = exactly_one(
    {
        "classification": record(dict, output_tensor=_name, thresholds=_THRESHOLDS),
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


def _distinct(labels: tuple[dict[str, Any], ...], **fields: Any) -> None:
    """Refuse two labels of one number."""
    seen: set[int] = set()
    for i, label in enumerate(labels):
        if label["id"] in seen:
            raise DocumentError(f"must differ from those before, got {label['id']}", path=f"$.labels[{i}].id")
        seen.add(label["id"])
    if not labels:
        raise DocumentError("must hold at least one label, got none", path="$.labels")


_LABELS = record(
    _distinct,
    labels=array(record(dict, id=number32, name=string)),
    exclusive=boolean,
    roi=choice("NONE", "BBOX", "MASK"),
)
_SPEC_OUTPUT = exactly_one({"labels": _LABELS, "text": mapping, "tensors": mapping})
_LISTED_SPECIFICATION: dict[str, Reader[Any]] = {
    "id": optional(_ID),
    "name": string,
    "description": nullable(string),
    "update_date": nullable(time),
    "metadata": nullable(mapping),
    "current_version_id": nullable(integer(0)),
    "task_id": nullable(_ID),
    "outputs": optional(array(_SPEC_OUTPUT)),
}
_LISTED_VERSION: dict[str, Reader[Any]] = {
    "id": optional(integer(0)),
    "spec_id": _ID,
    "network_id": integer(0),
    "spec_name": nullable(string),
    "network_name": nullable(string),
    "update_date": nullable(time),
    "task_id": nullable(_ID),
}
_STEPS = array(_POST_PROCESSING)


def is_specification(value: Any) -> bool:
    """Whether an object looks like a specification: outputs with names of labels, not predictions."""
    if not isinstance(value, dict) or "status" in value:
        return False
    if "name" in value and ("outputs" in value or "current_version_id" in value or "metadata" in value):
        return True
    outputs = value.get("outputs")
    labels = (
        [output.get("labels") for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    )
    return any(isinstance(one, dict) and ("labels" in one or "exclusive" in one) for one in labels)


def is_version(value: Any) -> bool:
    """Whether an object looks like a version, or the post_processings of one."""
    return isinstance(value, dict) and ("post_processings" in value or {"spec_id", "network_id"} <= value.keys())


def _kept(kind: str, fields: Mapping[str, Reader[Any]]) -> Reader[Record]:
    """Make a reader of a record that checks some fields and keeps all."""
    known = keep(fields)
    return lambda at: Record(FORMAT, kind, known(at))


_READ_VERSION = _kept("version", {**_LISTED_VERSION, "post_processings": _STEPS})
_READ_STEPS = _kept("post_processings", {"post_processings": _STEPS})
_READ_SPECIFICATION = _kept("specification", {**_LISTED_SPECIFICATION, "outputs": array(_SPEC_OUTPUT)})


def read_record(at: At) -> Record:
    """Read a specification, a version or the post_processings of one."""
    fields = mapping(at)
    if not is_version(fields):
        return _READ_SPECIFICATION(at)
    whole = not fields.keys().isdisjoint({"spec_id", "network_id", "id"})
    return (_READ_VERSION if whole else _READ_STEPS)(at)


def read_page(at: At) -> Record:
    """Read a page of a list of specifications or versions, whose outputs and post_processings may be left out."""
    versions = any(is_version(item) for item in listing(at["results"]))
    steps: dict[str, Reader[Any]] = {"post_processings": optional(_STEPS)}
    item = {**_LISTED_VERSION, **steps} if versions else _LISTED_SPECIFICATION
    return _kept(
        "versions" if versions else "specifications",
        {"count": integer(0), "next": nullable(string), "previous": nullable(string), "results": array(keep(item))},
    )(at)


def mismatches(version: Mapping[str, Any], specification: Mapping[str, Any]) -> list[Problem]:
    """List where a version does not go with its specification.

    Parameters
    ----------
    version, specification : mapping
        Fields of two records, each valid by itself.

    Returns
    -------
    list of Problem
        Paths are those of the version.
    """
    steps, outputs = version["post_processings"], specification["outputs"]
    if len(steps) != len(outputs):
        expected = f"one for each of the {len(outputs)} outputs of the specification"
        return [Problem("$.post_processings", f"must be {expected}, got {len(steps)}")]
    found = []
    for i, (step, output) in enumerate(zip(steps, outputs, strict=True)):
        kind = "classification" if step.get("classification") is not None else "detection"
        path, labels = f"$.post_processings[{i}].{kind}", output.get("labels")
        if labels is None or (labels["roi"] != "NONE") != (kind == "detection"):
            roi = "no labels" if labels is None else f"roi {labels['roi']}"
            found.append(Problem(path, f"must go with output {i} of the specification, got {kind} and {roi}"))
            continue
        thresholds = step[kind].get("thresholds")
        if thresholds is not None and len(thresholds) != len(labels["labels"]):
            expected = f"one for each of the {len(labels['labels'])} labels of the specification"
            found.append(Problem(f"{path}.thresholds", f"must be {expected}, got {len(thresholds)}"))
    return found
