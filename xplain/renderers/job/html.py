"""The page of a job as HTML, in the pieces that `xplain.renderers.job.page` puts together: its head, and its items.

Filters work without script: each is a link to an element before the items, and while that is the target of the page's
address, a rule of the style sheet hides the items of other classes. Labels are other people's words, so their classes
are numbered (``l0``, ``l1``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xplain.errors import XplainError
from xplain.explanation import Explanation, Item, Prediction, Results, Span, Window
from xplain.explanation.notes import Notes, Table, all_remarks
from xplain.explanation.outcomes import Outcome, choose, outcomes
from xplain.renderers.canvas.html import background, escaped, table
from xplain.renderers.canvas.scale import number
from xplain.renderers.job import charts, thumbs
from xplain.renderers.job.counts import Counts, is_wrong, labels_of
from xplain.renderers.job.thumbs import Photos
from xplain.renderers.text.html import snippet

_OTHER_LABELS = "lx"  # class of items whose labels have none of their own
_MAX_LABELS = 80  # with a class and a filter of their own
_MAX_IN_SIGHT, _MAX_LISTED = 4, 50  # predictions of an item, in sight and in its folded list
# Opacity of a cell of the matrix with all of its row: letters stay readable, on light pages and on dark ones.
_FULL_CELL_OPACITY = 0.6
_TIMES = ("submitted", "started", "updated", "ended")
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


@dataclass(frozen=True, slots=True)
class _Filter:
    """A link that leaves the items of one class in sight.

    Parameters
    ----------
    css_class : str
        Of the items.
    group : {"status", "label"}
        Where the link is.
    text : str
        What it is called.
    count : int
        Number of the items.
    swatch : str
        Style of a swatch, or an empty string.
    """

    css_class: str
    group: str
    text: str
    count: int
    swatch: str = ""


def label_classes(counts: Counts) -> dict[str, str]:
    """Return the CSS classes of the most frequent labels."""
    return {label: f"l{i}" for i, label in enumerate(counts.labels) if i < _MAX_LABELS}


def head(results: Results, counts: Counts, classes: Mapping[str, str], tables: Sequence[Table]) -> Iterator[str]:
    """Write all that stands above the items; ``classes`` are those of labels, ``tables`` the job's own figures."""
    filters = list(_filters(results, counts, classes))
    name = escaped(charts.title(results))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}{_filter_rules(filters)}</style>\n</head>\n<body>\n"
        f'<header id="top">\n<h1 dir="auto">{name}</h1>\n<p>{escaped(charts.summary(results))}</p>\n'
    )
    if results.error is not None:
        yield f'<p class="error" dir="auto">The job failed: {escaped(results.error)}</p>\n'
    times = [f"{name} {getattr(results, name)}" for name in _TIMES if getattr(results, name) is not None]
    if times:
        yield f'<p class="quiet">{escaped(" · ".join(times))}</p>\n'
    yield from _strip(results)
    yield from _accuracy(counts, tables)
    yield "</header>\n"
    yield "".join(f'<span id="show-{each.css_class}"></span>\n' for each in filters)
    yield from _nav(filters)
    yield '<p class="quiet">The colours of each picture are on a scale of its own.'
    yield f"{' Along time, what is wrong or uncertain is hatched.' if counts.colours else ''}</p>\n"


def _filters(results: Results, counts: Counts, classes: Mapping[str, str]) -> Iterator[_Filter]:
    for status, (colour, _) in charts.STATUSES.items():
        count = sum(item.status == status for item in results.items)
        if count:
            yield _Filter(f"s-{status}", "status", status, count, background(colour))
    if counts.wrong:
        yield _Filter("wrong", "status", "wrong", counts.wrong)
    for label, css_class in classes.items():
        swatch = background(counts.colours[label]) if label in counts.colours else ""
        yield _Filter(css_class, "label", label, counts.labels[label], swatch)
    others = sum(count for label, count in counts.labels.items() if label not in classes)
    if others:
        text = f"{len(counts.labels) - len(classes):,} other labels"
        yield _Filter(_OTHER_LABELS, "label", text, others)


