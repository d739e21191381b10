"""Characters that would act on the terminal or page that displays them (control codes, text direction), made visible.

Texts, labels and names come from documents of others, so every renderer passes them through `visible` or `one_line`.
"""

from __future__ import annotations

import re

#: Control characters except tab and line feed, line separators, explicit formatting of the text direction (Unicode
#: UAX #9), lone surrogates and non-characters.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(map(chr, (plane + end for plane in range(0x10000, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))))
    + "]"
)
_BREAKS = re.compile("\r\n|[\x85\u2028\u2029]")


def visible(text: str) -> str:
    r"""Replace every character that could act by a symbol.

    Control characters become their pictures (U+2400 to U+2421), other such characters U+FFFD. Tabs and line feeds stay;
    other line ends become line feeds. The result is valid in UTF-8, XML and HTML, and safe on a terminal.

    Examples
    --------
    >>> visible("a\x1b[31mb\r\nc")
    'a␛[31mb\nc'
    """
    return HIDDEN.sub(_symbol, _BREAKS.sub("\n", text))


def one_line(text: str) -> str:
    r"""Return `visible` text on one line, with each run of white space as one space.

    Examples
    --------
    >>> one_line("two\n lines")
    'two lines'
    """
    return " ".join(visible(text).split())


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:  # Unicode has a picture of each, in the same order
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"
