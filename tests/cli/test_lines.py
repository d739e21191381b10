"""JSON Lines and recordings at the shell: files, standard input, gzip; one bad line loses only itself."""

import gzip
import io
import json
import sys

import numpy as np
import pytest

import xplain
from xplain.cli import main
from xplain.explanation import Explanation, Prediction, Source
from xplain.formatters import dumps, to_document

STEPS = '''
import xplain

def steps():
    """How far the readings of a window of four are above 0."""
    return xplain.SignalClassifier(lambda windows: windows.mean(axis=2), sample_rate_hz=50, window=4, axes=["x", "y"])
'''


def line(label, name=None):
    value = Explanation("image-classification", Source("image", name=name, height=8, width=8), [Prediction(label, 0.5)])
    return dumps(to_document(value))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "walking.py").write_text(STEPS)
    (tmp_path / "all.jsonl").write_text(f"{line('cat', 'a.png')}\n{line('dog')}\n")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(f'{line("cat", "a.png")}\n{{"xplain": 1, "ty'.encode()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "walking", raising=False)
    return tmp_path


def give(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_lines_are_validated_each(folder, capsys, monkeypatch):
    assert main(["validate", "all.jsonl"]) == 0
    assert capsys.readouterr().out == "all.jsonl: valid\n"
    assert main(["validate", "cut.jsonl.gz"]) == 2
    assert capsys.readouterr().out.startswith("cut.jsonl.gz: line 2: $: must be JSON, got Unterminated string")
    give(monkeypatch, (folder / "cut.jsonl.gz").read_bytes())
    assert main(["validate", "-", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["path"] == "line 2: $"


def test_lines_are_drawn_and_described(folder, capsys, monkeypatch):
    assert main(["render", "cut.jsonl.gz", "-o", "cut.png"]) == 1
    assert "error: cut.jsonl.gz, 2: line 2: $: must be JSON" in capsys.readouterr().err
    assert (folder / "cut.png").stat().st_size > 0
    assert main(["render", "cut.jsonl.gz", "-o", "cut.html"]) == 0
    page = (folder / "cut.html").read_text(encoding="utf-8")
    assert "a.png" in page
    assert "line 2: $: must be JSON" in page
    assert main(["render", "cut.jsonl.gz", "--kind", "progress"]) == 0
    assert "Job cut: 1 of 2 inputs successful, 1 failed" in capsys.readouterr().out
    assert main(["info", "all.jsonl"]) == 0
    assert "2, 2 successful, 0 failed" in capsys.readouterr().out
    give(monkeypatch, (folder / "all.jsonl").read_bytes())
    assert main(["info", "-"]) == 0
    assert "stdin" in capsys.readouterr().out
    assert main(["formats", "all.jsonl"]) == 0
    assert capsys.readouterr().out.startswith("all.jsonl (JSON Lines)")


def test_lines_are_converted_to_a_job_or_to_lines(folder, capsys):
    assert main(["convert", "all.jsonl", "--to", "modzy", "--lossy", "-o", "job.json"]) == 0
    assert [item.name for item in xplain.read("job.json").items] == ["a.png", "2"]
    assert main(["convert", "all.jsonl", "--to", "modzy", "--lossy", "-o", "modzy.jsonl"]) == 0
    lines = (folder / "modzy.jsonl").read_text().splitlines()
    assert [xplain.from_document(json.loads(each)).predictions[0].name for each in lines] == ["cat", "dog"]
    capsys.readouterr()
    assert main(["convert", "cut.jsonl.gz", "--to", "native", "-o", "whole.jsonl"]) == 1
    assert "error: 2: line 2: $: must be JSON" in capsys.readouterr().err
    assert [item.name for item in xplain.read("whole.jsonl").items] == ["a.png"]


def test_recordings_of_any_kind_are_explained(folder, capsys, monkeypatch):
    readings = np.random.default_rng(0).integers(-9, 9, (2, 10)) / 4
    rows = [f"{i / 50:.2f};{x};{y}".replace(".", ",") for i, (x, y) in enumerate(readings.T)]
    text = "\n".join(["time (s);x (g);y (g)", *rows]).encode()
    (folder / "walk.csv").write_bytes(text)
    (folder / "walk.txt.gz").write_bytes(gzip.compress(text.decode().encode("utf-16")))
    np.savez(folder / "walk.npz", y=readings[1], x=readings[0])
    sensors = [{"name": "x", "units": "g"}, {"name": "y", "units": "g"}]
    payload = {"interval_ms": 20, "sensors": sensors, "values": readings.T.tolist()}
    (folder / "walk.json").write_text(json.dumps({"protected": {}, "signature": "0", "payload": payload}))
    names = ["walk.csv", "walk.txt.gz", "walk.npz", "walk.json"]
    (folder / "list.jsonl").write_text("\n".join(json.dumps({"recording": name}) for name in names))
    model = ["--model", "walking:steps", "--option", "length=1"]
    assert main(["explain", "list.jsonl", *model, "-o", "all.jsonl", "--force"]) == 0
    maps = [item.explanation.attributions[0].evidence for item in xplain.read("all.jsonl").items]
    assert len(maps) == 4
    assert all(each == maps[0] for each in maps)
    give(monkeypatch, text)
    assert main(["explain", "-", *model, "-o", "piped.json"]) == 0
    assert xplain.read("piped.json").attributions[0].evidence == maps[0]
    assert main(["render", "piped.json", "--signal", "walk.txt.gz", "-o", "walk.png"]) == 0
    capsys.readouterr()
    (folder / "late.csv").write_bytes(text.replace(b"0,08", b"0,88"))
    assert main(["explain", "late.csv", *model, "-o", "late.json"]) == 1
    assert "must be taken at even times, got a step of 0.82 in row 6 by its clock" in capsys.readouterr().err


def test_what_was_assumed_of_a_recording_is_said(folder, capsys):
    (folder / "walk.csv").write_text("time,x,y\n" + "".join(f"{i},{i % 3},1\n" for i in range(10)))
    assert main(["explain", "walk.csv", "--model", "walking:steps", "-o", "walk.json"]) == 0
    said = "the clock 'time' counts readings: that they are 50 a second could not be checked"
    assert said in capsys.readouterr().err
    assert xplain.read("walk.json").attributions[0].quality["notes"] == [said]


def test_a_text_may_be_packed(folder):
    (folder / "packing.py").write_text(
        "import xplain\ndef good():\n    return xplain.TextClassifier(lambda texts: [[len(t), 0] for t in texts])\n"
    )
    (folder / "review.gz").write_bytes(gzip.compress(b"good as gold"))
    assert main(["explain", "--text-file", "review.gz", "--model", "packing:good", "-o", "review.json"]) == 0
    assert xplain.read("review.json").source.text == "good as gold"
