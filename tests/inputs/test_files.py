"""Files written whole or not at all, without taking away what is there."""

import os
import stat
import threading
from pathlib import Path

import pytest

from tests.support import refuses
from xplain import InputError
from xplain.inputs import files


def test_a_link_stays_and_the_file_that_it_leads_to_is_written(tmp_path):
    file, link = tmp_path / "file.json", tmp_path / "link.json"
    file.write_bytes(b"old")
    link.symlink_to(file)
    with refuses(InputError, "path must be a new file", "link.json', which exists"):
        files.write(link, b"new", overwrite=False)
    files.write(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_into_and_not_replaced(tmp_path):
    # As /dev/null and /dev/stdout, which root could replace for everybody.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    files.write(pipe, b"data", overwrite=True)
    reader.join(timeout=10)
    assert received == [b"data"]
    assert pipe.is_fifo()


def test_a_replaced_file_keeps_its_permissions_and_nothing_is_left_over(tmp_path):
    private = tmp_path / "private.json"
    private.write_bytes(b"old")
    private.chmod(0o600)
    files.write(private, b"new", overwrite=True)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [private]


def test_parts_are_written_as_they_are_made_and_a_part_that_cannot_be_made_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "page.html"
    files.write(file, (part for part in (b"one ", b"two")), overwrite=False)
    assert file.read_bytes() == b"one two"

    def broken():
        yield b"new"
        raise InputError("items must be readable, got none")

    with refuses(InputError, "items must be readable, got none"):
        files.write(file, broken(), overwrite=True)
    assert file.read_bytes() == b"one two"
    assert list(tmp_path.iterdir()) == [file]


def test_the_longest_name_that_the_system_takes_can_be_written(tmp_path):
    file = tmp_path / ("a" * 255)
    files.write(file, b"data", overwrite=False)
    assert file.read_bytes() == b"data"


@pytest.mark.parametrize("path", [None, 3, b"file.json", ["file.json"]])
def test_what_is_no_path_is_refused(path):
    for use in (files.read, files.make_folder, lambda path: files.write(path, b"", overwrite=True)):
        with refuses(InputError, f"path must be a str or a path, got {type(path).__name__}"):
            use(path)


@pytest.mark.parametrize("name", ["\0", "\ud800", "a" * 5000, "no/such/folder"])
def test_names_that_the_system_refuses_are_refused_with_its_reason(tmp_path, name):
    path = f"{tmp_path}/{name}"
    with refuses(InputError, "path must be a file that can be read, got "):
        files.read(path)
    with refuses(InputError, "path must be a file that can be written, got "):
        files.write(path, b"", overwrite=True)


def test_folders_are_no_files_and_files_no_folders(tmp_path):
    with refuses(InputError, "path must be a file that can be written", "Is a directory"):
        files.write(tmp_path, b"", overwrite=True)
    (tmp_path / "file").touch()
    with refuses(InputError, "folder must be one that can be created, got", "file/inside': Not a directory"):
        files.make_folder(tmp_path / "file" / "inside")


def test_links_in_a_circle_and_closed_files_are_refused(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with refuses(InputError, "path must be a file that can be written"):
        files.write(loop, b"", overwrite=True)
    with Path(os.devnull).open("rb") as file:
        pass
    with refuses(InputError, "path must be a file that can be read", "closed file"):
        files.read(file)
