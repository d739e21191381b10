"""Recordings that are no tables as text: clocks, sounds, arrays, JSON, data frames, files packed or endless."""

import gzip
import io
import json
import struct
import sys
import tracemalloc
import wave
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.support import refuses
from xplain import InputError
from xplain.inputs import files, signals

RAMP = np.arange(6, dtype=np.float32).reshape(2, 3)


def load(recording, **options):
    return signals.load(recording, **{"rate_hz": 50} | options)


def table(title, times):
    return (f"{title},x\n" + "".join(f"{time},{i % 3}\n" for i, time in enumerate(times))).encode()


class TestClocks:
    @pytest.mark.parametrize(
        ("title", "times"),
        [
            ("time", ["0.00", "0.02", "0.04", "0.06"]),
            ("Time (s)", [0, 0.02, 0.04, 0.06]),
            ("t/ms", [5, 25, 45, 65]),
            ("timestamp", [0, 20, 40, 60]),
            ("elapsed_us", [0, 20_000, 40_000, 60_000]),
            ("time", [1.7e9, 1.7e9 + 0.02, 1.7e9 + 0.04]),
            ("time", [1_700_000_000_000, 1_700_000_000_020, 1_700_000_000_040]),
            ("epoch", [1_700_000_000_000_000_000 + 20_000_000 * i for i in range(5)]),
            ("unix", [1_700_000_000.0, 1_700_000_000.02, 1_700_000_000.04]),
            ("when", ["2024-05-01T23:59:59.98Z", "2024-05-02T00:00:00Z", "2024-05-02T00:00:00.02Z"]),
            ("Timestamp", ["2024-05-01 12:00:00.000000", "2024-05-01 12:00:00.020000"]),
            ("loggingTime(txt)", ["2024-05-01 12:00:00.00 +0200", "2024-05-01 10:00:00.02 +0000"]),
            ("Datum", ["31.12.2024 23:59:59.99", "01.01.2025 00:00:00.01"]),
            ("time", ["11:59:59.99 AM", "12:00:00.01 PM"]),
            ("time", ["00:01.00", "00:01.02"]),
            ("", ["0 days 00:00:00", "0 days 00:00:00.020000"]),
            ("date", ["2024-05-01"] * 4),
            ("time", ["10:00:00"] * 30 + ["10:00:01"] * 50 + ["10:00:02"] * 50),
        ],
    )
    def test_a_clock_at_the_model_s_rate_is_no_axis(self, title, times):
        recording = load(table(title, times))
        assert recording.axes == ("x",)
        assert recording.values.tolist() == [[i % 3 for i in range(len(times))]]
        assert recording.notes == ()

    @pytest.mark.parametrize(
        ("title", "times", "fragments"),
        [
            ("time (s)", [0, 0.01, 0.02, 0.03], ("must have 50 readings a second", "got 100 by its clock 'time (s)'")),
            ("time (s)", [0, 20, 40, 60], ("got 0.05 by its clock",)),
            ("time", [0, 7, 14, 21], ("got steps of 7 by its clock 'time', of no unit", "as 'time (ms)'")),
            ("when", ["10:00:00", "10:00:01", "10:00:02"], ("got 1 by its clock 'when'",)),
            ("ms", [0, 20, 40, 80, 100], ("got a step of 40 in row 5 by its clock 'ms', where 20 is usual; resample",)),
            ("ms", [0, 20, 40, 40, 60], ("got a step of 0 in row 5",)),
            ("ms", [60, 40, 20, 0], ("got a step of -20 in row 3",)),
            ("time", [0, "x", 2], ("must have a clock that can be read", "the column 'time'")),
        ],
    )
    def test_a_clock_that_shows_another_recording_is_refused(self, title, times, fragments):
        with refuses(InputError, *fragments):
            load(table(title, times))

    def test_what_a_clock_shows_of_little_is_said(self):
        times = np.cumsum([20] * 50 + [26, 14] * 5)
        assert load(table("ms", times)).notes == ("the clock 'ms' is uneven: steps of 14 to 26",)
        [note] = load(table("ms", np.arange(100) * 20.8)).notes
        assert note == "the clock 'ms' gives 48.08 readings a second, the model takes 50"
        [note] = load(table("time", range(5))).notes
        assert note == "the clock 'time' counts readings: that they are 50 a second could not be checked"

    def test_all_clocks_of_a_recording_are_checked(self):
        text = "seconds_elapsed,time,x\n0.00,1700000000000000000,1\n0.02,1700000000020000000,2\n0.04,17{},3\n"
        assert load(text.format("00000000040000000").encode()).axes == ("x",)
        with refuses(InputError, "must be taken at even times", "clock 'time'"):
            load(text.format("00000000090000000").encode())

    def test_without_a_rate_clocks_are_not_checked(self):
        assert load(table("ms", [0, 20, 90]), rate_hz=None).notes == ()


