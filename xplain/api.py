"""The verbs of the package: predict, explain, write, read, convert, validate, render.

Models, methods and pictures are imported when a verb needs them, so that reading and drawing a saved explanation does
not wait for torch. This module also tells explanations how to show themselves in a notebook, since they are defined
further left (see ``tests/test_layers.py``) than what draws them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xplain import formatters
from xplain.errors import InputError, XplainError
from xplain.explanation import Explanation, Item, Prediction, Record, Results, core
from xplain.explanation.several import Explanations
from xplain.formatters import from_document, schema, to_document
from xplain.inputs import files, images

if TYPE_CHECKING:
    from xplain.attributions import Cost, MethodInfo
    from xplain.formatters import Problem
    from xplain.models import Detector, ImageClassifier, Segmenter, SignalClassifier, TextClassifier
    from xplain.renderers import JobPage, Picture, TextPicture

    Model = ImageClassifier | TextClassifier | Detector | Segmenter | SignalClassifier

__all__ = [
    "Explanations",
    "convert",
    "cost",
    "explain",
    "explain_batch",
    "formats",
    "from_document",
    "methods",
    "predict",
    "read",
    "read_items",
    "refusals",
    "render",
    "schema",
    "to_document",
    "validate",
    "write",
]

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
    model = _check_model(model)
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
    **options: Any,
) -> Explanation:
    """Explain one prediction.

    Parameters
    ----------
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter
        One of those around a torch module or a callable, or `xplain.pretrained`.
    input : path, bytes, PIL.Image.Image, numpy.ndarray, torch.Tensor, or str for a text
        An image; arrays are (height, width, channels), tensors (channels, height, width). For a text classifier, the
        text; a tuple of two str is a pair of sentences. For a signal classifier, a recording: numbers (axes, time), or
        a ``.npy`` or ``.csv`` file.
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
    [explanation] = _explain(model, [input], [target], method, further=[inputs], **limits, **options)
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
    seed, batch_size, memory, progress, **options
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
    items = list(batch)
    targets = list(target) if isinstance(target, list) else [target] * len(items)
    further = list(inputs) if isinstance(inputs, list) else [inputs] * len(items)
    for name, given in (("target", targets), ("inputs", further)):
        if len(given) != len(items):
            raise InputError(f"{name} must have one entry for each of the {len(items)} inputs, got {len(given)}")
    limits: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "memory": memory, "progress": progress}
    return Explanations(_explain(model, items, targets, method, further=further, **limits, **options))


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

    prepared = _check_model(model).prepare(input)
    limits: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "memory": memory}
    return attributions.cost(model, prepared, target, method=method, further=inputs, **limits, **options)


def _explain(
    model: Model, inputs: Sequence[Any], targets: Sequence[Any], method: Any, **arguments: Any
) -> list[Explanation]:
    from xplain import attributions

    prepare = _check_model(model).prepare
    return attributions.run(model, [prepare(each) for each in inputs], targets, method=method, **arguments)


def _check_model(model: Model) -> Model:
    from xplain.models import check_model

    check_model(model)
    return model


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

    model = _check_model(model)
    return attributions.refusals(model, None if input is None else model.prepare(input))


def formats() -> Mapping[str, str]:
    """Return the document formats: name to summary."""
    return dict(formatters.FORMATS)


def write(
    explanation: Explanation | Results | Record,
    path: str | os.PathLike[str],
    format: str = "native",
    *,
    lossy: bool = False,
    overwrite: bool = True,
    **options: Any,
) -> None:
    """Write an explanation to a file, whole or not at all.

    Parameters
    ----------
    explanation : Explanation, Results or Record
        What to write.
    path : path
        The file.
    format, lossy, **options
        As for `xplain.to_document`.
    overwrite : bool
        Whether an existing file may be replaced.
    """
    document = to_document(explanation, format, lossy=lossy, **options)
    files.write(path, formatters.dumps(document).encode("utf-8"), overwrite=overwrite)


def read(path: str | os.PathLike[str] | io.IOBase, format: str | None = None) -> Explanation | Results | Record:
    """Read a document from a file or an open binary file; the format is recognised if left out.

    Raises
    ------
    InputError
        If there is no such file.
    DocumentError
        If it is not JSON, follows no format, or not its own; the message gives the ``$`` path.
    """
    return from_document(formatters.loads(files.read(path)), format)


