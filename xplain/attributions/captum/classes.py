"""Any attribution of Captum as a method: a class of `captum.attr` as a function of a `Run` and options.

Its options are Captum's own, with Captum's defaults, except for what the engine or the kind of input supplies: inputs,
targets, batches, baselines (a caller's ``baseline``, several ``baselines`` for methods of that many), and the parts of
an input that are switched on and off (Captum's ``feature_mask``: ``segments`` of an image, ``unit`` of a text). A
layer is named by ``layer``, a neuron in its output by ``neuron``, what a NoiseTunnel repeats by ``of``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xplain.attributions.captum.seam import captum_class
from xplain.errors import AttributionError, UnknownNameError

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
AT_INPUT = frozenset({"Saliency", "InputXGradient", "IntegratedGradients", "GradientShap", "NoiseTunnel"})
#: Those that draw from the global generators of torch and NumPy.
RANDOM = frozenset(
    {
        *("GradientShap", "NoiseTunnel", "Lime", "KernelShap", "ShapleyValueSampling"),
        *("LayerGradientShap", "NeuronGradientShap"),
    }
)


def parameters_of(explainer: type) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a class's ``attribute``."""
    return inspect.signature(inspect.unwrap(explainer.attribute)).parameters  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a class of Captum takes, by its signature.

    Parameters
    ----------
    name : str
        The class.
    options : mapping of str to object
        Captum's own options with their defaults.
    has_layer, has_neuron, has_parts : bool
        Whether it takes a layer, a neuron in it, and the parts of an input.
    baseline : {"", "baseline", "baselines"}
        What the kind of input supplies to it.
    """

    name: str
    options: Mapping[str, Any]
    has_layer: bool
    has_neuron: bool
    has_parts: bool
    baseline: str

    @classmethod
    def of(cls, explainer: type) -> Signature:
        """Read the signatures of a class."""
        made = inspect.signature(explainer).parameters
        called = parameters_of(explainer)
        name = explainer.__name__
        options = {
            key: None if parameter.default is parameter.empty else parameter.default
            for key, parameter in {**made, **called}.items()
            if key not in FILLED and not parameter.kind.name.startswith("VAR") and not key.startswith("attribute_to_")
        }
        baseline = "" if "baselines" not in called else "baseline"
        if name == "NoiseTunnel":
            baseline = "baseline"  # of what it repeats
        if baseline and name.endswith("Shap") and name != "KernelShap":
            baseline = "baselines"
        return cls(
            name, options, "layer" in made, "neuron_selector" in called, name in SCORES - {"Occlusion"}, baseline
        )

    @property
    def needs(self) -> str:
        """What it asks of a model, as `xplain.attributions.Method.needs` words it."""
        return "layers" if self.has_layer else "scores" if self.name in SCORES else "gradients"

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
        if self.name == "NoiseTunnel":
            names |= {"of": "Saliency", "abs": False, "n_steps": 50, "method": "gausslegendre"}
        kind = inspect.Parameter.KEYWORD_ONLY
        return [inspect.Parameter(name, kind, default=default) for name, default in names.items()]


def resolve(method: Any) -> tuple[type, Any]:
    """Return a class of Captum, and the instance if the caller gave one.

    Parameters
    ----------
    method : str, type or captum.attr.Attribution
        The name of a class, a class, or an instance.

    Raises
    ------
    UnknownNameError
        If there is no such class.
    AttributionError
        If it cannot explain a prediction for one input; the message says why and what can.
    """
    base, attr = captum_class("Attribution"), importlib.import_module("captum.attr")
    explainers = {
        name: each
        for name in attr.__all__
        if isinstance(each := getattr(attr, name), type) and issubclass(each, base) and hasattr(each, "attribute")
    }
    instance = method if isinstance(method, base) else None
    name = method if isinstance(method, str) else (method if isinstance(method, type) else type(method)).__name__
    if name not in explainers:
        raise UnknownNameError("method", f"captum:{name}", [f"captum:{known}" for known in explainers])
    if name in REFUSED:
        raise AttributionError(f"method must explain a prediction for one input, got {name}, which {REFUSED[name]}")
    return explainers[name], instance
