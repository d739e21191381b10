import copy
from dataclasses import replace

import pytest

from tests.formatters import golden
from tests.support import refuses
from xplain.errors import DocumentError, FidelityError, InputError
from xplain.explanation import Attribution, Box, Explanation, Heatmap, Item, Prediction, Record, Results, Source
from xplain.formatters import from_document, to_document, validate
from xplain.formatters.deepomatic import formatter as deepomatic
from xplain.formatters.deepomatic.objects import mismatches

LEFT, RIGHT = Box(0.125, 0.25, 0.5, 0.875), Box(0.5, 0.0, 0.9375, 0.40625)


def document(name):
    return golden.read(golden.DATA / "deepomatic" / f"{name}.json")


def detection(*predictions, **source):
    return Explanation("object-detection", Source("image", **source), predictions)


def problem(changed, format="deepomatic"):
    """Return the only problem of a document as text."""
    (only,) = validate(changed, format)
    return str(only)


class TestInference:
    def test_a_classification_with_what_was_discarded(self):
        explanation = from_document(document("classification"))
        assert explanation.task == "image-classification"
        assert [(p.name, p.score, p.threshold, p.id, p.region) for p in explanation.predictions] == [
            ("seaside", 0.71875, 0.347, 4, None),
            ("harbour", 0.1875, 0.139, 2, None),
            ("street", 0.0625, 0.1, 0, None),
        ]
        assert to_document(explanation, "deepomatic") == document("classification")

    def test_a_detection_with_alternatives_for_one_region(self):
        explanation = from_document(document("detection"))
        assert explanation.task == "object-detection"
        assert [(p.name, p.region) for p in explanation.predictions][:3] == [
            ("bicycle", LEFT),
            ("helmet", RIGHT),
            ("scooter", LEFT),
        ]
        assert all(p.attributes == {} for p in explanation.predictions)  # numbers that follow from the boxes
        assert to_document(explanation, "deepomatic") == document("detection")

    def test_several_outputs_frames_and_region_numbers_that_say_more_than_the_boxes(self):
        explanation = from_document(document("outputs"))
        assert [(p.name, p.attributes) for p in explanation.predictions] == [
            ("day", {"sequence_index": 40, "sequence_time": 1.6}),
            ("plate", {"output": 2, "region_id": 7}),
            ("sign", {"output": 2, "region_id": 7}),
        ]
        assert to_document(explanation, "deepomatic") == document("outputs")

    def test_lists_may_be_left_out_and_frames_null(self):
        whole = document("classification")
        whole["outputs"][0]["labels"].pop("discarded")
        for prediction in whole["outputs"][0]["labels"]["predicted"]:
            prediction |= {"sequence_index": None, "sequence_time": None, "roi": None}
        explanation = from_document(whole)
        assert [p.name for p in explanation.predictions] == ["seaside", "harbour"]
        assert explanation.predictions[0].attributes == {}

    def test_nothing_found_is_said_by_a_detector(self):
        empty = {"outputs": [{"labels": {"predicted": [], "discarded": []}}]}
        assert from_document(empty) == detection()
        assert to_document(detection(), "deepomatic") == empty

    def test_no_outputs(self):
        explanation = from_document({"outputs": []}, "deepomatic")
        assert to_document(explanation, "deepomatic") == {"outputs": []}

    def test_rounding_errors_are_cut(self):
        changed = document("detection")
        changed["outputs"][0]["labels"]["predicted"][0] |= {"score": 1.0000001}
        changed["outputs"][0]["labels"]["predicted"][0]["roi"]["bbox"]["xmin"] = -1e-8
        prediction = from_document(changed).predictions[0]
        assert (prediction.score, prediction.region.x0) == (1, 0)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"score": 1.2}, "score: must be a number from 0 to 1, got 1.2"),
            ({"score": 0.5}, "score: must be at least the threshold 0.8, got 0.5"),
            ({"threshold": -0.5}, "threshold: must be a number from 0 to 1, got -0.5"),
            ({"label_id": -1}, "label_id: must be an integer >= 0, got -1"),
            ({"label_id": 2**32}, "label_id: must be an integer from 0 to 4294967295, got 4294967296"),
            ({"label_name": 3}, "label_name: must be a string, got 3"),
            ({"sequence_index": -1}, "sequence_index: must be an integer >= 0, got -1"),
            ({"sequence_time": -0.5}, "sequence_time: must be a number from 0 to "),
            ({"roi": {"region_id": 1}}, "roi.bbox: must be an object, got nothing"),
            (
                {"roi": {"region_id": 1, "bbox": {"xmin": 0.5, "ymin": 0, "xmax": 0.25, "ymax": 1}}},
                "roi.bbox: Box must have x0 <= x1 and y0 <= y1, got (0.5, 0.0, 0.25, 1.0)",
            ),
            (
                {"roi": {"region_id": 1, "bbox": {"xmin": 0, "ymin": 0, "xmax": 64, "ymax": 1}}},
                "roi.bbox.xmax: must be a number from 0 to 1, got 64",
            ),
        ],
    )
    def test_what_is_wrong_with_a_prediction(self, changes, message):
        changed = document("detection")
        changed["outputs"][0]["labels"]["predicted"][0] |= changes
        assert problem(changed).startswith(f"$.outputs[0].labels.predicted[0].{message}")

    @pytest.mark.parametrize("key", ["label_id", "label_name", "score", "threshold"])
    def test_what_is_missing(self, key):
        changed = document("detection")
        del changed["outputs"][0]["labels"]["discarded"][1][key]
        assert problem(changed).startswith(f"$.outputs[0].labels.discarded[1].{key}: must be")

    def test_what_was_discarded_is_below_its_threshold(self):
        changed = document("detection")
        changed["outputs"][0]["labels"]["discarded"][0]["score"] = 0.8
        expected = "$.outputs[0].labels.discarded[0].score: must be below the threshold 0.8, got 0.8"
        assert problem(changed) == expected

    def test_an_output_is_of_one_kind(self):
        changed = document("detection")
        changed["outputs"][0]["text"] = {"text": "a"}
        expected = "$.outputs[0]: must have exactly one of labels, text, scalar, tensors, got labels and text"
        assert problem(changed) == expected
        assert problem({"outputs": [{}]}).endswith("tensors, got none")
        assert (
            problem({"outputs": [{"labels": {}}] * 257})
            == "$.outputs: must be an array of at most 256, got an array of 257"
        )


