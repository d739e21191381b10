"""Introductions of quoted messages: an attribution line ("On Monday, Ann wrote:"), or a header copied into the body.

Mail clients write them in the language of their user, and no standard says how. The tables below list the wordings of
common clients in a dozen languages. What does not fit them is no introduction: a quote that stays in the text does less
harm than a sentence that is taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from xplain.emails.lines import Line

_MAX_ATTRIBUTION = 300  # characters of an attribution line; a longer one is a sentence
_MAX_RULE = 200  # characters of a line that is looked at for a rule
_MAX_FIELD = 2_000  # characters of a line that are looked at for a field
_MAX_HEADER = 30  # lines of a copied header

# How a client begins the line, and the verb before its colon: English, German, French, Spanish, Portuguese, Italian,
# Dutch, Swedish, Danish and Norwegian, Polish, Czech, Russian, Chinese, Japanese. ``when`` holds the time, and the
# author after it; where the verb stands between the two, ``who`` holds the author.
_ATTRIBUTIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:on|at|in a message dated)\b(?P<when>.{4,}?),?\s(?:wrote|writes|said|scribbled):",
        r"am\b(?P<when>.{4,})\bschrieb(?P<who>.*):",
        r"le\b(?P<when>.{4,}?),?\sa\s[ée]crit\s?:",
        r"el\b(?P<when>.{4,}?),?\s(?:escribió|escribio):",
        r"(?:em|a)\b(?P<when>.{4,}?),?\sescreveu:",
        r"il\b(?P<when>.{4,}?),?\sha\sscritto:",
        r"op\b(?P<when>.{4,})\b(?:schreef|heeft)(?P<who>.*):",
        r"(?:den|på)\b(?P<when>.{4,})\bskrev(?P<who>.*):",
        r"w dniu\b(?P<when>.{4,}?)(?:napisał|napisała|pisze)(?:\(a\))?:",
        r"dne\b(?P<when>.{4,}?)(?:napsal|napsala)(?:\(a\))?:",
        r"(?P<when>.{4,}?)(?:пишет|написал|написала|писал)(?:\(а\))?:",
        r"(?:在|于)(?P<when>.{4,}?)\s?写道[:：]",
        r"(?P<when>.{4,}?)のメール[:：]",
    )
)
# An author without a time; only believed before a line that is marked as quoted.
_AUTHOR_ONLY = re.compile(
    r"(?:(?:quoting|citing|citando)\s(?P<of>[^:]{2,100}):|"
    r"(?P<by>[^:]{2,160}?),?\s(?:wrote|writes|said|schrieb|schreef|a\sécrit|escribió|escreveu|ha\sscritto|skrev)\s?:|"
    r"(?P<mentioned>.{2,200}?)\b(?:wrote|writes|said|schrieb)(?:\s.{0,60})?:)",
    re.IGNORECASE,
)
# "-----Original Message-----", "Begin forwarded message:"
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
_FIELD_LABELS = {
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
_FIELD_OF = {label: field for field, labels in _FIELD_LABELS.items() for label in labels}
# "From: Ann", "> *From:* Ann", "发件人：Ann"
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
class Introduction:
    """What an attribution line or a copied header tells about the message that it introduces.

    Parameters
    ----------
    from_, subject : str
        Empty if not told.
    to, cc, bcc : str
        Lists of addresses, as written.
    sent : str
        A time, as written.
    length : int
        How many lines the introduction takes.
    """

    from_: str = ""
    sent: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    length: int = 1


def read_attribution(text: str, quoted: bool) -> Introduction | None:
    """Read an attribution line; None if the line is none.

    Parameters
    ----------
    text : str
        The line; several joined, if the client has wrapped it.
    quoted : bool
        Whether the lines that follow are marked as quoted. If not, the line must name a time as well.

    Examples
    --------
    >>> read_attribution("On Tue, Sep 3, 2002 at 10:22 AM Ann Lee <ann@a.org> wrote:", quoted=False).from_
    'Ann Lee <ann@a.org>'
    >>> read_attribution("On the other hand, she wrote:", quoted=False)
    """
    text = text.strip()
    if len(text) > _MAX_ATTRIBUTION or not text.endswith((":", "：")) or not (quoted or _DIGIT.search(text)):
        return None
    for pattern in _ATTRIBUTIONS:
        match = pattern.fullmatch(text)
        if match and (quoted or _DIGIT.search(match["when"])):
            when = match["when"].strip(" ,")
            who = (match.groupdict().get("who") or "").strip(" ,")
            sent, author = (when, who) if who and not _EMAIL.search(when) else _split_time_and_author(when)
            return Introduction(author, sent)
    match = _AUTHOR_ONLY.fullmatch(text) if quoted else None
    if match:
        return Introduction((match["of"] or match["by"] or match["mentioned"]).strip(" ,*-"))
    return None


def _split_time_and_author(text: str) -> tuple[str, str]:
    """Split "<time>, <author>" after the last date, clock time or zone before the author's address."""
    ends = [match.end() for pattern in (_TIME, _ISO_DAY, _YEAR, _ZONE) for match in pattern.finditer(text)]
    email = _EMAIL.search(text)
    limit = email.start() if email else len(text)
    end = max((end for end in ends if end <= limit), default=0)
    author = re.sub(r"^(?:\s*\([A-Z]{2,5}\)|\s*[A-Z]{3,4}\b(?=,))", "", text[end:])  # "(CET)", "PST,"
    return text[:end].strip(" ,"), author.strip(" ,-")


