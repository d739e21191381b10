"""What all models share: what is called, its labels, its weights, and the classes to explain.

A `Model` wraps a torch module or a plain callable. Attribution methods see the difference only in ``module``, which is
None for a black box: then there are scores, but no gradients and no layers. A `Classifier` turns scores into
probabilities and predictions, alike for images, texts and signals.

What a caller's model raises comes out as an `AttributionError`, but for memory that runs out: smaller batches may do.
A model that takes one input at a time (``view(1, -1)``) is found out by its first batch, and is given single inputs
from then on.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import AttributionError, InputError, XplainError, is_out_of_memory, reason_of
from xplain.explanation import Prediction, Source
from xplain.models import borrowing, outputs
from xplain.models.adapters import answers
from xplain.models.adapters.opening import is_module, opened, unbound
from xplain.models.beside import further
from xplain.models.beside.similarity import Similarity, cosines, directions, labels_of
from xplain.models.targets import label_paths, margins_in, resolve_targets

if TYPE_CHECKING:
    import torch

Float64 = npt.NDArray[np.float64]

Result = TypeVar("Result")

_RAISED = "model must take its input, got "


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
    given : Given
        What the model says of itself.
    name : str
        The model's name in documents.
    takes_batches : bool
        False once the model refused several inputs at once and took each of them alone.
    verdicts : dict
        What was found out about the model, by what it depends on; see `xplain.attributions.engine.guard`.
    further : dict
        Further inputs by name, see `with_inputs`.
    """

    task: str
    #: What scores can be.
    kinds_of_output: tuple[str, ...] = ("logit", "probability")

    def __init__(self, model: Any, labels: Any, output: str | None, name: str | None) -> None:
        self._read_from: str | None = None  # what shows that scores are probabilities; "" once nothing does
        held, fixed = unbound(borrowing.unwrap(model))
        self.given = opened(held, self.task, labels)
        function = self.given.function
        self.module: torch.nn.Module | None = cast("torch.nn.Module", function) if is_module(function) else None
        self.labels = label_paths(self.given.labels if labels is None else labels)
        self._called = function  # whose arguments further inputs name
        self.further: dict[str, Any] = dict(fixed)
        self.function: Callable[..., Any] = self._with_further(function)
        self._is_unsaid = output is None and self.given.output is None
        said = self.given.output or "logit" if output is None else output
        self.output = _check.choice("output", said, self.kinds_of_output)
        checked_name = None if name is None else _check.string("name", name)
        self.name: str = (
            checked_name or self.given.name or getattr(function, "__name__", None) or type(function).__name__
        )
        self.takes_batches = True
        self.verdicts: dict[Any, Any] = {}
        self._fingerprint: tuple[Any, str] | None = None  # (version of the weights, digest)
        self._is_named = False  # whether the model names its scores, known from its first call
        self._is_probable_at_nothing: dict[Any, bool] = {}  # by the shape of inputs, for all copies of the model

    def __repr__(self) -> str:
        kind = "black box" if self.module is None else "torch module"
        return f"{type(self).__name__}({self.name}, {kind})"

    def label(self, index: int) -> tuple[str, ...]:
        """Return the label of a class as a path; the class number where there are no labels."""
        return self.labels[index] if self.labels else (str(index),)

    @property
    def output(self) -> str:
        """What scores are: "logit", "probability" or "value"; as it was said, or read from the scores themselves."""
        return "probability" if self._said_output == "logit" and self._read_from else self._said_output

    @output.setter
    def output(self, output: str) -> None:
        self._said_output = output

    def describe_output(self) -> dict[str, Any]:
        """Return what scores are as JSON values, with what shows it if it was read; nothing for plain logits."""
        if self.output == self._said_output:
            return {} if self.output == "logit" else {"output": self.output}
        return {"output": self.output, "output_read_from": self._read_from}

    def read_output(self, scores: Float64, at_nothing: Callable[[], Float64], key: Any) -> Self:
        """Return the model as one input shows it: a callable whose scores add up to 1 returns probabilities.

        Of one that names its scores, these need only be within 0..1.

        Parameters
        ----------
        scores : numpy.ndarray
            float64 (..., classes) of the input.
        at_nothing : callable
            Returns those of an input that stands for "nothing there". Scores that add up to 1 there as well are no
            coincidence.
        key : hashable
            What inputs share one such input.
        """
        are_probable = outputs.are_fractions if self._is_named else outputs.add_up
        if self.module is not None or self.output != "logit" or not are_probable(scores):
            return self
        if key not in self._is_probable_at_nothing:
            self._is_probable_at_nothing[key] = _hold(are_probable, at_nothing)
        if not self._is_probable_at_nothing[key]:
            return self
        model = copy.copy(self)
        model._read_from = "named scores within 0..1" if self._is_named else "scores that add up to 1"
        return model

    def with_module(self, module: torch.nn.Module) -> Self:
        """Return the same model around another torch module, which is called as the old one."""
        model = copy.copy(self)
        model.module, model.function = module, self._with_further(module)
        model.verdicts = {}
        return model

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module or the black box.

        Raises
        ------
        AttributionError
            If it raises anything but an error of ours or one that says that memory has run out.
        """
        try:
            return self._watched(*args, **kwargs)
        except XplainError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise AttributionError(f"{_RAISED}{reason_of(error)}") from error

    def _watched(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model. The first call of a module tells whether it ends in a softmax or a sigmoid."""
        if self.module is None or self._read_from is not None or self._said_output != "logit":
            return self.function(*args, **kwargs)
        from xplain.models.adapters.endings import Ending

        ending = Ending()
        output = ending.run(self.function, *args, **kwargs)
        is_probability = ending.is_probability(outputs.tensor_of(output))
        self._read_from = "the module's last function" if is_probability else ""
        return output

    def in_rows(self, function: Callable[[Any], Result], batch: Any, join: Callable[[list[Result]], Result]) -> Result:
        """Apply a function that calls the model to a batch, or to one input at a time if the model takes no more.

        Parameters
        ----------
        function : callable
            Takes rows of ``batch``.
        batch : numpy.ndarray, torch.Tensor or list
            Inputs along the first axis.
        join : callable
            Makes the result of the batch of those of its rows.
        """
        if len(batch) == 1:
            return function(batch)
        refusal: AttributionError | InputError | None = None
        if self.takes_batches:
            try:
                return function(batch)
            except (AttributionError, InputError) as error:
                refusal = error
        try:
            rows = [function(batch[i : i + 1]) for i in range(len(batch))]
        except XplainError:
            if refusal is None:
                raise
            raise refusal from refusal.__cause__  # the batch is not what it minds
        self.takes_batches = False
        return join(rows)

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
            If the weights are on the meta device, which stores no values, or lazy parts have not made theirs.
        """
        if self.module is None:
            return None, None
        weights = itertools.chain(self.module.parameters(), self.module.buffers())
        first = next((weight for weight in weights if borrowing.is_lazy(weight) or weight.is_floating_point()), None)
        if first is not None and borrowing.is_lazy(first):
            raise borrowing.refusal_of_lazy_parts()
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
        if any(map(borrowing.is_lazy, tensors.values())):
            raise borrowing.refusal_of_lazy_parts()
        # A digest costs as much as a forward pass. Version counters, which torch raises with each change in place, tell
        # whether the last digest is still true; tensors of inference mode have none.
        version = tuple(
            (key, tensor.data_ptr(), None if tensor.is_inference() else tensor._version)
            for key, tensor in tensors.items()
        )
        if self._fingerprint is None or self._fingerprint[0] != version:
            self._fingerprint = (version, _digest(tensors))
        return self._fingerprint[1]


def is_raised_by_model(error: AttributionError) -> bool:
    """Whether an error says what a model raised when it was called."""
    return str(error).startswith(_RAISED)


def _hold(are_probable: Callable[[Float64], bool], at_nothing: Callable[[], Float64]) -> bool:
    """Whether scores of "nothing there" pass a test; also where there are none, and those of the input must do."""
    try:
        return are_probable(at_nothing())
    except XplainError:  # a function may divide by the number of words, say
        return True


class Classifier(Model):
    """Base of all models that score classes.

    Attributes
    ----------
    multilabel : bool
        Whether classes are independent of each other.
    output : {"logit", "probability", "value"}
        What scores are. Values are no probabilities and become none: those of a regression, say.
    margins : tuple of (int, int)
        Pairs of classes whose differences follow the classes in all scores, see `with_margins`.
    similarities : tuple of Similarity
        What all scores are instead of classes, see `with_similarities`.
    """

    kinds_of_output = ("logit", "probability", "value")

    def __init__(self, model: Any, labels: Any, output: str | None, multilabel: bool | None, name: str | None) -> None:
        super().__init__(model, labels, output, name)
        said = bool(self.given.multilabel) if multilabel is None else multilabel
        self.multilabel = _check.boolean("multilabel", said)
        if multilabel is not None and hasattr(self.function, "with_multilabel"):
            self.function = self.function.with_multilabel(multilabel)
        self.margins: tuple[tuple[int, int], ...] = ()
        self._is_two_sided = False  # whether the model has one score for its two labels, known from its first call
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

    def class_scores(self, scores: Any) -> Any:
        """Return what the model returns (..., outputs), an array or a tensor, as its classes followed by the margins.

        One score for two labels is that of the second. That of the first is its negative; of a probability, what is
        left to 1. Of embeddings they are the similarities.
        """
        if self.similarities:
            return cosines(scores, self._references)
        if self.labels is not None and len(self.labels) == 2 and scores.shape[-1] == 1 and not self.multilabel:
            self._is_two_sided = True
            scores = _joined([1 - scores if self.output == "probability" else -scores, scores])
        return self._append_margins(scores)

    def _append_margins(self, scores: Any) -> Any:
        """Return scores (..., classes), an array or a tensor, followed by the margins."""
        if not self.margins:
            return scores
        first, second = (list(classes) for classes in zip(*self.margins, strict=True))
        if (largest := max(first + second)) >= scores.shape[-1]:
            raise InputError(f"target must be a class from 0 to {scores.shape[-1] - 1}, got {largest} in a margin")
        return _joined([scores, scores[..., first] - scores[..., second]])

    def class_tensors(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the scores (n, classes) that a module gives for a batch, margins included; gradients flow."""

        def function(rows: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.class_scores(outputs.class_tensor(self.call(rows), len(rows)))
            return scores

        import torch

        return self.in_rows(function, batch, torch.cat)

    def score_rows(self, batch: Any) -> Float64:
        """Return the scores that the model gives for a batch as float64 (n, classes), margins included."""

        def function(rows: Any) -> Float64:
            return self._numbers(self.call(rows), len(rows))

        return self._check_classes(self.class_scores(self.in_rows(function, batch, np.concatenate)))

    def _numbers(self, output: Any, count: int) -> Float64:
        """Return what the model returned for ``count`` inputs as float64 (count, outputs), or raise InputError."""
        if self.module is None and answers.are_named(output):
            labels, output = answers.read_named(output, count, self.labels)
            self.labels, self._is_named = labels, True
        return outputs.class_scores(outputs.tensor_of(output), count)

    def check_scores(self, output: Any, count: int) -> Float64:
        """Return what ``forward`` gave for ``count`` inputs as float64 (count, classes), or raise InputError."""
        return self._check_classes(outputs.class_scores(output, count))

    def _check_classes(self, scores: Float64) -> Float64:
        classes = scores.shape[1] - len(self.margins)
        if self.labels is not None and len(self.labels) != classes:
            raise InputError(
                f"labels must be {classes} labels, one for each output of the model, got {len(self.labels)}"
            )
        if self._said_output == "probability":
            outputs.check_probabilities(self.of_classes(scores), self.kinds_of_output)
        return scores

    def of_classes(self, scores: Float64) -> Float64:
        """Return scores without the margins: (..., classes)."""
        return scores[..., : -len(self.margins)] if self.margins else scores

    def probabilities(self, scores: Float64) -> Float64:
        """Return the probabilities (..., classes) for the model's output, or its values; of margins the differences.

        Similarities stay what they are.
        """
        if self.similarities:
            return scores
        classes = self.of_classes(scores)
        if self.output == "logit" and (self.multilabel or self._is_two_sided or classes.shape[-1] == 1):
            classes = np.exp(-np.logaddexp(0.0, -classes))
        elif self.output == "logit":
            classes = outputs.softmax(classes)
        probabilities: Float64 = self._append_margins(classes)
        return probabilities

    def doubts(self, scores: Float64) -> list[str]:
        """Return a sentence if one input's scores, float64 (classes,), may be probabilities, which nothing can show.

        Independent classes do not add up to 1, and what is inside of a callable is not seen; a module may divide scores
        by their sum without a softmax.
        """
        classes = self.of_classes(scores)[-1:] if self._is_two_sided else self.of_classes(scores)
        are_independent = self.multilabel or classes.size == 1
        if not self._is_unsaid or self.output != "logit":
            return []
        if not (outputs.add_up(classes) if self.module is not None else are_independent):
            return []
        if not outputs.are_fractions(classes) or (classes == np.rint(classes)).all():  # counts are none
            return []
        return ["scores within 0..1 were read as logits: if they are probabilities, say output='probability'"]

    def targets(self, target: Any, scores: Float64) -> tuple[int, ...]:
        """Return the numbers that ``target`` names, see `resolve_targets`; ``scores`` is float64 (classes,)."""
        if self.similarities:
            return tuple(range(len(self.similarities)))
        return resolve_targets(target, scores, self.labels, self.margins)

    def prediction(self, scores: Float64, index: int) -> Prediction:
        """Return one class as a Prediction; ``scores`` is float64 (classes,)."""
        return self.prediction_of(float(self.probabilities(scores)[index]), index, len(scores))

    def prediction_of(self, probability: float, index: int, count: int) -> Prediction:
        """Return one of ``count`` classes and margins with its probability as a Prediction."""
        classes = count - len(self.margins)
        if index < classes:
            return Prediction(self.label(index), probability, id=index)
        names = (" > ".join(self.label(number)) for number in self.margins[index - classes])
        return Prediction((" - ".join(names),), probability)

    def predictions(self, scores: Float64, top: int = 5) -> tuple[Prediction, ...]:
        """Return the ``top`` classes by decreasing score; ``scores`` is float64 (classes,)."""
        order = np.argsort(-self.of_classes(scores), kind="stable")[: _check.integer("top", top, least=1)]
        return tuple(self.prediction(scores, int(i)) for i in order)


def _joined(parts: list[Any]) -> Any:
    """Return arrays or tensors side by side."""
    return np.concatenate(parts, axis=-1) if isinstance(parts[0], np.ndarray) else sys.modules["torch"].cat(parts, -1)


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
