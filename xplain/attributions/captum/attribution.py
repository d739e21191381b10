"""Runs any attribution of Captum on one input, for each of its targets.

Methods that ask for scores or gradients at the input get those of the `Run`; methods that look inside the module, or
change its functions, get a `xplain.attributions.captum.passes.Face`.
"""

from __future__ import annotations

import copy
import inspect
import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xplain import _check
from xplain.attributions.captum import passes
from xplain.attributions.captum.classes import (
    AT_INPUT,
    FILLED,
    SCORES,
    TUNNEL,
    Chosen,
    Signature,
    parameters_of,
)
from xplain.attributions.captum.relevance import attach_rules
from xplain.attributions.captum.seam import captum_class
from xplain.attributions.engine import layers, sequences
from xplain.attributions.engine.autograd import torch_module, wide
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError, InputError, XplainError, is_out_of_memory, reason_of
from xplain.models.borrowing import name_of_layer

Maps = npt.NDArray[np.float64]

_SHARE_KEPT = 0.01  # of the score, that relevance may miss without a word
_MOST_PERMUTED = 6  # parts of an input, of which Captum tries the 720 orders
_MANY = 64  # variants at once, if the budget allows so many
#: Those whose values add up to the change of the score from the baselines; those of LRP add up to the score itself.
_ADD_UP = frozenset(
    {
        *("DeepLift", "DeepLiftShap", "IntegratedGradients", "GradientShap", "LayerIntegratedGradients"),
        *("LayerDeepLift", "LayerDeepLiftShap", "LayerConductance"),
        *("ShapleyValueSampling", "ShapleyValues", "KernelShap"),
    }
)


#: Those whose rules hold from the module's output on.
_FROM_OUTPUT = frozenset(
    {
        *("DeepLift", "DeepLiftShap", "LayerDeepLift", "LayerDeepLiftShap", "NeuronDeepLift", "NeuronDeepLiftShap"),
        "LRP",
    }
)


