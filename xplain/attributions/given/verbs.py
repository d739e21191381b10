"""The verbs that make explanations of numbers which somebody has computed elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xplain import _check
from xplain.attributions import call
from xplain.attributions.engine.quality import Quality
from xplain.attributions.given import numbers, rows
from xplain.attributions.given.photos import Photo
from xplain.attributions.given.reading import Asked, Reading
from xplain.attributions.given.recordings import Recording
from xplain.attributions.given.texts import Text
from xplain.explanation import Explanation
from xplain.explanation.notes import ALL_ZERO
from xplain.models import SignalClassifier, TextClassifier, as_model

if TYPE_CHECKING:
    from xplain.models import Detector, ImageClassifier, Segmenter

    AnyModel = ImageClassifier | TextClassifier | Detector | Segmenter | SignalClassifier

#: Values and base that miss the model's output by more than this part of their change get a note.
_TOLERANCE = 0.05


def from_array(
    values: Any,
    model: AnyModel,
    x: Any,
    target: Any = None,
    *,
    method: str = "given",
    channels: str = "sum",
    layout: str | None = None,
    frame: str | None = None,
    tokens: Sequence[str] | None = None,
) -> Explanation:
    """Make an explanation of numbers that were computed elsewhere, by whatever means.

    Parameters
    ----------
    values : array_like or torch.Tensor, or a sequence of those
        For one target an array; for T targets one each, as a sequence or along a first axis (T, ...). An axis of a
        batch of one may stand before it. Positive numbers speak for the target.

        For a photo, a map (height, width) of the model's input after preprocessing, or of the photo itself; with an
        axis of channels before or after it. For a text, one number for each word, each token of the model or each of
        ``tokens``, alone or with an axis of the embedding after it. For a recording, (axes, time) of the whole, or
        (windows, axes, time) as the model reads it, which is added up.
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter
        What predicts; it gives predictions and scores, and is not asked how it came to them.
    x : path, bytes, PIL.Image.Image, numpy.ndarray, torch.Tensor, or str for a text
        The input, as `xplain.explain` takes it.
    target : int, str, "top-k", "all", Prediction, or a sequence of those, optional
        What the numbers speak for, as in `xplain.explain`; the best prediction if left out.
    method : str
        How the numbers were computed, for the document.
    channels : {"sum", "max-abs"}
        How the numbers of a pixel's channels, or of a token's embedding, become one: their sum, which keeps what adds
        up, or their largest magnitude.
    layout : {"channels-first", "channels-last"}, optional
        Where a photo's axis of channels is; recognised if left out. If given, there may be any number of channels.
    frame : {"input", "photo"}, optional
        What a map lies on; recognised by its size if left out. "input" also takes a coarser map, as of a layer, that
        covers the input evenly.
    tokens : sequence of str, optional
        The pieces of the text that numbers belong to, in its order; those of tokenizers are understood (``##ing``,
        ``Ġgood``, ``[CLS]``), and "" belongs to no word.

    Returns
    -------
    Explanation
        As by `xplain.explain`: heat maps in pixels of the original photo, scores of words, scores over the recording.
        Its provenance names the method, without options or a seed, which are not known; ``quality["notes"]`` of each
        attribution says where the numbers come from and what became of them.

    Raises
    ------
    InputError
        If the numbers are not finite, do not fit the input and the targets, or fit in two ways.
    UnknownNameError
        If there is no such target.

    Examples
    --------
    >>> import numpy as np, xplain
    >>> def redness(images):
    ...     return images[..., 0].mean(axis=(1, 2))[:, None] / 255
    >>> model = xplain.ImageClassifier(redness, labels=["red"], output="probability")
    >>> photo = np.zeros((2, 3, 3), np.uint8)
    >>> photo[0, 1, 0] = 255
    >>> e = xplain.from_array(photo / 255.0, model, photo, method="its red")
    >>> e.attributions[0].evidence.values.tolist(), e.provenance.method
    ([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], 'its red')
    >>> xplain.from_array(np.ones((4, 4)), model, photo)
    Traceback (most recent call last):
    ...
    xplain.errors.InputError: values must be a map (2, 3) of the model's input, alone or with 3 channels, got shape
    (4, 4); frame='input' is for a coarser map that covers the input, layout= for other channels
    """
    reading = Reading("values", channels, layout, frame, tokens)
    return _explanation(values, _ask(model, x, target), reading, _method(method), "computed elsewhere")


def from_captum(
    tensor: Any,
    model: AnyModel,
    x: Any,
    target: Any = None,
    *,
    method: str = "captum",
    channels: str = "sum",
    layout: str | None = None,
    frame: str | None = None,
) -> Explanation:
    """Make an explanation of what ``attribute`` of a class of captum returned.

    Parameters
    ----------
    tensor : torch.Tensor, tuple of one tensor, or sequence of T tensors
        Of any device and precision, with or without a gradient. Of a photo (1, channels, height, width), of a text (1,
        tokens) or (1, tokens, embedding), of a recording (windows, axes, time); the first axis may be left out. For T
        targets one each. Of the map of a layer, say ``frame="input"``.
    model, x, target, method, channels, layout, frame
        As for `from_array`. Captum does not say which target a tensor speaks for: name it as it was named there.

    Returns
    -------
    Explanation
        As by `from_array`.

    Raises
    ------
    InputError, UnknownNameError
        As `from_array`.

    Examples
    --------
    >>> import torch, xplain
    >>> from captum.attr import InputXGradient
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> model, photo = xplain.ImageClassifier(net, labels=["cat", "dog"]), torch.rand(3, 2, 2)
    >>> attributed = InputXGradient(net).attribute(photo[None].requires_grad_(), target=1)
    >>> e = xplain.from_captum(attributed, model, photo, target="dog", method="InputXGradient")
    >>> e.attributions[0].target.name, e.attributions[0].evidence.values.shape
    ('dog', (2, 2))
    """
    reading = Reading("tensor", channels, layout, frame, of_input=True)
    return _explanation(tensor, _ask(model, x, target), reading, _method(method), "computed by captum")


def from_shap(
    explanation: Any,
    model: AnyModel,
    x: Any,
    target: Any = None,
    *,
    row: int | None = None,
    method: str = "shap",
    channels: str = "sum",
    layout: str | None = None,
    frame: str | None = None,
) -> Explanation:
    """Make an explanation of a row of a ``shap.Explanation``.

    Parameters
    ----------
    explanation : shap.Explanation
        Of photos, values (rows, height, width, channels); of texts (rows, tokens), whose strings are in ``data``; of
        recordings (rows, axes, time). An axis of outputs may follow. A row may have been taken, as ``explanation[0]``.
    model, x, method, channels, layout, frame
        As for `from_array`; ``x`` is the input of the row.
    target : int, str, or a sequence of those, optional
        Whose outputs to take: by ``output_names`` that are labels of the model, else by class number. It must be given
        where there are several outputs, or one of several was taken that is not named by a label.
    row : int, optional
        Which row, where there are several. Those of all windows of a recording are taken together.

    Returns
    -------
    Explanation
        As by `from_array`. If there are base values, ``quality`` holds them as the baseline score, beside the model's
        own score of the target and the completeness residual: score minus base minus the sum of the values.

    Raises
    ------
    InputError
        As `from_array`, and if tokens are not the text's in its order.
    UnknownNameError
        If there is no such target.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np, xplain
    >>> model = xplain.TextClassifier(lambda texts: np.array([[t.count("good") * 1.0] for t in texts]), labels=["good"])
    >>> computed = SimpleNamespace(  # of shap.Explainer(...)(["so good"])
    ...     values=np.array([[0.0, 1.0]]), base_values=np.array([0.0]), data=(["so ", "good"],), output_names=None
    ... )
    >>> (a,) = xplain.from_shap(computed, model, "so good").attributions
    >>> [(word.text, word.score) for word in a.evidence.words], a.quality["completeness_residual"]
    ([('so', 0.0), ('good', 1.0)], 0.0)
    """
    model = as_model(model, x)
    axes = 1 if isinstance(model, TextClassifier) else 2 if isinstance(model, SignalClassifier) else 3
    windows = len(model.prepare(x).starts) if isinstance(model, SignalClassifier) else 1
    taken = rows.read(explanation, row, axes, windows)
    labels = [" > ".join(label) for label in model.labels or ()]
    asked = _ask(model, x, taken.check_target(target, labels))
    columns = taken.columns(asked, labels)
    reading = Reading(rows.NAME, channels, layout, frame, taken.tokens, "explanation.data")
    values = [taken.values[..., column] for column in columns]
    base = None if taken.base is None else taken.base[columns]
    return _explanation(values, asked, reading, _method(method), "computed by shap", base, is_half=taken.is_half)


def _ask(model: AnyModel, x: Any, target: Any) -> Asked:
    """Let a model predict, and find the targets."""
    model = as_model(model, x)
    if isinstance(model, TextClassifier):
        return Text(model, x, target)
    if isinstance(model, SignalClassifier):
        return Recording(model, x, target)
    return Photo(model, x, target)


def _method(name: Any) -> str:
    if not _check.string("method", name):
        raise _check.wrong("method", "a name", name, "leave it out if there is none")
    return str(name)


def _explanation(
    values: Any,
    asked: Asked,
    reading: Reading,
    method: str,
    origin: str,
    base: numbers.Float64 | None = None,
    *,
    is_half: bool = False,
) -> Explanation:
    """Read the numbers of each target, and note what is known of them."""
    arrays = numbers.one_each(reading.name, values, len(asked.targets))
    placed = [asked.place(array, reading) for array in arrays]
    common = [f"{origin}, not by xplain"]
    if is_half or numbers.is_half(values):
        common.append("in half precision")
    quality = Quality()
    if base is not None:
        quality.completeness([array.sum() for array in arrays], asked.scores(), base)
    of_targets = quality.by_target(len(arrays))
    for measured, place in zip(of_targets, placed, strict=True):
        zeros = [] if place.values.any() else [ALL_ZERO]
        measured["notes"] = [*common, *place.notes, *zeros, *_missed(measured)]
    provenance = replace(call.origin_of(asked.model, method, {}, None), evaluations=asked.evaluations)
    return asked.explanation([place.values for place in placed], of_targets, provenance)


def _missed(measured: dict[str, Any]) -> list[str]:
    """Note values and a base that do not add up to the model's output: perhaps they explain another one."""
    if "completeness_residual" not in measured:
        return []
    score, residual = measured["score"], measured["completeness_residual"]
    change = score - measured["baseline_score"]
    if abs(residual) <= _TOLERANCE * max(abs(change), abs(change - residual)):
        return []
    return [f"values and base add up to {score - residual:.6g}, the model's output is {score:.6g}"]
