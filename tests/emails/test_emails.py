"""Raw e-mails: parts and charsets, quotes and signatures, limits, and input that means harm."""

import random
import time

import numpy as np
import pytest

from tests.support import refuses
from xplain.emails import Attachment, Comment, Message, comment_from_email, comment_from_raw_email
from xplain.emails.html import html_lines
from xplain.emails.thread import introduces
from xplain.errors import InputError
from xplain.models import TextClassifier


def plain(body, headers=b"Subject: Hi\n"):
    return comment_from_email(headers + b"\n" + body.encode())


def html(body):
    return comment_from_raw_email({"body": {"html": body}, "headers": {"parsed": {}}})


def bodies(comment):
    return [message.body for message in comment.messages]


def raw(**changes):
    return {"body": {"plain": "Hello"}, "headers": {"raw": "Subject: Hi"}} | changes


MIXED = b"""\
From: =?iso-8859-1?q?J=F6rg?= <joerg@example.org>
To: "Lee, Ann" <ann@example.org>, bob@example.org
Cc: team@example.org
Date: Thu, 09 Jan 2020 16:34:45 +0100
Subject: =?utf-8?b?w4Q=?= =?utf-8?b?cGZlbA==?=
Message-ID: <3@example.org>
References: <1@example.org> <2@example.org>
In-Reply-To: <2@example.org>
Content-Language: de-AT
Content-Type: multipart/mixed; boundary="o"

preamble
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain; charset=utf-8

plain words
--i
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>Gr=FC=DFe &amp; <b>Brot</b></p>
--i
Content-Type: text/calendar; method=REQUEST

BEGIN:VCALENDAR
--i--
--o
Content-Type: application/pdf; name="../../a.pdf"
Content-Disposition: attachment
Content-Transfer-Encoding: base64

QUJDRA==
--o
Content-Type: message/rfc822

Subject: Inner

secret
--o
Content-Type: text/plain
Content-Disposition: attachment; filename*=utf-8''%C3%A4.txt

attached words
--o--
epilogue
"""


def test_a_mail_of_many_parts_becomes_a_comment():
    comment = comment_from_email(MIXED, user_properties={"string:City": "Graz", "number:Age": 7})
    (message,) = comment.messages
    assert message.subject == "Äpfel"
    assert message.body == "Grüße & Brot"
    assert message.from_ == "Jörg <joerg@example.org>"
    assert message.to == ('"Lee, Ann" <ann@example.org>', "bob@example.org")
    assert (message.cc, message.bcc, message.language) == (("team@example.org",), (), "de-AT")
    assert message.sent_at == comment.timestamp == "2020-01-09T16:34:45+01:00"
    assert (comment.id, comment.thread_id) == ("3@example.org", "1@example.org")
    assert comment.user_properties == {"string:City": "Graz", "number:Age": 7.0}
    assert comment.attachments == (
        Attachment("", 15, "text/calendar"),
        Attachment("../../a.pdf", 4, "application/pdf"),
        Attachment("Inner", 22, "message/rfc822"),
        Attachment("ä.txt", 14, "text/plain"),
    )
    assert comment.defects == ()


def test_identity_and_thread():
    assert comment_from_email(MIXED, comment_id="c1").id == "c1"
    assert plain("x", b"In-Reply-To: <9@a>\nMessage-ID: <10@a>\n").thread_id == "9@a"
    assert plain("x", b"Message-ID: <10@a>\n").thread_id == "10@a"  # its replies refer to it
    assert (plain("x").id, plain("x").thread_id) == (None, None)


@pytest.mark.parametrize(
    ("charset", "body", "text", "defect"),
    [
        ("x-made-up", "größe".encode(), "größe", "text is not 'x-made-up' as declared, read as utf-8"),
        ("utf-8", "größe".encode("latin-1"), "größe", "text is not 'utf-8' as declared, read as windows-1252"),
        ("", b"\x93x\x94", "“x”", "text declares no charset, read as windows-1252"),
        ("idna", b"xn--a", "xn--a", "text is not 'idna' as declared, read as utf-8"),
        ("zlib", b"x", "x", "text is not 'zlib' as declared, read as utf-8"),
        ("iso-8859-1", b"\x93x\x94", "“x”", None),
        ("gb2312", "镕".encode("gbk"), "镕", None),
        ("utf-7", b"+2AA-", "\ufffd", None),  # half a surrogate pair, which no UTF encodes
    ],
)
def test_charsets(charset, body, text, defect):
    comment = comment_from_email(f'Content-Type: text/plain; charset="{charset}"\n\n'.encode() + body)
    assert comment.messages[0].body == text
    assert comment.defects == (() if defect is None else (defect,))


