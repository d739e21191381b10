"""One verb for all pictures: what is explained decides how it is drawn.

What draws jobs and records is imported when there is one to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xplain.explanation import Comparison, Explanation, Record, Results
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.explanations import draw_explanations, only
from xplain.renderers.targets import explanations

if TYPE_CHECKING:
    from xplain.renderers.text.drawing import TextPicture


def draw(
    subject: Explanation | Sequence[Explanation] | Results | Record | Comparison,
    image: Any = None,
    *,
    kind: str | None = None,
    target: int | str | None = None,
    cmap: str | None = None,
    scale: str | float | None = None,
    **style: Any,
) -> Picture | TextPicture:
    """Draw an explanation, several of one kind of source, a comparison of methods, a job, or a record.

    A job is drawn as the explanations of its inputs. Without a kind, the first 24 of them; below them stand how far the
    job is, unless all is well, and how often it is right, where that is known.

    Parameters
    ----------
    subject : Explanation, sequence of Explanation, Comparison, Results or Record
        What to draw. Of a record nothing is drawn that may be a secret, see `xplain.renderers.record.draw`.
    image, kind, target, cmap, scale, **style
        As for `xplain.renderers.image.drawing.draw` or, where texts or signals are explained, the ``draw`` of
        `xplain.renderers.text.drawing` or `xplain.renderers.signal.drawing`. Of a job, ``kind`` may also be one of
        `xplain.renderers.job.charts.KINDS`, which draw it as a whole.

    Returns
    -------
    Picture or TextPicture
        Both save themselves as PNG, HTML, SVG and text, and have ``pixels`` and ``alt``.

    Raises
    ------
    InputError
        If sources of several kinds are mixed, or an argument is wrong.
    UnknownNameError
        If an option, or the value of one, is none of those that exist.
    """
    options = {"kind": kind, "target": target, "cmap": cmap, "scale": scale, **style}
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(subject, Comparison):
        from xplain.renderers import comparison

        return comparison.draw(subject, image, **given)
    if isinstance(subject, Record):
        from xplain.renderers import record

        return record.draw(subject, **only(("font",), options))
    if isinstance(subject, Results):
        from xplain.renderers.job import drawing as job_drawing

        return job_drawing.draw(subject, image, **options)
    return draw_explanations(explanations(subject), image, options)
