"""The score that an attribution explains, as a function of the model's input: for measures of maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.session import Session
from xplain.attributions.kinds.detections import DetectionView
from xplain.attributions.kinds.regions import RegionView
from xplain.errors import InputError
from xplain.explanation import Prediction
from xplain.models import Detector, ImageClassifier, Prepared, Segmenter

#: What a score can be.
OUTPUTS = ("probability", "logit", "similarity")

Score = Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
ImageModels = ImageClassifier | Detector | Segmenter


def target_of(model: ImageModels, prediction: Prediction) -> Any:
    """Return a prediction as `models` and methods take a target."""
    if isinstance(model, ImageClassifier):
        return prediction.id if isinstance(prediction.id, int) else prediction.name
    return prediction


def scorer(
    model: ImageModels, prepared: Prepared, prediction: Prediction, output: str | None, batch_size: int | None
) -> tuple[Score, str]:
    """Return a function that scores variants of an image for a prediction, and what its scores are.

    Parameters
    ----------
    model : ImageClassifier, Detector or Segmenter
        What predicts.
    prepared : Prepared
        The image.
    prediction : Prediction
        What is explained.
    output : {"probability", "logit", "similarity"}, optional
        What the scores are to be. Left out, probabilities of a classifier, the `similarity` of a detection, and what a
        segmenter returns.
    batch_size : int, optional
        Images in one call of the model; chosen by its activations if left out.
    """
    target = target_of(model, prediction)
    if isinstance(model, ImageClassifier):
        own = {"logit": ("probability", "logit"), "probability": ("probability",)}[model.output]
        view: Any = model
        (index,) = model.targets(target, model.scores(prepared.array[np.newaxis])[0])
    else:
        own = (model.output,) if isinstance(model, Segmenter) else ("similarity",)
        kind = RegionView if isinstance(model, Segmenter) else DetectionView
        view, index = kind.of(cast(Any, model), prepared, target), 0
    chosen = own[0] if output is None else _check.choice("output", output, OUTPUTS)
    if chosen not in own:
        raise InputError(f"output must be {' or '.join(map(repr, own))} for this model, got {output!r}")
    session = Session(view, [prepared], [target], batch_size, None, None)
    softened = isinstance(model, ImageClassifier) and chosen == "probability"

    def score(batch: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        found = np.concatenate([scores for _, scores in session.batches_for(len(batch)).map(view.scores, batch)])
        wanted: npt.NDArray[np.float64] = (view.probabilities(found) if softened else found)[:, index]
        return wanted

    return score, chosen