def test_broken_headers_are_read_as_far_as_they_go():
    comment = comment_from_email(
        b"From: \xe4 <a@b>\nSubject: =?utf-8?b?A?= =?nope?q?=e4?=\nDate: yesterday\nTo: " + b"x" * 600 + b", c@d\n\nx"
    )
    (message,) = comment.messages
    assert message.from_ == "ä <a@b>"
    assert message.subject == "=?utf-8?b?A?=ä"
    assert (message.sent_at, message.to) == (None, ("c@d",))
    assert comment.defects == (
        "date is no date, got 'yesterday'",
        "header subject holds a broken encoded word, left as it stands: '=?utf-8?b?A?='",
        "header subject is not 'nope' as declared, read as windows-1252",
        "header from declares no charset, read as windows-1252",
        "1 addresses in to are left out: at most 2048 of at most 512 characters are kept",
    )


def test_parts_that_are_not_there():
    assert bodies(comment_from_email(b"")) == [""]
    assert bodies(comment_from_email(b"\n\n")) == [""]
    assert comment_from_email(b"\xef\xbb\xbfSubject: after a byte order mark\n").messages[0].subject.startswith("after")
    no_boundary = comment_from_email(b"Content-Type: multipart/mixed\n\nHello")
    assert (bodies(no_boundary), no_boundary.defects) == (
        ["Hello"], ("a multipart names no boundary, read as text",),
    )  # fmt: skip
    open_end = comment_from_email(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHello")
    assert (bodies(open_end), open_end.defects) == (["Hello"], ("the last part of a multipart does not end",))
    no_part = comment_from_email(b"Content-Type: multipart/mixed; boundary=b\n\nHello")
    assert (bodies(no_part), no_part.defects) == (["Hello"], ("a multipart holds no part, read as text",))
    base64 = comment_from_email(b"Content-Transfer-Encoding: base64\n\nSGVsbG8")
    assert (bodies(base64), base64.defects) == (
        ["Hello"], ("base64 is broken, read as far as it goes: InvalidBase64PaddingDefect",),
    )  # fmt: skip


QUOTES = {
    "gmail, wrapped": "Yes.\n\nOn Tue, Sep 3, 2002 at 10:22 AM Ann Lee\n<ann@a.org> wrote:\n\n> Really?",
    "apple, unmarked": "Yes.\n\nOn 3 Sep 2002, at 10:22, Ann Lee <ann@a.org> wrote:\n\nReally?",
    "outlook": "Yes.\n\n-----Original Message-----\nFrom: Ann Lee <ann@a.org>\n"
    "Sent: Tuesday, September 3, 2002 10:22 AM\nTo: Bob\nSubject: Bread\n\nReally?",
    "outlook, no rule": "Yes.\n\nFrom: Ann Lee <ann@a.org>\nSent: Tuesday, 3 September 2002 10:22\nTo: Bob\n"
    "Subject: Bread\n\nReally?",
    "german": "Ja.\n\nAm 2002-09-03 um 10:22 schrieb Ann Lee <ann@a.org>:\n> Really?",
    "german outlook": "Ja.\n\nVon: Ann Lee <ann@a.org>\nGesendet: 2002-09-03 10:22\nAn: Bob\nBetreff: Bread\n\nReally?",
    "french": "Oui.\n\nLe 2002-09-03 10:22, Ann Lee <ann@a.org> a écrit :\n> Really?",
    "spanish": "Sí.\n\nEl 2002-09-03 10:22, Ann Lee <ann@a.org> escribió:\n> Really?",
    "dutch": "Ja.\n\nOp 2002-09-03 10:22 schreef Ann Lee <ann@a.org>:\n> Really?",
}


@pytest.mark.parametrize("text", QUOTES.values(), ids=QUOTES)
def test_quoted_replies_are_split_off(text):
    newest, earlier = plain(text).messages
    assert newest.body == text.partition("\n")[0]
    assert (earlier.body, earlier.from_, earlier.sent_at) == ("Really?", "Ann Lee <ann@a.org>", "2002-09-03T10:22:00")
    assert (earlier.subject, earlier.to) == (("Bread", ("Bob",)) if "Bob" in text else ("", ()))


def test_copied_headers_may_be_wrapped():
    text = "Yes.\n\n-----Original Message-----\nFrom: list@a.org On Behalf Of\nAnn Lee\n"
    text += "Sent: 2002-09-03\nTo: b@b.org,\nc@c.org\n\nNo?"
    newest, earlier = plain(text).messages
    assert (newest.body, earlier.body, earlier.from_) == ("Yes.", "No?", "list@a.org On Behalf Of Ann Lee")
    assert earlier.to == ("b@b.org", "c@c.org")


def test_answers_between_quotes_come_together():
    comment = plain("Ann wrote:\n>> Old?\n> One?\nYes.\n> Two?\nNo.\n")
    assert bodies(comment) == ["Yes.\nNo.", "One?\nTwo?", "Old?"]
    assert comment.messages[1].from_ == "Ann"


def test_forwards_in_replies_are_older_still():
    text = "A\n\nOn 2020-01-02, Bob wrote:\n> B\n> -----Original Message-----\n> From: Cy\n> Sent: 2020-01-01\n>\n> C"
    comment = plain(text)
    assert bodies(comment) == ["A", "B", "C"]
    assert [message.from_ for message in comment.messages] == [None, "Bob", "Cy"]


@pytest.mark.parametrize(
    "text",
    [
        "He wrote:\nnothing at all",
        "On the other hand she wrote:\n\na book",
        "On 6 Sep 2002, Jim Lee wrote:\n--]Have you heard?\n\nI have.",
        "From: here to there\nit is far",
        "Note: this\nTo: do",
        "--\nonly this",
        "Thanks,\nBob",
        "Sent from my phone",
        ">From now on",
        "a > b",
    ],
)
def test_what_is_unsure_stays_in_the_body(text):
    comment = plain(text)
    assert bodies(comment) == [text.removeprefix(">") if text.startswith(">From") else text]
    assert comment.messages[0].signature == ""


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("Hello.\n-- \nAnn\n+43 1", "Ann\n+43 1"),
        ("Hello.\n\nBest regards,\n\nAnn Lee\nACME", "Best regards,\n\nAnn Lee\nACME"),
        ("Hello.\n\nMit freundlichen Grüßen\nAnn", "Mit freundlichen Grüßen\nAnn"),
        ("Hello.\n\nSent from my iPhone", "Sent from my iPhone"),
        ("Hello.\n\nCheers,\nAnn\n\nSent from my iPhone", "Cheers,\nAnn\n\nSent from my iPhone"),
        ("Hello.\n\nThanks, that is all that I wanted to say about it.", ""),
        ("Hello.\n\nRegards,\nAnn\n\nPS: I still have a question. Could you tell me where the keys are kept?", ""),
    ],
)
def test_signatures(text, signature):
    (message,) = plain(text).messages
    assert message.signature == signature
    assert message.body == (text if not signature else "Hello.")


