"""Labels along time as a strip: what was predicted when, and whether that was right.

`window_blocks` takes the best label of each window from predictions, `palette` gives labels their colours,
`draw_timeline` draws the strip. Pictures of signals and of jobs share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from xplain.explanation import Prediction, Window
from xplain.explanation.notes import Notes
from xplain.explanation.outcomes import UNCERTAIN, choose, outcome
from xplain.renderers.canvas.colours import OTHERS, Colour
from xplain.renderers.canvas.typography import PAPER, Sheet, readable_on

UInt8 = npt.NDArray[np.uint8]

#: P. Tol's "muted" scheme, Colour Schemes, SRON/EPS/TN/09-002: told apart with colour-blind eyes.
LABEL_COLOURS: tuple[Colour, ...] = (
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
_HATCH, _STRIPE = 9, 3  # period and width of the stripes in pixels
_MIN_SEPARATED = 3  # pixels of the widest block without a line at its left: that would hide most of it


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time with one label.

    Parameters
    ----------
    start, stop : float
        In milliseconds.
    label : str
        What is predicted.
    expected : str, optional
        The true label, where it is known.
    correct : bool, optional
        Whether the document judges it right; left out, it is right if it is what is expected.
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


def window_blocks(predictions: Sequence[Prediction], notes: Notes, length: float) -> list[Block]:
    """Return what is decided for each window, in the order of time: see `xplain.explanation.outcomes`.

    Windows that overlap meet in the middle of what they share; where there is no window, there is no block.

    Parameters
    ----------
    predictions : sequence of Prediction
        Several for each `Window`; those without a region are of the whole time.
    notes : Notes
        Of their explanation: true labels and verdicts.
    length : float
        The whole time, in milliseconds.
    """
    by_window: dict[Window, list[Prediction]] = {}
    for prediction in predictions:
        window = prediction.region if isinstance(prediction.region, Window) else Window(0, length)
        by_window.setdefault(window, []).append(prediction)
    windows = sorted(by_window, key=lambda window: window.start_ms + window.end_ms)
    blocks = [_block(window, by_window[window], notes) for window in windows]
    for i, (before, after) in enumerate(pairwise(windows)):
        if after.start_ms < before.end_ms:
            middle = (after.start_ms + before.end_ms) / 2
            # A window may lie inside another one: no block stops before it starts.
            blocks[i] = replace(blocks[i], stop=max(middle, blocks[i].start))
            blocks[i + 1] = replace(blocks[i + 1], start=min(middle, blocks[i + 1].stop))
    return blocks


def _block(window: Window, predictions: Sequence[Prediction], notes: Notes) -> Block:
    best = choose(predictions, notes.of) or predictions[0]
    decided = outcome(best, notes.of(best))
    return Block(window.start_ms, window.end_ms, decided.predicted, decided.expected, decided.correct)


def clip(blocks: Iterable[Block], begin: float, end: float) -> list[Block]:
    """Return the blocks, or parts of them, between two times, which are then counted from the first of these."""
    return [
        replace(block, start=max(block.start, begin) - begin, stop=min(block.stop, end) - begin)
        for block in blocks
        if block.start < end and block.stop > begin
    ]


def merge(blocks: Iterable[Block]) -> list[Block]:
    """Join blocks of one label and one expected label that follow each other without a gap."""
    merged: list[Block] = []
    for block in blocks:
        last = merged[-1] if merged else None
        if last and replace(last, start=block.start, stop=block.stop) == block and last.stop == block.start:
            merged[-1] = replace(last, stop=block.stop)
        else:
            merged.append(block)
    return merged


def palette(blocks: Iterable[Block]) -> dict[str, Colour]:
    """Give colours to labels, expected ones too: to those that last longest one each, to the rest `OTHERS`.

    "uncertain" is no label, so it has no colour of its own.
    """
    durations: dict[str, float] = {}
    for block in blocks:
        for label in {block.label: None, block.expected: None}:
            if label is not None:
                durations[label] = durations.get(label, 0.0) + block.stop - block.start
    labels = [label for label in durations if label != UNCERTAIN]
    longest = set(sorted(labels, key=lambda label: -durations[label])[: len(LABEL_COLOURS)])
    colours = dict(zip([label for label in labels if label in longest], LABEL_COLOURS, strict=False))
    return {label: colours.get(label, OTHERS) for label in durations}


def draw_timeline(
    blocks: Sequence[Block],
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
    blocks : sequence of Block
        In the order of time, not overlapping.
    colours : mapping of str to RGB
        From `palette`.
    length : float
        The time that the strip stands for, in milliseconds.
    width, height : int
        Of the strip in pixels.
    size : int
        Height of text in pixels. A label is written on blocks that have room for it.
    font : str, optional
        A font file.

    Returns
    -------
    uint8 array (height, width, 3)
    """
    pixels = np.full((height, width, 3), PAPER, np.uint8)
    rows, columns = np.mgrid[:height, :width]
    stripes = (rows + columns) % _HATCH < _STRIPE
    edges = []
    for block in merge(blocks):
        left, right = (round(width * min(max(time / length, 0.0), 1.0)) for time in (block.start, block.stop))
        pixels[:, left:right] = colours[block.label]
        if block.hatched:
            pixels[:, left:right][stripes[:, left:right]] = PAPER
        if left and right - left > _MIN_SEPARATED:
            pixels[:, left] = PAPER  # a line between neighbours
        edges.append((block, left, right))
    sheet = Sheet(width, height, size, font)
    sheet.paste(0, 0, pixels)
    for block, left, right in edges:
        label_width = sheet.width_of(block.label) + size
        if label_width > right - left:
            continue
        middle, base = (left + right) / 2, height / 2 + 0.36 * size
        if block.hatched:  # stripes would run through the letters
            sheet.box(middle - label_width / 2, 0, middle + label_width / 2, height, colours[block.label])
        ink = readable_on(colours[block.label])
        sheet.text((middle, base), block.label, room=right - left, colour=ink, anchor="ms")
    return sheet.pixels()
