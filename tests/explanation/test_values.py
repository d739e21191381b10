import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.support import refuses
from xplain import (
    Attribution,
    Box,
    DocumentError,
    Explanation,
    Grid,
    Heatmap,
    InputError,
    Item,
    Mask,
    Part,
    Polygon,
    Prediction,
    Provenance,
    Record,
    Results,
    SignalScores,
    Source,
    Span,
    Window,
    Word,
    WordScores,
)

CAT = Prediction("cat", 0.9)
HEAT = Heatmap([[0.0, 1.0], [-2.0, 3.0]])
EXPLANATION = Explanation(
    "image-classification",
    Source("image", name="cat.jpg", height=2, width=2, content=np.zeros((2, 2, 3), np.uint8)),
    [CAT],
    [Attribution(CAT, HEAT, "saliency", {"residual": 0.5})],
    Provenance("saliency", {"absolute": True}, seed=0, created="2026-01-01T00:00:00Z", seconds=0.5),
)


@pytest.mark.parametrize(
    "value",
    [
        EXPLANATION,
        HEAT,
        Mask.from_array(np.eye(3)),
        Grid(np.eye(2)),
        SignalScores(np.eye(2)),
        WordScores([Word("a", 1.0, 0, 0, 1)]),
        Prediction(("a", "b"), 1, region=Polygon([(0, 0), (1, 1)]), threshold=0.5, id=3, attributes={"x": [1]}),
        Results("job", [Item("a", "successful", explanation=EXPLANATION), Item("b", "failed", error="no")]),
    ],
)
def test_values_survive_pickling_and_stay_read_only(value):
    copy = pickle.loads(pickle.dumps(value))
    assert copy == value
    for owner in (copy, *getattr(copy, "attributions", ())):
        for array in (getattr(getattr(owner, "evidence", owner), name, None) for name in ("values", "counts")):
            if array is not None:
                assert not array.flags.writeable


def test_values_compare_by_content_and_hash_alike():
    assert Heatmap(np.eye(2)) == Heatmap(np.eye(2))
    assert hash(Heatmap(-np.zeros((1, 1)))) == hash(Heatmap(np.zeros((1, 1))))
    assert Heatmap(np.eye(2)) != Grid(np.eye(2))
    assert Heatmap(np.eye(2)) != Heatmap(np.eye(3))
    assert (
        len({Mask.from_array(np.eye(2)), Mask.from_array(np.eye(2, dtype=bool)), Mask.from_array(np.ones((2, 2)))}) == 2
    )


def test_time_and_content_are_not_compared():
    from dataclasses import replace

    other = replace(
        EXPLANATION,
        source=replace(EXPLANATION.source, content=None),
        provenance=replace(EXPLANATION.provenance, created=None, seconds=None),
    )
    assert other == EXPLANATION
    assert replace(other, provenance=replace(other.provenance, seed=1)) != EXPLANATION


def test_arrays_are_copied_once_and_frozen():
    array = np.eye(2, dtype=np.float32)
    heat = Heatmap(array)
    array[0, 0] = 9
    assert heat.values[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        heat.values[0, 0] = 2


@given(
    npst.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(-3, 3)),
    st.floats(0, 1),
)
@settings(deadline=None)  # the first example compiles kernels
def test_keep_takes_the_largest_positive_pixels_and_breaks_ties_in_reading_order(values, keep):
    mask = Heatmap(values).to_mask(keep).to_array()
    order = sorted(range(values.size), key=lambda i: (-values.flat[i], i))[: round(keep * values.size)]
    expected = np.zeros(values.size, bool)
    expected[[i for i in order if values.flat[i] > 0]] = True
    assert np.array_equal(mask.ravel(), expected)


def test_threshold_takes_what_reaches_it_and_a_tenth_is_the_default():
    assert HEAT.to_mask(threshold=1.0).to_array().tolist() == [[False, True], [False, True]]
    assert HEAT.to_mask(threshold=-2).area == 4
    assert Heatmap(np.arange(100).reshape(10, 10)).to_mask().area == 10
    assert EXPLANATION.with_masks(threshold=3).attributions[0].evidence.area == 1
    with refuses(InputError, "keep must be left out when threshold is given"):
        HEAT.to_mask(0.1, 2)
    with refuses(InputError, "keep must be between 0 and 1, got 2"):
        HEAT.to_mask(2)


