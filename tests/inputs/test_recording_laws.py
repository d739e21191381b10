"""Whatever numbers are in a table, and however it is written: it is read as it was written, or refused."""

import csv
import io
from contextlib import suppress

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support import examples
from xplain import InputError, XplainError
from xplain.inputs import signals

TITLES = ["x", "accY (g)", "gyro, z", "Kanal 3", "II", "aVR"]
FORMATS = ["{:.0f}", "{:.1f}", "{:.2f}", "{:.3f}", "{:g}", "{:.6e}", "{!r}"]


@st.composite
def tables(draw):
    """Draw a table: its text, what it holds, and whether it has titles."""
    width, rows = draw(st.integers(1, 4)), draw(st.integers(1, 30))
    number = st.floats(-1e5, 1e5, allow_nan=False, width=32)
    form = draw(st.sampled_from(FORMATS))
    cells = [[form.format(draw(number)) for _ in range(width)] for _ in range(rows)]
    values = np.array([[float(cell) for cell in row] for row in cells])
    separator, decimal = draw(st.sampled_from([",.", ";.", ";,", "\t.", "\t,", "|.", " .", " ,", ",,"]))
    written = [[cell.replace(".", decimal) for cell in row] for row in cells]
    has_titles = draw(st.booleans())
    # The comma in the only title is one between two, unless it stands in quotes.
    titles = draw(st.permutations(TITLES))[:width] if width > 1 else ["x"]
    # An empty cell before spaces is no cell.
    leads = ["", "index", "time"] + ["unnamed"] * (separator != " ")
    lead = draw(st.sampled_from(leads)) if has_titles else ""
    if lead:
        heading = {"index": "index", "unnamed": "", "time": "time (ms)"}[lead]
        step = 20 if lead == "time" else 1
        titles = [heading, *titles]
        written = [[str(step * i), *row] for i, row in enumerate(written)]
    file = io.StringIO()
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerows([titles] * has_titles + written)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
    return file.getvalue().encode(encoding), values.astype(np.float32).T, tuple(titles[bool(lead) :]) * has_titles


def read_unless(data, *reasons, **options):
    """Return what was read; None if it was refused for one of the reasons."""
    try:
        return signals.load(data, rate_hz=50, **options)
    except InputError as error:
        if not any(reason in str(error) for reason in reasons):
            raise
        return None


@examples()
@given(tables())
def test_a_table_is_read_as_it_was_written_or_refused(table):
    data, values, titles = table
    # It cannot be told: marks of decimals or thousands, commas without titles, whether a first column is a clock.
    found = read_unless(data, "must be written in one way", "must say whether its")
    if found is None:
        return
    assert found.values.shape == values.shape
    assert np.array_equal(found.values, values)
    assert (found.axes or ()) == titles


@examples()
@given(tables(), st.data())
def test_a_table_is_read_as_it_was_written_where_the_axes_are_named(table, data):
    text, values, titles = table
    if not titles:
        return
    order = data.draw(st.permutations(range(len(titles))))
    found = read_unless(text, "must be written in one way", axes=[titles[i] for i in order])
    assert found is None or np.array_equal(found.values, values[order])


PIECES = st.sampled_from(
    [*"0123456789.,;:|\t \n\r\"'#-+eE%", "x", "time", "1.5", "0,5", "nan", "10:00", "\ufeff", "\0", "é", "2024-05-01"]
)


@examples()
@given(st.lists(PIECES, max_size=60).map("".join), st.sampled_from([None, ["x"], ["x", "y"]]))
def test_any_text_is_read_or_refused(text, axes):
    for encoding in ("utf-8", "utf-16-le"):
        try:
            values = signals.load(text.encode(encoding), axes=axes, rate_hz=50).values
        except XplainError:
            continue
        assert values.size
        assert np.isfinite(values).all()


@examples()
@given(
    st.sampled_from(
        [b"", b"\x93NUMPY\1\0", b"RIFF\0\0\0\0WAVEfmt ", b"PK\3\4", b"{", b"[", b"\x1f\x8b", b"\xa3iprotected"]
    ),
    st.binary(max_size=200),
)
def test_any_bytes_are_read_or_refused(start, rest):
    with suppress(XplainError):
        assert np.isfinite(signals.load(start + rest, rate_hz=50).values).all()
