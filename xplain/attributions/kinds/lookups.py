"""Where a text model looks up its token ids, and whether that is all it does with them.

A model may look the same ids up in two tables, twice in one, moved by a place (the decoder of BART) or mirrored. So the
model is run on texts of other words in the same places, and from the ids that each table is given it is read which
token stands at each place: `find`. Whatever else is made of the ids (a mask, the length, n-grams) does not follow
embeddings that are replaced. That is seen by `Embeddings.verify`: they must give the scores of the ids themselves.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.errors import AttributionError
from xplain.models import TextClassifier, TokenWindow, borrowing

if TYPE_CHECKING:
    import torch

Ids = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]

_REMEDY = "use a method that needs scores only, such as shapley"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A layer that turns token ids into embeddings.

    Parameters
    ----------
    name : str
        Dotted name of the layer.
    channels : int
        How many numbers it returns for a token.
    calls : tuple of numpy.ndarray
        For each time that it runs in a pass, which token of the text is looked up at each place, int (places,); -1
        where it is a token that the model adds.
    """

    name: str
    channels: int
    calls: tuple[Places, ...]


def find(model: TextClassifier, window: TokenWindow) -> tuple[Lookup, ...]:
    """Return the layers that look up the token ids of a window, in the order in which they run; at least one.

    Costs 3 passes or a few more: one for each digit of the number of tokens, in a number system of as many digits as
    the text has different tokens, and two.

    Raises
    ------
    AttributionError
        If there is none, or a layer looks up ids that are computed from those of several tokens.
    """
    texts = _texts_of_same_places(model, window)
    passes = [_record(model, ids) for ids in texts]
    without = _record(model, baseline_ids(model, window))
    tokens = {codes: place for place, codes in enumerate(zip(*(ids.tolist() for ids in texts), strict=True))}
    lookups = []
    for name in dict.fromkeys(call.name for call in passes[0]):
        of_passes = [[call for call in calls if call.name == name] for calls in passes]
        if len({tuple(call.ids.size for call in calls) for calls in of_passes}) > 1:
            raise _computes_ids(name)
        calls = list(zip(*of_passes, strict=True))
        rows = [[call.rows for call in made if call.name == name] for made in (*passes, without)]
        if all(len(of_pass) == len(rows[0]) and all(map(np.array_equal, of_pass, rows[0])) for of_pass in rows):
            continue  # it looks up positions or the like, and takes the ids for their number
        places = tuple(_places(name, [call.ids for call in of_call], tokens) for of_call in calls)
        lookups.append(Lookup(name, calls[0][0].rows.shape[-1], places))
    if not lookups:
        raise AttributionError(
            f"model must look up its token ids in a layer such as torch.nn.Embedding, got none that does; {_REMEDY}"
        )
    return tuple(lookups)


def baseline_ids(model: TextClassifier, window: TokenWindow) -> Ids:
    """Return the ids of a window with the baseline token instead of every token but the special ones."""
    ordinary = np.array([span is not None for span in window.spans], bool)
    return np.where(ordinary, model.baseline_id, window.ids)


