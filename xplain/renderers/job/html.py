"""The head of the page of a job: how far it is, how often it was right, and links that filter its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from xplain.errors import XplainError
from xplain.explanation import Explanation, Item, Prediction, Results, Span, Window
from xplain.explanation.outcomes import Outcome, choose, outcomes
from xplain.renderers import notes
from xplain.renderers.canvas.html import background, escaped, table
from xplain.renderers.canvas.scale import number
from xplain.renderers.job import charts as job_charts
from xplain.renderers.job import thumbs
from xplain.renderers.job.counts import Counts, is_wrong, labels
from xplain.renderers.job.thumbs import Photos
from xplain.renderers.text.html import snippet

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
            thumb = thumbs.of_signal(explanation, counts.colours)
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


def _image(item: Item, explanation: Explanation, photos: Photos) -> thumbs.Thumb | None:
    photo: npt.NDArray[np.uint8] | None = photos.of(item)
    return thumbs.of_image(explanation, photo)


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
    actual = Counter(label for label, _ in notes.truths(explanation))
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


_MOST_LABELS = 80  # with a link of their own
_MOST_ROWS = 100
_FULL = 0.6  # opacity of a cell of the matrix with all of its row: letters stay readable, in the light and in the dark
_BLUE = (33, 102, 172)
_STYLE = """
:root { color-scheme: light dark; --line: rgba(128, 128, 128, 0.35); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1em; max-width: 90em; }
h1, h3, p { overflow-wrap: anywhere; }
h1 { margin: 0.2em 0; }
a { color: inherit; }
a:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 3px solid rgba(33, 102, 172, 0.9); }
.quiet { opacity: 0.75; font-size: 0.85em; }
.error { border-left: 4px solid rgba(213, 94, 0, 0.9); padding-left: 0.6em; }
.right { white-space: nowrap; border-bottom: 2px solid rgba(0, 158, 115, 0.9); }
.bad { border-bottom: 2px solid rgba(213, 94, 0, 0.9); }
.strip { display: flex; height: 1.6em; gap: 1px; border-radius: 4px; overflow: hidden; margin: 0.8em 0; }
.strip span { min-width: 3px; }
.swatch { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 2px; vertical-align: -0.05em; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4em; padding: 0; margin: 0.5em 0; }
nav a { display: inline-block; border: 1px solid var(--line); border-radius: 1em; padding: 0.1em 0.8em; \
text-decoration: none; }
nav a:hover { text-decoration: underline; }
summary { cursor: pointer; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; margin: 0.5em 0; font-size: 0.9em; }
caption { text-align: left; opacity: 0.75; }
th, td { padding: 0.15em 0.6em; border: 1px solid var(--line); text-align: right; max-width: 20em; \
overflow-wrap: break-word; }
th[scope="row"] { text-align: left; }
th { font-weight: 600; }
td { white-space: nowrap; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18em, 100%), 1fr)); gap: 1em; \
align-items: start; margin-top: 1em; }
.item { border: 1px solid var(--line); border-radius: 6px; padding: 0.6em 0.8em; min-width: 0; }
.item:target { outline: 3px solid rgba(33, 102, 172, 0.9); }
.item h3 { font-size: 1em; margin: 0 0 0.4em; }
.item p { margin: 0.3em 0; }
.item figure { margin: 0; }
.item img { max-width: 100%; height: auto; display: block; border-radius: 3px; }
.item .text { white-space: pre-wrap; border: 1px solid var(--line); border-radius: 4px; padding: 0.3em 0.6em; }
"""
_TIMES = ("submitted", "started", "updated", "ended")


def classes(counts: Counts) -> dict[str, str]:
    """Return the CSS classes of labels: the most frequent ones have their own, and nobody else chooses their names."""
    return {label: f"l{i}" for i, label in enumerate(counts.labels) if i < _MOST_LABELS}


def head(results: Results, counts: Counts, own: Mapping[str, str]) -> Iterator[str]:
    """Write all that stands above the items."""
    filters = list(_filters(results, counts, own))
    name = escaped(job_charts.title(results))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}{_rules([kind for kind, *_ in filters])}</style>\n</head>\n<body>\n"
        f'<header id="top">\n<h1 dir="auto">{name}</h1>\n<p>{escaped(job_charts.summary(results))}</p>\n'
    )
    if results.error is not None:
        yield f'<p class="error" dir="auto">The job failed: {escaped(results.error)}</p>\n'
    times = [f"{at} {getattr(results, at)}" for at in _TIMES if getattr(results, at) is not None]
    if times:
        yield f'<p class="quiet">{escaped(" · ".join(times))}</p>\n'
    yield from _strip(results)
    yield from _accuracy(results, counts)
    yield "</header>\n"
    yield "".join(f'<span id="show-{kind}"></span>\n' for kind, *_ in filters)
    yield from _nav(filters)
    yield '<p class="quiet">The colours of each picture are on a scale of its own.'
    yield f"{' Along time, what is wrong or uncertain is hatched.' if counts.colours else ''}</p>\n"


def _rules(kinds: list[str]) -> str:
    """A link to ``#show-KIND`` hides the items of other kinds: a filter without script."""
    hidden = ",\n".join(f"#show-{kind}:target ~ main .item:not(.{kind})" for kind in kinds)
    chosen = ",\n".join(f'#show-{kind}:target ~ nav a[href="#show-{kind}"]' for kind in kinds)
    if not kinds:
        return ""
    return f"{hidden} {{ display: none; }}\n{chosen} {{ outline: 3px solid rgba(33, 102, 172, 0.9); }}\n"


