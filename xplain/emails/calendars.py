"""Patterns of the parts of times, for `xplain.emails.times`: dates, clocks, halves of the day and zones."""

from __future__ import annotations

import re
from datetime import timedelta

# Halves of the day, wherever they mean one thing: before a clock of twelve hours, and after it.
_FORENOON = "上午|凌晨|早上|午前|오전|새벽|öö|पूर्वाह्न|преди обяд|ก่อนเที่ยง"
_AFTERNOON = "下午|晚上|傍晚|中午|午後|오후|ös|अपराह्न|слобед|หลังเที่ยง"
_FORENOON_AFTER = rf"a\.?\s?m\b\.?|π\.?\s?μ\b\.?|ص(?!\w)|ق\.\s?ظ\.?|לפנה[״\"]צ|dop\.|sáng\b|{_FORENOON}"
_AFTERNOON_AFTER = rf"p\.?\s?m\b\.?|μ\.?\s?μ\b\.?|م(?!\w)|ب\.\s?ظ\.?|אחה[״\"]צ|odp\.|chiều\b|tối\b|{_AFTERNOON}"
# Halves that are other words elsewhere, before and after the clock: by language.
HALVES_OF = {
    "hu": (r"de\.", r"du\."), "vi": ("SA", "CH"), "sv": ("fm", "em"), "fi": (r"ap\.", r"ip\."), "et": ("el", "pl"),
    "ms": ("PG", "PTG"), "es": ("de la mañana", "de la (?:tarde|noche)"),
    "pt": ("da manhã", "da (?:tarde|noite)"), "id": ("pagi", "(?:sore|malam)"),
}  # fmt: skip
#: Words of a part of the day next to a clock of twelve hours: the night has hours of both halves.
UNCLEAR_HALF = (
    r"du (?:matin|soir)\b|de l['’]après-midi\b|di (?:mattina|sera|notte)\b|del (?:mattino|pomeriggio)\b|"
    r"de la madrugada\b|da madrugada\b|(?:früh|morgens|vormittags|nachmittags|mittags|abends|nachts)\b|"
    r"in the (?:morning|afternoon|evening)\b|at night\b|(?:утра|дня|вечера|ночи|ранку|вечора)\b|"
    r"(?:wieczorem|rano|po południu|w nocy|ráno|večer|sabah|akşam|gece|petang|tengah hari|NG|NH|NU|NT|NB)\b|"
    r"(?:रात|दोपहर|सुबह|शाम)(?!\w)|夜里|夜裡|夜間|深夜|清晨|夜|朝|夕方|아침|저녁|밤"
)
#: "16:34", "4:34 p. m.", "下午4:34", "16.34", "16h34", "16時34分"
CLOCK = re.compile(
    rf"(?:(?P<forenoon_before>{_FORENOON})|(?P<afternoon_before>{_AFTERNOON}))?\s?(?<![\d.:])"
    r"(?P<hour>\d{1,2})(?:\s?[:：]\s?(?P<minute>\d\d)(?:[:：](?P<second>\d\d)(?:[.,]\d{1,6})?)?|"
    r"\.(?P<minute_point>\d\d)(?:\.(?P<second_point>\d\d))?|\s?[hH]\s?(?P<minute_h>\d\d)|"
    r"\s?[時时點点시]\s?(?P<minute_cjk>\d{1,2})\s?[分분]?)(?![\d:])"
    rf"(?:\s?(?:(?P<forenoon_after>{_FORENOON_AFTER})|(?P<afternoon_after>{_AFTERNOON_AFTER})))?",
    re.IGNORECASE,
)

# Zones whose name means one offset wherever mails are written; of BST, IST or CST that is not so.
_ZONE_HOURS = {
    "UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "MET": 1, "CEST": 2, "MESZ": 2,
    "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "MSD": 4, "TRT": 3, "SAST": 2, "CAT": 2, "EAT": 3, "PKT": 5, "WIB": 7,
    "ICT": 7, "HKT": 8, "SGT": 8, "MYT": 8, "PHT": 8, "AWST": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11,
    "NZST": 12, "NZDT": 13, "BRT": -3, "ART": -3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
    "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
ZONES = {name: timedelta(hours=hours) for name, hours in _ZONE_HOURS.items()}
#: A zone behind a clock: "GMT+03:00", "UTC+2", "-0500", "(CET)", "Z", or a name of no known offset such as "BST,".
ZONE = re.compile(
    r"\s?\(?(?:(?:GMT|UTC|UT)\s?(?P<offset>[+−-]\d{1,2}(?::?\d\d)?)(?!\d)|(?P<digits>[+−-]\d\d:?\d\d)(?!\d)|"
    rf"(?P<name>{'|'.join(sorted(ZONES, key=len, reverse=True))})\b|(?P<unknown>[A-Z]{{2,5}})(?=[,)]|\s\d))\)?"
)

#: "2020年9月3日", "2020-09-03", "3.9.2020", "3/9/2020", "3 tháng 9, 2020"
CJK_DATE = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일號号]?")
YEAR_FIRST = re.compile(r"(?<![\d.])(\d{4})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{1,2})(?!\d)\.?")
DAY_FIRST = re.compile(r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d\d)(?![\d:])\.?")
EITHER_FIRST = re.compile(r"(?<![\d/-])(\d{1,2})(?:/(\d{1,2})/(\d{4}|\d\d)|-(\d{1,2})-(\d{4}))(?![\d/:-])")
VIETNAMESE_MONTHS = ("một", "hai", "ba", "tư", "năm", "sáu", "bảy", "tám", "chín", "mười", "mười một", "mười hai")
VIETNAMESE_DATE = re.compile(
    rf"(\d{{1,2}})\s?(?:thg|tháng)\.?\s?(\d{{1,2}}|{'|'.join(reversed(VIETNAMESE_MONTHS))})\D{{1,8}}(\d{{4}})(?!\d)",
    re.IGNORECASE,
)
#: Languages in which it is not known whether 3/9/2020 begins with the day.
MONTH_MAY_BE_FIRST = {"en", "fil"}
#: Languages that are not written in Latin letters.
NOT_LATIN = {"ar", "bg", "el", "fa", "he", "hi", "ja", "ko", "ru", "sr", "th", "uk", "zh"}
#: Words between the parts of a date: "3 de septiembre de 2020", "2 July 2013", "September 3rd, 2020"
BETWEEN_PARTS = frozenset(
    (
        "de",
        "del",
        "di",
        "d",
        "of",
        "the",
        "den",
        "st",
        "nd",
        "rd",
        "th",
        "er",
        "o",
        "g",
        "г",
        "р",
        "m",
        "gada",
        "og",
        "ika",
    )
)

# A letter, with the marks that Thai, Hindi and others put on it.
LETTER = r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0970\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u064b-\u0655])"
DATE_TOKEN = re.compile(rf"\d+|{LETTER}+(?:\.{LETTER}+)*")