def test_html_of_mail_clients():
    gmail = html(
        '<div dir="ltr">Yes.<div><br></div>--<br>'
        ""
        '<div class="gmail_signature" data-smartmail="gmail_signature">Bob</div></div><br><div class="gmail_quote">'
        '<div class="gmail_attr">On Tue, 3 Sep 2002 at 10:22, Ann &lt;ann@a.org&gt; '
        'wrote:<br></div><blockquote class="gmail_quote" style="margin:0">Really?</blockquote></div>'
    )
    assert bodies(gmail) == ["Yes.", "Really?"]
    assert gmail.messages[0].signature == "Bob"
    assert gmail.messages[1].from_ == "Ann <ann@a.org>"
    apple = html('Yes.<br><blockquote type="cite"><div>On 3. 9. 2002, Ann wrote:</div><div>Really?</div></blockquote>')
    assert bodies(apple)[0] == "Yes."
    outlook = html(
        '<p>Yes.</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>Frå:</b> Ann<br><b>From:</b> Ann'
        "<br><b>Sent:</b> 3 September 2002<br><b>Subject:</b> Bread</p></div><p>Really?</p>"
    )
    assert "Really?" in bodies(outlook)[-1]
    web = html('Yes.<div id="divRplyFwdMsg"><b>From:</b> Ann<br><b>Sent:</b> 3 September 2002</div><div>Really?</div>')
    assert bodies(web) == ["Yes.", "Really?"]
    assert web.messages[1].sent_at is None  # a day has no hour
    assert bodies(html("<p>One</p><blockquote>indented</blockquote>")) == ["One\n\nindented"]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a<p>b", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<ul><li>a<li><p>b</ul><ol><li>c<li>d</ol>", "- a\n\n- b\n\n1. c\n2. d"),
        ("<table><tr><td>a<td>b<tr><th>c<td></table>", "a\tb\nc"),
        ("a <b> b\n\n c</b>", "a b c"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("&lt;b&gt; &nope; &#8364; &#xD800; &#99999999999;", "<b> &nope; € \ufffd \ufffd"),
        ("a<script>alert('</p>')</script>b<style>p{}</style><!-- c --><!doctype html><?php d ?>e", "abe"),
        ("<img alt='a cat' src='http://x/t.gif'>", "a cat"),
        ("a < b > c <3", "a < b > c <3"),
        ("<a href='>'>x</a>", "x"),
        ("x<a href='y>z", "xz"),
        ("<title>x", "x"),
        ("<script>alert(1)", "alert(1)"),
        ("<!-- x", "<!-- x"),
        ("<![<![", "<![<!["),
    ],
)
def test_html_to_text(markup, text):
    assert "\n".join(line.text for line in html_lines(markup, introduces)).strip() == text