class TestWriting:
    def test_pixels_become_fractions(self):
        explanation = detection(
            Prediction("cat", 0.9, id=3, region=Box(10, 10, 50, 60, "pixel")), height=100, width=200
        )
        (entry,) = to_document(explanation, "deepomatic")["outputs"][0]["labels"]["predicted"]
        assert entry == {
            "label_id": 3,
            "label_name": "cat",
            "score": 0.9,
            "threshold": 0.0,
            "roi": {"region_id": 1, "bbox": {"xmin": 0.05, "ymin": 0.1, "xmax": 0.25, "ymax": 0.6}},
        }

    def test_pixels_without_a_size_are_refused(self):
        explanation = detection(Prediction("cat", 0.9, region=Box(10, 10, 50, 60, "pixel")))
        with refuses(FidelityError, "predictions[0].region is in unit 'pixel', and the size of the image is not known"):
            to_document(explanation, "deepomatic")

    def test_labels_get_numbers_that_are_free(self):
        names = [("cat", None), ("dog", 0), ("cat", None), ("owl", None), ("dog", None), ("ant", 1)]
        explanation = detection(*(Prediction(name, 0.5, id=id, region=LEFT) for name, id in names))
        entries = to_document(explanation, "deepomatic")["outputs"][0]["labels"]["predicted"]
        assert [entry["label_id"] for entry in entries] == [2, 0, 2, 3, 0, 1]
        assert {entry["roi"]["region_id"] for entry in entries} == {1}

    def test_a_threshold_tells_what_is_discarded(self):
        explanation = Explanation(
            "image-classification",
            Source("image"),
            [Prediction("cat", 0.5, threshold=0.5), Prediction("dog", 0.4, threshold=0.5)],
        )
        labels = to_document(explanation, "deepomatic")["outputs"][0]["labels"]
        assert [[p["label_name"] for p in labels[name]] for name in ("predicted", "discarded")] == [["cat"], ["dog"]]

    def test_scores_outside_0_to_1_and_boxes_outside_the_image_are_losses(self):
        explanation = detection(
            Prediction("cat", 7.5, region=Box(-0.5, 0, 0.5, 1)), Prediction("dog", 3, threshold=4, region=LEFT)
        )
        with refuses(FidelityError, "predictions[0].score becomes 1.0", "predictions[0].region.x0 becomes 0.0"):
            to_document(explanation, "deepomatic")
        written = to_document(explanation, "deepomatic", lossy=True)
        assert validate(written) == []
        assert from_document(written).predictions[0].region == Box(0, 0, 0.5, 1)

    def test_discarded_ones_before_predicted_ones_change_places(self):
        explanation = detection(
            Prediction("a", 0.1, threshold=0.5, id=1, region=LEFT), Prediction("b", 0.9, id=2, region=LEFT)
        )
        with refuses(FidelityError, "predictions[0]", "predictions[1]"):
            to_document(explanation, "deepomatic")

    def test_attributions_are_lost(self):
        cat = Prediction("cat", 0.5, threshold=0.25, id=1)
        explanation = Explanation("image-classification", Source("image"), [cat], [Attribution(cat, Heatmap([[1.0]]))])
        with refuses(FidelityError, "attributions[0].evidence is of kind Heatmap"):
            to_document(explanation, "deepomatic")
        assert from_document(to_document(explanation, "deepomatic", lossy=True)) == replace(
            explanation, attributions=()
        )

    def test_other_tasks_are_refused(self):
        with refuses(
            InputError, "task must be one of 'image-classification', 'object-detection'", "'text-classification'"
        ):
            to_document(Explanation("text-classification", Source("text")), "deepomatic")

    def test_attributes_that_no_document_can_have_are_losses(self):
        for name, value in (("output", -1), ("output", 10**9), ("region_id", "a"), ("sequence_time", -1.5)):
            explanation = detection(Prediction("cat", 0.5, region=LEFT, attributes={name: value}))
            with refuses(FidelityError, f"predictions[0].attributes.{name} is left out"):
                to_document(explanation, "deepomatic")
            assert validate(to_document(explanation, "deepomatic", lossy=True)) == []

    def test_what_is_said_of_other_outputs_must_be_that(self):
        for outputs in (3, [3], [{"video": {}}], [{"text": 1}]):
            explanation = replace(detection(), attributes={"deepomatic": {"outputs": outputs}})
            with refuses(FidelityError, "attributes"):
                to_document(explanation, "deepomatic")
        odd = replace(detection(), attributes={"deepomatic": "odd"})
        assert to_document(odd, "deepomatic", lossy=True) == to_document(detection(), "deepomatic")


