"""Transfer encodings of a part of a mail (base64, quoted-printable), however spelled, files and armour in a text."""

from __future__ import annotations

import binascii
import re

from xplain.emails.comment import Attachment

_PLAIN = {"", "7bit", "8bit", "binary"}
_BASE64 = {"base64", "xbase64", "b"}
_QUOTED_PRINTABLE = {"quotedprintable", "xquotedprintable", "qp", "q"}
_UUENCODED = {"uuencode", "xuuencode", "uue", "xuue"}
_COMMENT = re.compile(r"\([^()]*+\)")
_BASE64_LINES = re.compile(r"(?:[ \t]*+[A-Za-z0-9+/]++={0,2}+[ \t]*+(?:\r?\n|\Z)|[ \t]*+\r?\n)*+")
_BASE64_LINE = re.compile(r"^[A-Za-z0-9+/]{40,}={0,2}[ \t]*+\r?$", re.MULTILINE)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]+")
_SIGNED_BEGIN = re.compile(r"^-----BEGIN PGP SIGNED MESSAGE-----[ \t]*+\n(?:[A-Za-z-]++: [^\n]*+\n)*+\n?", re.MULTILINE)
_SIGNATURE_BEGIN = "\n-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_END = "-----END PGP SIGNATURE-----"
_DASH_ESCAPE = re.compile(r"^- ", re.MULTILINE)
_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} ([^\n]{1,255})\n", re.MULTILINE)


def decode_transfer(content: str, encoding: str, defects: list[str]) -> bytes:
    """Undo a transfer encoding.

    Parameters
    ----------
    content : str
        What was sent; each character is a byte.
    encoding : str
        The field Content-Transfer-Encoding, as written.
    defects : list of str
        A sentence is appended for what is not of that encoding.
    """
    name = _encoding_name(encoding)
    data = content.encode("latin-1", "replace")
    if name in _BASE64:
        return _decode_base64(content, defects)
    if name in _QUOTED_PRINTABLE:
        return binascii.a2b_qp(data)
    if name in _UUENCODED:
        decoded = _uuencoded(content.replace("\r\n", "\n"))
        if decoded is None:
            defects.append("uuencoded content is broken, read as it stands")
        return data if decoded is None else decoded
    if name not in _PLAIN:
        defects.append(f"transfer encoding {encoding.strip()[:40]!r} is not known, read as it stands")
    return data


def _encoding_name(encoding: str) -> str:
    """Return the name of a transfer encoding in small letters and digits; of several, the last that is known."""
    text = _COMMENT.sub("", encoding.lower())
    names = [re.sub(r"[^a-z0-9]", "", piece) for piece in (text, *reversed(re.split(r"[;,\s]+", text)))]
    known = _BASE64 | _QUOTED_PRINTABLE | _UUENCODED | (_PLAIN - {""})
    return next((name for name in names if name in known), names[0])


def _decode_base64(content: str, defects: list[str]) -> bytes:
    """Decode base64; lines below it that are none, as of the footer of a mailing list, follow as they stand."""
    start = _BASE64_LINES.match(content)
    stop = start.end() if start else 0
    encoded, rest = content[:stop], content[stop:]
    if not encoded.strip() or _BASE64_LINE.search(rest):  # a broken line within, or none that is whole
        encoded, rest = content, ""
    digits = _NOT_BASE64.sub("", encoded)
    broken = set()
    if re.search(r"[^A-Za-z0-9+/=\s]", encoded):
        broken.add("InvalidBase64CharactersDefect")
    if len(digits) % 4 == 1:
        digits = digits[:-1]
        broken.add("InvalidBase64LengthDefect")
    elif len(digits) % 4 and encoded.rstrip().count("=", -2) != -len(digits) % 4:
        broken.add("InvalidBase64PaddingDefect")
    defects += [f"base64 is broken, read as far as it goes: {name}" for name in sorted(broken)]
    data = binascii.a2b_base64(digits + "=" * (-len(digits) % 4))
    footer = rest.strip()
    return data + b"\n\n" + footer.encode("latin-1", "replace") if footer else data


def _uuencoded(text: str) -> bytes | None:
    begin = _UU_BEGIN.search(text)
    return _uu_content(text, begin.end())[0] if begin else None


def _uu_content(text: str, at: int) -> tuple[bytes | None, int]:
    """Return the content of a uuencoded file whose lines begin there, and where the line after its end begins."""
    pieces: list[bytes] = []
    while (stop := text.find("\n", at)) >= 0 or at < len(text):
        stop = stop if stop >= 0 else len(text)
        line = text[at:stop].rstrip("\r")
        at = stop + 1
        if line == "end":
            return b"".join(pieces), at
        try:
            pieces.append(binascii.a2b_uu(line))
        except (binascii.Error, ValueError):  # no line of it
            break
    return None, at


def take_uuencoded(text: str) -> tuple[str, list[Attachment]]:
    r"""Take the files out of a text into which they are uuencoded, and say what they are.

    Examples
    --------
    >>> take_uuencoded("See:\nbegin 644 a.txt\n#8V%T\n \nend\nBye.")
    ('See:\nBye.', [Attachment(name='a.txt', size=3, content_type='application/octet-stream')])
    """
    pieces, files, at = [], [], 0
    for begin in _UU_BEGIN.finditer(text):
        if begin.start() < at:
            continue
        content, after = _uu_content(text, begin.end())
        if content is not None:
            pieces.append(text[at : begin.start()])
            files.append(Attachment(begin[1].strip(), len(content), "application/octet-stream"))
            at = after
    return "".join([*pieces, text[at:]]) if files else text, files


def without_armour(text: str) -> str:
    r"""Take from a text that is signed in place (RFC 4880, 7) what OpenPGP adds to it; any other stays as it is.

    Examples
    --------
    >>> without_armour(
    ...     "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nYes.\n- -- \nAnn\n"
    ...     "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
    ... )
    'Yes.\n-- \nAnn\n'
    """
    begin = _SIGNED_BEGIN.search(text)
    stop = text.find(_SIGNATURE_BEGIN, begin.end() - 1) if begin else -1
    end = text.find(_SIGNATURE_END, stop) if stop >= 0 else -1
    if begin is None or end < 0:
        return text
    signed = _DASH_ESCAPE.sub("", text[begin.end() : stop])
    return text[: begin.start()] + signed + text[end + len(_SIGNATURE_END) :]
