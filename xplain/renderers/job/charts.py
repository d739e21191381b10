"""A job as a whole, drawn: how far it is, how often it was right, and which labels were taken for which.

The page of a job writes the same in HTML, so words and numbers of both come from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Item, Results
from xplain.explanation.characters import one_line
from xplain.explanation.notes import NotesOf, Table, no_notes
from xplain.explanation.outcomes import UNCERTAIN, Tally, outcomes, tally
from xplain.renderers.canvas.colours import COLOURS, OTHERS, Colour
from xplain.renderers.canvas.page import MARGIN, SIZE, WIDTH, Page, Segment
from xplain.renderers.canvas.picture import Picture
from xplain.renderers.canvas.scale import format_measure
from xplain.renderers.canvas.typography import INK, LINE, PAPER, QUIET, readable_on

#: Kinds of picture of a job and what they show.
KINDS = {
    "progress": "how many inputs are successful, failed, running and waiting, and why those that failed did",
    "accuracy": "how often what was predicted is right, in all and for each label, and what the job says of the model",
    "matrix": "how often each label was taken for each other: counts and shares, rows are what is true",
}
_BLUE, _GREEN, _RED = COLOURS[0], COLOURS[2], COLOURS[4]
#: Statuses of items: their colours, and whether these are hatched.
STATUSES: dict[str, tuple[Colour, bool]] = {
    "successful": (_GREEN, False),
    "failed": (_RED, True),
    "running": (_BLUE, False),
    "waiting": (OTHERS, False),
}
#: Headings of the columns of `label_row`.
LABEL_COLUMNS = ("label", "known", "right", "wrong", "recall", "precision", "F1")
#: Headings of the columns of `measure_rows`.
MEASURE_COLUMNS = ("metric", "value")
#: Colour of a cell of the confusion matrix that has all of its row.
FULL_CELL: Colour = (33, 102, 172)
#: Rows and columns of the confusion matrix.
MAX_LABELS = 18
#: Rows of a table.
MAX_ROWS = 100
_MAX_FAILED = 40
_OTHER_LABELS = "other labels"
_CELL_WIDTH = (30.0, 120.0)  # pixels, at least and at most
_CELL_HEIGHT = 2.9  # heights of text: a count above a share


def draw(results: Results, kind: str, font: str | None = None, notes_of: NotesOf = no_notes) -> Picture:
    """Draw a job as a whole.

    Parameters
    ----------
    results : Results
        The job.
    kind : str
        One of `KINDS`.
    font : str, optional
        A TrueType or OpenType file.
    notes_of : callable
        Gives the notes of the job and of its explanations.

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
        words = _draw_progress(page, results)
    else:
        counts = tally_of(results, notes_of)
        tables = notes_of(results).tables if kind == "accuracy" else ()
        if not counts.per_label and not tables:
            raise InputError("results must know the true label of an input to be judged, got none that does")
        words = _draw_accuracy(page, results, counts, tables) if kind == "accuracy" else _draw_matrix(page, counts)
    return Picture(page.pixels(), f"{title(results)}: {words}")


def judging_kinds(results: Results, notes_of: NotesOf) -> tuple[str, ...]:
    """The kinds of picture that show how good a job's model is, as far as that is known."""
    if tally_of(results, notes_of).per_label:
        return ("accuracy", "matrix")
    return ("accuracy",) if notes_of(results).tables else ()


def title(results: Results) -> str:
    """Name of a job."""
    return f"Job {one_line(results.job)}" if results.job.strip() else "A job without a name"


def summary(results: Results) -> str:
    """How far a job is, in words."""
    counts = [(count, status) for status, count in status_counts(results).items() if count]
    if not counts:
        return "no inputs"
    (count, status), *others = counts
    first = f"{count:,} of {results.total:,} input{'' if results.total == 1 else 's'} {status}"
    words = ", ".join([first, *(f"{count:,} {status}" for count, status in others)])
    return words if results.finished else f"{words}; not finished"


def status_counts(results: Results) -> dict[str, int]:
    """How many inputs have each status; those of which nothing is known are waiting."""
    counts = {status: sum(item.status == status for item in results.items) for status in STATUSES}
    counts["waiting"] += results.total - len(results.items)
    return counts


