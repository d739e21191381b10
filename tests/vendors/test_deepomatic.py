"""Raw tensors through a version and its specification, from the documents to the predictions."""

import numpy as np
import pytest

import xplain
from tests.formatters import golden
from tests.support import refuses
from xplain.errors import DocumentError, InputError, UnknownNameError
from xplain.explanation import Box
from xplain.vendors import deepomatic


def document(name):
    return golden.read(golden.DATA / "deepomatic" / f"{name}.json")


def tensors():
    output = np.full((4, 4, 3 * 8), -8.0)
    output[1, 2, :8] = [0, 0, 0, 0, 8, 9, 0, 0]  # a bicycle, and a weaker one that covers the same
    output[1, 2, 8:16] = [0, 0, np.log(1.0625 / 3.4375), np.log(1.1875 / 4), 3, 9, 0, 0]
    output[3, 0, :8] = [0, 0, 0, 0, 0, 0, 9, 0]
    return {"prob": np.array([0.1, 0.15, 0.75]), "tags": np.array([0.2, 0.9]), "conv_9": output}


def test_all_outputs_of_a_version():
    explanation = deepomatic.postprocess(
        document("version"), document("specification"), tensors(), image_size=(80, 160)
    )
    assert (explanation.task, explanation.source.height, explanation.source.width) == ("object-detection", 80, 160)
    rows = [(p.name, p.id, p.attributes.get("output", 0), p.score >= p.threshold) for p in explanation.predictions]
    assert rows == [
        ("seaside", 4, 0, True),
        ("harbour", 2, 0, True),
        ("street", 0, 0, False),
        ("dark", 9, 1, True),
        ("wet", 1, 1, False),
        ("bicycle", 11, 2, True),
        ("helmet", 3, 2, False),
    ]
    box = explanation.predictions[5].region  # an anchor of 1.0625 x 1.1875 cells around the middle of column 2, row 1
    assert (box.x0, box.y0, box.x1, box.y1) == (1.96875 / 4, 0.90625 / 4, 3.03125 / 4, 2.09375 / 4)


def test_the_explanation_is_written_as_an_inference():
    explanation = deepomatic.postprocess(document("version"), document("specification"), tensors())
    written = xplain.to_document(explanation, "deepomatic")
    assert xplain.validate(written) == []
    assert [len(output["labels"]["predicted"]) for output in written["outputs"]] == [2, 1, 1]
    assert xplain.from_document(written).predictions == explanation.predictions


def test_why_each_was_reported():
    traces = deepomatic.trace(document("version"), document("specification"), tensors())
    assert [len(trace) for trace in traces] == [3, 2, 4 * 4 * 3 * 3]
    (suppressed,) = (candidate for candidate in traces[2] if candidate.fate == "suppressed")
    by = traces[2][suppressed.by]
    assert (by.prediction.name, by.fate, suppressed.overlap) == ("bicycle", "predicted", pytest.approx(1))
    assert {candidate.fate for candidate in traces[2]} == {"dropped", "suppressed", "discarded", "predicted"}


def test_records_and_documents_are_taken_alike():
    records = [xplain.from_document(document(name)) for name in ("version", "specification")]
    again = deepomatic.postprocess(*records, tensors())
    assert again == deepomatic.postprocess(document("version"), document("specification"), tensors())


@pytest.mark.parametrize("kind", ["anchored", "direct"])
def test_each_kind_of_boxes(kind):
    version, specification = document("new_version"), document("specification")
    version["post_processings"] = [version["post_processings"][0 if kind == "anchored" else 1]]
    specification["outputs"] = specification["outputs"][2:]
    outputs = {
        "rois": [[1, 20, 10, 20, 10]],
        "cls_prob": [[0.05, 0.95, 0, 0]],
        "bbox_pred": np.zeros((1, 16)),
        "im_info": [40, 80, 1],
        "detection_boxes:0": [[0.25, 0.25, 0.5, 0.5]],
        "detection_scores:0": [0.95],
        "detection_classes:0": [11],
    }
    explanation = deepomatic.postprocess(version, specification, outputs)
    assert [(p.name, p.region) for p in explanation.predictions] == [("bicycle", Box(0.25, 0.25, 0.5, 0.5))]


def test_the_order_of_direct_boxes_and_the_maximum():
    version, specification = document("new_version"), document("specification")
    version["post_processings"] = version["post_processings"][1:]
    specification["outputs"] = specification["outputs"][2:]
    outputs = {
        "detection_boxes:0": [[0.0, 0.25, 0.5, 1.0], [0.5, 0, 1, 1]],
        "detection_scores:0": [0.95, 0.99],
        "detection_classes:0": [11, 11],
    }
    explanation = deepomatic.postprocess(version, specification, outputs, order="yxyx", max_predictions=1)
    assert [p.region for p in explanation.predictions] == [Box(0, 0.5, 1, 1)]
    fates = [candidate.fate for candidate in deepomatic.trace(version, specification, outputs, max_predictions=1)[0]]
    assert fates == ["beyond the maximum", "predicted"]


class TestRefusals:
    def test_documents_that_do_not_go_together(self):
        version = document("version")
        version["post_processings"][2]["detection"]["thresholds"].pop()
        with refuses(DocumentError, "deepomatic document, $.post_processings[2].detection.thresholds: must be one for"):
            deepomatic.postprocess(version, document("specification"), tensors())

    def test_malformed_documents(self):
        version = document("version") | {"post_processings": [{}]}
        with refuses(DocumentError, "$.post_processings[0]: must have exactly one of classification, detection"):
            deepomatic.trace(version, document("specification"), tensors())

    def test_documents_of_another_kind(self):
        with refuses(InputError, "version must be a version of Deepomatic, got specification"):
            deepomatic.postprocess(document("specification"), document("version"), tensors())
        with refuses(InputError, "specification must be a specification of Deepomatic, got results"):
            deepomatic.postprocess(document("version"), document("detection"), tensors())
        with refuses(InputError, "version must be a Record or a dict, got str"):
            deepomatic.postprocess("version.json", document("specification"), tensors())

    def test_tensors(self):
        with refuses(UnknownNameError, "tensor must be one of tags, conv_9, got 'prob'"):
            incomplete = tensors()
            del incomplete["prob"]
            deepomatic.postprocess(document("version"), document("specification"), incomplete)