def _strip(results: Results) -> Iterator[str]:
    statuses = {name: count for name, count in job_charts.statuses(results).items() if count}
    if not statuses:
        return
    parts = "".join(
        f'<span style="flex-grow: {count}; {background(job_charts.STATUSES[name][0])}" title="{count:,} {name}"></span>'
        for name, count in statuses.items()
    )
    yield f'<div class="strip" role="img" aria-label="{escaped(job_charts.summary(results))}">{parts}</div>\n'


#: Class of the items, group of the filter, what it says, how many there are, a swatch.
_Filter = tuple[str, str, str, int, str]


def _filters(results: Results, counts: Counts, own: Mapping[str, str]) -> Iterator[_Filter]:
    known = {status: sum(item.status == status for item in results.items) for status in job_charts.STATUSES}
    for status, count in known.items():
        if count:
            yield f"s-{status}", "status", status, count, background(job_charts.STATUSES[status][0])
    if counts.wrong:
        yield "wrong", "status", "wrong", counts.wrong, ""
    for label, kind in own.items():
        colour = counts.colours.get(label)
        yield kind, "label", label, counts.labels[label], "" if colour is None else background(colour)
    others = sum(count for label, count in counts.labels.items() if label not in own)
    if others:
        yield OTHERS, "label", f"{len(counts.labels) - len(own):,} other labels", others, ""


def _nav(filters: list[_Filter]) -> Iterator[str]:
    yield '<nav aria-label="filter">\n<ul><li><a href="#top">show all</a></li>\n'
    yield "".join(map(_link, (one for one in filters if one[1] == "status")))
    yield "</ul>\n"
    if named := [one for one in filters if one[1] == "label"]:
        yield f"<details open><summary>by label</summary>\n<ul>{''.join(map(_link, named))}</ul></details>\n"
    yield "</nav>\n"


def _link(one: _Filter) -> str:
    kind, _, said, count, colour = one
    swatch = f'<span class="swatch" style="{colour}"></span> ' if colour else ""
    shown = f'{swatch}{escaped(said)} <span class="quiet">{count:,}</span>'
    return f'<li><a href="#show-{kind}" dir="auto">{shown}</a></li>\n'


def _accuracy(results: Results, counts: Counts) -> Iterator[str]:
    found = counts.tally
    if found.per_label:
        share = "" if found.accuracy is None else f", accuracy {job_charts.percent(found.accuracy)}"
        yield f"<details open><summary>{found.good:,} right, {found.bad:,} wrong{share}</summary>\n"
        rows = [job_charts.class_row(label, found) for label in list(found.per_label)[:_MOST_ROWS]]
        yield table("by true label", ("label", "known", "right", "wrong", "recall", "precision", "F1"), rows)
        if len(found.per_label) > _MOST_ROWS:
            yield f"<p>and {len(found.per_label) - _MOST_ROWS:,} more labels</p>\n"
        yield from _matrix(*job_charts.cells_of(found))
        yield "</details>\n"
    for name, values in notes.metrics(results):
        rows = [tuple(row) for row in values[:_MOST_ROWS]]
        yield f"<details><summary>{escaped(name)}</summary>\n{table(name, ('metric', 'value'), rows)}</details>\n"


def _matrix(rows: list[str], columns: list[str], cells: list[list[int]]) -> Iterator[str]:
    """The confusion matrix; the more of a row is in a cell, the more opaque it is."""
    yield (
        '<div class="wide" tabindex="0" role="region" aria-label="confusion matrix"><table>'
        "<caption>confusion matrix: rows are true labels, columns predicted ones</caption>\n<thead><tr><td></td>"
    )
    yield "".join(f'<th scope="col" dir="auto">{escaped(name)}</th>' for name in columns) + "</tr></thead>\n<tbody>\n"
    for name, counted in zip(rows, cells, strict=True):
        total = sum(counted) or 1
        yield f'<tr><th scope="row" dir="auto">{escaped(name)}</th>'
        for count in counted:
            style = f' style="{background(_BLUE, round(_FULL * count / total, 3))}"' if count else ""
            said = f'{count:,} <span class="quiet">{job_charts.percent(count / total)}</span>' if count else ""
            yield f"<td{style}>{said}</td>"
        yield "</tr>\n"
    yield "</tbody></table></div>\n"
