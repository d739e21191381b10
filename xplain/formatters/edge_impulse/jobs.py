"""Results of jobs of Edge Impulse, pages of them and the result of one sample: read, and written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.explanation import Explanation, Item, Results
from xplain.formatters.core.extras import UNIT, attributes_of, extras_of
from xplain.formatters.core.lookup import value_at
from xplain.formatters.core.own import Own
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.streaming import ItemLayout
from xplain.formatters.core.wire import (
    Reader,
    array,
    boolean,
    choice,
    integer,
    mapping,
    nullable,
    number,
    problems,
    record,
    string,
    time,
)
from xplain.formatters.edge_impulse.fields import (
    ACCURACY,
    BLOCK,
    FORMAT,
    JOB,
    MODEL_RESULT,
    PAGE,
    PREDICTIONS,
    RAW_SAMPLE,
    Json,
    fields,
    list_of,
)
from xplain.formatters.edge_impulse.figures import accuracy, check_accuracy
from xplain.formatters.edge_impulse.outcomes import outcome_notes
from xplain.formatters.edge_impulse.patches import apply_patch, make_patch
from xplain.formatters.edge_impulse.runner import RUNNER
from xplain.formatters.edge_impulse.samples import explain_sample, with_extras
from xplain.formatters.edge_impulse.writing import DETECTION, STRUCTURED, truths_of, write_sample

T = TypeVar("T")

RESPONSE = "response"
"""Key of our attributes for the extras of the result of one sample: an explanation that has it was read from one."""

JOB_FIELDS = ("accuracy", "additionalMetricsByLearnBlock", "availableVariants")
"""Fields that a job has and a page has not."""

_NO_REASON = "no reason given"
_SAMPLE = "sample"


_POINT = fields(x=number, y=number, matched=boolean)
_LINK = fields(prediction=integer(0), truth=nullable(integer(0)), distance=nullable(number))
OWN: Own = {
    "page": boolean,
    "order": array(integer()),
    "accuracy": mapping,
    "sampleId": integer(),
    RUNNER: mapping,
    RESPONSE: mapping,
    STRUCTURED: boolean,
    UNIT: choice("pixel"),
    _SAMPLE: mapping,
    "centroids": fields(
        truths=nullable(list_of(_POINT)), predictions=nullable(list_of(_POINT)), links=nullable(list_of(_LINK))
    ),
}
"""Readers of our attributes."""


# Writing.


@dataclass(frozen=True, slots=True)
class Facts:
    """What a caller says of the samples beside their values."""

    sample: Json
    block: Json

    @classmethod
    def of(cls, project: int | None, block: str | None, title: str | None, created: str | None) -> Facts:
        sample: Json = {} if project is None else {"projectId": _check.integer("project", project, least=0)}
        if created is not None:
            if problems(time, created):
                raise _check.wrong("created", "an ISO 8601 time with a zone", created)
            sample |= dict.fromkeys(("created", "lastModified", "added"), created)
        names = {"name": ("block", block), "title": ("title", title)}
        return cls(sample, {key: _check.string(*name) for key, name in names.items() if name[1] is not None})

    def apply(self, document: Json) -> None:
        """Add them to a sample and its learn blocks."""
        document[_SAMPLE] = {**document[_SAMPLE], **self.sample}
        for block in document["classifications"] if self.block else ():
            block["learnBlock"] = {**block["learnBlock"], **self.block}


def sample_name(explanation: Explanation) -> str:
    return _SAMPLE if explanation.source.name is None else explanation.source.name


def has_truth(results: Results) -> bool:
    """Whether the truth of an item is known: labels, verdicts, or boxes of objects."""
    explanations = [item.explanation for item in results.items if item.explanation is not None]
    return any(map(_knows_truth, explanations))


def _knows_truth(explanation: Explanation) -> bool:
    if explanation.task == DETECTION:
        extras = extras_of(explanation.attributes, FORMAT)
        return truths_of(extras.get(_SAMPLE), extras.get(STRUCTURED) is True) is not None
    notes_of = map(outcome_notes, explanation.predictions)
    return any(said.expected is not None or said.correct is not None for said in notes_of)


def write_job(results: Results, extras: Json, current: bool, facts: Facts) -> Json:
    is_page, order = extras.pop("page", None), extras.pop("order", None)
    if not isinstance(is_page, bool):
        is_page = not has_truth(results)
    samples: list[Json] = []
    windows: dict[int, list[Json]] = {}
    for i, item in enumerate(results.items):
        if item.explanation is None or item.status != "successful":
            continue
        patch = _sample_patch(item.explanation)
        number = _pop_number(patch, i + 1)
        while number in windows:
            number += 1
        sample, windows[number] = _write_item(item.explanation, item.name, number, patch, current)
        facts.apply(sample)
        samples.append(sample)
    predictions = _in_order(windows, order)
    document: Json = {"success": True, "result": samples, "predictions": predictions}
    if is_page:
        document |= {"totalCount": results.total} if current else {}
    else:
        written = _read_or_none(PREDICTIONS, predictions)
        document |= _plain_job(written or [], samples)
        if "accuracy" in extras and not _is_current(extras["accuracy"], written, samples):
            del extras["accuracy"]
    return apply_patch(document, extras)


def _write_item(
    explanation: Explanation, name: str, number: int, patch: Json, current: bool
) -> tuple[Json, list[Json]]:
    """Write a sample and its windows; without the patch, if it no longer goes with values that have changed."""
    sample, windows = write_sample(explanation, name, number, patch=patch, current=current)
    if patch and not _is_readable(sample, windows):
        return write_sample(explanation, name, number, patch={}, current=current)
    return sample, windows


def _is_readable(sample: Json, windows: list[Json]) -> bool:
    at = At(sample)
    try:
        document, decisions = MODEL_RESULT(at), PREDICTIONS(At(windows))
        at.build(explain_sample, at["classifications"], document, decisions, [At(window) for window in windows])
    except Rejected:
        return False
    return True


def _is_current(claimed: Any, predictions: list[Json] | None, samples: list[Json]) -> bool:
    """Whether the accuracy that a document claimed is still that of the predictions."""
    figures = _read_or_none(ACCURACY, claimed)
    if figures is None or predictions is None:
        return False
    return not check_accuracy(At(claimed), figures, predictions, samples)


def _read_or_none(reader: Reader[T], value: Any) -> T | None:
    """Read what may have come from a patch, which may hold anything; None if the reader refuses it."""
    try:
        return reader(At(value))
    except Rejected:
        return None


def _sample_patch(explanation: Explanation) -> Json:
    """Return the patch of a sample: its extras, without those that stand beside the patch."""
    others = ("centroids", UNIT, RUNNER, RESPONSE)
    return {key: change for key, change in extras_of(explanation.attributes, FORMAT).items() if key not in others}


def _pop_number(patch: Json, default: int) -> int:
    number = patch.pop("sampleId", default)
    return number if type(number) is int else default


def _plain_job(predictions: list[Json], samples: list[Json]) -> Json:
    """Return the fields of a job that follow from its predictions, or are empty."""
    return {"accuracy": accuracy(predictions, samples), "additionalMetricsByLearnBlock": [], "availableVariants": []}


def _in_order(windows: dict[int, list[Json]], order: Any) -> list[Json]:
    """List the windows of all samples: in the order of a document, then those left, sample by sample.

    The order is a list of sample numbers, one for each window.
    """
    waiting = {number: iter(sample_windows) for number, sample_windows in windows.items()}
    numbers = [number for number in order if type(number) is int] if isinstance(order, list) else []
    ordered = [window for number in numbers if number in waiting for window in _take(waiting[number])]
    return ordered + [window for remaining in waiting.values() for window in remaining]


def _take(windows: Iterator[Json]) -> list[Json]:
    """Return the next window, if there is one."""
    return list(itertools.islice(windows, 1))


def write_response(explanation: Explanation, current: bool, facts: Facts) -> Json:
    """Write the result of one sample."""
    patch = _sample_patch(explanation)
    number = _pop_number(patch, 1)
    sample, _ = write_sample(explanation, sample_name(explanation), number, patch=patch, current=current)
    facts.apply(sample)
    plain = {"success": True, "classifications": sample.get("classifications"), _SAMPLE: {_SAMPLE: sample[_SAMPLE]}}
    return apply_patch(plain, extras_of(explanation.attributes, FORMAT)[RESPONSE])


# Reading jobs and pages.


def read_job(at: At) -> Results:
    is_page = not any(key in at.value for key in JOB_FIELDS)
    document = (PAGE if is_page else JOB)(at)
    samples, predictions = document.pop("result"), document.pop("predictions")
    windows = _by_sample(predictions)
    items: list[Item] = []
    wrong = _check_numbers(at, samples, predictions)
    names: set[str] = set()
    for i, sample in enumerate(samples):
        sample_windows = [(predictions[k], at["predictions"][k]) for k in windows.get(sample["sampleId"], [])]
        try:
            name = _unique_name(sample, names)
            items.append(_make_item(at["result"][i], sample, sample_windows, name, i + 1))
        except Rejected as rejected:
            wrong += rejected.problems
    if not is_page:
        wrong += check_accuracy(at["accuracy"], document["accuracy"], predictions, samples)
    total = document.pop("totalCount", len(samples))
    if total < len(samples):
        wrong.append(at["totalCount"].problem(f"at least {len(samples)}, the number of results"))
    if wrong:
        raise Rejected(wrong)
    plain = {"success": True} if is_page else {"success": True, **_plain_job(predictions, samples)}
    extras = make_patch(document, plain) | _prediction_extras(windows, samples, predictions)
    if _is_judged(document.get("accuracy")):
        extras["accuracy"] = document["accuracy"]
    results = Results("", tuple(items), total=total, attributes=attributes_of(extras, FORMAT))
    if is_page == (not has_truth(results)):
        return results
    return replace(results, attributes={FORMAT: {**extras, "page": is_page}})


def _is_judged(figures: Any) -> bool:
    """Whether accuracy figures are of windows, or detections, whose truth is known."""
    counts = (value_at(figures, "totalSummary", key) for key in ("good", "bad"))
    return any(isinstance(count, int) and count > 0 for count in counts)


def _item_reader(job: At) -> Reader[Item]:
    """Make the reader of the elements of a job's ``result``."""
    predictions = PREDICTIONS(job["predictions"])
    windows = _by_sample(predictions)
    names: set[str] = set()

    def read(at: At) -> Item:
        sample = MODEL_RESULT(at)
        sample_windows = [(predictions[k], job["predictions"][k]) for k in windows.get(sample["sampleId"], [])]
        return _make_item(at, sample, sample_windows, _unique_name(sample, names), int(at.key) + 1)

    return read


