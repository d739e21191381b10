"""What a format can hold, and an explanation cut down to that.

A formatter declares in its ``CAPABILITIES`` what it holds for each task. `fit` makes of an explanation the value that
the format writes and reads back unchanged: ``decode(encode(fit(e))) == fit(e)``, and fitting twice changes nothing.
Units are converted silently. Everything else that would be dropped is reported as a loss; losses are refused unless
they are accepted.

Declarations cannot say everything (that a window has one score for each label, say). So the fitted value is also
written and read back, and every difference (`losses.differences`) is a loss: no formatter can lose anything silently.
If the document cannot be read back, attributes are to blame, which may hold anything: it is written without them.

A vendor's document is a message, not an archive. So metadata without a field of its own is dropped silently:
provenance, quality, the method's name, the source's name and digest, the numbers of labels. Predictions, evidence, and
the extras of another vendor's document (``attributes``) are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from xplain.errors import DocumentError, FidelityError, InputError
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
    Window,
    Word,
    WordScores,
)
from xplain.explanation.parts import in_part, in_text
from xplain.explanation.words import SplitText
from xplain.formatters.core.extras import UNIT, extras_of, without_attributes, without_extras
from xplain.formatters.core.losses import group_alike, losses_of, with_plain_json

Value = Explanation | Results | Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a format holds of an explanation of one task.

    Parameters
    ----------
    source : {"image", "text", "signal"}
        Kind of the source.
    evidence : tuple of type
        Kinds of evidence.
    explains : {"label", "prediction", "any"}
        How the target of evidence is told: by its label (once for each label), by its prediction, or so that it may
        also be none of the predictions.
    text : bool
        Whether the explained text and its parts are written.
    part : str, optional
        Set if the format counts every position within a part of the text: the name of the single part of a text that
        has none. Spans are then in code points of their part, and words are located by their offsets instead of their
        index.
    described : tuple of str
        Other fields of the source that are written, of ``name``, ``sha256``, ``height``, ``width``, ``sample_rate_hz``,
        ``axes``, ``readings``.
    paths : bool
        Whether a label may be a path; else its levels are joined to one name.
    regions : tuple of type
        Kinds of region that a prediction may have. If Box is one, a Mask or Polygon that is not is reduced to its box.
    unit : {"fraction", "pixel"}, optional
        Unit of the coordinates of boxes and polygons; None is either.
    other_unit : bool
        Whether coordinates may stay in the other unit: where the size of the image, and so the conversion, is not
        known, and where the document that they were read from had them in it.
    windows : bool
        Whether a prediction without a region is written with the window of the whole recording, where that is known.
    threshold : bool
        Whether a prediction's threshold is written.
    ids : tuple of type
        Types of `Prediction.id` that are written, of int and str.
    attributes : tuple of str, or True
        Attributes of a prediction that are written; True is all.
    """

    source: str
    evidence: tuple[type, ...] = ()
    explains: Literal["label", "prediction", "any"] = "any"
    text: bool = False
    part: str | None = None
    described: tuple[str, ...] = ()
    paths: bool = False
    regions: tuple[type, ...] = ()
    unit: Literal["fraction", "pixel"] | None = None
    other_unit: bool = False
    windows: bool = False
    threshold: bool = False
    ids: tuple[type, ...] = ()
    attributes: tuple[str, ...] | Literal[True] = ()


def fit(
    value: Value,
    capabilities: Mapping[str, Capabilities] | None,
    *,
    format: str,
    lossy: bool = False,
    round_trip: Callable[[Value], Value] | None = None,
) -> Value:
    """Cut a value down to what a format can hold.

    Parameters
    ----------
    value : Explanation, Results or Record
        What is to be written.
    capabilities : mapping of task to Capabilities, or None
        What the format can hold; None is everything.
    format : str
        Its name, for messages.
    lossy : bool
        Accept losses.
    round_trip : callable, optional
        Writes a value and reads it back.

    Returns
    -------
    Explanation, Results or Record
        What the format will give back. A format that knows only jobs makes an explanation a job of one item. Free-form
        values are plain JSON values with sorted keys.

    Raises
    ------
    FidelityError
        If predictions, evidence or attributes would be lost and ``lossy`` is false.
    InputError
        If the format has nothing for the task or the record, or a free-form value is no JSON value.
    """
    value = with_plain_json(value)
    if capabilities is None:
        return value
    if isinstance(value, Record):
        if value.format != format:
            raise InputError(f"format must be that of the {value.kind}, {value.format!r}, or 'native', got {format!r}")
        if round_trip is not None:
            _check_record(value, round_trip(value))
        return value
    losses: list[str] = []
    fitted = _fit_value(value, capabilities, format, losses)
    if round_trip is not None:
        written, fitted = _write_and_read(fitted, round_trip, format, losses)
        # A document may have one place for both the name of an item and that of its source: the item's name wins.
        losses += [loss for loss in losses_of(written, fitted) if not loss.split()[0].endswith("source.name")]
    if losses and not lossy:
        raise FidelityError(format, group_alike(losses))
    return fitted


