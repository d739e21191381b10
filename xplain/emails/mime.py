"""A MIME message as one body and its attachments.

The standard library parses headers here, but not the tree of parts: its parser recurses into nested parts and goes
through the text of a part once for each level, which a crafted mail can make very slow.
"""

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

# Beyond any mail that a person sends; they bound the time for a crafted one.
MAX_DEPTH = 64
MAX_PARTS = 4_096
_MAX_STRUCTURED = 2_000  # characters of a field with parameters, which the standard library reads in quadratic time

_HEADER_END = re.compile(r"(?:\A|\r?\n)\r?\n")
_DELIMITER_END = re.compile(r"(--)?[ \t]*+\r?(?:\n|\Z)")

# RFC 2045's word for a header and what follows it: the whole message, or one of its parts.
Entity = email.message.Message


@dataclass(slots=True)
class MimeMessage:
    """The content of a MIME message.

    Parameters
    ----------
    headers : Headers
        Of the whole message.
    texts : list of (str, bool)
        The texts of the body in their order, and whether each is HTML.
    attachments : list of Attachment
        All other parts.
    """

    headers: Headers
    texts: list[tuple[str, bool]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


def read_mime(data: bytes, defects: list[str]) -> MimeMessage:
    """Read a message (RFC 5322, RFC 2045) into its header, its body and its attachments.

    Calendars, forwarded messages, cryptographic signatures and any other part that is not plain text or HTML are
    attachments. Of alternatives the richest that holds text is taken.

    Parameters
    ----------
    data : bytes
        The message as it was sent.
    defects : list of str
        A sentence is appended for each thing that cannot be read as declared.

    Raises
    ------
    InputError
        If it is nested more than 64 deep or has more than 4,096 parts.
    """
    entity = _parse_entity(data.removeprefix(codecs.BOM_UTF8).decode("latin-1"))
    reader = _Reader(defects)
    texts = reader.texts(entity, 0)
    return MimeMessage(Headers(_header_fields(entity), defects), texts, reader.attachments)


class _Reader:
    """Walks the parts of one message, and collects attachments on the way."""

    def __init__(self, defects: list[str]) -> None:
        self.defects = defects
        self.attachments: list[Attachment] = []
        self._parts = 0

    def texts(self, entity: Entity, depth: int, default: str = "text/plain") -> list[tuple[str, bool]]:
        """Return the texts of the body in an entity; its other parts go to the attachments.

        ``default`` is the content type of an entity that declares none.
        """
        if depth > MAX_DEPTH:
            raise InputError(f"email must be nested at most {MAX_DEPTH} parts deep, got more")
        kind = entity.get_content_type() if "content-type" in entity else default
        children = list(self._children(entity)) if kind.startswith("multipart/") else []
        if not children:
            return self._leaf(entity, "text/plain" if kind.startswith("multipart/") else kind, depth)
        if kind == "multipart/alternative":
            # The last that can be read is the richest (RFC 2046, 5.1.4). Files within the others stay attached.
            alternatives = [self.texts(child, depth + 1) for child in children]
            return next((texts for texts in reversed(alternatives) if any(_has_words(*text) for text in texts)), [])
        if kind == "multipart/related":
            root, *others = children
            texts = self.texts(root, depth + 1)
            for child in others:
                self._attach(child)
            return texts
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return [text for child in children for text in self.texts(child, depth + 1, inner)]

    def _leaf(self, entity: Entity, kind: str, depth: int) -> list[tuple[str, bool]]:
        attached = depth > 0 and (entity.get_content_disposition() == "attachment" or _file_name(entity) != "")
        readable = kind in ("text/plain", "text/html") or (depth == 0 and kind.startswith("text/"))
        if attached or not readable:
            self._attach(entity, kind)
            return []
        data = _decoded_content(entity, self.defects)
        charset = entity.get_param("charset", "")
        if isinstance(charset, tuple):  # RFC 2231: charset, language, value
            charset = charset[2]
        where = f"text {self._parts}" if self._parts else "text"
        text = decode_bytes(data, str(charset), where, self.defects)
        return [(text, kind == "text/html")]

    def _attach(self, entity: Entity, kind: str | None = None) -> None:
        kind = kind or entity.get_content_type()
        name = _file_name(entity)
        if kind.startswith("message/") and not name:
            name = Headers(_header_fields(_parse_entity(_payload(entity))), self.defects).get("subject")
        self.attachments.append(Attachment(name, len(_decoded_content(entity, self.defects)), kind))

    def _children(self, entity: Entity) -> Iterator[Entity]:
        boundary = entity.get_param("boundary", "")
        if isinstance(boundary, tuple):  # RFC 2231: charset, language, value
            boundary = boundary[2]
        boundary = str(boundary).rstrip()
        if not boundary:
            self.defects.append("a multipart names no boundary, read as text")
            return
        payload = _payload(entity)
        start = None
        for begin, end, last in _delimiters(payload, f"--{boundary}"):
            if start is not None:
                yield self._part(payload[start:begin])
            if last:
                return
            start = end
        if start is None:
            self.defects.append("a multipart holds no part, read as text")
        else:
            self.defects.append("the last part of a multipart does not end")
            yield self._part(payload[start:])

    def _part(self, source: str) -> Entity:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InputError(f"email must have at most {MAX_PARTS} parts, got more")
        # The line end before a delimiter belongs to the delimiter (RFC 2046, 5.1.1).
        source = source[:-2] if source.endswith("\r\n") else source.removesuffix("\n")
        return _parse_entity(source)


def _parse_entity(source: str) -> Entity:
    """Parse the header of an entity; its content stays one string, of which each character is a byte."""
    end = _HEADER_END.search(source)
    at = end.end() if end else len(source)
    # The parser is given the header only: it would go through the lines of the content, once for each level.
    entity: Entity = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(source[:at])
    entity.set_payload(_payload(entity) + source[at:])
    for name in ("content-type", "content-disposition"):
        if len(str(entity.get(name, ""))) > _MAX_STRUCTURED:
            entity.replace_header(name, str(entity[name])[:_MAX_STRUCTURED])
    return entity


def _header_fields(entity: Entity) -> list[tuple[str, str]]:
    return [(name, _escape_bytes(str(value))) for name, value in entity.raw_items()]


def _escape_bytes(text: str) -> str:
    """Turn characters that stand for bytes into surrogate escapes where they are not ASCII, as `Headers` takes them."""
    return text.encode("latin-1", "replace").decode("ascii", "surrogateescape")


def _delimiters(payload: str, mark: str) -> Iterator[tuple[int, int, bool]]:
    """Yield where each line that holds nothing but the mark begins and ends, and whether ``--`` makes it the last."""
    begin = payload.find(mark)
    while begin >= 0:
        end = _DELIMITER_END.match(payload, begin + len(mark))
        if end and (begin == 0 or payload[begin - 1] == "\n"):
            yield begin, end.end(), bool(end[1])
        begin = payload.find(mark, begin + len(mark))


def _payload(entity: Entity) -> str:
    payload = entity.get_payload()
    return payload if isinstance(payload, str) else ""


def _decoded_content(entity: Entity, defects: list[str]) -> bytes:
    """Undo the transfer encoding (base64, quoted-printable)."""
    payload = entity.get_payload(decode=True)
    broken = {type(defect).__name__ for defect in entity.defects if "Base64" in type(defect).__name__}
    defects += [f"base64 is broken, read as far as it goes: {name}" for name in sorted(broken)]
    return payload if isinstance(payload, bytes) else b""


def _file_name(entity: Entity) -> str:
    """Return the file name that an entity gives, decoded; empty if it gives none."""
    for key, header in (("filename", "content-disposition"), ("name", "content-type")):
        value = entity.get_param(key, None, header)
        if value is None:
            continue
        if isinstance(value, tuple):  # RFC 2231
            charset, _, text = value
            return decode_bytes(text.encode("latin-1", "replace"), charset or "", "a file name", [])
        return Headers([("name", _escape_bytes(value))], []).get("name")
    return ""


def _has_words(text: str, is_html: bool) -> bool:
    return bool(re.sub(r"<[^>]*+>", "", text).strip() if is_html else text.strip())
