"""How good predictions and explanations are.

Measures of maps take arrays and, where they ask the model, functions; `xplain.evaluate` and `xplain.compare` give them
the models and explanations of this package. Each returns a frozen result that holds the knobs it depends on.
"""

from xplain.quality.comparison import Agreement, agreement, rank_correlation, sparseness
from xplain.quality.faithfulness import ORDERS, Curve, Infidelity, deletion, infidelity, insertion
from xplain.quality.overlap import Localisation, localisation
from xplain.quality.stability import MaxSensitivity, Randomisation, max_sensitivity, randomisation

__all__ = [
    "ORDERS",
    "Agreement",
    "Curve",
    "Infidelity",
    "Localisation",
    "MaxSensitivity",
    "Randomisation",
    "agreement",
    "deletion",
    "infidelity",
    "insertion",
    "localisation",
    "max_sensitivity",
    "randomisation",
    "rank_correlation",
    "sparseness",
]
