"""What a format can hold of an explanation, and the explanation cut down to that.

A dialect says in its ``CAPABILITIES`` what it holds for each task, as data. `fit` makes an explanation that the dialect
writes and reads back unchanged: ``decode(encode(fit(e))) == fit(e)``, and fitting twice changes nothing. Units are
converted without a word; whatever a person would miss is a loss, and losses are refused unless they are accepted.

What data cannot say (one score for each window and label, say) is found out in the plainest way: the fitted value is
written and read back, and every difference is a loss (`differences`). So no dialect can lose anything in silence.

A vendor's document is a message, not an archive. So metadata that it has no field for is left out silently: provenance,
quality, the method's name, the source's name and digest, the numbers of labels. Predictions and evidence never are, nor
what the document of another vendor said beyond them (``attributes``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from xplain.errors import FidelityError, InputError
from xplain.explanation import (
    Attribution,
    Box,
    Evidence,
    Explanation,
    Heatmap,
    Item,
    Mask,
    Part,
    Polygon,
    Prediction,
    Record,
    Region,
    Results,
    Source,
    Span,
    Word,
    WordScores,
)
from xplain.explanation.parts import in_part, in_text
from xplain.explanation.words import SplitText
from xplain.formatters.core.losses import differences, grouped, plain

Value = Explanation | Results | Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a dialect holds of an explanation of one task.

    Parameters
    ----------
    source : {"image", "text", "signal"}
        Kind of the source.
    evidence : tuple of type
        Kinds of evidence.
    explains : {"first", "label", "prediction"}
        Which targets can be told apart: all evidence is of the first prediction, or it is filed under labels, once for
        each, or under predictions.
    text : bool
        Whether the explained text, with its parts, is written.
    part : str, optional
        What a text without parts is a part of, where every position is counted in a part. Spans are then in code points
        of a part, and words are held by their place; else by their index.
    described : tuple of str
        Other fields of the source that are written, of ``name``, ``sha256``, ``height``, ``width``, ``sample_rate_hz``.
    paths : bool
        Whether a label is a path; else its levels are joined to one name.
    regions : tuple of type
        Kinds of region that a prediction may have. Where it may be a Box, a Mask or Polygon can be reduced to its own.
    unit : {"fraction", "pixel"}, optional
        Of the coordinates of boxes and polygons; None is any.
    threshold : bool
        Whether a prediction's threshold is written.
    ids : tuple of type
        Kinds of `Prediction.id` that are written, of int and str.
    attributes : tuple of str, or True
        Attributes of a prediction that are written; True is all.
    """

    source: str
    evidence: tuple[type, ...] = ()
    explains: Literal["first", "label", "prediction"] = "first"
    text: bool = False
    part: str | None = None
    described: tuple[str, ...] = ()
    paths: bool = False
    regions: tuple[type, ...] = ()
    unit: Literal["fraction", "pixel"] | None = None
    threshold: bool = False
    ids: tuple[type, ...] = ()
    attributes: tuple[str, ...] | Literal[True] = ()


def fit(
    value: Value,
    carries: Mapping[str, Capabilities] | None,
    *,
    format: str,
    lossy: bool = False,
    settle: Callable[[Value], Value] | None = None,
) -> Value:
    """Cut a value down to what a format can hold.

    Parameters
    ----------
    value : Explanation, Results or Record
        What is to be written.
    carries : mapping of task to Capabilities, or None
        What the format can hold; None is everything.
    format : str
        Its name, for messages.
    lossy : bool
        Accept losses.
    settle : callable, optional
        Writes a value and reads it back.

    Returns
    -------
    Explanation, Results or Record
        What the format will give back; a format that knows only jobs makes an explanation a job of one item. Free-form
        values are plain JSON values in it, with sorted keys.

    Raises
    ------
    FidelityError
        If predictions, evidence or attributes would be lost and ``lossy`` is false.
    InputError
        If the format has nothing for the task or the object, or a free-form value is no JSON value.
    """
    value = plain(value)
    if carries is None:
        return value
    if isinstance(value, Record):
        if value.format != format:
            raise InputError(f"format must be that of the {value.kind}, {value.format!r}, or 'native', got {format!r}")
        return value
    losses: list[str] = []
    fitted = _fit_value(value, carries, format, losses)
    if settle is not None:
        written, fitted = fitted, settle(fitted)
        # One place may have to do for the name of an item and that of its source.
        losses += [loss for loss in differences(written, fitted) if not loss.split()[0].endswith("source.name")]
    if losses and not lossy:
        raise FidelityError(format, grouped(losses))
    return fitted