def read_copied_header(lines: Sequence[Line], start: int, marked: bool) -> Introduction | None:
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
    has_rule = _is_rule(lines[start].text)
    if not has_rule and _FIELD_OF.get(_label(lines[start])) not in ("from", "sent"):
        return None
    fields, stop = _read_fields(lines, start, has_rule)
    if not (has_rule or _is_complete(fields) or (marked and len(fields) >= 2)):
        return None
    others = {name: fields[name] for name in ("sent", "to", "cc", "bcc", "subject") if name in fields}
    return Introduction(fields.get("from", ""), **others, length=stop - start)


def _is_rule(line: str) -> bool:
    text = line.strip()[:_MAX_RULE]
    return text[:1] in tuple("-_=*bB") and _RULE.fullmatch(text) is not None


def _is_complete(fields: dict[str, str]) -> bool:
    """Whether fields without a rule above them are surely a header."""
    return "from" in fields and "sent" in fields and ("to" in fields or "subject" in fields)


def _read_fields(lines: Sequence[Line], start: int, has_rule: bool) -> tuple[dict[str, str], int]:
    """Read the fields of a header: their values by name in order, and the number of the line after the last one.

    One blank line may be between two fields, and two between the rule and the first field. A value may go on in the
    lines that follow it.
    """
    fields: dict[str, str] = {}
    stop = start + has_rule
    blanks = 0
    for at in range(stop, min(len(lines), start + _MAX_HEADER)):
        if lines[at].depth != lines[start].depth:
            break
        text = lines[at].text.strip()
        if not text and blanks < (1 if fields else 2):
            blanks += 1
        elif field := _new_field(text, fields):
            name, value = field
            fields[name] = value
            stop, blanks = at + 1, 0
        elif text and fields and lines[at - 1].text and _continues(fields, lines[at + 1 : at + 2]):
            fields[next(reversed(fields))] += " " + text
            stop = at + 1
        else:
            break
    return fields, stop


def _new_field(text: str, fields: dict[str, str]) -> tuple[str, str] | None:
    """Return the name and value of a field that a line begins; None for other text and for a field read before."""
    match = _FIELD.fullmatch(text[:_MAX_FIELD])
    name = _FIELD_OF.get(match["label"].strip().lower()) if match else None
    if match is None or name is None or (name in fields and name != "other"):
        return None
    if name == "to" and "sent" not in fields and "from" not in fields:
        return None  # "A:" and "Do:" begin sentences as well
    return name, match["value"].strip()


def _continues(fields: dict[str, str], following: Sequence[Line]) -> bool:
    """Whether a line belongs to the field before it: a list that is not at its end, or another field comes next."""
    return fields[next(reversed(fields))].endswith((",", ";")) or any(_label(line) in _FIELD_OF for line in following)


def _label(line: Line) -> str:
    match = _FIELD.match(line.text)
    return match["label"].strip().lower() if match else ""


def read_loose_time(text: str) -> str | None:
    """Read a time as mail clients write it: ISO 8601, with an offset only if the text names one; None if unsure.

    Examples
    --------
    >>> read_loose_time("Tuesday, September 03, 2002 10:22 PM")
    '2002-09-03T22:22:00'
    >>> read_loose_time("03/09/2002 10:22")
    """
    clock = _TIME.search(text)
    date = _read_date(text[: clock.start()] + " " + text[clock.end() :] if clock else text)
    if date is None:
        return None
    hour, minute, second = (int(clock[i] or 0) for i in (1, 2, 3)) if clock else (0, 0, 0)
    if clock and clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "p" else 0)
    zone = _ZONE.search(text, clock.end() if clock else 0)
    try:
        return datetime(*date, hour, minute, second, tzinfo=_offset(zone) if zone else None).isoformat()
    except ValueError:
        return None


def _read_date(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day; None where a month in digits may as well be a day."""
    if iso := _ISO_DAY.search(text):
        return int(iso[1]), int(iso[2]), int(iso[3])
    month, year = _MONTH.search(text), _YEAR.search(text)
    day = _DAY.search(_YEAR.sub(" ", text))
    if not (month and year and day):
        return None
    return int(year[0]), _MONTHS.index(month[1].lower()) + 1, int(day[1])


def _offset(zone: re.Match[str]) -> timezone:
    if not zone["sign"]:
        return UTC
    delta = timedelta(hours=int(zone["hours"]), minutes=int(zone["minutes"]))
    return timezone(-delta if zone["sign"] == "-" else delta)