class TestTasks:
    def test_a_task_with_data_is_an_explanation(self):
        explanation = from_document(document("task"))
        assert [p.name for p in explanation.predictions] == ["seaside"]
        task = {"id": 269001, "extra": {"updated": "2026-03-02T10:15:01Z"}}
        assert explanation.attributes == {"deepomatic": {"task": task}}
        assert to_document(explanation, "deepomatic") == document("task")

    def test_a_task_without_data_is_a_job_of_one_item(self):
        pending = {"id": 5, "status": "pending", "error": None, "data": None}
        assert from_document(pending).items == (Item("5", "waiting"),)
        (item,) = from_document({"task_id": "5"}).items
        assert (item.name, item.status) == ("5", "waiting")
        failed = pending | {"status": "error", "error": "no image"}
        assert from_document(failed).items == (Item("5", "failed", error="no image"),)
        assert from_document(failed | {"error": None}).items[0].error == "no reason given"

    def test_a_page_is_a_job(self):
        results = from_document(document("tasks"))
        assert [(item.name, item.status, item.error) for item in results.items] == [
            ("1", "successful", None),
            ("2", "waiting", None),
            ("3", "failed", "the image could not be decoded"),
            ("street-camera-7", "successful", None),
        ]
        assert (results.total, results.finished) == (5, False)
        assert results.attributes == {"deepomatic": {"next": "https://api.example/tasks?offset=4"}}
        written = to_document(results, "deepomatic")
        expected = document("tasks")
        expected["results"][3]["id"] = expected["results"][3].pop("task_id")
        assert written == expected

    def test_an_array_of_inferences_is_a_job(self):
        results = from_document(document("files"))
        assert [(item.name, item.explanation.task) for item in results.items] == [
            ("frames/0001.jpg", "object-detection"),
            ("1", "image-classification"),
        ]
        tasks = from_document(document("tasks")["results"])
        assert [item.name for item in tasks.items] == ["1", "2", "3", "street-camera-7"]

    def test_what_jobs_know_besides_is_lost(self):
        item = Item("a", "running", engine="gpu")
        with refuses(
            FidelityError, "job becomes ''", "items[0].status becomes 'waiting'", "items[0].engine is left out"
        ):
            to_document(Results("nightly", [item]), "deepomatic")
        assert to_document(Results("nightly", [item]), "deepomatic", lossy=True)["results"] == [
            {"id": "a", "status": "pending", "error": None, "data": None}
        ]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"status": "done"}, "$.status: must be one of 'pending', 'success', 'error', got 'done'"),
            ({"id": None}, "$.id: must be an integer >= 0 or a string, got null"),
            ({"error": "late"}, "$.error: must be given for a failed item only, got 'late' and 'successful'"),
            ({"data": {}}, "$.data.outputs: must be an array, got nothing"),
        ],
    )
    def test_what_is_wrong_with_a_task(self, changes, message):
        assert problem(document("task") | changes) == message

    def test_what_is_wrong_with_a_page(self):
        page = document("tasks")
        assert problem(page | {"count": 3}) == "$.count: must be at least 4, the number of results, got 3"
        twice = [page["results"][1], page["results"][1]]
        assert problem(page | {"results": twice}) == "$.results[1]: must be named unlike those before, got '2'"
        assert problem(twice) == "$[1]: must be named unlike those before, got '2'"
        assert problem({"a": 1}).startswith("$: must be an inference, a task, a specification, a version or a page")


