"""Requests, comments and validation figures of Re:infer."""

import copy

import pytest

from tests.formatters import golden
from tests.support import refuses
from xplain.errors import DocumentError
from xplain.formatters import from_document, sniff, to_document, validate

KINDS = {
    "predict_request": "predict-request",
    "raw_emails_request": "predict-raw-emails-request",
    "comments_request": "predict-comments-request",
    "annotated_comment": "annotated-comment",
    "interpretation": "interpretation",
    "validation": "validation",
}


def document(name):
    return golden.read(golden.DATA / "reinfer" / f"{name}.json")


def changed(name, *keys, value):
    whole = copy.deepcopy(document(name))
    golden.at(whole, keys[:-1])[keys[-1]] = value
    return whole


def problems(name, *keys, value):
    return [str(problem) for problem in validate(changed(name, *keys, value=value), "reinfer")]


@pytest.mark.parametrize("name", KINDS)
def test_each_object_is_kept_as_it_stands(name):
    assert sniff(document(name)) == "reinfer"
    record = from_document(document(name))
    assert (record.format, record.kind, record.fields) == ("reinfer", KINDS[name], document(name))
    assert to_document(record, "reinfer") == document(name)
    assert from_document(to_document(record)) == record


def test_a_stored_comment_is_one_without_labels():
    stored = document("annotated_comment")["comment"]
    assert from_document(stored).kind == "comment"
    stored["messages"][0]["body"]["text_markup"] = [{"kind": "paragraph", "children": [{"kind": "break"}]}]
    assert from_document(stored).fields == stored
    del stored["timestamp"]
    assert [problem.path for problem in validate(stored)] == ["$.timestamp"]


DOCUMENT = ("documents", 0)
MESSAGE = (*DOCUMENT, "messages", 0)


@pytest.mark.parametrize(
    ("name", "keys", "value", "problem"),
    [
        (
            "predict_request",
            ("documents",),
            [{}] * 4097,
            "$.documents: must be an array of at most 4096, got an array of 4097",
        ),
        (
            "predict_request",
            (*DOCUMENT, "messages"),
            [{"body": {"text": ""}}] * 2049,
            "$.documents[0].messages: must be an array of at most 2048, got an array of 2049",
        ),
        (
            "predict_request",
            (*MESSAGE, "body", "text"),
            "a" * 65_537,
            "$.documents[0].messages[0].body.text: must be at most 65536 characters, got a string of 65537 characters",
        ),
        (
            "predict_request",
            (*MESSAGE, "signature", "text"),
            "a" * 65_537,
            "$.documents[0].messages[0].signature.text: must be at most 65536 characters, got a string of 65537",
        ),
        (
            "predict_request",
            (*MESSAGE, "from"),
            "",
            "$.documents[0].messages[0].from: must be 1 to 512 characters, got ''",
        ),
        (
            "predict_request",
            (*MESSAGE, "to", 0),
            "a" * 513,
            "$.documents[0].messages[0].to[0]: must be 1 to 512 characters, got a string of 513 characters",
        ),
        (
            "predict_request",
            (*MESSAGE, "to"),
            ["a"] * 2049,
            "$.documents[0].messages[0].to: must be an array of at most 2048, got an array of 2049",
        ),
        (
            "predict_request",
            (*DOCUMENT, "text_format"),
            "html",
            "$.documents[0].text_format: must be one of 'plain', 'markdown', got 'html'",
        ),
        (
            "predict_request",
            (*DOCUMENT, "timestamp"),
            "2026-01-09",
            "$.documents[0].timestamp: must be an ISO 8601 time with a zone",
        ),
        ("predict_request", ("threshold",), 1.5, "$.threshold: must be a number from 0 to 1 or 'auto', got 1.5"),
        ("predict_request", ("threshold",), "high", "$.threshold: must be a number from 0 to 1 or 'auto', got 'high'"),
        (
            "predict_request",
            ("labels",),
            [{"name": ["a"]}] * 4097,
            "$.labels: must be an array of at most 4096, got an array of 4097",
        ),
        (
            "predict_request",
            ("labels", 0, "name"),
            [],
            "$.labels[0].name: must be an array of 1 to 64, got an array of 0",
        ),
        (
            "predict_request",
            ("labels", 0, "name"),
            ["a"] * 65,
            "$.labels[0].name: must be an array of 1 to 64, got an array of 65",
        ),
        ("predict_request", ("labels", 0, "name", 0), "", "$.labels[0].name[0]: must be 1 to 64 characters, got ''"),
        (
            "predict_request",
            ("labels", 0, "name", 0),
            "a" * 65,
            "$.labels[0].name[0]: must be 1 to 64 characters, got a string of 65",
        ),
        (
            "predict_request",
            ("labels", 1, "threshold"),
            -1,
            "$.labels[1].threshold: must be a number from 0 to 1, got -1",
        ),
        (
            "comments_request",
            ("uids",),
            ["18ba5ce699f8da1f.1"] * 4097,
            "$.uids: must be an array of at most 4096, got an array of 4097",
        ),
        (
            "comments_request",
            ("uids", 1),
            "0001",
            "$.uids[1]: must be the 16 hexadecimal digits of a source, a full stop and",
        ),
        (
            "comments_request",
            ("uids", 1),
            "18BA5CE699F8DA1F.1",
            "$.uids[1]: must be the 16 hexadecimal digits of a source",
        ),
    ],
)
def test_limits_of_requests(name, keys, value, problem):
    assert problems(name, *keys, value=value)[0].startswith(problem)


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        (
            {"illegal:x": "y"},
            "['illegal:x']: must be named string:... or number:..., as its value is, got the name 'illegal:x'",
        ),
        ({"x": "y"}, ".x: must be named string:... or number:..., as its value is, got the name 'x'"),
        ({"string:x": 18.0}, "['string:x']: must be a string, got 18.0"),
        ({"number:x": "18"}, "['number:x']: must be a finite number, got '18'"),
    ],
)
def test_names_of_properties_begin_with_their_type(properties, problem):
    path = "$.documents[0].user_properties"
    assert problems("predict_request", *DOCUMENT, "user_properties", value=properties) == [path + problem]
    assert problems("raw_emails_request", *DOCUMENT, "user_properties", value=properties) == [path + problem]
    assert problems("predict_request", *DOCUMENT, "user_properties", value={"number:x": 7, "string:": ""}) == []


