"""Fields of a mail's header: encoded words, addresses, times and identifiers, from whatever bytes are there.

Real mails break every rule of RFC 5322 and 2047. So nothing here raises an error for a broken field: it is read as far
as possible, and what was wrong is appended to a list of ``defects`` that the caller passes along.
"""

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

# RFC 2047: =?charset?encoding?text?=; white space between two encoded words is not part of the text.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
_ID = re.compile(r"<([^<>]+)>")
_MAX_DATE = 200  # characters of a date field that are read; more is no date
# Mail programs declare these charsets and use their supersets.
_SUPERSETS = {"iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}
# Python codecs that are no charsets of mail, or that take quadratic time.
_NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}


def decode_bytes(data: bytes, charset: str, where: str, defects: list[str]) -> str:
    """Decode text by its declared charset; if that fails, as UTF-8 or else Windows-1252, with a note in ``defects``."""
    try:
        name = codecs.lookup(charset.strip("\"' ") or "ascii").name
        if name in _NO_CHARSETS:
            raise LookupError
        return clean(data.decode(_SUPERSETS.get(name, name)))
    except (LookupError, ValueError):  # an unknown charset, a codec that is none, or bytes of another one
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
    """The fields of a header, by name, decoded when they are asked for.

    Parameters
    ----------
    fields : sequence of (str, str)
        Names and values in their order; values may hold encoded words, and bytes as surrogate escapes.
    defects : list of str
        A sentence is appended for each field that cannot be read.
    """

    def __init__(self, fields: Sequence[tuple[str, str]], defects: list[str]) -> None:
        self._defects = defects
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.strip().lower(), []).append(value)

    @classmethod
    def from_text(cls, text: str, defects: list[str]) -> Headers:
        """Read a header as it stands in a mail, with folded lines."""
        parser = email.parser.HeaderParser(policy=email.policy.compat32)
        message = parser.parsestr(text.lstrip("\r\n"))
        body = message.get_payload()
        if isinstance(body, str) and body.strip():
            defects.append(f"the header ends before {body.strip()[:40]!r}, the rest of it is left out")
        return cls([(name, str(value)) for name, value in message.raw_items()], defects)

    @classmethod
    def from_mapping(cls, parsed: Any, defects: list[str]) -> Headers:
        """Take fields that are split already: a mapping of a name to a string or to strings."""
        fields = []
        for name, value in _check.mapping("headers.parsed", parsed).items():
            values = [value] if isinstance(value, str) else _check.tuple_of(f"headers.parsed[{name!r}]", value, str)
            fields += [(name, text) for text in values]
        return cls(fields, defects)

    def get(self, name: str) -> str:
        """Return the first field of that name, decoded; empty if there is none."""
        return next(self._decoded_values(name), "")

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of all fields of that name, as written; those too long for a message are left out."""
        addresses = [address for value in self._decoded_values(name) for address in split_addresses(value)]
        return limit_addresses(addresses, name, self._defects)

    def time(self) -> str | None:
        """Return the date as ISO 8601 with its offset; None if there is none that can be read."""
        value = self.get("date")
        if not value.strip():
            return None
        try:
            time = email.utils.parsedate_to_datetime(value[:_MAX_DATE])
            # Without a zone means "-0000" here: the time is UTC, the sender's zone unknown (RFC 5322, 3.3).
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            self._defects.append(f"date is no date, got {value[:40]!r}")
            return None

    def identifiers(self, name: str) -> list[str]:
        """Return the message identifiers of a field, without their angle brackets."""
        value = self.get(name)
        return [identifier.strip() for identifier in _ID.findall(value)] or value.split()

    def _decoded_values(self, name: str) -> Iterator[str]:
        return (self._decode(name, value) for value in self._fields.get(name, ()))

    def _decode(self, name: str, value: str) -> str:
        where = f"header {name[:40]}"
        if not value.isascii():
            value = self._decode_raw_bytes(value, where)
        value = re.sub(r"\r?\n(?=[ \t])|[\r\n]", "", value)  # unfold
        if "=?" in value:
            value = _BETWEEN_WORDS.sub(r"\1", value)
            value = _ENCODED_WORD.sub(lambda word: self._decode_word(word, where), value)
        return clean(value).strip()

    def _decode_raw_bytes(self, value: str, where: str) -> str:
        """Decode bytes that stand in a header as surrogate escapes, with no encoded word around them."""
        try:
            data = value.encode("ascii", "surrogateescape")
        except UnicodeEncodeError:  # text, not bytes
            return value
        return decode_bytes(data, "", where, self._defects)

    def _decode_word(self, word: re.Match[str], where: str) -> str:
        charset, encoding, text = word[1].partition("*")[0], word[2].lower(), word[3]  # RFC 2231 adds "*language"
        try:
            data = text.encode("ascii")
            if encoding == "b":
                data = base64.b64decode(data + b"=" * (-len(data.rstrip(b"=")) % 4))
            else:
                data = quopri.decodestring(data, header=True)
        except (ValueError, binascii.Error):
            self._defects.append(f"{where} holds a broken encoded word, left as it stands: {word[0][:40]!r}")
            return word[0]
        return decode_bytes(data, charset, where, self._defects)


def limit_addresses(addresses: Sequence[str], where: str, defects: list[str]) -> tuple[str, ...]:
    """Keep the addresses that a message can hold, with a note in ``defects`` if some are left out."""
    fitting = tuple(address for address in addresses if len(address) <= MAX_ADDRESS)[:MAX_ADDRESSES]
    if len(fitting) < len(addresses):
        defects.append(
            f"{len(addresses) - len(fitting)} addresses in {where} are left out: at most {MAX_ADDRESSES} of at most "
            f"{MAX_ADDRESS} characters are kept"
        )
    return fitting


def split_addresses(value: str) -> list[str]:
    """Split a list of addresses at commas and semicolons outside quotes, comments and angle brackets.

    Examples
    --------
    >>> split_addresses('"Lee, Ann" <ann@a.org>, team: bob@b.org;')
    ['"Lee, Ann" <ann@a.org>', 'team: bob@b.org']
    """
    addresses: list[str] = []
    current: list[str] = []
    in_quotes, comment_depth, in_angle, escaped = False, 0, False, False
    for character in value:
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"':
            in_quotes = not in_quotes
        elif not in_quotes:
            comment_depth = max(comment_depth + (character == "(") - (character == ")"), 0)
            in_angle = character == "<" or (in_angle and character != ">")
            if character in ",;" and not comment_depth and not in_angle:
                addresses.append("".join(current))
                current = []
                continue
        current.append(character)
    addresses.append("".join(current))
    return [tidy for address in addresses if (tidy := " ".join(address.split()))]
