"""Results of Edge Impulse, computed here: a labelled data set classified into a job, and the truth added to results.

The studio classifies "the complete testing dataset" of a project; `classify` does the same with a model of this package
and a folder. The names of the figures of learn blocks are those that the studio shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xplain import _check, formatters
from xplain.errors import InputError, UnknownNameError, XplainError
from xplain.explanation import Box, Explanation, Item, Prediction, Region, Results
from xplain.explanation.notes import Notes
from xplain.explanation.outcomes import UNCERTAIN, choose, decide
from xplain.formatters.edge_impulse.fields import FORMAT, Json
from xplain.quality.classification import ClassificationReport, classification_report

if TYPE_CHECKING:
    from xplain.models import ImageClassifier, SignalClassifier

_SAMPLE = "sample"
_FIGURES = {
    "Area under ROC Curve": "roc_auc",
    "Weighted average Precision": "precision",
    "Weighted average Recall": "recall",
    "Weighted average F1 score": "weighted_f1",
    "Cross-entropy loss": "log_loss",
}


def classify(
    model: ImageClassifier | SignalClassifier,
    folder: str | os.PathLike[str],
    *,
    project: int = 1,
    threshold: float | None = None,
) -> Results:
    """Classify a labelled data set: a folder with one sub-folder for each label, which holds the label's samples.

    Parameters
    ----------
    model : ImageClassifier or SignalClassifier
        What classifies the samples.
    folder : path
        Its sub-folders are named by labels of the model and hold photos, or recordings (``.npy``, ``.csv``). Names that
        begin with a full stop are left out.
    project : int
        Number of the project.
    threshold : float, optional
        Confidence 0..1 below which a window is uncertain, and counts as wrong; none by default.

    Returns
    -------
    Results
        An item for each file, named by its path in the folder, with the scores of all labels and what is ``expected``;
        a file that cannot be read has failed. ``attributes["edge-impulse"]`` holds the ``accuracy`` over all windows
        and the figures of the learn block. Written in the format ``"edge-impulse"``, it is the result of a job.

    Raises
    ------
    InputError
        If the folder cannot be read or has no sub-folder with a file, or the model is of another kind.
    UnknownNameError
        If a sub-folder is named by no label of the model.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, xplain
    >>> def shaking(windows):
    ...     return np.stack([1 - windows.std(axis=(1, 2)), windows.std(axis=(1, 2))], axis=1)
    >>> model = xplain.SignalClassifier(shaking, ["still", "shaking"], sample_rate_hz=10, window=20,
    ...                                 output="probability")
    >>> folder = Path(tempfile.mkdtemp())
    >>> for label, recording in (("still", np.zeros(20)), ("shaking", np.resize([1.0, -1.0], 20))):
    ...     (folder / label).mkdir()
    ...     np.save(folder / label / "a.npy", recording)
    >>> results = classify(model, folder)
    >>> results.attributes["edge-impulse"]["accuracy"]["accuracyScore"]
    100.0
    """
    from xplain.models import ImageClassifier, SignalClassifier

    if not isinstance(model, (ImageClassifier, SignalClassifier)):
        remedy = "; folders name no boxes or texts: add the truth to results by with_truth"
        raise InputError(f"model must be an ImageClassifier or SignalClassifier, got {type(model).__name__}{remedy}")
    project = _check.integer("project", project, least=0)
    if threshold is not None and not 0 <= _check.number("threshold", threshold) <= 1:
        raise _check.wrong("threshold", "between 0 and 1", threshold)
    items = [_classify(model, label, path, name, project, threshold) for label, path, name in _samples(model, folder)]
    results = Results("", tuple(items))
    document = formatters.to_document(results, FORMAT, lossy=True, page=False)
    report = _report(results, threshold or 0.0)
    extras = {
        "accuracy": document["accuracy"],
        "additionalMetricsByLearnBlock": [] if report is None else [_metrics(report, model.name or "")],
        "availableVariants": _variants(model),
    }
    return replace(results, attributes={FORMAT: {key: value for key, value in extras.items() if value}})


def with_truth(explanation: Explanation, truth: Any) -> Explanation:
    """Add what is really there to an explanation, so that a job has an accuracy.

    Parameters
    ----------
    explanation : Explanation
        Of an image or a signal.
    truth : str, sequence of str, or sequence of Prediction
        The true label, or one for each window of a signal. Of a detector's explanation, the objects: predictions with a
        box, each; none, if there is no object.

    Returns
    -------
    Explanation
        A copy. What is ``expected`` is an attribute of the best prediction of each window; objects are
        ``sample.boundingBoxes`` in ``attributes["edge-impulse"]``, in whole pixels.

    Raises
    ------
    InputError
        If the truth does not go with the task or the windows, or the size of the image is needed and not known.

    Examples
    --------
    >>> from xplain.explanation import Source
    >>> e = Explanation("image-classification", Source("image"), [Prediction("cat", 0.9), Prediction("dog", 0.1)])
    >>> formatters.to_document(with_truth(e, "cat"), "edge-impulse")["accuracy"]["accuracyScore"]
    100.0
    """
    if not isinstance(explanation, Explanation):
        raise _check.wrong("explanation", "an Explanation", explanation)
    if explanation.task == "object-detection":
        return _with_objects(explanation, truth)
    if explanation.task not in ("image-classification", "signal-classification"):
        raise _check.wrong("explanation.task", "one of Edge Impulse's", explanation.task)
    windows = _windows(explanation.predictions)
    labels = [truth] * len(windows) if isinstance(truth, str) else list(_check.tuple_of("truth", truth, str))
    if len(labels) != len(windows):
        raise InputError(f"truth must be a label, or one for each of {len(windows)} windows, got {len(labels)}")
    return _with_expected(explanation, dict(zip(windows, labels, strict=True)))


# The data set.


def _samples(
    model: ImageClassifier | SignalClassifier, folder: str | os.PathLike[str]
) -> Iterator[tuple[str, Path, str]]:
    """Yield the label, the path and the name of each sample, in the order of the names."""
    root = Path(folder)
    try:
        labels = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        files = {
            label: sorted(path for path in label.rglob("*") if path.is_file() and not path.name.startswith("."))
            for label in labels
        }
    except OSError as error:
        raise InputError(f"folder must be one that can be read, got {str(folder)!r}: {error.strerror}") from error
    if not any(files.values()):
        raise InputError(f"folder must have a sub-folder with samples for each label, got {str(folder)!r} without one")
    if model.labels is not None:
        names = [" > ".join(label) for label in model.labels]
        for label in labels:
            if label.name not in names:
                raise UnknownNameError(f"sub-folder of {root.name!r}", label.name, names)
    for label, paths in files.items():
        for path in paths:
            yield label.name, path, path.relative_to(root).as_posix()


def _classify(
    model: ImageClassifier | SignalClassifier,
    label: str,
    path: Path,
    name: str,
    project: int,
    threshold: float | None,
) -> Item:
    """Classify one sample."""
    try:
        prepared = model.prepare(path)
        predictions = _predict(model, prepared)
    except XplainError as error:
        return Item(name, "failed", error=str(error))
    if threshold is not None:
        predictions = tuple(replace(prediction, threshold=threshold) for prediction in predictions)
    source = replace(prepared.source, name=name, content=None)
    explanation = Explanation(model.task, source, predictions, attributes={FORMAT: _facts(model, path, project)})
    expected = dict.fromkeys(_windows(predictions), label)
    return Item(name, "successful", explanation=_with_expected(explanation, expected))


def _predict(model: Any, prepared: Any) -> tuple[Prediction, ...]:
    """Return the scores of all classes, by window; numbers of classes mean nothing to the vendor."""
    if model.task == "signal-classification":
        scores = model.all_scores(prepared)
        predictions = model.predictions_of(prepared, scores, scores.shape[1])
    else:
        (scores,) = model.scores(prepared.array[np.newaxis])
        predictions = model.predictions(scores, len(scores))
    return tuple(replace(prediction, id=None) for prediction in predictions)


def _facts(model: Any, path: Path, project: int) -> Json:
    """Return what the document says of a sample beside its values."""
    created = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    sample: Json = dict.fromkeys(("created", "lastModified", "added"), created.replace("+00:00", "Z"))
    facts: Json = {_SAMPLE: {**sample, **({"projectId": project} if project else {})}}
    if model.name:
        facts["classifications"] = {"0": {"learnBlock": {"name": model.name, "title": model.name}}}
    return facts


# The truth.


def _windows(predictions: Iterable[Prediction]) -> list[Region | None]:
    return list(dict.fromkeys(prediction.region for prediction in predictions))


def _with_expected(explanation: Explanation, expected: dict[Region | None, str]) -> Explanation:
    """Say in the best prediction of each window what is expected there."""
    judged: dict[Prediction, Prediction] = {}
    for region, label in expected.items():
        of_window = [prediction for prediction in explanation.predictions if prediction.region == region]
        best = choose(of_window, Notes().of)
        if best is not None:
            judged[best] = replace(best, attributes={**best.attributes, "expected": label})
    return replace(
        explanation,
        predictions=tuple(judged.get(prediction, prediction) for prediction in explanation.predictions),
        attributions=tuple(
            replace(attribution, target=judged.get(attribution.target, attribution.target))
            for attribution in explanation.attributions
        ),
    )


def _with_objects(explanation: Explanation, truth: Any) -> Explanation:
    """Add the objects of an image; the boxes of its detections become fractions, as documents have them."""
    source = explanation.source
    size = None if source.height is None or source.width is None else (source.height, source.width)
    boxes = []
    for i, found in enumerate(_check.tuple_of("truth", truth, Prediction)):
        if not isinstance(found.region, Box):
            raise _check.wrong(f"truth[{i}].region", "a Box", found.region)
        if found.region.unit != "pixel" and size is None:
            raise InputError(f"truth[{i}].region must be in pixels where the size of the image is not known")
        box = found.region if size is None else found.region.to("pixel", size)
        x0, y0, x1, y1 = (round(edge) for edge in (box.x0, box.y0, box.x1, box.y1))
        boxes.append({"label": found.name, "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0})
    extras = dict(explanation.attributes.get(FORMAT) or {})
    sample = {key: value for key, value in (extras.get(_SAMPLE) or {}).items() if key != "boundingBoxes"}
    if boxes:
        sample["boundingBoxes"] = boxes
    extras = {**extras, _SAMPLE: sample, "structured": True} if not boxes else {**extras, _SAMPLE: sample}
    extras = {key: value for key, value in extras.items() if value != {}}
    return replace(explanation, attributes={**explanation.attributes, FORMAT: extras})


# Figures.


def _report(results: Results, threshold: float) -> ClassificationReport | None:
    """Compare the scores of all windows with the truth; None if they are no confidences."""
    truth: list[str] = []
    scores: list[dict[str, float]] = []
    predicted: list[str] = []
    for explanation in (item.explanation for item in results.items if item.explanation is not None):
        for region in _windows(explanation.predictions):
            of_window = [prediction for prediction in explanation.predictions if prediction.region == region]
            best = next(prediction for prediction in of_window if "expected" in prediction.attributes)
            truth.append(best.attributes["expected"])
            predicted.append(decide(best, Notes().of(best)))
            scores.append({prediction.name: prediction.score for prediction in of_window})
    labels = sorted({*truth, *(label for row in scores for label in row)})
    matrix = np.array([[row.get(label, 0.0) for label in labels] for row in scores])
    if not len(matrix) or UNCERTAIN in labels or matrix.min() < 0 or matrix.max() > 1:
        return None
    return classification_report(truth, matrix, labels, predicted=predicted, threshold=threshold)


def _metrics(report: ClassificationReport, name: str) -> Json:
    """Write the figures of the learn block."""
    support = [of_class.support for of_class in report.classes]
    figures = {key: getattr(report, key, None) for key in _FIGURES.values()}
    figures |= {
        key: float(np.average([getattr(of_class, key) for of_class in report.classes], weights=support))
        for key in ("precision", "recall")
    }
    return {
        "learnBlockId": 1,
        "learnBlockName": name,
        "additionalMetrics": [
            {"name": title, "value": f"{figures[key]:.2f}", "fullPrecisionValue": figures[key]}
            for title, key in _FIGURES.items()
            if figures[key] is not None
        ],
    }


def _variants(model: Any) -> Sequence[str]:
    """Return the variant of the model that was tested, in the vendor's words; none of a callable."""
    if model.module is None:
        return []
    _, dtype = model.placement()
    return ["float32"] if str(dtype) == "torch.float32" else []
