"""HTML of mails to lines of text. Nothing is fetched or executed; any input takes time in proportion to its length.

The standard library's ``html.parser`` is not used for the tags: on the Python versions that xplain supports it takes 50
seconds for 200 kB of ``<!--`` and raises AssertionError on ``<![<``. Characters are decoded by ``html.unescape``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from xplain.emails.lines import Line

# Possessive, so that nothing is tried twice. The second is for the rest of a document in which a quote does not end.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_LOOSE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)([^>]*+)>")
_ATTRIBUTE = re.compile(r"""([^\s=>"'/]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?""")
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")
_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_SPACES = re.compile(" {2,}+")
_AROUND_TAB = re.compile(r" ?\t[ \t]*+")
_CITE_CLASSES = {"gmail_quote", "gmail_quote_container", "moz-cite", "yahoo_quoted", "protonmail_quote", "zmail_extra"}
_SIGNATURE = re.compile(
    r"\b(?:gmail_signature|moz-signature|applemailsignature|ms-outlook-mobile-signature|protonmail_signature_block-user)"
    r"\b|^signature$",
    re.IGNORECASE,
)
_HEADER_ID = re.compile(r"divrplyfwdmsg|appendonsend", re.IGNORECASE)
_HEADER_STYLE = re.compile(r"border\s*+:\s*+none\s*+;\s*+border-top\s*+:\s*+solid", re.IGNORECASE)

# fmt: off
_DROPPED = {"script", "style", "title", "template", "iframe"}
_PARAGRAPHS = {
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "dl", "table", "pre", "hr", "center",
}
_BLOCKS = {
    "address", "article", "aside", "body", "caption", "dd", "div", "dt", "fieldset", "figcaption", "figure", "footer",
    "form", "header", "html", "head", "legend", "li", "main", "nav", "section", "summary", "tr", "tbody", "thead",
    "tfoot",
}
# fmt: on
_NESTED = (_PARAGRAPHS - {"hr"}) | _BLOCKS | {"td", "th"}

Attributes = dict[str, str]


def html_lines(document: str, introduces: Callable[[str], bool]) -> list[Line]:
    """Turn HTML into lines of text, with the quotes and signatures that its markup tells.

    Block elements begin a line, paragraphs, lists and tables leave a blank one, cells are parted by tabs, items of
    lists begin with ``- `` or their number, images are their ``alt`` text. Scripts, styles, titles and comments are
    dropped.

    Parameters
    ----------
    document : str
        HTML, however broken.
    introduces : callable
        Whether a line introduces a quote ("On Monday, Ann wrote:"). A ``blockquote`` quotes if a mail client marked it
        or such a line is before it; any other is mere indentation.

    Returns
    -------
    list of Line
        Without more than one blank line in a row.

    Examples
    --------
    >>> html_lines("<p>Hello <b>you</b><br>there<script>alert(1)</script>", lambda line: False)
    [Line(text='Hello you', depth=0, signature=False, header=False), \
Line(text='there', depth=0, signature=False, header=False)]
    """
    writer = _Writer(introduces)
    for text, tag, closing, attributes in _tokens(document):
        if tag is None:
            writer.text(text)
        elif closing:
            writer.end(tag)
        else:
            writer.start(tag, attributes)
    writer.break_line()
    return writer.lines


def _tokens(document: str) -> Iterator[tuple[str, str | None, bool, Attributes]]:
    """Yield (text, None, ...) and ("", tag, closing, attributes)."""
    at, pattern, comments, unclosed = 0, _TAG, True, set[str]()
    last = document.rfind(">")
    while (start := document.find("<", at)) >= 0:
        if start > at:
            yield _decoded(document[at:start]), None, False, {}
        at = start
        if start > last:  # no tag ends any more
            break
        if document.startswith(("<!", "<?"), start):
            stop = document.find("-->", start + 2) if comments and document.startswith("<!--", start) else -1
            if stop < 0:  # then no other comment ends either
                comments = comments and not document.startswith("<!--", start)
            at = stop + 3 if stop >= 0 else document.find(">", start) + 1
            continue
        found = pattern.match(document, start)
        if found is None and pattern is _TAG and _LOOSE_TAG.match(document, start):
            pattern = _LOOSE_TAG
            continue
        if found is None:
            yield "<", None, False, {}
            at = start + 1
            continue
        at, tag = found.end(), found[2].lower()
        if tag in _DROPPED and tag not in unclosed and not found[1]:
            closing = re.compile(rf"</{tag}\b[^>]*+>?", re.IGNORECASE).search(document, at)
            if closing is None:
                unclosed.add(tag)  # drop the tag rather than the rest of the mail
            else:
                at = closing.end()
            continue
        yield "", tag, bool(found[1]), _attributes(found[3]) if found[3] else {}
    if at < len(document):
        yield _decoded(document[at:]), None, False, {}


def _decoded(text: str) -> str:
    return html.unescape(_HUGE_REFERENCE.sub("\ufffd", text)) if "&" in text else text


def _attributes(text: str) -> Attributes:
    return {m[1].lower(): _decoded(m[2] or m[3] or m[4] or "") for m in _ATTRIBUTE.finditer(text)}


class _Writer:
    """Collects lines while elements open and close."""

    def __init__(self, introduces: Callable[[str], bool]) -> None:
        self.lines: list[Line] = []
        self._introduces = introduces
        self._pieces: list[str] = []
        self._bullet = ""
        self._header = False
        self._depth = self._signatures = self._preformatted = 0
        self._open: list[tuple[str, bool, bool]] = []  # tag, whether it quotes, whether it is a signature
        self._counts: dict[str, int] = {}
        self._lists: list[int | None] = []  # next number of an ordered list

    def text(self, text: str) -> None:
        if not self._preformatted:
            self._pieces.append(_SPACE.sub(" ", text))
            return
        first, *others = text.replace("\r\n", "\n").split("\n")
        self._pieces.append(first)
        for line in others:
            self._emit(blank=True)
            self._pieces.append(line)

    def break_line(self, paragraph: bool = False) -> None:
        self._emit()
        if paragraph:
            self._emit(blank=True)

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "br":
            self._emit(blank=True)
        elif tag == "img":
            self._pieces.append(_SPACE.sub(" ", attributes.get("alt", "")))
        elif tag in ("td", "th"):
            if "".join(self._pieces).strip():
                self._pieces.append("\t")
        elif tag in _PARAGRAPHS or tag in _BLOCKS:
            # A list within a list, or a table in a cell, is no new paragraph.
            self.break_line(tag in _PARAGRAPHS and not (self._lists and tag in ("ul", "ol")))
        if tag not in _NESTED:
            return
        quotes = tag == "blockquote" and self._quotes(attributes)
        signature = bool(attributes) and any(
            _SIGNATURE.search(attributes.get(key, "")) for key in ("class", "id", "data-smartmail")
        )
        self._header |= bool(attributes) and any(
            pattern.search(attributes.get(key, "")) for key, pattern in (("id", _HEADER_ID), ("style", _HEADER_STYLE))
        )
        self._open.append((tag, quotes, signature))
        self._counts[tag] = self._counts.get(tag, 0) + 1
        self._depth += quotes
        self._signatures += signature
        self._preformatted += tag == "pre"
        if tag in ("ul", "ol"):
            self._lists.append(None if tag == "ul" else 1)
        elif tag == "li":
            self._bullet = self._next_bullet()

    def end(self, tag: str) -> None:
        if tag in _PARAGRAPHS or tag in _BLOCKS:
            self.break_line(tag in _PARAGRAPHS and not (len(self._lists) > 1 and tag in ("ul", "ol")))
        if not self._counts.get(tag):
            return
        closed = None
        while closed != tag:
            closed, quotes, signature = self._open.pop()
            self._counts[closed] -= 1
            self._depth -= quotes
            self._signatures -= signature
            self._preformatted -= closed == "pre"
            if closed in ("ul", "ol"):
                self._lists.pop()
                self._bullet = ""

    def _quotes(self, attributes: Attributes) -> bool:
        classes = attributes.get("class", "").split()
        if attributes.get("type", "").lower() == "cite" or _CITE_CLASSES.intersection(classes):
            return True
        last = next((line.text for line in reversed(self.lines[-3:]) if line.text), "")
        return self._introduces(last)

    def _next_bullet(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number}. "

    def _emit(self, blank: bool = False) -> None:
        """End the line; an empty one is written only if ``blank`` and if no blank line is before it."""
        if not self._pieces and not blank:
            return
        text = "".join(self._pieces)
        if self._preformatted:
            text = text.rstrip()
        else:
            text = _AROUND_TAB.sub("\t", _SPACES.sub(" ", text)).strip()
        self._pieces.clear()
        if text or (blank and self.lines and self.lines[-1].text):
            bullet, self._bullet = (self._bullet, "") if text else ("", self._bullet)
            self.lines.append(Line(bullet + text, self._depth, self._signatures > 0, self._header and bool(text)))
            self._header = self._header and not text
