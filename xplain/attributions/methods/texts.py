"""The methods on texts: those of images, on words instead of regions and on token embeddings instead of pixels.

Gradient methods differentiate by the embeddings of the tokens. Their baseline is the same text with every token but the
special ones replaced by the baseline token: the tokenizer's mask, else its padding or unknown token.

Perturbation methods switch units on and off: words, sentences, or groups of words in a row. An absent word is deleted
from a black box's text; for a module its tokens become the baseline token. The score of a unit is shared out evenly
among its words.

The input is that of `xplain.attributions.engine.text_views`: embeddings (embedding, 1, tokens) or words (1, 1, words).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.attributions.engine.text_views import EmbeddingView, PresenceView
from xplain.attributions.methods import shapley as _shapley
from xplain.attributions.methods import surrogate as _surrogate
from xplain.errors import InputError
from xplain.models.words import sentences

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Maps = npt.NDArray[np.float64]

#: Most units that ``unit="auto"`` divides a text into: each costs an evaluation or more.
_MOST_UNITS = 128


def integrated_gradients(run: Run, *, n_steps: int = 50, quadrature: str = "gauss-legendre") -> Maps:
    """Integrated gradients from the baseline token's embedding to each token's.

    Word scores add up to f(text) - f(baseline) but for the completeness residual, which is stored. Costs n_steps + 1
    evaluations for each window of tokens, and 1 for the predictions.

    Parameters
    ----------
    run : Run
        What is explained.
    n_steps : int
        Points on the path.
    quadrature : {"gauss-legendre", "midpoint"}
        Where the points lie.

    Returns
    -------
    numpy.ndarray
        float64 (T, 1, tokens).

    References
    ----------
    Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017, arXiv:1703.01365.
    """
    from xplain.attributions.methods.gradients import integrated_gradients

    return integrated_gradients(run, n_steps=n_steps, quadrature=quadrature, baseline=_embedded_baseline(run))


def input_x_gradient(run: Run) -> Maps:
    """Gradient times the difference of each token's embedding from the baseline token's; exact for a linear score.

    Costs 1 evaluation for each window of tokens.

    References
    ----------
    Shrikumar et al., Not Just a Black Box, 2016, arXiv:1605.01713.
    """
    from xplain.attributions.methods.gradients import input_x_gradient

    return input_x_gradient(run, baseline=_embedded_baseline(run))


def gradient_shap(run: Run, *, n_samples: int = 50, noise: float = 0.0) -> Maps:
    """Expected gradients: integrated gradients at random points of the path, with noise on the embeddings.

    The standard error of the sampling is stored. Costs n_samples + 1 evaluations for each window of tokens.

    Parameters
    ----------
    run : Run
        What is explained.
    n_samples : int
        Random points, at least 2.
    noise : float
        Standard deviation of the noise, as a part of the embeddings' range.

    Returns
    -------
    numpy.ndarray
        float64 (T, 1, tokens).

    References
    ----------
    Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874.
    """
    from xplain.attributions.methods.gradients import gradient_shap

    return gradient_shap(run, n_samples=n_samples, noise=noise, baselines=[_embedded_baseline(run)])


def saliency(run: Run) -> Maps:
    """Largest absolute gradient over the embedding of each token: how strongly the score reacts to it.

    Costs 1 evaluation for each window of tokens.

    References
    ----------
    Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, 2013, arXiv:1312.6034.
    """
    from xplain.attributions.methods.gradients import saliency

    return saliency(run)


def occlusion(run: Run, *, unit: str | int = "auto", window: int = 1) -> Maps:
    """Leave-one-out: what the score loses without each unit of the text.

    Costs 1 evaluation and one for each place of the window.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    unit : {"auto", "word", "sentence"} or int
        What is left out: a word, a sentence, or that many words; "auto" is a word, or in a long text as many as make
        128 units.
    window : int
        How many units in a row are left out at a time. A word's score is the mean over the windows that hold it.

    Returns
    -------
    numpy.ndarray
        float64 (T, 1, words); the score of a unit is shared out evenly among its words.

    References
    ----------
    Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014; Li, Monroe & Jurafsky,
    Understanding Neural Networks through Representation Erasure, 2016, arXiv:1612.08220.
    """
    units = _units(run, unit)
    count = int(units.max()) + 1
    extent = _check.integer("window", window, least=1)
    if extent > count:
        raise InputError(f"window must be at most {count}, the number of units in the text, got {extent}")
    run.note("players", count)
    starts = np.arange(count - extent + 1)
    covered = (np.arange(count) >= starts[:, None]) & (np.arange(count) < starts[:, None] + extent)
    score, loss = run.score(run.prepared.array), np.empty((len(starts), len(run.targets)))

    def make(start: int, stop: int) -> npt.NDArray[Any]:
        return (~covered[start:stop][:, units]).astype(np.float32)[:, np.newaxis]

    for batch, scores in run.evaluate(make, len(starts)):
        loss[batch] = score - scores
    mean = (covered.T @ loss) / covered.sum(axis=0)[:, None]
    return _share_units(mean, units)


def lime(
    run: Run,
    *,
    unit: str | int = "auto",
    n_samples: int = 1000,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
) -> Maps:
    """Ridge regression of the score on which units of the text are present, weighted towards the whole text.

    Costs ``n_samples`` evaluations, less where texts repeat.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    unit : {"auto", "word", "sentence"} or int
        What is switched on and off; see `occlusion`.
    n_samples, kernel_width, ridge
        As for images: see `xplain.attributions.methods.surrogate.lime`.

    Returns
    -------
    numpy.ndarray
        float64 (T, 1, words).

    References
    ----------
    Ribeiro, Singh & Guestrin, "Why should I trust you?", KDD 2016, arXiv:1602.04938.
    """
    return _explain_units(run, unit, _surrogate.lime, n_samples=n_samples, kernel_width=kernel_width, ridge=ridge)


def kernel_shap(run: Run, *, unit: str | int = "auto", budget: int = 1000) -> Maps:
    """Shapley values of the units of the text by weighted regression.

    Costs at most ``budget`` evaluations; exact where that is enough for all subsets of the units.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    unit : {"auto", "word", "sentence"} or int
        What is switched on and off; see `occlusion`.
    budget : int
        Number of evaluations.

    Returns
    -------
    numpy.ndarray
        float64 (T, 1, words).

    References
    ----------
    Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874.
    """
    return _explain_units(run, unit, _surrogate.kernel_shap, budget=budget)


def shapley(run: Run, *, unit: str | int = "auto", budget: int = 4096) -> Maps:
    """Shapley values of the units of the text: exact for up to 12 with the default budget, else from random orders.

    Costs 2 ** units evaluations if the budget allows it, else at most ``budget``.

    Parameters
    ----------
    run : Run
        Evaluates the model for T targets.
    unit : {"auto", "word", "sentence"} or int
        What is switched on and off; see `occlusion`.
    budget : int
        Number of evaluations.

    Returns
    -------
    numpy.ndarray
        float64 (T, 1, words).

    References
    ----------
    Shapley, A value for n-person games, 1953; Mitchell et al., Sampling Permutations for Shapley Value Estimation, JMLR
    2022.
    """
    return _explain_units(run, unit, _shapley.shapley, budget=budget)


def random(run: Run) -> Maps:
    """Control: a standard normal number for each word. Costs no evaluation."""
    return run.rng.standard_normal((len(run.targets), 1, run.prepared.array.shape[-1]))


def _embedded_baseline(run: Run) -> npt.NDArray[np.float32]:
    """Return the embeddings of the baseline text."""
    return cast(EmbeddingView, run.model).baseline()


def _explain_units(run: Run, unit: str | int, method: Callable[..., Maps], **options: Any) -> Maps:
    """Explain the units of a text by a method for the regions of an image (1, words)."""
    units = _units(run, unit)
    if units.max() == 0:
        return _explain_single_unit(run, units)
    return _share_words(method(run, segments=units, **options), units)


def _explain_single_unit(run: Run, units: npt.NDArray[np.int64]) -> Maps:
    """Give the only unit of a text all that the score gains over the empty text; methods need two or more."""
    gain = run.score(run.prepared.array) - run.score(np.zeros_like(run.prepared.array))
    run.note("players", 1)
    return _share_units(gain[np.newaxis], units)


def _units(run: Run, unit: str | int) -> npt.NDArray[np.int64]:
    """Return the unit of each word, 0..count-1, as int64 (1, words)."""
    words = cast(PresenceView, run.model).text.words
    if isinstance(unit, str) and unit not in ("auto", "word", "sentence"):
        raise _check.wrong("unit", "'auto', 'word', 'sentence' or a number of words", unit)
    if unit == "sentence":
        return np.array(sentences(words), np.int64)[np.newaxis]
    if unit == "auto":
        size = -(-len(words) // _MOST_UNITS)
    else:
        size = 1 if unit == "word" else _check.integer("unit", unit, least=1)
    return np.arange(len(words), dtype=np.int64)[np.newaxis] // size


def _share_units(values: Maps, units: npt.NDArray[np.int64]) -> Maps:
    """Share out the value of each unit evenly among its words: (units, T) -> (T, 1, words)."""
    return _share_words(values.T[:, units], units)


def _share_words(maps: Maps, units: npt.NDArray[np.int64]) -> Maps:
    """Divide maps (T, 1, words), in which each word has its unit's value, by the number of words in the unit."""
    return maps / np.bincount(units[0])[units]