def _check_record(record: Record, back: Value) -> None:
    """Refuse a record whose fields are not those of its kind."""
    if not isinstance(back, Record) or back.kind != record.kind:
        raise InputError(f"Record.kind must be that of its fields, got {record.kind!r}")


def _write_and_read(
    value: Explanation | Results, round_trip: Callable[[Value], Value], format: str, losses: list[str]
) -> tuple[Explanation | Results, Explanation | Results]:
    """Return what is written of a value and what is read back: without attributes that spoil the document."""
    try:
        return value, _read_back(value, round_trip, format)
    except DocumentError as error:
        refusal = error
    for attributes, strip in ((f"attributes of {format!r}", without_extras), ("all attributes", without_attributes)):
        bare = strip(value)
        try:
            back = _read_back(bare, round_trip, format)
        except DocumentError:
            continue
        losses.append(f"{attributes} are left out, since with them {refusal.path} {refusal.message}")
        return bare, back
    raise refusal


def _read_back(
    value: Explanation | Results, round_trip: Callable[[Value], Value], format: str
) -> Explanation | Results:
    back = round_trip(value)
    if isinstance(back, Record):  # extras have made another kind of document
        raise DocumentError(f"must be of predictions, got a {back.kind}", format=format)
    return back


def _fit_value(
    value: Explanation | Results, capabilities: Mapping[str, Capabilities], format: str, losses: list[str]
) -> Explanation | Results:
    if isinstance(value, Explanation):
        return _fit_explanation(value, capabilities, format, losses, "")
    items = tuple(_fit_item(item, capabilities, format, losses, f"items[{i}].") for i, item in enumerate(value.items))
    return replace(value, items=items, attributes=_fit_attributes(value.attributes, format, losses, ""))


def _fit_item(
    item: Item, capabilities: Mapping[str, Capabilities], format: str, losses: list[str], prefix: str
) -> Item:
    explanation = item.explanation
    if explanation is not None:
        explanation = _fit_explanation(explanation, capabilities, format, losses, f"{prefix}explanation.")
    return replace(item, explanation=explanation, attributes=_fit_attributes(item.attributes, format, losses, prefix))


def _fit_attributes(attributes: dict[str, Any], format: str, losses: list[str], prefix: str) -> dict[str, Any]:
    """Keep the extras that were read from a document of this format; those of another format are lost."""
    losses += [f"{prefix}attributes of {other!r} are left out" for other in attributes if other != format]
    return {format: attributes[format]} if format in attributes else {}


def _fit_explanation(
    explanation: Explanation, capabilities: Mapping[str, Capabilities], format: str, losses: list[str], prefix: str
) -> Explanation:
    if explanation.task not in capabilities:
        tasks = ", ".join(map(repr, capabilities))
        raise InputError(f"{prefix}task must be one of {tasks} to be written as {format!r}, got {explanation.task!r}")
    unit = extras_of(explanation.attributes, format).get(UNIT)
    fitter = _Fitter(capabilities[explanation.task], explanation.source, unit)
    fitted = fitter.fit(explanation)
    losses += [prefix + loss for loss in fitter.losses]
    return replace(fitted, attributes=_fit_attributes(explanation.attributes, format, losses, prefix))


