"""Texts of many parts."""

from hypothesis import given
from hypothesis import strategies as st

from xplain.explanation import Part, Source, Span
from xplain.explanation.parts import SEPARATOR, Utf16, in_part, in_text, join

texts = st.text(st.characters(max_codepoint=0x1F64F, exclude_categories=["Cs"]), max_size=12)


@given(st.lists(texts, max_size=5))
def test_each_part_is_where_it_is_said_to_be(given_texts):
    named = [(f"messages[{i}].body", text) for i, text in enumerate(given_texts)]
    text, parts = join(named)
    assert [(part.name, text[part.start : part.stop]) for part in parts] == [pair for pair in named if pair[1]]
    assert text == SEPARATOR.join(filter(None, given_texts))
    Source("text", text=text, parts=parts)


@given(st.lists(texts.filter(bool), min_size=1, max_size=4), st.data())
def test_places_in_a_part_and_in_the_text_are_the_same(given_texts, data):
    text, parts = join((str(i), text) for i, text in enumerate(given_texts))
    source = Source("text", text=text, parts=parts)
    part = data.draw(st.sampled_from(parts))
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, part.stop - part.start)] * 2)))
    span = Span(start, stop, part=part.name)
    place = in_text(source, span)
    assert text[slice(*place)] == given_texts[int(part.name)][start:stop]
    assert in_part(parts, *place) == span
    utf16 = span.to("utf16_byte", given_texts[int(part.name)])
    assert in_text(source, utf16) == place


@given(texts, st.data())
def test_utf16_positions_are_those_of_the_encoding(text, data):
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    utf16 = Utf16(text)
    assert text.encode("utf-16-le")[utf16.byte(start) : utf16.byte(stop)].decode("utf-16-le") == text[start:stop]


def test_what_lies_in_no_part_has_no_place():
    source = Source("text", text="🙂 no. Yes", parts=[Part("subject", 0, 5), Part("body", 7, 9)])
    assert in_text(source, Span(0, 1)) == (0, 1)
    assert in_text(source, Span(0, 1, part="signature")) is None
    assert in_text(source, Span(0, 3, part="body")) is None
    assert in_text(source, Span(2, 4, "utf16_byte", part="subject")) is None  # half of the smiley
    assert in_text(Source("text"), Span(0, 1)) is None
    assert in_part(source.parts, 4, 7) is None
    assert in_part(source.parts[1:], 0, 1) is None
