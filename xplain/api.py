"""The verbs of the package: those of `xplain.asking`, and write, read, convert, validate, render.

Pictures are imported when a verb needs them. This module also tells explanations how to show themselves in a notebook,
since they are defined further left (see ``tests/test_layers.py``) than what draws them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO

from xplain import formatters
from xplain.asking import cost, explain, explain_batch, methods, predict, refusals
from xplain.errors import InputError, XplainError
from xplain.explanation import Explanation, Item, Record, Results, core
from xplain.explanation.several import Explanations
from xplain.formatters import from_document, lines, schema, to_document
from xplain.inputs import files, images

if TYPE_CHECKING:
    from xplain.formatters import Problem
    from xplain.renderers import JobPage, Picture, TextPicture

__all__ = [
    "Explanations",
    "convert",
    "cost",
    "explain",
    "explain_batch",
    "formats",
    "from_document",
    "methods",
    "predict",
    "read",
    "read_items",
    "refusals",
    "render",
    "schema",
    "to_document",
    "validate",
    "write",
]


def formats() -> Mapping[str, str]:
    """Return the document formats: name to summary."""
    return dict(formatters.FORMATS)


def write(
    explanation: Explanation | Results | Record,
    path: str | os.PathLike[str],
    format: str = "native",
    *,
    lossy: bool = False,
    overwrite: bool = True,
    **options: Any,
) -> None:
    """Write an explanation to a file, whole or not at all.

    Parameters
    ----------
    explanation : Explanation, Results or Record
        What to write.
    path : path
        The file.
    format, lossy, **options
        As for `xplain.to_document`.
    overwrite : bool
        Whether an existing file may be replaced.
    """
    document = to_document(explanation, format, lossy=lossy, **options)
    files.write(path, formatters.dumps(document).encode("utf-8"), overwrite=overwrite)


def read(path: str | os.PathLike[str] | io.IOBase, format: str | None = None) -> Explanation | Results | Record:
    r"""Read a document from a file or an open file; the format is recognised if left out.

    Parameters
    ----------
    path : path or file object
        JSON, packed by gzip or not. JSON Lines, a document a line, are read as the results of a job.
    format : str, optional
        The document's format, or that of each line.

    Returns
    -------
    Explanation, Results or Record
        Of JSON Lines `Results` named after the file, with an item for each line: its name is what the line has under
        ``"name"``, else that of its source, else the line's number. A line that cannot be read is a failed item.

    Raises
    ------
    InputError
        If there is no such file.
    DocumentError
        If it is not JSON, follows no format, or not its own; the message gives the ``$`` path. Of JSON Lines, if no
        line is a document.

    Examples
    --------
    >>> import io, xplain
    >>> lines = '{"xplain": 1, "name": "a"}\n{"name": "b", "status": "waiting"}\n'
    >>> for item in xplain.read(io.StringIO(lines)).items:
    ...     print(item.name, item.status, item.error)
    1 failed line 1: $.type: must be one of 'explanation', 'results', 'record', got nothing
    b waiting None
    """
    data, name = files.read(path), files.name_of(path)
    if lines.is_lines(lines.of_bytes(data), name):
        return lines.read_results(lines.of_bytes(data), name, format)
    return from_document(formatters.loads(data), format)


def read_items(path: str | os.PathLike[str], format: str | None = None) -> Iterator[Item]:
    """Read the items of a job one at a time, however large its file is.

    Memory grows with the largest item, the fields beside the items, and the items' names. The job as a whole is not
    checked: `read` and `validate` find what is wrong with it, such as counts that do not fit.

    Parameters
    ----------
    path : path
        A file that holds the results of a job, which is read twice, or JSON Lines, of which a line that cannot be read
        is a failed item, as for `read`. Either may be packed by gzip.
    format : str, optional
        The document's format; recognised if left out.

    Returns
    -------
    iterator of Item
        Those of ``read(path).items``, in the order of the file.

    Raises
    ------
    InputError
        If there is no such file.
    DocumentError
        If it is not JSON, follows no format or holds no items; while it is read, if an item is wrong (``.path`` is the
        ``$`` path in the whole document).

    Examples
    --------
    >>> import tempfile, pathlib, xplain
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "job.json"
    >>> xplain.write(xplain.Results("nightly", [xplain.Item("a.png", "waiting")]), path)
    >>> for item in xplain.read_items(path):
    ...     print(item.name, item.status)
    a.png waiting
    >>> folder.cleanup()
    """
    file = files.as_path(path)

    def open_file() -> AbstractContextManager[BinaryIO]:
        return files.opened(file)

    if lines.is_lines(open_file, file.name):
        return lines.iterate_items(open_file, format)
    return formatters.read_items(open_file, format)


def convert(document: Any, to: str, format: str | None = None, *, lossy: bool = False, **options: Any) -> Any:
    """Return a document in another format.

    Parameters
    ----------
    document : dict, or path
        A document, or the file that holds one, as for `read`.
    to : str
        The format wanted.
    format : str, optional
        The document's format; recognised if left out.
    lossy, **options
        As for `xplain.to_document`.
    """
    value = read(document, format) if isinstance(document, (str, os.PathLike)) else from_document(document, format)
    return to_document(value, to, lossy=lossy, **options)


def validate(document: Any, format: str | None = None) -> list[Problem]:
    """Return every problem of a document, each with its ``$`` path; empty means valid.

    Parameters
    ----------
    document : dict, or path
        A document, or the file that holds one, or JSON Lines. Of the latter, paths begin with the number of the line.
    format : str, optional
        The format it must follow; recognised if left out.
    """
    if isinstance(document, (str, os.PathLike)):
        data, name = files.read(document), files.name_of(document)
        if lines.is_lines(lines.of_bytes(data), name):
            return lines.validate_lines(lines.of_bytes(data), format)
        return formatters.validate_text(data, format)
    return formatters.validate(document, format)


def render(
    subject: Explanation | Results | Record | Sequence[Explanation] | str | os.PathLike[str],
    image: Any = None,
    *,
    kind: str | None = None,
    target: Any = None,
    cmap: str | None = None,
    scale: Any = None,
    **style: Any,
) -> Picture | TextPicture | JobPage:
    """Draw an explanation, several side by side on one scale, a comparison, the results of a job, or a record.

    Parameters
    ----------
    subject : Explanation, sequence of Explanation, Comparison, Results, Record or path
        What to draw, or the file that holds it, as for `read`.
    image : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor, optional
        The photo that was explained. An explanation made in this process still holds it. For the page of a job also a
        folder of photos, see `xplain.renderers.job.page.draw`.
    kind, target, cmap, scale, **style
        As for `xplain.renderers.draw`; among them, for a text or a recording that the explanation does not hold,
        ``text`` and ``signal``. Results without any of them, or of kind "page", become a page.

    Returns
    -------
    Picture, TextPicture or JobPage
        Shows itself in a notebook; ``.save("out.png")`` writes it. A page is written by ``.save("page.html")``; its
        other files are pictures of the job.

    Raises
    ------
    InputError
        If an argument is wrong or does not go with the others.
    UnknownNameError
        If an argument names nothing that exists.
    """
    from xplain.renderers import draw

    if isinstance(subject, (str, os.PathLike)):
        subject = read(subject)
    if isinstance(subject, Results) and kind in (None, "page"):
        from xplain.renderers.job import page as job_page

        options = {"target": target, "cmap": cmap, "scale": scale, **style}
        name = next((name for name, value in options.items() if value is not None), None)
        if name is None:
            return job_page.draw(subject, image, notes=formatters.notes)
        if kind is not None:
            raise InputError(f"{name} must be left out for a page, got {options[name]!r}")
    pixels = None if image is None else images.load(image, digest=False).pixels
    return draw(subject, pixels, formatters.notes, kind=kind, target=target, cmap=cmap, scale=scale, **style)


def _notebook_display(value: Any) -> dict[str, Any]:
    """The value as text and, if it can be drawn, as a picture; a display hook that raised would fail the cell."""
    bundle: dict[str, Any] = {"text/plain": repr(value)}
    try:
        return bundle | render(value).mimebundle()
    except XplainError as error:
        bundle["text/plain"] += f"\n(no picture: {error})"
        return bundle


core.notebook_display = _notebook_display
