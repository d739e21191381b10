"""The laws that hold for every format."""

import importlib
import json
import tracemalloc
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formatters import golden, strategies
from tests.support import examples, refuses
from xplain.errors import DocumentError, FidelityError, InputError, UnknownNameError, XplainError
from xplain.explanation import TASKS, Explanation, Mask, Prediction, Record, Results, Source
from xplain.formatters import (
    FORMATS,
    conversion,
    dumps,
    fit,
    from_document,
    loads,
    schema,
    sniff,
    to_document,
    validate,
    validate_text,
)
from xplain.formatters.core import streaming

each_format = pytest.mark.parametrize("format", FORMATS)
each_golden = pytest.mark.parametrize("path", golden.GOLDEN, ids=golden.identify)
relaxed = examples()


def capabilities_of(format):
    return importlib.import_module(f"xplain.formatters.{format.replace('-', '_')}.formatter").CAPABILITIES


@each_format
@given(data=st.data())
@relaxed
def test_what_fits_comes_back(format, data):
    capabilities = capabilities_of(format)
    explanation = data.draw(strategies.explanations(tasks=TASKS if capabilities is None else capabilities))
    fitted = fit(explanation, format, lossy=True)
    document = to_document(fitted, format)
    assert from_document(document, format) == fitted
    assert fit(fitted, format) == fitted
    assert to_document(explanation, format, lossy=True) == document
    assert validate(document, format) == []
    assert sniff(document) == format
    text = dumps(document)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert loads(text) == loads(text.encode("utf-8")) == document
    assert dumps(to_document(explanation, format, lossy=True)) == text


@each_format
@given(data=st.data())
@relaxed
def test_without_lossy_all_predictions_and_evidence_are_kept(format, data):
    capabilities = capabilities_of(format)
    explanation = data.draw(strategies.explanations(tasks=TASKS if capabilities is None else capabilities))
    try:
        fitted = fit(explanation, format)
    except FidelityError:
        assert fit(explanation, format, lossy=True) != explanation
        return
    if isinstance(fitted, Results):  # of a format that knows only jobs
        (item,) = fitted.items
        fitted = item.explanation
    assert [(p.name, p.score) for p in fitted.predictions] == [(p.name, p.score) for p in explanation.predictions]
    assert [type(a.evidence) for a in fitted.attributions] == [type(a.evidence) for a in explanation.attributions]
    for ours, theirs in zip(fitted.attributions, explanation.attributions, strict=True):
        assert (ours.target.name, ours.target.score) == (theirs.target.name, theirs.target.score)
        if isinstance(ours.evidence, Mask):
            assert ours.evidence == theirs.evidence


TIMES = st.none() | st.sampled_from(
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:04+00:00", "2025-01-01T00:00:00+02:00", "2026-01-02T03:04:05", "soon"]
)


@st.composite
def timed(draw):
    """Results of which the times are often in order, or against it."""
    results = draw(strategies.results())
    items = [replace(i, started=draw(TIMES), updated=draw(TIMES), ended=draw(TIMES)) for i in results.items]
    return replace(results, items=tuple(items), submitted=draw(TIMES), started=draw(TIMES), ended=draw(TIMES))


@each_format
@given(data=st.data())
@relaxed
def test_any_job_is_written_or_its_task_refused(format, data):
    results = data.draw(timed())
    capabilities = capabilities_of(format)
    tasks = {item.explanation.task for item in results.items if item.explanation is not None}
    if capabilities is not None and tasks - capabilities.keys():
        with refuses(InputError, "task must be one of"):
            to_document(results, format, lossy=True)
        return
    document = to_document(results, format, lossy=True)
    assert validate(document, format) == []
    assert to_document(from_document(document, format), format) == document


@pytest.mark.parametrize(
    "record",
    [
        Record("reinfer", "error", {"message": 5}),
        Record("reinfer", "error", {"status": "error", "message": "late"}),
        Record("reinfer", "validation", {"status": "ok", "validation": {}}),
        Record("deepomatic", "version", {"spec_id": 1}),
        Record("cognite", "request", {"items": [], "features": []}),
        Record("cognite", "error", {"features": ["TextDetection"], "items": [{"fileId": 1}]}),
        Record("edge-impulse", "feature-importance", {"success": True, "hasFeatureImportance": 3}),
        Record("modzy", "job", {"jobIdentifier": "x"}),
    ],
    ids=lambda record: f"{record.format}-{record.kind}",
)
def test_records_are_read_back_before_they_are_written(record):
    assert conversion(record, record.format).startswith("refused: ")
    with pytest.raises(XplainError):
        to_document(record, record.format, lossy=True)
    assert from_document(to_document(record)) == record  # our own format holds any


def only_xplain_errors(document, format=None):
    problems = validate(document, format)
    try:
        from_document(document, format)
    except XplainError:
        assert problems
    else:
        assert problems == []


@given(strategies.json_values())
def test_any_json_is_read_or_refused(document):
    only_xplain_errors(document)
    for format in FORMATS:
        only_xplain_errors(document, format)


@given(data=st.data())
@relaxed
def test_golden_documents_with_any_json_in_them_are_read_or_refused(data):
    path = data.draw(st.sampled_from(golden.GOLDEN))
    document = golden.read(path)
    keys = data.draw(st.sampled_from(list(golden.places(document))))
    golden.at(document, keys[:-1])[keys[-1]] = data.draw(strategies.json_values())
    only_xplain_errors(document)
    only_xplain_errors(document, path.parent.name)
    if path.parent.name == "native" and not validate(document, "native"):
        jsonschema.Draft202012Validator(schema()).validate(document)


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text):
    try:
        loads(text)
    except DocumentError:
        assert validate_text(text)


