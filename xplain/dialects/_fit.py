"""What a format can hold of an explanation, and the explanation cut down to that.

A dialect says in its ``CARRIES`` what it holds for each task, as data. `fit` makes an explanation that the dialect
writes and reads back unchanged: ``decode(encode(fit(e))) == fit(e)``, and fitting twice changes nothing. Units are
converted without a word; whatever a person would miss is a loss, and losses are refused unless they are accepted.

A vendor's document is a message, not an archive. So metadata that it has no field for is left out silently: provenance,
quality, the method's name, the source's name and digest, the numbers of labels. Predictions and evidence never are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from xplain.dialects._wire import At, Rejected, json_object
from xplain.dialects._words import SplitText
from xplain.errors import FidelityError, InputError
from xplain.explanation import (
    Attribution,
    Evidence,
    Explanation,
    Heatmap,
    Mask,
    Prediction,
    Results,
    Source,
    Word,
    WordScores,
)

__all__ = ["Carries", "fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carries:
    """What a dialect holds of an explanation of one task.

    Parameters
    ----------
    source : {"image", "text", "signal"}
        Kind of the source.
    evidence : tuple of type
        Kinds of evidence.
    explains : {"first", "label"}
        Which targets can be told apart: all evidence is of the first prediction, or it is filed under labels, once for
        each.
    text : bool
        Whether the explained text is written.
    """

    source: str
    evidence: tuple[type, ...]
    explains: Literal["first", "label"]
    text: bool = False


def fit(
    value: Explanation | Results, carries: Mapping[str, Carries] | None, *, format: str, lossy: bool = False
) -> Explanation | Results:
    """Cut a value down to what a format can hold.

    Parameters
    ----------
    value : Explanation or Results
        What is to be written.
    carries : mapping of task to Carries, or None
        What the format can hold; None is everything.
    format : str
        Its name, for messages.
    lossy : bool
        Accept losses.

    Returns
    -------
    Explanation or Results
        What the format will give back. Free-form values are plain JSON values in it, with sorted keys.

    Raises
    ------
    FidelityError
        If predictions or evidence would be lost and ``lossy`` is false.
    InputError
        If the format has nothing for the task, or a free-form value is no JSON value.
    """
    losses: list[str] = []
    if isinstance(value, Explanation):
        fitted: Explanation | Results = _fit(value, carries, format, losses, "")
    else:
        items = []
        for index, item in enumerate(value.items):
            if item.explanation is not None:
                where = f"items[{index}].explanation."
                item = replace(item, explanation=_fit(item.explanation, carries, format, losses, where))
            items.append(item)
        fitted = replace(value, items=tuple(items))
    if losses and not lossy:
        raise FidelityError(format, losses)
    return fitted


def _fit(
    explanation: Explanation, carries: Mapping[str, Carries] | None, format: str, losses: list[str], where: str
) -> Explanation:
    if carries is None:
        return _plain(explanation, where)
    if explanation.task not in carries:
        tasks = ", ".join(map(repr, carries))
        raise InputError(f"{where}task must be one of {tasks} to be written as {format!r}, got {explanation.task!r}")
    fitting = _Fitting(carries[explanation.task])
    fitted = fitting.explanation(explanation)
    losses += [where + loss for loss in fitting.losses]
    return fitted


@dataclass(slots=True)
class _Fitting:
    """One explanation on its way into a dialect, and what got lost."""

    carries: Carries
    losses: list[str] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    attributions: list[Attribution] = field(default_factory=list)

    def explanation(self, explanation: Explanation) -> Explanation:
        self.predictions += [self.prediction(p, f"predictions[{i}]") for i, p in enumerate(explanation.predictions)]
        text = explanation.source.text if self.carries.text else None
        words = None if text is None else SplitText(text)
        find_target = self.first_target if self.carries.explains == "first" else self.labelled_target
        for index, attribution in enumerate(explanation.attributions):
            path = f"attributions[{index}]"
            evidence = self.evidence(attribution.evidence, f"{path}.evidence", words)
            if evidence is None:
                continue
            said = attribution.target in explanation.predictions
            target = find_target(self.prediction(attribution.target, None if said else f"{path}.target"), path)
            if target is not None:
                self.attributions.append(Attribution(target, evidence))
        height, width = self.one_size()
        source = Source(self.carries.source, height=height, width=width, text=text)
        return Explanation(explanation.task, source, tuple(self.predictions), tuple(self.attributions))

    def prediction(self, prediction: Prediction, path: str | None) -> Prediction:
        """Keep the label, as one string, and the score; without a path what gets lost has been said already."""
        lost = {
            f"has a label of {len(prediction.label)} levels": len(prediction.label) > 1,
            "has a region": prediction.region is not None,
            "has a threshold": prediction.threshold is not None,
            "has attributes": bool(prediction.attributes),
        }
        if path is not None:
            self.losses += [f"{path} {what}" for what, applies in lost.items() if applies]
        return Prediction((prediction.name,), prediction.score)

    def evidence(self, evidence: Evidence, path: str, words: SplitText | None) -> Evidence | None:
        if isinstance(evidence, Heatmap) and Heatmap not in self.carries.evidence and Mask in self.carries.evidence:
            self.losses.append(
                f"{path} is a heat map, of which only a mask can be held "
                "(say which pixels count with explanation.with_masks(keep=...))"
            )
            return evidence.to_mask()
        if not isinstance(evidence, self.carries.evidence):
            self.losses.append(f"{path} is of kind {type(evidence).__name__}")
            return None
        if isinstance(evidence, WordScores):
            return WordScores(tuple(self.word(w, f"{path}.words[{i}]", words) for i, w in enumerate(evidence.words)))
        return evidence

    def word(self, word: Word, path: str, words: SplitText | None) -> Word:
        """Keep the index alone: together with the text it says where the word is."""
        if word.index is None and word.start is not None:
            self.losses.append(f"{path} has a place in the text but no index")
        if word.index is not None and words is not None and words.place(word.text, word.index) != word.index:
            self.losses.append(f"{path} has index {word.index}, where the text does not have {word.text!r}")
            return Word(word.text, word.score)
        return Word(word.text, word.score, word.index)

    def first_target(self, target: Prediction, path: str) -> Prediction | None:
        """Accept the first prediction only: the evidence does not say what it explains."""
        if self.predictions and target == self.predictions[0]:
            return target
        self.losses.append(f"{path} explains {target.name!r}, which is not the first prediction")
        return None

    def labelled_target(self, target: Prediction, path: str) -> Prediction | None:
        """Accept each label once, for the first prediction that has it."""
        if any(attribution.target.label == target.label for attribution in self.attributions):
            self.losses.append(f"{path} is another one for {target.name!r}")
            return None
        named = next((prediction for prediction in self.predictions if prediction.label == target.label), None)
        if named is None and target.score:
            self.losses.append(f"{path}.target is not among the predictions, to which {target.name!r} would be added")
            self.predictions.append(target)
        elif named is not None and named != target:
            self.losses.append(f"{path}.target is not the first prediction of {target.name!r}")
            return named
        return target

    def one_size(self) -> tuple[int, int] | tuple[None, None]:
        """Keep the masks that are of the first one's size, and say it."""
        sizes = [(e.height, e.width) if isinstance(e := a.evidence, Mask) else None for a in self.attributions]
        size = next(filter(None, sizes), None)
        if size is None:
            return None, None
        kept = [attribution for attribution, own in zip(self.attributions, sizes, strict=True) if own in (None, size)]
        if len(kept) < len(sizes):
            self.losses.append(f"{len(sizes) - len(kept)} masks are not of the size of the first, {size[0]}x{size[1]}")
        self.attributions = kept
        return size


