"""Agreement of detections with the objects of an image, compared with COCO's own evaluation."""

import contextlib
import io

import numpy as np
import pytest

from xplain.explanation import Box
from xplain.formatters.edge_impulse.detections import Found, agreement


def found(rng, count, scored):
    boxes = []
    for _ in range(count):
        x, y, width, height = rng.integers(0, 60), rng.integers(0, 60), rng.integers(10, 40), rng.integers(10, 40)
        score = float(rng.random()) if scored else 1.0
        boxes.append(Found(str(rng.choice(["cat", "dog"])), Box(x, y, x + width, y + height, "pixel"), score))
    return boxes


def jitter(rng, truth):
    box = truth.box
    x0, y0 = box.x0 + int(rng.integers(-3, 4)), box.y0 + int(rng.integers(-3, 4))
    return Found(truth.label, Box(x0, y0, x0 + box.x1 - box.x0, y0 + box.y1 - box.y0, "pixel"), float(rng.random()))


@pytest.mark.parametrize("seed", range(12))
def test_the_average_precision_is_that_of_coco(seed):
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(seed)
    truths = found(rng, 4, scored=False)
    detected = [jitter(rng, truth) for truth in truths] + found(rng, 3, scored=True)
    ids = {"cat": 1, "dog": 2}

    def row(one, number):
        width, height = float(one.box.x1 - one.box.x0), float(one.box.y1 - one.box.y0)
        fields = {"id": number, "image_id": 1, "category_id": ids[one.label], "iscrowd": 0, "score": one.score}
        return fields | {"bbox": [float(one.box.x0), float(one.box.y0), width, height], "area": width * height}

    with contextlib.redirect_stdout(io.StringIO()):
        dataset = coco.COCO()
        dataset.dataset = {
            "images": [{"id": 1}],
            "categories": [{"id": i, "name": name} for name, i in ids.items()],
            "annotations": [row(truth, i) for i, truth in enumerate(truths, 1)],
        }
        dataset.createIndex()
        scored = coco.COCO()
        scored.dataset = {**dataset.dataset, "annotations": [row(one, i) for i, one in enumerate(detected, 1)]}
        scored.createIndex()
        compared = evaluation.COCOeval(dataset, scored, "bbox")
        compared.evaluate()
        compared.accumulate()
        compared.summarize()
    assert agreement(detected, truths)["mAP"] == pytest.approx(compared.stats[0], abs=1e-9)


def test_a_detection_takes_an_object_once():
    cat = Found("cat", Box(0, 0, 10, 10, "pixel"))
    twice = [Found("cat", cat.box, 0.9), Found("cat", cat.box, 0.8)]
    figures = agreement(twice, [cat])
    assert (figures["precision"], figures["recall"], figures["mAP"]) == (0.5, 1.0, 1.0)
    assert agreement([Found("dog", cat.box, 0.9)], [cat]) == {"mAP": 0.0, "f1": 0.0, "precision": 0.0, "recall": 0.0}


def test_boxes_of_any_size_are_compared():
    far = Box(1e300, 0.1, 1e308, 0.6)
    assert agreement([Found("cat", far, 0.9)], [Found("cat", Box(0, 0, 1, 1))])["mAP"] == 0
