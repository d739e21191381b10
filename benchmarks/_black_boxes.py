"""The rivals of benchmarks/detections.py: what each needs around it, as a call that takes a number of evaluations."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

Call = Callable[..., Any]
BATCH = 8
"""Images in a batch, for rivals that leave it to the caller."""

MISSING = {
    "xplique": "each of its modules imports TensorFlow, the black-box ones for torch models too",
    "vision_explanation_methods": "it asks for matplotlib below 3.7, and its masks need torchvision",
    "pytorch_grad_cam": "it has none of the four methods",
    "torchxai.detection": "its explain_detection is a class activation map; for detectors it has no method of masks",
}
"""Rivals that have no column, and why."""


class Task(NamedTuple):
    """One image for a network: ``find`` reads its outputs as mappings of boxes, labels and scores, for d-rise only."""

    module: Any
    x: Any
    target: int = 0
    segments: Any = None
    find: Callable[[Any], Any] | None = None
    cells: int = 7


def side(count: int) -> int:
    """Windows along a side of a sliding window of about ``count`` positions."""
    return max(2, round(count**0.5))


def stride(count: int, size: int, window: int = 32) -> int:
    """Stride of such a window."""
    return min(window, max(1, (size - window) // (side(count) - 1)))


def _score(task: Task, batch: Any) -> Any:
    with torch.no_grad():
        return task.module(batch)[:, task.target]


def _batches(images: Iterable[Any]) -> Iterator[Any]:
    """Tensors of a few of xaitk's images (height, width, channels) each."""
    held = []
    for image in images:
        held.append(image)
        if len(held) == BATCH:
            yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2).contiguous()
            held = []
    if held:
        yield torch.from_numpy(np.stack(held)).permute(0, 3, 1, 2).contiguous()


def _xaitk_classifier(task: Task) -> Any:
    interface: Any = importlib.import_module("smqtk_classifier.interfaces.classify_image").ClassifyImage

    class Classifier(interface):
        def get_labels(self) -> list[int]:
            return [0]

        def classify_images(self, images: Iterable[Any]) -> Iterator[dict[int, float]]:
            for batch in _batches(images):
                yield from ({0: value} for value in _score(task, batch).tolist())

        def get_config(self) -> dict[str, Any]:
            return {}

    return Classifier()


def _xaitk_detector(task: Task) -> Any:
    interface: Any = importlib.import_module("smqtk_detection.interfaces.detect_image_objects").DetectImageObjects
    box: Any = importlib.import_module("smqtk_image_io").AxisAlignedBoundingBox

    class Detector(interface):
        def detect_objects(self, images: Iterable[Any]) -> Iterator[list[Any]]:
            assert task.find is not None
            for batch in _batches(images):
                with torch.no_grad():
                    found = task.find(task.module(batch))
                for one in found:
                    boxes, scores = (np.asarray(one[key]) for key in ("boxes", "scores"))
                    classes = one.get("probabilities")
                    rows = scores[:, None] if classes is None else np.asarray(classes)
                    yield [(box(b[:2], b[2:]), dict(enumerate(r))) for b, r in zip(boxes, rows, strict=True)]

        def get_config(self) -> dict[str, Any]:
            return {}

    return Detector()


def _pixels(task: Task) -> Any:
    return np.ascontiguousarray(task.x[0].permute(1, 2, 0).numpy())


def xaitk_rise(task: Task) -> Call:
    stack: Any = importlib.import_module("xaitk_saliency.impls.gen_image_classifier_blackbox_sal.rise").RISEStack
    return lambda count: stack(count, task.cells, 0.5)(_pixels(task), _xaitk_classifier(task))[0]


def xaitk_d_rise(task: Task) -> Call:
    stack: Any = importlib.import_module("xaitk_saliency.impls.gen_object_detector_blackbox_sal.drise").DRISEStack
    assert task.find is not None
    with torch.no_grad():
        (found,) = task.find(task.module(task.x))
    best = np.asarray(found["scores"]).argmax(keepdims=True)
    boxes = np.asarray(found["boxes"])[best]
    classes = np.ones((1, 1)) if found.get("probabilities") is None else np.asarray(found["probabilities"])[best]
    return lambda count: stack(count, task.cells, 0.5)(_pixels(task), boxes, classes, _xaitk_detector(task))[0]


