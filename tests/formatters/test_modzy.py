"""Modzy's documents."""

from dataclasses import replace

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
from xplain.formatters.modzy.jobs import as_item

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
        ("bad", 2, 2),  # up to the punctuation
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


TIMED = item(startTime="2026-01-02T03:04:05Z", endTime="2026-01-02T03:04:06.5Z")
DONE = item(**{"results.json": {"data": image([[5, 2, 5]])}})


def test_a_job_is_written_as_it_was_read():
    rewritten = to_document(from_document(document("job")), "modzy")
    assert rewritten == {**document("job"), "explained": True} | {"results": rewritten["results"]}
    # The time between the start and the end is added.
    assert rewritten["results"]["a"] == {**document("job")["results"]["a"], "elapsedTime": 876.544}
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
        (job(results={"a": DONE}, failures={"a": {}}), "$.failures.a", "must be in results or in failures, got 'a' in"),
        (job(failures={"a": item()}), "$.failures.a.status", "must be 'FAILED', as the item is one of the failures"),
        (job(failures={"a": item("PROCESSING")}), "$.failures.a.status", "must be 'FAILED'"),
        (
            job(results={"a": {**DONE, "status": "FETCHING_DATA"}}),
            "$.results.a.status",
            "must be 'SUCCESSFUL', as there",
        ),
        (job(results={"a": {**DONE, "status": "FAILED"}}), "$.results.a.status", "must be 'SUCCESSFUL', as there"),
        (
            job(results={"a": item("PROCESSING", **{"results.json": {"error": "late"}})}),
            "$.results.a.status",
            "must be 'FAILED', as the output is an error",
        ),
        (
            job(results={"a": DONE}, explained=False),
            "$.explained",
            "must be true, as there are explanations",
        ),
        (
            job(results={"a": item(startTime="2026-01-02T03:04:05Z", endTime="2026-01-02T03:04:04+00:00")}),
            "$.results.a.endTime",
            "must be at least startTime, 2026-01-02T03:04:05Z",
        ),
        (
            job(results={"a": item(startTime="2026-01-02T03:04:05Z", updateTime="2026-01-02T03:04:05+01:00")}),
            "$.results.a.updateTime",
            "must be at least startTime",
        ),
        (
            job(results={"a": {**TIMED, "elapsedTime": 9999}}),
            "$.results.a.elapsedTime",
            "must be 1500, as startTime and endTime give it, got 9999",
        ),
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


# An output in every spelling.

OBJECT = image([[5, 2, 5]], modelType="imageClassification")
OUTPUTS = {
    "the object in data": ("results.json", {"data": OBJECT}),
    "the object itself": ("results.json", OBJECT),
    "the object under any name": ("saliency", OBJECT),
    "the object under the placeholder": ("outputName", OBJECT),
    "a result alone": ("out.json", {"result": OBJECT["result"]}),
    "a batch of one": ("results.json", {"predictions": [{"data": OBJECT}]}),
    "a batch of one object": ("outputName", {"predictions": [OBJECT]}),
}


@pytest.mark.parametrize("spelling", OUTPUTS)
def test_every_spelling_of_an_output_is_read_and_kept(spelling):
    name, output = OUTPUTS[spelling]
    fields = item(engine="e", **{name: output})
    alone = from_document(fields)
    (in_job,) = from_document(job(results={"a": fields})).items
    assert alone.predictions == in_job.explanation.predictions == (TABBY,)
    expected = () if "alone" in spelling else (Attribution(TABBY, Mask([5, 2, 5], 3, 4)),)
    assert alone.attributions == in_job.explanation.attributions == expected
    for written in (to_document(alone, "modzy"), to_document(from_document(job(results={"a": fields})), "modzy")):
        (kept,) = written.get("results", {"a": written}).values()
        assert kept[name].keys() == output.keys() if "alone" not in spelling else kept[name].keys() > output.keys()
        assert from_document(kept) == alone


