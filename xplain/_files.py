"""Files read whole and written whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

from xplain.errors import InputError

__all__ = ["read", "write"]


def read(path: str | os.PathLike[str] | io.IOBase) -> bytes:
    """Return the bytes of a file, or of an open binary file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    if isinstance(path, io.IOBase):
        data = path.read()
        return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"path must be a file that can be read, got {str(path)!r}: {error.strerror}") from error


def write(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Write a file through a temporary one beside it: readers see the old or the new file, never half of one.

    Parameters
    ----------
    path : path
        The file.
    data : bytes
        All of its content.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        If the file exists and must not be replaced, or its folder cannot be written.
    """
    target = Path(path)
    if not overwrite and target.exists():
        raise InputError(f"path must be a new file, got {str(target)!r}, which exists; overwrite it or choose another")
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"path must be a file that can be written, got {str(target)!r}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
