"""Models of images, and image classifiers: torch modules, or any callable that scores a batch of images.

`ImageModel` decodes and preprocesses photos for classifiers, detectors and segmenters alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import AttributionError, InputError
from xplain.explanation import Prediction, Source
from xplain.inputs import images, pixels
from xplain.models import borrowing
from xplain.models.base import Classifier, Model
from xplain.models.geometry import Geometry
from xplain.models.preprocessing.preprocess import Preprocess

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
        the image itself: uint8 (height, width, 3), or with the channels of an array that has others, float32 if the
        caller gave floats.
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
        output: str | None,
        layer: Any,
        name: str | None,
    ) -> None:
        Model.__init__(self, model, labels, output, name)
        self._set_image_options(preprocess, layer)

    def _set_image_options(self, preprocess: Preprocess | None, layer: Any) -> None:
        if preprocess is None and "image_processor" in self.given.extras:
            preprocess = Preprocess.of(self.given.extras["image_processor"])
        if callable(preprocess) and not isinstance(preprocess, Preprocess):
            preprocess = Preprocess.of(preprocess)
        if preprocess is not None and not isinstance(preprocess, Preprocess):
            raise _check.wrong("preprocess", "a Preprocess or None", preprocess, "xplain.Preprocess.of reads many")
        self.preprocess: Preprocess | None = preprocess
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
        loaded = images.load(image, bands=self.preprocess is None)
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
                of_8_bits = values.min() >= 0 and values.max() <= 255
                raise InputError(
                    f"image must hold floats from 0 to 1 where the model has a preprocess, got {values.min():.4g} to "
                    f"{values.max():.4g}; "
                    + ("divide it: image / 255; or " if of_8_bits else "")
                    + "leave out preprocess for an image that is normalised already"
                )
            array, geometry = self.preprocess(loaded.pixels)
            return Prepared(source, array, geometry)
        return Prepared(source, self._unprocessed(loaded), Geometry.identity(height, width))

    def _unprocessed(self, image: images.LoadedImage) -> npt.NDArray[Any]:
        """Return the input of a model without preprocessing, see `Prepared.array`."""
        values = image.values
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        elif self.module is not None:
            values = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
        else:
            values = image.pixels if values.shape[2] in (1, 3) else pixels.to_8_bits(values)
        return np.ascontiguousarray(values.transpose(2, 0, 1)) if self.channel_axis == 0 else values

    def call(self, batch: Any) -> Any:
        """Return what the model returns for a batch.

        Raises
        ------
        InputError
            If a module fails, and its first layer takes another number of channels than the batch has.
        """
        try:
            return super().call(batch)
        except AttributionError as error:
            if self.module is not None and (refusal := self._wrong_channels(self.module, batch.shape[1:])) is not None:
                raise refusal from error.__cause__
            raise

    def _wrong_channels(self, module: torch.nn.Module, shape: tuple[int, int, int]) -> InputError | None:
        """Return the error for an input of another number of channels than the first layer takes; None if it fits."""
        given, height, width = shape
        layers = (
            each
            for each in module.named_modules()
            if hasattr(each[1], "in_channels") or hasattr(each[1], "in_features")
        )
        name, layer = next(layers, ("", None))
        if layer is None:
            return None
        taken = getattr(layer, "in_channels", None) or layer.in_features / (height * width)
        if taken == given or taken != int(taken):
            return None
        taken = int(taken)
        if taken == 1:
            remedy = f"make photos grey: preprocess=xplain.Preprocess({self._grey_settings()})"
        elif self.preprocess is not None:
            remedy = "leave out preprocess, and pass an array (height, width, channels) with all of them"
        else:
            remedy = f"pass an array (height, width, {taken})"
        return InputError(
            f"image must have the number of channels that the model's layer {name!r} takes, {taken}, got {given}; "
            f"{remedy}"
        )

    def _grey_settings(self) -> str:
        """Return the arguments of a `Preprocess` that makes photos grey and is otherwise like that of the model."""
        like = self.preprocess or Preprocess(size=None, resize="none")
        same = {"size": like.size, "resize": like.resize, "channels": "L"}
        same |= {name: values[0] for name in ("mean", "std") if len(set(values := getattr(like, name))) == 1}
        plain = {"mean": 0.0, "std": 1.0, "resize": "shorter-side"}
        return ", ".join(f"{name}={value!r}" for name, value in same.items() if value != plain.get(name, ()))

    def to_tensor(self, batch: npt.NDArray[Any]) -> torch.Tensor:
        """Return a batch as a tensor of the module's device and floating type; a copy, as modules may change it."""
        import torch

        device, dtype = self.placement()
        return torch.tensor(batch, device=device, dtype=dtype)

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as JSON values, and what the model returns."""
        return (self.preprocess.describe() if self.preprocess else {}) | self.describe_output()


class ImageClassifier(ImageModel, Classifier):
    """A model that scores the classes of an image.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A module maps float32 (batch, channels, height, width) to (batch, classes), alone or in a tuple, a mapping or an
        object with ``logits``. A callable is a black box: without ``preprocess`` it is given uint8 (batch, height,
        width, 3), with it float32 (batch, channels, height, width), and returns an array or a tensor (batch, classes),
        or answers that name their scores. A pipeline of transformers and an estimator of scikit-learn are taken too.
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels; a label may be a path, as a tuple of str. If left out, those of the model
        (``config.id2label``, ``names``), else the class numbers.
    preprocess : Preprocess or callable, optional
        How a photo becomes the input; a function, such as a ``Compose``, is read by `Preprocess.of`. Without it a
        module is given the image itself, with all channels of an array: integers as 0..1, arrays of floats as they
        are.
    output : {"logit", "probability", "value"}, optional
        What the model returns: scores before a softmax or a sigmoid, probabilities, or values that are neither, as of a
        regression. If left out, what the model's configuration says, else logits. Where these come out of a softmax or
        a sigmoid, or a callable's all lie in 0..1 and add up to 1, on the input and for "nothing there", they are read
        as probabilities, and provenance says so. One score for two labels is that of the second.
    multilabel : bool, optional
        Whether classes are independent of each other (logits pass a sigmoid, not a softmax); what the model's
        configuration says if left out. A single class always is.
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
        output: str | None = None,
        multilabel: bool | None = None,
        layer: Any = None,
        name: str | None = None,
    ) -> None:
        # Not super(): the two base classes take different arguments.
        Classifier.__init__(self, model, labels, output, multilabel, name)
        self._set_image_options(preprocess, layer)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores (batch, classes) of the module; gradients flow."""
        return self.class_tensors(batch)

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
            return self.score_rows(batch if self.module is None else self.to_tensor(batch))

    def as_read(self, scores: npt.NDArray[np.float64], prepared: Prepared) -> Self:
        """Return the model with what it returns as the scores (classes,) of one input show it, see `read_output`."""

        def at_nothing() -> npt.NDArray[np.float64]:
            return self.of_classes(self.scores(np.zeros_like(prepared.array[np.newaxis])))

        return self.read_output(self.of_classes(scores), at_nothing, (prepared.array.shape, prepared.array.dtype))

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
            By decreasing score, which is a probability 0..1, or the model's value.
        """
        prepared = self.prepare(image)
        scores = self.scores(prepared.array[np.newaxis])[0]
        return self.as_read(scores, prepared).predictions(scores, top)
