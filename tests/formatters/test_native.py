"""xplain's own format."""

import base64
import json
import zlib
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formatters import golden, strategies, values
from tests.formatters.test_laws import relaxed
from tests.support import refuses
from xplain.errors import DocumentError, InputError
from xplain.explanation import (
    Attribution,
    Explanation,
    Grid,
    Heatmap,
    Item,
    Prediction,
    Provenance,
    Results,
    SignalScores,
    Source,
)
from xplain.formatters import dumps, from_document, loads, schema, to_document, validate
from xplain.formatters.core.fit import fit
from xplain.formatters.native.arrays import MAX_ELEMENTS, pack

SCHEMA = jsonschema.Draft202012Validator(schema())
ENVELOPE = {"xplain": 1, "type": "explanation", "task": "image-classification", "source": {"kind": "image"}}


def heatmap(array, **source):
    target = Prediction("a", 1.0)
    source = Source("image", **source)
    return Explanation("image-classification", source, (target,), (Attribution(target, Heatmap(array)),))


def evidence(**fields):
    """Return a document with one heat map of the given fields."""
    attribution = {"target": 0, "evidence": {"kind": "heatmap", "dtype": "float32", **fields}}
    return {**ENVELOPE, "predictions": [{"label": ["a"], "score": 1}], "attributions": [attribution]}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", values.VALUES)
def test_golden_documents_keep_their_meaning(name):
    document = golden.read(golden.DATA / "native" / f"{name}.json")
    value = values.VALUES[name]()
    assert from_document(document) == value
    assert from_document(to_document(value)) == value
    SCHEMA.validate(document)


def test_golden_text_is_what_is_written():
    path = golden.DATA / "native" / "text.json"
    assert dumps(to_document(values.text())) + "\n" == path.read_text(encoding="utf-8")


def test_times_are_kept_though_they_are_not_compared():
    provenance = from_document(to_document(values.classification())).provenance
    assert (provenance.created, provenance.seconds) == ("2026-01-02T03:04:05Z", 1.5)


@given(strategies.explanations() | strategies.results() | strategies.records)
@relaxed
def test_every_document_follows_the_schema(value):
    fitted = fit(value, None, format="native")
    document = to_document(value)
    SCHEMA.validate(document)
    assert from_document(document) == fitted
    assert loads(dumps(document)) == document
    assert repr(from_document(document)) == repr(fitted)


@pytest.mark.parametrize("name", values.VALUES)
def test_broken_documents_do_not_follow_the_schema(name):
    document = golden.read(golden.DATA / "native" / f"{name}.json")
    for keys in golden.places(document):
        assert not SCHEMA.is_valid(golden.broken(document, keys)), golden.path(keys)
        changed = golden.deleted(document, keys)
        if not validate(changed, "native"):
            assert SCHEMA.is_valid(changed), golden.path(keys)


@given(st.data())
@relaxed
def test_bits_are_kept(data):
    shape = data.draw(st.tuples(strategies.sides, strategies.sides))
    array = data.draw(strategies.float32(shape))
    (attribution,) = from_document(to_document(heatmap(array))).attributions
    assert attribution.evidence.values.tobytes() == array.tobytes()


def test_a_large_map_keeps_its_bits_and_shrinks():
    y, x = np.mgrid[:224, :224] / 224
    array = (np.sin(5 * x) * np.cos(3 * y)).astype(np.float32)
    document = to_document(heatmap(array, height=224, width=224))
    packed = document["attributions"][0]["evidence"]
    assert packed["packing"] == "delta-zlib"
    assert len(packed["data"]) < 0.6 * array.nbytes * 4 / 3
    assert from_document(document).attributions[0].evidence.values.tobytes() == array.tobytes()


def test_what_does_not_shrink_is_stored_plainly():
    packed = pack(np.float32([[1, 2]]))
    assert packed == {
        "shape": [1, 2],
        "dtype": "float32",
        "data": base64.b64encode(np.array([1, 2], "<f4").tobytes()).decode(),
    }