def tally_of(results: Results, notes_of: NotesOf) -> Tally:
    """Count the outcomes of all items."""
    explanations = [item.explanation for item in results.items if item.explanation is not None]
    return tally([outcome for each in explanations for outcome in outcomes(each, notes_of(each))])


def label_row(label: str, counts: Tally) -> tuple[str, ...]:
    """Name and figures of a label, see `LABEL_COLUMNS`; a dash where there is nothing to divide by."""
    good, bad = counts.per_label[label]
    known = sum(counts.confusion[label].values())
    hits = counts.confusion[label].get(label, 0)
    predicted = sum(row.get(label, 0) for row in counts.confusion.values())
    recall = hits / known if known else None
    precision = hits / predicted if predicted else None
    f1 = 2 * hits / (known + predicted) if known + predicted else None
    shares = (format_percent(share) if share is not None else "–" for share in (recall, precision, f1))
    return (label, f"{known:,}", f"{good:,}", f"{bad:,}", *shares)


def measure_rows(table: Table) -> list[tuple[str, str]]:
    """Names and values of the first figures of a table, see `MEASURE_COLUMNS`."""
    return [(measure.name, format_measure(measure)) for measure in table.measures[:MAX_ROWS]]


def format_percent(share: float) -> str:
    """Write a share of 0 to 1 as a percentage."""
    return f"{100 * share:.1f} %"


def confusion_matrix(counts: Tally) -> tuple[list[str], list[str], list[list[int]]]:
    """Names of rows and columns, and counts; the least frequent of too many labels become one."""
    times = {label: sum(counts.confusion.get(label, {}).values()) for label in counts.labels}
    for row in counts.confusion.values():
        for label, count in row.items():
            times[label] = times.get(label, 0) + count
    times.pop(UNCERTAIN, None)
    frequent = sorted(times, key=lambda label: -times[label])
    if len(frequent) > MAX_LABELS:
        frequent = frequent[: MAX_LABELS - 1]
    labels = sorted(frequent)
    others = [_OTHER_LABELS] if len(times) > len(labels) else []
    uncertain = [UNCERTAIN] if any(UNCERTAIN in row for row in counts.confusion.values()) else []
    columns = [*labels, *others, *uncertain]
    rows = [label for label in (*labels, *others) if label in counts.confusion or label in others]
    cells = [[0] * len(columns) for _ in rows]
    for actual, row in counts.confusion.items():
        i = rows.index(actual) if actual in rows else len(rows) - 1
        for predicted, count in row.items():
            cells[i][columns.index(predicted if predicted in columns else _OTHER_LABELS)] += count
    return rows, columns, cells


# What follows draws on a page, and returns the same in words.


def _draw_progress(page: Page, results: Results) -> str:
    page.heading(title(results))
    times = [
        f"{name} {time}" for name in ("submitted", "started", "updated", "ended") if (time := getattr(results, name))
    ]
    page.line(" · ".join(["finished" if results.finished else "not finished", *times]))
    words = summary(results)
    if results.error is not None:
        page.line(f"The job failed: {results.error}", colour=INK)
        words += f". The job failed: {results.error}"
    if results.total:
        page.stacked_bar(
            [Segment(status, count, *STATUSES[status]) for status, count in status_counts(results).items()]
        )
    failed = [item for item in results.items if item.status == "failed"]
    if failed:
        words += f". Failed: {_draw_failures(page, failed)}"
    return f"{words}."


def _draw_failures(page: Page, failed: Sequence[Item]) -> str:
    page.heading("Failed", 1.1)
    for item in failed[:_MAX_FAILED]:
        page.line(f"{item.name}: {item.error}", colour=INK)
    more = len(failed) - _MAX_FAILED
    if more > 0:
        page.line(f"and {more:,} more")
    listed = ", ".join(f"{item.name} ({item.error})" for item in failed[:_MAX_FAILED])
    return listed + (f" and {more} more" if more > 0 else "")


def _draw_accuracy(page: Page, results: Results, counts: Tally, tables: Sequence[Table]) -> str:
    page.heading(title(results))
    sentences = [_draw_labels(page, counts)] if counts.per_label else []
    for table in tables:
        rows = measure_rows(table)
        page.heading(table.title, 1.1)
        page.table(MEASURE_COLUMNS, rows)
        sentences.append(f"{table.title}: {', '.join(' '.join(row) for row in rows[:MAX_LABELS])}.")
    return " ".join(sentences)


