"""Split a body into the messages that it quotes, and each of them into text and signature.

What is not surely a quote or a signature stays in the text: a classifier loses less by a signature too much than by a
sentence too few.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from xplain.emails.lines import Line
from xplain.emails.quotes import Introduction, read_attribution, read_copied_header

# Formulas before a name at the end of a letter, in the languages of `xplain.emails.quotes`.
_CLOSINGS = (
    "best|best regards|best wishes|all the best|regards|kind regards|kindest regards|warm regards|warmest regards|"
    "many thanks|thanks|thanks again|thanks in advance|thank you|thx|cheers|sincerely|yours sincerely|sincerely yours|"
    "yours|yours truly|yours faithfully|respectfully|cordially|with kind regards|with best regards|br|rgds|love|"
    "mit freundlichen grüßen|mit freundlichem gruß|mit freundlichen gruessen|freundliche grüße|viele grüße|"
    "beste grüße|liebe grüße|schöne grüße|herzliche grüße|mfg|lg|danke|gruß|grüße|"
    "cordialement|bien cordialement|bien à vous|sincères salutations|salutations|merci|"
    "saludos|un saludo|saludos cordiales|atentamente|gracias|atenciosamente|abraços|obrigado|obrigada|"
    "cordiali saluti|distinti saluti|saluti|grazie|met vriendelijke groet|met vriendelijke groeten|groeten|groet|mvg|"
    "med vänliga hälsningar|vänliga hälsningar|mvh|hälsningar|"
    "med venlig hilsen|venlig hilsen|med vennlig hilsen|hilsen|"
    "pozdrawiam|z poważaniem|с уважением|此致|よろしくお願いします|よろしくお願いいたします"
)
_CLOSING = re.compile(rf"(?:{_CLOSINGS})\s?[,.!;。、-]{{0,3}}", re.IGNORECASE)
# "Sent from my phone"
_MOBILE_CLIENT = re.compile(
    r"(?:sent (?:from|via|by|with|using) (?:my |the |a )?\w.{0,60}|get outlook for \w{2,10}.{0,60}|"
    r"(?:von meinem|vom) .{2,40} gesendet.{0,10}|gesendet (?:von|mit) .{2,50}|envoyé (?:de|depuis) mon .{2,50}|"
    r"enviado (?:desde|do|de) (?:mi|meu) .{2,50}|inviato d(?:a|al mio) .{2,50}|verstuurd vanaf .{2,50}|"
    r"verzonden (?:vanaf|met) .{2,50}|skickat från min .{2,50}|sendt fra min .{2,50}|wysłane z .{2,50}|"
    r"отправлено с .{2,50}|发自我的.{2,30}|.{2,20}から送信)",
    re.IGNORECASE,
)
_MAX_AFTER_DASHES = 24  # lines of a signature below "-- "; more is hardly a signature
_MAX_AFTER_CLOSING = 8  # filled lines of a signature below a closing formula
_MAX_CLOSING = 60  # code points of a closing formula
_MAX_CONTACT = 72  # code points of a line with a name or contact details
_SENTENCE = re.compile(r"[.!?]\s+\w.{15,}[.!?]$")


@dataclass(slots=True)
class RecoveredMessage:
    """A message as far as it can be recovered from the body of a mail that quotes it.

    Parameters
    ----------
    introduction : Introduction or None
        What introduced it; None for the mail's own message.
    text, signature : str
        Its text without the signature, and the signature.
    lines : list of Line
        The lines that text and signature are made of.
    """

    introduction: Introduction | None = None
    text: str = ""
    signature: str = ""
    lines: list[Line] = field(default_factory=list)


def introduces(text: str) -> bool:
    """Whether a line introduces a quote that follows it."""
    return read_attribution(text, quoted=True) is not None


def split_thread(lines: Sequence[Line]) -> list[RecoveredMessage]:
    r"""Split the lines of a body into its messages, the newest first.

    Messages are numbered by their level, 0 for the newest. The level of a line is its depth of quoting, plus one for
    each copied header or unmarked attribution line above it; so answers between quoted lines come together in the
    message that gives them. The introduction of a message becomes what is known about it; a second one for the same
    message stays in the text. A signature is split off only where markup, a ``-- `` line, the line of a mobile client
    or a closing formula with short lines after it ends the message; it stays in the text where no text would be left.

    Examples
    --------
    >>> from xplain.emails.lines import plain_lines
    >>> messages = split_thread(plain_lines("Yes.\n\nAnn wrote:\n> Really?\n> -- \n> Ann"))
    >>> [(message.text, message.signature) for message in messages]
    [('Yes.', ''), ('Really?', 'Ann')]
    """
    messages: dict[int, RecoveredMessage] = {0: RecoveredMessage()}  # by level
    shifts: list[tuple[int, int]] = []  # (depth, levels that an unmarked introduction at that depth added)
    shift = 0  # the sum of the levels added
    oldest = 0  # the highest level so far
    candidates = _possible_introductions(lines)
    with_text: set[int] = set()  # levels that have a line of text so far
    at = 0
    while at < len(lines):
        line = lines[at]
        while shifts and shifts[-1][0] > line.depth:  # the quote in which those introductions stood has ended
            shift -= shifts.pop()[1]
        level = line.depth + shift
        introduction, unmarked = _read_introduction(lines, at, level in with_text) if candidates[at] else (None, False)
        if introduction is not None and (level + 1 not in messages or unmarked):
            # If there is a message at the next level already, the introduced one is older than all so far.
            introduced = level + 1 if level + 1 not in messages else oldest + 1
            if unmarked:
                shifts.append((line.depth, introduced - level))
                shift += introduced - level
            messages[introduced] = RecoveredMessage(introduction)
            oldest = max(oldest, introduced)
            at += introduction.length
            continue
        oldest = max(oldest, level)
        messages.setdefault(level, RecoveredMessage()).lines.append(line)
        if line.text:
            with_text.add(level)
        at += 1
    for message in messages.values():
        message.text, message.signature = _split_signature(message.lines)
    ordered = [messages[level] for level in sorted(messages)]
    return ordered[:1] + [message for message in ordered[1:] if message.introduction or message.text]


def _possible_introductions(lines: Sequence[Line]) -> bytearray:
    """Mark by 1 the lines at which an introduction may begin, so that few lines go through the slow patterns.

    It begins with a rule or a mark of markup, holds a colon, or is wrapped and has a colon at the end of one of the
    next two lines.
    """
    possible = bytearray(len(lines) + 2)
    for at, line in enumerate(lines):
        text = line.text
        if text and (line.header or text.lstrip()[0] in "-_=*"):
            possible[at] = 1
        if ":" in text or "：" in text:
            possible[at] = 1
            if text[-1] in ":：":
                possible[max(at - 2, 0) : at] = b"\1" * min(at, 2)
    return possible


def _read_introduction(lines: Sequence[Line], at: int, after_text: bool) -> tuple[Introduction | None, bool]:
    """Read an introduction that begins at a line, and whether the message that it introduces is not marked as quoted.

    ``after_text`` says whether its own message has text before it. Without that, an attribution line before unmarked
    lines is taken for text: it begins an answer below a quote whose marks are not known here.
    """
    line = lines[at]
    header = read_copied_header(lines, at, line.header)
    if header is not None:
        return header, _next_depth(lines, at + header.length) <= line.depth
    for count, last in enumerate(lines[at : at + 3], 1):
        if last.depth != line.depth or not last.text:
            break
        if not last.text.endswith((":", "：")):
            continue
        # A wrapped attribution line must begin a paragraph, or the end of the sentence above would be taken with it.
        if count == 1 or _begins_paragraph(lines, at):
            marked = _next_depth(lines, at + count) > line.depth
            text = " ".join(part.text.strip() for part in lines[at : at + count])
            attribution = read_attribution(text, quoted=marked and count == 1)
            if attribution is not None and (marked or after_text):
                return Introduction(attribution.from_, attribution.sent, length=count), not marked
        break
    return None, False


def _begins_paragraph(lines: Sequence[Line], at: int) -> bool:
    return at == 0 or not lines[at - 1].text or lines[at - 1].depth != lines[at].depth


def _next_depth(lines: Sequence[Line], at: int) -> int:
    """The depth of the next line that is not blank, at most two lines on; -1 if there is none."""
    return next((line.depth for line in lines[at : at + 3] if line.text), -1)


def _split_signature(lines: Sequence[Line]) -> tuple[str, str]:
    """Text and signature of one message; all of it is text where nothing but a signature would be left."""
    unmarked = [line.text for line in lines if not line.signature]
    marked = [line.text for line in lines if line.signature]
    start = _signature_start(unmarked)
    text = _join_lines(unmarked[:start])
    signature = _join_lines([line for line in unmarked[start:] if line not in ("--", "-- ")])
    if not text and (signature or marked):
        return _join_lines([line.text for line in lines]), ""
    return text, _join_lines([signature, *marked] if signature else marked)


def _signature_start(lines: Sequence[str]) -> int:
    """The number of the line that begins the signature; the number of lines if there is none."""
    end = len(lines)
    first = max(0, end - _MAX_AFTER_DASHES - 1)
    dashes = next((i for i in range(first, end) if lines[i].strip() == "--"), end)
    end = dashes
    filled = [i for i in range(max(0, end - 3 * _MAX_AFTER_CLOSING), end) if lines[i].strip()]
    # The line of a mobile client ends the message; a closing formula may be above it.
    if filled and _MOBILE_CLIENT.fullmatch(lines[filled[-1]].strip()):
        end = filled.pop()
    for count, i in enumerate(reversed(filled)):
        text = lines[i].strip()
        if count <= _MAX_AFTER_CLOSING and len(text) <= _MAX_CLOSING and _CLOSING.fullmatch(text):
            # "Thanks." as the last line, with no name below it, is part of the text.
            return i if count or end < dashes or not text.lower().startswith(("thank", "thx")) else end
        if count >= _MAX_AFTER_CLOSING or len(text) > _MAX_CONTACT or _SENTENCE.search(text) or text.endswith("?"):
            break
    return end


def _join_lines(lines: Sequence[str]) -> str:
    """Join lines, with at most one blank line in a row and none at either end."""
    return re.sub(r"\n(?:[ \t]*+\n){2,}+", "\n\n", "\n".join(lines)).strip()
