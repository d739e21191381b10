"""What an explanation will cost: evaluations, counted without running the method, and an estimate of its seconds.

`cost` goes the way of `xplain.attributions.run` with a stand-in for the method, which counts what the method would
evaluate and returns zeros. So what a kind of input adds (passes that find boxes, windows of a text) is counted by the
very code that makes it, and what a method takes (baselines, regions, windows to cover) is made as for the method.
"""

from __future__ import annotations

import copy
import inspect
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.captum.classes import HOOKED, SCORES, Chosen, choose
from xplain.attributions.table import Method
from xplain.errors import AttributionError

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Float64 = npt.NDArray[np.float64]

#: Variants of a black box that are timed: each may cost more than time.
_MOST_TIMED = 4


class Cost(NamedTuple):
    """What an explanation costs.

    Attributes
    ----------
    evaluations : int
        Single inputs that go through the model, as ``provenance.evaluations`` will have it; of `rise` with a tolerance
        the most.
    seconds : float
        Estimated from the time of a few passes on this machine; without decoding, regressions and drawing.
    """

    evaluations: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.evaluations:,} evaluations, about {self.seconds:.2g} seconds"


@dataclass(slots=True)
class Estimate:
    """Counts what methods would evaluate, and times a pass of the model."""

    counted: int = 0
    seconds: float = 0.0
    seconds_of_pass: float = 0.0
    _seen: dict[Run, set[bytes]] = field(default_factory=dict)
    _times: dict[Any, tuple[float, float]] = field(default_factory=dict)

    def stand_in(self, entry: Method) -> Method:
        """Return an entry with the same options, whose function counts instead of computing."""
        return _Counted(**{name: getattr(entry, name) for name in Method.__slots__}, estimate=self)

    def count(self, run: Run, entry: Method, options: Mapping[str, Any]) -> Float64:
        """Count what a method would evaluate of an input beside the input itself; the map is zeros."""
        evaluations = _formula(entry)(_Call(run, options, self._seen.setdefault(run, set()), entry))
        self.counted += evaluations
        self._add_time(run, entry, evaluations)
        run.count(evaluations)
        return np.zeros((len(run.targets), *run.size))  # the targets take the pass of the input itself

    def _add_time(self, run: Run, entry: Method, evaluations: int) -> None:
        """Add the time of evaluations; that of inputs of one form is measured once."""
        together = min(run.batch_size_for(max(evaluations, 1)), max(evaluations, 1))
        if run.model.module is None:
            together = min(together, _MOST_TIMED)
        key = (run.prepared.array.shape, together, entry.needs)
        if key not in self._times:
            self._times[key] = _seconds_of_pass(run, together, differentiated=entry.needs != "scores")
        forward, with_gradients = self._times[key]
        self.seconds_of_pass = max(self.seconds_of_pass, forward)
        self.seconds += evaluations * with_gradients

    def total(self, evaluations: int) -> Cost:
        """Return the cost of an explanation, of which ``evaluations`` were counted in all."""
        return Cost(evaluations, self.seconds + max(0, evaluations - self.counted) * self.seconds_of_pass)


@dataclass(frozen=True, slots=True)
class _Counted(Method):
    """An entry whose function counts."""

    estimate: Any = None

    def load(self) -> Callable[..., Float64]:
        real = Method.load(self)

        def function(run: Run, **options: Any) -> Float64:
            counted: Float64 = self.estimate.count(run, self, options)
            return counted

        function.__signature__ = inspect.signature(real)  # type: ignore[attr-defined]
        return function


