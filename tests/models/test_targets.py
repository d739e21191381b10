"""How classes are named: numbers in any form that counts, labels, numbers as labels."""

import numpy as np
import pytest
import torch

import xplain
from tests.support import refuses
from xplain.errors import InputError, UnknownNameError
from xplain.models import Detector, Segmenter
from xplain.models.targets import resolve_targets

SCORES = np.array([0.1, 0.7, 0.2])


def classes(images):
    return images.reshape(len(images), -1)[:, :3].astype(float)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (torch.tensor(1), (1,)),
        (torch.tensor([2, 0]), (2, 0)),
        (torch.tensor([[1]], dtype=torch.int32), (1,)),
        (np.array(1), (1,)),
        (np.int64(2), (2,)),
        (np.array([1, 2], np.uint8), (1, 2)),
        (range(3), (0, 1, 2)),
        (range(2, 0, -1), (2, 1)),
        ([torch.tensor(1), np.int16(0)], (1, 0)),
        ((0, 2), (0, 2)),
        ("1", (1,)),
        (["2", 0], (2, 0)),
    ],
)
def test_numbers_of_classes_come_in_many_forms(target, expected):
    assert resolve_targets(target, SCORES, None) == expected


def test_numbers_that_are_labels_name_the_label():
    labels = [("2",), ("0",), ("1",)]
    assert resolve_targets("1", SCORES, labels) == (2,)
    assert resolve_targets(np.array(["0", "2"]), SCORES, labels) == (1, 0)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("3", "target must be a class from 0 to 2, got '3'"),
        (torch.tensor(5), "target must be a class from 0 to 2, got 5"),
        (range(0), "target must name at least one class, got an empty sequence"),
        (torch.tensor([1.0]), "target must be a class number, a label, 'top-k', a Margin, or a list of those, got 1.0"),
        (torch.tensor([True]), "target must be an integer, got True"),
        ({1}, "target must be a class number, a label, 'top-k', a Margin, or a list of those, got {1}"),
    ],
)
def test_other_targets_are_refused(target, message):
    with refuses(InputError, message):
        resolve_targets(target, SCORES, None)


def test_a_name_without_labels_is_refused_without_a_hint_at_itself():
    with refuses(UnknownNameError, "target must be one of 0, 1, 2, got 'cat'"):
        resolve_targets("cat", SCORES, None)


def test_a_prediction_s_name_is_a_target():
    photo = np.zeros((2, 2, 3), np.uint8)
    photo[0, 0] = 10, 200, 30
    model = xplain.ImageClassifier(classes)
    e = xplain.explain(model, photo, "occlusion", target="2", window=1, stride=1)
    assert e.attributions[0].target.id == 2
    margin = xplain.explain(model, photo, "occlusion", target="1 - 2", window=1, stride=1)
    assert margin.attributions[0].target.name == "1 - 2"
    assert margin.attributions[0].evidence.values[0, 0] == pytest.approx(170)


def test_detections_and_regions_take_numbers_in_any_form_too():
    photo = np.zeros((8, 8, 3), np.uint8)
    found = [{"boxes": [[0, 0, 4, 4], [4, 4, 8, 8]], "labels": ["a", "b"], "scores": [0.9, 0.8]}]
    detector = Detector(lambda images: found * len(images))
    for target in (torch.tensor([1]), range(1, 2), np.array(1)):
        e = xplain.explain(detector, photo, "random", target=target)
        assert e.attributions[0].target.name == "b"
    segmenter = Segmenter(lambda images: images.transpose(0, 3, 1, 2).astype(float))
    for target in (torch.tensor(0), np.array([0]), range(1)):
        assert xplain.explain(segmenter, photo, "random", target=target).attributions[0].target.id == 0
