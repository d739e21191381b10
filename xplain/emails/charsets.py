"""Charsets of mails: what their labels mean, and text from bytes that are not quite what they are declared to be.

Labels mean what the WHATWG encoding standard says, as in browsers and mail clients: mail programs declare a charset and
use its superset. Unlike there, bytes that are UTF-8 are not read as anything else when the declared charset fails.
"""

from __future__ import annotations

import codecs
import re

from xplain.emails.lines import clean

_META = re.compile(
    rb"""<meta\s[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})|"""
    rb"""<\?xml\s[^>]{0,100}?encoding=["']([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_SNIFFED = 4_096  # bytes of a page in which its charset is looked for
_LABEL = re.compile(r"[\w.:+-]+")
# What is not a matter of spelling: labels of the standard that Python does not know, or takes for something narrower.
_ALIASES = {
    "ansi_x3.4-1968": "ascii", "chinese": "gb18030", "cn-big5": "big5", "cseuckr": "cp949",
    "cseucpkdfmtjapanese": "euc_jp", "csgb2312": "gb18030", "csiso88596e": "iso8859-6", "csiso88596i": "iso8859-6",
    "csiso88598e": "iso8859-8", "csiso88598i": "iso8859-8", "csisolatin9": "iso8859-15", "csksc56011987": "cp949",
    "csmacintosh": "mac-roman", "csunicode": "utf-16", "dos-874": "cp874", "gb_2312": "gb18030",
    "gb_2312-80": "gb18030",
    "iso-10646-ucs-2": "utf-16", "iso-ir-149": "cp949", "koi": "koi8-r", "koi8": "koi8-r", "koi8-ru": "koi8-u",
    "ks_c_5601-1989": "cp949", "ksc_5601": "cp949", "logical": "iso8859-8", "mac": "mac-roman", "mac-ce": "mac-latin2",
    "mac-ukrainian": "mac-cyrillic", "sun_eu_greek": "iso8859-7", "ucs-2": "utf-16", "unicode": "utf-16",
    "unicode-1-1-utf-8": "utf-8", "unicode11utf8": "utf-8", "unicode20utf8": "utf-8", "unicodefeff": "utf-16",
    "unicodefffe": "utf-16-be", "utf8mb4": "utf-8", "visual": "iso8859-8", "windows-31j": "cp932",
}  # fmt: skip
_SUPERSETS = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874", "gb2312": "gb18030",
    "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932", "big5": "big5hkscs", "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext", "utf-8": "utf-8", "utf-16": "utf-16",
}  # fmt: skip
_SPELLINGS = (  # "x-sjis", "iso88592", "iso-8859-8-i", "windows1251"
    (re.compile(r"^(?:x-)+"), ""),
    (re.compile(r"^iso[-_]?8859[-_]?(\d{1,2})(?:[-_][ei])?$"), r"iso8859-\1"),
    (re.compile(r"^(?:windows|win|ibm|cp)[-_]?(\d+)$"), r"cp\1"),
)
# Python codecs that are no charsets of mail, or that take quadratic time.
_NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
_REPLACEMENT = "\ufffd"


def _codec(label: str) -> str:
    """Return the name of the Python codec that a label means; empty if it means none."""
    match = _LABEL.search(label.lower())
    name = match[0] if match else ""
    for pattern, replacement in _SPELLINGS:
        name = pattern.sub(replacement, name)
    try:
        name = codecs.lookup(_ALIASES.get(name, name)).name
        b"a".decode(name)  # some codecs are none of text
    except (LookupError, ValueError):
        name = name if name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be") else ""
    return "" if name in _NO_CHARSETS else _SUPERSETS.get(name, name)


def _nec_characters(error: UnicodeError) -> tuple[str, int]:
    """Decode two bytes of JIS X 0208 that only Windows has (characters of NEC and IBM), as its Shift JIS has them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    pair = bytes(byte & 0x7F for byte in error.object[error.start : error.start + 2])
    if len(pair) == 2 and all(0x21 <= byte <= 0x7E for byte in pair):
        row, cell = pair
        lead = (row - 0x21) // 2 + 0x81
        trail = cell + (0x1F if cell <= 0x5F else 0x20) if row % 2 else cell + 0x7E
        try:
            return bytes((lead + (0x40 if lead > 0x9F else 0), trail)).decode("cp932"), error.start + 2
        except UnicodeDecodeError:
            return _REPLACEMENT, error.start + 2
    return _REPLACEMENT, error.start + 1


def _control_characters(error: UnicodeError) -> tuple[str, int]:
    """Decode bytes that Windows-1252 leaves out as the control characters that they are in ISO 8859-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("xplain.nec", _nec_characters)
codecs.register_error("xplain.controls", _control_characters)
_HANDLERS = {"iso2022_jp_ext": "xplain.nec", "euc_jp": "xplain.nec", "cp1252": "xplain.controls"}


def declared_in_html(data: bytes) -> str:
    """Return the charset that the head of an HTML page declares; empty if it declares none."""
    match = _META.search(data[:_SNIFFED])
    label = (match[1] or match[2]).decode("ascii", "replace") if match else ""
    # A page that can be read so far is not UTF-16, whatever it says (WHATWG HTML, 13.2.3.2).
    return "utf-8" if label.lower().startswith("utf-16") else label


def decode_bytes(data: bytes, charset: str, where: str, defects: list[str]) -> str:
    """Decode text by its declared charset, with a note in ``defects`` if it is not of that charset.

    A byte order mark counts for more than what is declared. If the charset fails, the bytes are read as UTF-8; if they
    are none, by the declared charset again if most of them fit, with U+FFFD for those that do not; else as
    Windows-1252.
    """
    codec = _codec(charset)
    for mark, marked in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            codec = marked
    text = _decoded(data, codec)
    if text is None:
        text = _decoded(data, "utf-8")
        used = "utf-8"
        if text is None and codec:
            text, lost = _repaired(data, codec)
            if text is not None:
                defects.append(f"{where} holds {lost} bytes that are not {charset[:40]!r}, replaced")
                return _tidy(text)
        if text is None:
            text, used = data.decode("cp1252", "replace"), "windows-1252"
        if charset or used != "utf-8":  # bytes of UTF-8 in a header are allowed (RFC 6532)
            claim = f"is not {charset[:40]!r} as declared" if charset else "declares no charset"
            defects.append(f"{where} {claim}, read as {used}")
    return _tidy(text)


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    return _decoded(data, "utf-8") is not None


def _decoded(data: bytes, codec: str) -> str | None:
    if not codec:
        return None
    if codec == "utf-16" and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codec = "utf-16-le"
    try:
        text = data.decode(codec, _HANDLERS.get(codec, "strict"))
    except ValueError:  # bytes of another charset
        return None
    return None if codec in _HANDLERS and _REPLACEMENT in text else text


def _repaired(data: bytes, codec: str) -> tuple[str | None, int]:
    """Decode with U+FFFD for what does not fit, and count it; None if less of what is not ASCII fits."""
    text = data.decode(codec, "replace")
    lost = text.count(_REPLACEMENT)
    fitting = sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]+", text)))
    return (text, lost) if fitting > lost else (None, lost)


def _tidy(text: str) -> str:
    return clean(text.removeprefix("\ufeff"))
