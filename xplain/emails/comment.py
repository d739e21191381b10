"""A conversation as values: its messages, newest first, and one text of them all for a classifier.

The values hold what a Re:infer document can hold, so their limits are those of its API. The constructors refuse what
exceeds a limit; `xplain.emails.parse` cuts a mail to the limits before it builds them, and notes what it cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from xplain import _check
from xplain._value import checked, value
from xplain.errors import InputError
from xplain.explanation import Part
from xplain.explanation.parts import join

T = TypeVar("T")

#: Fields of a message that are classified, in the order in which a reader meets them.
TEXT_FIELDS = ("subject", "body", "signature")

# Limits of a Re:infer document, from its API reference.
MAX_TEXT = 65_536  # code points
MAX_ADDRESS = 512  # code points
MAX_ADDRESSES = 2_048
MAX_MESSAGES = 2_048
MAX_ATTACHMENTS = 128


@value
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

    name: str = checked(_check.string)
    size: int = checked(_check.integer, least=0)
    content_type: str = checked(_check.string)


def _text(name: str, value: Any) -> str:
    if len(_check.string(name, value)) > MAX_TEXT:
        raise InputError(f"{name} must be at most {MAX_TEXT} characters, got {len(value)}")
    return value  # type: ignore[no-any-return]


def _address(name: str, value: Any) -> str:
    if not 1 <= len(_check.string(name, value)) <= MAX_ADDRESS:
        raise InputError(f"{name} must be 1 to {MAX_ADDRESS} characters, got {len(value)}")
    return value  # type: ignore[no-any-return]


def _addresses(name: str, value: Any) -> tuple[str, ...]:
    addresses = _check.tuple_of(name, value, str)
    if len(addresses) > MAX_ADDRESSES:
        raise InputError(f"{name} must be at most {MAX_ADDRESSES} addresses, got {len(addresses)}")
    return tuple(_address(f"{name}[{i}]", address) for i, address in enumerate(addresses))


@value
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

    body: str = checked(_text, default="")
    subject: str = checked(_text, default="")
    signature: str = checked(_text, default="")
    from_: str | None = checked(_address, default=None)
    to: tuple[str, ...] = checked(_addresses, default=())
    cc: tuple[str, ...] = checked(_addresses, default=())
    bcc: tuple[str, ...] = checked(_addresses, default=())
    sent_at: str | None = checked(_check.string, default=None)
    language: str | None = checked(_check.string, default=None)


def _at_most(name: str, value: Any, limit: int, kind: type[T]) -> tuple[T, ...]:
    values = _check.tuple_of(name, value, kind)
    if len(values) > limit:
        raise InputError(f"{name} must be at most {limit}, got {len(values)}")
    return values


def _properties(name: str, value: Any) -> dict[str, Any]:
    properties = _check.mapping(name, value)
    for key, property_ in properties.items():
        path = f"{name}[{key!r}]"
        if key.startswith("string:"):
            _check.string(path, property_)
        elif key.startswith("number:"):
            properties[key] = _check.number(path, property_)
        else:
            raise InputError(f"{path} must be named string:... or number:..., got {key!r}")
    return properties


@value
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

    messages: tuple[Message, ...] = checked(_at_most, limit=MAX_MESSAGES, kind=Message)
    id: str | None = checked(_check.string, default=None)
    thread_id: str | None = checked(_check.string, default=None)
    timestamp: str | None = checked(_check.string, default=None)
    user_properties: dict[str, Any] = checked(_properties, default_factory=dict, hash=False)
    attachments: tuple[Attachment, ...] = checked(_at_most, limit=MAX_ATTACHMENTS, kind=Attachment, default=())
    defects: tuple[str, ...] = checked(_check.tuple_of, kind=str, default=())

    def __post_init__(self) -> None:
        if not self.messages:
            raise InputError("Comment.messages must hold a message, got none")

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