def _filter_rules(filters: Sequence[_Filter]) -> str:
    """Rules that hide the items of other classes, and mark the link that is followed."""
    if not filters:
        return ""
    names = [each.css_class for each in filters]
    hidden = ",\n".join(f"#show-{name}:target ~ main .item:not(.{name})" for name in names)
    followed = ",\n".join(f'#show-{name}:target ~ nav a[href="#show-{name}"]' for name in names)
    return f"{hidden} {{ display: none; }}\n{followed} {{ outline: 3px solid rgba(33, 102, 172, 0.9); }}\n"


def _nav(filters: Sequence[_Filter]) -> Iterator[str]:
    yield '<nav aria-label="filter">\n<ul><li><a href="#top">show all</a></li>\n'
    yield "".join(_link(each) for each in filters if each.group == "status")
    yield "</ul>\n"
    if of_labels := [each for each in filters if each.group == "label"]:
        yield f"<details open><summary>by label</summary>\n<ul>{''.join(map(_link, of_labels))}</ul></details>\n"
    yield "</nav>\n"


def _link(each: _Filter) -> str:
    swatch = f'<span class="swatch" style="{each.swatch}"></span> ' if each.swatch else ""
    text = f'{swatch}{escaped(each.text)} <span class="quiet">{each.count:,}</span>'
    return f'<li><a href="#show-{each.css_class}" dir="auto">{text}</a></li>\n'


def _strip(results: Results) -> Iterator[str]:
    """How many inputs have each status, as parts of a strip."""
    counts = {status: count for status, count in charts.status_counts(results).items() if count}
    if not counts:
        return
    parts = "".join(
        f'<span style="flex-grow: {count}; {background(charts.STATUSES[status][0])}" title="{count:,} {status}"></span>'
        for status, count in counts.items()
    )
    yield f'<div class="strip" role="img" aria-label="{escaped(charts.summary(results))}">{parts}</div>\n'


def _accuracy(counts: Counts, tables: Sequence[Table]) -> Iterator[str]:
    """Outcomes by label and the confusion matrix, where truths are known, and the job's own figures."""
    tally = counts.tally
    if tally.per_label:
        accuracy = "" if tally.accuracy is None else f", accuracy {charts.format_percent(tally.accuracy)}"
        yield f"<details open><summary>{tally.good:,} right, {tally.bad:,} wrong{accuracy}</summary>\n"
        rows = [charts.label_row(label, tally) for label in list(tally.per_label)[: charts.MAX_ROWS]]
        yield table("by true label", charts.LABEL_COLUMNS, rows)
        if len(tally.per_label) > charts.MAX_ROWS:
            yield f"<p>and {len(tally.per_label) - charts.MAX_ROWS:,} more labels</p>\n"
        yield from _matrix(*charts.confusion_matrix(tally))
        yield "</details>\n"
    for figures in tables:
        text = table(figures.title, charts.MEASURE_COLUMNS, charts.measure_rows(figures))
        yield f"<details><summary>{escaped(figures.title)}</summary>\n{text}</details>\n"


def _matrix(rows: list[str], columns: list[str], cells: list[list[int]]) -> Iterator[str]:
    """The confusion matrix; the more of a row is in a cell, the more opaque it is."""
    yield (
        '<div class="wide" tabindex="0" role="region" aria-label="confusion matrix"><table>'
        "<caption>confusion matrix: rows are true labels, columns predicted ones</caption>\n<thead><tr><td></td>"
    )
    yield "".join(f'<th scope="col" dir="auto">{escaped(name)}</th>' for name in columns) + "</tr></thead>\n<tbody>\n"
    for name, row in zip(rows, cells, strict=True):
        total = sum(row) or 1
        yield f'<tr><th scope="row" dir="auto">{escaped(name)}</th>'
        yield "".join(_cell(count, count / total) for count in row)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"


def _cell(count: int, share: float) -> str:
    if not count:
        return "<td></td>"
    ground = background(charts.FULL_CELL, round(_FULL_CELL_OPACITY * share, 3))
    return f'<td style="{ground}">{count:,} <span class="quiet">{charts.format_percent(share)}</span></td>'


