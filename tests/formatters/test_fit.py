"""What a format cannot hold, and how values are cut down to what it can."""

from dataclasses import replace

import pytest

from tests.support import refuses
from xplain.errors import FidelityError, InputError
from xplain.explanation import (
    Attribution,
    Box,
    Explanation,
    Grid,
    Item,
    Mask,
    Polygon,
    Prediction,
    Provenance,
    Record,
    Results,
    Source,
    Span,
    Word,
    WordScores,
)
from xplain.formatters.core.fit import Capabilities, fit
from xplain.formatters.core.losses import differences
from xplain.formatters.modzy import formatter as modzy

CAT, DOG = Prediction("cat", 0.5), Prediction("dog", 0.25)
MASK = Mask.from_array([[0, 1]])


def image(predictions, *attributions, **source):
    return Explanation("image-classification", Source("image", **source), predictions, attributions)


def words(predictions, *attributions, text=None):
    return Explanation("text-classification", Source("text", text=text), predictions, attributions)


def scores(*items):
    return WordScores(tuple(Word("a", score, index) for index, score in enumerate(items)))


LOSSES = {
    "a label path": (
        image([Prediction(["pet", "cat"], 0.5)]),
        "predictions[0] has a label of 2 levels",
        image([Prediction("pet > cat", 0.5)]),
    ),
    "a region": (
        image([Prediction("cat", 0.5, region=Box(0, 0, 1, 1))]),
        "predictions[0].region is a Box, which cannot be held",
        image([CAT]),
    ),
    "a threshold": (image([Prediction("cat", 0.5, threshold=0.1)]), "predictions[0] has a threshold", image([CAT])),
    "another kind": (
        image([CAT], Attribution(CAT, Grid([[1.0]]))),
        "attributions[0].evidence is of kind Grid",
        image([CAT]),
    ),
    "another size": (
        image([CAT], Attribution(CAT, MASK), Attribution(CAT, Mask.from_array([[1]]))),
        "1 masks are not of the size of the first, 1x2",
        image([CAT], Attribution(CAT, MASK), height=1, width=2),
    ),
    "a label twice": (
        words([CAT], Attribution(CAT, scores(1)), Attribution(CAT, scores(2))),
        "attributions[1] is another one for 'cat'",
        words([CAT], Attribution(CAT, scores(1))),
    ),
    "a target of no prediction": (
        words([CAT], Attribution(DOG, scores(1))),
        "attributions[0].target is not among the predictions, to which 'dog' would be added",
        words([CAT, DOG], Attribution(DOG, scores(1))),
    ),
    "another score": (
        words([CAT], Attribution(Prediction("cat", 0.75), scores(1))),
        "attributions[0].target is not the first prediction of 'cat'",
        words([CAT], Attribution(CAT, scores(1))),
    ),
    "a word without index": (
        words([CAT], Attribution(CAT, WordScores([Word("a", 1.0, None, 0, 1)]))),
        "attributions[0].evidence.words[0] has a place in the text but no index",
        words([CAT], Attribution(CAT, WordScores([Word("a", 1.0)]))),
    ),
    "an index that would be read otherwise": (
        words([CAT], Attribution(CAT, WordScores([Word("b", 1.0, 0)])), text="a b"),
        "attributions[0].evidence.words[0] has index 0, where the text does not have 'b'",
        words([CAT], Attribution(CAT, WordScores([Word("b", 1.0)])), text="a b"),
    ),
}


@pytest.mark.parametrize("what", LOSSES)
def test_losses_are_refused_or_accepted(what):
    explanation, loss, fitted = LOSSES[what]
    with pytest.raises(FidelityError) as caught:
        fit(explanation, modzy.CAPABILITIES, format="modzy")
    assert caught.value.losses == (loss,)
    assert fit(explanation, modzy.CAPABILITIES, format="modzy", lossy=True) == fitted


def test_all_losses_are_listed_at_once():
    explanation = image([Prediction(["a", "b"], 1, threshold=0.5)], Attribution(DOG, MASK))
    results = Results("job", (Item("x", "waiting"), Item("y", "successful", explanation=explanation)))
    with refuses(
        FidelityError,
        "format 'modzy' cannot hold all of it: ",
        "items[1].explanation.predictions[0] has a label of 2 levels; ",
        "items[1].explanation.predictions[0] has a threshold; ",
        "; pass lossy=True to accept that",
    ):
        fit(results, modzy.CAPABILITIES, format="modzy")


def test_metadata_is_no_loss():
    cat = Prediction("cat", 0.5, id=281)
    explanation = Explanation(
        "image-classification",
        Source("image", name="cat.png", sha256="0" * 64, height=1, width=2),
        (cat,),
        (Attribution(cat, MASK, "occlusion", {"residual": 0.5}),),
        Provenance(method="occlusion"),
    )
    fitted = image([CAT], Attribution(CAT, MASK), height=1, width=2)
    assert fit(explanation, modzy.CAPABILITIES, format="modzy") == fitted


def test_a_task_that_the_format_lacks_is_refused():
    explanation = Explanation("signal-classification", Source("signal"))
    with refuses(InputError, "task must be one of 'image-classification'", "as 'modzy', got 'signal-classification'"):
        fit(explanation, modzy.CAPABILITIES, format="modzy", lossy=True)


