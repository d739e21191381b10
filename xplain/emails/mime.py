"""A MIME message as one body and its attachments.

The standard library reads the parameters of fields here, but not the header, which it ends at the first line that is
no field, nor the tree of parts: its parser recurses into nested parts and goes through the text of a part once
for each level, which a crafted mail can make very slow.
"""

from __future__ import annotations

import codecs
import email.message
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from xplain.emails.charsets import declared_in_html, decode_bytes
from xplain.emails.comment import Attachment
from xplain.emails.headers import Headers, split_header
from xplain.emails.html import has_text
from xplain.emails.transfer import decode_transfer
from xplain.errors import InputError

# Beyond any mail that a person sends; they bound the time for a crafted one.
MAX_DEPTH = 64
MAX_PARTS = 4_096
_MAX_STRUCTURED = 2_000  # characters of a field with parameters, which the standard library reads in quadratic time

_DELIMITER_END = re.compile(r"(--)?[ \t]*+\r?(?:\n|\Z)")
_FIRST_DELIMITER = re.compile(r"\s*+--([^\r\n]{1,70}?)[ \t]*+\r?\nContent-", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[\s\"']*([a-z0-9.+_-]+)\s*/\s*([a-z0-9.+_-]+)")
#: Text that is a file rather than what somebody says.
_FILES = {
    "csv", "calendar", "vcard", "x-vcard", "directory", "xml", "css", "javascript", "ecmascript", "rtf", "x-amp-html",
    "watch-html", "tab-separated-values", "rfc822-headers", "vnd.graphviz", "x-python", "x-csrc", "x-patch", "x-diff",
}  # fmt: skip
_TNEF = {"application/ms-tnef", "application/vnd.ms-tnef"}
_ENCRYPTED = {"application/pgp-encrypted"}
_SMIME = {"application/pkcs7-mime", "application/x-pkcs7-mime"}


@dataclass(frozen=True, slots=True)
class BodyText:
    """A text of the body of a message.

    Parameters
    ----------
    text : str
        As it was sent, decoded.
    is_html : bool
        Whether it is HTML.
    is_flowed, joins_words : bool
        Whether its lines are broken as ``format=flowed`` says, and whether ``delsp=yes`` is with it.
    """

    text: str
    is_html: bool = False
    is_flowed: bool = False
    joins_words: bool = False

    @property
    def has_words(self) -> bool:
        """Whether there is anything but markup and white space."""
        return has_text(self.text) if self.is_html else bool(self.text.strip())


@dataclass(slots=True)
class MimeMessage:
    """The content of a MIME message.

    Parameters
    ----------
    headers : Headers
        Of the whole message.
    texts : list of BodyText
        The texts of the body in their order.
    attachments : list of Attachment
        All other parts.
    """

    headers: Headers
    texts: list[BodyText] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


def read_mime(data: bytes, defects: list[str]) -> MimeMessage:
    """Read a message (RFC 5322, RFC 2045) into its header, its body and its attachments.

    Calendars, forwarded messages, cryptographic signatures and any other part that is not plain text or HTML are
    attachments. Of alternatives the richest that holds text is taken. A text with a file name that is not said to be
    attached, or of another type such as ``text/enriched``, is the body if there is no other.

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
    found: list[str] = []
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\n" not in data:  # lines that end as on old Macs
        data = data.replace(b"\r", b"\n")
    entity = _Entity(data.decode("latin-1"), found, is_message=True)
    defects += found
    reader = _Reader(defects)
    texts = reader.texts(entity, 0)
    if not any(text.has_words for text in texts) and reader.named_texts:
        texts = reader.promote_named_text()
    return MimeMessage(Headers(entity.fields(), defects, reader.charset), texts, reader.attachments)


class _Entity:
    """A message or a part of one: its fields, and its content, of which each character is a byte."""

    def __init__(self, source: str, defects: list[str], is_message: bool = False) -> None:
        self._fields, start = split_header(source, defects, leading_blank=is_message)
        self.content = source[start:]
        self._structured = email.message.Message()
        for name, value in self._fields:
            if name.lower() in ("content-type", "content-disposition") and name not in self._structured:
                self._structured[name] = value[:_MAX_STRUCTURED]

    def fields(self) -> list[tuple[str, str]]:
        return [(name, _escape_bytes(value)) for name, value in self._fields]

    def field(self, name: str) -> str:
        return next((value for key, value in self._fields if key.lower() == name), "")

    def media_type(self, default: str) -> str:
        """Return the media type in lower case; one without a subtype is unknown binary, unless it is ``text``."""
        declared = str(self._structured.get("content-type", "")).lower()
        if match := _MEDIA_TYPE.match(declared):
            return f"{match[1]}/{match[2]}"
        main = declared.partition(";")[0].strip()
        return "application/octet-stream" if main in ("application", "image", "audio", "video") else default

    def parameter(self, name: str, header: str = "content-type") -> str:
        """Return a parameter of a field, also if no semicolon is before it; empty if there is none."""
        values = [value for key, value in self._structured.get_params([], header) if key.lower() == name]
        # What is encoded by RFC 2231 counts for more than what is there for readers that do not know it.
        value = next((value for value in values if isinstance(value, tuple)), next(iter(values), None))
        if isinstance(value, tuple):  # RFC 2231: charset, language, value
            charset, _, text = value
            return decode_bytes(text.encode("latin-1", "replace"), charset or "", "a parameter", [])
        if value is None:
            written = str(self._structured.get(header, ""))
            match = re.search(rf"\s{name}\s*=\s*\"?([^\s\";]+)", written, re.IGNORECASE)
            value = match[1] if match else ""
        return str(value)

    def is_attached(self) -> bool:
        return self._structured.get_content_disposition() == "attachment"

    def file_name(self) -> str:
        """Return the file name, decoded; empty if none is given."""
        for key, header in (("filename", "content-disposition"), ("name", "content-type")):
            if value := self.parameter(key, header):
                return Headers([("name", _escape_bytes(value))], []).get("name")
        return ""

    def data(self, defects: list[str]) -> bytes:
        """Undo the transfer encoding."""
        return decode_transfer(self.content, self.field("content-transfer-encoding"), defects)


class _Reader:
    """Walks the parts of one message, and collects attachments on the way."""

    def __init__(self, defects: list[str]) -> None:
        self.defects = defects
        self.attachments: list[Attachment] = []
        self.named_texts: list[tuple[_Entity, str, Attachment]] = []  # files that may as well be the body, their types
        self.charset = ""  # the first that a text declares
        self._parts = 0

    def texts(self, entity: _Entity, depth: int, default: str = "text/plain") -> list[BodyText]:
        """Return the texts of the body in an entity; its other parts go to the attachments.

        ``default`` is the content type of an entity that declares none.
        """
        if depth > MAX_DEPTH:
            raise InputError(f"email must be nested at most {MAX_DEPTH} parts deep, got more")
        kind = entity.media_type(default)
        children = list(self._children(entity)) if kind.startswith("multipart/") else []
        if not children:
            return self._leaf(entity, "text/plain" if kind.startswith("multipart/") else kind, depth)
        if kind == "multipart/alternative":
            # The last that can be read is the richest (RFC 2046, 5.1.4). Files within the others stay attached.
            alternatives = [self.texts(child, depth + 1) for child in children]
            return next((texts for texts in reversed(alternatives) if any(text.has_words for text in texts)), [])
        if kind == "multipart/related":
            root = _root(entity, children)
            texts = self.texts(root, depth + 1)
            for child in children:
                if child is not root:
                    self._attach(child, child.media_type("text/plain"))
            return texts
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        return [text for child in children for text in self.texts(child, depth + 1, inner)]

    def _leaf(self, entity: _Entity, kind: str, depth: int) -> list[BodyText]:
        name = entity.file_name()
        main, _, subtype = kind.partition("/")
        is_common = kind in ("text/plain", "text/html")
        readable = is_common or (main == "text" and subtype not in _FILES)
        if not readable or (entity.is_attached() and (depth > 0 or name)):
            self._attach(entity, kind)
            return []
        self.charset = self.charset or entity.parameter("charset")
        where = f"text {self._parts}" if self._parts else "text"
        if name or (depth > 0 and not is_common):
            self.named_texts.append((entity, kind, self._attach(entity, kind)))
            return []
        return [_body_text(entity, kind, where, self.defects)]

    def promote_named_text(self) -> list[BodyText]:
        """Take the first text with a file name from the attachments to the body."""
        entity, kind, attachment = self.named_texts[0]
        self.attachments.remove(attachment)
        return [_body_text(entity, kind, "text", self.defects)]

    def _attach(self, entity: _Entity, kind: str) -> Attachment:
        name = entity.file_name()
        if kind.startswith("message/") and not name:
            name = Headers(_Entity(entity.content, []).fields(), self.defects).get("subject")
        if kind in _TNEF or name.lower() == "winmail.dat":
            self.defects.append(f"{name or 'a part'} is in Microsoft's format TNEF, its text and files are not read")
        if kind in _ENCRYPTED or (kind in _SMIME and entity.parameter("smime-type").lower() != "certs-only"):
            self.defects.append(f"{name or 'a part'} is encrypted or signed as a whole ({kind}), its text is not read")
        attachment = Attachment(name, len(entity.data(self.defects)), kind)
        self.attachments.append(attachment)
        return attachment

    def _children(self, entity: _Entity) -> Iterator[_Entity]:
        content = entity.content
        boundary = entity.parameter("boundary").rstrip()
        if not boundary:
            first = _FIRST_DELIMITER.match(content)
            if first is None:
                self.defects.append("a multipart names no boundary, read as text")
                return
            self.defects.append("a multipart names no boundary, its first line is taken for it")
            boundary = first[1]
        mark = f"--{boundary}"
        if mark not in content and entity.field("content-transfer-encoding"):
            content = entity.data([]).decode("latin-1")  # RFC 2045 allows no encoding of a whole multipart
        start = None
        for begin, end, last in _delimiters(content, mark):
            if start is not None:
                yield self._part(content[start:begin])
            if last:
                return
            start = end
        if start is None:
            self.defects.append("a multipart holds no part, read as text")
        else:
            self.defects.append("the last part of a multipart does not end")
            yield self._part(content[start:])

    def _part(self, source: str) -> _Entity:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InputError(f"email must have at most {MAX_PARTS} parts, got more")
        # The line end before a delimiter belongs to the delimiter (RFC 2046, 5.1.1).
        return _Entity(source[:-2] if source.endswith("\r\n") else source.removesuffix("\n"), self.defects)


def _body_text(entity: _Entity, kind: str, where: str, defects: list[str]) -> BodyText:
    data, charset = entity.data(defects), entity.parameter("charset")
    is_html = kind == "text/html"
    if is_html and (not charset or ("ascii" in charset.lower() and not data.isascii())):
        charset = declared_in_html(data) or charset
    text = decode_bytes(data, charset, where, defects)
    is_flowed = kind == "text/plain" and entity.parameter("format").strip().lower() == "flowed"
    return BodyText(text, is_html, is_flowed, is_flowed and entity.parameter("delsp").strip().lower() == "yes")


def _root(entity: _Entity, children: list[_Entity]) -> _Entity:
    """Return the part of a multipart/related that shows the others: the one it names, the first text, or the first."""
    start = entity.parameter("start").strip(" <>")
    named = [child for child in children if start and child.field("content-id").strip(" <>") == start]
    texts = [child for child in children if child.media_type("text/plain").startswith(("text/", "multipart/"))]
    return next(iter([*named, *texts, *children]))


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
