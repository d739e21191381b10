"""Modzy's documents."""

import numpy as np
import pytest

from tests.formatters import golden
from tests.support import refuses
from xplain.errors import DocumentError, FidelityError, InputError, UnknownNameError
from xplain.explanation import (
    Attribution,
    Box,
    Explanation,
    Heatmap,
    Mask,
    Prediction,
    Record,
    Results,
    Source,
    Word,
    WordScores,
)
from xplain.formatters import from_document, to_document, validate
from xplain.formatters.modzy import formatter as modzy

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
    assert explanation.predictions == (Prediction("7", 1.0, attributes={"row": 2}),)
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
    plain = from_document({"jobIdentifier": "x", "results": {"a": item}})
    assert from_document({"jobIdentifier": "x", "results": {"a": {"a": item}}}) == plain
    assert plain.items[0].explanation.predictions == (Prediction("crack", 0.5),)


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
        (image([[12]], modelType="soundDetection"), "$.modelType", "must be one of 'imageClassification'"),
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
    assert not modzy.sniff(other)


def test_a_heat_map_is_refused_with_the_remedy():
    explanation = Explanation(
        "image-classification",
        Source("image", height=2, width=5),
        (TABBY,),
        (Attribution(TABBY, Heatmap(np.arange(10).reshape(2, 5)), "grad-cam"),),
    )
    with refuses(FidelityError, "attributions[0].evidence is a heat map", "explanation.with_masks(keep=...)"):
        to_document(explanation, "modzy")
    masked = to_document(explanation.with_masks(keep=0.2), "modzy")
    assert masked["explanation"]["maskRLE"] == [[7, 1, 1, 1]]
    assert to_document(explanation, "modzy", lossy=True)["explanation"]["maskRLE"] == [[9, 1]]


def job(**more):
    return {"jobIdentifier": "x", **more}


def item(status="SUCCESSFUL", **more):
    return {"status": status, **more}


DONE = item(**{"results.json": {"data": image([[5, 2, 5]])}})


def test_a_job_is_written_as_it_was_read():
    rewritten = to_document(from_document(document("job")), "modzy")
    assert rewritten == {**document("job"), "explained": True} | {"results": rewritten["results"]}
    assert rewritten["results"]["a"] == document("job")["results"]["a"]
    assert list(rewritten["results"]) == ["a", "b", "c"]
    assert rewritten["submittedByKey"] == "not a real key"


def test_an_item_is_written_as_it_was_read():
    value = from_document(document("item"))
    rewritten = to_document(value, "modzy")
    assert rewritten["heat.json"]["data"]["result"] == document("item")["heat.json"]["data"]["result"]
    assert {k: v for k, v in rewritten.items() if k != "heat.json"} == {
        k: v for k, v in document("item").items() if k != "heat.json"
    }
    assert from_document(to_document(value)) == value


def test_items_without_a_result_are_jobs_of_one():
    waiting = from_document(item("FETCHING_DATA"))
    assert [(i.name, i.status) for i in waiting.items] == [("input", "waiting")]
    (failed,) = from_document(item("FAILED", error="late")).items
    assert (failed.status, failed.error) == ("failed", "late")


def test_an_input_is_retrieved_by_its_name():
    results = from_document(document("job"))
    assert results.item("d").error == "could not read the input"
    with refuses(UnknownNameError, "item must be one of a, b, c, d, got 'A'; did you mean 'a'?"):
        results.item("A")


def test_further_fields_of_a_job_are_kept():
    job_document = job(
        accountIdentifier="local",
        team={"identifier": "t"},
        submittedAt="2026-01-02T03:04:05.123456789Z",
        averageModelLatency=1.5,
        inputSize=3,
        total=1,
        results={"a": {**DONE, "voting": {"up": 1, "down": 0}, "queueTime": 3, "other.bin": {"size": 1}}},
    )
    results = from_document(job_document)
    assert results.submitted == "2026-01-02T03:04:05.123456789Z"
    rewritten = to_document(results, "modzy")
    for key in job_document.keys() - {"results"}:
        assert rewritten[key] == job_document[key]
    assert {k: rewritten["results"]["a"][k] for k in ("voting", "queueTime", "other.bin")} == {
        "voting": {"up": 1, "down": 0},
        "queueTime": 3,
        "other.bin": {"size": 1},
    }


def test_an_output_may_be_an_error():
    (failed,) = from_document(
        job(results={"a": item("FAILED", **{"results.json": {"error": {"error_message": "x"}}})})
    ).items
    assert (failed.status, failed.error, failed.explanation) == ("failed", "x", None)


@pytest.mark.parametrize(
    ("broken", "path", "message"),
    [
        (job(total=1, results={"a": DONE}, completed=0), "$.completed", "must be 1, the number of such items, got 0"),
        (job(total=2, completed=2, failed=1), "$.total", "must be at least completed + failed, got 2"),
        (job(total=0, results={"a": DONE}), "$.total", "must be an integer >= 1, got 0"),
        (job(results={"a": item(startTime="yesterday")}), "$.results.a.startTime", "must be an ISO 8601 time"),
        (job(results={"a": item(elapsedTime=-1)}), "$.results.a.elapsedTime", "must be a number from 0"),
        (job(results={"a": item(voting={"up": -1})}), "$.results.a.voting.up", "must be an integer >= 0, got -1"),
        (job(submittedByKey=1), "$.submittedByKey", "must be a string, got 1"),
        (job(results={"a": DONE}, failures={"a": {}}), "$.items", "unique names"),
    ],
)
def test_what_is_wrong_with_a_job_is_named(broken, path, message):
    (problem,) = validate(broken, "modzy")
    assert problem.path == path
    assert message in problem.message