def test_what_stands_beside_an_object_is_kept():
    output = {"data": OBJECT, "drift": {"layer1": 0.5}, "metadata": [1]}
    fields = item(**{"results.json": output})
    written = to_document(from_document(job(results={"a": fields})), "modzy")
    assert written["results"]["a"]["results.json"] == output
    assert to_document(from_document(fields), "modzy")["results.json"] == output
    assert to_document(from_document(output), "modzy") == output


def test_an_output_of_another_form_is_kept_and_no_explanation():
    results = from_document(job(results={"a": item(**{"results.json": {"greeting": "hello", "n": [1]}})}))
    assert results.items[0].explanation is None
    assert results.items[0].status == "successful"
    assert to_document(results, "modzy")["results"]["a"]["results.json"] == {"greeting": "hello", "n": [1]}
    (alone,) = from_document(item(**{"out.txt": {"words": 3}})).items
    assert alone.attributes == {"modzy": {"out.txt": {"words": 3}}}


def test_the_input_items_object_is_a_job():
    document = {"a.jpg": item(outputName=OBJECT), "b.jpg": item("FAILED", error="late"), "c.jpg": item("PROCESSING")}
    results = from_document(document)
    assert [(i.name, i.status, i.error) for i in results.items] == [
        ("a.jpg", "successful", None),
        ("b.jpg", "failed", "late"),
        ("c.jpg", "running", None),
    ]
    assert to_document(results, "modzy") == document


@pytest.mark.parametrize(
    ("skeleton", "lacks"),
    [
        (
            {
                "jobIdentifier": "...",
                "total": 1,
                "completed": 1,
                "failed": 0,
                "finished": True,
                "submittedByKey": "...",
                "explained": True,
                "results": {"inputName": {}},
                "failures": {},
            },
            ["$.results.inputName.status"],
        ),
        (
            {
                "inputName": {
                    "status": "...",
                    "engine": "...",
                    "startTime": "...",
                    "updateTime": "...",
                    "endTime": "...",
                    "elapsedTime": 123,
                    "outputName": {},
                }
            },
            [f"$.inputName.{key}" for key in ("endTime", "outputName", "startTime", "status", "updateTime")],
        ),
        (
            {
                "modelType": "imageClassification",
                "result": {"classPredictions": []},
                "explanation": {"maskRLE": [], "dimensions": {}},
            },
            ["$.explanation.dimensions.height", "$.explanation.dimensions.width"],
        ),
        (
            {
                "modelType": "textClassification",
                "result": {"classPredictions": []},
                "explanation": {"wordImportances": {}, "explainableText": {}},
            },
            [],  # an empty text stands for none
        ),
    ],
    ids=["results", "items", "image", "text"],
)
def test_what_a_printed_skeleton_lacks_is_a_problem_each(skeleton, lacks):
    assert sorted(problem.path for problem in validate(skeleton)) == lacks


def test_the_time_between_start_and_end_is_derived():
    results = from_document(job(results={"a": TIMED}))
    assert results.items[0].attributes == {}
    assert to_document(results, "modzy")["results"]["a"]["elapsedTime"] == 1500
    assert from_document(job(results={"a": {**TIMED, "elapsedTime": 1500}})) == results
    rounded = from_document(job(results={"a": {**TIMED, "elapsedTime": 1499}}))
    assert to_document(rounded, "modzy")["results"]["a"]["elapsedTime"] == 1499
    backwards = replace(results, items=(replace(results.items[0], ended="2025-01-01T00:00:00Z"),))
    with refuses(FidelityError, "items[0].ended is left out"):
        to_document(backwards, "modzy")


# Words refer to the text.


