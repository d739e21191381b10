import warnings

import pytest


@pytest.fixture(scope="session")
def captum():
    """The other implementation to compare with; it warns when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("captum.attr")
        return pytest.importorskip("captum.metrics")
