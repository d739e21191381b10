"""What stands for a file besides its path: open files, uploads of web frameworks, and URLs that need no network."""

from __future__ import annotations

import base64
import binascii
import inspect
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from xplain.errors import InputError
from xplain.inputs import files

_SHOWN = 60  # characters of a long path or URL in a message
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)  # of two letters or more: C:// is a drive


def content(file: Any, name: str) -> bytes:
    """Return all bytes of an open file, or of an upload of a web framework, and leave its position as it was.

    Parameters
    ----------
    file : object
        Has ``read``; where that is to be awaited (FastAPI's ``UploadFile``) its ``file`` is read.
    name : str
        The argument's name in messages.

    Raises
    ------
    InputError
        If it cannot be read, is opened as text, or holds nothing.
    """
    stream = file.file if inspect.iscoroutinefunction(getattr(file, "read", None)) and hasattr(file, "file") else file
    try:
        position = stream.tell() if getattr(stream, "seekable", bool)() else None
        if position is not None:
            stream.seek(0)
        data = stream.read()
        if position is not None:
            stream.seek(position)
    except (OSError, ValueError) as error:
        raise files.refusal(
            f"{name} must be an open file that can be read", name_of(file) or type(file).__name__, error
        ) from error
    if not isinstance(data, (bytes, bytearray, memoryview)):
        remedy = "; open it in binary mode: open(path, 'rb')" if isinstance(data, str) else ""
        raise InputError(f"{name} must be a file of bytes, got one whose read() gives {type(data).__name__}{remedy}")
    return bytes(data)


def name_of(file: Any) -> str | None:
    """Return the name of an open file or of an upload, without its folder; None if it has none."""
    names = (getattr(file, attribute, None) for attribute in ("filename", "name"))
    found = next((name for name in names if isinstance(name, str) and name), None)
    return None if found is None else re.split(r"[/\\]", found)[-1] or None


def is_url(text: str) -> bool:
    """Whether a str is a URL, of a file, of data or of a place on the network, and no path."""
    return is_data_url(text) or _URL.match(text) is not None


def is_data_url(text: str) -> bool:
    """Whether a str holds its data itself, as ``data:image/png;base64,...``."""
    return text[:5].lower() == "data:"


def data_of_url(url: str, name: str) -> bytes:
    """Return the bytes in a ``data:`` URL (RFC 2397), in base64 or percent-encoded.

    Raises
    ------
    InputError
        If it is malformed.
    """
    head, comma, body = url[5:].partition(",")
    expected = f"{name} must be a data: URL such as 'data:image/png;base64,...'"
    if not comma:
        raise InputError(f"{expected}, got {shown(url)!r} without a comma")
    data = unquote_to_bytes(body)
    if not re.search(r";\s*base64\s*$", head, re.IGNORECASE):
        return data
    packed = b"".join(data.split())
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error as error:
        raise InputError(f"{expected}, got {shown(url)!r}: {error}") from error


def local(location: str | os.PathLike[str], name: str) -> Path:
    """Return the path that a path or a ``file:`` URL names.

    Raises
    ------
    InputError
        If it is a URL of another kind: nothing is fetched.
    """
    match = _URL.match(location) if isinstance(location, str) else None
    if match is None:
        return files.as_path(location, name)
    if match[1].lower() == "file":
        from urllib.request import url2pathname  # which imports ssl and http, in 20 ms

        return Path(url2pathname(urlsplit(str(location)).path))
    raise InputError(
        f"{name} must be a file of this machine, got {shown(location)!r}; nothing is fetched from the network: "
        "download it, and pass its path or bytes"
    )


def shown(location: object) -> str:
    """Return a path or URL as messages show it: the beginning of a long one."""
    text = str(location)
    return text if len(text) <= 4 * _SHOWN else text[:_SHOWN] + "..."
