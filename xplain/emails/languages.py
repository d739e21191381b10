"""What is known of languages, from ``languages.toml``: names of months, words of attribution lines, names of fields.

Mail clients write the introduction of a quote in the language of their user, and no standard says how. The file holds
the wordings of common clients (Gmail, Outlook, Apple Mail, Thunderbird, Yahoo, Yandex and others).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

# A letter of a script that is written with spaces between the words.
_LETTER = r"[A-Za-z\u00aa-\u06ff\u0900-\u097f]"
_ACCENT = re.compile("[\u0300-\u036f]")


@cache
def tables() -> dict[str, Any]:
    """Return the tables of ``languages.toml``."""
    text = resources.files(__package__).joinpath("languages.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def plain_word(word: str) -> str:
    """Return a word as it is looked up: in lower case, without accents and the full stop of an abbreviation."""
    folded = word.casefold().rstrip(".'׳’॰ٔ")
    return folded if folded.isascii() else _ACCENT.sub("", unicodedata.normalize("NFD", folded))


@cache
def months() -> dict[str, dict[str, int]]:
    """Return for each name of a month, as `plain_word` writes it, its number by language."""
    numbers: dict[str, dict[str, int]] = {}
    for language, names in tables()["months"].items():
        for number, forms in enumerate(names.split(), 1):
            for form in forms.split("/"):
                for prefixed in (form, "ב" + form) if language == "he" else (form,):  # "in September"
                    numbers.setdefault(plain_word(prefixed), {})[language] = number
    return numbers


class Wordings:
    """Wordings of one thing in all languages, as one pattern and by language.

    Parameters
    ----------
    table : mapping
        For each language a regular expression of its wordings.
    ignores_case : bool
        Whether they may be in capitals or not.
    """

    def __init__(self, table: Mapping[str, str], ignores_case: bool = True) -> None:
        flags = re.IGNORECASE if ignores_case else 0
        #: Matches a wording of any language as a whole word; letters of scripts without spaces may adjoin it.
        self.pattern = re.compile(rf"(?<!{_LETTER})(?:{'|'.join(table.values())})(?!{_LETTER})", flags)
        #: Finds a wording in a text of small letters, within words too; quicker.
        self.rough = re.compile("|".join(table.values()).lower() if ignores_case else "|".join(table.values()))
        self._by_language = {language: re.compile(words, flags) for language, words in table.items()}

    def languages(self, wording: str) -> frozenset[str]:
        """Return the languages of which a text is a wording."""
        return frozenset(name for name, pattern in self._by_language.items() if pattern.fullmatch(wording))


@cache
def verbs() -> Wordings:
    """Return what says in an attribution line that something was written."""
    return Wordings(tables()["verbs"])


@cache
def leads() -> Wordings:
    """Return what begins an attribution line; in the case in which it is written, as the words are short."""
    return Wordings(tables()["leads"], ignores_case=False)


@cache
def rules() -> Wordings:
    """Return the words of a rule above a quoted or forwarded message."""
    return Wordings(tables()["rules"])


@cache
def devices() -> re.Pattern[str]:
    """Return the pattern of the line that a device puts below a message, in any language."""
    device = r".{1,60}?"
    lines = "|".join(words.replace("{}", device) for words in tables()["devices"].values())
    return re.compile(rf"(?:{lines})", re.IGNORECASE)


@cache
def field_labels() -> dict[str, dict[str, frozenset[str]]]:
    """Return for each name of a field of a copied header what it may be, and in which languages it is that."""
    labels: dict[str, dict[str, set[str]]] = {}
    for language, fields in tables()["labels"].items():
        for field, names in fields.items():
            for name in names.split("|"):
                labels.setdefault(name.casefold(), {}).setdefault(field, set()).add(language)
    return {
        name: {field: frozenset(languages) for field, languages in meanings.items()}
        for name, meanings in labels.items()
    }


@cache
def closings() -> Wordings:
    """Return the formulas before a name at the end of a letter."""
    return Wordings(tables()["closings"])


@cache
def thanks() -> Wordings:
    """Return the formulas of thanks, which end a letter too."""
    return Wordings(tables()["thanks"])


@cache
def list_words() -> re.Pattern[str]:
    """Return the pattern of what only the footer of a mailing list has."""
    return re.compile("|".join(tables()["lists"].values()), re.IGNORECASE)


@cache
def words(name: str) -> frozenset[str]:
    """Return a set of words of attribution lines, by its name in the table ``words``."""
    return frozenset(tables()["words"][name].split())
