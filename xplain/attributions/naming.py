"""From what a caller names as a method to its entry: a name of the table, or any attribution of Captum."""

from __future__ import annotations

from typing import Any

from xplain import _check
from xplain.attributions.captum.classes import AT_INPUT, RANDOM, SCORES, Signature, resolve
from xplain.attributions.table import KINDS, METHODS, PREFIX, TENSORS, Method

#: Names of the table for classes of Captum that it has with options of its own.
_NAMES = {
    "Saliency": "saliency",
    "InputXGradient": "input-x-gradient",
    "IntegratedGradients": "integrated-gradients",
    "FeatureAblation": "feature-ablation",
    "LayerGradCam": "grad-cam",
    "LayerGradientXActivation": "hires-cam",
    "GuidedGradCam": "guided-grad-cam",
    "DeepLift": "deep-lift",
    "GuidedBackprop": "guided-backprop",
}


def method_of(method: Any) -> Method:
    """Return the entry of a method.

    Parameters
    ----------
    method : str, type, captum.attr.Attribution or Method
        A key of `METHODS`, ``"captum:Class"``, a class of `captum.attr`, or an instance of one.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    AttributionError
        If a class of Captum cannot explain a prediction for one input; the message says why and what can.

    Examples
    --------
    >>> method_of("captum:Saliency").name, method_of("captum:LRP").name, method_of("captum:Occlusion").name
    ('saliency', 'lrp', 'captum:Occlusion')
    """
    if isinstance(method, str) and not method.startswith(PREFIX):
        return METHODS[_check.known("method", method, METHODS)]
    if not isinstance(method, (str, type)) and not hasattr(method, "attribute"):
        _check.known("method", method, METHODS)
    explainer, instance = resolve(method.removeprefix(PREFIX) if isinstance(method, str) else method)
    name = explainer.__name__
    if instance is None and name in _NAMES:
        return METHODS[_NAMES[name]]
    in_table = next((entry for entry in METHODS.values() if entry.captum_class == name), None)
    return in_table if instance is None and in_table is not None else _entry(explainer, instance)


def _entry(explainer: type, instance: Any) -> Method:
    """Make the entry of a class of Captum that the table has not."""
    signature = Signature.of(explainer)
    return Method(
        PREFIX + signature.name,
        f"Captum's {signature.name}.",
        needs=signature.needs,
        cost="that of Captum",
        paper=f"captum.attr.{signature.name}",
        function=PREFIX + signature.name,
        explains=tuple(KINDS.values()) if signature.name in SCORES | AT_INPUT else TENSORS,
        engine="captum",
        random=signature.name in RANDOM,
        instance=instance,
    )
