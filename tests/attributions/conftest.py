import warnings

import pytest


@pytest.fixture(scope="session")
def captum():
    """captum.attr, the other implementation to compare with; it warns when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("captum.attr")
