"""Tables as the world writes them are read right, or refused with what to say."""

import tracemalloc

import numpy as np
import pytest

from tests.support import refuses
from xplain import InputError
from xplain.inputs import signals


def read(text, **options):
    data = text.encode() if isinstance(text, str) else text
    return signals.load(data, **{"rate_hz": 50} | options)


def values(text, **options):
    return read(text, **options).values.tolist()


HALVES = [[0.5, 0.25], [1.5, -2.75]]


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n0.5,1.5\n0.25,-2.75\n",
        "x;y\n0,5;1,5\n0,25;-2,75\n",
        "x;y\n0.5;1.5\n0.25;-2.75\n",
        "x\ty\n0,5\t1,5\n0,25\t-2,75\n",
        "x|y\n0,5|1,5\n0,25|-2,75\n",
        "x y\n0.5    1.5\n  0.25 -2.75 \n",
        "x y\n0,5 1,5\n0,25 -2,75\n",
        'x,y\n"0,5","1,5"\n"0,25","-2,75"\n',
        '"x" ; "y"\n"0,5" ; "1,5"\n"0,25" ; "-2,75"\n',
        "x,y,\n0.5,1.5,\n0.25,-2.75,\n",
        "x;y\n0,5;1,5;\n0,25;-2,75;\n",
        "sep=;\nx;y\n0,5;1,5\n0,25;-2,75\n",
        "# made by a logger\n# x;y\n0,5;1,5\n\n0,25;-2,75\n# the end\n",
        "x;y\n0,5;1,5\n0,25;\u22122,75\n;\n;\n",
        "x,y\n(g),(g)\n.5,1.50\n25e-2,-2.75E0\n",
        "x,y\r0.5,1.5\r0.25,-2.75\r",
        "\ufeffx,y\r\n0.5,1.5\r\n\r\n0.25,-2.75",
        "x;y\n0,5;1,5\n0,25;-2,75\n".encode("utf-16"),
        "x;y\n0,5;1,5\n0,25;-2,75\n".encode("utf-16-le"),
        "x;y\n0,5;1,5\n0,25;-2,75\n".encode("utf-16-be"),
        "x;y\n0,5;1,5\n0,25;-2,75\n".encode("utf-32"),
    ],
)
def test_every_way_to_write_a_table_gives_the_same_readings(text):
    recording = read(text)
    assert recording.values.tolist() == HALVES
    assert recording.axes == ("x", "y")
    assert recording.notes == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x\n0,5\n1,5\n", [[0.5, 1.5]]),
        ("0,05\n1,25\n", [[np.float32(0.05), 1.25]]),
        ("0,5;1\n1,5;2\n", [[0.5, 1.5], [1, 2]]),
        ("1;2\n3;4\n", [[1, 3], [2, 4]]),
        ("x;y\n1.234,5;2\n-3;4\n", [[1234.5, -3], [2, 4]]),
        ('x,y\n"1,234.5",2\n"1,234,567",3\n', [[1234.5, 1234567], [2, 3]]),
        ("x;y\n1\u00a0234,5;1'000\n2;4\n", [[1234.5, 2], [1000, 4]]),
        ("x;y\n1 234,5;2\n", [[1234.5], [2]]),
        ("0.5,0.75\n1,2\n", [[0.5, 1], [0.75, 2]]),
    ],
)
def test_decimals_and_thousands(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize("text", ["x\n1,234\n2,345\n", "x\ty\n1,234\t5\n", 'x,y\n"1,234","2"\n', "x;y\n1.234;5.678\n"])
def test_a_mark_that_may_be_of_decimals_or_of_thousands_is_refused(text):
    with refuses(InputError, "must be written in one way, got numbers as '1", "write 1234 or 1.234"):
        read(text)


def test_one_number_below_one_tells_decimals_from_thousands():
    assert values("x\n1,234\n0,981\n") == [[np.float32(1.234), np.float32(0.981)]]
    assert values("x;y\n1.234;0.5\n") == [[np.float32(1.234)], [0.5]]


def test_commas_without_titles_are_columns_only_where_that_can_be_told():
    assert values("0,5\n1,25\n", count=1) == [[0.5, 1.25]]
    assert values("0,5\n1,25\n", count=2) == values("0,5\n1,25\n", axes=["x", "y"]) == [[0, 1], [5, 25]]
    with refuses(InputError, "must say whether its commas are decimal or between columns, got rows such as '0,5'"):
        read("0,5\n1,25\n")
    for text in ("-20,7\n13,8\n" * 20, "0,5,1,05\n"):
        with refuses(InputError, "must say whether its commas are decimal or between columns"):
            read(text)
    assert values("10,5\n20,150\n") == values("10,5\n20,150\n", count=2) == [[10, 20], [5, 150]]
    assert values("10,5\n20,-15\n") == [[10, 20], [5, -15]]
    assert values("0,5,7\n3,15,8\n") == [[0, 3], [5, 15], [7, 8]]
    assert read("1,5\n2,6\n").notes == (
        "rows such as '1,5' were read as two axes of whole numbers, not as decimal commas",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2,3\n4,5,6", "with 2 numbers in each row, got '1,2,3' in row 2"),
        ("x,y,z\n1,2\n4,5\n", "with 3 numbers in each row, got '1,2' in row 2"),
        ("x,y\n" + "1,2\n" * 200 + "3\n", "with 2 cells in each row, numbers with decimal points, got '3' in row 202"),
        ("x;y\n" + "1;0,5\n" * 200 + "3;abc\n", "got 'abc' in row 202 of the column 'y'"),
        ("t,x\n0,0,5\n1,0,7\n", "with 2 numbers in each row, got '0,0,5' in row 2"),
        ("x,y\n1,2\n,\n3,4\n", "got ',' in row 3"),
        (
            "x,y\n1,\n2,3\n",
            "must be finite, got 1 readings that are missing, NaN or beyond float32, the first in row 2 of 'y'",
        ),
        (
            "x,y\n1,2\n\n#\n2,NA\n-,inf\n",
            "got 3 readings that are missing, NaN or beyond float32, the first in row 6 of 'x'",
        ),
        ("x,y\n1.0,2.0 g\n", "got '2.0 g' in row 2 of the column 'y'"),
        ("x,y\n1,True\n", "got 'True' in row 2 of the column 'y'"),
        ("1.0,abc\n2.0,3.0\n", "got 'abc' in row 1 of the column without a title"),
        ("walk,1,2\nrun,3,4\n", "got 'walk' in row 1 of the column without a title"),
        ('x,y\n"1,2\n3,4\n', "with 2 numbers in each row"),
        ("a review, of a film\nreally\n", "numbers in each row, got 'really' in row 2"),
        ("x,y\n", "must be a .csv file with a column of numbers, got 'x,y'"),
        ("", "must be a .csv file with a row for each reading, got none"),
        (b"\0\1\2" * 30, "a file: .csv, .npy, .npz, .wav, .json, got bytes of something else"),
    ],
)
def test_tables_that_hold_something_else_are_refused_by_their_row(text, message):
    with refuses(InputError, message):
        read(text)


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        (",x,y\n0,1,2\n1,3,9\n", ("x", "y")),
        ("Unnamed: 0,x,y\n0,1,2\n1,3,9\n", ("x", "y")),
        ("id;x;y\n1;1;2\n2;3;9\n", ("x", "y")),
        ("sample number,x,y\n17,1,2\n18,3,9\n", ("x", "y")),
        ("#,x,y\n1,1,2\n2,3,9\n", ("x", "y")),
        (",0,1\n0,1,2\n1,3,9\n", ("0", "1")),
        ("sample,reading\n1,1\n3,3\n3,9\n", ("sample", "reading")),
    ],
)
def test_a_column_that_counts_the_rows_is_no_axis(text, axes):
    recording = read(text)
    assert recording.axes == axes
    assert recording.values[:, -2:].tolist() == (
        [[1, 3], [2, 9]] if len(recording.values[0]) == 2 else [[3, 3], [3, 9]]
    )


