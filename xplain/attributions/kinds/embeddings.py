"""Texts as the embeddings of their tokens: what methods that differentiate explain, a window of tokens at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain.attributions.engine.supplies import Supplies
from xplain.attributions.kinds.views import ClassView, numbered
from xplain.errors import AttributionError
from xplain.explanation import Source
from xplain.models import Geometry, Prepared, TextClassifier, TokenWindow

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


class Embeddings(ClassView):
    """Maps the token embeddings of one window to class scores; its input is (embedding, 1, tokens).

    Parameters
    ----------
    model : TextClassifier
        What is explained.
    window : TokenWindow
        The tokens.
    number : int
        Which window of the text it is.
    """

    def __init__(self, model: TextClassifier, window: TokenWindow, number: int) -> None:
        super().__init__(model)
        self.text_model = model
        self.window = window
        self.number = number

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

    @property
    def layer(self) -> str | None:
        """The name of the layer that looks up the token ids, whose places are the tokens."""
        module = self.text_model.module
        parts = [] if module is None else module.named_modules()
        return next((name for name, part in parts if part is self.embedding), None)

    def with_module(self, module: torch.nn.Module) -> Self:
        """Return a view around another module, which looks ids up in the part of the same name if it has one."""
        twin = super().with_module(module)
        part = dict(module.named_modules()).get(self.layer or "")
        if part is not None:
            twin.embedding = part
        return twin

    def prepared_input(self) -> Prepared:
        """Return the input that holds the embeddings of the tokens."""
        ids = self.window.ids
        identity = numbered(self.number, ids)
        return Prepared(Source("text"), self._look_up(ids), Geometry.identity(1, len(ids)), identity)

    @property
    def supplies(self) -> Supplies:
        """All that methods may ask for; what they switch off in parts is `presence`."""
        return Supplies("texts", self.baseline, self.baselines)

    def baseline(self, prepared: Prepared) -> list[npt.NDArray[np.float32]]:
        """Return the embeddings of the same text with the baseline token instead of every token but the special ones.

        The baseline token is the tokenizer's mask, else its padding or unknown token; see `TextClassifier`.
        """
        ordinary = np.array([span is not None for span in self.window.spans])
        return [self._look_up(np.where(ordinary, self.text_model.baseline_id, self.window.ids))]

    def baselines(self, prepared: Prepared) -> list[npt.NDArray[np.float32]]:
        """Return the only baseline."""
        return self.baseline(prepared)

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

        # Before hooks of others, which see the layer as if it had looked these embeddings up.
        handle = self.embedding.register_forward_hook(hook, prepend=True)
        try:
            yield
        finally:
            handle.remove()
