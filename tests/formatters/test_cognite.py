"""Cognite Vision's documents."""

import copy

import jsonschema
import pytest

from tests.formatters import golden
from tests.support import refuses
from xplain.errors import DocumentError, FidelityError, InputError
from xplain.explanation import Box, Explanation, Item, Polygon, Prediction, Record, Results, Source
from xplain.formatters import fit, from_document, sniff, to_document, validate
from xplain.formatters.cognite.gauges import read_gauge
from xplain.formatters.cognite.matches import align

CREATED, STARTED, CHANGED = "2024-10-29T12:19:06.000Z", "2024-10-29T12:19:06.500Z", "2024-10-29T12:19:09.120Z"
RECTANGLE = {"xMin": 0.25, "xMax": 0.5, "yMin": 0.5, "yMax": 1.0}


def document(name):
    return golden.read(golden.DATA / "cognite" / f"{name}.json")


def job(predictions=None, **more):
    """A completed job of one file."""
    items = [{"fileId": 1, "predictions": {} if predictions is None else predictions}]
    times = {"createdTime": 1, "startTime": 2, "statusTime": 3}
    return {"status": "Completed", **times, "jobId": 9, "items": items, **more}


def detected(**geometry):
    return job({"industrialObjectPredictions": [{"label": "pump", "confidence": 0.5, **geometry}]})


def only(value):
    """The only prediction of a job of one file."""
    (item,) = value.items
    (prediction,) = item.explanation.predictions
    return prediction


def test_a_job_is_results():
    results = from_document(document("job"))
    assert (results.job, results.finished, results.error) == ("8423", True, None)
    assert (results.submitted, results.started, results.updated, results.ended) == (CREATED, STARTED, None, CHANGED)
    assert [(item.name, item.status) for item in results.items] == [
        ("pump-house.jpg", "successful"),
        ("1502", "successful"),
        ("notes.jpg", "failed"),
        ("1504", "failed"),
        ("1505", "failed"),
    ]
    assert {item.error for item in results.items[2:]} == {"the image could not be decoded"}
    assert results.items[2].attributes["cognite"]["fileInstanceId"] == {"externalId": "notes", "space": "plant"}


@pytest.mark.parametrize("name", ["job", "gauges", "partial", "failed", "reply", "request", "error"])
def test_documents_come_back_as_they_were(name):
    assert to_document(from_document(document(name)), "cognite") == document(name)


def test_texts_and_asset_tags_have_their_places_and_thresholds():
    tag, danger, linked, other = from_document(document("job")).items[0].explanation.predictions
    assert tag == Prediction(
        "21-PT-1019", 0.875, region=Box(0.125, 0.5, 0.25, 0.5625), threshold=0.5, attributes={"feature": "text"}
    )
    assert danger.attributes == {"feature": "text", "regionConfidence": 0.75}
    assert linked.attributes["assetRef"] == {"externalId": "21-PT-1019"}
    assert list(linked.attributes["objectRegion"]) == ["polygon"]
    stretches = align(linked.name, linked.attributes["assetRef"]["externalId"])
    assert [stretch.name for stretch in stretches if stretch.kind == "same"] == ["21", "PT", "1", "19"]
    assert (other.score, other.attributes["unscored"], other.attributes["assetRef"]) == (1.0, True, {"id": 77})


def test_gauges_have_the_keypoints_and_the_scale_of_a_reading():
    digital, dial, level, valve = from_document(document("gauges")).items[0].explanation.predictions
    assert digital.attributes["attributes"] == {"value": {"type": "numerical", "value": 12.25}}
    assert dial.attributes["scale"] == {"minLevel": 0, "maxLevel": 100, "deadAngle": 67.5, "nonLinAngle": 45.5}
    assert dial.attributes["keypoints"]["keypoints"]["center"] == {"point": {"confidence": 0.5, "x": 0.5, "y": 0.5}}
    assert read_gauge(dial).claimed == 50.0
    reading = read_gauge(level)
    assert (reading.value, reading.claimed) == (2.5, 2.5)
    assert (valve.region, read_gauge(valve)) == (Polygon([(0.1, 0.1), (0.2, 0.1), (0.2, 0.2)]), None)


