"""A comparison of attribution methods: their explanations of one prediction, and a table of measures.

It is a value of its own, so that renderers can draw it without knowing how measures are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xplain.explanation import core
from xplain.explanation.characters import one_line
from xplain.explanation.core import Explanation

#: Heading of the only figure that differs between two equal runs.
_SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Comparison(Sequence[Explanation]):
    """Explanations of one prediction by several methods, with their measures.

    `xplain.compare` makes it, `xplain.render` draws the maps above the table, and ``print`` writes the table.

    Parameters
    ----------
    explanations : tuple of Explanation
        One for each method, in order, controls last.
    figures : tuple of mapping of str to (str, int, float or None)
        The figures of each explanation by heading, the same headings for all; None if unknown.
    notes : tuple of (str, str)
        Headings and their meanings.
    refused : mapping of str to str
        Methods that cannot explain the model, and why not.

    Examples
    --------
    >>> print(Comparison((), ({"method": "rise", "gini": 0.25, "n": 2000}, {"method": "x", "gini": None, "n": 1})))
    method  gini      n
    rise    0.25  2,000
    x          -      1
    """

    explanations: tuple[Explanation, ...]
    figures: tuple[Mapping[str, Any], ...] = field(repr=False)
    notes: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    refused: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, index: Any) -> Any:
        return self.explanations[index]

    def __len__(self) -> int:
        return len(self.explanations)

    def rows(self, *, time: bool = True) -> list[dict[str, Any]]:
        """Return the figures of each method as JSON values, with or without its seconds."""
        return [{name: value for name, value in row.items() if time or name != _SECONDS} for row in self.figures]

    def table(self, *, time: bool = True) -> str:
        """Return the figures as a text table, with the meanings of headings and the refused methods below it."""
        return "\n".join([*align_columns(self.rows(time=time)), *(f"{name}: {note}" for name, note in self.remarks())])

    def remarks(self) -> list[tuple[str, str]]:
        """Return what stands below the table, each on one line: the notes, and the refused methods with the reasons."""
        refused = ((method, f"refused: {reason}") for method, reason in self.refused.items())
        return [(one_line(name), one_line(note)) for name, note in (*self.notes, *refused)]

    def __str__(self) -> str:
        return self.table()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return core.notebook_display(self) if core.notebook_display else {"text/plain": str(self)}


def align_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line of headings and one for each row, with the first column aligned left and all others right."""
    lines = [[one_line(heading) for heading in rows[0]], *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if i else text.ljust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def cell(value: Any) -> str:
    """Format a figure: three significant digits of a float, separated thousands of an integer, a dash if unknown."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else one_line(value)
