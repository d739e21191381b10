"""Methods that mask the input, D-RISE among them, next to captum, captum-rise, shap, torchxai and xaitk-saliency.

    python benchmarks/masking.py [--quick] [--only speed errors memory]

Speed: a network that costs next to nothing, EfficientNet-Lite0, and YOLOv2-tiny. Images are counted, and the network's
own calls timed, by hooks on it, ours and the rivals' alike. A rival's cell is its time per image / ours, and in
parentheses what it spends outside the network, in percent of the time inside; each rival is given batches of 8 where it
can have them. A call explains one prepared image; EfficientNet becomes a detector by one box around the whole image.

Errors: where the network is linear, the limit of RISE, and of D-RISE with a box that stays, is known: the covariance of
the score with the mask, from the paper's masks, which are written down here once more. Rivals scale and shift their
maps, so what counts is what the best scale and shift leave, sqrt(1 - r**2). Shapley values are those of all coalitions.

Memory: what a call adds at its peak to a process that has scored the image. Rivals that keep all masks get fewer, and
the rest is their growth per mask.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from _bench import (
    OURS,
    Call,
    Effort,
    heading,
    main,
    mebibytes,
    note,
    peak_memory,
    print_head,
    print_row,
    running,
    seconds,
)
from _masking_rivals import WITHOUT_COLUMN, Explain, Task, rivals
from _masking_tasks import game_task, network_task, patch_task, yolo_task
from _networks import network_name
from _shapley import shapley_values, subsets

METHODS = ("rise", "d-rise", "occlusion", "kernel-shap")
COLUMNS = ("captum", "captum-rise", "shap", "torchxai", "xaitk")
PACKAGES = ("torch", "numpy", "captum", "captum-rise", "shap", "torchxai-explain", "xaitk-saliency")


class Measurement(NamedTuple):
    """Of one call: seconds per image, seconds outside the network over those inside, and images."""

    per_image: float
    outside: float
    images: float


class Meter:
    """Counts the images that go through a network and times its calls."""

    def __init__(self, module: Any) -> None:
        self.images, self.inside, self.start = 0, 0.0, 0.0
        module.register_forward_pre_hook(self.before)
        module.register_forward_hook(self.after)

    def before(self, _: Any, inputs: Any) -> None:
        """Hook that runs before the network."""
        self.images += len(inputs[0])
        self.start = time.perf_counter()

    def after(self, *_: Any) -> None:
        """Hook that runs after the network."""
        self.inside += time.perf_counter() - self.start

    def measure(self, call: Call) -> Measurement:
        """Run a call."""
        self.images, self.inside = 0, 0.0
        start = time.perf_counter()
        call()
        total = time.perf_counter() - start
        return Measurement(total / self.images, total / self.inside - 1, self.images)


def speed(effort: Effort) -> None:
    """Print the times per image."""
    size = effort.choose(56, 224)
    heading("Time per image at equal numbers of evaluations")
    print_head("network", "method", "images", "ours, per image", "ours, outside", *COLUMNS)
    for method in METHODS:
        count = effort.choose(200, 500)
        speed_row(effort, f"a mean, {size}x{size}", method, *patch_task(method, size), count, shares=False)
    for method in METHODS:
        # 200 images take seconds; kernel-shap's 49 regions need 196 of them.
        speed_row(effort, network_name(effort.quick), method, *network_task(method, effort.quick), 200)
    if effort.quick:
        note("YOLOv2-tiny is left out of quick runs: its weights are fetched")
        return
    task = yolo_task()
    if isinstance(task, str):
        note(f"YOLOv2-tiny is left out: {task}")
    else:
        speed_row(effort, "YOLOv2-tiny, 416x416", "d-rise", *task, 40)


def speed_row(
    effort: Effort, case: str, method: str, task: Task, ours: Explain, count: int, *, shares: bool = True
) -> None:
    """Print a row; contenders take turns in each round. Shares outside mean little where nothing is inside."""
    calls = running({name: partial(call, count) for name, call in {OURS: ours, **rivals(method, task)}.items()})
    meter = Meter(task.module)
    rounds = [{name: meter.measure(call) for name, call in calls.items()} for _ in range(effort.rounds)]
    median = {
        name: Measurement(*map(statistics.median, zip(*(row[name] for row in rounds), strict=True))) for name in calls
    }

    def share(name: str) -> str:
        return f"{100 * median[name].outside:.1f} %" if shares else ""

    def cell(name: str) -> str:
        if name not in median:
            return ""
        ratio = f"{median[name].per_image / median[OURS].per_image:.2f}"
        return f"{ratio} ({share(name)})" if shares else ratio

    mine = median[OURS]
    print_row(case, method, f"{mine.images:.0f}", seconds(mine.per_image), share(OURS), *map(cell, COLUMNS))


def errors(effort: Effort) -> None:
    """Print the errors where the truth is known."""
    seeds = effort.choose(1, 3)
    heading("Error against a known truth")
    print_head("method", "evaluations", OURS, *COLUMNS)
    for method in ("rise", "d-rise"):
        task, ours = patch_task(method, effort.choose(28, 112))
        error = partial(left_over, truth=rise_limit(task))
        error_row(method, method, task, ours, effort.choose(60, 1000), seeds, error)
    task, ours = patch_task("occlusion", 224)
    error = partial(left_over, truth=window_sums(task))
    error_row("occlusion, windows side by side", "occlusion", task, ours, 49, 1, error)
    task, ours = game_task()
    distance = shapley_distance(task)
    for count in effort.choose((64,), (64, 128, 256, 512)):
        error_row("kernel-shap, 12 regions", "kernel-shap", task, ours, count, seeds, distance)
    note("of kernel-shap the root mean square error over the mean absolute value; medians over seeds")


def error_row(
    case: str, method: str, task: Task, ours: Explain, count: int, seeds: int, error: Callable[[Any], float]
) -> None:
    """Print a row of medians over seeds: ours is an argument, the rivals draw from global generators."""
    calls = running({name: partial(call, count) for name, call in {OURS: ours, **rivals(method, task)}.items()})
    values: dict[str, list[float]] = {name: [] for name in calls}
    for name, call in calls.items():
        for seed in range(seeds):
            np.random.seed(seed)  # noqa: NPY002 - shap draws from it
            torch.manual_seed(seed)
            values[name].append(error(call(seed=seed) if name == OURS else call()))
    cells = [f"{statistics.median(values[name]):.2g}" if name in values else "" for name in (OURS, *COLUMNS)]
    print_row(case, count, *cells)


def gradient(task: Task) -> Any:
    """Return the gradient of a task's score."""
    leaf = task.x.clone().requires_grad_()
    return torch.autograd.grad(task.module(leaf).sum(), leaf)[0]


