"""Texts: explained through their words (`presence`) or their tokens (`embeddings`), whose values become word scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.attributions import call
from xplain.attributions.engine import guard
from xplain.attributions.engine.maps import InputMaps, combined_provenance, combined_quality, with_notes
from xplain.attributions.kinds.backgrounds import NAMES
from xplain.attributions.kinds.embeddings import Embeddings
from xplain.attributions.kinds.presence import Presence
from xplain.attributions.table import Method
from xplain.errors import AttributionError, InputError
from xplain.explanation import Attribution, Explanation, Word, WordScores
from xplain.models import PreparedText, TextClassifier
from xplain.models.words import Unit, shares

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Task:
    """One text and what is asked of it: T classes of the model, whose scores (classes,) are known, by a method."""

    model: TextClassifier
    text: PreparedText
    scores: Float64
    classes: tuple[int, ...]
    entry: Method
    request: call.Request

    def compute(self, view: Presence | Embeddings) -> InputMaps:
        """Explain a view of the text."""
        session = call.open_session(view, [view.prepared_input()], [list(self.classes)], self.request)
        (computed,) = call.compute_maps(session, view.supplies, self.entry, self.request, lambda maps: maps)
        return computed


@dataclass(frozen=True, slots=True)
class _Findings:
    """What a method found out about a text.

    Parameters
    ----------
    values : numpy.ndarray
        float64 (T, words).
    of_windows : list of InputMaps
        Of the text, or of each of its windows of tokens.
    coverage : list of float
        How many of the words each of them holds, 0..1.
    evaluations : int
        How often the text went through the model beside them.
    """

    values: Float64
    of_windows: list[InputMaps]
    coverage: list[float]
    evaluations: int


def explain(
    model: TextClassifier, inputs: Sequence[PreparedText], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain predictions of a text classifier; see `xplain.attributions.run`.

    The score of a long text is the mean over its windows of tokens, and so is the score of a word: 0 in a window that
    does not hold it.
    """
    entry = call.choose_method(model, request, "" if request.method else _best_method(model, inputs))
    for name in NAMES:
        if name in request.options:
            raise InputError(
                f"{name} must be left out for texts, where absent words are deleted or become the baseline token, got "
                f"{request.options[name]!r}; name that token by TextClassifier(baseline_id=...)"
            )
    explanations = []
    for text, target in zip(inputs, targets, strict=True):
        scores = model.scores([text.content])[0]
        read = model.as_read(scores, text)
        task = _Task(read, text, scores, model.targets(target, scores), entry, request)
        findings = _explain_words(task) if entry.needs == "scores" else _explain_tokens(task)
        explanations.append(_explanation(task, findings))
    return explanations


def _best_method(model: TextClassifier, inputs: Sequence[PreparedText]) -> str:
    """Return the default method: integrated gradients wherever the model reads its tokens by their embeddings alone."""
    if model.module is None or not inputs:
        return "shapley" if model.module is None else "integrated-gradients"
    try:
        window = inputs[0].windows[0]
        Embeddings(model.of_window(window), window, 0).verify()
    except AttributionError:
        return "shapley"
    return "integrated-gradients"


def _explain_words(task: _Task) -> _Findings:
    """Explain a text as a whole, by its words."""
    computed = task.compute(Presence(task.model, task.text, task.scores))
    return _Findings(computed.maps[:, 0], [computed], [1.0], 0)  # the view counts the scores of the text


def _explain_tokens(task: _Task) -> _Findings:
    """Explain each window of tokens, and share out its tokens' values among the words."""
    words, windows = task.text.words, task.text.windows
    values = np.zeros((len(task.classes), len(words)))
    of_windows, coverage = [], []
    for number, window in enumerate(windows):
        view = Embeddings(task.model.of_window(window), window, number)
        view.verify()
        computed = task.compute(view)
        of_words, covered = share_out(computed.maps[:, 0], words, window.spans)
        values += of_words
        of_windows.append(computed)
        coverage.append(covered)
    mean_scores = np.mean([computed.scores for computed in of_windows], axis=0)
    if not guard.same(view, task.scores, mean_scores):
        raise AttributionError(
            f"model must score replaced embeddings as it scores token ids, got {mean_scores.max():.4g} and "
            f"{task.scores.max():.4g}; use a method that needs scores only, such as shapley"
        )
    return _Findings(values / len(windows), of_windows, coverage, len(windows))  # each was scored for the text's score


def _explanation(task: _Task, findings: _Findings) -> Explanation:
    model, source, of_windows = task.model, task.text.source, findings.of_windows
    provenance = combined_provenance([each.provenance for each in of_windows], findings.evaluations)
    attributions = []
    for t, index in enumerate(task.classes):
        target = model.prediction(task.scores, index)
        values = findings.values[t].astype(np.float32)
        quality = combined_quality([each.quality[t] for each in of_windows], findings.coverage, divisor=len(of_windows))
        checks = [each.checks[t] for each in of_windows]
        quality = with_notes(quality, values, checks, model.doubts(task.scores))
        if task.text.windows:
            quality["windows"] = len(task.text.windows)
        evidence = word_scores(task.text.words, values)
        attributions.append(Attribution(target, evidence, task.entry.name, quality))
    return Explanation(model.task, source, model.predictions(task.scores), tuple(attributions), provenance)


def share_out(values: Float64, words: Sequence[Unit], spans: Sequence[tuple[int, int] | None]) -> tuple[Float64, float]:
    """Share out the values (T, tokens) of tokens among words: float64 (T, words), and how many of them have a token."""
    tokens, owners, parts = shares(words, spans)
    of_words = np.zeros((len(values), len(words)))
    for row, token_values in zip(of_words, values, strict=True):
        np.add.at(row, owners, token_values[tokens] * parts)
    return of_words, len(set(owners.tolist())) / len(words)


def word_scores(words: Sequence[Unit], values: npt.NDArray[np.floating[Any]]) -> WordScores:
    """Return words with their scores (words,), in single precision like all evidence."""
    return WordScores(
        tuple(
            Word(word.text, score, word.index, word.start, word.stop)
            for word, score in zip(words, values.astype(np.float32).tolist(), strict=True)
        )
    )
