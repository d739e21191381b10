"""Headers of earlier messages that a client copied into the text: "From:", "Sent:", "To:" and so on, or a rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from xplain.emails.addresses import tidy_author
from xplain.emails.languages import field_labels, rules
from xplain.emails.lines import DIRECTION_MARKS, Line
from xplain.emails.times import find_time, read_loose_time

_RULES = "-_=*–—>"  # characters of which a rule is made
_MIN_RULE = 3
_LONG_RULE = 5  # below which one field is enough
_MAX_LABEL = 40  # characters of the name of a field
_MAX_RULE = 200  # characters of a line that is looked at for a rule
_MAX_FIELD = 2_000  # characters of a line that are looked at for a field
_MAX_HEADER = 30  # lines of a copied header
_MAX_BLANKS = 2  # blank lines between a rule and the first field
# "From: Ann", "> *From:* Ann", "发件人：Ann", "De : Ann", "| From: | Ann"
_FIELD = re.compile(
    r"[^\w\n]{0,4}(?P<label>[^\W\d_][^:：<>@\d\n*]{0,30}?)\.?\s{0,2}\*{0,2}\s?[:：]\s?\*{0,2}(?P<value>.*)",
    re.DOTALL,
)
_LABEL_WITHOUT_COLON = re.compile(r"(?P<label>message du)\s+(?P<value>\d.*)", re.IGNORECASE)  # Orange
_BARE_RULE = re.compile(r"\s*(?:[-_=*–—]\s?){3,}+\s*")
_WORDED_RULE = re.compile(r"\s*[-_=*>–—]{2,}\s*(?P<words>[^\s\-_=*][^_=*]{1,120}?)\s*[-_=*<–—]{0,200}\s*")
_EMAIL = re.compile(r"[^\s<>\"'(),;:\[\]]+@[^\s<>\"'(),;:\[\]]+\.\w")


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an attribution line or a copied header tells about the message that it introduces.

    Parameters
    ----------
    from_, subject : str
        Empty if not told.
    to, cc, bcc : str
        Lists of addresses, as written.
    sent_at : str or None
        ISO 8601 time; None if not told or not surely read.
    length : int
        How many lines the introduction takes.
    prefix : str
        Text before it in its first line.
    """

    from_: str = ""
    sent_at: str | None = None
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    length: int = 1
    prefix: str = ""


@dataclass(slots=True)
class _Fields:
    """The fields read so far: values by what they are, and the languages of their names."""

    values: dict[str, str]
    languages: frozenset[str] | None = None  # None while any is possible
    stop: int = 0


@cache
def _starting_labels() -> frozenset[str]:
    return frozenset(
        name
        for name, meanings in field_labels().items()
        if meanings.keys() & {"from", "sent", "subject"} or name == "to"
    )


def may_begin_header(text: str, below: str) -> bool:
    """Whether a copied header may begin at a line, above another; quick, as all lines are asked."""
    colon = max(text.find(":", 0, _MAX_LABEL), text.find("：", 0, _MAX_LABEL))
    if colon > 0:
        label = DIRECTION_MARKS.sub("", text[:colon]).strip(" \t*>|.\xa0").casefold()
        if label in _starting_labels() or (text[-1] in ":：" and _rule_words(text)):
            return True
        return "@" in text and _EMAIL.search(text[:_MAX_RULE]) is not None and _begins_field(below)
    if text[0] in _RULES or text[:1].isspace():
        stripped = text.strip()
        if len(stripped) < _MIN_RULE or stripped[0] not in _RULES:
            return False
        return _begins_field(below) or _rule_words(stripped)
    return text[:1] in "mM" and _LABEL_WITHOUT_COLON.match(text) is not None


def _begins_field(text: str) -> bool:
    return ":" in text[:_MAX_LABEL] or "：" in text[:_MAX_LABEL]


def read_copied_header(lines: Sequence[Line], start: int) -> Introduction | None:
    """Read a header that a client copied into the body, from the line that begins it; None if there is none.

    It is a rule with words such as ``-----Original Message-----``, fields such as ``From:``, ``Sent:``, ``To:``, or
    both. Without such a rule, an author and a time are needed, or as many fields as leave no doubt. Where markup says
    that a header begins, or four fields in a row hold an address and a time, their names may be of any language.
    """
    has_words = _is_worded_rule(lines[start].text)
    rule = _BARE_RULE.fullmatch(lines[start].text[:_MAX_RULE])
    has_rule = has_words or rule is not None
    first = _first_field(lines, start + 1) if has_rule else start
    fields = _Fields({}, stop=start + 1)
    if first is not None:
        fields = _read_fields(lines, first, max_blanks=2 if has_words else 1)
    marked = lines[start].header or (first is not None and lines[first].header)
    is_long = rule is not None and len(rule[0].strip()) >= _LONG_RULE
    if not _is_complete(fields, has_words, is_long, marked):
        foreign = _foreign_fields(lines, first, marked or has_words or is_long) if first is not None else None
        if foreign is None and not (has_words and _rule_words(lines[start].text)):
            return None
        fields = foreign or _Fields({}, stop=start + 1)
    values = fields.values
    others = {name: values[name] for name in ("to", "cc", "bcc", "subject") if name in values}
    sent_at = read_loose_time(values.get("sent", ""), fields.languages or ())
    return Introduction(tidy_author(values.get("from", "")), sent_at, **others, length=fields.stop - start)


def _rule_words(text: str) -> bool:
    """Whether a line says, with or without a rule, that an earlier message follows."""
    words = text[:_MAX_RULE].strip(" \t-_=*><–—:：\xa0")
    return len(words) > 1 and rules().pattern.fullmatch(words) is not None


