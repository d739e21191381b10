"""Tables as text, as the world writes them: any separator, decimal points or commas, with titles or without.

`csv.Sniffer` of the standard library guesses the separator from how often characters occur: of tables with decimal
commas it often takes these. Here every way to write a table is tried on the first rows, and one is taken only if by it
all rows are as long as their titles, and a column holds numbers. A table that can be read in two ways is refused, or
what was taken is said.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xplain.errors import InputError
from xplain.inputs.recordings import clock
from xplain.inputs.recordings.numerals import STYLES, Numerals
from xplain.inputs.recordings.table import KINDS, Column, Readings, Wanted, choose, named_axes

_SEPARATORS = (",", ";", "\t", "|", " ")
_COMMENTS = ("#", "%", "//")
_AROUND = " \t\r\n\u00a0'"  # cells: white space, and the quotes of those who write 'MLII'
_FEW = 8  # rows that tell little
_SAMPLE = 64  # rows on which ways to read are tried
_SAMPLE_SIZE = 1 << 16  # characters of these; titles, units and two rows are read however long they are
_LEAST = 4
_MAX_COLUMNS = 1 << 14  # as spreadsheets have; a recording of more axes lies on its side
_MAX_LINE = 1 << 18
#: What looks like a number in some style, or like several.
_NUMBER_LIKE = re.compile(r"[-+\u2212]?[.,]?\d[\d.,;|'’ \teE+\u2212\u00a0\u2009\u202f-]*")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(slots=True)
class _Lines:
    """Lines of a text without comments and empty ones; knows the number of the last one, and the comment above."""

    text: str
    name: str
    number: int = 0
    comment: str = ""

    def __iter__(self) -> Iterator[str]:
        is_begun = False
        for number, line in enumerate(io.StringIO(self.text, newline=None), start=1):
            self.number = number
            if len(line) > _MAX_LINE:
                raise InputError(
                    f"{self.name} must be a table with a row for each reading, got {len(line)} characters in row "
                    f"{self.number}; transpose it if it lies on its side"
                )
            bare = line.strip()
            if bare.startswith(_COMMENTS):
                self.comment = self.comment if is_begun else bare.lstrip("#%/").strip()
            elif bare:
                is_begun = True
                yield line


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to read a table: its separator, how numbers are written, and what the first rows are."""

    separator: str
    numerals: Numerals
    titles: tuple[str, ...] | None
    units: tuple[str, ...]
    width: int
    kinds: tuple[str, ...]
    heading: int
    notes: tuple[str, ...] = ()


def read(data: bytes, wanted: Wanted) -> Readings:
    """Read a table as text: CSV, as spreadsheets, loggers and libraries write it.

    Parameters
    ----------
    data : bytes
        UTF-8, UTF-16 or UTF-32; what is none of these is read as Windows-1252, in which digits are the same.
    wanted : Wanted
        The axes that a model names.

    Raises
    ------
    InputError
        If it is no table, or one that can be read in more than one way.
    """
    text = _decoded(data, wanted.name)
    directive = re.match(r'\s*"?sep=(.)"?[ \t]*(?:\r\n|\r|\n)', text)
    separators: Sequence[str] = _SEPARATORS
    if directive:
        separators = (directive[1],)
        text = "\n" + text[directive.end() :]  # rows keep their numbers
    sample = _Lines(text, wanted.name)
    lines: list[str] = []
    for line in sample:
        lines.append(line)
        if len(lines) > _SAMPLE or (len(lines) > _LEAST and sum(map(len, lines)) > _SAMPLE_SIZE):
            break
    if not lines:
        raise InputError(f"{wanted.name} must be a .csv file with a row for each reading, got none")
    refusal: InputError | None = None
    rows_by = {separator: _sampled(lines, separator) for separator in separators}
    # Columns of texts that look like numbers are taken for texts only if there is no way to read them as numbers.
    for is_strict, numerals, separator in itertools.product((True, False), STYLES, separators):
        try:
            way = _way(rows_by[separator], lines[0], separator, numerals, sample.comment, wanted)
            if way is None or is_strict == ("odd" in way.kinds):
                continue
            return _read(text, way, wanted)
        except _Unreadable as error:
            refusal = refusal or error.refusal
            if error.is_length:  # however numbers are written
                rows_by[separator] = []
    raise refusal or _no_way(lines, separators, wanted)


