"""``xplain compare``, called as a person or a script would."""

import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xplain.cli import main

MODEL = '''
import numpy as np
import xplain

def left():
    """How bright the left half is."""
    def score(images):
        level = images[:, :, : images.shape[2] // 2].mean(axis=(1, 2, 3)) / 255
        return np.stack([level, 1 - level], axis=1)
    return xplain.ImageClassifier(score, ["<b>left</b>", "right"], output="probability", name="halves")

def words():
    return xplain.TextClassifier(lambda texts: np.ones((len(texts), 1)), labels=["any"])
'''
OCCLUSION = ["--methods", "occlusion", "--option", "occlusion.window=4", "--option", "occlusion.stride=4"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a photo, a mask and a model."""
    (tmp_path / "halves.py").write_text(MODEL)
    photo = np.random.default_rng(0).integers(150, 256, (16, 24, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    mask = np.zeros((16, 24), np.uint8)
    mask[:, :12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "halves", raising=False)
    return tmp_path


def compare(*arguments: str) -> int:
    return main(["compare", "photo.png", "--model", "halves:left", *OCCLUSION, *arguments])


class Page(HTMLParser):
    """The tags of a page and the cells of its table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        if self.tags and self.tags[-1] in ("td", "th") and data.strip():
            self.rows[-1].append(data)


def test_the_page_has_the_maps_and_the_figures_beside_the_controls_and_needs_nothing_else(folder, capsys):
    assert compare("-o", "page.html") == 0
    assert capsys.readouterr() == ("", "")
    text = Path("page.html").read_text(encoding="utf-8")
    page = Page(text)
    header, *rows = page.rows
    assert header == ["method", "deletion", "insertion", "sparseness", "evaluations", "seconds", "full colour"]
    assert [row[0] for row in rows] == ["occlusion", "random", "sobel", "centre"]
    assert float(rows[0][1]) < min(float(row[1]) for row in rows[1:])
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert "&lt;b&gt;left&lt;/b&gt;" in text
    assert len(page.links) == 1
    assert page.links[0].startswith("data:image/png;base64,")
    assert "steps 50 · order highest · substrate blur · output probability" in text


def test_pictures_are_made_of_the_same_figures_and_are_the_same_bytes_without_times(folder):
    for name in ("a.png", "b.png", "a.svg", "a.txt"):
        assert compare("--no-time", "-o", name) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    with Image.open("a.png") as picture:
        assert picture.width >= 960
    text = Path("a.txt").read_text(encoding="utf-8")
    assert "sobel" in text
    assert "seconds" not in text


def test_without_an_output_the_table_is_printed(folder, capsys):
    assert compare("--measures", "deletion, sparseness", "--option", "deletion.steps=4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["method", "deletion", "sparseness", "evaluations", "seconds"]
    assert [line.split()[0] for line in lines[1:5]] == ["occlusion", "random", "sobel", "centre"]
    assert lines[5].startswith("deletion: area under the score")
    assert "steps 4" in lines[5]


@pytest.mark.parametrize("region", [["--box", "0,0,12,16"], ["--mask", "mask.png"]])
def test_a_region_adds_localisation(folder, capsys, region):
    assert compare("--json", "--no-time", *region) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["method"] for row in rows] == ["occlusion", "random", "sobel", "centre"]
    assert (rows[0]["hit"], rows[0]["energy"], rows[0]["IoU"]) == (1, 1, 1)
    assert rows[0]["status"] == "successful"


def test_methods_that_cannot_explain_the_model_fail_and_the_others_are_drawn(folder, capsys):
    assert compare("--methods", "grad-cam,occlusion", "--json", "-o", "page.html", "--target", "right") == 1
    done = capsys.readouterr()
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["status"] for row in rows] == ["successful"] * 4 + ["failed"]
    assert "which needs layers" in rows[4]["error"]
    assert done.err.startswith("xplain: error: grad-cam: method must be one")
    assert "grad-cam" in Path("page.html").read_text(encoding="utf-8")


def test_nothing_is_overwritten_without_force(folder, capsys):
    Path("a.png").write_text("mine")
    assert compare("-o", "a.png") == 2
    assert Path("a.png").read_text() == "mine"
    assert "which exists; --force overwrites it" in capsys.readouterr().err
    assert compare("-o", "a.png", "--force") == 0


def test_the_photo_comes_from_standard_input(folder, capsysbinary, monkeypatch):
    with Path("photo.png").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(["compare", "-", "--model", "halves:left", *OCCLUSION, "-o", "-"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.json"], "output must end in .png, .html, .svg, .txt, got 'a.json'"),
        (["-o", "-", "--json"], "output must be a file with --json, got -; add -o OUT"),
        (["--methods", "occlusion,,rise"], "methods must be names with commas between them, got 'occlusion,,rise'"),
        (["--methods", "oclusion", "--option", "oclusion.window=4"], "occlusion"),
        (["--option", "window=4"], "option must be NAME.OPTION=VALUE, got 'window=4'"),
        (["--option", "rise.seed=4"], "option must be one of a method or measure that is asked for"),
        (["--measures", "beauty"], "beauty"),
        (["--box", "1,2,3"], "box must be four numbers X0,Y0,X1,Y1, got '1,2,3'"),
        (["--box", "1,2,3,4", "--mask", "mask.png"], "mask must be left out when box is given, got both"),
        (["--target", "middle"], "middle"),
        (["--model", "halves:words"], "model must be an ImageClassifier, a Detector or a Segmenter"),
    ],
)
def test_wrong_usage_is_refused(folder, capsys, arguments, message):
    options = ["compare", "photo.png", "--model", "halves:left", "--methods", "occlusion", *arguments]
    assert main(options) == 2
    error = capsys.readouterr().err
    assert error.startswith("xplain: error: ")
    assert message in error
