"""JSON text."""

import pytest

from tests.support import refuses
from xplain.errors import DocumentError, InputError
from xplain.formatters import dumps, loads


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**6, "must be JSON of moderate depth"),
        ('{"seed": ' + "9" * 10**5 + "}", "numbers of at most a few thousand digits"),
        (b'{"name": "\xff"}', "must be utf-8 text, got invalid start byte at byte 10"),
        ("[NaN]", "must be JSON, got NaN, which JSON does not have"),
        ("[-Infinity]", "got -Infinity"),
        ("{", "must be JSON, got Expecting property name"),
        ("", "must be JSON, got Expecting value"),
    ],
)
def test_what_is_not_json_is_refused(text, message):
    with refuses(DocumentError, "modzy document, $: ", message):
        loads(text, "modzy")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"a": 1, "a": 2}', "$.a"),
        ('{"x": [0, {"b c": 1, "b c": 2}]}', "$.x[1]['b c']"),
        ('{"a": {"b": 1, "b": 2}, "a": 3}', "$.a"),
    ],
)
def test_a_repeated_key_is_refused_where_it_is(text, path):
    with refuses(DocumentError, "must be given once, got it twice") as _:
        loads(text)
    with pytest.raises(DocumentError) as caught:
        loads(text)
    assert caught.value.path == path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_are_recognised(encoding):
    assert loads('{"label": "Käse"}'.encode(encoding)) == {"label": "Käse"}


def test_a_byte_order_mark_in_a_string_is_skipped():
    assert loads("\ufeff{}") == {}


def test_neither_str_nor_bytes_is_an_input_error():
    with refuses(InputError, "text must be str or bytes, got dict"):
        loads({})


def test_lone_surrogates_survive_as_escapes():
    text = dumps({"a": "\ud800 ü \U0001f600"})
    assert text == '{"a":"\\ud800 ü \U0001f600"}'
    assert loads(text.encode("utf-8")) == {"a": "\ud800 ü \U0001f600"}


def test_a_split_pair_is_refused_since_json_would_join_it():
    with refuses(InputError, "each character as one code point", r"got '\ud83d\ude00'"):
        dumps(["\ud83d\ude00"])


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), object(), 10**5000, {1, 2}],
    ids=["NaN", "infinity", "object", "digits", "set"],
)
def test_what_json_has_not_is_refused(value):
    with refuses(InputError, "document must hold finite JSON values"):
        dumps({"value": value})


@pytest.mark.parametrize("number", ["1e400", "-1E+999", "9" * 400 + ".0", "0.1e1000"])
def test_infinity_is_no_json_however_it_is_spelled(number):
    with refuses(DocumentError, "$.a[1]: must be a finite number, got one beyond the largest float"):
        loads(f'{{"a": [1e308, {number}]}}')
    assert loads('{"a": [1e308, 1e-400, "1e400"]}') == {"a": [1e308, 0.0, "1e400"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-le"])
def test_surrogates_are_no_text(encoding):
    with refuses(DocumentError, f"must be {encoding} text"):
        loads('["a\ud800"]'.encode(encoding, "surrogatepass"))
    assert loads('["\\ud800"]'.encode(encoding)) == ["\ud800"]