EMAIL = (*DOCUMENT, "raw_email")


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (("body",), {}, ".body: must have exactly one of plain, html, got none"),
        (("body",), {"plain": "a", "html": "b"}, ".body: must have exactly one of plain, html, got plain and html"),
        (("headers",), {}, ".headers: must have exactly one of raw, parsed, got none"),
        (("headers",), {"raw": "", "parsed": {}}, ".headers: must have exactly one of raw, parsed, got raw and parsed"),
        (("headers",), {"parsed": {"To": [1]}}, ".headers.parsed.To: must be a string or a non-empty array of strings"),
        (("headers",), {"raw": "a" * 65_537}, ".headers.raw: must be at most 65536 characters, got a string of 65537"),
        (("body",), {"plain": "a" * 65_537}, ".body.plain: must be at most 65536 characters, got a string of 65537"),
        (("body",), {"html": "a" * 33_554_433}, ".body.html: must be at most 33554432 characters, got a string of"),
        (("attachments",), [{}] * 129, ".attachments: must be an array of at most 128, got an array of 129"),
        (("attachments", 0, "size"), -1, ".attachments[0].size: must be an integer >= 0, got -1"),
    ],
)
def test_raw_emails_have_one_body_and_one_kind_of_headers(keys, value, problem):
    assert problems("raw_emails_request", *EMAIL, *keys, value=value)[0].startswith(
        "$.documents[0].raw_email" + problem
    )


def test_a_request_with_raw_emails_is_recognised_by_its_tag_or_by_an_email():
    request = document("raw_emails_request")
    del request["transform_tag"]
    assert [str(problem) for problem in validate(request)] == ["$.transform_tag: must be a string, got nothing"]
    for request in (document("raw_emails_request") | {"documents": []}, {"documents": []}, {"uids": []}):
        (problem,) = validate(request)
        assert problem.message == "must be an array that is not empty, got an array of 0"


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"num_labels": 4}, "$.validation.num_labels", "must be 3, the number of labels, got 4"),
        (
            {"labels": [{"name": "A > B", "parts": ["A", "B"]}], "num_labels": 1, "num_red_labels": 0},
            "$.validation.labels",
            "must list 'A' too, the parent of 'A > B'",
        ),
        (
            {"labels": [{"name": "A", "parts": ["A"]}] * 2, "num_labels": 2},
            "$.validation.labels[1].name",
            "must be listed once, got 'A'",
        ),
    ],
)
def test_the_taxonomy_of_a_validation_is_whole(change, path, message):
    broken = document("validation")
    broken["validation"] |= change
    (problem,) = validate(broken)
    assert (problem.path, problem.message) == (path, message)


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (("num_amber_labels",), 4, "$.validation.num_amber_labels: must be at most num_labels, 3, got 4"),
        (
            ("num_red_labels",),
            3,
            "$.validation.num_red_labels: must be at most num_labels, 3, less num_amber_labels, 1, got 3",
        ),
        (("dataset_score",), 101, "$.validation.dataset_score: must be an integer from 0 to 100, got 101"),
        (("coverage",), 1.01, "$.validation.coverage: must be a number from 0 to 1, got 1.01"),
        (
            ("mean_average_precision_safe",),
            -0.5,
            "$.validation.mean_average_precision_safe: must be a number from 0 to 1",
        ),
        (("balance_quality",), "bad", "$.validation.balance_quality: must be one of 'none', 'poor', 'average', 'good'"),
        (
            ("labels", 1, "name"),
            "Missing",
            "$.validation.labels[1].name: must be the parts joined, 'Order > Missing', got",
        ),
    ],
)
def test_figures_of_a_validation_are_checked(keys, value, problem):
    assert problems("validation", "validation", *keys, value=value)[0].startswith(problem)


@pytest.mark.parametrize("key", ["mean_average_precision_safe", "balance", "coverage", "coverage_quality"])
def test_figures_that_are_not_known_are_null_and_not_missing(key):
    assert problems("validation", "validation", key, value=None) == []
    missing = document("validation")
    del missing["validation"][key]
    assert [problem.path for problem in validate(missing)] == [f"$.validation.{key}"]


def test_contributions_of_labels_may_be_missing_as_a_whole():
    keys = ("label_properties", 0, "breakdown")
    assert problems("annotated_comment", *keys, value=None) == []
    assert problems("annotated_comment", *keys, value={"label_contributions": []}) == [
        "$.label_properties[0].breakdown.other_group_contributions: must be an array, got nothing"
    ]
    assert problems("annotated_comment", "labelling", 0, "assigned", 0, "sentiment", value="angry")[0].endswith(
        "must be one of 'positive', 'negative', got 'angry'"
    )


@pytest.mark.parametrize("nonsense", [{}, {"status": "ok"}, {"comment": "a"}, {"message": "a"}, {"documents": 1}])
def test_what_is_none_of_them_is_refused(nonsense):
    with refuses(DocumentError, "reinfer document, $"):
        from_document(nonsense, "reinfer")
