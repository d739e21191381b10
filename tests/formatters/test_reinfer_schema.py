"""What we write fits a JSON Schema made from the API reference, independently of the reader."""

import jsonschema
import pytest
from hypothesis import given

from tests.formatters import golden
from tests.formatters.test_reinfer import explanations, relaxed
from xplain.formatters import from_document, to_document


def an_object(required, **more):
    return {"type": "object", "required": list(required), "properties": {**required, **more}}


def an_array(items, **more):
    return {"type": "array", "items": items, **more}


def or_null(schema):
    return {"anyOf": [schema, {"type": "null"}]}


STRING, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
FRACTION = {"type": "number", "minimum": 0, "maximum": 1}
UTF16 = {**COUNT, "multipleOf": 2}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
MODEL = or_null(an_object({"version": {"type": "integer"}, "time": TIME}))
AUTO = {"type": "string", "pattern": "^(high_recall|balanced|high_precision|sampled_[0-9]+)$"}
LABEL = an_object(
    {"name": an_array(STRING, minItems=1), "probability": FRACTION},
    sentiment={"type": "number", "minimum": -1, "maximum": 1},
    auto_thresholds=an_array(AUTO),
)
SPAN = an_object(
    {
        "content_part": {"enum": ["body", "subject", "signature"]},
        "message_index": COUNT,
        "char_start": COUNT,
        "char_end": COUNT,
        "utf16_byte_start": UTF16,
        "utf16_byte_end": UTF16,
    }
)
ENTITY = an_object(
    {
        "id": STRING,
        "name": STRING,
        "kind": STRING,
        "span": SPAN,
        "spans": an_array(SPAN, minItems=1),
        "formatted_value": STRING,
        "probability": or_null(FRACTION),
        "capture_ids": an_array({"type": "integer"}),
    }
)
PROPERTY = an_object(
    {
        "property_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "property_name": STRING,
        "value": {"type": "number"},
    }
)
TEXT = an_object({"text": {"type": "string", "maxLength": 65_536}}, translated_from=STRING)
ADDRESSES = an_array({"type": "string", "minLength": 1, "maxLength": 512}, maxItems=2048)
MESSAGE = an_object(
    {"body": TEXT},
    **{"subject": TEXT, "signature": TEXT, "from": STRING, "to": ADDRESSES, "cc": ADDRESSES, "bcc": ADDRESSES},
    sent_at=TIME,
    language=STRING,
)
COMMENT = an_object(
    {
        "id": STRING,
        "timestamp": TIME,
        "user_properties": {"type": "object", "propertyNames": {"pattern": "^(string|number):"}},
        "messages": an_array(MESSAGE, maxItems=2048),
        "text_format": {"enum": ["markdown", "plain"]},
        "attachments": an_array(an_object({"name": STRING, "size": COUNT, "content_type": STRING}), maxItems=128),
        "thread_id": or_null(STRING),
    }
)
SENTIMENT = an_object({"total": {"type": "number"}})
BY_DOCUMENT = an_object(
    {"status": {"const": "ok"}, "predictions": an_array(an_array(LABEL)), "model": MODEL},
    entities=an_array(an_array(ENTITY)),
    label_properties=an_array(an_array(PROPERTY)),
    sentiment=an_array(SENTIMENT),
    comments=an_array(COMMENT),
)
BY_UID = an_object(
    {
        "status": {"const": "ok"},
        "predictions": an_array(
            an_object(
                {"uid": {"type": "string", "pattern": r"^[0-9a-f]{16}\."}, "labels": an_array(LABEL)},
                entities=an_array(ENTITY),
                label_properties=an_array(PROPERTY),
                sentiment=SENTIMENT,
            )
        ),
        "model": MODEL,
    }
)


def conforms(document, schema):
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    ("name", "schema"), [("predict", BY_DOCUMENT), ("raw_emails", BY_DOCUMENT), ("comments", BY_UID)]
)
def test_responses_follow_the_reference(name, schema):
    document = golden.read(golden.DATA / "reinfer" / f"{name}.json")
    conforms(to_document(from_document(document), "reinfer"), schema)


@given(explanations())
@relaxed
def test_conversations_follow_the_reference(explanation):
    conforms(to_document(explanation, "reinfer"), BY_DOCUMENT)
