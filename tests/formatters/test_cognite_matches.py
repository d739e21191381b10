"""Alignments of texts with names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import refuses
from xplain.errors import InputError
from xplain.explanation.notes import Stretch
from xplain.formatters.cognite.matches import align


def test_a_reading_is_aligned_with_the_name_of_its_asset():
    assert align("21pt1O19x", "21-PT-1019") == (
        Stretch("same", "21", "21"),
        Stretch("missing", "", "-"),
        Stretch("case", "pt", "PT"),
        Stretch("missing", "", "-"),
        Stretch("same", "1", "1"),
        Stretch("changed", "O", "0"),
        Stretch("same", "19", "19"),
        Stretch("extra", "x", ""),
    )


@pytest.mark.parametrize(
    ("text", "name", "kinds"),
    [("", "", []), ("a", "", ["extra"]), ("", "b", ["missing"]), ("AB", "ab", ["case"]), ("a", "b", ["changed"])],
)
def test_ends_of_the_scale(text, name, kinds):
    assert [stretch.kind for stretch in align(text, name)] == kinds


def test_characters_that_fold_to_several_keep_their_place():
    assert align("straße", "STRASSE")[-1] == Stretch("case", "e", "E")


@given(st.text("aAbB-ß1", max_size=12), st.text("aAbB-ß1", max_size=12))
def test_stretches_are_the_whole_of_both(text, name):
    stretches = align(text, name)
    assert "".join(stretch.text for stretch in stretches) == text
    assert "".join(stretch.name for stretch in stretches) == name
    for stretch in stretches:
        assert (stretch.kind == "same") == (stretch.text == stretch.name)
        assert stretch.kind != "case" or stretch.text.casefold() == stretch.name.casefold()


def test_long_texts_are_refused():
    with refuses(InputError, "name must be at most 1024 characters, got 1025"):
        align("a", "b" * 1025)
    with refuses(InputError, "text must be a string, got 5"):
        align(5, "b")
    assert align("a" * 1024, "b" * 1024) == (Stretch("changed", "a" * 1024, "b" * 1024),)
