"""Places in a document, and the problems found there.

A place (`At`) links to its parent, so that reading a large document builds no paths: a path is put together only when
a problem is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from xplain.errors import DocumentError, InputError

T = TypeVar("T")

#: The value of a place that is absent from the document.
MISSING = object()

# Messages quote a value only if it is short.
_MAX_QUOTED = 60
_QUOTED_START = 40
_MAX_QUOTED_BITS = 128


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    Parameters
    ----------
    path : str
        Where it is wrong, as a ``$`` path (``$.attributions[0].evidence``).
    message : str
        What is wrong: "must be ..., got ...".
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Rejected(Exception):
    """Raised by a reader with all problems that it found; `wire.read` turns it into a DocumentError."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


class At:
    """A place in a document: its value, its key, and the place that contains it.

    Examples
    --------
    >>> at = At({"predictions": [{"score": "high"}]})["predictions"][0]["score"]
    >>> at.value, at.path
    ('high', '$.predictions[0].score')
    """

    __slots__ = ("key", "parent", "value")

    def __init__(self, value: Any, parent: At | None = None, key: str | int = "$") -> None:
        self.value = value
        self.parent = parent
        self.key = key

    @property
    def path(self) -> str:
        """The ``$`` path, built anew at each call."""
        steps: list[str] = []
        at: At | None = self
        while at is not None:
            is_root = at.parent is None and isinstance(at.key, str)
            steps.append(str(at.key) if is_root else _step(at.key))
            at = at.parent
        return "".join(reversed(steps))

    def __getitem__(self, key: str | int) -> At:
        """Return the place one step down; its value is `MISSING` if there is no such key or index."""
        try:
            value = self.value[key]
        except (KeyError, IndexError, TypeError):
            value = MISSING
        return At(value, self, key)

    def problem(self, expected: str, remedy: str = "") -> Problem:
        """Return the problem that the value here is not what was expected."""
        message = f"must be {expected}, got {_describe(self.value)}" + (f"; {remedy}" if remedy else "")
        return Problem(self.path, message)

    def rejected(self, expected: str, remedy: str = "") -> Rejected:
        """Return the exception that rejects the value here."""
        return Rejected([self.problem(expected, remedy)])

    def build(self, make: Callable[..., T], /, *args: Any, **values: Any) -> T:
        """Call a constructor and report its errors as problems at this place.

        The path of a DocumentError is relative to this place. An InputError that names an argument
        ("Box.x0 must be ...") is reported at the key of that name.
        """
        try:
            return make(*args, **values)
        except DocumentError as error:
            raise Rejected([Problem(self.path + error.path.removeprefix("$"), error.message)]) from error
        except InputError as error:
            match = re.fullmatch(r"[A-Z]\w*\.([\w.\[\]]+) (must .*)", str(error), re.DOTALL)
            tail, message = (f".{match[1]}", match[2]) if match else ("", str(error))
            raise Rejected([Problem(self.path + tail, message)]) from error


def _step(key: str | int) -> str:
    """Return one step of a ``$`` path: ``.name``, ``['any text']`` or ``[0]``."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() and key.isascii() else f"[{key!r}]"


def _describe(value: Any) -> str:
    """Describe a value briefly, however deep or long it is."""
    if value is MISSING:
        return "nothing"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > _MAX_QUOTED_BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        if len(value) <= _MAX_QUOTED:
            return repr(value)
        return f"a string of {len(value)} characters ({value[:_QUOTED_START]!r}...)"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
