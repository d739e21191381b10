"""Many inputs explained as one job, finished or not."""

from __future__ import annotations

from dataclasses import dataclass, field

from xplain.errors import InputError
from xplain.explanation import _check
from xplain.explanation.core import Explanation

__all__ = ["STATUSES", "Item", "Results"]

STATUSES = ("waiting", "running", "successful", "failed")


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a job.

    Parameters
    ----------
    name : str
        The input's name, unique in the job; never a path to open.
    status : {"waiting", "running", "successful", "failed"}
        How far it is.
    explanation : Explanation, optional
        Of a successful item.
    error : str, optional
        Of a failed item.
    engine : str, optional
        What processed it.
    started, updated, ended : str, optional
        ISO 8601 times.
    """

    name: str
    status: str
    explanation: Explanation | None = field(default=None, kw_only=True)
    error: str | None = field(default=None, kw_only=True)
    engine: str | None = field(default=None, kw_only=True)
    started: str | None = field(default=None, kw_only=True)
    updated: str | None = field(default=None, kw_only=True)
    ended: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check.string("Item.name", self.name)
        _check.choice("Item.status", self.status, STATUSES)
        for name in ("error", "engine", "started", "updated", "ended"):
            if getattr(self, name) is not None:
                _check.string(f"Item.{name}", getattr(self, name))
        if self.explanation is not None and not isinstance(self.explanation, Explanation):
            raise _check.wrong("Item.explanation", "an Explanation or None", self.explanation)
        if (self.error is not None) != (self.status == "failed"):
            raise InputError(f"Item.error must be given for a failed item only, got {self.error!r} and {self.status!r}")


@dataclass(frozen=True, slots=True)
class Results:
    """The items of a job, in the order of its inputs.

    Parameters
    ----------
    job : str
        Name of the job.
    items : sequence of Item
        One for each input, with unique names.
    """

    job: str
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        _check.string("Results.job", self.job)
        items = _check.tuple_of("Results.items", self.items, Item)
        object.__setattr__(self, "items", items)
        seen: set[str] = set()
        for item in items:
            if item.name in seen:
                raise InputError(f"Results.items must have unique names, got {item.name!r} twice")
            seen.add(item.name)

    @property
    def total(self) -> int:
        """Number of inputs."""
        return len(self.items)

    @property
    def completed(self) -> int:
        """Number of successful items."""
        return sum(item.status == "successful" for item in self.items)

    @property
    def failed(self) -> int:
        """Number of failed items."""
        return sum(item.status == "failed" for item in self.items)

    @property
    def finished(self) -> bool:
        """Whether every item is successful or failed."""
        return self.completed + self.failed == self.total
