import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xplain.models.words import sentences, shares, units

TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from(" \t\n\u3000\u00a0ab.é好กि😀\u200d\u0301"), st.characters()), max_size=40
)


@given(TEXTS)
def test_units_are_the_words_of_split_in_their_places(text):
    spaced = text.split()
    words = units(text)
    for word in words:
        assert text[word.start : word.stop] == word.text
        assert word.text in spaced[word.index]
    joined = ["".join(word.text for word in words if word.index == i) for i in range(len(spaced))]
    assert joined == spaced


def test_scripts_without_spaces_are_taken_apart_and_marks_stay_with_their_letter():
    assert [unit.text for unit in units("我爱 NLP很")] == ["我", "爱", "NLP", "很"]
    assert [unit.index for unit in units("我爱 NLP很")] == [0, 0, 1, 1]
    assert [unit.text for unit in units("ที่")] == ["ที่"]
    assert [unit.text for unit in units("שלום עולם")] == ["שלום", "עולם"]
    assert [unit.text for unit in units("e\u0301t 👩\u200d🔬")] == ["e\u0301t", "👩\u200d🔬"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("葛\U000e0100城市", ["葛\U000e0100", "城", "市"]),  # a variant of the first letter, as in names of places
        ("辻\ufe00x", ["辻\ufe00", "x"]),
        ("ខ្មែរ", ["ខ្មែ", "រ"]),  # a consonant under another
        ("ភ្ជាប់", ["ភ្ជា", "ប់"]),
        ("မန္တလေး", ["မ", "န္တ", "လေး"]),
        ("အင်္ဂလိပ်", ["အ", "င်္ဂ", "လိ", "ပ်"]),
        ("ꦱꦩ꧀ꦥꦸꦤ꧀", ["ꦱ", "ꦩ꧀ꦥꦸ", "ꦤ꧀"]),
        ("ｶﾞｷﾞｮｰﾝ", ["ｶﾞ", "ｷﾞ", "ｮ", "ｰ", "ﾝ"]),
        ("น้ำใจ", ["น้ำ", "ใ", "จ"]),
        ("བཀྲ་ཤིས་བདེ་ལེགས།།", ["བཀྲ་", "ཤིས་", "བདེ་", "ལེགས།།"]),
        ("人々の", ["人", "々", "の"]),
        ("\ufeff好的", ["\ufeff好", "的"]),
        ("好\u0301abc", ["好\u0301", "abc"]),
    ],
)
def test_letters_of_scripts_without_spaces_keep_all_that_belongs_to_them(text, expected):
    assert [unit.text for unit in units(text)] == expected


def test_sentences_end_at_full_stops():
    words = units('He said "no." Then? He left… good')
    assert sentences(words) == [0, 0, 0, 1, 2, 2, 3]


@given(TEXTS, st.data())
def test_each_token_is_shared_out_whole_or_not_at_all(text, data):
    size = len(text)
    spans = []
    for _ in range(data.draw(st.integers(0, 6))):
        start = data.draw(st.integers(0, size))
        spans.append((start, data.draw(st.integers(start, size))))
    words = units(text)
    if not words:
        return
    tokens, owners, parts = shares(words, spans)
    for i, (start, stop) in enumerate(spans):
        covered = {c for c in range(start, stop) if not text[c].isspace()}
        expected = {
            j: len(covered & set(range(word.start, word.stop))) / len(covered)
            for j, word in enumerate(words)
            if covered
        }
        if not covered:
            expected = {next((j for j, word in enumerate(words) if word.start >= stop), len(words) - 1): 1.0}
        actual = dict(zip(owners[tokens == i].tolist(), parts[tokens == i].tolist(), strict=True))
        assert actual == {j: part for j, part in expected.items() if part}


def test_overlapping_byte_tokens_and_claimed_spaces():
    # A byte-level tokenizer splits an emoji in three tokens of one span; a unigram tokenizer claims the space before.
    words = units("a 😀 bc")
    tokens, owners, parts = shares(words, [(0, 1), (2, 3), (2, 3), (2, 3), (3, 6), None, (1, 2)])
    assert tokens.tolist() == [0, 1, 2, 3, 4, 6]
    assert owners.tolist() == [0, 1, 1, 1, 2, 1]
    assert np.array_equal(parts, np.ones(6))
