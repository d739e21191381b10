"""Computes what a caller requests: the maps of inputs by one method, checked, with how they were computed.

`compute_maps` is the engine's call for every kind: it knows inputs and maps. The modules of `xplain.attributions.kinds`
make explanations of them. A map that is not finite is refused with the likely cause; one of zeros is an answer.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from xplain.attributions.engine import guard
from xplain.attributions.engine.checks import Checks
from xplain.attributions.engine.explained import Explained
from xplain.attributions.engine.maps import InputMaps
from xplain.attributions.engine.run import Run
from xplain.attributions.engine.session import Chunk, Progress, Session
from xplain.attributions.engine.supplies import Options, Supplies, compute, default_options
from xplain.attributions.table import METHODS, Method, method_names
from xplain.errors import AttributionError, InputError, UnknownNameError
from xplain.explanation import Provenance
from xplain.models import Model, Prepared
from xplain.models.borrowing import evaluation, is_lazy, name_of_layer, refusal_of_lazy_parts

Result = TypeVar("Result")

#: Of the score: as much as sums of equal scores may leave by rounding.
_DUST = 1e-12


@dataclass(frozen=True, slots=True)
class Request:
    """How to explain, beside what: the method and its options, and the limits of the computation.

    Parameters
    ----------
    method : Method or None
        None is the best that the model can answer.
    options : mapping
        Options of the method and of the kind.
    seed, batch_size, memory, progress, check
        See `xplain.attributions.run`.
    stand_in : callable, optional
        Returns what runs instead of a method, with the same options.
    """

    method: Method | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    batch_size: int | None = None
    memory: int | None = None
    progress: Progress | None = None
    check: bool = True
    stand_in: Callable[[Method], Method] | None = None

    def take(self, name: str) -> tuple[Any, Request]:
        """Return an option that is no method's but a kind's, None if left out, and the request without it."""
        others = {key: value for key, value in self.options.items() if key != name}
        return self.options.get(name), replace(self, options=others)


def choose_method(model: Model, request: Request, default: str) -> Method:
    """Return the requested method, or the default; refuse one that needs a module if the model is a black box."""
    entry = request.method or METHODS[default]
    refuse_black_box(entry, model)
    return entry


def refuse_black_box(entry: Method, model: Model) -> None:
    """Raise AttributionError if a method needs a module and the model is a black box."""
    if model.module is None and entry.needs != "scores":
        raise AttributionError(
            f"method must be one that needs scores only for a black box, got {entry.name!r}, which needs {entry.needs} "
            f"of a torch module; use one of {', '.join(method_names(model.task, 'scores'))}"
        )


def refuse_inference_parameters(model: Explained | Model) -> None:
    """Raise AttributionError if a module was built in inference mode: its parameters can never have gradients."""
    parameters = () if model.module is None else tuple(model.module.parameters())
    if any(map(is_lazy, parameters)):
        raise refusal_of_lazy_parts()
    if any(parameter.is_inference() for parameter in parameters):
        raise AttributionError(
            "model must be built outside torch.inference_mode, got parameters without gradients for ever; build it "
            "outside, or load a copy of its state_dict into a new module"
        )


def open_session(
    explained: Explained, inputs: Sequence[Prepared], targets: Sequence[Any], request: Request, *, is_one: bool = False
) -> Session:
    """Return a session for inputs within the limits of a request: at least one, or the parts of one if ``is_one``."""
    refuse_inference_parameters(explained)
    return Session(explained, inputs, targets, request.batch_size, request.memory, request.progress, is_one)


def compute_maps(
    session: Session, supplies: Supplies, entry: Method, request: Request, finish: Callable[[InputMaps], Result]
) -> list[Result]:
    """Compute the maps of all inputs of a session by one method, and finish each of them.

    Parameters
    ----------
    session : Session
        What is explained, its inputs and their targets.
    supplies : Supplies
        What the kind of input supplies to the method.
    entry : Method
        The method.
    request : Request
        The options and the seed.
    finish : callable
        Makes of the maps of an input what is kept of them; it may refuse them, before those of the next chunk are
        computed.
    """
    if request.stand_in is not None:
        entry = request.stand_in(entry)
    with evaluation(session.model.module, gradients=True):
        options = all_options(entry, supplies, request.options)
        if options.get("layer") is not None:
            options["layer"] = name_of_layer(session.model.module, options["layer"])
        if request.check:
            for prepared in {(each.array.shape, each.array.dtype): each for each in session.inputs}.values():
                guard.check(session.model, prepared.array, batched=session.batch_size != 1)
        # Hashed before the clock starts; weights cannot change during the call.
        said = options if request.check else {**options, "check": False}
        origin = origin_of(session.model, entry.name, said, request.seed if entry.random else None)
        origin = replace(origin, threads=threads_of(session.model))
        results: list[Result] = []
        for chunk in session.chunks():
            results += map(finish, _explain_chunk(chunk, supplies, entry, options, origin, request))
    return results


def all_options(entry: Method, supplies: Supplies, options: Mapping[str, Any]) -> Options:
    """Return all options of a method on a kind of input, defaults included; raise if there is no such option."""
    defaults = default_options(entry.load(), supplies) | dict(entry.defaults.get(supplies.kind, {}))
    if entry.engine == "captum" and "baselines" in options and "baselines" not in defaults:
        options = {"baseline" if name == "baselines" else name: value for name, value in options.items()}
    for name in options:
        if name not in defaults:
            if not defaults:
                raise InputError(f"options must be empty for {entry.name}, which has none, got {name!r}")
            raise UnknownNameError(f"option of {entry.name}", name, defaults)
    return {**defaults, **options}


def _explain_chunk(
    chunk: Chunk, supplies: Supplies, entry: Method, options: Options, origin: Provenance, request: Request
) -> list[InputMaps]:
    """Run a method on each input of a chunk."""
    method = entry.load()
    started = time.perf_counter()
    results = []
    for row in range(len(chunk.prepared)):
        run = Run(chunk, row, request.seed, check=request.check)
        maps = compute(method, run, supplies, options)
        _refuse_infinite(maps, run, entry)
        checks = run.checks(differentiated=entry.needs != "scores")
        results.append((run, _without_dust(maps, checks, run), checks))
    # Inputs of a chunk share passes through the model, so that each took an equal part of the time.
    seconds = (time.perf_counter() - started) / len(results)
    return [
        InputMaps(
            run.prepared,
            run.targets,
            run.class_scores,
            maps,
            run.quality.by_target(len(run.targets)),
            checks,
            _with_engine(
                replace(origin, seconds=seconds, evaluations=run.evaluations, batch_size=run.batch_size_used),
                run.computed_by,
            ),
        )
        for run, maps, checks in results
    ]


def _without_dust(maps: npt.NDArray[Any], checks: Sequence[Checks], run: Run) -> npt.NDArray[Any]:
    """Return maps with 0 for what sums leave by rounding where the score did not change in any variant."""
    scores = run.class_scores[list(run.targets)]
    dusty = [
        check.unchanged and np.abs(values).max(initial=0.0) <= _DUST * abs(score)
        for values, check, score in zip(maps, checks, scores, strict=True)
    ]
    return np.where(np.array(dusty)[:, None, None], 0.0, maps)


def _refuse_infinite(maps: npt.NDArray[Any], run: Run, entry: Method) -> None:
    """Raise AttributionError if a map is not finite."""
    for index, values in zip(run.targets, maps, strict=True):
        if not np.isfinite(values).all():
            label = run.model.prediction(run.class_scores, index).name
            raise AttributionError(
                f"{entry.name} must give a finite map, got NaN or infinity for {label!r}; check the model for "
                "overflow (half precision?) or a gradient without limit (a root or a logarithm at 0)"
            )


class Described(Protocol):
    """What provenance says of a model; every model of `xplain.models` is one, and every `Explained`."""

    @property
    def name(self) -> str:
        """The model's name in documents."""

    def fingerprint(self) -> str | None:
        """Return the sha256 of the weights; None if there are none."""

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as JSON values."""


def origin_of(model: Described, method: str, options: Options, seed: int | None) -> Provenance:
    """Return what the provenance of all inputs of a call has in common; a seed of None is that of no random numbers."""
    weights = model.fingerprint()
    packages = ["xplain", "numpy"] + (["torch"] if weights is not None else [])
    return Provenance(
        method=method,
        options={name: as_json(value) for name, value in options.items()},
        seed=seed,
        model=model.name,
        model_sha256=weights,
        preprocessing=model.describe(),
        versions={name: _version(name) for name in packages},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def threads_of(model: Explained) -> int:
    """Return how many threads compute a pass: those of torch; of a black box, those that OpenMP takes."""
    if model.module is not None:
        return int(sys.modules["torch"].get_num_threads())
    first, _, _ = os.environ.get("OMP_NUM_THREADS", "").partition(",")
    if first.strip().isdecimal() and int(first) > 0:
        return int(first)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _with_engine(origin: Provenance, engine: str) -> Provenance:
    """Return provenance with the engine that computed the maps, and its version if it is another package."""
    versions = origin.versions if engine in origin.versions else {**origin.versions, engine: _version(engine)}
    return replace(origin, engine=engine, versions=versions)


def _version(package: str) -> str:
    return str(importlib.import_module(package).__version__)


def as_json(value: Any) -> Any:
    """Return an option as JSON values; an array or a tensor by shape, type and digest."""
    if isinstance(value, type) or hasattr(value, "named_modules"):  # a class of Captum, a layer
        return getattr(value, "__name__", type(value).__name__)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "sha256": digest}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    return value
