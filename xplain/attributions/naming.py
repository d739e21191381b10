"""From what a caller names as a method to its entry: a name of the table, or any attribution of Captum."""

from __future__ import annotations

from typing import Any

from xplain import _check
from xplain.attributions.captum import PREFIX
from xplain.attributions.captum.classes import HOOKED, SCORES, Chosen, Signature, choose
from xplain.attributions.table import KINDS, METHODS, TENSORS, Method

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


def method_of(method: Any, of: Any = None) -> Method:
    """Return the entry of a method.

    Parameters
    ----------
    method : str, type, captum.attr.Attribution or Method
        A key of `METHODS`, ``"captum:Class"``, a class of `captum.attr`, or an instance of one.
    of : str, type or captum.attr.Attribution, optional
        What a NoiseTunnel repeats.

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
    chosen = choose(method, of)
    if chosen.instance is None and chosen.method in _NAMES:
        return METHODS[_NAMES[chosen.method]]
    in_table = next((entry for entry in METHODS.values() if entry.captum_class == chosen.method), None)
    return in_table if chosen.instance is None and in_table is not None else _entry(chosen)


def _entry(chosen: Chosen) -> Method:
    """Make the entry of a class of Captum that the table has not."""
    signature = Signature.of(chosen)
    return Method(
        PREFIX + chosen.method,
        f"Captum's {chosen.method}.",
        needs="scores" if chosen.name in SCORES else "layers" if signature.has_layer else "gradients",
        cost="that of Captum",
        paper=f"captum.attr.{chosen.method}",
        function=PREFIX + chosen.method,
        explains=TENSORS if chosen.name in HOOKED else tuple(KINDS.values()),
        engine="captum",
        random=chosen.is_random,
        chosen=chosen,
    )
