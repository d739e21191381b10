"""Where the command reads from and writes to."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xplain import _files
from xplain.errors import InputError

if TYPE_CHECKING:
    from xplain.pictures import Picture, TextPicture

__all__ = ["PICTURES", "note", "print_json", "print_picture", "read_bytes", "write_bytes"]

PICTURES = (".png", ".html", ".svg", ".txt")


def read_bytes(name: str) -> bytes:
    """Return a file's bytes; ``-`` is standard input."""
    return sys.stdin.buffer.read() if name == "-" else _files.read(name)


def write_bytes(name: str, data: bytes, *, force: bool) -> None:
    """Write a file whole; ``-`` is standard output."""
    if name == "-":
        sys.stdout.buffer.write(data)
    elif not force and Path(name).exists():
        raise InputError(f"output must be a new file, got {name!r}, which exists; --force overwrites it")
    else:
        _files.write(name, data, overwrite=force)


def print_json(value: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps(value, ensure_ascii=not _is_utf8(), allow_nan=False))


def print_picture(picture: Picture | TextPicture) -> None:
    """Show a picture as words: a text in colour where the terminal has colours, a photo by its description."""
    from xplain.pictures import Picture

    if isinstance(picture, Picture):
        print(picture.alt)
    else:
        # https://no-color.org: any value but the empty one
        print(picture.ansi(color=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))


def note(message: str) -> None:
    """Tell the person at the terminal something."""
    print(f"xplain: {message}", file=sys.stderr)


def _is_utf8() -> bool:
    return isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower().replace("-", "") == "utf8"
