"""From what the caller hands over to panels: one piece of evidence and the photo it lies on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError, UnknownNameError
from xplain.explanation import Attribution, Evidence, Explanation, Grid, Heatmap, Mask, _check

__all__ = ["Panel", "chosen", "explanations", "panels"]

UInt8 = npt.NDArray[np.uint8]

_MOST = 2**27  # pixels that are drawn: a small document of runs or cells can claim any number
_CELL = 48  # pixels of a grid's cell where no image says how large it is


@dataclass(frozen=True, slots=True)
class Panel:
    """One piece of evidence that is drawn.

    Parameters
    ----------
    explanation : Explanation
        Where it comes from.
    attribution : Attribution
        Its evidence is a Heatmap, Mask or Grid.
    photo : uint8 array (height, width, 3) or None
        C-contiguous; what it lies on.
    height, width : int
        Of the image in pixels.
    """

    explanation: Explanation
    attribution: Attribution
    photo: UInt8 | None
    height: int
    width: int

    def values(self) -> npt.NDArray[np.float32]:
        """The scores of a Heatmap or Grid as float32 (height, width)."""
        evidence = self.attribution.evidence
        if isinstance(evidence, Grid):
            rows = np.arange(self.height) * evidence.rows // self.height
            columns = np.arange(self.width) * evidence.columns // self.width
            return evidence.values[rows[:, None], columns]
        assert isinstance(evidence, Heatmap)
        return evidence.values


def explanations(subject: Any) -> tuple[Explanation, ...]:
    """One or several explanations, as a tuple."""
    if isinstance(subject, Explanation):
        return (subject,)
    if not isinstance(subject, Iterable):
        raise _check.wrong("subject", "an Explanation or a sequence of them", subject)
    found: tuple[Explanation, ...] = _check.tuple_of("subject", subject, Explanation)
    if not found:
        raise InputError("subject must hold at least one Explanation, got none")
    return found


def panels(subjects: Sequence[Explanation], image: Any, target: int | str | None) -> list[Panel]:
    """Return a panel for each attribution that is asked for.

    Parameters
    ----------
    subjects : sequence of Explanation
        What to draw.
    image : uint8 array (height, width, 3), or a sequence with one for each subject, or None
        None takes the photo that a source still holds.
    target : int or str, optional
        Index of the attribution in its explanation, or the label that it explains; all of them if left out.

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
        for attribution in chosen(explanation.attributions, target):
            found.append(Panel(explanation, attribution, checked, *_size(explanation, attribution.evidence, checked)))
    return found


def chosen(attributions: Sequence[Attribution], target: int | str | None) -> Sequence[Attribution]:
    """Return the attributions that a target picks: see `panels`."""
    if target is None:
        return attributions
    if isinstance(target, str):
        found = [a for a in attributions if target in (a.target.name, a.target.label[-1])]
        known = dict.fromkeys(a.target.name for a in attributions)
    else:
        index = _check.integer("target", target)
        found = [attributions[index]] if -len(attributions) <= index < len(attributions) else []
        known = dict.fromkeys(str(i) for i in range(len(attributions)))
    if not found:
        raise UnknownNameError("target", target, known)
    return found


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
