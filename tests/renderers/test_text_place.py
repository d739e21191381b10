"""Finding scored words in a text, and making characters visible."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain.explanation import Word
from xplain.explanation.characters import HIDDEN, one_line, visible
from xplain.renderers.text.scene import find_words, join_words

TEXT = "Good, good and not GOOD"


def found(text, words):
    """The words in a text as (characters, score), and those that are missing."""
    runs, missing = find_words(text, words)
    return (
        [(text[run.start : run.stop], run.word.score) for run in runs if run.word is not None],
        [word.text for word in missing],
    )


@pytest.mark.parametrize(
    ("words", "expected", "missing"),
    [
        ([Word("good", 0.5, 1, 6, 10)], [("good", 0.5)], []),
        ([Word("good", 0.5, start=0, stop=4)], [("Good", 0.5)], []),
        ([Word("good", 0.5, index=1)], [("good", 0.5)], []),
        ([Word("good", 0.5, index=0)], [("Good,", 0.5)], []),
        # Nothing of the kind at its range: the index counts; another word at the index: it counts occurrences.
        ([Word("good", 0.5, 1, 0, 2)], [("good", 0.5)], []),
        ([Word("good", 0.5, index=2)], [("GOOD", 0.5)], []),
        ([Word("good", 0.5)], [("Good", 0.5), ("good", 0.5), ("GOOD", 0.5)], []),
        ([Word("good", 0.1), Word("good", 0.2)], [("Good", 0.1), ("good", 0.2)], []),
        ([Word("good", 0.1)] * 4, [("Good", 0.1), ("good", 0.1), ("GOOD", 0.1)], ["good"]),
        ([Word("goo", 0.5)], [], ["goo"]),
        ([Word("bad", 0.5, index=99), Word("", 0.5), Word("not", 0.1, start=90, stop=93)], [("not", 0.1)], ["bad", ""]),
        ([Word("not", 0.5, index=77)], [], ["not"]),
        (
            [Word("Good, good", 0.1, start=0, stop=10), Word("good", -0.5, index=1)],
            [("Good, ", 0.1), ("good", -0.5)],
            [],
        ),
        ([], [], []),
    ],
)
def test_words_are_found_by_range_then_index_then_spelling(words, expected, missing):
    assert found(TEXT, words) == (expected, missing)


def test_characters_of_one_word_follow_each_other():
    text = "so 好的好 fine"
    words = [Word("好", 0.1, index=1), Word("的", 0.2, index=1), Word("好", 0.3, index=1)]
    assert found(text, words)[0] == [("好", 0.1), ("的", 0.2), ("好", 0.3)]
    assert found(text, [Word("好", 0.4)])[0] == [("好", 0.4), ("好", 0.4)]


words = st.builds(
    Word,
    st.text("ab 好.", max_size=3),
    st.floats(-1, 1),
    st.none() | st.integers(0, 5),
) | st.builds(
    lambda text, score, start, length: Word(text, score, None, start, start + length),
    st.text("ab", max_size=3), st.floats(-1, 1), st.integers(0, 9), st.integers(0, 4),
)  # fmt: skip


@given(st.text("abAB \n好.", max_size=20), st.lists(words, max_size=6))
def test_runs_cover_the_text_and_no_word_is_lost(text, scored):
    runs, missing = find_words(text, scored)
    assert "".join(text[run.start : run.stop] for run in runs) == text
    assert [run.start for run in runs[1:]] == [run.stop for run in runs[:-1]]
    assert all(run.start < run.stop for run in runs)
    assert set(map(id, missing)) <= set(map(id, scored))


def test_without_a_text_words_are_joined_in_their_order_with_ellipses():
    by_index = [Word("saved", 0.3, 7), Word("not", -0.4, 3), Word("good,", 0.2, 4)]
    assert join_words(by_index)[0] == "… not good, … saved"
    assert join_words([Word("The", 0.1, 0), Word("film", 0.1, 1)])[0] == "The film"
    by_range = [Word("b", 0.1, start=4, stop=5), Word("a", 0.1, start=2, stop=3), Word("c", 0.1, start=5, stop=6)]
    assert join_words(by_range)[0] == "… a bc"
    assert join_words([Word("a", 0.1), Word("b", 0.1)])[0] == "… a … b"
    assert join_words([]) == ("", ())
    text, ordered = join_words(by_index)
    assert found(text, ordered) == ([("not", -0.4), ("good,", 0.2), ("saved", 0.3)], [])


def test_no_character_that_acts_is_left():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    result = visible(everything)
    result.encode("utf-8")
    bad = {"Cc", "Cs", "Zl", "Zp"}
    assert {c for c in result if unicodedata.category(c) in bad} == {"\t", "\n"}
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff\U0001ffff") & set(result)
    # Joiners, without which emoji and some scripts fall apart, stay.
    assert visible("👩\u200d🚀 می\u200cخواهم") == "👩\u200d🚀 می\u200cخواهم"


def test_control_characters_become_their_pictures():
    assert visible("\x00\x1b[2J\x7f\x9b\ud800") == "␀␛[2J␡\ufffd\ufffd"
    assert visible("a\r\nb\u2028c\td") == "a\nb\nc\td"
    assert one_line(" a\r\n\tb ") == "a b"
    assert HIDDEN.search("\u200d") is None
