"""The image methods of captum and pytorch-grad-cam, asked for the same work as ours."""

from __future__ import annotations

import sys
import types
from functools import partial
from typing import Any, NamedTuple

import torch
from _bench import Call, rival
from _networks import grid, stride

BATCH = 8
"""Images in a batch, for rivals that leave it to the caller."""


class Subject(NamedTuple):
    """What is explained: a class of one photo, and about how many evaluations a method may take."""

    module: Any
    x: Any
    target: int
    layer: Any
    evaluations: int

    @property
    def size(self) -> int:
        """Side of the input in pixels."""
        return int(self.x.shape[-1])

    def leaf(self) -> Any:
        """Return the input as a new tensor that collects gradients."""
        return self.x.clone().requires_grad_()


def rivals(subject: Subject) -> dict[str, dict[str, Call]]:
    """Return the rivals' calls by method and column."""
    calls: dict[str, dict[str, Call]] = {}
    attr = rival("captum.attr")
    if attr is not None:
        calls |= captum_gradients(attr, subject) | captum_perturbations(attr, subject)
    for method, call in grad_cam_calls(subject).items():
        calls.setdefault(method, {})["grad-cam"] = call
    return calls


def captum_gradients(attr: Any, subject: Subject) -> dict[str, dict[str, Call]]:
    """Return captum's methods of gradients: with default arguments, and where it can in batches of 8."""
    module, x, count = subject.module, subject.x, subject.evaluations
    zero, target = torch.zeros_like(x), {"target": subject.target}
    integrate = partial(attr.IntegratedGradients(module).attribute, x, n_steps=count, **target)
    tunnel, path = attr.NoiseTunnel(attr.InputXGradient(module)), attr.GradientShap(module)

    def smooth(**batch: int) -> Any:
        return tunnel.attribute(subject.leaf(), nt_samples=count, stdevs=0.15, **target, **batch)

    def once(explainer: Any, *baselines: Any) -> dict[str, Call]:
        return {"captum": lambda: explainer.attribute(subject.leaf(), *baselines, **target)}

    return {
        "saliency": once(attr.Saliency(module)),
        "input-x-gradient": once(attr.InputXGradient(module)),
        "integrated-gradients": {"captum": integrate, "captum-8": partial(integrate, internal_batch_size=BATCH)},
        "smoothgrad": {"captum": smooth, "captum-8": partial(smooth, nt_samples_batch_size=BATCH)},
        "gradient-shap": {"captum": partial(path.attribute, x, zero, n_samples=count, stdevs=0.0, **target)},
        "deep-lift": once(attr.DeepLift(module), zero),
        "guided-backprop": once(attr.GuidedBackprop(module)),
        "grad-cam": {"captum": partial(attr.LayerGradCam(module, subject.layer).attribute, x, **target)},
        "guided-grad-cam": once(attr.GuidedGradCam(module, subject.layer)),
    }


def captum_perturbations(attr: Any, subject: Subject) -> dict[str, dict[str, Call]]:
    """Return captum's methods of scores: one image at a time, its default, and in batches of 8."""
    module, x, count, size = subject.module, subject.x, subject.evaluations, subject.size

    def perturb(kind: str, **arguments: Any) -> dict[str, Call]:
        call = partial(getattr(attr, kind)(module).attribute, x, target=subject.target, **arguments)
        return {
            "captum": partial(call, perturbations_per_eval=1),
            "captum-8": partial(call, perturbations_per_eval=BATCH),
        }

    def regions(side: int) -> Any:
        return torch.from_numpy(grid(side, side, size, size))[None, None]

    window = size // 7
    step = stride(count, size, window)
    return {
        "occlusion": perturb("Occlusion", sliding_window_shapes=(3, window, window), strides=(3, step, step)),
        "feature-ablation": perturb("FeatureAblation", feature_mask=regions(round(count**0.5))),
        "lime": perturb("Lime", feature_mask=regions(7), n_samples=count),
        "kernel-shap": perturb("KernelShap", feature_mask=regions(7), n_samples=count),
        # A sample is an order of the 25 regions, and costs 25 evaluations.
        "shapley": perturb("ShapleyValueSampling", feature_mask=regions(5), n_samples=max(1, count // 25)),
    }


def grad_cam_calls(subject: Subject) -> dict[str, Call]:
    """Return pytorch-grad-cam's methods."""
    if rival("torchvision") is None:
        stand_in_for_torchvision()
    library, targets = rival("pytorch_grad_cam"), rival("pytorch_grad_cam.utils.model_targets")
    if library is None or targets is None:
        return {}

    def cam(kind: str) -> Any:
        with getattr(library, kind)(model=subject.module, target_layers=[subject.layer]) as explainer:
            return explainer(input_tensor=subject.x.clone(), targets=[targets.ClassifierOutputTarget(subject.target)])

    return {"grad-cam": partial(cam, "GradCAM"), "hires-cam": partial(cam, "HiResCAM")}


def stand_in_for_torchvision() -> None:
    """Let pytorch-grad-cam import torchvision's image helpers, which are not used here."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        stand_in: Any = types.ModuleType(name)
        stand_in.Compose = stand_in.Normalize = stand_in.ToTensor = stand_in.resize = object
        sys.modules[name] = stand_in
