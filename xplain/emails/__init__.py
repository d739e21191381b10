"""Raw e-mails as comments: conversations of messages that a text classifier takes.

A mail goes through these modules: `parse` (the entry); `mime`, `transfer`, `charsets`, `headers` and `addresses` (what
was sent); `lines`, `html` and `clients` (its body as lines); `thread` with `copied` and `attributions` (the lines as
the messages that they quote), `signatures`; `comment` (the values that result). `times`, `calendars` and `languages`
know how clients write in the languages of their users.
"""

from xplain.emails.comment import Attachment, Comment, Message
from xplain.emails.parse import comment_from_email, comment_from_raw_email

__all__ = ["Attachment", "Comment", "Message", "comment_from_email", "comment_from_raw_email"]
