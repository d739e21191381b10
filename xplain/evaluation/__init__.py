"""Measures of explanations, and several methods side by side: `xplain.quality` for the models of this package."""

from xplain.evaluation._compare import CONTROLS, Comparison, compare, evaluate
from xplain.evaluation._measures import MEASURES, Measure

__all__ = ["CONTROLS", "MEASURES", "Comparison", "Measure", "compare", "evaluate"]
