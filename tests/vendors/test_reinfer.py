"""Answers of a classifier to the requests of Re:infer."""

import numpy as np
import pytest

import xplain
from tests.formatters import golden
from tests.support import refuses
from xplain import DocumentError, InputError
from xplain.formatters import dumps, fit

WORDS = {("Order", "Missing"): "missing", ("Order", "Late"): "late", ("Thanks",): "thank"}


def count(texts):
    counts = [[text.lower().count(word) for word in WORDS.values()] for text in texts]
    return 1 - 0.5 ** (np.array(counts, float) + 0.1)


@pytest.fixture
def model():
    return xplain.TextClassifier(count, labels=list(WORDS), output="probability", multilabel=True)


def request(*bodies, **more):
    documents = [{"messages": [{"subject": {"text": "Hi"}, "body": {"text": body}}]} for body in bodies]
    return {"documents": documents, **more}


def labels(results, index=0):
    return [prediction.name for prediction in results.items[index].explanation.predictions]


def test_labels_above_the_threshold_are_returned_with_their_parents(model):
    results = xplain.answer(model, request("It is missing.", "Thank you 😀", threshold=0.25))
    assert labels(results) == ["Order", "Order > Missing"]
    assert labels(results, 1) == ["Thanks"]
    assert [item.name for item in results.items] == ["documents[0]", "documents[1]"]
    assert results.items[0].explanation.source.text is None
    document = xplain.to_document(results, "reinfer")
    assert [[label["name"] for label in returned] for returned in document["predictions"]] == [
        [["Order"], ["Order", "Missing"]],
        [["Thanks"]],
    ]
    assert xplain.from_document(document) == results


def test_labels_are_those_that_are_asked_for(model):
    asked = request("missing", labels=[{"name": ["Thanks"], "threshold": 0.0}, {"name": ["Order"]}])
    assert labels(xplain.answer(model, asked)) == ["Order", "Thanks"]


def test_raw_emails_become_comments(model):
    asked = golden.read(golden.DATA / "reinfer" / "raw_emails_request.json")
    asked["documents"][0]["raw_email"]["body"] = {"plain": "Parcel is late.\n\n> Where is it?\n\n-- \nAlice"}
    results = xplain.answer(model, asked)
    document = xplain.to_document(results, "reinfer")
    first = document["comments"][0]
    assert first["id"] == "abc123"
    assert first["messages"][0]["body"]["text"] == "Parcel is late."
    assert first["messages"][0]["from"] == "alice@example.com"
    assert first["attachments"] == [{"name": "a.pdf", "size": 1000, "content_type": "application/pdf"}]
    assert labels(results) == ["Order", "Order > Late"]
    assert document["comments"][1]["messages"][0]["to"] == ["bob@example.org", "carol@example.org"]
    assert xplain.from_document(document) == fit(results, "reinfer")


def test_times_without_a_zone_are_left_out(model):
    body = "late\n\nOn Fri, Jan 2, 2026 at 3:04 PM Bob <b@example.com> wrote:\n> Hello\n"
    raw = {"body": {"plain": body}, "headers": {"raw": "Subject: Hi"}}
    assert xplain.comment_from_raw_email(raw).messages[1].sent_at == "2026-01-02T15:04:00"
    asked = {"documents": [{"raw_email": raw}], "transform_tag": "generic.0.CONVKER5", "include_comments": True}
    (comment,) = xplain.to_document(xplain.answer(model, asked), "reinfer")["comments"]
    assert comment["messages"][1] == {"from": "Bob <b@example.com>", "body": {"text": "Hello"}}


def test_labels_are_explained_in_the_places_of_the_vendor(model):
    results = xplain.answer(model, request("😀 it is missing", threshold=0.5), method="occlusion")
    (attribution,) = results.items[0].explanation.attributions
    assert attribution.target.label == ("Order", "Missing")
    assert max(attribution.evidence.words, key=lambda word: word.score).text == "missing"
    document = xplain.to_document(results, "reinfer")
    (interpretation,) = document["interpretations"][0]
    spans = [
        (group["content_part"], span)
        for group in interpretation["interpretation"]
        for span in group["spans"]
        if span["importance"] > 0
    ]
    ((part, span),) = spans
    assert part == "body"
    assert "😀 it is missing"[span["char_start"] : span["char_end"]] == "missing"
    encoded = "😀 it is missing".encode("utf-16-le")
    assert encoded[span["utf16_byte_start"] : span["utf16_byte_end"]].decode("utf-16-le") == "missing"
    assert dumps(xplain.to_document(xplain.from_document(document), "reinfer")) == dumps(document)


def test_nothing_is_asked_and_nothing_is_answered(model):
    assert xplain.answer(model, {"documents": []}).items == ()


def test_what_cannot_be_answered_is_refused(model):
    with refuses(InputError, "request must have numbers as thresholds, got 'auto'"):
        xplain.answer(model, request("a", threshold="auto"))
    with refuses(InputError, "request must be a predict request or one with raw e-mails, got predict-comments-request"):
        xplain.answer(model, {"uids": ["18ba5ce699f8da1f.0001"]})
    with refuses(InputError, "request must be a predict request or one with raw e-mails, got a response"):
        xplain.answer(model, {"status": "ok", "predictions": [], "model": None})
    with refuses(DocumentError, "$.documents[0].messages[0].body"):
        xplain.answer(model, {"documents": [{"messages": [{}]}]})
