"""Fields of a mail's header: encoded words, addresses, times and identifiers, from whatever bytes are there.

Real mails break every rule of RFC 5322 and 2047. So nothing here raises an error for a broken field: it is read as far
as possible, and what was wrong is appended to a list of ``defects`` that the caller passes along.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from xplain import _check
from xplain.emails.addresses import decoded_address, limit_addresses, split_addresses
from xplain.emails.charsets import decode_bytes, is_utf8
from xplain.emails.lines import clean
from xplain.emails.times import header_time

# RFC 2047: =?charset?encoding?text?=; white space between two encoded words is not part of the text.
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_WORD = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?="
_ENCODED_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*+")
_ID = re.compile(r"<([^<>]+)>")
_FOLD = re.compile(r"\r?\n(?=[ \t])|[\r\n]")
# "From: Ann", "From : Ann"; RFC 5322 allows any character of ASCII but the colon in a name.
_FIELD = re.compile(r"([!-9;-~]{1,200})[ \t]*+:[ \t]*+(.*)", re.DOTALL)
_MBOX_FROM = re.compile(r">?From \S")
_USUAL_FIELD = re.compile(
    r"(?:from|to|cc|bcc|sender|reply-to|subject|date|message-id|in-reply-to|references|received|return-path|"
    r"delivered-to|mime-version|content-[a-z-]+|list-[a-z-]+|x-[a-z-]+|importance|precedence|user-agent)[ \t]*+:",
    re.IGNORECASE,
)
_AHEAD = 50  # lines below a broken one that may show that the header goes on


def split_header(source: str, defects: list[str], leading_blank: bool = False) -> tuple[list[tuple[str, str]], int]:
    """Divide a header into its fields, as they stand, and say where the content after it begins.

    Parameters
    ----------
    source : str
        A message, or a part of one.
    defects : list of str
        A sentence is appended for what is not of a header.
    leading_blank : bool
        Whether blank lines may be before the header, as before a whole message, if two usual fields follow them.
    """
    fields: list[tuple[str, list[str]]] = []  # names, and the lines of the values
    broken: list[str] = []
    at = _skip_blank_lines(source) if leading_blank else 0
    while at < len(source):
        stop = source.find("\n", at) + 1 or len(source)
        line = source[at:stop].rstrip("\r\n")
        if not line:
            at = stop
            break
        if line[0] in " \t":
            if fields:
                fields[-1][1].append(line)
        elif field := _FIELD.fullmatch(line):
            fields.append((field[1], [field[2]]))
        elif _MBOX_FROM.match(line) is None:
            if not _goes_on(source, stop):
                if fields:
                    defects.append(f"the header ends at {line.strip()[:40]!r} without a blank line")
                break
            if fields:
                fields[-1][1].append(" " + line)
            broken.append(line.strip()[:40])
        at = stop
    if broken:
        more = f", nor are {len(broken) - 1} other lines" if len(broken) > 1 else ""
        defects.append(f"{broken[0]!r} in the header is no field{more}")
    return [(name, "\n".join(lines)) for name, lines in fields], at


def _skip_blank_lines(source: str) -> int:
    start = len(source) - len(source.lstrip("\r\n"))
    if not start:
        return 0
    block = source[start : start + 4_000].replace("\r\n", "\n").partition("\n\n")[0]
    return start if sum(bool(_USUAL_FIELD.match(line)) for line in block.split("\n")) >= 2 else 0


def _goes_on(source: str, at: int) -> bool:
    """Whether a usual field is among the lines from there to the next blank one."""
    for _ in range(_AHEAD):
        stop = source.find("\n", at) + 1 or len(source)
        if not source[at:stop].rstrip("\r\n"):
            return False
        if _USUAL_FIELD.match(source, at):
            return True
        at = stop
    return False


class Headers:
    """The fields of a header, by name, decoded when they are asked for.

    Parameters
    ----------
    fields : sequence of (str, str)
        Names and values in their order; values may hold encoded words, and bytes as surrogate escapes.
    defects : list of str
        A sentence is appended for each field that cannot be read.
    charset : str
        That of the text, in which bytes are read that stand in a field undeclared and are no UTF-8.
    """

    def __init__(self, fields: Sequence[tuple[str, str]], defects: list[str], charset: str = "") -> None:
        self._defects = defects
        self._charset = charset
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.strip().lower(), []).append(value)

    @classmethod
    def from_text(cls, text: str, defects: list[str]) -> Headers:
        """Read a header as it stands in a mail, with folded lines."""
        text = text.lstrip("\r\n")
        fields, end = split_header(text, [])
        if rest := text[end:].strip():
            defects.append(f"the header ends before {rest[:40]!r}, the rest of it is left out")
        return cls(fields, defects)

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
        values = self._fields.get(name, [""])
        return self._decoder(name)(self._unfold(name, values[0]))

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of all fields of that name, as written; those too long for a message are left out.

        A list is split before its encoded words are decoded: a comma within a word is part of a name.
        """
        values = [self._unfold(name, value) for value in self._fields.get(name, ())]
        decode = self._decoder(name)
        addresses = [decoded_address(address, decode) for value in values for address in split_addresses(value)]
        return limit_addresses(addresses, name, self._defects)

    def time(self) -> str | None:
        """Return the date as ISO 8601, with an offset if its zone is known; None if there is none that can be read."""
        value = self.get("date")
        if not value.strip():
            return None
        time = header_time(value)
        if time is None:
            self._defects.append(f"date is no date, got {value[:40]!r}")
        return time

    def identifiers(self, name: str) -> list[str]:
        """Return the message identifiers of a field, without their angle brackets."""
        value = self.get(name)
        return [identifier.strip() for identifier in _ID.findall(value)] or value.split()

    def _unfold(self, name: str, value: str) -> str:
        """Join the lines of a field, and decode bytes in it that are in no encoded word."""
        return _FOLD.sub("", value if value.isascii() else self._decode_raw_bytes(value, f"header {name[:40]}"))

    def _decoder(self, name: str) -> Callable[[str], str]:
        def decode(value: str) -> str:
            if "=?" in value:
                value = _ENCODED_WORDS.sub(lambda words: self._decode_words(words[0], f"header {name[:40]}"), value)
            return clean(value).strip()

        return decode

    def _decode_raw_bytes(self, value: str, where: str) -> str:
        """Decode bytes that stand in a header as surrogate escapes, with no encoded word around them."""
        if re.search("[^\x00-\x7f\udc80-\udcff]", value):  # text, not bytes
            return value
        data = value.encode("ascii", "surrogateescape")
        found: list[str] = []
        text = decode_bytes(data, self._charset, where, found) if self._charset else ""
        if found or not text or is_utf8(data):
            return decode_bytes(data, "", where, self._defects)
        self._defects.append(f"{where} declares no charset, read as that of the text")
        return text

    def _decode_words(self, words: str, where: str) -> str:
        """Decode encoded words with nothing but white space between them; a character may be divided between two."""
        decoded = [self._word_bytes(word) for word in _ENCODED_WORD.finditer(words)]
        pieces: list[str] = []
        for charset, group in groupby(decoded, key=lambda word: word[0]):
            if charset is None:
                for _, broken in group:
                    what = f"{where} holds a broken encoded word, left as it stands: {broken[:40].decode()!r}"
                    self._defects.append(what)
                    pieces.append(broken.decode())
            else:
                data = b"".join(content for _, content in group)
                pieces.append(decode_bytes(data, charset, where, self._defects))
        return "".join(pieces)

    def _word_bytes(self, word: re.Match[str]) -> tuple[str | None, bytes]:
        """Return the charset and the bytes of an encoded word; no charset, and the word itself, if it is broken."""
        charset, encoding, text = word[1].partition("*")[0], word[2].lower(), word[3]  # RFC 2231 adds "*language"
        if not text.isascii():
            return None, word[0].encode("utf-8", "replace")
        data = text.encode("ascii")
        if encoding == "q":
            return charset, binascii.a2b_qp(data, header=True)
        try:
            return charset, binascii.a2b_base64(data + b"=" * (-len(data.rstrip(b"=")) % 4))
        except binascii.Error:
            return None, word[0].encode("ascii")