def test_lines_and_polygons_are_told_apart():
    pipe, cable, tank = from_document(document("partial")).items[0].explanation.predictions[:3]
    assert (len(pipe.region.points), pipe.attributes) == (3, {"closed": False})
    assert (len(cable.region.points), cable.attributes) == (2, {})
    assert (len(tank.region.points), tank.attributes["pointConfidences"]) == (3, [0.5, None, None])


def test_unknown_lists_survive():
    explanation = from_document(document("partial")).items[0].explanation
    assert explanation.attributes == {"cognite": {"smokePredictions": [{"density": [0.25, 0.5], "label": "smoke"}]}}


def test_a_running_job_shows_what_is_done():
    results = from_document(document("partial"))
    assert [(item.name, item.status) for item in results.items] == [("1701", "successful"), ("1702", "failed")]
    assert (results.finished, results.updated, results.ended) == (False, CHANGED, None)


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("Queued", "waiting"),
        ("Distributing", "waiting"),
        ("Distributed", "waiting"),
        ("Running", "running"),
        ("Collecting", "running"),
    ],
)
def test_files_without_predictions_are_where_the_job_is(status, ours):
    reply = document("reply") | {"status": status}
    results = from_document(reply)
    assert [(item.name, item.status) for item in results.items] == [("1901", ours), ("b.jpg", ours)]
    assert (results.started, results.finished) == (None, False)
    assert to_document(results, "cognite") == reply


def test_a_failed_job_says_why():
    results = from_document(document("failed"))
    assert (results.finished, results.error, results.completed) == (True, "every batch failed", 0)
    assert from_document(job() | {"errorMessage": None}).error is None


def test_a_batch_need_not_say_why_nor_hold_files():
    batches = [{"items": [{"fileId": 2}]}, {"errorMessage": "late"}]
    results = from_document(job(failedItems=batches))
    assert results.items[1].error == "no reason given"
    assert to_document(results, "cognite")["failedItems"] == [
        {"errorMessage": "no reason given", "items": [{"fileId": 2}]},
        {"errorMessage": "late", "items": []},
    ]


def test_requests_and_errors_are_records():
    request = from_document(document("request"))
    assert (request.format, request.kind) == ("cognite", "request")
    assert request.fields["features"] == ["TextDetection", "AssetTagDetection"]
    assert from_document(document("error")).kind == "error"
    with refuses(InputError, "format must be that of the request, 'cognite', or 'native', got 'modzy'"):
        to_document(request, "modzy")
    with refuses(InputError, "got 'cognite'"):
        to_document(Record("modzy", "x", {}), "cognite")


# What we write of our own.


def test_own_detections_become_a_completed_job_of_industrial_objects():
    explanation = Explanation(
        "object-detection",
        Source("image", height=100, width=200),
        (
            Prediction("pump", 0.75, region=Box(20, 10, 100, 50, "pixel"), threshold=0.5),
            Prediction("pipe", 0.5, region=Polygon([(0, 0), (1, 0), (1, 1)]), threshold=0.5),
        ),
    )
    assert to_document(explanation, "cognite") == {
        "status": "Completed",
        "createdTime": 0,
        "startTime": 0,
        "statusTime": 0,
        "jobId": 0,
        "items": [
            {
                "fileId": -1,
                "fileExternalId": "image",
                "predictions": {
                    "industrialObjectPredictions": [
                        {
                            "label": "pump",
                            "confidence": 0.75,
                            "boundingBox": {"xMin": 0.1, "xMax": 0.5, "yMin": 0.1, "yMax": 0.5},
                        },
                        {
                            "label": "pipe",
                            "confidence": 0.5,
                            "polygon": {"vertices": [{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 0.0}, {"x": 1.0, "y": 1.0}]},
                        },
                    ]
                },
            }
        ],
        "parameters": {"industrialObjectDetectionParameters": {"threshold": 0.5}},
    }


