"""What introduces an earlier message in a mail: an attribution ("On Monday, Ann wrote:") or a copied header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from xplain.emails.lines import Line

_MAX_ATTRIBUTION = 300

# How a client begins the line, and the verb before its colon: English, German, French, Spanish, Portuguese, Italian,
# Dutch, Swedish, Danish and Norwegian, Polish, Czech, Russian, Chinese, Japanese.
_ATTRIBUTIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:on|at|in a message dated)\b(?P<rest>.{4,}?),?\s(?:wrote|writes|said|scribbled):",
        r"am\b(?P<rest>.{4,})\bschrieb(?P<after>.*):",
        r"le\b(?P<rest>.{4,}?),?\sa\s[ée]crit\s?:",
        r"el\b(?P<rest>.{4,}?),?\s(?:escribió|escribio):",
        r"(?:em|a)\b(?P<rest>.{4,}?),?\sescreveu:",
        r"il\b(?P<rest>.{4,}?),?\sha\sscritto:",
        r"op\b(?P<rest>.{4,})\b(?:schreef|heeft)(?P<after>.*):",
        r"(?:den|på)\b(?P<rest>.{4,})\bskrev(?P<after>.*):",
        r"w dniu\b(?P<rest>.{4,}?)(?:napisał|napisała|pisze)(?:\(a\))?:",
        r"dne\b(?P<rest>.{4,}?)(?:napsal|napsala)(?:\(a\))?:",
        r"(?P<rest>.{4,}?)(?:пишет|написал|написала|писал)(?:\(а\))?:",
        r"(?:在|于)(?P<rest>.{4,}?)\s?写道[:：]",
        r"(?P<rest>.{4,}?)のメール[:：]",
    )
)
# Without a date; only before a line that is marked as quoted.
_NAMED = re.compile(
    r"(?:(?:quoting|citing|citando)\s(?P<of>[^:]{2,100}):|"
    r"(?P<by>[^:]{2,160}?),?\s(?:wrote|writes|said|schrieb|schreef|a\sécrit|escribió|escreveu|ha\sscritto|skrev)\s?:|"
    r"(?P<mentioned>.{2,200}?)\b(?:wrote|writes|said|schrieb)(?:\s.{0,60})?:)",
    re.IGNORECASE,
)
_RULE = re.compile(
    r"[-_=*]{2,}\s?(?:begin )?(?:original message|original appointment|forwarded message|forwarded by .{1,100}|"
    r"urspr[üu]ngliche nachricht|weitergeleitete nachricht|message d'origine|message original|message transf[ée]r[ée]|"
    r"mensaje original|mensaje reenviado|mensagem original|mensagem encaminhada|messaggio originale|"
    r"messaggio inoltrato|oorspronkelijk bericht|doorgestuurd bericht|ursprungligt meddelande|"
    r"opprinnelig melding|oprindelig meddelelse|wiadomość oryginalna|исходное сообщение|"
    r"пересылаемое сообщение|原始邮件|转发邮件|元のメッセージ)\s?[-_=*]{0,}|begin forwarded message:",
    re.IGNORECASE,
)
# fmt: off
_FIELDS = {
    "from": ["from", "von", "de", "da", "van", "från", "fra", "od", "от", "发件人", "差出人", "寄件者"],
    "sent": [
        "sent", "date", "date/time", "gesendet", "datum", "envoyé", "enviado", "enviada em", "inviato", "verzonden",
        "skickat", "sendt", "wysłano", "data", "fecha", "отправлено", "дата", "发送时间", "日期", "送信日時", "日時",
    ],
    "to": ["to", "an", "à", "a", "para", "aan", "till", "til", "do", "кому", "收件人", "宛先"],
    "cc": ["cc", "kopie", "kopia", "copie", "копия", "抄送"],
    "bcc": ["bcc"],
    "subject": [
        "subject", "betreff", "objet", "asunto", "assunto", "oggetto", "onderwerp", "ämne", "emne", "temat", "тема",
        "主题", "件名",
    ],
    "other": ["reply-to", "importance", "priority", "attachments", "organization", "newsgroups", "message-id"],
}
# fmt: on
_FIELD_OF = {word: field for field, words in _FIELDS.items() for word in words}
_FIELD = re.compile(r"\W{0,3}(?P<label>[^\W\d_][\w/ -]{0,20}?)\s?\*{0,2}[:：]\*{0,2}(?P<value>.*)")
_DIGIT = re.compile(r"\d")
_EMAIL = re.compile(r"[^\s<>\"'(),;:\[\]]+@[^\s<>\"'(),;:\[\]]+")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\b", re.IGNORECASE)
_ISO_DAY = re.compile(r"\b((?:19|20)\d\d)-(\d\d)-(\d\d)\b")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_DAY = re.compile(r"(?<![\d:])([0-3]?\d)(?:st|nd|rd|th)?(?![\d:])")
_TIME = re.compile(r"\b([0-2]?\d):(\d\d)(?::(\d\d))?(?:\s?([ap])\.?m\b)?", re.IGNORECASE)
_ZONE = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)\b|\b(?:GMT|UTC)\b|(?<=\d)Z\b")


@dataclass(frozen=True, slots=True)
class Quoted:
    """What is said of an earlier message.

    Parameters
    ----------
    from_, subject : str
        Empty if not said.
    to, cc, bcc : str
        Lists of addresses as they stand.
    sent : str
        A time as it stands.
    length : int
        How many lines say it.
    """

    from_: str = ""
    sent: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    length: int = 1


def attribution(text: str, quoted: bool) -> Quoted | None:
    """Read a line that introduces an earlier message; None if it does not.

    Parameters
    ----------
    text : str
        The line; several joined, if the client has wrapped it.
    quoted : bool
        Whether what follows is marked as quoted. Else the line must name a time as well.

    Examples
    --------
    >>> attribution("On Tue, Sep 3, 2002 at 10:22 AM Ann Lee <ann@a.org> wrote:", quoted=False).from_
    'Ann Lee <ann@a.org>'
    >>> attribution("On the other hand, she wrote:", quoted=False)
    """
    text = text.strip()
    if len(text) > _MAX_ATTRIBUTION or not text.endswith((":", "：")) or not (quoted or _DIGIT.search(text)):
        return None
    for pattern in _ATTRIBUTIONS:
        found = pattern.fullmatch(text)
        if found and (quoted or _DIGIT.search(found["rest"])):
            rest = found["rest"].strip(" ,")
            after = (found.groupdict().get("after") or "").strip(" ,")
            sent, author = (rest, after) if after and not _EMAIL.search(rest) else _parted(rest)
            return Quoted(author, sent)
    found = _NAMED.fullmatch(text) if quoted else None
    if found:
        return Quoted((found["of"] or found["by"] or found["mentioned"]).strip(" ,*-"))
    return None


def _parted(rest: str) -> tuple[str, str]:
    """Part "<time>, <author>"."""
    ends = [m.end() for pattern in (_TIME, _ISO_DAY, _YEAR, _ZONE) for m in pattern.finditer(rest)]
    email = _EMAIL.search(rest)
    limit = email.start() if email else len(rest)
    at = max((end for end in ends if end <= limit), default=0)
    tail = re.sub(r"^(?:\s*\([A-Z]{2,5}\)|\s*[A-Z]{3,4}\b(?=,))", "", rest[at:])
    return rest[:at].strip(" ,"), tail.strip(" ,-")


def copied_header(lines: Sequence[Line], start: int, marked: bool) -> Quoted | None:
    """Read a header that a client copied into the body, from the line that begins it; None if there is none.

    It is a rule with words such as ``-----Original Message-----``, fields such as ``From:``, ``Sent:``, ``To:`` in any
    of a dozen languages, or both. Fields alone need an author, a time, and a recipient or subject.

    Parameters
    ----------
    lines : sequence of Line
        The mail's lines.
    start : int
        Where to look.
    marked : bool
        Whether markup says that a header begins here; two fields are enough then.
    """
    depth = lines[start].depth
    text = lines[start].text.strip()[:200]
    rule = text[:1] in tuple("-_=*bB") and _RULE.fullmatch(text) is not None
    if not rule and _FIELD_OF.get(_label(lines[start])) not in ("from", "sent"):
        return None
    fields: dict[str, str] = {}
    at, last, blanks = start + rule, start + rule, 0
    while at < len(lines) and at < start + 30 and lines[at].depth == depth:
        text = lines[at].text.strip()
        found = _FIELD.fullmatch(text[:2_000])
        field = _FIELD_OF.get(found["label"].strip().lower()) if found else None
        if field == "to" and "sent" not in fields and "from" not in fields:
            field = None  # "A:", "Do:"
        if not text and blanks < (1 if fields else 2):
            blanks += 1
        elif field is not None and found is not None and (field == "other" or field not in fields):
            fields[field] = found["value"].strip()
            last, blanks = at + 1, 0
        elif text and fields and lines[at - 1].text and _continues(fields, lines[at + 1 : at + 2]):
            fields[next(reversed(fields))] += " " + text
            last = at + 1
        else:
            break
        at += 1
    enough = "from" in fields and "sent" in fields and ("to" in fields or "subject" in fields)
    if not (rule or enough or (marked and len(fields) >= 2)):
        return None
    said = {name: fields[name] for name in ("sent", "to", "cc", "bcc", "subject") if name in fields}
    return Quoted(fields.get("from", ""), **said, length=last - start)


def _label(line: Line) -> str:
    found = _FIELD.match(line.text)
    return found["label"].strip().lower() if found else ""


def _continues(fields: dict[str, str], following: Sequence[Line]) -> bool:
    """Whether the field read last goes on: it is a list that is not at its end, or another field follows the line."""
    return fields[next(reversed(fields))].endswith((",", ";")) or any(_label(line) in _FIELD_OF for line in following)


def loose_time(text: str) -> str | None:
    """Read a time as people's clients write it; ISO 8601, with an offset only if one is named; None if unsure.

    Examples
    --------
    >>> loose_time("Tuesday, September 03, 2002 10:22 PM")
    '2002-09-03T22:22:00'
    >>> loose_time("03/09/2002 10:22")
    """
    clock = _TIME.search(text)
    rest = text[: clock.start()] + " " + text[clock.end() :] if clock else text
    iso, month, year = _ISO_DAY.search(rest), _MONTH.search(rest), _YEAR.search(rest)
    if iso:
        numbers = (int(iso[1]), int(iso[2]), int(iso[3]))
    else:
        day = _DAY.search(_YEAR.sub(" ", rest))
        if not (month and year and day):
            return None
        numbers = (int(year[0]), _MONTHS.index(month[1].lower()) + 1, int(day[1]))
    hour, minute, second = (int(clock[i] or 0) for i in (1, 2, 3)) if clock else (0, 0, 0)
    if clock and clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "p" else 0)
    zone = _ZONE.search(text, clock.end() if clock else 0)
    try:
        return datetime(*numbers, hour, minute, second, tzinfo=_offset(zone) if zone else None).isoformat()
    except ValueError:
        return None


def _offset(zone: re.Match[str]) -> timezone:
    if not zone["sign"]:
        return UTC
    delta = timedelta(hours=int(zone["hours"]), minutes=int(zone["minutes"]))
    return timezone(-delta if zone["sign"] == "-" else delta)
