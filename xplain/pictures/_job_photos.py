"""The photos of a job's inputs: in a folder, by the base names of what the job calls them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _images
from xplain.errors import InputError
from xplain.explanation import Item

__all__ = ["Photos", "find"]


def find(folder: Path, name: str) -> Path | None:
    """Return the file in a folder that has the base name of a path; whatever the path, none outside of the folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cat.png").write_bytes(b"")
    ...     [find(Path(folder), name) is not None for name in ("a/cat.png", "../cat.png", "..", "/etc/passwd")]
    [True, True, False, False]
    """
    base = re.split(r"[/\\]", name)[-1]
    if base in ("", ".", ".."):
        return None
    path = folder / base
    try:
        inside = path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if inside else None


class Photos:
    """Gives the photo of an item.

    Parameters
    ----------
    image : path, bytes, PIL.Image.Image, numpy.ndarray, torch.Tensor or None
        A folder that holds photos, or the photo of all items.

    Raises
    ------
    InputError
        If it is neither.
    """

    def __init__(self, image: Any) -> None:
        self._folder: Path | None = None
        self.one: npt.NDArray[np.uint8] | None = None
        if isinstance(image, (str, os.PathLike)) and Path(image).is_dir():
            self._folder = Path(image)
        elif isinstance(image, (str, os.PathLike)) and not Path(image).exists():
            raise InputError(f"image must be a folder with the photos of the job, or a photo, got {str(image)!r}")
        elif image is not None:
            self.one = _images.load(image, digest=False).pixels

    def of(self, item: Item) -> npt.NDArray[np.uint8] | None:
        """Return the pixels of an item's photo; None if it is not at hand.

        Raises
        ------
        InputError
            If it is, and cannot be decoded.
        """
        if self._folder is None or item.explanation is None:
            return self.one
        for name in (item.name, item.explanation.source.name):
            path = None if name is None else find(self._folder, name)
            if path is not None:
                return _images.load(path, digest=False).pixels
        return None
