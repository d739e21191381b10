"""From what the caller hands over to panels: a photo, and the evidence or the regions that lie on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Attribution, Box, Evidence, Explanation, Grid, Heatmap, Mask, Polygon, Prediction
from xplain.renderers.image.marks import Marks, limits, marks, regional
from xplain.renderers.targets import chosen, picked

UInt8 = npt.NDArray[np.uint8]

_MOST = 2**27  # pixels that are drawn: a small document of runs or cells can claim any number
_CELL = 48  # pixels of a grid's cell where no image says how large it is
_SQUARE, _LONGEST = 640, 1600  # pixels of a ground for regions where there is no photo


@dataclass(frozen=True, slots=True)
class Panel:
    """One image that is drawn, with evidence, regions or both.

    Parameters
    ----------
    explanation : Explanation
        Where it comes from.
    attribution : Attribution or None
        Its evidence is a Heatmap, Mask or Grid; None draws the regions alone.
    photo : uint8 array (height, width, 3) or None
        C-contiguous; what it lies on.
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
        """What is drawn as a map or a mask."""
        return None if self.attribution is None else self.attribution.evidence

    def values(self) -> npt.NDArray[np.float32]:
        """The scores of a Heatmap or Grid as float32 (height, width)."""
        evidence = self.evidence
        if isinstance(evidence, Grid):
            rows = np.arange(self.height) * evidence.rows // self.height
            columns = np.arange(self.width) * evidence.columns // self.width
            return evidence.values[rows[:, None], columns]
        assert isinstance(evidence, Heatmap)
        return evidence.values


def panels(subjects: Sequence[Explanation], image: Any, target: int | str | None, regions: bool = False) -> list[Panel]:
    """Return a panel for each attribution that is asked for, and for each explanation of regions without any.

    Parameters
    ----------
    subjects : sequence of Explanation
        What to draw.
    image : uint8 array (height, width, 3), or a sequence with one for each subject, or None
        None takes the photo that a source still holds.
    target : int or str, optional
        Index of the attribution in its explanation, or the label that it explains; all of them if left out.
    regions : bool
        Whether regions are what is asked for: one panel for each explanation; a target picks a prediction, and the
        attribution that explains it if there is one.

    Raises
    ------
    InputError, UnknownNameError
        If an image does not fit, evidence is not of an image, or no attribution has this target.
    """
    several = isinstance(image, (list, tuple))
    images = list(image) if several else [image] * len(subjects)
    if len(images) != len(subjects):
        raise InputError(f"image must be one photo, or one for each explanation ({len(subjects)}), got {len(images)}")
    found = []
    for i, (explanation, photo) in enumerate(zip(subjects, images, strict=True)):
        checked = _photo(f"image[{i}]" if several else "image", photo, explanation)
        if regions:
            found += _regions(explanation, checked, target)
        elif explanation.attributions:
            for attribution in chosen(explanation.attributions, target):
                panel = _panel(explanation, attribution, checked, _explained(explanation, attribution.target))
                found.append(replace(panel, marks=limits(attribution) or panel.marks))
        elif regional(explanation):
            found += _regions(explanation, checked, target)
    return found


def _panel(
    explanation: Explanation,
    attribution: Attribution | None,
    photo: UInt8 | None,
    predictions: Sequence[Prediction],
    truths: bool = False,
) -> Panel:
    if attribution is None:
        height, width = _ground(explanation, photo)
    else:
        height, width = _size(explanation, attribution.evidence, photo)
    reference = (height, width) if photo is not None else _source_size(explanation) or (height, width)
    found = marks(explanation, predictions, reference, truths) if predictions or truths else None
    return Panel(explanation, attribution, photo, height, width, found)


def _explained(explanation: Explanation, target: Prediction) -> list[Prediction]:
    """What is outlined on evidence: the region that is explained, or the regions of what holds of the whole image."""
    if target.region is not None:
        return [target]
    return [p for p in explanation.predictions if p.region is not None and p.label == target.label]


