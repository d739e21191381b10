"""Images: classifiers of images, and what every kind that is explained on pixels supplies to methods."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions import call
from xplain.attributions.engine.maps import InputMaps, combined_provenance, with_notes
from xplain.attributions.engine.session import Session, form_of
from xplain.attributions.engine.supplies import Cover, Players, Supplies
from xplain.attributions.kinds.backgrounds import gathered_photos, members
from xplain.attributions.kinds.segments import is_near, segment
from xplain.attributions.kinds.views import PredictionView
from xplain.attributions.table import Method
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Heatmap
from xplain.inputs import baselines as baseline_images
from xplain.kernels import masks
from xplain.models import ImageClassifier, Prepared
from xplain.models.borrowing import evaluation

Baseline = Any


def explain(
    model: ImageClassifier, inputs: Sequence[Prepared], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain predictions of an image classifier; see `xplain.attributions.run`.

    Inputs of one form are explained together: default method and baselines depend on it, and not on other inputs.
    """
    explanations: list[Explanation] = []
    for _, numbers in itertools.groupby(range(len(inputs)), key=lambda i: form_of(inputs[i])):
        rows = list(numbers)
        explanations += _explain_alike(model, [inputs[i] for i in rows], [targets[i] for i in rows], request)
    return explanations


