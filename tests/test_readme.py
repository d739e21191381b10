"""What the README and the notebooks say is true: their code runs, their tables and outputs are current."""

import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

import xplain
from xplain.cli import main

ROOT = Path(xplain.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch, cat) -> Path:
    Image.fromarray(cat).save(tmp_path / "cat.jpg")
    (tmp_path / "photos").mkdir()
    shutil.copy(tmp_path / "cat.jpg", tmp_path / "photos" / "one.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.network
def test_the_python_examples_run(folder, capsys):
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    for file in ("cat.png", "red.png", "given.png", "review.html", "review.json"):
        assert (folder / file).stat().st_size > 0
    assert names["problems"] == []


@pytest.mark.network
def test_the_commands_run(folder, capsys):
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("xplain ")]
    assert len(commands) >= 6
    (writes,) = [block for block in blocks("python") if '"inference.json", "w"' in block]
    exec(compile(writes, "README.md", "exec"), {})
    for command in commands:
        assert main(shlex.split(command, comments=True)[1:]) == 0, (command, capsys.readouterr().err)
    assert {path.name for path in folder.iterdir()} >= {"cat.json", "cat.png", "out", "page.html"}


def test_the_table_of_methods_is_current():
    spec = importlib.util.spec_from_file_location("make", ROOT / "notebooks" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert make.with_table(README) == README, "run: python notebooks/make.py"


def test_the_files_that_the_readme_names_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.network
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebooks_run_and_their_outputs_are_current(path):
    nbformat = pytest.importorskip("nbformat", reason="nbclient is in the test group")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is in the test group")
    committed = nbformat.read(path, as_version=4)
    executed = nbclient.NotebookClient(nbformat.read(path, as_version=4), timeout=600, kernel_name="python3").execute()

    def kinds(notebook):
        outputs = (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
        return [sorted(output.get("data", {"stream": ""})) for output in outputs]

    assert kinds(executed) == kinds(committed)
    assert path.stat().st_size < 1_000_000


def test_no_notebook_holds_a_machine_path():
    for path in NOTEBOOKS:
        assert not re.search(r"/(home|root|tmp|work)/", path.read_text(encoding="utf-8")), path.name
