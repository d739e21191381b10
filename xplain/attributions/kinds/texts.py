"""Texts: each is explained through a view of its words or of its tokens, whose values become word scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from xplain.attributions import call
from xplain.attributions.engine.text_views import EmbeddingView, PresenceView
from xplain.attributions.table import Method
from xplain.explanation import Attribution, Explanation, Heatmap, Word, WordScores
from xplain.models import PreparedText, TextClassifier
from xplain.models.words import shares

#: Notes that become their mean over the windows of a long text, as its score is the mean of theirs; of any other note
#: the first window's is kept.
_AVERAGED = ("score", "baseline_score", "completeness_residual")


def explain(
    model: TextClassifier,
    inputs: Sequence[PreparedText],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    **arguments: Any,
) -> list[Explanation]:
    """Explain predictions of a text classifier; see `xplain.attributions.run`."""
    entry = call.choose_method(model, method, for_module="integrated-gradients", for_black_box="shapley")
    arguments["method"] = entry.name
    explanations = []
    for prepared, target in zip(inputs, targets, strict=True):
        scores = model.scores([prepared.text])[0]
        classes = list(model.targets(target, scores))
        if entry.needs == "scores":
            view = PresenceView(model, prepared, scores)
            by_window = call.explain(cast(Any, view), [view.prepared_input()], [classes], **arguments)
            word_values = [_map_values(by_window[0])]
        else:
            by_window, word_values = _explain_windows(model, prepared, classes, arguments)
        explanations.append(_explanation(prepared, scores, model, entry, by_window, np.mean(word_values, axis=0)))
    return explanations


def _explain_windows(
    model: TextClassifier, prepared: PreparedText, classes: list[int], arguments: Mapping[str, Any]
) -> tuple[list[Explanation], list[npt.NDArray[np.float64]]]:
    """Explain each window of tokens, and share out its tokens' values among the words: (T, words) for each window."""
    by_window, word_values = [], []
    for window in prepared.windows:
        view = EmbeddingView(model, prepared, window)
        (explanation,) = call.explain(cast(Any, view), [view.prepared_input()], [classes], **arguments)
        tokens, owners, token_shares = shares(prepared.words, window.spans)
        values = np.zeros((len(classes), len(prepared.words)))
        for row, token_values in zip(values, _map_values(explanation), strict=True):
            np.add.at(row, owners, token_values[tokens] * token_shares)
        by_window.append(explanation)
        word_values.append(values)
    return by_window, word_values


def _map_values(explanation: Explanation) -> npt.NDArray[np.float64]:
    """Return the maps of a view (T, columns), each of which is an image of one row."""
    maps = [cast(Heatmap, attribution.evidence).values[0] for attribution in explanation.attributions]
    return np.stack(maps).astype(np.float64)


def _explanation(
    prepared: PreparedText,
    scores: npt.NDArray[np.float64],
    model: TextClassifier,
    entry: Method,
    by_window: Sequence[Explanation],
    values: npt.NDArray[np.float64],
) -> Explanation:
    """Make one explanation of those of the windows and of the words' values (T, words)."""
    first = by_window[0]
    attributions = []
    for t, attribution in enumerate(first.attributions):
        words = tuple(
            Word(word.text, float(score), word.index, word.start, word.stop)
            for word, score in zip(prepared.words, values[t], strict=True)
        )
        quality = dict(attribution.quality)
        if len(by_window) > 1:
            qualities = [explanation.attributions[t].quality for explanation in by_window]
            quality |= {key: float(np.mean([q[key] for q in qualities])) for key in _AVERAGED if key in quality}
        if prepared.windows:
            quality["windows"] = len(prepared.windows)
        target = model.prediction(scores, cast(int, attribution.target.id))
        attributions.append(Attribution(target, WordScores(words), attribution.method, quality))
    evaluations = sum(explanation.provenance.evaluations or 0 for explanation in by_window)
    if entry.needs != "scores":
        evaluations += len(by_window)  # for the scores of the text; a `PresenceView` counts them as its own input's
    provenance = replace(
        first.provenance,
        evaluations=evaluations,
        seconds=sum(explanation.provenance.seconds or 0.0 for explanation in by_window),
    )
    return Explanation(model.task, prepared.source, model.predictions(scores), tuple(attributions), provenance)
