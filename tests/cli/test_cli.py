"""The command line, called as a person or a script would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xplain
from xplain.cli import demo, main

MODEL = '''
import numpy as np
import xplain

def left_or_right():
    """Which half of the picture is brighter."""
    def score(images):
        mean = images.mean(axis=(1, 3)) / 255
        half = mean.shape[1] // 2
        return np.stack([mean[:, :half].mean(1), mean[:, half:].mean(1)], axis=1)
    return xplain.ImageClassifier(score, ["left", "right"], name="halves")

def counts():
    """How often a text says good, and bad."""
    def score(texts):
        return np.array([[text.split().count("good"), text.split().count("bad")] for text in texts], float)
    return xplain.TextClassifier(score, labels=["good", "bad"])

def steps():
    """How far the readings of a window of four are above 0."""
    def score(windows):
        return windows.mean(axis=2)
    return xplain.SignalClassifier(score, sample_rate_hz=10, window=4, axes=["x", "y"])

def not_a_model():
    return 3
'''


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with three photos and a model."""
    (tmp_path / "halves.py").write_text(MODEL)
    rng = np.random.default_rng(0)
    for i in range(3):
        photo = rng.integers(0, 100, (20, 30, 3), dtype=np.uint8)
        photo[5:10, 2:8] = 250
        Image.fromarray(photo).save(tmp_path / f"photo{i}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "halves", raising=False)
    return tmp_path


EXPLAIN = ["--model", "halves:left_or_right", "--method", "occlusion", "--option", "window=5", "--option", "stride=5"]


def explain(*arguments: str) -> int:
    return main(["explain", *arguments, *EXPLAIN])


def test_explain_writes_a_document_that_render_draws(folder, capsys):
    assert explain("photo0.png", "-o", "a.json") == 0
    e = xplain.read("a.json")
    assert e.source.name == "photo0.png"
    assert e.provenance.options["window"] == 5
    assert e.provenance.created is None
    heat = e.attributions[0].evidence.values
    assert np.unravel_index(heat.argmax(), heat.shape)[1] < 15
    assert main(["render", "a.json", "--image", "photo0.png", "-o", "a.png"]) == 0
    with Image.open("a.png") as picture:
        assert picture.width >= 30
    assert capsys.readouterr() == ("", "")


def test_a_recording_is_explained_and_drawn(folder, capsys):
    (folder / "walk.csv").write_text("time,y,x\n" + "".join(f"{i},{i % 3},1\n" for i in range(10)))
    assert main(["explain", "walk.csv", "--model", "halves:steps", "--option", "length=2", "-o", "walk.json"]) == 0
    explanation = xplain.read("walk.json")
    assert explanation.source.name == "walk.csv"
    assert explanation.attributions[0].evidence.values.shape == (2, 10)
    assert main(["render", "walk.json", "--signal", "walk.csv", "-o", "drawn.png"]) == 0
    assert main(["render", "walk.json", "-o", "bare.png"]) == 0
    with Image.open("drawn.png") as drawn, Image.open("bare.png") as bare:
        assert drawn.height > bare.height
    capsys.readouterr()
    assert main(["render", "walk.json", "--signal", "photo0.png", "-o", "no.png"]) == 2
    assert "signal must be an array or a list (axes, time)" in capsys.readouterr().err


def test_render_without_output_describes_the_picture(folder, capsys):
    assert explain("photo0.png", "-o", "a.json") == 0
    assert main(["render", "a.json", "--image", "photo0.png"]) == 0
    assert capsys.readouterr().out.startswith("Explanation of photo0.png: ")


def test_texts_come_from_the_command_line_a_file_and_lines(folder, capsys):
    model = ["--model", "halves:counts", "--method", "occlusion"]
    Path("review.txt").write_text("\ufeffgood good", encoding="utf-8")
    Path("texts.jsonl").write_text('{"text": "bad day", "target": "bad"}\n')
    arguments = ["--text", "a good <b>day</b>", "--text-file", "review.txt", "texts.jsonl", *model]
    assert main(["explain", *arguments, "-o", "out.jsonl"]) == 0
    explanations = [xplain.from_document(json.loads(line)) for line in Path("out.jsonl").read_text().splitlines()]
    assert [e.source.text for e in explanations] == ["bad day", "a good <b>day</b>", "good good"]
    assert [word.score for word in explanations[1].attributions[0].evidence.words] == [0, 1, 0]
    assert main(["explain", "--text", "good day", *model, "-o", "page.html"]) == 0
    assert "good" in Path("page.html").read_text(encoding="utf-8")
    assert main(["explain", "--text", "good day", *model, "-o", "good.json"]) == 0
    assert main(["render", "good.json"]) == 0
    out = capsys.readouterr().out
    assert "good[+1" in out
    assert "\x1b" not in out
    Path("latin.txt").write_bytes("café".encode("latin-1"))
    assert main(["explain", "--text-file", "latin.txt", *model, "-o", "x.json"]) == 1
    assert "text must be UTF-8" in capsys.readouterr().err
    assert main(["explain", *model]) == 2
    assert "input must be given, got none" in capsys.readouterr().err


def test_the_same_input_gives_the_same_bytes_unless_stamped(folder):
    explain("photo0.png", "-o", "a.json")
    explain("photo0.png", "-o", "b.json")
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    explain("photo0.png", "-o", "c.json", "--stamp")
    assert xplain.read("c.json").provenance.created is not None
    for name in ("a", "b"):
        main(["render", f"{name}.json", "--image", "photo0.png", "-o", f"{name}.png"])
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_nothing_is_overwritten_without_force(folder, capsys):
    Path("a.json").write_text("mine")
    assert explain("photo0.png", "-o", "a.json") == 1
    assert Path("a.json").read_text() == "mine"
    assert "which exists; --force overwrites it" in capsys.readouterr().err
    assert explain("photo0.png", "-o", "a.json", "--force") == 0
    assert main(["render", "a.json", "--image", "photo0.png", "-o", "photo1.png"]) == 2


def test_documents_go_to_standard_output_and_come_from_standard_input(folder):
    command = [sys.executable, "-m", "xplain"]
    environment = {**os.environ, "PYTHONPATH": str(Path(xplain.__file__).parents[1])}
    document = subprocess.run(
        [*command, "explain", "-", *EXPLAIN],
        input=Path("photo0.png").read_bytes(), capture_output=True, check=True, env=environment,
    )  # fmt: skip
    assert document.stderr == b""
    assert json.loads(document.stdout)["source"]["height"] == 20
    picture = subprocess.run(
        [*command, "render", "-", "--image", "photo0.png", "-o", "-"],
        input=document.stdout, capture_output=True, check=True, env=environment,
    )  # fmt: skip
    assert picture.stdout.startswith(b"\x89PNG")


def test_some_inputs_may_fail(folder, capsys):
    Path("bad.png").write_text("no picture")
    assert explain("photo*.png", "bad.png", "-o", "out", "--json") == 1
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines] == ["successful"] * 3 + ["failed"]
    assert "Pillow can decode, got 'bad.png'" in lines[3]["error"]
    assert "1 of 4 inputs failed" in err
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo0.json", "photo1.json", "photo2.json"]


