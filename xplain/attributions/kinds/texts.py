"""One call for texts: each is explained through a view, whose values for tokens or words become word scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from xplain.attributions import call
from xplain.attributions.engine.text_views import EmbeddingView, PresenceView
from xplain.attributions.table import METHODS
from xplain.explanation import Attribution, Explanation, Heatmap, Word, WordScores
from xplain.models import PreparedText, TextClassifier
from xplain.models.words import shares

#: What adds up over the windows of a long text, whose score is the mean over them.
_ADDITIVE = ("score", "baseline_score", "completeness_residual")


def run(
    model: TextClassifier,
    inputs: Sequence[PreparedText],
    targets: Sequence[Any],
    *,
    method: str | None = None,
    **arguments: Any,
) -> list[Explanation]:
    """Explain the predictions of a text classifier; see `_dispatch.run`."""
    entry = METHODS[method or ("shapley" if model.module is None else "integrated-gradients")]
    call.refuse_black_box(entry, model)
    arguments["method"] = entry.name
    found = []
    for prepared, target in zip(inputs, targets, strict=True):
        scores = model.scores([prepared.text])[0]
        chosen = list(model.targets(target, scores))
        if entry.needs == "scores":
            view = PresenceView(model, prepared, scores)
            (part,) = call.run(cast(Any, view), [view.prepared()], [chosen], **arguments)
            parts, maps = [part], [_values(part)]
        else:
            parts, maps = _through_embeddings(model, prepared, chosen, arguments)
        found.append(_explanation(prepared, scores, model, parts, np.mean(maps, axis=0)))
    return found


def _through_embeddings(
    model: TextClassifier, prepared: PreparedText, targets: list[int], arguments: Mapping[str, Any]
) -> tuple[list[Explanation], list[npt.NDArray[np.float64]]]:
    """Explain each window of tokens, and share out its tokens' values among the words: (T, words) for each window."""
    parts, maps = [], []
    for window in prepared.windows:
        view = EmbeddingView(model, prepared, window)
        (part,) = call.run(cast(Any, view), [view.prepared()], [targets], **arguments)
        tokens, owners, portions = shares(prepared.words, window.spans)
        values = np.zeros((len(targets), len(prepared.words)))
        for row, found in zip(values, _values(part), strict=True):
            np.add.at(row, owners, found[tokens] * portions)
        parts.append(part)
        maps.append(values)
    return parts, maps


def _values(part: Explanation) -> npt.NDArray[np.float64]:
    """Return the maps of a view as (T, columns)."""
    return np.stack([cast(Heatmap, a.evidence).values[0] for a in part.attributions]).astype(np.float64)


def _explanation(
    prepared: PreparedText,
    scores: npt.NDArray[np.float64],
    model: TextClassifier,
    parts: Sequence[Explanation],
    values: npt.NDArray[np.float64],
) -> Explanation:
    first = parts[0]
    attributions = []
    for t, attribution in enumerate(first.attributions):
        words = tuple(
            Word(word.text, float(score), word.index, word.start, word.stop)
            for word, score in zip(prepared.words, values[t], strict=True)
        )
        quality = dict(attribution.quality)
        if len(parts) > 1:
            each = [part.attributions[t].quality for part in parts]
            quality |= {key: float(np.mean([q[key] for q in each])) for key in _ADDITIVE if key in quality}
        if prepared.windows:
            quality["windows"] = len(prepared.windows)
        target = model.prediction(scores, cast(int, attribution.target.id))
        attributions.append(Attribution(target, WordScores(words), attribution.method, quality))
    evaluations = sum(part.provenance.evaluations or 0 for part in parts)
    if METHODS[cast(str, first.provenance.method)].needs != "scores":
        evaluations += len(parts)  # the text's own scores, which a view of its words takes over
    provenance = replace(
        first.provenance,
        evaluations=evaluations,
        seconds=sum(part.provenance.seconds or 0.0 for part in parts),
    )
    return Explanation(model.task, prepared.source, model.predictions(scores), tuple(attributions), provenance)
