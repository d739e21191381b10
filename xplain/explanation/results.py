"""Results of a job over many inputs, finished or not; and records, the objects of vendors that hold no results.

A job that is still running is a value too, with the items known so far, so that documents of any moment can be read.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError, UnknownNameError
from xplain.explanation.core import Explanation

STATUSES = ("waiting", "running", "successful", "failed")


@value
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

    name: str = checked(_check.string)
    status: str = checked(_check.choice, allowed=STATUSES)
    explanation: Explanation | None = checked(
        _check.instance, kind=Explanation, expected="an Explanation or None", default=None, kw_only=True
    )
    error: str | None = checked(_check.string, default=None, kw_only=True)
    engine: str | None = checked(_check.string, default=None, kw_only=True)
    started: str | None = checked(_check.string, default=None, kw_only=True)
    updated: str | None = checked(_check.string, default=None, kw_only=True)
    ended: str | None = checked(_check.string, default=None, kw_only=True)
    attributes: dict[str, Any] = checked(_check.mapping, default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        if (self.error is not None) != (self.status == "failed"):
            raise InputError(f"Item.error must be given for a failed item only, got {self.error!r} and {self.status!r}")


@value
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

    job: str = checked(_check.string)
    items: tuple[Item, ...] = checked(_check.tuple_of, kind=Item)
    total: int = field(default=None, kw_only=True)  # type: ignore[assignment]
    finished: bool = checked(_check.boolean, default=None, kw_only=True)
    error: str | None = checked(_check.string, default=None, kw_only=True)
    submitted: str | None = checked(_check.string, default=None, kw_only=True)
    started: str | None = checked(_check.string, default=None, kw_only=True)
    updated: str | None = checked(_check.string, default=None, kw_only=True)
    ended: str | None = checked(_check.string, default=None, kw_only=True)
    attributes: dict[str, Any] = checked(_check.mapping, default_factory=dict, kw_only=True, hash=False)

    def __post_init__(self) -> None:
        names: set[str] = set()
        for item in self.items:
            if item.name in names:
                raise InputError(f"Results.items must have unique names, got {item.name!r} twice")
            names.add(item.name)
        count = len(self.items)
        put(self, "total", count if self.total is None else _check.integer("Results.total", self.total, least=count))
        if self.finished is None:
            put(self, "finished", self.completed + self.failed == self.total)

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


@value
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

    format: str = checked(_check.string)
    kind: str = checked(_check.string)
    fields: dict[str, Any] = checked(_check.mapping, hash=False)
