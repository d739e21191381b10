"""Whatever a document holds: a picture, or a refusal that says why."""

from hypothesis import given
from hypothesis import strategies as st

from tests.formatters.strategies import explanations, json_objects, json_values, records, results
from tests.support import examples
from xplain.errors import XplainError
from xplain.explanation import Box, Explanation, Prediction, Source, Span
from xplain.renderers import draw

FREELY = examples(60)
SAID = (
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


def draws(subject):
    try:
        picture = draw(subject)
    except XplainError:
        return
    assert picture.alt
    for suffix in (".html", ".svg", ".txt"):
        picture.encoded(suffix).decode("utf-8")
    assert picture.pixels.dtype == "uint8"


@FREELY
@given(explanations() | results() | records)
def test_any_value(subject):
    draws(subject)


@FREELY
@given(
    st.dictionaries(st.sampled_from(SAID), json_values(), max_size=5),
    json_objects(),
    st.sampled_from(["assetTag", "dialGauge", "levelGauge", None]),
)
def test_any_attributes(said, own, feature):
    said = said if feature is None else {**said, "feature": feature}
    attributes = {
        "edge-impulse": {"classifications": own, "centroids": own, "sample": {"boundingBoxes": list(own.values())}},
        "reinfer": {"label_properties": list(own.values()), "sentiment": own},
    }
    box = Prediction("thing", 0.5, region=Box(0.1, 0.1, 0.9, 0.9), attributes=said)
    draws(Explanation("object-detection", Source("image"), [box], attributes=attributes))
    span = Prediction("thing", 0.5, region=Span(1, 3), attributes=said)
    whole = Prediction("all", 0.5, attributes=said)
    source = Source("text", text="some text")
    draws(Explanation("text-classification", source, [span, whole], attributes=attributes))
    draws(Explanation("signal-classification", Source("signal"), [whole], attributes=attributes))
