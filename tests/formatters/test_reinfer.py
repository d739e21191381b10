"""Responses of Re:infer."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formatters import golden
from tests.support import examples, refuses
from xplain.errors import DocumentError, FidelityError
from xplain.explanation import (
    Attribution,
    Explanation,
    Item,
    Part,
    Prediction,
    Record,
    Results,
    Source,
    Span,
    Word,
    WordScores,
)
from xplain.explanation.parts import in_text, join
from xplain.formatters import fit, from_document, sniff, to_document, validate
from xplain.formatters.reinfer.formatter import cut_to_request

relaxed = examples()
MODEL = {"version": 5, "time": "2026-02-06T20:42:58.047000Z"}
PARTS = ("subject", "body", "signature")
PAYMENT = "Hi,\n\nPlease pay £100.00 to Ann Smith, account 12345678, sort 🏦 03-03-03."


def document(name):
    return golden.read(golden.DATA / "reinfer" / f"{name}.json")


def explained(results):
    (item,) = results.items
    return item.explanation


def extras(explanation):
    return explanation.attributes["reinfer"]


def place(text, word, content_part="body", message=0):
    start = text.index(word)
    utf16 = [len(text[:at].encode("utf-16-le")) for at in (start, start + len(word))]
    counted = dict(zip(("utf16_byte_start", "utf16_byte_end"), utf16, strict=True))
    where = {"content_part": content_part, "message_index": message}
    return {**where, "char_start": start, "char_end": start + len(word), **counted}


def entity(*places, **more):
    fields = {"id": "0f1e", "name": "sort-code", "kind": "sort-code", "formatted_value": "03-03-03"}
    return {**fields, "span": places[0], "spans": list(places), "probability": None, "capture_ids": [], **more}


def comment(*messages, id="0001"):
    texts = [{part: {"text": text} for part, text in message.items()} for message in messages]
    fields = {"timestamp": "2026-01-09T16:34:45Z", "user_properties": {}, "text_format": "plain", "attachments": []}
    return {"id": id, "messages": texts, "thread_id": None, **fields}


def response(*labels, **more):
    return {"status": "ok", "predictions": list(labels), "model": None, **more}


# Labels.


def test_labels_are_paths_in_the_order_of_the_documents():
    results = from_document(document("predict"))
    first, second = (item.explanation for item in results.items)
    assert [item.name for item in results.items] == ["documents[0]", "documents[1]"]
    assert {item.status for item in results.items} == {"successful"}
    billing, charged = first.predictions[:2]
    assert (billing.label, billing.score) == (("Billing",), 0.9375)
    assert billing.attributes == {"sentiment": -0.5, "auto_thresholds": ["high_recall", "balanced", "sampled_3"]}
    assert (charged.label, charged.score) == (("Billing", "Charged Twice"), 0.75)
    assert second.predictions == ()
    assert results.attributes["reinfer"] == {"model": MODEL}
    assert to_document(results, "reinfer") == document("predict")


def test_a_joined_name_is_a_path():
    joined = from_document(response([{"name": "Order > Missing > A > B", "probability": 1}]))
    assert explained(joined).predictions[0].label == ("Order", "Missing", "A", "B")
    assert to_document(joined, "reinfer")["predictions"] == [
        [{"name": ["Order", "Missing", "A", "B"], "probability": 1.0}]
    ]


def test_a_parent_may_be_less_probable_than_its_child():
    labels = [{"name": ["Order"], "probability": 0.25}, {"name": ["Order", "Missing"], "probability": 0.5}]
    assert validate(response(labels)) == []


@pytest.mark.parametrize(
    ("label", "path", "message"),
    [
        (
            {"name": [], "probability": 0.5},
            ".name",
            "must be a string or a non-empty array of strings, got an array of 0",
        ),
        ({"name": ["A"], "probability": 1.5}, ".probability", "must be a number from 0 to 1, got 1.5"),
        ({"name": ["A"], "probability": True}, ".probability", "must be a number from 0 to 1, got true"),
        ({"name": ["A"], "probability": 1, "sentiment": -2}, ".sentiment", "must be a number from -1 to 1, got -2"),
        (
            {"name": ["A"], "probability": 1, "auto_thresholds": ["high"]},
            ".auto_thresholds[0]",
            "must be one of 'high_recall', 'balanced', 'high_precision', 'sampled_<number>', got 'high'",
        ),
    ],
)
def test_labels_that_are_none_are_refused(label, path, message):
    with refuses(DocumentError, f"reinfer document, $.predictions[0][0]{path}: {message}"):
        from_document(response([label]))


def test_an_absent_model_is_not_no_model():
    missing = response([])
    del missing["model"]
    assert [problem.path for problem in validate(missing)] == ["$.model"]
    assert from_document(response([])).attributes == {}


def test_properties_are_listed_for_each_document_or_for_the_only_one():
    tone = {"property_id": "0000000000000001", "property_name": "tone", "value": -1.21}
    nested = from_document(response([], label_properties=[[tone]]))
    assert extras(explained(nested)) == {"label_properties": [tone]}
    assert from_document(response([], label_properties=[tone])) == nested
    assert to_document(nested, "reinfer")["label_properties"] == [[tone]]
    # Of which of two documents it is, nobody knows.
    unknown = from_document(response([], [], label_properties=[tone]))
    assert unknown.attributes == {"reinfer": {"label_properties": [tone]}}
    assert [item.explanation.attributes for item in unknown.items] == [{}, {}]
    assert from_document(to_document(unknown, "reinfer")) == unknown
    without_documents = from_document(response(label_properties=[tone]))
    assert without_documents.attributes == {"reinfer": {"label_properties": [tone]}}
    assert to_document(without_documents, "reinfer")["label_properties"] == [tone]
    assert [p.path for p in validate(response([], label_properties=[[{**tone, "property_id": "1"}]]))] == [
        "$.label_properties[0][0].property_id"
    ]


@pytest.mark.parametrize("key", ["entities", "label_properties", "sentiment", "comments", "interpretations"])
def test_lists_are_as_long_as_the_predictions(key):
    with refuses(DocumentError, f"$.{key}: must be an array of 1, as many as predictions, got an array of 0"):
        from_document(response([], **{key: []}))


# Entities.


def test_a_span_counts_code_points_and_utf16_bytes():
    sort_code = entity(place(PAYMENT, "03-03-03"))
    start = sort_code["span"]["char_start"]
    assert sort_code["span"]["utf16_byte_start"] == 2 * start + 2  # after the bank
    results = from_document(response([], entities=[[sort_code]], comments=[comment({"body": PAYMENT})]))
    explanation = explained(results)
    (prediction,) = explanation.predictions
    assert prediction == Prediction(
        "sort-code",
        1.0,
        region=Span(start, start + 8, part="messages[0].body"),
        id="0f1e",
        attributes={"unscored": True},
    )
    assert explanation.source.text[slice(*in_text(explanation.source, prediction.region))] == "03-03-03"
    assert to_document(results, "reinfer")["entities"] == [[sort_code]]


def test_places_are_kept_where_the_text_is_not_known():
    money, code = from_document(document("predict")).items[0].explanation.predictions[2:]
    assert (money.region, money.score, money.id) == (Span(6, 10, part="messages[0].body"), 1.0, "0f5d")
    assert money.attributes == {"formatted_value": "100.00 GBP", "unscored": True, "utf16_bytes": [14, 22]}
    assert (code.name, code.score, code.region) == ("uk-sort-code", 0.5, Span(32, 40, part="messages[0].body"))
    assert code.attributes == {
        "kind": "sort-code",
        "formatted_value": "03-03-03",
        "capture_ids": [0, 2],
        "utf16_bytes": [66, 82],
        "further_spans": [{"part": "messages[0].body", "start": 32, "stop": 34, "utf16_bytes": [66, 70]}],
    }


def test_an_entity_is_in_any_part_of_any_message():
    newer = {"subject": "Order A-7", "body": "It is lost.", "signature": "🙂 A-7"}
    older = {"body": "A-7 was sent."}
    places = [place(newer[part], "A-7", part) for part in ("subject", "signature")] + [
        place(older["body"], "A-7", message=1)
    ]
    results = from_document(response([], entities=[[entity(*places)]], comments=[comment(newer, older)]))
    source = explained(results).source
    assert source.text == "Order A-7\n\nIt is lost.\n\n🙂 A-7\n\nA-7 was sent."
    assert [part.name for part in source.parts] == [
        "messages[0].subject",
        "messages[0].body",
        "messages[0].signature",
        "messages[1].body",
    ]
    (prediction,) = explained(results).predictions
    assert prediction.region == Span(6, 9, part="messages[0].subject")
    assert prediction.attributes["further_spans"] == [
        {"part": "messages[0].signature", "start": 2, "stop": 5},
        {"part": "messages[1].body", "start": 0, "stop": 3},
    ]
    assert to_document(results, "reinfer")["entities"] == [[entity(*places)]]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"char_end": 3}, ".char_end", "must be at least char_start, 6, got 3"),
        ({"utf16_byte_start": 13}, ".utf16_byte_start", "must be an even number of bytes, got 13"),
        ({"utf16_byte_start": 10}, ".utf16_byte_start", "must be 2 to 4 bytes for each of 6 code points, got 10 bytes"),
        (
            {"utf16_byte_end": 14},
            ".utf16_byte_end",
            "2 to 4 bytes for each of 4 code points after the start, got 0 bytes",
        ),
        ({"content_part": "title"}, ".content_part", "must be one of 'subject', 'body', 'signature', got 'title'"),
        ({"message_index": 2048}, ".message_index", "must be an integer from 0 to 2047, got 2048"),
    ],
)
def test_places_that_cannot_be_are_refused(changes, path, message):
    broken = document("predict")
    broken["entities"][0][0]["spans"][0] |= changes
    with refuses(DocumentError, f"$.entities[0][0].spans[0]{path}: ", message):
        from_document(broken)


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        (
            {"utf16_byte_start": 12, "utf16_byte_end": 18},
            ".utf16_byte_start",
            "must be 10, where code point 3 begins, got 12",
        ),
        ({"utf16_byte_end": 18}, ".utf16_byte_end", "must be 16, where code point 6 begins, got 18"),
        (
            {"char_end": 7, "utf16_byte_end": 18},
            ".char_end",
            "must be at most 6, the length of messages[0].body, got 7",
        ),
        (
            {"content_part": "subject"},
            ".content_part",
            "must be a part of the comment that has a text, unlike messages[0].subject, got 'subject'",
        ),
    ],
)
def test_places_are_checked_against_the_text(changes, path, message):
    text = "🙂🙂 A-7"
    span = {**place(text, "A-7"), **changes}
    broken = response([], entities=[[entity(span)]], comments=[comment({"body": text})])
    with refuses(DocumentError, f"$.entities[0][0].spans[0]{path}: {message}"):
        from_document(broken)


def test_the_deprecated_span_is_the_first_one():
    broken = response([], entities=[[entity(place(PAYMENT, "Ann"))]])
    broken["entities"][0][0]["span"] = place(PAYMENT, "Please")
    with refuses(DocumentError, "$.entities[0][0].span: must be the first of spans, got another one"):
        from_document(broken)
    broken["entities"][0][0]["spans"] = []
    with refuses(DocumentError, "$.entities[0][0].spans: must hold a span, got none"):
        from_document(broken)


# Comments.


def test_fields_of_a_comment_beside_its_texts_are_kept():
    results = from_document(document("raw_emails"))
    assert [item.name for item in results.items] == ["0123456789abcdef"]
    fields = extras(explained(results))["comment"]
    assert fields["user_properties"] == {"string:Team": "Returns", "number:Waiting Days": 7}
    assert fields["messages"][0]["from"] == "alice@example.com"
    assert fields["messages"][0]["body"] == {"translated_from": "Hallo"}
    assert fields["messages"][1] == {"from": "bob@example.org"}
    assert to_document(results, "reinfer")["comments"] == document("raw_emails")["comments"]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"body": ""}],
        [{"body": "a"}, {"body": ""}],
        [{"subject": "", "body": "a"}],
        [{"body": "a", "signature": ""}],
    ],
)
def test_empty_messages_and_parts_are_kept(messages):
    results = from_document(response([], comments=[comment(*messages)]))
    assert (explained(results).source.text is None) == (not messages)
    assert to_document(results, "reinfer")["comments"] == [comment(*messages)]


def test_comments_with_the_same_id_are_told_apart_by_their_number():
    results = from_document(response([], [], comments=[comment({"body": "a"}), comment({"body": "b"})]))
    assert [item.name for item in results.items] == ["documents[0]", "documents[1]"]
    assert [written["id"] for written in to_document(results, "reinfer")["comments"]] == ["0001", "0001"]
    assert from_document(to_document(results, "reinfer")) == results


def test_comments_are_named_by_their_uid():
    results = from_document(document("comments"))
    assert results.job == "predict-comments"
    first, second = results.items
    assert (first.name, second.name) == ("18ba5ce699f8da1f.0001", "18ba5ce699f8da1f.0002")
    assert first.explanation.predictions[0].label == ("Order", "Missing")
    assert extras(first.explanation) == {
        "label_properties": [{"property_id": "0000000000000001", "property_name": "tone", "value": 1.5}],
        "sentiment": {"total": 0.5},
        "translations": [],
    }
    again = document("comments")
    again["predictions"][0]["labels"][0]["name"] = ["Order", "Missing"]
    again["predictions"][1] |= {"entities": [], "label_properties": []}
    assert to_document(results, "reinfer") == again
    again["predictions"][1]["uid"] = "0002"
    with refuses(DocumentError, "$.predictions[1].uid: must be the 16 hexadecimal digits of a source, a full stop and"):
        from_document(again)


def test_the_same_uid_twice_is_kept():
    twice = document("comments")
    twice["predictions"][1]["uid"] = twice["predictions"][0]["uid"]
    results = from_document(twice)
    assert [item.name for item in results.items] == ["documents[0]", "documents[1]"]
    predictions = to_document(results, "reinfer")["predictions"]
    assert [prediction["uid"] for prediction in predictions] == ["18ba5ce699f8da1f.0001"] * 2


def test_an_error_is_that_of_the_whole_job():
    results = from_document(document("error"))
    assert results == Results("predict", (), error="404 Not Found")
    assert to_document(results, "reinfer") == document("error")
    with refuses(FidelityError, "items[0] is left out"):
        to_document(Results("predict", (Item("documents[0]", "running"),), error="503"), "reinfer")


# Words.


def test_words_that_speak_for_a_label_are_placed_in_its_comment():
    explanation = explained(from_document(document("raw_emails")))
    (attribution,) = explanation.attributions
    assert attribution.target == explanation.predictions[1]
    assert attribution.target.threshold == 0.5
    text = explanation.source.text
    assert attribution.evidence == WordScores(
        [
            Word("where", 1.0, 2, 9, 14),
            Word("Not", 2.0, 6, 29, 32),
            Word("here.", 1.25, 7, 33, 38),
            Word("sent.", -0.5, 16, 80, 85),
        ]
    )
    for word in attribution.evidence.words:
        assert text[word.start : word.stop] == word.text


def test_scores_come_back_to_the_last_bit():
    words = [0.1, -3.7, 1 / 3, 1e-17, 0.0]
    source = Source("text", text="a b c d e")
    target = Prediction("x", 0.5)
    scores = WordScores([Word(word, score, i) for i, (word, score) in enumerate(zip("abcde", words, strict=True))])
    explanation = Explanation("text-classification", source, [target], [Attribution(target, scores)])
    written = to_document(explanation, "reinfer")
    (interpretation,) = written["interpretations"][0]
    assert interpretation["scale"] == 4
    assert all(-1 <= span["importance"] <= 1 for span in interpretation["interpretation"][0]["spans"])
    again = explained(from_document(written))
    assert [word.score for word in again.attributions[0].evidence.words] == words
    assert again.source.parts == (Part("messages[0].body", 0, 9),)


def interpreted(changes, text="Not here"):
    span = {key: value for key, value in place(text, "Not").items() if key not in ("content_part", "message_index")}
    group = {"content_part": "body", "message_index": 0, "spans": [{**span, "importance": 0.5}]}
    interpretation = {"name": ["A"], "interpretation": [group]}
    group["spans"][0] |= {key: value for key, value in changes.items() if key in group["spans"][0]}
    group |= {key: value for key, value in changes.items() if key in group}
    interpretation |= {key: value for key, value in changes.items() if key in (*interpretation, "scale")}
    return response([], comments=[comment({"body": text})], interpretations=[[interpretation]])


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"importance": 1.5}, ".interpretation[0].spans[0].importance", "must be a number from -1 to 1, got 1.5"),
        ({"scale": 3}, ".scale", "must be a power of two, got 3"),
        ({"scale": 0.5}, ".scale", "must be a number from 1 to"),
        (
            {"char_end": 9, "utf16_byte_end": 18},
            ".interpretation[0].spans[0].char_end",
            "must be at most 8, the length",
        ),
        ({"char_start": 4}, ".interpretation[0].spans[0].char_end", "must be at least char_start, 4, got 3"),
        (
            {"content_part": "signature"},
            ".interpretation[0].content_part",
            "must be a part of the comment that has a text",
        ),
    ],
)
def test_interpretations_are_checked(changes, path, message):
    with refuses(DocumentError, f"$.interpretations[0][0]{path}: {message}"):
        from_document(interpreted(changes))


def test_a_label_is_interpreted_once_and_over_a_known_text():
    twice = interpreted({})
    twice["interpretations"][0] *= 2
    with refuses(DocumentError, "$.interpretations[0][1].name: must be of a label that is not there yet"):
        from_document(twice)
    unknown = interpreted({})
    del unknown["comments"]
    with refuses(DocumentError, "$.interpretations[0][0].interpretation: must be empty where comments do not hold"):
        from_document(unknown)


def test_a_label_that_is_not_predicted_may_be_interpreted():
    (attribution,) = explained(from_document(interpreted({}))).attributions
    assert attribution.target == Prediction("A", 0.0)
    assert attribution.evidence.words == (Word("Not", 0.5, 0, 0, 3),)


# Writing what other systems said.


def test_an_explanation_is_a_response_for_one_document():
    joy = Prediction(["Mood", "Joy"], 0.75, threshold=0.5, id="joy")
    explanation = Explanation("text-classification", Source("text", text="So 🙂"), [joy])
    assert to_document(explanation, "reinfer") == {
        "status": "ok",
        "predictions": [[{"name": ["Mood", "Joy"], "probability": 0.75, "threshold": 0.5, "id": "joy"}]],
        "entities": [[]],
        "label_properties": [[]],
        "comments": [
            {
                "id": "documents[0]",
                "timestamp": "1970-01-01T00:00:00Z",
                "user_properties": {},
                "text_format": "plain",
                "attachments": [],
                "thread_id": None,
                "messages": [{"body": {"text": "So 🙂"}}],
            }
        ],
        "model": None,
    }


def test_the_name_of_a_job_and_of_its_items_are_kept():
    items = [Item(name, "successful", explanation=Explanation("text-classification", Source("text"))) for name in "ab"]
    for results in (
        Results("nightly", items),
        Results("", items),
        Results("", (), error="503"),
        Results("predict-comments", ()),
    ):
        document = to_document(results, "reinfer")
        assert from_document(document) == results
        assert "comments" not in document  # names alone make none
        assert document.get("names", []) == [item.name for item in results.items]
    uids = ["18ba5ce699f8da1f.1", "18ba5ce699f8da1f.2"]
    renamed = Results(
        "predict-comments", [Item(u, "successful", explanation=i.explanation) for u, i in zip(uids, items, strict=True)]
    )
    empty = {"labels": [], "entities": [], "label_properties": []}
    assert to_document(renamed, "reinfer")["predictions"] == [{"uid": uid, **empty} for uid in uids]
    with_text = [Item(uids[0], "successful", explanation=Explanation("text-classification", Source("text", text="a")))]
    written = to_document(Results("predict-comments", with_text), "reinfer")
    assert (written["predictions"], written["job"]) == ([[]], "predict-comments")
    assert from_document(written).items[0].explanation.source.text == "a"


@pytest.mark.parametrize(
    ("prediction", "loss"),
    [
        (Prediction("A", 1.5), "predictions[0].score becomes 1.0"),
        (Prediction("A", -0.5), "predictions[0].score becomes 0.0"),
        (Prediction("A", 0.5, region=Span(3, 7)), "predictions[0].region is not in one part of the text"),
        (Prediction("A", 0.5, region=Span(0, 99)), "predictions[0].region is not in one part of the text"),
        (Prediction("A", 0.5, attributes={"sentiment": "good"}), "predictions[0].attributes.sentiment is left out"),
        (Prediction("A", 0.5, attributes={"probability": 2}), "predictions[0].attributes.probability is left out"),
        (Prediction(["A", "B"], 0.5, region=Span(0, 1)), "predictions[0].label"),
    ],
)
def test_what_a_response_cannot_hold_is_a_loss(prediction, loss):
    text, parts = join([("messages[0].subject", "Order"), ("messages[0].body", "Where?")])
    explanation = Explanation("text-classification", Source("text", text=text, parts=parts), [prediction])
    with refuses(FidelityError, loss):
        to_document(explanation, "reinfer")
    assert validate(to_document(explanation, "reinfer", lossy=True)) == []


@pytest.mark.parametrize(
    ("word", "loss"),
    [
        (Word("Order", 0.5), "words[0] has no place in the text"),
        (Word("Order", 0.5, 1), "words[0] has no place in the text"),
        (Word("Order Where", 0.5, 0, 0, 12), "words[0] is not in one part of the text"),
        (Word("Order", 0.5, 0, 0, 3), "words[0] is 'Order', where the text has 'Ord'"),
        (Word("Order", 0.5, 1, 0, 5), "words[0] has index 1, where the text has 0"),
        (Word("Order", 1e308, 0, 0, 5), "words[0].score becomes"),
    ],
)
def test_words_without_a_place_are_a_loss(word, loss):
    text, parts = join([("messages[0].subject", "Order"), ("messages[0].body", "Where?")])
    target = Prediction("A", 0.5)
    explanation = Explanation(
        "text-classification",
        Source("text", text=text, parts=parts),
        [target],
        [Attribution(target, WordScores([word]))],
    )
    with refuses(FidelityError, loss):
        to_document(explanation, "reinfer")
    assert validate(to_document(explanation, "reinfer", lossy=True)) == []


def test_words_of_a_text_that_is_not_known_are_a_loss():
    target = Prediction("A", 0.5)
    evidence = WordScores([Word("Order", 0.5, 0)])
    explanation = Explanation("text-classification", Source("text"), [target], [Attribution(target, evidence)])
    with refuses(FidelityError, "attributions[0].evidence.words[0] is in a text that is not known"):
        to_document(explanation, "reinfer")


def test_parts_of_something_else_than_a_comment_are_a_loss():
    source = Source("text", text="Order. Where?", parts=[Part("title", 0, 6), Part("messages[0].body", 7, 13)])
    explanation = Explanation("text-classification", source, [Prediction("e", 1, region=Span(0, 5, part="title"))])
    with refuses(FidelityError, "source.parts[0].name becomes 'messages[0].body'"):
        to_document(explanation, "reinfer")
    cut = explained(fit(explanation, "reinfer", lossy=True))
    assert (cut.source.text, cut.source.parts) == ("Order. Where?", (Part("messages[0].body", 0, 13),))
    assert cut.predictions[0].region == Span(0, 5, part="messages[0].body")


def test_a_span_in_utf16_needs_the_text():
    prediction = Prediction("e", 1, region=Span(0, 4, "utf16_byte"))
    explanation = Explanation("text-classification", Source("text"), [prediction])
    with refuses(FidelityError, "predictions[0].region is in unit 'utf16_byte', and the text is not known"):
        to_document(explanation, "reinfer")


@pytest.mark.parametrize(
    "attributes",
    [
        {"comment": {"timestamp": "yesterday"}},
        {"sentiment": "good"},
        {"label_properties": [{"property_id": 1}]},
        {"translations": ["a"]},
    ],
)
def test_malformed_extras_of_a_document_are_a_loss(attributes):
    explanation = Explanation("text-classification", Source("text", text="a"), attributes={"reinfer": attributes})
    with refuses(FidelityError, f"attributes.reinfer.{next(iter(attributes))}", "is left out"):
        to_document(explanation, "reinfer")
    assert validate(to_document(explanation, "reinfer", lossy=True)) == []


def test_unfinished_and_failed_items_are_a_loss():
    with refuses(FidelityError, "items[0].status becomes 'successful'"):
        to_document(Results("predict", [Item("documents[0]", "running")]), "reinfer")
    with refuses(FidelityError, "items[0].error is left out"):
        to_document(Results("predict", [Item("documents[0]", "failed", error="too long")]), "reinfer")


# Laws over conversations: any characters, overlapping entities, words of every part.

characters = st.sampled_from("aZ é\n🙂𝔘好") | st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=9)


@st.composite
def conversations(draw):
    messages = draw(st.lists(st.tuples(texts, texts, texts), max_size=2))
    named = [
        (f"messages[{i}].{part}", text)
        for i, message in enumerate(messages)
        for part, text in zip(PARTS, message, strict=True)
    ]
    text, parts = join(named)
    return Source("text", text=text, parts=parts)


@st.composite
def places(draw, source):
    part = draw(st.sampled_from(source.parts))
    start, stop = sorted(draw(st.tuples(*[st.integers(0, part.stop - part.start)] * 2)))
    return Span(start, stop, part=part.name)


@st.composite
def explanations(draw):
    source = draw(conversations())
    labels = [["A"], ["A", "B"], "C"]
    scores = st.floats(0, 1)
    predictions = [Prediction(label, draw(scores)) for label in draw(st.permutations(labels))]
    if not source.parts:
        return Explanation("text-classification", source, predictions)
    unscored = st.just({"unscored": True, "formatted_value": "7.00 GBP", "kind": "money"})
    for _ in range(draw(st.integers(0, 2))):
        span = draw(places(source))
        predictions.append(Prediction("entity", 1.0, region=span, attributes=draw(st.just({}) | unscored)))
    attributions = []
    for target in predictions[: draw(st.integers(0, 2))]:
        words = []
        for span in draw(st.lists(places(source), max_size=3)):
            start, stop = in_text(source, span)
            words.append(Word(source.text[start:stop], draw(st.floats(-1e6, 1e6, width=32)), None, start, stop))
        attributions.append(Attribution(target, WordScores(words)))
    return Explanation("text-classification", source, predictions, attributions)


def without_indices(explanation):
    return [
        (attribution.target, [(word.text, word.score, word.start, word.stop) for word in attribution.evidence.words])
        for attribution in explanation.attributions
    ]


@given(explanations())
@relaxed
def test_conversations_come_back(explanation):
    written = to_document(explanation, "reinfer")
    again = explained(from_document(written))
    assert again == explained(fit(explanation, "reinfer"))
    assert (again.source, again.predictions) == (explanation.source, explanation.predictions)
    assert without_indices(again) == without_indices(explanation)
    assert sniff(written) == "reinfer"


@given(explanations())
@relaxed
def test_written_places_hold_in_both_units(explanation):
    written = to_document(explanation, "reinfer")
    messages = written["comments"][0]["messages"]
    spans = [span for entity in written.get("entities", [[]])[0] for span in entity["spans"]]
    for interpretation in written.get("interpretations", [[]])[0]:
        for group in interpretation["interpretation"]:
            spans += [{**group, **span} for span in group["spans"]]
    for span in spans:
        text = messages[span["message_index"]][span["content_part"]]["text"]
        data = text.encode("utf-16-le")[span["utf16_byte_start"] : span["utf16_byte_end"]]
        assert data.decode("utf-16-le") == text[span["char_start"] : span["char_end"]]


@given(explanations(), st.data())
@relaxed
def test_utf16_spans_are_converted(explanation, data):
    if not explanation.source.parts:
        return
    span = data.draw(places(explanation.source))
    text = explanation.source.text
    part = next(part for part in explanation.source.parts if part.name == span.part)
    utf16 = span.to("utf16_byte", text[part.start : part.stop])
    whole = Span(*in_text(explanation.source, span))
    written = [
        to_document(Explanation("text-classification", explanation.source, [Prediction("e", 1, region=r)]), "reinfer")
        for r in (span, utf16, whole)
    ]
    assert written[0] == written[1]
    if span.stop > span.start:
        assert written[2] == written[0]


# Thresholds.


def test_a_request_chooses_the_labels_that_are_returned():
    labels = [Prediction("A", 0.25), Prediction(["A", "B"], 0.2), Prediction("C", 0.75)]
    assert [(label.name, label.threshold) for label in cut_to_request(labels, {})] == [("A", 0.25), ("C", 0.25)]
    assert [label.name for label in cut_to_request(labels, {"threshold": 0})] == ["A", "A > B", "C"]
    asked = {"threshold": 0.5, "labels": [{"name": ["A", "B"], "threshold": 0.125}, {"name": ["A"]}]}
    assert [(label.name, label.threshold) for label in cut_to_request(labels, asked)] == [("A > B", 0.125)]


def test_auto_returns_labels_that_meet_a_named_threshold():
    labels = [Prediction("A", 0.5, attributes={"auto_thresholds": ["balanced"]}), Prediction("B", 0.9)]
    assert cut_to_request(labels, {"threshold": "auto"}) == (labels[0],)
    request = {"threshold": "auto", "labels": [{"name": ["B"], "threshold": 0.5}]}
    assert [label.name for label in cut_to_request(labels, request)] == ["B"]


def test_records_are_written_as_they_stand():
    record = from_document(document("validation"))
    assert record == Record("reinfer", "validation", copy.deepcopy(document("validation")))
    assert to_document(record, "reinfer") == document("validation")


@pytest.mark.parametrize(
    ("names", "path", "message"),
    [
        (["a"], "$.names", "must be an array of 2, as many as predictions, got an array of 1"),
        (["a", "a"], "$.names[1]", "must be a name of its own, got 'a'"),
        (["a", 5], "$.names[1]", "must be a string, got 5"),
    ],
)
def test_what_is_wrong_with_names_is_named(names, path, message):
    (problem,) = validate({"status": "ok", "predictions": [[], []], "model": None, "names": names})
    assert (problem.path, problem.message) == (path, message)