class TestRecords:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("specification", "specification"),
            ("specifications", "specifications"),
            ("version", "version"),
            ("new_version", "version"),
            ("versions", "versions"),
        ],
    )
    def test_they_are_kept_as_they_stand(self, name, kind):
        record = from_document(document(name))
        assert record == Record("deepomatic", kind, document(name))
        assert to_document(record, "deepomatic") == document(name)

    def test_post_processings_alone(self):
        steps = {"post_processings": document("version")["post_processings"]}
        assert from_document(steps) == Record("deepomatic", "post_processings", steps)

    def test_a_record_that_is_none_is_not_written(self):
        with refuses(DocumentError, "deepomatic document, $.network_id: must be an integer >= 0, got nothing"):
            to_document(Record("deepomatic", "version", {"spec_id": 1, "post_processings": []}), "deepomatic")
        with refuses(InputError, "Record.kind must be that of its fields, got 'version'"):
            to_document(Record("deepomatic", "version", document("specification")), "deepomatic")
        with refuses(InputError, "Record.kind must be that of its fields, got 'version'"):
            to_document(Record("deepomatic", "version", document("detection")), "deepomatic")

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            ({}, ": must have exactly one of classification, detection, got none"),
            (
                {"classification": {"output_tensor": "a"}, "detection": {}},
                ": must have exactly one of classification, detection, got classification and detection",
            ),
            ({"classification": {"output_tensor": ""}}, ".classification.output_tensor: must be the name of a tensor"),
            (
                {"classification": {"output_tensor": "a", "thresholds": [0.5, 1.5]}},
                ".classification.thresholds[1]: must be a number from 0 to 1, got 1.5",
            ),
            (
                {"detection": {"nms_threshold": 0.5}},
                ".detection: must have exactly one of anchored_output, direct_output, yolo_output, got none",
            ),
        ],
    )
    def test_what_is_wrong_with_a_post_processing(self, step, message):
        assert problem({"post_processings": [step]}).startswith(f"$.post_processings[0]{message}")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"nms_threshold": 2}, ".nms_threshold: must be a number from 0 to 1, got 2"),
            ({"nms_threshold": None}, ".nms_threshold: must be a number from 0 to 1, got null"),
            ({"discard_threshold": -1}, ".discard_threshold: must be a number from 0 to 1, got -1"),
            ({"normalize_wrt_tensor": 1}, ".normalize_wrt_tensor: must be a string, got 1"),
            (
                {"direct_output": {"boxes_tensor": "b", "scores_tensor": "s", "classes_tensor": "c"}},
                ": must have exactly one of anchored_output, direct_output, yolo_output, "
                "got yolo_output and direct_output",
            ),
            (
                {"yolo_output": {"output_tensor": "y", "anchors": [1, 2, 3]}},
                ".yolo_output.anchors: must be pairs of a positive width and height, got [1.0, 2.0, 3.0]",
            ),
            ({"yolo_output": {"output_tensor": "y"}}, ".yolo_output.anchors: must be an array, got nothing"),
        ],
    )
    def test_what_is_wrong_with_a_detection(self, changes, message):
        changed = document("version")
        changed["post_processings"][2]["detection"] |= changes
        assert problem(changed) == f"$.post_processings[2].detection{message}"

    def test_every_problem_of_a_detection_is_said(self):
        changed = document("version")
        changed["post_processings"][2]["detection"] = {"direct_output": {}, "thresholds": [2], "nms_threshold": "a"}
        paths = [wrong.path.removeprefix("$.post_processings[2].detection.") for wrong in validate(changed)]
        names = [f"direct_output.{name}_tensor" for name in ("boxes", "scores", "classes")]
        assert paths == [*names, "thresholds[0]", "nms_threshold"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"roi": "CIRCLE"}, ".roi: must be one of 'NONE', 'BBOX', 'MASK', got 'CIRCLE'"),
            ({"exclusive": 1}, ".exclusive: must be true or false, got 1"),
            ({"labels": []}, ".labels: must hold at least one label, got none"),
            ({"labels": [{"id": 1, "name": "a"}] * 2}, ".labels[1].id: must differ from those before, got 1"),
            ({"labels": [{"id": -1, "name": "a"}]}, ".labels[0].id: must be an integer >= 0, got -1"),
        ],
    )
    def test_what_is_wrong_with_labels(self, changes, message):
        changed = document("specification")
        changed["outputs"][0]["labels"] |= changes
        assert problem(changed) == f"$.outputs[0].labels{message}"

    def test_what_is_wrong_with_times_and_numbers(self):
        assert problem(document("version") | {"update_date": "yesterday"}).startswith(
            "$.update_date: must be an ISO 8601"
        )
        assert (
            problem(document("version") | {"spec_id": 1.5}) == "$.spec_id: must be an integer >= 0 or a string, got 1.5"
        )
        assert problem(document("specification") | {"current_version_id": "a"}).startswith("$.current_version_id: must")


