"""Any attribution of Captum as a method: a class of `captum.attr` as a function of a `Run` and options.

Its options are Captum's own, with Captum's defaults, except for what the engine or the kind of input supplies: inputs,
targets, batches, baselines (a caller's ``baseline``, several ``baselines`` for methods of that many), and the parts of
an input that are switched on and off (Captum's ``feature_mask``: ``segments`` of an image, ``unit`` of a text). A
layer is named by ``layer``, a neuron in its output by ``neuron``. A NoiseTunnel takes by ``of`` what it repeats on
noisy copies of the input, any other class, and that one's options beside its own.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xplain.attributions.captum import PREFIX
from xplain.attributions.captum.seam import captum_class
from xplain.errors import AttributionError, UnknownNameError

#: The class that repeats another one on noisy copies of the input.
TUNNEL = "NoiseTunnel"
#: Arguments of Captum that the engine fills, that are its own, or that change what is returned.
FILLED = {
    *("self", "model", "forward_func", "layer", "device_ids", "attribution_method", "inputs", "target"),
    *("additional_forward_args", "return_convergence_delta", "show_progress", "perturbations_per_eval", "verbose"),
    *("internal_batch_size", "nt_samples_batch_size", "return_input_shape", "custom_attribution_func", "grad_kwargs"),
    *("neuron_selector", "baselines", "layer_baselines", "feature_mask", "memory_efficient", "attr_dim_summation"),
}
#: Classes that are refused: why, and what to use.
REFUSED: Mapping[str, str] = {
    "FeaturePermutation": "permutes values between inputs, so that a single one gives zeros; use feature-ablation",
    "LayerFeaturePermutation": "permutes values between inputs, so that a single one gives zeros; use grad-cam",
    "LayerActivation": "returns activations, which say nothing of a prediction; use layer-conductance or grad-cam",
    "LayerLRP": "was measured not to add up to the score; use lrp or layer-deep-lift",
    "LimeBase": "needs functions of the caller for what is perturbed; use lime",
    "DataLoaderAttribution": "attributes a whole data loader; use explain_batch",
    "LLMAttribution": "attributes generated texts; explain a classifier of texts",
    "LLMGradientAttribution": "attributes generated texts; explain a classifier of texts",
    "RemoteLLMAttribution": "attributes generated texts of a service; explain a classifier of texts",
}
#: Those that ask for scores alone.
SCORES = frozenset({"FeatureAblation", "Occlusion", "ShapleyValueSampling", "ShapleyValues", "Lime", "KernelShap"})
#: Those that ask for gradients at the input alone.
AT_INPUT = frozenset({"Saliency", "InputXGradient", "IntegratedGradients", "GradientShap"})
#: Those whose rules are hooked to a rewritten module, with the name of the rules that `rewrite` knows.
HOOKED: Mapping[str, str] = {
    "DeepLift": "deep-lift",
    "DeepLiftShap": "deep-lift-shap",
    "LayerDeepLift": "layer-deep-lift",
    "LayerDeepLiftShap": "layer-deep-lift",
    "NeuronDeepLift": "layer-deep-lift",
    "NeuronDeepLiftShap": "layer-deep-lift",
    "GuidedBackprop": "guided-backprop",
    "NeuronGuidedBackprop": "guided-backprop",
    "Deconvolution": "deconvolution",
    "NeuronDeconvolution": "deconvolution",
    "GuidedGradCam": "guided-grad-cam",
    "LRP": "lrp",
}
#: Those that draw from the global generators of torch and NumPy.
RANDOM = frozenset(
    {
        *("GradientShap", "Lime", "KernelShap", "ShapleyValueSampling"),
        *("LayerGradientShap", "NeuronGradientShap"),
    }
)


def parameters_of(explainer: type) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a class's ``attribute``."""
    return inspect.signature(inspect.unwrap(explainer.attribute)).parameters  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Chosen:
    """An attribution of Captum that a caller chose; see `choose`.

    Parameters
    ----------
    explainer : type
        The class that attributes.
    instance : captum.attr.Attribution or None
        The caller's own of this class, whose settings are kept.
    is_repeated : bool
        Whether a NoiseTunnel repeats it on noisy copies of the input.
    """

    explainer: type
    instance: Any = None
    is_repeated: bool = False

    @property
    def name(self) -> str:
        """The class that attributes."""
        return self.explainer.__name__

    @property
    def method(self) -> str:
        """The class that was chosen: the one that attributes, or the tunnel."""
        return TUNNEL if self.is_repeated else self.name

    @property
    def is_random(self) -> bool:
        """Whether it draws random numbers."""
        return self.is_repeated or self.name in RANDOM


