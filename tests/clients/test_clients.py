"""What is written is read by the vendors' own code, each in a virtual environment of its own: their pins conflict.

``NAME.txt`` holds the requirements of an environment; the script ``check_FORMAT.py`` that its name begins with reads
documents there. `tests.environments` makes them.
"""

import subprocess
from pathlib import Path

import pytest

from tests.environments import environment
from tests.formatters import golden, ours
from xplain.explanation import Box, Prediction, Record, Results
from xplain.formatters import dumps, from_document, to_document
from xplain.vendors.edge_impulse import with_truth

HERE = Path(__file__).parent
REQUIREMENTS = sorted(HERE.glob("*.txt"))

pytestmark = pytest.mark.vendors


def script_of(requirements):
    (script,) = [s for s in HERE.glob("check_*.py") if requirements.stem.startswith(s.stem.removeprefix("check_"))]
    return script


def written(format, folder):
    """Write what the format's golden documents say, and explanations of our own."""
    values = {path.stem: from_document(golden.read(path)) for path in golden.of(format)} | ours.values(format)
    if format == "edge-impulse":  # with a truth there is a job, without one a page
        cat = Prediction("person", 1.0, region=Box(12, 18, 50, 90, "pixel"))
        values |= {"judged": with_truth(values["gesture"], "wave"), "found": with_truth(values["street"], [cat])}
    if format == "modzy":  # the client reads jobs
        values = {name: value for name, value in values.items() if isinstance(value, Results) and value.job}
    for name, value in values.items():
        (folder / f"{name}.json").write_text(dumps(to_document(value, format, lossy=True)), encoding="utf-8")
        if format == "modzy" and isinstance(value, Results):
            strict = to_document(value, format, edge=True, lossy=True)
            (folder / f"{name}.edge.json").write_text(dumps(strict), encoding="utf-8")
    return sorted(str(folder / f"{name}.json") for name, value in values.items() if not isinstance(value, Record)) + [
        str(path) for path in sorted(folder.glob("*.edge.json"))
    ]


@pytest.mark.parametrize("requirements", REQUIREMENTS, ids=lambda path: path.stem)
def test_the_vendor_reads_what_is_written(requirements, tmp_path):
    script = script_of(requirements)
    documents = written(script.stem.removeprefix("check_").replace("_", "-"), tmp_path)
    python = environment(requirements)
    done = subprocess.run([str(python), str(script), *documents], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(documents)


@pytest.mark.parametrize("requirements", REQUIREMENTS, ids=lambda path: path.stem)
def test_the_vendor_refuses_what_is_broken(requirements, tmp_path):
    python = environment(requirements)
    broken = tmp_path / "broken.json"
    broken.write_text('{"status": 5, "items": [{}], "outputs": [{"labels": 3}], "result": 1}', encoding="utf-8")
    done = subprocess.run([str(python), str(script_of(requirements)), str(broken)], capture_output=True, check=False)
    assert done.returncode != 0
