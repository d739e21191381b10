"""One body into the messages that it quotes, and each into text and signature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from xplain.emails.lines import Line
from xplain.emails.quotes import Quoted, attribution, copied_header

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
_DEVICE = re.compile(
    r"(?:sent (?:from|via|by|with|using) (?:my |the |a )?\w.{0,60}|get outlook for \w{2,10}.{0,60}|"
    r"(?:von meinem|vom) .{2,40} gesendet.{0,10}|gesendet (?:von|mit) .{2,50}|envoyé (?:de|depuis) mon .{2,50}|"
    r"enviado (?:desde|do|de) (?:mi|meu) .{2,50}|inviato d(?:a|al mio) .{2,50}|verstuurd vanaf .{2,50}|"
    r"verzonden (?:vanaf|met) .{2,50}|skickat från min .{2,50}|sendt fra min .{2,50}|wysłane z .{2,50}|"
    r"отправлено с .{2,50}|发自我的.{2,30}|.{2,20}から送信)",
    re.IGNORECASE,
)
_MAX_AFTER_DASHES = 24  # lines; more is hardly a signature
_MAX_AFTER_CLOSING = 8
_MAX_SHORT = 72  # code points: a line of contact details
_SENTENCE = re.compile(r"[.!?]\s+\w.{15,}[.!?]$")


@dataclass(slots=True)
class RecoveredMessage:
    """A message as far as a body tells of it.

    Parameters
    ----------
    text, signature : str
        What it says.
    quoted : Quoted or None
        What introduced it; None for the mail's own message.
    """

    quoted: Quoted | None = None
    text: str = ""
    signature: str = ""
    lines: list[Line] = field(default_factory=list)


def introduces(text: str) -> bool:
    """Whether a line introduces a quote that follows it."""
    return attribution(text, quoted=True) is not None


def split_thread(lines: Sequence[Line]) -> list[RecoveredMessage]:
    r"""Split the lines of a body into its messages, the newest first.

    A line belongs to the message that its depth of quoting gives, plus one for each copied header or unmarked
    attribution above it; so answers between quoted lines come together in the message that gives them. An attribution
    or a copied header that introduces a message becomes what is known about it; a second one for the same message stays
    in the text. A signature is told apart only where markup, a ``-- `` line, the line of a mobile client or a closing
    formula with short lines after it ends the message; it stays in the text where that would leave none.

    Examples
    --------
    >>> from xplain.emails.lines import plain_lines
    >>> told = split_thread(plain_lines("Yes.\n\nAnn wrote:\n> Really?\n> -- \n> Ann"))
    >>> [(message.text, message.signature) for message in told]
    [('Yes.', ''), ('Really?', 'Ann')]
    """
    levels: dict[int, RecoveredMessage] = {0: RecoveredMessage()}
    added: list[tuple[int, int]] = []  # (depth, messages that unmarked introductions at that depth added)
    possible = _possible_introductions(lines)
    said: set[int] = set()  # messages with a line of text so far
    at, total, oldest = 0, 0, 0
    while at < len(lines):
        line = lines[at]
        while added and added[-1][0] > line.depth:
            total -= added.pop()[1]
        level = line.depth + total
        found, unmarked = _introduction(lines, at, level in said) if possible[at] else (None, False)
        if found is not None and (level + 1 not in levels or unmarked):
            # A message that is there already is not the one that is introduced, which is older than all of them.
            introduced = level + 1 if level + 1 not in levels else oldest + 1
            if unmarked:
                added.append((line.depth, introduced - level))
                total += introduced - level
            levels[introduced] = RecoveredMessage(found)
            oldest = max(oldest, introduced)
            at += found.length
            continue
        oldest = max(oldest, level)
        if level not in levels:
            levels[level] = RecoveredMessage()
        levels[level].lines.append(line)
        if line.text:
            said.add(level)
        at += 1
    for told in levels.values():
        told.text, told.signature = _parted(told.lines)
    return [levels[i] for i in sorted(levels) if i == 0 or levels[i].quoted or levels[i].text or levels[i].signature]


def _possible_introductions(lines: Sequence[Line]) -> bytearray:
    """1 where an introduction may begin: a rule, a colon, or an end with one in the next two lines. It is quick."""
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


def _introduction(lines: Sequence[Line], at: int, after_text: bool) -> tuple[Quoted | None, bool]:
    """What introduces an earlier message here, and whether that message's lines are not marked as quoted.

    Without text before it, an attribution of unmarked lines begins an answer between quotes of a kind not known here.
    """
    line = lines[at]
    header = copied_header(lines, at, line.header)
    if header is not None:
        return header, _next_depth(lines, at + header.length) <= line.depth
    for count, last in enumerate(lines[at : at + 3], 1):
        if last.depth != line.depth or not last.text:
            break
        if not last.text.endswith((":", "：")):
            continue
        # Of wrapped lines only those of a client's own form: else the line before would be taken as well.
        if count == 1 or _begins(lines, at):
            marked = _next_depth(lines, at + count) > line.depth
            text = " ".join(part.text.strip() for part in lines[at : at + count])
            found = attribution(text, quoted=marked and count == 1)
            if found is not None and (marked or after_text):
                return Quoted(found.from_, found.sent, length=count), not marked
        break
    return None, False


def _begins(lines: Sequence[Line], at: int) -> bool:
    """Whether a paragraph begins here."""
    return at == 0 or not lines[at - 1].text or lines[at - 1].depth != lines[at].depth


def _next_depth(lines: Sequence[Line], at: int) -> int:
    """The depth of the next line that is not blank, at most two lines on; -1 if there is none."""
    return next((line.depth for line in lines[at : at + 3] if line.text), -1)


def _parted(lines: Sequence[Line]) -> tuple[str, str]:
    """Text and signature of one message."""
    texts = [line.text for line in lines if not line.signature]
    marked = [line.text for line in lines if line.signature]
    at = _signature_start(texts)
    body, rest = _joined(texts[:at]), _joined([text for text in texts[at:] if text not in ("--", "-- ")])
    if not body and (rest or marked):
        return _joined([line.text for line in lines]), ""
    return body, _joined([rest, *marked] if rest else marked)


def _signature_start(lines: Sequence[str]) -> int:
    """Where the signature begins; the number of lines if there is none."""
    end = len(lines)
    first = max(0, end - _MAX_AFTER_DASHES - 1)
    dashes = next((i for i in range(first, end) if lines[i].strip() == "--"), end)
    end = dashes
    filled = [i for i in range(max(0, end - 3 * _MAX_AFTER_CLOSING), end) if lines[i].strip()]
    # The line of a mobile client, alone at the end; a closing may be above it.
    if filled and _DEVICE.fullmatch(lines[filled[-1]].strip()):
        end = filled.pop()
    for count, i in enumerate(reversed(filled)):
        text = lines[i].strip()
        if count <= _MAX_AFTER_CLOSING and len(text) <= 60 and _CLOSING.fullmatch(text):
            return i if count or end < dashes or not text.lower().startswith(("thank", "thx")) else end
        if count >= _MAX_AFTER_CLOSING or len(text) > _MAX_SHORT or _SENTENCE.search(text) or text.endswith("?"):
            break
    return end


def _joined(lines: Sequence[str]) -> str:
    """Lines as a text, without more than one blank line in a row and none around it."""
    return re.sub(r"\n(?:[ \t]*+\n){2,}+", "\n\n", "\n".join(lines)).strip()
