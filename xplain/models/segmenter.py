"""Semantic segmentation: torch modules, or any callable that gives each pixel a score for each class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain import _check
from xplain._lazy import require
from xplain.errors import InputError
from xplain.explanation import Mask, Prediction
from xplain.models import borrowing, outputs
from xplain.models.base import resolve_targets
from xplain.models.geometry import Geometry, Preprocess
from xplain.models.image import ImageModel

if TYPE_CHECKING:
    import torch


Maps = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RegionTarget:
    """A class over a region.

    Parameters
    ----------
    index : int
        The class.
    weights : numpy.ndarray
        float64 (h, w) of the model's output, with sum 1: how much of the region lies in each of its cells.
    prediction : Prediction
        The same in pixels of the image; its region is a `Mask`, or None for the whole image.
    """

    index: int
    weights: Maps
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
        height, width, 3), with it float32 (batch, channels, height, width), and returns an array or a tensor.
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels. If left out, what the model says (``config.id2label``, ``names``), else the class numbers.
    preprocess : Preprocess, optional
        What is done to a photo. Without it a module is given the image itself: 8-bit pixels as 0..1.
    output : {"logit", "probability"}
        What the model returns.
    background : int, optional
        A class that is not predicted, because it means "nothing".
    layer : str, optional
        Name of the module's layer for the class activation maps; found by a probe if left out.
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
    >>> [(found.name, found.score, found.region) for found in model.predict(photo)]
    [('dark', 1.0, Mask(8x8, 48 set)), ('bright', 1.0, Mask(8x8, 16 set))]
    """

    task = "image-segmentation"

    def __init__(
        self,
        model: Any,
        labels: Any = None,
        preprocess: Preprocess | None = None,
        *,
        output: str = "logit",
        background: int | None = None,
        layer: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(model, labels, preprocess, output=output, layer=layer, name=name)
        self.background = None if background is None else _check.integer("background", background, least=0)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the maps (batch, classes, h, w) of the module; gradients flow."""
        maps: torch.Tensor = self._checked(self.function(batch), len(batch))
        return maps

    def maps(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Score every place of a batch in one call of the model, without gradients.

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
            found = self._checked(self.function(batch if self.module is None else self.to_tensor(batch)), len(batch))
        maps = outputs.as_numpy(found)
        if not np.isfinite(maps).all():
            raise InputError("model output must be finite, got NaN or infinity")
        return maps

    def _checked(self, output: Any, count: int) -> Any:
        if isinstance(output, Mapping) and "out" in output:
            output = output["out"]
        found = outputs.tensor_of(output)
        if getattr(found, "ndim", 0) == 3:
            found = found[:, None]
        shape = tuple(getattr(found, "shape", ()))
        if len(shape) != 4 or shape[0] != count or 0 in shape:
            raise InputError(
                f"model output must be of shape ({count}, classes, h, w) for a batch of {count}, got {shape}"
            )
        if self.labels is not None and len(self.labels) != shape[1]:
            raise InputError(
                f"labels must be {shape[1]} labels, one for each output of the model, got {len(self.labels)}"
            )
        return found

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
        found = self.predictions(maps, prepared.geometry)
        if _check.boolean("components", components):
            found = self._parts(found, maps, prepared.geometry)
        return found[:count]

    def predictions(self, maps: npt.NDArray[Any], geometry: Geometry) -> tuple[Prediction, ...]:
        """Return each class that is the best somewhere, by decreasing area; ``maps`` is (classes, h, w)."""
        winners = self._winners(maps, geometry)
        regions = {int(i): winners == i for i in np.unique(winners) if i >= 0 and i != self.background}
        found = [self._prediction(index, region, maps, geometry) for index, region in regions.items()]
        return tuple(sorted(found, key=lambda one: -_mask(one).area))

    def _parts(self, found: Sequence[Prediction], maps: npt.NDArray[Any], geometry: Geometry) -> tuple[Prediction, ...]:
        """Divide regions into their connected parts."""
        label = require("skimage.measure", extra="torch").label
        parts = []
        for one in found:
            numbered = label(_mask(one).to_array(), connectivity=2)
            for number in range(1, int(numbered.max()) + 1):
                parts.append(self._prediction(self._class_of(one), numbered == number, maps, geometry))
        return tuple(sorted(parts, key=lambda one: -_mask(one).area))

    def _winners(self, maps: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[np.int64]:
        """The best class (height, width) of each pixel of the image; -1 where the model saw nothing or finds nothing.

        One class at a time is enlarged, so that many classes and a large photo fit into memory.
        """
        seen = geometry.to_original(np.ones(maps.shape[1:])) > 0.5
        winners = np.where(seen, 0, -1)
        best = geometry.to_original(maps[0])
        if len(maps) == 1:
            winners[best <= (0.5 if self.output == "probability" else 0.0)] = -1
            return winners
        for index in range(1, len(maps)):
            values = geometry.to_original(maps[index])
            better = seen & (values > best)
            winners[better], best[better] = index, values[better]
        return winners

    def _prediction(
        self, index: int, region: npt.NDArray[np.bool_] | None, maps: npt.NDArray[Any], geometry: Geometry
    ) -> Prediction:
        weights = _weights(region, geometry, maps.shape[1:])
        score = float((self._probabilities(maps)[index] * weights).sum())
        return Prediction(
            self.label(index), score, region=None if region is None else Mask.from_array(region), id=index
        )

    def _probabilities(self, maps: npt.NDArray[Any]) -> Maps:
        maps = maps.astype(np.float64)
        if self.output == "probability":
            return maps
        if len(maps) == 1:
            sigmoid: Maps = np.exp(-np.logaddexp(0.0, -maps))
            return sigmoid
        return np.moveaxis(outputs.softmax(np.moveaxis(maps, 0, -1)), -1, 0)

    def targets(
        self, target: Any, maps: npt.NDArray[Any], geometry: Geometry, region: Any = None
    ) -> tuple[RegionTarget, ...]:
        """Return the classes and regions that a caller asks for.

        Parameters
        ----------
        target : None, int, str, Prediction, or a sequence of those
            Without a region: None is the largest predicted region, ``"all"`` each of them, ``"top-3"`` the largest
            three or fewer; a class number or a label means its predicted region. With one: the classes to explain over
            it, and None is the best there. A `Prediction` names both its class and its `Mask` (None: the whole image).
        maps : numpy.ndarray
            (classes, h, w).
        geometry : Geometry
            Where the input lies on the image.
        region : optional
            ``"image"``, a `Mask`, a bool array (height, width), or a point (x, y), in pixels of the image.
        """
        if region is not None:
            chosen = self._over(self._region(region, geometry), target, maps, geometry)
        else:
            chosen = list(dict.fromkeys(self._resolve(target, maps, geometry)))
        return tuple(
            RegionTarget(
                self._class_of(one),
                _weights(None if one.region is None else _mask(one).to_array(), geometry, maps.shape[1:]),
                one,
            )
            for one in chosen
        )

    def _over(
        self, region: npt.NDArray[np.bool_] | None, target: Any, maps: npt.NDArray[Any], geometry: Geometry
    ) -> list[Prediction]:
        weights = _weights(region, geometry, maps.shape[1:])
        scores = (maps * weights).sum(axis=(1, 2))
        return [
            self._prediction(index, region, maps, geometry) for index in resolve_targets(target, scores, self.labels)
        ]

    def _resolve(self, target: Any, maps: npt.NDArray[Any], geometry: Geometry) -> list[Prediction]:
        if isinstance(target, Prediction):
            return [self._given(target, maps, geometry)]
        known = self.predictions(maps, geometry)
        if isinstance(target, (list, np.ndarray)) or (
            isinstance(target, tuple) and not all(isinstance(part, str) for part in target)
        ):
            found = [one for part in target for one in self._resolve(part, maps, geometry)]
            if not found:
                raise InputError("target must name at least one class, got an empty sequence")
            return found
        every = isinstance(target, str) and re.fullmatch(r"all|top-[1-9]\d*", target)
        if target is None or every:
            if not known:
                raise InputError(
                    "target must be a class that is predicted somewhere, got none; name a class together with "
                    "region='image', a mask or a point"
                )
            return list(known[: _how_many(target)])
        (index,) = resolve_targets(target, np.zeros(len(maps)), self.labels)
        present = [one for one in known if one.id == index]
        if not present:
            raise InputError(
                f"target must be a class that is predicted somewhere, got {target!r}; explain it over a region: "
                "region='image', a mask or a point (x, y)"
            )
        return present

    def _given(self, target: Prediction, maps: npt.NDArray[Any], geometry: Geometry) -> Prediction:
        """Return a caller's prediction with the model's own score."""
        if target.region is not None and not isinstance(target.region, Mask):
            raise _check.wrong("target", "a prediction whose region is a Mask or None", target)
        region = None if target.region is None else self._region(target.region, geometry)
        return self._prediction(self._class_of(target), region, maps, geometry)

    def _class_of(self, prediction: Prediction) -> int:
        names = self.labels if self.labels is not None else ()
        if prediction.label in names:
            return names.index(prediction.label)
        if isinstance(prediction.id, int) and (self.labels is None or prediction.id < len(self.labels)):
            return prediction.id
        raise InputError(f"target must be a prediction of this model's classes, got {prediction.name!r}")

    def _region(self, region: Any, geometry: Geometry) -> npt.NDArray[np.bool_] | None:
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


def _point(point: Sequence[Any], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    x, y = (_check.integer("region", value) for value in point)
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise InputError(f"region must be a point inside {size[1]}x{size[0]} pixels, got {(x, y)}")
    region = np.zeros(size, bool)
    region[y, x] = True
    return region


def _weights(region: npt.NDArray[np.bool_] | None, geometry: Geometry, shape: tuple[int, ...]) -> Maps:
    """How much of a region of the image lies in each cell (h, w) of the model's output; the sum is 1."""
    seen = _inside(geometry)
    if region is not None:
        seen = seen & geometry.to_input(region)
        if not seen.any():  # smaller than a pixel of the input, or outside of it
            seen = _nearest(region, geometry)
    cells = Image.fromarray(seen.astype(np.float32)).resize((shape[1], shape[0]), Image.Resampling.BOX)
    amounts = np.asarray(cells, np.float64)
    weights: Maps = amounts / amounts.sum()
    return weights


def _inside(geometry: Geometry) -> npt.NDArray[np.bool_]:
    """Which pixels of the input show the image, and not padding."""
    rows = (np.arange(geometry.input_height) + 0.5 - geometry.offset_y) / geometry.scale_y
    columns = (np.arange(geometry.input_width) + 0.5 - geometry.offset_x) / geometry.scale_x
    inside: npt.NDArray[np.bool_] = np.outer(
        (rows >= 0) & (rows < geometry.height), (columns >= 0) & (columns < geometry.width)
    )
    return inside


def _nearest(region: npt.NDArray[np.bool_], geometry: Geometry) -> npt.NDArray[np.bool_]:
    rows, columns = np.nonzero(region)
    row = np.floor((rows + 0.5) * geometry.scale_y + geometry.offset_y).astype(int)
    column = np.floor((columns + 0.5) * geometry.scale_x + geometry.offset_x).astype(int)
    seen = (row >= 0) & (row < geometry.input_height) & (column >= 0) & (column < geometry.input_width)
    if not seen.any():
        raise InputError("region must overlap what the model sees of the image, got one in the part that is cut off")
    found = np.zeros((geometry.input_height, geometry.input_width), bool)
    found[row[seen], column[seen]] = True
    return found


def _how_many(target: str | None) -> int | None:
    return 1 if target is None else None if target == "all" else int(target.removeprefix("top-"))


def _mask(prediction: Prediction) -> Mask:
    assert isinstance(prediction.region, Mask)
    return prediction.region