ITEMS = {"result": ItemLayout(_item_reader)}

_TOTAL: Reader[Json] = record(dict, total=nullable(integer(0), key="totalCount"))


def _read_head(at: At) -> Json:
    fields = {key: at.value[key] for key in JOB_FIELDS if at.value.get(key)}
    if not _is_judged(fields.get("accuracy")):
        fields.pop("accuracy", None)
    return {"job": "", **_TOTAL(at), "attributes": attributes_of(fields, FORMAT)}


HEAD: Reader[Json] = _read_head


def _by_sample(predictions: list[Json]) -> dict[int, list[int]]:
    """Return the positions of each sample's predictions, by its number."""
    positions: dict[int, list[int]] = {}
    for k, prediction in enumerate(predictions):
        positions.setdefault(prediction["sampleId"], []).append(k)
    return positions


def _unique_name(sample: Json, names: set[str]) -> str:
    """Name an item by its sample's file; a name that occurs again gets the sample's number."""
    name: str = sample[_SAMPLE]["filename"]
    while name in names:
        name = f"{name} ({sample['sampleId']})"
    names.add(name)
    return name


def _make_item(at: At, sample: Json, windows: list[tuple[Json, At]], name: str, position: int) -> Item:
    """Make the item of a sample, from its windows and their places; the position counts from 1."""
    decisions = [decision for decision, _ in windows]
    places = [place for _, place in windows]
    explanation: Explanation = at.build(explain_sample, at["classifications"], sample, decisions, places)
    number = {} if sample["sampleId"] == position else {"sampleId": sample["sampleId"]}
    document = {**sample, "predictions": decisions}
    return Item(name, "successful", explanation=with_extras(explanation, document, name, **number))


