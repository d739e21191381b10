"""Word scores in the coordinates of messages, and parents of labels."""

import random

import pytest

from tests.support import refuses
from xplain.errors import InputError
from xplain.explanation import Part, Prediction, Source, Word, WordScores
from xplain.explanation.hierarchy import with_parents
from xplain.formatters.reinfer.interpretations import interpretations


def test_spans_hold_the_words_in_both_units():
    rng = random.Random(0)
    texts = [
        "".join(rng.choice(["a", "é", "\U0001f600", "好", " "]) for _ in range(rng.randrange(1, 60))) for _ in range(8)
    ]
    parts, at = [], 0
    for i, text in enumerate(texts):
        parts.append(Part(f"messages[{i}].body", at, at + len(text)))
        at += len(text) + 2
    whole = "\n\n".join(texts)
    words, start = [], 0
    for index, word in enumerate(whole.split()):
        start = whole.index(word, start)
        words.append(Word(word, rng.uniform(-3, 3), index, start, start + len(word)))
        start += len(word)
    rng.shuffle(words)
    interpreted = interpretations(WordScores(words), Source("text", text=whole, parts=parts))
    largest = max(abs(word.score) for word in words)
    placed = []
    for part in interpreted:
        text = texts[part.message_index]
        for span in part.spans:
            utf16 = text.encode("utf-16-le")[span.utf16_byte_start : span.utf16_byte_end].decode("utf-16-le")
            assert utf16 == text[span.char_start : span.char_end]
            placed.append((utf16, pytest.approx(span.importance * largest)))
    assert placed == [(word.text, word.score) for word in sorted(words, key=lambda word: word.start)]


def test_importances_of_nothing_are_zero():
    source = Source("text", text="a", parts=[Part("messages[0].body", 0, 1)])
    (body,) = interpretations(WordScores([Word("a", 0.0, 0, 0, 1)]), source)
    assert body.spans == ((0, 1, 0, 2, 0.0),)
    assert interpretations(WordScores([]), source) == ()


@pytest.mark.parametrize(
    ("word", "parts", "message"),
    [
        (Word("a", 1.0, 0, 0, 1), [], "source.parts must name the parts of the messages, got none"),
        (
            Word("a", 1.0, 0, 0, 1),
            [Part("title", 0, 1)],
            "source.parts must be named like 'messages[0].body', got 'title'",
        ),
        (
            Word("a", 1.0, 0),
            [Part("messages[0].body", 0, 1)],
            "words must have a start and a stop, got neither for 'a'",
        ),
        (
            Word("ab", 1.0, 0, 0, 2),
            [Part("messages[0].body", 0, 1)],
            "words must lie in the source's parts, got 'ab' at 0",
        ),
        (
            Word("a", 1.0, 0, 0, 1),
            [Part("messages[0].body", 1, 2)],
            "words must lie in the source's parts, got 'a' at 0",
        ),
    ],
)
def test_words_without_a_place_are_refused(word, parts, message):
    with refuses(InputError, message):
        interpretations(WordScores([word]), Source("text", text="ab", parts=parts))


def test_parents_of_labels():
    predictions = [
        Prediction(("a", "b", "c"), 0.5),
        Prediction(("a", "b", "d"), 0.2),
        Prediction(("a", "e"), 0.3),
        Prediction("f", 0.9),
        Prediction(("f", "g"), 0.1),
    ]

    def scores(combine):
        return {label.name: round(label.score, 6) for label in with_parents(predictions, combine)}

    leaves = {"a > b > c": 0.5, "a > b > d": 0.2, "a > e": 0.3, "f": 0.9, "f > g": 0.1}
    assert scores("max") == leaves | {"a": 0.5, "a > b": 0.5}
    assert scores("any") == leaves | {"a": 0.72, "a > b": 0.6}
    assert [label.name for label in with_parents(predictions)][:4] == ["f", "a", "a > b", "a > b > c"]
    with refuses(InputError, "combine must be one of 'max', 'any', got 'sum'"):
        with_parents(predictions, "sum")
