"""Many inputs explained as one job, finished or not, and what vendors say besides results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation.core import Explanation

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
    attributes : mapping, optional
        What a vendor's document said beyond that: JSON values under the name of its format.
    """

    name: str
    status: str
    explanation: Explanation | None = field(default=None, kw_only=True)
    error: str | None = field(default=None, kw_only=True)
    engine: str | None = field(default=None, kw_only=True)
    started: str | None = field(default=None, kw_only=True)
    updated: str | None = field(default=None, kw_only=True)
    ended: str | None = field(default=None, kw_only=True)
    attributes: dict[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

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
        object.__setattr__(self, "attributes", _check.mapping("Item.attributes", self.attributes))


@dataclass(frozen=True, slots=True)
class Results:
    """The items of a job, in the order of its inputs; those of which nothing is known yet may be left out.

    Parameters
    ----------
    job : str
        Name of the job.
    items : sequence of Item
        With unique names.
    total : int, optional
        Number of inputs, at least that of the items; as many if left out.
    finished : bool, optional
        Whether nothing more will come. Left out: whether every input is successful or failed.
    error : str, optional
        Why the job as a whole failed.
    submitted, started, updated, ended : str, optional
        ISO 8601 times.
    attributes : mapping, optional
        What a vendor's document said beyond that: JSON values under the name of its format.
    """

    job: str
    items: tuple[Item, ...]
    total: int = field(default=None, kw_only=True)  # type: ignore[assignment]
    finished: bool = field(default=None, kw_only=True)  # type: ignore[assignment]
    error: str | None = field(default=None, kw_only=True)
    submitted: str | None = field(default=None, kw_only=True)
    started: str | None = field(default=None, kw_only=True)
    updated: str | None = field(default=None, kw_only=True)
    ended: str | None = field(default=None, kw_only=True)
    attributes: dict[str, Any] = field(default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        _check.string("Results.job", self.job)
        items = _check.tuple_of("Results.items", self.items, Item)
        object.__setattr__(self, "items", items)
        seen: set[str] = set()
        for item in items:
            if item.name in seen:
                raise InputError(f"Results.items must have unique names, got {item.name!r} twice")
            seen.add(item.name)
        total = len(items) if self.total is None else _check.integer("Results.total", self.total, least=len(items))
        object.__setattr__(self, "total", total)
        done = self.completed + self.failed == total
        finished = done if self.finished is None else _check.boolean("Results.finished", self.finished)
        object.__setattr__(self, "finished", finished)
        for name in ("error", "submitted", "started", "updated", "ended"):
            if getattr(self, name) is not None:
                _check.string(f"Results.{name}", getattr(self, name))
        object.__setattr__(self, "attributes", _check.mapping("Results.attributes", self.attributes))

    def item(self, name: str) -> Item:
        """Return the item of an input by its name.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        found = next((item for item in self.items if item.name == name), None)
        if found is None:
            raise UnknownNameError("item", name, [item.name for item in self.items])
        return found

    @property
    def completed(self) -> int:
        """Number of successful items."""
        return sum(item.status == "successful" for item in self.items)

    @property
    def failed(self) -> int:
        """Number of failed items."""
        return sum(item.status == "failed" for item in self.items)


@dataclass(frozen=True, slots=True)
class Record:
    """A vendor's object that holds no results: a request, a specification, statistics of a model.

    Parameters
    ----------
    format : str
        Name of the format that it is written in.
    kind : str
        What it is, in the words of that format.
    fields : mapping
        Its content as JSON values.
    """

    format: str
    kind: str
    fields: dict[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        _check.string("Record.format", self.format)
        _check.string("Record.kind", self.kind)
        object.__setattr__(self, "fields", _check.mapping("Record.fields", self.fields))
