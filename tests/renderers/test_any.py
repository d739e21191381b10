"""Whatever a document holds: a picture, or a refusal that says why."""

from hypothesis import given
from hypothesis import strategies as st

from tests.formatters.strategies import explanations, json_objects, json_values, records, results
from tests.renderers.noted import draw
from tests.support import examples
from xplain.errors import XplainError
from xplain.explanation import Box, Explanation, Prediction, Source, Span

LENIENT = examples(60)
VENDOR_KEYS = (
    "assetRef",
    "attributes",
    "auto_thresholds",
    "closed",
    "feature",
    "further_spans",
    "keypoints",
    "learnBlock",
    "objectRegion",
    "output",
    "region_id",
    "unscored",
    "expected",
    "correct",
    "predicted",
    "formatted_value",
    "kind",
)


def draws_or_refuses(subject):
    try:
        picture = draw(subject)
    except XplainError:
        return
    assert picture.alt
    for suffix in (".html", ".svg", ".txt"):
        picture.encoded(suffix).decode("utf-8")
    assert picture.pixels.dtype == "uint8"


@LENIENT
@given(explanations() | results() | records)
def test_any_value(subject):
    draws_or_refuses(subject)


@LENIENT
@given(
    st.dictionaries(st.sampled_from(VENDOR_KEYS), json_values(), max_size=5),
    json_objects(),
    st.sampled_from(["assetTag", "dialGauge", "levelGauge", None]),
)
def test_any_attributes(of_prediction, value, feature):
    if feature is not None:
        of_prediction = {**of_prediction, "feature": feature}
    items = list(value.values())
    of_explanation = {
        "edge-impulse": {"classifications": value, "centroids": value, "sample": {"boundingBoxes": items}},
        "reinfer": {"label_properties": items, "sentiment": value},
    }
    box = Prediction("thing", 0.5, region=Box(0.1, 0.1, 0.9, 0.9), attributes=of_prediction)
    span = Prediction("thing", 0.5, region=Span(1, 3), attributes=of_prediction)
    whole = Prediction("all", 0.5, attributes=of_prediction)
    text = Source("text", text="some text")
    for task, source, predictions in (
        ("object-detection", Source("image"), [box]),
        ("text-classification", text, [span, whole]),
        ("signal-classification", Source("signal"), [whole]),
    ):
        draws_or_refuses(Explanation(task, source, predictions, attributes=of_explanation))
