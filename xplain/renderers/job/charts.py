"""Jobs as pictures: how far they are, how often they are right, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Item, Results
from xplain.explanation.characters import one_line
from xplain.explanation.outcomes import UNCERTAIN, Tally, outcomes, tally
from xplain.renderers import notes
from xplain.renderers.canvas.colours import COLOURS, OTHERS, Colour
from xplain.renderers.canvas.page import MARGIN, SIZE, WIDTH, Page, Segment
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, readable_on

#: Kinds of picture of a job and what they show.
KINDS = {
    "progress": "how many inputs are successful, failed, running and waiting, and why those that failed did",
    "accuracy": "how often what was predicted is right, in all and for each label, and what the job says of the model",
    "matrix": "how often each label was taken for each other: counts and shares, rows are what is true",
}
_BLUE, _GREEN, _RED = COLOURS[0], COLOURS[2], COLOURS[4]
STATUSES: dict[str, tuple[Colour, bool]] = {
    "successful": (_GREEN, False),
    "failed": (_RED, True),
    "running": (_BLUE, False),
    "waiting": (OTHERS, False),
}
_MOST_FAILED, _MOST_LABELS, _MOST_ROWS = 40, 18, 100
_MORE = "other labels"
_CELL = (30.0, 120.0)  # width of a column of the matrix in pixels, at least and at most
_TALL = 2.9  # height of its rows in heights of text
_STRONG: Colour = (33, 102, 172)


def draw(results: Results, kind: str, font: str | None = None) -> Picture:
    """Draw a job as a whole.

    Parameters
    ----------
    results : Results
        The job.
    kind : str
        One of `KINDS`.
    font : str, optional
        A TrueType or OpenType file.

    Returns
    -------
    Picture
        960 pixels wide.

    Raises
    ------
    InputError
        If accuracy is asked for and of no input the true label is known.
    UnknownNameError
        If there is no such kind.

    Examples
    --------
    >>> draw(Results("nightly", [Item("a.png", "waiting"), Item("b.png", "failed", error="no image")]), "progress").alt
    'Job nightly: 1 of 2 inputs failed, 1 waiting; not finished. Failed: b.png (no image).'
    """
    _check.known("kind", kind, KINDS)
    page = Page(font)
    if kind == "progress":
        said = _progress(page, results)
    else:
        counts = _tally(results)
        figures = notes.metrics(results) if kind == "accuracy" else []
        if not counts.per_label and not figures:
            raise InputError("results must know the true label of an input to be judged, got none that does")
        said = _accuracy(page, results, counts, figures) if kind == "accuracy" else _matrix(page, counts)
    return Picture(page.pixels(), f"{title(results)}: {said}")


def title(results: Results) -> str:
    """What a job is called."""
    return f"Job {one_line(results.job)}" if results.job.strip() else "A job without a name"


def judging(results: Results) -> tuple[str, ...]:
    """The kinds of picture that say how good a job's model is, as far as that is known."""
    if _tally(results).per_label:
        return ("accuracy", "matrix")
    return ("accuracy",) if notes.metrics(results) else ()


def summary(results: Results) -> str:
    """How far a job is, in words."""
    parts = [f"{count:,} {name}" for name, count in statuses(results).items() if count]
    if not parts:
        return "no inputs"
    first, *others = parts
    count, _, name = first.partition(" ")
    said = ", ".join([f"{count} of {results.total:,} input{'' if results.total == 1 else 's'} {name}", *others])
    return said if results.finished else f"{said}; not finished"


def statuses(results: Results) -> dict[str, int]:
    """How many inputs have each status; those of which nothing is known are waiting."""
    counts = {status: sum(item.status == status for item in results.items) for status in STATUSES}
    counts["waiting"] += results.total - len(results.items)
    return counts


def _tally(results: Results) -> Tally:
    return tally([one for item in results.items if item.explanation for one in outcomes(item.explanation)])


def _progress(page: Page, results: Results) -> str:
    page.heading(title(results))
    times = ("submitted", "started", "updated", "ended")
    known = [f"{name} {getattr(results, name)}" for name in times if getattr(results, name)]
    page.line(" · ".join(["finished" if results.finished else "not finished", *known]))
    said = summary(results)
    if results.error is not None:
        page.line(f"The job failed: {results.error}", colour=INK)
        said += f". The job failed: {results.error}"
    if results.total:
        page.stacked_bar([Segment(name, count, *STATUSES[name]) for name, count in statuses(results).items()])
    failed = [item for item in results.items if item.status == "failed"]
    if failed:
        said += f". Failed: {_failures(page, failed)}"
    return f"{said}."


def _failures(page: Page, failed: Sequence[Item]) -> str:
    page.heading("Failed", 1.1)
    for item in failed[:_MOST_FAILED]:
        page.line(f"{item.name}: {item.error}", colour=INK)
    more = len(failed) - _MOST_FAILED
    if more > 0:
        page.line(f"and {more:,} more")
    listed = ", ".join(f"{item.name} ({item.error})" for item in failed[:_MOST_FAILED])
    return listed + (f" and {more} more" if more > 0 else "")


