"""Whatever a document holds: a picture, or a refusal that says why."""

from collections import Counter

import pytest
from hypothesis import given

from tests.formatters import extras
from tests.formatters.strategies import explanations, records, results
from tests.renderers.noted import draw
from tests.support import examples
from xplain import formatters
from xplain.errors import XplainError
from xplain.formatters.core.extras import without_attributes


def outcome(subject):
    """Return "drawn" if a subject is, in every kind of file, or the name of the refusal."""
    try:
        picture = draw(subject)
    except XplainError as error:
        return type(error).__name__
    assert picture.alt
    for suffix in (".html", ".svg", ".txt"):
        picture.encoded(suffix).decode("utf-8")
    assert picture.pixels.dtype == "uint8"
    return "drawn"


@examples(60)
@given(explanations() | results() | records)
def test_any_value(subject):
    outcome(subject)


@pytest.mark.parametrize("format", formatters.FORMATS)
def test_any_extras_are_drawn_or_left_out(format):
    outcomes = Counter()

    @examples(60)
    @given(extras.values(format))
    def law(value):
        drawn = outcome(value)
        # What cannot be drawn without its attributes cannot be drawn with them either; they never stand in the way.
        assert drawn == "drawn" or drawn == outcome(without_attributes(value)), drawn
        outcomes[drawn] += 1

    law()
    assert outcomes["drawn"] >= outcomes.total() / 2, outcomes
