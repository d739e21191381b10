"""Numbers as people write them: with a decimal point or comma, and marks between groups of three digits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xplain.inputs.recordings import clock

_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", "."})
#: Marks between groups that are nothing else in a number, whatever the decimal mark is.
_PLAIN_GROUPS = "'’\u00a0\u2009\u202f"


@dataclass(frozen=True, slots=True)
class Numerals:
    """A style of numbers.

    Parameters
    ----------
    decimal : {".", ","}
        What stands before the fraction.
    group : {"", ".", ",", " "}
        What may stand between groups of three digits, beside apostrophes and narrow spaces.

    Examples
    --------
    >>> Numerals(",").parse("-0,5"), Numerals(",", ".").parse("1.234,5"), Numerals(".").parse("0,5")
    (-0.5, 1234.5, None)
    """

    decimal: str
    group: str = ""

    def parse(self, cell: str) -> float | None:
        """Return a number, NaN for a missing one; None for anything else."""
        try:
            if self.decimal == ".":
                return float(cell)
            if "." not in cell:
                return float(cell.replace(",", ".", 1))
        except ValueError:
            pass
        return self._grouped(cell)

    def parse_all(self, cells: Sequence[str]) -> list[float] | None:
        """Return numbers as `parse` does; None if one is none."""
        try:
            if self.decimal == ".":
                return list(map(float, cells))
            joined = "\n".join(cells)
            if "." not in joined:
                return list(map(float, joined.replace(",", ".").split("\n")))
        except ValueError:
            pass
        values = [self.parse(cell) for cell in cells]
        return None if None in values else values  # type: ignore[return-value]

    def is_number(self, cell: str) -> bool:
        """Whether a cell holds a number, or says that it is missing."""
        return self.parse(cell) is not None

    def is_value(self, cell: str) -> bool:
        """Whether a cell holds a reading rather than a title: a number, or the time of one."""
        return bool(cell) and (self.is_number(cell) or clock.of_texts([cell]) is not None)

    def _grouped(self, cell: str) -> float | None:
        if cell.casefold() in _MISSING:
            return math.nan
        cell = cell.replace("\u2212", "-")
        marks = "".join(map(re.escape, _PLAIN_GROUPS + self.group))
        decimal = re.escape(self.decimal)
        match = re.fullmatch(
            rf"([+-]?)(\d+|\d{{1,3}}([{marks}])\d{{3}}(?:\3\d{{3}})*)(?:{decimal}(\d*))?([eE][+-]?\d+)?", cell
        )
        if match is None:
            return None
        sign, whole, mark, fraction, exponent = match.groups()
        whole = whole.replace(mark, "") if mark else whole
        return float(f"{sign}{whole}.{fraction or 0}{exponent or ''}")

    def doubtful(self, cells: Iterable[str], separator: str) -> str:
        r"""Return what makes a reading doubtful: decimal marks that all stand where marks of groups would; "" if none.

        Parameters
        ----------
        cells : iterable of str
            Numbers.
        separator : str
            Of the cells. Beside semicolons, commas are decimal: it is for them that semicolons are used.

        Examples
        --------
        >>> Numerals(",").doubtful(["1,234", "5"], "\t")
        "numbers as '1,234', whose mark may be that of decimals or of thousands"
        >>> Numerals(",").doubtful(["1,234", "0,5"], "\t")
        ''
        """
        if self.group or (self.decimal == ",") == (separator == ";"):
            return ""
        found = ""
        for cell in cells:
            if self.decimal in cell:
                if not re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{re.escape(self.decimal)}\d{{3}}", cell):
                    return ""
                found = found or cell
        return f"numbers as {found!r}, whose mark may be that of decimals or of thousands" if found else ""


STYLES = (
    Numerals("."),
    Numerals(","),
    Numerals(".", ","),
    Numerals(",", "."),
    Numerals(".", " "),
    Numerals(",", " "),
)
"""Styles in the order in which they are tried: numbers without groups first."""
