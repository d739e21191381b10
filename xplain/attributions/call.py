"""One call for any method on images: the method runs, and what it says is checked before it is believed."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.run import Run
from xplain.attributions.engine.session import Chunk, Progress, Session
from xplain.attributions.table import METHODS, Method, able
from xplain.errors import AttributionError, InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Heatmap, Provenance
from xplain.models import ImageClassifier, Model, Prepared
from xplain.models.borrowing import evaluation

Options = dict[str, Any]


def run(
    model: ImageClassifier,
    inputs: Sequence[Prepared],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
    parts: bool = False,
    **options: Any,
) -> list[Explanation]:
    """Explain the predictions of an image classifier, or of a view that has its face; see `_dispatch.run`.

    A view of another kind of input goes by its own ``task``, which says how a method is computed for it. ``parts`` says
    that the inputs are parts of one thing, any of which may have a map of zeros.
    """
    seed = _check.integer("seed", seed, least=0)
    if not inputs:
        return []
    refuse_inference_parameters(model)
    session = Session(model, inputs, targets, batch_size, memory, progress)
    with evaluation(model.module, gradients=True):
        entry = METHODS[method or _best_method(session)]
        refuse_black_box(entry, model)
        function = entry.load(model.task)
        complete = _complete_options(entry.name, function, options)
        # Hashed before the clock starts; weights cannot change during the call.
        origin = _origin(session, entry, complete, seed)
        explanations: list[Explanation] = []
        for chunk in session.chunks():
            explanations += _explain_chunk(chunk, entry, function, complete, origin, seed, parts)
    return explanations


def _explain_chunk(
    chunk: Chunk,
    entry: Method,
    function: Callable[..., npt.NDArray[Any]],
    options: Options,
    origin: Options,
    seed: int,
    parts: bool,
) -> list[Explanation]:
    started = time.perf_counter()
    found = []
    for row in range(len(chunk.prepared)):
        run = Run(chunk, row, seed)
        maps = np.asarray(function(run, **options))
        _refuse_maps(maps, run, entry, options, parts)
        found.append((run, [run.prepared.geometry.to_original(values) for values in maps]))
    seconds = (time.perf_counter() - started) / len(found)
    return [
        _explanation(run, maps, {**origin, "seconds": seconds, "evaluations": run.evaluations}) for run, maps in found
    ]


def _explanation(run: Run, maps: list[npt.NDArray[np.float32]], origin: Options) -> Explanation:
    scores = run.class_scores
    each = run.quality_each or [{} for _ in maps]
    attributions = tuple(
        Attribution(run.model.prediction(scores, index), Heatmap(values), origin["method"], {**run.quality, **notes})
        for index, values, notes in zip(run.targets, maps, each, strict=True)
    )
    return Explanation(
        run.model.task,
        run.prepared.source,
        run.model.predictions(scores),
        attributions,
        Provenance(**origin, created=datetime.now(UTC).isoformat(timespec="seconds")),
    )


def _best_method(session: Session) -> str:
    if session.model.module is None:
        return "occlusion"
    if session.model.layer is not None:
        return "grad-cam"
    seen = session.observation
    return "grad-cam" if seen.layer and not seen.attention else "integrated-gradients"


def refuse_black_box(entry: Method, model: Model) -> None:
    """Raise AttributionError if a method needs a module and the model is a black box."""
    if model.module is None and entry.needs != "scores":
        raise AttributionError(
            f"method must be one that needs scores only for a black box, got {entry.name!r}, which needs {entry.needs} "
            f"of a torch module; use one of {', '.join(able(model.task, 'scores'))}"
        )


def refuse_inference_parameters(model: Model) -> None:
    """Raise AttributionError if a module was built where gradients are off for ever."""
    if model.module is not None and any(parameter.is_inference() for parameter in model.module.parameters()):
        raise AttributionError(
            "model must be built outside torch.inference_mode, got parameters without gradients for ever; build it "
            "outside, or load a copy of its state_dict into a new module"
        )


def _complete_options(name: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Options:
    """Return all options of a method, defaults included."""
    known = {
        key: parameter.default
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    for key in options:
        if key not in known:
            if not known:
                raise InputError(f"options must be empty for {name}, which has none, got {key!r}")
            raise UnknownNameError(f"option of {name}", key, known)
    return {**known, **options}


def _refuse_maps(maps: npt.NDArray[Any], run: Run, entry: Method, options: Options, parts: bool) -> None:
    for index, values in zip(run.targets, maps, strict=True):
        label = run.model.prediction(run.class_scores, index).name
        if not np.isfinite(values).all():
            raise AttributionError(
                f"{entry.name} must give a finite map, got NaN or infinity for {label!r}; check the model for "
                "overflow (half precision?) or a gradient without limit (a root or a logarithm at 0)"
            )
        if not parts:
            refuse_zeros(values, label, entry, options)


def refuse_zeros(values: npt.NDArray[Any], label: str, entry: Method, options: Mapping[str, Any]) -> None:
    """Raise AttributionError if a map is zero everywhere."""
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


def _origin(session: Session, entry: Method, options: Options, seed: int) -> Options:
    model = session.model
    weights = model.fingerprint()
    packages = ["xplain", "numpy"] + (["torch"] if weights is not None else [])
    return {
        "method": entry.name,
        "options": {key: _as_json(value) for key, value in options.items()},
        "seed": seed if entry.random else None,
        "model": model.name,
        "model_sha256": weights,
        "preprocessing": model.describe(),
        "versions": {name: str(importlib.import_module(name).__version__) for name in packages},
    }


def _as_json(value: Any) -> Any:
    """Return an option as JSON values; of an array, what identifies it."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "sha256": digest}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_as_json(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _as_json(one) for key, one in value.items()}
    return value
