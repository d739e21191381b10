"""What is written is read by the vendors' own code, each in a virtual environment of its own: their pins conflict.

``NAME.txt`` holds the requirements of an environment; the script ``check_FORMAT.py`` that its name begins with reads
documents there. Environments are made once, in ``~/.cache/xplain-vendors`` or the folder ``XPLAIN_VENDORS``.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.formatters import golden, ours
from xplain.explanation import Record, Results
from xplain.formatters import dumps, from_document, to_document

HERE = Path(__file__).parent
REQUIREMENTS = sorted(HERE.glob("*.txt"))
CACHE = Path(os.environ.get("XPLAIN_VENDORS", Path.home() / ".cache" / "xplain-vendors"))

pytestmark = pytest.mark.vendors


def environment(requirements):
    """Return the Python of a virtual environment with these requirements, made now if need be."""
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"{requirements.stem}-{key}"
    python = folder / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes run tests
        if not (folder / "ready").exists():
            venv.create(folder, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{requirements.name} could not be installed: {done.stderr.strip().splitlines()[-1]}")
            (folder / "ready").touch()
    return python


def script_of(requirements):
    (script,) = [s for s in HERE.glob("check_*.py") if requirements.stem.startswith(s.stem.removeprefix("check_"))]
    return script


def written(format, folder):
    """Write what the format's golden documents say, and explanations of our own."""
    values = {path.stem: from_document(golden.read(path)) for path in golden.of(format)} | ours.values(format)
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
