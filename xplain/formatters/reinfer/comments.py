"""Re:infer's comments: conversations of messages, each with a subject, a body and a signature.

The texts become `Source.text` with its parts; the rest of a comment is kept as it stands, without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xplain.explanation import Part, Source
from xplain.explanation.parts import Utf16, join
from xplain.formatters.core.places import At, Problem, Rejected
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    choice,
    integer,
    json_object,
    keep,
    mapping,
    nullable,
    number,
    optional,
    problems,
    record,
    sized,
    string,
    time,
)

CONTENT_PARTS = ("subject", "body", "signature")
"""Parts of a message, in the order in which they are read."""

BODY = "messages[0].body"
"""What a text without parts is."""

MAX_BATCH = 4096  # documents, labels and uids of a request
MAX_TEXT = 65_536  # characters
MAX_MESSAGES = 2048
_MAX_ADDRESSES = 2048
_MAX_ATTACHMENTS = 128
_PART_NAME = re.compile(r"messages\[(0|[1-9][0-9]{0,3})\]\.(subject|body|signature)")


def part_name(message: int, content_part: str) -> str:
    """Return the name of a part of a text."""
    return f"messages[{message}].{content_part}"


def split_part_name(name: str | None) -> tuple[int, str] | None:
    """Return the number of the message and its part, None if it is no name of a part of a comment."""
    found = _PART_NAME.fullmatch(name or "")
    return (int(found[1]), found[2]) if found and int(found[1]) < MAX_MESSAGES else None


def or_null(read: Reader[Any]) -> Reader[Any]:
    """Make a reader of what is required and may be null."""
    return lambda at: None if at.value is None else read(at)


# What requests and stored comments have in common.


def properties(at: At) -> dict[str, Any]:
    """Read properties: strings and numbers, under keys that begin with what they are."""
    found: list[Problem] = []
    for key in mapping(at):
        kind = key.partition(":")[0]
        if ":" not in key or kind not in ("string", "number"):
            expected = "must be named string:... or number:..., as its value is"
            found.append(Problem(at[key].path, f"{expected}, got the name {key!r:.60}"))
        else:
            found += _problems(string if kind == "string" else number, at[key])
    if found:
        raise Rejected(found)
    return json_object(at)


def _problems(read: Reader[Any], at: At) -> list[Problem]:
    try:
        read(at)
    except Rejected as rejected:
        return rejected.problems
    return []


attachments = sized(
    array(keep({"name": string, "size": integer(0), "content_type": string})),
    _MAX_ATTACHMENTS,
)
"""Reader of what is known of attached files."""


def messages(most: int | None) -> Reader[Any]:
    """Make a reader of messages with their texts, which may be of at most so many characters."""
    text = string if most is None else sized(string, most)
    part = keep({"text": text, "translated_from": nullable(string), "text_markup": nullable(array(mapping))})
    return sized(array(_message(part, required=True)), MAX_MESSAGES)


def _message(part: Reader[Any], *, required: bool) -> Reader[dict[str, Any]]:
    address = sized(string, 512, least=1)
    addresses = nullable(sized(array(address), _MAX_ADDRESSES))
    texts: dict[str, Reader[Any]] = {"subject": nullable(part), "signature": nullable(part)}
    texts["body"] = part if required else optional(part)
    people = {"from": nullable(address), "to": addresses, "cc": addresses, "bcc": addresses}
    return keep({**texts, **people, "sent_at": nullable(time), "language": nullable(string)})


# Comments of responses.

_TEXTLESS = keep({"translated_from": nullable(string), "text_markup": nullable(array(mapping))})
_FIELDS: dict[str, Reader[Any]] = {
    "timestamp": time,
    "user_properties": properties,
    "text_format": choice("plain", "markdown"),
    "attachments": attachments,
    "thread_id": or_null(string),
}
#: What is not known of a comment that we write; it is left out of what is kept.
_DEFAULTS: dict[str, Any] = {
    "timestamp": "1970-01-01T00:00:00Z",
    "user_properties": {},
    "text_format": "plain",
    "attachments": [],
    "thread_id": None,
}
_KEPT = keep(
    {
        "id": optional(string),
        "messages": optional(sized(array(_message(_TEXTLESS, required=False)), MAX_MESSAGES)),
        **{key: optional(read) for key, read in _FIELDS.items()},
    }
)


@dataclass
class Comment:
    """A comment that was read.

    Parameters
    ----------
    id : str
        Its id.
    texts : mapping of str to str
        Text of each part, empty ones included.
    known : bool
        Whether it has any message.
    rest : dict
        What else it says.
    """

    id: str
    texts: dict[str, str]
    known: bool
    rest: dict[str, Any]

    @cached_property
    def source(self) -> Source:
        """The conversation as one text."""
        text, parts = join(self.texts.items())
        return Source("text", text=text, parts=parts) if self.known else Source("text")

    @cached_property
    def starts(self) -> dict[str, int]:
        """Where in the text each part begins."""
        return {part.name: part.start for part in self.source.parts}

    def utf16(self, part: str) -> Utf16:
        """Positions in the UTF-16 encoding of a part."""
        if part not in self._utf16:
            self._utf16[part] = Utf16(self.texts[part])
        return self._utf16[part]

    @cached_property
    def _utf16(self) -> dict[str, Utf16]:
        return {}


def _comment(id: str, said: tuple[dict[str, Any], ...], rest: dict[str, Any]) -> Comment:
    texts: dict[str, str] = {}
    for index, message in enumerate(said):
        for content_part in CONTENT_PARTS:
            part = message.pop(content_part, None)
            if part is None:
                continue
            text = part.pop("text")
            texts[part_name(index, content_part)] = text
            # An empty text makes no part that would tell of it; a body there always is.
            if part or not (text or content_part == "body"):
                message[content_part] = part
    own = {key: value for key, value in rest.items() if key not in _DEFAULTS or value != _DEFAULTS[key]}
    comment = Comment(id, texts, bool(said), own)
    if any(said) or len(said) != _told(comment.source):
        own["messages"] = list(said)
    return comment


def _told(source: Source) -> int:
    """Number of messages that the text tells of."""
    if source.text is None:
        return 0
    return 1 + max(((split_part_name(part.name) or (0,))[0] for part in source.parts), default=0)


read_comment: Reader[Comment] = record(_comment, rest=_FIELDS, id=string, said=Field(messages(None), "messages"))
"""Read a comment of a response."""


def source_texts(source: Source) -> tuple[dict[str, str], tuple[Part, ...]]:
    """Return the text of each part of a comment that is to be written, and where it is.

    A text with parts that are none of a comment, or are joined otherwise, is one body.
    """
    text = source.text
    if text is None:
        return {}, ()
    texts = {part.name: text[part.start : part.stop] for part in source.parts}
    places = [split_part_name(name) for name in texts]
    ordered = [(place[0], CONTENT_PARTS.index(place[1])) for place in places if place is not None]
    if None in places or ordered != sorted(ordered) or join(texts.items()) != (text, source.parts):
        texts = {BODY: text} if text else {}
    return texts, join(texts.items())[1]


def encode_comment(source: Source, kept: Any, name: str) -> dict[str, Any]:
    """Write the comment that was explained.

    Parameters
    ----------
    source : Source
        The text.
    kept : object
        What a comment said besides; not used if a comment could not say that.
    name : str
        What stands for an id that is not kept.
    """
    own = {} if kept is None or problems(_KEPT, kept) else dict(kept)
    texts, _ = source_texts(source)
    return {
        "id": name,
        **_DEFAULTS,
        **own,
        "messages": _encode_messages(texts, own.get("messages", []), source.text is not None),
    }


def _encode_messages(
    texts: Mapping[str, str], others: Iterable[Mapping[str, Any]], known: bool
) -> list[dict[str, Any]]:
    said: dict[int, dict[str, str]] = {}
    for name, text in texts.items():
        message, content_part = split_part_name(name) or (0, "body")
        said.setdefault(message, {})[content_part] = text
    found = [dict(other) for other in others]
    count = max(len(found), 1 + max(said, default=0)) if known else 0
    for index in range(count):
        if index == len(found):
            found.append({})
        for content_part in CONTENT_PARTS:
            held = said.get(index, {}).get(content_part)
            other = found[index].pop(content_part, None)
            if held is not None or other is not None or content_part == "body":
                found[index][content_part] = {**(other or {}), "text": held or ""}
    return found[:count]
