"""Attributes may hold anything, also under the name of a format: whatever it is, it is written, left out or refused."""

import copy
import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import xplain
from tests.formatters import extras, golden
from tests.formatters.test_laws import capabilities_of, each_format
from tests.support import examples, refuses
from xplain.errors import DocumentError, FidelityError, XplainError
from xplain.explanation import Box, Explanation, Item, Prediction, Results, Source
from xplain.formatters import FORMATS, conversion, from_document, to_document, validate

CAT = Prediction("cat", 0.5)
IMAGE = Explanation("image-classification", Source("image"), [CAT])
BOXES = Explanation("object-detection", Source("image"), [Prediction("pump", 0.5, region=Box(0, 0, 0.5, 0.5))])
TEXT = Explanation("text-classification", Source("text", text="a b"), [CAT])

#: Options of formats beside their defaults.
OPTIONS = {"modzy": [{"edge": True}], "edge-impulse": [{"level": "seed"}], "native": [{"quantize": 8}]}


def holds_tasks(format, value):
    explanations = [value] if isinstance(value, Explanation) else [item.explanation for item in value.items]
    capabilities = capabilities_of(format)
    return capabilities is None or all(e.task in capabilities for e in explanations if e is not None)


def outcome(value, format, lossy, **options):
    """Write a value: return ``"written"`` if that gives a valid document, or the name of the refusal."""
    try:
        document = to_document(value, format, lossy=lossy, **options)
    except XplainError as error:
        return type(error).__name__
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert validate(document, format) == []
    assert to_document(value, format, lossy=lossy, **options) == document
    return "written"


@each_format
def test_any_extras_are_written_or_left_out_or_refused(format):
    outcomes = Counter()

    @given(extras.values(format), st.sampled_from(sorted(FORMATS)))
    @examples()
    def law(value, other):
        for target in {format, other}:
            strictly, lossily = outcome(value, target, lossy=False), outcome(value, target, lossy=True)
            if holds_tasks(target, value):
                assert lossily == "written", (target, lossily)
                assert strictly in ("written", "FidelityError"), (target, strictly)
            else:
                assert (strictly, lossily) == ("InputError", "InputError"), target
            said = conversion(value, target)
            assert said.startswith(
                {"FidelityError": "lossy: ", "InputError": "refused: "}.get(strictly, ("equal", "lossy"))
            )
            for options in OPTIONS.get(target, ()):
                with_options = outcome(value, target, lossy=True, **options)
                assert with_options == lossily, (target, options)
            event(f"{target}: strictly {strictly}, lossily {lossily}")
            outcomes[target == format, strictly, lossily] += 1

    law()
    of_format = Counter({key[1:]: count for key, count in outcomes.items() if key[0]})
    assert of_format.total() >= 20
    written = sum(count for (_, lossily), count in of_format.items() if lossily == "written")
    assert written >= of_format.total() / 3, outcomes
    if format == "native":
        assert {lossily for _, lossily in of_format} == {"written"}


@given(extras.values(), st.sampled_from(sorted(FORMATS)))
@examples()
def test_converting_ours_with_any_extras_is_writing_the_value(value, format):
    document = to_document(value, lossy=True)
    if holds_tasks(format, value):
        back = from_document(document)
        assert xplain.convert(document, format, lossy=True) == to_document(back, format, lossy=True)
    else:
        with refuses(XplainError, "task must be one of"):
            xplain.convert(document, format, lossy=True)


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"native"}))
@pytest.mark.parametrize("malformed", [5, [], "x", [[]], True])
def test_extras_that_are_no_object_are_a_loss(format, malformed):
    explanation = {"reinfer": TEXT, "cognite": BOXES}.get(format, IMAGE)
    item = Item("a", "successful", explanation=explanation)
    attributes = {format: malformed}
    for plain, spoilt in (
        (explanation, replace(explanation, attributes=attributes)),
        (Results("1", [item]), Results("1", [item], attributes=attributes)),
        (Results("1", [item]), Results("1", [replace(item, attributes=attributes)])),
    ):
        with refuses(FidelityError, f"attributes.{format}"):
            to_document(spoilt, format)
        assert to_document(spoilt, format, lossy=True) == to_document(plain, format, lossy=True)


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"native"}))
def test_null_instead_of_extras_is_no_loss(format):
    explanation = {"reinfer": TEXT, "cognite": BOXES}.get(format, IMAGE)
    spoilt = replace(explanation, attributes={format: None})
    assert to_document(spoilt, format, lossy=True) == to_document(explanation, format, lossy=True)


@pytest.mark.parametrize(
    ("attributes", "loss"),
    [
        ({"parameters": 5}, "attributes.cognite.parameters is left out"),
        (
            {"parameters": {"industrialObjectDetectionParameters": 5}},
            "attributes.cognite.parameters.industrialObjectDetectionParameters is left out",
        ),
        ({"failedItems": 5}, "attributes.cognite.failedItems is left out"),
        ({"status": []}, "attributes.cognite.status is left out"),
    ],
)
def test_malformed_extras_of_a_job_are_a_loss(attributes, loss):
    results = Results("1", [Item("a", "successful", explanation=BOXES)])
    value = replace(results, attributes={"cognite": attributes})
    with refuses(FidelityError, loss):
        to_document(value, "cognite")
    assert to_document(value, "cognite", lossy=True) == to_document(results, "cognite")