class _Unreadable(Exception):
    """Raised where a table cannot be read in one way; another may do."""

    def __init__(self, refusal: InputError, *, is_length: bool = False) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.is_length = is_length


def _decoded(data: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    if not encoding:
        nulls = data[:1000:2].count(0), data[1:1000:2].count(0)
        if max(nulls) > len(data[:1000]) // 4:
            encoding = "utf-16-be" if nulls[0] > nulls[1] else "utf-16-le"
    for each in (encoding,) if encoding else ("utf-8", "cp1252"):
        try:
            text = data.decode(each)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(f"{name} must be {KINDS}, got bytes of something else: {data[:16]!r}")


def _rows(lines: Iterator[str] | Sequence[str], separator: str) -> Iterator[list[str]]:
    for row in csv.reader(lines, delimiter=separator, skipinitialspace=True):
        yield [cell.strip(_AROUND) for cell in row]


def _cut(row: list[str], width: int) -> list[str]:
    """Return a row without the empty cells that separators at its end make."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    return row


def _sampled(lines: list[str], separator: str) -> list[list[str]]:
    """Return the first rows with a separator, without empty ones at the end; none if they cannot be read with it."""
    if lines[0].count(separator) >= _MAX_COLUMNS:
        return []
    try:
        rows = list(_rows(lines, separator))
    except csv.Error:
        return []
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


def _way(
    rows: list[list[str]], first_line: str, separator: str, numerals: Numerals, comment: str, wanted: Wanted
) -> _Way | None:
    """Return how the first rows are read with a separator and numbers written in one style; None if they are not."""
    if not rows or not rows[0]:
        return None
    heading, titles, units = _heading(rows, numerals)
    body = rows[heading:]
    if titles is not None:
        titles = _cut(titles, 1)
        width = len(titles)
    else:
        width = len(_cut(rows[0], 1)) if all(row[-1] == "" for row in body) else len(rows[0])
        commented = _cut(next(_rows([comment], separator), []), width) if comment else []
        if len(commented) == width and not any(map(numerals.is_value, commented)):
            titles = commented
    body = [_cut(row, width) for row in body]
    if not body or any(len(row) != width for row in body):
        return None
    if width == 1 and titles and not first_line.lstrip().startswith('"') and re.search(r"[,;\t|]", titles[0]):
        return None  # the titles are separated, and so are the rows to be
    kinds = tuple(_kind([row[i] for row in body], numerals) for i in range(width))
    if not any(kind == "number" and any(row[i] for row in body) for i, kind in enumerate(kinds)):
        return None
    way = _Way(separator, numerals, tuple(titles) if titles else None, tuple(units), width, kinds, heading)
    return _settled(way, body, wanted)


def _heading(rows: list[list[str]], numerals: Numerals) -> tuple[int, list[str] | None, list[str]]:
    """Return how many of the first rows hold titles and units, the titles and the units."""
    first, body = rows[0], rows[1:]
    is_value = [numerals.is_value(cell) for cell in first]
    texts = [i for i, known in enumerate(is_value) if not known and first[i]]
    if any(_NUMBER_LIKE.fullmatch(first[i]) for i in texts):
        return 0, None, []
    below = body[0] if body else []
    is_title = any((i < len(below) and numerals.is_value(below[i])) or i >= len(below) for i in texts)
    if not texts and body:
        # Columns that have no names are numbered by those who write the others: 0,1,2, or ,0,1,2 beside an index.
        start = 1 if first[0] == "" else 0
        numbered = [str(i) for i in range(len(first) - start)]
        decimal = any(cell and not cell.lstrip("+-").isdigit() for row in body for cell in row[start:])
        is_title = len(first) > 1 and first[start:] == numbered and (start == 1 or decimal)
    elif any(known and not first[i].isdigit() for i, known in enumerate(is_value)):
        is_title = False  # beside readings a text is no title
    if not is_title:
        # A single row of titles over rows of titles alone, or of texts alone: units.
        second = rows[2] if len(rows) > 2 else []
        is_units = bool(texts) and len(texts) == sum(map(bool, first)) and bool(below)
        is_units = is_units and not any(map(numerals.is_value, below)) and any(map(numerals.is_value, second))
        is_units = is_units and not any(cell[:1].isdigit() for cell in below)
        return (2, first, below) if is_units else (0, None, [])
    return 1, first, []


def _kind(cells: list[str], numerals: Numerals) -> str:
    if all(numerals.is_number(cell) for cell in cells):
        return "number"
    if clock.of_texts(cells) is not None:
        return "time"
    return "odd" if any(map(_NUMBER_LIKE.fullmatch, cells)) else "text"


def _settled(way: _Way, body: list[list[str]], wanted: Wanted) -> _Way | None:
    """Return a way to read, with a note where it is only the likely one; raise where that cannot be told."""
    if "odd" in way.kinds:
        return way  # another is better, if there is one
    cells = [cell for row in body for cell, kind in zip(row, way.kinds, strict=True) if kind == "number"]
    if way.separator == way.numerals.decimal and not any("," in cell for cell in cells):
        return None  # cells with decimal commas between commas stand in quotes
    if doubt := way.numerals.doubtful(cells, way.separator if way.width > 1 else ""):
        raise InputError(f"{wanted.name} must be written in one way, got {doubt}; write 1234 or 1.234")
    if way.separator != "," or way.numerals.decimal != "." or way.titles is not None or way.width == 1:
        return way
    count = len(wanted.axes) if wanted.axes is not None else wanted.count
    doubt = _commas(body)
    if doubt == "columns" or count == way.width:
        return way
    if way.width == 2 and (count == 1 or (count is None and doubt == "decimals")):
        return None  # one column of decimal commas
    rows = f"rows such as {','.join(body[0])!r}"
    refusal = InputError(
        f"{wanted.name} must say whether its commas are decimal or between columns, got {rows} and no titles; add a "
        "row of titles, such as 'x' or 'x,y', or name the axes"
    )
    if doubt == "decimals":
        raise _Unreadable(refusal)
    if doubt and count is None and way.width == 2:
        raise refusal
    if way.width == 2 and count is None:
        notes = (f"{rows} were read as two axes of whole numbers, not as decimal commas",)
        return replace(way, notes=notes)
    return way


def _commas(body: list[list[str]]) -> str:
    """Say what the commas between whole numbers are: "columns", "decimals", "either", or "" for most likely columns."""
    # Nobody writes whole numbers as 05, or as 25e+00.
    if any(re.match(r"[+-]?(?:0\d|\d\d+[eE])", cell) for row in body for cell in row):
        return "decimals"
    seconds = [row[1] for row in body]
    firsts = [cell for row in body for cell in (row[0], *row[2:])]
    if not all(re.fullmatch(r"[+-]?\d+", cell) for cell in firsts):
        return "columns"
    if not all(re.fullmatch(r"\d+(?:[eE][+-]?\d+)?", cell) for cell in seconds):
        return "columns"
    # Who writes 2,10 for 2.1 writes two decimals in each row.
    if len(set(map(len, seconds))) > 1 and any(len(cell) > 1 and cell[-1] == "0" for cell in seconds):
        return "columns"
    # A few rows with one decimal, none of which is below 1, are seldom.
    is_short = len(body) < _FEW and all(len(second) == 1 and first.lstrip("+-") != "0" for first, second, *_ in body)
    return "" if is_short else "either"


def _read(text: str, way: _Way, wanted: Wanted) -> Readings:
    """Read a whole table in one way."""
    named = named_axes(way.titles or (), wanted)
    is_kept = [
        named is None or i in named or kind == "time" or clock.is_clock(way.titles[i] if way.titles else "")
        for i, kind in enumerate(way.kinds)
    ]
    numeric = [i for i in range(way.width) if is_kept[i] and way.kinds[i] == "number"]
    texts: dict[int, list[str]] = {i: [] for i in range(way.width) if is_kept[i] and way.kinds[i] != "number"}
    numbers = array("d")  # row by row
    lines, rows = _Lines(text, wanted.name), array("q")
    empty = 0  # rows without a cell, which are the end of some tables
    try:
        for count, row in enumerate(_rows(iter(lines), way.separator)):
            if count < way.heading:
                continue
            if not any(row):
                empty = empty or lines.number
                continue
            if len(row) != way.width and len(row := _cut(row, way.width)) != way.width:
                raise _Unreadable(_wrong_row(row, way, lines.number, wanted), is_length=True)
            if empty:
                raise _Unreadable(_wrong_row([""] * way.width, way, empty, wanted))
            values = way.numerals.parse_all([row[i] for i in numeric] if len(numeric) < way.width else row)
            if values is None:
                raise _Unreadable(_wrong_row(row, way, lines.number, wanted))
            numbers.extend(values)
            for i, cells in texts.items():
                cells.append(row[i])
            rows.append(lines.number)
    except csv.Error as error:
        raise _Unreadable(
            InputError(f"{wanted.name} must be a table, got row {lines.number} that cannot be read: {error}")
        ) from error
    matrix = np.frombuffer(numbers).reshape(len(rows), len(numeric))
    columns = [
        Column(
            way.titles[i] if way.titles else None,
            matrix[:, numeric.index(i)] if i in numeric else None,
            texts.get(i),
            way.units[i] if i < len(way.units) else "",
        )
        for i in range(way.width)
    ]
    return choose(columns, wanted, rows, way.notes)


def _wrong_row(row: list[str], way: _Way, number: int, wanted: Wanted) -> InputError:
    line = way.separator.join(row)[:60]
    return InputError(
        f"{wanted.name} must be a .csv file with {way.width} cells in each row, numbers with decimal "
        f"{'points' if way.numerals.decimal == '.' else 'commas'}, got {line!r} in row {number}"
    )


def _no_way(lines: list[str], separators: Sequence[str], wanted: Wanted) -> InputError:
    """Return what is wrong with the first rows, by the separator that the first row has most of."""
    separator = max(separators, key=lines[0].count)
    if lines[0].count(separator) >= _MAX_COLUMNS:
        return InputError(
            f"{wanted.name} must have a row for each reading, got {lines[0].count(separator) + 1} cells in the first; "
            "transpose it if it lies on its side"
        )
    try:
        rows = list(_rows(lines, separator))
    except csv.Error as error:
        return InputError(f"{wanted.name} must be a table, got rows that cannot be read: {error}")
    width = len(rows[0])
    wrong = next((i for i, row in enumerate(rows) if len(_cut(row, width)) != width), None)
    if wrong is None:
        line = lines[min(1, len(lines) - 1)].strip()[:60]
        return InputError(
            f"{wanted.name} must be a .csv file with a column of numbers, got {line!r}; separate them by one of "
            "comma, semicolon, tab, | or spaces"
        )
    return InputError(
        f"{wanted.name} must be a .csv file with {width} numbers in each row, got {lines[wrong].strip()[:60]!r} in row "
        f"{wrong + 1}; give each column a title and each row as many cells, and begin lines "
        "above the titles with #"
    )
