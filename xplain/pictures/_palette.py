"""Colours of names: told apart with colour-blind eyes, and bright enough for photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from xplain.pictures._type import Colour

__all__ = ["COLOURS", "OTHERS", "colours_of"]

#: M. Okabe and K. Ito, Color Universal Design, 2008.
COLOURS: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
#: Colour of all names for which there is none of their own.
OTHERS: Colour = (200, 203, 208)


def colours_of(names: Iterable[str]) -> dict[str, Colour]:
    """Give the most frequent names colours of their own, in the order in which they come."""
    times = Counter(names)
    own = dict(zip([name for name, _ in times.most_common(len(COLOURS))], COLOURS, strict=False))
    return {name: own.get(name, OTHERS) for name in times}