def _check_numbers(at: At, samples: list[Json], predictions: list[Json]) -> list[Problem]:
    """Check that samples and predictions can be joined by the sample's number."""
    wrong: list[Problem] = []
    numbers = set()
    for i, sample in enumerate(samples):
        if sample["sampleId"] in numbers:
            wrong.append(at["result"][i]["sampleId"].problem("that of one result only"))
        numbers.add(sample["sampleId"])
    for k, prediction in enumerate(predictions if samples else ()):
        if prediction["sampleId"] not in numbers:
            wrong.append(at["predictions"][k]["sampleId"].problem("that of one of the results"))
    return wrong


def _prediction_extras(windows: dict[int, list[int]], samples: list[Json], predictions: list[Json]) -> Json:
    """Return the predictions themselves if their samples are left out, or else their order if it is not by sample."""
    if not samples:
        return {"predictions": predictions} if predictions else {}
    actual = [prediction["sampleId"] for prediction in predictions]
    by_sample = [
        number for sample in samples for number in [sample["sampleId"]] * len(windows.get(sample["sampleId"], []))
    ]
    return {} if actual == by_sample else {"order": actual}


# Reading other documents.

_RESPONSE_FIELDS = fields(
    success=boolean,
    error=nullable(string),
    classifications=list_of(BLOCK),
    sample=RAW_SAMPLE,
    windowSizeMs=integer(0),
    windowIncreaseMs=integer(0),
    alreadyInDatabase=boolean,
    warning=nullable(string),
)
_ERROR_FIELDS = fields(success=boolean, error=nullable(string))


