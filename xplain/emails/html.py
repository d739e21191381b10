"""HTML of mails to lines of text. Nothing is fetched or executed; any input takes time in proportion to its length.

The standard library's ``html.parser`` is not used for the tags: on the Python versions that xplain supports it takes 50
seconds for 200 kB of ``<!--`` and raises AssertionError on ``<![<``. Character references are decoded by
``html.unescape``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from xplain.emails.lines import Line

# Possessive quantifiers (++, *+) keep the time linear: nothing is tried twice.
# The loose form is for the rest of a document in which the quote of an attribute value does not end.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_LOOSE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)([^>]*+)>")
_ATTRIBUTE = re.compile(r"""([^\s=>"'/]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?""")
# References to numbers that no code point has: int() in html.unescape is slow for many digits, and refuses most.
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?")
_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_SPACES = re.compile(" {2,}+")
_AROUND_TAB = re.compile(r" ?\t[ \t]*+")
# How mail clients mark a quote, a signature, and the copied header of an earlier message.
_CITE_CLASSES = {"gmail_quote", "gmail_quote_container", "moz-cite", "yahoo_quoted", "protonmail_quote", "zmail_extra"}
_SIGNATURE = re.compile(
    r"\b(?:gmail_signature|moz-signature|applemailsignature|ms-outlook-mobile-signature|protonmail_signature_block-user)"
    r"\b|^signature$",
    re.IGNORECASE,
)
_HEADER_ID = re.compile(r"divrplyfwdmsg|appendonsend", re.IGNORECASE)
_HEADER_STYLE = re.compile(r"border\s*+:\s*+none\s*+;\s*+border-top\s*+:\s*+solid", re.IGNORECASE)

# Elements: dropped with their content; with a blank line around them; on lines of their own.
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
# Elements that are tracked until they close.
_NESTED = (_PARAGRAPHS - {"hr"}) | _BLOCKS | {"td", "th"}

Attributes = dict[str, str]


def html_lines(document: str, introduces: Callable[[str], bool]) -> list[Line]:
    """Turn HTML into lines of text, with the quotes and signatures that its markup shows.

    Block elements begin a line; paragraphs, lists and tables leave a blank one; cells are separated by tabs; list items
    begin with ``- `` or their number; an image becomes its ``alt`` text. Scripts, styles, titles and comments are
    dropped.

    Parameters
    ----------
    document : str
        HTML, however broken.
    introduces : callable
        Whether a line introduces a quote ("On Monday, Ann wrote:"). A ``blockquote`` is a quote if a mail client marked
        it, or if such a line is before it; any other is mere indentation.

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
    writer = _LineWriter(introduces)
    for text, tag, closes, attributes in _Tokenizer(document).tokens():
        if tag is None:
            writer.text(text)
        elif closes:
            writer.end(tag)
        else:
            writer.start(tag, attributes)
    writer.break_line()
    return writer.lines


class _Tokenizer:
    """Divides a document into text and tags, in one pass, with what it learns about the rest on the way."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._tag_pattern = _TAG
        self._last_end = document.rfind(">")
        self._comments_end = True  # whether there may still be a "-->"
        self._without_end: set[str] = set()  # dropped elements that do not close in the rest of the document

    def tokens(self) -> Iterator[tuple[str, str | None, bool, Attributes]]:
        """Yield each run of text as (text, None, ...) and each tag as ("", name, whether it closes, attributes)."""
        document, at = self._document, 0
        while (start := document.find("<", at)) >= 0:
            if start > at:
                yield _unescape(document[at:start]), None, False, {}
            at = start
            if start > self._last_end:  # no tag ends any more
                break
            if document.startswith(("<!", "<?"), start):
                at = self._after_declaration(start)
                continue
            match = self._match_tag(start)
            if match is None:
                yield "<", None, False, {}
                at = start + 1
                continue
            at, tag, closes = match.end(), match[2].lower(), bool(match[1])
            if tag in _DROPPED and not closes and tag not in self._without_end:
                at = self._after_dropped(tag, at)
                continue
            yield "", tag, closes, _attributes(match[3]) if match[3] else {}
        if at < len(document):
            yield _unescape(document[at:]), None, False, {}

    def _match_tag(self, start: int) -> re.Match[str] | None:
        match = self._tag_pattern.match(self._document, start)
        if match is None and self._tag_pattern is _TAG and (match := _LOOSE_TAG.match(self._document, start)):
            self._tag_pattern = _LOOSE_TAG
        return match

    def _after_declaration(self, start: int) -> int:
        """Where a comment, doctype or processing instruction ends."""
        stop = -1
        if self._comments_end and self._document.startswith("<!--", start):
            stop = self._document.find("-->", start + 2)
            self._comments_end = stop >= 0
        return stop + 3 if stop >= 0 else self._document.find(">", start) + 1

    def _after_dropped(self, tag: str, at: int) -> int:
        """Where an element that is dropped ends; just after its tag if it does not."""
        closing_tag = re.compile(rf"</{tag}\b[^>]*+>?", re.IGNORECASE).search(self._document, at)
        if closing_tag is None:
            self._without_end.add(tag)  # drop the tag rather than the rest of the mail
            return at
        return closing_tag.end()


def _unescape(text: str) -> str:
    return html.unescape(_HUGE_REFERENCE.sub("\ufffd", text)) if "&" in text else text


def _attributes(text: str) -> Attributes:
    matches = _ATTRIBUTE.finditer(text)
    return {match[1].lower(): _unescape(match[2] or match[3] or match[4] or "") for match in matches}


class _LineWriter:
    """Writes lines while elements open and close."""

    def __init__(self, introduces: Callable[[str], bool]) -> None:
        self.lines: list[Line] = []
        self._introduces = introduces
        self._pieces: list[str] = []  # text of the line that is being written
        self._bullet = ""  # what the next filled line begins with
        self._header = False  # whether markup says that a copied header begins at the next filled line
        self._depth = self._signatures = self._preformatted = 0  # how many open elements quote, sign, keep spaces
        self._open: list[tuple[str, bool, bool]] = []  # tag, whether it quotes, whether it is a signature
        self._counts: dict[str, int] = {}  # open elements of each tag
        self._lists: list[int | None] = []  # next number of an ordered list, None for an unordered one

    def text(self, text: str) -> None:
        if not self._preformatted:
            self._pieces.append(_SPACE.sub(" ", text))
            return
        first, *others = text.replace("\r\n", "\n").split("\n")
        self._pieces.append(first)
        for line in others:
            self._end_line(blank=True)
            self._pieces.append(line)

    def break_line(self, paragraph: bool = False) -> None:
        self._end_line()
        if paragraph:
            self._end_line(blank=True)

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "br":
            self._end_line(blank=True)
        elif tag == "img":
            self._pieces.append(_SPACE.sub(" ", attributes.get("alt", "")))
        elif tag in ("td", "th"):
            if "".join(self._pieces).strip():
                self._pieces.append("\t")
        elif tag in _PARAGRAPHS or tag in _BLOCKS:
            # A list within a list begins no paragraph.
            self.break_line(tag in _PARAGRAPHS and not (self._lists and tag in ("ul", "ol")))
        if tag in _NESTED:
            self._open_element(tag, attributes)

    def _open_element(self, tag: str, attributes: Attributes) -> None:
        quotes = tag == "blockquote" and self._is_quote(attributes)
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
        while closed != tag:  # elements that were left open within it close too
            closed, quotes, signature = self._open.pop()
            self._counts[closed] -= 1
            self._depth -= quotes
            self._signatures -= signature
            self._preformatted -= closed == "pre"
            if closed in ("ul", "ol"):
                self._lists.pop()
                self._bullet = ""

    def _is_quote(self, attributes: Attributes) -> bool:
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

    def _end_line(self, blank: bool = False) -> None:
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
