import numpy as np
import pytest
import torch

import xplain
from tests.support import refuses
from xplain import InputError
from xplain.models.heads import Detr, EndToEnd, Ssd, Yolo

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


ANCHORS = np.array([[1.5, 2.0], [3.0, 0.75]])


def raw_grid(version, classes=3, rows=3, columns=4):
    """Return a raw output (1, 2 * (5 + classes), rows, columns) and its boxes and scores, cell by cell."""
    raw = RNG.normal(size=(1, 2 * (5 + classes), rows, columns))
    anchors, stride = (ANCHORS, 8) if version == 2 else (ANCHORS * 8, 8)
    boxes, scores = [], []
    sigmoid = lambda t: 1 / (1 + np.exp(-t))  # noqa: E731
    for row in range(rows):
        for column in range(columns):
            for number, anchor in enumerate(anchors):
                t = raw[0, number * (5 + classes) : (number + 1) * (5 + classes), row, column]
                place, side = sigmoid(t[:2]), anchor * np.exp(t[2:4]) * (8 if version == 2 else 1)
                if version == 5:
                    place, side = 2 * sigmoid(t[:2]) - 0.5, anchor * (2 * sigmoid(t[2:4])) ** 2
                centre = (np.array([column, row]) + place) * stride
                boxes.append([*(centre - side / 2), *(centre + side / 2)])
                each = np.exp(t[5:]) / np.exp(t[5:]).sum() if version == 2 else sigmoid(t[5:])
                scores.append(sigmoid(t[4]) * each)
    return raw, anchors, np.array(boxes), np.array(scores)


@pytest.mark.parametrize("version", [2, 3, 5])
def test_yolo_from_raw_numbers_and_anchors(version):
    raw, anchors, boxes, scores = raw_grid(version)
    head = Yolo(anchors=anchors, stride=8, version=None if version < 5 else 5)
    assert head.version == version
    five_axes = raw.reshape(1, 2, 8, 3, 4).transpose(0, 1, 3, 4, 2)
    for outputs in (tensor(raw), [tensor(raw)], tensor(five_axes)):
        (candidates,) = head.candidates(outputs)
        check(candidates, boxes, scores, "pixel")


def test_yolo_from_several_levels():
    levels = [raw_grid(3), raw_grid(3, rows=2, columns=2)]
    head = Yolo(anchors=[anchors for _, anchors, _, _ in levels], stride=(8, 8))
    (candidates,) = head.candidates([tensor(raw) for raw, *_ in levels])
    boxes, scores = (np.concatenate([level[i] for level in levels]) for i in (2, 3))
    check(candidates, boxes, scores, "pixel")
    (best, *_) = head([tensor(raw) for raw, *_ in levels])[0]["scores"]
    assert float(best) == scores.max()


def test_the_raw_output_of_yolo_v2_gives_what_the_decoded_one_gives():
    """Anchors in cells, softmax over classes, boxes in pixels: that of the network of 2017, raw and decoded."""
    raw, anchors, boxes, scores = raw_grid(2)
    (pixels,) = Yolo(anchors=anchors, stride=8).candidates(tensor(raw))
    side = np.array([4, 3, 4, 3]) * 8.0
    rows = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2], np.ones((24, 1)), scores])
    rows[:, :4] /= side
    (fractions,) = Yolo(objectness=True, unit="fraction").candidates(tensor(rows)[None])
    np.testing.assert_allclose(pixels["boxes"], fractions["boxes"].numpy() * side)
    np.testing.assert_allclose(pixels["probabilities"], fractions["probabilities"])


def test_rows_that_are_final():
    rows = tensor([[1, 2, 5, 6, 0.3, 1], [0, 0, 4, 4, 0.1, 0], [2, 2, 5, 6, 0.75, 3]])
    for outputs in (rows[None], (rows[None], "more"), [rows]):
        (detections,) = EndToEnd()(outputs)
        assert detections["scores"].tolist() == [0.75, 0.3]
        assert detections["labels"].tolist() == [3, 1]
        assert detections["boxes"].tolist() == [[2, 2, 5, 6], [1, 2, 5, 6]]
    assert not hasattr(EndToEnd(), "candidates")  # their order changes from image to image


