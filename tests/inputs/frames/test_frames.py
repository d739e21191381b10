"""Recordings in data frames of the real pandas and polars, and what these write, in an environment of their own."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import xplain
from tests.environments import environment

HERE = Path(__file__).parent
X, Y = [1.0, 2.5, 4.0, 3.0], [5.0, 6.0, 7.0, 9.0]

pytestmark = pytest.mark.vendors


@pytest.fixture(scope="module")
def found():
    python = environment(HERE / "frames.txt")
    path = {**os.environ, "PYTHONPATH": str(Path(xplain.__file__).parents[1])}
    command = [str(python), "-W", "error", str(HERE / "read.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=path)
    assert done.returncode == 0, done.stderr
    return {name: (axes, values) for name, axes, values in map(json.loads, done.stdout.splitlines())}


def test_every_frame_gives_its_columns(found):
    names = list(found)
    frames = names[: names.index("series")]
    assert len(frames) == 23
    for name in frames:
        assert found[name] == (["x", "y"], [X, Y]), name
    for name in ("series", "series with times", "polars series"):
        assert found[name] == (["x"], [X]), name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows left out", "must have an index that counts or ticks evenly, got 2 after 0"),
        ("shuffled", "got 0 after 2: readings may be left out or in another order"),
        ("another rate", "must have 50 readings a second, the model's sample_rate_hz, got 25"),
        ("a gap", "must be taken at even times, got a step of 0.06 in reading 3"),
        ("labels", "got 'walk' in reading 0 of the column 'what'"),
        ("categories", "got 'a' in reading 0 of the column 'what'"),
        ("truths", "must hold numbers, got bool in the column 'what'"),
        ("missing", "must be finite, got 1 readings that are missing"),
        ("levels", "must have a simple index, got one of 2 levels"),
        ("periods", "must have an index of numbers or times, got period[M]"),
        ("csv with rows left out", "must count its rows without gaps in the column '', got other cells: 2 after 0"),
        ("csv without titles", "must say whether its first column is a clock, an index or an axis"),
        ("polars missing", "must be finite, got 1 readings that are missing"),
        ("polars lazy", "a data frame, a dictionary of axis to readings"),
    ],
)
def test_what_shows_another_recording_is_refused(found, name, message):
    text, values = found[name]
    assert values is None
    assert message in text
