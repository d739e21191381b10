"""Measure explanations and compare methods: the measures of `xplain.quality`, applied to the models of this package.

`xplain.quality` knows arrays and functions only; `measures` says how each measure asks a model about a map, and
`comparison` holds the two calls that users make.
"""

from xplain.evaluation.comparison import CONTROLS, compare, evaluate
from xplain.evaluation.measures import MEASURES, Measure

__all__ = ["CONTROLS", "MEASURES", "Measure", "compare", "evaluate"]
