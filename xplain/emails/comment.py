"""A conversation as values: its messages, newest first, and one text of them all for a classifier.

The values hold what a Re:infer document can hold, so their limits are those of its API. The constructors refuse what
exceeds a limit; `xplain.emails.parse` cuts a mail to the limits before it builds them, and notes what it cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xplain import _check
from xplain.errors import InputError
from xplain.explanation import Part
from xplain.explanation.parts import join

#: Fields of a message that are classified, in the order in which a reader meets them.
TEXT_FIELDS = ("subject", "body", "signature")

# Limits of a Re:infer document, from its API reference.
MAX_TEXT = 65_536  # code points
MAX_ADDRESS = 512  # code points
MAX_ADDRESSES = 2_048
MAX_MESSAGES = 2_048
MAX_ATTACHMENTS = 128


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is known of an attached file; its content is never kept.

    Parameters
    ----------
    name : str
        File name as the sender gave it, never a path to open; empty if none was given.
    size : int
        Bytes of the decoded content.
    content_type : str
        Media type, such as ``"application/pdf"``.
    """

    name: str
    size: int
    content_type: str

    def __post_init__(self) -> None:
        _check.string("Attachment.name", self.name)
        object.__setattr__(self, "size", _check.integer("Attachment.size", self.size, least=0))
        _check.string("Attachment.content_type", self.content_type)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Parameters
    ----------
    body, subject, signature : str
        Its text, at most 65,536 code points each; empty where there is none.
    from_ : str, optional
        Who sent it, as the header gives it: an address, or a name with an address.
    to, cc, bcc : sequence of str
        Who received it, at most 2,048 addresses each, of 1 to 512 code points.
    sent_at : str, optional
        ISO 8601 time; without an offset where the mail names no zone.
    language : str, optional
        Language tag, such as ``"en"``.
    """

    body: str = ""
    subject: str = ""
    signature: str = ""
    from_: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    sent_at: str | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        for name in TEXT_FIELDS:
            if len(_check.string(f"Message.{name}", getattr(self, name))) > MAX_TEXT:
                raise InputError(
                    f"Message.{name} must be at most {MAX_TEXT} characters, got {len(getattr(self, name))}"
                )
        for name in ("to", "cc", "bcc"):
            addresses = _check.tuple_of(f"Message.{name}", getattr(self, name), str)
            if len(addresses) > MAX_ADDRESSES:
                raise InputError(f"Message.{name} must be at most {MAX_ADDRESSES} addresses, got {len(addresses)}")
            for i, address in enumerate(addresses):
                _check_address(f"Message.{name}[{i}]", address)
            object.__setattr__(self, name, addresses)
        if self.from_ is not None:
            _check_address("Message.from_", _check.string("Message.from_", self.from_))
        for name in ("sent_at", "language"):
            if getattr(self, name) is not None:
                _check.string(f"Message.{name}", getattr(self, name))


def _check_address(name: str, address: str) -> None:
    if not 1 <= len(address) <= MAX_ADDRESS:
        raise InputError(f"{name} must be 1 to {MAX_ADDRESS} characters, got {len(address)}")


@dataclass(frozen=True, slots=True)
class Comment:
    r"""A conversation that is classified as one text.

    Parameters
    ----------
    messages : sequence of Message
        At least one, at most 2,048; the newest first, the quoted ones after it.
    id, thread_id : str, optional
        Identifier of the mail, and the one that it shares with the other mails of its conversation.
    timestamp : str, optional
        ISO 8601 time of the newest message.
    user_properties : mapping
        Strings under names that begin with ``"string:"``, numbers under names that begin with ``"number:"``.
    attachments : sequence of Attachment
        At most 128.
    defects : sequence of str
        What could not be read as the mail declares it, or was cut; one sentence each.

    Examples
    --------
    >>> comment = Comment([Message("Where is it?", subject="Order 7", signature="Ann"), Message("It was sent.")])
    >>> comment.text
    'Order 7\n\nWhere is it?\n\nAnn\n\nIt was sent.'
    >>> [(part.name, part.start, part.stop) for part in comment.parts][1:3]
    [('messages[0].body', 9, 21), ('messages[0].signature', 23, 26)]
    """

    messages: tuple[Message, ...]
    id: str | None = None
    thread_id: str | None = None
    timestamp: str | None = None
    user_properties: dict[str, Any] = field(default_factory=dict, hash=False)
    attachments: tuple[Attachment, ...] = ()
    defects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, kind, limit in (
            ("messages", Message, MAX_MESSAGES),
            ("attachments", Attachment, MAX_ATTACHMENTS),
            ("defects", str, None),
        ):
            values = _check.tuple_of(f"Comment.{name}", getattr(self, name), kind)
            if limit is not None and len(values) > limit:
                raise InputError(f"Comment.{name} must be at most {limit}, got {len(values)}")
            object.__setattr__(self, name, values)
        if not self.messages:
            raise InputError("Comment.messages must hold a message, got none")
        for name in ("id", "thread_id", "timestamp"):
            if getattr(self, name) is not None:
                _check.string(f"Comment.{name}", getattr(self, name))
        object.__setattr__(self, "user_properties", _check_properties(self.user_properties))

    @property
    def text(self) -> str:
        """The non-empty subject, body and signature of each message, with a blank line between them."""
        return join(self._named_texts())[0]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Where in `text` each subject, body and signature is, named like ``"messages[0].body"``."""
        return join(self._named_texts())[1]

    def with_texts(self, change: Callable[[str], str]) -> Comment:
        """Return a copy in which ``change`` was applied to each subject, body and signature that is not empty."""
        messages = []
        for message in self.messages:
            texts: dict[str, Any] = {name: change(text) for name in TEXT_FIELDS if (text := getattr(message, name))}
            messages.append(replace(message, **texts))
        return replace(self, messages=tuple(messages))

    def _named_texts(self) -> list[tuple[str, str]]:
        return [
            (f"messages[{i}].{name}", getattr(message, name))
            for i, message in enumerate(self.messages)
            for name in TEXT_FIELDS
        ]


def _check_properties(value: Mapping[str, Any]) -> dict[str, Any]:
    properties = _check.mapping("Comment.user_properties", value)
    for key, property_ in properties.items():
        name = f"Comment.user_properties[{key!r}]"
        if key.startswith("string:"):
            _check.string(name, property_)
        elif key.startswith("number:"):
            properties[key] = _check.number(name, property_)
        else:
            raise InputError(f"{name} must be named string:... or number:..., got {key!r}")
    return properties
