"""Settings of all tests: how many examples a law gets, how many threads a process may use; and what many tests explain.

Hypothesis profiles: ``quick`` for a person at work (the default), ``ci`` for all that a change must pass, ``long`` for
hours (``nox -s long``). The first two draw the same examples each time, so that a run says something of the change
alone; new examples are looked for by the long one.
"""

import os

import numpy as np
import pytest
from hypothesis import settings

# Workers that take all cores each wait for one another: tests of networks run ten times as long. Set before torch is
# imported, in the workers alone, since these inherit what their parent sets.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(workers)))

settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile("quick")


def pytest_collection_modifyitems(items):
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("laws")


@pytest.fixture(scope="session")
def network():
    """The demo network, loaded once."""
    import xplain

    return xplain.pretrained("efficientnet-lite0")


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    """A photo of a cat: uint8 (300, 451, 3)."""
    from skimage.data import chelsea

    return chelsea()
