"""Raw e-mails to comments.

Two front ends read the same things: `comment_from_email` a whole MIME message, `comment_from_raw_email` the JSON object
of a request. Both bring header fields and lines of the body to one builder. A mail is never refused for what is wrong
in it, only for its size and nesting: the defects are listed in the comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from xplain import _check
from xplain.emails.addresses import author_address, limit_addresses, split_addresses
from xplain.emails.comment import MAX_ATTACHMENTS, MAX_MESSAGES, MAX_TEXT, TEXT_FIELDS, Attachment, Comment, Message
from xplain.emails.copied import Introduction
from xplain.emails.headers import Headers
from xplain.emails.html import html_lines
from xplain.emails.lines import Line, clean, flowed_lines, plain_lines
from xplain.emails.mime import BodyText, read_mime
from xplain.emails.thread import introduces, split_thread
from xplain.emails.transfer import take_uuencoded, without_armour
from xplain.errors import InputError

MAX_EMAIL = 2**26  # bytes of a whole message

# Limits of a Re:infer request, in characters, from its API reference.
MAX_PLAIN = 65_536
MAX_HTML = 33_554_432
MAX_HEADERS = 65_536

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}")


def comment_from_email(
    data: bytes, *, comment_id: str | None = None, user_properties: Mapping[str, Any] | None = None
) -> Comment:
    r"""Read an e-mail as it was sent into a comment.

    The body becomes messages, the newest first: quoted replies are split off as earlier ones, signatures are told from
    bodies. Nothing is fetched or executed, and only the metadata of attachments is kept. A mail that is not what it
    declares to be is read as far as possible. ``Comment.defects`` lists what could not be read, and what was cut
    because it exceeds the limits of a comment: texts of 65,536 characters, 2,048 messages, 2,048 addresses of 512
    characters in a list, 128 attachments.

    Parameters
    ----------
    data : bytes
        A message of RFC 5322 with any MIME parts, at most 64 MiB.
    comment_id : str, optional
        The comment's id; the Message-ID without its brackets if left out, None if there is none either.
    user_properties : mapping, optional
        See `Comment`.

    Returns
    -------
    Comment
        ``thread_id`` is the first of the References, else what the mail replies to, else its own Message-ID.

    Raises
    ------
    InputError
        If it is no bytes, too large, nested more than 64 deep or of more than 4,096 parts.

    Examples
    --------
    >>> mail = b"From: Ann <ann@a.org>\nSubject: =?utf-8?q?Caf=C3=A9?=\nMessage-ID: <1@a>\n\nYes.\n> Open?\n"
    >>> comment = comment_from_email(mail)
    >>> comment.id, comment.messages[0].subject, [message.body for message in comment.messages]
    ('1@a', 'Café', ['Yes.', 'Open?'])
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise _check.wrong("email", "bytes", data)
    if len(data) > MAX_EMAIL:
        raise InputError(f"email must be at most {MAX_EMAIL} bytes, got {len(data)}")
    defects: list[str] = []
    mime = read_mime(bytes(data), defects)
    lines: list[Line] = []
    attachments = mime.attachments
    for text in mime.texts:
        lines += [Line("")] if lines else []
        lines += _body_lines(text, attachments)
    attachments = _truncate(attachments, MAX_ATTACHMENTS, "attachments", defects)
    return _build_comment(mime.headers, lines, attachments, defects, comment_id, user_properties)


def comment_from_raw_email(
    raw_email: Mapping[str, Any], *, comment_id: str | None = None, user_properties: Mapping[str, Any] | None = None
) -> Comment:
    """Read the ``raw_email`` object of a Re:infer request into a comment.

    Parameters
    ----------
    raw_email : mapping
        ``body`` holds exactly one of ``plain`` (at most 65,536 characters) and ``html`` (33,554,432); ``headers``
        exactly one of ``raw`` (65,536 characters, a field a line) and ``parsed`` (a mapping of a name to a string or a
        list of strings); ``attachments``, if given, at most 128 objects of ``name``, ``size`` and ``content_type``.
    comment_id, user_properties
        See `comment_from_email`.

    Returns
    -------
    Comment
        As `comment_from_email` reads a whole mail.

    Raises
    ------
    InputError
        If the object is not of this shape or exceeds these limits.

    Examples
    --------
    >>> raw = {"body": {"html": "<b>Hello</b> world"}, "headers": {"parsed": {"Subject": "Hi"}}}
    >>> comment_from_raw_email(raw).messages[0].body
    'Hello world'
    """
    _check.mapping("raw_email", raw_email)
    body_form, body = _exactly_one("raw_email.body", raw_email.get("body"), {"plain": MAX_PLAIN, "html": MAX_HTML})
    header_form, header = _exactly_one(
        "raw_email.headers", raw_email.get("headers"), {"raw": MAX_HEADERS, "parsed": None}
    )
    attachments = _read_attachments(raw_email.get("attachments") or ())
    defects: list[str] = []
    headers = (Headers.from_text if header_form == "raw" else Headers.from_mapping)(header, defects)
    text = clean(body).removeprefix("\ufeff")
    lines = _body_lines(BodyText(text, is_html=body_form == "html"), attachments)
    return _build_comment(headers, lines, attachments, defects, comment_id, user_properties)


