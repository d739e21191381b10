"""What a kind of input supplies to methods: baselines, players, places to cover; each with options of the kind's own.

A method is a function of a `Run` and keyword options. Options with a default are the method's own. An option without
one is supplied by the kind: ``baseline`` is an input that stands for "nothing there", ``background`` and ``baselines``
are several, ``players`` are `Players`, ``cover`` is a `Cover`. So one function serves every kind, while a caller sees
the options of the kind instead, at the same place: images have ``segments`` and ``n_segments`` where texts have
``unit``.

A caller may give a set of inputs as ``baseline``: a method that takes one is run for each, and the mean of the maps is
the map; a method that takes a ``background`` sees all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate

import numpy as np
import numpy.typing as npt

from xplain.attributions.engine.quality import Quality
from xplain.errors import AttributionError
from xplain.models import Prepared

if TYPE_CHECKING:
    from xplain.attributions.engine.run import Run


Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Options = dict[str, Any]
Function = Callable[..., Float64]


@dataclass(frozen=True, slots=True, eq=False)
class Players:
    """Parts of one input that are switched on and off as a whole.

    Parameters
    ----------
    labels : numpy.ndarray
        int64 (h, w): the player that each place of the input belongs to, 0..count-1.
    is_shared : bool
        Whether a player's value is shared out evenly among its places, as among the words of a sentence; else it
        stands at each of them, as on the pixels of a region.
    noun : str
        What messages call several players.
    remedy : str
        How a caller gets fewer of them.
    note : str
        What a reader of the map has to know of them; empty if nothing.
    """

    labels: Int
    is_shared: bool = False
    noun: str = "regions"
    remedy: str = "lower n_segments"
    note: str = ""

    @property
    def count(self) -> int:
        """How many players there are."""
        return int(self.labels.max()) + 1

    def spread(self, values: Float64) -> Float64:
        """Give each place the value of its player: (players, T) -> (T, h, w)."""
        return values.T[:, self.labels]

    def paint(self, values: Float64) -> Float64:
        """Draw the map of the players' values, shared out where they are: (players, T) -> (T, h, w)."""
        return self.share(self.spread(values))

    def share(self, maps: Float64) -> Float64:
        """Share the values of players that stand at each of their places (T, h, w) out among these, if they are."""
        return maps / np.bincount(self.labels.reshape(-1))[self.labels] if self.is_shared else maps


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """Positions of a patch that covers a part of one input: each is a range of rows times a range of columns.

    Parameters
    ----------
    rows : numpy.ndarray
        float64 (R, h): 1 where a range of rows lies, 0 elsewhere.
    columns : numpy.ndarray
        float64 (C, w): the same of ranges of columns. Position r * C + c is range r of rows and c of columns.
    sizes : float or numpy.ndarray
        What the value of a place is divided by, or (h, w) or (w,) of it: 1 where each place is to show the whole loss.
    players : int or None
        How many players the ranges are made of, if of whole ones.
    """

    rows: Float64
    columns: Float64
    sizes: float | npt.NDArray[np.intp] | Float64 = 1.0
    players: int | None = None

    @property
    def positions(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each position."""
        columns = [_extent(column) for column in self.columns]
        return [(_extent(row), column) for row in self.rows for column in columns]

    @property
    def is_partition(self) -> bool:
        """Whether each place is covered by exactly one position."""
        return bool((np.outer(self.rows.sum(axis=0), self.columns.sum(axis=0)) == 1).all())

    def average(self, losses: Float64) -> Float64:
        """Give each place the mean of the values whose positions cover it: (positions, T) -> (T, h, w)."""
        # Positions are products, and so are sums over the positions that cover a place.
        grid = losses.T.reshape(-1, len(self.rows), len(self.columns))
        total: Float64 = self.rows.T @ grid @ self.columns
        mean: Float64 = total / np.outer(self.rows.sum(axis=0), self.columns.sum(axis=0)) / self.sizes
        return mean


def _extent(is_inside: Float64) -> slice:
    inside = np.flatnonzero(is_inside)
    return slice(int(inside[0]), int(inside[-1]) + 1)


@dataclass(frozen=True, slots=True)
class Supplies:
    """What a kind of input supplies: functions of a `Prepared` input and of keyword options, which are the kind's own.

    Parameters
    ----------
    kind : str
        One of the kinds of `xplain.attributions.table.KINDS`.
    baseline : callable
        Returns the inputs that stand for "nothing there": one, or those of a set over which the explanation is a mean.
    baselines : callable
        Returns several of those, each as likely, of which a method draws.
    players, cover : callable or None
        Return `Players` and a `Cover`; None if the input is not made to be switched off in parts.
    """

    kind: str
    baseline: Callable[Concatenate[Prepared, ...], Sequence[Array]]
    baselines: Callable[Concatenate[Prepared, ...], Sequence[Array]]
    players: Callable[Concatenate[Prepared, ...], Players] | None = None
    cover: Callable[Concatenate[Prepared, ...], Cover] | None = None

    def named(self, name: str) -> Callable[Concatenate[Prepared, ...], Any]:
        """Return the function that supplies an option of a method."""
        functions = {
            "baseline": self.baseline,
            "background": self.baseline,
            "baselines": self.baselines,
            "players": self.players,
            "cover": self.cover,
        }
        function = functions.get(name)
        if function is None:
            supplied = [key for key, value in functions.items() if value is not None]
            raise AttributionError(
                f"method must have a default for each option but {', '.join(supplied)}, which {self.kind} supply to "
                f"it, got {name!r} without one"
            )
        return function


def default_options(function: Function, supplies: Supplies) -> Options:
    """Return all options that a caller can set of a method on a kind of input, with their defaults, in their order."""
    defaults: Options = {}
    for name, default in _options(function).items():
        if default is inspect.Parameter.empty:
            defaults |= _options(supplies.named(name))
        else:
            defaults[name] = default
    return defaults


def compute(function: Function, run: Run, supplies: Supplies, options: Mapping[str, Any]) -> Float64:
    """Call a method on one input with all `default_options`, or with other values of them."""
    arguments: Options = {}
    for name, default in _options(function).items():
        if default is inspect.Parameter.empty:
            supply = supplies.named(name)
            supplied = supply(run.prepared, **{option: options[option] for option in _options(supply)})
            if isinstance(supplied, Players) and supplied.note:
                run.quality.say(supplied.note)
            arguments[name] = supplied
        else:
            arguments[name] = options[name]
    if "baseline" not in arguments:
        return np.asarray(function(run, **arguments))
    return _mean_over(arguments.pop("baseline"), run, lambda baseline: function(run, **arguments, baseline=baseline))


def _mean_over(baselines: Sequence[Array], run: Run, compute_one: Callable[[Array], Float64]) -> Float64:
    """Return the mean of the maps for each baseline, and combine what was noted of them."""
    if len(baselines) == 1:
        return np.asarray(compute_one(baselines[0]))
    known = run.quality
    total: Float64 | float = 0.0
    parts: list[Quality] = []
    for baseline in baselines:
        before, run.quality = run.evaluations, Quality()
        total = total + np.asarray(compute_one(baseline), dtype=np.float64)
        parts.append(run.quality)
        if len(parts) == 2:  # the first brings passes along that the others share
            run.announce((len(baselines) - 2) * (run.evaluations - before))
    run.quality = known.with_mean(parts)
    return np.asarray(total / len(baselines))


def _options(function: Callable[..., Any]) -> Options:
    """Return the keyword-only parameters of a function with their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