def test_a_detector_of_final_rows_is_explained():
    class Net(torch.nn.Module):
        def forward(self, x):
            lit = x.mean(dim=(1, 2, 3))
            boxes = torch.tensor([2.0, 2, 6, 6]).expand(len(x), 4)
            return torch.cat([boxes, lit[:, None], torch.ones(len(x), 1)], dim=1)[:, None]

    model = xplain.Detector(Net(), ["cat", "dog"], postprocess=EndToEnd(unit="pixel"))
    explanation = xplain.explain(model, np.full((8, 8, 3), 153, np.uint8), "saliency")
    assert (explanation.predictions[0].name, round(explanation.predictions[0].score, 3)) == ("dog", 0.6)
    assert explanation.attributions[0].evidence.values.min() > 0


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
        (lambda: Yolo()(torch.zeros(1, 300, 6)), "as of x0, y0, x1, y1, score and class; decode it by xplain.models.h"),
        (lambda: Yolo()(torch.zeros(1, 8400, 84)), "more classes than boxes; try objectness=True, or transpose it"),
        (lambda: Yolo(objectness=True)(torch.zeros(1, 84, 8400)), "more classes than boxes; try objectness=False"),
        (
            lambda: Yolo()(torch.full((1, 6, 9), 7.5)),
            "must hold scores from 0 to 1, got 7.5 to 7.5; apply the network's",
        ),
        (lambda: Yolo()(torch.full((1, 6, 9), -0.5)), "must hold scores from 0 to 1, got -0.5 to -0.5"),
        (lambda: Yolo()(torch.full((1, 6, 9), torch.nan)), "must hold scores from 0 to 1, got NaN"),
        (lambda: Detr()({"logits": torch.full((1, 2, 3), torch.nan), "pred_boxes": torch.zeros(1, 2, 4)}), "got NaN"),
        (lambda: EndToEnd()(torch.full((1, 2, 6), 1.5)), "must hold scores from 0 to 1, got 1.5 to 1.5"),
        (lambda: EndToEnd()(torch.zeros(1, 2, 7)), "must be rows of x0, y0, x1, y1, score, class, got (2, 7)"),
        (lambda: EndToEnd()(torch.zeros(2, 6)), "must be of shape (batch, M, 6), got (2, 6)"),
        (lambda: Yolo()(torch.zeros(1, 16, 3, 4)), "three axes, got (1, 16, 3, 4); for raw numbers pass anchors and s"),
        (lambda: Yolo(anchors=ANCHORS), "anchors and stride must be given together"),
        (lambda: Yolo(anchors=[1, 2], stride=8), "anchors must be width and height > 0 of each anchor, got [1, 2]"),
        (lambda: Yolo(anchors=[[1, 0]], stride=8), "anchors must be width and height > 0 of each anchor, got"),
        (lambda: Yolo(anchors=ANCHORS, stride=(8, 16)), "of each anchor, for each stride, got"),
        (lambda: Yolo(anchors=ANCHORS, stride=0), "stride must be an integer >= 1, got 0"),
        (lambda: Yolo(anchors=ANCHORS, stride=8, version=4), "version must be 2, 3 or 5, got 4"),
        (lambda: Yolo(anchors=ANCHORS, stride=8, unit="fraction"), "unit must be 'pixel' where there are anchors"),
        (lambda: Yolo(anchors=ANCHORS, stride=8)(torch.zeros(1, 15, 3, 4)), "2 * (5 + classes) channels for 2 anchors"),
        (lambda: Yolo(anchors=ANCHORS, stride=8)(torch.zeros(1, 10, 3, 4)), "at least one class for each of 2 anchors"),
        (lambda: Yolo(anchors=ANCHORS, stride=8)(torch.zeros(1, 9, 6)), "must be 1 tensors (batch, anchors * (5 + cl"),
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
