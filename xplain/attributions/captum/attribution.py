"""Runs any attribution of Captum on one input, for each of its targets.

Methods that ask for scores or gradients at the input get those of the `Run`; methods that look inside the module, or
change its functions, get a `xplain.attributions.captum.passes.Face`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xplain import _check
from xplain.attributions.captum import passes
from xplain.attributions.captum.classes import RANDOM, SCORES, Signature, resolve
from xplain.attributions.engine import layers
from xplain.attributions.engine.autograd import torch_module, wide
from xplain.attributions.engine.run import Run
from xplain.errors import AttributionError, InputError

Maps = npt.NDArray[np.float64]

_AT_INPUT = frozenset({"Saliency", "InputXGradient", "IntegratedGradients", "GradientShap", "NoiseTunnel"})
#: Those whose values add up to the change of the score from the baselines; those of LRP add up to the score itself.
_ADD_UP = frozenset(
    {
        *("DeepLift", "DeepLiftShap", "IntegratedGradients", "GradientShap", "LayerIntegratedGradients"),
        *("LayerDeepLift", "LayerDeepLiftShap", "LayerConductance"),
        *("ShapleyValueSampling", "ShapleyValues", "KernelShap"),
    }
)


def attribute(run: Run, explainer: type, instance: Any, signature: Signature, options: Mapping[str, Any]) -> Maps:
    """Attribute by a class of Captum to each target.

    Parameters
    ----------
    run : Run
        What is explained.
    explainer : type
        The class.
    instance : captum.attr.Attribution or None
        The caller's own, whose settings are kept.
    signature : Signature
        Of the class.
    options : mapping
        All options of the method, and what the kind supplies.

    Returns
    -------
    numpy.ndarray
        float64 (T, h', w'), summed over the channels.
    """
    run.computed_by = "captum"
    _refuse_other_module(run, explainer, instance)
    call = _Call(run, explainer, instance, signature, dict(options))
    targets = range(len(run.targets))
    values = torch.cat([call.attributions(t) for t in targets])
    call.note_sums(values)
    maps: Maps = call.as_maps(values).cpu().numpy()
    return maps


def _refuse_other_module(run: Run, explainer: type, instance: Any) -> None:
    """Raise InputError if a caller's instance explains another module than the model's."""
    inner = getattr(instance, "attribution_method", instance)
    for name in ("model", "forward_func"):
        own = getattr(inner, name, None)
        if isinstance(own, torch.nn.Module) and own is not run.model.module:
            raise InputError(
                f"method must be made of the module of this model, got {explainer.__name__} of another; pass the class"
            )


class _Call:
    """One attribution of Captum on one input."""

    def __init__(self, run: Run, explainer: type, instance: Any, signature: Signature, options: dict[str, Any]) -> None:
        self._run = run
        self._explainer = explainer
        self._instance = instance
        self._name = signature.name
        self._of = self._inner(options.pop("of")) if self._name == "NoiseTunnel" else None
        self._baselines = self._take_baselines(options, signature.baseline)
        self._players = options.pop("players", None)
        self._neuron = _neuron(options.pop("neuron")) if signature.has_neuron else None
        self._layer = self._take_layer(options) if signature.has_layer else None
        self._options = options
        self._scores, self._gradients = passes.Scores(run), passes.Gradients(run)

    def _inner(self, method: Any) -> type:
        explainer, _ = resolve(method)
        if explainer.__name__ not in _AT_INPUT:
            raise AttributionError(
                f"of must be one of {', '.join(sorted(_AT_INPUT - {'NoiseTunnel'}))}, which ask for gradients at the "
                f"input, got {explainer.__name__}"
            )
        return explainer

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
        if isinstance(layer, torch.nn.Module):
            names = {part: name for name, part in torch_module(self._run.model).named_modules()}
            if layer not in names:
                raise InputError("layer must be a part of the model's module, got a module that is none; pass its name")
            layer = names[layer]
        name = layers.choose_layer(self._run, layer)
        self._run.quality.add("layer", name)
        return name

    def _as_tensor(self, array: npt.NDArray[Any]) -> torch.Tensor:
        if self._run.model.module is None:
            return torch.from_numpy(np.broadcast_to(array, self._run.prepared.array.shape).astype(np.float32))
        return self._run.to_tensor(np.broadcast_to(array, self._run.prepared.array.shape))

    def attributions(self, t: int) -> torch.Tensor:
        """Attribute to the t-th target: (1, ...)."""
        self._scores.target = self._gradients.target = t
        arguments: dict[str, Any] = {**self._arguments}
        if self._neuron is not None:
            arguments["neuron_selector"] = self._neuron
        elif self._name not in SCORES:
            arguments["target"] = self._run.targets[t]
        if self._neuron is not None and self._name == "NeuronConductance":
            arguments["target"] = self._run.targets[t]
        explainer = self._made()
        with passes.seeded(self._run, self._name in RANDOM):
            found = explainer.attribute(self._as_tensor(self._run.prepared.array)[np.newaxis], **arguments)
        return passes.single(found, self._name)

    @property
    def _arguments(self) -> dict[str, Any]:
        """What every call of `attribute` gets: the caller's options and what the kind supplies."""
        import inspect

        known = inspect.signature(inspect.unwrap(self._explainer.attribute)).parameters  # type: ignore[attr-defined]
        arguments = {name: value for name, value in self._options.items() if name in known}
        if self._baselines is not None:
            arguments["baselines"] = self._baselines
        if self._players is not None:
            labels = np.expand_dims(self._players.labels, self._run.model.channel_axis)
            arguments["feature_mask"] = torch.from_numpy(labels)[np.newaxis]
        if self._name == "NoiseTunnel" and self._of is not None and self._of.__name__ == "Saliency":
            arguments["abs"] = self._options.get("abs", False)
        if "internal_batch_size" in known and "n_steps" in self._options:
            arguments["internal_batch_size"] = self._run.batch_size_for(int(self._options["n_steps"]))
        if "perturbations_per_eval" in known:
            arguments["perturbations_per_eval"] = self._run.batch_size_for(_check.integer("count", 64))
        return arguments

    def _made(self) -> Any:
        """Captum's object, around the run's passes or the face."""
        import inspect

        taken = inspect.signature(self._explainer.__init__).parameters  # type: ignore[misc]
        kept = {name: value for name, value in self._options.items() if name in taken}
        if self._name == "NoiseTunnel":
            assert self._of is not None
            inner = self._of(self._scores)
            inner.gradient_func = self._gradients
            return self._explainer(inner)
        if self._name in SCORES or self._name in _AT_INPUT:
            made = copy.copy(self._instance) if self._instance is not None else self._explainer(self._scores, **kept)
            made.forward_func = self._scores
            if self._name in _AT_INPUT:
                made.gradient_func = self._gradients
            return made
        face, layer = passes.face_of(self._run, self._name, self._layer)
        return self._explainer(face, layer, **kept) if layer is not None else self._explainer(face, **kept)

    def as_maps(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the channels, in double precision: (T, h', w')."""
        if self._layer is not None and self._neuron is None:
            values = layers.at_places(self._run, values)
            return wide(values).sum(dim=1)
        return wide(values).sum(dim=1 if self._run.model.channel_axis == 0 else -1)

    def note_sums(self, values: torch.Tensor) -> None:
        """Note by how much the values miss what they are to add up to."""
        attributed = wide(values).flatten(1).sum(dim=1).cpu().numpy()
        score = self._run.score(self._run.prepared.array)
        if self._name == "LRP":
            self._run.quality.completeness(attributed, score, np.zeros_like(score))
        elif self._name in _ADD_UP and self._baselines is not None and self._players is None:
            baselines = [self._run.score(baseline) for baseline in self._baseline_arrays()]
            self._run.quality.completeness(attributed, score, np.mean(baselines, axis=0))

    def _baseline_arrays(self) -> list[npt.NDArray[Any]]:
        assert self._baselines is not None
        return [each.detach().float().cpu().numpy() for each in self._baselines]


def _neuron(neuron: Any) -> Any:
    """The place of a neuron in the output of its layer: a number, or one for each axis."""
    if isinstance(neuron, (tuple, list)):
        return tuple(_check.integer("neuron", index) for index in neuron)
    if neuron is None:
        raise InputError("neuron must be its place in the layer's output, (channel, row, column), got None")
    return _check.integer("neuron", neuron)