@pytest.mark.parametrize(
    ("words", "path", "message"),
    [
        ([("loved", 99)], "[0].index", "must be the index of 'loved' in explainableText, got 99"),
        ([("loved", 2)], "[0].index", "must be the index of 'loved' in explainableText, got 2"),
        ([("zebra", 1)], "[0].word", "must be a word of explainableText, got 'zebra'"),
        ([("zebra", None)], "[0].word", "must be a word of explainableText, got 'zebra'"),
        ([("lo", 1)], "[0].index", "must be the index of 'lo'"),
        # "it" at 4 is a position, "it" as occurrence 0 is not: one document reads all its indices alike
        ([("it", 4), ("it", 0)], "[1].index", "must be the index of 'it'"),
    ],
)
def test_words_must_refer_to_the_text(words, path, message):
    entries = [{"word": word, "score": 1, "index": index} for word, index in words]
    (problem,) = validate(text({"joy": entries}, "I loved it and it loved me"))
    assert problem.path == f"$.explanation.wordImportances.joy{path}"
    assert message in problem.message


def test_words_that_the_text_does_not_have_are_losses():
    words = WordScores([Word("zebra", 0.5, 1), Word("loved", 0.5, 1), Word("it", 0.25, 0)])
    explanation = Explanation(
        "text-classification", Source("text", text="I loved it"), (JOY,), (Attribution(JOY, words),)
    )
    with refuses(FidelityError, "words[0] is 'zebra', which the text does not have", "words[2] has index 0"):
        to_document(explanation, "modzy")
    written = to_document(explanation, "modzy", lossy=True)
    assert validate(written) == []
    assert written["explanation"]["wordImportances"]["joy"] == [
        {"word": "loved", "score": 0.5, "index": 1},
        {"word": "it", "score": 0.25},
    ]


# Masks of any class.


def test_a_mask_of_another_class_says_which():
    mask = Mask([5, 2, 5], 3, 4)
    source = Source("image", height=3, width=4)
    fox = Prediction("fox", 0.0625)
    attributions = (Attribution(LYNX, mask), Attribution(TABBY, mask), Attribution(fox, mask))
    explanation = Explanation("image-classification", source, (TABBY, LYNX), attributions)
    written = to_document(explanation, "modzy")
    assert written["explanation"] == {
        "maskRLE": [[5, 2, 5]] * 3,
        "dimensions": {"height": 3, "width": 4},
        "maskTargets": [
            {"class": "lynx", "prediction": 1},
            {"class": "tabby", "prediction": 0},
            {"class": "fox", "score": 0.0625},
        ],
    }
    assert from_document(written) == explanation


def test_a_mask_of_one_of_several_detections_says_which():
    boxes = [Prediction("cat", 0.5, region=Box(0, 0, x, 1)) for x in (0.25, 0.5)]
    attribution = Attribution(boxes[1], Mask([5, 2, 5], 3, 4))
    explanation = Explanation("object-detection", Source("image", height=3, width=4), boxes, (attribution,))
    written = to_document(explanation, "modzy")
    assert written["explanation"]["maskTargets"] == [{"class": "cat", "prediction": 1}]
    assert from_document(written) == explanation


@pytest.mark.parametrize(
    ("targets", "path", "message"),
    [
        ([], "", "must be an array of 1, one for each mask, got an array of 0"),
        ([{}], "[0].class", "must be a string, got nothing"),
        ([{"class": "tabby", "prediction": 1}], "[0].prediction", "must be the index of one of 1 predictions, got 1"),
        ([{"class": "lynx", "prediction": 0}], "[0]", "must be the class of prediction 0, 'tabby', got 'lynx'"),
        ([{"class": "lynx", "score": "high"}], "[0].score", "must be a finite number, got 'high'"),
    ],
)
def test_what_is_wrong_with_the_targets_of_masks_is_named(targets, path, message):
    broken = image([[5, 2, 5]])
    broken["explanation"]["maskTargets"] = targets
    (problem,) = validate(broken)
    assert problem.path == f"$.explanation.maskTargets{path}"
    assert message in problem.message


# Detections.


