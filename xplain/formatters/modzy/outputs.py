"""The output of an input item of Modzy's, in all spellings.

An item's output stands under the name of a file, which differs between models. These spellings of it are read: an
explainability object, one in ``data``, one in the ``data`` of a list of one under ``predictions``, and the error of a
model. An output of any other form is kept as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from xplain.explanation import Explanation
from xplain.formatters.core.extras import attributes_of, extras_of
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import Reader, choice, json_object, keep, mapping, string
from xplain.formatters.modzy.objects import FORMAT, encode_object, is_object, read_object

OUTPUT = "results.json"
"""The usual name of an output."""

UNFINISHED = ("FETCHING_DATA", "PROCESSING")
"""Statuses of items that have no output yet."""

DATA, BARE, _BATCH = "data", "object", "predictions"
"""Spellings: the object in ``data``, and the object itself."""

#: A name of an output that stands for any.
_PLACEHOLDER = "outputName"
_WITHOUT_OUTPUT = (*UNFINISHED, "FAILED")

OWN_OF_OUTPUT: dict[str, Reader[Any]] = {"output": string, "spelling": choice(BARE, _BATCH), "beside": mapping}
"""Readers of our attributes that say how an output was spelled."""


# Writing.


def encode_output(explanation: Explanation, spelling: str, beside: Any = None) -> dict[str, Any]:
    """Write the output of an item in one of its spellings, with what stood beside the object."""
    encoded = encode_object(explanation)
    if spelling == BARE:
        return encoded
    if spelling == _BATCH:
        return {"predictions": [{"data": encoded}]}
    return {**(beside if isinstance(beside, dict) else {}), "data": encoded}


def pop_output(extras: dict[str, Any]) -> tuple[str, str]:
    """Take the name and the spelling of an item's output from its extras."""
    output, spelling = extras.pop("output", OUTPUT), extras.pop("spelling", DATA)
    return output if isinstance(output, str) else OUTPUT, spelling if spelling in (BARE, _BATCH) else DATA


# Reading.


@dataclass(frozen=True, slots=True)
class Output:
    """What an output holds: an explanation, an error, or something else."""

    explanation: Explanation | None = None
    error: str | None = None
    spelling: str = DATA
    #: What stands beside the object.
    beside: dict[str, Any] = field(default_factory=dict)
    #: The output itself, if it holds no explainability object.
    other: dict[str, Any] | None = None


def read_error(at: At) -> str:
    """Read why an item failed: the platform writes a string, a model an object."""
    return string(at["error_message"]) if isinstance(at.value, dict) else string(at)


def read_output(at: At) -> Explanation:
    """Read an output that is an explainability object, or holds one in ``data``."""
    return read_object(at if is_object(mapping(at)) else at["data"])


def read_output_document(at: At) -> Explanation:
    """Read an output that is a document of its own; what stands beside its ``data`` is kept."""
    explanation, beside = read_output(at), keep({}, but=("data",))(at)
    if not beside:
        return explanation
    extras = {**extras_of(explanation.attributes, FORMAT), "beside": beside}
    return replace(explanation, attributes=attributes_of(extras, FORMAT))


def encode_output_document(explanation: Explanation) -> dict[str, Any]:
    """Write an explanation as an object, or as an output if something stood beside it in one."""
    extras = extras_of(explanation.attributes, FORMAT)
    beside = extras.pop("beside", None)
    if not isinstance(beside, dict):
        return encode_object(explanation)
    return encode_output(replace(explanation, attributes=attributes_of(extras, FORMAT)), DATA, beside)


def is_output(value: Any) -> bool:
    """Whether a value looks like the output of a model that holds an explainability object."""
    return isinstance(value, dict) and (is_object(value.get("data")) or is_object(value))


def read_item_output(at: At) -> Output:
    """Read the output of an item, in any of its spellings."""
    fields = mapping(at)
    if "data" in fields:
        return Output(read_object(at["data"]), beside=keep({}, but=("data",))(at))
    if "error" in fields:
        return Output(error=read_error(at["error"]))
    if is_object(fields):
        return Output(read_object(at), spelling=BARE)
    outputs = fields.get("predictions")
    if isinstance(outputs, list) and len(outputs) == 1 and is_output(outputs[0]):
        return Output(read_output(at["predictions"][0]), spelling=_BATCH)
    if not fields and at.parent is not None and at.parent.value.get("status") not in _WITHOUT_OUTPUT:
        raise at.rejected("the output of a model", "leave it out where there is none")
    return Output(other=json_object(at))


def output_key(item: dict[str, Any], known: Collection[str]) -> str | None:
    """Find the output among an item's fields but those known: its key is a file name, which differs between models."""
    if OUTPUT in item:
        return OUTPUT
    further = [key for key in item if key not in known]
    found = [key for key in further if isinstance(item[key], dict) and ("data" in item[key] or is_object(item[key]))]
    files = [key for key in further if "." in key or key == _PLACEHOLDER]
    return next(iter(found + files), None)
