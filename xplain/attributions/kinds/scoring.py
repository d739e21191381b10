"""The score that an attribution explains, as a function of the model's input: for measures of maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
OUTPUTS = ("probability", "logit", "value", "similarity")

ScoreFunction = Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
ModelOfImages = ImageClassifier | Detector | Segmenter


def target_of(model: ModelOfImages, prediction: Prediction) -> Any:
    """Return the target that means a prediction: a class for a classifier, the prediction itself for other models."""
    if isinstance(model, ImageClassifier):
        return prediction.id if isinstance(prediction.id, int) else prediction.name
    return prediction


def scorer(
    model: ModelOfImages, prepared: Prepared, prediction: Prediction, output: str | None, batch_size: int | None
) -> tuple[ScoreFunction, str]:
    """Return a function that scores variants (n, ...) of an image for a prediction, and which output its scores are.

    Parameters
    ----------
    model : ImageClassifier, Detector or Segmenter
        What predicts.
    prepared : Prepared
        The image.
    prediction : Prediction
        What is explained.
    output : {"probability", "logit", "value", "similarity"}, optional
        What the scores are to be. If left out, the probabilities or values of a classifier, the `similarity` of a
        detection, and what a segmenter returns.
    batch_size : int, optional
        Images in one call of the model; chosen by its activations if left out.
    """
    target = target_of(model, prediction)
    explained: ImageClassifier | DetectionView | RegionView
    if isinstance(model, ImageClassifier):
        explained = model.with_margins(target)
        scores_of_input = explained.scores(prepared.array[np.newaxis])[0]
        explained = explained.as_read(scores_of_input, prepared)
        possible = ("probability", "logit") if explained.output == "logit" else (explained.output,)
        (index,) = explained.targets(target, scores_of_input)
    elif isinstance(model, Segmenter):
        possible, explained, index = (model.output,), RegionView.of(model, prepared, target), 0
    else:
        possible, explained, index = ("similarity",), DetectionView.of(model, prepared, target), 0
    score_output = possible[0] if output is None else _check.choice("output", output, OUTPUTS)
    if score_output not in possible:
        raise InputError(f"output must be {' or '.join(map(repr, possible))} for this model, got {output!r}")
    session = Session(explained, [prepared], [target], batch_size, None, None)  # for its batches alone

    def score(batch: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        batches = session.batches_for(0, len(batch))
        scores = np.concatenate([batch_scores for _, batch_scores in batches.map(explained.scores, batch)])
        if isinstance(explained, ImageClassifier) and score_output == "probability":
            scores = explained.probabilities(scores)
        target_scores: npt.NDArray[np.float64] = scores[:, index]
        return target_scores

    return score, score_output
