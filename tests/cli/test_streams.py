"""The command line with odd streams, names and labels."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import xplain
from xplain.cli import main

LABEL = "\x1b[31mred\nmodel   other"
MODEL = f"""
import numpy as np
import xplain

def bright():
    def score(images):
        mean = images[:, :, :4].mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - mean, mean], axis=1)
    return xplain.ImageClassifier(score, [{LABEL!r}, "b\\ud800"], output="probability")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a photo, a model whose labels are hostile, and a document of both."""
    (tmp_path / "bright.py").write_text(MODEL)
    photo = np.random.default_rng(0).integers(0, 100, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "bright", raising=False)
    assert explain("photo.png", "-o", "photo.json") == 0
    return tmp_path


def explain(*arguments: str) -> int:
    return main(["explain", *arguments, "--model", "bright:bright", "--method", "occlusion", "--option", "window=4"])


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    root = str(Path(xplain.__file__).parents[1])
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -m xplain {command}', sys.executable], capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": root, **environment},
    )  # fmt: skip


def test_labels_do_not_act_on_the_terminal_nor_add_lines(folder, capsys):
    assert main(["info", "photo.json"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "␛[31mred model   other" in out
    assert main(["render", "photo.json", "--target", "none"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "target must be one of ␛[31mred" in err


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_closed_streams_are_refused():
    done = shell("validate - <&-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"xplain: error: standard input must be open to be read, got a closed one\n"
    done = shell("formats >&-")
    assert done.returncode == 2
    assert b"standard output must be open, got a closed one" in done.stderr
    done = shell("validate no.json 2>&-")
    assert (done.returncode, done.stdout) == (2, b"")  # the message does not go among the data


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error():
    done = shell("formats > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith(b"xplain: error: input and output must be files that can be used, got [Errno 28]")
    assert b"Traceback" not in done.stderr


def test_what_a_stream_cannot_encode_is_escaped(folder):
    for encoding in ("utf-8", "ascii"):
        done = shell("info photo.json", PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
    assert b"\\u241b[31mred" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of any bytes")
def test_names_of_other_encodings_are_written_as_valid_json(folder):
    name = os.fsdecode(b"\xff.png")
    (folder / "photo.png").rename(name)
    done = shell('explain *.png --model bright:bright --method random -o "out/{name}.json" --json', PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode("utf-8"))["input"] == name
    assert [os.fsencode(path.name) for path in Path("out").iterdir()] == [b"\xff.json"]


def test_folders_and_streams_that_cannot_be_made_are_refused(folder, capsys):
    assert explain("photo.png", "-o", "photo.png/sub/") == 1
    assert "folder must be one that can be created, got 'photo.png/sub': Not a directory" in capsys.readouterr().err
    assert explain("photo.png", "-o", "no/such.jsonl") == 2
    assert "output must be a file that can be written, got 'no/such.jsonl'" in capsys.readouterr().err
    assert main(["demo", "-o", "photo.png"]) == 2
    assert "folder must be one that can be created, got 'photo.png': File exists" in capsys.readouterr().err
    assert explain("a" * 5000) == 2
    assert "input and output must be files that can be used, got" in capsys.readouterr().err


def test_a_name_of_dots_leads_to_no_other_folder(folder):
    (folder / "photo.png").rename("...png")
    assert explain("...png", "-o", "out/{name}/e.json") == 0
    assert [str(path.relative_to(folder)) for path in folder.glob("**/e.json")] == ["out/_../e.json"]


def test_options_of_the_call_are_no_options_of_the_method(folder, capsys):
    for name in ("seed", "method", "batch-size", "progress", "model"):
        assert explain("photo.png", "--option", f"{name}=3") == 2
        assert "option must be one of the method, got" in capsys.readouterr().err
    assert explain("photo.png", "--option", "baseline=" + "[" * 100_000) == 1
    assert "baseline must be one of 'mean', 'blur', got" in capsys.readouterr().err


def test_numbers_of_thousands_of_digits_name_no_class(folder, capsys):
    for command in (lambda *a: explain("photo.png", *a), lambda *a: main(["render", "photo.json", *a])):
        assert command("--target", "9" * 5000) in (1, 2)
        assert "target must be one of" in capsys.readouterr().err


def test_a_bad_line_is_named(folder, capsys):
    (folder / "lines.jsonl").write_text('"photo.png"\n["\n')
    assert explain("lines.jsonl") == 2
    assert "lines.jsonl, line 2, must be JSON, got" in capsys.readouterr().err


def test_half_a_factory_is_refused(capsys):
    for name in (":bright", "bright:"):
        assert main(["explain", "photo.png", "--model", name]) == 2
        assert f"model must be a network's name or MODULE:FACTORY, got {name!r}" in capsys.readouterr().err


def test_a_model_that_draws_numbers_is_explained_where_its_check_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawn.py").write_text(
        "import numpy as np, xplain\n"
        "draw = np.random.default_rng(0).random\n"
        "def model():\n"
        "    return xplain.TextClassifier(lambda texts: draw((len(texts), 2)))\n"
    )
    command = ["explain", "--text", "a good film", "--model", "drawn:model", "--method", "occlusion", "-o", "e.json"]
    assert main(command) == 1
    assert "leave this check out: check=False" in capsys.readouterr().err
    assert main([*command, "--no-check"]) == 0
    assert xplain.read("e.json").provenance.options["check"] is False
