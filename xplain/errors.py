"""Every error that xplain raises on purpose.

::

    XplainError
    ├── InputError (ValueError)          an argument or an input is wrong
    ├── DocumentError (ValueError)       a document is malformed: .format, .path (a ``$`` path)
    ├── FidelityError (ValueError)       a format cannot hold the explanation: .format, .losses
    ├── AttributionError (RuntimeError)  a method cannot give a correct attribution here
    ├── UnknownNameError (LookupError)   no such method, format, network, ...: .name, .known
    └── MissingExtraError (ImportError)  an optional dependency is not installed: .extra

Messages follow one grammar: ``<name> must be <expected>, got <actual>[; <remedy>]``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

#: Characters of what another's code says that a message of ours quotes.
_LONGEST_REASON = 120


class XplainError(Exception):
    """Base of all errors that xplain raises on purpose."""


class InputError(XplainError, ValueError):
    """An argument or an input that cannot be used."""


class DocumentError(XplainError, ValueError):
    """A document that does not follow its format.

    Parameters
    ----------
    message : str
        What is wrong, without the path.
    path : str
        Where, as a ``$`` path (``$.attributions[0].evidence``).
    format : str or None
        The format that was being read.
    """

    def __init__(self, message: str, *, path: str = "$", format: str | None = None) -> None:
        super().__init__(message, path, format)
        self.message = message
        self.path = path
        self.format = format

    def __str__(self) -> str:
        where = f"{self.format} document, " if self.format else ""
        return f"{where}{self.path}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:  # the default would pass path and format by position
        return _rebuild, (type(self), (self.message,), {"path": self.path, "format": self.format})


class FidelityError(XplainError, ValueError):
    """An explanation that a format cannot hold without loss.

    Parameters
    ----------
    format : str
        The format that was asked for.
    losses : iterable of str
        What would be lost, one sentence each.
    """

    def __init__(self, format: str, losses: Iterable[str]) -> None:
        self.format = format
        self.losses = tuple(losses)
        super().__init__(format, self.losses)

    def __str__(self) -> str:
        losses = "; ".join(self.losses)
        return f"format {self.format!r} cannot hold all of it: {losses}; pass lossy=True to accept that"


class AttributionError(XplainError, RuntimeError):
    """A method that cannot give a correct attribution for this model and input."""


class UnknownNameError(XplainError, LookupError):
    """A name that is not in a table, with the nearest name that is.

    Parameters
    ----------
    kind : str
        What was looked up (``"method"``).
    name : object
        The name that was asked for.
    known : iterable of str
        The names in the table.
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        by_folded = {name.casefold(): name for name in self.known}
        nearest = difflib.get_close_matches(str(self.name).casefold(), by_folded, n=1, cutoff=0.5)
        hint = f"; did you mean {by_folded[nearest[0]]!r}?" if nearest else ""
        names = ", ".join(self.known) if len(self.known) <= 24 else f"{len(self.known)} names"
        return f"{self.kind} must be one of {names}, got {self.name!r}{hint}"


class MissingExtraError(XplainError, ImportError):
    """A package of an optional extra that is not installed.

    Parameters
    ----------
    package : str
        The import name that failed.
    extra : str
        The extra of xplain-kit that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.package} must be installed, got no such package; run: pip install 'xplain-kit[{self.extra}]'"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, in Python's words or in torch's."""
    if isinstance(error, XplainError):  # which may quote any text
        return False
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        message in text for message in ("out of memory", "not enough memory", "can't allocate memory")
    )


def message_of(error: Exception) -> str:
    """Return what an error says, without addresses of objects in memory, which are others in each run."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(error))


def reason_of(error: Exception) -> str:
    """Return what went wrong in another's code, on one line that is not too long.

    Parameters
    ----------
    error : Exception
        What it raised.

    Returns
    -------
    str
        The type of the error and the beginning of its message.
    """
    message = " ".join(str(error).split())
    if len(message) > _LONGEST_REASON:
        message = message[:_LONGEST_REASON].rstrip() + " ..."
    return f"{type(error).__name__}: {message}"


def _rebuild(cls: type[DocumentError], args: tuple[str, ...], kwargs: dict[str, str | None]) -> DocumentError:
    return cls(*args, **kwargs)  # type: ignore[arg-type]
