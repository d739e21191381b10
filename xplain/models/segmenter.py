"""Semantic segmentation: torch modules, or any callable that gives each pixel a score for each class.

A method needs one number to explain. For a class over a region that is the mean of the class's scores there: a dot
product of the model's map with `RegionTarget.weights`, of which gradients and differences are those of single pixels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError
from xplain.explanation import Mask, Prediction
from xplain.models import borrowing, outputs
from xplain.models.geometry import Geometry
from xplain.models.image import ImageModel, Prepared
from xplain.models.preprocessing.preprocess import Preprocess
from xplain.models.targets import is_sequence_of_targets, listed, resolve_targets

if TYPE_CHECKING:
    import torch


Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RegionTarget:
    """A class over a region, as the model's output shows it.

    Parameters
    ----------
    index : int
        Number of the class.
    weights : numpy.ndarray
        float64 (h, w) with sum 1: how much of the region lies in each cell of the model's output.
    prediction : Prediction
        The class and the region in pixels of the image: a `Mask`, or None for the whole image.
    """

    index: int
    weights: Float64
    prediction: Prediction


class Segmenter(ImageModel):
    """A model that gives each place of an image a score for each class.

    What is explained is a class over a region: the mean of the model's output for the class, over the region's places.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Returns (batch, classes, h, w), alone or in a tuple, a mapping or an object with ``logits`` (or ``out``); h and
        w may be smaller than the input. One class, or (batch, h, w), is the foreground. A module is given float32
        (batch, channels, height, width). A callable is a black box: without ``preprocess`` it is given uint8 (batch,
        height, width, 3), with it float32 (batch, channels, height, width), and returns an array or a tensor. A
        pipeline of transformers for semantic segmentation is taken too.
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels. If left out, those of the model (``config.id2label``, ``names``), else the class numbers.
    preprocess : Preprocess, optional
        How a photo becomes the input. Without it a module is given the image itself: 8-bit pixels as 0..1.
    output : {"logit", "probability"}, optional
        What the model returns; logits if left out. Those that come out of a softmax or a sigmoid, or of a callable lie
        in 0..1 and add up to 1 at each place of the photo and of a black one, are read as probabilities.
    background : int, optional
        A class that is not predicted, because it means "nothing".
    layer : str or torch.nn.Module, optional
        The module's layer for the class activation maps, by its name or itself; found by a probe if left out.
    name : str, optional
        The model's name in documents.

    Examples
    --------
    >>> def dark_and_bright(images):
    ...     light = images.mean(axis=3) / 255
    ...     return np.stack([1 - light, light], axis=1)
    >>> model = Segmenter(dark_and_bright, labels=["dark", "bright"], output="probability")
    >>> photo = np.zeros((8, 8, 3), np.uint8)
    >>> photo[:4, :4] = 255
    >>> [(prediction.name, prediction.score, prediction.region) for prediction in model.predict(photo)]
    [('dark', 1.0, Mask(8x8, 48 set)), ('bright', 1.0, Mask(8x8, 16 set))]
    """

    task = "image-segmentation"

    def __init__(
        self,
        model: Any,
        labels: Any = None,
        preprocess: Preprocess | None = None,
        *,
        output: str | None = None,
        background: int | None = None,
        layer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(model, labels, preprocess, output=output, layer=layer, name=name)
        self.background = None if background is None else _check.integer("background", background, least=0)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the maps (batch, classes, h, w) of the module; gradients flow."""
        import torch

        maps: torch.Tensor = self.in_rows(self._call_for_maps, batch, torch.cat)
        return maps

    def _call_for_maps(self, batch: Any) -> Any:
        return self._check_output(self.call(batch), len(batch))

    def maps(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Score every cell of the model's output for a batch in one call, without gradients.

        Parameters
        ----------
        batch : numpy.ndarray
            (batch, ...) of `Prepared.array`.

        Returns
        -------
        numpy.ndarray
            (batch, classes, h, w): the model's own output, finite.
        """
        with borrowing.evaluation(self.module, gradients=False):
            inputs = batch if self.module is None else self.to_tensor(batch)
            maps: npt.NDArray[Any] = self.in_rows(
                lambda rows: outputs.as_numpy(self._call_for_maps(rows)), inputs, np.concatenate
            )
        if not np.isfinite(maps).all():
            raise InputError("model output must be finite, got NaN or infinity")
        if self._said_output == "probability":
            outputs.check_probabilities(maps, self.kinds_of_output)
        return maps

    def as_read(self, maps: npt.NDArray[Any], prepared: Prepared) -> Self:
        """Return the model with what it returns as the maps (classes, h, w) of one photo show it."""

        def at_nothing() -> npt.NDArray[Any]:
            return np.moveaxis(self.maps(np.zeros_like(prepared.array[np.newaxis])), 1, -1)

        return self.read_output(np.moveaxis(maps, 0, -1), at_nothing, (prepared.array.shape, prepared.array.dtype))

    def _check_output(self, output: Any, count: int) -> Any:
        """Return the maps (count, classes, h, w) inside what the model returns, or raise InputError."""
        if isinstance(output, Mapping) and "out" in output:  # torchvision
            output = output["out"]
        maps = outputs.tensor_of(output)
        if getattr(maps, "ndim", 0) == 3:
            maps = maps[:, None]
        shape = tuple(getattr(maps, "shape", ()))
        if len(shape) != 4 or shape[0] != count or 0 in shape:
            raise InputError(
                f"model output must be of shape ({count}, classes, h, w) for a batch of {count}, got {shape}"
            )
        if self.labels is not None and len(self.labels) != shape[1]:
            raise InputError(
                f"labels must be {shape[1]} labels, one for each output of the model, got {len(self.labels)}"
            )
        return maps

    def predict(self, image: Any, top: int | None = None, *, components: bool = False) -> tuple[Prediction, ...]:
        """Segment one image.

        Parameters
        ----------
        image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
            The photo.
        top : int, optional
            How many regions to return, the largest; all if left out.
        components : bool
            Whether each connected part of a class is a region of its own.

        Returns
        -------
        tuple of Prediction
            By decreasing area, each with its `Mask` in pixels of the photo and its mean probability there.
        """
        count = None if top is None else _check.integer("top", top, least=1)
        prepared = self.prepare(image)
        maps = self.maps(prepared.array[np.newaxis])[0]
        model = self.as_read(maps, prepared)
        predictions = model.predictions(maps, prepared.geometry)
        if _check.boolean("components", components):
            predictions = model._split_into_components(predictions, maps, prepared.geometry)
        return predictions[:count]

    def predictions(self, maps: npt.NDArray[Any], geometry: Geometry) -> tuple[Prediction, ...]:
        """Return each class that is the best somewhere, by decreasing area; ``maps`` is (classes, h, w)."""
        best = self._best_classes(maps, geometry)
        predictions = [
            self._prediction(int(index), best == index, maps, geometry)
            for index in np.unique(best)
            if index >= 0 and index != self.background
        ]
        return _by_area(predictions)

    def _split_into_components(
        self, predictions: Sequence[Prediction], maps: npt.NDArray[Any], geometry: Geometry
    ) -> tuple[Prediction, ...]:
        label = require("skimage.measure", extra="torch").label
        components = []
        for prediction in predictions:
            numbered = label(_mask(prediction).to_array(), connectivity=2)  # diagonal neighbours are connected
            for number in range(1, int(numbered.max()) + 1):
                components.append(self._prediction(self._class_of(prediction), numbered == number, maps, geometry))
        return _by_area(components)

    def _best_classes(self, maps: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[np.int64]:
        """Return the best class (height, width) of each pixel of the image; -1 where the model sees or finds nothing.

        One class at a time is enlarged, so that many classes and a large photo fit into memory.
        """
        visible = geometry.to_original(np.ones(maps.shape[1:])) > 0.5
        classes = np.where(visible, 0, -1)
        scores = geometry.to_original(maps[0])
        if len(maps) == 1:
            classes[scores <= (0.5 if self.output == "probability" else 0.0)] = -1
            return classes
        for index in range(1, len(maps)):
            values = geometry.to_original(maps[index])
            better = visible & (values > scores)
            classes[better], scores[better] = index, values[better]
        return classes

    def _prediction(self, index: int, region: Bool | None, maps: npt.NDArray[Any], geometry: Geometry) -> Prediction:
        weights = region_weights(region, geometry, maps.shape[1:])
        score = float((self._probabilities(maps)[index] * weights).sum())
        return Prediction(
            self.label(index), score, region=None if region is None else Mask.from_array(region), id=index
        )

    def _probabilities(self, maps: npt.NDArray[Any]) -> Float64:
        maps = maps.astype(np.float64)
        if self.output == "probability":
            return maps
        if len(maps) == 1:
            sigmoid: Float64 = np.exp(-np.logaddexp(0.0, -maps))
            return sigmoid
        return np.moveaxis(outputs.softmax(np.moveaxis(maps, 0, -1)), -1, 0)

    def targets(
        self, target: Any, maps: npt.NDArray[Any], geometry: Geometry, region: Any = None
    ) -> tuple[RegionTarget, ...]:
        """Return the classes and regions that a caller names.

        Parameters
        ----------
        target : None, int, str, Prediction, or a sequence of those
            Without a region: None is the largest predicted region, ``"all"`` each of them, ``"top-3"`` the largest
            three or fewer; a class number or a label means its predicted region. With a region: the classes to explain
            over it, and None is the best there. A `Prediction` names both its class and its `Mask` (None: the whole
            image).
        maps : numpy.ndarray
            (classes, h, w).
        geometry : Geometry
            Where the input lies on the image.
        region : optional
            ``"image"``, a `Mask`, a bool array (height, width), or a point (x, y), in pixels of the image.
        """
        if region is not None:
            predictions = self._resolve_over(_check_region(region, geometry), target, maps, geometry)
        else:
            predictions = list(dict.fromkeys(self._resolve(target, maps, geometry)))
        return tuple(
            RegionTarget(
                self._class_of(prediction),
                region_weights(
                    None if prediction.region is None else _mask(prediction).to_array(), geometry, maps.shape[1:]
                ),
                prediction,
            )
            for prediction in predictions
        )

    def _resolve_over(
        self, region: Bool | None, target: Any, maps: npt.NDArray[Any], geometry: Geometry
    ) -> list[Prediction]:
        """Return the classes that a target names, each over the region."""
        weights = region_weights(region, geometry, maps.shape[1:])
        scores = (maps * weights).sum(axis=(1, 2))
        return [
            self._prediction(index, region, maps, geometry) for index in resolve_targets(target, scores, self.labels)
        ]

    def _resolve(self, target: Any, maps: npt.NDArray[Any], geometry: Geometry) -> list[Prediction]:
        """Return the predicted regions that a target names."""
        if isinstance(target, Prediction):
            return [self._rescore(target, maps, geometry)]
        target = listed(target)
        predictions = self.predictions(maps, geometry)
        if is_sequence_of_targets(target):
            resolved = [prediction for part in target for prediction in self._resolve(part, maps, geometry)]
            if not resolved:
                raise InputError("target must name at least one class, got an empty sequence")
            return resolved
        if target is None or (isinstance(target, str) and re.fullmatch(r"all|top-[1-9]\d*", target)):
            if not predictions:
                raise InputError(
                    "target must be a class that is predicted somewhere, got none; name a class together with "
                    "region='image', a mask or a point"
                )
            return list(predictions[: _how_many(target)])
        (index,) = resolve_targets(target, np.zeros(len(maps)), self.labels)
        named = [prediction for prediction in predictions if prediction.id == index]
        if not named:
            raise InputError(
                f"target must be a class that is predicted somewhere, got {target!r}; explain it over a region: "
                "region='image', a mask or a point (x, y)"
            )
        return named

    def _rescore(self, target: Prediction, maps: npt.NDArray[Any], geometry: Geometry) -> Prediction:
        """Return a caller's prediction with the model's own score."""
        if target.region is not None and not isinstance(target.region, Mask):
            raise _check.wrong("target", "a prediction whose region is a Mask or None", target)
        region = None if target.region is None else _check_region(target.region, geometry)
        return self._prediction(self._class_of(target), region, maps, geometry)

    def _class_of(self, prediction: Prediction) -> int:
        labels = self.labels if self.labels is not None else ()
        if prediction.label in labels:
            return labels.index(prediction.label)
        if isinstance(prediction.id, int) and (self.labels is None or prediction.id < len(self.labels)):
            return prediction.id
        raise InputError(f"target must be a prediction of this model's classes, got {prediction.name!r}")


def region_weights(region: Bool | None, geometry: Geometry, shape: tuple[int, ...]) -> Float64:
    """Return how much of a region of the image lies in each cell of the model's output; the sum is 1.

    Parameters
    ----------
    region : numpy.ndarray, optional
        bool (height, width); the whole image if left out.
    geometry : Geometry
        Where the input lies on the image.
    shape : (int, int)
        Size (h, w) of the model's output.
    """
    inside = _shows_image(geometry)
    if region is not None:
        inside = inside & geometry.to_input(region)
        if not inside.any():  # smaller than a pixel of the input, or outside of it
            inside = _pixels_over(region, geometry)
    cells = Image.fromarray(inside.astype(np.float32)).resize((shape[1], shape[0]), Image.Resampling.BOX)
    amounts = np.asarray(cells, np.float64)
    weights: Float64 = amounts / amounts.sum()
    return weights


def _shows_image(geometry: Geometry) -> Bool:
    """Which pixels of the input show the image, and not padding."""
    rows = (np.arange(geometry.input_height) + 0.5 - geometry.offset_y) / geometry.scale_y
    columns = (np.arange(geometry.input_width) + 0.5 - geometry.offset_x) / geometry.scale_x
    inside: Bool = np.outer((rows >= 0) & (rows < geometry.height), (columns >= 0) & (columns < geometry.width))
    return inside


def _pixels_over(region: Bool, geometry: Geometry) -> Bool:
    """Which pixels of the input lie over the centre of a pixel of the region."""
    rows, columns = np.nonzero(region)
    rows = np.floor((rows + 0.5) * geometry.scale_y + geometry.offset_y).astype(int)
    columns = np.floor((columns + 0.5) * geometry.scale_x + geometry.offset_x).astype(int)
    visible = (rows >= 0) & (rows < geometry.input_height) & (columns >= 0) & (columns < geometry.input_width)
    if not visible.any():
        raise InputError("region must overlap what the model sees of the image, got one in the part that is cut off")
    pixels = np.zeros((geometry.input_height, geometry.input_width), bool)
    pixels[rows[visible], columns[visible]] = True
    return pixels


def _check_region(region: Any, geometry: Geometry) -> Bool | None:
    """Return a region as a bool array (height, width), or None for the whole image."""
    size = (geometry.height, geometry.width)
    expected = f"'image', a Mask, a bool array {size}, or a point (x, y)"
    if isinstance(region, str):
        if region != "image":
            raise _check.wrong("region", expected, region)
        return None
    if isinstance(region, Mask):
        region = region.to_array()
    if isinstance(region, (tuple, list)) and len(region) == 2 and np.isscalar(region[0]):
        return _point(region, size)
    array = np.asarray(region)
    if array.dtype != bool or array.shape != size:
        raise InputError(f"region must be {expected}, got {array.dtype} of shape {array.shape}")
    if not array.any():
        raise InputError("region must hold at least one pixel, got none")
    return array


def _point(point: Sequence[Any], size: tuple[int, int]) -> Bool:
    x, y = (_check.integer("region", value) for value in point)
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise InputError(f"region must be a point inside {size[1]}x{size[0]} pixels, got {(x, y)}")
    region = np.zeros(size, bool)
    region[y, x] = True
    return region


def _how_many(target: str | None) -> int | None:
    """Return the number of regions that None, "all" or "top-3" means; None for all."""
    return 1 if target is None else None if target == "all" else int(target.removeprefix("top-"))


def _by_area(predictions: Sequence[Prediction]) -> tuple[Prediction, ...]:
    return tuple(sorted(predictions, key=lambda prediction: -_mask(prediction).area))


def _mask(prediction: Prediction) -> Mask:
    assert isinstance(prediction.region, Mask)
    return prediction.region