def test_attributes_of_another_vendor_are_a_loss():
    explanation = Explanation("image-classification", Source("image"), [CAT], attributes={"other": 1, "modzy": {}})
    results = Results("job", (Item("y", "waiting", attributes={"other": 1}),))
    with refuses(FidelityError, "attributes of 'other' are left out"):
        fit(explanation, modzy.CAPABILITIES, format="modzy")
    with refuses(FidelityError, "items[0].attributes of 'other' are left out"):
        fit(results, modzy.CAPABILITIES, format="modzy")
    assert fit(explanation, modzy.CAPABILITIES, format="modzy", lossy=True).attributes == {"modzy": {}}


def test_a_record_is_written_in_its_own_format():
    assert fit(Record("modzy", "job", {}), modzy.CAPABILITIES, format="modzy") == Record("modzy", "job", {})
    with refuses(InputError, "format must be that of the job, 'other', or 'native', got 'modzy'"):
        fit(Record("other", "job", {}), modzy.CAPABILITIES, format="modzy")


BOXES = {
    "object-detection": Capabilities(
        source="image", regions=(Box,), unit="fraction", paths=True, threshold=True, ids=(int,), attributes=("a",)
    )
}


def detections(*predictions, **source):
    return Explanation("object-detection", Source("image", **source), predictions)


def test_what_the_format_holds_is_kept():
    box = Box(1, 2, 3, 4, "pixel")
    cat = Prediction(["pet", "cat"], 0.5, region=box, threshold=0.25, id=3, attributes={"a": 1, "b": 2})
    with refuses(FidelityError, "predictions[0] has attributes"):
        fit(detections(cat, height=4, width=8), BOXES, format="boxes")
    fitted = fit(detections(cat, height=4, width=8), BOXES, format="boxes", lossy=True)
    (prediction,) = fitted.predictions
    assert prediction == Prediction(
        ["pet", "cat"], 0.5, region=Box(0.125, 0.5, 0.375, 1.0), threshold=0.25, id=3, attributes={"a": 1}
    )


@pytest.mark.parametrize(
    ("region", "loss", "fitted"),
    [
        (Polygon([(0, 0.5), (1, 1)]), "predictions[0].region is a Polygon, of which only the box", Box(0, 0.5, 1, 1)),
        (Span(0, 1), "predictions[0].region is a Span, which cannot be held", None),
        (Box(0, 0, 1, 1, "pixel"), "predictions[0].region is in unit 'pixel', and the size of the image is not", None),
    ],
)
def test_regions_are_reduced(region, loss, fitted):
    explanation = detections(Prediction("a", 1, region=region))
    with refuses(FidelityError, loss):
        fit(explanation, BOXES, format="boxes")
    assert fit(explanation, BOXES, format="boxes", lossy=True).predictions[0].region == fitted


def test_whatever_reading_does_not_give_back_is_a_loss():
    def round_trip(explanation):
        return replace(explanation, predictions=[replace(p, score=0.5) for p in explanation.predictions[:1]])

    several = detections(*(Prediction("a", 0.25) for _ in range(6)))
    with refuses(
        FidelityError,
        "predictions[0].score becomes 0.5; predictions[1] is left out (and 4 more alike)",
    ):
        fit(several, BOXES, format="boxes", round_trip=round_trip)
    assert fit(several, BOXES, format="boxes", round_trip=round_trip, lossy=True).predictions == (Prediction("a", 0.5),)


def test_a_format_of_jobs_makes_a_job_of_one_item():
    def round_trip(explanation):
        return Results("", (Item("0", "successful", explanation=explanation),))

    explanation = detections(Prediction("a", 0.25))
    assert fit(explanation, BOXES, format="jobs", round_trip=round_trip) == round_trip(explanation)


def test_numbers_and_thresholds_that_a_document_makes_up_are_no_losses():
    made_up = Prediction("cat", 0.5, id=0, threshold=0)
    assert differences(image([CAT]), image([made_up])) == []
    assert differences(image([made_up]), image([Prediction("cat", 0.5, id=1)])) == [
        "predictions[0].threshold is left out",
        "predictions[0].id becomes 1",
    ]


def test_differences_name_places():
    before = Results("a", (Item("x", "waiting", attributes={"n": [1, 2]}),), attributes={"k": {"m": 1}})
    after = Results("a", (Item("x", "running", attributes={"n": [1, 3]}),), attributes={"k": {}, "l": 2})
    assert differences(before, after) == [
        "items[0].status becomes 'running'",
        "items[0].attributes.n[1] becomes 3",
        "attributes.k.m is left out",
        "attributes.l is added",
    ]
    assert differences(Results("a", (), started="2026-01-02T03:04:05Z"), Results("a", ())) == ["started is left out"]
    grid = Attribution(CAT, Grid([[1.0]]))
    assert differences(grid, Attribution(CAT, Grid([[2.0]]))) == ["evidence.values changes"]


def test_neither_the_order_of_items_nor_the_spelling_of_times_is_a_difference():
    first, second = Item("a", "waiting", started="2026-01-02T03:04:05+01:00"), Item("b", "waiting")
    first_in_utc = Item("a", "waiting", started="2026-01-02T02:04:05.000Z")
    assert differences(Results("j", (first, second)), Results("j", (second, first_in_utc))) == []
    later = Item("a", "waiting", started="2026-01-02T02:04:06Z")
    assert differences(Results("j", (first, second)), Results("j", (second, later))) == [
        "items[0].started becomes '2026-01-02T02:04:06Z'"
    ]
