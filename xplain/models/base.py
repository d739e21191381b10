"""What all models share: what is called, its labels, its weights, and how callers name the classes to explain.

A `Model` wraps a torch module or a plain callable. Attribution methods see the difference only in ``module``, which is
None for a black box: then there are scores, but no gradients and no layers. A `Classifier` turns scores into
probabilities and predictions, alike for images, texts and signals.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

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
    """Base of all models: a torch module or a callable that is explained.

    Attributes
    ----------
    task : str
        What the model does: one of the tasks of an `Explanation`.
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
        function = borrowing.unwrap(model)
        if not callable(function):
            raise _check.wrong("model", "a torch module or a callable", model)
        self.module: torch.nn.Module | None = function if _is_module(function) else None
        self.function: Callable[..., Any] = function
        self.labels = label_paths(settings.labels_of(function) if labels is None else labels)
        self.output = _check.choice("output", output, ("logit", "probability"))
        checked_name = None if name is None else _check.string("name", name)
        self.name: str = checked_name or getattr(function, "__name__", None) or type(function).__name__
        self._fingerprint: tuple[Any, str] | None = None  # (version of the weights, digest)

    def __repr__(self) -> str:
        kind = "black box" if self.module is None else "torch module"
        return f"{type(self).__name__}({self.name}, {kind})"

    def label(self, index: int) -> tuple[str, ...]:
        """Return the label of a class as a path; the class number where there are no labels."""
        return self.labels[index] if self.labels else (str(index),)

    def with_module(self, module: torch.nn.Module) -> Self:
        """Return the same model around another torch module, which is called as the old one."""
        model = copy.copy(self)
        model.module = model.function = module
        return model

    def placement(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Return the device and floating type of the module's weights; None where it has no weights.

        Raises
        ------
        InputError
            If the weights are on the meta device, which stores no values.
        """
        if self.module is None:
            return None, None
        weights = itertools.chain(self.module.parameters(), self.module.buffers())
        first = next((weight for weight in weights if weight.is_floating_point()), None)
        if first is not None and first.is_meta:
            raise InputError(
                "model must hold its weights, got a module on the meta device; move it with to_empty(device=...) and "
                "load its state_dict"
            )
        return (None, None) if first is None else (first.device, first.dtype)

    def fingerprint(self) -> str | None:
        """Return the sha256 of the module's weights and buffers; None for a black box."""
        if self.module is None:
            return None
        self.placement()  # refuses weights on the meta device
        tensors = {key: value for key, value in self.module.state_dict().items() if hasattr(value, "detach")}
        # A digest costs as much as a forward pass. Version counters, which torch raises with each change in place, tell
        # whether the last digest is still true; tensors of inference mode have none.
        version = tuple(
            (key, tensor.data_ptr(), None if tensor.is_inference() else tensor._version)
            for key, tensor in tensors.items()
        )
        if self._fingerprint is None or self._fingerprint[0] != version:
            self._fingerprint = (version, _digest(tensors))
        return self._fingerprint[1]


def check_model(model: Any) -> None:
    """Raise InputError unless a caller's model is one of ours."""
    if not isinstance(model, Model):
        raise InputError(
            f"model must be an xplain model, got {type(model).__name__}; "
            "wrap it: xplain.ImageClassifier(model, ...), or TextClassifier, SignalClassifier, Detector, Segmenter"
        )


class Classifier(Model):
    """Base of all models that score classes.

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
        """Return the probabilities (..., classes) for the model's output."""
        if self.output == "probability":
            return scores
        if self.multilabel or scores.shape[-1] == 1:
            return np.exp(-np.logaddexp(0.0, -scores))
        return outputs.softmax(scores)

    def targets(self, target: Any, scores: npt.NDArray[np.float64]) -> tuple[int, ...]:
        """Return the class numbers that ``target`` names, see `resolve_targets`; ``scores`` is float64 (classes,)."""
        return resolve_targets(target, scores, self.labels)

    def prediction(self, scores: npt.NDArray[np.float64], index: int) -> Prediction:
        """Return one class as a Prediction; ``scores`` is float64 (classes,)."""
        return Prediction(self.label(index), float(self.probabilities(scores)[index]), id=index)

    def predictions(self, scores: npt.NDArray[np.float64], top: int = 5) -> tuple[Prediction, ...]:
        """Return the ``top`` classes by decreasing score; ``scores`` is float64 (classes,)."""
        order = np.argsort(-scores, kind="stable")[: _check.integer("top", top, least=1)]
        return tuple(self.prediction(scores, int(i)) for i in order)


def label_paths(labels: Any) -> tuple[Label, ...] | None:
    """Return labels as paths, in the order of the classes.

    ``labels`` is a sequence, or a mapping of class number to label (``id2label``), or None.
    """
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
    """Return the class numbers that a caller names.

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
        Class numbers, without repeats, in the order of ``target``.

    Examples
    --------
    >>> resolve_targets(["top-1", "Cat"], np.array([0.1, 0.7, 0.2]), [("cat",), ("dog",), ("cow",)])
    (1, 0)
    """
    if target is None:
        return (int(np.argmax(scores)),)
    if isinstance(target, str) and (match := re.fullmatch(r"top-(\d+)", target)) and not _matches(target, labels):
        count = int(match[1])
        if not 1 <= count <= scores.size:
            raise InputError(f"target must be top-1 to top-{scores.size}, got {target!r}")
        return tuple(int(i) for i in np.argsort(-scores, kind="stable")[:count])
    if is_sequence_of_targets(target):
        indices = [index for item in target for index in resolve_targets(item, scores, labels)]
        if not indices:
            raise InputError("target must name at least one class, got an empty sequence")
        return tuple(dict.fromkeys(indices))
    if isinstance(target, (str, tuple)):
        return (_class_of_label(target, scores.size, labels),)
    index = _check.integer("target", target)
    if not 0 <= index < scores.size:
        raise InputError(f"target must be a class from 0 to {scores.size - 1}, got {index}")
    return (index,)


def is_sequence_of_targets(target: Any) -> bool:
    """Whether a caller names several targets; a tuple of str is a single one, a label with its levels."""
    return isinstance(target, (list, np.ndarray)) or (
        isinstance(target, tuple) and not all(isinstance(part, str) for part in target)
    )


def _class_of_label(target: str | tuple[str, ...], count: int, labels: Sequence[Label] | None) -> int:
    matches = _matches(target, labels)
    if len(matches) > 1:
        raise InputError(f"target must be one label, got {target!r}, which names classes {matches}")
    if not matches:
        names = [" > ".join(label) for label in labels] if labels else [str(i) for i in range(count)]
        raise UnknownNameError("target", target, names)
    return matches[0]


def _matches(target: str | tuple[str, ...], labels: Sequence[Label] | None) -> list[int]:
    """Return the classes with a label: those spelt exactly so, or else those that differ in case only."""
    wanted = " > ".join(target) if isinstance(target, tuple) else target
    names = [" > ".join(label) for label in labels or ()]
    exact = [i for i, name in enumerate(names) if name == wanted]
    return exact or [i for i, name in enumerate(names) if name.casefold() == wanted.casefold()]


def _is_module(model: Any) -> bool:
    torch = sys.modules.get("torch")  # not imported: without torch there are no modules
    return torch is not None and isinstance(model, torch.nn.Module)


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the sha256 of tensors: names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: torch.Tensor) -> bytes:
    import torch

    flat = tensor.reshape(-1)
    if flat.stride() != (1,):  # contiguous() leaves a tensor of one number with any stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().tobytes()