@pytest.mark.parametrize(
    ("text", "axes", "expected"),
    [
        ("'sample #','MLII','V5'\n0,995,1011\n1,990,1009\n", ("MLII", "V5"), [[995, 990], [1011, 1009]]),
        ("'Elapsed time','MLII'\n'hh:mm:ss.mmm','mV'\n'0:00.00',0.5\n'0:00.02',1.5\n", ("MLII",), [[0.5, 1.5]]),
        ('"Time (s)"\t"Acc x (m/s^2)"\n0,0E0\t5,0E-1\n2,0E-2\t2,5E-1\n', ("Acc x (m/s^2)",), [[0.5, 0.25]]),
        ("Date;Time;x\n01.05.2024;10:00:00,00;0,5\n01.05.2024;10:00:00,02;0,75\n", ("x",), [[0.5, 0.75]]),
        ("time,gFx,TgF,\n0.006,0.5,1.0,\n0.026,0.75,1.0,\n", ("gFx", "TgF"), [[0.5, 0.75], [1, 1]]),
        ("Zeit;Kraft (N);T (°C)\n0,00;0,5;20,5\n0,02;0,75;20,5\n", ("Kraft (N)", "T (°C)"), [[0.5, 0.75], [20.5] * 2]),
        ("seconds_elapsed,z,y\n0.0,1,2\n0.02,3,4\n", ("z", "y"), [[1, 3], [2, 4]]),
        ("timestamp,accX,accY\n0,1,2\n20,3,4\n", ("accX", "accY"), [[1, 3], [2, 4]]),
    ],
)
def test_what_recorders_and_their_programs_write(text, axes, expected):
    recording = read(text)
    assert (recording.axes, recording.values.tolist(), recording.notes) == (axes, expected, ())