def test_malformed_extras_of_an_item_are_a_loss():
    results = Results("1", [Item("a", "successful", explanation=BOXES, attributes={"cognite": {"fileId": []}})])
    with refuses(FidelityError, "items[0].attributes.cognite.fileId is left out"):
        to_document(results, "cognite")
    assert to_document(results, "cognite", lossy=True)["items"][0]["fileId"] == -1


def test_extras_that_spoil_the_document_are_left_out_all_together():
    value = replace(IMAGE, attributes={"modzy": {"drift": 1, "item": {"status": "LOST"}}})
    loss = "attributes of 'modzy' are left out, since with them $.status must be one of 'FETCHING_DATA', "
    with refuses(FidelityError, loss):
        to_document(value, "modzy")
    assert to_document(value, "modzy", lossy=True) == to_document(IMAGE, "modzy")


def test_attributes_of_predictions_that_spoil_the_document_are_left_out_too():
    spoilt = replace(CAT, attributes={"maskRLE": [3]})
    with refuses(FidelityError, "all attributes are left out, since with them $.result.dimensions must be the size of"):
        to_document(replace(IMAGE, predictions=[spoilt]), "modzy")
    assert to_document(replace(IMAGE, predictions=[spoilt]), "modzy", lossy=True) == to_document(IMAGE, "modzy")


def test_extras_never_make_a_record_of_a_value():
    comment = golden.read(golden.DATA / "reinfer" / "annotated_comment.json")
    value = replace(Results("predict", [Item("a", "successful", explanation=TEXT)]), attributes={"reinfer": comment})
    with refuses(FidelityError, "attributes of 'reinfer' are left out, since with them $"):
        to_document(value, "reinfer")
    assert validate(to_document(value, "reinfer", lossy=True), "reinfer") == []


@pytest.mark.parametrize("name", ["classifications", "sample"])
def test_a_patch_may_remove_anything_from_the_result_of_a_sample(name):
    sample = from_document(golden.read(golden.DATA / "edge-impulse" / "sample.json"))
    patch = {**sample.attributes["edge-impulse"], name: None}
    document = to_document(replace(sample, attributes={"edge-impulse": patch}), "edge-impulse", lossy=True)
    assert validate(document, "edge-impulse") == []


def test_figures_that_are_null_are_no_figures():
    job = from_document(golden.read(golden.DATA / "edge-impulse" / "detection.json"))
    extras_of_job = job.attributes["edge-impulse"]
    spoilt = {**extras_of_job, "accuracy": {**extras_of_job["accuracy"], "accuracyScore": None}}
    document = to_document(replace(job, attributes={"edge-impulse": spoilt}), "edge-impulse", lossy=True)
    assert validate(document, "edge-impulse") == []


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({"cognite": 5}, "cognite must be an object, got 5"),
        ({"cognite": {"fileId": {}}}, "cognite.fileId must be an integer, got an object"),
        (
            {"edge-impulse": {"centroids": {"links": [{"prediction": {}}]}}},
            "links[0].prediction must be an integer >= 0",
        ),
        ({"edge-impulse": {"page": "yes"}}, "page must be true or false, got 'yes'"),
        ({"modzy": {"output": 5}}, "modzy.output must be a string, got 5"),
        ({"reinfer": {"uid": 5}}, "reinfer.uid must be a string, got 5"),
        ({"deepomatic": {"task": {"id": {}}}}, "deepomatic.task.id must be an integer or a string, got an object"),
    ],
)
def test_our_own_keys_are_typed_on_reading(attributes, wrong):
    explanation = replace(BOXES, attributes=attributes)
    item = Item("a", "successful", explanation=explanation, attributes=attributes)
    value = Results("j", [item], attributes=attributes)
    with refuses(FidelityError, wrong):
        to_document(value)
    document = to_document(replace(value, items=[replace(item, attributes={}, explanation=BOXES)], attributes={}))
    found = []
    for place in ((), ("items", 0), ("items", 0, "explanation")):
        spoilt = copy.deepcopy(document)
        golden.at(spoilt, place)["attributes"] = attributes
        found += validate(spoilt)
        if validate(spoilt):
            with refuses(DocumentError, wrong.partition(" ")[2]):
                from_document(spoilt)
    assert [
        str(problem).replace("['edge-impulse']", ".edge-impulse").replace(":", "")
        for problem in found
        if wrong in str(problem).replace("['edge-impulse']", ".edge-impulse").replace(":", "")
    ]
    assert from_document(to_document(value, lossy=True)).items[0].explanation == BOXES


def test_what_is_read_from_a_vendor_is_written_in_our_own_format():
    deep = 1
    for _ in range(40):
        deep = [deep]
    document = {"result": {"classPredictions": [{"class": "a", "score": 0.5, "more": deep}], "more": deep}, "x": deep}
    value = from_document(document)
    assert from_document(to_document(value)) == value
    assert to_document(value, "modzy")["x"] == deep
    for _ in range(24):
        deep = [deep]
    (problem,) = validate({"result": {"classPredictions": []}, "x": deep})
    assert problem.message == "must be nested at most 48 deep, got more"
