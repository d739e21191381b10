"""Files read whole, and written whole or not at all.

Whatever the system refuses becomes an `InputError` that names the path and the system's reason, so that callers of the
library and of the command line see one kind of message. Files packed by gzip are unpacked, whatever they are called.
How much is read is bounded: by the size of a file, and by a limit where nothing has a size, as pipes and devices, and
what a packed file unpacks to.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from xplain.errors import InputError

MAX_UNSIZED = 1 << 28
"""The most bytes that are read of a pipe, a device or an open file, and that a packed file may unpack to."""

#: A packed file that is read piece by piece may unpack to this many times its size; gzip reaches a thousand times.
_MAX_RATIO = 100
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


def read(path: Any) -> bytes:
    """Return the bytes of a file or of an open file, unpacked if they are packed by gzip; text is encoded as UTF-8.

    Parameters
    ----------
    path : str, path or file object
        A file object has ``read``, or holds one that has as its ``file``, as the uploads of web frameworks do.

    Raises
    ------
    InputError
        If it cannot be read, cannot be unpacked, or has no size and does not end within `MAX_UNSIZED` bytes.
    """
    stream = file_object(path)
    try:
        if stream is not None:
            data = _read_to(stream, MAX_UNSIZED)
        else:
            with as_path(path).open("rb") as file:
                data = _read_to(file, max(os.fstat(file.fileno()).st_size, MAX_UNSIZED))
    except (OSError, TypeError, ValueError) as error:  # TypeError: what is read is no bytes
        raise refusal("path must be a file that can be read", path, error) from error
    if data is None:
        raise InputError(f"path must be a file, or end within {MAX_UNSIZED} bytes, got more from {_called(path)}")
    return unpacked(data, _called(path))


def file_object(value: Any) -> Any:
    """Return what has ``read``: an open file itself, or that of an upload; None of anything else."""
    inner = getattr(value, "file", value)
    return inner if callable(getattr(inner, "read", None)) else None


def unpacked(data: bytes, called: str) -> bytes:
    """Return bytes that are packed by gzip unpacked, others as they are.

    Parameters
    ----------
    data : bytes
        Of a whole file.
    called : str
        What messages call it.

    Raises
    ------
    InputError
        If they cannot be unpacked, or unpack to more than `MAX_UNSIZED` bytes.
    """
    if data[:2] != _GZIP:
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = _read_to(stream, MAX_UNSIZED)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"path must be a file that gzip can unpack, got {called}: {error}") from error
    if content is None:
        raise InputError(
            f"path must unpack to at most {MAX_UNSIZED} bytes, got more from {called}; unpack it with gunzip, and name "
            "the file that this makes"
        )
    return content


def _read_to(file: Any, limit: int) -> bytes | None:
    """Return what an open file holds; None if that is more than ``limit`` bytes."""
    parts: list[bytes] = []
    left = limit
    while left >= 0:
        part = file.read(_CHUNK)
        part = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    return None


def name_of(path: Any) -> str | None:
    """Return what a file or an open file is called, if it says so."""
    if isinstance(path, (str, os.PathLike)):
        return str(as_path(path))
    name = getattr(path, "filename", None) or getattr(path, "name", None)
    return name if isinstance(name, str) else None


def _called(path: Any) -> str:
    name = name_of(path)
    return repr(path if name is None else name)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, unpacked if they are packed by gzip; it is closed when the block ends.

    Raises
    ------
    InputError
        If it cannot be opened or, in the block, read or unpacked.
    """
    try:
        with as_path(path).open("rb") as file:
            is_packed = file.read(2) == _GZIP
            file.seek(0)
            if not is_packed:
                yield file
                return
            with gzip.GzipFile(fileobj=file) as unpacking:
                limit = max(MAX_UNSIZED, _MAX_RATIO * os.fstat(file.fileno()).st_size)
                yield cast(BinaryIO, _Limited(unpacking, limit, str(path)))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise refusal("path must be a file that gzip can unpack", path, error) from error
    except OSError as error:
        raise refusal("path must be a file that can be read", path, error) from error


class _Limited:
    """A file that unpacks while it is read, up to a limit."""

    def __init__(self, file: gzip.GzipFile, limit: int, name: str) -> None:
        self._file, self._left, self._limit, self._name = file, limit, limit, name

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, all that are left if it is negative."""
        data = self._file.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise InputError(
                f"path must unpack to at most {self._limit} bytes, got more from {self._name!r}; unpack it with gunzip"
            )
        return data


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
