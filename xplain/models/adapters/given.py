"""What a model says of itself, whatever library it comes from: `Given`, read by `opened`.

Libraries are known by the attributes of their objects, so none of them is imported or has to be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Given:
    """What is called to get scores, and what is known of them.

    Parameters
    ----------
    function : torch.nn.Module or callable
        What is called.
    labels : sequence or mapping, optional
        Labels by class.
    output : {"logit", "probability", "value"}, optional
        What the scores are; None if that is not known.
    multilabel : bool, optional
        Whether classes are independent of each other; None if that is not known.
    name : str, optional
        Name in documents.
    extras : mapping
        What a kind of model takes beside: ``tokenizer``, ``tokenizer_options``, ``image_processor``, ...
    """

    function: Callable[..., Any]
    labels: Any = None
    output: str | None = None
    multilabel: bool | None = None
    name: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
