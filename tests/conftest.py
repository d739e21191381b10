import numpy as np
import pytest


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