class TestMismatches:
    def mismatches_after(self, change):
        version, specification = document("version"), document("specification")
        change(version, specification)
        return [str(problem) for problem in mismatches(version, specification)]

    def test_none(self):
        assert self.mismatches_after(lambda version, specification: None) == []

    def test_as_many_steps_as_outputs(self):
        assert self.mismatches_after(lambda version, _: version["post_processings"].pop()) == [
            "$.post_processings: must be one for each of the 3 outputs of the specification, got 2"
        ]

    def test_as_many_thresholds_as_labels(self):
        def change(version, _):
            version["post_processings"][0]["classification"]["thresholds"].pop()
            version["post_processings"][1]["classification"].pop("thresholds")
            version["post_processings"][2]["detection"]["thresholds"].append(0.5)

        assert self.mismatches_after(change) == [
            "$.post_processings[0].classification.thresholds: "
            "must be one for each of the 3 labels of the specification, got 2",
            "$.post_processings[2].detection.thresholds: "
            "must be one for each of the 3 labels of the specification, got 4",
        ]

    def test_boxes_for_boxes(self):
        def change(_, specification):
            specification["outputs"][0]["labels"]["roi"] = "BBOX"
            specification["outputs"][2] = {"text": {}}

        assert self.mismatches_after(change) == [
            "$.post_processings[0].classification: must go with output 0 of the specification, "
            "got classification and roi BBOX",
            "$.post_processings[2].detection: must go with output 2 of the specification, got detection and no labels",
        ]


@pytest.mark.parametrize(
    "other",
    [
        {"status": "error", "message": "404 Not Found"},
        {"id": 1, "status": "Completed", "items": []},
        {"outputs": []},
        {"outputs": 3},
        {"count": 1, "results": {}},
        {"name": "x"},
        [],
        [1],
        "deepomatic",
    ],
)
def test_other_documents_are_not_claimed(other):
    assert not deepomatic.sniff(other)


def test_reading_changes_nothing():
    for path in golden.DATA.glob("deepomatic/*.json"):
        before = golden.read(path)
        read = copy.deepcopy(before)
        from_document(read)
        assert read == before


