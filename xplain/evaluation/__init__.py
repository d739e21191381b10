"""Measures of explanations, and several methods side by side: `xplain.quality` for the models of this package."""

from xplain.evaluation.comparison import CONTROLS, Comparison, compare, evaluate
from xplain.evaluation.measures import MEASURES, Measure

__all__ = ["CONTROLS", "MEASURES", "Comparison", "Measure", "compare", "evaluate"]