def _read_attachments(objects: Any) -> list[Attachment]:
    if isinstance(objects, str) or not isinstance(objects, Sequence):
        raise _check.wrong("raw_email.attachments", "a list of objects", objects)
    if len(objects) > MAX_ATTACHMENTS:
        raise InputError(f"raw_email.attachments must be at most {MAX_ATTACHMENTS}, got {len(objects)}")
    attachments = []
    for i, item in enumerate(objects):
        values = _check.mapping(f"raw_email.attachments[{i}]", item)
        attachments.append(Attachment(values.get("name", ""), values.get("size", 0), values.get("content_type", "")))
    return attachments


def _exactly_one(name: str, value: Any, limits: Mapping[str, int | None]) -> tuple[str, Any]:
    """Return the only key of an object that is not null, and its value: a string within the limit, if it has one."""
    keys = [key for key in limits if _check.mapping(name, value).get(key) is not None]
    if len(keys) != 1:
        raise InputError(f"{name} must hold exactly one of {' and '.join(limits)}, got {' and '.join(keys) or 'none'}")
    (key,) = keys
    limit = limits[key]
    if limit is not None and len(_check.string(f"{name}.{key}", value[key])) > limit:
        raise InputError(f"{name}.{key} must be at most {limit} characters, got {len(value[key])}")
    return key, value[key]


def _body_lines(body: BodyText, attachments: list[Attachment]) -> list[Line]:
    """Return the lines of a text; files that are uuencoded in it go to the attachments."""
    if body.is_html:
        return html_lines(body.text, introduces)
    text, files = take_uuencoded(without_armour(body.text))
    attachments += files
    return flowed_lines(text, body.joins_words) if body.is_flowed else plain_lines(text)


def _build_comment(
    headers: Headers,
    lines: Sequence[Line],
    attachments: Sequence[Attachment],
    defects: list[str],
    comment_id: str | None,
    user_properties: Mapping[str, Any] | None,
) -> Comment:
    sent_at = headers.time()
    messages: list[Message] = []
    for recovered in _truncate(split_thread(lines), MAX_MESSAGES, "messages", defects):
        if recovered.introduction is None and not messages:
            values = _newest_fields(headers, sent_at)
        else:
            values = _quoted_fields(recovered.introduction or Introduction(), defects)
        texts = {"subject": values.pop("subject"), "body": recovered.text, "signature": recovered.signature}
        for name in TEXT_FIELDS:
            what = f"characters of messages[{len(messages)}].{name}"
            values[name] = _truncate(texts[name], MAX_TEXT, what, defects)
        messages.append(Message(**values))
    message_id = headers.identifiers("message-id")[:1]
    thread = [*headers.identifiers("references"), *headers.identifiers("in-reply-to"), *message_id]
    return Comment(
        tuple(messages),
        id=comment_id if comment_id is not None else next(iter(message_id), None),
        thread_id=next(iter(thread), None),
        timestamp=sent_at,
        user_properties=dict(user_properties or {}),
        attachments=tuple(attachments),
        defects=tuple(dict.fromkeys(defects)),
    )


def _newest_fields(headers: Headers, sent_at: str | None) -> dict[str, Any]:
    """Fields of the newest message, from the header of the mail."""
    language = headers.get("content-language").partition(",")[0].strip()
    return {
        "subject": headers.get("subject"),
        "from_": next(iter(headers.addresses("from")), None),
        **{name: headers.addresses(name) for name in ("to", "cc", "bcc")},
        "sent_at": sent_at,
        "language": language if _LANGUAGE.fullmatch(language) else None,
    }


def _quoted_fields(introduction: Introduction, defects: list[str]) -> dict[str, Any]:
    """Fields of an earlier message, from what introduces it in the body."""
    addresses = {
        name: limit_addresses(split_addresses(getattr(introduction, name)), f"a quoted {name}", defects)
        for name in ("to", "cc", "bcc")
    }
    author = author_address(introduction.from_)
    authors = limit_addresses([author] if author else [], "a quoted from", defects)
    return {
        **addresses,
        "from_": next(iter(authors), None),
        "subject": introduction.subject,
        "sent_at": introduction.sent_at,
    }


def _truncate(values: Any, limit: int, what: str, defects: list[str]) -> Any:
    """Return the first values, at most ``limit``, with a note in ``defects`` if some are left out."""
    if len(values) > limit:
        defects.append(f"{len(values) - limit} {what} are left out: at most {limit} are kept")
    return values[:limit]
