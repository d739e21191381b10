"""How good predictions and explanations are.

Measures of maps take arrays and, to ask the model, functions, so that they serve any library; `xplain.evaluate` and
`xplain.compare` apply them to the models and explanations of this package. Each returns a frozen result together with
the knobs it depends on, since numbers under different knobs cannot be compared.

`xplain.quality.classification` and `xplain.quality.validation` rate the predictions of a classifier instead.
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
