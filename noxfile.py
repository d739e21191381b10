"""All checks of the project: ``nox`` runs what a change must pass, ``nox --list`` says what else there is.

The sessions use the environment that nox itself runs in, which holds what the README installs for developers; only the
wheel is tried in an environment of its own, since it must work without torch.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "wheel", "tests"]
nox.options.stop_on_first_error = True
nox.needs_version = ">=2024.4.15"

ROOT = Path(__file__).parent
PYTHON = sys.executable
# Reads, checks and draws saved documents where nothing but the wheel and what it needs is installed.
BARE = """
import importlib.util, sys
import xplain

assert importlib.util.find_spec("torch") is None, "torch must be absent here"
e = xplain.read("demo/cat.json")
assert e.provenance.method == "grad-cam"
assert xplain.render(e, "demo/cat.png").pixels.shape[1] >= 451
print("the wheel reads and draws without torch")
"""


@nox.session
def lint(session: nox.Session) -> None:
    """Style and mistakes that can be seen in the source: ruff."""
    session.run(PYTHON, "-m", "ruff", "check", ".")
    session.run(PYTHON, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy, strict on the package."""
    session.run(PYTHON, "-m", "mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, with all examples of the laws. Arguments after ``--`` go to pytest."""
    session.run(
        *(PYTHON, "-m", "pytest", "-q", "-n", "auto", "--hypothesis-profile=ci", "--durations=15"), *session.posargs
    )


@nox.session
def wheel(session: nox.Session) -> None:
    """The demo, and the wheel that reads and draws its documents and the golden ones, without torch."""
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work)
    session.run(PYTHON, "-m", "xplain", "demo", "-o", str(work / "demo"))
    session.run(PYTHON, "-m", "build", "-q", "--wheel", "--outdir", str(work / "dist"), ".", silent=True)
    session.run(PYTHON, "-m", "venv", str(work / "bare"))
    scripts = work / "bare" / ("Scripts" if sys.platform == "win32" else "bin")
    python, xplain = str(scripts / "python"), str(scripts / "xplain")
    (built,) = (work / "dist").glob("*.whl")
    session.run(python, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(built))
    golden = sorted(map(str, (ROOT / "tests" / "data").glob("*/*.json")))
    with session.chdir(work):
        session.run(python, "-c", BARE)
        session.run(xplain, "render", "demo/cat.json", "--image", "demo/cat.png", "-o", "alone.png")
        session.run(xplain, "render", "demo/cat.modzy.json", "--image", "demo/cat.png", "-o", "mask.png")
        session.run(xplain, "render", str(ROOT / "tests/data/edge-impulse/job.json"), "-o", "job.html")
        session.run(xplain, "render", str(ROOT / "tests/data/deepomatic/detection.json"), "-o", "boxes.png")
        session.run(xplain, "validate", "demo/cat.json", "demo/cat.modzy.json", *golden, silent=True, log=False)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Every benchmark, at full size: minutes. ``nox -s benchmarks -- --quick`` takes seconds."""
    session.run(PYTHON, "benchmarks/run.py", *session.posargs)


@nox.session
def architectures(session: nox.Session) -> None:
    """Every architecture with every method: equal to a reference, refused, or wrong; ``-- NAME`` chooses."""
    session.run(PYTHON, "tests/architectures.py", *session.posargs)


@nox.session
def snapshot(session: nox.Session) -> None:
    """Whether all pictures, documents and words are those of another commit: ``nox -s snapshot -- COMMIT``."""
    (commit,) = session.posargs or ("HEAD",)
    work = Path(session.create_tmp()).resolve()
    shutil.rmtree(work)
    session.run("git", "worktree", "add", "--detach", str(work / "tree"), commit, external=True)
    try:
        # The script of today, on the code of then.
        shutil.copy(ROOT / "tests" / "snapshot.py", work / "tree" / "tests" / "snapshot.py")
        session.run(PYTHON, str(work / "tree" / "tests" / "snapshot.py"), str(work / "then"))
        session.run(PYTHON, "tests/snapshot.py", str(work / "now"), "--compare", str(work / "then"))
    finally:
        session.run("git", "worktree", "remove", "--force", str(work / "tree"), external=True)


@nox.session
def long(session: nox.Session) -> None:
    """What takes hours: every law with thousands of random examples. Appends its figures to tests/LONG.md."""
    started = time.time()
    report = Path(session.create_tmp()).resolve() / "report.xml"
    session.run(
        *(PYTHON, "-m", "pytest", "-q", "-n", "auto", "--hypothesis-profile=long", "-m", "laws"),
        *(f"--junitxml={report}", *session.posargs),
        success_codes=[0, 1],
    )
    suite = ElementTree.parse(report).getroot()[0]
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    commit = str(session.run("git", "rev-parse", "--short", "HEAD", external=True, silent=True)).strip()
    day, minutes = time.strftime("%Y-%m-%d", time.gmtime(started)), (time.time() - started) / 60
    what, count = " ".join(session.posargs) or "all", suite.get("tests")
    row = f"| {day} | {commit} | {what} | {count} | {failed} | {minutes:.0f} |\n"
    with (ROOT / "tests" / "LONG.md").open("a", encoding="utf-8") as record:
        record.write(row)
    if failed:
        session.error(f"{failed} tests failed; see above")
