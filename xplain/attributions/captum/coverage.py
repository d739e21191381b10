"""Which functions each of Captum's hook-based methods is right for; models with others are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xplain.attributions.captum.functions import ACTIVATIONS, Call, Kind
from xplain.errors import AttributionError, UnknownNameError

#: Parts of `torch.nn` with functions inside that cannot be seen: some have ReLUs.
_OPAQUE = ("rnn", "lstm", "gru", "multihead_attention", "transformer")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a family of methods does to functions.

    Parameters
    ----------
    family : str
        ``"differences"`` (DeepLIFT), ``"relus"`` (guided backpropagation) or ``"relevance"`` (LRP).
    covered : frozenset of str
        Kinds of functions that it is right for.
    hooked : frozenset of str
        Those of them that hooks have to reach.
    """

    family: Literal["differences", "relus", "relevance"]
    covered: frozenset[Kind]
    hooked: frozenset[Kind]

    @staticmethod
    def of(method: str) -> Rules:
        """Return the rules of a method.

        Parameters
        ----------
        method : str
            Its name.

        Returns
        -------
        Rules
            The rules.

        Raises
        ------
        UnknownNameError
            If it is no method that works through hooks.
        """
        if method not in METHODS:
            raise UnknownNameError("method", method, METHODS)
        return METHODS[method]

    def covers(self, call: Call) -> bool:
        """Return whether the family is right for a call.

        Parameters
        ----------
        call : Call
            A call of a graph.

        Returns
        -------
        bool
            Whether it is.
        """
        if self.family == "relus":
            return call.kind != "other" or _is_transparent(call)
        if self.family == "relevance":
            # Relevance of a difference has no rule, nor have functions that are no activations.
            is_odd = (call.kind == "sum" and (call.name != "add" or bool(call.node.kwargs))) or call.name == "embedding"
            is_odd = is_odd or (call.kind == "elementwise" and call.name not in ACTIVATIONS)
            return call.kind in self.covered and not is_odd
        return call.kind in self.covered


_LINEAR: frozenset[Kind] = frozenset({"constant", "layout", "sum", "linear"})
_NONLINEAR: frozenset[Kind] = frozenset({"relu", "elementwise", "max-pool"})
_DIFFERENCES = Rules("differences", _LINEAR | _NONLINEAR, _NONLINEAR)
_RELUS = Rules("relus", _LINEAR | _NONLINEAR | {"other"}, frozenset({"relu"}))
_RELEVANCE = Rules("relevance", _LINEAR | _NONLINEAR, _NONLINEAR | {"sum", "linear"})

#: The methods of Captum that work through hooks.
METHODS = {
    "deep-lift": _DIFFERENCES,
    "deep-lift-shap": _DIFFERENCES,
    "layer-deep-lift": _DIFFERENCES,
    "guided-backprop": _RELUS,
    "guided-grad-cam": _RELUS,
    "deconvolution": _RELUS,
    "lrp": _RELEVANCE,
    "layer-lrp": _RELEVANCE,
}


def refuse_uncovered(calls: list[Call], rules: Rules, method: str) -> None:
    """Refuse a model with functions that a method is wrong for.

    Parameters
    ----------
    calls : list of Call
        All calls of the model.
    rules : Rules
        The rules of the method.
    method : str
        Its name, for messages.

    Raises
    ------
    AttributionError
        If there is such a function, or if the method has nothing to change and would be the plain gradient.
    """
    wrong = list(dict.fromkeys(call.place for call in calls if not rules.covers(call)))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise AttributionError(
            f"{method} must have a rule for every function of the model, got {', '.join(wrong[:3])}{more}; "
            "use integrated-gradients"
        )
    if rules.family == "relus" and not any(call.kind == "relu" for call in calls):
        raise AttributionError(
            f"{method} must have ReLUs to change, got a model without any, where it would be the plain gradient; "
            "use saliency or integrated-gradients"
        )


def _is_transparent(call: Call) -> bool:
    """Return whether a function has no ReLU inside: torch's own have none, but for some modules."""
    if call.node.op == "call_function":
        home = str(getattr(call.node.target, "__module__", "torch"))
        return home.startswith(("torch", "_operator", "builtins", "None"))
    return not call.name.startswith(_OPAQUE)
