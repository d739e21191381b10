"""Results of a job over many inputs, finished or not; and records, the objects of vendors that hold no results.

A job that is still running is a value too, with the items known so far, so that documents of any moment can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xplain import _check
from xplain.errors import InputError, UnknownNameError
from xplain.explanation.core import Explanation

STATUSES = ("waiting", "running", "successful", "failed")


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a job, with its explanation once it is processed.

    Parameters
    ----------
    name : str
        Name of the input, unique in the job; it is never opened as a path.
    status : {"waiting", "running", "successful", "failed"}
        Progress of the item.
    explanation : Explanation, optional
        The explanation of a successful item.
    error : str, optional
        The error of a failed item, and of no other.
    engine : str, optional
        Name of the processing engine.
    started, updated, ended : str, optional
        ISO 8601 times.
    attributes : mapping, optional
        Vendor extras: other fields of a document as JSON values, under the name of its format.
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
    """The items of a job, in the order of its inputs; items of which nothing is known yet may be missing.

    Parameters
    ----------
    job : str
        Name of the job.
    items : sequence of Item
        Items with unique names.
    total : int, optional
        Number of inputs, at least the number of items, which is the default.
    finished : bool, optional
        Whether nothing more will come. By default, whether every input is successful or failed.
    error : str, optional
        Why the job as a whole failed.
    submitted, started, updated, ended : str, optional
        ISO 8601 times.
    attributes : mapping, optional
        Vendor extras: other fields of a document as JSON values, under the name of its format.
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
        names: set[str] = set()
        for item in items:
            if item.name in names:
                raise InputError(f"Results.items must have unique names, got {item.name!r} twice")
            names.add(item.name)
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
        """Return an item by its name.

        Raises
        ------
        UnknownNameError
            If no item has this name.
        """
        for item in self.items:
            if item.name == name:
                return item
        raise UnknownNameError("item", name, [item.name for item in self.items])

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
        Name of its format.
    kind : str
        Kind of object, in the terms of that format.
    fields : mapping
        The whole object as JSON values.
    """

    format: str
    kind: str
    fields: dict[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        _check.string("Record.format", self.format)
        _check.string("Record.kind", self.kind)
        object.__setattr__(self, "fields", _check.mapping("Record.fields", self.fields))
