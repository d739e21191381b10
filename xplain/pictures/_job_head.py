"""The head of the page of a job: how far it is, how often it was right, and links that filter its items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xplain.explanation import Results
from xplain.pictures import _said, job
from xplain.pictures._html import background, escaped, table
from xplain.pictures._job_counts import Counts
from xplain.pictures._job_entry import OTHERS

__all__ = ["classes", "head"]

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
    name = escaped(job.title(results))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}{_rules([kind for kind, *_ in filters])}</style>\n</head>\n<body>\n"
        f'<header id="top">\n<h1 dir="auto">{name}</h1>\n<p>{escaped(job.summary(results))}</p>\n'
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
    statuses = {name: count for name, count in job.statuses(results).items() if count}
    if not statuses:
        return
    parts = "".join(
        f'<span style="flex-grow: {count}; {background(job.STATUSES[name][0])}" title="{count:,} {name}"></span>'
        for name, count in statuses.items()
    )
    yield f'<div class="strip" role="img" aria-label="{escaped(job.summary(results))}">{parts}</div>\n'


#: Class of the items, group of the filter, what it says, how many there are, a swatch.
_Filter = tuple[str, str, str, int, str]


def _filters(results: Results, counts: Counts, own: Mapping[str, str]) -> Iterator[_Filter]:
    known = {status: sum(item.status == status for item in results.items) for status in job.STATUSES}
    for status, count in known.items():
        if count:
            yield f"s-{status}", "status", status, count, background(job.STATUSES[status][0])
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
        share = "" if found.accuracy is None else f", accuracy {job.percent(found.accuracy)}"
        yield f"<details open><summary>{found.good:,} right, {found.bad:,} wrong{share}</summary>\n"
        rows = [job.class_row(label, found) for label in list(found.per_label)[:_MOST_ROWS]]
        yield table("by true label", ("label", "known", "right", "wrong", "recall", "precision", "F1"), rows)
        if len(found.per_label) > _MOST_ROWS:
            yield f"<p>and {len(found.per_label) - _MOST_ROWS:,} more labels</p>\n"
        yield from _matrix(*job.cells_of(found))
        yield "</details>\n"
    for name, values in _said.metrics(results):
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
            said = f'{count:,} <span class="quiet">{job.percent(count / total)}</span>' if count else ""
            yield f"<td{style}>{said}</td>"
        yield "</tr>\n"
    yield "</tbody></table></div>\n"