@dataclass(frozen=True, slots=True)
class Signature:
    """What an attribution of Captum takes, by its signature.

    Parameters
    ----------
    options : mapping of str to object
        Captum's own options with their defaults.
    has_layer, has_neuron, has_parts : bool
        Whether it takes a layer, a neuron in it, and the parts of an input.
    baseline : {"", "baseline", "baselines"}
        What the kind of input supplies to it.
    """

    options: Mapping[str, Any]
    has_layer: bool
    has_neuron: bool
    has_parts: bool
    baseline: str

    @classmethod
    def of(cls, chosen: Chosen) -> Signature:
        """Read the signatures of the class that attributes; an instance is made already."""
        made = inspect.signature(chosen.explainer).parameters
        called = parameters_of(chosen.explainer)
        own = called if chosen.instance is not None else {**made, **called}
        options = _options(own)
        baseline = "" if "baselines" not in called else "baseline"
        if baseline and chosen.name.endswith("Shap") and chosen.name != "KernelShap":
            baseline = "baselines"
        if chosen.is_repeated:
            options |= _options(parameters_of(captum_class(TUNNEL)))
            options |= {"abs": False} if "abs" in options else {}  # else noise would not cancel
            options["draw_baseline_from_distrib"] = baseline == "baselines"  # of several it takes no other way
        has_parts = chosen.name in SCORES - {"Occlusion"}
        return cls(options, "layer" in made, "neuron_selector" in called, has_parts, baseline)

    def parameters(self) -> list[inspect.Parameter]:
        """Return the keyword parameters of its function; those without a default are supplied by the kind."""
        names: dict[str, Any] = dict(self.options)
        if self.has_parts:
            names["players"] = inspect.Parameter.empty
        if self.baseline:
            names[self.baseline] = inspect.Parameter.empty
        if self.has_layer:
            names["layer"] = None
        if self.has_neuron:
            names["neuron"] = None
        kind = inspect.Parameter.KEYWORD_ONLY
        return [inspect.Parameter(name, kind, default=default) for name, default in names.items()]


def _options(parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Return what of some parameters is for a caller to set, with the defaults."""
    return {
        key: None if parameter.default is parameter.empty else parameter.default
        for key, parameter in parameters.items()
        if key not in FILLED and not parameter.kind.name.startswith("VAR") and not key.startswith("attribute_to_")
    }


def choose(method: Any, of: Any = None) -> Chosen:
    """Return what a caller chose of Captum.

    Parameters
    ----------
    method : str, type or captum.attr.Attribution
        The name of a class, with or without `PREFIX`, a class, or an instance.
    of : str, type or captum.attr.Attribution, optional
        What a NoiseTunnel repeats; Saliency if neither this nor an instance says.

    Raises
    ------
    UnknownNameError
        If there is no such class.
    AttributionError
        If it cannot explain a prediction for one input; the message says why and what can.
    """
    explainer, instance = _resolve("method", method)
    if explainer.__name__ != TUNNEL:
        return Chosen(explainer, instance)
    inner = "Saliency" if of is None else of
    explainer, instance = _resolve("of", inner if instance is None else instance.attribution_method)
    if explainer.__name__ == TUNNEL:
        raise AttributionError("of must be what a NoiseTunnel repeats, got another NoiseTunnel; name a method")
    return Chosen(explainer, instance, is_repeated=True)


def _resolve(argument: str, method: Any) -> tuple[type, Any]:
    """Return a class of Captum, and the instance if the caller gave one."""
    base, attr = captum_class("Attribution"), importlib.import_module("captum.attr")
    explainers = {
        name: each
        for name in attr.__all__
        if isinstance(each := getattr(attr, name), type) and issubclass(each, base) and hasattr(each, "attribute")
    }
    instance = method if isinstance(method, base) else None
    kind = method if isinstance(method, type) else type(method)
    name = method.removeprefix(PREFIX) if isinstance(method, str) else kind.__name__
    if name not in explainers:
        raise UnknownNameError(argument, f"{PREFIX}{name}", [f"{PREFIX}{known}" for known in explainers])
    if name in REFUSED:
        raise AttributionError(f"{argument} must explain a prediction for one input, got {name}, which {REFUSED[name]}")
    return explainers[name], instance
