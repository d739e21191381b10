"""The values that all of xplain exchanges: an `Explanation`, its parts, and the `Results` of a job.

Attributions compute an `Explanation`, formats write and read it, renderers draw it. So values are frozen, check their
arguments once, when they are made, and know neither torch nor the format of any vendor. Functions of values are in the
module of their topic (`xplain.explanation.outcomes`, `xplain.explanation.parts`...), not methods.
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