@pytest.mark.parametrize("feature", ["people", "personalProtectiveEquipment", "digitalGauge", "text"])
def test_the_feature_chooses_the_list(feature):
    prediction = Prediction("x", 0.5, region=Box(0, 0, 1, 1), attributes={"feature": feature})
    written = to_document(Explanation("object-detection", Source("image"), (prediction,)), "cognite")
    assert list(written["items"][0]["predictions"]) == [f"{feature}Predictions"]
    assert only(from_document(written)) == prediction


@pytest.mark.parametrize(
    ("prediction", "loss"),
    [
        (Prediction("x", 0.5), "predictions[0].region becomes Box"),
        (Prediction("x", 1.5, region=Box(0, 0, 1, 1)), "predictions[0].score becomes 1.0"),
        (Prediction("x", 0.5, region=Box(0.5, 0, 0.5, 1)), "predictions[0].region becomes Polygon"),
        (Prediction("x", 0.5, region=Box(0, 0, 2, 1)), "predictions[0].region.x1 becomes 1.0"),
        (Prediction("", 0.5, region=Box(0, 0, 1, 1)), "predictions[0].label becomes ('unnamed',)"),
        (Prediction("x" * 129, 0.5, region=Box(0, 0, 1, 1)), "predictions[0].label becomes"),
        (Prediction("x", 0.5, region=Box(0, 0, 1, 1), threshold=0.75), "predictions[0].threshold is left out"),
        (Prediction("x", 0.5, region=Box(0, 0, 1, 1), attributes={"feature": "valve"}), "attributes.feature"),
        (Prediction("x", 0.5, region=Box(0, 0, 1, 1), attributes={"feature": "assetTag"}), "attributes.feature"),
        (Prediction("x", 0.5, region=Box(0, 0, 1, 1), attributes={"colour": "red"}), "predictions[0] has attributes"),
    ],
)
def test_what_a_job_cannot_hold_is_a_loss(prediction, loss):
    explanation = Explanation("object-detection", Source("image"), (prediction,))
    with refuses(FidelityError, loss):
        to_document(explanation, "cognite")
    assert validate(to_document(explanation, "cognite", lossy=True)) == []


def test_own_results_keep_their_names_times_and_failures():
    explanation = Explanation("object-detection", Source("image"), (Prediction("x", 0.5, region=Box(0, 0, 1, 1)),))
    results = Results(
        "17",
        (
            Item("a.jpg", "successful", explanation=explanation),
            Item("22", "successful", explanation=explanation),
            Item("b.jpg", "failed", error="too large"),
        ),
        submitted=CREATED,
        started=STARTED,
        ended=CHANGED,
    )
    written = to_document(results, "cognite")
    assert [(item["fileId"], item.get("fileExternalId")) for item in written["items"]] == [(-1, "a.jpg"), (22, None)]
    assert fit(results, "cognite") == results == from_document(written)


TIME = {"type": "integer", "minimum": 0}
#: What the vendor's description of the API requires of a job.
SCHEMA = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "required": ["status", "createdTime", "startTime", "statusTime", "jobId"],
        "properties": {
            "status": {"enum": ["Queued", "Running", "Completed", "Failed"]},
            **dict.fromkeys(("createdTime", "startTime", "statusTime"), TIME),
            "jobId": {"type": "integer"},
            "errorMessage": {"type": "string"},
            "items": {"type": "array", "items": {"type": "object", "required": ["fileId", "predictions"]}},
        },
    }
)