@dataclass(slots=True)
class _Fitter:
    """Cuts one explanation down; collects its predictions, its attributions and the losses."""

    capabilities: Capabilities
    source: Source
    #: Unit of the boxes of the document that the explanation was read from.
    unit: Any = None
    losses: list[str] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    attributions: list[Attribution] = field(default_factory=list)

    def fit(self, explanation: Explanation) -> Explanation:
        for i, prediction in enumerate(explanation.predictions):
            self.predictions.append(self.fit_prediction(prediction, f"predictions[{i}]"))
        text = explanation.source.text if self.capabilities.text else None
        words = None if text is None else SplitText(text)
        for i, attribution in enumerate(explanation.attributions):
            is_predicted = attribution.target in explanation.predictions
            self.fit_attribution(attribution, f"attributions[{i}]", words, is_predicted)
        size = dict(zip(("height", "width"), self.keep_one_mask_size(), strict=True))
        described = {name: getattr(self.source, name) for name in self.capabilities.described}
        source = Source(self.capabilities.source, **{**size, **described}, text=text, parts=self.text_parts())
        return Explanation(explanation.task, source, tuple(self.predictions), tuple(self.attributions))

    # Predictions.

    def fit_prediction(self, prediction: Prediction, path: str) -> Prediction:
        capabilities = self.capabilities
        region = self.fit_region(prediction.region, f"{path}.region")
        names = prediction.attributes if capabilities.attributes is True else capabilities.attributes
        attributes = {name: value for name, value in prediction.attributes.items() if name in names}
        if len(prediction.label) > 1 and not capabilities.paths:
            self.losses.append(f"{path} has a label of {len(prediction.label)} levels")
        if prediction.threshold is not None and not capabilities.threshold:
            self.losses.append(f"{path} has a threshold")
        if len(attributes) < len(prediction.attributes):
            self.losses.append(f"{path} has attributes")
        return Prediction(
            prediction.label if capabilities.paths else (prediction.name,),
            prediction.score,
            region=region,
            threshold=prediction.threshold if capabilities.threshold else None,
            id=prediction.id if isinstance(prediction.id, capabilities.ids) else None,
            attributes=attributes,
        )

    def fit_region(self, region: Region | None, path: str) -> Region | None:
        if region is None:
            return self.whole_recording() if self.capabilities.windows else None
        regions = self.capabilities.regions
        if isinstance(region, regions):
            return self.count_in_part(region, path) if isinstance(region, Span) else self.convert_unit(region, path)
        kind = type(region).__name__
        if isinstance(region, (Mask, Polygon)) and Box in regions and region.bbox is not None:
            self.losses.append(f"{path} is a {kind}, of which only the box can be held")
            return self.convert_unit(region.bbox, path)
        self.losses.append(f"{path} is a {kind}, which cannot be held")
        return None

    def whole_recording(self) -> Window | None:
        """Return the window of the whole recording; None if its length or its rate is not known."""
        readings, rate = self.source.readings, self.source.sample_rate_hz
        end = 1000 * readings / rate if readings and rate else math.inf
        return Window(0.0, end) if end < math.inf else None

    def convert_unit(self, region: Region, path: str) -> Region | None:
        """Convert coordinates to the unit of the format."""
        unit = self.capabilities.unit
        if not isinstance(region, (Box, Polygon)) or unit is None or region.unit == unit:
            return region
        if self.capabilities.other_unit and self.unit == region.unit:
            return region
        if not self.source.height or not self.source.width:
            if self.capabilities.other_unit:
                return region
            self.losses.append(f"{path} is in unit {region.unit!r}, and the size of the image is not known")
            return None
        return region.to(unit, (self.source.height, self.source.width))

    def count_in_part(self, span: Span, path: str) -> Span | None:
        """Convert a span of the text to a span of the part that holds it, if the format counts in parts."""
        if self.capabilities.part is None:
            return span
        if self.source.text is None:
            if span.unit == "codepoint":
                return Span(span.start, span.stop, part=span.part or self.capabilities.part)
            self.losses.append(f"{path} is in unit {span.unit!r}, and the text is not known")
            return None
        offsets = in_text(self.source, span)
        span_in_part = None if offsets is None else in_part(self.text_parts(), *offsets)
        if span_in_part is None:
            self.losses.append(f"{path} is not in one part of the text")
        return span_in_part

    def text_parts(self) -> tuple[Part, ...]:
        """Return the parts of the text; a text that has none is one part, if the format counts in parts."""
        name, source = self.capabilities.part, self.source
        if name is None or source.parts or not source.text:
            return source.parts if self.capabilities.text else ()
        return (Part(name, 0, len(source.text)),)

    # Attributions.

    def fit_attribution(self, attribution: Attribution, path: str, words: SplitText | None, is_predicted: bool) -> None:
        evidence = self.fit_evidence(attribution.evidence, f"{path}.evidence", words)
        if evidence is None:
            return
        reported = len(self.losses)
        target = self.fit_prediction(attribution.target, f"{path}.target")
        if is_predicted:
            # The losses of this prediction were reported among the predictions.
            del self.losses[reported:]
        choose_target = {
            "any": self.any_target,
            "label": self.labelled_target,
            "prediction": self.predicted_target,
        }[self.capabilities.explains]
        chosen = choose_target(target, path)
        if chosen is not None:
            self.attributions.append(Attribution(chosen, evidence))

    def fit_evidence(self, evidence: Evidence, path: str, words: SplitText | None) -> Evidence | None:
        kinds = self.capabilities.evidence
        if isinstance(evidence, Heatmap) and Heatmap not in kinds and Mask in kinds:
            self.losses.append(
                f"{path} is a heat map, of which only a mask can be held "
                "(say which pixels count with explanation.with_masks(keep=...))"
            )
            return evidence.to_mask()
        if not isinstance(evidence, kinds):
            self.losses.append(f"{path} is of kind {type(evidence).__name__}")
            return None
        if isinstance(evidence, WordScores):
            fit_word = self.index_word if self.capabilities.part is None else self.locate_word
            fitted = (fit_word(word, f"{path}.words[{i}]", words) for i, word in enumerate(evidence.words))
            return WordScores(tuple(word for word in fitted if word is not None))
        return evidence

    def index_word(self, word: Word, path: str, words: SplitText | None) -> Word | None:
        """Keep a word's index alone, which locates it together with the text."""
        if words is not None and not words.holds(word.text):
            self.losses.append(f"{path} is {word.text!r:.60}, which the text does not have")
            return None
        if word.index is None and word.start is not None:
            self.losses.append(f"{path} has a place in the text but no index")
        if word.index is not None and words is not None and words.position(word.text, word.index) is None:
            self.losses.append(f"{path} has index {word.index}, where the text does not have {word.text!r}")
            return Word(word.text, word.score)
        return Word(word.text, word.score, word.index)

    def locate_word(self, word: Word, path: str, words: SplitText | None) -> Word | None:
        """Give a word its offsets in the text, and the spelling and index of the text there."""
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
        if in_part(self.text_parts(), start, stop) is None:
            self.losses.append(f"{path} is not in one part of the text")
            return None
        located = Word(text[start:stop], word.score, words.index_at(start), start, stop)
        if located.text.casefold() != word.text.casefold() and word.start is not None:
            self.losses.append(f"{path} is {word.text!r:.60}, where the text has {located.text!r:.60}")
        if word.index is not None and word.start is not None and word.index != located.index:
            self.losses.append(f"{path} has index {word.index}, where the text has {located.index}")
        return located

    def any_target(self, target: Prediction, path: str) -> Prediction | None:
        """Accept any target."""
        return target

    def predicted_target(self, target: Prediction, path: str) -> Prediction | None:
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
        first = next((prediction for prediction in self.predictions if prediction.label == target.label), None)
        # A label that has evidence but no prediction is read as a target of score 0.
        if first is None and target.score:
            self.losses.append(f"{path}.target is not among the predictions, to which {target.name!r} would be added")
            self.predictions.append(target)
        elif first is not None and first != target:
            self.losses.append(f"{path}.target is not the first prediction of {target.name!r}")
            return first
        return target

    def keep_one_mask_size(self) -> tuple[int, int] | tuple[None, None]:
        """Drop the masks that differ in size from the first one, and return its size."""
        sizes = [
            (attribution.evidence.height, attribution.evidence.width)
            if isinstance(attribution.evidence, Mask)
            else None
            for attribution in self.attributions
        ]
        first = next((size for size in sizes if size is not None), None)
        if first is None:
            return None, None
        kept = [
            attribution for attribution, size in zip(self.attributions, sizes, strict=True) if size in (None, first)
        ]
        if len(kept) < len(sizes):
            dropped = len(sizes) - len(kept)
            self.losses.append(f"{dropped} masks are not of the size of the first, {first[0]}x{first[1]}")
        self.attributions = kept
        return first
