"""Explanations of signals as pictures: readings on the colours of what they speak for, and labels along time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction
from xplain.explanation.notes import NotesOf, no_notes
from xplain.inputs import files
from xplain.renderers.canvas import chart
from xplain.renderers.canvas.colours import find_cmap
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.signal import page
from xplain.renderers.signal.scene import build, describe

#: Kinds of picture of a signal and what they show.
KINDS = {
    "signal": "the axes as lines on the colours of what they speak for, and the labels of the windows along time",
    "bars": "the mean scores of the classes over the windows",
}
_DEFAULT_CMAP = "RdBu_r"


def draw(
    subjects: Sequence[Explanation],
    image: None = None,
    notes: NotesOf = no_notes,
    *,
    kind: str | None = None,
    target: int | str | None = None,
    cmap: str | None = None,
    scale: str | float | None = None,
    signal: Any = None,
    axes: Sequence[str] | None = None,
    expected: str | Sequence[str | None] | None = None,
    span: tuple[float, float] | None = None,
    font: str | None = None,
) -> Picture:
    """Draw explanations of signals, with a section for each attribution, all on one scale.

    Colours of a recording with more readings than the picture has columns are means over the readings of a column, and
    so is the scale. The strip below shows what is decided for each window; windows that overlap meet in the middle of
    what they share. The lines below it are the scores of the labels at the middles of the windows.

    Parameters
    ----------
    subjects : sequence of Explanation
        Every attribution becomes a section, unless ``target`` picks some.
    image : None
        Signals have none.
    kind : str, optional
        One of `KINDS`. Left out: "signal", or "bars" if there is nothing to draw along time.
    target : int or str, optional
        Index of the attribution, or the label that it explains.
    cmap : str, optional
        One of `xplain.renderers.CMAPS`; ``RdBu_r``, centred on zero, if left out.
    scale : {"robust", "max"} or float, optional
        |Value| of a reading that gets the full colour, see `xplain.renderers.canvas.scale.choose`.
    signal : array_like (axes, time) or path, or a list with one for each explanation, optional
        The recording that was explained, if the source does not hold it. Without any, the colours stand alone.
    axes : sequence of str, optional
        Names of the axes; those that the model was given if left out.
    expected : str or sequence of str, optional
        The true label, or one for each window, None where it is not known; what the predictions say if left out.
        Windows with another one are hatched.
    span : (float, float), optional
        What is shown of the time, in milliseconds from and to. Left out: the window, if only one is explained, else
        all.
    font : str, optional
        A TrueType or OpenType file.
    notes : callable
        As for `xplain.renderers.draw`.

    Returns
    -------
    Picture
        960 pixels wide.

    Raises
    ------
    InputError
        If the recording is not the one that was explained, there is nothing to draw, or an argument is wrong.
    UnknownNameError
        If ``kind``, ``target``, ``cmap`` or ``scale`` names nothing that exists.

    Examples
    --------
    >>> import numpy as np
    >>> from xplain.explanation import Attribution, SignalScores, Source, Window
    >>> walk = Prediction("walk", 0.9, region=Window(0, 2000))
    >>> values = np.sin(np.arange(200) / 9).reshape(2, 100)
    >>> source = Source("signal", sample_rate_hz=50, content=values)
    >>> e = Explanation("signal-classification", source, (walk,), (Attribution(walk, SignalScores(values), "mine"),))
    >>> draw([e], axes=["x", "y"]).alt.split(". ")[0]
    'Explanation of a signal: 2 axes at 50 Hz, 2 s'
    """
    if image is not None:
        raise InputError(f"image must be left out for a signal, got {type(image).__name__}; pass signal=...")
    if kind is not None:
        _check.known("kind", kind, KINDS)
    font = None if font is None else str(files.as_path(font, "font"))
    colour_map = find_cmap(_DEFAULT_CMAP if cmap is None else cmap)
    scene = build(subjects, signal, axes, expected, span, target, colour_map, scale, page.PLOT_WIDTH, notes)
    empty = [i for i, explained in enumerate(scene.signals) if not explained.drawable]
    if kind == "bars" or (kind is None and empty):
        return chart.draw_bars([_averaged(explanation) for explanation in subjects], font)
    if empty:
        raise InputError(
            f"subject[{empty[0]}] must hold an attribution, a recording or windows to be drawn along time, got none"
        )
    return Picture(page.draw_page(scene, font), describe(scene))


def _averaged(explanation: Explanation) -> Explanation:
    """The explanation with the mean scores over the windows as its predictions, by decreasing score."""
    scores: dict[tuple[str, ...], list[float]] = {}
    for prediction in explanation.predictions:
        scores.setdefault(prediction.label, []).append(prediction.score)
    explained = {attribution.target.label: attribution.target for attribution in explanation.attributions}
    means = {
        label: replace(explained[label], score=sum(of_windows) / len(of_windows), region=None)
        if label in explained
        else Prediction(label, sum(of_windows) / len(of_windows))
        for label, of_windows in scores.items()
    }
    # The bar of a label is red if it is the target of an attribution, so targets become means as well.
    attributions = tuple(replace(a, target=means.get(a.target.label, a.target)) for a in explanation.attributions)
    predictions = tuple(sorted(means.values(), key=lambda mean: -mean.score))
    return replace(explanation, predictions=predictions, attributions=attributions)
