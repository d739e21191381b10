"""Models of images, and image classifiers: torch modules, or any callable that scores a batch of images.

`ImageModel` decodes and preprocesses photos for classifiers, detectors and segmenters alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Prediction, Source
from xplain.inputs import images
from xplain.models import borrowing, outputs
from xplain.models.base import Classifier, Model
from xplain.models.geometry import Geometry, Preprocess

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image as the input of a model.

    Parameters
    ----------
    source : Source
        The photo.
    array : numpy.ndarray
        One input without its batch axis: float32 (channels, height, width) or, for a callable without preprocessing,
        the image itself: uint8 (height, width, 3), or float32 if the caller gave floats.
    geometry : Geometry
        Where the input lies on the original.
    identity : bytes, optional
        What tells the input from others, where its array does not: another text may have as many words, and two windows
        of a recording the same readings. None is the array.
    """

    source: Source
    array: npt.NDArray[Any]
    geometry: Geometry
    identity: bytes | None = None

    def digest(self) -> bytes:
        """Return 16 bytes that are those of this input alone."""
        identity = np.ascontiguousarray(self.array).tobytes() if self.identity is None else self.identity
        return hashlib.blake2b(identity, digest_size=16).digest()


class ImageModel(Model):
    """Base of all models of images.

    Attributes
    ----------
    preprocess : Preprocess or None
        How a photo becomes the input; None if the model reads photos as they are.
    layer : str or None
        Name of the module's layer for the class activation maps.
    """

    def __init__(
        self,
        model: Any,
        labels: Any,
        preprocess: Preprocess | None,
        *,
        output: str,
        layer: Any,
        name: str | None,
    ) -> None:
        Model.__init__(self, model, labels, output, name)
        self._set_image_options(preprocess, layer)

    def _set_image_options(self, preprocess: Preprocess | None, layer: Any) -> None:
        if preprocess is not None and not isinstance(preprocess, Preprocess):
            raise _check.wrong("preprocess", "a Preprocess or None", preprocess)
        self.preprocess = preprocess
        self.layer = None if layer is None else borrowing.name_of_layer(self.module, layer)

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in `Prepared.array`: -1 where a callable is given photos, else 0."""
        return -1 if self.module is None and self.preprocess is None else 0

    def prepare(self, image: Any) -> Prepared:
        """Decode an image and preprocess it.

        Parameters
        ----------
        image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
            The photo; arrays are (height, width, channels), tensors (channels, height, width).

        Returns
        -------
        Prepared
            The model's input, its source and the geometry between them.
        """
        loaded = images.load(image)
        height, width = loaded.pixels.shape[:2]
        source = Source(
            "image",
            name=loaded.name,
            sha256=loaded.sha256,
            height=height,
            width=width,
            content=loaded.pixels,
        )
        if self.preprocess is not None:
            values = loaded.values
            if values.dtype.kind == "f" and (values.min() < 0 or values.max() > 1):
                raise InputError(
                    f"image must hold floats from 0 to 1 where the model has a preprocess, got {values.min():.4g} to "
                    f"{values.max():.4g}; leave out preprocess for an image that is normalised already"
                )
            array, geometry = self.preprocess(loaded.pixels)
            return Prepared(source, array, geometry)
        return Prepared(source, self._unprocessed(loaded), Geometry.identity(height, width))

    def _unprocessed(self, image: images.LoadedImage) -> npt.NDArray[Any]:
        """Return the input of a model without preprocessing, see `Prepared.array`."""
        values = image.values
        if self.module is None and values.dtype.kind != "f":
            values = image.pixels
        elif values.dtype == np.uint8:
            values = values.astype(np.float32) / np.float32(255)
        else:
            values = values.astype(np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1)) if self.channel_axis == 0 else values

    def to_tensor(self, batch: npt.NDArray[Any]) -> torch.Tensor:
        """Return a batch as a tensor of the module's device and floating type; a copy, as modules may change it."""
        import torch

        device, dtype = self.placement()
        return torch.tensor(batch, device=device, dtype=dtype)

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as JSON values."""
        return self.preprocess.describe() if self.preprocess else {}


class ImageClassifier(ImageModel, Classifier):
    """A model that scores the classes of an image.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A module maps float32 (batch, channels, height, width) to (batch, classes), alone or in a tuple, a mapping or an
        object with ``logits``. A callable is a black box: without ``preprocess`` it is given uint8 (batch, height,
        width, 3), with it float32 (batch, channels, height, width), and returns an array or a tensor (batch, classes).
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels; a label may be a path, as a tuple of str. If left out, those of the model
        (``config.id2label``, ``names``), else the class numbers.
    preprocess : Preprocess, optional
        How a photo becomes the input. Without it a module is given the image itself: 8-bit pixels as 0..1, arrays of
        floats as they are.
    output : {"logit", "probability"}
        What the model returns.
    multilabel : bool
        Whether classes are independent of each other (logits pass a sigmoid, not a softmax). A single class always is.
    layer : str or torch.nn.Module, optional
        The module's layer for the class activation maps, by its name or itself; found by a probe if left out.
    name : str, optional
        The model's name in documents.

    Examples
    --------
    >>> def brightness(images):
    ...     mean = images.mean(axis=(1, 2, 3)) / 255
    ...     return np.stack([1 - mean, mean], axis=1)
    >>> model = ImageClassifier(brightness, labels=["dark", "bright"], output="probability")
    >>> model.predict(np.full((4, 4, 3), 255, np.uint8))[0].label
    ('bright',)
    """

    task = "image-classification"

    def __init__(
        self,
        model: Any,
        labels: Any = None,
        preprocess: Preprocess | None = None,
        *,
        output: str = "logit",
        multilabel: bool = False,
        layer: Any = None,
        name: str | None = None,
    ) -> None:
        # Not super(): the two base classes take different arguments.
        Classifier.__init__(self, model, labels, output, multilabel, name)
        self._set_image_options(preprocess, layer)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores (batch, classes) of the module; gradients flow."""
        scores: torch.Tensor = self.append_margins(outputs.class_tensor(self.function(batch), len(batch)))
        return scores

    def scores(self, batch: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Score a batch in one call of the model, without gradients.

        Parameters
        ----------
        batch : numpy.ndarray
            (batch, ...) of `Prepared.array`.

        Returns
        -------
        numpy.ndarray
            float64 (batch, classes): the model's own output.
        """
        with borrowing.evaluation(self.module, gradients=False):
            inputs = batch if self.module is None else self.to_tensor(batch)
            return self.scores_of(self.function(inputs), len(batch))

    def output_of(self, prepared: Prepared) -> npt.NDArray[np.float64]:
        """Return the model's output for a prepared image as float64 (classes,)."""
        scores: npt.NDArray[np.float64] = self.scores(prepared.array[np.newaxis])[0]
        return scores

    def predict(self, image: Any, top: int = 5) -> tuple[Prediction, ...]:
        """Classify one image.

        Parameters
        ----------
        image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
            The photo.
        top : int
            How many classes to return.

        Returns
        -------
        tuple of Prediction
            By decreasing score, which is a probability 0..1.
        """
        return self.predictions(self.scores(self.prepare(image).array[np.newaxis])[0], top)