def _explain_alike(
    model: ImageClassifier, inputs: Sequence[Prepared], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain inputs of one form, at least one."""
    session = call.open_session(model, inputs, targets, request)
    with evaluation(model.module, gradients=True):
        entry = call.choose_method(model, request, "" if request.method else _best_method(session))
    request = gathered_photos(request, inputs[0].array.shape, lambda photo: model.prepare(photo).array)
    supplies = Pixels("images", model.channel_axis).supplies
    return call.compute_maps(session, supplies, entry, request, partial(explanation_of, model))


def explain_view(
    view: PredictionView, kind: str, prepared: Prepared, entry: Method, request: call.Request
) -> Explanation:
    """Explain all predictions of a view of one image; its own passes count as evaluations."""

    def finish(computed: InputMaps) -> Explanation:
        provenance = combined_provenance([computed.provenance], view.setup_evaluations)
        return explanation_of(view, replace(computed, provenance=provenance))

    request = gathered_photos(request, prepared.array.shape, view.read)
    session = call.open_session(view, [prepared], [range(len(view.target_predictions))], request)
    supplies = Pixels(kind, view.channel_axis).supplies
    (explanation,) = call.compute_maps(session, supplies, entry, request, finish)
    return explanation


def explanation_of(explained: ImageClassifier | PredictionView, computed: InputMaps) -> Explanation:
    """Make an explanation of maps of an image, as heat maps in its original pixels."""
    doubts: list[str] = []
    if isinstance(explained, ImageClassifier):
        explained = explained.as_read(computed.scores, computed.prepared)
        doubts = explained.doubts(computed.scores)
    attributions = []
    for t, index in enumerate(computed.targets):
        target = explained.prediction(computed.scores, index)
        heatmap = Heatmap(computed.prepared.geometry.to_original(computed.maps[t]))
        quality = with_notes(computed.quality[t], heatmap.values, computed.checks[t : t + 1], doubts)
        attributions.append(Attribution(target, heatmap, computed.provenance.method, quality))
    predictions = explained.predictions(computed.scores)
    provenance = replace(computed.provenance, preprocessing=explained.describe())
    return Explanation(explained.task, computed.prepared.source, predictions, tuple(attributions), provenance)


def _best_method(session: Session) -> str:
    """Return the default method for images: grad-cam wherever the model has feature maps that show places."""
    if session.model.module is None:
        return "occlusion"
    if session.model.layer is not None:
        return "grad-cam"
    return "grad-cam" if session.observation(session.inputs[0]).layer_has_places else "integrated-gradients"


@dataclass(frozen=True, slots=True)
class Pixels:
    """What images supply to methods; the keyword options of its functions are those that a caller sets.

    Parameters
    ----------
    kind : str
        Which kind is explained on the image.
    channel_axis : int
        Axis of the channels in an input, 0 or -1.
    """

    kind: str
    channel_axis: int

    @property
    def supplies(self) -> Supplies:
        """All that methods may ask for."""
        return Supplies(self.kind, self.baseline, self.baselines, self.players, self.cover)

    def baseline(self, prepared: Prepared, *, baseline: Baseline = 0.0) -> list[npt.NDArray[np.float32]]:
        """Return the input that stands for "nothing there", or a set of inputs whose explanations are averaged.

        Parameters
        ----------
        prepared : Prepared
            The input.
        baseline : float, "mean", "blur", array_like, or a list of those and of photos
            A number fills the input, in its own units: 0.0 is the mean colour where preprocessing subtracts one, and
            black otherwise. "mean" is the input's own mean colour, "blur" the input out of focus (a Gaussian of a tenth
            of its shorter side), and an array of the input's shape, or one that broadcasts to it, is itself. A list,
            or an array (k, ...), is a set, such as k real inputs: the members are as above, or photos (paths, bytes,
            Pillow images, arrays (height, width, channels)), which the model prepares. A set costs k times as much.

        Returns
        -------
        list of numpy.ndarray
            float32 each, of the shape of the input.
        """
        specs = members("baseline", baseline, prepared.array.ndim)
        return [baseline_images.make(prepared.array, self.channel_axis, spec) for spec in specs]

    def baselines(self, prepared: Prepared, *, baselines: Any = (0.0, "mean", "blur")) -> list[npt.NDArray[np.float32]]:
        """Return several baselines.

        Parameters
        ----------
        prepared : Prepared
            The input.
        baselines : baseline or set of baselines
            As for `baseline`; a list of numbers is a set of inputs that these fill.
        """
        several = isinstance(baselines, (list, tuple))
        specs = list(baselines) if several and baselines else members("baselines", baselines, prepared.array.ndim)
        return [baseline_images.make(prepared.array, self.channel_axis, spec, "baselines") for spec in specs]

    def players(self, prepared: Prepared, *, segments: Any = "slic", n_segments: int = 50) -> Players:
        """Return regions of the image as players.

        Parameters
        ----------
        prepared : Prepared
            The input.
        segments : {"slic", "quickshift", "felzenszwalb", "grid"} or integer array (height, width)
            The regions: superpixels, rectangles, or a feature mask in pixels of the original image.
        n_segments : int
            How many superpixels or rectangles to make; within a tenth, else the map has a note.
        """
        players = Players(segment(prepared, self.channel_axis, segments, n_segments))
        if isinstance(segments, str) and segments != "quickshift" and not is_near(players.count, n_segments):
            nearest = f"{players.count} regions, the nearest to {n_segments} that {segments} makes of this image"
            return replace(players, note=nearest)
        return players

    def cover(self, prepared: Prepared, *, window: Any = 1 / 7, stride: Any = 1 / 14) -> Cover:
        """Return the positions of a window, which cover all pixels.

        Where windows overlap, the last of a row or column is moved back to fit. Where the stride is the window's size,
        none overlap: they are spread evenly, some a little smaller, if they do not fit.

        Parameters
        ----------
        prepared : Prepared
            The input.
        window, stride : int, float or pair of those
            Size of the window and distance between two windows, for both axes or as (height, width): an int is in
            pixels of the model's input, a float a fraction of its side, above 0 and at most 1.
        """
        shape = prepared.array.shape
        size = (shape[1], shape[2]) if self.channel_axis == 0 else (shape[0], shape[1])
        patch, step = _pixels("window", window, size), _pixels("stride", stride, size)
        if step[0] > patch[0] or step[1] > patch[1]:
            raise InputError(f"stride must be at most the window, {patch} pixels, got {step}; pixels would be left out")
        rows, columns = (
            masks.slide(side, extent, distance) for side, extent, distance in zip(size, patch, step, strict=True)
        )
        return Cover(rows, columns)


def _pixels(name: str, value: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return a length for both axes in pixels, from pixels (int) or a fraction of the side (float)."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise _check.wrong(name, "one length or a pair (height, width)", value)
    return _length(name, pair[0], size[0]), _length(name, pair[1], size[1])


def _length(name: str, value: Any, side: int) -> int:
    if isinstance(value, float):
        if not 0 < value <= 1:
            raise _check.wrong(name, "a fraction above 0 and at most 1", value, "whole pixels are an int")
        return max(1, round(value * side))
    pixels = _check.integer(name, value, least=1)
    if pixels > side:
        raise InputError(f"{name} must be at most {side}, the side of the model's input in pixels, got {pixels}")
    return pixels