@each_golden
def test_golden_documents_are_valid_and_claimed_by_one_format(path):
    text = path.read_bytes()
    assert validate_text(text) == []
    assert sniff(loads(text)) == path.parent.name


@each_golden
def test_golden_documents_survive(path):
    value = from_document(golden.read(path))
    rewritten = to_document(value, path.parent.name)
    assert from_document(rewritten) == value
    assert to_document(from_document(rewritten), path.parent.name) == rewritten
    assert from_document(to_document(value)) == value


@each_golden
def test_every_broken_field_is_named(path):
    document = golden.read(path)
    for keys in golden.places(document):
        broken = golden.broken(document, keys)
        only_xplain_errors(broken)
        problems = validate(broken, path.parent.name)
        # A wrong element of a list of numbers may be reported at the list.
        allowed = [golden.path(keys)] + ([golden.path(keys[:-1])] if isinstance(keys[-1], int) else [])
        assert [p for p in problems if p.path in allowed], (golden.path(keys), problems)


@each_golden
def test_a_deleted_field_is_missed_or_optional(path):
    document = golden.read(path)
    missed = 0
    for keys in golden.places(document):
        if isinstance(keys[-1], int):
            continue
        problems = validate(golden.deleted(document, keys), path.parent.name)
        missed += bool(problems)
        for problem in problems:
            assert problem.path.startswith(golden.path(keys[:-1])), (golden.path(keys), problem)
    assert missed


def test_every_problem_is_reported():
    document = golden.read(golden.DATA / "native" / "classification.json")
    places = [("source", "height"), ("predictions", 0, "score"), ("attributions", 1, "evidence", "shape", 0)]
    for keys in places:
        document = golden.broken(document, keys)
    assert [problem.path for problem in validate(document)] == [golden.path(keys) for keys in places]
    with refuses(DocumentError, "native document, $.source.height: ", "(and 2 more problems)"):
        from_document(document)


def test_unknown_names_are_refused():
    explanation = Explanation("image-classification", Source("image"))
    with refuses(UnknownNameError, "format must be one of native", "got 'modsy'; did you mean 'modzy'?"):
        to_document(explanation, "modsy")
    with refuses(UnknownNameError, "format must be one of"):
        from_document({}, "nothing")
    with refuses(UnknownNameError, "option of format 'native' must be one of quantize, got 'quantise'"):
        to_document(explanation, quantise=8)
    with refuses(InputError, "explanation must be an Explanation, Results or Record, got dict"):
        to_document({})
    with refuses(InputError, "format must be one that has a JSON Schema, got 'modzy'"):
        schema("modzy")


def test_a_document_must_be_claimed_by_exactly_one_format():
    claimed_twice = {"xplain": 1, "jobIdentifier": "x"}
    with refuses(DocumentError, "exactly one of the formats", "got native and modzy; pass format="):
        sniff(claimed_twice)
    with refuses(DocumentError, "got none"):
        from_document([])
    assert [problem.path for problem in validate({})] == ["$"]


def test_false_claims_are_refused_without_allocating():
    bombs = [
        {"kind": "mask", "height": 10**6, "width": 10**6, "counts": [10**12]},
        {"kind": "mask", "height": 65535, "width": 65535, "counts": [2**31, 2**31]},
        {"kind": "heatmap", "shape": [10**6, 10**6], "dtype": "float32", "data": ""},
        {"kind": "heatmap", "shape": [10**300, 10**300], "dtype": "float32", "data": ""},
        {"kind": "heatmap", "shape": [8000, 8000], "dtype": "float32", "data": "AAAA", "packing": "delta-zlib"},
    ]
    document = to_document(Explanation("image-classification", Source("image"), [Prediction("a", 1)]))
    tracemalloc.start()
    try:
        for bomb in bombs:
            document["attributions"] = [{"target": 0, "evidence": bomb}]
            (problem,) = validate(document)
            assert problem.path.startswith("$.attributions[0].evidence")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_depth_and_digits_are_bounded():
    deep = []
    for _ in range(10**6):
        deep = [deep]
    assert validate(deep)
    document = to_document(Explanation("image-classification", Source("image"), [Prediction("a", 1)]))
    document["predictions"][0]["attributes"] = {"deep": deep}
    (problem,) = validate(document)
    assert problem.path.startswith("$.predictions[0].attributes.deep[0]")
    assert problem.message == "must be nested at most 64 deep, got more"
    document["predictions"][0] = {"label": ["a"], "score": 10**100000}
    assert validate(document)[0].message == "must be a finite number, got an integer of 332193 bits"


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_one_front_door(format):
    module = importlib.import_module(f"xplain.formatters.{format.replace('-', '_')}.formatter")
    for name in module.__all__:
        assert hasattr(module, name)
    assert set(module.__all__) == {"CAPABILITIES", "HEAD", "ITEMS", "OWN", "decode", "encode", "notes", "sniff"}
    assert all(isinstance(layout, streaming.ItemLayout) for layout in module.ITEMS.values())
    assert (module.ITEMS is streaming.NO_ITEMS) == (module.HEAD is streaming.no_head)


@pytest.mark.parametrize("key", [0, None, ("a",)])
def test_names_of_fields_are_strings(key):
    document = golden.read(golden.DATA / "reinfer" / "predict.json")
    document["predictions"][0][0] = {**document["predictions"][0][0], key: 5}
    with refuses(DocumentError, "$.predictions[0][0]: must be an object with names that are strings"):
        from_document(document)