def test_more_may_be_done_than_is_listed():
    results = from_document(job(total=3, completed=2, results={"a": DONE}))
    assert (results.total, results.completed, results.finished) == (3, 1, False)
    assert to_document(results, "modzy")["completed"] == 2


def test_the_strict_form_has_nothing_that_edge_does_not_know():
    job_document = job(
        total=2,
        results={"a": {**DONE, "elapsedTime": 5, "startTime": "2026-01-02T03:04:05.5+0100"}},
        failures={"b": {"status": "FAILED", "error": "late"}},
    )
    results = from_document(job_document)
    with refuses(FidelityError, "items[0].attributes.modzy.elapsedTime is left out"):
        to_document(results, "modzy", edge=True)
    strict = to_document(results, "modzy", edge=True, lossy=True)
    assert strict["failures"] == {}
    assert strict["results"]["b"] == {
        "status": "FAILED",
        "results.json": {"error": {"error_message": "late"}},
    }
    assert strict["results"]["a"]["startTime"] == "2026-01-02T02:04:05.500000Z"
    assert "elapsedTime" not in strict["results"]["a"]
    assert from_document(strict).items[1].error == "late"


DETECTIONS = [
    {"class": "cat", "score": 0.75, "xmin": 0.25, "ymin": 0.0, "xmax": 0.5, "ymax": 1.0},
    {"class": "dog", "score": "0.5", "xmin": 0, "ymin": 0, "xmax": 1, "ymax": 1, "track": 7},
]


def test_detections_are_boxes_in_fractions():
    explanation = from_document({"result": {"detections": DETECTIONS}})
    assert explanation.task == "object-detection"
    assert explanation.predictions == (
        Prediction("cat", 0.75, region=Box(0.25, 0.0, 0.5, 1.0)),
        Prediction("dog", 0.5, region=Box(0, 0, 1, 1), attributes={"track": 7}),
    )
    rewritten = to_document(explanation, "modzy")
    assert rewritten["modelType"] == "objectDetection"
    assert rewritten["result"]["detections"][1] == {**DETECTIONS[1], "score": 0.5}


def test_detections_of_older_models_are_boxes_in_pixels():
    old = {"className": "ship", "probability": 0.5, "xmin": 10, "ymin": 20, "xmax": 30, "ymax": 40}
    explanation = from_document({"modelType": "objectDetection", "result": {"images": [{"detections": [old]}]}})
    assert explanation.predictions == (Prediction("ship", 0.5, region=Box(10, 20, 30, 40, "pixel")),)
    assert to_document(explanation, "modzy")["result"]["images"] == [{"detections": [old]}]


def test_segments_are_class_predictions_with_masks():
    masks = [Mask.from_array([[1, 0], [1, 1]]), Mask.from_array([[0, 1], [0, 0]])]
    predictions = [Prediction(name, 0.5, region=mask) for name, mask in zip(("sky", "sea"), masks, strict=True)]
    explanation = Explanation("image-segmentation", Source("image"), predictions)
    written = to_document(explanation, "modzy")
    assert written["result"] == {
        "classPredictions": [
            {"class": "sky", "score": 0.5, "maskRLE": [0, 2, 1, 1]},
            {"class": "sea", "score": 0.5, "maskRLE": [2, 1, 1]},
        ],
        "dimensions": {"height": 2, "width": 2},
    }
    assert from_document(written) == explanation
    small = Prediction("fog", 0.5, region=Mask.from_array([[1]]))
    with refuses(FidelityError, "predictions[2].region is left out"):
        to_document(Explanation("image-segmentation", Source("image"), [*predictions, small]), "modzy")


@pytest.mark.parametrize(
    ("result", "path", "message"),
    [
        ({"detections": [{**DETECTIONS[0], "xmax": 0}]}, "$.result.detections[0]", "x0 <= x1"),
        ({"detections": [{"class": "a", "score": 1}]}, "$.result.detections[0].xmin", "must be a finite number"),
        (
            {"classPredictions": [{"class": "a", "score": 1, "maskRLE": [4]}]},
            "$.result.dimensions",
            "must be the size of the masks of classPredictions, got nothing",
        ),
        (
            {"classPredictions": [{"class": "a", "score": 1, "maskRLE": [5]}], "dimensions": {"height": 2, "width": 2}},
            "$.result.classPredictions[0].maskRLE",
            "5",
        ),
    ],
)
def test_what_is_wrong_with_a_result_is_named(result, path, message):
    first, *_ = validate({"modelType": "objectDetection", "result": result}, "modzy")
    assert first.path == path
    assert message in first.message


def test_free_results_and_drift_are_kept():
    original = {"result": {"greeting": "hello", "classPredictions": []}, "drift": {"layer1": 0.5}, "note": [1]}
    value = from_document(original)
    assert to_document(value, "modzy") == {**original, "modelType": "imageClassification", "explanation": None}
    assert from_document(to_document(value)) == value


def test_records_are_of_other_formats():
    with refuses(InputError, "format must be that of the version, 'deepomatic', or 'native', got 'modzy'"):
        to_document(Record("deepomatic", "version", {}), "modzy")
    with refuses(InputError, "format must be one that holds records of job, got 'modzy'"):
        to_document(Record("modzy", "job", {}), "modzy")
