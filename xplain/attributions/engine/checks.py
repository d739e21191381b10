"""What is seen while maps are computed, and the sentences about a map that follow from it.

A map of zeros is an answer: nothing in the input counted. Why is said only as far as it was checked. The same holds for
a model that computes in half precision. The sentences are kept with each attribution as ``quality["notes"]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xplain.explanation.notes import ALL_ZERO

if TYPE_CHECKING:
    import torch


Float64 = npt.NDArray[np.float64]

#: Types of so few digits that maps are off: gradients of small networks by up to 12 %, beside those in float32.
_HALF = ("bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Precision:
    """The numbers that a module computes with.

    Parameters
    ----------
    name : str
        Their type, such as ``"bfloat16"``.
    step : float
        From 1 to the next larger number.
    """

    name: str
    step: float

    @classmethod
    def of(cls, dtype: torch.dtype | None) -> Precision | None:
        """Return that of a torch type; None where it is unknown."""
        if dtype is None:
            return None
        import torch

        return cls(str(dtype).removeprefix("torch."), torch.finfo(dtype).eps)


@dataclass(frozen=True, slots=True)
class Checks:
    """What was checked about the map of one target.

    Parameters
    ----------
    variants : int
        How many variants of the input were scored without gradients.
    change : float
        The largest change of the score among them.
    is_rounding : bool
        Whether the module cannot tell such a change from none: it is within a step of its numbers at the score.
    is_baseline : bool
        Whether there is one baseline at least, and each is the input itself.
    flat : bool
        Whether gradients were taken, and all were exactly 0.
    saturated : bool
        Whether the score is a probability of 0 or 1, up to rounding.
    reasons : tuple of str
        What the method itself found.
    precision : Precision or None
        Of the module; None for a black box.
    differentiated : bool
        Whether the method looks inside of the module, beyond its scores.
    """

    variants: int
    change: float
    is_rounding: bool
    is_baseline: bool
    flat: bool
    saturated: bool
    reasons: tuple[str, ...]
    precision: Precision | None
    differentiated: bool

    @classmethod
    def combined(cls, parts: Sequence[Checks]) -> Checks:
        """Combine what was checked in the windows of one input: a reason holds where it holds in each of them."""
        return cls(
            variants=sum(part.variants for part in parts),
            change=max(part.change for part in parts),
            is_rounding=all(part.is_rounding for part in parts),
            is_baseline=all(part.is_baseline for part in parts),
            flat=all(part.flat for part in parts),
            saturated=all(part.saturated for part in parts),
            reasons=tuple(reason for reason in parts[0].reasons if all(reason in part.reasons for part in parts)),
            precision=parts[0].precision,
            differentiated=parts[0].differentiated,
        )

    @property
    def unchanged(self) -> bool:
        """Whether all that the method asked for were scores of variants, and none differed from that of the input."""
        return not self.differentiated and self.variants > 0 and not self.change

    def notes(self, values: npt.NDArray[Any], quality: Mapping[str, Any]) -> list[str]:
        """Return sentences about a map.

        Parameters
        ----------
        values : numpy.ndarray
            The evidence as it is kept.
        quality : mapping
            Other notes about it; ``score`` and ``baseline_score`` are compared if they are there.
        """
        about_zeros = [] if np.any(values) else [ALL_ZERO, *self._causes(quality)]
        return about_zeros + self._about_rounding()

    def _causes(self, quality: Mapping[str, Any]) -> list[str]:
        """Why a map is zeros, as far as that was checked."""
        causes = list(self.reasons)
        if self.is_baseline:
            causes.append("the input equals its baseline: another baseline may show more")
        elif "baseline_score" in quality and quality["score"] == quality["baseline_score"]:
            causes.append("the score is that of the baseline")
        if self.flat:
            causes.append(
                "the gradient vanishes, and the probability is saturated: explain logits instead"
                if self.saturated
                else "the gradient vanishes: it is 0 everywhere"
            )
        if self.unchanged:
            causes.append(
                f"the score did not change in any of {self.variants:,} variants of the input"
                if self.variants > 1
                else "the score did not change in the only variant of the input"
            )
        return causes

    def _about_rounding(self) -> list[str]:
        """How far a map is off, or what it misses, since the module computes with few digits."""
        if self.precision is None:
            return []
        name, step = self.precision.name, self.precision.step
        if self.differentiated:
            off = f"computed in {name}: values may be off by several per cent, float32 is more exact"
            return [off] if name in _HALF else []
        if not self.variants or not self.is_rounding:
            return []
        if self.change:
            return [f"no change of the score is larger than the rounding of {name}: values may be rounding alone"]
        lost = f"changes below about {100 * step:.1g} % of the score are lost in {name}: float32 would show them"
        return [lost] if name in _HALF else []


class Watch:
    """Notes what is seen of one input for its T targets: scores of variants, gradients, reasons that a method knows."""

    def __init__(self) -> None:
        self._variants = 0
        self._change: Float64 | None = None
        self._steep: npt.NDArray[np.bool_] | None = None
        self._baselines: list[bool] = []
        self._reasons: list[tuple[npt.NDArray[np.bool_], str]] = []

    def scores(self, original: Float64, scores: Float64) -> None:
        """Note scores (n, T) of variants, beside those (T,) of the input."""
        change = np.abs(scores - original).max(axis=0, initial=0.0)
        self._variants += len(scores)
        self._change = change if self._change is None else np.maximum(self._change, change)

    def gradients(self, gradients: torch.Tensor) -> None:
        """Note gradients (T, ...), at the input, a variant of it or a layer."""
        if self._steep is None or not self._steep.all():
            steep = (gradients != 0).flatten(1).any(dim=1).cpu().numpy()
            self._steep = steep if self._steep is None else self._steep | steep

    def baseline(self, *, is_input: bool) -> None:
        """Note a baseline, and whether it is the input itself."""
        self._baselines.append(is_input)

    def reason(self, holds: npt.ArrayLike, sentence: str) -> None:
        """Note why the map of each target is zeros where ``holds``, bool (T,)."""
        self._reasons.append((np.asarray(holds, bool), sentence))

    def by_target(
        self, scores: Float64, *, probability: bool, dtype: torch.dtype | None, differentiated: bool
    ) -> list[Checks]:
        """Return what was checked about the map of each target.

        Parameters
        ----------
        scores : numpy.ndarray
            (T,), those of the input.
        probability : bool
            Whether they are probabilities.
        dtype : torch.dtype or None
            What the module computes with.
        differentiated : bool
            Whether the method looks inside of the module, beyond its scores.
        """
        precision = Precision.of(dtype)
        step = 0.0 if precision is None else precision.step
        changes = np.zeros(len(scores)) if self._change is None else self._change
        return [
            Checks(
                variants=self._variants,
                change=float(change),
                is_rounding=bool(score) and bool(change <= step * abs(score)),
                is_baseline=bool(self._baselines) and all(self._baselines),
                flat=self._steep is not None and not self._steep[t],
                saturated=probability and bool(min(abs(score), abs(score - 1)) <= step),
                reasons=tuple(sentence for holds, sentence in self._reasons if holds[t]),
                precision=precision,
                differentiated=differentiated,
            )
            for t, (score, change) in enumerate(zip(scores, changes, strict=True))
        ]
