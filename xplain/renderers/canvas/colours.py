"""Colours: maps for values, and a palette for names.

The colour maps are small tables of published control points, so that no plotting library is needed. Diverging maps are
white or light in the middle, which stands for zero; sequential maps grow steadily lighter. Maps and palette are safe
for colour-blind readers.

- ``viridis``, ``inferno``: S. van der Walt, N. Smith, E. Firing (CC0), https://bids.github.io/colormap/.
- ``vik``, ``batlow``: F. Crameri, *Scientific colour maps* (MIT), https://doi.org/10.5281/zenodo.1243862.
- ``RdBu_r``, ``PuOr_r``: C. Brewer, *ColorBrewer 2.0* (Apache-2.0), https://colorbrewer2.org/; the schemes of nine
  classes, reversed, so that red and orange stand for positive values.

- ``COLOURS``: M. Okabe and K. Ito, *Color Universal Design*, 2008.

Colours between the control points are interpolated linearly, which is within 8/255 of the original tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from xplain import _check

Colour = tuple[int, int, int]  # red, green, blue, 0..255

#: Entry of the 256 colours of a diverging map that stands for zero; 1 and 255 stand for the ends, 0 is never used.
MIDDLE = 128
#: Palette for names (labels, entities, outcomes), the first for the most frequent.
COLOURS: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
#: Colour of all names beyond the palette.
OTHERS: Colour = (200, 203, 208)


@dataclass(frozen=True, slots=True)
class Cmap:
    """A colour map: its control points, evenly spaced, as ``rrggbb``."""

    name: str
    diverging: bool
    points: str


CMAPS = {
    cmap.name: cmap
    for cmap in (
        Cmap(
            "RdBu_r",
            True,
            "2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b",
        ),
        Cmap(
            "PuOr_r",
            True,
            "542788 8073ac b2abd2 d8daeb f7f7f7 fee0b6 fdb863 e08214 b35806",
        ),
        Cmap(
            "vik",
            True,
            "001261 022b71 034481 0c5e92 2f7ca6 609dbc 92bdd2 c5dbe6 ece6e1 "
            "e9cbb9 dcab8f cf8d67 c37242 b3531f 942f06 741506 590008",
        ),
        Cmap(
            "viridis",
            False,
            "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21908c "
            "1f9f88 27ad81 3ebc74 5cc863 82d34d aadc32 d5e21a fde725",
        ),
        Cmap(
            "inferno",
            False,
            "000004 0b0724 210c4a 3d0965 56106e 70196e 89226a a32c61 bb3654 "
            "d14545 e35932 f1721e f98c0a fcaa0f f9c932 f2e865 fcffa4",
        ),
        Cmap(
            "batlow",
            False,
            "011959 0d315d 114360 175262 226061 356a59 4d734d 667b3e 828232 "
            "a0892b bf9035 dc954c f19d6c fca891 fdb4b4 fcbfd6 faccfa",
        ),
    )
}


def find_cmap(argument: str, name: object) -> Cmap:
    """Look up a colour map by name; ``argument`` is what the caller calls it.

    Raises
    ------
    UnknownNameError
        If there is none; the message suggests the nearest name.
    """
    return CMAPS[_check.known(argument, name, CMAPS)]


@lru_cache(maxsize=16)
def colour_table(cmap: Cmap) -> npt.NDArray[np.uint8]:
    """Return the 256 colours of a map as read-only uint8 (256, 3).

    Entry 0 stands for zero in a sequential map, entry `MIDDLE` in a diverging one.
    """
    points = np.array([list(bytes.fromhex(point)) for point in cmap.points.split()], dtype=np.float64)
    entry = np.arange(256)
    position = np.clip((entry - MIDDLE) / 127, -1, 1) / 2 + 0.5 if cmap.diverging else entry / 255
    knots = np.linspace(0, 1, len(points))
    channels = [np.interp(position, knots, points[:, channel]) for channel in range(3)]
    table = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    table.flags.writeable = False  # the cache hands out one array to all callers
    return table


def colours_of(names: Iterable[str]) -> dict[str, Colour]:
    """Assign the palette's colours to names, by frequency; names beyond the palette share `OTHERS`."""
    counts = Counter(names)
    palette = dict(zip([name for name, _ in counts.most_common(len(COLOURS))], COLOURS, strict=False))
    return {name: palette.get(name, OTHERS) for name in counts}
