"""CONTRIBUTING.md is true: its map is current, its commands and files exist."""

import re
from pathlib import Path

from tests import house

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_map_of_the_house_is_current():
    assert house.with_house(TEXT) == TEXT, "run: python tests/house.py --write"


def test_every_room_says_what_it_holds():
    assert [line for line in house.tree(ROOT / "xplain") if len(line.split()) < 3] == []


def test_the_files_that_are_named_exist():
    named = re.findall(r"`((?:xplain|tests|benchmarks|notebooks)/[\w/.-]+)`|\]\(([^)#:]+)\)", TEXT)
    assert [path for pair in named for path in pair if path and not (ROOT / path).exists()] == []


def test_the_sessions_that_are_named_exist():
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for names in re.findall(r"nox -s ([a-z ]+)", TEXT) for name in names.split()}
    assert named
    assert named <= set(sessions)


def test_figures_count_lines_and_arrows(tmp_path):
    package = tmp_path / "xplain"
    package.mkdir()
    (package / "__init__.py").write_text('"""Top."""\n', encoding="utf-8")
    (package / "a.py").write_text('"""A."""\n\nfrom xplain.b import f\n\nX = f()  # why\n', encoding="utf-8")
    (package / "b.py").write_text('"""B."""\n\n# Why.\ndef f():\n    """Do."""\n    return 1\n', encoding="utf-8")
    *_, last = house.figures(tmp_path).splitlines()
    assert last == "| all | 3 | 12 | 3 | 4 | 2 | 1 | 1 | 0 |"
