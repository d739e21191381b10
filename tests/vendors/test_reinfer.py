"""Answers of a classifier to the requests of Re:infer."""

import numpy as np
import pytest

import xplain
from tests.formatters import golden
from tests.support import refuses
from xplain import DocumentError, InputError
from xplain.formatters import dumps, fit
from xplain.quality.validation import validation_statistics
from xplain.vendors.reinfer import validation_response

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


def test_what_cannot_be_answered_is_refused(model):
    with refuses(InputError, "request must be a predict request, one with raw e-mails or one by uids, got a response"):
        xplain.answer(model, {"status": "ok", "predictions": [], "model": None})
    with refuses(DocumentError, "$.documents[0].messages[0].body"):
        xplain.answer(model, {"documents": [{"messages": [{}]}]})
    with refuses(DocumentError, "$.labels[1].name: must be a label of the model, got 'Order > Lost'"):
        xplain.answer(model, request("a", labels=[{"name": ["Order"]}, {"name": ["Order", "Lost"]}]))
    with refuses(InputError, "version and time must be given together, got 3 and None"):
        xplain.answer(model, request("a"), version=3)
    with refuses(InputError, "time must be an ISO 8601 time with a zone, got '2026-01-02'"):
        xplain.answer(model, request("a"), version=3, time="2026-01-02")


# Comments only when they are asked for.


def raw_emails(**more):
    asked = golden.read(golden.DATA / "reinfer" / "raw_emails_request.json")
    return {**asked, **more}


@pytest.mark.parametrize("include", [False, None])
def test_comments_that_are_not_asked_for_do_not_come_back(model, include):
    results = xplain.answer(model, raw_emails(include_comments=include))
    assert results.items[0].name == "abc123"
    document = xplain.to_document(results, "reinfer")
    assert "comments" not in document
    assert document["names"][0] == "abc123"
    assert xplain.from_document(document) == results


def test_a_response_has_the_keys_of_the_vendor_in_their_order(model):
    results = xplain.answer(model, raw_emails(), version=5, time="2026-02-06T20:42:58Z")
    document = xplain.to_document(results, "reinfer")
    expected = ["status", "comments", "predictions", "entities", "label_properties", "model"]
    assert list(document) == expected
    assert document["entities"] == document["label_properties"] == [[], []]
    assert document["model"] == {"version": 5, "time": "2026-02-06T20:42:58Z"}


# Automatic thresholds.


def test_automatic_thresholds_are_those_given(model):
    thresholds = {("Order", "Missing"): {"high_recall": 0.1, "balanced": 0.5, "high_precision": 0.9}, "Thanks": 0.5}
    thresholds[("Order", "Late")] = 0.9
    results = xplain.answer(model, request("missing, late", "thank you", threshold="auto"), thresholds=thresholds)
    assert labels(results) == ["Order", "Order > Missing"]
    assert labels(results, 1) == ["Thanks"]
    returned = xplain.to_document(results, "reinfer")["predictions"]
    assert returned[0][1]["auto_thresholds"] == ["high_recall", "balanced"]
    assert returned[1][0]["auto_thresholds"] == ["balanced"]
    one = request("thank you", labels=[{"name": ["Thanks"], "threshold": "auto"}])
    with refuses(DocumentError, "$.labels[0].threshold: must be a number from 0 to 1"):
        xplain.answer(model, one, thresholds=thresholds)
    with refuses(InputError, "thresholds must hold one for 'Order > Late', which is asked for by 'auto', got none"):
        xplain.answer(model, request("a", threshold="auto"), thresholds={"Thanks": 0.5, ("Order", "Missing"): 0.5})
    with refuses(InputError, "thresholds must be of labels of the model, got 'Order > Lost'"):
        xplain.answer(model, request("a"), thresholds={("Order", "Lost"): 0.5})
    named = {"Order > Missing": thresholds["Order", "Missing"], "Order > Late": 0.9, "Thanks": 0.5}
    assert xplain.answer(model, request("missing, late", "thank you", threshold="auto"), thresholds=named) == results
    for limit in (5, -0.1, {"balanced": 1.5}):
        with refuses(InputError, "thresholds['Thanks'] must be between 0 and 1"):
            xplain.answer(model, request("a", threshold="auto"), thresholds={"Thanks": limit})


# Stored comments by their uids.

UIDS = ["18ba5ce699f8da1f.0001", "18ba5ce699f8da1f.0002"]


