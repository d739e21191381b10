"""Comments of Re:infer: conversations of messages, each with a subject, a body and a signature.

xplain explains one text, so the texts of a comment are joined into `Source.text`, with each of them as a part. All
other fields of a comment are kept as JSON without these texts: `read_comment` separates the two, `encode_comment` puts
them together again.
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
"""Parts of a message, in reading order."""

BODY = "messages[0].body"
"""The part that a text without parts becomes."""

# Limits of the API reference.
MAX_BATCH = 4096  # documents, labels or uids of a request
MAX_TEXT = 65_536  # characters
MAX_MESSAGES = 2048
MAX_ADDRESSES = 2048
MAX_ADDRESS = 512  # characters
MAX_ATTACHMENTS = 128

_PART_NAME = re.compile(r"messages\[(0|[1-9][0-9]{0,3})\]\.(subject|body|signature)")


def part_name(message: int, content_part: str) -> str:
    """Return the name that a part of a message has in `Source.parts`."""
    return f"messages[{message}].{content_part}"


def split_part_name(name: str | None) -> tuple[int, str] | None:
    """Return the index of the message and its content part, or None if the name is not that of a comment's part."""
    match = _PART_NAME.fullmatch(name or "")
    return (int(match[1]), match[2]) if match and int(match[1]) < MAX_MESSAGES else None


def or_null(read: Reader[Any]) -> Reader[Any]:
    """Make a reader of a required field that may be null."""
    return lambda at: None if at.value is None else read(at)


# Fields that requests and stored comments share.


def properties(at: At) -> dict[str, Any]:
    """Read user properties: each key begins with ``string:`` or ``number:``, the type of its value."""
    wrong: list[Problem] = []
    for key in mapping(at):
        kind = key.partition(":")[0]
        if ":" not in key or kind not in ("string", "number"):
            expected = "must be named string:... or number:..., as its value is"
            wrong.append(Problem(at[key].path, f"{expected}, got the name {key!r:.60}"))
        else:
            wrong += _problems(string if kind == "string" else number, at[key])
    if wrong:
        raise Rejected(wrong)
    return json_object(at)


def _problems(read: Reader[Any], at: At) -> list[Problem]:
    """Return the problems at a place inside a document, with their full paths."""
    try:
        read(at)
    except Rejected as rejected:
        return rejected.problems
    return []


attachments = sized(
    array(keep({"name": string, "size": integer(0), "content_type": string})),
    MAX_ATTACHMENTS,
)
"""Reader of the descriptions of attached files."""

_MARKUP: dict[str, Reader[Any]] = {"translated_from": nullable(string), "text_markup": nullable(array(mapping))}


def messages(max_characters: int | None) -> Reader[Any]:
    """Make a reader of messages with their texts; None is any length of a text."""
    text = string if max_characters is None else sized(string, max_characters)
    return sized(array(_message(keep({"text": text, **_MARKUP}), body_required=True)), MAX_MESSAGES)


def _message(part: Reader[Any], *, body_required: bool) -> Reader[dict[str, Any]]:
    address = sized(string, MAX_ADDRESS, least=1)
    addresses = nullable(sized(array(address), MAX_ADDRESSES))
    texts: dict[str, Reader[Any]] = {"subject": nullable(part), "signature": nullable(part)}
    texts["body"] = part if body_required else optional(part)
    people = {"from": nullable(address), "to": addresses, "cc": addresses, "bcc": addresses}
    return keep({**texts, **people, "sent_at": nullable(time), "language": nullable(string)})


# Reading the comments of a response.

_FIELDS: dict[str, Reader[Any]] = {
    "timestamp": time,
    "user_properties": properties,
    "text_format": choice("plain", "markdown"),
    "attachments": attachments,
    "thread_id": or_null(string),
}
#: Required fields of a comment, as we write those that we know nothing of. They are not kept where they equal these.
_DEFAULTS: dict[str, Any] = {
    "timestamp": "1970-01-01T00:00:00Z",
    "user_properties": {},
    "text_format": "plain",
    "attachments": [],
    "thread_id": None,
}
#: Reader of the fields that are kept: a comment without its texts.
_EXTRAS = keep(
    {
        "id": optional(string),
        "messages": optional(sized(array(_message(keep(_MARKUP), body_required=False)), MAX_MESSAGES)),
        **{key: optional(read) for key, read in _FIELDS.items()},
    }
)