def _fit_value(
    value: Explanation | Results, carries: Mapping[str, Capabilities], format: str, losses: list[str]
) -> Value:
    if isinstance(value, Explanation):
        return _fit(value, carries, format, losses, "")
    items = tuple(_fit_item(item, carries, format, losses, f"items[{i}].") for i, item in enumerate(value.items))
    return replace(value, items=items, attributes=_own(value.attributes, format, losses, ""))


def _fit_item(item: Item, carries: Mapping[str, Capabilities], format: str, losses: list[str], where: str) -> Item:
    explanation = item.explanation
    if explanation is not None:
        explanation = _fit(explanation, carries, format, losses, f"{where}explanation.")
    return replace(item, explanation=explanation, attributes=_own(item.attributes, format, losses, where))


def _own(attributes: dict[str, Any], format: str, losses: list[str], where: str) -> dict[str, Any]:
    """Keep what a document of this very format said."""
    losses += [f"{where}attributes of {other!r} are left out" for other in attributes if other != format]
    return {format: attributes[format]} if format in attributes else {}


def _fit(
    explanation: Explanation, carries: Mapping[str, Capabilities], format: str, losses: list[str], where: str
) -> Explanation:
    if explanation.task not in carries:
        tasks = ", ".join(map(repr, carries))
        raise InputError(f"{where}task must be one of {tasks} to be written as {format!r}, got {explanation.task!r}")
    fitting = _Fitting(carries[explanation.task], explanation.source)
    fitted = fitting.explanation(explanation)
    losses += [where + loss for loss in fitting.losses]
    return replace(fitted, attributes=_own(explanation.attributes, format, losses, where))


