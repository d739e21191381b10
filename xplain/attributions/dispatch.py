"""The front door for every kind of model: `run` explains predictions, `refusals` says which methods cannot.

Each kind of model has a module that knows how to explain it. It is imported when the first model of its kind comes, so
that this package does not import torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xplain import _check
from xplain.attributions import call
from xplain.attributions.costs import Cost, Estimate
from xplain.attributions.engine.session import Progress
from xplain.attributions.naming import method_of
from xplain.attributions.progress import shown
from xplain.attributions.table import KINDS, METHODS, Method, method_names
from xplain.errors import AttributionError, InputError
from xplain.explanation import Explanation
from xplain.models import Classifier, ImageClassifier, Model, Segmenter, SignalClassifier, TextClassifier
from xplain.models.beside.similarity import similarities_in

#: By the kind of `KINDS`, the module whose ``explain(model, inputs, targets, request)`` explains it.
_MODULES = {
    "images": "xplain.attributions.kinds.images",
    "texts": "xplain.attributions.kinds.texts",
    "signals": "xplain.attributions.kinds.signals",
    "detections": "xplain.attributions.kinds.detections",
    "regions": "xplain.attributions.kinds.regions",
}

#: Options, by name, for a trial of a method: few evaluations.
_TRIAL_OPTIONS = {"n_steps": 2, "n_samples": 2}


def run(
    model: Model,
    inputs: Sequence[Any],
    targets: Sequence[Any] | None = None,
    *,
    method: Any = None,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    progress: bool | Progress | None = None,
    further: Sequence[Mapping[str, Any] | None] | None = None,
    check: bool = True,
    **options: Any,
) -> list[Explanation]:
    """Explain predictions of a model.

    Parameters
    ----------
    model : ImageClassifier, TextClassifier, SignalClassifier, Detector or Segmenter
        What is explained. A torch module runs in evaluation mode. Also when the call fails, it is left as it was:
        training flags, ``.grad`` and ``requires_grad`` of its parameters, hooks.
    inputs : sequence of Prepared, PreparedText or PreparedSignal
        Inputs from ``model.prepare``.
    targets : sequence, optional
        For each input what to explain, as ``model.targets`` takes it: None, an int, a label, "top-3", or a sequence of
        those; for a detector or a segmenter also "all" or a `Prediction`. None, and the default, is the best prediction
        of the input.
    method : str, type or captum.attr.Attribution, optional
        A key of `METHODS`, or any attribution of Captum: ``"captum:Class"``, a class, an instance. None is the best
        that the model can answer:

        ==========  ================================================================  ===============
        kind        torch module                                                      black box
        ==========  ================================================================  ===============
        images      grad-cam where a convolution makes feature maps, else             occlusion
                    integrated-gradients
        texts       integrated-gradients                                              shapley
        signals     integrated-gradients                                              occlusion
        detections  hires-cam, whose maps tell two objects of one class apart         d-rise
        regions     hires-cam                                                         occlusion
        ==========  ================================================================  ===============
    seed : int
        Seed of the method's random numbers, to which each input adds its digest: an input has the same numbers alone as
        among others, and two inputs have different ones. Global generators are neither used nor changed.
    batch_size : int, optional
        Variants of an input that are evaluated at once. None chooses by the model's activations. Batches shrink when
        memory runs out.
    memory : int, optional
        Bytes that the activations of a batch may take. None is 1 GiB, or a quarter of an accelerator's memory.
    progress : bool or callable, optional
        Called as ``progress(done, total)`` after each batch, in evaluations; the total grows when a method asks for
        more. True shows a bar on standard error.
    further : sequence of mapping or None, optional
        For each input further inputs of the model by name, see `xplain.models.beside.further`.
    check : bool
        Whether the model is checked, once for its weights and each shape of input, to give the same scores twice and
        beside other inputs; see `xplain.attributions.engine.guard`. False is noted in the provenance's options.
    **options
        Options of the method; for a segmenter also ``region``, see `Segmenter.targets`, for a signal classifier also
        ``windows``, see `xplain.attributions.kinds.signals.explain`.

    Returns
    -------
    list of Explanation
        One for each input: its predictions, and for each target a heat map in original pixels, word scores, or signal
        scores. The same input, seed, batch size, threads, versions and type of processor give the same bytes, whatever
        else the call holds. What to know about a map is said in sentences, in
        ``quality["notes"]``: that all of it is 0, with the cause where it was checked, or that the model computes in
        half precision.

    Raises
    ------
    UnknownNameError
        If there is no such method, option, layer or label.
    InputError
        If an option's value or the target cannot be used.
    AttributionError
        If the method cannot give a correct map: the model has no gradients or layers where it needs them, the map is
        not finite, or it cannot follow the model's functions; or the model's scores depend on chance or on the batch.

    Examples
    --------
    >>> import numpy as np
    >>> from xplain.models import ImageClassifier
    >>> model = ImageClassifier(lambda images: images[:, 0, 0], output="value")  # three classes: red, green, blue
    >>> photo = np.zeros((2, 2, 3), np.uint8)
    >>> photo[0, 0, 1] = 200
    >>> (explanation,) = run(model, [model.prepare(photo)], method="occlusion", window=1, stride=1)
    >>> explanation.attributions[0].evidence.values.tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    with shown(progress) as callback:
        checked = _check.boolean("check", check)
        request = call.Request(None, options, seed, batch_size, memory, callback, checked)
        return _run_further(model, inputs, targets, method, request, further)