@dataclass
class ParsedComment:
    """A comment of a document: its texts, and the fields around them.

    Parameters
    ----------
    id : str
        Its id.
    texts : mapping of str to str
        Text of each part by the part's name, empty texts included.
    has_messages : bool
        Whether the comment has a message at all; without one its text is unknown.
    extras : dict
        All other fields, without the texts.
    """

    id: str
    texts: dict[str, str]
    has_messages: bool
    extras: dict[str, Any]

    @cached_property
    def source(self) -> Source:
        """The conversation as one text."""
        text, parts = join(self.texts.items())
        return Source("text", text=text, parts=parts) if self.has_messages else Source("text")

    @cached_property
    def starts(self) -> dict[str, int]:
        """Offset of each part in the joined text."""
        return {part.name: part.start for part in self.source.parts}

    def utf16(self, part: str) -> Utf16:
        """Return the UTF-16 offsets of a part."""
        if part not in self._utf16:
            self._utf16[part] = Utf16(self.texts[part])
        return self._utf16[part]

    @cached_property
    def _utf16(self) -> dict[str, Utf16]:
        return {}


def _comment(id: str, messages: tuple[dict[str, Any], ...], rest: dict[str, Any]) -> ParsedComment:
    """Take the texts out of the messages."""
    texts: dict[str, str] = {}
    for index, message in enumerate(messages):
        for content_part in CONTENT_PARTS:
            part = message.pop(content_part, None)
            if part is None:
                continue
            text = part.pop("text")
            texts[part_name(index, content_part)] = text
            # `join` drops empty texts, so an empty subject or signature is recorded here. Every message has a body.
            if part or not (text or content_part == "body"):
                message[content_part] = part
    extras = {key: value for key, value in rest.items() if key not in _DEFAULTS or value != _DEFAULTS[key]}
    comment = ParsedComment(id, texts, bool(messages), extras)
    if any(messages) or len(messages) != _message_count(comment.source):
        extras["messages"] = list(messages)
    return comment


def _message_count(source: Source) -> int:
    """Return the number of messages that follows from the text and its parts alone."""
    if source.text is None:
        return 0
    return 1 + max(((split_part_name(part.name) or (0,))[0] for part in source.parts), default=0)


read_comment: Reader[ParsedComment] = record(_comment, rest=_FIELDS, id=string, messages=messages(None))
"""Read a comment of a response."""


# Writing.


def source_texts(source: Source) -> tuple[dict[str, str], tuple[Part, ...]]:
    """Return the text of each part of the comment that a source is written as, and where these parts lie in the text.

    A text whose parts do not belong to a comment, are out of order or are joined in another way becomes one body.
    """
    text = source.text
    if text is None:
        return {}, ()
    texts = {part.name: text[part.start : part.stop] for part in source.parts}
    split_names = [split_part_name(name) for name in texts]
    order = [(split[0], CONTENT_PARTS.index(split[1])) for split in split_names if split is not None]
    if None in split_names or order != sorted(order) or join(texts.items()) != (text, source.parts):
        texts = {BODY: text} if text else {}
    return texts, join(texts.items())[1]


def encode_comment(source: Source, extras: Any, default_id: str) -> dict[str, Any]:
    """Write the comment that was explained.

    Parameters
    ----------
    source : Source
        The text.
    extras : object
        Fields that were kept beside the text; ignored unless they are those of a comment.
    default_id : str
        The id of a comment whose ``extras`` hold none.
    """
    fields = {} if extras is None or problems(_EXTRAS, extras) else dict(extras)
    texts, _ = source_texts(source)
    return {
        "id": default_id,
        **_DEFAULTS,
        **fields,
        "messages": _encode_messages(texts, fields.get("messages", []), source.text is not None),
    }


def _encode_messages(
    texts: Mapping[str, str], textless: Iterable[Mapping[str, Any]], text_known: bool
) -> list[dict[str, Any]]:
    """Put the texts back into the messages they were taken from; missing messages are added."""
    if not text_known:
        return []
    by_message: dict[int, dict[str, str]] = {}
    for name, text in texts.items():
        index, content_part = split_part_name(name) or (0, "body")
        by_message.setdefault(index, {})[content_part] = text
    messages = [dict(message) for message in textless]
    missing = 1 + max(by_message, default=0) - len(messages)
    messages += [{} for _ in range(missing)]
    for index, message in enumerate(messages):
        for content_part in CONTENT_PARTS:
            text_of_part = by_message.get(index, {}).get(content_part)
            part = message.pop(content_part, None)
            # A body is required, if only an empty one.
            if text_of_part is not None or part is not None or content_part == "body":
                message[content_part] = {**(part or {}), "text": text_of_part or ""}
    return messages