def entry(index: int, item: Item, notes: Notes, counts: Counts, classes: Mapping[str, str], photos: Photos) -> str:
    """Write an item: its name, a small picture, what was predicted, and its status.

    Parameters
    ----------
    index : int
        Its number, for links to it.
    item : Item
        What is written.
    notes : Notes
        Of its explanation.
    counts : Counts
        Of the whole job.
    classes : mapping of str to str
        CSS classes of labels, by which the page filters.
    photos : Photos
        Of the items.
    """
    explanation = item.explanation
    css_classes = ["item", f"s-{item.status}"]
    decided: tuple[Outcome, ...] = ()
    if explanation is not None:
        decided = outcomes(explanation, notes)
        css_classes += ["wrong"] if is_wrong(decided) else []
        css_classes += [classes.get(label, _OTHER_LABELS) for label in labels_of(explanation, decided, notes)]
    return "".join(
        [
            f'<article id="i{index}" class="{" ".join(dict.fromkeys(css_classes))}">\n',
            f'<h3 dir="auto"><a href="#i{index}">{escaped(item.name) or "(no name)"}</a></h3>\n',
            *([] if explanation is None else _picture(item, explanation, notes, counts, photos)),
            *([] if explanation is None else _decision(explanation, decided, notes)),
            *([] if explanation is None else map(_remark, all_remarks(explanation))),
            f'<p class="quiet">{escaped(_status(item))}</p>\n',
            *([] if item.error is None else [f'<p class="error" dir="auto">{escaped(item.error)}</p>\n']),
            *([] if explanation is None else _all_predictions(explanation, notes)),
            "</article>\n",
        ]
    )


def _remark(remark: str) -> str:
    return f'<p class="quiet" dir="auto">{escaped(remark)}</p>\n'


def _status(item: Item) -> str:
    engine = [] if item.engine is None else [f"by {item.engine}"]
    times = [f"{name} {time}" for name in ("started", "updated", "ended") if (time := getattr(item, name)) is not None]
    return " · ".join([item.status, *engine, *times])


def _picture(item: Item, explanation: Explanation, notes: Notes, counts: Counts, photos: Photos) -> Iterator[str]:
    """A small picture, or the beginning of a text; why there is none, if it cannot be drawn."""
    try:
        if explanation.source.kind == "text":
            text = snippet(explanation, notes)
            if text:
                yield f'<p class="text" dir="auto">{text}</p>\n'
            return
        if explanation.source.kind == "signal":
            thumb = thumbs.of_signal(explanation, notes, counts.colours)
        else:
            photo: npt.NDArray[np.uint8] | None = photos.of(item)
            thumb = thumbs.of_image(explanation, notes, photo)
    except XplainError as error:
        yield f'<p class="error">No picture: {escaped(str(error))}</p>\n'
        return
    if thumb is not None:
        yield (
            f'<figure><img src="{thumb.url}" width="{thumb.width}" height="{thumb.height}" loading="lazy" '
            f'decoding="async" alt="{escaped(f"{item.name}: {thumb.alt}")}">'
            f'<figcaption class="quiet" dir="auto">{escaped(thumb.caption)}</figcaption></figure>\n'
        )


def _decision(explanation: Explanation, decided: Sequence[Outcome], notes: Notes) -> Iterator[str]:
    """What was decided for the windows or for the whole input, or what was found in it, and whether that is right."""
    if any(outcome.region is not None for outcome in decided):
        yield _windows(decided)
    elif explanation.task in ("image-classification", "signal-classification"):
        best = choose(explanation.predictions, notes.of)
        score = "" if best is None else _score(best, notes)
        yield from (_outcome(outcome, best, score) for outcome in decided)
    else:
        yield _findings(explanation, notes)


def _outcome(outcome: Outcome, best: Prediction | None, score: str) -> str:
    """The decision for the whole input, the best prediction's score, and whether that is right."""
    label = "" if best is None or best.name == outcome.predicted else f" for {best.name}"
    return (
        f'<p><strong dir="auto">{escaped(outcome.predicted)}</strong> {escaped(score + label)}'
        f"{_judgement(outcome)}</p>\n"
    )