def rise_limit(task: Task) -> Any:
    """Return what infinitely many masks give, up to a factor: the covariance of a linear score with RISE's mask.

    Masks of p = 1/2: a grid, enlarged bilinearly to one cell more than the image and cropped at a place that is uniform
    over a cell. Rows and columns are independent, so a matrix for each side does it.
    """
    size, cells = task.x.shape[-1], task.cells
    cell = -(-size // cells)
    places = (np.arange((cells + 1) * cell) + 0.5) * cells / ((cells + 1) * cell) - 0.5
    enlarge = np.stack([np.interp(places, np.arange(cells), row) for row in np.eye(cells)], axis=1)
    crops = [enlarge[shift : shift + size] for shift in range(cell)]
    across = np.mean([crop @ crop.T for crop in crops], axis=0)
    return across @ (gradient(task) * task.x)[0].sum(dim=0).double().numpy() @ across


def window_sums(task: Task) -> Any:
    """Return what each of 7 x 7 windows adds to a linear score, on its pixels."""
    contributions = (gradient(task) * task.x)[0].sum(dim=0).numpy()
    side = task.window
    return contributions.reshape(7, side, 7, side).sum(axis=(1, 3)).repeat(side, 0).repeat(side, 1)


def left_over(values: Any, truth: Any) -> float:
    """Return what the best scale and shift of a map leave of the truth, over the truth's own variation."""
    return math.sqrt(max(0.0, 1 - float(np.corrcoef(np.ravel(values), np.ravel(truth))[0, 1]) ** 2))


def shapley_distance(task: Task) -> Callable[[Any], float]:
    """Return a function from a map to the error of its regions' Shapley values."""
    members = subsets(int(task.segments.max()) + 1).astype(np.float32)
    worth = task.module(task.x * torch.from_numpy(members[:, task.segments])[:, None])[:, 0].double().numpy()
    exact = shapley_values(worth)

    def distance(values: Any) -> float:
        estimates = values[8::16, 8::16].ravel()  # the regions' centres
        return math.sqrt(((estimates - exact) ** 2).mean()) / np.abs(exact).mean()

    return distance


def masked_call(method: str, who: str, size: int, count: int) -> Call:
    """Return a call of ours or of a rival on an image that the network has scored: `peak_memory` measures it."""
    task, explain = patch_task(method, size)
    if who != OURS:
        explain = rivals(method, task)[who]
    with torch.no_grad():
        task.module(task.x)
    return partial(explain, count)


def memory(effort: Effort) -> None:
    """Print the peak memory of many masks."""
    count, (few, some) = effort.choose((40, (10, 20)), (8000, (50, 150)))
    size = effort.choose(160, 640)
    heading(f"Peak memory of {count} masks, {size}x{size}, above the network's own")
    print_head("method", OURS, "rivals")
    for method in ("rise", "d-rise"):
        mine = peak_memory(effort, masked_call, method, OURS, size, count)
        cells = []
        for name in rivals(method, patch_task(method, 64)[0]):
            low, high = (peak_memory(effort, masked_call, method, name, size, n) for n in (few, some))
            growth = max(0.0, (high - low) / (some - few))
            total = high + growth * (count - some)
            cells.append(f"{name} {mebibytes(total)} ({mebibytes(high)} at {some})")
        print_row(method, mebibytes(mine), ", ".join(cells))
    for name, why in WITHOUT_COLUMN.items():
        note(f"{name} has no column: {why}")


if __name__ == "__main__":
    main(__doc__, {"speed": speed, "errors": errors, "memory": memory}, PACKAGES, rounds=3)