def read_response(at: At) -> Explanation:
    """Read the result of one sample, with its raw readings."""
    document = _RESPONSE_FIELDS(at)
    blocks, raw_sample = document.pop("classifications"), dict(document.pop(_SAMPLE))
    sample = raw_sample.pop(_SAMPLE)
    step, size = document["windowIncreaseMs"], document["windowSizeMs"]
    windows = [{"startMs": i * step, "endMs": i * step + size} for i in range(_count_windows(blocks))]
    model_result = {"sampleId": sample["id"], _SAMPLE: sample, "classifications": blocks}
    explanation: Explanation = at.build(explain_sample, at["classifications"], model_result, windows, ())
    if explanation.source.kind == "signal":
        content = _signal(raw_sample["payload"]["values"])
        axes = explanation.source.axes if content is not None and len(explanation.source.axes) == len(content) else ()
        source = replace(explanation.source, axes=axes, readings=None, content=content)
        explanation = replace(explanation, source=source)
    number = {} if sample["id"] == 1 else {"sampleId": sample["id"]}
    extras = {**make_patch(document, {"success": True}), _SAMPLE: raw_sample}
    return with_extras(explanation, model_result, sample["filename"], **number, **{RESPONSE: extras})


def _signal(rows: list[list[float]]) -> npt.NDArray[np.float32] | None:
    """Turn readings, which are rows with one number for each axis, into (axes, time); None if rows differ in length."""
    if len({len(row) for row in rows}) != 1:
        return None
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinity
        return np.array(rows, np.float32).T


def _count_windows(blocks: Iterable[Json]) -> int:
    keys = ("result", "structuredResult", "anomalyResult")
    return max((len(block.get(key, [])) for block in blocks for key in keys), default=0)


def read_error(at: At) -> Results:
    document = _ERROR_FIELDS(at)
    error = document.get("error", _NO_REASON)
    extras = make_patch(document, {"success": False, "error": error})
    return Results("", (), error=error, attributes=attributes_of(extras, FORMAT))
