"""Methods that mask the input as captum, captum-rise, shap, torchxai and xaitk-saliency have them.

`rivals` returns calls that take a number of evaluations.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from _bench import note, reason, rival
from _networks import stride

Explain = Callable[..., Any]
"""Takes a number of evaluations and returns a map."""

BATCH = 8
"""Images in a batch, for rivals that leave it to the caller."""

WITHOUT_COLUMN = {
    "xplique": "each of its modules imports TensorFlow, the black-box ones for torch models too",
    "vision_explanation_methods": "it asks for matplotlib below 3.7, and its masks need torchvision",
    "pytorch_grad_cam": "it has none of the four methods",
    "torchxai.detection": "its explain_detection is a class activation map; for detectors it has no method of masks",
}
"""Rivals that are not compared, and why."""


class Task(NamedTuple):
    """One image for a network, and what is explained of it.

    ``find`` reads the network's outputs as mappings of boxes, labels and scores, for d-rise only.
    """

    module: Any
    x: Any
    target: int = 0
    segments: Any = None
    find: Callable[[Any], Any] | None = None
    cells: int = 7

    @property
    def window(self) -> int:
        """Side of the windows that occlusion covers: a seventh of the image."""
        return int(self.x.shape[-1]) // 7

    def stride(self, evaluations: int) -> int:
        """Stride at which the windows take about so many positions."""
        return stride(evaluations, int(self.x.shape[-1]), self.window)

    def pixels(self) -> Any:
        """Return the image as xaitk takes it: (height, width, channels)."""
        return np.ascontiguousarray(self.x[0].permute(1, 2, 0).numpy())

    def detections(self, batch: Any) -> list[Mapping[str, Any]]:
        """Return what a detector finds in a batch."""
        assert self.find is not None
        with torch.no_grad():
            return list(self.find(self.module(batch)))

    def scores(self, batch: Any) -> Any:
        """Return the target's scores of a batch."""
        with torch.no_grad():
            return self.module(batch)[:, self.target]


def batches(images: Iterable[Any]) -> Iterator[Any]:
    """Yield xaitk's images, (height, width, channels) each, as tensors of a few."""
    waiting: list[Any] = []
    for image in images:
        waiting.append(image)
        if len(waiting) == BATCH:
            yield to_tensor(waiting)
            waiting = []
    if waiting:
        yield to_tensor(waiting)


def to_tensor(images: list[Any]) -> Any:
    """Return images as one batch for torch."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def class_scores(detection: Mapping[str, Any]) -> Any:
    """Return the class scores of each box; a detector without them has the boxes' own scores as one class."""
    probabilities = detection.get("probabilities")
    return np.asarray(detection["scores"])[:, None] if probabilities is None else np.asarray(probabilities)


def xaitk_classifier(task: Task) -> Any:
    """Return the network as xaitk's black box for images."""
    interface: Any = importlib.import_module("smqtk_classifier.interfaces.classify_image").ClassifyImage

    class Classifier(interface):
        def get_labels(self) -> list[int]:
            return [0]

        def classify_images(self, images: Iterable[Any]) -> Iterator[dict[int, float]]:
            for batch in batches(images):
                yield from ({0: score} for score in task.scores(batch).tolist())

        def get_config(self) -> dict[str, Any]:
            return {}

    return Classifier()


def xaitk_detector(task: Task) -> Any:
    """Return the network as xaitk's black box for detections."""
    interface: Any = importlib.import_module("smqtk_detection.interfaces.detect_image_objects").DetectImageObjects
    make_box: Any = importlib.import_module("smqtk_image_io").AxisAlignedBoundingBox

    class Detector(interface):
        def detect_objects(self, images: Iterable[Any]) -> Iterator[list[Any]]:
            for batch in batches(images):
                for detection in task.detections(batch):
                    pairs = zip(np.asarray(detection["boxes"]), class_scores(detection), strict=True)
                    yield [(make_box(box[:2], box[2:]), dict(enumerate(scores))) for box, scores in pairs]

        def get_config(self) -> dict[str, Any]:
            return {}

    return Detector()


def xaitk_rise(library: Any, task: Task) -> Explain:
    """RISE of xaitk-saliency."""
    return lambda count: library.RISEStack(count, task.cells, 0.5)(task.pixels(), xaitk_classifier(task))[0]