def _plain(explanation: Explanation, where: str) -> Explanation:
    """Turn every free-form value into plain JSON values."""
    provenance = explanation.provenance
    predictions = enumerate(explanation.predictions)
    attributions = enumerate(explanation.attributions)
    return replace(
        explanation,
        predictions=tuple(_plain_prediction(p, f"{where}predictions[{i}]") for i, p in predictions),
        attributions=tuple(
            replace(
                attribution,
                target=_plain_prediction(attribution.target, f"{where}attributions[{i}].target"),
                quality=_json(attribution.quality, f"{where}attributions[{i}].quality"),
            )
            for i, attribution in attributions
        ),
        provenance=replace(
            provenance,
            options=_json(provenance.options, f"{where}provenance.options"),
            preprocessing=_json(provenance.preprocessing, f"{where}provenance.preprocessing"),
            versions=_json(provenance.versions, f"{where}provenance.versions"),
        ),
    )


def _plain_prediction(prediction: Prediction, path: str) -> Prediction:
    if not prediction.attributes:
        return prediction
    return replace(prediction, attributes=_json(prediction.attributes, f"{path}.attributes"))


def _json(value: dict[str, Any], path: str) -> dict[str, Any]:
    try:
        return json_object(At(value, key=path))
    except Rejected as rejected:
        raise InputError("; ".join(f"{problem.path} {problem.message}" for problem in rejected.problems)) from None
