"""What all models share: what is called, its labels, where its weights are, and their fingerprint."""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Prediction
from xplain.models import borrowing, outputs, settings

if TYPE_CHECKING:
    import torch

Label = tuple[str, ...]


class Model:
    """A torch module or a callable that is explained; see its subclasses.

    Attributes
    ----------
    task : str
        One of the tasks of an `Explanation`.
    module : torch.nn.Module or None
        The module, outside any torch.compile wrapper; None for a black box.
    function : callable
        What is called: the module, or the black box.
    labels : tuple of tuple of str, or None
        The classes' labels as paths.
    output : {"logit", "probability"}
        What the model returns.
    name : str
        The model's name in documents.
    """

    task: str

    def __init__(self, model: Any, labels: Any, output: str, name: str | None) -> None:
        inner = borrowing.unwrap(model)
        if not callable(inner):
            raise _check.wrong("model", "a torch module or a callable", model)
        self.module: torch.nn.Module | None = inner if _is_module(inner) else None
        self.function: Callable[..., Any] = inner
        self.labels = label_table(settings.labels_of(inner) if labels is None else labels)
        self.output = _check.choice("output", output, ("logit", "probability"))
        given = None if name is None else _check.string("name", name)
        self.name: str = given or getattr(inner, "__name__", None) or type(inner).__name__
        self._fingerprint: tuple[Any, str] | None = None

    def __repr__(self) -> str:
        kind = "black box" if self.module is None else "torch module"
        return f"{type(self).__name__}({self.name}, {kind})"

    def label(self, index: int) -> tuple[str, ...]:
        """Return the label of a class as a path; its number where there are no labels."""
        return self.labels[index] if self.labels else (str(index),)

    def placement(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Return the device and floating type of the module's weights; None where it has none.

        Raises
        ------
        InputError
            If the weights are on the meta device, which holds none.
        """
        if self.module is None:
            return None, None
        weights = itertools.chain(self.module.parameters(), self.module.buffers())
        like = next((weight for weight in weights if weight.is_floating_point()), None)
        if like is not None and like.is_meta:
            raise InputError(
                "model must hold its weights, got a module on the meta device; move it with to_empty(device=...) and "
                "load its state_dict"
            )
        return (None, None) if like is None else (like.device, like.dtype)

    def fingerprint(self) -> str | None:
        """Return the sha256 of the module's weights and buffers; None for a black box."""
        if self.module is None:
            return None
        self.placement()  # refuses weights that are not there
        state = {key: value for key, value in self.module.state_dict().items() if hasattr(value, "detach")}
        # A digest costs as much as a forward pass; a tensor's version counter tells whether it is still true.
        version = tuple(
            (key, value.data_ptr(), None if value.is_inference() else value._version) for key, value in state.items()
        )
        if self._fingerprint is None or self._fingerprint[0] != version:
            digest = hashlib.sha256()
            for key in sorted(state):
                value = state[key].detach().cpu().contiguous()
                digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
                digest.update(_bytes_of(value))
            self._fingerprint = (version, digest.hexdigest())
        return self._fingerprint[1]


class Classifier(Model):
    """A torch module or a callable that scores classes; see its subclasses.

    Attributes
    ----------
    multilabel : bool
        Whether classes are independent of each other.
    """

    def __init__(self, model: Any, labels: Any, output: str, multilabel: bool, name: str | None) -> None:
        super().__init__(model, labels, output, name)
        self.multilabel = _check.boolean("multilabel", multilabel)

    def check_scores(self, output: Any, count: int) -> npt.NDArray[np.float64]:
        """Return the model's output for ``count`` inputs as float64 (count, classes), or raise InputError."""
        scores = outputs.class_scores(outputs.tensor_of(output), count)
        if self.labels is not None and len(self.labels) != scores.shape[1]:
            raise InputError(
                f"labels must be {scores.shape[1]} labels, one for each output of the model, got {len(self.labels)}"
            )
        return scores

    def probabilities(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the probabilities (..., classes) that the model's output stands for."""
        if self.output == "probability":
            return scores
        if self.multilabel or scores.shape[-1] == 1:
            return np.exp(-np.logaddexp(0.0, -scores))
        return outputs.softmax(scores)

    def targets(self, target: Any, scores: npt.NDArray[np.float64]) -> tuple[int, ...]:
        """Return the class numbers that ``target`` asks for; ``scores`` is float64 (classes,).

        None is the predicted class, ``"top-3"`` the first three; else a class number, a label, or a sequence of those.
        """
        return resolve_targets(target, scores, self.labels)

    def prediction(self, scores: npt.NDArray[np.float64], index: int) -> Prediction:
        """Return one class as a Prediction; ``scores`` is float64 (classes,)."""
        return Prediction(self.label(index), float(self.probabilities(scores)[index]), id=index)

    def predictions(self, scores: npt.NDArray[np.float64], top: int = 5) -> tuple[Prediction, ...]:
        """Return the ``top`` classes by decreasing score; ``scores`` is float64 (classes,)."""
        order = np.argsort(-scores, kind="stable")[: _check.integer("top", top, least=1)]
        return tuple(self.prediction(scores, int(i)) for i in order)


def _bytes_of(tensor: torch.Tensor) -> bytes:
    import torch

    flat = tensor.reshape(-1)
    if flat.stride() != (1,):  # a single number may have any stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().tobytes()


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def label_table(labels: Any) -> tuple[Label, ...] | None:
    """Return labels as paths, from a sequence or from a mapping of class number to label (``id2label``)."""
    if labels is None:
        return None
    if isinstance(labels, Mapping):
        try:
            numbered = {int(key): value for key, value in labels.items()}
        except (TypeError, ValueError):
            raise _check.wrong("labels", "a mapping of class numbers to labels", labels) from None
        if sorted(numbered) != list(range(len(numbered))):
            raise InputError(f"labels must number the classes 0 to {len(numbered) - 1}, got {sorted(numbered)[:5]}...")
        labels = [numbered[i] for i in range(len(numbered))]
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise _check.wrong("labels", "a sequence of labels or a mapping of class numbers to labels", labels)
    return tuple(_check.label_path("labels", label) for label in labels)


def resolve_targets(target: Any, scores: npt.NDArray[np.float64], labels: Sequence[Label] | None) -> tuple[int, ...]:
    """Return the class numbers that a caller asks for.

    Parameters
    ----------
    target : None, int, str, tuple of str, or a sequence of those
        None is the class with the highest score, ``"top-3"`` the three highest; an int is a class number; a str is a
        label (also a level path ``"a > b"``), in any case if only one matches.
    scores : numpy.ndarray
        float64 (classes,).
    labels : sequence of tuple of str or None
        The classes' labels.

    Returns
    -------
    tuple of int
        Class numbers, without repeats, in the order asked for.
    """
    if target is None:
        return (int(np.argmax(scores)),)
    if isinstance(target, str) and (match := re.fullmatch(r"top-(\d+)", target)) and not _matches(target, labels):
        count = int(match[1])
        if not 1 <= count <= scores.size:
            raise InputError(f"target must be top-1 to top-{scores.size}, got {target!r}")
        return tuple(int(i) for i in np.argsort(-scores, kind="stable")[:count])
    if isinstance(target, (list, np.ndarray)) or (
        isinstance(target, tuple) and not all(isinstance(part, str) for part in target)
    ):
        chosen = [i for one in target for i in resolve_targets(one, scores, labels)]
        if not chosen:
            raise InputError("target must name at least one class, got an empty sequence")
        return tuple(dict.fromkeys(chosen))
    if isinstance(target, (str, tuple)):
        found = _matches(target, labels)
        if len(found) != 1:
            names = [" > ".join(label) for label in labels] if labels else [str(i) for i in range(scores.size)]
            if len(found) > 1:
                raise InputError(f"target must be one label, got {target!r}, which names classes {found}")
            raise UnknownNameError("target", target, names)
        return (found[0],)
    index = _check.integer("target", target)
    if not 0 <= index < scores.size:
        raise InputError(f"target must be a class from 0 to {scores.size - 1}, got {index}")
    return (index,)


def _matches(target: str | tuple[str, ...], labels: Sequence[Label] | None) -> list[int]:
    wanted = " > ".join(target) if isinstance(target, tuple) else target
    names = [" > ".join(label) for label in labels or ()]
    exact = [i for i, name in enumerate(names) if name == wanted]
    return exact or [i for i, name in enumerate(names) if name.casefold() == wanted.casefold()]