def cost(
    model: Model,
    input: Any,
    target: Any = None,
    *,
    method: Any = None,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    further: Mapping[str, Any] | None = None,
    **options: Any,
) -> Cost:
    """Return what `run` of one input would cost; the arguments are the same.

    The method does not run, but the model does: where it has to, to find what is explained and to time a pass.
    """
    estimate = Estimate()
    request = call.Request(None, options, seed, batch_size, memory, check=False, stand_in=estimate.stand_in)
    (explanation,) = _run_further(model, [input], [target], method, request, [further])
    return estimate.total(explanation.provenance.evaluations or 0)


def _run_further(
    model: Model,
    inputs: Sequence[Any],
    targets: Sequence[Any] | None,
    method: Any,
    request: call.Request,
    further: Sequence[Mapping[str, Any] | None] | None,
) -> list[Explanation]:
    """Explain inputs of which some have further inputs beside them: each of those as in a call of its own."""
    inputs = list(inputs)
    if further is None or all(each is None for each in further):
        return [_with_inputs(each, model) for each in _run(model, inputs, targets, method, request)]
    targets = [None] * len(inputs) if targets is None else list(targets)
    for name, count in (("targets", len(targets)), ("inputs", len(further))):
        if count != len(inputs):
            raise InputError(f"{name} must be {len(inputs)}, one for each input, got {count}")
    explanations = []
    for each, target, others in zip(inputs, targets, further, strict=True):
        whole = model if others is None else model.with_inputs(others)
        (explanation,) = _run(whole, [each], [target], method, request)
        explanations.append(_with_inputs(explanation, whole))
    return explanations


def _with_inputs(explanation: Explanation, model: Model) -> Explanation:
    """Return an explanation with the model's further inputs, if it has any, in its provenance."""
    return _with_options(explanation, inputs=call.as_json(model.further)) if model.further else explanation


def _with_options(explanation: Explanation, **options: Any) -> Explanation:
    """Return an explanation with further options in its provenance."""
    provenance = explanation.provenance
    return replace(explanation, provenance=replace(provenance, options={**provenance.options, **options}))


def _run(
    model: Model, inputs: Sequence[Any], targets: Sequence[Any] | None, method: Any, request: call.Request
) -> list[Explanation]:
    """Explain inputs by a method that a caller names, if any."""
    inputs = list(inputs)
    targets = [None] * len(inputs) if targets is None else list(targets)
    if len(targets) != len(inputs):
        raise InputError(f"targets must be {len(inputs)}, one for each input, got {len(targets)}")
    model.refuse_missing_inputs()
    if any(similarities_in(target) for target in targets):
        return _run_similarities(model, inputs, targets, method, request)
    if isinstance(model, Classifier):
        model = model.with_margins(targets)
    entry = None if method is None else method_of(method, request.options.get("of"))
    if entry is not None:
        _refuse_method(model, entry)
    kind = importlib.import_module(_MODULES[KINDS[model.task]])
    request = replace(request, method=entry, seed=_check.integer("seed", request.seed, least=0))
    explanations: list[Explanation] = kind.explain(model, inputs, targets, request)
    return explanations


