"""Text classifiers: transformers, any module over an embedding, or any callable that scores a list of strings.

A module reads tokens, and keeps the place of each in the text, by which its evidence becomes that of words
(`xplain.models.words`). A callable reads whole strings: there are no tokens, and methods remove words.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.emails import Comment
from xplain.errors import InputError
from xplain.explanation import Part, Prediction, Source
from xplain.models import borrowing
from xplain.models.base import Classifier
from xplain.models.beside import pairs
from xplain.models.words import Unit, units

if TYPE_CHECKING:
    import torch

_OVERLAP = 4  # a window shares this fraction, 1 / 4, of its tokens with the one before


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """Tokens that a model reads at once: those of a text, or of a part of a longer one.

    Parameters
    ----------
    ids : numpy.ndarray
        int64 (tokens,), special tokens included.
    spans : tuple of (int, int) or None
        Half-open range of code points of each token in the whole text; None for a special token.
    types : numpy.ndarray, optional
        int64 (tokens,), what kind of token each is: which sentence of a pair it belongs to, as the model was trained.
    """

    ids: npt.NDArray[np.int64]
    spans: tuple[tuple[int, int] | None, ...]
    types: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A text as the input of a model.

    Parameters
    ----------
    source : Source
        The explained text, after the model's own preprocessing.
    words : tuple of Unit
        Its words.
    windows : tuple of TokenWindow
        Its tokens; empty for a black box. Several windows overlap, and the score of the text is their mean score.
    pair : tuple of str, optional
        The two sentences that the model reads, where it reads a pair.
    """

    source: Source
    words: tuple[Unit, ...]
    windows: tuple[TokenWindow, ...]
    pair: pairs.Pair | None = None

    @property
    def text(self) -> str:
        """The explained text; of a pair, both sentences."""
        return self.source.text or ""

    @property
    def content(self) -> str | pairs.Pair:
        """What the model is given."""
        return self.text if self.pair is None else self.pair


