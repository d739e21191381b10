"""From whatever a caller holds to what is called for scores: modules, functions, pipelines, estimators."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

from xplain import _check
from xplain.models import settings
from xplain.models.adapters import estimators, pipelines
from xplain.models.adapters.given import Given

#: Each returns None for what is not its own.
_READERS: tuple[Callable[[Any, str, Any], Given | None], ...] = (pipelines.read, estimators.read)


def opened(model: Any, task: str, labels: Any = None) -> Given:
    """Return what is called for the scores of a model, and what it says of them.

    Parameters
    ----------
    model : torch.nn.Module, callable, transformers.Pipeline or estimator of scikit-learn
        What a caller holds.
    task : str
        What it is to do: the `task` of a class of `xplain.models`.
    labels : optional
        Those that the caller gives.

    Raises
    ------
    InputError
        If it does something else, or has no scores.
    """
    for read in _READERS:
        given = read(model, task, labels)
        if given is not None:
            return given
    if not callable(model):
        raise _check.wrong("model", "a torch module or a callable, a pipeline or an estimator", model)
    output, multilabel = pipelines.configured(model) if task.endswith("classification") else (None, None)
    return Given(model, settings.labels_of(model), output, multilabel)


def unbound(model: Any) -> tuple[Any, Mapping[str, Any]]:
    """Return the module behind its own method, or behind a partial call, and the arguments that this fixes by name.

    Anything else is returned as it is: a partial call that fixes the first arguments hides where the input goes.
    """
    if isinstance(model, functools.partial) and is_module(model.func) and not model.args:
        return model.func, model.keywords
    holder = getattr(model, "__self__", None)
    if is_module(holder) and getattr(model, "__name__", "") in ("forward", "__call__", "_wrapped_call_impl"):
        return holder, {}
    return model, {}


def is_module(model: Any) -> bool:
    """Whether a model is a torch module; torch is not imported, as without it there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)