def test_mask_facts():
    mask = Mask.from_array([[0, 0, 0], [0, 1, 1]])
    assert mask.counts.tolist() == [3, 1, 1, 1]
    assert mask.area == 2
    assert mask.bbox == Box(1, 1, 3, 2, "pixel")
    assert mask.iou(Mask.from_array([[0, 1, 0], [0, 1, 0]])) == pytest.approx(1 / 3)
    assert Mask.from_array(np.zeros((2, 2))).bbox is None
    assert Mask([3, 0, 1, 0], 2, 2) == Mask([4], 2, 2)
    with refuses(InputError, "other must be 2x3 as this mask, got 2x2"):
        mask.iou(Mask([4], 2, 2))
    with refuses(DocumentError, "counts must sum to 4"):
        Mask([3], 2, 2)


def test_units_of_length():
    assert Box(0.25, 0.5, 0.75, 1).to("pixel", (200, 400)) == Box(100, 100, 300, 200, "pixel")
    assert Box(100, 100, 300, 200, "pixel").to("fraction", (200, 400)) == Box(0.25, 0.5, 0.75, 1)
    assert Polygon([(0.5, 0.5)]).to("pixel", (10, 20)) == Polygon([(10, 5)], "pixel")
    assert Box(0, 0, 1, 1).to("fraction", (0, 0)) == Box(0, 0, 1, 1)
    with refuses(InputError, "size must be an integer >= 1, got 0"):
        Box(0, 0, 1, 1).to("pixel", (0, 5))
    with refuses(InputError, "unit must be one of 'fraction', 'pixel', got 'inch'"):
        Box(0, 0, 1, 1).to("inch", (1, 1))


@given(st.text(), st.data())
def test_text_units_go_back_and_forth(text, data):
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    span = Span(start, stop)
    there = span.to("utf16_byte", text)
    assert text.encode("utf-16-le", "surrogatepass")[there.start : there.stop] == text[start:stop].encode(
        "utf-16-le", "surrogatepass"
    )
    assert there.to("codepoint", text) == span