def _run_similarities(
    model: Model, inputs: Sequence[Any], targets: Sequence[Any], method: Any, request: call.Request
) -> list[Explanation]:
    """Explain inputs of which some have similarities as targets: each input by itself, as in a call of its own."""
    if not isinstance(model, (ImageClassifier, TextClassifier, SignalClassifier)):
        raise InputError(f"target must be a prediction of a {type(model).__name__}, got a Similarity")
    models: dict[Any, Any] = {}
    explanations = []
    for each, target in zip(inputs, targets, strict=True):
        similarities = similarities_in(target)
        if not similarities:
            explanations += _run(model, [each], [target], method, request)
            continue
        if similarities not in models:
            references = [model.prepare(similarity.reference) for similarity in similarities]
            outputs = np.stack([model.output_of(reference) for reference in references])  # type: ignore[arg-type]
            sources = [reference.source for reference in references]
            models[similarities] = model.with_similarities(similarities, sources, outputs), sources
        similar, sources = models[similarities]
        (explanation,) = _run(similar, [each], [None], method, request)
        described = [{"name": source.name, "sha256": source.sha256} for source in sources]
        explanations.append(_with_options(explanation, similarity=described))
    return explanations


def refusals(model: Model, prepared: Any = None) -> dict[str, str]:
    """Return the methods that cannot explain a model, each with the reason.

    Whether a method explains such models, and whether it needs more than a black box, is known without an input. What
    depends on the network (feature maps, attention that can be followed, gradients) takes a short trial of each method
    that needs more than scores.

    Parameters
    ----------
    model : Model
        What would be explained.
    prepared : optional
        An input from ``model.prepare``. If left out, a classifier or segmenter of images whose preprocessing has a size
        is tried on noise, and a classifier of texts on a few words; other models are not tried.

    Returns
    -------
    dict of str to str
        Name of the method to the message of its refusal.
    """
    trial_input = _trial_input(model) if prepared is None else prepared
    if model.missing_inputs:  # without which it cannot be tried
        trial_input = None
    reasons = {}
    for entry in METHODS.values():
        try:
            _try_method(model, entry, trial_input)
        except AttributionError as refusal:
            reasons[entry.name] = str(refusal)
    return reasons


def _refuse_method(model: Model, entry: Method) -> None:
    """Raise AttributionError unless a method explains what a model predicts."""
    if KINDS[model.task] not in entry.explains:
        names = method_names(model.task)
        raise AttributionError(
            f"method must be one that explains {KINDS[model.task]}, got {entry.name!r}; use one of {', '.join(names)}"
        )


def _try_method(model: Model, entry: Method, trial_input: Any) -> None:
    """Raise AttributionError if a method cannot explain a model; without an input, only what is known without one."""
    _refuse_method(model, entry)
    call.refuse_black_box(entry, model)
    call.refuse_inference_parameters(model)
    if trial_input is None or entry.needs == "scores":
        return
    accepted = entry.load().__kwdefaults__ or {}
    options: dict[str, Any] = {name: value for name, value in _TRIAL_OPTIONS.items() if name in accepted}
    if isinstance(model, Segmenter):
        options["region"] = "image"  # on noise, no class may be predicted anywhere
    run(model, [trial_input], method=entry.name, **options)


def _trial_input(model: Model) -> Any:
    """Return a prepared input that any model of its kind takes, or None where there is none."""
    if model.module is None:
        return None
    if isinstance(model, TextClassifier):
        return model.prepare("one two three")
    if isinstance(model, (ImageClassifier, Segmenter)) and model.preprocess is not None and model.preprocess.size:
        height, width = _check.tuple_of("Preprocess.size", model.preprocess.size, int)
        return model.prepare(np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8))
    return None
