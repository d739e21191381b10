"""Labels along time as a strip: what was predicted when, and whether that was right.

`blocks` takes the best label of each window from predictions, `palette` gives labels their colours, `timeline` draws
the strip. Whoever draws other things along time can put such a strip below them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from xplain.explanation import Prediction, Window
from xplain.explanation.outcomes import UNCERTAIN, choose, outcome
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.canvas.typography import PAPER, Sheet, readable_on

UInt8 = npt.NDArray[np.uint8]

# P. Tol's "muted" scheme, Colour Schemes, SRON/EPS/TN/09-002: told apart with colour-blind eyes.
_COLOURS: tuple[Colour, ...] = (
    (51, 34, 136),
    (221, 204, 119),
    (68, 170, 153),
    (136, 34, 85),
    (136, 204, 238),
    (17, 119, 51),
    (204, 102, 119),
    (153, 153, 51),
    (170, 68, 153),
)
#: Colour of all labels for which there is none of their own.
OTHERS: Colour = (200, 203, 208)
_HATCH, _STRIPE = 9, 3  # period and width of the stripes in pixels
_HAIR = 3  # pixels of the widest block that has no line at its left


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time with one label.

    Parameters
    ----------
    start, stop : float
        In milliseconds.
    label : str
        What it is.
    expected : str, optional
        What it should be, where that is known.
    correct : bool, optional
        Whether whoever judged it took it for right; left out, it is if it is what is expected.
    """

    start: float
    stop: float
    label: str
    expected: str | None = None
    correct: bool | None = None

    @property
    def wrong(self) -> bool:
        """Whether something else was expected."""
        if self.correct is not None:
            return not self.correct
        return self.expected is not None and self.expected != self.label

    @property
    def hatched(self) -> bool:
        """Whether it is wrong or uncertain."""
        return self.wrong or self.label == UNCERTAIN


def blocks(predictions: Sequence[Prediction], length: float) -> list[Block]:
    """Return what is decided for each window, in the order of time: see `xplain.explanation.outcomes`.

    Windows that overlap meet in the middle of what they share; where there is no window, there is no block.

    Parameters
    ----------
    predictions : sequence of Prediction
        Several for each `Window`; those without a region are of the whole time.
    length : float
        The whole time, in milliseconds.
    """
    windows: dict[Window, list[Prediction]] = {}
    for prediction in predictions:
        region = prediction.region if isinstance(prediction.region, Window) else Window(0, length)
        windows.setdefault(region, []).append(prediction)
    ordered = sorted(windows, key=lambda window: window.start_ms + window.end_ms)
    found = [_block(window, windows[window]) for window in ordered]
    for i, (before, after) in enumerate(pairwise(ordered)):
        if after.start_ms < before.end_ms:
            middle = (after.start_ms + before.end_ms) / 2
            found[i] = replace(found[i], stop=max(middle, found[i].start))
            found[i + 1] = replace(found[i + 1], start=min(middle, found[i + 1].stop))
    return found


def _block(window: Window, predictions: Sequence[Prediction]) -> Block:
    decided = outcome(choose(predictions) or predictions[0])
    return Block(window.start_ms, window.end_ms, decided.predicted, decided.expected, decided.correct)


def clipped(parts: Iterable[Block], begin: float, end: float) -> list[Block]:
    """Return what lies between two times, counted from the first."""
    return [
        replace(block, start=max(block.start, begin) - begin, stop=min(block.stop, end) - begin)
        for block in parts
        if block.start < end and block.stop > begin
    ]


def merged(parts: Iterable[Block]) -> list[Block]:
    """Join blocks of one label and one expected label that follow each other without a gap."""
    found: list[Block] = []
    for block in parts:
        last = found[-1] if found else None
        if last and replace(last, start=block.start, stop=block.stop) == block and last.stop == block.start:
            found[-1] = replace(last, stop=block.stop)
        else:
            found.append(block)
    return found


def palette(parts: Iterable[Block]) -> dict[str, Colour]:
    """Give labels, also expected ones, colours: those that last longest their own, the rest `OTHERS`.

    What is uncertain has no label, so no colour of its own.
    """
    lasting: dict[str, float] = {}
    for block in parts:
        for label in {block.label: None, block.expected: None}:
            if label is not None:
                lasting[label] = lasting.get(label, 0.0) + block.stop - block.start
    lasting_labels = [label for label in lasting if label != UNCERTAIN]
    longest = sorted(lasting_labels, key=lambda label: -lasting[label])[: len(_COLOURS)]
    owners = [label for label in lasting if label in longest]
    own = dict(zip(owners, _COLOURS, strict=False))
    return {label: own.get(label, OTHERS) for label in lasting}


def timeline(
    parts: Sequence[Block],
    colours: Mapping[str, Colour],
    length: float,
    width: int,
    height: int,
    size: int,
    font: str | None = None,
) -> UInt8:
    """Draw labels along time, each block in the colour of its label; wrong and uncertain ones are hatched.

    Parameters
    ----------
    parts : sequence of Block
        In the order of time, not overlapping.
    colours : mapping of str to RGB
        From `palette`.
    length : float
        The time that the strip stands for, in milliseconds.
    width, height : int
        Of the strip in pixels.
    size : int
        Height of text in pixels. A label stands on blocks that have room for it.
    font : str, optional
        A font file.

    Returns
    -------
    uint8 array (height, width, 3)
    """
    pixels = np.full((height, width, 3), PAPER, np.uint8)
    rows, columns = np.mgrid[:height, :width]
    stripes = (rows + columns) % _HATCH < _STRIPE
    places = []
    for block in merged(parts):
        left, right = (round(width * min(max(at / length, 0.0), 1.0)) for at in (block.start, block.stop))
        pixels[:, left:right] = colours[block.label]
        if block.hatched:
            pixels[:, left:right][stripes[:, left:right]] = PAPER
        if left and right - left > _HAIR:
            pixels[:, left] = PAPER  # a line between neighbours
        places.append((block, left, right))
    sheet = Sheet(width, height, size, font)
    sheet.paste(0, 0, pixels)
    for block, left, right in places:
        taken = sheet.width_of(block.label) + size
        if taken > right - left:
            continue
        middle, base = (left + right) / 2, height / 2 + 0.36 * size
        if block.hatched:  # stripes would run through the letters
            sheet.box(middle - taken / 2, 0, middle + taken / 2, height, colours[block.label])
        ink = readable_on(colours[block.label])
        sheet.text((middle, base), block.label, room=right - left, colour=ink, anchor="ms")
    return sheet.pixels()