def test_the_packing_is_as_documented():
    array = np.repeat(np.float32([[0.5], [-2.0]]), 50, axis=1)
    packed = pack(array)
    differences = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8).reshape(4, 100)
    planes = np.add.accumulate(differences, axis=1, dtype=np.uint8)
    assert planes.T.tobytes() == array.astype("<f4").tobytes()


@given(data=st.data(), bits=st.sampled_from([8, 16]))
@relaxed
def test_quantised_maps_come_back_within_half_a_step(data, bits):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    array = data.draw(strategies.float32(shape))
    document = to_document(heatmap(array), quantize=bits)
    SCHEMA.validate(document)
    (attribution,) = from_document(document).attributions
    step = (float(array.max()) - float(array.min())) / (2**bits - 1)
    error = np.abs(attribution.evidence.values.astype(np.float64) - array.astype(np.float64))
    rounding = float(np.abs(array).max()) * 2**-23 + 2**-149
    assert (error <= step / 2 + rounding).all()


def test_signals_are_quantised_and_grids_are_not():
    target = Prediction("a", 1.0)
    evidences = (SignalScores([[0.1, 0.2, 0.7]]), Grid([[0.1, 0.2, 0.7]]))
    explanation = Explanation(
        "signal-classification", Source("signal"), (target,), tuple(Attribution(target, e) for e in evidences)
    )
    stored = [a["evidence"]["dtype"] for a in to_document(explanation, quantize=8)["attributions"]]
    assert stored == ["uint8", "float32"]


def test_other_depths_are_refused():
    with refuses(InputError, "quantize must be None, 8 or 16, got 12"):
        to_document(heatmap([[1.0]]), quantize=12)


def test_content_is_not_written():
    source = Source("image", content=np.zeros((2, 2, 3), np.uint8))
    assert to_document(Explanation("image-classification", source))["source"] == {"kind": "image"}


def test_absent_is_none():
    document = to_document(Explanation("text-classification", Source("text")))
    assert document == {
        "xplain": 1,
        "type": "explanation",
        "task": "text-classification",
        "source": {"kind": "text"},
        "predictions": [],
        "attributions": [],
    }


def test_free_form_values_become_plain_json():
    options = {"window": (8, np.int64(8)), "b": {"rate": np.float32(0.5), "on": np.True_}, "a": None}
    explanation = Explanation("image-classification", Source("image"), provenance=Provenance(options=options))
    written = to_document(explanation)["provenance"]["options"]
    assert json.dumps(written) == '{"a": null, "b": {"on": true, "rate": 0.5}, "window": [8, 8]}'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": np.zeros(2)}, "provenance.options.mask must be a JSON value, got a ndarray"),
        ({"x": [1, {"y z": {1, 2}}]}, "provenance.options.x[1]['y z'] must be a JSON value, got a set"),
        ({"x": float("nan")}, "provenance.options.x must be a JSON value, got nan"),
        ({"x": {1: 2}}, "provenance.options.x must be a JSON value, got an object"),
    ],
)
def test_what_is_not_json_is_refused_by_path(options, message):
    explanation = Explanation("image-classification", Source("image"), provenance=Provenance(options=options))
    with refuses(InputError, message):
        to_document(explanation)
    with refuses(InputError, f"items[0].explanation.{message}"):
        to_document(Results("job", (Item("a", "successful", explanation=explanation),)))


