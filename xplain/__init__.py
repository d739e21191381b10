"""Explain predictions: compute attributions, keep them as documents, draw them.

Every public name is imported on first use (`__getattr__`), so ``import xplain`` costs nothing and needs neither torch
nor matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xplain.api import (
        convert,
        cost,
        explain,
        explain_batch,
        formats,
        from_document,
        methods,
        predict,
        read,
        read_items,
        refusals,
        render,
        schema,
        to_document,
        validate,
        write,
    )
    from xplain.attributions.given import from_array, from_captum, from_shap
    from xplain.errors import (
        AttributionError,
        DocumentError,
        FidelityError,
        InputError,
        MissingExtraError,
        UnknownNameError,
        XplainError,
    )
    from xplain.evaluation import compare, evaluate
    from xplain.explanation import (
        Attribution,
        Box,
        Explanation,
        Grid,
        Heatmap,
        Item,
        Mask,
        Part,
        Polygon,
        Prediction,
        Provenance,
        Record,
        Results,
        SignalScores,
        Source,
        Span,
        Window,
        Word,
        WordScores,
    )
    from xplain.explanation.hierarchy import with_parents
    from xplain.kernels import rle
    from xplain.models import (
        Comment,
        Detector,
        Endpoint,
        ImageClassifier,
        Margin,
        Preprocess,
        Segmenter,
        SignalClassifier,
        Similarity,
        TextClassifier,
        comment_from_email,
        comment_from_raw_email,
        pretrained,
    )
    from xplain.vendors.deepomatic import postprocess, trace
    from xplain.vendors.reinfer import answer

# Where each public name is defined. `rle` is a module, see `__getattr__`.
_NAMES_OF_MODULES = {
    "xplain.vendors.reinfer": "answer",
    "xplain.api": (
        "convert cost explain explain_batch formats from_document methods predict read read_items refusals render "
        "schema to_document validate write"
    ),
    "xplain.attributions.given": "from_array from_captum from_shap",
    "xplain.errors": (
        "AttributionError DocumentError FidelityError InputError MissingExtraError UnknownNameError XplainError"
    ),
    "xplain.evaluation": "compare evaluate",
    "xplain.explanation": (
        "Attribution Box Explanation Grid Heatmap Item Mask Part Polygon Prediction Provenance Record Results "
        "SignalScores Source Span Window Word WordScores"
    ),
    "xplain.explanation.hierarchy": "with_parents",
    "xplain.vendors.deepomatic": "postprocess trace",
    "xplain.models": (
        "Comment Detector Endpoint ImageClassifier Margin Preprocess Segmenter SignalClassifier Similarity "
        "TextClassifier comment_from_email comment_from_raw_email pretrained"
    ),
}
_HOME = {name: module for module, names in _NAMES_OF_MODULES.items() for name in names.split()}

__version__ = "0.1.0"

__all__ = [
    "Attribution",
    "AttributionError",
    "Box",
    "Comment",
    "Detector",
    "DocumentError",
    "Endpoint",
    "Explanation",
    "FidelityError",
    "Grid",
    "Heatmap",
    "ImageClassifier",
    "InputError",
    "Item",
    "Margin",
    "Mask",
    "MissingExtraError",
    "Part",
    "Polygon",
    "Prediction",
    "Preprocess",
    "Provenance",
    "Record",
    "Results",
    "Segmenter",
    "SignalClassifier",
    "SignalScores",
    "Similarity",
    "Source",
    "Span",
    "TextClassifier",
    "UnknownNameError",
    "Window",
    "Word",
    "WordScores",
    "XplainError",
    "__version__",
    "answer",
    "comment_from_email",
    "comment_from_raw_email",
    "compare",
    "convert",
    "cost",
    "evaluate",
    "explain",
    "explain_batch",
    "formats",
    "from_array",
    "from_captum",
    "from_document",
    "from_shap",
    "methods",
    "postprocess",
    "predict",
    "pretrained",
    "read",
    "read_items",
    "refusals",
    "render",
    "rle",
    "schema",
    "to_document",
    "trace",
    "validate",
    "with_parents",
    "write",
]


def __getattr__(name: str) -> Any:
    if name == "rle":
        value: Any = importlib.import_module("xplain.kernels.rle")
    elif name == "vendors":
        value = importlib.import_module("xplain.vendors")
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'xplain' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
