"""Attribution lines: what a mail client puts above a quote, such as "On Monday, Ann <ann@a.org> wrote:".

Such a line is known by what every language has in it, a time and an address, and by the words of some forty languages.
What does not fit is no attribution: a line that stays in the text does less harm than a sentence taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from xplain.emails.addresses import tidy_author
from xplain.emails.languages import leads, verbs, words
from xplain.emails.lines import DIRECTION_MARKS
from xplain.emails.times import FoundTime, find_time

MAX_ATTRIBUTION = 400  # characters; a longer one is a sentence
MAX_LINES = 4  # into which a client wraps one
_MAX_WORDS = 6  # of an author without an address
_MAX_LEAD = 40  # characters of the word or words that begin it
_MAX_GAP = 30  # characters between the word that begins the line and the time, such as a weekday
_ENDS = (
    "wrote",
    "sent",
    "a écrit",
    "escribió",
    "escreveu",
    "ha scritto",
    "skrev",
)  # verbs for which a colon is left out
_TIME = re.compile(r"\d{4}|\d[:：.hH時]\d\d|/\d\d|\d.{0,9}\d{2}")
_END = re.compile(r"\s*(?P<colon>[:：])?\s*(?P<dashes>[-–—_*]{2,})?[\s*_]*$")
_EMAIL = re.compile(
    r"(?P<bracket>[\[(<«]{1,2}\s*)?(?:mailto:\s*)?[^\s<>\"'(),;:\[\]，、]+@[^\s<>\"'(),;:\[\]，、]+\.?(?:\s*<mailto:[^<>]*>)?"
    r"(?(bracket)\s*[\])>»]{1,2})"
)
_DIGITS = {base + i: str(i) for base in (0x660, 0x6F0, 0x966, 0xE50, 0xFF10) for i in range(10)}
_PARTICLES = {
    "von",
    "van",
    "de",
    "der",
    "den",
    "da",
    "di",
    "del",
    "dos",
    "la",
    "le",
    "al",
    "bin",
    "ten",
    "ter",
    "zu",
    "af",
}
_SEPARATORS = " \t\n,，、;:：|*_–—-"


class Attribution(NamedTuple):
    """What an attribution line tells.

    Parameters
    ----------
    prefix : str
        Text of the mail's author before it, in the same lines.
    from_ : str
        The author of the quote; empty if not told.
    sent_at : str or None
        ISO 8601 time; None if not surely read.
    is_sure : bool
        Whether it is one whatever follows it; else only before a text that is marked as quoted.
    """

    prefix: str
    from_: str
    sent_at: str | None
    is_sure: bool


def may_end_attribution(text: str) -> bool:
    """Whether a line may be the last one of an attribution, by its last characters; quick, as all lines are asked."""
    last = text[-1]
    if last in "otóuve":
        return text.endswith(_ENDS)
    return last in ":：>-—*_" or (last >= "\u200b" and DIRECTION_MARKS.sub("", text)[-1:] in (":", "："))


def has_key(text: str) -> bool:
    """Whether a line has an address or a verb, without which no attribution is."""
    return "@" in text or (len(text) > 2 and verbs().rough.search(text[-MAX_ATTRIBUTION:].lower()) is not None)


def read_attribution(text: str, marked: bool = False) -> Attribution | None:
    r"""Read an attribution line; None if the text is none.

    Parameters
    ----------
    text : str
        The line; several with line feeds between them, if the client has wrapped it.
    marked : bool
        Whether markup says that it is one.

    Examples
    --------
    >>> read_attribution("I sign. On Tue, Sep 3, 2002 at 10:22 AM Ann Lee\n<ann@a.org> wrote:")
    Attribution(prefix='I sign.', from_='Ann Lee <ann@a.org>', sent_at='2002-09-03T10:22:00', is_sure=True)
    >>> read_attribution("On the other hand, she wrote:")
    """
    if len(text) > MAX_ATTRIBUTION:
        return None
    text = DIRECTION_MARKS.sub("", text).replace("\xa0", " ").replace("\u202f", " ").strip()
    end = _END.search(text)
    core = text[: end.start()].rstrip() if end else text
    if not core:
        return None
    emails = list(_EMAIL.finditer(core))
    address = emails[-1].span() if emails else None
    verb, languages = _verb(core, address)
    ended = bool(end and (end["colon"] or end["dashes"]))
    if not (ended or marked or (verb and verb[1] == len(core)) or core.endswith(">")):
        return None
    spared = _without(core, address).translate(_DIGITS)
    time = find_time(spared, languages) if _TIME.search(spared) else None
    if marked:
        start = 0
    elif time is not None and (verb or address):
        if verb is not None and _goes_on_after(core, verb, address, time):
            return None
        found = _start(core, time, address, verb, languages)
        if found is None:
            return None
        start = found
        if ">" in core[:start]:  # the marks of somebody who quotes with initials: "AL> On Monday, Bob wrote:"
            return None
    elif verb and ended:
        return _author_only(core, address, verb)
    else:
        return None
    author = _author(core, start, time, address, verb)
    if author is None and not marked:
        return None
    has_year = (
        time is not None and re.search(r"\d{4}|/\d\d\b", core[time.start : time.stop].translate(_DIGITS)) is not None
    )
    # "On Monday at 9:12 Kim said:" may as well be a sentence.
    is_dated = has_year or (time is not None and time.iso is not None)
    told = verb is not None and (address is not None or core[verb[0] : verb[1]].lower() not in ("said", "sent"))
    is_sure = ended and bool(author) and is_dated and (told or (address is not None and address[1] == len(core)))
    if verb is not None and verb[1] == len(core) and address is not None and has_year:
        is_sure = True  # whole but for its colon
    return Attribution(_prefix(core[:start]), author or "", time.iso if time else None, is_sure or marked)


def _without(core: str, address: tuple[int, int] | None) -> str:
    """Return the text with its address blanked: digits of it are no time."""
    if address is None:
        return core
    return core[: address[0]] + " " * (address[1] - address[0]) + core[address[1] :]


def _verb(core: str, address: tuple[int, int] | None) -> tuple[tuple[int, int] | None, Collection[str]]:
    """Where the verb is, the last that is not within the address, and the languages to which it belongs."""
    found = [
        match
        for match in verbs().pattern.finditer(core)
        if address is None or match.end() <= address[0] or match.start() >= address[1]
    ]
    if not found:
        return None, ()
    return found[-1].span(), verbs().languages(found[-1][0])


def _goes_on_after(core: str, verb: tuple[int, int], address: tuple[int, int] | None, time: FoundTime) -> bool:
    """Whether words follow the time, the address and then the verb: "Ann <ann@a.org> wrote to us that:"."""
    if address is None or verb[0] < max(address[1], time.stop):
        return False
    rest = core[verb[1] :].split()
    return len(rest) > 1 and all(word.isalpha() for word in rest)


def _prefix(text: str) -> str:
    return text.rstrip().rstrip("-–—_*>").rstrip()


def _start(
    core: str,
    time: FoundTime,
    address: tuple[int, int] | None,
    verb: tuple[int, int] | None,
    languages: Collection[str],
) -> int | None:
    """Where the attribution begins in the text; None if what is before it shows that it is a sentence."""
    name_first = address is not None and address[0] < time.start
    if name_first or (verb is not None and verb[1] <= time.start and address is None):
        first = address[0] if address is not None and name_first else verb[0]  # type: ignore[index]
        return _name_start(core, first)
    lead = _last_lead(core[: time.start], languages)
    if lead is not None:
        return lead
    return _weekday_start(core, time.start)


def _last_lead(before: str, languages: Collection[str]) -> int | None:
    """Where the last word that begins an attribution is, if little but a weekday is between it and the time."""
    near = max(0, len(before) - _MAX_GAP - _MAX_LEAD)
    for match in reversed(list(leads().pattern.finditer(before, near))):
        gap = before[match.end() :]
        is_known = not languages or leads().languages(match[0]) & set(languages) or match[0] in ("On", "Den", "Am")
        if len(gap) <= _MAX_GAP and is_known:
            start = before.rfind("\n", 0, match.start()) + 1
            is_doubled = before[start : match.start()].strip() == match[0]  # "V V čet., 3. sep. 2020"
            return start if is_doubled else match.start()
    return None


def _weekday_start(core: str, start: int) -> int | None:
    """Where the word before the time begins, if it is the only one or follows the end of a sentence or line."""
    before = core[:start]
    line = before[before.rfind("\n") + 1 :]
    if len(re.findall(r"\w+", line)) <= 3 and not re.search(r"\w{2}[.!?]\s+\w", line) and len(line) <= _MAX_GAP:
        return start - len(line)
    match = re.fullmatch(
        r"(?P<prefix>.*?(?:[.!?…:)\"”'>]|-{2,}))\s+(?P<day>[^\s.!?]{1,14}[.,،]{0,2}\s*[(]?)?", before, re.DOTALL
    )
    if match is None:
        return None
    day = match["day"] or ""
    return match.end("prefix") if not (day[:1].isupper() and day.rstrip().endswith(".")) else start


def _name_start(core: str, stop: int) -> int | None:
    """Where the name before that place begins; None if the words there are too many for one."""
    before = core[:stop].rstrip()
    start = before.rfind("\n") + 1
    for end in re.finditer(r"\w{3}[.!?…]\s+(?=[\"\w])", before):
        start = max(start, end.end())
    return start if len(before[start:].split()) <= _MAX_WORDS else None


def _author(
    core: str,
    start: int,
    time: FoundTime | None,
    address: tuple[int, int] | None,
    verb: tuple[int, int] | None,
) -> str | None:
    """Return the author, empty if it is a pronoun; None if what is there is a sentence rather than a name."""
    if address is not None:
        begin = time.stop if time is not None and time.stop <= address[0] else start
        if verb is not None and begin < verb[1] <= address[0]:
            begin = verb[1]
        name = _clean_name(core[begin : address[0]], is_first=begin == start)
        bracketed = core[address[0]] in "<[(«"
        if not bracketed and len(name.split()) > 4:
            name = ""
        if len(name.split()) > _MAX_WORDS + 2:
            return None
        return tidy_author(
            f"{name} {core[address[0] : address[1]]}" if name else core[address[0] : address[1]].strip("<>[]() ")
        )
    if verb is None:
        return None
    after_time = core[time.stop : verb[0]] if time is not None and time.stop <= verb[0] else ""
    after_verb = core[verb[1] :] if time is None or time.stop <= verb[1] else ""
    before = core[start : min(verb[0], time.start if time is not None else verb[0])]
    for piece, is_first in ((after_time, False), (after_verb, False), (before, True)):
        name = _clean_name(piece, is_first)
        if name:
            if name.casefold() in words("pronouns"):
                return ""
            return name if len(name.split()) <= _MAX_WORDS and not _begins_sentence(name) else None
    return ""


def _clean_name(text: str, is_first: bool) -> str:
    """Take off both ends of a text what is no name: separators, words next to a time or verb or at the start."""
    text = re.sub(r"^\([^()@]{1,12}\)", "", text.strip(_SEPARATORS)).strip(_SEPARATORS)
    parts = text.split()
    while parts and (parts[0].strip(",،") in words("between_time_and_author") or not parts[0].strip("().,،–—-|•")):
        del parts[0]
    while len(parts) > 1 and parts[-1].strip(",،、") in words("between_author_and_verb"):
        del parts[-1]
    while len(parts) > 1 and parts[0].islower() and parts[0] not in _PARTICLES and not parts[-1].islower():
        del parts[0]  # a word of a language that is not known
    name = re.sub(r"^.{0,30}\b(?:Standard|Daylight|Summer) Time\b", "", " ".join(parts)).strip(_SEPARATORS)
    for suffix in ("님이", "님", "さん", "様"):
        name = name.removesuffix(suffix)
    if is_first and (lead := leads().pattern.match(name)) and len(name) > lead.end() + 2:
        name = name[lead.end() :].strip(_SEPARATORS)
    if name.count("(") != name.count(")"):
        name = name.strip("()").strip(_SEPARATORS)
    return name.removesuffix(".") if name.endswith("..") else name


def _author_only(core: str, address: tuple[int, int] | None, verb: tuple[int, int]) -> Attribution | None:
    """Read "Ann wrote:" and "Quoting Ann:", of which only a name or an address says that they are no sentence."""
    start = _name_start(core, address[0] if address else verb[0])
    if start is None:
        return None
    prefix = _prefix(core[:start])
    if dated := re.match(r"\S+\s[^@<\"]{0,40}\d{1,2}[,.]?\s", core[start:]):  # "On Wed, Dec 9, Ann <ann@a.org> wrote:"
        start += dated.end()
    author = _author(core, start, None, address, verb)
    rest = core[verb[1] :].strip(_SEPARATORS) if not address or address[1] <= verb[0] else ""
    if not author or (rest and rest not in author):
        return None
    if address is None and not _is_name(author):
        return None
    return Attribution(prefix, author, None, False)


def _is_name(text: str) -> bool:
    """Whether a few words look like a name: each begins with a capital or has no case."""
    parts = text.split()
    return len(parts) <= 4 and not _begins_sentence(text) and all(not p[0].islower() or p in _PARTICLES for p in parts)


def _begins_sentence(text: str) -> bool:
    first = text.split()[0].casefold()
    return first in words("sentence_starts") or first in words("pronouns")
