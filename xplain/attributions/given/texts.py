"""Numbers for texts: one a word, one a token of the model, or one a piece of the text that is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xplain import _check
from xplain.attributions.given.numbers import Float64
from xplain.attributions.given.reading import Asked, Placed, Reading
from xplain.attributions.kinds.texts import share_out, word_scores
from xplain.errors import InputError
from xplain.explanation import Attribution, Explanation, Provenance
from xplain.models import TextClassifier

Spans = Sequence[tuple[int, int] | None]

#: What tokenizers write beside the characters of a text: marks of a space, of a continued word, of a word's end.
_MARKS = re.compile(r"^(##|[Ġ▁]+)|(</w>)$")
#: Tokens that stand for no characters, such as [CLS] and </s>.
_SPECIAL = re.compile(r"\[[A-Z]+\d*\]|<\|?/?\w+\|?>")


class Text(Asked):
    """A text classifier and one text.

    Parameters
    ----------
    model : TextClassifier
        What predicts.
    text, target
        As for `xplain.explain`.
    """

    def __init__(self, model: TextClassifier, text: Any, target: Any) -> None:
        self.prepared = model.prepare(text)
        self._all_scores = model.scores([self.prepared.content])[0]
        self.model = self._classifier = model = model.as_read(self._all_scores, self.prepared)
        self.classes = model.targets(target, self._all_scores)
        self.class_count = self._all_scores.size
        self.targets = tuple(model.prediction(self._all_scores, index) for index in self.classes)
        self.evaluations = max(1, len(self.prepared.windows))

    def scores(self) -> Float64:
        """Return the model's own output for the T targets, (T,)."""
        assert self.classes is not None
        of_targets: Float64 = self._all_scores[list(self.classes)]
        return of_targets

    def place(self, values: Float64, reading: Reading) -> Placed:
        """Return one number for each word, (words,)."""
        reading.refuse("a text", "layout", "frame")
        given, named = values, self._named(reading)
        if values.ndim == 3 and len(values) == 1:  # an axis of a batch of one
            values = values[0]
        if values.ndim == 2 and len(values) == 1 and values.shape[1] in {len(spans) for _, spans in named}:
            values = values[0]
        # Words have no embeddings: (n, words) are numbers for n targets.
        fitting = [
            spans
            for name, spans in named
            if (values.ndim == 1 or (values.ndim == 2 and name == "tokens")) and len(values) == len(spans)
        ]
        if not fitting:
            raise self._refused(given, named, reading)
        notes: tuple[str, ...] = ()
        if values.ndim == 2:
            if values.shape[1] > 1:
                notes = (f"{values.shape[1]} numbers of each token became one: {reading.channels}",)
            values = reading.reduced(values, axis=1)
        placed = [share_out(values[np.newaxis], self.prepared.words, spans)[0][0] for spans in fitting]
        if len(placed) > 1 and not reading.of_input and not np.array_equal(placed[0], placed[1]):
            raise InputError(
                f"tokens must be given for {reading.name} of shape {given.shape}, which may be of words or tokens, got "
                "None; name the piece of text of each number, '' for none"
            )
        return Placed(placed[-1], notes + _unplaced(values, fitting[-1]))

    def explanation(
        self, maps: Sequence[Float64], quality: list[dict[str, Any]], provenance: Provenance
    ) -> Explanation:
        """Make an explanation of the words' numbers."""
        attributions = tuple(
            Attribution(target, word_scores(self.prepared.words, values), provenance.method, notes)
            for target, values, notes in zip(self.targets, maps, quality, strict=True)
        )
        predictions = self._classifier.predictions(self._all_scores)
        return Explanation(self._classifier.task, self.prepared.source, predictions, attributions, provenance)

    def _named(self, reading: Reading) -> list[tuple[str, Spans]]:
        """Return what numbers may belong to: words, then tokens; or the pieces that the caller names."""
        if reading.tokens is not None:
            return [("tokens", spans_of(self.prepared.text, reading.tokens, reading.tokens_name))]
        words: Spans = [(word.start, word.stop) for word in self.prepared.words]
        windows = self.prepared.windows
        return [("words", words)] + ([("tokens", windows[0].spans)] if len(windows) == 1 else [])

    def _refused(self, values: Float64, named: Sequence[tuple[str, Spans]], reading: Reading) -> InputError:
        expected = " or ".join(f"({len(spans)},), one for each of its {name}" for name, spans in named)
        remedy = "tokens= names the pieces of the text that numbers belong to" if reading.tokens is None else ""
        if values.ndim > 1:
            remedy = "for several targets name as many"
        if len(self.prepared.windows) > 1:
            remedy = f"the model reads the text in {len(self.prepared.windows)} windows: add up tokens by word"
        return reading.wrong_shape(expected, values, remedy)


def spans_of(text: str, tokens: Iterable[str], name: str = "tokens") -> Spans:
    """Find tokens in a text, one after the other.

    Parameters
    ----------
    text : str
        The text.
    tokens : iterable of str
        All of the text's letters and digits, in order. Case and marks of tokenizers (``##``, ``Ġ``, ``▁``) do not
        count, and a special token such as ``[CLS]`` or an empty one belongs to no characters.
    name : str
        What the caller calls them.

    Returns
    -------
    list of (int, int) or None
        Half-open range of code points of each token; None where there is none.

    Raises
    ------
    InputError
        If they are not the text's, or not in its order.

    Examples
    --------
    >>> spans_of("Not unfit!", ["[CLS]", "not ", "un", "##fit", "!", "[SEP]"])
    [None, (0, 3), (4, 6), (6, 9), (9, 10), None]
    """
    spans: list[tuple[int, int] | None] = []
    position = 0
    for i, item in enumerate(tokens):
        token = _check.string(f"{name}[{i}]", item).strip()
        bare = _MARKS.sub("", token)
        found = _next(text, position, token) or (_next(text, position, bare) if bare != token else None)
        if found is None and not _SPECIAL.fullmatch(token) and bare:
            raise InputError(
                f"{name}[{i}] must be the next of the text, {text[position : position + 20].strip()!r}, got {item!r}; "
                "pass pieces of the text itself, in its order, '' for none"
            )
        spans.append(found)
        position = found[1] if found else position
    rest = text[position:].strip()
    if re.search(r"[^\W_]", rest):
        raise InputError(f"{name} must hold all of the text, got none for {rest[:40]!r}; pass all of its pieces")
    return spans


def _next(text: str, position: int, token: str) -> tuple[int, int] | None:
    """Return where a token stands next in a text, with nothing but spaces and punctuation before it."""
    if not token:
        return None
    match = re.compile(rf"[\W_]*?({re.escape(token)})", re.IGNORECASE).match(text, position)
    return match.span(1) if match else None


def _unplaced(values: Float64, spans: Spans) -> tuple[str, ...]:
    """Note what belongs to no word."""
    left = sum(value for value, span in zip(values.tolist(), spans, strict=True) if span is None)
    return (f"tokens that stand for no word hold {left:.6g}",) if left else ()
