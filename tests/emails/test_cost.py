"""The work for a body grows with its length only, and few of its lines are looked at closely, whatever they are."""

import time

import pytest

from xplain.emails import comment_from_email, thread
from xplain.emails.html import html_lines
from xplain.emails.lines import plain_lines

TWO_CHARACTERS = ["a", ":", "a:", ">", "A:", "--", "__", "> a", "*", "1:", "a>", "：", "מ:", "De"]
INTRODUCTIONS = [
    "From: x",
    "De: a@b.example",
    "_____\nFrom: a@b.example",
    "-----x-----",
    "wrote:",
    "On 2020-01-01 10:00 Ann <a@b.example> wrote:",
    "a: <a@b.example>",
    "<a@b " * 30 + ":",
    "Von: " * 20,
    "写道：",
]


@pytest.fixture
def reads(monkeypatch):
    """Counts the lines that are read as an attribution or a header."""
    counts = {"read_attribution": 0, "read_copied_header": 0}

    def counting(name, read):
        def counted(*args, **options):
            counts[name] += 1
            return read(*args, **options)

        return counted

    for name in counts:
        monkeypatch.setattr(thread, name, counting(name, getattr(thread, name)))
    return counts


@pytest.mark.parametrize("line", TWO_CHARACTERS)
def test_lines_of_two_characters_are_never_looked_at_closely(reads, line):
    thread.split_thread(plain_lines(f"{line}\n" * 20_000))
    assert reads == {"read_attribution": 0, "read_copied_header": 0}


@pytest.mark.parametrize("lines", INTRODUCTIONS)
def test_few_lines_are_looked_at_closely(reads, lines):
    thread.split_thread(plain_lines(f"{lines}\n" * 6_000))
    assert reads["read_attribution"] <= 4 * 4_096  # of each possible end up to four lines
    assert reads["read_copied_header"] <= 2 * 4_096


def test_a_long_thread_is_split_all_the_same():
    texts = [f"{'> ' * i}Number {i}.\n{'> ' * i}On Mon, 3 May 2021, Mia {i} wrote:\n" for i in range(500)]
    messages = comment_from_email(b"\n" + "".join(texts).encode()).messages
    assert [message.body for message in messages[:500]] == [f"Number {i}." for i in range(500)]
    assert messages[499].from_ == "Mia 498"


@pytest.mark.parametrize("line", [" x", "\t", "x", "a: b", "To: (", "Subject: =?utf-8?q?", "To: a;:"])
def test_headers_of_many_lines(line):
    lines = (
        100_000 if line[0].isspace() or line == "x" else 20_000
    )  # a string that grows a line at a time takes minutes
    comment = comment_from_email(b"Subject: bread\n" + f"{line}\n".encode() * lines + b"To: c@d.example\n\nIt is late.")
    assert len(comment.messages) == 1


@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "<p", "&lt", "<a b='"])
@pytest.mark.parametrize("nested", [False, True])
def test_tags_that_do_not_end(piece, nested):
    """A pattern that begins anew at each ``<`` takes minutes."""
    content = b"Content-Type: text/html\n\n" + piece.encode() * (400_000 // len(piece))
    if nested:
        content = b"Content-Type: multipart/alternative; boundary=x\n\n--x\n" + content + b"\n--x--\n"
    start = time.process_time()
    comment_from_email(content)
    assert time.process_time() - start < 10


def test_few_blockquotes_are_asked_for_an_introduction():
    asked = []
    html_lines("<blockquote>wrote:" * 10_000, lambda texts: asked.append(texts) is not None)
    assert len(asked) <= 4_096
