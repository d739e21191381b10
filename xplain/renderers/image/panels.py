"""Panels: a photo with the evidence or the regions that lie on it, checked and with one size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Attribution, Box, Evidence, Explanation, Grid, Heatmap, Mask, Polygon, Prediction
from xplain.explanation.notes import Notes, NotesOf
from xplain.renderers.image.marks import Marks, has_regions, mark_anomalous_cells, mark_regions
from xplain.renderers.image.style import Style
from xplain.renderers.targets import select_attributions, select_predictions

UInt8 = npt.NDArray[np.uint8]
Size = tuple[int, int]  # height, width in pixels

_MOST_PIXELS = 2**27  # that are drawn: a small document of runs or cells can claim any number
_CELL = 48  # pixels of a grid's cell if the size of the image is not known
# Sides in pixels of the grey ground for regions without a photo: if nothing tells its size, and at most.
_SQUARE, _LONGEST = 640, 1600


@dataclass(frozen=True, slots=True)
class Panel:
    """One image that is drawn, with evidence, regions or both.

    Parameters
    ----------
    explanation : Explanation
        The subject that the panel is part of.
    attribution : Attribution or None
        Its evidence is a Heatmap, Mask or Grid; None draws the regions alone.
    photo : uint8 array (height, width, 3) or None
        C-contiguous; what evidence and regions lie on.
    height, width : int
        Of the image in pixels.
    marks : Marks or None
        The regions that are drawn.
    """

    explanation: Explanation
    attribution: Attribution | None
    photo: UInt8 | None
    height: int
    width: int
    marks: Marks | None = None

    @property
    def evidence(self) -> Evidence | None:
        """The evidence, if any is drawn."""
        return None if self.attribution is None else self.attribution.evidence

    def values(self) -> npt.NDArray[np.float32]:
        """Return the scores of a Heatmap or Grid as float32 (height, width)."""
        evidence = self.evidence
        if isinstance(evidence, Grid):
            rows = np.arange(self.height) * evidence.rows // self.height
            columns = np.arange(self.width) * evidence.columns // self.width
            return evidence.values[rows[:, None], columns]
        assert isinstance(evidence, Heatmap)
        return evidence.values


def panels(subjects: Sequence[Explanation], image: Any, style: Style, notes_of: NotesOf) -> list[Panel]:
    """Return a panel for each selected attribution, and for each explanation that has regions but no attributions.

    Parameters
    ----------
    subjects : sequence of Explanation
        What to draw.
    image : uint8 array (height, width, 3), or a sequence with one for each subject, or None
        None takes the photo that a source still holds.
    style : Style
        Its target selects attributions: by their index in their explanation, or by the label that they explain. Of the
        kind "regions" there is one panel for each explanation, or with a target one for each attribution of the
        selected predictions, if there are any.
    notes_of : callable
        Gives the notes of an explanation.

    Raises
    ------
    InputError, UnknownNameError
        If an image does not fit, evidence is not of an image, or no attribution has this target.
    """
    several = isinstance(image, (list, tuple))
    images = list(image) if several else [image] * len(subjects)
    if len(images) != len(subjects):
        raise InputError(f"image must be one photo, or one for each explanation ({len(subjects)}), got {len(images)}")
    target, result = style.target, []
    for i, (explanation, given) in enumerate(zip(subjects, images, strict=True)):
        photo = _photo(f"image[{i}]" if several else "image", given, explanation)
        if style.kind == "regions":
            result += _region_panels(explanation, notes_of(explanation), photo, target)
        elif explanation.attributions:
            notes = notes_of(explanation)
            for attribution in select_attributions(explanation.attributions, target):
                panel = _panel(explanation, notes, attribution, photo, _explained(explanation, attribution.target))
                result.append(replace(panel, marks=mark_anomalous_cells(attribution) or panel.marks))
        elif has_regions(explanation):
            result += _region_panels(explanation, notes_of(explanation), photo, target)
    return result


def _region_panels(
    explanation: Explanation, notes: Notes, photo: UInt8 | None, target: int | str | None
) -> list[Panel]:
    if target is None:
        return [_panel(explanation, notes, None, photo, explanation.predictions, truths=True)]
    predictions = select_predictions(explanation.predictions, target)
    maps: list[Attribution | None] = [a for a in explanation.attributions if a.target in predictions]
    return [_panel(explanation, notes, attribution, photo, predictions) for attribution in maps or [None]]


def _panel(
    explanation: Explanation,
    notes: Notes,
    attribution: Attribution | None,
    photo: UInt8 | None,
    predictions: Sequence[Prediction],
    truths: bool = False,
) -> Panel:
    if attribution is None:
        height, width = _ground_size(explanation, photo)
    else:
        height, width = _evidence_size(explanation, attribution.evidence, photo)
    # Regions in pixels refer to the image that was explained; the ground may be smaller.
    image_size = (height, width) if photo is not None else _source_size(explanation) or (height, width)
    marks = mark_regions(predictions, notes, image_size, truths) if predictions or truths else None
    return Panel(explanation, attribution, photo, height, width, marks)


def _explained(explanation: Explanation, target: Prediction) -> list[Prediction]:
    """Predictions that are marked on evidence: the target, or, if it has no region, regions with the same label."""
    if target.region is not None:
        return [target]
    return [p for p in explanation.predictions if p.region is not None and p.label == target.label]


def _photo(name: str, image: Any, explanation: Explanation) -> UInt8 | None:
    """The photo that the caller gives or the source holds, checked and C-contiguous."""
    source = explanation.source
    if source.kind != "image":
        raise InputError(f"subject must explain an image to be drawn as one, got an explanation of a {source.kind}")
    photo = source.content if image is None else image
    if photo is None:
        return None
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        got = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise InputError(f"{name} must be a uint8 array (height, width, 3), got {got}")
    _check_photo_size(name, photo, _source_size(explanation))
    return np.ascontiguousarray(photo)


def _ground_size(explanation: Explanation, photo: UInt8 | None) -> Size:
    """Size of what regions are drawn on: the photo, or a ground with the proportions of the image."""
    if photo is not None:
        size = (photo.shape[0], photo.shape[1])
    else:
        size = _source_size(explanation) or _extent_of_regions(explanation) or (_SQUARE, _SQUARE)
    if 0 in size:
        raise InputError(f"image must have at least one pixel to be drawn, got {size[0]}x{size[1]}")
    if photo is not None:
        return size
    # A document may claim any size.
    factor = min(1.0, _LONGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _extent_of_regions(explanation: Explanation) -> Size | None:
    """The least size that holds all regions in pixels, or the size of a mask; None if there are neither."""
    height = width = 0.0
    for prediction in explanation.predictions:
        region = prediction.region
        if isinstance(region, Mask):
            return region.height, region.width
        box = region.bbox if isinstance(region, Polygon) else region
        if isinstance(box, Box) and box.unit == "pixel":
            height, width = max(height, box.y1), max(width, box.x1)
    return (math.ceil(height), math.ceil(width)) if height > 0 and width > 0 else None


def _evidence_size(explanation: Explanation, evidence: Evidence, photo: UInt8 | None) -> Size:
    """Size of the picture of a piece of evidence; refuses evidence of nothing, and of too many pixels."""
    if isinstance(evidence, Heatmap):
        size: Size | None = (evidence.values.shape[0], evidence.values.shape[1])
    elif isinstance(evidence, Mask):
        size = (evidence.height, evidence.width)
    elif isinstance(evidence, Grid):
        size = None  # it has cells of any size
    else:
        raise InputError(f"evidence must be a Heatmap, Mask or Grid to be drawn, got {type(evidence).__name__}")
    if photo is not None:
        _check_photo_size("image", photo, size)
        size = (photo.shape[0], photo.shape[1])
    if isinstance(evidence, Grid):
        size = size or _source_size(explanation) or (evidence.rows * _CELL, evidence.columns * _CELL)
        if not evidence.values.size:
            raise InputError(
                f"evidence must have at least one cell to be drawn, got {evidence.rows}x{evidence.columns}"
            )
    assert size is not None
    if 0 in size:
        raise InputError(f"evidence must have at least one pixel to be drawn, got {size[0]}x{size[1]}")
    if size[0] * size[1] > _MOST_PIXELS:
        raise InputError(f"evidence must have at most {_MOST_PIXELS} pixels to be drawn, got {size[0]}x{size[1]}")
    return size


def _source_size(explanation: Explanation) -> Size | None:
    height, width = explanation.source.height, explanation.source.width
    return None if height is None or width is None else (height, width)


def _check_photo_size(name: str, photo: UInt8, size: Size | None) -> None:
    if size is not None and photo.shape[:2] != size:
        raise InputError(
            f"{name} must be {size[0]}x{size[1]} (height x width) as the explained image, got "
            f"{photo.shape[0]}x{photo.shape[1]}; pass the original photo, upright and not resized"
        )