def xaitk_occlusion(task: Task) -> Call:
    module: Any = importlib.import_module("xaitk_saliency.impls.gen_image_classifier_blackbox_sal.slidingwindow")

    def call(count: int) -> Any:
        step = stride(count, task.x.shape[-1])
        return module.SlidingWindowStack((32, 32), (step, step))(_pixels(task), _xaitk_classifier(task))[0]

    return call


def captum_rise(task: Task) -> Call:
    rise: Any = importlib.import_module("rise").RISE

    def call(count: int) -> Any:
        with torch.no_grad():  # which it leaves to the caller, and it sends the masks one at a time
            found = rise(task.module).attribute(task.x, count, ((task.cells, task.cells),), target=task.target)
        return found[0].numpy()

    return call


def torchxai_rise(task: Task) -> Call:
    explainer: Any = importlib.import_module("torchxai.methods.rise").RISE
    size = task.x.shape[-2:]

    def call(count: int) -> Any:  # it wants a layer, which it does not use
        rise = explainer(task.module, task.module, n_masks=count, mask_resolution=task.cells, batch_size=BATCH)
        return rise(task.x, target_class=task.target, image_size=size)

    return call


def captum_occlusion(task: Task) -> Call:
    attr: Any = importlib.import_module("captum.attr")

    def call(count: int) -> Any:
        step = stride(count, task.x.shape[-1])
        windows = {"sliding_window_shapes": (3, 32, 32), "strides": (3, step, step), "perturbations_per_eval": BATCH}
        return attr.Occlusion(task.module).attribute(task.x, target=task.target, **windows)[0].numpy().mean(axis=0)

    return call


def captum_kernel_shap(task: Task) -> Call:
    attr: Any = importlib.import_module("captum.attr")
    regions = torch.from_numpy(task.segments)[None, None]

    def call(count: int) -> Any:
        options = {"feature_mask": regions, "n_samples": count, "perturbations_per_eval": BATCH}
        return attr.KernelShap(task.module).attribute(task.x, target=task.target, **options)[0, 0].detach().numpy()

    return call


def shap_kernel(task: Task) -> Call:
    shap: Any = importlib.import_module("shap")
    regions = torch.from_numpy(task.segments)
    players = int(task.segments.max()) + 1

    def function(coalitions: Any) -> Any:
        scores = []
        for part in torch.from_numpy(coalitions.astype(np.float32)).split(BATCH):
            scores.append(_score(task, task.x * part[:, regions][:, None]).numpy())
        return np.concatenate(scores)

    def call(count: int) -> Any:
        explainer = shap.KernelExplainer(function, np.zeros((1, players)))
        values = explainer.shap_values(np.ones((1, players)), nsamples=count - 2, l1_reg=False, silent=True)
        return values[0][task.segments]

    return call


RIVALS: dict[str, dict[str, Callable[[Task], Call]]] = {
    "rise": {"torchxai": torchxai_rise, "captum-rise": captum_rise, "xaitk": xaitk_rise},
    "d-rise": {"xaitk": xaitk_d_rise},
    "occlusion": {"captum": captum_occlusion, "xaitk": xaitk_occlusion},
    "kernel-shap": {"captum": captum_kernel_shap, "shap": shap_kernel},
}


def rivals(method: str, task: Task) -> dict[str, Call]:
    """Return the rivals that can do it; what the others say is printed, once for each."""
    found = {}
    for name, make in RIVALS[method].items():
        try:
            found[name] = make(task)
        except ImportError as error:
            reason = f"{type(error).__name__}: {error}"
            if (name, reason) not in _said:
                _said.add((name, reason))
                print(f"<!-- {name} is left out: {reason} -->")
    return found


_said: set[tuple[str, str]] = set()