def test_notes_are_said_on_standard_error_and_in_the_lines(folder, capsys):
    zeros = "nothing counted: all values are 0"
    unchanged = "the score did not change in any of 2 variants of the input"
    model = ["--model", "halves:counts", "--method", "occlusion", "--target", "good"]
    assert main(["explain", "--text", "good day", "--text", "plain day", *model, "-o", "out", "--json"]) == 0
    out, err = capsys.readouterr()
    first, second = (json.loads(line) for line in out.splitlines())
    assert "notes" not in first
    assert second["notes"] == [zeros, unchanged]
    assert err.splitlines() == [f"xplain: note: text: {zeros}; {unchanged}"]
    assert main(["explain", "--text", "good day", *model, "--target", "bad", "-o", "both.png"]) == 0
    assert f"for 'bad': {zeros}; for 'bad': {unchanged}" in capsys.readouterr().err
    assert main(["explain", "--text", "plain day", *model, "-o", "page.html"]) == 0
    assert main(["explain", "--text", "good day", *model[:-2], "--target", "good - bad", "-o", "margin.json"]) == 0
    assert xplain.read("margin.json").attributions[0].target.name == "good - bad"
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count(zeros) == 1
    assert unchanged in page


def test_many_inputs_to_pictures_and_to_lines(folder):
    assert explain("photo*.png", "-o", "pictures/{name}.png") == 0
    assert len(list(Path("pictures").glob("photo?.png"))) == 3
    assert explain("photo*.png", "-o", "all.jsonl") == 0
    assert [json.loads(line)["source"]["name"] for line in Path("all.jsonl").read_text().splitlines()] == [
        f"photo{i}.png" for i in range(3)
    ]
    assert explain("photo0.png", "-o", "all.jsonl") == 2


