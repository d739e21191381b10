"""Evidence, the scores of an attribution: heat maps, masks, word scores, signal scores, coarse grids.

Arrays are copied, checked once and read-only afterwards, so values can be shared between threads; they compare by
content. Reducing a heat map to a mask loses information, so the caller decides how (`Heatmap.to_mask`), never a
formatter.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError
from xplain.explanation.regions import Box
from xplain.kernels import rle


class _ByContent:
    """Equality, hash and pickling of frozen dataclasses that hold arrays."""

    __slots__ = ()

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, _ByContent):
            return NotImplemented
        pairs = zip(self._values(), other._values(), strict=True)
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    def __hash__(self) -> int:
        # Adding 0 makes -0.0 into 0.0: they are equal, but their bytes differ.
        values = ((v.shape, (v + 0).tobytes()) if isinstance(v, np.ndarray) else v for v in self._values())
        return hash((type(self), *values))

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor: a pickled array would come back writeable.
        return type(self), self._values()


@value(eq=False)
class Mask(_ByContent):
    """A binary image as run lengths, column by column and zeros first, as in COCO.

    Parameters
    ----------
    counts : sequence of int
        Lengths of the alternating runs of 0 and 1 down the columns, starting with zeros (0 if the first pixel is set).
        They sum to height * width. Stored as a read-only uint32 array without empty inner runs, so that masks of the
        same pixels are equal.
    height, width : int
        Size in pixels, at most 2**32 - 1 pixels in all.

    Raises
    ------
    DocumentError
        If the counts do not describe an image of this size.

    Examples
    --------
    >>> mask = Mask.from_array([[0, 1], [1, 1]])
    >>> mask.counts.tolist(), mask.area
    ([1, 3], 3)
    """

    counts: npt.NDArray[np.uint32]
    height: int = checked(_check.integer, least=0)
    width: int = checked(_check.integer, least=0)

    def __post_init__(self) -> None:
        counts = rle.canonical(rle.check(self.counts, self.height, self.width))
        counts.flags.writeable = False
        put(self, "counts", counts)

    @classmethod
    def from_array(cls, mask: npt.ArrayLike) -> Mask:
        """Encode a (height, width) array; any non-zero element is set."""
        array = np.asarray(mask)
        counts = rle.encode(array if array.dtype.kind in "biu" else array != 0)
        return cls(counts, *array.shape)

    def to_array(self) -> npt.NDArray[np.bool_]:
        """Decode to a new bool array (height, width) in C order."""
        return rle.decode(self.counts, self.height, self.width)

    @property
    def area(self) -> int:
        """Number of set pixels."""
        return rle.area(self.counts)

    @property
    def bbox(self) -> Box | None:
        """The tightest box around the set pixels, in pixels; None if none is set."""
        if not self.area:
            return None
        x, y, width, height = rle.bbox(self.counts, self.height)
        return Box(x, y, x + width, y + height, "pixel")

    def iou(self, other: Mask) -> float:
        """Intersection over union with a mask of the same size; 0.0 if both are empty."""
        if (self.height, self.width) != (other.height, other.width):
            raise InputError(f"other must be {self.height}x{self.width} as this mask, got {other.height}x{other.width}")
        return rle.iou(self.counts, other.counts)

    def __repr__(self) -> str:
        return f"Mask({self.height}x{self.width}, {self.area} set)"


@value(eq=False)
class Heatmap(_ByContent):
    """A score for each pixel of the original image.

    Parameters
    ----------
    values : array_like
        (height, width), finite; stored as read-only float32. Signed, positive for the target, and not normalised.
    """

    values: npt.NDArray[np.float32] = checked(_check.frozen_float32, axes="(height, width)")

    def to_mask(self, keep: float | None = None, threshold: float | None = None) -> Mask:
        """Reduce the map to the pixels with the largest scores.

        Parameters
        ----------
        keep : float, optional
            Fraction of all pixels to keep, 0..1: those with the largest values, if they are positive. At most
            ``round(keep * pixels)`` are set; of equal values the first in reading order are kept. 0.1 if neither
            argument is given.
        threshold : float, optional
            Keep each pixel whose value is at least this.

        Returns
        -------
        Mask
            The kept pixels.
        """
        if keep is not None and threshold is not None:
            raise InputError("keep must be left out when threshold is given, got both")
        height, width = self.values.shape
        if threshold is not None:
            limit = _check.number("threshold", threshold)
            return Mask(rle.encode(self.values, threshold=limit), height, width)
        fraction = _check.number("keep", 0.1 if keep is None else keep)
        if not 0 <= fraction <= 1:
            raise _check.wrong("keep", "between 0 and 1", keep)
        count = round(fraction * self.values.size)
        flat = self.values.ravel()
        if count == 0:
            return Mask.from_array(np.zeros_like(self.values, dtype=bool))
        limit = float(np.partition(flat, flat.size - count)[flat.size - count])  # the smallest value that is kept
        is_kept = flat > max(limit, 0.0)
        if limit > 0:
            ties = np.flatnonzero(flat == limit)
            is_kept[ties[: count - int(is_kept.sum())]] = True
        return Mask.from_array(is_kept.reshape(height, width))

    def __repr__(self) -> str:
        height, width = self.values.shape
        low, high = (self.values.min(), self.values.max()) if self.values.size else (0.0, 0.0)
        return f"Heatmap({height}x{width}, {low:.4g}..{high:.4g})"


@value
class Word:
    """One word and its score.

    Parameters
    ----------
    text : str
        The word as spelt in the text.
    score : float
        Finite; positive for the target.
    index : int or None
        Position in ``text.split()`` of the explained text.
    start, stop : int or None
        Half-open range of code points in the explained text.
    """

    text: str = checked(_check.string)
    score: float = checked(_check.number)
    index: int | None = checked(_check.integer, least=0, default=None)
    start: int | None = checked(_check.integer, least=0, default=None)
    stop: int | None = None

    def __post_init__(self) -> None:
        if (self.start is None) != (self.stop is None):
            raise InputError(f"Word.start and Word.stop must be given together, got {self.start} and {self.stop}")
        if self.start is not None:
            put(self, "stop", _check.integer("Word.stop", self.stop, least=self.start))


@value
class WordScores:
    """Scores of the words of a text.

    Parameters
    ----------
    words : sequence of Word
        In the order of the text; a word that occurs several times is listed for each occurrence.
    """

    words: tuple[Word, ...] = checked(_check.tuple_of, kind=Word)


@value(eq=False)
class SignalScores(_ByContent):
    """A score for each reading of a signal.

    Parameters
    ----------
    values : array_like
        (axes, time), finite; stored as read-only float32. Positive for the target.
    """

    values: npt.NDArray[np.float32] = checked(_check.frozen_float32, axes="(axes, time)")

    def __repr__(self) -> str:
        return f"SignalScores({self.values.shape[0]} axes x {self.values.shape[1]} readings)"


@value(eq=False)
class Grid(_ByContent):
    """A coarse grid of scores over an image, such as a visual anomaly grid.

    Parameters
    ----------
    values : array_like
        (rows, columns), finite; stored as read-only float32. The cells divide the image into equal rectangles.
    """

    values: npt.NDArray[np.float32] = checked(_check.frozen_float32, axes="(rows, columns)")

    @property
    def rows(self) -> int:
        """Number of cells from top to bottom."""
        return int(self.values.shape[0])

    @property
    def columns(self) -> int:
        """Number of cells from left to right."""
        return int(self.values.shape[1])

    def __repr__(self) -> str:
        return f"Grid({self.rows}x{self.columns})"


Evidence = Heatmap | Mask | WordScores | SignalScores | Grid
