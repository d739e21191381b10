"""How mail clients mark up quotes, signatures and the headers of earlier messages in HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# Outlook and Yahoo put something of their own before the names that they find in a mail that they quote.
_PREFIX = re.compile(r"(?:x_)+|ydp[0-9a-f]{6,12}")
# A blockquote with one of these quotes; any other element holds the line that introduces a quote besides the quote.
_QUOTES = {
    "gmail_quote", "gmail_quote_container", "moz-cite", "protonmail_quote", "zmail_extra", "front-blockquote",
    "tutanota_quote", "blockquote_zmail", "isreplycontent", "replyblock", "mailspring-quote", "quoted", "qt",
    "quotedtext", "mail-quote", "cite", "wrapped-quote",
}  # fmt: skip
# All in one of these elements is quoted.
_QUOTED_WHOLE = {
    "yahoo_quoted", "olk_src_body_section", "mail-editor-reference-message-container", "moz-forward-container",
    "history-quote-wrapper", "isreplycontent", "tutanota_quote", "aolmail_quote", "__quoted_text__", "replycontent",
}  # fmt: skip
_ATTRIBUTIONS = {
    "gmail_attr", "moz-cite-prefix", "gmail_quote_attribution", "reply-intro", "quote-header", "cite-prefix",
    "yahoo_quoted_begin", "mailspring-quote-attribution", "front-attribution",
}  # fmt: skip
_HEADERS = {
    "divrplyfwdmsg", "appendonsend", "outlookmessageheader", "moz-email-headers-table", "__headers__",
    "ms-outlook-mobile-reference-message", "lark-mail-meta",
}  # fmt: skip
_SIGNATURES = {
    "gmail_signature", "gmail_signature_prefix", "moz-signature", "applemailsignature", "protonmail_signature_block",
    "ms-outlook-mobile-signature", "protonmail_signature_block-user", "ymail_android_signature", "ymail_ios_signature",
    "tutanota_signature", "sh-signature", "signature", "mail-signature", "composer_signature", "bloop_sign",
    "edo-signature", "aolmail_signature", "mobile-signature",
}  # fmt: skip
_HEADER_STYLE = re.compile(r"border:none;border-top:solid")
_HIDDEN_STYLE = re.compile(
    r"(?:^|;)(?:display:none|visibility:hidden|opacity:0|max-height:0(?:px|pt|em)?)(?:!important)?(?:;|$)"
)


class Mark(NamedTuple):
    """What markup says of an element."""

    quote: bool = False
    attribution: bool = False
    header: bool = False
    signature: bool = False
    hidden: bool = False


def mark_of(tag: str, attributes: Mapping[str, str]) -> Mark:
    """Return what the attributes of an element say of it."""
    names = _names(attributes)
    style = re.sub(r"\s+", "", attributes.get("style", "")).lower()
    is_cited = tag == "blockquote" and (
        attributes.get("type", "").lower() == "cite"
        or attributes.get("cite", "").lower().startswith("mid:")
        or not names.isdisjoint(_QUOTES)
    )
    return Mark(
        quote=is_cited or not names.isdisjoint(_QUOTED_WHOLE),
        attribution=not names.isdisjoint(_ATTRIBUTIONS),
        header=not names.isdisjoint(_HEADERS) or _HEADER_STYLE.search(style) is not None,
        signature=not names.isdisjoint(_SIGNATURES),
        hidden="hidden" in attributes or _HIDDEN_STYLE.search(style) is not None,
    )


def _names(attributes: Mapping[str, str]) -> set[str]:
    """Return the classes and identifiers of an element in lower case, without what clients put before or after them."""
    names = set()
    for key in ("class", "id", "data-smartmail", "data-marker", "name"):
        for name in attributes.get(key, "").lower().split():
            name = _PREFIX.sub("", name, count=1)
            names |= {name, re.sub(r"[_-]?\d+$", "", name)}  # "yahoo_quoted_0123456789"
    return names