def test_stored_comments_are_answered_by_their_uids(model):
    stored = golden.read(golden.DATA / "reinfer" / "annotated_comment.json")["comment"]
    comments = {UIDS[0]: "It is missing.", UIDS[1]: stored}
    results = xplain.answer(model, {"uids": UIDS, "threshold": 0.5}, comments=comments)
    assert results.job == "predict-comments"
    document = xplain.to_document(results, "reinfer")
    assert [prediction["uid"] for prediction in document["predictions"]] == UIDS
    first = document["predictions"][0]
    assert list(first) == ["uid", "labels", "entities", "label_properties"]
    assert [label["name"] for label in first["labels"]] == [["Order"], ["Order", "Missing"]]
    assert xplain.from_document(document) == results
    twice = xplain.answer(model, {"uids": UIDS[:1] * 2}, comments=comments)
    assert [p["uid"] for p in xplain.to_document(twice, "reinfer")["predictions"]] == UIDS[:1] * 2
    with refuses(DocumentError, "$.uids[1]: must be the uid of a stored comment, got '18ba5ce699f8da1f.0002'"):
        xplain.answer(model, {"uids": UIDS}, comments={UIDS[0]: "a"})
    with refuses(InputError, "comments must be given for a request by uids, got none"):
        xplain.answer(model, {"uids": UIDS})
    with refuses(InputError, "must be a Comment, a str or the document of a comment, got 5"):
        xplain.answer(model, {"uids": UIDS[:1]}, comments={UIDS[0]: 5})
    with refuses(InputError, "comments must be a mapping of uids to comments, got ["):
        xplain.answer(model, {"uids": UIDS[:1]}, comments=["a"])
    for messages, place in (("a", ".messages"), ([{"body": 5}], ".messages[0].body"), ([5], ".messages[0]")):
        with refuses(InputError, f"comments['{UIDS[0]}']{place} must be an "):
            xplain.answer(model, {"uids": UIDS[:1]}, comments={UIDS[0]: {"messages": messages}})


# User properties.


def test_user_properties_that_conflict_with_those_of_the_mail_are_refused(model):
    asked = raw_emails()
    generated = xplain.to_document(xplain.answer(model, asked), "reinfer")["comments"][0]["user_properties"]
    assert generated["string:Sender"] == "alice@example.com"
    assert generated["string:Sender Domain"] == "example.com"
    asked["documents"][0]["user_properties"] = {"string:Sender": "alice@example.com", "string:City": "London"}
    again = xplain.to_document(xplain.answer(model, asked), "reinfer")["comments"][0]["user_properties"]
    assert (again["string:Sender"], again["string:City"]) == ("alice@example.com", "London")
    asked["documents"][0]["user_properties"]["string:Sender"] = "eve@example.com"
    path = "$.documents[0].user_properties['string:Sender']"
    with refuses(DocumentError, path, "must be 'alice@example.com', which is generated from the mail (422"):
        xplain.answer(model, asked)


# Validation statistics.


def test_validation_statistics_are_written_as_the_response_of_the_vendor():
    names = [("Order", "Late"), ("Order", "Missing"), ("Thanks",)]
    scores = [[0.9, 0.2, 0.1], [0.1, 0.8, 0.3], [0.2, 0.1, 0.9]]
    statistics = validation_statistics([[name] for name in names], scores, names, [40, 5, 30])
    record = validation_response(statistics, version=7)
    document = xplain.to_document(record, "reinfer")
    assert xplain.validate(document) == []
    assert document["status"] == "ok"
    validation = document["validation"]
    assert validation["labels"] == [
        {"name": "Order", "parts": ["Order"]},
        {"name": "Order > Late", "parts": ["Order", "Late"]},
        {"name": "Order > Missing", "parts": ["Order", "Missing"]},
        {"name": "Thanks", "parts": ["Thanks"]},
    ]
    assert (validation["num_labels"], validation["num_reviewed_comments"], validation["version"]) == (4, 3, 7)
    assert (validation["num_red_labels"], validation["dataset_score"]) == (statistics.num_red, statistics.dataset_score)
    assert (validation["balance"], validation["balance_quality"]) == (None, None)
    schema = golden.read(golden.DATA / "reinfer" / "validation.json")["validation"]
    assert set(validation) == set(schema) - {"entities"}
    with refuses(InputError, "version must be an integer"):
        validation_response(statistics, version="live")


# Each text is split into tokens once, and texts share batches.


def test_each_text_is_tokenised_once_and_texts_share_batches():
    torch = pytest.importorskip("torch")
    calls, batches = [], []

    class Net(torch.nn.Module):
        def forward(self, ids):
            batches.append(len(ids))
            return ids.double().sum(1, keepdim=True) / 100

    def tokenize(text):
        calls.append(text)
        words = text.split()
        starts = [text.index(word) for word in words]
        return [len(word) for word in words], [(s, s + len(w)) for s, w in zip(starts, words, strict=True)]

    model = xplain.TextClassifier(Net(), tokenize, labels=["long"])
    bodies = [f"one {'x' * i} two" for i in range(1, 40)]
    many = xplain.answer(model, {"documents": [{"messages": [{"body": {"text": b}}]} for b in bodies], "threshold": 0})
    assert sorted(calls) == sorted(bodies)
    assert batches == [39]
    alone = xplain.answer(model, {"documents": [{"messages": [{"body": {"text": bodies[5]}}]}], "threshold": 0})
    assert alone.items[0].explanation.predictions == many.items[5].explanation.predictions
