"""Texts seen as images, so that every method and the whole engine serve both.

A perturbation of a text switches words on and off: its input is the row of ones (1, 1, words), and a variant of it with
zeros is the text without those words (`PresenceView`). A gradient of a text is taken at its token embeddings: the input
is (embedding, 1, tokens) (`EmbeddingView`).
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
_TOKENS = 2048


class View:
    """A text classifier on one text, with the face of an image classifier.

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

    def as_prepared(self, array: npt.NDArray[np.float32]) -> Prepared:
        """Return an input of this view, (channels, 1, columns), as the engine takes it."""
        return Prepared(Source("text"), array, Geometry.identity(*array.shape[1:]))


class PresenceView(View):
    """Which words are there -> class scores.

    An absent word is deleted from the text of a black box; for a module its tokens become the baseline token.

    Parameters
    ----------
    model, prepared
        As for `View`.
    whole : numpy.ndarray
        float64 (classes,), the scores of the whole text, which are known already.
    """

    def __init__(self, model: TextClassifier, prepared: PreparedText, whole: Scores) -> None:
        super().__init__(model, prepared)
        self.whole = whole

    @cached_property
    def owners(self) -> list[npt.NDArray[np.intp]]:
        """For each window of tokens, the word that each token mostly belongs to; -1 for none."""
        found = []
        for window in self.text.windows:
            owner = np.full(len(window.ids), -1, np.intp)
            most = np.zeros(len(window.ids))
            for token, word, part in zip(*shares(self.text.words, window.spans), strict=True):
                if part > most[token]:
                    owner[token], most[token] = word, part
            found.append(owner)
        return found

    @property
    def module(self) -> None:
        """None: nobody differentiates by presence."""
        return None

    def prepared(self) -> Prepared:
        """Return the input that stands for the whole text."""
        return self.as_prepared(np.ones((1, 1, len(self.text.words)), np.float32))

    def scores(self, batch: npt.NDArray[Any]) -> Scores:
        """Score variants, float32 (n, 1, 1, words) of 0 and 1; equal texts are evaluated once."""
        present = batch[:, 0, 0] > 0.5
        scores = np.repeat(self.whole[np.newaxis], len(present), axis=0)
        changed = ~present.all(axis=1)
        if changed.any():
            unique, inverse = np.unique(present[changed], axis=0, return_inverse=True)
            found = self._masked_scores(unique)
            outputs.check_classes(self.whole.size, found.shape[1])
            scores[changed] = found[inverse.reshape(-1)]
        return scores

    def _masked_scores(self, present: npt.NDArray[np.bool_]) -> Scores:
        if self.text_model.module is None:
            return self.text_model.scores([self._without(row) for row in present])
        windows = range(len(self.text.windows))
        scores: Scores = np.mean([self._window_scores(i, present) for i in windows], axis=0)
        return scores

    def _window_scores(self, number: int, present: npt.NDArray[np.bool_]) -> Scores:
        ids, owner = self.text.windows[number].ids, self.owners[number]
        # The appended word stands for special tokens, which are always there.
        here = np.hstack([present, np.ones((len(present), 1), bool)])[:, owner]
        masked = np.where(here, ids, self.text_model.baseline_id)
        unique, inverse = np.unique(masked, axis=0, return_inverse=True)
        size = max(1, _TOKENS // len(ids))
        return self.text_model.token_scores(list(unique), size)[inverse.reshape(-1)]

    def _without(self, present: npt.NDArray[np.bool_]) -> str:
        """Return the text without its absent words, each with the space before it."""
        text, words = self.text.text, self.text.words
        parts: list[str] = []
        end = 0
        for word, here in zip(words, present, strict=True):
            if here:
                parts.append(text[end : word.stop] if parts else text[word.start : word.stop])
            end = word.stop
        return "".join(parts)


class EmbeddingView(View):
    """Token embeddings of one window -> class scores.

    Parameters
    ----------
    model, prepared
        As for `View`.
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
        getter = getattr(module, "get_input_embeddings", None)
        found = getter() if getter is not None else self._probed(module)
        if found is None:
            raise AttributionError(
                "model must look up its token ids in a torch.nn.Embedding, got none that does; "
                "use a method that needs scores only, such as shapley"
            )
        layer: torch.nn.Module = found
        return layer

    def prepared(self) -> Prepared:
        """Return the embeddings of the tokens."""
        return self.as_prepared(self._look_up(self.window.ids))

    def baseline(self) -> npt.NDArray[np.float32]:
        """Return the embeddings where every token but the special ones is the baseline token."""
        plain = np.array([span is not None for span in self.window.spans])
        return self._look_up(np.where(plain, self.text_model.baseline_id, self.window.ids))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores of embeddings (n, embedding, 1, tokens); gradients flow."""
        ids = np.broadcast_to(self.window.ids, (len(batch), len(self.window.ids)))
        with self._replaced(batch[:, :, 0].transpose(1, 2)):
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
        import torch

        with torch.no_grad():
            found = self.embedding(self.text_model.to_tensor(ids[np.newaxis]))[0]
        rows: npt.NDArray[np.float32] = found.float().cpu().numpy()
        return np.ascontiguousarray(rows.T[:, np.newaxis])

    def _probed(self, module: torch.nn.Module) -> torch.nn.Module | None:
        """Find the embedding that is called with the token ids."""
        import torch

        ids = self.text_model.to_tensor(self.window.ids[np.newaxis])
        called: list[torch.nn.Module] = []

        def note(layer: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if inputs and isinstance(inputs[0], torch.Tensor) and torch.equal(inputs[0], ids):
                called.append(layer)

        layers = [layer for layer in module.modules() if isinstance(layer, torch.nn.Embedding)]
        handles = [layer.register_forward_hook(note) for layer in layers]
        try:
            with torch.no_grad():
                self.text_model.forward(ids)
        finally:
            for handle in handles:
                handle.remove()
        return called[0] if called else None

    @contextmanager
    def _replaced(self, embeddings: torch.Tensor) -> Iterator[None]:
        """Let the lookup of the token ids return other embeddings (n, tokens, embedding)."""
        owner = threading.get_ident()

        def replace(layer: torch.nn.Module, inputs: Sequence[Any], output: torch.Tensor) -> torch.Tensor | None:
            # A server may run the same module in another thread.
            mine = threading.get_ident() == owner and output.shape == embeddings.shape
            return embeddings if mine else None

        handle = self.embedding.register_forward_hook(replace)
        try:
            yield
        finally:
            handle.remove()
