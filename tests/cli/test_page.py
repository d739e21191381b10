"""Jobs on the command line: drawn as a page and described, item by item."""

import json
import os
import threading
import tracemalloc

import numpy as np
import pytest
from PIL import Image

import xplain
from xplain.cli import main
from xplain.explanation import Explanation, Item, Prediction, Results, Source


def item(name, label, **more):
    explanation = Explanation("image-classification", Source("image"), (Prediction(label, 0.5, **more),))
    return Item(name, "successful", explanation=explanation)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a job and a photo of one of its items."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "photos" / "a.png")
    items = [item("x/a.png", "cat"), item("b.png", "dog"), Item("c.png", "failed", error="no")]
    xplain.write(Results("nightly", items, total=5), tmp_path / "job.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_job_becomes_a_page_with_the_photos_of_a_folder(folder, capsys):
    assert main(["render", "job.json", "--image", "photos", "-o", "page.html"]) == 0
    text = (folder / "page.html").read_text()
    assert "<title>Job nightly</title>" in text
    assert text.count("<article") == 3
    assert text.count('<img src="data:image/jpeg;base64,') == 1
    assert main(["render", "job.json", "-o", "page.html"]) == 2
    assert "exists; --force overwrites it" in capsys.readouterr().err
    assert main(["render", "job.json", "-o", "page.html", "--force"]) == 0
    assert "<img" not in (folder / "page.html").read_text()


def test_a_page_is_what_render_makes_of_the_whole_document(folder):
    assert main(["render", "job.json", "--image", "photos", "-o", "page.html"]) == 0
    whole = xplain.render(xplain.read("job.json"), "photos")
    assert (folder / "page.html").read_bytes() == whole.html()
    assert main(["render", "job.json", "--kind", "page", "-o", "page.png"]) == 0
    assert (folder / "page.png").read_bytes().startswith(b"\x89PNG")


def test_a_wrong_item_is_refused_with_its_place_and_no_page_is_left(folder, capsys):
    document = json.loads((folder / "job.json").read_text())
    document["items"][1]["status"] = "done"
    (folder / "job.json").write_text(json.dumps(document))
    assert main(["render", "job.json", "-o", "page.html"]) == 2
    assert "$.items[1].status: must be one of" in capsys.readouterr().err
    assert not (folder / "page.html").exists()


def test_other_documents_are_drawn_as_before(folder):
    explanation = item("a.png", "cat").explanation
    xplain.write(explanation, "one.json")
    assert main(["render", "one.json", "-o", "one.html"]) == 0
    assert b"<article" not in (folder / "one.html").read_bytes()
    assert main(["render", "job.json", "--cmap", "inferno", "-o", "styled.html"]) == 0
    assert b"<article" not in (folder / "styled.html").read_bytes()
    assert main(["render", "job.json", "one.json", "-o", "two.html"]) == 0
    assert b"<article" not in (folder / "two.html").read_bytes()


def test_info_lists_the_items_of_a_job(folder, capsys):
    assert main(["info", "job.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["items", "5,", "2", "successful,", "1", "failed"]
    assert lines[-1].split() == ["c.png:", "failed", "(no)"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_job_from_a_pipe_is_read_once(folder, capsys):
    os.mkfifo("pipe")
    data = (folder / "job.json").read_bytes()
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(data))
    writer.start()
    assert main(["info", "pipe"]) == 0
    writer.join(timeout=10)
    assert "2 successful" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["render", "big.json", "-f", "-o", "page.html"], ["info", "big.json"]])
def test_memory_does_not_grow_with_the_items(folder, command, capsys):
    def write(count):
        items = (item(f"{i}.png", f"label {i % 9}", attributes={"note": "x" * 18_000}) for i in range(count))
        xplain.write(Results("big", items), "big.json")

    peaks = []
    for count in (100, 1000):
        write(count)
        tracemalloc.start()
        assert main(command) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    size = (folder / "big.json").stat().st_size
    assert size > 18_000_000
    assert peaks[1] < size / 2
    assert peaks[1] < 3 * peaks[0]
