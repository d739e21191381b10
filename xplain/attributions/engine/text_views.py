"""Texts that pass for images, so that every method and the whole engine serve both.

`PresenceView` is for methods that switch words on and off: its input is a row of ones (1, 1, words), and a variant with
zeros is the text without those words. `EmbeddingView` is for methods that differentiate: its input is the embeddings of
the tokens, (embedding, 1, tokens).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.errors import AttributionError
from xplain.explanation import Source
from xplain.models import Geometry, Prepared, PreparedText, TextClassifier, TokenWindow, outputs
from xplain.models.words import shares

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]

#: Tokens in one pass that still make good use of a CPU's caches; a text model's activations grow with them.
_MOST_TOKENS = 2048


class TextView:
    """A text classifier on one text, with the members of an image classifier.

    Parameters
    ----------
    model : TextClassifier
        What is explained.
    prepared : PreparedText
        The text.
    """

    channel_axis = 0
    layer = None

    def __init__(self, model: TextClassifier, prepared: PreparedText) -> None:
        self.text_model = model
        self.text = prepared

    def __getattr__(self, name: str) -> Any:
        return getattr(self.text_model, name)

    def _as_prepared(self, array: npt.NDArray[np.float32]) -> Prepared:
        """Return an input of this view, (channels, 1, columns), as the engine takes it."""
        return Prepared(Source("text"), array, Geometry.identity(*array.shape[1:]))


class PresenceView(TextView):
    """Maps which words are there to class scores.

    An absent word is deleted from the text of a black box; for a module its tokens become the baseline token.

    Parameters
    ----------
    model, prepared
        As for `TextView`.
    text_scores : numpy.ndarray
        float64 (classes,), the scores of the whole text, which are known already.
    """

    def __init__(self, model: TextClassifier, prepared: PreparedText, text_scores: Scores) -> None:
        super().__init__(model, prepared)
        self.text_scores = text_scores

    @cached_property
    def owners(self) -> list[npt.NDArray[np.intp]]:
        """For each window of tokens, the word that each token mostly belongs to; -1 for none."""
        owners = []
        for window in self.text.windows:
            owner = np.full(len(window.ids), -1, np.intp)
            largest_share = np.zeros(len(window.ids))
            for token, word, share in zip(*shares(self.text.words, window.spans), strict=True):
                if share > largest_share[token]:
                    owner[token], largest_share[token] = word, share
            owners.append(owner)
        return owners

    @property
    def module(self) -> None:
        """None, as for a black box: whether a word is there cannot be differentiated by."""
        return None

    def prepared_input(self) -> Prepared:
        """Return the input that stands for the whole text."""
        return self._as_prepared(np.ones((1, 1, len(self.text.words)), np.float32))

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants, float32 (n, 1, 1, words) of 0 and 1; equal texts are evaluated once."""
        present = batch[:, 0, 0] > 0.5
        scores = np.repeat(self.text_scores[np.newaxis], len(present), axis=0)
        changed = ~present.all(axis=1)
        if changed.any():
            unique, inverse = np.unique(present[changed], axis=0, return_inverse=True)
            unique_scores = self._masked_scores(unique)
            outputs.check_classes(self.text_scores.size, unique_scores.shape[1])
            scores[changed] = unique_scores[inverse.reshape(-1)]
        return scores

    def _masked_scores(self, present: npt.NDArray[np.bool_]) -> Scores:
        """Score texts without their absent words; ``present`` is (n, words)."""
        if self.text_model.module is None:
            return self.text_model.scores([self._without(row) for row in present])
        windows = range(len(self.text.windows))
        scores: Scores = np.mean([self._window_scores(i, present) for i in windows], axis=0)
        return scores

    def _window_scores(self, number: int, present: npt.NDArray[np.bool_]) -> Scores:
        """Score one window of tokens, those of absent words replaced; ``present`` is (n, words)."""
        ids, owner = self.text.windows[number].ids, self.owners[number]
        # The appended word, which owner -1 indexes, stands for special tokens: they are always there.
        kept = np.hstack([present, np.ones((len(present), 1), bool)])[:, owner]
        masked = np.where(kept, ids, self.text_model.baseline_id)
        unique, inverse = np.unique(masked, axis=0, return_inverse=True)
        batch_size = max(1, _MOST_TOKENS // len(ids))
        return self.text_model.token_scores(list(unique), batch_size)[inverse.reshape(-1)]

    def _without(self, present: npt.NDArray[np.bool_]) -> str:
        """Return the text without its absent words, each with the space before it."""
        text, words = self.text.text, self.text.words
        pieces: list[str] = []
        previous_stop = 0
        for word, is_present in zip(words, present, strict=True):
            if is_present:
                # The first piece goes without the space before it.
                pieces.append(text[previous_stop : word.stop] if pieces else text[word.start : word.stop])
            previous_stop = word.stop
        return "".join(pieces)


class EmbeddingView(TextView):
    """Maps the token embeddings of one window to class scores.

    Parameters
    ----------
    model, prepared
        As for `TextView`.
    window : TokenWindow
        The tokens.
    """

    def __init__(self, model: TextClassifier, prepared: PreparedText, window: TokenWindow) -> None:
        super().__init__(model, prepared)
        self.window = window

    @cached_property
    def embedding(self) -> torch.nn.Module:
        """The layer that looks up the token ids."""
        module = self.text_model.module
        if module is None:
            raise AttributionError("model must be a torch module for gradients, got a black box")
        getter = getattr(module, "get_input_embeddings", None)  # of transformers
        layer: torch.nn.Module | None = getter() if getter is not None else self._find_embedding(module)
        if layer is None:
            raise AttributionError(
                "model must look up its token ids in a torch.nn.Embedding, got none that does; "
                "use a method that needs scores only, such as shapley"
            )
        return layer

    def prepared_input(self) -> Prepared:
        """Return the input that holds the embeddings of the tokens."""
        return self._as_prepared(self._look_up(self.window.ids))

    def baseline(self) -> npt.NDArray[np.float32]:
        """Return the embeddings where every token but the special ones is the baseline token."""
        ordinary = np.array([span is not None for span in self.window.spans])
        return self._look_up(np.where(ordinary, self.text_model.baseline_id, self.window.ids))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores of embeddings (n, embedding, 1, tokens); gradients flow."""
        # The module is given the token ids, as always: only the result of the lookup is replaced.
        ids = np.broadcast_to(self.window.ids, (len(batch), len(self.window.ids)))
        with self._replaced_embeddings(batch[:, :, 0].transpose(1, 2)):
            return self.text_model.forward(self.text_model.to_tensor(ids))

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score embeddings, float32 (n, embedding, 1, tokens), without gradients."""
        import torch

        with torch.no_grad():
            scores: Scores = self.check_scores(self.forward(self.to_tensor(batch)), len(batch))
        return scores

    def to_tensor(self, batch: npt.NDArray[Any]) -> torch.Tensor:
        """Return embeddings as a tensor of the module's device and floating type."""
        import torch

        device, dtype = self.text_model.placement()
        return torch.tensor(batch, device=device, dtype=dtype)

    def _look_up(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the embeddings (embedding, 1, tokens) of token ids."""
        import torch

        with torch.no_grad():
            embeddings = self.embedding(self.text_model.to_tensor(ids[np.newaxis]))[0]
        rows: npt.NDArray[np.float32] = embeddings.float().cpu().numpy()
        return np.ascontiguousarray(rows.T[:, np.newaxis])

    def _find_embedding(self, module: torch.nn.Module) -> torch.nn.Module | None:
        """Return the first embedding that a forward pass calls with the token ids, or None."""
        import torch

        ids = self.text_model.to_tensor(self.window.ids[np.newaxis])
        called: list[torch.nn.Module] = []

        def hook(layer: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if inputs and isinstance(inputs[0], torch.Tensor) and torch.equal(inputs[0], ids):
                called.append(layer)

        layers = [layer for layer in module.modules() if isinstance(layer, torch.nn.Embedding)]
        handles = [layer.register_forward_hook(hook) for layer in layers]
        try:
            with torch.no_grad():
                self.text_model.forward(ids)
        finally:
            for handle in handles:
                handle.remove()
        return called[0] if called else None

    @contextmanager
    def _replaced_embeddings(self, embeddings: torch.Tensor) -> Iterator[None]:
        """Let the lookup of the token ids return other embeddings (n, tokens, embedding)."""
        owner = threading.get_ident()

        def hook(layer: torch.nn.Module, inputs: Sequence[Any], output: torch.Tensor) -> torch.Tensor | None:
            # A server may run the same module in another thread, and a module may look up other ids too.
            is_ours = threading.get_ident() == owner and output.shape == embeddings.shape
            return embeddings if is_ours else None

        handle = self.embedding.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()
