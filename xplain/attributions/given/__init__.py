"""Explanations of numbers that others computed: with captum, with shap, or with anything."""

from xplain.attributions.given.verbs import from_array, from_captum, from_shap

__all__ = ["from_array", "from_captum", "from_shap"]
