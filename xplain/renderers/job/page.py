"""A whole job as one page: how far it is, how often it was right, and an entry for each item, with filters.

The page is one file of HTML without script, written item by item, so that memory holds an outline of the job and one
item, however large the job is. The items are gone through twice: for counts, and to write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.errors import InputError
from xplain.explanation import Item, Results
from xplain.explanation.notes import Notes, NotesOf, no_notes
from xplain.renderers.canvas.picture import Drawing, Picture
from xplain.renderers.job import charts, drawing
from xplain.renderers.job.counts import count_items
from xplain.renderers.job.html import entry, head, label_classes
from xplain.renderers.job.thumbs import Photos
from xplain.renderers.text.drawing import TextPicture


@dataclass(frozen=True, slots=True, eq=False)
class JobPage(Drawing):
    """The page of a job; a notebook shows it as a picture.

    Parameters
    ----------
    alt : str
        How far the job is, in words.
    """

    alt: str
    _results: Results = field(repr=False)
    _items: Callable[[], Iterable[Item]] = field(repr=False)
    _photos: Photos = field(repr=False)
    _notes_of: NotesOf = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """Write the page piece by piece, an item at a time."""
        counts = count_items(self._items(), self._notes_of)
        classes = label_classes(counts)
        for text in head(self._results, counts, classes, self._notes_of(self._results).tables):
            yield _encode(text)
        yield b"<main>\n"
        for index, item in enumerate(self._items()):
            notes = Notes() if item.explanation is None else self._notes_of(item.explanation)
            yield _encode(entry(index, item, notes, counts, classes, self._photos))
        yield b"</main>\n"
        unlisted = self._results.total - len(self._results.items)
        if unlisted:
            yield f"<p>Of {unlisted:,} more inputs nothing is known yet.</p>\n".encode()
        yield b"</body>\n</html>\n"

    def parts(self, suffix: str) -> Iterable[bytes]:
        """Return the page item by item for ``.html``, else what `picture` gives."""
        return self.chunks() if suffix.lower() == ".html" else Drawing.parts(self, suffix)

    def picture(self) -> Picture | TextPicture:
        """Draw the job as a picture: see `xplain.renderers.draw`."""
        # The outline of a job that is read item by item has no explanations.
        if any(item.explanation is not None for item in self._results.items):
            return drawing.draw(self._results, self._photos.one, self._notes_of)
        return charts.draw(self._results, "progress")

    def html(self) -> bytes:
        """Write the page."""
        return b"".join(self.chunks())

    def png(self) -> bytes:
        """Encode `picture` as PNG."""
        return self.picture().png()

    def svg(self) -> bytes:
        """Write `picture` as SVG."""
        return self.picture().svg()

    def text(self) -> bytes:
        """Write `picture` as text."""
        return self.picture().text()

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """Pixels of `picture`: uint8 (height, width, 3)."""
        return self.picture().pixels

    def mimebundle(self) -> dict[str, Any]:
        """What a notebook shows, by MIME type."""
        return self.picture().mimebundle()


def draw(
    results: Results,
    image: Any = None,
    items: Callable[[], Iterable[Item]] | None = None,
    *,
    notes: NotesOf = no_notes,
) -> JobPage:
    """Draw a whole job as a page.

    Parameters
    ----------
    results : Results
        The job; if its items are read one at a time, its outline, see `xplain.formatters.read_outline`.
    image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor, optional
        A folder with the photos of the items: that of an item has the base name of the item or of its source. Or one
        photo, of all items.
    items : callable, optional
        Gives the items in their order, each time it is called; those of ``results`` if left out.
    notes : callable
        As for `xplain.renderers.draw`.

    Returns
    -------
    JobPage
        ``.save("page.html")`` writes it.

    Raises
    ------
    InputError
        If it is no job, or ``image`` is neither a folder nor an image.

    Examples
    --------
    >>> page = draw(Results("nightly", [Item("a.png", "waiting"), Item("b.png", "failed", error="no <image>")]))
    >>> page.alt
    'Job nightly: 1 of 2 inputs failed, 1 waiting; not finished.'
    >>> "no &lt;image&gt;" in page.html().decode()
    True
    """
    if not isinstance(results, Results):
        raise InputError(f"results must be Results, got {type(results).__name__}")
    alt = f"{charts.title(results)}: {charts.summary(results)}."
    return JobPage(alt, results, (lambda: results.items) if items is None else items, Photos(image), notes)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")
