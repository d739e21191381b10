"""One item of a job as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from xplain.errors import XplainError
from xplain.explanation import Explanation, Item, Prediction, Span, Window
from xplain.explanation.outcomes import Outcome, choose, outcomes
from xplain.pictures import _job_thumb, _said
from xplain.pictures._html import escaped, table
from xplain.pictures._job_counts import Counts, is_wrong, labels
from xplain.pictures._job_photos import Photos
from xplain.pictures._job_text import snippet
from xplain.pictures.scale import number

__all__ = ["OTHERS", "entry"]

#: Class of items with labels that have no class of their own.
OTHERS = "lx"
_SAID, _LISTED = 4, 50  # predictions in sight, and in the list


def entry(index: int, item: Item, counts: Counts, classes: Mapping[str, str], photos: Photos) -> str:
    """Write an item: its name, a small picture, what was predicted, and how it stands.

    Parameters
    ----------
    index : int
        Its number, for links to it.
    item : Item
        What is shown.
    counts : Counts
        Of the whole job.
    classes : mapping of str to str
        CSS classes of labels, by which the page filters.
    photos : Photos
        Of the items.
    """
    explanation = item.explanation
    own = [] if explanation is None else [classes.get(label, OTHERS) for label in labels(explanation)]
    wrong = ["wrong"] if explanation is not None and is_wrong(explanation) else []
    kinds = " ".join(dict.fromkeys(["item", f"s-{item.status}", *wrong, *own]))
    return "".join(
        [
            f'<article id="i{index}" class="{kinds}">\n',
            f'<h3 dir="auto"><a href="#i{index}">{escaped(item.name) or "(no name)"}</a></h3>\n',
            *([] if explanation is None else _shown(item, explanation, counts, photos)),
            *([] if explanation is None else _predicted(explanation)),
            f'<p class="quiet">{escaped(_standing(item))}</p>\n',
            *([] if item.error is None else [f'<p class="error" dir="auto">{escaped(item.error)}</p>\n']),
            *([] if explanation is None else _all(explanation)),
            "</article>\n",
        ]
    )


def _standing(item: Item) -> str:
    times = [f"{name} {at}" for name in ("started", "updated", "ended") if (at := getattr(item, name)) is not None]
    return " · ".join([item.status, *([] if item.engine is None else [f"by {item.engine}"]), *times])


def _shown(item: Item, explanation: Explanation, counts: Counts, photos: Photos) -> Iterator[str]:
    """A picture or a text; where there can be none, why."""
    try:
        if explanation.source.kind == "text":
            text = snippet(explanation)
            if text:
                yield f'<p class="text" dir="auto">{text}</p>\n'
            return
        if explanation.source.kind == "signal":
            thumb = _job_thumb.of_signal(explanation, counts.colours)
        else:
            thumb = _image(item, explanation, photos)
    except XplainError as error:
        yield f'<p class="error">No picture: {escaped(str(error))}</p>\n'
        return
    if thumb is not None:
        yield (
            f'<figure><img src="{thumb.url}" width="{thumb.width}" height="{thumb.height}" loading="lazy" '
            f'decoding="async" alt="{escaped(f"{item.name}: {thumb.alt}")}">'
            f'<figcaption class="quiet" dir="auto">{escaped(thumb.caption)}</figcaption></figure>\n'
        )


def _image(item: Item, explanation: Explanation, photos: Photos) -> _job_thumb.Thumb | None:
    photo: npt.NDArray[np.uint8] | None = photos.of(item)
    return _job_thumb.of_image(explanation, photo)


def _predicted(explanation: Explanation) -> Iterator[str]:
    decided = outcomes(explanation)
    if any(one.region is not None for one in decided):
        yield _windows(decided)
    elif explanation.task in ("image-classification", "signal-classification"):
        yield from (_outcome(one, choose(explanation.predictions)) for one in decided)
    else:
        yield _found(explanation)


def _outcome(one: Outcome, chosen: Prediction | None) -> str:
    score = "" if chosen is None else _score(chosen)
    under = "" if chosen is None or chosen.name == one.predicted else f" for {chosen.name}"
    return f'<p><strong dir="auto">{escaped(one.predicted)}</strong> {escaped(score + under)}{_judged(one)}</p>\n'


def _judged(one: Outcome) -> str:
    if one.correct is None:
        return "" if one.expected is None else f' <span dir="auto">true: {escaped(one.expected)}</span>'
    if one.correct:
        return ' <span class="right">✓&nbsp;right</span>'
    true = "" if one.expected is None else f": {escaped(one.expected)} is true"
    return f' <span class="bad">✗&nbsp;wrong{true}</span>'


def _windows(decided: tuple[Outcome, ...]) -> str:
    times = Counter(one.predicted for one in decided).most_common()
    more = f", and {len(times) - _SAID} more labels" if len(times) > _SAID else ""
    said = ", ".join(f"<strong>{escaped(label)}</strong> {count:,}" for label, count in times[:_SAID])
    good, bad = (sum(one.correct is judged for one in decided) for judged in (True, False))
    right = f' <span class="right">✓&nbsp;{good:,} right</span>' if good else ""
    wrong = f' <span class="bad">✗&nbsp;{bad:,} wrong</span>' if bad else ""
    true = list(dict.fromkeys(one.expected for one in decided if one.expected is not None))
    truth = f' <span class="quiet">true: {escaped(", ".join(true[:_SAID]))}</span>' if true else ""
    return f"<p>{said}{more} of {len(decided):,} windows{right}{wrong}{truth}</p>\n"


def _found(explanation: Explanation) -> str:
    """What is found in an image or a text, by decreasing score; what does not reach its threshold last."""
    ranked = sorted(explanation.predictions, key=lambda p: (not _reaches(p), isinstance(p.region, Span), -p.score))
    said = ", ".join(_short(p) for p in ranked[:_SAID]) or "nothing found"
    more = f", and {len(ranked) - _SAID:,} more" if len(ranked) > _SAID else ""
    actual = Counter(label for label, _ in _said.truths(explanation))
    listed = ", ".join(f"{count} {label}" for label, count in actual.most_common(_SAID))
    truth = f' <span class="quiet" dir="auto">true: {escaped(listed)}</span>' if listed else ""
    return f"<p>{said}{more}{truth}</p>\n"


def _short(prediction: Prediction) -> str:
    name = f"<strong>{escaped(prediction.name)}</strong>" if _reaches(prediction) else escaped(prediction.name)
    return f"{name} {escaped(_score(prediction))}".strip()


def _reaches(prediction: Prediction) -> bool:
    return prediction.threshold is None or prediction.score >= prediction.threshold


def _score(prediction: Prediction) -> str:
    return "" if prediction.attributes.get("unscored") is True else number(prediction.score)


def _all(explanation: Explanation) -> Iterator[str]:
    """All predictions, folded."""
    found = explanation.predictions
    if len(found) < 2:
        return
    more = f"<p>and {len(found) - _LISTED:,} more</p>" if len(found) > _LISTED else ""
    limited = any(p.threshold is not None for p in found)
    windows = any(isinstance(p.region, Window) for p in found)
    header = ["label", "score", *(["threshold"] if limited else []), *(["from to, s"] if windows else [])]
    rows = [_row(p, limited, windows) for p in found[:_LISTED]]
    listed = table("predictions", header, rows)
    yield f"<details><summary>{len(found):,} predictions</summary>\n{listed}{more}</details>\n"


def _row(prediction: Prediction, limited: bool, windows: bool) -> list[str]:
    threshold = "" if prediction.threshold is None else number(prediction.threshold)
    region = prediction.region
    times = f"{region.start_ms / 1000:.4g} to {region.end_ms / 1000:.4g}" if isinstance(region, Window) else ""
    return [prediction.name, _score(prediction), *([threshold] if limited else []), *([times] if windows else [])]