@dataclass(slots=True)
class _Fitting:
    """One explanation on its way into a dialect, and what got lost."""

    carries: Capabilities
    source: Source
    losses: list[str] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    attributions: list[Attribution] = field(default_factory=list)

    def explanation(self, explanation: Explanation) -> Explanation:
        self.predictions += [self.prediction(p, f"predictions[{i}]") for i, p in enumerate(explanation.predictions)]
        text = explanation.source.text if self.carries.text else None
        words = None if text is None else SplitText(text)
        finders = {"first": self.first_target, "label": self.labelled_target, "prediction": self.own_target}
        find_target = finders[self.carries.explains]
        for index, attribution in enumerate(explanation.attributions):
            path = f"attributions[{index}]"
            evidence = self.evidence(attribution.evidence, f"{path}.evidence", words)
            if evidence is None:
                continue
            said = attribution.target in explanation.predictions
            target = find_target(self.prediction(attribution.target, None if said else f"{path}.target"), path)
            if target is not None:
                self.attributions.append(Attribution(target, evidence))
        size = dict(zip(("height", "width"), self.one_size(), strict=True))
        described = {name: getattr(self.source, name) for name in self.carries.described}
        source = Source(self.carries.source, **{**size, **described}, text=text, parts=self.parts())
        return Explanation(explanation.task, source, tuple(self.predictions), tuple(self.attributions))

    def prediction(self, prediction: Prediction, path: str | None) -> Prediction:
        """Keep what is held; without a path what gets lost has been said already."""
        carries, said = self.carries, len(self.losses)
        region = self.region(prediction.region, f"{path}.region")
        held = prediction.attributes if carries.attributes is True else dict.fromkeys(carries.attributes)
        attributes = {name: value for name, value in prediction.attributes.items() if name in held}
        lost = {
            f"has a label of {len(prediction.label)} levels": len(prediction.label) > 1 and not carries.paths,
            "has a threshold": prediction.threshold is not None and not carries.threshold,
            "has attributes": len(attributes) < len(prediction.attributes),
        }
        self.losses += [f"{path} {what}" for what, applies in lost.items() if applies]
        if path is None:
            del self.losses[said:]
        return Prediction(
            prediction.label if carries.paths else (prediction.name,),
            prediction.score,
            region=region,
            threshold=prediction.threshold if carries.threshold else None,
            id=prediction.id if isinstance(prediction.id, carries.ids) else None,
            attributes=attributes,
        )

    def region(self, region: Region | None, path: str) -> Region | None:
        """Keep a region that is held, in the unit that is held; of an outline, where only boxes are held, its box."""
        if region is None:
            return None
        if isinstance(region, self.carries.regions):
            return self.in_part(region, path) if isinstance(region, Span) else self.in_unit(region, path)
        kind = type(region).__name__
        if isinstance(region, (Mask, Polygon)) and Box in self.carries.regions and region.bbox is not None:
            self.losses.append(f"{path} is a {kind}, of which only the box can be held")
            return self.in_unit(region.bbox, path)
        self.losses.append(f"{path} is a {kind}, which cannot be held")
        return None

    def parts(self) -> tuple[Part, ...]:
        """Name the parts of the text, all of it if it has none."""
        carries, source = self.carries, self.source
        if carries.part is None or source.parts or not source.text:
            return source.parts if carries.text else ()
        return (Part(carries.part, 0, len(source.text)),)

    def in_part(self, span: Span, path: str) -> Span | None:
        """Count a place in the text in the part that holds it."""
        if self.carries.part is None:
            return span
        if self.source.text is None:
            if span.unit == "codepoint":
                return Span(span.start, span.stop, part=span.part or self.carries.part)
            self.losses.append(f"{path} is in unit {span.unit!r}, and the text is not known")
            return None
        place = in_text(self.source, span)
        found = None if place is None else in_part(self.parts(), *place)
        if found is None:
            self.losses.append(f"{path} is not in one part of the text")
        return found

    def in_unit(self, region: Region, path: str) -> Region | None:
        """Convert coordinates to the unit that is held."""
        unit = self.carries.unit
        if not isinstance(region, (Box, Polygon)) or unit is None or region.unit == unit:
            return region
        if not self.source.height or not self.source.width:
            self.losses.append(f"{path} is in unit {region.unit!r}, and the size of the image is not known")
            return None
        return region.to(unit, (self.source.height, self.source.width))

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
            word = self.word if self.carries.part is None else self.placed_word
            held = (word(w, f"{path}.words[{i}]", words) for i, w in enumerate(evidence.words))
            return WordScores(tuple(word for word in held if word is not None))
        return evidence

    def placed_word(self, word: Word, path: str, words: SplitText | None) -> Word | None:
        """Keep a word with its place in the text."""
        text = self.source.text
        if text is None or words is None:
            self.losses.append(f"{path} is in a text that is not known")
            return None
        start, stop = word.start, word.stop
        if start is None or stop is None:
            index = None if word.index is None else words.place(word.text, word.index)
            if index is None or not words.has(word.text, index):
                self.losses.append(f"{path} has no place in the text")
                return None
            start, stop = words.range(word.text, index)
        if in_part(self.parts(), start, stop) is None:
            self.losses.append(f"{path} is not in one part of the text")
            return None
        placed = Word(text[start:stop], word.score, words.index_at(start), start, stop)
        if placed.text.casefold() != word.text.casefold() and word.start is not None:
            self.losses.append(f"{path} is {word.text!r:.60}, where the text has {placed.text!r:.60}")
        if word.index is not None and word.start is not None and word.index != placed.index:
            self.losses.append(f"{path} has index {word.index}, where the text has {placed.index}")
        return placed

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

    def own_target(self, target: Prediction, path: str) -> Prediction | None:
        """Accept any of the predictions."""
        if target in self.predictions:
            return target
        self.losses.append(f"{path} explains {target.name!r}, which is not one of the predictions")
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
