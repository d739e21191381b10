"""The objects that the vendors' API pages print: those with values are read, a skeleton says what it lacks.

The shapes are those of the pages, the values our own. Modzy's are in `test_modzy`.
"""

import copy

import pytest

from tests.formatters import golden
from xplain.formatters import from_document, to_document, validate

EMAIL = {"body": {"plain": "Hello,\n\nwhere is it?\n\nRegards,\nAnn"}}
PARSED = {
    "Date": "Fri, 02 Jan 2026 03:04:05 +0000",
    "From": "ann@example.com",
    "Message-ID": "a1@example.com",
    "References": "<b1@example.com> <b2@example.com>",
    "Subject": "Order",
    "To": "bob@example.org",
}
MESSAGE = {
    "body": {"text": "Hello,\n\nwhere is it?"},
    "from": "ann@example.com",
    "sent_at": "2026-01-02T03:04:05Z",
    "signature": {"text": "Regards,\nAnn"},
    "subject": {"text": "Order"},
    "to": ["bob@example.org"],
}
REQUESTS = {
    "predict-request": {
        "documents": [
            {
                "messages": [MESSAGE],
                "timestamp": "2026-01-02T03:04:05.000000+00:00",
                "user_properties": {"string:City": "Bern"},
            }
        ],
        "threshold": 0.25,
    },
    "predict-raw-emails-request": {
        "documents": [
            {"raw_email": {**EMAIL, "headers": {"parsed": PARSED}}, "user_properties": {"string:City": "Bern"}},
            {
                "raw_email": {
                    "body": {"html": "<p>Ann,</p><p>here it is.<br/>Bob</p>"},
                    "headers": {"raw": "Message-ID: c1@example.org\nSubject: Re: Order\nFrom: bob@example.org"},
                }
            },
        ],
        "include_comments": False,
        "threshold": 0.25,
        "transform_tag": "generic.0.CONVKER5",
    },
    "predict-comments-request": {"threshold": 0.25, "uids": ["0123456789abcdef.0001", "0123456789abcdef.0002"]},
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_printed_requests_are_read(kind):
    record = from_document(REQUESTS[kind])
    assert record.kind == kind
    assert to_document(record, "reinfer") == REQUESTS[kind]


STEP = {"classification": {"output_tensor": "net/logits/predictions", "thresholds": [0.5, 0.5]}}
LISTED = {
    "id": 1,
    "spec_id": 42,
    "spec_name": "cat or not",
    "network_id": 123,
    "network_name": "cats",
    "update_date": "2026-01-02T03:04:05.404610Z",
}


@pytest.mark.parametrize(
    "document",
    [
        {"spec_id": 42, "network_id": 123, "post_processings": [STEP]},
        {**LISTED, "post_processings": [STEP]},
        {"count": 2, "next": None, "previous": None, "results": [LISTED]},
        {"inputs": [{"image": {"source": "https://example.com/cat.jpg"}}]},
        {"task_id": "123"},
    ],
    ids=["creation", "version", "list", "inference", "receipt"],
)
def test_printed_versions_are_read(document):
    assert validate(document) == []
    assert to_document(from_document(document), "deepomatic") == document


# Edge Impulse prints a skeleton of a job: every number is 1, every text the same.

SKELETON = golden.read(golden.DATA / "edge-impulse" / "visual-anomaly.json")
STRUCTURED = {
    "boxes": [[1]],
    "labels": ["text"],
    "scores": [1],
    **dict.fromkeys(("mAP", "f1", "precision", "recall"), 1),
    "debugInfoJson": '{"y_trues": [{"x": 0.8, "y": 0.4, "label": 1}, {"x": 0.2, "y": 0.5, "label": 2}],'
    '"y_preds": [{"x": 0.9, "y": 0.8, "label": 1}, {"x": 0.25, "y": 0.5, "label": 2}],'
    '"assignments": [{"yp": 1, "yt": 1, "label": 2, "distance": 0.05}], "normalised_min_distance": 0.2,'
    '"all_pairwise_distances": [[0, 0, 0.4], [1, 1, 0.05]],'
    '"unassigned_y_true_idxs": [0], "unassigned_y_pred_idxs": [0]}',
}


def skeleton():
    sample = {
        **SKELETON["result"][0]["sample"],
        **{"id": 2, "intervalMs": 16, "frequency": 62.5, "originalIntervalMs": 16, "originalFrequency": 62.5},
        **{"valuesCount": 1, "totalLengthMs": 1, "imageDimensions": {"width": 1, "height": 1}},
    }
    sample.pop("datastreams", None)
    block = {
        "learnBlock": {"id": 1, "type": "anomaly", "name": "NN Classifier", "dsp": [27], "title": "Classification"},
        "result": [{"idle": 0.0002, "wave": 0.9998, "anomaly": -0.42}],
        "anomalyResult": [
            {
                "boxes": [{"label": "text", "x": 1, "y": 1, "width": 1, "height": 1, "score": 1}],
                "scores": [[1]],
                "meanScore": 1,
                "maxScore": 1,
            }
        ],
        "structuredResult": [copy.deepcopy(STRUCTURED)],
        "minimumConfidenceRating": 1,
        "details": [{"boxes": [[1]], "labels": [1], "scores": [1], "mAP": 1, "f1": 1}],
        "objectDetectionLastLayer": "mobilenet-ssd",
        "expectedLabels": [{"startIndex": 1, "endIndex": 1, "label": "text"}],
    }
    window = {"sampleId": 1, "startMs": 1, "endMs": 1, "label": "text", "prediction": "text"}
    summary = {"good": 1, "bad": 1}
    return {
        "success": True,
        "error": "text",
        "result": [{"sampleId": 1, "sample": sample, "classifications": [block]}],
        "predictions": [{**window, "predictionCorrect": True, "f1Score": 1, "anomalyScores": [[1]]}],
        "accuracy": {
            "totalSummary": summary,
            "summaryPerClass": {"any": summary},
            "confusionMatrixValues": {"any": {"any": 1}},
            "allLabels": ["text"],
            **dict.fromkeys(("accuracyScore", "balancedAccuracyScore", "mseScore"), 1),
            **dict.fromkeys(("anomalyAccuracyScore", "noAnomalyAccuracyScore"), 1),
        },
        "additionalMetricsByLearnBlock": [
            {
                "learnBlockId": 1,
                "learnBlockName": "text",
                "additionalMetrics": [{"name": "text", "value": "text", "fullPrecisionValue": 1}],
            }
        ],
        "availableVariants": ["int8"],
    }


def test_the_skeleton_of_a_job_lacks_two_boxes():
    block = "$.result[0].classifications[0]"
    assert [problem.path for problem in validate(skeleton())] == [
        f"{block}.structuredResult[0].boxes[0]",
        f"{block}.details[0].boxes[0]",
    ]


def test_the_skeleton_of_a_job_contradicts_itself_in_six_places():
    document = skeleton()
    block = document["result"][0]["classifications"][0]
    block["structuredResult"][0]["boxes"] = [[0.1, 0.1, 0.2, 0.2]]
    block["details"][0]["boxes"] = [[0.1, 0.1, 0.3, 0.3]]
    assert [problem.path.removeprefix("$.") for problem in validate(document)] == [
        "result[0].classifications[0].expectedLabels[0].endIndex",
        "result[0].classifications[0].structuredResult[0].precision",
        "result[0].classifications[0].structuredResult[0].recall",
        "result[0].classifications[0].structuredResult[0].f1",
        "accuracy.totalSummary.bad",
        "accuracy.accuracyScore",
    ]
