import numpy as np
import pytest
import torch

from tests.support import refuses
from xplain import InputError
from xplain.models.heads import Detr, Ssd, Yolo

RNG = np.random.default_rng(5)
CENTRES = RNG.uniform(2, 8, (12, 2))
SIZES = RNG.uniform(1, 4, (12, 2))
CORNERS = np.hstack([CENTRES - SIZES / 2, CENTRES + SIZES / 2])
CLASSES = RNG.uniform(0, 1, (12, 3))


def tensor(array):
    return torch.tensor(np.asarray(array), dtype=torch.float64)


def check(candidates, boxes, classes, unit):
    np.testing.assert_allclose(candidates["boxes"], boxes)
    np.testing.assert_allclose(candidates["probabilities"], classes)
    np.testing.assert_array_equal(candidates["labels"], np.argmax(classes, 1))
    np.testing.assert_allclose(candidates["scores"], np.max(classes, 1))
    assert candidates["unit"] == unit


def test_yolo_without_objectness():
    raw = tensor(np.hstack([CENTRES, SIZES, CLASSES]).T[np.newaxis])
    for outputs in (raw, (raw, [raw]), [raw]):
        (candidates,) = Yolo().candidates(outputs)
        check(candidates, CORNERS, CLASSES, "pixel")


def test_yolo_with_objectness():
    certain = RNG.uniform(0, 1, (12, 1))
    (candidates,) = Yolo(objectness=True, unit="fraction").candidates(
        tensor(np.hstack([CENTRES, SIZES, certain, CLASSES]))[None]
    )
    check(candidates, CORNERS, CLASSES * certain, "fraction")


def test_detr():
    logits = RNG.normal(size=(12, 4))
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    boxes = tensor(np.hstack([CENTRES, SIZES]))[None]
    (candidates,) = Detr().candidates({"logits": tensor(logits)[None], "pred_boxes": boxes})
    check(candidates, CORNERS, softmax[:, :3], "fraction")
    outputs = type("Output", (), {"pred_logits": tensor(logits)[None], "pred_boxes": boxes})
    (candidates,) = Detr(background=False).candidates(outputs)
    check(candidates, CORNERS, 1 / (1 + np.exp(-logits)), "fraction")


def test_ssd():
    priors = np.hstack([RNG.uniform(0, 1, (12, 2)), RNG.uniform(0.1, 0.5, (12, 2))])
    centres, sizes = RNG.uniform(0, 1, (12, 2)), RNG.uniform(0.1, 0.5, (12, 2))
    offsets = np.hstack([(centres - priors[:, :2]) / priors[:, 2:] / 0.1, np.log(sizes / priors[:, 2:]) / 0.2])
    logits = RNG.normal(size=(12, 4))
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    (candidates,) = Ssd(priors).candidates((tensor(offsets)[None], tensor(logits)[None]))
    check(candidates, np.hstack([centres - sizes / 2, centres + sizes / 2]), softmax[:, 1:], "fraction")


def test_thresholds_and_suppression_keep_the_best_of_each_class():
    boxes = [[5, 5, 4, 4], [5, 5, 4, 4.2], [5, 5, 4, 4], [15, 5, 4, 4], [25, 5, 4, 4]]
    classes = [[0.6, 0], [0.9, 0], [0, 0.5], [0.3, 0], [0.2, 0.1]]
    (detections,) = Yolo(threshold=0.25)(tensor(np.hstack([boxes, classes]).T[np.newaxis]))
    assert detections["scores"].tolist() == [0.9, 0.5, 0.3]
    assert detections["labels"].tolist() == [0, 1, 0]
    assert detections["probabilities"].shape == (3, 2)
    logits = np.log(np.hstack([np.array(classes) + 1e-9, np.full((5, 1), 0.01)]))
    (detections,) = Detr(threshold=0.9)({"logits": tensor(logits)[None], "pred_boxes": tensor(boxes)[None] / 30})
    scores = detections["scores"].tolist()
    assert len(scores) == 4  # no suppression: also the two that overlap others
    assert scores == sorted(scores, reverse=True)


def test_gradients_flow_to_the_raw_output():
    raw = tensor(np.hstack([CENTRES, SIZES, CLASSES]).T[np.newaxis]).requires_grad_()
    (detections,) = Yolo(threshold=0.9)(raw)
    detections["scores"][0].backward()
    assert np.count_nonzero(raw.grad) == 1


@pytest.mark.parametrize(
    ("call", "fragment"),
    [
        (lambda: Yolo(threshold=2), "threshold must be between 0 and 1, got 2"),
        (lambda: Yolo(unit="cm"), "unit must be one of"),
        (lambda: Yolo()(torch.zeros(2, 3)), "model output must be a tensor with three axes, got (2, 3)"),
        (lambda: Yolo()({"a": 1}), "model output must be a tensor with three axes, got dict"),
        (lambda: Yolo()(torch.zeros(1, 4, 9)), "must be of shape (batch, 4 + classes, M) with objectness=False, got"),
        (lambda: Detr()({"logits": torch.zeros(1, 2, 3)}), "model output must have pred_boxes, got dict without"),
        (lambda: Ssd([[0, 0, 1]]), "priors must be of shape (M, 4), got (1, 3)"),
        (
            lambda: Ssd([[0, 0, 1, 1]])((torch.zeros(1, 2, 4), torch.zeros(1, 2, 3))),
            "model output must have offsets (batch, 1, 4) for the priors, got (1, 2, 4)",
        ),
    ],
)
def test_refusals(call, fragment):
    with refuses(InputError, fragment):
        call()
