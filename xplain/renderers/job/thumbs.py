"""Small pictures of the items of a job for its page, and the photos that they are made of.

Images become JPEG and strips of labels PNG, as data URLs, so that the page is one file. `Photos` finds the photo of an
item in a folder by base name alone: a document must not lead to a file outside of it.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from xplain.errors import InputError
from xplain.explanation import Explanation, Item, Window
from xplain.explanation.characters import one_line
from xplain.explanation.notes import Notes
from xplain.inputs import images
from xplain.renderers.canvas import png
from xplain.renderers.canvas.colours import Colour
from xplain.renderers.image.labels import arrange_labels, draw_marks
from xplain.renderers.image.maps import colour_tiles, prepare
from xplain.renderers.image.marks import has_regions
from xplain.renderers.image.panels import Panel, panels
from xplain.renderers.image.style import Style
from xplain.renderers.signal.timeline import Block, draw_timeline, merge, window_blocks

UInt8 = npt.NDArray[np.uint8]

_MAX_WIDTH, _MAX_HEIGHT = 420, 320  # pixels; pages show a picture smaller where there is less room
_MAX_PIXELS = 1 << 25  # of which a picture is made: a small document can claim any number of them
_JPEG_QUALITY = 82
# Width, height and size of text of a strip along time; it is shown half as large, sharp on screens of high density.
_STRIP = (640, 64, 28)
_MAX_BLOCKS = 8  # in words


@dataclass(frozen=True, slots=True)
class Thumb:
    """A small picture.

    Parameters
    ----------
    url : str
        A data URL.
    alt : str
        What it shows, in words.
    width, height : int
        Size at which it is shown, in CSS pixels.
    caption : str
        Written below it.
    """

    url: str
    alt: str
    width: int
    height: int
    caption: str = ""


def of_image(explanation: Explanation, notes: Notes, photo: UInt8 | None) -> Thumb | None:
    """Draw the first map or mask, or the regions, over the photo if there is one; None if there is nothing to see.

    Raises
    ------
    InputError
        If the photo is not the one that was explained, or is too large.
    """
    photo = explanation.source.content if photo is None else photo
    if not explanation.attributions and not has_regions(explanation):
        return None if photo is None else _thumb(_shrink(_check_photo(photo)), "the photo")
    style = Style(target=0 if explanation.attributions else None)
    [panel] = panels([explanation], photo, style, lambda _: notes)[:1]
    _check_size(panel.height, panel.width)
    pixels = _shrink(_paint_panel(panel, style))
    if panel.marks is not None:
        height, width, _ = pixels.shape
        pixels = draw_marks(panel.marks, arrange_labels(panel.marks, width, height, None), pixels, None)
    ground = "" if panel.photo is not None else ", without the photo"
    if panel.attribution is None:
        return _thumb(pixels, f"regions{ground}", ground.removeprefix(", "))
    by = "" if panel.attribution.method is None else f" by {one_line(panel.attribution.method)}"
    alt = f"evidence for {one_line(panel.attribution.target.name)}{by}{ground}"
    return _thumb(pixels, alt, caption=alt)


def _check_photo(photo: UInt8) -> UInt8:
    _check_size(*photo.shape[:2])
    return photo


def _check_size(height: int, width: int) -> None:
    if height * width > _MAX_PIXELS:
        raise InputError(f"picture must have at most {_MAX_PIXELS} pixels to be made small, got {height}x{width}")


def _paint_panel(panel: Panel, style: Style) -> UInt8:
    [piece] = colour_tiles([prepare(panel, style)], style)
    pixels = np.empty((panel.height, panel.width, 3), np.uint8)
    piece.paint(pixels)
    return pixels


def _shrink(pixels: UInt8) -> UInt8:
    height, width, _ = pixels.shape
    factor = min(_MAX_WIDTH / width, _MAX_HEIGHT / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(pixels).resize(size, method))


def _thumb(pixels: UInt8, alt: str, caption: str = "") -> Thumb:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY)
    height, width, _ = pixels.shape
    return Thumb(_data_url("jpeg", file.getvalue()), alt, width, height, caption)


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def of_signal(explanation: Explanation, notes: Notes, colours: Mapping[str, Colour]) -> Thumb | None:
    """Draw what is decided along time as a strip; None where nothing is known of the time."""
    length = max((p.region.end_ms for p in explanation.predictions if isinstance(p.region, Window)), default=0.0)
    if not length > 0:
        return None
    windows = [p for p in explanation.predictions if isinstance(p.region, Window)]
    decided = merge(window_blocks(windows, notes, length))
    width, height, size = _STRIP
    data = png.encode(draw_timeline(decided, colours, length, width, height, size))
    listed = "; ".join(map(_in_words, decided[:_MAX_BLOCKS])) + ("; …" if len(decided) > _MAX_BLOCKS else "")
    return Thumb(_data_url("png", data), f"along time: {listed}", width // 2, height // 2)


def _in_words(block: Block) -> str:
    times = f"{block.start / 1000:.4g} to {block.stop / 1000:.4g} s: {one_line(block.label)}"
    return f"{times} (wrong, {one_line(block.expected or 'another')} is true)" if block.wrong else times


def find_photo(folder: Path, name: str) -> Path | None:
    """Return the file in a folder that has the base name of a path; whatever the path, none outside of the folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cat.png").write_bytes(b"")
    ...     [find_photo(Path(folder), name) is not None for name in ("a/cat.png", "../cat.png", "..", "/etc/passwd")]
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
        if images.is_path(image) and Path(image).is_dir():
            self._folder = Path(image)
        elif images.is_path(image) and not Path(image).exists():
            raise InputError(f"image must be a folder with the photos of the job, or a photo, got {str(image)!r}")
        elif image is not None:
            self.one = images.load(image, digest=False).pixels

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
            path = None if name is None else find_photo(self._folder, name)
            if path is not None:
                return images.load(path, digest=False).pixels
        return None