def _is_worded_rule(text: str) -> bool:
    """Whether a line is a rule with words in it, or such words before a colon."""
    stripped = text.strip()
    if len(stripped) > _MAX_RULE or not stripped:
        return False
    if _WORDED_RULE.fullmatch(stripped) and (stripped[-1] in _RULES or stripped[:2] in ("--", "__", "==")):
        return True
    return stripped[-1] in ":：" and _rule_words(stripped)


def _first_field(lines: Sequence[Line], at: int) -> int | None:
    """The number of the line below a rule that is not blank, where a field should be; None if there is none."""
    depth = lines[at - 1].depth
    for number in range(at, min(len(lines), at + _MAX_BLANKS + 1)):
        if lines[number].text:
            # Apple Mail quotes the fields below a rule that it does not quote.
            return number if lines[number].depth in (depth, depth + 1) else None
    return None


def _is_complete(fields: _Fields, has_words: bool, below_rule: bool, marked: bool) -> bool:
    """Whether the fields are surely a header."""
    values = fields.values
    if has_words or marked:
        return len(values) >= (1 if has_words else 2) and not values.keys() <= {"other", "to", "subject"}
    by = _EMAIL.search(values.get("from", "")) is not None
    if below_rule and by:
        return True
    if "sent" not in values or re.search(r"\d", values["sent"]) is None:
        return by and {"to", "subject"} <= values.keys()
    if "from" in values and ({"to", "subject"} & values.keys()):
        # "From: Vienna", "To: Graz", "Date: 3 May 2020" may be a journey.
        with_address = by or _EMAIL.search(values.get("to", "")) is not None
        return "subject" in values or with_address or re.search(r"\d[:.]\d\d", values["sent"]) is not None
    when = find_time(values["sent"], fields.languages or ()) is not None
    return when and (by or ("to" in values and _EMAIL.search(values["to"]) is not None))


def _read_fields(lines: Sequence[Line], start: int, max_blanks: int) -> _Fields:
    """Read the fields of a header, their values by what they are, and the number of the line after the last one.

    Some blank lines may be between two fields. A value may go on in the lines that follow it.
    """
    fields = _Fields({}, stop=start)
    last, blanks = "", 0
    for at in range(start, min(len(lines), start + _MAX_HEADER)):
        if lines[at].depth != lines[start].depth:
            break
        text = lines[at].text.strip()
        if not text and blanks < max_blanks and fields.values:
            blanks += 1
        elif field := _new_field(text, fields):
            last, fields.values[field[0]] = field
            fields.stop, blanks = at + 1, 0
        elif (
            text
            and last
            and lines[at - 1].text
            and not _is_field(text)
            and _continues(fields.values[last], text, lines[at + 1 : at + 2])
        ):
            fields.values[last] = f"{fields.values[last]} {text}".strip()
            fields.stop = at + 1
        else:
            break
    return fields


def _field(text: str) -> tuple[str, str] | None:
    """Return the label, in lower case, and the value of a line; None if it is no field."""
    text = DIRECTION_MARKS.sub("", text[:_MAX_FIELD])
    match = _FIELD.fullmatch(text) or _LABEL_WITHOUT_COLON.fullmatch(text)
    return (" ".join(match["label"].casefold().split()), match["value"].strip(" \t*|")) if match else None


def _label(text: str) -> str:
    field = _field(text[:120]) if ":" in text[:60] or "：" in text[:60] or text[:1] in "mM" else None
    return field[0] if field else ""


def _is_field(text: str) -> bool:
    return _label(text) in field_labels()


def _new_field(text: str, fields: _Fields) -> tuple[str, str] | None:
    """Return what a line gives a value to, and the value; None for other text and for a field read before.

    The languages that have all the names so far are kept.
    """
    field = _field(text)
    meanings = field_labels().get(field[0]) if field else None
    if field is None or meanings is None:
        return None
    for name, languages in meanings.items():
        if name in fields.values and name != "other":
            continue
        if name in ("to", "cc") and not fields.values:
            continue  # "A:" and "Do:" begin sentences as well
        if name == "sent" and "from" not in fields.values and fields.values and not re.search(r"\d", field[1]):
            continue
        common = languages if fields.languages is None else fields.languages & languages
        fields.languages = common or fields.languages
        return name, field[1]
    return None


def _continues(value: str, text: str, following: Sequence[Line]) -> bool:
    """Whether a line belongs to the field before it: a list that is not at its end, or another field comes next."""
    if value.endswith((",", ";")) or not value:
        return True
    return any(_is_field(line.text) for line in following) and len(text) <= _MAX_RULE


def _foreign_fields(lines: Sequence[Line], start: int, marked: bool) -> _Fields | None:
    """Read fields whose names are of no known language, by their values and their order."""
    found: list[tuple[str, str]] = []
    stop = start
    for at in range(start, min(len(lines), start + 8)):
        field = _field(lines[at].text.strip()) if lines[at].depth == lines[start].depth else None
        if field is None or len(field[0].split()) > 4:
            break
        found.append(field)
        stop = at + 1
    values = [value for _, value in found]
    authors = [i for i, value in enumerate(values) if _EMAIL.search(value)]
    times = [i for i, value in enumerate(values) if re.search(r"\d{4}.*\d[:.]\d\d|\d[:.]\d\d.*\d{4}", value)]
    if not authors or not times or len(values) < (2 if marked else 4) or (authors[0] > 2 or times[0] > 2):
        return None
    fields = {"from": values[authors[0]], "sent": values[times[0]]}
    if len(authors) > 1:
        fields["to"] = values[authors[1]]
    others = [value for i, value in enumerate(values) if i not in (*authors[:2], times[0])]
    if len(others) > 1 and "to" not in fields:
        fields["to"] = others[0]
    if others:
        fields["subject"] = others[-1]
    return _Fields(fields, stop=stop)