def _judgement(outcome: Outcome) -> str:
    if outcome.correct is None:
        return "" if outcome.expected is None else f' <span dir="auto">true: {escaped(outcome.expected)}</span>'
    if outcome.correct:
        return ' <span class="right">✓&nbsp;right</span>'
    truth = "" if outcome.expected is None else f": {escaped(outcome.expected)} is true"
    return f' <span class="bad">✗&nbsp;wrong{truth}</span>'


def _windows(decided: Sequence[Outcome]) -> str:
    """The most frequent decisions for the windows, and how many are right."""
    times = Counter(outcome.predicted for outcome in decided).most_common()
    listed = ", ".join(f"<strong>{escaped(label)}</strong> {count:,}" for label, count in times[:_MAX_IN_SIGHT])
    more = f", and {len(times) - _MAX_IN_SIGHT} more labels" if len(times) > _MAX_IN_SIGHT else ""
    good = sum(outcome.correct is True for outcome in decided)
    bad = sum(outcome.correct is False for outcome in decided)
    right = f' <span class="right">✓&nbsp;{good:,} right</span>' if good else ""
    wrong = f' <span class="bad">✗&nbsp;{bad:,} wrong</span>' if bad else ""
    truths = list(dict.fromkeys(outcome.expected for outcome in decided if outcome.expected is not None))
    truth = f' <span class="quiet">true: {escaped(", ".join(truths[:_MAX_IN_SIGHT]))}</span>' if truths else ""
    return f"<p>{listed}{more} of {len(decided):,} windows{right}{wrong}{truth}</p>\n"


def _findings(explanation: Explanation, notes: Notes) -> str:
    """What is found in an image or a text: predictions that reach their thresholds first, spans after labels."""
    ranked = sorted(explanation.predictions, key=lambda p: (not _reaches(p), isinstance(p.region, Span), -p.score))
    listed = ", ".join(_name_and_score(p, notes) for p in ranked[:_MAX_IN_SIGHT]) or "nothing found"
    more = f", and {len(ranked) - _MAX_IN_SIGHT:,} more" if len(ranked) > _MAX_IN_SIGHT else ""
    times = Counter(truth.label for truth in notes.truths).most_common(_MAX_IN_SIGHT)
    truths = ", ".join(f"{count} {label}" for label, count in times)
    truth = f' <span class="quiet" dir="auto">true: {escaped(truths)}</span>' if truths else ""
    return f"<p>{listed}{more}{truth}</p>\n"


def _name_and_score(prediction: Prediction, notes: Notes) -> str:
    name = f"<strong>{escaped(prediction.name)}</strong>" if _reaches(prediction) else escaped(prediction.name)
    return f"{name} {escaped(_score(prediction, notes))}".strip()


def _reaches(prediction: Prediction) -> bool:
    return prediction.threshold is None or prediction.score >= prediction.threshold


def _score(prediction: Prediction, notes: Notes) -> str:
    return "" if notes.of(prediction).unscored else number(prediction.score)


def _all_predictions(explanation: Explanation, notes: Notes) -> Iterator[str]:
    """A folded list of all predictions, if there are several."""
    predictions = explanation.predictions
    if len(predictions) < 2:
        return
    has_thresholds = any(p.threshold is not None for p in predictions)
    has_windows = any(isinstance(p.region, Window) for p in predictions)
    header = ["label", "score", *(["threshold"] if has_thresholds else []), *(["from to, s"] if has_windows else [])]
    rows = [_row(p, _score(p, notes), has_thresholds, has_windows) for p in predictions[:_MAX_LISTED]]
    more = f"<p>and {len(predictions) - _MAX_LISTED:,} more</p>" if len(predictions) > _MAX_LISTED else ""
    yield (
        f"<details><summary>{len(predictions):,} predictions</summary>\n"
        f"{table('predictions', header, rows)}{more}</details>\n"
    )


def _row(prediction: Prediction, score: str, has_thresholds: bool, has_windows: bool) -> list[str]:
    row = [prediction.name, score]
    if has_thresholds:
        row.append("" if prediction.threshold is None else number(prediction.threshold))
    if has_windows:
        region = prediction.region
        times = f"{region.start_ms / 1000:.4g} to {region.end_ms / 1000:.4g}" if isinstance(region, Window) else ""
        row.append(times)
    return row
