"""Regions, where a prediction applies: boxes, polygons, spans of text and windows of time.

Coordinates keep their unit: documents often lack what a conversion needs (the size of the image, the text), so it is
done later, by whoever knows. In images x points right and y down; a pixel is a unit square, so a box of whole pixels is
half open.
"""

from __future__ import annotations

from typing import Any, Literal

from xplain import _check
from xplain._value import checked, put, value
from xplain.errors import InputError

LengthUnit = Literal["fraction", "pixel"]
TextUnit = Literal["codepoint", "utf16_byte"]

LENGTH_UNITS: tuple[LengthUnit, ...] = ("fraction", "pixel")
TEXT_UNITS: tuple[TextUnit, ...] = ("codepoint", "utf16_byte")


@value
class Box:
    """An upright rectangle, half open.

    Parameters
    ----------
    x0, y0 : float
        Left and top edge.
    x1, y1 : float
        Right and bottom edge, x0 <= x1 and y0 <= y1.
    unit : {"fraction", "pixel"}
        Fractions of the image's width and height, or pixels.

    Examples
    --------
    >>> Box(0.25, 0.5, 0.75, 1.0).to("pixel", size=(200, 400))
    Box(x0=100.0, y0=100.0, x1=300.0, y1=200.0, unit='pixel')
    """

    x0: float = checked(_check.number)
    y0: float = checked(_check.number)
    x1: float = checked(_check.number)
    y1: float = checked(_check.number)
    unit: LengthUnit = checked(_check.choice, allowed=LENGTH_UNITS, default="fraction")

    def __post_init__(self) -> None:
        if self.x1 < self.x0 or self.y1 < self.y0:
            raise InputError(f"Box must have x0 <= x1 and y0 <= y1, got {(self.x0, self.y0, self.x1, self.y1)}")

    def to(self, unit: LengthUnit, size: tuple[int, int]) -> Box:
        """Convert to another unit.

        Parameters
        ----------
        unit : {"fraction", "pixel"}
            The new unit.
        size : tuple of int
            (height, width) of the image in pixels.

        Returns
        -------
        Box
            The same rectangle in that unit.
        """
        sx, sy = _scale(self.unit, unit, size)
        return Box(self.x0 * sx, self.y0 * sy, self.x1 * sx, self.y1 * sy, unit)


def _points(name: str, value: Any) -> tuple[tuple[float, float], ...]:
    try:
        points = tuple((_check.number(name, x), _check.number(name, y)) for x, y in value)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _check.wrong(name, "a sequence of (x, y) pairs", value) from None
    if not points:
        raise InputError(f"{name} must hold at least one point, got none")
    return points


@value
class Polygon:
    """A closed polygon or, with fewer than three points, a line or a point.

    Parameters
    ----------
    points : sequence of (float, float)
        x and y of each vertex, at least one.
    unit : {"fraction", "pixel"}
        Fractions of the image's width and height, or pixels.
    """

    points: tuple[tuple[float, float], ...] = checked(_points)
    unit: LengthUnit = checked(_check.choice, allowed=LENGTH_UNITS, default="fraction")

    @property
    def bbox(self) -> Box:
        """The tightest box around the points, in their unit."""
        xs, ys = zip(*self.points, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys), self.unit)

    def to(self, unit: LengthUnit, size: tuple[int, int]) -> Polygon:
        """Convert to another unit; ``size`` is (height, width) in pixels."""
        sx, sy = _scale(self.unit, unit, size)
        return Polygon(tuple((x * sx, y * sy) for x, y in self.points), unit)


@value
class Span:
    """A half-open range of a text or of a part of it.

    Parameters
    ----------
    start, stop : int
        First position and the one after the last, 0 <= start <= stop.
    unit : {"codepoint", "utf16_byte"}
        Unicode code points (positions in a Python str) or bytes of the UTF-16 encoding.
    part : str, optional
        Name of the part in which positions are counted, such as ``"messages[0].body"``, see `Part`; by default they
        are counted in the whole text.
    """

    start: int = checked(_check.integer, least=0)
    stop: int
    unit: TextUnit = checked(_check.choice, allowed=TEXT_UNITS, default="codepoint")
    part: str | None = checked(_check.string, default=None)

    def __post_init__(self) -> None:
        put(self, "stop", _check.integer("Span.stop", self.stop, least=self.start))

    def to(self, unit: TextUnit, text: str) -> Span:
        """Convert to another unit; ``text`` is the whole text or the part in which positions are counted."""
        if unit == self.unit:
            return self
        if unit == "utf16_byte":
            if self.stop > len(text):
                raise InputError(f"Span.stop must be at most {len(text)}, the text's length, got {self.stop}")
            return Span(utf16_bytes(text[: self.start]), utf16_bytes(text[: self.stop]), "utf16_byte", self.part)
        data = text.encode("utf-16-le", "surrogatepass")
        if self.stop > len(data):
            raise InputError(f"Span.stop must be at most {len(data)}, the text's length, got {self.stop}")
        try:
            start, stop = (len(data[:offset].decode("utf-16-le")) for offset in (self.start, self.stop))
        except UnicodeDecodeError:
            raise InputError(f"Span must not split a character, got UTF-16 bytes {self.start}..{self.stop}") from None
        return Span(start, stop, "codepoint", self.part)


@value
class Part:
    """A named part of a text: the subject or the body of a message, say.

    Parameters
    ----------
    name : str
        Such as ``"messages[0].body"``.
    start, stop : int
        Half-open range of code points in the whole text.
    """

    name: str = checked(_check.string)
    start: int = checked(_check.integer, least=0)
    stop: int

    def __post_init__(self) -> None:
        put(self, "stop", _check.integer("Part.stop", self.stop, least=self.start))


@value
class Window:
    """A range of time of a signal.

    Parameters
    ----------
    start_ms, end_ms : float
        Milliseconds from the signal's start, start_ms <= end_ms.
    """

    start_ms: float = checked(_check.number)
    end_ms: float = checked(_check.number)

    def __post_init__(self) -> None:
        if self.end_ms < self.start_ms:
            raise InputError(f"Window must have start_ms <= end_ms, got {self.start_ms} > {self.end_ms}")


def utf16_bytes(text: str) -> int:
    """Return the length of a text in bytes of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass"))


def _scale(unit: str, new_unit: str, size: tuple[int, int]) -> tuple[float, float]:
    """Return the factors for x and y that convert one unit of length to another."""
    _check.choice("unit", new_unit, LENGTH_UNITS)
    if unit == new_unit:
        return 1.0, 1.0
    height, width = (_check.integer("size", side, least=1) for side in size)
    return (float(width), float(height)) if new_unit == "pixel" else (1.0 / width, 1.0 / height)
