"""Explanations of every kind, for Hypothesis."""

import re

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xplain.explanation import (
    STATUSES,
    TASKS,
    Attribution,
    Box,
    Explanation,
    Grid,
    Heatmap,
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

SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
WORDS = ("good", "Good,", "bad", "!!", "naïve", "a")

characters = st.one_of(st.characters(), st.characters(categories=["Cs"]))
strings = st.text(characters, max_size=8).filter(lambda text: not SPLIT_PAIR.search(text))
numbers = st.floats(allow_nan=False, allow_infinity=False)
coordinates = st.floats(-1e6, 1e6)
small = st.integers(0, 10**6)
sides = st.integers(0, 6)


def json_values(tuples=False):
    scalars = st.none() | st.booleans() | st.integers() | numbers | strings
    extra = (lambda inner: st.lists(inner, max_size=3).map(tuple)) if tuples else (lambda inner: st.nothing())
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3) | extra(inner),
        max_leaves=6,
    )


def json_objects(tuples=True):
    return st.dictionaries(strings, json_values(tuples), max_size=2)


def float32(shape):
    elements = st.floats(width=32, allow_nan=False, allow_infinity=False)
    return hnp.arrays(np.float32, shape, elements=elements)


@st.composite
def masks(draw, height=None, width=None):
    height = draw(sides) if height is None else height
    width = draw(sides) if width is None else width
    return Mask.from_array(draw(hnp.arrays(np.bool_, (height, width))))


@st.composite
def ordered(draw, values):
    return sorted(draw(st.tuples(values, values)))


@st.composite
def regions(draw):
    unit = draw(st.sampled_from(["fraction", "pixel"]))
    match draw(st.integers(0, 4)):
        case 0:
            (x0, x1), (y0, y1) = draw(ordered(coordinates)), draw(ordered(coordinates))
            return Box(x0, y0, x1, y1, unit)
        case 1:
            return Polygon(draw(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=4)), unit)
        case 2:
            part = draw(st.none() | st.just("messages[0].body") | strings)
            return Span(*draw(ordered(small)), draw(st.sampled_from(["codepoint", "utf16_byte"])), part)
        case 3:
            return Window(*draw(ordered(coordinates)))
        case _:
            return draw(masks())


labels = st.sampled_from(["cat", "dog"]) | strings | st.lists(strings, min_size=1, max_size=3)
plain_predictions = st.builds(Prediction, labels, numbers)
predictions = plain_predictions | st.builds(
    Prediction,
    labels,
    numbers,
    region=st.none() | regions(),
    threshold=st.none() | numbers,
    id=st.none() | st.integers() | strings,
    attributes=json_objects(),
)


@st.composite
def words(draw):
    start, stop = draw(ordered(small)) if draw(st.booleans()) else (None, None)
    text = draw(st.sampled_from(WORDS) | strings)
    return Word(text, draw(numbers), draw(st.none() | st.integers(0, 6)), start, stop)


@st.composite
def evidence(draw, height, width):
    shape = (draw(sides) if height is None else height, draw(sides) if width is None else width)
    match draw(st.integers(0, 4)):
        case 0:
            return Heatmap(draw(float32(shape)))
        case 1:
            return draw(masks(*shape))
        case 2:
            return WordScores(draw(st.lists(words(), max_size=4)))
        case 3:
            return SignalScores(draw(float32(st.tuples(sides, sides))))
        case _:
            return Grid(draw(float32(st.tuples(sides, sides))))


sha256 = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)
provenances = st.builds(
    Provenance,
    method=st.none() | strings,
    options=json_objects(),
    seed=st.none() | st.integers(),
    model=st.none() | strings,
    model_sha256=sha256,
    preprocessing=json_objects(),
    versions=st.dictionaries(strings, strings, max_size=2),
    created=st.none() | strings,
    seconds=st.none() | numbers,
    evaluations=st.none() | small,
    engine=st.none() | strings,
    batch_size=st.none() | st.integers(1, 2**31),
    threads=st.none() | st.integers(1, 256),
)


@st.composite
def parts(draw, text):
    """Named parts of a text, one after the other."""
    edges = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    names = draw(st.lists(strings, unique=True, min_size=len(edges) // 2, max_size=len(edges) // 2))
    return [Part(name, *edges[2 * i : 2 * i + 2]) for i, name in enumerate(names)]


attributes = st.dictionaries(st.just("another"), json_values(tuples=True), max_size=1)


@st.composite
def explanations(draw, tasks=TASKS):
    height, width = draw(st.none() | st.tuples(sides, sides)) or (None, None)
    text = draw(st.none() | strings | st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join))
    source = Source(
        draw(st.sampled_from(["image", "text", "signal"])),
        name=draw(st.none() | strings),
        sha256=draw(sha256),
        height=height,
        width=width,
        text=text,
        parts=draw(st.just(()) | parts(text or "")),
        sample_rate_hz=draw(st.none() | st.floats(1e-3, 1e6)),
    )
    known = tuple(draw(st.lists(draw(st.sampled_from([plain_predictions, predictions])), max_size=3)))
    targets = st.sampled_from(known) | predictions if known else predictions
    attributions = st.builds(Attribution, targets, evidence(height, width), st.none() | strings, json_objects())
    return Explanation(
        draw(st.sampled_from(sorted(tasks))),
        source,
        known,
        tuple(draw(st.lists(attributions, max_size=3))),
        draw(st.just(Provenance()) | provenances),
        attributes=draw(st.just({}) | attributes),
    )


@st.composite
def results(draw):
    names = draw(st.lists(strings, unique=True, max_size=3))
    items = []
    for name in names:
        status = draw(st.sampled_from(STATUSES))
        items.append(
            Item(
                name,
                status,
                explanation=draw(st.none() | explanations()),
                error=draw(strings) if status == "failed" else None,
                engine=draw(st.none() | strings),
                started=draw(st.none() | strings),
                updated=draw(st.none() | strings),
                ended=draw(st.none() | strings),
                attributes=draw(st.just({}) | attributes),
            )
        )
    return Results(
        draw(strings),
        tuple(items),
        total=draw(st.none() | st.integers(len(items), len(items) + 2)),
        finished=draw(st.none() | st.booleans()),
        error=draw(st.none() | strings),
        submitted=draw(st.none() | strings),
        started=draw(st.none() | strings),
        updated=draw(st.none() | strings),
        ended=draw(st.none() | strings),
        attributes=draw(st.just({}) | attributes),
    )


records = st.builds(Record, strings, strings, json_objects())