def _draw_labels(page: Page, counts: Tally) -> str:
    """Right and wrong outcomes, in all and by label."""
    overall = f"{counts.good:,} right, {counts.bad:,} wrong"
    if counts.accuracy is not None:
        overall += f": accuracy {format_percent(counts.accuracy)}"
    page.line(overall, colour=INK)
    page.stacked_bar(
        [
            Segment("right", counts.good, *STATUSES["successful"]),
            Segment("wrong", counts.bad, *STATUSES["failed"]),
        ]
    )
    page.space()
    rows = [label_row(label, counts) for label in counts.per_label]
    page.table(LABEL_COLUMNS, rows[:MAX_ROWS])
    if len(rows) > MAX_ROWS:
        page.line(f"and {len(rows) - MAX_ROWS:,} more labels")
    page.line("known: how often it is the true label; recall: share of these that is predicted as it")
    listed = "; ".join(f"{row[0]}: recall {row[4]}, precision {row[5]}" for row in rows[:MAX_LABELS])
    return f"{overall}. {listed}."


def _draw_matrix(page: Page, counts: Tally) -> str:
    rows, columns, cells = confusion_matrix(counts)
    page.heading("What is true, and what was predicted")
    page.line("rows: true label, columns: predicted label; counts and shares of the row")
    canvas = page.sheet
    left = MARGIN + min(max(canvas.width_of(name) for name in rows) + 3.5 * SIZE, 0.3 * WIDTH)
    width = min(max((WIDTH - MARGIN - left) / len(columns), _CELL_WIDTH[0]), _CELL_WIDTH[1])
    # Names that are too wide for their columns give way to numbers, which stand before the names of rows.
    named = all(canvas.width_of(name, 0.85) <= width - 6 for name in columns)
    page.space()
    page.y += 1.3 * SIZE
    for j, name in enumerate(columns):
        text = name if named else str(j + 1)
        middle = left + (j + 0.5) * width
        canvas.text((middle, page.y - 4), text, room=width - 4, scale=0.85, colour=QUIET, anchor="ms")
    for i, name in enumerate(rows):
        top, total = page.y + i * _CELL_HEIGHT * SIZE, sum(cells[i]) or 1
        text = name if named else f"{columns.index(name) + 1} · {name}"
        canvas.text((left - 0.6 * SIZE, top + 1.75 * SIZE), text, room=left - MARGIN - SIZE, anchor="rs")
        for j, count in enumerate(cells[i]):
            _draw_cell(page, left + j * width, top, width, count, count / total, diagonal=name == columns[j])
    page.y += len(rows) * _CELL_HEIGHT * SIZE + 0.4 * SIZE
    without_row = [f"{j + 1} · {name}" for j, name in enumerate(columns) if name not in rows]
    if without_row and not named:
        page.line(f"columns: {', '.join(without_row)}")
    return f"confusion matrix, true label: predicted labels. {_matrix_in_words(rows, columns, cells)}."


def _draw_cell(page: Page, x: float, y: float, width: float, count: int, share: float, *, diagonal: bool) -> None:
    red, green, blue = (round(p + (s - p) * share) for p, s in zip(PAPER, FULL_CELL, strict=True))
    ground = (red, green, blue)
    page.sheet.box(x, y, x + width, y + _CELL_HEIGHT * SIZE, ground, INK if diagonal else LINE)
    if count:
        ink, middle = readable_on(ground), x + width / 2
        page.sheet.text((middle, y + 1.3 * SIZE), f"{count:,}", room=width - 4, colour=ink, anchor="ms")
        text = f"{100 * share:.0f} %" if width < 3.5 * SIZE else format_percent(share)
        page.sheet.text((middle, y + 2.35 * SIZE), text, room=width - 4, scale=0.75, colour=ink, anchor="ms")


def _matrix_in_words(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[int]]) -> str:
    return "; ".join(
        f"{name}: "
        + ", ".join(
            f"{column} {count} ({format_percent(count / sum(row))})"
            for column, count in zip(columns, row, strict=True)
            if count
        )
        for name, row in zip(rows, cells, strict=True)
        if any(row)
    )
