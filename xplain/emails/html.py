"""HTML of mails to lines of text. Nothing is fetched or executed; any input takes time in proportion to its length.

The standard library's ``html.parser`` is not used for the tags: on the Python versions that xplain supports it takes 50
seconds for 200 kB of ``<!--`` and raises AssertionError on ``<![<``. Character references are decoded by
``html.unescape``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from xplain.emails.clients import Mark, mark_of
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
# The name of a file that stands for an image is no text.
_FILE_NAME = re.compile(
    r"(?:cid:.*|.{0,200}\.(?:png|jpe?g|gif|bmp|webp|svg|tiff?|heic|ico))", re.IGNORECASE | re.DOTALL
)
_MAX_ASKED = 4_096  # blockquotes of which it is asked whether a line introduces them
_MAX_INTRODUCTION = 4  # lines before a blockquote that may introduce it

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
# Elements that are tracked until they close, and those that have no end.
_NESTED = (_PARAGRAPHS - {"hr"}) | _BLOCKS | {"td", "th"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
# Elements that one of another kind ends: a paragraph ends where any block begins.
_ENDED_BY = {"p": _PARAGRAPHS | _BLOCKS, "li": {"li"}, "td": {"td", "th", "tr"}, "th": {"td", "th", "tr"}, "tr": {"tr"}}

Attributes = dict[str, str]
_UNMARKED = Mark()
_NO_ATTRIBUTES: Attributes = {}


def html_lines(document: str, introduces: Callable[[Sequence[str]], bool]) -> list[Line]:
    """Turn HTML into lines of text, with the quotes and signatures that its markup shows.

    Block elements begin a line; paragraphs, lists and tables leave a blank one; cells are separated by tabs; list items
    begin with ``- `` or their number; an image becomes its ``alt`` text, unless that is the name of a file. Scripts,
    styles, titles, comments and what is not displayed are dropped.

    Parameters
    ----------
    document : str
        HTML, however broken.
    introduces : callable
        Whether some lines end with one that introduces a quote ("On Monday, Ann wrote:"). A ``blockquote`` is a quote
        if a mail client marked it, or if such a line is before it or its first; any other is mere indentation.

    Returns
    -------
    list of Line
        Without more than one blank line in a row.

    Examples
    --------
    >>> html_lines("<p>Hello <b>you</b><br>there<script>alert(1)</script>", lambda lines: False)
    [Line(text='Hello you', depth=0, signature=False, header=False, attribution=False), \
Line(text='there', depth=0, signature=False, header=False, attribution=False)]
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


def has_text(document: str) -> bool:
    """Whether there is more in HTML than tags, white space and what is dropped; it reads no further than it must.

    Examples
    --------
    >>> has_text("<style>p {}</style><p>&nbsp;</p>"), has_text("<p>Yes")
    (False, True)
    """
    return any(text.strip() for text, *_ in _Tokenizer(document).tokens())


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


class _Open(NamedTuple):
    """An open element, and what it marks."""

    tag: str
    mark: Mark


