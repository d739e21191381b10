"""Texts whose words are switched on and off: what methods that need scores only explain.

An absent word is deleted from the text of a black box; for a module its tokens become the baseline token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.supplies import Cover, Players, Supplies
from xplain.attributions.kinds.views import ClassView
from xplain.errors import InputError
from xplain.explanation import Source
from xplain.kernels import masks
from xplain.models import Geometry, Prepared, PreparedText, TextClassifier, outputs
from xplain.models.beside.pairs import Pair, of_words
from xplain.models.words import Unit, sentences, shares

Scores = npt.NDArray[np.float64]

#: Tokens in one pass that still make good use of a CPU's caches; a text model's activations grow with them.
_MOST_TOKENS = 2048
#: Most units that ``unit="auto"`` divides a text into: each costs an evaluation or more.
_MOST_UNITS = 128


class Presence(ClassView):
    """Maps which words of a text are there to class scores; its input is a row of ones, (1, 1, words).

    The keyword options of what it supplies to methods are those that a caller sets.

    Parameters
    ----------
    model : TextClassifier
        What is explained.
    text : PreparedText
        The text.
    text_scores : numpy.ndarray
        float64 (classes,), the scores of the whole text, which are known already.
    """

    def __init__(self, model: TextClassifier, text: PreparedText, text_scores: Scores) -> None:
        super().__init__(model)
        self.text_model = model
        self.text = text
        self.text_scores = text_scores

    @property
    def module(self) -> None:
        """None, as for a black box: whether a word is there cannot be differentiated by."""
        return None

    def prepared_input(self) -> Prepared:
        """Return the input that stands for the whole text."""
        words = len(self.text.words)
        ones = np.ones((1, 1, words), np.float32)
        identity = self.text.text.encode("utf-8", "surrogatepass")
        return Prepared(Source("text"), ones, Geometry.identity(1, words), identity)

    @property
    def supplies(self) -> Supplies:
        """All that methods may ask for."""
        return Supplies("texts", self.baseline, self.baselines, self.players, self.cover)

    def baseline(self, prepared: Prepared) -> list[npt.NDArray[np.float32]]:
        """Return the input without any word."""
        return [np.zeros_like(prepared.array)]

    def baselines(self, prepared: Prepared) -> list[npt.NDArray[np.float32]]:
        """Return the only baseline."""
        return self.baseline(prepared)

    def players(self, prepared: Prepared, *, unit: str | int = "auto") -> Players:
        """Return units of the text as players; the value of a unit is shared out evenly among its words.

        Parameters
        ----------
        prepared : Prepared
            The input.
        unit : {"auto", "word", "sentence"} or int
            What is switched on and off: a word, a sentence, or that many words; "auto" is a word, or in a long text as
            many as make 128 units.
        """
        units = self._units(unit)[np.newaxis]
        return Players(units, is_shared=True, noun="units of the text", remedy="pass a larger unit")

    def cover(self, prepared: Prepared, *, unit: str | int = "auto", window: int = 1) -> Cover:
        """Return the positions of a window over units of the text.

        Parameters
        ----------
        prepared : Prepared
            The input.
        unit : {"auto", "word", "sentence"} or int
            What is left out, as for `players`.
        window : int
            How many units in a row are left out at a time. A unit's value is the mean over the windows that hold it,
            shared out evenly among its words.
        """
        units = self._units(unit)
        count = int(units.max()) + 1
        extent = _check.integer("window", window, least=1)
        if extent > count:
            raise InputError(f"window must be at most {count}, the number of units in the text, got {extent}")
        columns = masks.coverage(np.arange(count - extent + 1), extent, count)[:, units]
        return Cover(np.ones((1, 1)), columns, np.bincount(units)[units], players=count)

    def _units(self, unit: str | int) -> npt.NDArray[np.int64]:
        """Return the unit of each word, 0..count-1, as int64 (words,); none is of two sentences of a pair."""
        words = self.text.words
        if isinstance(unit, str) and unit not in ("auto", "word", "sentence"):
            raise _check.wrong("unit", "'auto', 'word', 'sentence' or a number of words", unit)
        if unit == "auto":
            size = -(-len(words) // _MOST_UNITS)
        elif unit != "sentence":
            size = 1 if unit == "word" else _check.integer("unit", unit, least=1)
        units = np.zeros(len(words), np.int64)
        for number in range(int(self._sentences.max()) + 1):
            inside = np.flatnonzero(self._sentences == number)
            of_part = sentences([words[i] for i in inside]) if unit == "sentence" else np.arange(len(inside)) // size
            units[inside] = np.array(of_part, np.int64) + (int(units.max()) + 1 if number else 0)
        return units

    @cached_property
    def owners(self) -> list[npt.NDArray[np.intp]]:
        """For each window of tokens, the word that each token mostly belongs to; -1 for none."""
        owners = []
        for window in self.text.windows:
            owner = np.full(len(window.ids), -1, np.intp)
            largest_share = np.zeros(len(window.ids))
            for token, word, share in zip(*shares(self.text.words, window.spans), strict=True):
                if share > largest_share[token]:
                    owner[token], largest_share[token] = word, share
            owners.append(owner)
        return owners

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants, float32 (n, 1, 1, words) of 0 and 1; equal texts are evaluated once."""
        present = batch[:, 0, 0] > 0.5
        scores = np.repeat(self.text_scores[np.newaxis], len(present), axis=0)
        changed = ~present.all(axis=1)
        if changed.any():
            unique, inverse = np.unique(present[changed], axis=0, return_inverse=True)
            unique_scores = self._masked_scores(unique)
            outputs.check_classes(self.text_scores.size, unique_scores.shape[1])
            scores[changed] = unique_scores[inverse.reshape(-1)]
        return scores

    def _masked_scores(self, present: npt.NDArray[np.bool_]) -> Scores:
        """Score texts without their absent words; ``present`` is (n, words)."""
        if self.text_model.module is None:
            return self.text_model.scores([self._without(row) for row in present])
        windows = range(len(self.text.windows))
        scores: Scores = np.mean([self._window_scores(i, present) for i in windows], axis=0)
        return scores

    def _window_scores(self, number: int, present: npt.NDArray[np.bool_]) -> Scores:
        """Score one window of tokens, those of absent words replaced; ``present`` is (n, words)."""
        ids, owner = self.text.windows[number].ids, self.owners[number]
        # The appended word, which owner -1 indexes, stands for special tokens: they are always there.
        kept = np.hstack([present, np.ones((len(present), 1), bool)])[:, owner]
        masked = np.where(kept, ids, self.text_model.baseline_id)
        unique, inverse = np.unique(masked, axis=0, return_inverse=True)
        batch_size = max(1, _MOST_TOKENS // len(ids))
        model = self.text_model.of_window(self.text.windows[number])
        return model.token_scores(list(unique), batch_size)[inverse.reshape(-1)]

    def _without(self, present: npt.NDArray[np.bool_]) -> str | Pair:
        """Return the text or the pair of sentences without its absent words, each with the space before it."""
        text, words = self.text.text, self.text.words
        if self.text.pair is None:
            return _shortened(text, words, present)
        sentence = self._sentences
        first, second = (
            _shortened(text, [words[j] for j in np.flatnonzero(sentence == i)], present[sentence == i])
            for i in range(2)
        )
        return first, second

    @cached_property
    def _sentences(self) -> npt.NDArray[np.intp]:
        """Which sentence of a pair each word lies in; 0 for all words of other texts."""
        words = self.text.words
        return np.zeros(len(words), np.intp) if self.text.pair is None else of_words(words, self.text.source.parts)


def _shortened(text: str, words: Sequence[Unit], present: npt.NDArray[np.bool_]) -> str:
    """Return a text, or what some of its words span, without the absent ones."""
    pieces: list[str] = []
    previous_stop = 0
    for word, is_present in zip(words, present, strict=True):
        if is_present:
            # The first piece goes without the space before it.
            pieces.append(text[previous_stop : word.stop] if pieces else text[word.start : word.stop])
        previous_stop = word.stop
    return "".join(pieces)