def test_titles_that_are_numbers_are_no_readings():
    for text in ("0,1,2\n0.5,0.25,0.75\n", ",0,1,2\n0,0.5,0.25,0.75\n"):
        assert values(text) == values(text, axes=["x", "y", "z"]) == [[0.5], [0.25], [0.75]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "packet,x\n0,1\n1,2\n3,5\n",
            "must count its rows without gaps in the column 'packet', got other cells: 3 after 1 in row 4",
        ),
        ("id,x\n7,1\n7,2\n", "in the column 'id', got other cells: 7 after 7 in row 3; name the columns that are axes"),
        (",x\n0,1\n5,2\n", "must count its rows without gaps in the column '', got other cells: 5 after 0 in row 3"),
        ("label,x\n0,1\n1,3\n", "got a column 'label' that may be no reading; name the columns that are axes"),
        ("activity,x\nwalk,1\nrun,3\n", "got a column 'activity' that may be no reading"),
        ("device,x\nA1b,1\nA1b,3\n", "got 'A1b' in row 2 of the column 'device'; name the columns that are axes"),
        ("index,x\n0,1\n1,x\n", "got 'x' in row 3 of the column 'x'"),
        ("index\n0\n1\n", "must have a column for each axis, got none beside clocks and counters"),
        ("dt,x\n0.02,1\n0.02,2\n", "got a column 'dt' that may be no reading; name the columns that are axes"),
        ("time,x\n5,1\n5,2\n5,1\n", "must have a clock that moves, got 5 all over in the column 'time'"),
        (
            "1554220466.00,1554220466.00\n32.0,32.0\n-2,3\n",
            "must begin with readings, got 1554220466 in the first row, which may be the time of its start",
        ),
        ("0.00,1\n0.02,3\n0.04,3\n0.06,9\n", "must say whether its first column is a clock, an index or an axis"),
    ],
)
def test_columns_that_may_be_no_axes_are_refused(text, message):
    with refuses(InputError, message):
        read(text)


def test_named_axes_select_columns_and_nothing_else_has_to_be_read():
    text = "time,label,AccX (g),accY\n0,walk,1,2\n20,run,3,4\n"
    recording = read(text, axes=["accY", "accx"])
    assert recording.values.tolist() == [[2, 4], [1, 3]]
    with refuses(InputError, "got time, label, AccX (g), accY without 'accZ'; did you mean 'accY'?"):
        read(text, axes=["accZ"])
    with refuses(InputError, "must have one column for each axis, got 2 for 'x'"):
        read("x,x\n1,2\n", axes=["x"])
    with refuses(InputError, "got 'walk' in row 2 of the column 'label'"):
        read(text, axes=["label"])


def test_a_first_column_without_titles_is_known_by_how_many_axes_there_are():
    assert values("0.00,1,2\n0.02,3,4\n", count=2) == [[1, 3], [2, 4]]
    assert values("0,1,2\n1,3,4\n", axes=["x", "y"]) == [[1, 3], [2, 4]]
    assert values("10:00:00.00,1,2\n10:00:00.02,3,4\n") == [[1, 3], [2, 4]]
    with refuses(InputError, "must have 50 readings a second", "got steps of 0.03 by its clock in the first column"):
        read("0.00,1,2\n0.03,3,4\n0.06,4,4\n0.09,4,4\n", count=2)


@pytest.mark.parametrize(
    "text",
    [
        "x," * 30_000 + "x\n" + "1\n" * 30_000,
        "1," * 3_000 + "1\n" + "1\n" * 30_000,
        "x\n" + "1" * 3_000_000,
        "1," * 3_000_000,
    ],
)
def test_a_table_takes_no_more_memory_than_its_bytes_explain(text):
    data = text.encode()
    tracemalloc.start()
    try:
        with refuses(InputError, "recording must "):
            signals.load(data)
        assert tracemalloc.get_traced_memory()[1] < 10e6 + 8 * len(data)
    finally:
        tracemalloc.stop()
