"""Signatures: the end of a message that its author does not write anew, nor the footer that a mailing list adds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xplain.emails.languages import closings, devices, list_words, thanks
from xplain.emails.lines import Line

_CLOSING_END = re.compile(r"\s?[,.!;。،、-]{0,3}$")
# "Get Outlook for iOS" in any language, with its link.
_OUTLOOK = re.compile(r"(?=.*\boutlook)(?=.*(?:\bios\b|\bandroid|\bmac\b|\bwindows\b|aka\.ms/))", re.IGNORECASE)
_LINK = re.compile(r"\s?[<(\[]?https?://\S+")
_EXCUSE = re.compile(r"excuse|forgive|pardon|typos|brevity|terse|tippfehler|kürze", re.IGNORECASE)
_PRODUCTS = re.compile(
    r"i-?(?:phone|pad|pod)|android|galaxy|samsung|blackberry|outlook|e-?mail|phone|mobil|handy|tablet|windows|app\b|"
    r"huawei|xiaomi|redmi|oneplus|pixel|nokia|yahoo|gmail|proton|thunderbird",
    re.IGNORECASE,
)
_MAX_DEVICE = 6  # words of the line of a device
_MAX_PRODUCT = 12  # and of one that names what is sold
_SENTENCE = re.compile(r"[.!?]\s+\w.{15,}[.!?]$")
_RULE = re.compile(r"\s*(?:[-_=*~]\s?){20,}\s*")
_MAX_FOOTER = 10  # filled lines of the footer of a mailing list
_MAX_SHORT = 3  # of a footer above another that does not say what it is
_MAX_AFTER_DASHES = 24  # lines of a signature below "-- "; more is hardly a signature
_MAX_AFTER_CLOSING = 8  # filled lines of a signature below a closing formula
_MAX_CLOSING = 60  # code points of a closing formula
_MAX_CONTACT = 72  # code points of a line with a name or contact details


def split_signature(lines: Sequence[Line]) -> tuple[str, str]:
    """Return text and signature of one message; all of it is text where nothing but a signature would be left.

    The signature is what markup shows as one, what follows a ``-- `` line, the line of a device, a closing formula with
    short lines after it, and the footer of a mailing list; whatever is not surely one of these stays in the text.
    """
    unmarked = [line.text for line in lines if not line.signature]
    marked = [line.text for line in lines if line.signature]
    footer = _footer_start(unmarked)
    start = _signature_start(unmarked[:footer])
    text = join_lines(unmarked[:start])
    signature = join_lines([line for line in unmarked[start:] if line not in ("--", "-- ")])
    if not text and (signature or marked):
        return join_lines([line.text for line in lines]), ""
    return text, join_lines([signature, *marked] if signature else marked)


def _footer_start(lines: Sequence[str]) -> int:
    """The number of the line that begins the footers of mailing lists; the number of lines if there is none.

    A footer is a rule with a few lines below it that hold a link or an address, and say what they are; above it may be
    another, as an advertisement.
    """
    start = len(lines)
    while True:
        filled, has_link, has_words, at = 0, False, False, start
        while at > 0 and filled <= _MAX_FOOTER:
            at -= 1
            text = lines[at]
            if _RULE.fullmatch(text[:200]):
                if filled and has_link and (has_words or (start < len(lines) and filled <= _MAX_SHORT)):
                    break
                if filled:
                    return start
            elif text.strip():
                filled += 1
                has_link |= "://" in text or "www." in text or "@" in text
                has_words |= list_words().search(text[:300]) is not None
        else:
            return start
        start = at


def _signature_start(lines: Sequence[str]) -> int:
    """The number of the line that begins the signature; the number of lines if there is none."""
    end = len(lines)
    first = max(0, end - _MAX_AFTER_DASHES - 1)
    dashes = next((i for i in range(first, end) if lines[i].strip() in ("--", "—")), end)
    if dashes < end and lines[dashes].strip() == "—" and dashes + 6 < end:
        dashes = end
    end = dashes
    filled = [i for i in range(max(0, end - 3 * _MAX_AFTER_CLOSING), end) if lines[i].strip()]
    # The line of a device ends the message; a closing formula may be above it.
    while filled and is_device_line(lines[filled[-1]].strip()):
        end = filled.pop()
    for count, i in enumerate(reversed(filled)):
        text = lines[i].strip()
        if count <= _MAX_AFTER_CLOSING and len(text) <= _MAX_CLOSING:
            formula = _CLOSING_END.sub("", text)
            if closings().pattern.fullmatch(formula):
                return i
            if thanks().pattern.fullmatch(formula):  # as the last line, with no name below it, part of the text
                return i if count or end < dashes else end
        if count >= _MAX_AFTER_CLOSING or len(text) > _MAX_CONTACT or _SENTENCE.search(text) or text.endswith("?"):
            break
    return end


def is_device_line(text: str) -> bool:
    """Whether a line is what a device puts below a message, and no sentence that begins like it.

    Examples
    --------
    >>> is_device_line("Sent from my iPhone"), is_device_line("Sent from my desk, which is easier than from my phone.")
    (True, False)
    """
    text = _LINK.sub("", text[:200]).strip()
    words = text.split()
    if not words or len(text) > 100:
        return False
    if len(words) <= 9 and _OUTLOOK.match(text) and text[-1] not in ".!?:":
        return True
    if devices().fullmatch(text) is None:
        return False
    if text[-1] not in ".!?" and _PRODUCTS.search(text):
        return len(words) <= _MAX_PRODUCT
    return len(words) <= _MAX_DEVICE or _EXCUSE.search(text) is not None


def join_lines(lines: Sequence[str]) -> str:
    """Join lines, with at most one blank line in a row and none at either end."""
    return re.sub(r"\n(?:[ \t]*+\n){2,}+", "\n\n", "\n".join(lines)).strip()