def sound(samples, width=2, channels=1, rate=50):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()


class TestSounds:
    @pytest.mark.parametrize(
        ("width", "samples"),
        [
            (1, bytes([128, 192, 0])),
            (2, np.array([0, 1 << 14, -1 << 15], "<i2").tobytes()),
            (3, b"\0\0\0" + b"\0\0\x40" + b"\0\0\x80"),
            (4, np.array([0, 1 << 30, -1 << 31], "<i4").tobytes()),
        ],
    )
    def test_whole_numbers_of_any_width(self, width, samples):
        assert load(sound(samples, width)).values.tolist() == [[0, 0.5, -1]]

    def test_floats_and_channels(self):
        samples = np.array([[0.5, -0.25], [0, 1]], "<f4").tobytes()
        data = sound(samples, 4, 2).replace(b"fmt \x10\0\0\0\x01", b"fmt \x10\0\0\0\x03")
        recording = load(data)
        assert recording.values.tolist() == [[0.5, 0], [-0.25, 1]]
        assert recording.axes is None

    def test_the_extensible_form_and_other_chunks(self):
        samples = np.array([0, 1 << 14], "<i2").tobytes()
        plain = struct.pack("<HHIIHH", 0xFFFE, 1, 50, 100, 2, 16)
        form = plain + struct.pack("<HHIH", 22, 16, 4, 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
        chunks = [(b"LIST", b"odd"), (b"fmt ", form), (b"data", samples)]
        body = b"".join(kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for kind, part in chunks)
        assert load(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body).values.tolist() == [[0, 0.5]]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (sound(b"1234", rate=44_100), "must have 50 readings a second, the model's sample_rate_hz, got 44100"),
            (sound(b"1234")[:20], "must be a WAV file with a format and readings, got one without"),
            (sound(b""), "must hold at least one reading, got shape (1, 0)"),
            (sound(b"1234").replace(b"\x10\0\0\0\x01", b"\x10\0\0\0\x07"), "got form 7 of 16 bits; convert it: ffmpeg"),
            (b"fLaC", "got a FLAC file; ffmpeg -i IN OUT.wav"),
            (b"ID3\4", "got an MP3 file"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, data, message):
        with refuses(InputError, message):
            load(data)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def header(text, version=b"\1\0"):
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


class TestArrays:
    def test_the_files_of_numpy(self):
        assert np.array_equal(load(npy(RAMP)).values, RAMP)
        assert np.array_equal(load(npy(np.asfortranarray(RAMP.astype(">f8")))).values, RAMP)
        assert np.array_equal(load(npz(anything=RAMP)).values, RAMP)
        walk = load(npz(time=np.arange(3) / 50, x=RAMP[0], y=RAMP[1]))
        assert (walk.axes, walk.values.tolist()) == (("x", "y"), RAMP.tolist())

    def test_fields_of_a_structured_array_are_axes(self):
        rows = np.array([(1, 2.5), (3, 4.5)], [("x", int), ("y", float)])
        assert load(rows).axes == ("x", "y")
        assert load(rows).values.tolist() == [[1, 3], [2.5, 4.5]]

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (
                header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (4398046511104, 1), }\n"),
                "got one that claims (4398046511104, 1) and holds 0 of them",
            ),
            (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }\n"), "got one that claims (-3,)"),
            (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (4\n"), "got one that NumPy cannot read"),
            (header(b"{'descr': '<f8', 'fortran_order': False, 'shape': " + b"(" * 5000), "NumPy cannot read"),
            (header(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"), "a .npy file of numbers, got object"),
            (header(b"", b"\x09\0"), "NumPy cannot read"),
            (b"\x93NUMPY", "NumPy cannot read"),
            (npz(x=np.ones(3), rate=50.0), "must map each axis to as many readings, got shapes 'x': (3,), 'rate': ()"),
            (npz(x=np.ones(3))[:40], "must be a .npz file that can be unpacked"),
            (npz(), "must be a .npz file of arrays, got an archive with 'nothing'"),
        ],
    )
    def test_what_claims_more_than_it_holds_is_refused(self, data, message):
        with refuses(InputError, message):
            load(data)

    def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(self, monkeypatch):
        monkeypatch.setattr(files, "MAX_UNSIZED", 1 << 20)
        data = npz(x=np.zeros(1 << 20))
        assert len(data) < 1 << 14
        tracemalloc.start()
        try:
            with refuses(InputError, "must unpack to at most 1048576 bytes, got 8388736; save it as .npy"):
                load(data)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()

    def test_a_spreadsheet_is_no_archive_of_arrays(self):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("[Content_Types].xml", "")
        with refuses(InputError, "got an archive with '[Content_Types].xml'; save its table as .csv"):
            load(file.getvalue())


def acquisition(values, sensors=("accX", "time"), **payload):
    named = [{"name": name, "units": "m/s2"} for name in sensors]
    content = {"device_type": "X", "interval_ms": 20, "sensors": named, "values": values, **payload}
    return {"protected": {"ver": "v1", "alg": "none"}, "signature": "0", "payload": content}


class TestObjects:
    def load(self, value, **options):
        return load(json.dumps(value).encode(), **options)

    def test_the_acquisition_format_of_edge_impulse(self):
        document = acquisition([[1, 2], [3, 4.5], [5, 6]])
        recording = self.load(document)
        assert recording.axes == ("accX", "time")  # a sensor is an axis, whatever it is called
        assert recording.values.tolist() == [[1, 3, 5], [2, 4.5, 6]]
        assert load(document).values.tolist() == recording.values.tolist()
        assert self.load(document, axes=["time"]).values.tolist() == [[2, 4.5, 6]]
        assert self.load(acquisition([1, 2, 3], ["audio"])).values.tolist() == [[1, 2, 3]]
        raw = acquisition([[1, 2], [3, 4]])
        del raw["payload"]["interval_ms"]
        assert self.load({**raw, "sample": {"intervalMs": 20}}).values.shape == (2, 2)
        with refuses(InputError, "must have 100 readings a second", "got 50 by its clock payload.interval_ms"):
            self.load({**raw, "sample": {"intervalMs": 20}}, rate_hz=100)

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            (acquisition([[1, 2], [3]]), "must hold 2 numbers in each of payload.values, one for each sensor, got [3]"),
            (acquisition([[1, 2], 3]), "got 3 in payload.values[1]"),
            (acquisition([[1, True]]), "got [1, True] in payload.values[0]"),
            (acquisition([[1, 10**400]]), "in payload.values[0]"),
            (acquisition([[1, None]]), "must be finite, got 1 readings"),
            (acquisition([]), "must hold readings in payload.values, got []"),
            (acquisition(["Ref-BINARY-i16 (32 bytes) 0a"], ["mic"]), "a reference to another part of the upload"),
            (acquisition([[1]], []), "must name its sensors in payload.sensors, got []"),
            (acquisition([[1]], [3]), "must name each of payload.sensors, got [3]"),
            (acquisition([[1, 2]], interval_ms=-5), "must have a positive payload.interval_ms, got -5"),
            ({"payload": {}}, "must name its sensors in payload.sensors, got None"),
            ({"x": 1}, "as the acquisition format of Edge Impulse, got 'x' that is no array"),
            ({"x": [1], "y": [1, 2]}, "must map each axis to as many readings, got shapes 'x': (1,), 'y': (2,)"),
            ([[1, 2], [3]], "must have as many readings on each axis"),
            ([{"x": 1}, {"y": 1}], "must have the same keys in each record, got others in record 1 than x"),
        ],
    )
    def test_what_is_no_recording_is_refused(self, document, message):
        with refuses(InputError, message):
            self.load(document)

    @pytest.mark.parametrize("text", [b"[1, 2", b"[" * 100_000, b'{"x": [1, }', b'{"x": [1], "x": [2]}'])
    def test_broken_json_is_refused(self, text):
        with refuses(InputError, "must be JSON that can be read, got"):
            load(text)

    def test_cbor_is_refused_with_the_reason(self):
        with refuses(InputError, "Edge Impulse's acquisition format in CBOR, which is binary; take the sample as JSON"):
            load(b"\xa3iprotected\xa3cver")

    def test_arrays_axes_and_records(self):
        assert self.load(RAMP.tolist()).values.tolist() == RAMP.tolist()
        for document in ({"x": [1, 2], "y": [3, 4]}, [{"x": 1, "y": 3}, {"x": 2, "y": 4}]):
            recording = self.load(document)
            assert (recording.axes, recording.values.tolist()) == (("x", "y"), [[1, 2], [3, 4]])
            assert load(document).values.tolist() == recording.values.tolist()
        with refuses(InputError, "got 'fs' that is no array"):
            load({"x": np.ones(3), "fs": 50})
        assert load({"time": [0, 20, 40], "x": (1, 2, 3)}).axes == ("x",)
        with refuses(InputError, "must be finite, got 1 readings"):
            self.load({"x": [1, None]})


