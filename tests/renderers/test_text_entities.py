"""Entities in texts, and labels as trees."""

import re

import numpy as np

from tests.renderers.noted import draw
from xplain.explanation import Explanation, Prediction, Source, Span
from xplain.explanation.notes import Notes
from xplain.explanation.parts import join
from xplain.formatters import notes
from xplain.renderers.canvas.colours import COLOURS
from xplain.renderers.text import wording
from xplain.renderers.text.entities import find_entities, passages
from xplain.renderers.text.scene import ExplainedText

BODY = "messages[0].body"
TEXT, PARTS = join([("messages[0].subject", "Order 7"), (BODY, "Sent on 3 March 2026, 🙂 by Ann")])


def explain(*predictions, text=TEXT, parts=PARTS, **attributes):
    source = Source("text", text=text, parts=parts, name="mail")
    return Explanation("text-classification", source, predictions, attributes=attributes)


def entity(label, word, part=BODY, **more):
    """A prediction that marks a word of a part."""
    start = {p.name: TEXT[p.start : p.stop] for p in PARTS}[part].index(word)
    return Prediction(label, 0.5, region=Span(start, start + len(word), part=part), **more)


DATE = entity("date", "3 March 2026", attributes={"formatted_value": "2026-03-03", "kind": "when"})
YEAR = entity("number", "2026", attributes={"unscored": True})


class TestEntities:
    def test_stand_in_their_parts_and_may_overlap(self):
        assert draw(explain(DATE, YEAR)).ansi(color=False).splitlines()[:6] == [
            "mail",
            "messages[0].subject:",
            "Order 7",
            "messages[0].body:",
            "Sent on [3 March [2026]{date}]{number}, 🙂 by Ann",
            "Found",
        ]

    def test_are_listed_with_what_they_read(self):
        picture = draw(explain(DATE, YEAR))
        assert "Found in it: date when, '3 March 2026', = 2026-03-03, 0.5; number '2026'." in picture.alt
        assert "number '2026'" in re.sub("<[^>]*>", "", picture.html().decode()).replace("&#x27;", "'")

    def test_each_has_the_colour_of_its_label_and_a_line(self):
        pixels = draw(explain(DATE, YEAR)).pixels
        for colour in COLOURS[:2]:
            mask = (pixels == np.array(colour)).all(axis=2)
            assert mask.any(axis=1).sum() > 16  # the line below it, and its square in the list
        page = draw(explain(YEAR)).html().decode()
        assert page.count("box-shadow: 0 2px 0 rgb(86, 180, 233)") == 1

    def test_further_places_are_marked_too(self):
        twice = entity("person", "Ann", attributes={"further_spans": [{"part": BODY, "start": 0, "stop": 4}, {"x": 1}]})
        assert "[Sent]{person} on" in draw(explain(twice)).ansi(color=False)

    def test_without_the_text_they_are_listed_by_place(self):
        picture = draw(explain(DATE, text=None, parts=()))
        assert f"date when, = 2026-03-03, {BODY} 8 to 20, 0.5" in picture.alt
        assert "Found" in picture.ansi(color=False)

    def test_a_place_that_is_not_in_the_text_is_listed(self):
        beyond = Prediction("x", 0.5, region=Span(0, 9999))
        (found,) = find_entities(explain(beyond), Notes(), TEXT)
        assert found.ranges == ()
        assert passages(Source("text"), None, [found]) == ()

    def test_stretches_cover_each_part_once(self):
        explanation = explain(DATE, YEAR, entity("x", "Order 7", "messages[0].subject"))
        divided = passages(explanation.source, TEXT, find_entities(explanation, notes(explanation), TEXT))
        for passage, part in zip(divided, PARTS, strict=True):
            assert passage.stretches[0].start == part.start
            assert passage.stretches[-1].stop == part.stop
            assert all(a.stop == b.start for a, b in zip(passage.stretches, passage.stretches[1:], strict=False))

    def test_markup_stays_text(self):
        label = "<script>alert(1)</script>"
        page = draw(explain(entity(label, "Ann", attributes={"formatted_value": "<b>"}))).html().decode()
        assert "<script" not in page
        assert "<b>" not in page


class TestLabels:
    LABELS = (
        Prediction(("Order", "Late"), 0.4, threshold=0.5),
        Prediction("Chaser", 0.7, attributes={"auto_thresholds": ["balanced", 3]}),
        Prediction("Order", 0.9, threshold=0.25),
        Prediction(("Order", "Lost"), 0.6),
        Prediction(("Threat", "Leave"), 0.3),
    )

    def bars(self):
        return wording.label_bars(ExplainedText(explain(*self.LABELS), TEXT, ()), None)

    def test_children_stand_below_their_parents(self):
        assert [(bar.label, bar.depth) for bar in self.bars()] == [
            ("Chaser", 0),
            ("Order", 0),
            ("Late", 1),
            ("Lost", 1),
            ("Threat > Leave", 0),
        ]

    def test_thresholds_and_badges_are_written(self):
        text = draw(explain(*self.LABELS)).ansi(color=False)
        assert re.search(r"^Chaser +0.7  #+ +balanced$", text, re.MULTILINE)
        assert re.search(r"^  Late +0.4  #+ +< 0.5$", text, re.MULTILINE)
        assert "Order 0.9 (>= 0.25)" in draw(explain(*self.LABELS)).alt

    def test_a_tick_stands_at_the_threshold_in_every_form(self):
        ticked = draw(explain(Prediction("Order", 1.0, threshold=0.25)))
        assert "margin-left: -75.0%" in ticked.html().decode()
        without = draw(explain(Prediction("Order", 1.0)))
        assert not np.array_equal(ticked.pixels, without.pixels)
        assert ticked.svg() != without.svg()

    def test_a_label_that_is_predicted_twice(self):
        bars = wording.label_bars(ExplainedText(explain(*self.LABELS, self.LABELS[2]), TEXT, ()), None)
        assert [bar.label for bar in bars].count("Late") == 1


def test_properties_are_bars_around_zero():
    properties = [
        {"property_name": "quality_of_service", "value": 0.5},
        {"property_name": "tone", "value": -1},
        {"x": 1},
    ]
    attributes = {"reinfer": {"label_properties": properties, "sentiment": {"total": -0.25}}}
    picture = draw(explain(Prediction("Order", 0.9), **attributes))
    assert picture.alt.endswith("Properties: quality of service 0.5; tone -1; sentiment -0.25.")
    assert "Properties" in picture.ansi(color=False)
    assert "quality of service" in picture.html().decode()
