"""What a format cannot hold."""

import pytest

from tests.support import refuses
from xplain.dialects import modzy
from xplain.dialects._fit import fit
from xplain.errors import FidelityError, InputError
from xplain.explanation import (
    Attribution,
    Box,
    Explanation,
    Grid,
    Item,
    Mask,
    Prediction,
    Provenance,
    Results,
    Source,
    Word,
    WordScores,
)

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
    "a region": (image([Prediction("cat", 0.5, region=Box(0, 0, 1, 1))]), "predictions[0] has a region", image([CAT])),
    "a threshold": (image([Prediction("cat", 0.5, threshold=0.1)]), "predictions[0] has a threshold", image([CAT])),
    "attributes": (image([Prediction("cat", 0.5, attributes={"a": 1})]), "predictions[0] has attributes", image([CAT])),
    "another target": (
        image([CAT, DOG], Attribution(DOG, MASK)),
        "attributions[0] explains 'dog', which is not the first prediction",
        image([CAT, DOG]),
    ),
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
def test_losses_are_said_or_accepted(what):
    explanation, loss, left = LOSSES[what]
    with pytest.raises(FidelityError) as caught:
        fit(explanation, modzy.CARRIES, format="modzy")
    assert caught.value.losses == (loss,)
    assert fit(explanation, modzy.CARRIES, format="modzy", lossy=True) == left


def test_all_losses_are_said_at_once():
    explanation = image([Prediction(["a", "b"], 1, threshold=0.5)], Attribution(DOG, MASK))
    results = Results("job", (Item("x", "waiting"), Item("y", "successful", explanation=explanation)))
    with refuses(
        FidelityError,
        "format 'modzy' cannot hold all of it: ",
        "items[1].explanation.predictions[0] has a label of 2 levels; ",
        "items[1].explanation.predictions[0] has a threshold; ",
        "items[1].explanation.attributions[0] explains 'dog'",
        "; pass lossy=True to accept that",
    ):
        fit(results, modzy.CARRIES, format="modzy")


def test_metadata_is_no_loss():
    cat = Prediction("cat", 0.5, id=281)
    explanation = Explanation(
        "image-classification",
        Source("image", name="cat.png", sha256="0" * 64, height=1, width=2),
        (cat,),
        (Attribution(cat, MASK, "occlusion", {"residual": 0.5}),),
        Provenance(method="occlusion"),
    )
    left = image([CAT], Attribution(CAT, MASK), height=1, width=2)
    assert fit(explanation, modzy.CARRIES, format="modzy") == left


def test_a_task_of_which_there_is_nothing_is_refused():
    explanation = Explanation("signal-classification", Source("signal"))
    with refuses(InputError, "task must be one of 'image-classification'", "as 'modzy', got 'signal-classification'"):
        fit(explanation, modzy.CARRIES, format="modzy", lossy=True)