def function_of(chosen: Chosen) -> Callable[..., Maps]:
    """Return the function of an attribution of Captum, ``function(run, **options)``."""
    signature = Signature.of(chosen)

    def function(run: Run, **options: Any) -> Maps:
        return attribute(run, chosen, signature, options)

    run_parameter = inspect.Parameter("run", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = signature.parameters()
    if chosen.is_repeated:
        parameters.append(inspect.Parameter("of", inspect.Parameter.KEYWORD_ONLY, default=chosen.name))
    function.__signature__ = inspect.Signature([run_parameter, *parameters])  # type: ignore[attr-defined]
    function.__doc__ = inspect.getdoc(chosen.explainer)
    return function


def attribute(run: Run, chosen: Chosen, signature: Signature, options: Mapping[str, Any]) -> Maps:
    """Attribute to each target.

    Parameters
    ----------
    run : Run
        What is explained.
    chosen : Chosen
        The class of Captum.
    signature : Signature
        What it takes.
    options : mapping
        All options of the method, and what the kind supplies.

    Returns
    -------
    numpy.ndarray
        float64 (T, h', w'): summed over the channels; of what is replaced as a whole, its value.
    """
    run.computed_by = "captum"
    _refuse_other_module(run, chosen)
    _refuse_similarity(run, chosen)
    call = _Call(run, chosen, signature, dict(options))
    targets = range(len(run.targets))
    values = torch.cat([call.attributions(t) for t in targets])
    call.note_sums(values)
    maps: Maps = call.as_maps(values).cpu().numpy()
    return maps


def _refuse_other_module(run: Run, chosen: Chosen) -> None:
    """Raise InputError if a caller's instance explains another module than the model's."""
    for name in ("model", "forward_func"):
        own = getattr(chosen.instance, name, None)
        if isinstance(own, torch.nn.Module) and own is not run.model.module:
            raise InputError(
                f"method must be made of the module of this model, got {chosen.name} of another; pass the class"
            )


def _refuse_similarity(run: Run, chosen: Chosen) -> None:
    """Raise AttributionError if rules that start at the module's output would miss the cosine that follows it."""
    if run.model.output == "similarity" and chosen.name in _FROM_OUTPUT:
        raise AttributionError(
            f"{chosen.name} must explain an output of the module, got a similarity, a cosine to which Captum's rules "
            "do not reach; use deep-lift, integrated-gradients or hires-cam"
        )


class _RulesFirst(captum_class("LRP")):  # type: ignore[misc]
    """Captum's LRP, which takes the rules off a module after each call, with rules attached before each."""

    def attribute(self, *args: Any, **kwargs: Any) -> Any:
        """Attribute to a model whose ``module`` is a rewritten one."""
        attach_rules(self.model.module)
        return super().attribute(*args, **kwargs)

    attribute.__wrapped__ = attribute  # type: ignore[attr-defined]  # a NoiseTunnel calls this


class _Call:
    """One attribution of Captum on one input."""

    def __init__(self, run: Run, chosen: Chosen, signature: Signature, options: dict[str, Any]) -> None:
        self._run = run
        self._chosen = chosen
        self._name = chosen.name
        options.pop("of", None)
        self._baselines = self._take_baselines(options, signature.baseline)
        self._players = options.pop("players", None)
        if self._name == "KernelShap" and self._players.count < 2:
            raise InputError(
                f"{self._players.noun} must be at least 2 for KernelShap, which draws how many are present, got 1; use "
                "shapley"
            )
        if self._name == "ShapleyValues" and self._players.count > _MOST_PERMUTED:
            raise AttributionError(
                f"{self._players.noun} must be at most {_MOST_PERMUTED} for ShapleyValues, which tries all orders, got "
                f"{self._players.count}; use shapley, which is exact for more, or {self._players.remedy}"
            )
        self._layer = self._take_layer(options) if signature.has_layer else None
        self._neuron = self._take_neuron(options.pop("neuron")) if signature.has_neuron else None
        if "stdevs" in options and _check.number("stdevs", options["stdevs"]) < 0:
            raise _check.wrong("stdevs", "at least 0", options["stdevs"])
        self._options = options
        self._scores, self._gradients = passes.Scores(run), passes.Gradients(run)
        is_inside = self._name not in SCORES | AT_INPUT
        self._face = passes.face_of(run, self._name, self._layer) if is_inside else None

    def _take_baselines(self, options: dict[str, Any], name: str) -> torch.Tensor | None:
        """The baselines (k, ...), at least two of them for methods of several."""
        if not name:
            return None
        supplied = options.pop(name)
        arrays = [supplied] if name == "baseline" else list(supplied)
        made = torch.stack([self._as_tensor(array) for array in arrays])
        return made if name == "baseline" or len(made) > 1 else made.expand(2, *made.shape[1:])

    def _take_layer(self, options: dict[str, Any]) -> str:
        layer = options.pop("layer")
        own = self._chosen.instance
        if layer is None and own is not None:
            layer = getattr(getattr(own, "grad_cam", own), "layer", None)
        if layer is not None:
            layer = name_of_layer(torch_module(self._run.model), layer)
        name, is_moved = layers.choose_layer(self._run, layer)
        if is_moved:
            raise AttributionError(
                f"layer must see the input as it is for {self._name}, got {name!r}, which sees it moved or mirrored; "
                "use hires-cam"
            )
        self._run.quality.add("layer", name)
        return name

    def _take_neuron(self, neuron: Any) -> tuple[int, ...]:
        """The place of a neuron in the layer's output; that of the largest one if the caller names none."""
        assert self._layer is not None
        if neuron is None:
            (call, *_) = self._run.layer_calls(self._layer)
            place = np.unravel_index(int(call.output.argmax()), call.output.shape)
        else:
            place = tuple(neuron) if isinstance(neuron, (tuple, list)) else (neuron,)
        indices = tuple(_check.integer("neuron", int(i) if isinstance(i, np.integer) else i) for i in place)
        self._run.quality.add("neuron", list(indices))
        return indices

    def _as_tensor(self, array: npt.NDArray[Any]) -> torch.Tensor:
        whole = np.broadcast_to(array, self._run.prepared.array.shape)
        return (
            torch.from_numpy(whole.astype(np.float32)) if self._run.model.module is None else self._run.to_tensor(whole)
        )

    def attributions(self, t: int) -> torch.Tensor:
        """Attribute to the t-th target: (1, ...)."""
        self._scores.target = self._gradients.target = t
        arguments = self._arguments()
        if self._neuron is not None:
            arguments["neuron_selector"] = self._neuron
        if self._name not in SCORES and (self._neuron is None or self._name == "NeuronConductance"):
            arguments["target"] = self._run.targets[t]
        with passes.seeded(self._run, self._chosen.is_random), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Captum's of its hooks, and of inputs that it asks for gradients of
            found = self._ask_in_parts(arguments) if self._is_mean else self._ask(self._made(), arguments)
        if self._face is not None:
            self._face.refuse_repeated_layer(self._layer or "", self._name)
        return passes.single(found, self._name)

    @property
    def _is_mean(self) -> bool:
        """Whether it is a mean over all baselines, which Captum would take in one pass, whatever their number."""
        return self._name.endswith("DeepLiftShap") and not self._chosen.is_repeated

    def _ask_in_parts(self, arguments: dict[str, Any]) -> torch.Tensor:
        """Let Captum attribute with as many baselines at a time as fit into memory, beside as many inputs."""
        assert self._baselines is not None
        size = max(2, self._run.batch_size_for(_MANY) // 2)
        total: Any = 0
        for start in range(0, len(self._baselines), size):
            part = self._baselines[start : start + size]  # a single one stands for two, as Captum asks for
            pair = part if len(part) > 1 else part.expand(2, *part.shape[1:])
            found = self._ask(self._made(), arguments | {"baselines": pair})
            total = total + len(part) * passes.single(found, self._name)
        mean: torch.Tensor = total / len(self._baselines)
        return mean

    def _ask(self, explainer: Any, arguments: dict[str, Any]) -> Any:
        """Let Captum attribute; what it says of wrong options, by assertions and bare errors, becomes an InputError."""
        try:
            return explainer.attribute(self._input(), **arguments)
        except XplainError:
            raise
        except (AssertionError, TypeError, ValueError, IndexError, ArithmeticError, RuntimeError) as error:
            if self._face is not None and self._neuron is not None:
                self._face.refuse_no_neuron(self._neuron)
            if is_out_of_memory(error):
                raise
            if isinstance(error, RuntimeError) or _is_of_model(error):
                raise AttributionError(
                    f"{self._name} must be able to differentiate the model, got: {reason_of(error)}; name another "
                    "layer if it has one, or use integrated-gradients"
                ) from error
            raise InputError(
                f"options must be what Captum's {self._chosen.method} takes, got {self._options}; it says: "
                f"{reason_of(error)}"
            ) from error

    def _input(self) -> torch.Tensor:
        """The input (1, ...), which asks for gradients where they are taken, also if all parameters are frozen."""
        values = self._as_tensor(self._run.prepared.array)[np.newaxis]
        return values if self._name in SCORES else values.detach().requires_grad_()

    def _arguments(self) -> dict[str, Any]:
        """What every call of `attribute` gets: the caller's options and what the kind supplies."""
        known = {*parameters_of(self._chosen.explainer)}
        if self._chosen.is_repeated:
            known |= {*parameters_of(captum_class(TUNNEL))}  # which passes the others on
        arguments = {name: value for name, value in self._options.items() if name in known}
        if self._baselines is not None and "baselines" in known:
            arguments["baselines"] = self._baselines
        if self._players is not None:
            labels = np.expand_dims(self._players.labels, self._run.model.channel_axis)
            arguments["feature_mask"] = torch.from_numpy(labels)[np.newaxis]
        if "internal_batch_size" in known and "n_steps" in self._options:
            n_steps = _check.integer("n_steps", self._options["n_steps"], least=1)
            arguments["internal_batch_size"] = self._run.batch_size_for(n_steps)
        if "perturbations_per_eval" in known:
            arguments["perturbations_per_eval"] = self._run.batch_size_for(_MANY)
        # The run itself sees to the batches of others; a batch of one copy would draw one baseline, not several.
        if self._face is not None and self._options.get("draw_baseline_from_distrib") is False:
            arguments["nt_samples_batch_size"] = self._run.batch_size_for(_MANY)
        return arguments

    def _made(self) -> Any:
        """Captum's object, around the run's passes or around the face, in a tunnel if it is repeated."""
        made = self._made_once()
        return captum_class(TUNNEL)(made) if self._chosen.is_repeated else made

    def _made_once(self) -> Any:
        own = self._chosen.instance
        if self._name in SCORES and own is not None:
            made = copy.copy(own)
            made.forward_func = self._scores
            return made
        settings = _settings(self._chosen.explainer, own, self._options)
        if self._face is not None:
            explainer = _RulesFirst if self._name == "LRP" else self._chosen.explainer
            return explainer(*self._face.parts(), **settings)
        made = self._chosen.explainer(self._scores, **settings)
        if self._name in AT_INPUT:
            made.gradient_func = self._gradients
        return made

    def as_maps(self, values: torch.Tensor) -> torch.Tensor:
        """Make one number of the channels, in double precision: (T, h', w')."""
        if self._layer is not None and self._neuron is None:
            if layers.is_sequence(self._run):
                return sequences.spread(self._run, self._layer, values)
            return wide(layers.at_places(self._run, values)).sum(dim=1)
        axis = 1 if self._run.model.channel_axis == 0 else -1
        if self._name == "Saliency" and self._options["abs"]:
            return wide(values).amax(dim=axis)  # as the table's
        if self._name not in SCORES:
            return wide(values).sum(dim=axis)
        maps = wide(values).mean(dim=axis)  # what is replaced has one value, which stands at each of its numbers
        return maps if self._players is None else torch.from_numpy(self._players.share(maps.numpy()))

    def note_sums(self, values: torch.Tensor) -> None:
        """Note by how much the values miss what they are to add up to, unless they are means of noisy copies."""
        if self._chosen.is_repeated:
            return
        attributed = wide(values).flatten(1).sum(dim=1).cpu().numpy()
        score = self._run.score(self._run.prepared.array)
        if self._name == "LRP":
            self._run.quality.completeness(attributed, score, np.zeros_like(score))
            if (np.abs(score - attributed) > _SHARE_KEPT * np.abs(score)).any():
                sums, scores = (", ".join(f"{number:.3g}" for number in each) for each in (attributed, score))
                self._run.quality.say(f"relevance adds up to {sums} for a score of {scores}: biases keep the rest")
        elif self._name in _ADD_UP and self._baselines is not None and self._players is None:
            baselines = [self._run.score(baseline) for baseline in self._baseline_arrays()]
            self._run.quality.completeness(attributed, score, np.mean(baselines, axis=0))

    def _baseline_arrays(self) -> list[npt.NDArray[Any]]:
        assert self._baselines is not None
        return [each.detach().float().cpu().numpy() for each in self._baselines]


def _is_of_model(error: Exception) -> bool:
    """Whether an error came through the model's passes: it is the model's own, and says nothing of options."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename == passes.__file__ for frame, _ in frames)


def _settings(explainer: type, instance: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a class's constructor: those of the caller's instance, else among the options."""
    names = [name for name in inspect.signature(explainer).parameters if name not in FILLED]
    if instance is None:
        return {name: options[name] for name in names if name in options}
    kept = {"multiply_by_inputs": "multiplies_by_inputs"}
    return {name: getattr(instance, kept.get(name, name)) for name in names if hasattr(instance, kept.get(name, name))}