class TextClassifier(Classifier):
    """A model that scores the classes of a text.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A module maps int64 token ids (batch, tokens) to (batch, classes), alone or in a tuple, a mapping or an object
        with ``logits``; it is given ``input_ids`` and ``attention_mask`` by name if it takes them. A callable is a
        black box from a list of strings to scores (batch, classes), or to an answer for each that names them: a mapping
        of labels to scores, or a list of mappings with ``label`` and ``score``. A pipeline of transformers or
        scikit-learn, or a method of the latter such as ``predict_proba``, brings labels and all else along. Of sentence
        pairs, it is given a list of tuples of two strings, as the ``predict`` of a cross-encoder is.
    tokenizer : callable, optional
        For a module: a fast tokenizer of transformers, or a function from a string to a list of ids and a list of their
        (start, stop) code points (None for a special token). For sentence pairs a function of two strings, which also
        returns the number of each token's sentence (0, 1, or None), in which its span is.
    labels : sequence of str, or mapping of int to str, optional
        The classes' labels; a label may be a path, as a tuple of str. If left out, those of the model
        (``config.id2label``), else the class numbers.
    preprocess : callable, optional
        Turns the raw text into the one that is tokenised, explained, and kept in documents.
    output : {"logit", "probability", "value"}, optional
        What the model returns: scores before a softmax or a sigmoid, probabilities, or values that are neither, as of a
        regression. If left out, what the model's configuration says, else logits. Where these come out of a softmax or
        a sigmoid, or a callable's all lie in 0..1 and add up to 1, on the input and for "nothing there", they are read
        as probabilities, and provenance says so. One score for two labels is that of the second.
    multilabel : bool, optional
        Whether classes are independent of each other (logits pass a sigmoid, not a softmax); what the model's
        configuration says if left out. A single class always is.
    max_length : int, optional
        Most tokens that the module reads at once; longer texts are read in overlapping windows, whose scores are
        averaged. Read from the tokenizer if left out.
    baseline_id : int, optional
        Token that stands for an absent one. If left out, the tokenizer's mask token, else its padding, else its unknown
        token, else the padding token of the model's configuration.
    name : str, optional
        The model's name in documents.

    Examples
    --------
    >>> def polarity(texts):
    ...     good = np.array([text.count("good") - 2.0 * text.count("not good") for text in texts])
    ...     return np.stack([-good, good], axis=1)
    >>> model = TextClassifier(polarity, labels=["negative", "positive"])
    >>> model.predict("not good")[0].label
    ('negative',)
    """

    task = "text-classification"

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        labels: Any = None,
        *,
        preprocess: Callable[[str], str] | None = None,
        output: str | None = None,
        multilabel: bool | None = None,
        max_length: int | None = None,
        baseline_id: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(model, labels, output, multilabel, name)
        if tokenizer is None:
            tokenizer = self.given.extras.get("tokenizer")
        if (self.module is None) != (tokenizer is None):
            needed = "left out for a callable that takes strings" if self.module is None else "given for a torch module"
            remedy = "; name the labels: labels=[...]" if isinstance(tokenizer, (list, tuple)) else ""
            raise InputError(f"tokenizer must be {needed}, got {type(tokenizer).__name__}{remedy}")
        if tokenizer is not None and not callable(tokenizer):
            raise _check.wrong("tokenizer", "a fast tokenizer or a callable", tokenizer)
        if hasattr(tokenizer, "is_fast") and not tokenizer.is_fast:
            raise InputError(
                f"tokenizer must say where its tokens are in the text, got {type(tokenizer).__name__}, a slow one; "
                "pass a function from a string to ids and (start, stop) spans, None for special tokens, or "
                "the fast form of the tokenizer where there is one"
            )
        self.tokenizer = tokenizer
        self._tokenizer_options: Mapping[str, Any] = self.given.extras.get("tokenizer_options", {})
        self._truncates = bool(self.given.extras.get("truncates"))  # what is beyond the limit is left out
        self.preprocess = None if preprocess is None else _check.function("preprocess", preprocess)
        self.max_length = self._length_limit(max_length)
        self._baseline_id = None if baseline_id is None else _check.integer("baseline_id", baseline_id, least=0)
        parameters = inspect.signature(self.module.forward).parameters if self.module is not None else {}
        self._takes_ids_by_name = "input_ids" in parameters
        self._has_classes = False  # whether the number of scores is known not to be that of tokens
        self._takes_mask = "attention_mask" in parameters
        kinds_of_tokens = getattr(getattr(self.module, "config", None), "type_vocab_size", 2)
        self._takes_types = "token_type_ids" in parameters and kinds_of_tokens > 1

    def _length_limit(self, max_length: int | None) -> int | None:
        if max_length is not None:
            return _check.integer("max_length", max_length, least=8)
        limits = [
            self.given.extras.get("max_length"),
            getattr(self.tokenizer, "model_max_length", None),  # transformers writes 1e30 for "unknown"
            self._positions(),
        ]
        known = [int(limit) for limit in limits if isinstance(limit, (int, float)) and 0 < limit <= 1_000_000]
        return min(known, default=None)

    def _positions(self) -> int | None:
        """Return how many positions a module of transformers has, None if it says nothing."""
        count = getattr(getattr(self.module, "config", None), "max_position_embeddings", None)
        if self.module is None or not isinstance(count, int):
            return None
        for name, layer in self.module.named_modules():
            first = getattr(layer, "padding_idx", None)  # RoBERTa and its kin count positions from the one after it
            if first is not None and name.endswith("position_embeddings"):
                return min(count, len(layer.weight) - int(first) - 1)
        return count

    @property
    def baseline_id(self) -> int:
        """Token id that stands for an absent token."""
        if self._baseline_id is not None:
            return self._baseline_id
        candidates = [getattr(self.tokenizer, f"{name}_token_id", None) for name in ("mask", "pad", "unk")]
        candidates.append(getattr(getattr(self.module, "config", None), "pad_token_id", None))
        for token_id in candidates:
            if token_id is not None and token_id >= 0:
                return int(token_id)
        raise InputError(
            "baseline_id must be given where the tokenizer has no mask, padding or unknown token and the model's "
            "configuration no padding token, got none"
        )

    def prepare(self, text: Any) -> PreparedText:
        """Split a text into words and tokens.

        Parameters
        ----------
        text : str, tuple of str, or Comment
            At least one word. A tuple of two str is a pair of sentences, parts "first" and "second" of the source, with
            a blank line between them. Of a comment, the subjects, bodies and signatures of its messages, each of which
            is a part of the source. `preprocess` is applied to each part alone.

        Returns
        -------
        PreparedText
            The model's input and its source.

        Raises
        ------
        InputError
            If the text is of another type or holds only white space.
        """
        parts: tuple[Part, ...] = ()
        name = pair = None
        if isinstance(text, Comment):
            comment = text.with_texts(self._preprocess)
            raw, explained, parts, name = text.text, comment.text, comment.parts, text.id
        elif isinstance(text, tuple):
            first, second = (self._preprocess(sentence) for sentence in pairs.checked(text))
            pair = pairs.checked((first, second))
            raw, (explained, parts) = pairs.joined(text)[0], pairs.joined(pair)
        else:
            raw = _check.string("text", text)
            explained = self._preprocess(raw)
        words = units(explained)
        if not words:
            raise InputError(f"text must hold a word, got {explained[:40]!r}")
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
        source = Source("text", name=name, text=explained, sha256=digest, parts=parts)
        content = explained if pair is None else pair
        return PreparedText(source, words, () if self.module is None else self._windows(content), pair)

    def _preprocess(self, text: str) -> str:
        return text if self.preprocess is None else _check.string("preprocess(text)", self.preprocess(text))

    def scores(self, texts: Sequence[str | pairs.Pair]) -> npt.NDArray[np.float64]:
        """Score texts, without gradients.

        Parameters
        ----------
        texts : sequence of str or tuple of str
            Already preprocessed; a tuple is a pair of sentences.

        Returns
        -------
        numpy.ndarray
            float64 (texts, classes): the model's own output; the mean over the windows of a long text.
        """
        if self.module is None:
            return self.score_rows(list(texts))
        windows = [self._windows(text) for text in texts]
        if any(window.types is not None for windows_of_text in windows for window in windows_of_text):
            of_texts = [[self.of_window(each).token_scores([each.ids])[0] for each in one] for one in windows]
            return np.stack([np.mean(of_windows, axis=0) for of_windows in of_texts])
        sequences = [window.ids for windows_of_text in windows for window in windows_of_text]
        scores = self.token_scores(sequences)
        self._refuse_scores_of_tokens(sequences, scores.shape[1])
        ends = np.cumsum([len(windows_of_text) for windows_of_text in windows])
        return np.stack([scores_of_text.mean(axis=0) for scores_of_text in np.split(scores, ends[:-1])])

    def _refuse_scores_of_tokens(self, sequences: Sequence[npt.NDArray[np.int64]], count: int) -> None:
        """Raise InputError if the module scores tokens, as for the answer to a question, and no classes."""
        if self.labels is not None or self._has_classes or count == 1 or any(len(ids) != count for ids in sequences):
            return
        if self.token_scores([sequences[0][:-1]]).shape[1] == count - 1:
            raise InputError(
                f"model output must be scores of classes, got one for each of {count} tokens (an answer's place, in "
                "question answering); explain it by a function from texts to the score of one answer"
            )
        self._has_classes = True

    def as_read(self, scores: npt.NDArray[np.float64], prepared: PreparedText) -> Self:
        """Return the model with what it returns as the scores (classes,) of one text show it, see `read_output`."""
        return self.read_output(self.of_classes(scores), lambda: self.of_classes(self.scores([""])), "")

    @property
    def own_arguments(self) -> tuple[str, ...]:
        """Names of arguments that the model gives by itself: ids and mask."""
        return ("input_ids", "attention_mask")

    def output_of(self, prepared: PreparedText) -> npt.NDArray[np.float64]:
        """Return the model's output for a prepared text as float64 (classes,)."""
        scores: npt.NDArray[np.float64] = self.scores([prepared.content])[0]
        return scores

    def of_window(self, window: TokenWindow) -> Self:
        """Return the model that is given the kinds of a window's tokens."""
        return self if window.types is None else self.with_inputs({**self.further, "token_type_ids": window.types})

    def token_scores(self, sequences: Sequence[npt.NDArray[np.int64]], batch_size: int = 16) -> npt.NDArray[np.float64]:
        """Score sequences of token ids, without gradients.

        Only sequences of the same length share a batch. So nothing is padded, and a score does not depend on the other
        sequences.

        Parameters
        ----------
        sequences : sequence of numpy.ndarray
            int64 (tokens,) each.
        batch_size : int
            Most sequences in one call of the module.

        Returns
        -------
        numpy.ndarray
            float64 (sequences, classes).
        """
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        scores: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(sequences)
        with borrowing.evaluation(self.module, gradients=False):
            for rows in _equal_lengths(order, sequences, batch_size):
                output = self.forward(self.to_tensor(np.stack([sequences[i] for i in rows])))
                for i, row in zip(rows, self.check_scores(output, len(rows)), strict=True):
                    scores[i] = row
        return np.stack(scores)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the class scores (batch, classes) of unpadded token ids (batch, tokens); gradients flow."""
        return self.class_tensors(ids)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module or the black box; a module with the ids under the names that it has for its arguments."""
        if self.module is None:
            return super().call(*args, **kwargs)
        import torch

        (ids,) = args
        mask = {"attention_mask": torch.ones_like(ids)} if self._takes_mask else {}
        return super().call(input_ids=ids, **mask) if self._takes_ids_by_name else super().call(ids, **mask)

    def to_tensor(self, ids: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return token ids (batch, tokens) as a tensor on the module's device."""
        import torch

        return torch.tensor(ids, device=self.placement()[0])

    def predict(self, text: str | pairs.Pair | Comment, top: int = 5) -> tuple[Prediction, ...]:
        """Classify one text; the ``top`` classes by decreasing score: a probability 0..1, or the model's value."""
        prepared = self.prepare(text)
        scores = self.scores([prepared.content])[0]
        return self.as_read(scores, prepared).predictions(scores, top)

    def describe(self) -> dict[str, Any]:
        """Return the preprocessing as JSON values, and what the model returns."""
        if self.module is None:
            return self.describe_output()
        return {"tokenizer": type(self.tokenizer).__name__, "max_length": self.max_length} | self.describe_output()

    def _windows(self, text: str | pairs.Pair) -> tuple[TokenWindow, ...]:
        """Tokenise, in overlapping windows if the text is longer than the model reads at once."""
        if isinstance(text, tuple):
            of_pair = pairs.tokens_of(text, self.tokenizer, self.max_length)
            return tuple(TokenWindow(ids, spans, types if self._takes_types else None) for ids, spans, types in of_pair)
        if not hasattr(self.tokenizer, "is_fast"):  # not a tokenizer of transformers
            return tuple(self._divide(*self._call_tokenizer(text)))
        limits: Mapping[str, Any] = {}
        if self.max_length is not None:
            limits = {"truncation": True, "max_length": self.max_length, "stride": self.max_length // _OVERLAP}
        encoded = self.tokenizer(
            text,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_overflowing_tokens=True,
            **self._tokenizer_options,
            **limits,
        )
        fields = (encoded[key] for key in ("input_ids", "offset_mapping", "special_tokens_mask"))
        windows = tuple(
            TokenWindow(
                np.array(ids, np.int64),
                tuple(None if is_special else tuple(span) for span, is_special in zip(spans, special, strict=True)),
            )
            for ids, spans, special in zip(*fields, strict=True)
        )
        return windows[:1] if self._truncates else windows

    def _call_tokenizer(self, text: str) -> tuple[npt.NDArray[np.int64], tuple[tuple[int, int] | None, ...]]:
        """Call a tokenizer that is a plain function, and check what it returns."""
        try:
            ids, spans = self.tokenizer(text)
            array = np.array([_check.integer("token id", i, least=0) for i in ids], np.int64)
            pairs = tuple(None if span is None else _span(span, len(text)) for span in spans)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise InputError(f"tokenizer must return ids and (start, stop) spans, got an error: {error}") from error
        if not len(array) and not pairs:  # a module needs a token: an absent one
            return np.array([self.baseline_id], np.int64), (None,)
        if len(array) != len(pairs):
            raise InputError(f"tokenizer must return as many spans as ids, got {len(array)} ids and {len(pairs)} spans")
        return array, pairs

    def _divide(self, ids: npt.NDArray[np.int64], spans: tuple[tuple[int, int] | None, ...]) -> Iterator[TokenWindow]:
        """Yield the windows of a tokenised text; the last one is moved back to end with the text."""
        size = self.max_length or len(ids)
        step = size - size // _OVERLAP
        for start in range(0, max(len(ids) - size, 0) + step, step) if len(ids) > size else (0,):
            first = min(start, max(len(ids) - size, 0))
            yield TokenWindow(ids[first : first + size], spans[first : first + size])


def _span(span: Any, length: int) -> tuple[int, int]:
    """Check the (start, stop) of a token in a text of some length."""
    start, stop = (_check.integer("span", position, least=0) for position in span)
    if not start <= stop <= length:
        raise InputError(f"span must have start <= stop <= {length}, got {start} and {stop}")
    return start, stop


def _equal_lengths(
    order: Sequence[int], sequences: Sequence[npt.NDArray[np.int64]], batch_size: int
) -> Iterator[list[int]]:
    """Divide ``order``, the numbers of sequences by length, into batches whose sequences have the same length."""
    rows: list[int] = []
    for i in order:
        if rows and (len(rows) == batch_size or len(sequences[i]) != len(sequences[rows[0]])):
            yield rows
            rows = []
        rows.append(i)
    if rows:
        yield rows
