"""Measures of explanations, and several methods side by side: `xplain.quality` for the models of this package."""

from xplain.evaluation.comparison import CONTROLS, compare, evaluate
from xplain.evaluation.measures import MEASURES, Measure

__all__ = ["CONTROLS", "MEASURES", "Measure", "compare", "evaluate"]
