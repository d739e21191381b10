"""What attribution methods cost beyond the model itself, next to captum and pytorch-grad-cam.

    python benchmarks/attributions.py [--quick] [--only overhead memory]

Overhead: a method's time over the time that its evaluations would take bare: each counts as the best forward, or
forward and backward, pass per image of any batch size, timed in the same rounds. 1.00 is nothing beyond the model; a
pass that stops at an inner layer costs less than a whole one, so class activation maps may lie below. Evaluations are
counted by a hook, ours and the rivals' alike. ``ours-8`` explains 8 photos in one call, ``captum`` has its default
arguments, ``captum-8`` asks for batches of 8 where it can.

Memory: what a method adds at its peak to a process that has scored the photo.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from _attribution_rivals import BATCH, Subject, rivals
from _bench import (
    OURS,
    Call,
    Effort,
    heading,
    main,
    mebibytes,
    medians,
    note,
    peak_memory,
    print_head,
    print_row,
    running,
    seconds,
)
from _networks import classifier, network_name, stride
from _photos import cat

import xplain
from xplain.attributions import run
from xplain.models.borrowing import evaluation

COLUMNS = (OURS, "ours-8", "captum", "captum-8", "grad-cam")
PACKAGES = ("torch", "numpy", "captum", "grad-cam", "scikit-learn")
EVALUATIONS = 64
BATCH_SIZES = (2, 4, 8)
"""Of the bare passes; the best of them is what a method could reach."""
CONTROLS = ("random", "sobel", "centre")
"""Methods that take no evaluations."""


def methods(model: Any) -> list[str]:
    """Return the methods that can explain a model."""
    return [name for name in xplain.methods(model) if name not in CONTROLS]


def options(method: str, evaluations: int, size: int) -> dict[str, Any]:
    """Return options with which a method takes about so many evaluations; none if it takes one or two anyway."""
    window = size // 7
    table: dict[str, dict[str, Any]] = {
        "integrated-gradients": {"n_steps": evaluations},
        "smoothgrad": {"n_samples": evaluations},
        "gradient-shap": {"n_samples": evaluations, "baselines": 0.0},
        "occlusion": {"window": window, "stride": stride(evaluations, size, window)},
        "feature-ablation": {"n_segments": evaluations},
        "lime": {"n_samples": evaluations},
        "kernel-shap": {"budget": evaluations, "n_segments": 8},
        "shapley": {"budget": evaluations, "n_segments": 8},
        "rise": {"n_samples": evaluations},
    }
    return table.get(method, {})


def bare_pass(subject: Subject, images: int, gradients: bool) -> Call:
    """Return a pass of a batch through the network alone."""
    batch = subject.x.repeat(images, 1, 1, 1)

    def forward() -> Any:
        with torch.inference_mode():
            return subject.module(batch)

    def forward_and_backward() -> Any:
        leaf = batch.clone().requires_grad_()
        return torch.autograd.grad(subject.module(leaf)[:, 0].sum(), leaf)

    return forward_and_backward if gradients else forward


def count_evaluations(module: Any, call: Call) -> tuple[int, int]:
    """Return how many images a call sends forwards only, and how many with gradients."""
    counts = [0, 0]

    def hook(_: Any, inputs: Any) -> None:
        counts[torch.is_grad_enabled()] += len(inputs[0])

    handle = module.register_forward_pre_hook(hook)
    try:
        call()
    finally:
        handle.remove()
    return counts[0], counts[1]


def overhead(effort: Effort) -> None:
    """Print each method's time over that of its bare passes."""
    model: Any = classifier(effort.quick)
    prepared = model.prepare(cat())
    x = model.to_tensor(prepared.array[None])
    target = model.targets(None, model.scores(prepared.array[None])[0])[0]
    subject = Subject(model.module, x, target, model.module.get_submodule(model.layer), EVALUATIONS)
    others = rivals(subject)
    heading(f"Overhead on {network_name(effort.quick)}; evaluations are forwards only + with gradients")
    print_head("method", "evaluations", OURS, *(f"{column}, overhead" for column in COLUMNS))
    for method in methods(model):
        chosen = options(method, subject.evaluations, subject.size)
        explain = partial(run, model, method=method, **chosen)
        calls = {OURS: partial(explain, [prepared], [target]), **others.get(method, {})}
        if not chosen:
            calls["ours-8"] = partial(explain, [prepared] * BATCH, [target] * BATCH)
        overhead_row(effort, method, subject, running(calls))


def overhead_row(effort: Effort, method: str, subject: Subject, calls: Mapping[str, Call]) -> None:
    """Print a row; bare passes take turns with the contenders."""
    bare = {(images, back): bare_pass(subject, images, back) for images in BATCH_SIZES for back in (False, True)}
    with evaluation(subject.module, gradients=True):
        counts = {column: count_evaluations(subject.module, call) for column, call in calls.items()}
        times = medians({**bare, **calls}, effort)
    forward, backward = (min(times[images, back] / images for images in BATCH_SIZES) for back in (False, True))
    least = {column: forwards * forward + backwards * backward for column, (forwards, backwards) in counts.items()}
    ratios = [f"{times[column] / least[column]:.2f}" if column in times else "" for column in COLUMNS]
    print_row(method, "{} + {}".format(*counts[OURS]), seconds(times[OURS]), *ratios)
    if method == "saliency":
        note(f"bare pass of one image: {seconds(forward)}, {seconds(backward)} with gradients")


def explainer(method: str, evaluations: int, quick: bool) -> Call:
    """Return a call that explains the photo, which the model has scored: `peak_memory` measures it."""
    model = classifier(quick)
    prepared = model.prepare(cat())
    model.scores(prepared.array[None])
    return partial(run, model, [prepared], method=method, **options(method, evaluations, prepared.array.shape[-1]))


def memory(effort: Effort) -> None:
    """Print each method's peak memory at few and at many evaluations."""
    counts = effort.choose([EVALUATIONS], [EVALUATIONS, 4000])
    heading(f"Peak memory above scoring on {network_name(effort.quick)}")
    print_head("method", *(f"{count} evaluations" for count in counts))
    model = classifier(effort.quick)
    names = [name for name in methods(model) if options(name, EVALUATIONS, 224)]
    for name in names:
        print_row(name, *(mebibytes(peak_memory(effort, explainer, name, count, effort.quick)) for count in counts))


if __name__ == "__main__":
    main(__doc__, {"overhead": overhead, "memory": memory}, PACKAGES, rounds=5)