@dataclass
class Column:
    """What is asked of a series of pandas."""

    cells: list
    name: str | None = None
    index: object = None
    dtype: str = "object"

    def to_numpy(self):
        return np.array(self.cells)


@dataclass
class Index(Column):
    nlevels: int = 1


@dataclass
class Frame:
    """What is asked of a data frame of pandas."""

    cells: dict
    index: object = None
    iloc: object = field(init=False)

    def __post_init__(self):
        frame = self

        class Located:
            def __getitem__(self, place):
                return Column(list(frame.cells.values())[place[1]])

        self.iloc = Located()

    @property
    def columns(self):
        return list(self.cells)


CELLS = {"x": [1.0, 2.0, 4.0], "y": [5, 6, 9]}


class TestFrames:
    """By what is asked of them; `tests/inputs/frames` has the real ones."""

    def test_columns_are_axes_by_their_names(self):
        recording = load(Frame(CELLS))
        assert (recording.axes, recording.values.tolist()) == (("x", "y"), [[1, 2, 4], [5, 6, 9]])
        assert load(Frame(CELLS), axes=["y"]).values.tolist() == [[5, 6, 9]]
        for name in ("x", "time", "sample", "label"):
            assert load(Column([1, 2.5], name)).axes == (name,)
            assert load(Column([1, 2.5], name), axes=["x"]).values.tolist() == [[1, 2.5]]
        with refuses(InputError, "must hold numbers, got object"):
            load(Column(["a", "b"], "x"))
        assert load(Frame({0: [1.0, 3.0], 1: [2.0, 5.0]}), axes=["a", "b"]).values.tolist() == [[1, 3], [2, 5]]

    @pytest.mark.parametrize(
        "index",
        [
            Index([0, 1, 2]),
            Index([7, 8, 9]),
            Index([0.0, 0.02, 0.04]),
            Index([0, 20, 40], "t (ms)"),
            Index(list(np.array([0, 20, 40], "M8[ms]"))),
        ],
    )
    def test_an_index_that_counts_or_ticks_at_the_rate_is_no_axis(self, index):
        assert load(Frame(CELLS, index)).axes == ("x", "y")

    @pytest.mark.parametrize(
        ("index", "message"),
        [
            (Index([0, 2, 3]), "must have an index that counts or ticks evenly, got 2 after 0"),
            (Index([2, 0, 1]), "got 0 after 2: readings may be left out or in another order; reset_index(drop=True)"),
            (Index([0.0, 0.03, 0.06]), "must have 50 readings a second"),
            (
                Index([0, 20, 90], "ms"),
                "must be taken at even times, got a step of 20 in reading 1 by its clock of the",
            ),
            (Index(["a", "b", "c"]), "must have an index of numbers or times, got object; reset_index(drop=True)"),
            (Index([0, 1, 2], nlevels=2), "must have a simple index, got one of 2 levels"),
            (
                Index(list(np.array([0, 10, 20], "M8[ms]"))),
                "must have 50 readings a second, the model's sample_rate_hz, got 100",
            ),
        ],
    )
    def test_an_index_that_shows_another_recording_is_refused(self, index, message):
        with refuses(InputError, message):
            load(Frame(CELLS, index))

    def test_columns_of_other_things_are_refused_unless_axes_are_named(self):
        for cells, message in (
            (["a", "b", "c"], "got 'a' in reading 0 of the column 'note'"),
            (["0,5", "1", "2"], "make numbers of its texts, as pandas.to_numeric does, or name the columns"),
            ([True, False, True], "must hold numbers, got bool in the column 'note'"),
            ([{}, 1, 2], "must hold numbers, got dict in the column 'note'"),
        ):
            with refuses(InputError, message):
                load(Frame(CELLS | {"note": cells}))
            assert load(Frame(CELLS | {"note": cells}), axes=["x", "y"]).values.shape == (2, 3)