def test_inputs_of_one_name_get_numbers(folder):
    Path("sub").mkdir()
    Path("sub/photo0.png").write_bytes(Path("photo0.png").read_bytes())
    assert explain("photo0.png", "sub/photo0.png", "-o", "out") == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["photo0-2.json", "photo0.json"]


def test_inputs_from_lines(folder):
    Path("list.jsonl").write_text('"photo0.png"\n\n{"image": "photo1.png", "target": "right"}\n')
    assert explain("list.jsonl", "-o", "out.jsonl") == 0
    documents = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    targets = [xplain.from_document(document).attributions[0].target.name for document in documents]
    assert targets == ["left", "right"]


def test_masks_for_formats_that_hold_no_heat_map(folder, capsys):
    assert explain("photo0.png", "-o", "a.json", "--format", "modzy") == 1
    assert "format 'modzy' cannot hold all of it" in capsys.readouterr().err
    assert explain("photo0.png", "-o", "a.json", "--format", "modzy", "--keep", "0.05") == 0
    document = json.loads(Path("a.json").read_text())
    assert sum(document["explanation"]["maskRLE"][0]) == 600
    assert main(["validate", "a.json"]) == 0
    assert main(["render", "a.json", "--image", "photo0.png", "-o", "a.svg"]) == 0
    assert main(["convert", "a.json", "--to", "native", "-o", "b.json"]) == 0
    assert xplain.read("b.json").attributions[0].evidence.area == 30


def test_convert_refuses_what_would_be_lost(folder, capsys):
    explain("photo0.png", "-o", "a.json")
    assert main(["convert", "a.json", "--to", "modzy"]) == 2
    assert "cannot hold all of it" in capsys.readouterr().err
    assert main(["convert", "a.json", "--to", "modzy", "--lossy"]) == 0
    assert json.loads(capsys.readouterr().out)["modelType"] == "imageClassification"


@pytest.mark.parametrize(("to", "job"), [("modzy", "j-7"), ("native", "j-7"), ("edge-impulse", None)])
def test_several_explanations_become_a_job(folder, capsys, to, job):
    names = [f"photo{i}.png" for i in range(2)]
    for i, name in enumerate(names):
        assert explain(name, "-o", f"e{i}.json", "--keep", "0.05") == 0
    more = [] if job is None else ["--job-id", job]
    assert main(["convert", "e0.json", "e1.json", "--to", to, "--job", *more, "--lossy", "-o", "job.json"]) == 0
    assert main(["validate", "job.json"]) == 0
    results = xplain.read("job.json")
    assert [(item.name, item.status) for item in results.items] == [("e0", "successful"), ("e1", "successful")]
    assert results.job == (job or "")
    assert results.items[0].explanation.predictions[0].name == xplain.read("e0.json").predictions[0].name


def test_an_item_of_modzy_keeps_its_engine_and_times_in_a_job(folder):
    item = {
        "status": "SUCCESSFUL",
        "engine": "model-batch-1",
        "startTime": "2026-01-02T03:04:05Z",
        "endTime": "2026-01-02T03:04:06Z",
        "elapsedTime": 1000,
        "heat.json": {"data": {"modelType": "imageClassification", "result": {"classPredictions": []}}},
    }
    Path("a.json").write_text(json.dumps(item))
    assert main(["convert", "a.json", "--to", "modzy", "--job", "--job-id", "7", "-o", "job.json"]) == 0
    written = json.loads(Path("job.json").read_text())["results"]["a"]
    assert {key: written[key] for key in item if key != "heat.json"} == {k: v for k, v in item.items() if "." not in k}
    assert written["heat.json"]["data"].keys() == {"modelType", "result", "explanation"}


