"""Each benchmark runs in its quick form and prints ratios; the figures themselves are not judged."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path.stem != "run")
RATIO = re.compile(r"\| \d+\.\d\d( \([^)|]+\))? \|")

pytestmark = [
    pytest.mark.benchmarks,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="a source distribution comes without the benchmarks"),
]


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A script finds its own folder, not the package beside it; what is installed may be another copy.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def bench(monkeypatch):
    """The module that the scripts share."""
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module("_bench")
    yield module
    del sys.modules["_bench"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_and_prints_ratios(name):
    done = run(FOLDER / f"{name}.py", "--quick")
    assert done.returncode == 0, done.stderr
    assert RATIO.search(done.stdout), done.stdout
    assert " fails: " not in done.stdout, done.stdout


def test_the_runner_knows_every_script():
    text = run(FOLDER / "run.py", "--help").stdout
    listed = re.findall(r"^  (\w+)  ", text.partition("\nbenchmarks:\n")[2], re.MULTILINE)
    assert sorted(listed) == SCRIPTS


def test_the_runner_runs_what_is_named_and_fails_if_one_fails(tmp_path):
    for name in ("run.py", "_bench.py"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "rle.py").write_text("raise SystemExit(3)")
    (tmp_path / "boxes.py").write_text("import sys; print('given', *sys.argv[1:])")
    done = run(tmp_path / "run.py", "--quick", "rle", "boxes")
    assert done.returncode == 1
    assert "given --quick" in done.stdout
    assert re.search(r"\| rle \| \d+\.\d \| failed with exit status 3 \|\n\| boxes \| \d+\.\d \| ran \|", done.stdout)
    assert run(tmp_path / "run.py", "--quick", "boxes").returncode == 0


def test_the_runner_refuses_an_unknown_name():
    done = run(FOLDER / "run.py", "boxen")
    assert done.returncode == 2
    assert "no such benchmark: boxen" in done.stderr


def test_missing_rivals_are_named(bench):
    assert bench.rival("no_such_rival.module") is None
    assert bench.notes == []
    assert bench.machine(["numpy", "no-such-rival"]).endswith("\n- not installed: no-such-rival")


def test_a_rival_that_does_not_import_is_left_out_with_its_reason(bench, tmp_path, monkeypatch):
    (tmp_path / "broken_rival.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    assert bench.rival("broken_rival") is None
    assert bench.notes == ["does not import: broken_rival: ModuleNotFoundError: No module named 'no_such_dependency'"]


def test_a_rival_that_fails_is_left_out_with_its_reason_but_ours_must_run(bench):
    def broken():
        raise ValueError("too\nold")

    assert list(bench.running({"ours": int, "shap": broken, "lime": None})) == ["ours"]
    assert bench.notes == ["shap fails: ValueError: too old"]
    with pytest.raises(ValueError, match="too"):
        bench.running({"ours-8": broken})


def test_peak_memory_is_that_of_a_call_in_a_process_of_its_own(bench):
    block = bytearray(200_000_000)  # of this process, so it must not count
    peak = bench.peak_memory(bench.Effort(quick=False, rounds=1), partial(partial, bytearray), 50_000_000)
    assert 49_000_000 < peak < 60_000_000
    del block
