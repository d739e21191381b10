"""Lists of addresses as mails write them, in header fields and in headers copied into a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from xplain.emails.comment import MAX_ADDRESS, MAX_ADDRESSES

_COMMENT = re.compile(r"\([^()]*+\)")
# "Ann [mailto:ann@a.org]", "<ann@a.org<mailto:ann@a.org>>", "(<ann@a.org>)", "[SMTP:ann@a.org]", "<\nann@a.org>"
_BRACKETED = re.compile(
    r"[\[(<]{1,2}\s*(?:(?:mailto|smtp):\s*)?(?P<address>[^\s<>\[\]()\"',;:]+@[^\s<>\[\]()\"',;:]+)"
    r"(?:\s*<mailto:[^<>]*>)?\s*[\])>]{1,2}",
    re.IGNORECASE,
)
_ENCODED_PHRASE = re.compile(r"=\?[^?\s]{1,60}\?[bBqQ]\?")
_SPECIALS = re.compile(r'[,;:<>@()"\[\]\\]')
_NAMED = re.compile(r"(?P<name>.*?)\s*(?P<address><[^<>]*>)\s*", re.DOTALL)


def split_addresses(value: str) -> list[str]:
    r"""Split a list of addresses at commas and semicolons, but not within quotes, comments and angle brackets.

    Of a group (``Team: ann@a.org, bob@b.org;``) its members are addresses, its name is none; nor is a mere comment.

    Examples
    --------
    >>> split_addresses('"Lee, Ann" <ann@a.org>; team: bob@b.org, cy@c.org; Undisclosed recipients:; (none)')
    ['"Lee, Ann" <ann@a.org>', 'bob@b.org', 'cy@c.org']
    """
    addresses: list[str] = []
    current: list[str] = []
    in_quotes, comment_depth, closing, escaped = False, 0, "", False
    last_semicolon = value.rfind(";")
    for at, character in enumerate(value):
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"' and not comment_depth:
            in_quotes = not in_quotes
        elif not in_quotes:
            comment_depth = max(comment_depth + (character == "(") - (character == ")"), 0)
            if not comment_depth and character in "<[":
                closing = ">" if character == "<" else "]"
            elif character == closing:
                closing = ""
            elif not comment_depth and not closing and character in ",;":
                addresses.append("".join(current))
                current = []
                continue
            elif not comment_depth and not closing and character == ":" and at < last_semicolon:
                current = []  # the name of a group, which a semicolon ends
                continue
        current.append(character)
    addresses.append("".join(current))
    tidy = (" ".join(address.split()) for address in addresses)
    return [address for address in tidy if _COMMENT.sub("", address).strip(" ()<>")]


def decoded_address(address: str, decode: Callable[[str], str]) -> str:
    """Decode an address; a name whose encoded words hold a comma or the like is put into quotes."""
    named = _NAMED.fullmatch(address)
    if named is None or not _ENCODED_PHRASE.search(named["name"]):
        return decode(address)
    name = " ".join(decode(named["name"]).split())
    if not name.startswith('"') and _SPECIALS.search(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} {named['address']}".strip()


def tidy_author(text: str) -> str:
    """Write the address of an author in angle brackets, however a mail client has marked it.

    Examples
    --------
    >>> tidy_author("Ann Lee [mailto:ann@a.org]"), tidy_author("Ann Lee (<ann@a.org>)")
    ('Ann Lee <ann@a.org>', 'Ann Lee <ann@a.org>')
    """
    text = _BRACKETED.sub(lambda match: f" <{match['address']}>", text)
    text = " ".join(text.split())
    if text.startswith("<") and text.count("<") == 2 and text.endswith(">"):  # "<Ann Lee <ann@a.org>>"
        text = text[1:].lstrip()
    return text.replace('"', "", 1) if text.count('"') == 1 else text


def author_address(text: str) -> str | None:
    """Return the address of who wrote a message, the first if there are several; a comma may stand in a name.

    Examples
    --------
    >>> author_address("Lee, Ann <ann@a.org>"), author_address("ann@a.org, bob@b.org"), author_address("Lee, Ann")
    ('"Lee, Ann" <ann@a.org>', 'ann@a.org', 'Lee, Ann')
    """
    addresses = split_addresses(text)
    if len(addresses) < 2 or "@" in addresses[0]:
        return next(iter(addresses), None)
    named = _NAMED.fullmatch(text.strip(" ,;"))
    if named is None or "@" in named["name"] or '"' in named["name"]:
        return " ".join(text.split()) if "@" not in text else addresses[0]
    return f'"{named["name"]}" {named["address"]}'


def limit_addresses(addresses: Sequence[str], where: str, defects: list[str]) -> tuple[str, ...]:
    """Keep the addresses that a message can hold, with a note in ``defects`` if some are left out."""
    kept = [address for address in addresses if len(address) <= MAX_ADDRESS][:MAX_ADDRESSES]
    if len(kept) < len(addresses):
        defects.append(
            f"{len(addresses) - len(kept)} addresses in {where} are left out: "
            f"at most {MAX_ADDRESSES} of at most {MAX_ADDRESS} characters are kept"
        )
    return tuple(kept)
