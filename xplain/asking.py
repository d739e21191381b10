"""The verbs that ask a model: predict, explain, and what methods there are for it, at what cost.

Models and methods are imported when a verb needs them, so that reading and drawing a saved explanation does not wait
for torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction
from xplain.explanation.several import Explanations

if TYPE_CHECKING:
    from xplain.attributions import Cost, MethodInfo
    from xplain.models import Detector, ImageClassifier, Segmenter, SignalClassifier, TextClassifier

    Model = ImageClassifier | TextClassifier | Detector | Segmenter | SignalClassifier

__all__ = ["cost", "explain", "explain_batch", "methods", "predict", "refusals"]

Progress = Callable[[int, int], None]


def predict(
    model: Model, input: Any, top: int | None = None, *, inputs: Mapping[str, Any] | None = None
) -> tuple[Prediction, ...]:
    """Return a model's predictions for one input, by decreasing score.

    Parameters
    ----------
    model, input, inputs
        As for `explain`.
    top : int, optional
        How many. If left out, a classifier gives its five best, a detector and a segmenter all that they find.
    """
    model = _as_model(model, input)
    if inputs is not None:
        model = model.with_inputs(inputs)
    model.refuse_missing_inputs()
    return model.predict(input) if top is None else model.predict(input, top)


def explain(
    model: Model,
    input: Any,
    method: Any = None,
    target: Any = None,
    *,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    progress: bool | Progress | None = None,
    inputs: Mapping[str, Any] | None = None,
    check: bool = True,
    **options: Any,
) -> Explanation:
    """Explain one prediction.

    Parameters
    ----------
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter
        One of those around a torch module or a callable, or `xplain.pretrained`; also a pipeline of transformers, or an
        estimator of scikit-learn that takes texts or photos of the input's size.
    input : path, bytes, file, PIL.Image.Image, numpy.ndarray, torch.Tensor, or str for a text
        An image; arrays are (height, width, channels), tensors (channels, height, width), a str is a path or a
        ``data:`` URL. For a text classifier, the text; a tuple of two str is a pair of sentences. For a signal
        classifier, a recording: numbers (axes, time), a data frame, or a file of any of the kinds that
        `xplain.SignalClassifier.prepare` lists.
    method : str, type or captum.attr.Attribution, optional
        A key of `xplain.methods`; or any attribution of Captum: ``"captum:Class"``, a class of `captum.attr`, or an
        instance of one for the model's module. The best that the model can answer if left out.
    target : int, str, "top-k", "all", Margin, Similarity, Prediction, or a sequence of those, optional
        What to explain; the best prediction if left out. A classifier takes class numbers, labels (a tuple of str is
        one label with its levels), and an `xplain.Margin` of two classes, also as ``"first - second"``; a model of
        embeddings an `xplain.Similarity` to a reference. A detector
        takes numbers of its detections by decreasing score, labels, "all", or a `Prediction` with a label and a box. A
        segmenter takes classes, "all", or a `Prediction` with a label and a mask.
    seed : int
        Seed of the method's own random numbers. The same input, seed, batch size, number of threads, versions and type
        of processor give the same bits; provenance records them.
    batch_size : int, optional
        Most variants of an input in one call of the model. If left out, chosen for speed and memory by a watched pass,
        which is made once a model and process and counts as no evaluation; ``provenance.batch_size`` has it. An input's
        explanation does not depend on what else is explained in a call.
    memory : int, optional
        Bytes that perturbed inputs and activations of a batch may take.
    progress : bool or callable, optional
        Called with (evaluations done, evaluations planned). True shows a bar on standard error, by tqdm where it is
        installed.
    inputs : mapping, optional
        Further inputs of the model by the names of its arguments, such as metadata beside a photo, or depth beside
        colours: arrays or tensors for one input, without the batch axis, or plain values. They stay as they are in all
        variants and baselines, and are no part of the evidence.
    check : bool
        Whether a model that is new here is checked to give an input the same scores twice and beside other inputs: once
        for its weights and the input's shape, for 6 evaluations that are not counted. False is recorded in the
        provenance's options.
    **options
        Options of the method; its docstring names them, provenance records them. Of a segmenter also ``region``: what
        the target is explained over, ``"image"``, a mask or a point (x, y), if not the pixels predicted as it. Of a
        signal classifier also ``windows``: numbers of the windows of the recording to explain, if not all.

    Returns
    -------
    Explanation
        Predictions, and for each target one attribution: a heat map in the pixels of the original photo, word scores,
        or scores of the readings of a recording, added up over its windows. ``quality["notes"]`` of an attribution says
        in sentences if nothing counted and all values are 0, and what else is to be known of them.

    Raises
    ------
    InputError
        If an argument or the photo cannot be used.
    UnknownNameError
        If there is no such method, option or target.
    AttributionError
        If the method cannot give a correct answer for this model; the message says why and what to do.

    Examples
    --------
    >>> import numpy as np, xplain
    >>> def brightness(images):
    ...     left = images[:, :, :4].mean(axis=(1, 2, 3)) / 255
    ...     return np.stack([1 - left, left], axis=1)
    >>> model = xplain.ImageClassifier(brightness, labels=["dark", "bright"], output="probability")
    >>> photo = np.full((8, 8, 3), 200, np.uint8)
    >>> e = xplain.explain(model, photo, method="occlusion", window=2, stride=2)
    >>> e.attributions[0].evidence.values[0, [0, 7]].astype(float).round(3).tolist()
    [0.098, 0.0]
    """
    limits: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "memory": memory, "progress": progress}
    [explanation] = _explain(model, [input], [target], method, further=[inputs], check=check, **limits, **options)
    return explanation


def explain_batch(
    model: Model,
    batch: Iterable[Any] | None = None,
    method: Any = None,
    target: Any = None,
    *,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    progress: bool | Progress | None = None,
    inputs: Any = None,
    check: bool = True,
    **options: Any,
) -> Explanations:
    """Explain several inputs; the arguments are those of `explain`.

    Parameters
    ----------
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter
        What predicts.
    batch : iterable
        Inputs as `explain` takes them; also one array or tensor with a batch axis. Its other name is ``inputs``.
    method : str, optional
        A key of `xplain.methods`.
    target : int, str, "top-k", or list, optional
        One target for all inputs, or a list with one entry for each input; a tuple of str is one label.
    inputs : mapping or list of mapping, optional
        Further inputs of the model: one set for all inputs, or a list with one set for each.
    seed, batch_size, memory, progress, check, **options
        As for `explain`.

    Returns
    -------
    Explanations
        One for each input, in their order.
    """
    if batch is None:
        batch, inputs = inputs, None
    if isinstance(batch, (str, bytes, os.PathLike)):
        raise InputError(f"inputs must be a sequence of inputs, got {batch!r}; explain takes a single one")
    if isinstance(batch, Mapping) or not isinstance(batch, Iterable):
        raise InputError(f"inputs must be a sequence of inputs, got {type(batch).__name__}")
    _refuse_one_image(model, batch)
    items = list(batch)
    targets = list(target) if isinstance(target, list) else [target] * len(items)
    further = list(inputs) if isinstance(inputs, list) else [inputs] * len(items)
    for name, given in (("target", targets), ("inputs", further)):
        if len(given) != len(items):
            raise InputError(f"{name} must have one entry for each of the {len(items)} inputs, got {len(given)}")
    limits: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "memory": memory, "progress": progress}
    return Explanations(_explain(model, items, targets, method, further=further, check=check, **limits, **options))


def cost(
    model: Model,
    input: Any,
    method: Any = None,
    target: Any = None,
    *,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    inputs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Cost:
    """Return what `explain` would cost with the same arguments: evaluations, and an estimate of the seconds.

    The method does not run. The model scores the input, where the method or the target depends on it, and a batch of
    variants is timed, of a black box 4 at most.

    Parameters
    ----------
    model, input, method, target, seed, batch_size, memory, inputs, **options
        As for `explain`.

    Returns
    -------
    Cost
        ``evaluations``, which ``provenance.evaluations`` of the explanation will be, and ``seconds``; a named tuple.

    Raises
    ------
    AttributionError
        Also for the few classes of Captum whose evaluations are not known before they run.

    Examples
    --------
    >>> import xplain
    >>> model = xplain.TextClassifier(lambda texts: [[float(len(text)), 1.0] for text in texts])
    >>> xplain.cost(model, "one word and five more words", "occlusion").evaluations
    7
    """
    from xplain import attributions

    model = _as_model(model, input)
    prepared = model.prepare(input)
    limits: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "memory": memory}
    return attributions.cost(model, prepared, target, method=method, further=inputs, **limits, **options)


def _refuse_one_image(model: Model, inputs: Any) -> None:
    """Raise InputError for one image (height, width, channels), whose rows would be taken for grey images."""
    from xplain.models import Detector, ImageClassifier, Segmenter

    shape = tuple(getattr(inputs, "shape", ()))
    if len(shape) == 3 and shape[2] in (1, 3, 4) and isinstance(model, (ImageClassifier, Detector, Segmenter)):
        raise InputError(
            f"inputs must be a sequence of images, or an array with a batch axis, got one array of shape {shape}; "
            "explain takes a single image"
        )


def _explain(
    model: Model, inputs: Sequence[Any], targets: Sequence[Any], method: Any, **arguments: Any
) -> list[Explanation]:
    from xplain import attributions

    model = _as_model(model, inputs[0] if inputs else None)
    prepare = model.prepare
    return attributions.run(model, [prepare(each) for each in inputs], targets, method=method, **arguments)


def _as_model(model: Any, input: Any) -> Model:
    from xplain.models import as_model

    wrapped: Model = as_model(model, input)
    return wrapped


def methods(model: Model | None = None, input: Any = None) -> Mapping[str, MethodInfo]:
    """Return the attribution methods: name to summary, which knows the method's engine, options, cost and paper.

    Parameters
    ----------
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter, optional
        Only the methods that can explain this model; `refusals` has the others.
    input : optional
        As for `refusals`.

    Examples
    --------
    >>> import xplain
    >>> list(xplain.methods(xplain.TextClassifier(len)))
    ['occlusion', 'lime', 'kernel-shap', 'shapley', 'random']
    """
    from xplain.attributions import METHODS, MethodInfo

    refused = () if model is None else refusals(model, input)
    return {name: MethodInfo(method) for name, method in METHODS.items() if name not in refused}


def refusals(model: Model, input: Any = None) -> Mapping[str, str]:
    """Return the methods that cannot explain a model: name to reason.

    A method is refused if it explains other models, or needs more of the network than it shows: gradients, feature maps
    of a layer, attention. For the latter each is tried for a few evaluations.

    Parameters
    ----------
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter
        What would be explained.
    input : optional
        What to try the methods on, as `explain` takes it. If left out, noise of the size that the preprocessing makes,
        or a few words; detectors, signals and images of no known size are not tried then.

    Examples
    --------
    >>> import xplain
    >>> xplain.refusals(xplain.ImageClassifier(len))["saliency"][:59]
    'method must be one that needs scores only for a black box, '
    """
    from xplain import attributions

    model = _as_model(model, input)
    return attributions.refusals(model, None if input is None else model.prepare(input))
