"""Raw e-mails as comments: conversations of messages that a text classifier takes.

A mail goes through these modules: `parse` (the entry), `mime` and `headers` (what was sent), `lines` and `html` (its
body as lines), `thread` and `quotes` (the lines as the messages that they quote), `comment` (the values that result).
"""

from xplain.emails.comment import Attachment, Comment, Message
from xplain.emails.parse import comment_from_email, comment_from_raw_email

__all__ = ["Attachment", "Comment", "Message", "comment_from_email", "comment_from_raw_email"]