def _seconds_of_pass(run: Run, together: int, *, differentiated: bool) -> tuple[float, float]:
    """Return the seconds that a variant takes of as many at once: scored, and as the method wants it."""
    batch = np.repeat(run.prepared.array[np.newaxis], together, axis=0)
    if run.prepared.source.kind == "text" and run.model.module is None:  # other texts than itself
        batch = (1 - np.eye(batch.shape[-1], dtype=batch.dtype))[: len(batch), np.newaxis, np.newaxis]
    forward = _timed(lambda: run.model.scores(batch)) / len(batch)
    return forward, _timed(lambda: _differentiate(run, batch)) / len(batch) if differentiated else forward


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _differentiate(run: Run, batch: npt.NDArray[Any]) -> None:
    from xplain.attributions.engine import autograd

    recording = autograd.record_input(run.model, run.model.to_tensor(batch))
    autograd.class_gradients(recording, [run.targets[:1]] * len(batch))


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a method's function: what formulas know.

    Parameters
    ----------
    run : Run
        The input.
    options : mapping
        All options, and what the kind supplied.
    seen : set of bytes
        Digests of the baselines whose score is known.
    entry : Method
        The method.
    """

    run: Run
    options: Mapping[str, Any]
    seen: set[bytes]
    entry: Method

    @property
    def targets(self) -> int:
        """How many targets there are."""
        return len(self.run.targets)

    def number(self, name: str) -> int:
        """An option that is a count."""
        return _check.integer(name, self.options[name], least=1)

    def scored(self, baselines: Sequence[npt.NDArray[Any]]) -> int:
        """How many of some baselines have to be scored."""
        digests = {self.run.digest(baseline) for baseline in baselines} - self.seen
        self.seen.update(digests)
        return len(digests)

    def worth(self, coalitions: int) -> int:
        """What as many coalitions cost, with each background."""
        return coalitions * len(self.options["background"])


def _path(call: _Call) -> int:
    return call.number("n_steps") + call.scored([call.options["baseline"]])


def _gradient_shap(call: _Call) -> int:
    return call.number("n_samples") + call.scored(call.options["baselines"])


def _cam(call: _Call) -> int:
    """The layer's pass is that of the input itself; where it runs several times, more are needed to place its calls."""
    from xplain.attributions.engine import layers, places

    name, is_moved = layers.layer_that_runs(call.run, call.options["layer"])
    return places.VARIANTS if is_moved or len(call.run.layer_calls(name)) > 1 else 0


def _lime(call: _Call) -> int:
    from xplain.attributions.methods.surrogate import draw_coalitions

    players = call.options["players"].count
    if players == 1:
        return call.worth(1)
    return call.worth(len(np.unique(draw_coalitions(call.run.rng, call.number("n_samples"), players), axis=0)) - 1)


def _kernel_shap(call: _Call) -> int:
    from xplain.attributions.methods.coalitions import pairs_within

    players = call.options["players"]
    budget = call.number("budget")
    return call.worth(1 if players.count == 1 else 2 * pairs_within(players, budget) + 1)


def _shapley(call: _Call) -> int:
    count = call.options["players"].count
    is_exact = count < 63 and 2**count <= call.number("budget")
    return call.worth(2**count - 1) if is_exact else _kernel_shap(call)


def _rollout(call: _Call) -> int:
    return 1


#: By method, what it evaluates beside the input itself, which is one.
_FORMULAS: Mapping[str, Callable[[_Call], int]] = {
    "saliency": lambda call: 0,
    "input-x-gradient": lambda call: 0,
    "integrated-gradients": _path,
    "smoothgrad": lambda call: call.number("n_samples"),
    "gradient-shap": _gradient_shap,
    "deep-lift": lambda call: 2,
    "guided-backprop": lambda call: 0,
    "grad-cam": _cam,
    "hires-cam": _cam,
    "guided-grad-cam": lambda call: _cam(call) + 1,
    "attention-rollout": _rollout,
    "gradient-rollout": _rollout,
    "occlusion": lambda call: len(call.options["cover"].positions),
    "feature-ablation": lambda call: call.options["players"].count,
    "lime": _lime,
    "kernel-shap": _kernel_shap,
    "shapley": _shapley,
    "rise": lambda call: call.number("n_samples"),
    "d-rise": lambda call: call.number("n_samples"),
    "random": lambda call: 0,
    "sobel": lambda call: 0,
    "centre": lambda call: 0,
}


def _formula(entry: Method) -> Callable[[_Call], int]:
    """Return what counts a method's evaluations."""
    return _FORMULAS.get(entry.name, _of_captum)


