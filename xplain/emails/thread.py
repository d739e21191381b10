"""Split a body into the messages that it quotes, and each of them into text and signature.

What is not surely a quote or a signature stays in the text: a classifier loses less by a signature too much than by a
sentence too few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xplain.emails.attributions import (
    MAX_ATTRIBUTION,
    MAX_LINES,
    Attribution,
    has_key,
    may_end_attribution,
    read_attribution,
)
from xplain.emails.copied import Introduction, may_begin_header, read_copied_header
from xplain.emails.lines import Line
from xplain.emails.signatures import split_signature

_SHORTEST = 3  # characters of a line with which an introduction begins or ends
_MAX_CANDIDATES = 4_096  # lines that are looked at for an introduction: twice as many as a comment holds messages


@dataclass(slots=True)
class RecoveredMessage:
    """A message as far as it can be recovered from the body of a mail that quotes it.

    Parameters
    ----------
    introduction : Introduction or None
        What introduced it; None for the mail's own message.
    text, signature : str
        Its text without the signature, and the signature.
    lines : list of Line
        The lines that text and signature are made of.
    """

    introduction: Introduction | None = None
    text: str = ""
    signature: str = ""
    lines: list[Line] = field(default_factory=list)


def introduces(texts: Sequence[str]) -> bool:
    """Whether the last of some lines introduce a quote that follows them."""
    return any(
        read_attribution("\n".join(texts[-count:])) is not None
        for count in range(1, min(len(texts), MAX_LINES) + 1)
        if may_end_attribution(texts[-1])
    )


def split_thread(lines: Sequence[Line]) -> list[RecoveredMessage]:
    r"""Split the lines of a body into its messages, the newest first.

    Messages are numbered by their level, 0 for the newest. The level of a line is its depth of quoting, plus one for
    each copied header or unmarked attribution line above it; so answers between quoted lines come together in the
    message that gives them. The introduction of a message becomes what is known about it; a second one for the same
    message stays in the text. A signature is split off only where `split_signature` is sure of it.

    Examples
    --------
    >>> from xplain.emails.lines import plain_lines
    >>> messages = split_thread(plain_lines("Yes.\n\nAnn wrote:\n> Really?\n> -- \n> Ann"))
    >>> [(message.text, message.signature) for message in messages]
    [('Yes.', ''), ('Really?', 'Ann')]
    """
    messages = _Splitter(lines).split()
    for message in messages.values():
        message.text, message.signature = split_signature(message.lines)
    ordered = [messages[level] for level in sorted(messages)]
    return ordered[:1] + [message for message in ordered[1:] if message.introduction or message.text]


class _Splitter:
    """Goes through the lines of a body, and adds each to its message."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.messages: dict[int, RecoveredMessage] = {0: RecoveredMessage()}  # by level
        self._shifts: list[tuple[int, int]] = []  # (depth, levels that an unmarked introduction at that depth added)
        self._shift = 0  # the sum of the levels added
        self._oldest = 0  # the highest level so far
        self._with_text: set[int] = set()  # levels that have a line of text so far
        self._pending = 0, 0  # a shift that begins with the next line of that depth
        self._attributions = _attributions(lines)

    def split(self) -> dict[int, RecoveredMessage]:
        """Return the messages by their level."""
        at = 0
        for candidate in self._candidates():
            if candidate < at:
                continue
            self._take(at, candidate)
            level = self._level(self.lines[candidate].depth)
            introduction, levels = self._introduction(candidate, level)
            at = candidate
            if introduction is not None:
                self._add(introduction, self.lines[candidate].depth, level, levels)
                at += introduction.length
        self._take(at, len(self.lines))
        return self.messages

    def _candidates(self) -> list[int]:
        """Return the numbers of the lines at which an introduction may begin."""
        lines = self.lines
        headers: list[int] = []
        below = ""  # the next line that is not blank
        for at in range(len(lines) - 1, -1, -1):
            line = lines[at]
            if line.text:
                if line.header or (len(line.text) >= _SHORTEST and may_begin_header(line.text, below)):
                    headers.append(at)
                below = line.text
        return sorted({*headers[-_MAX_CANDIDATES:], *self._attributions})

    def _level(self, depth: int) -> int:
        """The level of a line of that depth which comes next."""
        while self._shifts and self._shifts[-1][0] > depth:  # the quote in which those introductions stood has ended
            self._shift -= self._shifts.pop()[1]
        if self._pending[1] and depth >= self._pending[0]:
            self._shifts.append(self._pending)
            self._shift += self._pending[1]
            self._pending = 0, 0
        return depth + self._shift

    def _take(self, start: int, stop: int) -> None:
        """Add lines among which no introduction begins to their messages."""
        depth, level = -1, 0
        taken: list[Line] = []
        for line in self.lines[start:stop]:
            if line.depth != depth:
                depth, level = line.depth, self._level(line.depth)
                self._oldest = max(self._oldest, level)
                taken = self.messages.setdefault(level, RecoveredMessage()).lines
            taken.append(line)
            if line.text:
                self._with_text.add(level)

    def _add(self, introduction: Introduction, depth: int, level: int, levels: int) -> None:
        """Add a message below a level: marked as quoted (1), by nothing (2), or as its introduction is (0)."""
        if introduction.prefix:
            self.messages.setdefault(level, RecoveredMessage()).lines.append(Line(introduction.prefix, depth))
            self._with_text.add(level)
        if levels == 0:
            self.messages.setdefault(level, RecoveredMessage()).introduction = introduction
            self._oldest = max(self._oldest, level)
            return
        known = self.messages.get(level + 1)
        if levels == 1 and known is not None:
            # Of the same author more is quoted; of another one what follows comes to a message of its own.
            if known.introduction is not None and known.introduction.from_ == introduction.from_:
                return
            self._pending = depth + 1, self._oldest - level
        # If there is a message at the next level already, the introduced one is older than all so far.
        introduced = level + 1 if level + 1 not in self.messages else self._oldest + 1
        if levels == 2:
            self._shifts.append((depth, introduced - level))
            self._shift += introduced - level
        self.messages[introduced] = RecoveredMessage(introduction)
        self._oldest = max(self._oldest, introduced)

    def _introduction(self, at: int, level: int) -> tuple[Introduction | None, int]:
        """Read an introduction that begins at a line, and how the message that it introduces is marked: see `_add`."""
        lines, line = self.lines, self.lines[at]
        header = self._with_attribution(read_copied_header(lines, at), at)
        if header is not None:
            introduction, is_sure = header, True
        elif at in self._attributions:
            attribution, length = self._attributions[at]
            is_sure = attribution.is_sure
            introduction = Introduction(
                attribution.from_, attribution.sent_at, length=length, prefix=attribution.prefix
            )
        else:
            return None, 0
        if _next_depth(lines, at + introduction.length) > line.depth:
            return (introduction, 1) if is_sure or level + 1 not in self.messages else (None, 0)
        has_text = level in self._with_text
        if line.depth and not has_text and not introduction.prefix and self._is_anonymous(level):
            # Apple Mail quotes the attribution line with the text.
            return (introduction, 0) if is_sure or "@" in introduction.from_ or introduction.sent_at else (None, 0)
        if not is_sure:
            return None, 0
        # Without text before it, a line before unmarked lines begins an answer below a quote whose marks are not known.
        return (introduction, 2) if header is not None or has_text or introduction.prefix else (None, 0)

    def _with_attribution(self, introduction: Introduction | None, at: int) -> Introduction | None:
        """Add to a rule that names nobody the attribution line below it."""
        if introduction is None or introduction.from_ or introduction.sent_at:
            return introduction
        below = at + introduction.length
        while below < len(self.lines) and below <= at + 2 and not self.lines[below].text:
            below += 1
        if below not in self._attributions:
            return introduction
        attribution, length = self._attributions[below]
        return Introduction(attribution.from_, attribution.sent_at, length=below + length - at)

    def _is_anonymous(self, level: int) -> bool:
        """Whether nobody is known to have written the message of a level."""
        message = self.messages.get(level)
        return message is None or message.introduction is None or not message.introduction.from_


