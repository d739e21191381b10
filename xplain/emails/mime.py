"""The parts of a MIME message: one body, and what is attached."""

from __future__ import annotations

import codecs
import email.message
import email.parser
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from xplain.emails.comment import Attachment
from xplain.emails.headers import Headers, decode_bytes
from xplain.errors import InputError

MAX_DEPTH = 64
MAX_PARTS = 4_096
_MAX_STRUCTURED = 2_000  # characters of a field with parameters

_HEADER_END = re.compile(r"(?:\A|\r?\n)\r?\n")
_DELIMITER_END = re.compile(r"(--)?[ \t]*+\r?(?:\n|\Z)")

Entity = email.message.Message


@dataclass(slots=True)
class Mime:
    """A MIME message, read.

    Parameters
    ----------
    headers : Headers
        Of the whole message.
    texts : list of (str, bool)
        The parts of the body in their order, and whether each is HTML.
    attachments : list of Attachment
        Everything else.
    """

    headers: Headers
    texts: list[tuple[str, bool]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


class _Reader:
    """Walks the parts of one message, one header at a time: the standard parser recurses into nested parts."""

    def __init__(self, defects: list[str]) -> None:
        self.defects = defects
        self.attachments: list[Attachment] = []
        self._parts = 0

    def texts(self, entity: Entity, depth: int, default: str = "text/plain") -> list[tuple[str, bool]]:
        """The texts of the body in an entity; what is no body goes to the attachments."""
        if depth > MAX_DEPTH:
            raise InputError(f"email must be nested at most {MAX_DEPTH} parts deep, got more")
        kind = entity.get_content_type() if "content-type" in entity else default
        children = list(self._children(entity)) if kind.startswith("multipart/") else []
        if not children:
            return self._leaf(entity, "text/plain" if kind.startswith("multipart/") else kind, depth)
        if kind == "multipart/alternative":
            # The last that can be read is the richest (RFC 2046, 5.1.4). Files within the others stay attached.
            found = [self.texts(child, depth + 1) for child in children]
            return next((one for one in reversed(found) if any(_visible(*text) for text in one)), [])
        if kind == "multipart/related":
            root, *others = children
            texts = self.texts(root, depth + 1)
            for child in others:
                self._attach(child)
            return texts
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return [text for child in children for text in self.texts(child, depth + 1, inner)]

    def _leaf(self, entity: Entity, kind: str, depth: int) -> list[tuple[str, bool]]:
        attached = depth > 0 and (entity.get_content_disposition() == "attachment" or _name(entity) != "")
        readable = kind in ("text/plain", "text/html") or (depth == 0 and kind.startswith("text/"))
        if attached or not readable:
            self._attach(entity, kind)
            return []
        data = _content(entity, self.defects)
        charset = entity.get_param("charset", "")
        if isinstance(charset, tuple):  # RFC 2231: charset, language, value
            charset = charset[2]
        where = f"text {self._parts}" if self._parts else "text"
        text = decode_bytes(data, str(charset), where, self.defects)
        return [(text, kind == "text/html")]

    def _attach(self, entity: Entity, kind: str | None = None) -> None:
        kind = kind or entity.get_content_type()
        name = _name(entity)
        if kind.startswith("message/") and not name:
            name = Headers(_fields(_header_of(_payload(entity))), self.defects).get("subject")
        self.attachments.append(Attachment(name, len(_content(entity, self.defects)), kind))

    def _children(self, entity: Entity) -> Iterator[Entity]:
        boundary = entity.get_param("boundary", "")
        if isinstance(boundary, tuple):
            boundary = boundary[2]
        boundary = str(boundary).rstrip()
        if not boundary:
            self.defects.append("a multipart names no boundary, read as text")
            return
        payload = _payload(entity)
        start = None
        for begin, end, last in _delimiters(payload, f"--{boundary}"):
            if start is not None:
                yield self._entity(payload[start:begin])
            if last:
                return
            start = end
        if start is None:
            self.defects.append("a multipart holds no part, read as text")
        else:
            self.defects.append("the last part of a multipart does not end")
            yield self._entity(payload[start:])

    def _entity(self, source: str) -> Entity:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InputError(f"email must have at most {MAX_PARTS} parts, got more")
        source = source[:-2] if source.endswith("\r\n") else source.removesuffix("\n")  # belongs to the delimiter
        return _header_of(source)


def read_mime(data: bytes, defects: list[str]) -> Mime:
    """Read a message (RFC 5322, RFC 2045) into its header, its body and what is attached.

    Calendars, forwarded messages, signatures of keys and any other part that is not plain text or HTML are attachments.
    Of alternatives the richest that holds text is taken.

    Parameters
    ----------
    data : bytes
        The message as it was sent.
    defects : list of str
        What cannot be read as declared is noted here.

    Raises
    ------
    InputError
        If it is nested more than 64 deep or has more than 4,096 parts.
    """
    entity = _header_of(data.removeprefix(codecs.BOM_UTF8).decode("latin-1"))
    reader = _Reader(defects)
    texts = reader.texts(entity, 0)
    return Mime(Headers(_fields(entity), defects), texts, reader.attachments)


def _header_of(source: str) -> Entity:
    """Read a header; what comes after it stays one string, of which each character is a byte."""
    end = _HEADER_END.search(source)
    at = end.end() if end else len(source)
    # Not the whole: the parser goes through the lines of what follows, which would be done once for each level.
    entity: Entity = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(source[:at])
    entity.set_payload(_payload(entity) + source[at:])
    for name in ("content-type", "content-disposition"):  # parameters are read in quadratic time
        if len(str(entity.get(name, ""))) > _MAX_STRUCTURED:
            entity.replace_header(name, str(entity[name])[:_MAX_STRUCTURED])
    return entity


def _fields(entity: Entity) -> list[tuple[str, str]]:
    return [(name, _escaped(str(value))) for name, value in entity.raw_items()]


def _escaped(text: str) -> str:
    """Bytes as `Headers` takes them."""
    return text.encode("latin-1", "replace").decode("ascii", "surrogateescape")


def _delimiters(payload: str, mark: str) -> Iterator[tuple[int, int, bool]]:
    """Where lines that are nothing but the mark begin and end, and whether each is the last: the mark with ``--``."""
    begin = payload.find(mark)
    while begin >= 0:
        rest = _DELIMITER_END.match(payload, begin + len(mark))
        if rest and (begin == 0 or payload[begin - 1] == "\n"):
            yield begin, rest.end(), bool(rest[1])
        begin = payload.find(mark, begin + len(mark))


def _payload(entity: Entity) -> str:
    payload = entity.get_payload()
    return payload if isinstance(payload, str) else ""


def _content(entity: Entity, defects: list[str]) -> bytes:
    """Undo the transfer encoding."""
    payload = entity.get_payload(decode=True)
    broken = {type(defect).__name__ for defect in entity.defects if "Base64" in type(defect).__name__}
    defects += [f"base64 is broken, read as far as it goes: {name}" for name in sorted(broken)]
    return payload if isinstance(payload, bytes) else b""


def _name(entity: Entity) -> str:
    """The file name, decoded."""
    for key, header in (("filename", "content-disposition"), ("name", "content-type")):
        value = entity.get_param(key, None, header)
        if value is None:
            continue
        if isinstance(value, tuple):
            charset, _, text = value
            return decode_bytes(text.encode("latin-1", "replace"), charset or "", "a file name", [])
        return Headers([("name", _escaped(value))], []).get("name")
    return ""


def _visible(text: str, is_html: bool) -> bool:
    return bool(re.sub(r"<[^>]*+>", "", text).strip() if is_html else text.strip())
