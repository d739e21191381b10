"""What attribution methods cost beyond the model itself, next to captum and pytorch-grad-cam.

    python benchmarks/attributions.py [--rounds 5] [--evaluations 64] [--quick] [--methods ...] [--no-memory]

The overhead of a method is its time over the time that its evaluations would take bare: each counts as the best
forward, or forward and backward, pass per image of any batch size, timed in the same rounds. 1.00 is nothing beyond the
model; a pass that stops at an inner layer costs less than a whole one, so class activation maps may lie below.
Evaluations are counted by a hook, ours and the rivals' alike. ``ours-8`` explains 8 photos in one call, ``captum`` has
its default arguments, ``captum-8`` asks for batches of 8 where it can. Peak memory is that of a process of its own,
less one that only scores the photo.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _bench import machine, medians, rival, seconds

import xplain
from xplain.attributions import METHODS, run
from xplain.models.borrowing import evaluation

Call = Callable[[], Any]
SIZES = (2, 4, 8)
BATCH = 8


def photo() -> Any:
    from skimage.data import chelsea

    return chelsea()


def options(method: str, count: int) -> dict[str, Any]:
    """Options with which a method takes about ``count`` evaluations."""
    side = max(2, round(count**0.5))
    return {
        "integrated-gradients": {"n_steps": count},
        "smoothgrad": {"n_samples": count},
        "gradient-shap": {"n_samples": count, "baselines": 0.0},
        "occlusion": {"window": 32, "stride": min(32, max(1, 192 // (side - 1)))},
        "feature-ablation": {"n_segments": count},
        "lime": {"n_samples": count},
        "kernel-shap": {"budget": count, "n_segments": 8},
        "shapley": {"budget": count, "n_segments": 8},
        "rise": {"n_samples": count},
    }.get(method, {})


def captum_calls(module: Any, x: Any, target: int, count: int) -> dict[str, tuple[Call | None, Call | None]]:
    """Methods as captum has them: with default arguments, and in batches of 8."""
    attr = rival("captum.attr")
    if attr is None:
        return {}
    zero, stride = torch.zeros_like(x), options("occlusion", count)["stride"]
    layer = module._act1

    def leaf() -> Any:
        return x.clone().requires_grad_()

    def regions(n: int) -> Any:
        rows = torch.arange(224) * round(n**0.5) // 224
        return (rows[:, None] * round(n**0.5) + rows)[None, None]

    def noise(**batch: int) -> Any:
        tunnel = attr.NoiseTunnel(attr.InputXGradient(module))
        return tunnel.attribute(leaf(), nt_samples=count, stdevs=0.15, target=target, **batch)

    def occlusion(n: int) -> Any:
        return attr.Occlusion(module).attribute(
            x, sliding_window_shapes=(3, 32, 32), strides=(3, stride, stride), target=target, perturbations_per_eval=n
        )

    def ablation(kind: str, segments: int, n: int, **arguments: int) -> Any:
        explainer = getattr(attr, kind)(module)
        return explainer.attribute(
            x, feature_mask=regions(segments), target=target, perturbations_per_eval=n, **arguments
        )

    integrated, shap = attr.IntegratedGradients(module), attr.GradientShap(module)
    return {
        "saliency": (lambda: attr.Saliency(module).attribute(leaf(), target=target), None),
        "input-x-gradient": (lambda: attr.InputXGradient(module).attribute(leaf(), target=target), None),
        "integrated-gradients": (
            lambda: integrated.attribute(x, n_steps=count, target=target),
            lambda: integrated.attribute(x, n_steps=count, target=target, internal_batch_size=BATCH),
        ),
        "smoothgrad": (noise, lambda: noise(nt_samples_batch_size=BATCH)),
        "gradient-shap": (lambda: shap.attribute(x, zero, n_samples=count, stdevs=0.0, target=target), None),
        "deep-lift": (lambda: attr.DeepLift(module).attribute(leaf(), zero, target=target), None),
        "guided-backprop": (lambda: attr.GuidedBackprop(module).attribute(leaf(), target=target), None),
        "grad-cam": (lambda: attr.LayerGradCam(module, layer).attribute(x, target=target), None),
        "guided-grad-cam": (lambda: attr.GuidedGradCam(module, layer).attribute(leaf(), target=target), None),
        "occlusion": (lambda: occlusion(1), lambda: occlusion(BATCH)),
        "feature-ablation": (
            lambda: ablation("FeatureAblation", count, 1),
            lambda: ablation("FeatureAblation", count, BATCH),
        ),
        "lime": (
            lambda: ablation("Lime", 49, 1, n_samples=count),
            lambda: ablation("Lime", 49, BATCH, n_samples=count),
        ),
        "kernel-shap": (
            lambda: ablation("KernelShap", 49, 1, n_samples=count),
            lambda: ablation("KernelShap", 49, BATCH, n_samples=count),
        ),
        "shapley": (
            lambda: ablation("ShapleyValueSampling", 25, 1, n_samples=max(1, count // 25)),
            lambda: ablation("ShapleyValueSampling", 25, BATCH, n_samples=max(1, count // 25)),
        ),
    }


def grad_cam_calls(module: Any, x: Any, target: int) -> dict[str, Call]:
    """Methods as pytorch-grad-cam has them."""
    if rival("torchvision") is None:  # which it imports for image helpers that are not used here
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            stand_in: Any = types.ModuleType(name)
            stand_in.Compose = stand_in.Normalize = stand_in.ToTensor = stand_in.resize = object
            sys.modules[name] = stand_in
    library = rival("pytorch_grad_cam")
    if library is None:
        return {}
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def cam(kind: str) -> Any:
        with getattr(library, kind)(model=module, target_layers=[module._act1]) as explainer:
            return explainer(input_tensor=x.clone(), targets=[ClassifierOutputTarget(target)])

    return {"grad-cam": lambda: cam("GradCAM"), "hires-cam": lambda: cam("HiResCAM")}


def bare(module: Any, x: Any, size: int, gradients: bool) -> Call:
    """One pass of a batch, and what a pass of it has to do."""
    batch = x.repeat(size, 1, 1, 1)

    def forward() -> Any:
        with torch.inference_mode():
            return module(batch)

    def backward() -> Any:
        leaf = batch.clone().requires_grad_()
        return torch.autograd.grad(module(leaf)[:, 0].sum(), leaf)

    return backward if gradients else forward


def evaluations(module: Any, call: Call) -> tuple[int, int]:
    """Images that a call sends forwards only, and those that it sends with gradients."""
    counts = [0, 0]

    def hook(_: Any, inputs: Any) -> None:
        counts[torch.is_grad_enabled()] += len(inputs[0])

    handle = module.register_forward_pre_hook(hook)
    try:
        call()
    finally:
        handle.remove()
    return counts[0], counts[1]


def overheads(names: list[str], count: int, rounds: int) -> None:
    model = xplain.pretrained("efficientnet-lite0")
    module, prepared = model.module, model.prepare(photo())
    x = model.to_tensor(prepared.array[None])
    target = model.targets(None, model.scores(prepared.array[None])[0])[0]
    captum, cams = captum_calls(module, x, target, count), grad_cam_calls(module, x, target)
    floors = {f"{kind} {size}": bare(module, x, size, kind == "b") for kind in "fb" for size in SIZES}
    columns = ["ours", "ours-8", "captum", "captum-8", "grad-cam"]
    print("\n| method | evaluations | ours | " + " | ".join(f"{c}, overhead" for c in columns) + " |")
    print("|---|---|---|" + "---|" * len(columns), flush=True)
    for name in names:
        plain, batched = captum.get(name, (None, None))
        found = {
            "ours": lambda name=name: run(model, [prepared], [target], method=name, **options(name, count)),
            "captum": plain,
            "captum-8": batched,
            "grad-cam": cams.get(name),
        }
        if not options(name, count):
            found["ours-8"] = lambda name=name: run(model, [prepared] * BATCH, [target] * BATCH, method=name)
        contenders = {key: call for key, call in found.items() if call and works(key, call)}
        with evaluation(module, gradients=True):
            counts = {key: evaluations(module, call) for key, call in contenders.items()}
            times = medians({**floors, **contenders}, rounds)
        best = [min(times[f"{kind} {size}"] / size for size in SIZES) for kind in "fb"]
        cells = [
            f"{times[key] / (counts[key][0] * best[0] + counts[key][1] * best[1]):.2f}" if key in contenders else ""
            for key in columns
        ]
        shown = f"{counts['ours'][0]} + {counts['ours'][1]}"
        print(f"| {name} | {shown} | {seconds(times['ours'])} | " + " | ".join(cells) + " |", flush=True)
    forward, backward = (seconds(value) for value in best)
    print(f"\nEvaluations: forwards only + with gradients. Bare pass of one image: {forward}, {backward}.")


def works(key: str, call: Call) -> bool:
    """Whether a rival can do it at all; what it says if it cannot."""
    try:
        call()
    except Exception as error:  # whatever a rival raises is a result
        if key.startswith("ours"):
            raise
        print(f"<!-- {key}: {type(error).__name__}: {str(error)[:100]} -->")
        return False
    return True


def peak(method: str, count: int) -> int:
    """Peak memory in bytes of a process that runs a method; "" only scores the photo."""
    command = [sys.executable, __file__, "--peak", method, "--evaluations", str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def one_peak(method: str, count: int) -> None:
    model = xplain.pretrained("efficientnet-lite0")
    prepared = model.prepare(photo())
    model.scores(prepared.array[None])
    if method:
        run(model, [prepared], method=method, **options(method, count))
    # Not ru_maxrss, which a child inherits from the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024)


def memory(names: list[str], count: int) -> None:
    print(f"\n| method | peak memory above scoring, 16 evaluations | {count} evaluations |")
    print("|---|---|---|", flush=True)
    floor = peak("", 1)
    for name in names:
        few, many = (peak(name, n) - floor for n in (16, count))
        print(f"| {name} | {few / 2**20:.0f} MiB | {many / 2**20:.0f} MiB |", flush=True)


def main() -> None:
    able = [name for name in METHODS if name not in ("random", "sobel")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 40 evaluations, memory at 200")
    parser.add_argument("--methods", nargs="+", default=able, choices=able, metavar="METHOD")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory at 4000 evaluations")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak is not None:
        return one_peak(arguments.peak, arguments.evaluations)
    warnings.simplefilter("ignore")  # the rivals' own
    print(machine("torch", "numpy", "captum", "grad-cam", "scikit-learn") + f"\n- {torch.get_num_threads()} threads")
    count, rounds = (40, 2) if arguments.quick else (arguments.evaluations, arguments.rounds)
    overheads(arguments.methods, count, rounds)
    if not arguments.no_memory:
        memory([name for name in arguments.methods if options(name, 1)], 200 if arguments.quick else 4000)


if __name__ == "__main__":
    main()
