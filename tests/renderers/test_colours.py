import numpy as np
import pytest

from tests.support import refuses
from xplain.errors import UnknownNameError
from xplain.renderers import CMAPS
from xplain.renderers.canvas.colours import MIDDLE, colour_table, find_cmap


@pytest.mark.parametrize("cmap", CMAPS.values(), ids=CMAPS)
def test_the_ends_are_the_published_ones(cmap):
    table = colour_table(cmap)
    first, *_, last = (tuple(bytes.fromhex(point)) for point in cmap.points.split())
    assert tuple(table[1 if cmap.diverging else 0]) == first
    assert tuple(table[255]) == last
    assert table.shape == (256, 3)
    assert not table.flags.writeable


@pytest.mark.parametrize("cmap", [c for c in CMAPS.values() if c.diverging], ids=lambda c: c.name)
def test_a_diverging_map_is_lightest_at_zero(cmap):
    sums = colour_table(cmap).sum(axis=1, dtype=int)
    assert abs(int(sums.argmax()) - MIDDLE) <= 1
    assert np.ptp(colour_table(cmap)[MIDDLE]) <= 12


@pytest.mark.parametrize("cmap", [c for c in CMAPS.values() if not c.diverging], ids=lambda c: c.name)
def test_a_sequential_map_grows_lighter_all_the_way(cmap):
    lightness = colour_table(cmap) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(lightness) > -0.7).all()


@pytest.mark.parametrize(
    ("name", "theirs"), [("viridis", "viridis"), ("inferno", "inferno"), ("RdBu_r", "RdBu_r"), ("PuOr_r", "PuOr_r")]
)
def test_maps_are_near_the_original_tables(name, theirs):
    matplotlib = pytest.importorskip("matplotlib")
    original = np.rint(matplotlib.colormaps[theirs](np.linspace(0, 1, 256))[:, :3] * 255)
    ours = colour_table(CMAPS[name])
    if CMAPS[name].diverging:
        # The originals have eleven classes, of which the scheme of nine leaves out the darkest at either end.
        assert np.abs(ours[MIDDLE].astype(int) - original[128]).max() < 6
        assert np.abs(ours[255].astype(int) - original[230]).max() < 8
    else:
        assert np.abs(ours.astype(int) - original).max() <= 8


def test_an_unknown_name_is_refused():
    with refuses(UnknownNameError, "cmap must be one of RdBu_r", "got 'jet'"):
        find_cmap("cmap", "jet")
    with refuses(UnknownNameError, "got None"):
        find_cmap("cmap", None)
