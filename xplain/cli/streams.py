"""Input and output of the command: files, standard streams, pictures and messages on the terminal, values as text.

``-`` names standard input or standard output. What is printed was partly written by other people, so nothing is that
would act on the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xplain.errors import InputError
from xplain.inputs import files

if TYPE_CHECKING:
    from xplain.renderers import JobPage, Picture, TextPicture


PICTURES = (".png", ".html", ".svg", ".txt")


def read_bytes(name: str) -> bytes:
    """Return a file's bytes; ``-`` is standard input."""
    if name != "-":
        return files.read(name)
    if sys.stdin is None:
        raise InputError("standard input must be open to be read, got a closed one")
    return files.read(sys.stdin.buffer)


def write_bytes(name: str, data: bytes | Iterable[bytes], *, force: bool) -> None:
    """Write a file whole; ``-`` is standard output."""
    if name == "-":
        sys.stdout.buffer.writelines((data,) if isinstance(data, bytes) else data)
    elif not force and Path(name).exists():
        raise InputError(f"output must be a new file, got {name!r}, which exists; --force overwrites it")
    else:
        files.write(name, data, overwrite=force)


def print_json(value: Any) -> None:
    """Print one line of JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # another encoding, or the name of a file that is not UTF-8
        text = json.dumps(value, allow_nan=False)
    print(text)


def print_picture(picture: Picture | TextPicture | JobPage) -> None:
    """Show a picture as words: a text in colour where the terminal has colours, a photo by its description."""
    from xplain.renderers import JobPage, Picture

    if isinstance(picture, JobPage):
        picture = picture.picture()
    if isinstance(picture, Picture):
        print(picture.alt)
    else:
        # https://no-color.org: any value but the empty one
        print(picture.ansi(color=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))


def note(message: str) -> None:
    """Print a message on standard error."""
    print(f"xplain: {visible(message)}", file=sys.stderr)


def visible(text: str) -> str:
    """Replace by symbols what would act on the terminal, see `xplain.explanation.characters.visible`."""
    if text.isprintable():
        return text
    # Its table of characters takes a while to make, and is seldom needed.
    from xplain.explanation import characters

    return characters.visible(text)


def parse_target(text: str) -> int | str:
    """Return a whole number as the index of a class or an attribution, anything else as a label."""
    # Python refuses to read thousands of digits; no index has more than 18.
    return int(text) if text.isdecimal() and len(text) <= 18 else text


def parse_value(text: str) -> Any:
    """Return the value of an option: JSON, or the text itself if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