def _attributions(lines: Sequence[Line]) -> dict[int, tuple[Attribution, int]]:
    """Return the attribution lines by the number of the first line, with the number of lines of each."""
    found: dict[int, tuple[Attribution, int]] = {}
    keys: dict[int, bool] = {}  # whether a line has an address or a verb, for the last lines asked
    free = 0  # the first line that belongs to no attribution so far
    left = _MAX_CANDIDATES
    for last, line in enumerate(lines):
        text = line.text
        if len(text) < _SHORTEST or not (line.attribution or may_end_attribution(text)) or len(text) > MAX_ATTRIBUTION:
            continue
        if last + 1 < len(lines) and _goes_on(line, lines[last + 1]):
            continue
        first = _first_of(lines, last, free)
        for at in range(last, first - 1, -1):
            if at not in keys:
                keys[at] = has_key(lines[at].text)
            if keys[at] or line.attribution:
                break
        else:
            continue
        left -= 1
        start, attribution = _read_upwards(lines[first : last + 1][::-1], last)
        if attribution is not None:
            found[start] = attribution, last - start + 1
            free = last + 1
        if not left:
            break
    return found


def _goes_on(line: Line, following: Line) -> bool:
    """Whether an attribution that may end at a line ends at a later one."""
    if not following.text or following.depth != line.depth:
        return False
    return following.attribution if line.attribution else line.text[-1] not in ":：-*_"


def _first_of(lines: Sequence[Line], last: int, free: int) -> int:
    """The first line that may belong to an attribution of which the last is given."""
    lowest, depth = max(free, last - MAX_LINES + 1), lines[last].depth
    for first in range(last, lowest, -1):
        above = lines[first - 1]
        if not above.text or above.depth != depth:
            return first
    return lowest


def _read_upwards(window: Sequence[Line], last: int) -> tuple[int, Attribution | None]:
    """Read the attribution that ends at a line, of as few lines as it takes; its first line is where it begins."""
    texts: list[str] = []
    best: tuple[int, Attribution | None] = (last, None)
    for count, line in enumerate(window):
        texts.insert(0, line.text.strip())
        attribution = read_attribution("\n".join(texts), marked=line.attribution and window[0].attribution)
        if attribution is None or "\n" in attribution.prefix or texts[0] == attribution.prefix:
            continue
        if best[1] is None or _is_better(attribution, best[1]):
            best = last - count, attribution
    return best


def _is_better(attribution: Attribution, than: Attribution) -> bool:
    """Whether one more line tells more: that it is surely one, the time, or the name before the address."""
    if (attribution.is_sure, attribution.sent_at is not None) > (than.is_sure, than.sent_at is not None):
        return True
    adds_name = than.from_ in attribution.from_ and than.from_ != attribution.from_ and not attribution.prefix
    return adds_name and (attribution.is_sure or "<" not in than.from_)


def _next_depth(lines: Sequence[Line], at: int) -> int:
    """The depth of the next line that is not blank, at most two lines on; -1 if there is none."""
    return next((line.depth for line in lines[at : at + 3] if line.text), -1)
