"""The similarity of an input to a reference, as what is explained of a model whose outputs are embeddings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Source
from xplain.models.targets import is_sequence_of_targets

_MOST_LETTERS = 40  # of a text, in a label


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """The cosine of a model's output with its output for a reference, as what is explained: why the two are alike.

    For embedding, Siamese and triplet models of photos, texts and recordings, whose outputs (batch, numbers) are
    vectors. The cosine is 1 for outputs of one direction, 0 for perpendicular ones and -1 for opposite ones. The
    reference passes once a call, and its output stays as it is. Of a long text or a recording it is the mean over the
    windows; then the cosine of each window with it is explained.

    Parameters
    ----------
    reference : object
        An input as `xplain.explain` takes it: a photo, a text or a recording.

    Examples
    --------
    >>> import xplain
    >>> words = ["good", "bad", "film"]
    >>> def embed(texts):
    ...     return [[float(text.split().count(word)) for word in words] for text in texts]
    >>> target = xplain.Similarity("a good film")
    >>> e = xplain.explain(xplain.TextClassifier(embed), "good or bad", "occlusion", target=target)
    >>> e.attributions[0].target.name, round(e.attributions[0].target.score, 3)
    ("similarity to 'a good film'", 0.5)
    >>> [round(word.score, 3) for word in e.attributions[0].evidence.words]
    [0.5, 0.0, -0.207]
    """

    reference: Any


def similarities_in(target: Any) -> tuple[Similarity, ...]:
    """Return the similarities that a caller names as target of one input.

    Raises
    ------
    InputError
        If there are classes beside them.
    """
    items = list(target) if is_sequence_of_targets(target) else [target]
    found = tuple(dict.fromkeys(item for item in items if isinstance(item, Similarity)))
    if found and not all(isinstance(item, Similarity) for item in items):
        other = next(item for item in items if not isinstance(item, Similarity))
        raise InputError(f"target must be similarities or classes, got both, a Similarity and {other!r}; explain twice")
    return found


def labels_of(sources: Sequence[Source]) -> Iterator[tuple[str, ...]]:
    """Yield a label for each reference; equal names are numbered."""
    taken: dict[str, int] = {}
    for source in sources:
        text = source.text or ""
        short = text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
        name = source.name or (repr(short) if short else "")
        label = f"similarity to {name}" if name else "similarity"
        taken[label] = taken.get(label, 0) + 1
        yield (label if taken[label] == 1 else f"{label} ({taken[label]})",)


def directions(outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return outputs for references (R, numbers) as vectors of length 1."""
    lengths = np.linalg.norm(outputs, axis=1, keepdims=True)
    if not lengths.all():
        raise InputError(
            "reference must have a direction, got one for which all outputs of the model are 0; take another reference"
        )
    unit: npt.NDArray[np.float64] = outputs / lengths
    return unit


def cosines(scores: Any, references: npt.NDArray[np.float64]) -> Any:
    """Return the cosines (..., R) of outputs (..., numbers), an array or a tensor, with references of length 1."""
    if scores.shape[-1] != references.shape[1]:
        raise InputError(
            f"model output must be {references.shape[1]} numbers, as for the reference, got {scores.shape[-1]}"
        )
    if isinstance(scores, np.ndarray):
        lengths = np.sqrt((scores * scores).sum(axis=-1, keepdims=True))
        return scores @ references.T / np.maximum(lengths, np.finfo(np.float64).tiny)
    torch = sys.modules["torch"]
    scores = scores.float() if scores.element_size() < 4 else scores
    lengths = (scores * scores).sum(dim=-1, keepdim=True).sqrt()
    tiny = torch.finfo(scores.dtype).tiny
    # An output of zeros has no direction: its cosine is 0, and adding nothing keeps other gradients as they are.
    return scores @ torch.as_tensor(references.T, dtype=scores.dtype, device=scores.device) / (lengths + tiny)