def test_a_value_that_holds_itself_is_refused():
    loop = {}
    loop["loop"] = loop
    with refuses(InputError, "predictions[0].attributes.loop", "must be nested at most 64 deep"):
        to_document(Explanation("image-classification", Source("image"), (Prediction("a", 1.0, attributes=loop),)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": [1], "data": ""}, "evidence.shape: must be an array of two, got an array of 1"),
        ({"shape": [1, 1], "data": "!!!!"}, "evidence.data: must be base64"),
        ({"shape": [1, 1], "data": "AACAPw===="}, "evidence.data: must be base64"),
        ({"shape": [1, 1], "data": "AACAPw==AA=="}, "evidence.data: must be base64"),
        ({"shape": [1, 2], "data": "AAAAAA=="}, "evidence.data: must hold the 8 bytes of the shape, got 4"),
        ({"shape": [1, 1], "data": "AADAfw=="}, "evidence.data: must hold finite numbers, got NaN"),
        ({"shape": [1, 1], "data": "AAAA", "packing": "delta-zlib"}, "evidence.data: must be a zlib stream"),
        ({"shape": [1, 1], "data": "", "packing": "delta-zlib"}, "must inflate to 4 bytes, got only 0 deflated"),
        ({"shape": [MAX_ELEMENTS, 2], "data": ""}, "evidence.shape: must multiply to at most 134217728 elements"),
        ({"shape": [1, 1], "data": "/w==", "dtype": "uint8", "scale": 1e300}, "a number beyond float32"),
    ],
)
def test_wrong_arrays_are_refused(fields, message):
    with refuses(DocumentError, message):
        from_document(evidence(**fields))


def test_a_bomb_is_inflated_only_as_far_as_its_shape_says():
    bomb = base64.b64encode(zlib.compress(bytes(10**7))).decode()
    with refuses(DocumentError, "evidence.data: must inflate to 400 bytes, got more"):
        from_document(evidence(shape=[10, 10], data=bomb, packing="delta-zlib"))
    cut = base64.b64encode(zlib.compress(bytes(400))[:-4]).decode()
    with refuses(DocumentError, "must inflate to 400 bytes, got an unfinished or overlong stream"):
        from_document(evidence(shape=[10, 10], data=cut, packing="delta-zlib"))


def test_too_large_an_array_is_not_written():
    huge = np.broadcast_to(np.float32(0), (MAX_ELEMENTS, 2))
    with refuses(InputError, "at most 134217728 elements to be written, got 268435456"):
        pack(huge)


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"xplain": 2}, "$.xplain", "must be 1, got 2; a newer xplain wrote it: upgrade xplain-kit to read it"),
        ({"xplain": True}, "$.xplain", "must be an integer >= 1, got true"),
        ({"type": "picture"}, "$.type", "must be one of 'explanation', 'results', 'record', got 'picture'"),
        ({"source": {"kind": "image", "sha256": "ab"}}, "$.source.sha256", "must be 64 lower-case hexadecimal digits"),
        ({"source": {"kind": "image", "height": 1}}, "$.source", "given together"),
        ({"predictions": [{"label": [], "score": 1}]}, "$.predictions[0].label", "non-empty"),
        ({"predictions": [{"label": ["a"], "score": "1"}]}, "$.predictions[0].score", "a finite number, got '1'"),
        (
            {"attributions": [{"target": 3, "evidence": {"kind": "words", "words": []}}]},
            "$.attributions[0].target",
            "must be the index of one of 0 predictions, got 3",
        ),
    ],
)
def test_wrong_fields_are_named(changes, path, message):
    document = {**ENVELOPE, "predictions": [], "attributions": [], **changes}
    (problem,) = validate(document)
    assert problem.path == path
    assert message in problem.message


def test_evidence_of_another_size_than_the_source_is_named():
    document = to_document(heatmap([[1.0, 2.0]], height=1, width=2))
    document["source"]["width"] = 3
    (problem,) = validate(document)
    assert str(problem) == "$.attributions[0].evidence: must be 1x3 as the source, got 1x2"


def test_one_prediction_is_written_once_and_targets_point_to_it():
    cat, dog = Prediction("cat", 0.5), Prediction("dog", 0.5)
    explanation = Explanation(
        "image-classification",
        Source("image"),
        (cat, cat),
        (Attribution(replace(cat), Grid([[1.0]])), Attribution(dog, Grid([[1.0]]))),
    )
    document = to_document(explanation)
    assert [a["target"] for a in document["attributions"]] == [0, {"label": ["dog"], "score": 0.5}]
    assert from_document(document) == explanation
