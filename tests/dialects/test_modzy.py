"""Modzy's documents."""

import numpy as np
import pytest

from tests.dialects import golden
from tests.support import refuses
from xplain.dialects import from_document, to_document, validate
from xplain.errors import DocumentError, FidelityError, InputError
from xplain.explanation import (
    Attribution,
    Explanation,
    Heatmap,
    Mask,
    Prediction,
    Results,
    Source,
    Word,
    WordScores,
)

TABBY, LYNX = Prediction("tabby", 0.75), Prediction("lynx", 0.125)
JOY, ANGER = Prediction("joy", 0.75), Prediction("anger", 0.25)


def document(name):
    return golden.read(golden.DATA / "modzy" / f"{name}.json")


def image(runs, size=(3, 4), **more):
    return {
        "result": {"classPredictions": [{"class": "tabby", "score": 0.75}]},
        "explanation": {"maskRLE": runs, "dimensions": {"height": size[0], "width": size[1]}},
        **more,
    }


def text(importances, text=None, **more):
    explanation = {"wordImportances": importances} | ({} if text is None else {"explainableText": text})
    return {"result": {"classPredictions": [{"class": "joy", "score": 0.75}]}, "explanation": explanation, **more}


def test_masks_are_column_major_and_explain_the_first_prediction():
    first = [[0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1]]
    second = [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    expected = Explanation(
        "image-classification",
        Source("image", height=3, width=4),
        (TABBY, LYNX),
        tuple(Attribution(TABBY, Mask.from_array(mask)) for mask in (first, second)),
    )
    assert from_document(document("image")) == expected
    assert to_document(expected, "modzy") == document("image")


def test_words_keep_their_sign_and_place():
    words = {
        JOY: WordScores([Word("loved", 0.5, 1), Word("not", -0.25, 4)]),
        ANGER: WordScores([Word("not", 0.125)]),
    }
    expected = Explanation(
        "text-classification",
        Source("text", text="I loved it, did not hate it"),
        (JOY, ANGER),
        tuple(Attribution(target, scores) for target, scores in words.items()),
    )
    assert from_document(document("text")) == expected
    assert to_document(expected, "modzy") == document("text")


def test_outputs_in_the_wild_are_read():
    explanation = from_document(document("output"))
    assert explanation.predictions == (Prediction("7", 1.0),)
    (attribution,) = explanation.attributions
    assert attribution.evidence.to_array().tolist() == [[False, True], [True, False]]
    assert from_document(document("output")["data"]) == explanation


def test_an_item_is_read_whatever_its_output_is_called():
    assert from_document(document("item")).predictions == (Prediction("crack", 0.5),)


def test_a_batch_is_results():
    results = from_document(document("batch"))
    assert [(item.name, item.status) for item in results.items] == [("0", "successful"), ("1", "successful")]
    assert [item.explanation.predictions[0].name for item in results.items] == ["3", "8"]


def test_a_job_is_results():
    results = from_document(document("job"))
    assert isinstance(results, Results)
    assert results.job == "9a1c0de0-0000-4000-8000-000000000001"
    assert {item.name: item.status for item in results.items} == {
        "a": "successful",
        "b": "running",
        "c": "waiting",
        "d": "failed",
    }
    first, *_, last = results.items
    assert first.explanation.task == "image-segmentation"
    assert (first.engine, first.started) == ("model-batch-4f2a", "2026-01-02T03:04:05.123456789Z")
    assert last.error == "could not read the input"


def test_what_is_empty_in_a_job_may_be_absent():
    assert from_document({"jobIdentifier": "x"}) == Results("x", ())
    assert from_document({"jobIdentifier": "x", "failures": None}) == Results("x", ())


@pytest.mark.parametrize(
    ("failure", "error"),
    [({}, "no reason given"), ({"error": "late"}, "late"), ({"error": {"error_message": "shape"}}, "shape")],
)
def test_failures_give_their_reason(failure, error):
    (item,) = from_document({"jobIdentifier": "x", "failures": {"a": failure}}).items
    assert (item.status, item.error) == ("failed", error)


def test_outputs_nested_under_their_names_are_found():
    item = document("item")
    assert from_document({"jobIdentifier": "x", "results": {"a": {"a": item}}}).items[0].explanation == from_document(
        item
    )


@pytest.mark.parametrize("explanation", [None, {}])
def test_no_explanation_is_no_attribution(explanation):
    value = from_document({"result": {"classPredictions": []}, "explanation": explanation})
    assert value == Explanation("image-classification", Source("image"))


@pytest.mark.parametrize("result", [None, {}, {"greeting": "hello"}])
def test_free_form_results_have_no_predictions(result):
    assert from_document({"modelType": "textClassification", "result": result}).predictions == ()


@pytest.mark.parametrize("absent", [None, {}])
def test_an_absent_text_may_be_null_or_an_empty_object(absent):
    value = from_document(text({"joy": []}, absent))
    assert value.source == Source("text")


def test_a_class_with_words_but_no_prediction_is_a_target_of_unknown_score():
    value = from_document(text({"anger": [{"word": "hate", "score": "1e-1"}]}))
    assert value.attributions == (Attribution(Prediction("anger", 0.0), WordScores([Word("hate", 0.1)])),)
    assert from_document(to_document(value, "modzy")) == value


@pytest.mark.parametrize(
    ("word", "index", "place"),
    [
        ("good", 0, 0),  # both readings agree
        ("good", 1, 3),  # "not" is at 1, the second "good" at 3
        ("not", 1, 1),  # the position counts where the word is there
        ("GOOD", 3, 3),  # case and punctuation do not count
        ("great", 2, 2),  # no reading fits: left as it is
    ],
)
def test_both_readings_of_index_give_a_position(word, index, place):
    value = from_document(text({"joy": [{"word": word, "score": 1, "index": index}]}, "Good, not bad: good!"))
    assert value.attributions[0].evidence.words[0].index == place


def test_without_the_text_an_index_is_taken_as_it_is():
    value = from_document(text({"joy": [{"word": "good", "score": 1, "index": 1}]}))
    assert value.attributions[0].evidence.words[0].index == 1


@pytest.mark.parametrize(
    ("broken", "path", "message"),
    [
        (image([[5, 2, 1, 5]]), "$.explanation.maskRLE[0]", "13"),
        (image([[12], [11]]), "$.explanation.maskRLE[1]", "11"),
        (image([11]), "$.explanation.maskRLE", "11"),
        (image([[12]], (3, "x")), "$.explanation.dimensions.width", "must be an integer >= 0, got 'x'"),
        (image([[12]], (3, -4)), "$.explanation.dimensions.width", "must be an integer >= 0, got -4"),
        (image([[12]], modelType="objectDetection"), "$.modelType", "must be one of 'imageClassification'"),
        (image([[12]], modelType="textClassification"), "$.modelType", "got 'textClassification' and masks"),
        (image([[12]], result=None), "$.result.classPredictions", "the class that the masks explain, got none"),
        (text({"joy": [{"word": "a", "score": "nan"}]}), "$.explanation.wordImportances.joy[0].score", "finite"),
        (text({"so so": [{"score": 1}]}), "$.explanation.wordImportances['so so'][0].word", "got nothing"),
        (
            {"jobIdentifier": "x", "results": {"a.png": {"status": "DONE"}}},
            "$.results['a.png'].status",
            "must be one of 'FETCHING_DATA'",
        ),
        ({"modelType": "imageClassification", "explanation": {"mask": 1}}, "$.explanation", "maskRLE or"),
    ],
)
def test_what_is_wrong_is_named(broken, path, message):
    (problem,) = validate(broken, "modzy")
    assert problem.path == path
    assert message in problem.message


def test_a_document_of_another_kind_is_refused():
    with refuses(DocumentError, "modzy document, $: must be an explainability object"):
        from_document({"name": "x"}, "modzy")
    with refuses(DocumentError, "must be an object, got an array of 0"):
        from_document([], "modzy")


@pytest.mark.parametrize(
    "other",
    [
        {"success": True, "result": [], "predictions": [{"sampleId": 1}]},
        {"result": {"classification": {"idle": 0.1}}},
        {"status": "ok", "predictions": [[{"name": ["a"], "probability": 1}]]},
        {"status": "Completed", "items": [], "jobId": 1},
        {"data": [1, 2]},
    ],
)
def test_documents_of_other_systems_are_not_claimed(other):
    assert [problem.path for problem in validate(other)] == ["$"]


def test_a_heat_map_is_refused_with_the_remedy():
    explanation = Explanation(
        "image-classification",
        Source("image", height=2, width=5),
        (TABBY,),
        (Attribution(TABBY, Heatmap(np.arange(10).reshape(2, 5)), "grad-cam"),),
    )
    with refuses(FidelityError, "attributions[0].evidence is a heat map", "explanation.with_masks(keep=...)"):
        to_document(explanation, "modzy")
    kept = to_document(explanation.with_masks(keep=0.2), "modzy")
    assert kept["explanation"]["maskRLE"] == [[7, 1, 1, 1]]
    assert to_document(explanation, "modzy", lossy=True)["explanation"]["maskRLE"] == [[9, 1]]


def test_results_are_not_written():
    with refuses(InputError, "explanation must be an Explanation to be written as 'modzy', got Results"):
        to_document(Results("x", ()), "modzy")
