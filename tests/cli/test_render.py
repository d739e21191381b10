"""``xplain render`` of documents of every kind."""

import json

import numpy as np
import pytest
from PIL import Image

import xplain
from xplain.cli import main
from xplain.explanation import Box, Explanation, Item, Prediction, Record, Results, Source

CAT = Explanation(
    "object-detection", Source("image", height=60, width=80), [Prediction("cat", 0.9, region=Box(0.1, 0.1, 0.9, 0.9))]
)


@pytest.fixture
def written(tmp_path):
    def write(value, name="document.json"):
        xplain.write(value, tmp_path / name)
        return str(tmp_path / name)

    return write


def test_boxes_need_nothing_but_the_image(written, tmp_path, capsys):
    Image.fromarray(np.full((60, 80, 3), 128, np.uint8)).save(tmp_path / "cat.png")
    document, out = written(CAT), str(tmp_path / "out.png")
    assert main(["render", document, "--image", str(tmp_path / "cat.png"), "-o", out]) == 0
    assert np.asarray(Image.open(out)).shape[1] == 480
    assert main(["render", document]) == 0
    assert capsys.readouterr().out == "Regions of an image: 1 region: cat 0.9 at the centre.\n"


def test_a_record_is_drawn_without_its_secrets(written, tmp_path, capsys):
    document = written(Record("modzy", "request", {"name": "cats", "submittedByKey": "hunter2"}))
    assert main(["render", document]) == 0
    assert capsys.readouterr().out == "modzy request: name: cats\n"
    for suffix in (".html", ".svg", ".txt"):
        out = tmp_path / f"out{suffix}"
        assert main(["render", document, "-o", str(out)]) == 0
        assert "hunter2" not in out.read_text()


def test_a_job_as_a_whole(written, capsys):
    items = [Item("a", "successful", explanation=CAT), Item("b", "failed", error="no image")]
    document = written(Results("nightly", items))
    assert main(["render", document, "--kind", "progress"]) == 0
    summary = "Job nightly: 1 of 2 inputs successful, 1 failed. Failed: b (no image).\n"
    assert capsys.readouterr().out == summary


def test_a_record_has_no_place_beside_others(written, capsys):
    record, cat = written(Record("modzy", "request", {})), written(CAT, "cat.json")
    assert main(["render", record, cat]) == 2
    assert "document must hold explanations to be drawn with others, got a record: request" in capsys.readouterr().err


def test_lines_that_hold_nothing(tmp_path, capsys):
    (tmp_path / "none.jsonl").write_text("\n\n")
    assert main(["render", str(tmp_path / "none.jsonl")]) == 2
    assert "document must hold something to draw, got none" in capsys.readouterr().err


def test_lines_are_drawn_side_by_side(tmp_path, capsys):
    line = json.dumps(xplain.to_document(CAT, "native"))
    (tmp_path / "two.jsonl").write_text(f"{line}\n{line}\n")
    assert main(["render", str(tmp_path / "two.jsonl")]) == 0
    assert capsys.readouterr().out.count("1 region: cat") == 2
