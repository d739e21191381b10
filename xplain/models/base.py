"""What all models share: what is called, its labels, its weights, and the classes to explain.

A `Model` wraps a torch module or a plain callable. Attribution methods see the difference only in ``module``, which is
None for a black box: then there are scores, but no gradients and no layers. A `Classifier` turns scores into
probabilities and predictions, alike for images, texts and signals.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Prediction, Source
from xplain.models import borrowing, outputs, settings
from xplain.models.beside import further
from xplain.models.beside.similarity import Similarity, cosines, directions, labels_of
from xplain.models.targets import label_paths, margins_in, resolve_targets

if TYPE_CHECKING:
    import torch


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
    further : dict
        Further inputs by name, see `with_inputs`.
    """

    task: str

    def __init__(self, model: Any, labels: Any, output: str, name: str | None) -> None:
        function = borrowing.unwrap(model)
        if not callable(function):
            raise _check.wrong("model", "a torch module or a callable", model)
        self.module: torch.nn.Module | None = function if _is_module(function) else None
        self.function: Callable[..., Any] = function
        self.labels = label_paths(settings.labels_of(function) if labels is None else labels)
        self.further: dict[str, Any] = {}
        self._called = function  # whose arguments further inputs name
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
        model.module, model.function = module, self._with_further(module)
        return model

    def with_inputs(self, inputs: Any) -> Self:
        """Return the same model, which is given further inputs by name beside the one that is explained."""
        model = copy.copy(self)
        model.further = further.checked(self._called, inputs)
        model.function = model._with_further(self.module or self._called)
        return model

    @property
    def missing_inputs(self) -> list[str]:
        """Names of further inputs that the model needs and is not given."""
        return further.missing(self._called, {*self.further, *self.own_arguments})

    def refuse_missing_inputs(self) -> None:
        """Raise InputError if the model needs more inputs than it is given."""
        if missing := self.missing_inputs:
            example = ", ".join(f"{name!r}: ..." for name in missing)
            raise InputError(
                f"inputs must hold {' and '.join(missing)}, which the model needs beside what is explained, got "
                f"{sorted(self.further) or 'none'}; pass inputs={{{example}}}"
            )

    @property
    def own_arguments(self) -> tuple[str, ...]:
        """Names of arguments that the model gives by itself."""
        return ()

    def _with_further(self, function: Any) -> Callable[..., Any]:
        return further.bound(function, self.further, self.placement, self._called) if self.further else function

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
    margins : tuple of (int, int)
        Pairs of classes whose differences follow the classes in all scores, see `with_margins`.
    similarities : tuple of Similarity
        What all scores are instead of classes, see `with_similarities`.
    """

    def __init__(self, model: Any, labels: Any, output: str, multilabel: bool, name: str | None) -> None:
        super().__init__(model, labels, output, name)
        self.multilabel = _check.boolean("multilabel", multilabel)
        self.margins: tuple[tuple[int, int], ...] = ()
        self.similarities: tuple[Similarity, ...] = ()
        self._references = np.empty((0, 0))

    def with_margins(self, target: Any) -> Self:
        """Return the model whose scores end with the margins among targets, so that they are explained like classes."""
        margins = tuple(dict.fromkeys(margins_in(target, self.labels)))
        if not margins:
            return self
        self.fingerprint()  # known to the copy, too
        model = copy.copy(self)
        model.margins = margins
        return model

    def with_similarities(
        self, similarities: Sequence[Similarity], sources: Sequence[Source], references: npt.NDArray[np.float64]
    ) -> Self:
        """Return the model whose scores are cosines with its outputs (R, numbers) for references from some sources."""
        self.fingerprint()  # known to the copy, too
        model = copy.copy(self)
        model._references = directions(references)
        model.similarities = tuple(similarities)
        model.labels = tuple(labels_of(sources))
        model.output = "similarity"
        return model

    def append_margins(self, scores: Any) -> Any:
        """Return scores (..., classes), an array or a tensor, followed by the margins; or the similarities."""
        if self.similarities:
            return cosines(scores, self._references)
        if not self.margins:
            return scores
        first, second = (list(classes) for classes in zip(*self.margins, strict=True))
        if (largest := max(first + second)) >= scores.shape[-1]:
            raise InputError(f"target must be a class from 0 to {scores.shape[-1] - 1}, got {largest} in a margin")
        parts = [scores, scores[..., first] - scores[..., second]]
        return np.concatenate(parts, axis=-1) if isinstance(scores, np.ndarray) else sys.modules["torch"].cat(parts, -1)

    def scores_of(self, output: Any, count: int) -> npt.NDArray[np.float64]:
        """Return what the model returned for ``count`` inputs as float64 (count, classes), or raise InputError."""
        scores: npt.NDArray[np.float64] = self.append_margins(outputs.class_scores(outputs.tensor_of(output), count))
        return self._check_labels(scores)

    def check_scores(self, output: Any, count: int) -> npt.NDArray[np.float64]:
        """Return what ``forward`` gave for ``count`` inputs as float64 (count, classes), or raise InputError."""
        return self._check_labels(outputs.class_scores(output, count))

    def _check_labels(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        classes = scores.shape[1] - len(self.margins)
        if self.labels is not None and len(self.labels) != classes:
            raise InputError(
                f"labels must be {classes} labels, one for each output of the model, got {len(self.labels)}"
            )
        return scores

    def of_classes(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return scores without the margins: (..., classes)."""
        return scores[..., : -len(self.margins)] if self.margins else scores

    def probabilities(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the probabilities (..., classes) for the model's output; of margins their differences.

        Similarities stay what they are.
        """
        if self.similarities:
            return scores
        classes = self.of_classes(scores)
        if self.output == "logit" and (self.multilabel or classes.shape[-1] == 1):
            classes = np.exp(-np.logaddexp(0.0, -classes))
        elif self.output == "logit":
            classes = outputs.softmax(classes)
        probabilities: npt.NDArray[np.float64] = self.append_margins(classes)
        return probabilities

    def targets(self, target: Any, scores: npt.NDArray[np.float64]) -> tuple[int, ...]:
        """Return the numbers that ``target`` names, see `resolve_targets`; ``scores`` is float64 (classes,)."""
        if self.similarities:
            return tuple(range(len(self.similarities)))
        return resolve_targets(target, scores, self.labels, self.margins)

    def prediction(self, scores: npt.NDArray[np.float64], index: int) -> Prediction:
        """Return one class as a Prediction; ``scores`` is float64 (classes,)."""
        return self.prediction_of(float(self.probabilities(scores)[index]), index, len(scores))

    def prediction_of(self, probability: float, index: int, count: int) -> Prediction:
        """Return one of ``count`` classes and margins with its probability as a Prediction."""
        classes = count - len(self.margins)
        if index < classes:
            return Prediction(self.label(index), probability, id=index)
        names = (" > ".join(self.label(number)) for number in self.margins[index - classes])
        return Prediction((" - ".join(names),), probability)

    def predictions(self, scores: npt.NDArray[np.float64], top: int = 5) -> tuple[Prediction, ...]:
        """Return the ``top`` classes by decreasing score; ``scores`` is float64 (classes,)."""
        order = np.argsort(-self.of_classes(scores), kind="stable")[: _check.integer("top", top, least=1)]
        return tuple(self.prediction(scores, int(i)) for i in order)


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