def _accuracy(
    page: Page, results: Results, counts: Tally, figures: Sequence[tuple[str, Sequence[tuple[str, str]]]]
) -> str:
    page.heading(title(results))
    said = []
    if counts.per_label:
        accuracy = counts.accuracy
        overall = f"{counts.good:,} right, {counts.bad:,} wrong"
        if accuracy is not None:
            overall += f": accuracy {percent(accuracy)}"
        page.line(overall, colour=INK)
        page.stacked_bar(
            [
                Segment("right", counts.good, *STATUSES["successful"]),
                Segment("wrong", counts.bad, *STATUSES["failed"]),
            ]
        )
        page.space()
        rows = [class_row(label, counts) for label in counts.per_label]
        page.table(("label", "known", "right", "wrong", "recall", "precision", "F1"), rows[:_MOST_ROWS])
        if len(rows) > _MOST_ROWS:
            page.line(f"and {len(rows) - _MOST_ROWS:,} more labels")
        page.line("known: how often it is the true label; recall: share of these that is predicted as it")
        listed = "; ".join(f"{row[0]}: recall {row[4]}, precision {row[5]}" for row in rows[:_MOST_LABELS])
        said.append(f"{overall}. {listed}.")
    for name, values in figures:
        page.heading(name, 1.1)
        page.table(("metric", "value"), values[:_MOST_ROWS])
        said.append(f"{name}: {', '.join(f'{key} {value}' for key, value in values[:_MOST_LABELS])}.")
    return " ".join(said)


def class_row(label: str, counts: Tally) -> tuple[str, ...]:
    """Name and figures of a label; a dash where there is nothing to divide by."""
    good, bad = counts.per_label[label]
    known = sum(counts.confusion[label].values())
    hits = counts.confusion[label].get(label, 0)
    predicted = sum(row.get(label, 0) for row in counts.confusion.values())
    recall = hits / known if known else None
    precision = hits / predicted if predicted else None
    f1 = 2 * hits / (known + predicted) if known + predicted else None
    shares = (percent(share) if share is not None else "–" for share in (recall, precision, f1))
    return (label, f"{known:,}", f"{good:,}", f"{bad:,}", *shares)


def percent(share: float) -> str:
    """Write a share of 0 to 1 as a percentage."""
    return f"{100 * share:.1f} %"


def _matrix(page: Page, counts: Tally) -> str:
    rows, columns, cells = cells_of(counts)
    page.heading("What is true, and what was predicted")
    page.line("rows: true label, columns: predicted label; counts and shares of the row")
    sheet = page.sheet
    left = MARGIN + min(max(sheet.width_of(name) for name in rows) + 3.5 * SIZE, 0.3 * WIDTH)
    across = min(max((WIDTH - MARGIN - left) / len(columns), _CELL[0]), _CELL[1])
    short = all(sheet.width_of(name, 0.85) <= across - 6 for name in columns)
    page.space()
    page.y += 1.3 * SIZE
    for j, name in enumerate(columns):
        text = name if short else str(j + 1)
        middle = left + (j + 0.5) * across
        sheet.text((middle, page.y - 4), text, room=across - 4, scale=0.85, colour=QUIET, anchor="ms")
    for i, name in enumerate(rows):
        top, total = page.y + i * _TALL * SIZE, sum(cells[i]) or 1
        text = name if short else f"{columns.index(name) + 1} · {name}"
        sheet.text((left - 0.6 * SIZE, top + 1.75 * SIZE), text, room=left - MARGIN - SIZE, anchor="rs")
        for j, count in enumerate(cells[i]):
            _cell(page, left + j * across, top, across, count, count / total, own=name == columns[j])
    page.y += len(rows) * _TALL * SIZE + 0.4 * SIZE
    unlisted = [f"{j + 1} · {name}" for j, name in enumerate(columns) if name not in rows]
    if unlisted and not short:
        page.line(f"columns: {', '.join(unlisted)}")
    said = [
        f"{name}: " + ", ".join(f"{columns[j]} {count} ({percent(count / (sum(row) or 1))})" for j, count in found)
        for name, row in zip(rows, cells, strict=True)
        if (found := [(j, count) for j, count in enumerate(row) if count])
    ]
    return f"confusion matrix, true label: predicted labels. {'; '.join(said)}."


def _cell(page: Page, x: float, y: float, width: float, count: int, share: float, own: bool) -> None:
    red, green, blue = (round(p + (s - p) * share) for p, s in zip(PAPER, _STRONG, strict=True))
    ground = (red, green, blue)
    bottom = y + _TALL * SIZE
    page.sheet.box(x, y, x + width, bottom, ground, INK if own else LINE)
    if count:
        ink, middle = readable_on(ground), x + width / 2
        page.sheet.text((middle, y + 1.3 * SIZE), f"{count:,}", room=width - 4, colour=ink, anchor="ms")
        text = f"{100 * share:.0f} %" if width < 3.5 * SIZE else percent(share)
        page.sheet.text((middle, y + 2.35 * SIZE), text, room=width - 4, scale=0.75, colour=ink, anchor="ms")


def cells_of(counts: Tally) -> tuple[list[str], list[str], list[list[int]]]:
    """Names of rows and columns, and counts; labels that are too many become one."""
    times = {label: sum(counts.confusion.get(label, {}).values()) for label in counts.labels}
    for row in counts.confusion.values():
        for label, count in row.items():
            times[label] = times.get(label, 0) + count
    times.pop(UNCERTAIN, None)
    labels = sorted(times, key=lambda label: -times[label])
    if len(labels) > _MOST_LABELS:
        labels = labels[: _MOST_LABELS - 1]
    kept = [label for label in sorted(times) if label in set(labels)]
    more = [_MORE] if len(times) > len(kept) else []
    columns = [*kept, *more, *([UNCERTAIN] if any(UNCERTAIN in row for row in counts.confusion.values()) else [])]
    rows = [label for label in (*kept, *more) if label in counts.confusion or label in more]
    cells = [[0] * len(columns) for _ in rows]
    for actual, row in counts.confusion.items():
        i = rows.index(actual) if actual in rows else len(rows) - 1
        for predicted, count in row.items():
            cells[i][columns.index(predicted) if predicted in columns else columns.index(_MORE)] += count
    return rows, columns, cells
