"""`draw`: one function for all pictures, which picks the module that draws its subject.

The modules for jobs, records and comparisons are imported when there is one to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xplain.explanation import Comparison, Explanation, Record, Results
from xplain.explanation.notes import NotesOf, no_notes
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.explanations import check_options, draw_explanations
from xplain.renderers.targets import as_explanations

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture


def draw(
    subject: Explanation | Sequence[Explanation] | Results | Record | Comparison,
    image: Any = None,
    notes: NotesOf = no_notes,
    /,
    *,
    kind: str | None = None,
    target: int | str | None = None,
    cmap: str | None = None,
    scale: str | float | None = None,
    **style: Any,
) -> Picture | TextPicture:
    """Draw an explanation, several of one kind of source, a comparison of methods, a job, or a record.

    A job is drawn as the explanations of its inputs. Without a ``kind`` these are the first 24, followed by the job's
    progress, unless it is complete and shown in full, and its accuracy, where that is known.

    Parameters
    ----------
    subject : Explanation, sequence of Explanation, Comparison, Results or Record
        What to draw. Fields of a record that may be secrets are left out, see `xplain.renderers.record.draw`.
    notes : callable
        Gives the notes of an explanation, of results or of a record, as `xplain.formatters.notes` does: what documents
        say besides, such as ground truth. Left out, only the values are drawn.
    image, kind, target, cmap, scale, **style
        The photo, see `xplain.renderers.image.drawing.draw`, and the options of `xplain.renderers.image.style.Style`,
        or of the ``Style`` of `xplain.renderers.text.style` or `xplain.renderers.signal.style` where texts or signals
        are explained. For a job, ``kind`` may also be one of `xplain.renderers.job.charts.KINDS`, which draw the job as
        a whole.

    Returns
    -------
    Picture or TextPicture
        Both save themselves as PNG, HTML, SVG and text, and have ``pixels`` and ``alt``.

    Raises
    ------
    InputError
        If sources of several kinds are mixed, or an argument is wrong.
    UnknownNameError
        If there is no such option, or no such value of one.
    """
    options = {"kind": kind, "target": target, "cmap": cmap, "scale": scale, **style}
    if isinstance(subject, Comparison):
        from xplain.renderers import comparison

        return comparison.draw(subject, image, options)
    if isinstance(subject, Record):
        from xplain.renderers import record

        return record.draw(subject, **check_options(("font",), options), notes=notes)
    if isinstance(subject, Results):
        from xplain.renderers.job import drawing as job_drawing

        return job_drawing.draw(subject, image, notes, **options)
    return draw_explanations(as_explanations(subject), image, notes, options)
