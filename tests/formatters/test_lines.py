"""JSON Lines: a document a line, read as a job; a bad line loses only itself."""

import gzip
import io
import json
import tracemalloc
from contextlib import nullcontext

import pytest

import xplain
from tests.support import refuses
from xplain.errors import DocumentError, UnknownNameError
from xplain.explanation import Explanation, Item, Prediction, Record, Results, Source
from xplain.formatters import dumps, lines, to_document
from xplain.formatters.core import streaming


def explanation(name=None, label="cat"):
    return Explanation("image-classification", Source("image", name=name), [Prediction(label, 0.5)])


CAT = to_document(explanation())
PHOTO = to_document(explanation("photo.png"))
JOB = Results("j", [Item("a", "successful", explanation=explanation(label="dog")), Item("photo.png", "waiting")])
LINES = [
    dumps(CAT),
    '{"broken',
    dumps({**CAT, "name": "b.png"}),
    "",
    dumps(PHOTO),
    dumps(to_document(explanation("photo.png"), "modzy")),
    '{"name": "c", "status": "failed", "error": "no photo"}',
    '{"name": "d", "status": "failed"}',
    "[1]",
    dumps(to_document(JOB)),
    dumps(to_document(Record("modzy", "request", {}))),
]
EXPECTED = [
    ("1", "successful", None),
    ("2", "failed", "line 2: $: must be JSON, got Unterminated string starting at: line 1 column 2 (char 1)"),
    ("b.png", "successful", None),
    ("photo.png", "successful", None),
    ("6", "successful", None),
    ("c", "failed", "no photo"),
    ("8", "failed", "line 8: $.error: must be given for a failed item only, got None and 'failed'"),
    ("9", "failed", "line 9: $: must be of exactly one of the formats"),
    ("a", "successful", None),
    ("photo.png-10", "waiting", None),
    ("11", "failed", "line 11: $: must be an explanation or the results of a job, got a record: request"),
]


def check(results):
    found = [(item.name, item.status, item.error) for item in results.items]
    assert len(found) == len(EXPECTED)
    for (name, status, error), (expected_name, expected_status, expected_error) in zip(found, EXPECTED, strict=True):
        assert (name, status) == (expected_name, expected_status)
        assert (error or "").startswith(expected_error or "")
        assert (error is None) == (expected_error is None)


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("night.jsonl", str.encode),
        ("night.NDJSON", lambda text: text.replace("\n", "\r\n").encode()),
        ("night.json", str.encode),
        ("night", lambda text: b"\xef\xbb\xbf" + text.encode()),
        ("night.jsonl.gz", lambda text: gzip.compress(text.encode())),
        ("night.json", lambda text: gzip.compress(text.encode("utf-16"))),
        ("night.jsonl", lambda text: text.encode("utf-32")),
    ],
)
def test_a_file_of_lines_is_a_job_and_a_bad_line_a_failed_item(tmp_path, name, encode):
    path = tmp_path / name
    path.write_bytes(encode("\n".join(LINES)))
    results = xplain.read(path)
    assert results.job == "night"
    check(results)
    assert not results.finished
    assert results.item("b.png").explanation == explanation()
    assert results.item("a").explanation == explanation(label="dog")
    assert tuple(xplain.read_items(path)) == results.items
    assert xplain.render(path).alt == xplain.render(results).alt
    assert xplain.convert(path, "native") == to_document(results)
    assert [str(problem).partition(" must")[0] for problem in xplain.validate(path)] == [
        "line 2: $:",
        "line 8: $.error:",
        "line 9: $:",
    ]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_lines_are_the_same_however_they_are_read(chunk, monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", chunk)
    check(Results("j", list(lines.iterate_items(lines.of_bytes("\n".join(LINES).encode())))))


def test_open_files_and_text_are_read(tmp_path):
    text = f"{dumps(CAT)}\n{dumps(PHOTO)}\n"
    assert [item.name for item in xplain.read(io.BytesIO(text.encode())).items] == ["1", "photo.png"]
    assert xplain.read(io.StringIO(text)).job == "lines"


def test_the_format_of_all_lines_may_be_said(tmp_path):
    path = tmp_path / "two.jsonl"
    path.write_text(dumps(to_document(explanation(), "modzy")) + "\n" + dumps(CAT))
    items = xplain.read(path, "modzy").items
    assert [item.status for item in items] == ["successful", "failed"]
    assert items[1].error.startswith("line 2: $")
    for use in (xplain.read, xplain.read_items):
        with refuses(UnknownNameError, "format must be one of native"):
            list(use(path, "modsy"))


def test_a_single_line_is_a_job_by_its_name_only(tmp_path):
    for name, kind in (("one.jsonl", Results), ("one.json", Explanation)):
        (tmp_path / name).write_text(dumps(CAT) + "\n")
        assert isinstance(xplain.read(tmp_path / name), kind)


def test_a_document_of_several_lines_is_one_document(tmp_path):
    path = tmp_path / "cat.json"
    path.write_text(json.dumps(PHOTO, indent=1))
    assert xplain.read(path) == explanation("photo.png")
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert xplain.read(path) == explanation("photo.png")
    assert xplain.validate(path) == []


def test_no_line_and_no_document(tmp_path):
    path = tmp_path / "none.jsonl"
    path.write_text("\n \n")
    assert xplain.read(path) == Results("none", [])
    path.write_text('{"image": "a.png"}\n{"image": "b.png"}\n')
    with refuses(
        DocumentError, "must hold a document in each line, got none in 2 lines: line 1: $: must be of exactly"
    ):
        xplain.read(path)


def test_bytes_that_are_no_text_lose_their_line_only(tmp_path):
    path = tmp_path / "two.jsonl"
    path.write_bytes(dumps(PHOTO).encode() + b'\n{"xplain": "\xff"}\n')
    assert [item.status for item in xplain.read(path).items] == ["successful", "failed"]


def test_a_line_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(streaming, "MAX_VALUE", 100)
    monkeypatch.setattr(streaming, "CHUNK", 10)
    with refuses(DocumentError, "must hold lines of at most 100 characters, got a longer one"):
        list(lines.iterate_items(lines.of_bytes(b"1" * 1000)))


def test_memory_does_not_grow_with_the_lines():
    line = dumps(CAT).encode() + b"\n"

    class Endless(io.RawIOBase):
        left = 20_000

        def readable(self):
            return True

        def readinto(self, buffer):
            if not Endless.left:
                return 0
            Endless.left -= 1
            buffer[: len(line)] = line
            return len(line)

    tracemalloc.start()
    try:
        count = sum(1 for _ in lines.iterate_items(lambda: nullcontext(io.BufferedReader(Endless(), 1 << 16))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 20e6  # names of items, and a chunk of the text