def xaitk_d_rise(library: Any, task: Task) -> Explain:
    """D-RISE of xaitk-saliency, for the best detection."""
    (detection,) = task.detections(task.x)
    best = np.asarray(detection["scores"]).argmax(keepdims=True)
    boxes = np.asarray(detection["boxes"])[best]
    classes = np.ones((1, 1)) if detection.get("probabilities") is None else class_scores(detection)[best]
    return lambda count: library.DRISEStack(count, task.cells, 0.5)(
        task.pixels(), boxes, classes, xaitk_detector(task)
    )[0]


def xaitk_occlusion(library: Any, task: Task) -> Explain:
    """Sliding windows of xaitk-saliency."""

    def explain(count: int) -> Any:
        stack = library.SlidingWindowStack((task.window,) * 2, (task.stride(count),) * 2)
        return stack(task.pixels(), xaitk_classifier(task))[0]

    return explain


def captum_rise(library: Any, task: Task) -> Explain:
    """RISE of captum-rise."""

    def explain(count: int) -> Any:
        with torch.no_grad():  # which it leaves to the caller, and it sends the masks one at a time
            maps = library.RISE(task.module).attribute(task.x, count, ((task.cells, task.cells),), target=task.target)
        return maps[0].numpy()

    return explain


def torchxai_rise(library: Any, task: Task) -> Explain:
    """RISE of torchxai."""
    size = task.x.shape[-2:]

    def explain(count: int) -> Any:  # it wants a layer, which it does not use
        rise = library.RISE(task.module, task.module, n_masks=count, mask_resolution=task.cells, batch_size=BATCH)
        return rise(task.x, target_class=task.target, image_size=size)

    return explain


def captum_occlusion(library: Any, task: Task) -> Explain:
    """Occlusion of captum."""

    def explain(count: int) -> Any:
        step = task.stride(count)
        windows = {"sliding_window_shapes": (3, task.window, task.window), "strides": (3, step, step)}
        occlusion = library.Occlusion(task.module)
        maps = occlusion.attribute(task.x, target=task.target, perturbations_per_eval=BATCH, **windows)
        return maps[0].numpy().mean(axis=0)

    return explain


def captum_kernel_shap(library: Any, task: Task) -> Explain:
    """KernelSHAP of captum."""
    regions = torch.from_numpy(task.segments)[None, None]

    def explain(count: int) -> Any:
        options = {"feature_mask": regions, "n_samples": count, "perturbations_per_eval": BATCH}
        return library.KernelShap(task.module).attribute(task.x, target=task.target, **options)[0, 0].detach().numpy()

    return explain


def shap_kernel(library: Any, task: Task) -> Explain:
    """KernelSHAP of shap, with which regions are there as its features."""
    regions = torch.from_numpy(task.segments)
    players = int(task.segments.max()) + 1

    def score(coalitions: Any) -> Any:
        members = torch.from_numpy(coalitions.astype(np.float32)).split(BATCH)
        return np.concatenate([task.scores(task.x * part[:, regions][:, None]).numpy() for part in members])

    def explain(count: int) -> Any:
        explainer = library.KernelExplainer(score, np.zeros((1, players)))
        # It scores the empty and the full coalition besides.
        values = explainer.shap_values(np.ones((1, players)), nsamples=count - 2, l1_reg=False, silent=True)
        return values[0][task.segments]

    return explain


XAITK = "xaitk_saliency.impls"
RIVALS: dict[str, dict[str, tuple[str, Callable[[Any, Task], Explain]]]] = {
    "rise": {
        "torchxai": ("torchxai.methods.rise", torchxai_rise),
        "captum-rise": ("rise", captum_rise),
        "xaitk": (f"{XAITK}.gen_image_classifier_blackbox_sal.rise", xaitk_rise),
    },
    "d-rise": {"xaitk": (f"{XAITK}.gen_object_detector_blackbox_sal.drise", xaitk_d_rise)},
    "occlusion": {
        "captum": ("captum.attr", captum_occlusion),
        "xaitk": (f"{XAITK}.gen_image_classifier_blackbox_sal.slidingwindow", xaitk_occlusion),
    },
    "kernel-shap": {"captum": ("captum.attr", captum_kernel_shap), "shap": ("shap", shap_kernel)},
}
"""Rivals of each method by the column of tables: the module to import, and what makes a call with it."""


def rivals(method: str, task: Task) -> dict[str, Explain]:
    """Return the calls of the rivals that are installed and take the task; the others are named below the table."""
    calls = {}
    for name, (module, make) in RIVALS[method].items():
        library = rival(module)
        if library is None:
            continue
        try:
            calls[name] = make(library, task)
        except Exception as error:  # whatever a rival raises is a result
            note(f"{name} fails: {reason(error)}")
    return calls
