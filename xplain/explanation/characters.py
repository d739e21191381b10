"""Characters that must not act on what shows them: made visible."""

from __future__ import annotations

import re

#: Control characters but tab and line feed, line separators, what turns the direction of the text around it
#: (Unicode UAX #9, explicit formatting), halves of surrogate pairs and non-characters.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(map(chr, (plane + end for plane in range(0x10000, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))))
    + "]"
)
_BREAKS = re.compile("\r\n|[\x85\u2028\u2029]")


def visible(text: str) -> str:
    r"""Put a symbol for each control character and the like, so that the text can do nothing but be read.

    Control characters become their pictures (U+2400 to U+2421), what has none becomes U+FFFD. Tabs and line feeds stay,
    other line ends become line feeds. The result is valid in UTF-8, XML and HTML, and safe on a terminal.

    Examples
    --------
    >>> visible("a\x1b[31mb\r\nc")
    'a␛[31mb\nc'
    """
    return HIDDEN.sub(_symbol, _BREAKS.sub("\n", text))


def one_line(text: str) -> str:
    r"""The same, with all white space as single spaces.

    Examples
    --------
    >>> one_line("two\n lines")
    'two lines'
    """
    return " ".join(visible(text).split())


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
