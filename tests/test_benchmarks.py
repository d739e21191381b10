"""Each benchmark runs in its quick form and prints ratios; the figures themselves are not judged."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
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


@pytest.fixture
def board(bench):
    """The module of tables of quality."""
    module = importlib.import_module("_quality_board")
    yield module
    del sys.modules["_quality_board"]


def test_a_map_is_placed_by_its_positive_evidence_its_highest_value_and_the_order_of_its_magnitudes(board):
    inside = np.array([True, True, False, False])
    figures = board.placed(np.array([3.0, -4.0, 1.0, 0.0]), inside)
    assert figures == {"overall": pytest.approx(2.75 / 3), "energy": 0.75, "pointing": 1.0, "precision": 1.0}
    figures = board.placed(np.array([0.0, 0.0, 2.0, -1.0]), inside)
    # Both pixels of the region come last, together, at a precision of 2 / 4.
    assert (figures["energy"], figures["pointing"], figures["precision"]) == (0.0, 0.0, 0.5)


def test_a_method_is_better_than_the_best_control_by_two_errors_of_the_difference_on_the_same_samples(
    bench, board, capsys
):
    table = board.Board("Title", "photo")
    for level, difference in ((0.1, 0.1), (0.5, 0.1), (0.7, 0.2)):
        table.begin("x")
        table.add("random", 0, {"overall": 0.0, "deletion": 0.0})
        table.add("sobel", 0, {"overall": level, "deletion": level})
        table.add("near", 1, {"overall": level + difference, "deletion": level})
        if level < 0.6:
            table.add("dear", 50, {"overall": level - 0.1})
    table.print()
    lines = capsys.readouterr().out.splitlines()
    # Levels spread by 0.31, so the means alone say nothing; the pairs differ by 0.133 with an error of 0.033.
    assert "| `near` | 3 | 1 | 0.57 (±0.20, better) | 0.43 (±0.18, worse) |" in lines
    assert "| `dear` | 2 | 50 | 0.20 (±0.20, worse) |  |" in lines
    assert bench.notes == [
        "Title: best of 1 to 3 passes: `near`, overall 0.57 (±0.20, better)",
        "Title: best of more: `dear`, overall 0.20 (±0.20, worse)",
    ]


def test_a_table_takes_no_sample_after_its_time(board):
    table = board.Board("Title", "photo", seconds=-1)
    assert not table.begin("x")
    assert table.samples == 0


def test_a_blurred_map_is_the_mean_of_its_magnitudes_around_each_pixel(board):
    constant = board.blurred(np.full((5, 7), -2.0), 0.3)
    np.testing.assert_allclose(constant, 2.0)
    row = board.blurred(np.array([[0.0, 0.0, -1.0, 0.0, 0.0]] * 5), 0.2)[2]
    assert row.argmax() == 2
    assert row[2] / row[1] == pytest.approx(np.exp(0.5), rel=0.3)  # but for the edges


def test_peak_memory_is_that_of_a_call_in_a_process_of_its_own(bench):
    block = bytearray(200_000_000)  # of this process, so it must not count
    peak = bench.peak_memory(bench.Effort(quick=False, rounds=1), partial(partial, bytearray), 50_000_000)
    assert 49_000_000 < peak < 60_000_000
    del block
