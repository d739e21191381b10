"""Files read whole, and written whole or not at all.

Whatever the system refuses becomes an `InputError` that names the path and the system's reason, so that callers of the
library and of the command line see one kind of message.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from xplain.errors import InputError


def read(path: str | os.PathLike[str] | io.IOBase) -> bytes:
    """Return the bytes of a file, or of an open file; text is encoded as UTF-8.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        if isinstance(path, io.IOBase):
            data = path.read()
            return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
        return as_path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise refusal("path must be a file that can be read", path, error) from error


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to read its bytes; it is closed when the block ends.

    Raises
    ------
    InputError
        If it cannot be opened or, in the block, read.
    """
    try:
        with as_path(path).open("rb") as file:
            yield file
    except OSError as error:
        raise refusal("path must be a file that can be read", path, error) from error


def write(path: str | os.PathLike[str], data: bytes | Iterable[bytes], *, overwrite: bool) -> None:
    """Write a file through a temporary one beside it: readers see the old or the new file, never half of one.

    A symbolic link stays, and the file that it leads to is written. A device or a pipe is written in place: replacing
    /dev/stdout by a file would take it from every other program.

    Parameters
    ----------
    path : path
        The file.
    data : bytes or iterable of bytes
        The content, or its parts in order: each is written before the next one is made.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InputError
        If the file exists and must not be replaced, or its folder cannot be written.
    """
    link_or_file = as_path(path)
    parts = (data,) if isinstance(data, bytes) else data
    try:
        target = link_or_file.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not overwrite:
            raise InputError(
                f"path must be a new file, got {str(link_or_file)!r}, which exists; overwrite it or choose another"
            )
        if mode is None or stat.S_ISREG(mode):
            _replace(target, parts, mode)
        else:
            with target.open("wb") as device:
                device.writelines(parts)
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links that lead in a circle
        raise refusal("path must be a file that can be written", path, error) from error


def make_folder(path: str | os.PathLike[str]) -> None:
    """Create a folder and its parents, where they do not exist.

    Raises
    ------
    InputError
        If it cannot be created.
    """
    try:
        as_path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise refusal("folder must be one that can be created", path, error) from error


def refusal(expected: str, path: object, error: Exception) -> InputError:
    """Build the error for a path that the system refuses."""
    name = str(path) if isinstance(path, os.PathLike) else path
    return InputError(f"{expected}, got {name!r}: {getattr(error, 'strerror', None) or error}")


def as_path(path: object, name: str = "path") -> Path:
    """Return a `Path`, or raise InputError for anything but a str or a path of str."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise InputError(f"{name} must be a str or a path, got {type(path).__name__}")
    return Path(path)


def _replace(target: Path, parts: Iterable[bytes], mode: int | None) -> None:
    # Not the target's name with a suffix: that may be longer than the system allows.
    temporary = target.with_name(f".xplain-{os.urandom(8).hex()}")
    try:
        with temporary.open("xb") as file:
            file.writelines(parts)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
