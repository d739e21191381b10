"""Raw e-mails as comments: conversations of messages that a text classifier takes."""

from xplain.emails.comment import Attachment, Comment, Message
from xplain.emails.parse import comment_from_email, comment_from_raw_email

__all__ = ["Attachment", "Comment", "Message", "comment_from_email", "comment_from_raw_email"]
