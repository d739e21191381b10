"""The table of the vendors' statements names tests that exist, and every statement has one."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (TESTS / "STATEMENTS.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]
STATEMENTS = [row for row in ROWS if row[0] != "statement"]


def test_each_statement_has_a_test_or_needs_a_service():
    assert len(STATEMENTS) > 80
    for statement, tests in STATEMENTS:
        for test in [] if tests == "service" else tests.split(", "):
            file, _, name = test.partition("::")
            text = (TESTS / file).read_text(encoding="utf-8")
            assert re.search(rf"^ *def {name}\(", text, re.MULTILINE), (statement, test)