def test_detections_become_a_job_of_cognite(folder):
    for name, box in (("a", (0, 0, 4, 4)), ("b", (2, 2, 8, 8))):
        found = xplain.Prediction("person", 0.75, region=xplain.Box(*box, "pixel"))
        source = xplain.Source("image", name=f"{name}.jpg", height=8, width=8)
        xplain.write(xplain.Explanation("object-detection", source, [found]), f"{name}.json")
    assert main(["convert", "a.json", "b.json", "--to", "cognite", "--job", "--job-id", "7", "-o", "job.json"]) == 0
    document = json.loads(Path("job.json").read_text())
    assert (document["jobId"], document["status"]) == (7, "Completed")
    assert [item["fileExternalId"] for item in document["items"]] == ["a", "b"]


def test_a_job_of_documents_that_make_none_is_refused(folder, capsys):
    explain("photo0.png", "-o", "a.json")
    Path("other").mkdir()
    Path("other/a.json").write_bytes(Path("a.json").read_bytes())
    for arguments, message in (
        (
            ["a.json", "other/a.json", "--to", "native", "--job"],
            "a name of its own with --job, got 'a.json' and 'other/a",
        ),
        (["a.json", "other/a.json", "--to", "native"], "document must be one, got 2; --job writes several as one job"),
        (["a.json", "--to", "reinfer", "--job"], "--to must be one of modzy, edge-impulse, cognite, native with --job"),
        (["a.json", "--to", "native", "--job-id", "7"], "--job-id must go with --job"),
    ):
        assert main(["convert", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert main(["convert", "a.json", "other/a.json", "--to", "native", "--job", "-o", "job.json"]) == 2
    assert main(["convert", "a.json", "--to", "native", "--job", "-o", "one.json"]) == 0
    assert xplain.read("one.json").job == "1"
    other = xplain.Results("j", [xplain.Item(name, "waiting") for name in "ab"])
    xplain.write(other, "two.json")
    assert main(["convert", "a.json", "two.json", "--to", "native", "--job"]) == 2
    assert "must be an explanation to become an item of a job, got a job of 2 items" in capsys.readouterr().err


def test_validate_prints_every_problem_with_its_place(folder, capsys):
    explain("photo0.png", "-o", "a.json")
    document = json.loads(Path("a.json").read_text())
    document["source"]["height"] = "tall"
    document["predictions"][1]["score"] = None
    Path("bad.json").write_text(json.dumps(document))
    assert main(["validate", "a.json", "bad.json"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a.json: valid"
    assert any(line.startswith("bad.json: $.source.height: ") for line in lines)
    assert any(line.startswith("bad.json: $.predictions[1].score: ") for line in lines)
    assert main(["validate", "bad.json", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["valid"] is False


def test_info_lists_what_a_document_holds(folder, capsys):
    explain("photo0.png", "-o", "a.json")
    assert main(["info", "a.json"]) == 0
    text = capsys.readouterr().out
    assert "photo0.png 20x30" in text
    assert "by occlusion" in text
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["xplain"] == xplain.__version__


def test_tables(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(xplain.methods()) + 1
    assert main(["methods", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rise"]["needs"] == "scores"
    assert main(["formats", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(xplain.formats())
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == xplain.schema()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "no.jpg", *EXPLAIN, "-o", "a.json"], "image must be an existing file, got 'no.jpg'"),
        (["explain", "no*.jpg", *EXPLAIN], "input must match at least one file, got 'no*.jpg'"),
        (["explain", ".", *EXPLAIN], "input must be a file, got the folder '.'"),
        (["explain", "photo0.png", "photo1.png", *EXPLAIN, "-o", "a.json"], "output must be a folder, a .jsonl file"),
        (["explain", "photo0.png", *EXPLAIN, "-o", "a.bmp"], "output must end in .json, .jsonl, .png"),
        (["explain", "photo0.png", *EXPLAIN, "--json"], "output must be a file or a folder with --json"),
        (["explain", "photo0.png", "--model", "lite"], "network must be one of"),
        (["explain", "photo0.png", "--model", "no_module:make"], "model must be a network's name or MODULE:FACTORY"),
        (["explain", "photo0.png", "--model", "halves:no"], "has no attribute 'no'"),
        (["explain", "photo0.png", "--model", "halves:not_a_model"], "must return an xplain model, got int"),
        (["explain", "photo0.png", *EXPLAIN, "--option", "window"], "option must be NAME=VALUE, got 'window'"),
        (["explain", "photo0.png", *EXPLAIN, "--option", "widnow=3", "-o", "a.json"], "did you mean 'window'?"),
        (["explain", "photo0.png", *EXPLAIN, "--target", "up", "-o", "a.json"], "target must be one of left, right"),
        (["render", "no.json", "-o", "a.png"], "path must be a file that can be read, got 'no.json'"),
        (["render", "photo0.png", "-o", "a.png"], "$"),
        (["render", "no.json", "-o", "a.gif"], "output must end in .png, .html, .svg, .txt, got 'a.gif'"),
        (["convert", "no.json", "--to", "native"], "got 'no.json'"),
        (["schema", "yaml"], "format must be one of"),
    ],
)
def test_wrong_usage_is_explained(folder, capsys, arguments, message):
    status = main(arguments)
    out, err = capsys.readouterr()
    assert status in (1, 2)
    assert message in err
    assert err.startswith("xplain: error: ")
    assert "Traceback" not in err
    assert out == ""


def test_a_model_that_does_not_load_leaves_no_file_behind(folder, capsys):
    Path("old.jsonl").write_text("mine")
    for output in ("new.jsonl", "old.jsonl"):
        assert main(["explain", "photo0.png", "--model", "halves:no", "-o", output, "--force"]) == 2
    assert not Path("new.jsonl").exists()
    assert Path("old.jsonl").read_text() == "mine"


def test_render_refuses_a_text_that_was_not_explained(folder, capsys):
    assert main(["explain", "--text", "good day", "--model", "halves:counts", "-o", "a.json"]) == 0
    assert main(["render", "a.json", "--text", "another text altogether", "-o", "a.html"]) == 2
    assert "text must be" in capsys.readouterr().err
    assert main(["render", "a.json", "--text", "good day", "-o", "a.html"]) == 0


def test_usage_errors_of_the_parser_exit_with_2(capsys):
    for arguments in ([], ["explode"], ["convert", "a.json"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "usage: xplain" in capsys.readouterr().err


def test_an_interrupt_exits_with_130(monkeypatch, capsys):
    from xplain.cli import tables

    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "methods", interrupt)
    assert main(["methods"]) == 130
    assert capsys.readouterr().err == "xplain: interrupted\n"


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m xplain schema | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# Not ru_maxrss, which a child inherits from the process that started it.
PEAK = """
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024)
"""
FLOOR = "import numpy, PIL.Image; numpy.asarray(PIL.Image.open('photo.png').convert('RGB'))" + PEAK
RENDER = (
    """
import sys
from xplain.cli import main
assert main(["render", "mask.json", "--image", "photo.png", "-o", "out.png"]) == 0
heavy = [name for name in ("torch", "matplotlib", "pydantic", "skimage", "numba", "scipy") if name in sys.modules]
assert heavy == [], heavy
"""
    + PEAK
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to measure memory")
def test_render_of_a_1080p_photo_is_light(tmp_path):
    """It takes little more than NumPy, Pillow and the photo, whose own share depends on what the system has cached."""
    rows, columns = np.mgrid[:1080, :1920]
    photo = np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=2).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    mask = xplain.Mask.from_array((rows - 500) ** 2 + (columns - 900) ** 2 < 250**2)
    prediction = xplain.Prediction("disc", 0.9)
    source = xplain.Source("image", height=1080, width=1920)
    e = xplain.Explanation("image-classification", source, [prediction], [xplain.Attribution(prediction, mask)])
    xplain.write(e, tmp_path / "mask.json")
    environment = {**os.environ, "PYTHONPATH": str(Path(xplain.__file__).parents[1])}

    def peak(code: str) -> int:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert peak(RENDER) - peak(FLOOR) < 20


@pytest.mark.network
def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(demo.METHODS, "rise", {"n_samples": 40})  # most of the time goes into it
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    assert "cat" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"cat.json", "cat.modzy.json", "cat-overlay.png", "cat-methods.png", "review.json", "review.html"} <= names
    words = {
        word.text: word.score for word in xplain.read(tmp_path / "demo/review.json").attributions[0].evidence.words
    }
    assert words["waste."] > 0 > words["wonderful,"]
    e = xplain.read(tmp_path / "demo" / "cat.json")
    assert "cat" in e.attributions[0].target.name
    assert e.attributions[0].evidence.values[100:250, 130:330].mean() > e.attributions[0].evidence.values.mean()