def test_a_span_that_splits_a_character_is_refused():
    with refuses(InputError, "Span must not split a character, got UTF-16 bytes 0..2"):
        Span(0, 2, "utf16_byte").to("codepoint", "😀")
    with refuses(InputError, "Span.stop must be at most 1"):
        Span(0, 2).to("utf16_byte", "a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Prediction("a", float("nan")), "Prediction.score must be a finite number, got nan"),
        (lambda: Prediction("a", "0.5"), "Prediction.score must be a finite number, got '0.5'"),
        (lambda: Prediction("a", True), "Prediction.score must be a finite number, got True"),
        (lambda: Prediction((), 1), "Prediction.label must be a string or a non-empty sequence"),
        (lambda: Prediction("a", 1, region="here"), "Prediction.region must be a Box, Polygon"),
        (lambda: Prediction("a", 1, attributes={1: 2}), "Prediction.attributes must be a mapping with string keys"),
        (lambda: Prediction("a", 1, id=1.5), "Prediction.id must be an integer, got 1.5"),
        (lambda: Box(1, 0, 0, 1), "Box must have x0 <= x1"),
        (lambda: Polygon([]), "Polygon.points must hold at least one point"),
        (lambda: Polygon([(1, 2, 3)]), "Polygon.points must be a sequence of (x, y) pairs"),
        (lambda: Span(-1, 2), "Span.start must be an integer >= 0, got -1"),
        (lambda: Span(3, 2), "Span.stop must be an integer >= 3, got 2"),
        (lambda: Window(2, 1), "Window must have start_ms <= end_ms"),
        (lambda: Word("a", 1, start=1), "Word.start and Word.stop must be given together"),
        (lambda: WordScores("ab"), "WordScores.words must be a sequence of Word, got 'ab'"),
        (lambda: WordScores(["a"]), "WordScores.words[0] must be a Word, got 'a'"),
        (lambda: Heatmap([1.0]), "Heatmap.values must be two-dimensional (height, width), got shape (1,)"),
        (lambda: Heatmap([[np.inf]]), "Heatmap.values must be finite, got 1 values"),
        (lambda: Heatmap([["a"]]), "Heatmap.values must be an array of numbers"),
        (lambda: Heatmap([[1e300]]), "Heatmap.values must be finite, got 1 values that are NaN or beyond float32"),
        (lambda: Source("video"), "Source.kind must be one of 'image', 'text', 'signal', got 'video'"),
        (lambda: Source("image", height=3), "Source.height and Source.width must be given together"),
        (lambda: Source("image", sha256="abc"), "Source.sha256 must be 64 lower-case hexadecimal digits"),
        (lambda: Source("signal", sample_rate_hz=0), "Source.sample_rate_hz must be positive"),
        (lambda: Attribution("cat", HEAT), "Attribution.target must be a Prediction, got 'cat'"),
        (lambda: Attribution(CAT, np.eye(2)), "Attribution.evidence must be a Heatmap"),
        (lambda: Explanation("images", Source("image")), "Explanation.task must be one of 'image-classification'"),
        (
            lambda: Explanation(EXPLANATION.task, Source("image"), ["cat"]),
            "Explanation.predictions[0] must be a Predic",
        ),
        (
            lambda: Explanation(EXPLANATION.task, Source("image", height=3, width=2), [], EXPLANATION.attributions),
            "Explanation.attributions[0].evidence must be 3x2 as the source, got 2x2",
        ),
        (lambda: Item("a", "failed"), "Item.error must be given for a failed item only"),
        (lambda: Item("a", "done"), "Item.status must be one of 'waiting'"),
        (lambda: Results("j", [Item("a", "waiting")] * 2), "Results.items must have unique names, got 'a' twice"),
        (lambda: Results("j", [Item("a", "waiting")], total=0), "Results.total must be an integer >= 1, got 0"),
        (lambda: Item("a", "waiting", attributes=1), "Item.attributes must be a mapping with string keys, got 1"),
        (lambda: Record("modzy", "job", []), "Record.fields must be a mapping with string keys, got []"),
        (lambda: Span(0, 1, part=1), "Span.part must be a string, got 1"),
        (lambda: Part("a", 2, 1), "Part.stop must be an integer >= 2, got 1"),
        (
            lambda: Source("text", text="abc", parts=[Part("a", 0, 2), Part("b", 1, 3)]),
            "Source.parts[1] must lie in the text after the part before it, got 1..3",
        ),
        (lambda: Source("text", text="abc", parts=[Part("a", 0, 4)]), "Source.parts[0] must lie in the text"),
        (
            lambda: Source("text", text="abc", parts=[Part("a", 0, 1), Part("a", 1, 2)]),
            "Source.parts[1].name must be given once, got 'a' twice",
        ),
        (lambda: Provenance(versions={"torch": 2}), "Provenance.versions['torch'] must be a string, got 2"),
    ],
)
def test_bad_values_are_refused(make, message):
    with refuses(InputError, message):
        make()


def test_results_count_their_items():
    items = [Item("a", "successful"), Item("b", "failed", error="no"), Item("c", "running")]
    results = Results("job", items)
    assert (results.total, results.completed, results.failed, results.finished) == (3, 1, 1, False)
    assert Results("job", items[:2]).finished


def test_a_job_may_know_of_more_inputs_than_it_lists():
    done = [Item("a", "successful")]
    assert Results("job", done, total=2).finished is False
    assert Results("job", done, finished=False) != Results("job", done)
    assert Results("job", done, total=1, finished=True) == Results("job", done)


def test_a_polygon_has_a_box():
    assert Polygon([(1, 5), (3, 2), (2, 9)], "pixel").bbox == Box(1, 2, 3, 9, "pixel")


def test_spans_keep_their_part():
    span = Span(1, 2, part="messages[0].subject")
    assert span.to("utf16_byte", "a😀b") == Span(2, 6, "utf16_byte", "messages[0].subject")
    assert span.to("utf16_byte", "a😀b").to("codepoint", "a😀b") == span
