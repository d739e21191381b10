"""Texts: explained through their words (`presence`) or their tokens (`embeddings`), whose values become word scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.attributions import call
from xplain.attributions.engine.outcome import Outcome, combined_provenance, combined_quality
from xplain.attributions.kinds.embeddings import Embeddings
from xplain.attributions.kinds.presence import Presence
from xplain.attributions.table import Method
from xplain.explanation import Attribution, Explanation, Word, WordScores
from xplain.models import PreparedText, TextClassifier
from xplain.models.words import Unit, shares

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Findings:
    """What a method found out about a text.

    Parameters
    ----------
    values : numpy.ndarray
        float64 (T, words).
    outcomes : list of Outcome
        Of the text, or of each of its windows of tokens.
    coverage : list of float
        How many of the words each of them holds, 0..1.
    evaluations : int
        How often the text went through the model beside them.
    """

    values: Float64
    outcomes: list[Outcome]
    coverage: list[float]
    evaluations: int


def explain(
    model: TextClassifier, inputs: Sequence[PreparedText], targets: Sequence[Any], request: call.Request
) -> list[Explanation]:
    """Explain predictions of a text classifier; see `xplain.attributions.run`.

    The score of a long text is the mean over its windows of tokens, and so is the score of a word: 0 in a window that
    does not hold it.
    """
    entry = call.choose_method(model, request.method or ("shapley" if model.module is None else "integrated-gradients"))
    explanations = []
    for prepared, target in zip(inputs, targets, strict=True):
        scores = model.scores([prepared.text])[0]
        classes = model.targets(target, scores)
        if entry.needs == "scores":
            findings = _explain_words(model, prepared, scores, classes, entry, request)
        else:
            findings = _explain_tokens(model, prepared, classes, entry, request)
        explanations.append(_explanation(model, prepared, scores, classes, entry, findings))
    return explanations


def _explain_words(
    model: TextClassifier,
    prepared: PreparedText,
    scores: Float64,
    classes: tuple[int, ...],
    entry: Method,
    request: call.Request,
) -> _Findings:
    """Explain a text as a whole, by its words."""
    view = Presence(model, prepared, scores)
    session = call.open_session(view, [view.prepared_input()], [list(classes)], request)
    outcomes = call.outcomes(session, view.supplies, entry, request, _unchanged)
    return _Findings(outcomes[0].maps[:, 0], outcomes, [1.0], 0)  # the view counts the scores of the text


def _explain_tokens(
    model: TextClassifier, prepared: PreparedText, classes: tuple[int, ...], entry: Method, request: call.Request
) -> _Findings:
    """Explain each window of tokens, and share out its tokens' values among the words."""
    values = np.zeros((len(classes), len(prepared.words)))
    outcomes, coverage = [], []
    for window in prepared.windows:
        view = Embeddings(model, window)
        session = call.open_session(view, [view.prepared_input()], [list(classes)], request)
        (outcome,) = call.outcomes(session, view.supplies, entry, request, _unchanged)
        tokens, owners, token_shares = shares(prepared.words, window.spans)
        for row, token_values in zip(values, outcome.maps[:, 0], strict=True):
            np.add.at(row, owners, token_values[tokens] * token_shares)
        outcomes.append(outcome)
        coverage.append(len(set(owners.tolist())) / len(prepared.words))
    return _Findings(values / len(outcomes), outcomes, coverage, len(outcomes))  # each was scored for the text's score


def _unchanged(outcome: Outcome) -> Outcome:
    return outcome


def _explanation(
    model: TextClassifier,
    prepared: PreparedText,
    scores: Float64,
    classes: tuple[int, ...],
    entry: Method,
    findings: _Findings,
) -> Explanation:
    provenance = combined_provenance([outcome.provenance for outcome in findings.outcomes], findings.evaluations)
    attributions = []
    for t, index in enumerate(classes):
        target = model.prediction(scores, index)
        call.refuse_zeros(findings.values[t], target.name, entry, provenance.options)
        notes = [outcome.quality[t] for outcome in findings.outcomes]
        quality = combined_quality(notes, findings.coverage, divisor=len(notes))
        if prepared.windows:
            quality["windows"] = len(prepared.windows)
        evidence = WordScores(_scored(prepared.words, findings.values[t]))
        attributions.append(Attribution(target, evidence, entry.name, quality))
    return Explanation(model.task, prepared.source, model.predictions(scores), tuple(attributions), provenance)


def _scored(words: Sequence[Unit], values: Float64) -> tuple[Word, ...]:
    """Return words with their scores, in single precision like all evidence."""
    return tuple(
        Word(word.text, score, word.index, word.start, word.stop)
        for word, score in zip(words, values.astype(np.float32).tolist(), strict=True)
    )