def _of_captum(call: _Call) -> int:
    """What a class of Captum evaluates: as often for each target, and once to rewrite the module if it is hooked."""
    chosen: Chosen = call.entry.chosen or choose(call.entry.captum_class)
    if chosen.name in SCORES:
        return _rehearsed(call)
    if chosen.name not in _POINTS:
        raise AttributionError(
            f"method must be one whose evaluations are known before it runs, got {call.entry.name!r}; explain once, "
            "and see provenance.evaluations"
        )
    repeats = call.number("nt_samples") if chosen.is_repeated else 1
    adds_up = chosen.name in _SCORE_BASELINES and not chosen.is_repeated
    supplied = call.options.get("baselines", [call.options["baseline"]] if "baseline" in call.options else [])
    return (
        (chosen.name in HOOKED)
        + _to_find_places(call)
        + call.targets * repeats * _POINTS[chosen.name](call)
        + (call.scored(supplied) if adds_up else 0)
    )


def _to_find_places(call: _Call) -> int:
    """What it takes to find the axis of a layer's output that runs along a text or a recording."""
    from xplain.attributions.engine import layers, sequences
    from xplain.attributions.engine.autograd import outputs_of_calls

    run = call.run
    if "layer" not in call.options or "neuron" in call.options or not layers.is_sequence(run):
        return 0
    layer, _ = layers.choose_layer(run, call.options["layer"])
    with outputs_of_calls(run.model, layer) as outputs:
        run.model.scores(run.prepared.array[np.newaxis])
    return sequences.NOISES if outputs and sequences.is_measured(run, tuple(outputs[-1].shape[1:])) else 0


def _parts_of_baselines(call: _Call) -> int:
    """Baselines that pass, in parts of which the smallest has two."""
    count, size = len(call.options["baselines"]), max(2, call.run.batch_size_for(64) // 2)
    return sum(max(2, min(size, count - start)) for start in range(0, count, size))


def _conductance(call: _Call) -> int:
    """Points of a path whose batches overlap by one."""
    points = call.number("n_steps") + 1
    copies = call.number("nt_samples") if "nt_samples" in call.options else 1  # which pass together
    together = max(2, call.run.batch_size_for(points - 1) // copies)
    return points + max(1, math.ceil((points - 1) / (together - 1))) - 1


#: By class of Captum, the points of an input that it evaluates for each target.
_POINTS: Mapping[str, Callable[[_Call], int]] = {
    **dict.fromkeys(("Saliency", "InputXGradient", "GuidedBackprop", "Deconvolution"), lambda call: 1),
    **dict.fromkeys(("NeuronGradient", "NeuronGuidedBackprop", "NeuronDeconvolution"), lambda call: 1),
    **dict.fromkeys(("DeepLift", "LayerDeepLift", "NeuronDeepLift", "LRP"), lambda call: 2),
    **dict.fromkeys(
        ("IntegratedGradients", "InternalInfluence", "NeuronConductance"), lambda call: call.number("n_steps")
    ),
    "NeuronIntegratedGradients": lambda call: call.number("n_steps"),
    "LayerIntegratedGradients": lambda call: call.number("n_steps") + 2,
    "LayerConductance": _conductance,
    **dict.fromkeys(("GradientShap", "NeuronGradientShap"), lambda call: call.number("n_samples")),
    **dict.fromkeys(
        ("DeepLiftShap", "LayerDeepLiftShap", "NeuronDeepLiftShap"), lambda call: 2 * _parts_of_baselines(call)
    ),
}
#: Those of them whose sum is compared with the change of the score from the baselines.
_SCORE_BASELINES = frozenset(
    {
        *("DeepLift", "DeepLiftShap", "IntegratedGradients", "GradientShap", "LayerIntegratedGradients"),
        *("LayerDeepLift", "LayerDeepLiftShap", "LayerConductance"),
    }
)


def _rehearsed(call: _Call) -> int:
    """Let a class of Captum that asks for scores alone ask for them, and count: every score is 0."""
    twin, asked = copy.copy(call.run), [0]

    def evaluate(make: Callable[[int, int], Any], count: int) -> Iterator[tuple[slice, Float64]]:
        asked[0] += count
        make(0, count)
        yield slice(0, count), np.zeros((count, call.targets))

    twin.evaluate = evaluate  # type: ignore[method-assign]
    Method.load(call.entry)(twin, **call.options)
    return asked[0]
