"""Items read one at a time: as the whole document gives them, as strictly, in memory that does not grow."""

import importlib
import io
import tracemalloc
from contextlib import closing, nullcontext
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xplain
from tests.formatters import golden, ours, strategies
from tests.support import refuses
from xplain.errors import DocumentError, InputError
from xplain.explanation import Item, Results
from xplain.formatters import FORMATS, dumps, from_document, loads, read_items, read_outline, to_document
from xplain.formatters.core import streaming

CHUNKS = [1, 7, 1 << 20]


def items_of(text, format=None):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    return list(read_items(lambda: nullcontext(io.BytesIO(data)), format))


def item_keys(path):
    """The keys under which a format's documents hold items."""
    module = importlib.import_module(f"xplain.formatters.{path.parent.name.replace('-', '_')}.formatter")
    return module.ITEMS.keys()


def is_job(path):
    document = golden.read(path)
    return isinstance(from_document(document), Results) and any(
        isinstance(document.get(key), (list, dict)) and len(document[key]) for key in item_keys(path)
    )


JOBS = [path for path in golden.GOLDEN if is_job(path)]


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("path", JOBS, ids=golden.identify)
def test_items_are_those_of_the_whole_document(path, chunk, monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", chunk)
    items = items_of(path.read_bytes())
    assert tuple(items) == from_document(golden.read(path)).items
    assert items_of(path.read_bytes(), path.parent.name) == items


@pytest.mark.parametrize("path", golden.GOLDEN, ids=golden.identify)
def test_the_items_of_any_document_are_those_that_it_is_read_as(path):
    value = from_document(golden.read(path))
    if isinstance(value, Results):
        assert tuple(items_of(path.read_bytes())) == value.items
    else:
        with refuses(DocumentError, "must hold items", "to be read one at a time"):
            items_of(path.read_bytes())


@pytest.mark.parametrize("format", FORMATS)
def test_the_items_of_our_own_jobs_are_those_of_the_whole_document(format):
    items = [*ours.values(format)["own-job"].items, *(Item(f"late {i}", "failed", error="late") for i in range(3))]
    if format == "cognite":
        items[-1] = replace(items[-1], attributes={"cognite": {"batch": 1}})
    document = dumps(to_document(Results("7", items), format, lossy=True))
    assert tuple(items_of(document)) == from_document(loads(document)).items


@pytest.mark.parametrize(
    "path", [golden.DATA / "modzy" / "job.json", golden.DATA / "cognite" / "partial.json"], ids=golden.identify
)
def test_the_order_of_the_lists_in_a_file_does_not_count(path):
    document = dict(reversed(golden.read(path).items()))
    assert tuple(items_of(dumps(document))) == from_document(golden.read(path)).items


def outline_of(text):
    data = text if isinstance(text, bytes) else text.encode()
    return read_outline(lambda: nullcontext(io.BytesIO(data)))


@pytest.mark.parametrize("path", JOBS, ids=golden.identify)
def test_an_outline_is_the_job_without_its_explanations(path):
    whole = from_document(golden.read(path))
    bare = tuple(replace(item, explanation=None, attributes={}) for item in whole.items)
    outline = outline_of(path.read_bytes())
    assert replace(outline, attributes={}) == replace(whole, items=bare, attributes={})
    assert (outline.total, outline.finished) == (whole.total, whole.finished)
    metrics = [
        results.attributes.get("edge-impulse", {}).get("additionalMetricsByLearnBlock") for results in (whole, outline)
    ]
    assert metrics[0] == metrics[1]


def test_an_outline_of_what_is_wrong_with_the_job_is_refused():
    with refuses(DocumentError, "$.total: must be", "got 'two'"):
        outline_of('{"xplain": 1, "type": "results", "job": "a", "total": "two", "items": []}')
    with refuses(DocumentError, "$.total: must be an integer >= 1, got 0"):
        outline_of(
            '{"xplain": 1, "type": "results", "job": "a", "total": 0, "items": [{"name": "b", "status": "waiting"}]}'
        )


@given(strategies.results(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_any_results_come_back_in_every_encoding(results, encoding):
    text = dumps(to_document(results))
    assert items_of(text.encode(encoding)) == list(from_document(loads(text)).items)


@pytest.mark.parametrize("path", JOBS, ids=golden.identify)
def test_every_broken_field_of_an_item_has_the_path_that_the_whole_document_gives(path):
    document = golden.read(path)
    format = path.parent.name
    keys = [keys for keys in golden.places(document) if len(keys) > 2 and keys[0] in item_keys(path)]
    assert keys
    for place in keys[::3]:
        broken = golden.broken(document, place)
        with pytest.raises(DocumentError) as whole:
            from_document(broken, format)
        with pytest.raises(DocumentError) as streamed:
            items_of(dumps(broken), format)
        assert str(streamed.value) == str(whole.value)


JOB = '{"xplain": 1, "type": "results", "job": "x", "items": [%s]}'
ITEM = '{"name": "a", "status": "waiting"}'


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (JOB % ITEM.replace('"a"', "NaN"), ["$: must be JSON, got NaN, which JSON does not have"]),
        (JOB % ITEM.replace("}", ', "name": "b"}'), ["$.items[0].name: must be given once, got it twice"]),
        (
            JOB % f'{ITEM}, {{"name": "b", "status": "waiting", "attributes": {{"x": [{{"k": 1, "k": 2}}]}}}}',
            ["$.items[1].attributes.x[0].k: must be given once, got it twice"],
        ),
        (JOB % ITEM.replace("}", ', "x": ' + "[" * 10**6 + "]" * 10**6 + "}"), ["moderate depth"]),
        (JOB % ITEM.replace("}", ', "x": ' + "[" * 10**6), ["moderate depth"]),
        (JOB % ITEM.replace("}", ', "x": 1' + "0" * 5000 + "}"), ["numbers of at most a few thousand digits"]),
        (JOB % f"{ITEM}, {ITEM}", ["$.items[1]: must have a name of its own, got 'a' again"]),
        (JOB % f"{ITEM},", ["must be JSON, got Expecting value: character 90"]),
        (JOB % f"{ITEM} {ITEM}", ["must be JSON, got Expecting ',' or ']'"]),
        (JOB % ITEM + "1", ["must be JSON, got Extra data"]),
        (JOB % ITEM.replace('"waiting"', '"waiting'), ["must be JSON, got"]),
        ((JOB % ITEM)[:-1], ["must be JSON, got Expecting ',' or '}'"]),
        ((JOB % ITEM)[:-2], ["must be JSON, got Expecting ',' or ']'"]),
        ((JOB % ITEM)[:-5], ["must be JSON, got Unterminated string"]),
        (JOB.replace('"items"', '"job": "y", "items"') % ITEM, ["$.job: must be given once, got it twice"]),
        ("{'a'", ["property name enclosed in double quotes"]),
        ("", ["must be JSON, got Expecting value"]),
        ("[]", ["must be of exactly one of the formats", "got none"]),
        ("[", ["must be JSON, got Expecting value"]),
        (JOB.replace("1,", "2,") % ITEM, ["$.xplain: must be 1, got 2"]),
        (JOB.replace('"results"', '"explanation"') % ITEM, ["$.type: must be 'results', got 'explanation'"]),
        (JOB.replace("[%s]", "{}"), ["$.items: must be an array"]),
        (JOB.replace("[%s]", "5"), ["$.items: must be an array"]),
        ('{"jobIdentifier": "x", "results": []}', ["$.results: must be an object"]),
        (
            '{"jobIdentifier": "x", "failures": {"a": {}, "a": {}}}',
            ["$.failures.a: must be given once, got it twice"],
        ),
        ('{"a": 1}', ["must be of exactly one of the formats", "got none"]),
        (b'{"a": "\xff"}', ["must be utf-8 text, got invalid start byte"]),
        ((JOB % ITEM).replace("waiting", "\ud800").encode("utf-8", "surrogatepass"), ["must be utf-8 text"]),
        (
            JOB % ITEM.replace("}", ', "attributes": {"x": [1, 1e400]}}'),
            ["$.items[0].attributes.x[1]: must be a finite"],
        ),
    ],
)
def test_what_is_wrong_is_refused(text, fragments, chunk, monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", max(chunk, len(text) // 10**4))
    with refuses(DocumentError, *fragments):
        items_of(text)


def test_formats_without_items_are_refused():
    document = dumps(golden.read(golden.DATA / "native" / "text.json"))
    with refuses(DocumentError, "native document, $: must hold items (items) to be read one at a time"):
        items_of(document)


def test_a_value_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(streaming, "MAX_VALUE", 1000)
    monkeypatch.setattr(streaming, "CHUNK", 100)
    with refuses(DocumentError, "$.items[1]: must be at most 1000 characters long"):
        items_of(JOB % (ITEM + ', "' + "x" * 5000 + '"'))


def many(items):
    """A job with items of some kilobytes, written as it is read."""
    item = to_document(from_document(golden.read(golden.DATA / "native" / "job.json")))["items"][0]
    names = (dumps(item | {"name": f"{i}.png", "attributes": {"a": "x" * 2000}}) for i in range(items))
    return (JOB % ",".join(names)).encode()


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", 1 << 14)
    peaks = []
    for items in (200, 2000):
        path = tmp_path / f"{items}.json"
        path.write_bytes(many(items))
        assert sum(1 for _ in xplain.read_items(path)) == items  # warms what is imported
        tracemalloc.start()
        try:
            assert sum(1 for _ in xplain.read_items(path)) == items
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert path.stat().st_size > 4e6
    assert peaks[1] < peaks[0] + 2000 * 150 < path.stat().st_size / 8


def test_files_are_opened_when_needed_and_closed(tmp_path):
    with refuses(InputError, "path must be a file that can be read, got"):
        xplain.read_items(tmp_path / "none.json")
    with refuses(InputError, "path must be a str or a path, got int"):
        xplain.read_items(5)
    path = tmp_path / "job.json"
    path.write_bytes(many(3))
    with closing(xplain.read_items(path)) as items:
        assert next(items).name == "0.png"  # a file left open would be a warning, which is an error here