def test_raw_email_objects():
    comment = comment_from_raw_email(
        raw(
            headers={"parsed": {"Subject": ["Hi", "no"], "To": ["a@b", "c@d"]}},
            attachments=[{"name": "a.pdf", "size": 9, "content_type": "application/pdf"}],
        ),
        comment_id="abc",
    )
    assert (comment.id, comment.messages[0].subject, comment.messages[0].to) == ("abc", "Hi", ("a@b", "c@d"))
    assert comment.attachments == (Attachment("a.pdf", 9, "application/pdf"),)
    folded = comment_from_raw_email(raw(headers={"raw": "Subject: a\r\n b\r\nTo: x@y\r\n\r\nlost"}))
    assert (folded.messages[0].subject, folded.messages[0].to) == ("a b", ("x@y",))
    assert folded.defects == ("the header ends before 'lost', the rest of it is left out",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body": {}}, "raw_email.body must hold exactly one of plain and html, got none"),
        ({"body": {"plain": "", "html": ""}}, "exactly one of plain and html, got plain and html"),
        ({"body": "x"}, "raw_email.body must be a mapping with string keys, got 'x'"),
        ({"body": {"plain": 7}}, "raw_email.body.plain must be a string, got 7"),
        ({"body": {"plain": "x" * 65_537}}, "raw_email.body.plain must be at most 65536 characters, got 65537"),
        ({"body": {"html": "x" * 33_554_433}}, "raw_email.body.html must be at most 33554432 characters, got 33554433"),
        ({"headers": {"raw": "x" * 65_537}}, "raw_email.headers.raw must be at most 65536 characters, got 65537"),
        ({"headers": {"parsed": {"To": [7]}}}, "headers.parsed['To'][0] must be a str, got 7"),
        ({"attachments": [{}] * 129}, "raw_email.attachments must be at most 128, got 129"),
        ({"attachments": ["x"]}, "raw_email.attachments[0] must be a mapping with string keys, got 'x'"),
        ({"attachments": "x"}, "raw_email.attachments must be a list of objects, got 'x'"),
        ({"attachments": [{"name": "x", "size": -1, "content_type": ""}]}, "Attachment.size must be an integer >= 0"),
    ],
)
def test_requests_beyond_the_limits_are_refused(changes, message):
    with refuses(InputError, message):
        comment_from_raw_email(raw(**changes))


def test_mails_that_cannot_be_read_are_refused():
    with refuses(InputError, "email must be bytes, got 'x'"):
        comment_from_email("x")
    with refuses(InputError, "email must be at most 67108864 bytes, got 67108865"):
        comment_from_email(bytes(2**26 + 1))
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(70))
    with refuses(InputError, "email must be nested at most 64 parts deep, got more"):
        comment_from_email(nested)
    with refuses(InputError, "email must have at most 4096 parts, got more"):
        comment_from_email(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 4_098)


