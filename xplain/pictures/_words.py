"""The words of a picture: lines of its legend and its text alternative."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xplain.explanation import Attribution, Grid
from xplain.pictures import _mark_words
from xplain.pictures._piece import Piece
from xplain.pictures.scale import Extent, number

__all__ = ["describe", "facts", "origin", "title"]


def title(piece: Piece) -> tuple[str, str] | None:
    """The label and the score of what is explained."""
    attribution = piece.panel.attribution
    return None if attribution is None else (attribution.target.name, number(attribution.target.score))


def facts(piece: Piece) -> list[str]:
    """What is known of what is drawn beside its colours."""
    marks = piece.panel.marks
    if marks is None:
        return _evidence_facts(piece)
    said = _mark_words.facts(marks, piece.arrangement)
    # That there is one region need not be said of the one that is explained.
    return [*_evidence_facts(piece), *(said[1:] if piece.panel.attribution is not None and not marks.limit else said)]


def _evidence_facts(piece: Piece) -> list[str]:
    if piece.panel.attribution is None:
        return []
    if piece.mask is not None:
        lines = [f"{_share(piece)} of the image"]
        if not _is_mask(piece):
            lines.append(f"the strongest {100 * piece.style.keep:.3g} % of the pixels, positive values only")
        return lines
    extent = piece.extent
    assert extent is not None
    return [
        extent.nothing or extent.flat or f"values {_rounded(extent.low, extent)} to {_rounded(extent.high, extent)}"
    ]


def origin(piece: Piece, named: bool = True) -> str:
    """The method and, if it is to be named, what the source is called."""
    name = piece.panel.explanation.source.name if named else None
    method = None if piece.panel.attribution is None else piece.panel.attribution.method
    return " · ".join(filter(None, (method, name)))


def describe(pieces: Sequence[Piece], shared: bool) -> str:
    """The text alternative of a picture."""
    names = dict.fromkeys(piece.panel.explanation.source.name or "an image" for piece in pieces)
    sentences = [f"Explanation of {', '.join(names)}:", *(_sentence(piece) for piece in pieces)]
    if all(piece.panel.attribution is None for piece in pieces):
        sentences[0] = f"Regions of {', '.join(names)}:"
    scaled = [piece for piece in pieces if piece.scale is not None]
    limits = dict.fromkeys(number(piece.scale.limit) for piece in scaled if piece.scale is not None)
    if len(limits) == 1:
        of_all = " for all panels" if len(scaled) > 1 and shared else ""
        sentences.append(f"Full colour stands for {next(iter(limits))} or more{of_all}.")
    elif limits:
        sentences.append(f"Full colour stands for {', '.join(limits)} or more, in this order.")
    return " ".join(sentences)


def _sentence(piece: Piece) -> str:
    attribution, marks = piece.panel.attribution, piece.panel.marks
    marked = _mark_words.describe(marks) if marks is not None else ""
    return " ".join(filter(None, ("" if attribution is None else _evidence(piece, attribution), marked)))


def _evidence(piece: Piece, attribution: Attribution) -> str:
    target = attribution.target
    what = "mask" if piece.mask is not None else "grid" if isinstance(attribution.evidence, Grid) else "heat map"
    by = f" by {attribution.method}" if attribution.method else ""
    ground = " over the photo" if piece.photo is not None else ""
    said = ", ".join(_evidence_facts(piece))
    where = _where(piece)
    at = f"; strongest in the {where}" if where and piece.mask is None else f"; around the {where}" if where else ""
    return f"{what} for {target.name!r} (score {number(target.score)}){by}{ground}: {said}{at}."


def _rounded(value: float, extent: Extent) -> str:
    """A value as a number with the digits that matter beside the largest one."""
    return number(value if abs(value) >= extent.largest / 1000 else 0.0)


def _is_mask(piece: Piece) -> bool:
    return piece.panel.evidence is piece.mask


def _share(piece: Piece) -> str:
    assert piece.mask is not None
    return f"{100 * piece.mask.area / (piece.mask.height * piece.mask.width):.3g} %"


def _where(piece: Piece) -> str:
    """In which ninth of the image the evidence peaks, in words; nothing if there is none."""
    height, width = piece.panel.height, piece.panel.width
    if piece.mask is not None:
        box = piece.mask.bbox
        if box is None:
            return ""
        y, x = (box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2
    elif (
        piece.extent is None
        or piece.values is None
        or piece.extent.high <= 0
        or piece.extent.nothing
        or piece.extent.flat
    ):
        return ""
    else:
        y, x = divmod(int(np.argmax(piece.values)), width)
    return _mark_words.where(x / width, y / height)