def test_our_detections_are_fractions_with_the_best_score_of_each_class():
    boxes = [("cat", 0.75, Box(10, 20, 50, 80, "pixel")), ("cat", 0.5, Box(0, 0, 200, 100, "pixel"))]
    predictions = [Prediction(name, score, region=box) for name, score, box in boxes]
    known = Explanation("object-detection", Source("image", height=100, width=200), predictions)
    written = to_document(known, "modzy")
    assert written["result"] == {
        "detections": [
            {"class": "cat", "score": 0.75, "xmin": 0.05, "ymin": 0.2, "xmax": 0.25, "ymax": 0.8},
            {"class": "cat", "score": 0.5, "xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0},
        ],
        "classPredictions": [{"class": "cat", "score": 0.75}],
    }
    back = from_document(written)
    assert [prediction.region for prediction in back.predictions] == [Box(0.05, 0.2, 0.25, 0.8), Box(0, 0, 1, 1)]
    unknown = to_document(replace(known, source=Source("image")), "modzy")
    assert len(unknown["result"]["images"][0]["detections"]) == 2


def test_class_predictions_that_say_more_are_predictions():
    result = {"detections": DETECTIONS[:1], "classPredictions": [{"class": "indoors", "score": 0.5}]}
    value = from_document({"modelType": "objectDetection", "result": result})
    assert [(p.name, p.region is None) for p in value.predictions] == [("indoors", True), ("cat", False)]
    assert to_document(value, "modzy")["result"] == result


# What stands beside the explanation and the output.


@pytest.mark.parametrize(
    ("status", "output", "paths"),
    [
        ("PROCESSING", {"x": 1}, ["$.results.a.status"]),
        ("FETCHING_DATA", {"x": 1}, ["$.results.a.status"]),
        ("PROCESSING", {}, []),
        ("SUCCESSFUL", {"x": 1}, []),
        ("FAILED", {"x": 1}, []),
    ],
)
def test_an_input_that_is_not_done_has_no_output_of_any_form(status, output, paths):
    document = job(results={"a": item(status, **{"results.json": output})})
    assert [problem.path for problem in validate(document)] == paths


@pytest.mark.parametrize(
    "read",
    [
        image([[5, 2, 5]]),
        image([], size=(3, 4)),
        text({"joy": [{"word": "loved", "score": 0.5, "index": 1}]}, "I loved it"),
    ],
    ids=["masks", "no masks", "words"],
)
def test_further_fields_of_an_explanation_are_kept(read):
    model_type = "textClassification" if "wordImportances" in read["explanation"] else "imageClassification"
    read = {"modelType": model_type, **read, "explanation": {**read["explanation"], "seed": 7}}
    assert to_document(from_document(read), "modzy") == read


def test_masks_of_classes_are_segments_also_without_a_model_type():
    segmented = document("segmentation")
    bare = {key: value for key, value in segmented.items() if key != "modelType"}
    assert from_document(bare) == from_document(segmented)


def test_an_output_that_is_null_has_no_name():
    alone = {**document("item"), "heat.json": None}
    results = from_document(alone)
    assert from_document(to_document(results, "modzy")) == replace(results, job="", attributes={})


def test_what_stands_beside_the_outputs_of_a_batch_is_kept():
    results = from_document({"predictions": [{"data": image([[5, 2, 5]]), "latency": 5}]})
    assert to_document(results, "modzy")["results"]["0"]["results.json"]["latency"] == 5
    assert from_document(to_document(results, "modzy")) == results


def test_an_item_of_its_own_becomes_an_item_of_a_job():
    explanation = replace(from_document(document("item")), task="image-classification")
    own = {**explanation.attributes, "native": {"kept": 1}}
    joined = as_item("a", replace(explanation, attributes=own))
    assert joined.engine == document("item")["engine"]
    assert joined.explanation.attributes == {"native": {"kept": 1}}
    written = to_document(Results("1", (as_item("a", explanation),)), "modzy")["results"]["a"]
    assert written == to_document(explanation, "modzy")
    assert as_item("b", Explanation("image-classification", Source("image"), (TABBY,))).attributes == {}