def test_what_a_comment_cannot_hold_is_cut_and_said():
    many = "\n".join(">" * i + f"line {i}" for i in range(2_050))
    comment = comment_from_email(b"\n" + many.encode())
    assert len(comment.messages) == 2_048
    assert comment.defects == ("2 messages are left out: at most 2048 are kept",)
    long = comment_from_email(b"\n" + b"x" * 70_000)
    assert len(long.messages[0].body) == 65_536
    assert long.defects == ("4464 characters of messages[0].body are left out: at most 65536 are kept",)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Comment([]), "Comment.messages must hold a message, got none"),
        (lambda: Comment([Message()] * 2_049), "Comment.messages must be at most 2048, got 2049"),
        (lambda: Comment([Message()], user_properties={"illegal:x": 1}), "must be named string:... or number:..."),
        (lambda: Comment([Message()], user_properties={"string:x": 18.0}), "must be a string, got 18.0"),
        (lambda: Comment([Message()], user_properties={"number:x": "x"}), "must be a finite number, got 'x'"),
        (lambda: Message("x" * 65_537), "Message.body must be at most 65536 characters, got 65537"),
        (lambda: Message(from_=""), "Message.from_ must be 1 to 512 characters, got 0"),
        (lambda: Message(to=["a" * 513]), "Message.to[0] must be 1 to 512 characters, got 513"),
        (lambda: Message(cc=["a"] * 2_049), "Message.cc must be at most 2048 addresses, got 2049"),
    ],
)
def test_values_are_checked(build, message):
    with refuses(InputError, message):
        build()


HOSTILE_HTML = [
    "<!--",
    "<![",
    "<a ",
    "<a b='",
    "<a b=\"'>",
    "<a '>'",
    "</",
    "<title>",
    "<div>x</p>",
    "<ol><li>x",
    "<td>x",
    "<td> ",
    "&#x",
]
HOSTILE_MAIL = [
    "> ",
    ">",
    "On 1, x wrote:\n> \n>> On 2, y wrote:\n",
    "From: x\nSent: 1\nTo: y\n",
    "-- \n",
    "Am 1 schrieb ",
]


@pytest.mark.parametrize("unit", HOSTILE_HTML + HOSTILE_MAIL)
def test_time_grows_with_the_length_only(unit):
    def once(size):
        text = unit * (size // len(unit))
        start = time.process_time()
        if unit in HOSTILE_HTML:
            html(text + "\"'>")
        else:
            plain(text)
        return time.process_time() - start

    def seconds(size):  # the least of several is the work itself, without collections of others' garbage
        return min(once(size) for _ in range(4))

    seconds(1_000)
    assert seconds(64_000) < 24 * seconds(8_000) + 0.5  # 8 times is linear, 64 times quadratic


def test_any_bytes_are_read():
    rng = random.Random(0)
    for _ in range(300):
        data = bytearray(MIXED)
        for _ in range(rng.randrange(1, 40)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(3)] = rng.choice(
                [b"", b"\xff", b"\n", b"--", b'"', b"=?", b"*0*=", b"\0", b"<"]
            )
        comment = comment_from_email(bytes(data))
        assert comment.text.encode("utf-8").decode("utf-8") == comment.text  # no halves of surrogate pairs
        assert [comment.text[part.start : part.stop] for part in comment.parts] == [
            getattr(message, name)
            for message in comment.messages
            for name in ("subject", "body", "signature")
            if getattr(message, name)
        ]


def lateness(texts):
    late = np.array([text.count("late") + 0.0 for text in texts])
    return np.stack([-late, late], axis=1)


def test_a_classifier_takes_a_comment():
    comment = plain("It is late.\n> Never late", b"Subject: late\nMessage-ID: <7@x>\n")
    model = TextClassifier(lateness, labels=[("Order", "fine"), ("Order", "late")])
    assert model.predict(comment) == model.predict(comment.text)
    source = model.prepare(comment).source
    assert (source.text, source.parts, source.name) == (comment.text, comment.parts, "7@x")
    assert source.sha256 == model.prepare(comment.text).source.sha256


def test_preprocessing_keeps_the_parts_of_a_comment():
    comment = plain("It is  late.", b"Subject: late\n")
    model = TextClassifier(lateness, preprocess=lambda text: text.upper().replace("  ", " "))
    source = model.prepare(comment).source
    assert [source.text[part.start : part.stop] for part in source.parts] == ["LATE", "IT IS LATE."]
    with refuses(InputError, "text must hold a word, got ''"):
        model.prepare(comment_from_email(b""))
