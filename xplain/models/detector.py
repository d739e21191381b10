"""Object detectors: torch modules, or any callable that finds boxes in a batch of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Box, Prediction
from xplain.models import borrowing
from xplain.models.detections import Detections, read_detections
from xplain.models.geometry import Geometry
from xplain.models.image import ImageModel
from xplain.models.preprocessing.preprocess import Preprocess
from xplain.models.targets import listed

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")


class Detector(ImageModel):
    """A model that finds objects: boxes with labels and scores.

    On a changed image a detection is found again by its box and class: its score there is the best, over everything
    that is detected, of overlap times class score (`xplain.models.detections.similarity`, after D-RISE). Gradient
    methods differentiate that score. Where ``postprocess`` has ``candidates``, these are compared instead: they come
    before thresholds and suppression, so scores fade instead of vanishing, and gradients are those of the candidate
    that became the detection, by its index.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Returns for each image a mapping, or an object, with ``boxes`` (M, 4) x0 y0 x1 y1 in pixels of what it was
        given, ``labels`` (M,) and ``scores`` (M,), and maybe ``probabilities`` (M, classes), as arrays or tensors:
        what detectors of torchvision return, results of ultralytics and Detections of supervision. A module is given
        float32 (batch, channels, height, width). A callable is a black box: without ``preprocess`` it is given uint8
        (batch, height, width, 3), with it float32 (batch, channels, height, width). A pipeline of transformers for
        detection is taken too.
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels. If left out, those of the model (``config.id2label``, ``names``), else the class numbers.
    preprocess : Preprocess, optional
        How a photo becomes the input. Without it a module is given the image itself: 8-bit pixels as 0..1.
    output : {"probability", "logit"}
        What scores and probabilities are; logits pass a sigmoid.
    postprocess : callable, optional
        Turns what the model returns for a batch into such mappings, by operations that keep gradients where they are
        wanted. It may have a method ``candidates`` that does the same without leaving any out, as many and in the same
        order for every image; see above. `xplain.models.heads` has those of common networks.
    layer : str or torch.nn.Module, optional
        The module's layer for the class activation maps, by its name or itself; found by a probe if left out.
    name : str, optional
        The model's name in documents.

    Examples
    --------
    >>> def brightest(images):
    ...     rows, columns = images.max(axis=(2, 3)).argmax(1), images.max(axis=(1, 3)).argmax(1)
    ...     return [
    ...         {"boxes": [[x, y, x + 1, y + 1]], "labels": [0], "scores": [image.max() / 255]}
    ...         for x, y, image in zip(columns, rows, images)
    ...     ]
    >>> photo = np.zeros((8, 8, 3), np.uint8)
    >>> photo[2, 5] = 204
    >>> (lamp,) = Detector(brightest, labels=["lamp"]).predict(photo)
    >>> lamp.name, lamp.score, lamp.region
    ('lamp', 0.8, Box(x0=5.0, y0=2.0, x1=6.0, y1=3.0, unit='pixel'))
    """

    task = "object-detection"

    def __init__(
        self,
        model: Any,
        labels: Any = None,
        preprocess: Preprocess | None = None,
        *,
        output: str = "probability",
        postprocess: Callable[[Any], Any] | None = None,
        layer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(model, labels, preprocess, output=output, layer=layer, name=name)
        if postprocess is None:
            postprocess = self.given.extras.get("postprocess")
        self.postprocess = None if postprocess is None else _check.function("postprocess", postprocess)

    @property
    def has_candidates(self) -> bool:
        """Whether the postprocessing also gives all candidates, in an order that does not change."""
        return hasattr(self.postprocess, "candidates")

    def detect(self, batch: npt.NDArray[Any]) -> tuple[list[Detections], list[Detections]]:
        """Find objects in a batch in one call of the model, without gradients.

        Parameters
        ----------
        batch : numpy.ndarray
            (batch, ...) of `Prepared.array`.

        Returns
        -------
        list of Detections
            For each image the detections, by decreasing score, as arrays.
        list of Detections
            For each image the candidates; the same detections where there are none.
        """
        size = self._size(batch)

        def function(rows: Any) -> list[tuple[Detections, ...]]:
            outputs = self.call(rows)
            read = [self._read(self.postprocess, outputs, len(rows), size)]
            if self.has_candidates:
                read.append(self._read_candidates(outputs, len(rows), size))
            return list(zip(*read, strict=True))

        images = self._apply(function, batch)
        unordered = [image[0].numpy() for image in images]
        detections = [image.rows(np.argsort(-image.scores, kind="stable")) for image in unordered]
        return detections, [image[1].numpy() for image in images] if self.has_candidates else detections

    def candidates(self, batch: npt.NDArray[Any]) -> list[Detections]:
        """Return as arrays the candidates of a batch, or its detections if there are none, in one call of the model."""
        size = self._size(batch)

        def function(rows: Any) -> list[Detections]:
            return [image.numpy() for image in self._read_candidates(self.call(rows), len(rows), size)]

        return self._apply(function, batch)

    def candidate_tensors(self, batch: torch.Tensor) -> list[Detections]:
        """Return as tensors the candidates of a batch, or its detections if there are none; gradients flow."""
        size = (int(batch.shape[2]), int(batch.shape[3]))
        return self.in_rows(lambda rows: self._read_candidates(self.call(rows), len(rows), size), batch, _join)

    def _size(self, batch: npt.NDArray[Any]) -> tuple[int, int]:
        """Height and width of the model's input."""
        height, width = batch.shape[2:] if self.channel_axis == 0 else batch.shape[1:3]
        return height, width

    def _apply(self, function: Callable[[Any], list[Result]], batch: npt.NDArray[Any]) -> list[Result]:
        """Apply a function that calls the model and makes something of each image, without gradients."""
        with borrowing.evaluation(self.module, gradients=False):
            return self.in_rows(function, batch if self.module is None else self.to_tensor(batch), _join)

    def _read_candidates(self, outputs: Any, count: int, size: tuple[int, int]) -> list[Detections]:
        return self._read(getattr(self.postprocess, "candidates", self.postprocess), outputs, count, size)

    def _read(
        self, postprocess: Callable[[Any], Any] | None, outputs: Any, count: int, size: tuple[int, int]
    ) -> list[Detections]:
        images = read_detections(outputs if postprocess is None else postprocess(outputs), count, size)
        if self.output == "logit":
            return [image.with_sigmoid() for image in images]
        for image in images:
            image.check_probabilities()
        return images

    def predict(self, image: Any, top: int | None = None) -> tuple[Prediction, ...]:
        """Find the objects in one image.

        Parameters
        ----------
        image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
            The photo.
        top : int, optional
            How many to return; all if left out.

        Returns
        -------
        tuple of Prediction
            By decreasing score, each with its `Box` in pixels of the photo.
        """
        count = None if top is None else _check.integer("top", top, least=1)
        prepared = self.prepare(image)
        ((detections,), _) = self.detect(prepared.array[np.newaxis])
        return self.predictions(detections, prepared.geometry)[:count]

    def predictions(self, detections: Detections, geometry: Geometry) -> tuple[Prediction, ...]:
        """Return detections (arrays) as predictions in pixels of the original image."""
        boxes = geometry.boxes_to_original(detections.boxes)
        return tuple(
            Prediction(
                self._label_path(label),
                float(score),
                region=Box(box[0], box[1], box[2], box[3], unit="pixel"),
                id=None if isinstance(label, str) else int(label),
            )
            for box, label, score in zip(boxes, detections.labels.tolist(), detections.scores, strict=True)
        )

    def _label_path(self, label: int | str) -> tuple[str, ...]:
        if isinstance(label, str):
            return (label,)
        if self.labels is not None and not 0 <= label < len(self.labels):
            raise InputError(
                f"labels must name every class that is detected, got {len(self.labels)} labels and class {label}"
            )
        return self.label(label)

    def targets(
        self, target: Any, detections: Detections, geometry: Geometry
    ) -> tuple[Detections, tuple[Prediction, ...]]:
        """Return the detections that a caller names, as `Detections` of the model's input and as predictions.

        Parameters
        ----------
        target : None, int, str, Prediction, or a sequence of those
            None is the best detection, ``"all"`` all of them, ``"top-3"`` the best three or fewer; an int counts by
            decreasing score; a str is a label and means the best detection with it. A `Prediction` with a `Box` is
            explained whether it was detected or not: what speaks for this label there?
        detections : Detections
            Arrays, by decreasing score.
        geometry : Geometry
            Where the input lies on the image.
        """
        predictions = self.predictions(detections, geometry)
        targets = list(dict.fromkeys(self._resolve(target, predictions)))
        rows = [
            detections.rows([item]) if isinstance(item, int) else self._hypothetical(item, detections, geometry)
            for item in targets
        ]
        return Detections.concatenate(rows), tuple(predictions[t] if isinstance(t, int) else t for t in targets)

    def _resolve(self, target: Any, predictions: Sequence[Prediction]) -> list[int | Prediction]:
        """Return the numbers of the predictions that a target names, and predictions that were not detected."""
        if isinstance(target, Prediction):
            if not isinstance(target.region, Box):
                raise _check.wrong("target", "a prediction with a Box", target)
            return [predictions.index(target) if target in predictions else target]
        target = listed(target)
        if isinstance(target, (list, tuple)):
            resolved = [item for part in target for item in self._resolve(part, predictions)]
            if not resolved:
                raise InputError("target must name at least one detection, got an empty sequence")
            return resolved
        if not predictions:
            raise InputError(
                "target must be a detection, got none in this image; lower the model's threshold, or explain a "
                "Prediction with a label and a Box"
            )
        if target is None:
            return [0]
        if isinstance(target, str):
            return self._by_name(target, predictions)
        index = _check.integer("target", target)
        if not 0 <= index < len(predictions):
            raise InputError(f"target must be a detection from 0 to {len(predictions) - 1}, got {index}")
        return [index]

    def _by_name(self, target: str, predictions: Sequence[Prediction]) -> list[int | Prediction]:
        names = [prediction.name.casefold() for prediction in predictions]
        if target.casefold() in names:  # before "all" and "top-3", which may be labels as well
            return [names.index(target.casefold())]
        if target == "all":
            return list(range(len(predictions)))
        if match := re.fullmatch(r"top-([1-9]\d*)", target):
            return list(range(min(int(match[1]), len(predictions))))
        raise UnknownNameError("detected label", target, sorted({prediction.name for prediction in predictions}))

    def _hypothetical(self, prediction: Prediction, detections: Detections, geometry: Geometry) -> Detections:
        """Return a caller's prediction as one detection, with probabilities if the model's detections have them."""
        assert isinstance(prediction.region, Box)
        box = prediction.region.to("pixel", (geometry.height, geometry.width))
        label = self._label_of(prediction, detections)
        probabilities = None
        if detections.probabilities is not None:
            classes = np.arange(detections.probabilities.shape[1])
            probabilities = np.equal(label, classes)[np.newaxis].astype(np.float64)
        corners = geometry.boxes_to_input([[box.x0, box.y0, box.x1, box.y1]])
        return Detections(corners, np.array([label]), np.array([prediction.score]), probabilities)

    def _label_of(self, prediction: Prediction, detections: Detections) -> int | str:
        """Return a prediction's label as the model's detections have it: a class number, or a name."""
        if detections.labels.dtype.kind == "U":
            return prediction.name
        for index, label in enumerate(self.labels or ()):
            if label == prediction.label:
                return index
        if self.labels is None and prediction.name.isdecimal():
            return int(prediction.name)
        raise UnknownNameError("label", prediction.name, [" > ".join(label) for label in self.labels or ()])


def _join(images: list[list[Result]]) -> list[Result]:
    return list(chain.from_iterable(images))