def read_items(path: str | os.PathLike[str], format: str | None = None) -> Iterator[Item]:
    """Read the items of a job one at a time, however large its file is.

    Memory grows with the largest item, the fields beside the items, and the items' names. The job as a whole is not
    checked: `read` and `validate` find what is wrong with it, such as counts that do not fit.

    Parameters
    ----------
    path : path
        A file that holds the results of a job. It is read twice.
    format : str, optional
        The document's format; recognised if left out.

    Returns
    -------
    iterator of Item
        Those of ``read(path).items``, in the order of the file.

    Raises
    ------
    InputError
        If there is no such file.
    DocumentError
        If it is not JSON, follows no format or holds no items; while it is read, if an item is wrong (``.path`` is the
        ``$`` path in the whole document).

    Examples
    --------
    >>> import tempfile, pathlib, xplain
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "job.json"
    >>> xplain.write(xplain.Results("nightly", [xplain.Item("a.png", "waiting")]), path)
    >>> for item in xplain.read_items(path):
    ...     print(item.name, item.status)
    a.png waiting
    >>> folder.cleanup()
    """
    file = files.as_path(path)
    return formatters.read_items(lambda: files.opened(file), format)


def convert(document: Any, to: str, format: str | None = None, *, lossy: bool = False, **options: Any) -> Any:
    """Return a document in another format.

    Parameters
    ----------
    document : dict
        The document.
    to : str
        The format wanted.
    format : str, optional
        The document's format; recognised if left out.
    lossy, **options
        As for `xplain.to_document`.
    """
    return to_document(from_document(document, format), to, lossy=lossy, **options)


def validate(document: Any, format: str | None = None) -> list[Problem]:
    """Return every problem of a document, each with its ``$`` path; empty means valid.

    Parameters
    ----------
    document : dict, or path
        A document, or the file that holds one.
    format : str, optional
        The format it must follow; recognised if left out.
    """
    if isinstance(document, (str, os.PathLike)):
        return formatters.validate_text(files.read(document), format)
    return formatters.validate(document, format)


def render(
    subject: Explanation | Results | Record | Sequence[Explanation],
    image: Any = None,
    *,
    kind: str | None = None,
    target: Any = None,
    cmap: str | None = None,
    scale: Any = None,
    **style: Any,
) -> Picture | TextPicture | JobPage:
    """Draw an explanation, several side by side on one scale, a comparison, the results of a job, or a record.

    Parameters
    ----------
    subject : Explanation, sequence of Explanation, Comparison, Results or Record
        What to draw.
    image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor, optional
        The photo that was explained. An explanation made in this process still holds it. For the page of a job also a
        folder of photos, see `xplain.renderers.job.page.draw`.
    kind, target, cmap, scale, **style
        As for `xplain.renderers.draw`; among them, for a text or a recording that the explanation does not hold,
        ``text`` and ``signal``. Results without any of them, or of kind "page", become a page.

    Returns
    -------
    Picture, TextPicture or JobPage
        Shows itself in a notebook; ``.save("out.png")`` writes it. A page is written by ``.save("page.html")``; its
        other files are pictures of the job.

    Raises
    ------
    InputError
        If an argument is wrong or does not go with the others.
    UnknownNameError
        If an argument names nothing that exists.
    """
    from xplain.renderers import draw

    if isinstance(subject, Results) and kind in (None, "page"):
        from xplain.renderers.job import page as job_page

        options = {"target": target, "cmap": cmap, "scale": scale, **style}
        name = next((name for name, value in options.items() if value is not None), None)
        if name is None:
            return job_page.draw(subject, image, notes=formatters.notes)
        if kind is not None:
            raise InputError(f"{name} must be left out for a page, got {options[name]!r}")
    pixels = None if image is None else images.load(image, digest=False).pixels
    return draw(subject, pixels, formatters.notes, kind=kind, target=target, cmap=cmap, scale=scale, **style)


def _notebook_display(value: Any) -> dict[str, Any]:
    """The value as text and, if it can be drawn, as a picture; a display hook that raised would fail the cell."""
    bundle: dict[str, Any] = {"text/plain": repr(value)}
    try:
        return bundle | render(value).mimebundle()
    except XplainError as error:
        bundle["text/plain"] += f"\n(no picture: {error})"
        return bundle


core.notebook_display = _notebook_display
