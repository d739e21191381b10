from dataclasses import replace

import numpy as np

from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Comparison, Explanation, Heatmap, Prediction, Source
from xplain.renderers import draw


def explained(method, values):
    cat = Prediction("cat", 0.9)
    attribution = Attribution(cat, Heatmap(values), method)
    source = Source("image", height=8, width=8, content=np.full((8, 8, 3), 128, np.uint8))
    return Explanation("image-classification", source, (cat,), (attribution,))


RAMP = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)


def drawn(*maps, **row):
    explanations = [explained(name, values) for name, values in maps]
    rows = tuple({"method": name, **row} for name, _ in maps)
    return draw(Comparison(tuple(explanations), rows, (("figure", "what it means"),)))


def test_maps_that_differ_in_units_only_are_drawn_alike():
    picture = drawn(("a", RAMP), ("b", RAMP * 1000), figure=0.5)
    height = picture.maps.pixels.shape[0]
    left, right = picture.maps.pixels[13:200, 13:213], picture.maps.pixels[13:200, 226:426]
    assert (left == right).all()
    assert not (left == left[0, 0]).all()
    assert (picture.pixels[:height, : picture.maps.pixels.shape[1]] == picture.maps.pixels).all()
    assert [row[-1] for row in picture.cells] == ["1", "1e+03"]


def test_a_map_with_nothing_in_it_is_drawn_and_has_no_full_colour():
    picture = drawn(("a", RAMP), ("none", 0 * RAMP), figure=None)
    assert picture.cells[1] == ("none", "-", "-")
    assert "nothing counted: all values are 0" in picture.alt


def test_names_and_notes_are_escaped_in_the_page():
    explanation = explained("<i>m</i>", RAMP)
    page = draw(Comparison((explanation,), ({"method": "<i>m</i>"},), (("<u>", "a < b"),))).html().decode()
    assert "<i>" not in page
    assert "<u>" not in page
    assert "<td>&lt;i&gt;m&lt;/i&gt;</td>" in page
    assert "a &lt; b" in page


def test_many_columns_are_drawn_as_several_tables():
    few = drawn(("a", RAMP), **{f"measure {i}": 0.123 for i in range(3)})
    many = drawn(("a", RAMP), **{f"measure {i}": 0.123 for i in range(20)})
    assert many.pixels.shape[0] > few.pixels.shape[0] + 2 * 40
    assert many.pixels.shape[1] == few.pixels.shape[1]


def test_an_option_that_does_not_exist_is_refused():
    comparison = Comparison((explained("a", RAMP),), ({"method": "a"},), ())
    with refuses(UnknownNameError, "option must be one of", "got 'zzz'"):
        draw(comparison, zzz=1)
    with refuses(InputError, "time must be True or False, got 'no'"):
        draw(comparison, time="no")


def test_an_explanation_without_a_single_map_is_refused():
    explanation = explained("a", RAMP)
    for other in (explanation.with_masks(keep=0.1), replace(explanation, attributions=explanation.attributions * 2)):
        with refuses(InputError, "explanations must be of one heat map each"):
            draw(Comparison((other,), ({"method": "a"},)))