class _LineWriter:
    """Writes lines while elements open and close."""

    def __init__(self, introduces: Callable[[Sequence[str]], bool]) -> None:
        self.lines: list[Line] = []
        self._introduces = introduces
        self._asked = 0  # how often
        self._pieces: list[str] = []  # text of the line that is being written
        self._is_filled = False  # whether there is more in it than white space
        self._bullet = ""  # what the next filled line begins with
        self._header = False  # whether markup says that a copied header begins at the next filled line
        self._marks = dict.fromkeys(Mark._fields, 0)  # how many open elements have each mark
        self._preformatted = 0  # how many open elements keep spaces
        self._undecided: list[int] = []  # numbers of open blockquotes that are quotes if their first line says so
        self._open: list[_Open] = []
        self._counts: dict[str, int] = {}  # open elements of each tag
        self._lists: list[int | None] = []  # next number of an ordered list, None for an unordered one

    def text(self, text: str) -> None:
        if self._marks["hidden"]:
            return
        if not self._preformatted:
            self._pieces.append(_SPACE.sub(" ", text))
            self._is_filled |= not text.isspace()
            return
        first, *others = text.replace("\r\n", "\n").split("\n")
        self._pieces.append(first)
        self._is_filled |= bool(first.strip())
        for line in others:
            self._end_line(blank=True)
            self._pieces.append(line)
            self._is_filled = bool(line.strip())

    def break_line(self, paragraph: bool = False) -> None:
        if self._pieces:
            self._end_line()
        if paragraph and self.lines and self.lines[-1].text:
            self._end_line(blank=True)

    def start(self, tag: str, attributes: Attributes) -> None:
        if self._open and tag in _ENDED_BY.get(self._open[-1].tag, ()):
            self.end(self._open[-1].tag)
        if tag == "br":
            self._end_line(blank=True)
        elif tag == "img":
            alternative = attributes.get("alt", "").strip()
            if not self._marks["hidden"] and _FILE_NAME.fullmatch(alternative) is None:
                self._pieces.append(_SPACE.sub(" ", alternative))
                self._is_filled |= bool(alternative)
        elif tag in ("td", "th"):
            if self._is_filled:
                self._pieces.append("\t")
        elif tag in _PARAGRAPHS or tag in _BLOCKS:
            # A list within a list begins no paragraph.
            self.break_line(tag in _PARAGRAPHS and not (self._lists and tag in ("ul", "ol")))
        mark = mark_of(tag, attributes) if attributes else _UNMARKED
        if tag in _NESTED or ((mark.hidden or self._marks["hidden"]) and tag not in _VOID):
            self._open_element(tag, mark)

    def _open_element(self, tag: str, mark: Mark) -> None:
        if tag == "blockquote" and not mark.quote:
            if self._is_introduced(self._last_texts()):
                mark = mark._replace(quote=True)
            else:
                self._undecided.append(len(self._open))
        self._header |= mark.header
        self._open.append(_Open(tag, mark))
        self._counts[tag] = self._counts.get(tag, 0) + 1
        self._count(mark, 1)
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
            closed, mark = self._open.pop()
            self._counts[closed] -= 1
            self._count(mark, -1)
            self._preformatted -= closed == "pre"
            if closed in ("ul", "ol"):
                self._lists.pop()
                self._bullet = ""
        while self._undecided and self._undecided[-1] >= len(self._open):
            self._undecided.pop()

    def _count(self, mark: Mark, change: int) -> None:
        if mark is _UNMARKED:
            return
        for name, is_marked in zip(Mark._fields, mark, strict=True):
            if is_marked:
                self._marks[name] += change

    def _is_introduced(self, texts: list[str]) -> bool:
        self._asked += 1
        return self._asked <= _MAX_ASKED and self._introduces(texts)

    def _last_texts(self) -> list[str]:
        """Return the last lines that no blank one divides."""
        texts: list[str] = []
        for line in reversed(self.lines[-_MAX_INTRODUCTION - 1 :]):
            if line.text:
                texts.insert(0, line.text)
            elif texts:
                break
        return texts

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
            text = _SPACES.sub(" ", text) if "  " in text else text
            text = (_AROUND_TAB.sub("\t", text) if "\t" in text else text).strip()
        self._pieces.clear()
        self._is_filled = False
        if text or (blank and self.lines and self.lines[-1].text):
            if text and self._undecided:
                self._decide(text)
            bullet, self._bullet = (self._bullet, "") if text else ("", self._bullet)
            marks = self._marks
            is_header = bool(text) and (self._header or marks["header"] > 0)
            attributed = bool(text) and marks["attribution"] > 0
            self.lines.append(Line(bullet + text, marks["quote"], marks["signature"] > 0, is_header, attributed))
            self._header = self._header and not text

    def _decide(self, text: str) -> None:
        """Take the innermost blockquote, of which this is the first line, for a quote if the line introduces one."""
        number = self._undecided[-1]
        self._undecided.clear()
        if self._is_introduced([text]):
            self._open[number] = _Open("blockquote", self._open[number].mark._replace(quote=True))
            self._marks["quote"] += 1
