import pytest

from tests.support import refuses
from xplain import MissingExtraError, UnknownNameError
from xplain._lazy import require


def test_a_missing_package_is_reported_with_the_pip_command():
    with refuses(MissingExtraError, "no_such_package must be installed", "pip install 'xplain-kit[torch]'"):
        require("no_such_package.part", extra="torch")


def test_a_package_that_is_there_but_broken_shows_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import missing_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="missing_dependency"):
        require("broken_package", extra="torch")


def test_long_tables_are_not_listed():
    error = UnknownNameError("target", "catt", [f"label {i}" for i in range(1000)] + ["cat"])
    assert str(error) == "target must be one of 1001 names, got 'catt'; did you mean 'cat'?"
