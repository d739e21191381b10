"""A drawn picture: its pixels, its text alternative, and the files that it is saved as."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain import _check
from xplain._value import checked, value
from xplain.errors import InputError
from xplain.inputs import files
from xplain.renderers.canvas import png

_ENCODERS = {".png": "png", ".html": "html", ".svg": "svg", ".txt": "text"}  # methods of a drawing, by suffix


class Drawing:
    """Base of all pictures: encodes itself by the suffix of a file, and saves itself.

    A subclass has the methods ``png``, ``html``, ``svg`` and ``text``, which return bytes, ``mimebundle`` for
    notebooks, and the text alternative ``alt``.
    """

    __slots__ = ()

    def encoded(self, suffix: str) -> bytes:
        """Encode as the kind of file that a suffix names.

        Parameters
        ----------
        suffix : {".png", ".html", ".svg", ".txt"}
            Ending of the file's name.

        Raises
        ------
        InputError
            For any other ending.
        """
        encoder = _ENCODERS.get(_check.string("suffix", suffix).lower())
        if encoder is None:
            raise InputError(f"path must be a name that ends in {', '.join(_ENCODERS)}, got the ending {suffix!r}")
        data: bytes = getattr(self, encoder)()
        return data

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
        """Write to a file; one that cannot be written in full is not left behind.

        Parameters
        ----------
        path : str or path
            Its ending chooses the kind of file: ``.png``, ``.html``, ``.svg`` or ``.txt``.
        overwrite : bool
            Whether an existing file may be replaced.

        Raises
        ------
        InputError
            If the ending is unknown, the folder cannot be written, or the file exists and may not be replaced.
        """
        files.write(path, self.parts(files.as_path(path).suffix), overwrite=overwrite)

    def parts(self, suffix: str) -> Iterable[bytes]:
        """Encode in parts, so that a large document need not be in memory as a whole; joined they are `encoded`."""
        return (self.encoded(suffix),)


def _read_only(name: str, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    view = pixels.view()
    view.flags.writeable = False
    return view


@value(eq=False)
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

    pixels: npt.NDArray[np.uint8] = checked(_read_only)
    alt: str

    def png(self) -> bytes:
        """Encode as PNG; the text alternative is its ``Description``."""
        return png.encode(self.pixels, self.alt)

    def html(self) -> bytes:
        """Write one self-contained HTML page without script."""
        height, width, _ = self.pixels.shape
        alt = _escape(self.alt)
        page = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width">\n'
            f"<title>{alt.partition(':')[0]}</title>\n</head>\n<body>\n"
            f'<img src="{self._data_url()}" width="{width}" height="{height}" style="max-width: 100%; height: auto" '
            f'alt="{alt}">\n</body>\n</html>\n'
        )
        return page.encode("utf-8", "replace")

    def svg(self) -> bytes:
        """Write an SVG image that embeds the pixels."""
        height, width, _ = self.pixels.shape
        alt = _escape(self.alt)
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
        """Return what a notebook shows, by MIME type."""
        return {"image/png": self.png(), "text/plain": self.alt}

    def _repr_png_(self) -> bytes:
        return self.png()

    def _data_url(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png()).decode("ascii")

    def __repr__(self) -> str:
        height, width, _ = self.pixels.shape
        return f"Picture({height}x{width}, {self.alt!r})"


def stack(pictures: Sequence[Picture]) -> Picture:
    """Put pictures one below the other; those that are narrower than the widest get white on the right."""
    if len(pictures) == 1:
        return pictures[0]
    width = max(picture.pixels.shape[1] for picture in pictures)
    height = sum(picture.pixels.shape[0] for picture in pictures)
    pixels = np.full((height, width, 3), 255, np.uint8)
    top = 0
    for picture in pictures:
        bottom = top + picture.pixels.shape[0]
        pixels[top:bottom, : picture.pixels.shape[1]] = picture.pixels
        top = bottom
    return Picture(pixels, " ".join(picture.alt for picture in pictures))


def _escape(text: str) -> str:
    import html  # takes milliseconds that a PNG need not wait for

    return html.escape(text)
