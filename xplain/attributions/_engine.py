"""One call for any method: what is asked for is checked, the method runs, and what it says is checked again."""

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

from xplain.attributions._methods import METHODS, Method
from xplain.attributions._run import Run
from xplain.attributions._session import Chunk, Progress, Session
from xplain.errors import AttributionError, InputError, UnknownNameError
from xplain.explanation import Attribution, Explanation, Heatmap, Provenance, _check
from xplain.models import ImageClassifier, TextClassifier
from xplain.models._state import evaluation

__all__ = ["refuse_black_box", "run"]

Options = dict[str, Any]


def run(
    model: ImageClassifier | TextClassifier,
    inputs: Sequence[Any],
    targets: Sequence[Any] | None = None,
    *,
    method: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    memory: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> list[Explanation]:
    """Explain predictions of a model.

    Parameters
    ----------
    model : ImageClassifier or TextClassifier
        What is explained. A torch module runs in evaluation mode and is left as it was: training flags, ``.grad`` and
        ``requires_grad`` of its parameters, hooks, also when the call fails.
    inputs : sequence of Prepared or PreparedText
        Inputs from ``model.prepare``.
    targets : sequence, optional
        For each input the class or classes to explain, as ``model.targets`` takes them: None, an int, a label, "top-3",
        or a sequence of those. The predicted class of each input if left out.
    method : str, optional
        A key of `METHODS`. None is the best that the model can answer: for images grad-cam where a convolution makes
        feature maps, integrated-gradients for any other module, occlusion for a black box; for texts
        integrated-gradients, and shapley for a black box.
    seed : int
        Of the method's random numbers, the same for each input. Global generators are neither used nor changed.
    batch_size : int, optional
        Variants of an input that are evaluated at once. None chooses by the model's activations. Batches shrink when
        memory runs out.
    memory : int, optional
        Bytes that the activations of a batch may take; 1 GiB, or a quarter of an accelerator's memory.
    progress : callable, optional
        Called as ``progress(done, total)`` after each batch, in evaluations; the total grows when a method asks for
        more.
    **options
        Options of the method.

    Returns
    -------
    list of Explanation
        One for each input: the five highest predictions, and for each target a heat map in original pixels or word
        scores.
        Two runs on one machine give the same bytes.

    Raises
    ------
    UnknownNameError
        If there is no such method, option, layer or label.
    InputError
        If an option's value or the target cannot be used.
    AttributionError
        If the method cannot give a correct map: no gradients or layers where it needs them, a map that is zero
        everywhere or not finite, a model whose functions it cannot follow.

    Examples
    --------
    >>> from xplain.models import ImageClassifier
    >>> model = ImageClassifier(lambda images: images[:, 0, 0], output="probability")  # three classes: red, green, blue
    >>> photo = np.zeros((2, 2, 3), np.uint8)
    >>> photo[0, 0, 1] = 200
    >>> (explanation,) = run(model, [model.prepare(photo)], method="occlusion", window=1, stride=1)
    >>> explanation.attributions[0].evidence.values.tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    inputs = list(inputs)
    targets = [None] * len(inputs) if targets is None else list(targets)
    if len(targets) != len(inputs):
        raise InputError(f"targets must be {len(inputs)}, one for each input, got {len(targets)}")
    if isinstance(model, TextClassifier):
        from xplain.attributions import _texts

        return _texts.run(
            model,
            inputs,
            targets,
            method=method,
            seed=seed,
            batch_size=batch_size,
            memory=memory,
            progress=progress,
            **options,
        )
    seed = _check.integer("seed", seed, least=0)
    if method is not None:
        _check.known("method", method, METHODS)
    if not inputs:
        return []
    _refuse_inference_parameters(model)
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
            explanations += _explain_chunk(chunk, entry, function, complete, origin, seed)
    return explanations


def _explain_chunk(
    chunk: Chunk,
    entry: Method,
    function: Callable[..., npt.NDArray[Any]],
    options: Options,
    origin: Options,
    seed: int,
) -> list[Explanation]:
    started = time.perf_counter()
    found = []
    for row in range(len(chunk.prepared)):
        run = Run(chunk, row, seed)
        maps = np.asarray(function(run, **options))
        _refuse_maps(maps, run, entry, options)
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


def refuse_black_box(entry: Method, model: ImageClassifier | TextClassifier) -> None:
    """Raise AttributionError if a method needs a module and the model is a black box."""
    if model.module is None and entry.needs != "scores":
        text = model.task == "text-classification"
        able = ", ".join(
            name for name, method in METHODS.items() if method.needs == "scores" and (method.text_home or not text)
        )
        raise AttributionError(
            f"method must be one that needs scores only for a black box, got {entry.name!r}, which needs {entry.needs} "
            f"of a torch module; use one of {able}"
        )


def _refuse_inference_parameters(model: ImageClassifier) -> None:
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


def _refuse_maps(maps: npt.NDArray[Any], run: Run, entry: Method, options: Options) -> None:
    for index, values in zip(run.targets, maps, strict=True):
        if np.isfinite(values).all() and values.any():
            continue
        label = run.model.prediction(run.class_scores, index).name
        if not np.isfinite(values).all():
            raise AttributionError(
                f"{entry.name} must give a finite map, got NaN or infinity for {label!r}; check the model for "
                "overflow (half precision?) or a gradient without limit (a root or a logarithm at 0)"
            )
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
