"""Fields of a mail's header: encoded words, addresses, times and identifiers, from whatever bytes are there."""

from __future__ import annotations

import base64
import binascii
import codecs
import email.parser
import email.policy
import email.utils
import quopri
import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

from xplain import _check
from xplain.emails.comment import MAX_ADDRESS, MAX_ADDRESSES
from xplain.emails.lines import clean

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
_ID = re.compile(r"<([^<>]+)>")
# Supersets that are meant, and Python codecs that are no charsets of mail or take quadratic time.
_MEANT = {"iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}
_NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}


def decode_bytes(data: bytes, charset: str, where: str, defects: list[str]) -> str:
    """Decode text; what is not as declared is read as UTF-8 or else Windows-1252, and noted in ``defects``."""
    try:
        name = codecs.lookup(charset.strip("\"' ") or "ascii").name
        if name in _NO_CHARSETS:
            raise LookupError
        return clean(data.decode(_MEANT.get(name, name)))
    except (LookupError, ValueError):  # unknown, no charset of text, not a name at all, or other bytes
        pass
    try:
        text, used = data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        text, used = data.decode("cp1252", "replace"), "windows-1252"
    if charset or used != "utf-8":  # bytes of UTF-8 in a header are allowed (RFC 6532)
        claim = f"is not {charset[:40]!r} as declared" if charset else "declares no charset"
        defects.append(f"{where} {claim}, read as {used}")
    return clean(text)


class Headers:
    """Fields of a header, decoded.

    Parameters
    ----------
    fields : sequence of (str, str)
        Names and values in their order; values may hold encoded words, and bytes as surrogate escapes.
    defects : list of str
        What cannot be read is noted here.
    """

    def __init__(self, fields: Sequence[tuple[str, str]], defects: list[str]) -> None:
        self._defects = defects
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.strip().lower(), []).append(value)

    @classmethod
    def from_text(cls, text: str, defects: list[str]) -> Headers:
        """Read a header as it stands in a mail, folded lines and all."""
        parser = email.parser.HeaderParser(policy=email.policy.compat32)
        message = parser.parsestr(text.lstrip("\r\n"))
        rest = message.get_payload()
        if isinstance(rest, str) and rest.strip():
            defects.append(f"the header ends before {rest.strip()[:40]!r}, the rest of it is left out")
        return cls([(name, str(value)) for name, value in message.raw_items()], defects)

    @classmethod
    def from_mapping(cls, parsed: Any, defects: list[str]) -> Headers:
        """Take fields that are split already: a mapping of a name to a string or to strings."""
        fields = []
        for name, value in _check.mapping("headers.parsed", parsed).items():
            for one in [value] if isinstance(value, str) else _check.tuple_of(f"headers.parsed[{name!r}]", value, str):
                fields.append((name, one))
        return cls(fields, defects)

    def get(self, name: str) -> str:
        """The first field of that name, decoded; empty if there is none."""
        return next(self._all(name), "")

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of all fields of that name, each as it stands; those too long for a message are left out."""
        found = [address for value in self._all(name) for address in split_addresses(value)]
        return keep_addresses(found, name, self._defects)

    def time(self) -> str | None:
        """The date as ISO 8601 with its offset."""
        value = self.get("date")
        if not value.strip():
            return None
        try:
            found = email.utils.parsedate_to_datetime(value[:200])
            # "-0000" says that the zone is unknown and the time is UTC.
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            self._defects.append(f"date is no date, got {value[:40]!r}")
            return None

    def identifiers(self, name: str) -> list[str]:
        """Message identifiers of a field, without their angle brackets."""
        value = self.get(name)
        return [found.strip() for found in _ID.findall(value)] or value.split()

    def _all(self, name: str) -> Iterator[str]:
        return (self._decoded(name, value) for value in self._fields.get(name, ()))

    def _decoded(self, name: str, value: str) -> str:
        where = f"header {name[:40]}"
        if not value.isascii():
            value = self._unescaped(value, where)
        value = re.sub(r"\r?\n(?=[ \t])|[\r\n]", "", value)
        if "=?" in value:
            value = _WORD.sub(lambda word: self._word(word, where), _BETWEEN_WORDS.sub(r"\1", value))
        return clean(value).strip()

    def _unescaped(self, value: str, where: str) -> str:
        try:
            data = value.encode("ascii", "surrogateescape")
        except UnicodeEncodeError:  # text, not bytes
            return value
        return decode_bytes(data, "", where, self._defects)

    def _word(self, word: re.Match[str], where: str) -> str:
        charset, kind, text = word[1].partition("*")[0], word[2].lower(), word[3]  # RFC 2231 adds "*language"
        try:
            data = text.encode("ascii")
            if kind == "b":
                data = base64.b64decode(data + b"=" * (-len(data.rstrip(b"=")) % 4))
            else:
                data = quopri.decodestring(data, header=True)
        except (ValueError, binascii.Error):
            self._defects.append(f"{where} holds a broken encoded word, left as it stands: {word[0][:40]!r}")
            return word[0]
        return decode_bytes(data, charset, where, self._defects)


def keep_addresses(addresses: Sequence[str], where: str, defects: list[str]) -> tuple[str, ...]:
    """The addresses that a message can hold; what is left out is noted in ``defects``."""
    kept = tuple(address for address in addresses if len(address) <= MAX_ADDRESS)[:MAX_ADDRESSES]
    if len(kept) < len(addresses):
        defects.append(
            f"{len(addresses) - len(kept)} addresses in {where} are left out: at most {MAX_ADDRESSES} of at most "
            f"{MAX_ADDRESS} characters are kept"
        )
    return kept


def split_addresses(value: str) -> list[str]:
    """Split a list of addresses at commas and semicolons outside quotes, comments and angle brackets.

    Examples
    --------
    >>> split_addresses('"Lee, Ann" <ann@a.org>, team: bob@b.org;')
    ['"Lee, Ann" <ann@a.org>', 'team: bob@b.org']
    """
    found: list[str] = []
    piece: list[str] = []
    quoted, comments, angle, escaped = False, 0, False, False
    for character in value:
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"':
            quoted = not quoted
        elif not quoted:
            comments = max(comments + (character == "(") - (character == ")"), 0)
            angle = character == "<" or (angle and character != ">")
            if character in ",;" and not comments and not angle:
                found.append("".join(piece))
                piece = []
                continue
        piece.append(character)
    found.append("".join(piece))
    return [address for one in found if (address := " ".join(one.split()))]