class TestWhatIsKept:
    @pytest.mark.parametrize("id", ["123", 123, "0123", "street-7"])
    @pytest.mark.parametrize("more", [{}, {"status": "pending", "error": None, "data": None}])
    def test_the_id_of_a_task_keeps_its_type(self, id, more):
        receipt = {"task_id": id} if not more else {"id": id, **more}
        assert to_document(from_document(receipt), "deepomatic") == receipt
        assert to_document(from_document(to_document(from_document(receipt))), "deepomatic") == receipt
        page = {"count": 1, "next": None, "previous": None, "results": [{"id": id, "data": None, "error": None}]}
        page["results"][0]["status"] = "pending"
        assert to_document(from_document(page), "deepomatic") == page
        done = {"id": id, "status": "success", "error": None, "data": document("detection")}
        assert to_document(from_document(done), "deepomatic") == done

    def test_a_receipt_whose_task_is_done_becomes_the_task(self):
        results = from_document({"task_id": "123"})
        done = Item("123", "failed", error="late", attributes=results.items[0].attributes)
        written = to_document(replace(results, items=(done,), finished=True), "deepomatic", lossy=True)
        assert written == {"id": "123", "status": "error", "error": "late", "data": None}

    @pytest.mark.parametrize(
        "keys",
        [
            ("custom",),
            ("outputs", 0, "custom"),
            ("outputs", 0, "labels", "custom"),
            ("outputs", 0, "labels", "predicted", 0, "custom"),
            ("outputs", 0, "labels", "predicted", 0, "roi", "custom"),
        ],
    )
    def test_unknown_keys_are_kept(self, keys):
        changed = document("detection")
        golden.at(changed, keys[:-1])[keys[-1]] = {"a": [5]}
        assert to_document(from_document(changed), "deepomatic") == changed
        task = {"id": 1, "status": "success", "error": None, "data": changed}
        assert to_document(from_document(task), "deepomatic") == task


REQUEST = {"inputs": [{"image": {"source": "https://example.com/dog.jpg"}}]}


class TestRequests:
    def test_a_request_is_a_record(self):
        box = {"xmin": 0, "ymin": 0.25, "xmax": 0.5, "ymax": 1}
        for request in (
            REQUEST,
            {**REQUEST, "show_discarded": True, "max_predictions": 10},
            {"inputs": [{"image": {"source": "data:image/png;base64,AA==", "bbox": box}}]},
        ):
            record = from_document(request)
            assert record.kind == "inference-request"
            assert to_document(record, "deepomatic") == request

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ({**REQUEST, "max_predictions": 0}, "$.max_predictions: must be an integer >= 1, got 0"),
            ({**REQUEST, "show_discarded": "yes"}, "$.show_discarded: must be true or false, got 'yes'"),
            ({"inputs": [{"image": {}}]}, "$.inputs[0].image.source: must be a string, got nothing"),
            (
                {"inputs": [{"image": {"source": "a", "bbox": {"xmin": 2, "ymin": 0, "xmax": 1, "ymax": 1}}}]},
                "$.inputs[0].image.bbox.xmin: must be a number from 0 to 1, got 2",
            ),
        ],
    )
    def test_what_is_wrong_is_named(self, request_, expected):
        assert problem(request_) == expected


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("versions", {"count": 0}, "$.count: must be at least 2, the number of results, got 0"),
        ("versions", {"next": "soon"}, "$.next: must be the URL of a page, got 'soon'"),
        ("tasks", {"previous": "any text"}, "$.previous: must be the URL of a page, got 'any text'"),
    ],
)
def test_a_page_counts_its_results_and_leads_to_others(name, change, expected):
    assert problem(document(name) | change) == expected


def test_a_version_of_a_list_is_no_document_of_its_own():
    (listed, *_) = document("versions")["results"]
    assert problem(listed) == "$.post_processings: must be an array, got nothing"


def test_unknown_fields_of_a_page_and_of_a_box_are_kept():
    page = document("tasks")
    page["trace"] = {"id": 5}
    page["results"][0]["data"]["outputs"][0]["labels"]["predicted"][0]["roi"]["bbox"]["angle"] = 0.5
    written = to_document(from_document(page), "deepomatic")
    assert (written["trace"], written["results"][0]) == ({"id": 5}, page["results"][0])
