"""Object detectors: torch modules, or any callable that finds boxes in a batch of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Box, Prediction
from xplain.models import borrowing
from xplain.models.detections import Detections, read_detections
from xplain.models.geometry import Geometry, Preprocess
from xplain.models.image import ImageModel

if TYPE_CHECKING:
    import torch


class Detector(ImageModel):
    """A model that finds objects: boxes with labels and scores.

    A detection's score on a changed image is found again by its box and class: it is the best, over everything that is
    detected there, of overlap times class score (`xplain.models.detections.similarity`, after D-RISE). Gradient methods
    differentiate it. Where ``postprocess`` has ``candidates``, they come before thresholds and suppression, so scores
    fade instead of vanishing, and gradients are those of the very candidate, by its index, that became the detection.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Returns for each image a mapping, or an object, with ``boxes`` (M, 4) x0 y0 x1 y1 in pixels of what it was
        given, ``labels`` (M,) and ``scores`` (M,), and maybe ``probabilities`` (M, classes), as arrays or tensors:
        what detectors of torchvision return, and results of ultralytics. A module is given float32 (batch, channels,
        height, width). A callable is a black box: without ``preprocess`` it is given uint8 (batch, height, width, 3),
        with it float32 (batch, channels, height, width).
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels. If left out, what the model says (``config.id2label``, ``names``), else the class numbers.
    preprocess : Preprocess, optional
        What is done to a photo. Without it a module is given the image itself: 8-bit pixels as 0..1.
    output : {"probability", "logit"}
        What scores and probabilities are; logits pass a sigmoid.
    postprocess : callable, optional
        Turns what the model returns for a batch into such mappings, by operations that keep gradients where they are
        wanted. If it has a method ``candidates`` that does the same without leaving any out, as many and in the same
        order for every image, that is used as said above. `xplain.models.heads` has those of common networks.
    layer : str, optional
        Name of the module's layer for the class activation maps; found by a probe if left out.
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
        layer: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(model, labels, preprocess, output=output, layer=layer, name=name)
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
        outputs, size = self._outputs(batch)
        kept = [one.numpy() for one in self._read(self.postprocess, outputs, len(batch), size)]
        found = [one.rows(np.argsort(-one.scores, kind="stable")) for one in kept]
        if not self.has_candidates:
            return found, found
        return found, [one.numpy() for one in self._read_candidates(outputs, len(batch), size)]

    def candidates(self, batch: npt.NDArray[Any]) -> list[Detections]:
        """Return the candidates of a batch, or else its detections, in one call of the model and as arrays."""
        outputs, size = self._outputs(batch)
        return [one.numpy() for one in self._read_candidates(outputs, len(batch), size)]

    def candidate_tensors(self, batch: torch.Tensor) -> list[Detections]:
        """Return the candidates of a batch, or else its detections, as tensors; gradients flow."""
        size = (int(batch.shape[2]), int(batch.shape[3]))
        return self._read_candidates(self.function(batch), len(batch), size)

    def _outputs(self, batch: npt.NDArray[Any]) -> tuple[Any, tuple[int, int]]:
        size = batch.shape[2:] if self.channel_axis == 0 else batch.shape[1:3]
        with borrowing.evaluation(self.module, gradients=False):
            given = batch if self.module is None else self.to_tensor(batch)
            return self.function(given), (size[0], size[1])

    def _read_candidates(self, outputs: Any, count: int, size: tuple[int, int]) -> list[Detections]:
        return self._read(getattr(self.postprocess, "candidates", self.postprocess), outputs, count, size)

    def _read(
        self, postprocess: Callable[[Any], Any] | None, outputs: Any, count: int, size: tuple[int, int]
    ) -> list[Detections]:
        found = read_detections(outputs if postprocess is None else postprocess(outputs), count, size)
        return [one.squashed() for one in found] if self.output == "logit" else found

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
        ((found,), _) = self.detect(prepared.array[np.newaxis])
        return self.predictions(found, prepared.geometry)[:count]

    def predictions(self, found: Detections, geometry: Geometry) -> tuple[Prediction, ...]:
        """Return detections (arrays) as predictions in pixels of the original image."""
        boxes = geometry.boxes_to_original(found.boxes)
        return tuple(
            Prediction(
                self._name(label),
                float(score),
                region=Box(box[0], box[1], box[2], box[3], unit="pixel"),
                id=None if isinstance(label, str) else int(label),
            )
            for box, label, score in zip(boxes, found.labels.tolist(), found.scores, strict=True)
        )

    def _name(self, label: int | str) -> tuple[str, ...]:
        if isinstance(label, str):
            return (label,)
        if self.labels is not None and not 0 <= label < len(self.labels):
            raise InputError(
                f"labels must name every class that is detected, got {len(self.labels)} labels and class {label}"
            )
        return self.label(label)

    def targets(self, target: Any, found: Detections, geometry: Geometry) -> tuple[Detections, tuple[Prediction, ...]]:
        """Return the detections that a caller asks for, as `Detections` of the model's input and as predictions.

        Parameters
        ----------
        target : None, int, str, Prediction, or a sequence of those
            None is the best detection, ``"all"`` all of them, ``"top-3"`` the best three or fewer; an int counts by
            decreasing score; a str is a label and means the best detection with it. A `Prediction` with a `Box` is
            explained whether it was detected or not: what speaks for this label there?
        found : Detections
            Arrays, by decreasing score.
        geometry : Geometry
            Where the input lies on the image.
        """
        known = self.predictions(found, geometry)
        chosen = list(dict.fromkeys(self._resolve(target, known)))
        rows = [found.rows([p]) if isinstance(p, int) else self._row(p, found, geometry) for p in chosen]
        return Detections.joined(rows), tuple(known[p] if isinstance(p, int) else p for p in chosen)

    def _resolve(self, target: Any, known: Sequence[Prediction]) -> list[int | Prediction]:
        if isinstance(target, Prediction):
            if not isinstance(target.region, Box):
                raise _check.wrong("target", "a prediction with a Box", target)
            return [known.index(target) if target in known else target]
        if isinstance(target, (list, tuple, np.ndarray)):
            found = [one for part in target for one in self._resolve(part, known)]
            if not found:
                raise InputError("target must name at least one detection, got an empty sequence")
            return found
        if not known:
            raise InputError(
                "target must be a detection, got none in this image; lower the model's threshold, or explain a "
                "Prediction with a label and a Box"
            )
        if target is None:
            return [0]
        if isinstance(target, str):
            return self._named(target, known)
        index = _check.integer("target", target)
        if not 0 <= index < len(known):
            raise InputError(f"target must be a detection from 0 to {len(known) - 1}, got {index}")
        return [index]

    def _named(self, target: str, known: Sequence[Prediction]) -> list[int | Prediction]:
        names = [prediction.name.casefold() for prediction in known]
        if target.casefold() in names:
            return [names.index(target.casefold())]
        if target == "all":
            return list(range(len(known)))
        if match := re.fullmatch(r"top-([1-9]\d*)", target):
            return list(range(min(int(match[1]), len(known))))
        raise UnknownNameError("detected label", target, sorted({prediction.name for prediction in known}))

    def _row(self, asked: Prediction, found: Detections, geometry: Geometry) -> Detections:
        """Return one detection that a caller made up."""
        assert isinstance(asked.region, Box)
        box = asked.region.to("pixel", (geometry.height, geometry.width))
        label = self._class_of(asked, found)
        classes = None
        if found.probabilities is not None:
            classes = np.equal(label, np.arange(found.probabilities.shape[1]))[np.newaxis].astype(np.float64)
        corners = geometry.boxes_to_input([[box.x0, box.y0, box.x1, box.y1]])
        return Detections(corners, np.array([label]), np.array([asked.score]), classes)

    def _class_of(self, asked: Prediction, found: Detections) -> int | str:
        if found.labels.dtype.kind == "U":
            return asked.name
        for index, label in enumerate(self.labels or ()):
            if label == asked.label:
                return index
        if self.labels is None and asked.name.isdecimal():
            return int(asked.name)
        raise UnknownNameError("label", asked.name, [" > ".join(label) for label in self.labels or ()])