def _regions(explanation: Explanation, photo: UInt8 | None, target: int | str | None) -> list[Panel]:
    if target is None:
        return [_panel(explanation, None, photo, explanation.predictions, truths=True)]
    predictions = picked(explanation.predictions, target)
    maps: list[Attribution | None] = [a for a in explanation.attributions if a.target in predictions]
    return [_panel(explanation, attribution, photo, predictions) for attribution in maps or [None]]


def _ground(explanation: Explanation, photo: UInt8 | None) -> tuple[int, int]:
    """(height, width) of what regions are drawn on: of the photo, or of a ground of the shape of the image."""
    if photo is not None:
        size = (photo.shape[0], photo.shape[1])
    else:
        size = _source_size(explanation) or _reach(explanation) or (_SQUARE, _SQUARE)
    if 0 in size:
        raise InputError(f"image must have at least one pixel to be drawn, got {size[0]}x{size[1]}")
    if photo is not None:
        return size
    # Sizes of documents may be any; no side is drawn longer than it can be seen.
    factor = min(1.0, _LONGEST / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _reach(explanation: Explanation) -> tuple[int, int] | None:
    """(height, width) up to which regions in pixels reach, or of masks; None if there are none."""
    height = width = 0.0
    for prediction in explanation.predictions:
        region = prediction.region
        if isinstance(region, Mask):
            return region.height, region.width
        box = region.bbox if isinstance(region, Polygon) else region
        if isinstance(box, Box) and box.unit == "pixel":
            height, width = max(height, box.y1), max(width, box.x1)
    return (math.ceil(height), math.ceil(width)) if height > 0 and width > 0 else None


def _photo(name: str, image: Any, explanation: Explanation) -> UInt8 | None:
    source = explanation.source
    if source.kind != "image":
        raise InputError(f"subject must explain an image to be drawn as one, got an explanation of a {source.kind}")
    photo = source.content if image is None else image
    if photo is None:
        return None
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        shown = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise InputError(f"{name} must be a uint8 array (height, width, 3), got {shown}")
    _check_size(name, photo, _source_size(explanation))
    return np.ascontiguousarray(photo)


def _size(explanation: Explanation, evidence: Evidence, photo: UInt8 | None) -> tuple[int, int]:
    """(height, width) of the picture of a piece of evidence."""
    if isinstance(evidence, Heatmap):
        own: tuple[int, int] | None = (evidence.values.shape[0], evidence.values.shape[1])
    elif isinstance(evidence, Mask):
        own = (evidence.height, evidence.width)
    elif isinstance(evidence, Grid):
        own = None
    else:
        raise InputError(f"evidence must be a Heatmap, Mask or Grid to be drawn, got {type(evidence).__name__}")
    if photo is not None:
        _check_size("image", photo, own)
        size = (photo.shape[0], photo.shape[1])
    elif isinstance(evidence, Grid):
        size = _source_size(explanation) or (evidence.rows * _CELL, evidence.columns * _CELL)
    else:
        assert own is not None
        size = own
    if isinstance(evidence, Grid) and not evidence.values.size:
        raise InputError(f"evidence must have at least one cell to be drawn, got {evidence.rows}x{evidence.columns}")
    if 0 in size:
        raise InputError(f"evidence must have at least one pixel to be drawn, got {size[0]}x{size[1]}")
    if size[0] * size[1] > _MOST:
        raise InputError(f"evidence must have at most {_MOST} pixels to be drawn, got {size[0]}x{size[1]}")
    return size


def _source_size(explanation: Explanation) -> tuple[int, int] | None:
    height, width = explanation.source.height, explanation.source.width
    return None if height is None or width is None else (height, width)


def _check_size(name: str, photo: UInt8, size: tuple[int, int] | None) -> None:
    if size is not None and photo.shape[:2] != size:
        raise InputError(
            f"{name} must be {size[0]}x{size[1]} (height x width) as the explained image, got "
            f"{photo.shape[0]}x{photo.shape[1]}; pass the original photo, upright and not resized"
        )