def test_losses_of_own_results_are_reported():
    waiting = Results("nightly", (Item("a.jpg", "waiting"),), finished=True)
    with refuses(FidelityError, "job becomes '0'"):
        to_document(waiting, "cognite")
    written = to_document(waiting, "cognite", lossy=True)
    assert (written["status"], written["errorMessage"]) == ("Failed", "no reason given")
    backwards = Results("1", (), submitted=CHANGED, started=CREATED)
    with refuses(FidelityError, "started becomes"):
        to_document(backwards, "cognite")


def test_files_that_are_not_done_are_no_items():
    explanation = Explanation("object-detection", Source("image"), [Prediction("person", 0.5, region=Box(0, 0, 1, 1))])
    items = [
        Item("a.jpg", "successful", explanation=explanation),
        Item("b.jpg", "running"),
        Item("c.jpg", "waiting"),
        Item("d.jpg", "failed", error="late"),
    ]
    for part in (items, items[2:3], items[1:2], items[:1]):
        results = Results("7", part, total=9)
        written = to_document(results, "cognite", lossy=True)
        SCHEMA.validate(written)
        assert all("predictions" in item for item in written["items"])
        back = from_document(written)
        assert sorted((i.name, i.status) for i in back.items) == sorted((i.name, i.status) for i in results.items)
    written = to_document(Results("7", items), "cognite")
    assert [(file["fileExternalId"], file["status"]) for file in written["pendingItems"]] == [
        ("b.jpg", "running"),
        ("c.jpg", "waiting"),
    ]
    assert to_document(from_document(written), "cognite") == written


def test_a_failed_job_of_our_own_says_why():
    late = [Item(name, "failed", error="late") for name in ("a", "b")]
    written = to_document(Results("7", late), "cognite")
    assert (written["status"], written["errorMessage"]) == ("Failed", "late")
    assert from_document(written).error is None
    written = to_document(Results("7", [*late, Item("c", "failed", error="broken")]), "cognite")
    assert written["errorMessage"] == "late (and 1 other errors)"
    assert to_document(Results("7", late, error="no service"), "cognite")["errorMessage"] == "no service"


def test_the_documented_answer_to_a_request_is_a_job():
    answer = document("reply") | {
        "status": "Queued",
        "startTime": 1730204346000,
        "items": [{"fileId": 1, "fileExternalId": "1234"}],
        "features": ["TextDetection", "PeopleDetection"],
        "parameters": {"textDetectionParameters": {"threshold": 0.8}},
    }
    results = from_document(answer)
    assert [(item.name, item.status) for item in results.items] == [("1", "waiting")]
    assert to_document(results, "cognite") == answer
    (problem,) = validate(answer | {"features": ["Text"]})
    assert problem.path == "$.features[0]"


def test_labels_can_be_sent_to_features():
    predictions = [Prediction(name, 0.5, region=Box(0, 0, 0.5, 0.5)) for name in ("person", "pump")]
    explanation = Explanation("object-detection", Source("image"), predictions)
    (item,) = to_document(explanation, "cognite", features={"person": "people"})["items"]
    assert {key: [e["label"] for e in entries] for key, entries in item["predictions"].items()} == {
        "peoplePredictions": ["person"],
        "industrialObjectPredictions": ["pump"],
    }
    with refuses(InputError, "features['person'] must be one of 'people', 'industrialObject'", "got 'valve'"):
        to_document(explanation, "cognite", features={"person": "valve"})


@pytest.mark.parametrize("status", ["Queued", "Distributing", "Distributed"])
def test_a_job_that_waits_has_nothing_done(status):
    done = document("job") | {"status": status}
    assert "$.items[0].predictions" in [problem.path for problem in validate(done)]
    failed = document("reply") | {"status": status, "failedItems": [{"errorMessage": "late", "items": [{"fileId": 9}]}]}
    (problem,) = validate(failed)
    assert (problem.path, problem.message) == (
        "$.failedItems",
        f"must be empty, since the job is {status}, got 1 files",
    )


