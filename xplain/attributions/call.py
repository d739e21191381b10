"""Explains images, and views of other kinds of input that pass for images, by one method.

Every map is checked before it becomes an explanation: one that is not finite, or zero everywhere, is refused with the
likely cause. The steps that the modules of `xplain.attributions.kinds` share are here too.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.run import Run
from xplain.attributions.engine.session import Chunk, Progress, Session
from xplain.attributions.table import METHODS, Method, method_names
from xplain.errors import AttributionError, InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Heatmap, Provenance
from xplain.models import ImageClassifier, Model, Prepared
from xplain.models.borrowing import evaluation

Options = dict[str, Any]


def explain(
    model: ImageClassifier,
    inputs: Sequence[Prepared],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
    allow_zeros: bool = False,
    **options: Any,
) -> list[Explanation]:
    """Explain predictions of an image classifier, or of a view with the same members; see `xplain.attributions.run`.

    A view keeps the ``task`` of the model behind it, which decides how a method is computed. With ``allow_zeros`` a map
    may be zero everywhere: for inputs that are parts of one thing, such as the windows of a recording.
    """
    seed = _check.integer("seed", seed, least=0)
    if not inputs:
        return []
    refuse_inference_parameters(model)
    session = Session(model, inputs, targets, batch_size, memory, progress)
    with evaluation(model.module, gradients=True):
        entry = METHODS[method or _best_method(session)]
        refuse_black_box(entry, model)
        all_options = _with_defaults(entry, model.task, options)
        # Hashed before the clock starts; weights cannot change during the call.
        origin = _origin(session, entry, all_options, seed)
        explanations: list[Explanation] = []
        for chunk in session.chunks():
            explanations += _explain_chunk(chunk, entry, all_options, origin, seed, allow_zeros)
    return explanations


def explain_view(view: Any, prepared: Prepared, count: int, **arguments: Any) -> Explanation:
    """Explain all ``count`` classes of a view of one image; its own ``setup_evaluations`` count as evaluations."""
    (explanation,) = explain(view, [prepared], [list(range(count))], **arguments)
    evaluations = (explanation.provenance.evaluations or 0) + view.setup_evaluations
    return replace(explanation, provenance=replace(explanation.provenance, evaluations=evaluations))


def choose_method(model: Model, method: str | None, *, for_module: str, for_black_box: str) -> Method:
    """Return the method asked for, else the default; raise AttributionError if it needs a module and there is none."""
    entry = METHODS[method or (for_black_box if model.module is None else for_module)]
    refuse_black_box(entry, model)
    return entry


def refuse_black_box(entry: Method, model: Model) -> None:
    """Raise AttributionError if a method needs a module and the model is a black box."""
    if model.module is None and entry.needs != "scores":
        raise AttributionError(
            f"method must be one that needs scores only for a black box, got {entry.name!r}, which needs {entry.needs} "
            f"of a torch module; use one of {', '.join(method_names(model.task, 'scores'))}"
        )


def refuse_inference_parameters(model: Model) -> None:
    """Raise AttributionError if a module was built in inference mode: its parameters can never have gradients."""
    if model.module is not None and any(parameter.is_inference() for parameter in model.module.parameters()):
        raise AttributionError(
            "model must be built outside torch.inference_mode, got parameters without gradients for ever; build it "
            "outside, or load a copy of its state_dict into a new module"
        )


def refuse_zeros(values: npt.NDArray[Any], label: str, entry: Method, options: Mapping[str, Any]) -> None:
    """Raise AttributionError, with the likely causes, if a map is zero everywhere."""
    if values.any():
        return
    causes = ["the score does not depend on the input"]
    if entry.needs != "scores":
        causes.append("its gradient vanishes (explain logits, not saturated probabilities)")
    if entry.needs == "layers" and options.get("relu", True):
        causes.append("all evidence is negative (hires-cam, or grad-cam with relu=False, shows it)")
    if "baseline" in options:
        causes.append("the baseline equals the input (choose another)")
    raise AttributionError(
        f"{entry.name} must give a map that is not zero everywhere, got zeros for {label!r}; either "
        + ", or ".join(causes)
    )


def _best_method(session: Session) -> str:
    """Return the default method for images: grad-cam wherever the model has feature maps that show places."""
    if session.model.module is None:
        return "occlusion"
    if session.model.layer is not None:
        return "grad-cam"
    observation = session.observation
    return "grad-cam" if observation.layer and not observation.attention_follows else "integrated-gradients"


def _with_defaults(entry: Method, task: str, options: Mapping[str, Any]) -> Options:
    """Return all options of a method, defaults included; raise if there is no such option."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(entry.load(task)).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for name in options:
        if name not in defaults:
            if not defaults:
                raise InputError(f"options must be empty for {entry.name}, which has none, got {name!r}")
            raise UnknownNameError(f"option of {entry.name}", name, defaults)
    return {**defaults, **options}