class Upload:
    """As the uploads of web frameworks: reading is awaited, the file inside is not."""

    def __init__(self, data):
        self.file, self.filename = io.BytesIO(data), "walk.csv"

    async def read(self, size=-1):
        raise AssertionError("awaited")


class TestFiles:
    TEXT = b"x,y\n1,2\n3,4\n"

    def test_bytes_files_and_uploads_are_read(self, tmp_path):
        path = tmp_path / "walk.txt"
        path.write_bytes(self.TEXT)
        with path.open("rb") as binary, path.open() as text:
            sources = [self.TEXT, bytearray(self.TEXT), io.BytesIO(self.TEXT), io.StringIO(self.TEXT.decode())]
            for source in [*sources, binary, text, Upload(self.TEXT), path, str(path)]:
                assert load(source).values.tolist() == [[1, 3], [2, 4]]

    @pytest.mark.parametrize("data", [TEXT, npy(np.array([[1, 3], [2, 4]])), b"[[1, 3], [2, 4]]"])
    def test_what_gzip_packed_is_unpacked_whatever_it_is_called(self, data, tmp_path):
        path = tmp_path / "walk.csv"
        path.write_bytes(gzip.compress(data))
        assert load(path).values.tolist() == load(gzip.compress(data)).values.tolist() == [[1, 3], [2, 4]]
        assert load(path).sha256 == load(data).sha256
        path.write_bytes(gzip.compress(data)[:-9])
        with refuses(InputError, "path must be a file that gzip can unpack", "walk.csv"):
            load(path)

    def test_what_unpacks_to_too_much_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "MAX_UNSIZED", 1 << 22)
        path = tmp_path / "zeros.csv"
        path.write_bytes(gzip.compress(bytes(1 << 26)))
        tracemalloc.start()
        try:
            with refuses(InputError, "must unpack to at most 4194304 bytes, got more from", "unpack it with gunzip"):
                load(path)
            with refuses(InputError, "path must unpack to at most"), files.opened(path) as file:
                while file.read(1 << 16):
                    pass
            assert tracemalloc.get_traced_memory()[1] < 1 << 24
        finally:
            tracemalloc.stop()

    def test_a_file_larger_than_the_limit_is_read_since_its_size_is_known(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "MAX_UNSIZED", 100)
        path = tmp_path / "long"
        path.write_bytes(bytes(1000))
        assert files.read(path) == bytes(1000)
        with refuses(InputError, "must be a file, or end within 100 bytes, got more"):
            files.read(io.BytesIO(bytes(1000)))

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices")
    def test_a_device_without_end_is_refused(self, monkeypatch):
        monkeypatch.setattr(files, "MAX_UNSIZED", 1 << 20)
        with refuses(InputError, "path must be a file, or end within 1048576 bytes, got more from '/dev/zero'"):
            files.read("/dev/zero")

    def test_nothing_is_imported_to_look_at_a_frame(self):
        assert not {"pandas", "polars", "pyarrow"} & sys.modules.keys()