def test_other_tasks_and_evidence_are_refused():
    with refuses(InputError, "task must be one of 'object-detection' to be written as 'cognite'"):
        to_document(Explanation("image-classification", Source("image")), "cognite")


# What is refused.


def changed(document, keys, value):
    document = copy.deepcopy(document)
    golden.at(document, keys[:-1])[keys[-1]] = value
    return document


JOB, GAUGES = document("job"), document("gauges")
FILE = ("items", 0, "predictions")
TEXT = (*FILE, "textPredictions", 0)


@pytest.mark.parametrize(
    ("broken", "path", "message"),
    [
        (JOB | {"status": "Done"}, "$.status", "must be one of 'Queued', 'Distributing'"),
        (JOB | {"startTime": 1}, "$.startTime", "must be at least createdTime, 1730204346000, got 1"),
        (JOB | {"statusTime": 1730204346001}, "$.statusTime", "must be at least startTime, 1730204346500"),
        (document("reply") | {"statusTime": 1}, "$.statusTime", "must be at least createdTime, 1730204346000, got 1"),
        (JOB | {"createdTime": -1}, "$.createdTime", "must be an integer >= 0, got -1"),
        (JOB | {"statusTime": 10**18}, "$.statusTime", "up to the year 9999"),
        (JOB | {"jobId": 2**63}, "$.jobId", "must be an integer of 64 bits"),
        (JOB | {"items": []}, "$.items", "must hold a file, since the job is Completed, got none"),
        (JOB | {"status": "Failed"}, "$.items", "must be empty, since the job is Failed, got 2 files"),
        (JOB | {"items": [{"fileId": 1}]}, "$.items[0].predictions", "must be an object, got nothing"),
        (changed(JOB, ("items", 1, "fileId"), 1501), "$.items[1]", "must be in a job once, got 1501 in $.items[0] too"),
        (changed(JOB, ("items", 1, "fileExternalId"), "pump-house.jpg"), "$.items[1]", "got 'pump-house.jpg' in"),
        (
            changed(JOB, ("failedItems", 0, "items", 1, "fileId"), 1502),
            "$.failedItems[0].items[1]",
            "must be in a job once, got 1502 in $.items[1] too",
        ),
        (
            changed(JOB, (*TEXT, "confidence"), 0.25),
            f"{golden.path(TEXT)}.confidence",
            "must be at least the threshold of the feature, 0.5, got 0.25",
        ),
        (
            changed(GAUGES, (*FILE, "dialGaugePredictions", 0, "objectDetection", "confidence"), 0.25),
            f"{golden.path(FILE)}.dialGaugePredictions[0].objectDetection.confidence",
            "must be at least the threshold",
        ),
        (changed(JOB, (*TEXT, "confidence"), 1.5), f"{golden.path(TEXT)}.confidence", "a number from 0 to 1"),
        (changed(JOB, (*TEXT, "text"), "x" * 129), f"{golden.path(TEXT)}.text", "must be 1 to 128 characters"),
        (
            changed(JOB, (*TEXT, "textRegion", "xMin"), 0.25),
            f"{golden.path(TEXT)}.textRegion.xMin",
            "must be less than xMax, got 0.25 and 0.25",
        ),
        (
            changed(JOB, (*TEXT, "textRegion", "yMin"), 0.75),
            f"{golden.path(TEXT)}.textRegion.yMin",
            "must be less than yMax",
        ),
        (
            changed(JOB, (*FILE, "assetTagPredictions", 0, "assetRef"), {"id": 1, "externalId": "a"}),
            f"{golden.path(FILE)}.assetTagPredictions[0].assetRef",
            "exactly one of id, externalId",
        ),
        (
            changed(JOB, (*FILE, "assetTagPredictions", 0, "objectRegion"), {}),
            f"{golden.path(FILE)}.assetTagPredictions[0].objectRegion",
            "exactly one of boundingBox, polygon, polyline",
        ),
        (detected(), "$.items[0].predictions.industrialObjectPredictions[0]", "exactly one of boundingBox"),
        (
            detected(boundingBox=RECTANGLE, polyline={"vertices": [{"x": 0, "y": 0}] * 2}),
            "$.items[0].predictions.industrialObjectPredictions[0]",
            "exactly one of boundingBox",
        ),
        (
            detected(polygon={"vertices": [{"x": 0, "y": 0}] * 2}),
            "$.items[0].predictions.industrialObjectPredictions[0].polygon.vertices",
            "must be an array of 3 to 1000, got an array of 2",
        ),
        (
            detected(polyline={"vertices": [{"x": 0, "y": 0}] * 1001}),
            "$.items[0].predictions.industrialObjectPredictions[0].polyline.vertices",
            "must be an array of 2 to 1000, got an array of 1001",
        ),
        (
            detected(boundingBox=RECTANGLE, attributes={"a": {"type": "text", "value": "b"}}),
            "$.items[0].predictions.industrialObjectPredictions[0].attributes.a.type",
            "must be one of 'boolean', 'numerical', got 'text'",
        ),
        (
            changed(JOB, ("parameters", "textDetectionParameters", "threshold"), 2),
            "$.parameters.textDetectionParameters.threshold",
            "must be a number from 0 to 1, got 2",
        ),
        (document("request") | {"features": []}, "$.features", "must be an array of 1 to 3, got an array of 0"),
        (document("request") | {"items": [{"fileId": 1}] * 101}, "$.items", "must be an array of 1 to 100"),
        (document("request") | {"items": [{}]}, "$.items[0]", "exactly one of fileId, fileExternalId, fileInstanceId"),
        (document("request") | {"features": ["Text"]}, "$.features[0]", "must be one of 'TextDetection'"),
    ],
)
def test_what_is_wrong_is_named(broken, path, message):
    (problem,) = validate(broken)
    assert problem.path == path
    assert message in problem.message


