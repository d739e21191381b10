"""A drawn picture: its pixels, its text alternative, and the files it can become."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain.errors import InputError
from xplain.inputs import files
from xplain.renderers.canvas import png


class Drawing:
    """What all pictures can do: become the bytes of a file, and be saved.

    A kind of picture has ``png``, ``html``, ``svg`` and ``text``, which give the bytes, ``alt``, and what a notebook
    shows (``mimebundle``).
    """

    __slots__ = ()

    def encoded(self, suffix: str) -> bytes:
        """Return the bytes of a kind of file.

        Parameters
        ----------
        suffix : {".png", ".html", ".svg", ".txt"}
            Ending of the file's name.

        Raises
        ------
        InputError
            For any other ending.
        """
        writer = _WRITERS.get(_check.string("suffix", suffix).lower())
        if writer is None:
            raise InputError(f"path must be a name that ends in {', '.join(_WRITERS)}, got the ending {suffix!r}")
        data: bytes = getattr(self, writer)()
        return data

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
        """Write to a file, wholly or not at all.

        Parameters
        ----------
        path : str or path
            Its ending says what is written: ``.png``, ``.html``, ``.svg`` or ``.txt``.
        overwrite : bool
            Whether a file that is there may be replaced.

        Raises
        ------
        InputError
            If the ending is unknown, the folder cannot be written, or the file is there and may not be replaced.
        """
        files.write(path, self.parts(files.as_path(path).suffix), overwrite=overwrite)

    def parts(self, suffix: str) -> Iterable[bytes]:
        """Return what `encoded` does in parts, which need not all be in memory at once."""
        return (self.encoded(suffix),)


@dataclass(frozen=True, slots=True, eq=False)
class Picture(Drawing):
    """A picture that shows itself in a notebook.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8 (height, width, 3), RGB; kept as a read-only view.
    alt : str
        What the picture shows, in words.

    Examples
    --------
    >>> picture = Picture(np.zeros((2, 3, 3), np.uint8), "Black.")
    >>> picture
    Picture(2x3, 'Black.')
    >>> picture.png()[1:4]
    b'PNG'
    """

    pixels: npt.NDArray[np.uint8]
    alt: str

    def __post_init__(self) -> None:
        pixels = self.pixels.view()
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)

    def png(self) -> bytes:
        """Encode as PNG; the text alternative is its ``Description``."""
        return png.encode(self.pixels, self.alt)

    def html(self) -> bytes:
        """Write one self-contained HTML page, without script."""
        height, width, _ = self.pixels.shape
        alt = _escaped(self.alt)
        page = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width">\n'
            f"<title>{alt.partition(':')[0]}</title>\n</head>\n<body>\n"
            f'<img src="{self._data_url()}" width="{width}" height="{height}" style="max-width: 100%; height: auto" '
            f'alt="{alt}">\n</body>\n</html>\n'
        )
        return page.encode("utf-8", "replace")

    def svg(self) -> bytes:
        """Write an SVG image that holds the pixels."""
        height, width, _ = self.pixels.shape
        alt = _escaped(self.alt)
        image = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'role="img" aria-label="{alt}">\n<desc>{alt}</desc>\n'
            f'<image width="{width}" height="{height}" href="{self._data_url()}"/>\n</svg>\n'
        )
        return image.encode("utf-8", "replace")

    def text(self) -> bytes:
        """Write the text alternative as UTF-8."""
        return (self.alt + "\n").encode("utf-8", "replace")

    def mimebundle(self) -> dict[str, Any]:
        """What a notebook shows, by MIME type."""
        return {"image/png": self.png(), "text/plain": self.alt}

    def _repr_png_(self) -> bytes:
        return self.png()

    def _data_url(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png()).decode("ascii")

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"Picture({height}x{width}, {self.alt!r})"


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Put pictures one below the other, on white where they are narrower than the widest."""
    width = max(picture.pixels.shape[1] for picture in pictures)
    height = sum(picture.pixels.shape[0] for picture in pictures)
    if len(pictures) == 1:
        return pictures[0]
    pixels = np.full((height, width, 3), 255, np.uint8)
    top = 0
    for picture in pictures:
        bottom = top + picture.pixels.shape[0]
        pixels[top:bottom, : picture.pixels.shape[1]] = picture.pixels
        top = bottom
    return Picture(pixels, " ".join(picture.alt for picture in pictures))


_WRITERS = {".png": "png", ".html": "html", ".svg": "svg", ".txt": "text"}


def _escaped(text: str) -> str:
    import html  # costs milliseconds, which a PNG need not wait for

    return html.escape(text)
