"""`from_shap` reads what the real shap writes, in a virtual environment of its own; `test_given.py` has the rest."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import xplain
from tests.environments import environment

HERE = Path(__file__).parent

pytestmark = pytest.mark.vendors


@pytest.fixture(scope="module")
def said():
    python = environment(HERE / "shap.txt")
    path = {**os.environ, "PYTHONPATH": str(Path(xplain.__file__).parents[1])}
    command = [str(python), "-W", "ignore", str(HERE / "explain.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=path)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_words_of_a_text(said):
    name, words, quality, method = said[0]
    assert (name, method) == ("positive", "shap")
    assert words == [["so", 0.0], ["good", 1.0]]
    assert (quality["baseline_score"], quality["score"], quality["completeness_residual"]) == (0.0, 1.0, 0.0)


def test_outputs_are_found_by_name_and_a_single_one_names_the_target(said):
    zeros = {"The", "film", "was", "good,", "but", "fun."}
    for (name, words, _, _), expected in zip(said[1:4], (-1.0, 1.0, -1.0), strict=True):
        assert name == ("positive" if expected < 0 else "negative")
        assert dict(words) == dict.fromkeys(zeros, 0.0) | {"not": expected}


def test_the_row_of_another_text_is_refused(said):
    assert said[4].startswith("explanation.data[0] must be the next of the text, 'The film was not goo', got 'so '")


def test_pixels_of_a_photo(said):
    for name, values, quality, _ in said[5:9]:
        added = sum(map(sum, values))
        assert added == pytest.approx(quality["score"] - quality["baseline_score"], rel=1e-5)
        assert abs(quality["completeness_residual"]) < 1e-9
        assert "3 channels became one number: sum" in quality["notes"]
        assert name in ("red", "green", "blue")
    assert said[5][:2] == said[6][:2]
    assert {said[7][0], said[8][0]} == {"red", "green"}
