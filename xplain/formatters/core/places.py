"""Places in a document and what is wrong there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from xplain.errors import DocumentError, InputError

T = TypeVar("T")

#: The value of a place that a document does not have.
MISSING = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Parameters
    ----------
    path : str
        Where, as a ``$`` path (``$.attributions[0].evidence``).
    message : str
        What, in the grammar of all of xplain's messages.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Rejected(Exception):
    """The problems that a reader found; it never leaves this package."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


class At:
    """A place in a document: its value and how it was reached."""

    __slots__ = ("key", "parent", "value")

    def __init__(self, value: Any, parent: At | None = None, key: str | int = "$") -> None:
        self.value = value
        self.parent = parent
        self.key = key

    @property
    def path(self) -> str:
        """The ``$`` path, built only when there is something to report."""
        keys: list[str] = []
        at: At | None = self
        while at is not None:
            keys.append(at.key if at.parent is None and isinstance(at.key, str) else _step(at.key))
            at = at.parent
        return "".join(reversed(keys))

    def __getitem__(self, key: str | int) -> At:
        """Give the place one step down; what is not there is read as missing."""
        try:
            value = self.value[key]
        except (KeyError, IndexError, TypeError):
            value = MISSING
        return At(value, self, key)

    def problem(self, expected: str, remedy: str = "") -> Problem:
        """Say that the value here is not what was expected."""
        message = f"must be {expected}, got {_shown(self.value)}" + (f"; {remedy}" if remedy else "")
        return Problem(self.path, message)

    def rejected(self, expected: str, remedy: str = "") -> Rejected:
        """Give up reading, since the value here is not what was expected."""
        return Rejected([self.problem(expected, remedy)])

    def build(self, make: Callable[..., T], /, *args: Any, **values: Any) -> T:
        """Call a constructor of which an error is a problem at this place.

        A DocumentError's path counts from here; the argument that an InputError names is taken for a key of this
        object.
        """
        try:
            return make(*args, **values)
        except DocumentError as error:
            raise Rejected([Problem(self.path + error.path.removeprefix("$"), error.message)]) from error
        except InputError as error:
            named = re.fullmatch(r"[A-Z]\w*\.([\w.\[\]]+) (must .*)", str(error), re.DOTALL)
            tail, message = (f".{named[1]}", named[2]) if named else ("", str(error))
            raise Rejected([Problem(self.path + tail, message)]) from error


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() and key.isascii() else f"[{key!r}]"


def _shown(value: Any) -> str:
    """Describe any value briefly, whatever its depth or number of digits."""
    if value is MISSING:
        return "nothing"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"a string of {len(value)} characters ({value[:40]!r}...)"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