def test_a_prediction_without_confidence_reaches_every_threshold():
    predictions = {"peoplePredictions": [{"label": "person", "boundingBox": RECTANGLE}]}
    parameters = {"peopleDetectionParameters": {"threshold": 0.75}}
    prediction = only(from_document(job(predictions, parameters=parameters)))
    assert (prediction.score, prediction.threshold, prediction.attributes["unscored"]) == (1.0, 0.75, True)


def test_other_documents_are_not_claimed():
    for other in ({"jobId": 1}, {"error": "late"}, {"error": {"message": "late"}}, {"status": "Completed"}, []):
        with refuses(DocumentError, "got none"):
            sniff(other)


def test_the_predictions_of_a_file_are_read_alone():
    text = {"text": "P-101", "textRegion": {"xMin": 0.25, "yMin": 0.0, "xMax": 0.5, "yMax": 0.125}, "confidence": 0.75}
    document = {"textPredictions": [text], "newPredictions": [{"a": 1}]}
    assert sniff(document) == "cognite"
    explanation = from_document(document)
    assert explanation.predictions[0].region == Box(0.25, 0.0, 0.5, 0.125)
    (item,) = to_document(explanation, "cognite")["items"]
    assert item["predictions"] == document
    assert [problem.path for problem in validate({"textPredictions": 1})] == ["$.textPredictions"]


def test_unknown_fields_of_boxes_and_gauges_are_kept():
    job = document("gauges")
    predictions = job["items"][0]["predictions"]
    predictions["digitalGaugePredictions"][0]["boundingBox"]["angle"] = 0.5
    predictions["dialGaugePredictions"][0]["reading"] = {"unit": "bar"}
    assert to_document(from_document(job), "cognite")["items"][0]["predictions"] == predictions


def test_a_time_that_a_job_must_have_is_filled_in():
    results = Results("9", (Item("b", "running"),), submitted="2024-01-01T00:00:00Z")
    written = to_document(results, "cognite")
    assert written["createdTime"] == written["startTime"] == written["statusTime"] == 1704067200000
