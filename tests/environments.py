"""Virtual environments for packages whose pins conflict with ours: made once, in ``~/.cache/xplain-vendors`` or the
folder ``XPLAIN_VENDORS``.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XPLAIN_VENDORS", Path.home() / ".cache" / "xplain-vendors"))


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
