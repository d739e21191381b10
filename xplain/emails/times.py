"""Times in mails: of the header, and as clients write them into a text in the language of their user.

A time is right or None: a month is read only by a language that is known, or if all languages that know its name agree.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from xplain.emails.calendars import (
    BETWEEN_PARTS,
    CJK_DATE,
    CLOCK,
    DATE_TOKEN,
    DAY_FIRST,
    EITHER_FIRST,
    HALVES_OF,
    MONTH_MAY_BE_FIRST,
    NOT_LATIN,
    UNCLEAR_HALF,
    VIETNAMESE_DATE,
    VIETNAMESE_MONTHS,
    YEAR_FIRST,
    ZONE,
    ZONES,
)
from xplain.emails.languages import months, plain_word

_MAX_DATE = 200  # characters of a date that are read; more is no date
_NEAR = 40  # characters between the date and the clock of one time, at most
_COMMENT = re.compile(r"\([^()]*+\)")
_HEADER_HALF = re.compile(r"\s([ap])\.?m\b\.?", re.IGNORECASE)
_HEADER_CLOCK = re.compile(r"\d[:.]\d\d")
_HEADER_ZONE = re.compile(
    r"(?<=[:.]\d\d)\s*(?:(?:GMT|UTC|UT)?\s?(?P<offset>[+-]\d{1,2}(?::?\d\d)?)|(?P<name>[A-Za-z]{1,5}))(?![\w:])"
)
_OTHER_SCRIPT = re.compile(r"[^\W\d_A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")
# Digits of Arabic, Persian, Hindi, Thai and of full width, one for one.
_DIGITS = {base + i: str(i) for base in (0x660, 0x6F0, 0x966, 0xE50, 0xFF10) for i in range(10)}


class FoundTime(NamedTuple):
    """A time in a text: where it is, and as ISO 8601 if it is surely read, with an offset if the text names one."""

    start: int
    stop: int
    iso: str | None


def header_time(value: str) -> str | None:
    """Read the date of a header as ISO 8601, without an offset if its zone is not known; None if it is none.

    Examples
    --------
    >>> header_time("Fri, 14 Mar 2025 11:30:00 PM -0500"), header_time("Fri, 14 Mar 2025 11:30:00 CEST")
    ('2025-03-14T23:30:00-05:00', '2025-03-14T11:30:00+02:00')
    """
    text = _COMMENT.sub(" ", value[:_MAX_DATE]).strip()
    half = _HEADER_HALF.search(text)
    text = text[: half.start()] + text[half.end() :] if half else text
    zone = _HEADER_ZONE.search(text)
    text = text[: zone.start()] + text[zone.end() :] if zone else text
    try:
        parsed = email.utils.parsedate(text)
    except (ValueError, TypeError, IndexError, OverflowError):  # some of what is no date
        parsed = None
    if parsed is None:
        return read_loose_time(value[:_MAX_DATE])
    if _HEADER_CLOCK.search(text) is None:
        return None
    hour = _hour(parsed[3], half[1].lower() if half else "")
    year = parsed[0] + 1900 if 99 < parsed[0] < 1000 else parsed[0]  # RFC 5322, 4.3
    return None if hour is None else _iso((year, *parsed[1:3]), (hour, *parsed[4:6]), _header_offset(zone))


def _header_offset(zone: re.Match[str] | None) -> timedelta | None:
    if zone is None:
        return None
    if zone["offset"]:
        return _offset(zone["offset"])
    # RFC 5322, 4.3: of the letters only Z is reliable; CST is one of North America.
    return {**ZONES, "CST": timedelta(hours=-6)}.get(zone["name"].upper())


def read_loose_time(text: str, languages: Collection[str] = ()) -> str | None:
    """Read a time as mail clients write it: ISO 8601, with an offset only if the text names one; None if unsure.

    Parameters
    ----------
    text : str
        A time, as written.
    languages : collection of str
        The languages in one of which it may be written; any, if empty.

    Examples
    --------
    >>> read_loose_time("Tuesday, September 03, 2002 10:22 PM")
    '2002-09-03T22:22:00'
    >>> read_loose_time("03/09/2002 10:22"), read_loose_time("03/09/2002 10:22", ["fr"])
    (None, '2002-09-03T10:22:00')
    """
    found = find_time(text, languages)
    return found.iso if found else None


def find_time(text: str, languages: Collection[str] = ()) -> FoundTime | None:
    """Find the time in a text; None if there is no date in it. See `read_loose_time`."""
    text = text[: 3 * _MAX_DATE].translate(_DIGITS)
    dates = list(_dates(text, languages))
    clock = _nearest_clock(text, dates)
    if not dates and clock:  # "Tue Sep 3 10:22:00 EDT 2002"
        end = _zone(text, clock.end())[1]
        dates = list(_dates(text[: clock.start()] + " " * (end - clock.start()) + text[end:], languages))
    if not dates:
        return FoundTime(clock.start(), _zone(text, clock.end())[1], None) if clock else None
    first = min(dates, key=lambda date: date[1])
    start, stop = first[1:]
    day = first[0] if all(date[0] == first[0] for date in dates) else None
    if clock is None:
        return FoundTime(start, stop, None)  # midnight is as wrong as any other time
    half_end = _half_end(text, clock.end(), languages)
    offset, end = _zone(text, half_end)
    if end == half_end:  # "Tue Sep 3 10:22:00 2002 -0400"
        offset, stop = _zone(text, stop) if stop >= end else (None, stop)
    time = _clock_time(text, clock, start, stop, languages)
    iso = _iso(day, time, offset) if day and time else None
    return FoundTime(min(start, clock.start()), max(stop, end), iso)


def _dates(text: str, languages: Collection[str]) -> Iterator[tuple[tuple[int, int, int] | None, int, int]]:
    """Yield (year, month, day), or None if that is unsure, of each date in a text, with its start and stop."""
    for match in CJK_DATE.finditer(text):
        yield _day(match[1], match[2], match[3]), *match.span()
    for match in YEAR_FIRST.finditer(text):
        yield _day(match[1], match[3], match[4]), *match.span()
    for match in DAY_FIRST.finditer(text):
        if int(match[1]) <= 31 and int(match[2]) <= 12:  # else a clock, as 16.34.00
            yield _day(match[3], match[2], match[1]), *match.span()
    for match in VIETNAMESE_DATE.finditer(text):
        month = match[2] if match[2].isdecimal() else str(VIETNAMESE_MONTHS.index(match[2].lower()) + 1)
        yield _day(match[3], month, match[1]), *match.span()
    for match in EITHER_FIRST.finditer(text):
        first, second, year = match[1], match[2] or match[4], match[3] or match[5]
        day_first = bool(languages) and not MONTH_MAY_BE_FIRST.intersection(languages)
        if day_first or int(first) > 12 or first == second:
            yield _day(year, second, first), *match.span()
        else:
            yield (_day(year, first, second) if int(second) > 12 else None), *match.span()
    yield from _named_dates(text, languages)


def _named_dates(text: str, languages: Collection[str]) -> Iterator[tuple[tuple[int, int, int] | None, int, int]]:
    """Yield the dates of which the month is a name, with a day and a year next to it."""
    tokens = [token for token in DATE_TOKEN.finditer(text) if plain_word(token[0]) not in BETWEEN_PARTS]
    for at, token in enumerate(tokens):
        known = {} if token[0].isdecimal() else months().get(plain_word(token[0]), {})
        pinned = {language: month for language, month in known.items() if language in languages}
        numbers = set((pinned or known).values())
        if not numbers:
            continue
        before, after = tokens[max(0, at - 2) : at], tokens[at + 1 : at + 3]
        for parts in (before[-1:] + after[:1], after, before):
            values = [part[0] for part in parts if part[0].isdecimal()]
            years = [value for value in values if len(value) == 4]
            days = [value for value in values if len(value) <= 2]
            is_year_last = parts is not before or (
                bool(parts) and len(parts[0][0]) == 4
            )  # "2020. g. 3. sept.", not "3 2020 sept"
            if len(years) == len(days) == 1 and is_year_last and _is_close(text, [*parts, token]):
                ends = [*parts, token]
                day = _day(years[0], str(numbers.pop()), days[0]) if len(numbers) == 1 else None
                yield day, min(part.start() for part in ends), max(part.end() for part in ends)
                break


def _is_close(text: str, parts: list[re.Match[str]]) -> bool:
    start, stop = min(part.start() for part in parts), max(part.end() for part in parts)
    return stop - start <= _NEAR and "@" not in text[start:stop]


def _day(year: str, month: str, day: str) -> tuple[int, int, int] | None:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number < 70 else 1900
    return (number - 543 if 2400 < number < 2700 else number), int(month), int(day)  # years of the Thai calendar


def _nearest_clock(text: str, dates: list[tuple[tuple[int, int, int] | None, int, int]]) -> re.Match[str] | None:
    """Return the clock time that is nearest to the first date, and not part of a date or an address."""
    start, stop = min((date[1:] for date in dates), default=(0, 0))
    masked = list(text)
    for _, begin, end in dates:
        masked[begin:end] = "\0" * (end - begin)
    candidates = []
    for match in CLOCK.finditer("".join(masked)):
        distance = max(match.start() - stop, start - match.end(), 0)
        if int(match["hour"]) < 25 and distance <= _NEAR and "@" not in text[match.end() : match.end() + 1]:
            candidates.append((distance, match.start(), match))
    return min(candidates)[2] if candidates else None


def _zone(text: str, at: int) -> tuple[timedelta | None, int]:
    """Return the offset of the zone that is named there, None if none is or its offset is not known, and its end."""
    offset, end = None, at
    while match := ZONE.match(text, end):
        if offset is None:
            digits = match["offset"] or match["digits"]
            offset = _offset(digits) if digits else ZONES.get(match["name"] or "")
        end = match.end()
    return offset, end


def _offset(digits: str) -> timedelta:
    hours, minutes = re.fullmatch(r".(\d{1,2}?):?(\d\d)?", digits).groups()  # type: ignore[union-attr]
    delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return delta if digits[0] == "+" else -delta


def _clock_time(
    text: str, clock: re.Match[str], start: int, stop: int, languages: Collection[str]
) -> tuple[int, int, int] | None:
    """Return hour, minute and second; None if it is not known whether the clock has twelve hours."""
    half = _half_of_day(text, clock, languages)
    if not half and _has_unclear_half(text, clock):
        return None
    minute = clock["minute"] or clock["minute_point"] or clock["minute_h"] or clock["minute_cjk"]
    hour = _hour(int(clock["hour"]), half)
    if hour is None:
        return None
    if not half and 0 < hour < 13 and not clock["hour"].startswith("0"):
        between = text[stop : clock.start()] if stop <= clock.start() else text[clock.end() : start]
        after = re.match(rf"\s?({_OTHER_SCRIPT.pattern}+)", text[clock.end() :])
        if not NOT_LATIN.intersection(languages) and (_OTHER_SCRIPT.search(between) or after):
            return None  # a word that may say which half of the day it is
        beside = between.replace(" at ", " ") + " " + text[clock.end() : clock.end() + 3].strip()[:1]
        if not languages and re.search(r"[^\W\d_]{2,}|\s[a-z]$", beside):
            return None
    return hour, int(minute), int(clock["second"] or clock["second_point"] or 0)


def _half_of_day(text: str, clock: re.Match[str], languages: Collection[str]) -> str:
    """Return "a" or "p" as a word next to a clock says; empty if none does."""
    if clock["forenoon_before"] or clock["forenoon_after"]:
        # "um 10:22 am Dienstag": in German it is a preposition.
        return "" if set(languages) == {"de"} and clock["forenoon_after"] else "a"
    if clock["afternoon_before"] or clock["afternoon_after"]:
        return "p"
    for language in HALVES_OF.keys() & set(languages):
        for half, word in zip("ap", HALVES_OF[language], strict=True):
            if re.search(rf"\b{word}\s?$", text[: clock.start("hour")]) or re.match(
                rf"\s?{word}(?!\w)", text[clock.end() :]
            ):
                return half
    return ""


def _half_end(text: str, at: int, languages: Collection[str]) -> int:
    """Where the half of the day behind a clock ends, if it is a word of one of the languages or an unclear one."""
    halves = [half for language in HALVES_OF.keys() & set(languages) for half in HALVES_OF[language]]
    match = re.match(rf"\s?(?:{'|'.join([*halves, UNCLEAR_HALF])})(?!\w)", text[at:])
    return at + match.end() if match else at


def _has_unclear_half(text: str, clock: re.Match[str]) -> bool:
    """Whether a word next to a clock tells the part of the day, which alone does not always tell the half."""
    before, after = text[: clock.start()][-12:], text[clock.end() :]
    return (
        bool(re.search(rf"(?:{UNCLEAR_HALF})\s?$", before) or re.match(rf"\s?(?:{UNCLEAR_HALF})", after))
        and int(clock["hour"]) < 13
    )


def _hour(hour: int, half: str) -> int | None:
    """Return the hour of a clock of 24 hours; None if the clock cannot have that hour."""
    if half == "p":
        return hour if hour > 12 else hour % 12 + 12
    if half == "a":
        return hour % 12 if hour <= 12 else None
    return hour


def _iso(day: tuple[int, ...], time: tuple[int, ...], offset: timedelta | None) -> str | None:
    try:
        zone = None if offset is None else UTC if not offset else timezone(offset)
        return datetime(*day, *time, tzinfo=zone).isoformat()  # type: ignore[arg-type, misc]
    except ValueError:
        return None
