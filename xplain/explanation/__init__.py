"""The values: frozen, checked once, free of torch and of any vendor's format.

`Explanation` is the waist of the package: attributions produce it, formats write and read it, renderers draw it. Verbs
live beside the values, in the module that does the work.
"""

from xplain.explanation.comparison import Comparison
from xplain.explanation.core import TASKS, Attribution, Explanation, Prediction, Provenance, Region, Source
from xplain.explanation.evidence import Evidence, Grid, Heatmap, Mask, SignalScores, Word, WordScores
from xplain.explanation.regions import Box, Part, Polygon, Span, Window
from xplain.explanation.results import STATUSES, Item, Record, Results

__all__ = [
    "STATUSES",
    "TASKS",
    "Attribution",
    "Box",
    "Comparison",
    "Evidence",
    "Explanation",
    "Grid",
    "Heatmap",
    "Item",
    "Mask",
    "Part",
    "Polygon",
    "Prediction",
    "Provenance",
    "Record",
    "Region",
    "Results",
    "SignalScores",
    "Source",
    "Span",
    "Window",
    "Word",
    "WordScores",
]
