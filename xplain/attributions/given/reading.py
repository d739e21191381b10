"""What the verbs ask of each kind of input, and how a caller says which of an array's axes is which."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xplain import _check
from xplain.attributions.call import Described
from xplain.attributions.given.numbers import Float64
from xplain.errors import InputError
from xplain.explanation import Explanation, Prediction, Provenance

_LAYOUTS = ("channels-first", "channels-last")
_FRAMES = ("input", "photo")
_REDUCTIONS = ("sum", "max-abs")


@dataclass(frozen=True, slots=True)
class Reading:
    """How numbers are to be read.

    Parameters
    ----------
    name : str
        What the caller calls them.
    channels : {"sum", "max-abs"}
        How the channels of a place, or the numbers of a token's embedding, become one number.
    layout : {"channels-first", "channels-last"}, optional
        Where the axis of channels is; recognised if left out.
    frame : {"input", "photo"}, optional
        What a map lies on; recognised if left out.
    tokens : sequence of str, optional
        The pieces of the text that the numbers belong to.
    tokens_name : str
        What the caller calls these.
    of_input : bool
        Whether numbers that may be read in two ways are those of what the network is given: of captum they always are.
    """

    name: str
    channels: str = "sum"
    layout: str | None = None
    frame: str | None = None
    tokens: Sequence[str] | None = None
    tokens_name: str = "tokens"
    of_input: bool = False

    def __post_init__(self) -> None:
        _check.choice("channels", self.channels, _REDUCTIONS)
        if self.layout is not None:
            _check.choice("layout", self.layout, _LAYOUTS)
        if self.frame is not None:
            _check.choice("frame", self.frame, _FRAMES)
        if self.tokens is not None:
            _check.tuple_of(self.tokens_name, self.tokens, str)

    def reduced(self, values: Float64, axis: int) -> Float64:
        """Return values without one axis: their sum along it, or their largest magnitude."""
        result: Float64 = values.sum(axis=axis) if self.channels == "sum" else np.abs(values).max(axis=axis)
        return result

    def refuse(self, kind: str, *names: Literal["layout", "frame", "tokens"]) -> None:
        """Raise InputError if an option is given that says nothing about a kind of input."""
        for name in names:
            value = getattr(self, name)
            if value is not None:
                raise _check.wrong(self.tokens_name if name == "tokens" else name, f"left out for {kind}", value)

    def wrong_shape(self, expected: str, values: Float64, remedy: str = "") -> InputError:
        """Build the error for numbers of a shape that cannot be read."""
        return InputError(
            f"{self.name} must be {expected}, got shape {values.shape}" + (f"; {remedy}" if remedy else "")
        )


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The numbers of one target at their places.

    Parameters
    ----------
    values : numpy.ndarray
        float64: (height, width) of the photo, (words,) of the text, (axes, time) of the recording.
    notes : tuple of str
        Sentences on what became of them.
    """

    values: Float64
    notes: tuple[str, ...] = ()


class Asked(ABC):
    """A model, one input, and the T targets that numbers are given for.

    Attributes
    ----------
    model : Described
        What predicts.
    targets : tuple of Prediction
        The T predictions.
    classes : tuple of int or None
        Their class numbers; None where targets are no classes but places.
    class_count : int or None
        How many classes the model has; None likewise.
    evaluations : int
        How often the input went through the model for that.
    """

    model: Described
    targets: tuple[Prediction, ...]
    classes: tuple[int, ...] | None = None
    class_count: int | None = None
    evaluations: int = 1

    @abstractmethod
    def scores(self) -> Float64:
        """Return the model's own output for the T targets, (T,)."""

    @abstractmethod
    def place(self, values: Float64, reading: Reading) -> Placed:
        """Bring the numbers of one target to their places, or raise InputError."""

    @abstractmethod
    def explanation(
        self, maps: Sequence[Float64], quality: list[dict[str, Any]], provenance: Provenance
    ) -> Explanation:
        """Make an explanation of the placed numbers of all targets."""
