"""What is known of a method: for listings, help and notebooks."""

from __future__ import annotations

import importlib
from typing import Any

from xplain.attributions.table import Method

#: By kind, the class whose functions supply options to its methods; for texts also that of methods of gradients.
_SUPPLIERS = {
    "images": "xplain.attributions.kinds.images:Pixels",
    "detections": "xplain.attributions.kinds.images:Pixels",
    "regions": "xplain.attributions.kinds.images:Pixels",
    "signals": "xplain.attributions.kinds.signals:Windows",
    "texts": "xplain.attributions.kinds.presence:Presence",
}
_OF_TOKENS = "xplain.attributions.kinds.embeddings:Embeddings"
_INPUTS = {"texts": '"I loved it"', "signals": '"walk.csv"'}


class MethodInfo(str):
    """A method's summary, with what else is known of it.

    Examples
    --------
    >>> import xplain
    >>> occlusion = xplain.methods()["occlusion"]
    >>> str(occlusion), occlusion.needs
    ('Loss of score when a window is covered.', 'scores')
    >>> occlusion.options["texts"]
    {'unit': 'auto', 'window': 1}
    """

    _entry: Method

    def __new__(cls, entry: Method) -> MethodInfo:
        info = super().__new__(cls, entry.summary)
        info._entry = entry
        return info

    @property
    def name(self) -> str:
        """The name that callers use."""
        return self._entry.name

    @property
    def summary(self) -> str:
        """What it computes, in one line."""
        return self._entry.summary

    @property
    def engine(self) -> str:
        """What computes it: "captum", "xplain", or both and what the second one computes."""
        return self._entry.engine

    @property
    def needs(self) -> str:
        """What it asks of a model: "scores", "gradients", "layers" or "attention"."""
        return self._entry.needs

    @property
    def cost(self) -> str:
        """Evaluations for one explanation, as a formula of the options."""
        return self._entry.cost

    @property
    def paper(self) -> str:
        """Where it is defined."""
        return self._entry.paper

    @property
    def explains(self) -> tuple[str, ...]:
        """The kinds of input that it explains."""
        return self._entry.explains

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """Its options with their defaults, for each kind of input that it explains; imports what computes it."""
        from xplain.attributions.call import all_options
        from xplain.attributions.engine.supplies import Supplies

        options = {}
        for kind in self.explains:
            home = _OF_TOKENS if kind == "texts" and self.needs != "scores" else _SUPPLIERS[kind]
            module, _, name = home.partition(":")
            supplier = getattr(importlib.import_module(module), name)
            functions = [getattr(supplier, each, None) for each in ("baseline", "baselines", "players", "cover")]
            options[kind] = all_options(self._entry, Supplies(kind, *functions), {})  # type: ignore[arg-type]
        return options

    @property
    def example(self) -> str:
        """A call of it."""
        kind = self.explains[0]
        layer = ', layer="features.3"' if self.name.startswith("neuron") else ""
        return f'xplain.explain(model, {_INPUTS.get(kind, chr(34) + "cat.jpg" + chr(34))}, "{self.name}"{layer})'