@contextmanager
def replaced(module: torch.nn.Module, lookups: Sequence[Lookup], embeddings: Sequence[torch.Tensor]) -> Iterator[None]:
    """Let lookups return other embeddings: for each of them (n, tokens, channels), for a batch of n equal texts."""
    handles = []
    try:
        for lookup, values in zip(lookups, embeddings, strict=True):
            # Before hooks of others, which see the layer as if it had looked these embeddings up.
            hook = _replacing(lookup, values)
            part = module.get_submodule(lookup.name)
            handles.append(part.register_forward_hook(hook, prepend=True, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _replacing(lookup: Lookup, embeddings: torch.Tensor) -> Any:
    """Return a hook that puts embeddings in place of what a layer looked up, call by call."""
    owner, calls = threading.get_ident(), iter(lookup.calls)

    def hook(layer: torch.nn.Module, args: Any, kwargs: Any, output: torch.Tensor) -> torch.Tensor | None:
        if threading.get_ident() != owner:  # a server may run the same module in another thread
            return None
        import torch

        places = next(calls, None)
        count, channels = len(embeddings), embeddings.shape[2]
        if places is None or output.numel() != count * len(places) * channels:
            raise AttributionError(
                f"model must look ids up alike in every pass, got another call of layer {lookup.name!r}; {_REMEDY}"
            )
        if (places < 0).all():
            return None
        ids = _integers(args, kwargs)
        # All texts of the batch are equal: where the batch stands behind, the ids are equal along it there.
        is_behind = output.ndim == 3 and output.shape[:2] != (count, len(places))
        if output.ndim == 3 and count > 1 and count == len(places) and ids is not None:
            is_behind = not bool((ids == ids[:1]).all())
        index = torch.as_tensor(np.maximum(places, 0), device=output.device)
        added = torch.as_tensor(places < 0, device=output.device)[:, None]
        old = output.transpose(0, 1) if is_behind else output.reshape(count, len(places), channels)
        new = torch.where(added, old, embeddings[:, index])
        return (new.transpose(0, 1) if is_behind else new.reshape(output.shape)).contiguous()

    return hook


def _texts_of_same_places(model: TextClassifier, window: TokenWindow) -> list[Ids]:
    """Return ids in which the tokens of the text are replaced by others of it, so that each place has its own series.

    Special tokens stay, and so does that which stands for an absent token, since models treat them in special ways.
    """
    ids = window.ids
    ordinary = np.array([span is not None for span in window.spans], bool)
    words = np.unique(ids[ordinary & (ids != model.baseline_id)]).tolist()
    if len(words) < 2:  # a digit has two values at least
        words = list(dict.fromkeys([*words, *_other_words(model, window), model.baseline_id]))[:2]
    numbers = np.arange(ordinary.sum())
    digits = [numbers % len(words), (numbers + 1) % len(words)]  # which differ: no place looks like an added token
    while len(words) ** (len(digits) - 1) < len(numbers):
        digits.append(numbers // len(words) ** (len(digits) - 1) % len(words))
    texts = []
    for digit in digits:
        text = ids.copy()
        text[ordinary] = np.array(words)[digit]
        texts.append(text)
    return texts


def _other_words(model: TextClassifier, window: TokenWindow) -> list[int]:
    """Return two ids that every table holds and that are not special, where there are such."""
    import torch

    special: set[int | None] = {
        model.baseline_id,
        *(i for i, span in zip(window.ids.tolist(), window.spans, strict=True) if not span),
    }
    assert model.module is not None
    tables = [part for part in model.module.modules() if isinstance(part, torch.nn.Embedding)]
    # Padding is special, too: some models count positions without it.
    special |= {table.padding_idx for table in tables}
    special.add(getattr(getattr(model.module, "config", None), "pad_token_id", None))
    sizes = [table.num_embeddings for table in tables]
    vocabulary = min((size for size in sizes if size > max(window.ids.max(), model.baseline_id)), default=0)
    return list(itertools.islice((i for i in range(vocabulary) if i not in special), 2))


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of the layer of a name, which looked up ``ids`` and returned ``rows``, (..., channels)."""

    name: str
    ids: Ids
    rows: npt.NDArray[np.float32]


def _record(model: TextClassifier, ids: Ids) -> list[_Call]:
    """Run the model on ids (tokens,) and return the calls of layers that look integers up, in their order."""
    import torch

    calls: list[_Call] = []
    owner, module = threading.get_ident(), model.module
    assert module is not None

    def hook_of(name: str) -> Any:
        def hook(layer: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            looked_up = _integers(args, kwargs)
            if threading.get_ident() != owner or looked_up is None or not isinstance(output, torch.Tensor):
                return
            if output.is_floating_point() and output.shape[:-1] == looked_up.shape:
                rows = output.detach().float().cpu().numpy()
                calls.append(_Call(name, looked_up.flatten().cpu().numpy(), rows))

        return hook

    leaves = [(name, part) for name, part in module.named_modules() if name and not any(part.children())]
    handles = [
        part.register_forward_hook(hook_of(name), with_kwargs=True)
        for name, part in leaves
        if not isinstance(part, torch.jit.ScriptModule)
    ]
    try:
        with borrowing.evaluation(module, gradients=False):
            model.forward(model.to_tensor(ids[np.newaxis]))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _integers(args: Any, kwargs: Any) -> torch.Tensor | None:
    """Return the first argument that is a tensor of integers."""
    import torch

    for value in (*args, *kwargs.values()):
        if isinstance(value, torch.Tensor):
            return None if value.is_floating_point() or value.dtype == torch.bool else value
    return None


def _places(name: str, of_passes: Sequence[Ids], tokens: dict[tuple[int, ...], int]) -> Places:
    """Return which token a call looked up at each of its places: the one whose ids in all passes are those there."""
    places = np.full(of_passes[0].size, -1)
    for place, codes in enumerate(zip(*(ids.tolist() for ids in of_passes), strict=True)):
        if codes in tokens and len(set(codes)) > 1:
            places[place] = tokens[codes]
        elif len(set(codes)) > 1:
            raise _computes_ids(name)
    return places


def _computes_ids(name: str) -> AttributionError:
    return AttributionError(
        f"model must look up its token ids as they are, got layer {name!r}, whose ids are computed from them; {_REMEDY}"
    )
