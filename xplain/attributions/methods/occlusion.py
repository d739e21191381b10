"""Hide one part of the input at a time behind a baseline, and see what the score loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.attributions.captum import seam
from xplain.attributions.methods.coalitions import like_input

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run
    from xplain.attributions.engine.supplies import Cover, Players


Array = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def occlusion(run: Run, *, cover: Cover, baseline: Array) -> Float64:
    """Slide a patch of the baseline over the input, and give each place what the score loses.

    A place's value is the mean, over the positions that cover it, of f(input) - f(input with the patch replaced) [1]_:
    over pixels of an image a window, over a recording a segment of time, over a text some words in a row, which is
    leave-one-out [2]_ for one word. For a linear score and patches that do not overlap (a stride of the window's size),
    the value is exactly the patch's part, the sum of w (x - b). On texts and signals it is shared out among the words
    of a unit or the readings of a segment, so that the map of such patches adds up to the change of a linear score.

    Costs 1 evaluation and one for each position: 170 for 224 x 224 pixels with the default window and stride.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    cover : Cover
        The positions. A caller sets the options of the kind instead.
    baseline : numpy.ndarray
        (...), what the patch shows. A caller sets the options of the kind instead.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score, at the resolution of the model's input.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
    .. [2] Li, Monroe & Jurafsky, "Understanding neural networks through representation erasure", 2016,
       arXiv:1612.08220.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="occlusion", window=2, stride=2)
    >>> explanation.attributions[0].evidence.values[::2, ::2].tolist()
    [[200.0, 0.0], [0.0, 0.0]]

    >>> model = xplain.SignalClassifier(lambda windows: windows[:, 0, 2:].sum(axis=1), sample_rate_hz=10, window=4)
    >>> explanation = xplain.explain(model, [[1, 2, 3, 5], [1, 1, 1, 1]], "occlusion", length=2)
    >>> explanation.attributions[0].evidence.values.tolist()
    [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]]
    """
    if cover.players is not None:
        run.quality.add("players", cover.players)
        if cover.is_partition:
            return _leave_out(run, cover, baseline)
    image, hidden, positions = run.prepared.array, like_input(run, baseline), cover.positions

    def make(start: int, stop: int) -> npt.NDArray[Any]:
        copies = np.repeat(image[np.newaxis], stop - start, axis=0)
        for copy, position in zip(copies, positions[start:stop], strict=True):
            inside = (slice(None), *position) if run.model.channel_axis == 0 else position
            copy[inside] = hidden[inside]
        return copies

    loss = np.empty((len(positions), len(run.targets)))
    score = run.score(image)
    for batch, scores in run.evaluate(make, len(positions)):
        loss[batch] = score - scores
    return cover.average(loss)


def _leave_out(run: Run, cover: Cover, baseline: Array) -> Float64:
    """Replace what each position of a patch covers, where no two of them overlap."""
    labels = np.empty(run.size, np.int64)
    for i, position in enumerate(cover.positions):
        labels[position] = i
    losses = seam.ablate(run, labels, baseline)
    return cover.average(np.stack([losses[:, rows.start, columns.start] for rows, columns in cover.positions]))


def feature_ablation(run: Run, *, players: Players, baseline: Array) -> Float64:
    """Replace one part of the input at a time by the baseline, and give its places what the score loses.

    A part's value is f(input) - f(input with the part replaced): occlusion [1]_ by regions of an image or segments of a
    recording. Exact for a score that is linear in the parts.

    Costs 1 evaluation and one for each part.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    players : Players
        The parts of the input. A caller sets the options of the kind instead.
    baseline : numpy.ndarray
        (...), what an absent part shows. A caller sets the options of the kind instead.

    Returns
    -------
    float64 array (T, h, w)
        In units of the score; a part's value on each of its places, or shared out among them.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.

    Examples
    --------
    >>> import xplain
    >>> photo = np.full((4, 4, 3), 200, np.uint8)
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None])
    >>> explanation = xplain.explain(model, photo, method="feature-ablation", segments="grid", n_segments=4)
    >>> explanation.attributions[0].evidence.values[::2, ::2].tolist()
    [[200.0, 0.0], [0.0, 0.0]]
    """
    run.quality.add("players", players.count)
    return players.share(seam.ablate(run, players.labels, baseline))
