"""Explanations of signals as pictures: readings on the colours of what they speak for, and labels along time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction
from xplain.explanation.notes import NotesOf
from xplain.renderers.canvas import chart
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.signal import page
from xplain.renderers.signal.scene import build, describe
from xplain.renderers.signal.style import Style


def draw(subjects: Sequence[Explanation], image: None, style: Style, notes: NotesOf) -> Picture:
    """Draw explanations of signals, with a section for each attribution, all on one scale.

    Colours of a recording with more readings than the picture has columns are means over the readings of a column, and
    so is the scale. The strip below shows what is decided for each window; windows that overlap meet in the middle of
    what they share. The lines below it are the scores of the labels at the middles of the windows.

    Parameters
    ----------
    subjects : sequence of Explanation
        Every attribution becomes a section, unless the style's target picks some.
    image : None
        Signals have none.
    style : Style
        What the caller asks for.
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
        If ``target`` or ``scale`` names nothing that exists.

    Examples
    --------
    >>> import numpy as np
    >>> from xplain.explanation.notes import no_notes
    >>> from xplain.explanation import Attribution, SignalScores, Source, Window
    >>> walk = Prediction("walk", 0.9, region=Window(0, 2000))
    >>> values = np.sin(np.arange(200) / 9).reshape(2, 100)
    >>> source = Source("signal", sample_rate_hz=50, content=values)
    >>> e = Explanation("signal-classification", source, (walk,), (Attribution(walk, SignalScores(values), "mine"),))
    >>> draw([e], None, Style(axes=["x", "y"]), no_notes).alt.split(". ")[0]
    'Explanation of a signal: 2 axes at 50 Hz, 2 s'
    """
    if image is not None:
        raise InputError(f"image must be left out for a signal, got {type(image).__name__}; pass signal=...")
    scene = build(subjects, style, page.PLOT_WIDTH, notes)
    empty = [i for i, explained in enumerate(scene.signals) if not explained.drawable]
    if style.kind == "bars" or (style.kind is None and empty):
        return chart.draw_bars([_averaged(explanation) for explanation in subjects], style.font)
    if empty:
        raise InputError(
            f"subject[{empty[0]}] must hold an attribution, a recording or windows to be drawn along time, got none"
        )
    return Picture(page.draw_page(scene, style.font), describe(scene))


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
