"""Texts as the embeddings of their tokens: what methods that differentiate explain, a window of tokens at a time."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from xplain.attributions.engine import guard
from xplain.attributions.engine.supplies import Supplies
from xplain.attributions.kinds import lookups
from xplain.attributions.kinds.lookups import Lookup
from xplain.attributions.kinds.views import ClassView, numbered
from xplain.errors import AttributionError
from xplain.explanation import Source
from xplain.models import Geometry, Prepared, TextClassifier, TokenWindow
from xplain.models.borrowing import evaluation

if TYPE_CHECKING:
    import torch


Scores = npt.NDArray[np.float64]


class Embeddings(ClassView):
    """Maps the token embeddings of one window to class scores; its input is (embedding, 1, tokens).

    The embedding of a token is that of each layer that looks it up, one after the other.

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
    def lookups(self) -> tuple[Lookup, ...]:
        """The layers that look up the token ids; found once for each model, its weights and where tokens stand."""
        if self.text_model.module is None:
            raise AttributionError("model must be a torch module for gradients, got a black box")
        key = ("lookups", *self._key)
        if key not in self.verdicts:
            self.verdicts[key] = lookups.find(self.text_model, self.window)
        found: tuple[Lookup, ...] = self.verdicts[key]
        return found

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        ordinary = bytes(span is not None for span in self.window.spans)
        return self.fingerprint(), ordinary, self.text_model.baseline_id

    @property
    def layer(self) -> str | None:
        """The name of the layer that looks up the token ids, the first of several, whose places are the tokens."""
        return self.lookups[0].name if self.text_model.module is not None else None

    def with_module(self, module: torch.nn.Module) -> Self:
        """Return a view around another module, which looks ids up in the parts of the same names."""
        found = self.lookups
        twin = super().with_module(module)
        twin.lookups = found
        return twin

    def verify(self) -> None:
        """Raise AttributionError unless the model reads its token ids through embeddings alone.

        Embeddings in the place of those that it looked up must give the scores of the ids: at the input and at the
        baseline. Costs 4 evaluations once for each model, its weights and where tokens stand.
        """
        key = ("verified", *self._key)
        if key not in self.verdicts:
            self.verdicts[key] = self._refusal()
        if self.verdicts[key]:
            raise AttributionError(self.verdicts[key])

    def _refusal(self) -> str:
        prepared = self.prepared_input()
        (baseline,) = self.baseline(prepared)
        expected = self.text_model.token_scores(
            [self.window.ids, lookups.baseline_ids(self.text_model, self.window)], batch_size=1
        )
        with evaluation(self.text_model.module, gradients=False):
            actual = np.concatenate([self.scores(array[np.newaxis]) for array in (prepared.array, baseline)])
        for place, ids, replaced in zip(("input", "baseline"), expected, actual, strict=True):
            if not guard.same(self, ids, replaced):
                worst = int(np.abs(ids - replaced).argmax())
                return (
                    f"model must read its token ids through embeddings alone, got a score of {replaced[worst]:.4g} at "
                    f"the {place} where embeddings are replaced and {ids[worst]:.4g} for the ids themselves (it may "
                    "make a mask or positions of them); name a baseline token that it does not treat as padding by "
                    "TextClassifier(baseline_id=...), or use a method that needs scores only, such as shapley"
                )
        return ""

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
        return [self._look_up(lookups.baseline_ids(self.text_model, self.window))]

    def baselines(self, prepared: Prepared) -> list[npt.NDArray[np.float32]]:
        """Return the only baseline."""
        return self.baseline(prepared)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the class scores of embeddings (n, embedding, 1, tokens); gradients flow."""
        import torch

        # The module is given the token ids, as always: only the result of the lookup is replaced.
        ids = np.broadcast_to(self.window.ids, (len(batch), len(self.window.ids)))
        module = self.text_model.module
        assert module is not None
        embeddings = torch.split(batch[:, :, 0].transpose(1, 2), [lookup.channels for lookup in self.lookups], dim=2)
        with lookups.replaced(module, self.lookups, embeddings):
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
        """Return the embeddings (embedding, 1, tokens) of token ids: those of all lookups, one after the other."""
        import torch

        module = self.text_model.module
        assert module is not None
        tensor = self.text_model.to_tensor(ids[np.newaxis])
        with torch.no_grad():
            of_lookups = [module.get_submodule(lookup.name)(tensor)[0] for lookup in self.lookups]
        rows = torch.cat(of_lookups, dim=1).float().cpu().numpy()
        return np.ascontiguousarray(rows.T[:, np.newaxis])
