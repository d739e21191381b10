"""Numbers for photos: maps of the model's input or of the photo itself, with or without channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xplain.attributions.engine.maps import InputMaps
from xplain.attributions.given.numbers import Float64
from xplain.attributions.given.reading import Asked, Placed, Reading
from xplain.attributions.kinds.detections import DetectionView
from xplain.attributions.kinds.images import explanation_of
from xplain.attributions.kinds.regions import RegionView
from xplain.attributions.kinds.views import PredictionView
from xplain.errors import InputError
from xplain.explanation import Explanation, Provenance
from xplain.models import Detector, Geometry, ImageClassifier, Prepared, Segmenter


class Photo(Asked):
    """A classifier, a detector or a segmenter, and one photo.

    Parameters
    ----------
    model : ImageClassifier, Detector or Segmenter
        What predicts.
    image, target
        As for `xplain.explain`.
    """

    def __init__(self, model: ImageClassifier | Detector | Segmenter, image: Any, target: Any) -> None:
        self.model = model
        self._is_named = target is not None
        self.prepared: Prepared = model.prepare(image)
        self._explained: ImageClassifier | PredictionView
        if isinstance(model, ImageClassifier):
            self._all_scores = model.scores(self.prepared.array[np.newaxis])[0]
            self.model = self._explained = model = model.as_read(self._all_scores, self.prepared)
            self.classes = model.targets(target, self._all_scores)
            self.class_count = self._all_scores.size
            self._indices = self.classes
        else:
            of = DetectionView.of if isinstance(model, Detector) else RegionView.of
            self._explained = view = of(model, self.prepared, target)  # type: ignore[arg-type]
            self._indices = tuple(range(len(view.target_predictions)))
            self._all_scores = np.array([prediction.score for prediction in view.target_predictions])
        self.targets = tuple(self._explained.prediction(self._all_scores, index) for index in self._indices)

    def scores(self) -> Float64:
        """Return the model's own output for the T targets, (T,)."""
        if isinstance(self._explained, ImageClassifier):
            of_classes: Float64 = self._all_scores[list(self._indices)]
            return of_classes
        self.evaluations += 1
        of_places: Float64 = self._explained.scores(self.prepared.array[np.newaxis])[0]
        return of_places

    def place(self, values: Float64, reading: Reading) -> Placed:
        """Return a map in pixels of the photo, (height, width)."""
        reading.refuse("a photo", "tokens")
        given = values
        while values.ndim > 3 and len(values) == 1:  # an axis of a batch of one
            values = values[0]
        frame, axis = self._recognised(values, reading)
        if axis == 0 and not reading.of_input:
            self._refuse_classes(given, reading)
        notes: tuple[str, ...] = ()
        if axis is not None:
            count = values.shape[axis]
            if count > 1:
                notes = (f"{count} channels became one number: {reading.channels}",)
            # An axis of one is that of a batch, unless the model has one channel.
            values = reading.reduced(values, axis) if count > 1 or self._channels == 1 else values.squeeze(axis)
        geometry = self.prepared.geometry
        return Placed(values if frame == "photo" else geometry.to_original(values).astype(np.float64), notes)

    def explanation(
        self, maps: Sequence[Float64], quality: list[dict[str, Any]], provenance: Provenance
    ) -> Explanation:
        """Make an explanation of maps in pixels of the photo."""
        geometry = self.prepared.geometry
        in_place = replace(self.prepared, geometry=Geometry.identity(geometry.height, geometry.width))
        computed = InputMaps(in_place, self._indices, self._all_scores, np.stack(maps), quality, [], provenance)
        return explanation_of(self._explained, computed)

    @property
    def _channels(self) -> int:
        return int(self.prepared.array.shape[self._explained.channel_axis])

    def _recognised(self, values: Float64, reading: Reading) -> tuple[str, int | None]:
        """Return what a map lies on, and its axis of channels; raise InputError if no answer fits, or two do."""
        fitting = [
            (frame, axis)
            for axis in self._possible_axes(values, reading)
            for frame in self._possible_frames(
                values.shape if axis is None else values.shape[1:] if axis == 0 else values.shape[:2], reading
            )
        ]
        if reading.of_input:  # captum's maps: of the input, channels first, if that fits
            fitting = [fit for fit in fitting if fit[0] == "input"] or fitting
            fitting = [fit for fit in fitting if fit[1] == 0] or fitting
        if not fitting:
            raise self._refused(values, reading)
        if len({axis for _, axis in fitting}) > 1:
            raise InputError(
                f"layout must be 'channels-first' or 'channels-last' for {reading.name} of shape {values.shape}, which "
                "may be either, got None"
            )
        if len(fitting) > 1:
            raise InputError(
                f"frame must be 'input' or 'photo' for {reading.name} of shape {values.shape}, the size of both, got "
                "None"
            )
        return fitting[0]

    def _possible_axes(self, values: Float64, reading: Reading) -> list[int | None]:
        """Return which axes may be that of channels: those of as many as the input or a photo has, or a single one."""
        if values.ndim == 2:
            return [None]
        if values.ndim != 3:
            return []
        if reading.layout is not None:
            axis = 0 if reading.layout == "channels-first" else -1
            return [axis] if values.shape[axis] else []
        return [axis for axis in (0, -1) if values.shape[axis] in (1, 3, self._channels)]

    def _possible_frames(self, size: tuple[int, ...], reading: Reading) -> list[str]:
        """Return what a map of a size may lie on."""
        geometry = self.prepared.geometry
        photo, model_input = (geometry.height, geometry.width), (geometry.input_height, geometry.input_width)
        if reading.frame == "input":
            is_coarser = 0 < size[0] <= model_input[0] and 0 < size[1] <= model_input[1]
            return ["input"] if is_coarser else []
        is_identity = geometry == Geometry.identity(*photo)
        fits = {"photo": size == photo, "input": size == model_input and not is_identity}
        return [frame for frame, fit in fits.items() if fit and reading.frame in (None, frame)]

    def _refuse_classes(self, values: Float64, reading: Reading) -> None:
        """Raise InputError if channels may just as well be maps of all classes."""
        are_classes = values.ndim == 3 and len(values) == self.class_count and len(values) > 1
        if are_classes and not self._is_named and reading.layout is None:
            raise InputError(
                f"target must be named for {reading.name} of shape {values.shape}, which may be {len(values)} channels "
                f"or the maps of {len(values)} classes, got None"
            )

    def _refused(self, values: Float64, reading: Reading) -> InputError:
        geometry, channels = self.prepared.geometry, self._channels
        photo, model_input = (geometry.height, geometry.width), (geometry.input_height, geometry.input_width)
        of_input = f"a map {model_input} of the model's input, alone or with {channels} channels"
        expected = of_input + ("" if photo == model_input else f", or {photo} of the photo")
        if reading.frame == "input":
            remedy = "leave frame out for a map of the photo; layout= says where other channels are"
            return reading.wrong_shape(f"{of_input}, or coarser", values, remedy)
        if reading.frame == "photo":
            return reading.wrong_shape(f"a map {photo} of the photo, alone or with channels", values, "leave frame out")
        if {values.shape[:2], values.shape[-2:]} & {photo[::-1], model_input[::-1]}:
            return reading.wrong_shape(expected, values, "it lies on its side: transpose it")
        remedy = "frame='input' is for a coarser map that covers the input, layout= for other channels"
        if values.ndim > 2:
            remedy += ", a list of targets for several maps"
        return reading.wrong_shape(expected, values, remedy)