def _explain_chunk(
    chunk: Chunk, entry: Method, options: Options, origin: Options, seed: int, allow_zeros: bool
) -> list[Explanation]:
    """Run a method on each input of a chunk; ``origin`` holds the fields of `Provenance` that all inputs share."""
    compute = entry.load(chunk.session.model.task)
    started = time.perf_counter()
    results = []
    for row in range(len(chunk.prepared)):
        run = Run(chunk, row, seed)
        maps = np.asarray(compute(run, **options))
        _refuse_useless(maps, run, entry, options, allow_zeros)
        results.append((run, [run.prepared.geometry.to_original(values) for values in maps]))
    # Inputs of a chunk share passes through the model, so that each took an equal part of the time.
    seconds = (time.perf_counter() - started) / len(results)
    return [
        _explanation(run, maps, {**origin, "seconds": seconds, "evaluations": run.evaluations}) for run, maps in results
    ]


def _refuse_useless(
    maps: npt.NDArray[Any], run: Run, entry: Method, options: Mapping[str, Any], allow_zeros: bool
) -> None:
    """Raise AttributionError if a map is not finite, or zero everywhere where that is not allowed."""
    for index, values in zip(run.targets, maps, strict=True):
        label = run.model.prediction(run.class_scores, index).name
        if not np.isfinite(values).all():
            raise AttributionError(
                f"{entry.name} must give a finite map, got NaN or infinity for {label!r}; check the model for "
                "overflow (half precision?) or a gradient without limit (a root or a logarithm at 0)"
            )
        if not allow_zeros:
            refuse_zeros(values, label, entry, options)


def _explanation(run: Run, maps: list[npt.NDArray[np.float32]], origin: Options) -> Explanation:
    scores = run.class_scores
    quality_each = run.quality_each or [{} for _ in maps]
    attributions = tuple(
        Attribution(run.model.prediction(scores, index), Heatmap(values), origin["method"], {**run.quality, **notes})
        for index, values, notes in zip(run.targets, maps, quality_each, strict=True)
    )
    return Explanation(
        run.model.task,
        run.prepared.source,
        run.model.predictions(scores),
        attributions,
        Provenance(**origin, created=datetime.now(UTC).isoformat(timespec="seconds")),
    )


def _origin(session: Session, entry: Method, options: Options, seed: int) -> Options:
    """Return the fields of `Provenance` that all inputs of a call share."""
    model = session.model
    weights = model.fingerprint()
    packages = ["xplain", "numpy"] + (["torch"] if weights is not None else [])
    return {
        "method": entry.name,
        "options": {name: _as_json(value) for name, value in options.items()},
        "seed": seed if entry.random else None,
        "model": model.name,
        "model_sha256": weights,
        "preprocessing": model.describe(),
        "versions": {name: str(importlib.import_module(name).__version__) for name in packages},
    }


def _as_json(value: Any) -> Any:
    """Return an option as JSON values; an array or a tensor by shape, type and digest."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "sha256": digest}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    return value
